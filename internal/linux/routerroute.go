package linux

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Extra routes are told from all others by their protocol, a number that rtnetlink(7) leaves free. By their metric they never take the
// place of a route that a port's own addresses bring.
const (
	extraProtocol = 80
	extraMetric   = 2000
)

// ensureExtraRoutes makes the extra routes of the thread's namespace those of r.
func ensureExtraRoutes(r Router) error {
	return inThread(func(links *netlink.Handle) error {
		filter := &netlink.Route{Protocol: extraProtocol, Table: unix.RT_TABLE_MAIN}
		there, err := whole(func() ([]netlink.Route, error) {
			return links.RouteListFiltered(netlink.FAMILY_ALL, filter, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		wanted := hopsOf(r.Routes)
		var failed []error
		for _, route := range there {
			dst := routeOf(route).Destination
			if slices.Equal(wanted[dst], hops(route)) {
				delete(wanted, dst)
			} else if wanted[dst] == nil {
				failed = append(failed, delExtraRoute(links, route))
			}
		}
		for dst, to := range wanted {
			failed = append(failed, setExtraRoute(links, dst, to))
		}
		err = errors.Join(failed...)
		if err != nil && !allThere(links, r.links()) {
			return nil
		}
		return err
	})
}

// hopsOf are the next hops by destination, in order. The whole of a family counts as its two halves, which win over the gateway's
// default route as the user wants it, without taking its place.
func hopsOf(routes []Route) map[netip.Prefix][]netip.Addr {
	all := map[netip.Prefix][]netip.Addr{}
	for _, r := range routes {
		for _, dst := range halves(r.Destination.Masked()) {
			all[dst] = append(all[dst], r.NextHop)
		}
	}
	for dst, to := range all {
		slices.SortFunc(to, netip.Addr.Compare)
		all[dst] = slices.Compact(to)
	}
	return all
}

func halves(p netip.Prefix) []netip.Prefix {
	if p.Bits() > 0 {
		return []netip.Prefix{p}
	}
	upper := make([]byte, p.Addr().BitLen()/8)
	upper[0] = 0x80
	half, _ := netip.AddrFromSlice(upper)
	return []netip.Prefix{netip.PrefixFrom(p.Addr(), 1), netip.PrefixFrom(half, 1)}
}

// hops are the next hops of a route as the kernel tells it, in order.
func hops(route netlink.Route) []netip.Addr {
	var all []netip.Addr
	for _, hop := range route.MultiPath {
		if a, ok := netip.AddrFromSlice(hop.Gw); ok {
			all = append(all, a.Unmap())
		}
	}
	if a := routeOf(route).NextHop; a.IsValid() {
		all = append(all, a)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// setExtraRoute leaves it to the kernel by which link a next hop is reached.
func setExtraRoute(links *netlink.Handle, dst netip.Prefix, to []netip.Addr) error {
	route := &netlink.Route{Dst: ipNet(dst), Family: family(dst.Addr()), Protocol: extraProtocol, Priority: extraMetric, Table: unix.RT_TABLE_MAIN}
	if len(to) == 1 {
		route.Gw = to[0].AsSlice()
	} else {
		for _, hop := range to {
			route.MultiPath = append(route.MultiPath, &netlink.NexthopInfo{Gw: hop.AsSlice()})
		}
	}
	if err := links.RouteReplace(route); err != nil {
		return fmt.Errorf("add the route to %s by %s: %w", dst, to[0], err)
	}
	return nil
}

func delExtraRoute(links *netlink.Handle, route netlink.Route) error {
	if err := links.RouteDel(&route); err != nil && !missing(err) {
		return fmt.Errorf("remove the route to %s: %w", routeOf(route).Destination, err)
	}
	return nil
}

// allThere tells whether all links are there and up.
func allThere(links *netlink.Handle, names []string) bool {
	for _, name := range names {
		if link, err := links.LinkByName(name); err != nil || link.Attrs().Flags&unix.IFF_UP == 0 {
			return false
		}
	}
	return true
}
