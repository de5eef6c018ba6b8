package neutronlbaas

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

func memberSchema() schema {
	return schema{name: "member", plural: "members", bulk: true, attributes: namedAttributes(false, map[string]attribute{
		"address":       {access: postOnly, required: true, read: address, filter: "address"},
		"protocol_port": {access: postOnly, required: true, read: between(1, lbaas.MaxPort), filter: "protocol_port", asked: number},
		"weight":        {access: postAndPut, read: between(0, lbaas.MaxWeight), filter: "weight", asked: number},
		"subnet_id":     {access: postOnly, required: true, read: id, filter: "subnet_id"},
		"pool_id":       {filter: "pool_id"}, // as clients ask, beside the pool in the path
	})}
}

func (a *api) members() *resource[*lbaas.Member] {
	r := &memberResource{resource[*lbaas.Member]{
		schema: memberSchema(), api: a, path: "/pools/{pool}/members", rule: "member",
		one: a.Store.Member, many: a.Store.Members, view: memberView,
		parent: &parent[*lbaas.Member]{
			filter: "pool_id", value: "pool", of: func(m *lbaas.Member) string { return m.PoolID },
			see: func(ctx context.Context, by *identity.Actor, id string) error {
				_, err := a.pools().see(ctx, by, id)
				return err
			},
			astray: func(_, id string) error { return entityNotFound("member", id) },
		},
	}}
	r.create = func(_ context.Context, req *web.Request, b body) (web.Call, error) {
		pool := req.PathValue("parent")
		c := r.anew(b)
		c.Values = map[string]string{"pool": pool}
		c.Before = func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error { return newcomer(lb.Pool(pool), b) }
		return c, nil
	}
	r.createMany = r.batch
	r.update = func(_ context.Context, old *lbaas.Member, b body) (web.Call, error) {
		return r.on(http.MethodPut, old, b), nil
	}
	r.remove = func(old *lbaas.Member) web.Call { return r.on(http.MethodDelete, old, nil) }
	return &r.resource
}

// memberResource is that of members, of which Octavia makes many at once.
type memberResource struct{ resource[*lbaas.Member] }

// batch makes members by Octavia's batch, which adds to those that are there.
func (r *memberResource) batch(ctx context.Context, req *web.Request, bodies []body) ([]*lbaas.Member, error) {
	pool := req.PathValue("parent")
	if err := distinct(pool, bodies); err != nil {
		return nil, err
	}
	c := web.Call{
		Method: http.MethodPut, Path: r.path, Values: map[string]string{"pool": pool}, Query: url.Values{"additive_only": {"true"}},
		Body: map[string]any{r.plural: bodies},
		Before: func(lb *lbaas.LoadBalancer, _ func(...lbaas.Part) error) error {
			for _, b := range bodies {
				if err := newcomer(lb.Pool(pool), b); err != nil {
					return err
				}
			}
			return nil
		},
	}
	if _, err := r.call(ctx, req, c, "post"); err != nil {
		return nil, err
	}
	there, err := r.many(ctx, store.Query{Filters: []store.Filter{{Attribute: "pool_id", Values: []string{pool}}}})
	if err != nil {
		return nil, err
	}
	return pick(there, bodies), nil
}

// distinct refuses bodies of which two are of the same member.
func distinct(pool string, bodies []body) error {
	seen := map[[2]any]bool{}
	for _, b := range bodies {
		key := [2]any{b.text("address"), b.number("protocol_port")}
		if seen[key] {
			return memberExists(b.text("address"), b.number("protocol_port"), pool)
		}
		seen[key] = true
	}
	return nil
}

// pick returns the members that bodies are of, in their order. One that went meanwhile is left out.
func pick(there []*lbaas.Member, bodies []body) []*lbaas.Member {
	var made []*lbaas.Member
	for _, b := range bodies {
		for _, m := range there {
			if !m.Progress.Deleted && m.Address.String() == b.text("address") && m.ProtocolPort == b.number("protocol_port") {
				made = append(made, m)
			}
		}
	}
	return made
}

func memberExists(address string, port int, pool string) error {
	return failure(lbaas.Conflict, "MemberExists", "Member with address %s and protocol_port %d already present in pool %s", address, port, pool)
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
			return memberExists(at.String(), m.ProtocolPort, p.ID)
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
