package network

import (
	"net/netip"
	"slices"

	"go4.org/netipx"

	"plimsoll/lbaas"
)

// Range is an inclusive range of addresses of one family.
type Range struct {
	Start, End netip.Addr
}

// Contains tells whether the range has the address.
func (r Range) Contains(a netip.Addr) bool {
	return a.BitLen() == r.Start.BitLen() && r.Start.Compare(a) <= 0 && a.Compare(r.End) <= 0
}

// String writes the range as Neutron's messages do.
func (r Range) String() string { return r.Start.String() + "-" + r.End.String() }

// last is the highest address of a prefix: in IPv4, but for /31 and /32, the broadcast address.
func last(cidr netip.Prefix) netip.Addr { return netipx.PrefixLastIP(cidr) }

// hosts is the range of a CIDR that stations may have: all but the network's address and, in IPv4, the broadcast address. Point-to-point
// prefixes (RFC 3021, RFC 6164) and single addresses have neither.
func hosts(cidr netip.Prefix) Range {
	first, end := cidr.Masked().Addr(), last(cidr)
	if cidr.Bits() >= cidr.Addr().BitLen()-1 {
		return Range{first, end}
	}
	if cidr.Addr().Is4() {
		end = end.Prev()
	}
	return Range{first.Next(), end}
}

// Usable tells whether a station of the subnet may have the address.
func Usable(cidr netip.Prefix, a netip.Addr) bool { return hosts(cidr).Contains(a) }

// DefaultGateway is the gateway of a subnet whose request names none: the first address.
func DefaultGateway(cidr netip.Prefix) netip.Addr { return hosts(cidr).Start }

// DefaultPools are the allocation pools of a subnet whose request names none: all usable addresses but the gateway.
func DefaultPools(cidr netip.Prefix, gateway netip.Addr) []Range {
	all := hosts(cidr)
	if !gateway.IsValid() || !all.Contains(gateway) {
		return []Range{all}
	}
	var pools []Range
	if all.Start.Less(gateway) {
		pools = append(pools, Range{all.Start, gateway.Prev()})
	}
	if gateway.Less(all.End) {
		pools = append(pools, Range{gateway.Next(), all.End})
	}
	return pools
}

// ValidatePools checks allocation pools as Neutron does: in the CIDR, of usable addresses, the right way round, apart from
// each other and from the gateway.
func ValidatePools(cidr netip.Prefix, gateway netip.Addr, pools []Range) error {
	all := hosts(cidr)
	for _, p := range pools {
		if p.Start.BitLen() != p.End.BitLen() || p.Start.BitLen() != cidr.Addr().BitLen() || p.End.Less(p.Start) {
			return failure(lbaas.Invalid, "InvalidAllocationPool", "The allocation pool %s is not valid.", p)
		}
		if !all.Contains(p.Start) || !all.Contains(p.End) {
			return failure(lbaas.Invalid, "OutOfBoundsAllocationPool",
				"The allocation pool %s spans beyond the subnet cidr %s.", p, cidr)
		}
	}
	if a, b, ok := overlapping(pools); ok {
		return failure(lbaas.Conflict, "OverlappingAllocationPools",
			"Found overlapping allocation pools: %s, %s for subnet %s.", a, b, cidr)
	}
	return gatewayApart(gateway, pools)
}

func overlapping(pools []Range) (a, b Range, ok bool) {
	sorted := sortedPools(pools)
	for i := 1; i < len(sorted); i++ {
		if !sorted[i-1].End.Less(sorted[i].Start) {
			return sorted[i-1], sorted[i], true
		}
	}
	return a, b, false
}

func sortedPools(pools []Range) []Range {
	sorted := slices.Clone(pools)
	slices.SortFunc(sorted, func(a, b Range) int { return a.Start.Compare(b.Start) })
	return sorted
}

func gatewayApart(gateway netip.Addr, pools []Range) error {
	for _, p := range pools {
		if gateway.IsValid() && p.Contains(gateway) {
			return failure(lbaas.Conflict, "GatewayConflictWithAllocationPools",
				"Gateway ip %s conflicts with allocation pool %s.", gateway, p)
		}
	}
	return nil
}
