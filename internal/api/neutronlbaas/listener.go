package neutronlbaas

import (
	"context"
	"errors"
	"net/http"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

func listenerSchema() schema {
	return schema{
		name: "listener", plural: "listeners",
		attributes: namedAttributes(true, map[string]attribute{
			"loadbalancer_id": {access: postOnly, read: orNone(id), filter: "loadbalancer_id"},
			"loadbalancers":   {},
			"default_pool_id": {access: postAndPut, read: orNone(id), filter: "default_pool_id"},
			"protocol": {
				access: postOnly, required: true, filter: "protocol",
				read: oneOf(lbaas.TCP, lbaas.HTTP, lbaas.HTTPS, lbaas.TerminatedHTTPS),
			},
			"protocol_port":             {access: postOnly, required: true, read: between(1, lbaas.MaxPort), filter: "protocol_port", asked: number},
			"connection_limit":          {access: postAndPut, read: connections, filter: "connection_limit", asked: number},
			"default_tls_container_ref": {access: postAndPut, read: orNone(text(maxContainer)), filter: "default_tls_container_ref"},
			"sni_container_refs":        {access: postAndPut, read: texts(maxContainer)},
		}),
		// as Liberty's clients call them
		aliases: map[string]string{"default_tls_container_id": "default_tls_container_ref", "sni_container_ids": "sni_container_refs"},
	}
}

func (a *api) listeners() *resource[*lbaas.Listener] {
	r := &resource[*lbaas.Listener]{
		schema: listenerSchema(), api: a, path: "/listeners", rule: "listener",
		one: a.Store.Listener, many: a.Store.Listeners, view: listenerView,
	}
	r.create = func(ctx context.Context, req *web.Request, b body) (web.Call, error) {
		if err := a.completeListener(ctx, req, b); err != nil {
			return web.Call{}, err
		}
		c := r.anew(b)
		c.Before = func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error {
			if err := freePort(lb, b.number("protocol_port")); err != nil {
				return err
			}
			return mayUse(lb, lbaas.Protocol(b.text("protocol")), b.text("default_pool_id"))
		}
		return c, nil
	}
	r.update = func(ctx context.Context, old *lbaas.Listener, b body) (web.Call, error) {
		if b.has("default_tls_container_ref") {
			if err := hasContainer(old.Protocol, b); err != nil {
				return web.Call{}, err
			}
		}
		c := r.on(http.MethodPut, old, b)
		c.Before = func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error {
			return mayUse(lb, old.Protocol, b.text("default_pool_id"))
		}
		return c, a.checkPool(ctx, b.text("default_pool_id"), old.LoadBalancerID, old.ProjectID)
	}
	r.remove = func(old *lbaas.Listener) web.Call {
		c := r.on(http.MethodDelete, old, nil)
		c.Before = func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error {
			return noPolicies(lb.Listener(old.ID))
		}
		return c
	}
	return r
}

// noPolicies refuses to delete a listener that has L7 policies.
func noPolicies(l *lbaas.Listener) error {
	if l == nil || len(l.L7Policies) == 0 {
		return nil
	}
	return entityInUse("listener", "l7policy", l.L7Policies[0].ID)
}

func listenerView(l *lbaas.Listener) view {
	v := common(&l.Object)
	v["name"], v["description"] = l.Name, l.Description
	v["loadbalancers"], v["default_pool_id"] = refTo(l.LoadBalancerID), orNull(l.DefaultPoolID)
	v["default_tls_container_ref"], v["sni_container_refs"] = orNull(l.DefaultTLSContainerRef), list(l.SNIContainerRefs)
	v["connection_limit"], v["protocol"], v["protocol_port"] = lbaas.NoLimit, l.Protocol, l.ProtocolPort
	if l.ConnectionLimit != nil {
		v["connection_limit"] = *l.ConnectionLimit
	}
	return v
}

// completeListener judges what a POST says of a listener, and finds its load balancer where only a pool of it is named.
func (a *api) completeListener(ctx context.Context, req *web.Request, b body) error {
	pool := b.text("default_pool_id")
	if b.text("loadbalancer_id") == "" {
		if pool == "" {
			return failure(lbaas.Invalid, "ListenerMustHaveLoadbalancer", "Listener must be created with a loadbalancer or pool.")
		}
		p, err := a.pools().see(ctx, req.Actor, pool)
		if err != nil {
			return err
		}
		b["loadbalancer_id"] = p.LoadBalancerID
	}
	lb, err := a.loadBalancers().see(ctx, req.Actor, b.text("loadbalancer_id"))
	if err != nil {
		return err
	}
	if err := hasContainer(lbaas.Protocol(b.text("protocol")), b); err != nil {
		return err
	}
	return a.checkPool(ctx, pool, lb.ID, lb.ProjectID)
}

// hasContainer refuses a listener of the protocol that ends TLS and has no certificate for those who name no host.
func hasContainer(p lbaas.Protocol, b body) error {
	if p != lbaas.TerminatedHTTPS || b.text("default_tls_container_ref") != "" {
		return nil
	}
	return failure(lbaas.Invalid, "TLSDefaultContainerNotSpecified", "Default TLS container was not specified")
}

// checkPool refuses a pool that is not there, or is of another load balancer than the project's that is to use it; "" is none. Those of
// other projects are as good as not there.
func (a *api) checkPool(ctx context.Context, poolID, lbID, projectID string) error {
	if poolID == "" {
		return nil
	}
	p, err := a.Store.Pool(ctx, poolID)
	switch {
	case errors.Is(err, lbaas.NotFound), err == nil && p.ProjectID != projectID:
		return entityNotFound("pool", poolID)
	case err != nil:
		return err
	case p.LoadBalancerID != lbID:
		return otherLoadBalancer()
	}
	return nil
}

// freePort refuses a port that another listener has. Those of UDP and SCTP, which this face does not make, share none with it.
func freePort(lb *lbaas.LoadBalancer, port int) error {
	for _, l := range lb.Listeners {
		if l.ProtocolPort == port && l.Protocol != lbaas.UDP && l.Protocol != lbaas.SCTP {
			return portExists(lb.ID, port)
		}
	}
	return nil
}

func portExists(lb string, port int) error {
	return failure(lbaas.Conflict, "LoadBalancerListenerProtocolPortExists", "Load Balancer %s already has a listener with protocol_port of %d", lb, port)
}

// mayUse refuses a pool of the tree whose protocol does not go with a listener's; "" is none.
func mayUse(lb *lbaas.LoadBalancer, protocol lbaas.Protocol, poolID string) error {
	if poolID == "" {
		return nil
	}
	p := lb.Pool(poolID)
	if p == nil {
		return entityNotFound("pool", poolID)
	}
	return compatible(protocol, p.Protocol)
}

// compatible knows which pools listeners may have. What this face does not make follows Octavia's rules.
func compatible(listener, pool lbaas.Protocol) error {
	pairs := map[lbaas.Protocol]lbaas.Protocol{
		lbaas.TCP: lbaas.TCP, lbaas.HTTP: lbaas.HTTP, lbaas.HTTPS: lbaas.HTTPS, lbaas.TerminatedHTTPS: lbaas.HTTP,
	}
	partner, known := pairs[listener]
	if known && partner != pool || !known && lbaas.CheckProtocols(listener, pool) != nil {
		return protocolMismatch(listener, pool)
	}
	return nil
}
