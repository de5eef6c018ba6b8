package guard

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// mixes makes the chains of the mixes of groups and of their groups.
func (p *planner) mixes() {
	for _, name := range sortedKeys(p.number) {
		mark := p.number[name]
		for _, way := range []way{{egress: true, chains: &p.leaving}, {egress: false, chains: &p.arriving}} {
			chain := Chain{Name: fmt.Sprintf("%s-%08x", way.chains.Name, mark)}
			for id := range strings.FieldsSeq(name) {
				chain.rule(Verdict{"jump", p.group(id, way.egress)})
			}
			chain.rule(Count{}, drop)
			way.chains.add(Key{Mark: mark}, Value{Chain: chain.Name})
			p.inet.Chains = append(p.inet.Chains, chain)
		}
	}
}

type way struct {
	egress bool
	chains *Set
}

// group makes the chain of a group's rules of one direction, once, and returns its name.
func (p *planner) group(id string, egress bool) string {
	name := "ingress-" + id
	if egress {
		name = "egress-" + id
	}
	if p.made[name] {
		return name
	}
	p.made[name] = true
	var rules []Rule
	for _, r := range p.groups[id].Rules {
		if r.Egress == egress {
			rules = append(rules, p.rule(r))
		}
	}
	p.inet.Chains = append(p.inet.Chains, Chain{Name: name, Rules: sorted(rules)})
	return name
}

func (p *planner) rule(r GroupRule) Rule {
	rule := append(Rule{Version{r.Six}}, r.protocol()...)
	if r.Prefix.IsValid() && r.Prefix.Bits() > 0 {
		rule = append(rule, Within{side(r.Egress, r.Six), r.Prefix})
	}
	if r.Remote == "" {
		return append(rule, accept)
	}
	return append(rule, Verdict{"jump", p.remote(r.Remote, r.Egress)})
}

// side is where the other side's address stands.
func side(egress, v6 bool) Field {
	switch {
	case egress && v6:
		return Destination6
	case egress:
		return Destination4
	case v6:
		return Source6
	}
	return Source4
}

// protocol are the statements about what is above IP.
func (r GroupRule) protocol() []Statement {
	if r.Protocol < 0 {
		return nil
	}
	if r.control() && r.Min >= 0 {
		return []Statement{Control{r.Six, uint8(r.Min), r.Max}}
	}
	all := []Statement{Protocol{uint8(r.Protocol)}}
	if r.ported() && (r.Min >= 0 || r.Max >= 0) {
		last := r.Max
		if last < 0 {
			last = 65535
		}
		all = append(all, PortRange{uint16(max(r.Min, 0)), uint16(last)})
	}
	return all
}

// remote makes the chain that lets through what comes from, or goes to, the members of a group, and returns its name.
func (p *planner) remote(id string, egress bool) string {
	name := "from-" + id
	if egress {
		name = "to-" + id
	}
	if p.made[name] {
		return name
	}
	p.made[name] = true
	p.members(id)
	chain := Chain{Name: name}
	for _, v6 := range []bool{false, true} {
		chain.rule(Version{v6}, Member{side(egress, v6), memberSet(id, v6)}, accept)
	}
	for _, r := range merged(p.groups[id].Members) {
		v6 := r.Addr().Is6()
		chain.rule(Version{v6}, Within{side(egress, v6), r}, accept)
	}
	p.inet.Chains = append(p.inet.Chains, chain)
	return name
}

func memberSet(group string, v6 bool) string {
	if v6 {
		return "members6-" + group
	}
	return "members4-" + group
}

// members makes the sets of a group's single addresses, once.
func (p *planner) members(id string) {
	if p.made[memberSet(id, false)] {
		return
	}
	p.made[memberSet(id, false)] = true
	sets := map[bool]Set{false: newSet(memberSet(id, false), AddressFour), true: newSet(memberSet(id, true), AddressSix)}
	for _, m := range p.groups[id].Members {
		if m.IsSingleIP() {
			sets[m.Addr().Is6()].add(Key{Addr: m.Addr()}, Value{})
		}
	}
	p.inet.Sets = append(p.inet.Sets, sets[false], sets[true])
}

// merged are the ranges among members that are in no other.
func merged(members []netip.Prefix) []netip.Prefix {
	all := slices.DeleteFunc(slices.Clone(members), netip.Prefix.IsSingleIP)
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var left []netip.Prefix
	for _, r := range all { // a range stands behind those that it is in
		if len(left) == 0 || !left[len(left)-1].Overlaps(r) {
			left = append(left, r)
		}
	}
	return left
}
