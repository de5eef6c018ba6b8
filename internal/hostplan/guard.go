package hostplan

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

// guards say what may pass the guarded ports of the host, by the port's id.
func (s *indexed) guards() []*enginepb.Guard {
	var all []*enginepb.Guard
	for _, p := range s.guarded() {
		g := &enginepb.Guard{PortId: p.ID, NetworkId: p.NetworkID, GroupIds: slices.Compact(slices.Sorted(slices.Values(p.SecurityGroupIDs)))}
		for _, a := range sortedPairs(p.Sources()) {
			g.Pairs = append(g.Pairs, &enginepb.AddressPair{Mac: a.MAC, Address: a.Address.String()})
		}
		all = append(all, g)
	}
	return all
}

// guarded are the ports that the host filters: those that are bound to it, and those that its load balancers plug by themselves.
func (s *indexed) guarded() []*network.Port {
	var ports []*network.Port
	for _, p := range s.ports {
		if p.Guarded() && (p.Binding.Host == s.Host || p.DeviceOwner == network.OwnerLoadBalancer) {
			ports = append(ports, p)
		}
	}
	slices.SortFunc(ports, func(a, b *network.Port) int { return cmp.Compare(a.ID, b.ID) })
	return ports
}

// sortedPairs clears the bits beyond the prefixes, and brings pairs into an order in which each is once.
func sortedPairs(pairs []network.AddressPair) []network.AddressPair {
	sorted := make([]network.AddressPair, 0, len(pairs))
	for _, a := range pairs {
		sorted = append(sorted, network.AddressPair{Address: a.Address.Masked(), MAC: a.MAC})
	}
	slices.SortFunc(sorted, func(a, b network.AddressPair) int {
		return cmp.Or(comparePrefixes(a.Address, b.Address), cmp.Compare(a.MAC, b.MAC))
	})
	return slices.Compact(sorted)
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// groups are the security groups that guarded ports of the host are in, with their rules, and those that these rules name, with the
// addresses that are meant; both by id.
func (s *indexed) groups() []*enginepb.Group {
	used := map[string]bool{}
	for _, p := range s.guarded() {
		for _, id := range p.SecurityGroupIDs {
			used[id] = true
		}
	}
	found := map[string]*enginepb.Group{}
	for _, g := range s.Groups {
		if !used[g.ID] {
			continue
		}
		group := groupOf(found, g.ID)
		for _, r := range g.Rules {
			group.Rules = append(group.Rules, guardRule(r))
			if r.RemoteGroupID == "" {
				continue
			}
			if remote := groupOf(found, r.RemoteGroupID); remote.Members == nil {
				remote.Members = members(s.Members[r.RemoteGroupID])
			}
		}
		slices.SortFunc(group.Rules, compareRules)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *enginepb.Group) int { return cmp.Compare(a.Id, b.Id) })
}

// groupOf finds a group of the plan, or begins it.
func groupOf(found map[string]*enginepb.Group, id string) *enginepb.Group {
	if found[id] == nil {
		found[id] = &enginepb.Group{Id: id}
	}
	return found[id]
}

// members are addresses in order, each once.
func members(pairs []network.AddressPair) []string {
	prefixes := make([]netip.Prefix, 0, len(pairs))
	for _, a := range pairs {
		prefixes = append(prefixes, a.Address.Masked())
	}
	slices.SortFunc(prefixes, comparePrefixes)
	var texts []string
	for _, p := range slices.Compact(prefixes) {
		texts = append(texts, p.String())
	}
	return texts
}

func guardRule(r *network.SecurityGroupRule) *enginepb.GuardRule {
	rule := &enginepb.GuardRule{
		Egress: r.Direction == network.Egress, Six: r.EtherType == network.IPv6, Protocol: int32(r.ProtocolNumber()),
		PortMin: numberOr(r.PortMin), PortMax: numberOr(r.PortMax), RemoteGroupId: r.RemoteGroupID,
	}
	if rule.Protocol == 0 { // "ip": Neutron's hosts take it for any protocol
		rule.Protocol = network.AnyProtocol
	}
	if r.RemotePrefix.IsValid() {
		rule.RemotePrefix = r.RemotePrefix.Masked().String()
	}
	return rule
}

// numberOr is a port, or ICMP's type or code; -1 is any.
func numberOr(n *int) int32 {
	if n == nil {
		return -1
	}
	return int32(*n)
}

func compareRules(a, b *enginepb.GuardRule) int {
	return cmp.Or(compareBools(a.GetEgress(), b.GetEgress()), compareBools(a.GetSix(), b.GetSix()), cmp.Compare(a.GetProtocol(), b.GetProtocol()),
		cmp.Compare(a.GetPortMin(), b.GetPortMin()), cmp.Compare(a.GetPortMax(), b.GetPortMax()),
		cmp.Compare(a.GetRemoteGroupId(), b.GetRemoteGroupId()), cmp.Compare(a.GetRemotePrefix(), b.GetRemotePrefix()))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
