package neutronlbaas

import (
	"context"
	"net/http"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

func poolSchema() schema {
	return schema{name: "pool", plural: "pools", attributes: namedAttributes(true, map[string]attribute{
		"loadbalancer_id":     {access: postOnly, read: orNone(id), filter: "loadbalancer_id"},
		"listener_id":         {access: postOnly, read: orNone(id)},
		"loadbalancers":       {},
		"listeners":           {},
		"members":             {},
		"healthmonitor_id":    {filter: "healthmonitor_id"},
		"protocol":            {access: postOnly, required: true, read: oneOf(lbaas.TCP, lbaas.HTTP, lbaas.HTTPS), filter: "protocol"},
		"lb_algorithm":        {access: postAndPut, required: true, read: oneOf(lbaas.RoundRobin, lbaas.LeastConnections, lbaas.SourceIP), filter: "lb_algorithm"},
		"session_persistence": {access: postAndPut, read: persistence},
	})}
}

func (a *api) pools() *resource[*lbaas.Pool] {
	r := &resource[*lbaas.Pool]{
		schema: poolSchema(), api: a, path: "/pools", rule: "pool",
		one: a.Store.Pool, many: a.Store.Pools, view: poolView,
	}
	r.create = func(ctx context.Context, req *web.Request, b body) (web.Call, error) {
		if err := a.completePool(ctx, req, b); err != nil {
			return web.Call{}, err
		}
		c := r.anew(b)
		c.Before = func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error {
			return mayServe(lb, b.text("listener_id"), lbaas.Protocol(b.text("protocol")))
		}
		return c, nil
	}
	r.update = func(_ context.Context, old *lbaas.Pool, b body) (web.Call, error) {
		keepPersistence(b, old.SessionPersistence)
		return r.on(http.MethodPut, old, b), nil
	}
	r.remove = func(old *lbaas.Pool) web.Call {
		c := r.on(http.MethodDelete, old, nil)
		c.Before = func(lb *lbaas.LoadBalancer, put func(...lbaas.Part) error) error { return release(lb, old.ID, put) }
		return c
	}
	return r
}

func poolView(p *lbaas.Pool) view {
	v := common(&p.Object)
	v["name"], v["description"] = p.Name, p.Description
	v["protocol"], v["lb_algorithm"] = p.Protocol, p.Algorithm
	v["session_persistence"], v["healthmonitor_id"] = persistenceView(p.SessionPersistence), nil
	v["loadbalancers"], v["members"] = refTo(p.LoadBalancerID), refs(p.Members)
	listeners := make([]view, len(p.ListenerIDs))
	for i, id := range p.ListenerIDs {
		listeners[i] = view{"id": id}
	}
	v["listeners"] = listeners
	if p.HealthMonitor != nil {
		v["healthmonitor_id"] = p.HealthMonitor.ID
	}
	return v
}

func persistenceView(s *lbaas.SessionPersistence) any {
	if s == nil {
		return nil
	}
	return view{"type": s.Type, "cookie_name": orNull(s.CookieName)}
}

// keepPersistence adds to a session persistence of the type that the pool has what this face has no names for.
func keepPersistence(b body, old *lbaas.SessionPersistence) {
	asked, ok := b["session_persistence"].(map[string]any)
	if !ok || old == nil || asked["type"] != string(old.Type) {
		return
	}
	if old.PersistenceTimeout != nil {
		asked["persistence_timeout"] = *old.PersistenceTimeout
	}
	if old.PersistenceGranularity != "" {
		asked["persistence_granularity"] = old.PersistenceGranularity
	}
}

// completePool finds the load balancer of a new pool, where only a listener of it is named.
func (a *api) completePool(ctx context.Context, req *web.Request, b body) error {
	lbID := b.text("loadbalancer_id")
	if listener := b.text("listener_id"); listener != "" {
		l, err := a.listeners().see(ctx, req.Actor, listener)
		if err != nil {
			return err
		}
		if lbID != "" && lbID != l.LoadBalancerID {
			return otherLoadBalancer()
		}
		lbID = l.LoadBalancerID
	}
	if lbID == "" {
		return failure(lbaas.Invalid, "PoolMustHaveLoadbalancer", "Pool must be created with a loadbalancer or listener.")
	}
	b["loadbalancer_id"] = lbID
	_, err := a.loadBalancers().see(ctx, req.Actor, lbID)
	return err
}

// mayServe refuses a new pool of that protocol for a listener of the tree that has one, or cannot use this one; "" is none.
func mayServe(lb *lbaas.LoadBalancer, listenerID string, protocol lbaas.Protocol) error {
	if listenerID == "" {
		return nil
	}
	l := lb.Listener(listenerID)
	switch {
	case l == nil:
		return entityNotFound("listener", listenerID)
	case l.DefaultPoolID != "":
		return failure(lbaas.Conflict, "ListenerDefaultPoolAlreadySet", "Listener %s is already using default pool %s.", l.ID, l.DefaultPoolID)
	}
	return compatible(l.Protocol, protocol)
}

// release refuses to delete a pool that has a health monitor, and makes the policies which redirect to it reject.
func release(lb *lbaas.LoadBalancer, poolID string, put func(...lbaas.Part) error) error {
	p := lb.Pool(poolID)
	if p == nil {
		return nil
	}
	if p.HealthMonitor != nil {
		return entityInUse("pool", "healthmonitor", p.HealthMonitor.ID)
	}
	for _, l := range lb.Listeners {
		for _, policy := range l.L7Policies {
			if policy.RedirectPoolID != poolID {
				continue
			}
			if err := policy.Redirect(lbaas.L7Redirect{Action: lbaas.Reject}); err != nil {
				return err
			}
			if err := put(policy); err != nil {
				return err
			}
		}
	}
	return nil
}
