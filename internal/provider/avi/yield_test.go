package avi

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// TestNamesMoveBetweenChildren renews two certificates for names, which then have names that the other had: the controller lets no two
// children of a parent have the same, whichever is written first.
func TestNamesMoveBetweenChildren(t *testing.T) {
	for _, test := range []struct {
		name       string
		from, to   [2][]string // of the two certificates
		sameObject bool        // users' changes survive
	}{
		{"one name", [2][]string{{"a", "x"}, {"b"}}, [2][]string{{"a"}, {"b", "x"}}, true},
		{"the other way", [2][]string{{"a"}, {"b", "x"}}, [2][]string{{"a", "x"}, {"b"}}, true},
		{"one each", [2][]string{{"a", "x"}, {"b", "y"}}, [2][]string{{"a", "y"}, {"b", "x"}}, true},
		{"all", [2][]string{{"a"}, {"b"}}, [2][]string{{"b"}, {"a"}}, false},
		{"all to a new one", [2][]string{{"a", "x"}, {"b"}}, [2][]string{{"c"}, {"a", "x", "b"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSaga(t)
			w, _ := s.world(t)
			lb := s.tree(0)
			l := secure(11, 0, 2, 3)
			lb.Listeners = []*lbaas.Listener{l}
			step := func(names [2][]string) {
				t.Helper()
				for i, all := range names {
					m := *s.secrets[ref(2+i)]
					m.Names = all
					s.secrets[ref(2+i)] = &m
				}
				lb = next(lb, func(*lbaas.LoadBalancer) {})
				mustApply(t, w.provider, lb)
				for i, all := range names {
					vs := w.object(translate.VirtualService, "virtualservice-"+translate.ChildID(ref(2+i), l.ID))
					is := hostsOf(vs)
					slices.Sort(is)
					if want := slices.Sorted(slices.Values(all)); !slices.Equal(is, want) {
						t.Errorf("names of child %d (-want +got):\n%s", i, cmp.Diff(want, is))
					}
				}
			}
			step(test.from)
			child := "virtualservice-" + translate.ChildID(ref(2), l.ID)
			w.edit(translate.VirtualService, child, func(o map[string]any) { o["weight"] = 7 })
			step(test.to)
			if kept := numeral(w.object(translate.VirtualService, child)["weight"]) == "7"; kept != test.sameObject {
				t.Errorf("users' changes survive: %v", kept)
			}
			w.provider = w.open(func(c *Config) { c.Secrets, c.VRFPerSubnet = s.secrets, true })
			step(test.from)
		})
	}
}
