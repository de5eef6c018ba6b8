package haproxy

import (
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// persistenceSeconds is how long a source stays with its member where the pool does not say, as in Octavia's.
const persistenceSeconds = 360

// isDatagram tells whether listeners or pools of a protocol are the kernel's, not HAProxy's.
func isDatagram(p lbaas.Protocol) bool { return p == lbaas.UDP || p == lbaas.SCTP }

// DatagramAlgorithmSupported tells whether Render knows an algorithm for pools of UDP and SCTP. The kernel counts no
// flows per member that a rule could choose the least of.
func DatagramAlgorithmSupported(a lbaas.Algorithm) bool {
	return a == lbaas.RoundRobin || a == lbaas.SourceIP || a == lbaas.SourceIPPort
}

// forwarded are the listeners of UDP and SCTP.
func forwarded(lb *lbaas.LoadBalancer) []*enginepb.Datagram {
	var all []*enginepb.Datagram
	for _, l := range serving(lb) {
		if isDatagram(l.Protocol) {
			all = append(all, datagram(lb, l))
		}
	}
	return all
}

func datagram(lb *lbaas.LoadBalancer, l *lbaas.Listener) *enginepb.Datagram {
	d := &enginepb.Datagram{
		ListenerId:       l.ID,
		Protocol:         strings.ToLower(string(l.Protocol)),
		Addresses:        []string{lb.VIPAddress.String()},
		Port:             int32(l.ProtocolPort),
		IdleMilliseconds: int32(min(idle(l), lbaas.MaxTimeoutMs)),
	}
	for _, cidr := range l.AllowedCIDRs {
		d.AllowedCidrs = append(d.AllowedCidrs, unmapped(cidr))
	}
	for _, v := range lb.AdditionalVIPs {
		if v.Address.IsValid() {
			d.Addresses = append(d.Addresses, v.Address.String())
		}
	}
	if l.ConnectionLimit != nil && *l.ConnectionLimit > 0 {
		d.ConnectionLimit = int32(min(*l.ConnectionLimit, 1<<30))
	}
	if p := lb.Pool(l.DefaultPoolID); p != nil {
		usePool(d, p)
	}
	return d
}

// unmapped writes a range of IPv4 addresses that is spelled in IPv6 (RFC 4291, section 2.5.5.2) as what it is: the kernel sees no such
// IPv6 address.
func unmapped(cidr string) string {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || !p.Addr().Is4In6() || p.Bits() < 96 {
		return cidr
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).String()
}

// idle is how long a flow may rest: as long as both of its ends may. 0 is for good, which the kernel does not know.
func idle(l *lbaas.Listener) int {
	if l.TimeoutClientData <= 0 || l.TimeoutMemberData <= 0 {
		return 0
	}
	return max(l.TimeoutClientData, l.TimeoutMemberData)
}

func usePool(d *enginepb.Datagram, p *lbaas.Pool) {
	d.PoolId, d.Algorithm = p.ID, string(p.Algorithm)
	if s := p.SessionPersistence; s != nil && s.Type == lbaas.PersistSourceIP {
		d.PersistenceSeconds = persistenceSeconds
		if s.PersistenceTimeout != nil {
			d.PersistenceSeconds = int32(min(max(*s.PersistenceTimeout, 0), 1<<30))
		}
		d.PersistenceBits4, d.PersistenceBits6 = granularity(s.PersistenceGranularity)
	}
	members := slices.Clone(p.Members)
	slices.SortFunc(members, func(a, b *lbaas.Member) int { return strings.Compare(a.ID, b.ID) })
	for _, m := range members {
		d.Targets = append(d.Targets, &enginepb.Target{
			MemberId: m.ID,
			Address:  m.Address.Unmap().String(),
			Port:     int32(m.ProtocolPort),
			Weight:   int32(m.Weight),
			Disabled: !m.AdminStateUp || !p.AdminStateUp,
			Backup:   m.Backup,
		})
	}
}

// GranularitySupported tells whether Render knows a persistence_granularity: "" or a netmask of an unbroken row of ones.
func GranularitySupported(mask string) bool {
	if mask == "" {
		return true
	}
	a, err := netip.ParseAddr(mask)
	if err != nil {
		return false
	}
	_, ok := maskBits(a)
	return ok
}

// granularity is how many bits of a source's address count: of the family that the mask is of; all of the other's.
func granularity(mask string) (bits4, bits6 int32) {
	bits4, bits6 = 32, 128
	a, err := netip.ParseAddr(mask)
	if err != nil {
		return bits4, bits6
	}
	n, ok := maskBits(a)
	switch {
	case !ok:
	case a.Is4():
		bits4 = n
	default:
		bits6 = n
	}
	return bits4, bits6
}

// maskBits counts the ones of a netmask, and tells whether it is one. A mask of no ones would keep everybody with one member.
func maskBits(a netip.Addr) (n int32, ok bool) {
	rest := false
	for _, b := range a.AsSlice() {
		ones := bits.LeadingZeros8(^b)
		if rest && b != 0 || b<<ones != 0 {
			return 0, false
		}
		n, rest = n+int32(ones), rest || ones < 8
	}
	return n, n > 0
}
