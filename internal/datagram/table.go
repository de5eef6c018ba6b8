package datagram

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// A Table is a load balancer's table of nftables as it is wanted. The zero Table is none.
type Table struct {
	Counters []string
	Maps     []Map
	Chains   []Chain
}

// Kind is what a map is for.
type Kind int

// The kinds of maps.
const (
	Slots   Kind = iota // the number of a slot to the member's number
	Members             // a member's number to its chain
	Learned             // a source to a member's number, for a while; the kernel fills it
)

// A Map is a map of the table.
type Map struct {
	Name     string
	Kind     Kind
	Six      bool // of Learned: sources are addresses of IPv6
	Elements map[uint32]Value
}

// A Value is what a map has for a number: another number, or a chain.
type Value struct {
	Number uint32
	Chain  string
}

// Hook is where a chain meets packets by itself.
type Hook int

// The hooks. Reached is none: other chains lead there.
const (
	Reached Hook = iota
	Prerouting
	Postrouting
	Input
	Forward
	Output
	Arriving // before the connection tracker
	Leaving  // likewise, of the namespace's own packets
)

// A Chain is a chain of the table.
type Chain struct {
	Name  string
	Hook  Hook
	Rules []Rule
}

// The names of the chains with hooks.
const (
	prerouting  = "prerouting"
	postrouting = "postrouting"
	input       = "input"
	forward     = "forward"
	output      = "output"
	arriving    = "arriving"
	leaving     = "leaving"
)

// learnedMost is how many sources a listener remembers of each family; beyond it, sources are not kept with a member until
// older ones are forgotten.
const learnedMost = 65536

// The counters of a listener, before its id.
const (
	received = "in-"    // bytes from clients
	sent     = "out-"   // bytes to clients
	begun    = "flows-" // packets: the first of each flow
)

// Plan is the table that forwards the datagrams of listeners. down are the members that checks found dead, by id. What is
// given has passed Check. No listeners, no table.
func Plan(listeners []*enginepb.Datagram, down map[string]bool) Table {
	if len(listeners) == 0 {
		return Table{}
	}
	p := &planner{down: down, base: map[string]*Chain{}}
	for i, hook := range []Hook{Prerouting, Postrouting, Input, Forward, Output, Arriving, Leaving} {
		name := []string{prerouting, postrouting, input, forward, output, arriving, leaving}[i]
		p.base[name] = &Chain{Name: name, Hook: hook}
	}
	p.always()
	listeners = slices.Clone(listeners)
	slices.SortFunc(listeners, func(a, b *enginepb.Datagram) int { return strings.Compare(a.ListenerId, b.ListenerId) })
	for _, d := range listeners {
		p.listener(d)
	}
	for _, name := range slices.Sorted(maps.Keys(p.base)) {
		p.Chains = append(p.Chains, *p.base[name])
	}
	return p.Table
}

type planner struct {
	Table
	down map[string]bool
	base map[string]*Chain
}

func (p *planner) rule(chain string, statements ...Statement) {
	p.base[chain].Rules = append(p.base[chain].Rules, statements)
}

// always is what a table has whatever its listeners: errors about flows pass, and the members see the load balancer's address.
// A client in the members' network would else be told to ask the member itself, which then answers to an unknown. HAProxy's
// connections are not tracked: that would cost time, and room in a table that all of the host shares.
func (p *planner) always() {
	p.rule(forward, Translated{}, Control{}, Verdict{Word: "accept"})
	p.rule(forward, Translated{}, Control{Six: true}, Verdict{Word: "accept"})
	p.rule(postrouting, Translated{}, Masquerade{})
	p.rule(arriving, Stream{}, Untracked{})
	p.rule(leaving, Stream{}, Untracked{})
	p.rule(output, Redirect{}, Verdict{Word: "drop"})
	p.rule(output, Redirect{Six: true}, Verdict{Word: "drop"})
}

func (p *planner) listener(d *enginepb.Datagram) {
	port := uint16(d.Port)
	in, out := received+d.ListenerId, sent+d.ListenerId
	p.Counters = append(p.Counters, in, out, begun+d.ListenerId)
	p.rule(forward, Flow{d.Protocol, port, false}, Count{in}, Verdict{Word: "accept"})
	p.rule(forward, Flow{d.Protocol, port, true}, Count{out}, Verdict{Word: "accept"})
	p.rule(input, Port{d.Protocol, port}, Asking{}, Refuse{}) // answers to own questions may come to any port
	if d.ConnectionLimit > 0 {
		// In a chain of its own, which stays when others change: the kernel counts within the rule.
		p.chain(limitChain(d), Rule{Over{uint32(d.ConnectionLimit)}, Verdict{Word: "accept"}})
	}
	for _, f := range families(d) {
		p.family(f)
	}
}

func limitChain(d *enginepb.Datagram) string { return "limit-" + d.ListenerId }

func (p *planner) chain(name string, rules ...Rule) {
	p.Chains = append(p.Chains, Chain{Name: name, Rules: rules})
}

func (p *planner) family(f family) {
	for _, vip := range f.vips() {
		p.rule(prerouting, Destination{vip}, Port{f.Protocol, uint16(f.Port)}, Verdict{"goto", f.name("from")})
	}
	p.chain(f.name("from"), f.admission()...)
	chosen := f.chosen(p.down)
	slots := f.slots(chosen)
	p.chain(f.name("to"), f.choice(len(slots))...)
	if f.PersistenceSeconds > 0 { // kept while nobody is left: a member that comes back finds its sources
		p.Maps = append(p.Maps, Map{Name: f.name("learned"), Kind: Learned, Six: f.six})
	}
	if len(chosen) == 0 {
		return
	}
	number := numbers(f.Targets)
	wheel := Map{Name: f.name("slots"), Kind: Slots, Elements: map[uint32]Value{}}
	for i, t := range slots {
		wheel.Elements[uint32(i)] = Value{Number: number[t.MemberId]}
	}
	members := Map{Name: f.name("members"), Kind: Members, Elements: map[uint32]Value{}}
	for _, t := range chosen {
		members.Elements[number[t.MemberId]] = Value{Chain: f.chain(t)}
		p.chain(f.chain(t), f.member(t, number[t.MemberId])...)
	}
	p.Maps = append(p.Maps, wheel, members)
}

// admission lets in whom the listener admits. Others get no answer, as from a firewall.
func (f family) admission() []Rule {
	on := Verdict{"goto", f.name("to")}
	if len(f.AllowedCidrs) == 0 {
		return []Rule{{on}}
	}
	var rules []Rule
	for _, p := range f.allowed() {
		rules = append(rules, Rule{Source{p}, on})
	}
	return append(rules, Rule{Verdict{Word: "drop"}})
}

// allowed are the ranges of this family that are admitted, where not everybody is.
func (f family) allowed() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range f.AllowedCidrs {
		if p, _ := netip.ParsePrefix(text); f.has(p.Addr()) {
			all = append(all, p.Masked())
		}
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(all)
}

// choice leads to the member of one of so many slots. Without one it leads nowhere, and the packet ends in input.
func (f family) choice(slots int) []Rule {
	var rules []Rule
	if f.ConnectionLimit > 0 {
		rules = append(rules, Rule{Verdict{"jump", limitChain(f.Datagram)}})
	}
	if slots == 0 {
		return rules
	}
	follow := Rule{Follow{f.name("members")}}
	if f.PersistenceSeconds > 0 {
		rules = append(rules, Rule{Recall{f.name("learned"), f.six, f.bits()}}, follow)
	}
	return append(rules, Rule{f.choose(slots)}, follow)
}

func (f family) choose(slots int) Choose {
	how := InTurn
	switch f.Algorithm {
	case SourceIP:
		how = BySource
	case SourceIPPort:
		how = BySourcePort
	}
	return Choose{Map: f.name("slots"), How: how, Six: f.six, Size: uint32(slots)}
}

// member sends a flow to a member. A source is noted by a rule of its own, which fails alone when the map is full.
func (f family) member(t *enginepb.Target, number uint32) []Rule {
	var rules []Rule
	if f.PersistenceSeconds > 0 {
		rules = append(rules, Rule{Learn{f.name("learned"), f.six, f.bits(), uint32(f.PersistenceSeconds), number}})
	}
	return append(rules, Rule{Count{begun + f.ListenerId}, Translate{f.Protocol, target(t)}})
}

// String is the table as nft(8) reads it; the zero Table is "".
func (t Table) String() string {
	if len(t.Chains) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", TableName)
	for _, c := range t.Counters {
		fmt.Fprintf(&b, "\tcounter %s {\n\t}\n", c)
	}
	for _, m := range t.Maps {
		m.write(&b)
	}
	for _, c := range t.Chains {
		c.write(&b)
	}
	b.WriteString("}\n")
	return b.String()
}

func (m Map) write(b *strings.Builder) {
	fmt.Fprintf(b, "\tmap %s {\n", m.Name)
	switch m.Kind {
	case Slots:
		// What makes the number has this type whatever it is; nft 1.0 has no word for it.
		fmt.Fprintf(b, "\t\ttypeof numgen inc mod %d : meta mark\n", len(m.Elements))
	case Members:
		b.WriteString("\t\ttype mark : verdict\n")
	case Learned:
		fmt.Fprintf(b, "\t\ttype %s : mark\n\t\tsize %d\n\t\tflags dynamic,timeout\n", m.Type(), learnedMost)
	}
	if len(m.Elements) > 0 {
		b.WriteString("\t\telements = {\n")
		for _, key := range slices.Sorted(maps.Keys(m.Elements)) {
			v := m.Elements[key]
			switch m.Kind {
			case Members:
				fmt.Fprintf(b, "\t\t\t0x%08x : goto %s,\n", key, v.Chain)
			default:
				fmt.Fprintf(b, "\t\t\t%d : 0x%08x,\n", key, v.Number)
			}
		}
		b.WriteString("\t\t}\n")
	}
	b.WriteString("\t}\n")
}

// Type is the type of a Learned map's keys, as nft(8) spells it.
func (m Map) Type() string {
	if m.Six {
		return "ipv6_addr"
	}
	return "ipv4_addr"
}

// Size is how many elements a Learned map holds.
func (m Map) Size() uint32 { return learnedMost }

func (c Chain) write(b *strings.Builder) {
	fmt.Fprintf(b, "\tchain %s {\n", c.Name)
	if line := c.Hook.line(); line != "" {
		fmt.Fprintf(b, "\t\t%s\n", line)
	}
	for _, r := range c.Rules {
		fmt.Fprintf(b, "\t\t%s comment %q\n", r, r.Digest())
	}
	b.WriteString("\t}\n")
}

// line is how a chain with a hook is declared. The namespace forwards nothing but what the table says.
func (h Hook) line() string {
	switch h {
	case Prerouting:
		return "type nat hook prerouting priority -100; policy accept;"
	case Postrouting:
		return "type nat hook postrouting priority 100; policy accept;"
	case Input:
		return "type filter hook input priority 0; policy accept;"
	case Forward:
		return "type filter hook forward priority 0; policy drop;"
	case Output:
		return "type filter hook output priority 0; policy accept;"
	case Arriving:
		return "type filter hook prerouting priority -300; policy accept;"
	case Leaving:
		return "type filter hook output priority -300; policy accept;"
	}
	return ""
}
