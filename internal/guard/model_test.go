package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A packet is what the model sends from one link to another.
type packet struct {
	from, to string // links
	bridge   string
	kind     uint16
	tagged   bool
	mac      MAC
	source   netip.Addr // of ARP the sender
	target   netip.Addr // of ARP and of a neighbour advertisement, else the destination
	sender   MAC        // within ARP
	protocol uint8
	sport    uint16 // of ICMP the type
	dport    uint16 // of ICMP the code
	state    string // "new", "known", "invalid" or "untracked"
	mark     uint32 // that somebody else made
}

// A machine runs tables as the kernel does.
type machine struct {
	tables []Table
	p      packet
	mark   uint32
}

func (m *machine) table(f Family) Table {
	i := slices.IndexFunc(m.tables, func(t Table) bool { return t.Family == f })
	if i < 0 {
		return Table{}
	}
	return m.tables[i]
}

// passes walks a packet through the hooks.
func passes(tables []Table, p packet) bool {
	m := &machine{tables: tables, p: p, mark: p.mark}
	ip := (p.kind == TypeIPv4 || p.kind == TypeIPv6) && !p.tagged // the bridge shows nothing else
	walk := []struct {
		family Family
		chain  string
		ipOnly bool
	}{{Bridge, prerouting, false}, {Inet, leaving, true}, {Bridge, forward, false}, {Inet, arriving, true}}
	for _, step := range walk {
		if step.ipOnly && !ip {
			continue
		}
		if m.run(m.table(step.family), step.chain) == "drop" {
			return false
		}
	}
	return true
}

// run is the verdict of a chain, or "" when it ends without one.
func (m *machine) run(t Table, name string) string {
	i := slices.IndexFunc(t.Chains, func(c Chain) bool { return c.Name == name })
	if i < 0 {
		return ""
	}
	for _, r := range t.Chains[i].Rules {
		if verdict, end := m.rule(t, r); end {
			return verdict
		}
	}
	return ""
}

func (m *machine) rule(t Table, r Rule) (verdict string, end bool) {
	for _, s := range r {
		switch s := s.(type) {
		case Verdict:
			if s.Word == "accept" || s.Word == "drop" {
				return s.Word, true
			}
			verdict = m.run(t, s.Chain)
			return verdict, verdict != "" || s.Word == "goto"
		case Follow:
			key := Key{Mark: m.mark}
			if s.On {
				key = Key{Link: m.p.from}
			}
			v, ok := m.set(t, s.Map)[key]
			if !ok {
				return "", false
			}
			return m.run(t, v.Chain), true
		default:
			if !m.matches(t, s) {
				return "", false
			}
		}
	}
	return "", false
}

func (m *machine) set(t Table, name string) map[Key]Value {
	i := slices.IndexFunc(t.Sets, func(s Set) bool { return s.Name == name })
	if i < 0 {
		panic("no set " + name) // the kernel would refuse the rule
	}
	return t.Sets[i].Elements
}

// link is what the family calls the interface.
func (m *machine) link(t Table, out bool) string {
	switch {
	case t.Family == Inet:
		return m.p.bridge
	case out:
		return m.p.to
	}
	return m.p.from
}

func (m *machine) has(t Table, set string, k Key) bool { _, ok := m.set(t, set)[k]; return ok }

func (m *machine) matches(t Table, s Statement) bool {
	p := m.p
	ported := slices.Contains([]uint8{tcp, udp, sctp, dccp, lite}, p.protocol)
	switch s := s.(type) {
	case On:
		return m.has(t, s.Set, Key{Link: m.link(t, s.Out)}) != s.Not
	case MarkBy:
		v, ok := m.set(t, s.Map)[Key{Link: m.link(t, s.Out)}]
		if ok {
			m.mark = v.Number
		}
		return ok
	case Unmark:
		m.mark = 0
		return true
	case Marked:
		return m.mark == s.Mark
	case Foreign:
		return m.mark&MarkMask != MarkOurs
	case EtherType:
		return !p.tagged && p.kind == s.Type
	case From:
		return p.mac == s.MAC && !p.tagged && p.kind == s.Type.Type
	case Sender:
		k := Key{Link: m.link(t, false), MAC: p.mac}
		if s.MAC == ARPSenderMAC {
			k.MAC = p.sender
		}
		if s.Address != EtherSource {
			k.Addr = m.field(s.Address)
		}
		return m.has(t, s.Set, k)
	case Within:
		return s.Range.Contains(m.field(s.Field))
	case Unset:
		return m.field(s.Field).IsUnspecified()
	case Member:
		return m.has(t, s.Set, Key{Addr: m.field(s.Field)})
	case Version:
		return (p.kind == TypeIPv6) == s.Six
	case Protocol:
		return p.protocol == s.Number
	case PortRange:
		return ported && p.dport >= s.Min && p.dport <= s.Max
	case Datagram:
		return p.protocol == udp && p.sport == s.From && p.dport == s.To
	case Control:
		number := uint8(icmp)
		if s.Six {
			number = icmp6
		}
		return p.protocol == number && p.sport == uint16(s.Type) && (s.Code < 0 || p.dport == uint16(s.Code))
	case Known:
		if s.Invalid {
			return p.state == "invalid"
		}
		return p.state == "known"
	case Count:
		return true
	}
	panic(fmt.Sprintf("the model knows no %T", s))
}

func (m *machine) field(f Field) netip.Addr {
	if strings.Contains(f.String(), "daddr") || f == NeighbourTarget {
		return m.p.target
	}
	return m.p.source
}

// allowed is what the guards say of a packet, without tables.
func allowed(w Wanted, p packet) bool {
	from, guardedFrom := find(w, p.from)
	to, guardedTo := find(w, p.to)
	if slices.Contains(w.Closed, p.from) && !guardedFrom || slices.Contains(w.Closed, p.to) && !guardedTo {
		return false
	}
	known := !p.tagged && (p.kind == TypeIPv4 || p.kind == TypeARP || p.kind == TypeIPv6)
	if guardedFrom && (!known || !honest(from, p)) || guardedTo && !known {
		return false
	}
	if p.kind == TypeARP || !known {
		return true
	}
	return (!guardedFrom || mayLeave(w, from, p)) && (!guardedTo || mayArrive(w, to, p))
}

func find(w Wanted, link string) (Port, bool) {
	i := slices.IndexFunc(w.Ports, func(p Port) bool { return p.Link == link })
	if i < 0 {
		return Port{}, false
	}
	return w.Ports[i], true
}

// honest tells whether a packet says of its sender what is true.
func honest(port Port, p packet) bool {
	mayBe := func(mac MAC, a netip.Addr) bool {
		return slices.ContainsFunc(port.Pairs, func(pair Pair) bool {
			return pair.MAC == mac && (pair.Addresses.Contains(a) || a == linkLocal(mac))
		})
	}
	itsMAC := slices.ContainsFunc(port.Pairs, func(pair Pair) bool { return pair.MAC == p.mac })
	wide := func(a netip.Addr) bool {
		return slices.ContainsFunc(port.Pairs, func(pair Pair) bool {
			return pair.MAC == p.mac && !pair.Addresses.IsSingleIP() && pair.Addresses.Contains(a)
		})
	}
	single := func(mac MAC, a netip.Addr) bool {
		return slices.ContainsFunc(port.Pairs, func(pair Pair) bool {
			return pair.MAC == mac && (pair.Addresses.IsSingleIP() && pair.Addresses.Addr() == a || a.Is6() && a == linkLocal(mac))
		})
	}
	unset := p.source.IsUnspecified()
	switch {
	case p.kind == TypeARP && wide(p.source):
		return true // a range says nothing of the MAC address within
	case p.kind == TypeARP && unset:
		return single(p.mac, p.target) && single(p.sender, p.target) || single(p.mac, p.source) && single(p.sender, p.source)
	case p.kind == TypeARP:
		return single(p.mac, p.source) && single(p.sender, p.source)
	case p.kind == TypeIPv4:
		return mayBe(p.mac, p.source) || unset && p.protocol == udp && p.sport == 68 && p.dport == 67 && itsMAC
	case p.protocol == icmp6 && p.sport == neighbourAdvertisement:
		return single(p.mac, p.target) && single(p.mac, p.source) || wide(p.target)
	}
	bare := slices.Contains([]uint16{listenerReport, listenerDone, neighbourSolicitation, listenerReport2}, p.sport) && p.protocol == icmp6
	return mayBe(p.mac, p.source) || unset && bare && itsMAC
}

func mayLeave(w Wanted, port Port, p packet) bool {
	datagram := func(from, to uint16) bool { return p.protocol == udp && p.sport == from && p.dport == to }
	control := p.kind == TypeIPv6 && p.protocol == icmp6
	switch {
	case datagram(67, 68) || datagram(547, 546):
		return false
	case p.state == "known" || datagram(68, 67) || datagram(546, 547):
		return true
	case control && p.sport == routerAdvertisement:
		return false
	case control && slices.Contains([]uint16{135, 136, 133, 130, 131, 132, 143}, p.sport):
		return true
	}
	return p.state != "invalid" && ruled(w, port, p, true)
}

func mayArrive(w Wanted, port Port, p packet) bool {
	datagram := func(from, to uint16) bool { return p.protocol == udp && p.sport == from && p.dport == to }
	control := p.kind == TypeIPv6 && p.protocol == icmp6
	switch {
	case p.state == "known" || datagram(67, 68) || datagram(547, 546):
		return true
	case control && slices.Contains([]uint16{135, 136, 134, 130}, p.sport):
		return true
	}
	return p.state != "invalid" && ruled(w, port, p, false)
}

// ruled tells whether a rule of one of the port's groups lets a packet through.
func ruled(w Wanted, port Port, p packet, egress bool) bool {
	group := func(id string) Group {
		i := slices.IndexFunc(w.Groups, func(g Group) bool { return g.ID == id })
		if i < 0 {
			return Group{}
		}
		return w.Groups[i]
	}
	side := p.source
	if egress {
		side = p.target
	}
	contains := func(all []netip.Prefix) bool {
		return slices.ContainsFunc(all, func(r netip.Prefix) bool { return r.Contains(side) })
	}
	for _, id := range port.Groups {
		for _, r := range group(id).Rules {
			if r.Egress == egress && r.Six == (p.kind == TypeIPv6) && r.fits(p) &&
				(!r.Prefix.IsValid() || r.Prefix.Contains(side)) && (r.Remote == "" || contains(group(r.Remote).Members)) {
				return true
			}
		}
	}
	return false
}

func (r GroupRule) fits(p packet) bool {
	switch {
	case r.Protocol < 0:
		return true
	case uint8(r.Protocol) != p.protocol:
		return false
	case r.control():
		return (r.Min < 0 || int(p.sport) == r.Min) && (r.Max < 0 || int(p.dport) == r.Max)
	case r.ported():
		return int(p.dport) >= r.Min && (r.Max < 0 || int(p.dport) <= r.Max)
	}
	return true
}

var (
	someMACs      = []MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	someAddresses = []string{"10.0.0.5", "10.0.0.6", "10.1.0.1", "0.0.0.0", "192.0.2.1"}
	some6         = []string{"2001:db8::5", "2001:db8:1::1", "fe80::ff:fe00:1", "fe80::ff:fe00:2", "::", "fd00::1"}
	someRanges    = []string{"10.0.0.5/32", "10.0.0.6/32", "10.0.0.0/16", "10.1.0.0/16", "0.0.0.0/0", "2001:db8::5/128", "2001:db8:1::/48", "::/0"}
	someGroups    = []string{"a", "b", "c"}
	someLinks     = []string{"plm0", "plm1", "plm2", "plm3"}
)

func oneOf[T any](t *rapid.T, what string, all ...T) T { return rapid.SampledFrom(all).Draw(t, what) }

func someOf[T comparable](t *rapid.T, what string, all ...T) []T {
	return rapid.SliceOfDistinct(rapid.SampledFrom(all), rapid.ID).Draw(t, what)
}

func randomWanted(t *rapid.T) (w Wanted) {
	w.Zones = map[string]uint16{"brq0": 7}
	for i := range rapid.IntRange(0, 3).Draw(t, "ports") {
		p := Port{ID: fmt.Sprint(i), Link: someLinks[i], Bridge: "brq0", Groups: someOf(t, "groups", someGroups...)}
		slices.Sort(p.Groups)
		for _, r := range someOf(t, "pairs", someRanges...) {
			p.Pairs = append(p.Pairs, Pair{oneOf(t, "mac", someMACs...), netip.MustParsePrefix(r)})
		}
		w.Ports = append(w.Ports, p)
	}
	for _, id := range someGroups {
		g := Group{ID: id}
		for _, m := range someOf(t, "members", someRanges...) {
			g.Members = append(g.Members, netip.MustParsePrefix(m))
		}
		for range rapid.IntRange(0, 4).Draw(t, "rules") {
			g.Rules = append(g.Rules, randomRule(t))
		}
		w.Groups = append(w.Groups, g)
	}
	w.Closed = someOf(t, "closed", someLinks...)
	return w
}

func randomRule(t *rapid.T) GroupRule {
	r := GroupRule{Egress: rapid.Bool().Draw(t, "egress"), Six: rapid.Bool().Draw(t, "six"), Min: -1, Max: -1,
		Protocol: oneOf(t, "protocol", -1, icmp, icmp6, tcp, udp, 47), Remote: oneOf(t, "remote", append(someGroups, "", "", "none")...)}
	switch {
	case r.control():
		if r.Min = oneOf(t, "type", -1, 8, 128); r.Min >= 0 {
			r.Max = oneOf(t, "code", -1, 0, 1)
		}
	case r.ported():
		r.Min, r.Max = oneOf(t, "first", -1, 1, 67, 80), oneOf(t, "last", -1, 80, 600)
	}
	if p := netip.MustParsePrefix(oneOf(t, "prefix", someRanges...)); p.Addr().Is6() == r.Six {
		r.Prefix = p
	}
	return r
}

func randomPacket(t *rapid.T) packet {
	p := packet{from: oneOf(t, "from", someLinks...), to: oneOf(t, "to", someLinks...), bridge: "brq0", mac: oneOf(t, "mac", someMACs...),
		kind: oneOf[uint16](t, "kind", TypeIPv4, TypeIPv6, TypeARP, 0x88cc), sender: oneOf(t, "sender", someMACs...),
		protocol: oneOf[uint8](t, "protocol", icmp, icmp6, tcp, udp, 47), sport: oneOf[uint16](t, "sport", 8, 67, 68, 546, 547, 4000),
		dport: oneOf[uint16](t, "dport", 0, 1, 67, 68, 80, 546, 547, 600), state: oneOf(t, "state", "new", "new", "known", "invalid", "untracked"),
		tagged: oneOf(t, "tagged", false, false, false, true), mark: oneOf[uint32](t, "mark", 0, 0x4000)}
	addresses := someAddresses
	if p.kind == TypeIPv6 {
		addresses = some6
	}
	p.source, p.target = netip.MustParseAddr(oneOf(t, "source", addresses...)), netip.MustParseAddr(oneOf(t, "target", addresses...))
	if p.protocol == icmp || p.protocol == icmp6 {
		p.sport = oneOf[uint16](t, "type", 8, 128, 130, 131, 132, 133, 134, 135, 136, 137, 143)
		p.dport = oneOf[uint16](t, "code", 0, 1)
	}
	return p
}

// TestTablesAreTheRules holds packets against the tables and against the rules as they are written.
func TestTablesAreTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWanted(t)
		tables := Plan(w)
		for range 20 {
			p := randomPacket(t)
			if p.from == p.to {
				continue
			}
			if got, want := passes(tables, p), allowed(w, p); got != want {
				t.Fatalf("%+v passes: %t, want %t\n%s", p, got, want, text(tables))
			}
		}
	})
}

func text(tables []Table) string {
	var all []string
	for _, t := range tables {
		all = append(all, t.String("plimsoll"))
	}
	return strings.Join(all, "")
}
