package datagram

import (
	"maps"
	"slices"
)

// State is what the kernel has of the table. The zero State is that there is none.
type State struct {
	Counters []string
	// Maps are the elements of the maps, by name; those of a Learned one are nobody's but the kernel's, and are left out.
	Maps map[string]map[uint32]Value
	// Chains are the digests of the rules of each chain, in order.
	Chains map[string][]string
}

// None tells whether there is no table.
func (s State) None() bool { return len(s.Chains) == 0 }

// Op is what a Change does.
type Op int

// The operations. Those that add to or delete from a map or chain name it in the Change.
const (
	AddTable Op = iota
	DeleteTable
	AddCounter
	DeleteCounter
	AddMap
	DeleteMap
	AddChain
	DeleteChain
	FlushChain
	AddRule
	AddElements
	DeleteElements
)

// A Change is one step from one table to another.
type Change struct {
	Op       Op
	Name     string           // of the counter, map or chain
	Map      Map              // of AddMap, and of AddElements and DeleteElements with only those elements
	Chain    Chain            // of AddChain, without its rules
	Rule     Rule             // of AddRule
	Elements map[uint32]Value // of AddElements and DeleteElements
}

// Diff is how the table that is there becomes the wanted one, in an order that the kernel takes, and all at once. What both
// have alike is not touched: counters go on, sources stay learned, and a rule that counts the flows that came by still knows them.
func Diff(from State, to Table) []Change {
	if len(to.Chains) == 0 {
		if from.None() {
			return nil
		}
		return []Change{{Op: DeleteTable}}
	}
	d := &differ{from: from, chains: map[string]bool{}, maps: map[string]bool{}}
	if from.None() {
		d.add(Change{Op: AddTable})
	}
	d.make(to)
	d.refill(to)
	d.clear(to)
	return d.changes
}

type differ struct {
	from         State
	changes      []Change
	chains, maps map[string]bool // that are wanted
}

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

// make adds what is missing, empty, so that rules and elements can name it.
func (d *differ) make(to Table) {
	for _, name := range to.Counters {
		if !slices.Contains(d.from.Counters, name) {
			d.add(Change{Op: AddCounter, Name: name})
		}
	}
	for _, m := range to.Maps {
		d.maps[m.Name] = true
		if _, ok := d.from.Maps[m.Name]; !ok {
			d.add(Change{Op: AddMap, Name: m.Name, Map: m})
		}
	}
	for _, c := range to.Chains {
		d.chains[c.Name] = true
		if _, ok := d.from.Chains[c.Name]; !ok {
			d.add(Change{Op: AddChain, Name: c.Name, Chain: Chain{Name: c.Name, Hook: c.Hook}})
		}
	}
}

// refill writes chains and maps of which the content differs.
func (d *differ) refill(to Table) {
	for _, c := range to.Chains {
		was := d.from.Chains[c.Name]
		if slices.Equal(was, digests(c.Rules)) {
			continue
		}
		if len(was) > 0 {
			d.add(Change{Op: FlushChain, Name: c.Name})
		}
		for _, r := range c.Rules {
			d.add(Change{Op: AddRule, Name: c.Name, Rule: r})
		}
	}
	for _, m := range to.Maps {
		if m.Kind == Learned {
			continue
		}
		was := d.from.Maps[m.Name]
		d.elements(DeleteElements, m, without(was, m.Elements))
		d.elements(AddElements, m, without(m.Elements, was))
	}
}

func (d *differ) elements(op Op, m Map, elements map[uint32]Value) {
	if len(elements) > 0 {
		d.add(Change{Op: op, Name: m.Name, Map: m, Elements: elements})
	}
}

// without are the elements of a that b has not, or has otherwise.
func without(a, b map[uint32]Value) map[uint32]Value {
	left := map[uint32]Value{}
	for key, v := range a {
		if w, ok := b[key]; !ok || w != v {
			left[key] = v
		}
	}
	return left
}

func digests(rules []Rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.Digest())
	}
	return all
}

// clear deletes what is not wanted any more: first what names others, for the kernel deletes nothing that is named.
func (d *differ) clear(to Table) {
	gone := func(names []string, wanted map[string]bool) []string {
		return slices.DeleteFunc(names, func(name string) bool { return wanted[name] })
	}
	chains := gone(slices.Sorted(maps.Keys(d.from.Chains)), d.chains)
	for _, name := range chains {
		if len(d.from.Chains[name]) > 0 {
			d.add(Change{Op: FlushChain, Name: name})
		}
	}
	for _, name := range gone(slices.Sorted(maps.Keys(d.from.Maps)), d.maps) {
		d.add(Change{Op: DeleteMap, Name: name})
	}
	for _, name := range chains {
		d.add(Change{Op: DeleteChain, Name: name})
	}
	for _, name := range slices.Sorted(slices.Values(d.from.Counters)) {
		if !slices.Contains(to.Counters, name) {
			d.add(Change{Op: DeleteCounter, Name: name})
		}
	}
}
