package haproxy

import (
	"context"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// Observe asks the engine once about all of the load balancers.
func (p *Provider) Observe(ctx context.Context, lbs []*lbaas.LoadBalancer) (map[string]provider.Observation, error) {
	if len(lbs) == 0 { // no ids would ask for all
		return map[string]provider.Observation{}, nil
	}
	trees := map[string]*lbaas.LoadBalancer{}
	request := &enginepb.ObserveRequest{}
	for _, lb := range lbs {
		trees[lb.ID] = lb
		request.LoadBalancerIds = append(request.LoadBalancerIds, lb.ID)
	}
	reply, err := p.engine.Observe(ctx, request)
	if err != nil {
		return nil, p.explain(err)
	}
	all := map[string]provider.Observation{}
	for _, o := range reply.Observations {
		if lb := trees[o.LoadBalancerId]; lb != nil {
			all[lb.ID] = observation(lb, o)
		}
	}
	return all, nil
}

func observation(lb *lbaas.LoadBalancer, o *enginepb.Observation) provider.Observation {
	seen := provider.Observation{
		Operating:  lb.RollUp(reported(o)),
		Statistics: map[string]lbaas.Statistics{},
		Drifted:    o.Drifted || !o.Running,
		Generation: o.Generation,
		Epoch:      o.Epoch,
	}
	for _, f := range o.Frontends {
		seen.Statistics[f.Name] = lbaas.Statistics{
			BytesIn:           f.BytesIn,
			BytesOut:          f.BytesOut,
			ActiveConnections: f.CurrentSessions,
			TotalConnections:  f.TotalSessions,
			RequestErrors:     f.RequestErrors,
		}
	}
	return seen
}

// reported translates HAProxy's words. A HAProxy that does not run serves nothing.
func reported(o *enginepb.Observation) lbaas.Reported {
	r := lbaas.Reported{Listeners: map[string]lbaas.OperatingStatus{}, Members: map[string]lbaas.OperatingStatus{}}
	if !o.Running {
		return r
	}
	for _, f := range o.Frontends {
		switch f.Status {
		case "OPEN":
			r.Listeners[f.Name] = lbaas.Online
		case "FULL":
			r.Listeners[f.Name] = lbaas.Degraded
		}
	}
	for _, s := range o.Servers {
		if status := member(s.Status); status != "" {
			r.Members[s.Name] = status
		}
	}
	return r
}

// member is a server's status, of which HAProxy's first word tells: "UP 1/3", "MAINT (via …)".
func member(status string) lbaas.OperatingStatus {
	word, _, _ := strings.Cut(status, " ")
	switch word {
	case "UP", "NOLB":
		return lbaas.Online
	case "DOWN":
		return lbaas.Broken
	case "DRAIN":
		return lbaas.Draining
	case "MAINT":
		return lbaas.Offline
	case "no": // no check
		return lbaas.NoMonitor
	}
	return ""
}
