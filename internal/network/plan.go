package network

import (
	"net/netip"
	"slices"
	"strings"
)

// PortPlan is what a host needs to plug a port: a link of that MAC and MTU on the network's bridge, with addresses and
// routes. It names no bridge; plug drivers do.
type PortPlan struct {
	PortID    string
	NetworkID string
	Segment   Segment
	Link      string // how the name of the link begins in its namespace: "" is "tap"; or "qr-", "qg-"
	Guarded   bool   // nothing passes before the host knows what may
	MAC       string
	MTU       int            // bytes
	Addresses []netip.Prefix // with the length of their subnets
	Gateways  []netip.Addr   // of the subnets, each once
	Routes    []Route        // the host routes of the subnets, each once
}

// PlanPort says what a host needs to plug a port, from the port's network and that network's subnets. A port that has the
// address of a gateway or of a next hop is it: nothing is sent to itself. A router is the way out of the networks inside it: of their
// gateways and routes it takes none, and of its external network's only the gateways.
func PlanPort(p *Port, n *Network, subnets []*Subnet) *PortPlan {
	plan := &PortPlan{PortID: p.ID, NetworkID: p.NetworkID, Segment: n.Segment, Link: p.Link(), Guarded: p.Guarded(), MAC: p.MAC, MTU: n.MTU}
	for _, fixed := range p.FixedIPs {
		i := slices.IndexFunc(subnets, func(s *Subnet) bool { return s.ID == fixed.SubnetID })
		if i < 0 {
			continue // the subnet went since; its addresses go with it
		}
		plan.Addresses = append(plan.Addresses, netip.PrefixFrom(fixed.Address, subnets[i].CIDR.Bits()))
		plan.reach(p, subnets[i])
	}
	return plan
}

// reach adds the ways out of a subnet.
func (plan *PortPlan) reach(p *Port, s *Subnet) {
	if p.DeviceOwner == OwnerRouterInterface {
		return
	}
	if s.Gateway.IsValid() && !p.has(s.Gateway) && !slices.Contains(plan.Gateways, s.Gateway) {
		plan.Gateways = append(plan.Gateways, s.Gateway)
	}
	if p.DeviceOwner == OwnerRouterGateway {
		return
	}
	for _, r := range s.HostRoutes {
		if !p.has(r.NextHop) && !slices.Contains(plan.Routes, r) {
			plan.Routes = append(plan.Routes, r)
		}
	}
}

// Link is how the name of the port's link begins in its namespace, as Neutron's users know it; "" is "tap".
func (p *Port) Link() string {
	switch p.DeviceOwner {
	case OwnerRouterInterface:
		return "qr-"
	case OwnerRouterGateway:
		return "qg-"
	}
	return ""
}

// Guarded tells whether the host filters the port's traffic. The network service's own ports are trusted. A load balancer's port is
// filtered once it is in a security group: without one its listeners are open, as the group that Octavia makes would have it.
func (p *Port) Guarded() bool {
	if !p.PortSecurity || strings.HasPrefix(p.DeviceOwner, "network:") {
		return false
	}
	return p.DeviceOwner != OwnerLoadBalancer || len(p.SecurityGroupIDs) > 0
}

func (p *Port) has(a netip.Addr) bool {
	return slices.ContainsFunc(p.FixedIPs, func(f FixedIP) bool { return f.Address == a })
}
