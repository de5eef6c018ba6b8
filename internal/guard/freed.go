package guard

import (
	"net/netip"
	"slices"
)

// Freed are the single addresses that ports had or have, and that no port keeps, by bridge. A port keeps those that it had before; one that
// was not there before keeps all, if known tells that the host knew its link already. What is remembered of the connections of freed addresses
// must not let anything through to whoever has them next, or got them just now, be it from a port that nobody guarded, or on another host.
func Freed(before, after []Port, known func(Port) bool) map[string]map[netip.Addr]bool {
	had := map[string][]Pair{}
	for _, p := range before {
		had[p.ID] = p.Pairs
	}
	kept, wide := map[string]map[netip.Addr]bool{}, map[string][]netip.Prefix{}
	for _, p := range after {
		pairs, there := had[p.ID]
		if !there && known(p) {
			pairs = p.Pairs
		}
		for _, a := range common(pairs, p.Pairs) {
			if a.IsSingleIP() {
				put(kept, p.Bridge, a.Addr())
			} else {
				wide[p.Bridge] = append(wide[p.Bridge], a)
			}
		}
	}
	freed := map[string]map[netip.Addr]bool{}
	for _, p := range slices.Concat(before, after) {
		for _, pair := range p.Pairs {
			a := pair.Addresses.Addr()
			inRange := func(r netip.Prefix) bool { return r.Contains(a) }
			if pair.Addresses.IsSingleIP() && !kept[p.Bridge][a] && !slices.ContainsFunc(wide[p.Bridge], inRange) {
				put(freed, p.Bridge, a)
			}
		}
	}
	return freed
}

// common are the addresses that both have.
func common(a, b []Pair) (all []netip.Prefix) {
	for _, x := range a {
		for _, y := range b {
			if !x.Addresses.Overlaps(y.Addresses) {
				continue
			}
			if x.Addresses.Bits() > y.Addresses.Bits() {
				all = append(all, x.Addresses)
			} else {
				all = append(all, y.Addresses)
			}
		}
	}
	return all
}

func put(all map[string]map[netip.Addr]bool, bridge string, a netip.Addr) {
	if all[bridge] == nil {
		all[bridge] = map[netip.Addr]bool{}
	}
	all[bridge][a] = true
}
