package neutronlbaas

import (
	"context"
	"net/http"
	"net/netip"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

func memberSchema() schema {
	return schema{name: "member", plural: "members", bulk: true, attributes: namedAttributes(false, map[string]attribute{
		"address":       {access: postOnly, required: true, read: address, filter: "address"},
		"protocol_port": {access: postOnly, required: true, read: between(1, lbaas.MaxPort), filter: "protocol_port"},
		"weight":        {access: postAndPut, read: between(0, lbaas.MaxWeight), filter: "weight"},
		"subnet_id":     {access: postOnly, required: true, read: id, filter: "subnet_id"},
		"pool_id":       {filter: "pool_id"}, // as clients ask, beside the pool in the path
	})}
}

func (a *api) members() *resource[*lbaas.Member] {
	r := &resource[*lbaas.Member]{
		schema: memberSchema(), api: a, path: "/pools/{pool}/members", rule: "member",
		one: a.Store.Member, many: a.Store.Members, view: memberView,
		lb: func(m *lbaas.Member) string { return m.LoadBalancerID },
		parent: &parent[*lbaas.Member]{
			filter: "pool_id", value: "pool", of: func(m *lbaas.Member) string { return m.PoolID },
			see: func(ctx context.Context, by *identity.Actor, id string) error {
				_, err := a.pools().see(ctx, by, id)
				return err
			},
			astray: func(_, id string) error { return entityNotFound("member", id) },
		},
	}
	r.create = func(_ context.Context, req *web.Request, b body) (web.Call, error) {
		pool := req.PathValue("parent")
		c := r.anew(b)
		c.Values = map[string]string{"pool": pool}
		c.Before = func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error { return newcomer(lb.Pool(pool), b) }
		return c, nil
	}
	r.update = func(_ context.Context, old *lbaas.Member, b body) (web.Call, error) {
		return r.on(http.MethodPut, old, b), nil
	}
	r.remove = func(old *lbaas.Member) web.Call { return r.on(http.MethodDelete, old, nil) }
	return r
}

// newcomer refuses a member that the pool has.
func newcomer(p *lbaas.Pool, b body) error {
	if p == nil {
		return nil
	}
	at, err := netip.ParseAddr(b.text("address"))
	if err != nil {
		return err
	}
	for _, m := range p.Members {
		if m.Address == at && m.ProtocolPort == b.number("protocol_port") {
			return failure(lbaas.Conflict, "MemberExists", "Member with address %s and protocol_port %d already present in pool %s",
				at, m.ProtocolPort, p.ID)
		}
	}
	return nil
}

func memberView(m *lbaas.Member) view {
	v := common(&m.Object)
	v["name"], v["address"], v["protocol_port"] = m.Name, m.Address.String(), m.ProtocolPort
	v["weight"], v["subnet_id"] = m.Weight, orNull(m.SubnetID)
	return v
}
