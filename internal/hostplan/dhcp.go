package hostplan

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

// dhcps are the DHCP servers of this host's networks that have a port for it, by network.
func (s *indexed) dhcps() []*enginepb.Dhcp {
	var all []*enginepb.Dhcp
	guests := s.guests()
	for _, p := range s.Ports {
		n := s.networks[p.NetworkID]
		if !p.ServesLeases() || n == nil || n.Host != s.Host || !n.AdminStateUp {
			continue
		}
		d := &enginepb.Dhcp{NetworkId: n.ID, PortId: p.ID, Mtu: int32(n.MTU), Subnets: s.dhcpSubnets(n.ID, p)}
		for _, guest := range guests[n.ID] {
			if h := dhcpHost(guest, d.Subnets); h != nil {
				d.Hosts = append(d.Hosts, h)
			}
		}
		slices.SortFunc(d.Hosts, func(a, b *enginepb.DhcpHost) int { return cmp.Compare(a.PortId, b.PortId) })
		if len(d.Subnets) > 0 {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *enginepb.Dhcp) int {
		return cmp.Or(cmp.Compare(a.NetworkId, b.NetworkId), cmp.Compare(a.PortId, b.PortId))
	})
	return slices.CompactFunc(all, func(a, b *enginepb.Dhcp) bool { return a.NetworkId == b.NetworkId })
}

// guests are the ports that may ask for leases, by network.
func (s *indexed) guests() map[string][]*network.Port {
	found := map[string][]*network.Port{}
	for _, p := range s.Ports {
		if p.GetsLeases() {
			found[p.NetworkID] = append(found[p.NetworkID], p)
		}
	}
	return found
}

// dhcpSubnets are those of a network that have DHCP and in which its server has an address, by id.
func (s *indexed) dhcpSubnets(networkID string, server *network.Port) []*enginepb.DhcpSubnet {
	var all []*enginepb.DhcpSubnet
	for _, sub := range s.inside[networkID] {
		mode, served := dhcpMode(sub)
		there := slices.ContainsFunc(server.FixedIPs, func(f network.FixedIP) bool { return f.SubnetID == sub.ID })
		if !served || !there {
			continue
		}
		d := &enginepb.DhcpSubnet{Id: sub.ID, Cidr: sub.CIDR.String(), DnsServers: sub.DNSNameservers, Mode: mode}
		if sub.IPVersion() == 4 {
			d.Gateway, d.Routes = addrText(sub.Gateway), s.dhcpRoutes(sub)
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *enginepb.DhcpSubnet) int { return cmp.Compare(a.Id, b.Id) })
	return all
}

// dhcpMode says how a subnet's stations are served; not at all where they give themselves addresses and ask for nothing else.
func dhcpMode(sub *network.Subnet) (mode string, served bool) {
	switch {
	case !sub.ServesDHCP():
		return "", false
	case sub.IPVersion() == 4:
		return "", true
	case sub.IPv6AddressMode == network.DHCPv6Stateless:
		return network.DHCPv6Stateless, true
	}
	return network.DHCPv6Stateful, true
}

// dhcpRoutes are the host routes of a subnet, and before them the network's other subnets, which are on the same link.
func (s *indexed) dhcpRoutes(sub *network.Subnet) []*enginepb.Route {
	var all []*enginepb.Route
	for _, other := range s.inside[sub.NetworkID] {
		if other.IPVersion() == 4 && other.ID != sub.ID {
			all = append(all, &enginepb.Route{Destination: other.CIDR.String()})
		}
	}
	slices.SortFunc(all, func(a, b *enginepb.Route) int { return cmp.Compare(a.Destination, b.Destination) })
	for _, r := range sub.HostRoutes {
		all = append(all, &enginepb.Route{Destination: r.Destination.String(), NextHop: r.NextHop.String()})
	}
	return all
}

// dhcpHost is what a server knows of a port; nil where it has nothing for it.
func dhcpHost(p *network.Port, subnets []*enginepb.DhcpSubnet) *enginepb.DhcpHost {
	h := &enginepb.DhcpHost{PortId: p.ID, Mac: p.MAC}
	served := false
	for _, f := range p.FixedIPs {
		i := slices.IndexFunc(subnets, func(d *enginepb.DhcpSubnet) bool { return d.Id == f.SubnetID })
		if i < 0 {
			continue
		}
		served = true
		if subnets[i].Mode != network.DHCPv6Stateless {
			h.Addresses = append(h.Addresses, f.Address.String())
		}
	}
	for _, o := range p.DHCPOptions {
		h.Options = append(h.Options, &enginepb.DhcpOption{Name: o.Name, Value: o.Value, IpVersion: int32(o.IPVersion)})
	}
	if !served || len(h.Addresses) == 0 && len(h.Options) == 0 {
		return nil
	}
	if len(h.Addresses) > 0 {
		h.Name = "host-" + strings.NewReplacer(".", "-", ":", "-").Replace(h.Addresses[0])
	}
	return h
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
