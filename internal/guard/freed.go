package guard

import (
	"net/netip"
	"slices"
)

// Freed are the single addresses that ports had and that no port of their bridge has any more, by bridge. What is remembered of their
// connections must not let anything through to whoever has them next.
func Freed(before, after []Port) map[string]map[netip.Addr]bool {
	has, wide := map[string]map[netip.Addr]bool{}, map[string][]netip.Prefix{}
	for _, p := range after {
		for _, pair := range p.Pairs {
			if pair.Addresses.IsSingleIP() {
				put(has, p.Bridge, pair.Addresses.Addr())
			} else {
				wide[p.Bridge] = append(wide[p.Bridge], pair.Addresses)
			}
		}
	}
	freed := map[string]map[netip.Addr]bool{}
	for _, p := range before {
		for _, pair := range p.Pairs {
			a := pair.Addresses.Addr()
			inRange := slices.ContainsFunc(wide[p.Bridge], func(r netip.Prefix) bool { return r.Contains(a) })
			if pair.Addresses.IsSingleIP() && !has[p.Bridge][a] && !inRange {
				put(freed, p.Bridge, a)
			}
		}
	}
	return freed
}

func put(all map[string]map[netip.Addr]bool, bridge string, a netip.Addr) {
	if all[bridge] == nil {
		all[bridge] = map[netip.Addr]bool{}
	}
	all[bridge][a] = true
}
