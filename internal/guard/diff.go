package guard

import (
	"maps"
	"slices"
)

// State is what the kernel has of the tables, by family. A family that is not in it has none.
type State map[Family]TableState

// TableState is what the kernel has of a table.
type TableState struct {
	Dormant bool // it is switched off
	Sets    map[string]SetState
	Chains  map[string]ChainState
}

// SetState is what the kernel has of a set or map.
type SetState struct {
	Kind     Kind
	Elements map[Key]Value
}

// ChainState is what the kernel has of a chain.
type ChainState struct {
	Hook  Hook
	Rules []string // their digests, in order
}

// Op is what a Change does.
type Op int

// The operations.
const (
	AddTable Op = iota
	DeleteTable
	AddSet
	DeleteSet
	AddChain
	DeleteChain
	FlushChain
	AddRule
	AddElements
	DeleteElements
)

// A Change is one step from one table to another.
type Change struct {
	Family   Family
	Op       Op
	Name     string        // of the set or chain
	Kind     Kind          // of the set
	Hook     Hook          // of AddChain
	Rule     Rule          // of AddRule
	Elements map[Key]Value // of AddElements and DeleteElements
}

// Diff is how the tables that are there become the wanted ones, in an order that the kernel takes, and all at once. What both
// have alike is not touched: its counters go on. A table that is not as any of ours is made anew, in the same step.
func Diff(from State, to []Table) []Change {
	d := &differ{}
	for _, family := range families {
		i := slices.IndexFunc(to, func(t Table) bool { return t.Family == family })
		is, there := from[family]
		switch {
		case i < 0 && there:
			d.add(Change{Family: family, Op: DeleteTable})
		case i >= 0:
			d.table(is, there, to[i])
		}
	}
	return d.changes
}

// Anew is how the wanted tables are made whatever is there.
func Anew(from State, to []Table) []Change {
	var all []Change
	for _, family := range families {
		if _, there := from[family]; there {
			all = append(all, Change{Family: family, Op: DeleteTable})
		}
	}
	return append(all, Diff(nil, to)...)
}

type differ struct{ changes []Change }

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

func (d *differ) table(is TableState, there bool, to Table) {
	if there && is.spoiled(to) {
		d.add(Change{Family: to.Family, Op: DeleteTable})
		is, there = TableState{}, false
	}
	if !there {
		d.add(Change{Family: to.Family, Op: AddTable})
	}
	d.make(is, to)
	d.refill(is, to)
	d.clear(is, to)
}

// spoiled tells whether somebody made another table of it.
func (s TableState) spoiled(to Table) bool {
	for _, set := range to.Sets {
		if is, ok := s.Sets[set.Name]; ok && is.Kind != set.Kind {
			return true
		}
	}
	for _, c := range to.Chains {
		if is, ok := s.Chains[c.Name]; ok && is.Hook != c.Hook {
			return true
		}
	}
	return s.Dormant
}

// make adds what is missing, empty, so that rules and elements can name it.
func (d *differ) make(is TableState, to Table) {
	for _, s := range to.Sets {
		if _, ok := is.Sets[s.Name]; !ok {
			d.add(Change{Family: to.Family, Op: AddSet, Name: s.Name, Kind: s.Kind})
		}
	}
	for _, c := range to.Chains {
		if _, ok := is.Chains[c.Name]; !ok {
			d.add(Change{Family: to.Family, Op: AddChain, Name: c.Name, Hook: c.Hook})
		}
	}
}

// refill writes chains and sets of which the content differs.
func (d *differ) refill(is TableState, to Table) {
	for _, c := range to.Chains {
		was := is.Chains[c.Name].Rules
		if slices.Equal(was, digests(c.Rules)) {
			continue
		}
		if len(was) > 0 {
			d.add(Change{Family: to.Family, Op: FlushChain, Name: c.Name})
		}
		for _, r := range c.Rules {
			d.add(Change{Family: to.Family, Op: AddRule, Name: c.Name, Rule: r})
		}
	}
	for _, s := range to.Sets {
		was := is.Sets[s.Name].Elements
		d.elements(to.Family, DeleteElements, s, without(was, s.Elements))
		d.elements(to.Family, AddElements, s, without(s.Elements, was))
	}
}

func (d *differ) elements(family Family, op Op, s Set, elements map[Key]Value) {
	if len(elements) > 0 {
		d.add(Change{Family: family, Op: op, Name: s.Name, Kind: s.Kind, Elements: elements})
	}
}

// without are the elements of a that b has not, or has otherwise.
func without(a, b map[Key]Value) map[Key]Value {
	left := map[Key]Value{}
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
func (d *differ) clear(is TableState, to Table) {
	sets, chains := map[string]bool{}, map[string]bool{}
	for _, s := range to.Sets {
		sets[s.Name] = true
	}
	for _, c := range to.Chains {
		chains[c.Name] = true
	}
	gone := func(names, wanted map[string]bool) []string {
		return slices.DeleteFunc(sortedKeys(names), func(name string) bool { return wanted[name] })
	}
	for _, name := range gone(keys(is.Chains), chains) {
		if len(is.Chains[name].Rules) > 0 {
			d.add(Change{Family: to.Family, Op: FlushChain, Name: name})
		}
	}
	for _, name := range gone(keys(is.Sets), sets) {
		d.add(Change{Family: to.Family, Op: DeleteSet, Name: name, Kind: is.Sets[name].Kind})
	}
	for _, name := range gone(keys(is.Chains), chains) {
		d.add(Change{Family: to.Family, Op: DeleteChain, Name: name})
	}
}

func keys[V any](m map[string]V) map[string]bool {
	all := map[string]bool{}
	for k := range m {
		all[k] = true
	}
	return all
}

// After is the state that changes lead to.
func (s State) After(changes []Change) State {
	next := State{}
	for family, t := range s {
		next[family] = t.clone()
	}
	for _, c := range changes {
		next.change(c)
	}
	return next
}

func (s TableState) clone() TableState {
	// The content is not copied: what changes is replaced.
	return TableState{Dormant: s.Dormant, Sets: maps.Clone(s.Sets), Chains: maps.Clone(s.Chains)}
}

func (s State) change(c Change) {
	t := s[c.Family]
	switch c.Op {
	case AddTable:
		s[c.Family] = TableState{Sets: map[string]SetState{}, Chains: map[string]ChainState{}}
	case DeleteTable:
		delete(s, c.Family)
	case AddSet:
		t.Sets[c.Name] = SetState{Kind: c.Kind, Elements: map[Key]Value{}}
	case DeleteSet:
		delete(t.Sets, c.Name)
	case AddChain:
		t.Chains[c.Name] = ChainState{Hook: c.Hook}
	case DeleteChain:
		delete(t.Chains, c.Name)
	case FlushChain:
		t.Chains[c.Name] = ChainState{Hook: t.Chains[c.Name].Hook}
	case AddRule:
		is := t.Chains[c.Name]
		is.Rules = append(slices.Clip(is.Rules), c.Rule.Digest())
		t.Chains[c.Name] = is
	case AddElements, DeleteElements:
		is := t.Sets[c.Name]
		if is.Elements = maps.Clone(is.Elements); is.Elements == nil {
			is.Elements = map[Key]Value{}
		}
		for k, v := range c.Elements {
			if is.Elements[k] = v; c.Op == DeleteElements {
				delete(is.Elements, k)
			}
		}
		t.Sets[c.Name] = is
	}
}
