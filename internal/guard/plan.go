package guard

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
)

// The marks of packets between the two tables: MarkOurs, and in the other bits which groups count, or that the port is closed.
// Nothing else marks packets from or to guarded ports, and none of these marks leaves a guarded bridge.
const (
	MarkMask   = 0xfff00000
	MarkOurs   = 0x6c600000
	markClosed = MarkOurs | 1
	markFirst  = 2
	markRoom   = 1 << 20
)

// The names of the sets and maps.
const (
	links    = "links"
	marks    = "marks"
	macs     = "macs"
	four     = "four"
	six      = "six"
	ranges   = "ranges"
	bridges  = "bridges"
	zones    = "zones"
	leaving  = "leaving"
	arriving = "arriving"
)

// The names of the chains that packets meet by themselves; leaving and arriving are others.
const (
	prerouting = "prerouting"
	forward    = "forward"
	zone       = "zone"
)

// The chains' places. The bridge shows packets to the family inet at its priority 0 in prerouting, and right before its filters in forward.
// Zones are set before fragments are put together (priority -400), so that those of different bridges are not mixed up.
var (
	hookPrerouting = Hook{prerouting, -300}
	hookForward    = Hook{forward, -100}
	hookZone       = Hook{prerouting, -450}
	hookLeaving    = Hook{prerouting, -150} // after the connection tracker, at -200
	hookArriving   = Hook{forward, 0}
)

// Wanted is what a host guards.
type Wanted struct {
	Ports  []Port
	Groups []Group           // at least those of the ports, and those that their rules name
	Closed []string          // host's ends of links that nothing may pass
	Zones  map[string]uint16 // by bridge: a number that no other bridge of the host has
}

// Plan are the tables that guard what is wanted. Where nothing is, there are none.
func Plan(w Wanted) []Table {
	if len(w.Ports) == 0 && len(w.Closed) == 0 {
		return nil
	}
	p := newPlanner(w)
	p.common()
	for _, port := range w.Ports {
		p.port(port)
	}
	for _, link := range w.Closed {
		if _, guarded := p.marks.Elements[Key{Link: link}]; !guarded {
			p.links.add(Key{Link: link}, Value{})
			p.marks.add(Key{Link: link}, Value{Number: markClosed})
		}
	}
	p.mixes()
	return p.tables()
}

type planner struct {
	wanted         Wanted
	groups         map[string]Group
	number         map[string]uint32 // of mixes
	bridge, inet   Table
	preroute, fore Chain
	leave, arrive  Chain
	made           map[string]bool // chains of groups

	links, marks, macs, four, six, ranges Set
	bridges, zones, leaving, arriving     Set
}

func newPlanner(w Wanted) *planner {
	p := &planner{wanted: w, groups: map[string]Group{}, made: map[string]bool{}, number: numbers(w.Ports),
		bridge: Table{Family: Bridge}, inet: Table{Family: Inet},
		preroute: Chain{Name: prerouting, Hook: hookPrerouting}, fore: Chain{Name: forward, Hook: hookForward},
		leave: Chain{Name: leaving, Hook: hookLeaving}, arrive: Chain{Name: arriving, Hook: hookArriving},
		links: newSet(links, Links), marks: newSet(marks, LinkToMark), macs: newSet(macs, LinkMACs), four: newSet(four, LinkFour),
		six: newSet(six, LinkSix), ranges: newSet(ranges, LinkToChain), bridges: newSet(bridges, Links), zones: newSet(zones, LinkToZone),
		leaving: newSet(leaving, MarkToChain), arriving: newSet(arriving, MarkToChain)}
	for _, g := range w.Groups {
		p.groups[g.ID] = g
	}
	return p
}

func newSet(name string, kind Kind) Set { return Set{name, kind, map[Key]Value{}} }

func (s Set) add(k Key, v Value) { s.Elements[k] = v }

func (p *planner) tables() []Table {
	p.bridge.Sets = append(p.bridge.Sets, p.links, p.marks, p.macs, p.four, p.six, p.ranges)
	p.bridge.Chains = append(p.bridge.Chains, p.preroute, p.fore)
	p.inet.Sets = append(p.inet.Sets, p.bridges, p.zones, p.leaving, p.arriving)
	p.inet.Chains = append(p.inet.Chains, Chain{Name: zone, Hook: hookZone, Rules: []Rule{{Zone{zones}}}}, p.leave, p.arrive)
	return []Table{p.bridge.inOrder(), p.inet.inOrder()}
}

// inOrder is the table with its sets and chains by name: equal plans are equal tables, whatever the order of their lists.
func (t Table) inOrder() Table {
	slices.SortFunc(t.Sets, func(a, b Set) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Chains, func(a, b Chain) int { return strings.Compare(a.Name, b.Name) })
	return t
}

func (c *Chain) rule(statements ...Statement) { c.Rules = append(c.Rules, statements) }

var (
	accept = Verdict{Word: "accept"}
	drop   = Verdict{Word: "drop"}
)

// common is what the tables have whatever their ports.
func (p *planner) common() {
	p.spoofing()
	p.onward()
	p.egress()
	p.ingress()
}

// spoofing lets guarded ports speak for themselves only. A port without an address may ask for one: by DHCP, and as neighbour
// discovery does it. IPv6 needs its reports on multicast groups from the unspecified address, too.
func (p *planner) spoofing() {
	c := &p.preroute
	c.rule(On{Set: links, Not: true}, accept)
	c.rule(MarkBy{Map: marks})
	c.rule(Marked{markClosed}, Count{}, drop)
	arp, ip, ip6 := EtherType{TypeARP}, EtherType{TypeIPv4}, EtherType{TypeIPv6}
	c.rule(ip, Sender{Set: four, MAC: EtherSource, Address: Source4}, accept)
	c.rule(arp, Sender{Set: four, MAC: EtherSource, Address: ARPSender}, Sender{Set: four, MAC: ARPSenderMAC, Address: ARPSender}, accept)
	c.rule(arp, Unset{ARPSender}, Sender{Set: four, MAC: EtherSource, Address: ARPTarget}, Sender{Set: four, MAC: ARPSenderMAC, Address: ARPTarget}, accept)
	c.rule(ip, Unset{Source4}, Datagram{68, 67}, Sender{Set: macs, MAC: EtherSource}, accept)
	c.rule(ip6, advertisement, Sender{Set: six, MAC: EtherSource, Address: NeighbourTarget}, Sender{Set: six, MAC: EtherSource, Address: Source6}, accept)
	c.rule(ip6, advertisement, Follow{Map: ranges, On: true})
	c.rule(ip6, advertisement, Count{}, drop)
	c.rule(ip6, Sender{Set: six, MAC: EtherSource, Address: Source6}, accept)
	for _, kind := range []uint8{listenerReport, listenerDone, neighbourSolicitation, listenerReport2} {
		c.rule(ip6, Unset{Source6}, Control{true, kind, -1}, Sender{Set: macs, MAC: EtherSource}, accept)
	}
	c.rule(Follow{Map: ranges, On: true})
	c.rule(Count{}, drop)
}

// The types of ICMPv6 without which IPv6 does not work (RFC 4861, RFC 2710, RFC 3810).
const (
	listenerQuery          = 130
	listenerReport         = 131
	listenerDone           = 132
	routerSolicitation     = 133
	routerAdvertisement    = 134
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
	listenerReport2        = 143
)

// advertisement is what a host sends to say that an address is at its MAC address.
var advertisement = Control{true, neighbourAdvertisement, -1}

// onward marks what goes to a guarded port. A frame that goes to several has a mark for each, and none is left to one that goes elsewhere.
func (p *planner) onward() {
	c := &p.fore
	c.rule(On{Set: links}, Unmark{})
	c.rule(On{Set: links, Out: true, Not: true}, accept)
	c.rule(MarkBy{Map: marks, Out: true})
	c.rule(Marked{markClosed}, Count{}, drop)
	for _, kind := range []uint16{TypeIPv4, TypeIPv6, TypeARP} {
		c.rule(EtherType{kind}, accept)
	}
	c.rule(Count{}, drop)
}

// ours lets pass what no guarded port sends or gets.
func (c *Chain) ours() {
	c.rule(On{Set: bridges, Not: true}, accept)
	c.rule(Foreign{}, accept)
}

// egress holds what ports send against their groups' rules. No port gives leases or advertises routers, whatever its rules: that is for the
// network service.
func (p *planner) egress() {
	c := &p.leave
	c.ours()
	c.rule(Datagram{67, 68}, Count{}, drop)
	c.rule(Datagram{547, 546}, Count{}, drop)
	c.rule(Known{}, accept)
	c.rule(Datagram{68, 67}, accept)
	c.rule(Datagram{546, 547}, accept)
	c.rule(Version{true}, Control{true, routerAdvertisement, -1}, Count{}, drop)
	for _, kind := range []uint8{neighbourSolicitation, neighbourAdvertisement, routerSolicitation, listenerQuery, listenerReport, listenerDone, listenerReport2} {
		c.rule(Version{true}, Control{true, kind, -1}, accept)
	}
	c.rule(Known{Invalid: true}, Count{}, drop)
	c.rule(Follow{Map: leaving})
	c.rule(Count{}, drop)
}

// ingress holds what ports get against their groups' rules. Answers of DHCP servers belong to no connection, for the questions went to everybody.
func (p *planner) ingress() {
	c := &p.arrive
	c.ours()
	c.rule(Known{}, accept)
	c.rule(Datagram{67, 68}, accept)
	c.rule(Datagram{547, 546}, accept)
	for _, kind := range []uint8{neighbourSolicitation, neighbourAdvertisement, routerAdvertisement, listenerQuery} {
		c.rule(Version{true}, Control{true, kind, -1}, accept)
	}
	c.rule(Known{Invalid: true}, Count{}, drop)
	c.rule(Follow{Map: arriving})
	c.rule(Count{}, drop)
}

// port lets a port's packets go as far as the rules of its groups.
func (p *planner) port(port Port) {
	at := Key{Link: port.Link}
	p.links.add(at, Value{})
	p.marks.add(at, Value{Number: p.number[mix(port)]})
	p.bridges.add(Key{Link: port.Bridge}, Value{})
	if z := p.wanted.Zones[port.Bridge]; z != 0 {
		p.zones.add(Key{Link: port.Bridge}, Value{Number: uint32(z)})
	}
	var wide []Pair
	for _, pair := range port.Pairs {
		p.macs.add(Key{Link: port.Link, MAC: pair.MAC}, Value{})
		p.six.add(Key{Link: port.Link, MAC: pair.MAC, Addr: linkLocal(pair.MAC)}, Value{})
		switch a := pair.Addresses; {
		case !a.IsSingleIP():
			wide = append(wide, pair)
		case a.Addr().Is4():
			p.four.add(Key{Link: port.Link, MAC: pair.MAC, Addr: a.Addr()}, Value{})
		default:
			p.six.add(Key{Link: port.Link, MAC: pair.MAC, Addr: a.Addr()}, Value{})
		}
	}
	if len(wide) > 0 {
		name := "ranges-" + port.Link
		p.ranges.add(at, Value{Chain: name})
		p.bridge.Chains = append(p.bridge.Chains, Chain{Name: name, Rules: wideRules(wide)})
	}
}

// linkLocal is the address that an interface gives itself (RFC 4291, appendix A).
func linkLocal(m MAC) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}

// wideRules let ranges of addresses pass.
func wideRules(pairs []Pair) []Rule {
	var neighbours, rules []Rule
	for _, p := range pairs {
		if p.Addresses.Addr().Is6() {
			neighbours = append(neighbours, Rule{From{p.MAC, EtherType{TypeIPv6}}, advertisement, Within{NeighbourTarget, p.Addresses}, accept})
			rules = append(rules, Rule{From{p.MAC, EtherType{TypeIPv6}}, Within{Source6, p.Addresses}, accept})
			continue
		}
		rules = append(rules, Rule{From{p.MAC, EtherType{TypeIPv4}}, Within{Source4, p.Addresses}, accept},
			Rule{From{p.MAC, EtherType{TypeARP}}, Within{ARPSender, p.Addresses}, accept})
	}
	all := append(sorted(neighbours), Rule{EtherType{TypeIPv6}, advertisement, Count{}, drop})
	return append(append(all, sorted(rules)...), Rule{Count{}, drop})
}

// sorted puts rules, of which the order does not count, into one order.
func sorted(rules []Rule) []Rule {
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(rules, func(a, b Rule) bool { return a.String() == b.String() })
}

// mix names the groups that a port is in.
func mix(p Port) string { return strings.Join(p.Groups, " ") }

// numbers gives each mix of groups its mark, which is made from its name; of two with the same one the later takes the next.
func numbers(ports []Port) map[string]uint32 {
	all := map[string]uint32{}
	for _, p := range ports {
		all[mix(p)] = 0
	}
	taken := map[uint32]bool{}
	for _, name := range sortedKeys(all) {
		h := fnv.New32a()
		_, _ = h.Write([]byte(name))
		n := h.Sum32() % markRoom
		for n < markFirst || taken[n] {
			n = (n + 1) % markRoom
		}
		all[name], taken[n] = MarkOurs|n, true
	}
	return all
}

func sortedKeys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
