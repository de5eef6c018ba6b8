package hostplan

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

// maxAdvertisedServers is how many name servers Neutron's routers tell of.
const maxAdvertisedServers = 3

// routers are those of the host that are up, by id. One that is down is left out: it forwards nothing.
func (s *indexed) routers() []*enginepb.Router {
	all, found := []*enginepb.Router(nil), &routing{s, interfacesOf(s.Ports), floatingOf(s.FloatingIPs)}
	for _, r := range s.Routers {
		if r.AdminStateUp && r.Host == s.Host {
			all = append(all, found.router(r))
		}
	}
	slices.SortFunc(all, func(a, b *enginepb.Router) int { return cmp.Compare(a.Id, b.Id) })
	return all
}

// routing is a state in which the parts of routers are found, by the router's id.
type routing struct {
	*indexed
	interfaces map[string][]*network.Port
	floating   map[string][]*network.FloatingIP
}

func (s *routing) router(r *network.Router) *enginepb.Router {
	plan := &enginepb.Router{Id: r.ID, ExternalPortId: r.Gateway.PortID, Routes: extraRoutes(r)}
	for _, p := range s.interfaces[r.ID] {
		plan.InternalPortIds = append(plan.InternalPortIds, p.ID)
		plan.Advertisements = append(plan.Advertisements, s.advertisements(p)...)
	}
	if plan.ExternalPortId == "" {
		return plan // without a gateway nothing is translated
	}
	if r.Gateway.EnableSNAT {
		plan.Snat4 = s.gatewayAddress(r)
	}
	for _, f := range s.floating[r.ID] {
		plan.Floatings = append(plan.Floatings, &enginepb.Floating{Address: f.Address.String(), Fixed: f.FixedAddress.String()})
	}
	return plan
}

// extraRoutes are the routes that a user gave to a router. Those to the router's own networks and to its gateway's next hop come with
// its ports.
func extraRoutes(r *network.Router) []*enginepb.Route {
	routes := slices.Clone(r.Routes)
	slices.SortFunc(routes, func(a, b network.Route) int {
		return cmp.Or(cmp.Compare(a.Destination.String(), b.Destination.String()), a.NextHop.Compare(b.NextHop))
	})
	var all []*enginepb.Route
	for _, r := range slices.Compact(routes) {
		all = append(all, &enginepb.Route{Destination: r.Destination.String(), NextHop: r.NextHop.String()})
	}
	return all
}

// gatewayAddress is the first IPv4 address of the router's gateway, or "".
func (s *indexed) gatewayAddress(r *network.Router) string {
	fixed := r.Gateway.FixedIPs
	if p := s.ports[r.Gateway.PortID]; p != nil {
		fixed = p.FixedIPs
	}
	for _, f := range fixed {
		if f.Address.Is4() {
			return f.Address.String()
		}
	}
	return ""
}

// advertisements are what a router tells the stations of a port's network: one for each mode that subnets of the port have.
func (s *indexed) advertisements(p *network.Port) []*enginepb.Advertisement {
	byMode := map[string]*enginepb.Advertisement{}
	for _, f := range p.FixedIPs {
		sub := s.subnets[f.SubnetID]
		if sub == nil || sub.IPVersion() != 6 || sub.IPv6RAMode == "" {
			continue
		}
		a := byMode[sub.IPv6RAMode]
		if a == nil {
			a = &enginepb.Advertisement{PortId: p.ID, Mode: sub.IPv6RAMode, Mtu: s.mtu(p.NetworkID)}
			byMode[a.Mode] = a
		}
		a.Prefixes = append(a.Prefixes, sub.CIDR.Masked().String())
		if a.Mode == network.SLAAC { // stations of the other modes ask a DHCP server
			a.DnsServers = append(a.DnsServers, sub.DNSNameservers...)
		}
	}
	var all []*enginepb.Advertisement
	for _, a := range byMode {
		slices.Sort(a.Prefixes)
		a.Prefixes = slices.Compact(a.Prefixes)
		a.DnsServers = advertised(a.DnsServers)
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *enginepb.Advertisement) int { return cmp.Compare(a.Mode, b.Mode) })
	return all
}

func (s *indexed) mtu(networkID string) int32 {
	if n := s.networks[networkID]; n != nil {
		return int32(n.MTU)
	}
	return 0
}

// advertised are the name servers of IPv6 among servers, in their order, each once.
func advertised(servers []string) []string {
	var all []string
	for _, text := range servers {
		a, err := netip.ParseAddr(text)
		if err == nil && a.Is6() && !slices.Contains(all, text) && len(all) < maxAdvertisedServers {
			all = append(all, text)
		}
	}
	return all
}

// interfacesOf are the ports that routers have in networks, by router, in the order of their ids.
func interfacesOf(ports []*network.Port) map[string][]*network.Port {
	all := map[string][]*network.Port{}
	for _, p := range ports {
		if p.DeviceOwner == network.OwnerRouterInterface {
			all[p.DeviceID] = append(all[p.DeviceID], p)
		}
	}
	for _, of := range all {
		slices.SortFunc(of, func(a, b *network.Port) int { return strings.Compare(a.ID, b.ID) })
	}
	return all
}

// floatingOf are the floating IPs that routers translate, by router, in the order of their addresses.
func floatingOf(list []*network.FloatingIP) map[string][]*network.FloatingIP {
	all := map[string][]*network.FloatingIP{}
	for _, f := range list {
		if f.RouterID != "" && f.Address.Is4() && f.FixedAddress.Is4() {
			all[f.RouterID] = append(all[f.RouterID], f)
		}
	}
	for _, of := range all {
		slices.SortFunc(of, func(a, b *network.FloatingIP) int { return a.Address.Compare(b.Address) })
	}
	return all
}
