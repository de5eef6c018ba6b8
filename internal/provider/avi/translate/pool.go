package translate

import (
	"plimsoll/lbaas"
)

// pool is an owner's copy of a pool, after what it refers to. Avi's pools belong to one virtual service each.
func (t *translation) pool(p *lbaas.Pool, o owner) []Object {
	persist, objects := persistence(p)
	name := alias(orElse(p.Name, "pool"), o.id)
	owned := map[string]any{
		"name":                                name,
		"description":                         p.Description,
		"cloud_ref":                           t.cloud(),
		"enabled":                             p.AdminStateUp,
		"servers":                             servers(p),
		"health_monitor_refs":                 nil,
		"application_persistence_profile_ref": persist,
	}
	t.setVRF(owned, "vrf_ref")
	if t.options.Placement {
		owned["placement_networks"] = t.placement(p)
	}
	algorithm(owned, p.Algorithm)
	tls, held := t.poolTLS(p, owned)
	objects = append(objects, tls...)
	if h := p.HealthMonitor; h != nil {
		objects = append(objects, t.monitor(h, owned, held))
		if h.AdminStateUp {
			owned["health_monitor_refs"] = []any{Ref(Monitor, UUID(Monitor, h.ID))}
		}
	}
	uuid := PoolUUID(p.ID, o.id)
	return append(objects, Object{
		Kind: Pool, UUID: uuid, Alias: alias(name, ID(uuid)), For: poolParts(p), Owned: owned, Held: held,
	})
}

// poolParts are the pool and its members.
func poolParts(p *lbaas.Pool) []string {
	parts := []string{p.ID}
	for _, m := range p.Members {
		parts = append(parts, m.ID)
	}
	return parts
}

// algorithm says how a pool chooses. What a hash is made of means nothing to the other algorithms, and Avi has a default for it.
func algorithm(owned map[string]any, a lbaas.Algorithm) {
	const hash = "LB_ALGORITHM_CONSISTENT_HASH"
	switch a {
	case lbaas.SourceIP:
		owned["lb_algorithm"], owned["lb_algorithm_hash"] = hash, hash+"_SOURCE_IP_ADDRESS"
	case lbaas.SourceIPPort:
		owned["lb_algorithm"], owned["lb_algorithm_hash"] = hash, hash+"_SOURCE_IP_ADDRESS_AND_PORT"
	default:
		owned["lb_algorithm"] = "LB_ALGORITHM_" + string(a)
	}
}
