package linux

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
)

// routeChanges lists what differs among the link's routes. Ours are those of protocol static in the main table: the
// kernel's own and those that a person adds (protocol boot) are left alone.
func (p *plug) routeChanges() ([]change, error) {
	routes, err := whole(func() ([]netlink.Route, error) {
		return p.inside.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{LinkIndex: p.tap.Attrs().Index}, netlink.RT_FILTER_OIF)
	})
	if err != nil {
		return nil, err
	}
	wanted := make([]Route, len(p.port.Routes))
	for i, r := range p.port.Routes {
		wanted[i] = Route{Destination: r.Destination.Masked(), NextHop: r.NextHop}
	}
	there := map[Route]bool{}
	var todo, extra []change
	for _, found := range routes {
		r := routeOf(found)
		if found.Protocol != unix.RTPROT_STATIC {
			continue
		}
		there[r] = true
		if !slices.Contains(wanted, r) {
			extra = append(extra, change{"the removal of the route to " + r.Destination.String(), p.delRoute(found)})
		}
	}
	for _, r := range wanted {
		if !there[r] {
			todo = append(todo, change{"the route to " + r.Destination.String(), p.addRoute(r)})
		}
	}
	// What is too many goes first: IPv4 refuses a second route to one destination.
	return append(extra, todo...), nil
}

func (p *plug) addRoute(r Route) func() error {
	return func() error {
		route := &netlink.Route{LinkIndex: p.tap.Attrs().Index, Dst: ipNet(r.Destination), Family: family(r.Destination.Addr()),
			Protocol: unix.RTPROT_STATIC, Scope: netlink.SCOPE_LINK}
		if r.NextHop.IsValid() {
			route.Gw, route.Scope = r.NextHop.AsSlice(), netlink.SCOPE_UNIVERSE
			if !p.onLink(r.NextHop) {
				route.Flags = int(netlink.FLAG_ONLINK)
			}
		}
		if err := p.inside.RouteReplace(route); err != nil {
			return err
		}
		failpoint.Here("linux.route.added")
		return nil
	}
}

// onLink tells whether one of the port's own subnets holds the address.
func (p *plug) onLink(hop netip.Addr) bool {
	return slices.ContainsFunc(p.port.Addresses, func(a netip.Prefix) bool { return a.Masked().Contains(hop) })
}

func (p *plug) delRoute(route netlink.Route) func() error {
	return func() error {
		if err := p.inside.RouteDel(&route); err != nil && !missing(err) && !errors.Is(err, unix.ENOENT) {
			return err
		}
		return nil
	}
}

func routeOf(found netlink.Route) Route {
	var r Route
	if dst, ok := prefixOf(found.Dst); ok {
		r.Destination = dst
	} else if found.Family == unix.AF_INET6 {
		r.Destination = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	} else {
		r.Destination = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	if hop, ok := netip.AddrFromSlice(found.Gw); ok {
		r.NextHop = hop.Unmap()
	}
	return r
}
