package octavia

import (
	"context"
	"net/http"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// noFailover is how Octavia's providers say that they have no instances to make anew.
const noFailover = "This provider does not support failing over load balancers."

// failover makes the instances of a load balancer anew.
func (a *API) failover(ctx context.Context, r *request) (web.Reply, error) {
	lb, err := a.loadBalancer(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	return a.failOver(ctx, lb)
}

// failOver wants the instances of a load balancer to be made anew, in whatever state it is, unless it goes away.
func (a *API) failOver(ctx context.Context, lb *lbaas.LoadBalancer) (web.Reply, error) {
	if err := pending(lb); err != nil {
		return web.Reply{}, err
	}
	if face := a.face(lb.Provider); face == nil || !face.Failover {
		return web.Reply{}, notImplemented(lb.Provider, noFailover)
	}
	err := a.Store.ChangeLoadBalancer(ctx, lb.ID, func(c *store.Change) error { return c.FailOver() })
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusAccepted}, nil
}
