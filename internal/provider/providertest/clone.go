package providertest

import "plimsoll/lbaas"

// Clone copies a tree, so that either can be changed. Lists inside the objects are shared.
func Clone(lb *lbaas.LoadBalancer) *lbaas.LoadBalancer {
	c := *lb
	c.Listeners, c.Pools = nil, nil
	for _, l := range lb.Listeners {
		c.Listeners = append(c.Listeners, copied(l))
	}
	for _, p := range lb.Pools {
		k := copied(p)
		k.Members = nil
		for _, m := range p.Members {
			k.Members = append(k.Members, copied(m))
		}
		if p.HealthMonitor != nil {
			k.HealthMonitor = copied(p.HealthMonitor)
		}
		c.Pools = append(c.Pools, k)
	}
	return &c
}

func copied[T any](p *T) *T {
	c := *p
	return &c
}
