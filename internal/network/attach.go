package network

import (
	"net/netip"
	"slices"

	"plimsoll/lbaas"
)

// MaxRoutes bounds the extra routes of a router; the number is Neutron's default.
const MaxRoutes = 30

// CheckOverlap refuses to give a router, which leads to some subnets, a way to others when it would not know any more what is where. In
// contrast to Neutron it counts those of the gateway, too: packets would get lost.
func CheckOverlap(have, add []*Subnet) error {
	for _, a := range add {
		if slices.ContainsFunc(have, func(h *Subnet) bool { return h.ID == a.ID }) {
			return BadRequest("router", "Router already has a port on subnet %s", a.ID)
		}
		for _, h := range have {
			if h.CIDR.Overlaps(a.CIDR) {
				return BadRequest("router", "Cidr %s of subnet %s overlaps with cidr %s of subnet %s", a.CIDR, a.ID, h.CIDR, h.ID)
			}
		}
	}
	return nil
}

// CheckInterfaceSubnet refuses a subnet that no router can be the gateway of.
func (s *Subnet) CheckInterfaceSubnet() error {
	if !s.Gateway.IsValid() {
		return BadRequest("router", "Subnet for router interface must have a gateway IP")
	}
	if s.IPVersion() == 6 && s.IPv6RAMode == "" && s.IPv6AddressMode != "" {
		return BadRequest("router", "IPv6 subnet %s configured to receive RAs from an external router cannot be added to Neutron Router.", s.ID)
	}
	return nil
}

// CheckInterfacePort refuses a port that cannot become an interface of a router, which has those ports.
func CheckInterfacePort(p *Port, have []*Port) error {
	switch {
	case p.DeviceID != "":
		return PortInUse(p.ID, p.NetworkID, p.DeviceID)
	case len(p.FixedIPs) == 0:
		return BadRequest("router", "Router port must have at least one fixed IP")
	case len(p.addresses(4)) > 1:
		return BadRequest("router", "Cannot have multiple IPv4 subnets on router port")
	}
	if other := IPv6Interface(have, p.NetworkID); other != nil && len(p.addresses(6)) > 0 {
		return BadRequest("router", "Cannot have multiple router ports with the same network id if both contain IPv6 subnets. "+
			"Existing port %s has IPv6 subnet(s) and network id %s", other.ID, p.NetworkID)
	}
	return nil
}

// IPv6Interface is the one of a router's ports that is its interface for the IPv6 subnets of a network, or nil.
func IPv6Interface(ports []*Port, networkID string) *Port {
	for _, p := range ports {
		if p.DeviceOwner == OwnerRouterInterface && p.NetworkID == networkID && len(p.addresses(6)) > 0 {
			return p
		}
	}
	return nil
}

// addresses are those of an IP version.
func (p *Port) addresses(version int) []FixedIP {
	var list []FixedIP
	for _, f := range p.FixedIPs {
		if f.Address.Is4() == (version == 4) {
			list = append(list, f)
		}
	}
	return list
}

// ValidateRoutes checks the extra routes of a router, which leads to those subnets by those ports: next hops are other stations there.
func ValidateRoutes(routerID string, routes []Route, ports []*Port, subnets []*Subnet) error {
	if len(routes) > MaxRoutes {
		return failure(lbaas.Invalid, "RoutesExhausted", "Unable to complete operation for %s. "+
			"The number of routes exceeds the maximum %d.", routerID, MaxRoutes)
	}
	for _, r := range routes {
		if !slices.ContainsFunc(subnets, func(s *Subnet) bool { return s.CIDR.Contains(r.NextHop) && s.mayBeHop(r.NextHop) }) {
			return invalidRoutes(r, "the nexthop is not connected with router")
		}
		if slices.ContainsFunc(ports, func(p *Port) bool { return p.has(r.NextHop) }) {
			return invalidRoutes(r, "the nexthop is used by router")
		}
		if r.Destination.Addr().BitLen() != r.NextHop.BitLen() {
			return invalidRoutes(r, "the nexthop is of another IP version than the destination")
		}
	}
	return nil
}

func invalidRoutes(r Route, reason string) *lbaas.Error {
	return failure(lbaas.Invalid, "InvalidRoutes", "Invalid format for routes: [{'destination': '%s', 'nexthop': '%s'}], %s",
		r.Destination, r.NextHop, reason)
}

// Leads tells whether one of the routes needs the way to a range of addresses.
func Leads(routes []Route, cidr netip.Prefix) bool {
	return slices.ContainsFunc(routes, func(r Route) bool { return cidr.Contains(r.NextHop) })
}

// FloatTo finds the fixed address of a port that a floating address is to stand for. Where the request names none, the port has to have
// exactly one of IPv4.
func (p *Port) FloatTo(wanted netip.Addr) (FixedIP, error) {
	if wanted.IsValid() {
		if !wanted.Is4() {
			return FixedIP{}, BadRequest("floatingip", "Cannot process floating IP association with %s, since that is not an IPv4 address", wanted)
		}
		i := slices.IndexFunc(p.FixedIPs, func(f FixedIP) bool { return f.Address == wanted })
		if i < 0 {
			return FixedIP{}, BadRequest("floatingip", "Port %s does not have fixed ip %s", p.ID, wanted)
		}
		return p.FixedIPs[i], nil
	}
	switch list := p.addresses(4); len(list) {
	case 1:
		return list[0], nil
	case 0:
		return FixedIP{}, BadRequest("floatingip", "Cannot add floating IP to port %s that has no fixed IPv4 addresses", p.ID)
	}
	return FixedIP{}, BadRequest("floatingip", "Port %s has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when "+
		"assigning a floating IP", p.ID)
}
