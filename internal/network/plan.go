package network

import (
	"net/netip"
	"slices"
)

// PortPlan is what a host needs to plug a port: a link of that MAC and MTU on the network's bridge, with addresses and
// routes. It names no bridge; plug drivers do.
type PortPlan struct {
	PortID    string
	NetworkID string
	MAC       string
	MTU       int            // bytes
	Addresses []netip.Prefix // with the length of their subnets
	Gateways  []netip.Addr   // of the subnets, each once
	Routes    []Route        // the host routes of the subnets, each once
}

// PlanPort says what a host needs to plug a port, from the port's network and that network's subnets.
func PlanPort(p *Port, n *Network, subnets []*Subnet) *PortPlan {
	plan := &PortPlan{PortID: p.ID, NetworkID: p.NetworkID, MAC: p.MAC, MTU: n.MTU}
	for _, fixed := range p.FixedIPs {
		i := slices.IndexFunc(subnets, func(s *Subnet) bool { return s.ID == fixed.SubnetID })
		if i < 0 {
			continue // the subnet went since; its addresses go with it
		}
		plan.add(fixed.Address, subnets[i])
	}
	return plan
}

func (p *PortPlan) add(a netip.Addr, s *Subnet) {
	p.Addresses = append(p.Addresses, netip.PrefixFrom(a, s.CIDR.Bits()))
	// A port that has the gateway's address is the gateway: it is not sent to itself.
	if s.Gateway.IsValid() && s.Gateway != a && !slices.Contains(p.Gateways, s.Gateway) {
		p.Gateways = append(p.Gateways, s.Gateway)
	}
	for _, r := range s.HostRoutes {
		if !slices.Contains(p.Routes, r) && r.NextHop != a {
			p.Routes = append(p.Routes, r)
		}
	}
}
