package hostplan

import (
	"net/netip"
	"slices"
)

// peers are where tunnels lead: the addresses of the other hosts that have one.
func (s *indexed) peers() []string {
	var all []string
	for _, host := range s.Peers {
		if _, err := netip.ParseAddr(host.TunnelIP); err == nil && host.Name != s.Host {
			all = append(all, host.TunnelIP)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
