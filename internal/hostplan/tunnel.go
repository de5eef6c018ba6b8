package hostplan

import (
	"net/netip"
	"slices"
)

// peers are where tunnels lead: the addresses of the other hosts that have one. An address that means something on its own host only is left
// out, for an engine would refuse the plan.
func (s *indexed) peers() []string {
	var all []string
	for _, host := range s.Peers {
		if a, err := netip.ParseAddr(host.TunnelIP); err == nil && a.Zone() == "" && host.Name != s.Host {
			all = append(all, host.TunnelIP)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
