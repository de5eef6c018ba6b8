package guard

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var sameStates = []cmp.Option{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}

// stateOf is what a kernel would have of tables.
func stateOf(tables []Table) State {
	state := State{}
	for _, t := range tables {
		s := TableState{Sets: map[string]SetState{}, Chains: map[string]ChainState{}}
		for _, set := range t.Sets {
			s.Sets[set.Name] = SetState{set.Kind, set.Elements}
		}
		for _, c := range t.Chains {
			s.Chains[c.Name] = ChainState{c.Hook, digests(c.Rules)}
		}
		state[t.Family] = s
	}
	return state
}

// TestDiffLeadsThere wants any plan over any other to be as that plan alone, and the order of lists to count for nothing.
func TestDiffLeadsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, w := stateOf(Plan(randomWanted(t))), randomWanted(t)
		fresh := stateOf(Plan(w))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		for _, shuffle := range []func(){
			func() {
				random.Shuffle(len(w.Ports), func(i, j int) { w.Ports[i], w.Ports[j] = w.Ports[j], w.Ports[i] })
			},
			func() {
				random.Shuffle(len(w.Groups), func(i, j int) { w.Groups[i], w.Groups[j] = w.Groups[j], w.Groups[i] })
			},
		} {
			shuffle()
		}
		changes := Diff(before, Plan(w))
		if diff := cmp.Diff(fresh, before.After(changes), sameStates...); diff != "" {
			t.Fatalf("state (-fresh +changed):\n%s", diff)
		}
		if diff := cmp.Diff(fresh, before.After(Anew(before, Plan(w))), sameStates...); diff != "" {
			t.Fatalf("state (-fresh +anew):\n%s", diff)
		}
		if left := Diff(fresh, Plan(w)); len(left) > 0 {
			t.Fatalf("%d changes from the same, the first %+v", len(left), left[0])
		}
	})
}

// TestDiffRepairs wants what somebody did to the tables to be undone.
func TestDiffRepairs(t *testing.T) {
	wanted := Plan(parsed(t, aPlan()))
	whole := stateOf(wanted)
	spoil := func(f Family, fn func(s *TableState)) State {
		s := whole.After(nil)
		table := s[f].clone()
		fn(&table)
		s[f] = table
		return s
	}
	for name, s := range map[string]State{
		"a table less":   {Inet: whole[Inet]},
		"asleep":         spoil(Inet, func(s *TableState) { s.Dormant = true }),
		"another policy": spoil(Inet, func(s *TableState) { s.Chains[leaving] = ChainState{Hook: Hook{"strange", -150}} }),
		"a rule less":    spoil(Bridge, func(s *TableState) { s.Chains[prerouting] = ChainState{hookPrerouting, s.Chains[prerouting].Rules[1:]} }),
		"a rule more": spoil(Inet, func(s *TableState) {
			s.Chains[arriving] = ChainState{hookArriving, append(slices.Clip(s.Chains[arriving].Rules), "")}
		}),
		"a chain more":     spoil(Inet, func(s *TableState) { s.Chains["mine"] = ChainState{Hook{forward, 0}, []string{""}} }),
		"a set more":       spoil(Inet, func(s *TableState) { s.Sets["mine"] = SetState{Kind: Strange} }),
		"a set of another": spoil(Bridge, func(s *TableState) { s.Sets[links] = SetState{Kind: Strange} }),
		"an element less":  spoil(Bridge, func(s *TableState) { s.Sets[links] = SetState{Kind: Links} }),
		"another mark": spoil(Bridge, func(s *TableState) {
			s.Sets[marks] = SetState{LinkToMark, map[Key]Value{{Link: names.Link(portID)}: {Number: 5}}}
		}),
	} {
		changes := Diff(s, wanted)
		if len(changes) == 0 {
			t.Errorf("%s: nothing is done", name)
		}
		if diff := cmp.Diff(whole, s.After(changes), sameStates...); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestDiffOfOnePort wants one port more to touch no chain.
func TestDiffOfOnePort(t *testing.T) {
	w := parsed(t, aPlan())
	with := Plan(w)
	w.Ports = w.Ports[:1]
	w.Ports = append(w.Ports, Port{ID: "x", Link: "plmx", Bridge: w.Ports[0].Bridge, Groups: []string{groupID}})
	without := Plan(w)
	for _, c := range append(Diff(stateOf(without), with), Diff(stateOf(with), without)...) {
		if c.Op != AddElements && c.Op != DeleteElements {
			t.Errorf("a change of more than elements: %+v", c)
		}
	}
}

// TestCloseAndOpen wants a link to be closed and opened with no other being touched.
func TestCloseAndOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWanted(t)
		before, link := stateOf(Plan(w)), oneOf(t, "link", someLinks...)
		was, _ := before.Guards(link)
		after := before.After(Close(before, link))
		if is, closed := after.Guards(link); !is || !was && !closed {
			t.Fatalf("%s is guarded: %t, closed: %t", link, is, closed)
		}
		if !was {
			w.Closed = append(w.Closed, link)
			if left := Diff(after, Plan(w)); len(left) > 0 {
				t.Fatalf("%d changes are left, the first %+v", len(left), left[0])
			}
		}
		gone := after.After(Open(after, link))
		if is, _ := gone.Guards(link); is {
			t.Fatalf("%s is still guarded", link)
		}
		for _, other := range someLinks {
			is, closed := gone.Guards(other)
			wasIs, wasClosed := before.Guards(other)
			if other != link && (is != wasIs || closed != wasClosed) {
				t.Fatalf("%s was guarded: %t, closed: %t, and is: %t, %t", other, wasIs, wasClosed, is, closed)
			}
		}
	})
}

func TestZones(t *testing.T) {
	w := parsed(t, aPlan())
	s := stateOf(Plan(w))
	if got := s.Zone(names.Bridge(netID)); got != 7 {
		t.Errorf("the bridge's zone is %d", got)
	}
	for _, test := range []struct {
		index int
		want  uint16
	}{{7, 10}, {0, 1}, {65536, 1}, {65535, 65535}, {65536 + 7, 10}, {5, 5}} {
		if got := FreeZone(s, map[string]uint16{"a": 8, "b": 9}, test.index); got != test.want {
			t.Errorf("FreeZone(%d) = %d, want %d", test.index, got, test.want)
		}
	}
	if changes := Zoned(s, names.Bridge(netID), 9); len(changes) > 0 {
		t.Errorf("a zone changes: %v", changes)
	}
	if got := s.After(Zoned(s, "brq2", 9)).Zone("brq2"); got != 9 {
		t.Errorf("the zone of another bridge is %d", got)
	}
	if changes := Zoned(nil, "brq2", 9); len(changes) > 0 {
		t.Errorf("a zone without tables: %v", changes)
	}
}

func TestFreed(t *testing.T) {
	port := func(id, bridge string, addresses ...string) Port {
		p := Port{ID: id, Bridge: bridge}
		for _, a := range addresses {
			p.Pairs = append(p.Pairs, Pair{Addresses: netip.MustParsePrefix(a)})
		}
		return p
	}
	known := func(p Port) bool { return p.ID == "known" }
	freed := func(bridge string, addresses ...string) map[string]map[netip.Addr]bool {
		all := map[string]map[netip.Addr]bool{}
		for _, a := range addresses {
			put(all, bridge, netip.MustParseAddr(a))
		}
		return all
	}
	one := port("one", "a", "10.0.0.1/32", "10.1.0.0/16", "2001:db8::1/128")
	for name, tt := range map[string]struct {
		before, after []Port
		want          map[string]map[netip.Addr]bool
	}{
		"a port goes":                 {[]Port{one}, nil, freed("a", "10.0.0.1", "2001:db8::1")},
		"another has it at once":      {[]Port{one}, []Port{port("two", "a", "10.0.0.1/32")}, freed("a", "10.0.0.1", "2001:db8::1")},
		"a port comes":                {nil, []Port{one}, freed("a", "10.0.0.1", "2001:db8::1")},
		"one that was open":           {nil, []Port{port("known", "a", "10.0.0.1/32")}, nil},
		"on another bridge":           {[]Port{one, port("two", "b", "10.0.0.1/32")}, []Port{one}, freed("b", "10.0.0.1")},
		"one changes its address":     {[]Port{one}, []Port{port("one", "a", "10.0.0.2/32", "2001:db8::1/128")}, freed("a", "10.0.0.1", "10.0.0.2")},
		"one address becomes a range": {[]Port{port("one", "a", "10.0.0.1/32")}, []Port{port("one", "a", "10.0.0.0/31")}, nil},
		"of a range one is left":      {[]Port{one}, []Port{port("one", "a", "10.1.2.3/32", "10.0.0.1/32", "2001:db8::1/128")}, nil},
		"two share it":                {[]Port{one, port("two", "a", "10.0.0.1/32")}, []Port{port("two", "a", "10.0.0.1/32"), port("three", "a", "10.0.0.1/32")}, freed("a", "2001:db8::1")},
		"nothing changes":             {[]Port{one}, []Port{one}, nil},
	} {
		if diff := cmp.Diff(tt.want, Freed(tt.before, tt.after, known), sameStates...); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
