package octavia

import (
	"context"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// remark says in the reasons of parts, where they have none, what their provider makes otherwise than it is written. The database is asked
// for providers only where one of those that are enabled has something to say.
func remark[T lbaas.Part](ctx context.Context, a *API, parts ...T) error {
	words := map[string]map[lbaas.Part]string{} // by provider
	owners := map[string]bool{}                 // load balancers
	for _, p := range parts {
		if p.Base().Progress.Reason != "" {
			continue
		}
		for _, face := range a.Providers {
			text := remarkOf(&face, p)
			if text == "" {
				continue
			}
			if words[face.Name] == nil {
				words[face.Name] = map[lbaas.Part]string{}
			}
			words[face.Name][p] = text
			owners[treeOf(p)] = true
		}
	}
	if len(owners) == 0 {
		return nil
	}
	providers, err := a.Store.ProvidersOf(ctx, owners)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if face := a.face(providers[treeOf(p)]); face != nil && words[face.Name][p] != "" {
			p.Base().Progress.Reason = words[face.Name][p]
		}
	}
	return nil
}

func remarkOf(face *provider.Face, p lbaas.Part) string {
	if face.Remark == nil {
		return ""
	}
	return face.Remark(p)
}

// treeOf is the id of the load balancer whose tree a part is of.
func treeOf(p lbaas.Part) string {
	switch p := p.(type) {
	case *lbaas.Listener:
		return p.LoadBalancerID
	case *lbaas.Pool:
		return p.LoadBalancerID
	case *lbaas.Member:
		return p.LoadBalancerID
	case *lbaas.HealthMonitor:
		return p.LoadBalancerID
	case *lbaas.L7Policy:
		return p.LoadBalancerID
	case *lbaas.L7Rule:
		return p.LoadBalancerID
	case *lbaas.RateLimitPolicy:
		return p.LoadBalancerID
	case *lbaas.RateLimitRule:
		return p.LoadBalancerID
	}
	return p.Base().ID
}
