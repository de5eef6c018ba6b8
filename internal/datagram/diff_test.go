package datagram

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
)

// state is what a kernel would have of a table.
func state(to Table) State {
	s := State{Counters: slices.Clone(to.Counters), Maps: map[string]map[uint32]Value{}, Chains: map[string][]string{}}
	for _, m := range to.Maps {
		s.Maps[m.Name] = maps.Clone(m.Elements)
	}
	for _, c := range to.Chains {
		s.Chains[c.Name] = digests(c.Rules)
	}
	return s
}

// named are the operations of changes, with what each is done to.
func named(changes []Change) map[Op][]string {
	all := map[Op][]string{}
	for _, c := range changes {
		all[c.Op] = append(all[c.Op], c.Name)
	}
	return all
}

func TestDiffOfTheSame(t *testing.T) {
	for name, c := range plans() {
		table := Plan(c.listeners, c.down)
		if changes := Diff(state(table), table); len(changes) > 0 {
			t.Errorf("%s: %d changes, the first %+v", name, len(changes), changes[0])
		}
	}
}

// TestDiffLeavesAlone wants a change of one thing to touch no other: no counter, no source that was learned, and no limit.
func TestDiffLeavesAlone(t *testing.T) {
	a, b := member(1, "10.93.48.3", 1), member(2, "10.93.48.4", 1)
	d := udp(1, a, b)
	d.PersistenceSeconds, d.ConnectionLimit = 60, 9
	plan := func(down ...string) Table {
		dead := map[string]bool{}
		for _, id := range down {
			dead[id] = true
		}
		return Plan([]*enginepb.Datagram{d}, dead)
	}
	before := state(plan())
	slots, members, to, chain := "slots4-"+uid(1, 1), "members4-"+uid(1, 1), "to4-"+uid(1, 1), "member4-"+uid(1, 1)+"-"+uid(3, 1)
	want := map[Op][]string{
		DeleteElements: {slots, members}, AddElements: {slots}, FlushChain: {to, chain}, DeleteChain: {chain},
		AddRule: {to, to, to, to, to},
	}
	if diff := cmp.Diff(want, named(Diff(before, plan(a.MemberId)))); diff != "" {
		t.Errorf("a member dies (-want +got):\n%s", diff)
	}
	a.Weight = 2
	want = map[Op][]string{AddElements: {slots}, FlushChain: {to}, AddRule: {to, to, to, to, to}}
	if diff := cmp.Diff(want, named(Diff(before, plan()))); diff != "" {
		t.Errorf("a weight (-want +got):\n%s", diff)
	}
	a.Weight, d.ConnectionLimit = 1, 10
	limit := "limit-" + uid(1, 1)
	want = map[Op][]string{FlushChain: {limit}, AddRule: {limit}}
	if diff := cmp.Diff(want, named(Diff(before, plan()))); diff != "" {
		t.Errorf("a limit (-want +got):\n%s", diff)
	}
}

func TestDiffFromAndToNothing(t *testing.T) {
	if changes := Diff(State{}, Table{}); len(changes) > 0 {
		t.Errorf("from nothing to nothing: %v", changes)
	}
	table := Plan([]*enginepb.Datagram{udp(1)}, nil)
	if diff := cmp.Diff([]Change{{Op: DeleteTable}}, Diff(state(table), Table{})); diff != "" {
		t.Errorf("to nothing (-want +got):\n%s", diff)
	}
	if changes := Diff(State{}, table); changes[0].Op != AddTable {
		t.Errorf("from nothing, the first change is %+v", changes[0])
	}
}
