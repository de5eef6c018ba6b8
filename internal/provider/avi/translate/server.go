package translate

import (
	"cmp"
	"net/netip"
	"slices"

	"plimsoll/lbaas"
)

// servers are the members of a pool, in the order of their ids: the order of the tree is no reason to write.
func servers(p *lbaas.Pool) []any {
	members := slices.Clone(p.Members)
	slices.SortFunc(members, func(a, b *lbaas.Member) int { return cmp.Compare(a.ID, b.ID) })
	var all []any
	for _, m := range members {
		all = append(all, server(p, m))
	}
	return all
}

// server is a member of a pool. One that has no weight gets nothing new, which is what a server that is switched off gets.
func server(p *lbaas.Pool, m *lbaas.Member) map[string]any {
	return map[string]any{
		"external_uuid":  m.ID,
		"ip":             address(m.Address),
		"port":           int64(m.ProtocolPort),
		"hostname":       m.Address.Unmap().String(),
		"enabled":        m.AdminStateUp && p.AdminStateUp && m.Weight > 0,
		"ratio":          Ratio(m.Weight),
		"verify_network": true,
	}
}

// Ratio is a server's share on Avi's scale from 1 to 20, of a weight from 0 to 256.
func Ratio(weight int) int64 {
	weight = min(max(weight, 0), lbaas.MaxWeight)
	return int64(weight*20/257) + 1
}

// address is an IP address as Avi writes it.
func address(a netip.Addr) map[string]any {
	a = a.Unmap()
	family := "V4"
	if a.Is6() {
		family = "V6"
	}
	return map[string]any{"addr": a.WithZone("").String(), "type": family}
}

// placement names the networks of a pool's servers, each subnet once, so that Avi asks no other network that has the same
// addresses. Members that name no subnet are in the VIP's.
func (t *translation) placement(p *lbaas.Pool) []any {
	var ids []string
	for _, m := range p.Members {
		id := m.SubnetID
		if id == "" {
			id = t.lb.VIPSubnetID
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var all []any
	for _, id := range ids {
		if s := t.options.Subnets[id]; s != nil {
			prefix := s.CIDR.Masked()
			all = append(all, map[string]any{
				"network_ref": Ref("network", dashed(s.NetworkID)),
				"subnet":      map[string]any{"ip_addr": address(prefix.Addr()), "mask": int64(prefix.Bits())},
			})
		}
	}
	return all
}
