package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestFlavorsOfTwoFaces has each face see what the other makes.
func TestFlavorsOfTwoFaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		f := newServiceFlavor(t, s, "SEG1")
		twin := newServiceFlavor(t, s, "SEG1")
		p := newServiceProfile(t, s, "avi", "{'a': 1}")
		if _, err := s.Flavor(ctx, f.ID); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("a flavor without a profile: %v", err)
		}
		if list, err := s.Flavors(ctx, store.Query{}); err != nil || len(list) != 0 {
			t.Errorf("flavors without profiles: %v, %v", list, err)
		}
		if err := s.BindServiceProfile(ctx, f.ID, p.ID); err != nil {
			t.Fatal(err)
		}
		got, err := s.Flavor(ctx, f.ID)
		want := &lbaas.Flavor{ID: f.ID, Name: "SEG1", Description: "d", Enabled: true, FlavorProfileID: p.ID}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Octavia's flavor is %v (-want +got):\n%s", err, diff)
		}
		list, err := s.Flavors(ctx, store.Query{Filters: []store.Filter{{Attribute: "name", Values: []string{"SEG1"}}}})
		if diff := cmp.Diff([]*lbaas.Flavor{want}, list); err != nil || diff != "" {
			t.Errorf("Octavia's flavors are %v (-want +got):\n%s", err, diff)
		}
		taken := lbaas.Errorf(lbaas.Conflict, "A flavor of SEG1 already exists.")
		if diff := cmp.Diff(taken, s.CreateFlavor(ctx, &lbaas.Flavor{Name: "SEG1", FlavorProfileID: p.ID})); diff != "" {
			t.Errorf("a taken name (-want +got):\n%s", diff)
		}
		other := &lbaas.Flavor{Name: "other", FlavorProfileID: p.ID}
		if err := s.CreateFlavor(ctx, other); err != nil {
			t.Fatal(err)
		}
		_, err = s.UpdateFlavor(ctx, other.ID, func(f *lbaas.Flavor) error { f.Name = "SEG1"; return nil })
		if diff := cmp.Diff(taken, err); diff != "" {
			t.Errorf("another taken name (-want +got):\n%s", diff)
		}
		if _, err := s.UpdateServiceFlavor(ctx, other.ID, func(f *network.ServiceFlavor) error { f.Name = "SEG1"; return nil }); err != nil {
			t.Errorf("Neutron's names: %v", err)
		}
		if _, err := s.UpdateFlavor(ctx, f.ID, func(f *lbaas.Flavor) error { f.Description = "x"; return nil }); err != nil {
			t.Errorf("a flavor that keeps its name: %v", err)
		}
		if _, err := s.UpdateFlavor(ctx, f.ID, func(f *lbaas.Flavor) error { f.Name = "SEG9"; return nil }); err != nil {
			t.Errorf("a new name: %v", err)
		}
		all, err := s.ServiceFlavors(ctx, store.Query{Sort: []store.Order{{Attribute: "name"}}})
		wantAll := []*network.ServiceFlavor{
			{ID: twin.ID, Name: "SEG1", Description: "d", Enabled: true}, {ID: other.ID, Name: "SEG1", ProfileIDs: []string{p.ID}},
			{ID: f.ID, Name: "SEG9", Description: "x", Enabled: true, ProfileIDs: []string{p.ID}},
		}
		if diff := cmp.Diff(wantAll, all); err != nil || diff != "" {
			t.Errorf("Neutron's flavors are %v (-want +got):\n%s", err, diff)
		}
		if err := errors.Join(s.DeleteFlavor(ctx, f.ID), s.DeleteServiceFlavor(ctx, other.ID), s.DeleteServiceFlavor(ctx, twin.ID), s.DeleteFlavorProfile(ctx, p.ID)); err != nil {
			t.Error(err)
		}
	})
}

func newServiceFlavor(t testing.TB, s *store.Store, name string) *network.ServiceFlavor {
	t.Helper()
	f := &network.ServiceFlavor{Name: name, Description: "d", Enabled: true}
	if err := s.CreateServiceFlavors(context.Background(), []*network.ServiceFlavor{f}); err != nil {
		t.Fatal(err)
	}
	return f
}

func newServiceProfile(t testing.TB, s *store.Store, driver, metainfo string) *network.ServiceProfile {
	t.Helper()
	p := &network.ServiceProfile{Driver: driver, Provider: driver, Enabled: true}
	p.SetMetainfo(metainfo)
	if err := s.CreateServiceProfiles(context.Background(), []*network.ServiceProfile{p}); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProfilesOfTwoFaces has what Octavia writes count instead of what Neutron's clients wrote.
func TestProfilesOfTwoFaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		p := newServiceProfile(t, s, "avi", "{'a': 1}")
		got, err := s.UpdateFlavorProfile(ctx, p.ID, func(p *lbaas.FlavorProfile) error { p.Name = "n"; return nil })
		if diff := cmp.Diff(&lbaas.FlavorProfile{ID: p.ID, Name: "n", Provider: "avi", Data: `{"a":1}`}, got); err != nil || diff != "" {
			t.Errorf("a name is %v (-want +got):\n%s", err, diff)
		}
		same, err := s.ServiceProfile(ctx, p.ID)
		if diff := cmp.Diff(p, same); err != nil || diff != "" {
			t.Errorf("then Neutron's is %v (-want +got):\n%s", err, diff)
		}
		if _, err = s.UpdateFlavorProfile(ctx, p.ID, func(p *lbaas.FlavorProfile) error { p.Provider, p.Data = "noop", `{}`; return nil }); err != nil {
			t.Fatal(err)
		}
		same, err = s.ServiceProfile(ctx, p.ID)
		if diff := cmp.Diff(&network.ServiceProfile{ID: p.ID, Driver: "noop", Provider: "noop", Metainfo: "{}", Data: "{}", Enabled: true}, same); err != nil || diff != "" {
			t.Errorf("after a change it is %v (-want +got):\n%s", err, diff)
		}
	})
}

// TestTheFirstProfileStays has a load balancer keep what its flavor says, and not come with what it no longer says.
func TestTheFirstProfileStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		f := newServiceFlavor(t, s, "f")
		one, two := newServiceProfile(t, s, "avi", `{"n":1}`), newServiceProfile(t, s, "avi", `{"n":2}`)
		if err := errors.Join(s.BindServiceProfile(ctx, f.ID, one.ID), s.BindServiceProfile(ctx, f.ID, two.ID)); err != nil {
			t.Fatal(err)
		}
		late := bareTree()
		late.FlavorID, late.FlavorProfileID = f.ID, two.ID
		if diff := cmp.Diff(lbaas.Missing(lbaas.NounFlavor, f.ID), s.CreateLoadBalancer(ctx, late)); diff != "" {
			t.Errorf("a load balancer that was judged by another profile (-want +got):\n%s", diff)
		}
		lb := bareTree()
		lb.FlavorID, lb.FlavorProfileID = f.ID, one.ID
		if err := s.CreateLoadBalancer(ctx, lb); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(network.FlavorInUse(f.ID), s.UnbindServiceProfile(ctx, f.ID, one.ID)); diff != "" {
			t.Errorf("the first profile goes (-want +got):\n%s", diff)
		}
		if err := errors.Join(s.UnbindServiceProfile(ctx, f.ID, two.ID), s.DeleteServiceProfile(ctx, two.ID)); err != nil {
			t.Errorf("another profile stays: %v", err)
		}
		if diff := cmp.Diff(map[string]any{"n": 1.0}, tree(t, s, lb.ID).Flavor); diff != "" {
			t.Errorf("the flavor's data (-want +got):\n%s", diff)
		}
	})
}

// TestTheFirstProfileStaysOrGoesBefore takes the first profile away while others make load balancers that were judged by it: each is there with
// the profile, or is refused.
func TestTheFirstProfileStaysOrGoesBefore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		for round := range 6 {
			f := newServiceFlavor(t, s, "f")
			one, two := newServiceProfile(t, s, "p", `{"n":1}`), newServiceProfile(t, s, "p", `{"n":2}`)
			if err := errors.Join(s.BindServiceProfile(ctx, f.ID, one.ID), s.BindServiceProfile(ctx, f.ID, two.ID)); err != nil {
				t.Fatal(err)
			}
			var gone error
			made := make([]error, 4)
			atOnce(t, 4, func(i int) error {
				if i == round%4 {
					gone = s.UnbindServiceProfile(ctx, f.ID, one.ID)
					return nil
				}
				lb := bareTree()
				lb.FlavorID, lb.FlavorProfileID = f.ID, one.ID
				made[i] = s.CreateLoadBalancer(ctx, lb)
				return nil
			})
			got, err := s.ServiceFlavor(ctx, f.ID)
			if err != nil {
				t.Fatal(err)
			}
			for i, err := range made {
				if i != round%4 && (err == nil) != (got.ProfileIDs[0] == one.ID) {
					t.Errorf("a load balancer was made: %v, when the first profile went: %v", err, gone)
				}
			}
		}
	})
}

// TestBindingsModel compares bindings with lists.
func TestBindingsModel(t *testing.T) {
	s := storetest.Open(t, store.SQLite)
	var flavors, profiles []string
	for i := range 3 {
		flavors = append(flavors, newServiceFlavor(t, s, fmt.Sprint(i)).ID)
		profiles = append(profiles, newServiceProfile(t, s, "p", "").ID)
	}
	want := map[string][]string{}
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		f, p := rapid.SampledFrom(flavors).Draw(t, "flavor"), rapid.SampledFrom(profiles).Draw(t, "profile")
		at := -1
		for i, id := range want[f] {
			if id == p {
				at = i
			}
		}
		if rapid.Bool().Draw(t, "bind") {
			err := s.BindServiceProfile(ctx, f, p)
			if (err == nil) != (at < 0) {
				t.Fatalf("bind where it is at %d: %v", at, err)
			}
			if err == nil {
				want[f] = append(want[f], p)
			}
		} else {
			err := s.UnbindServiceProfile(ctx, f, p)
			if (err == nil) != (at >= 0) {
				t.Fatalf("unbind where it is at %d: %v", at, err)
			}
			if err == nil {
				want[f] = append(append([]string{}, want[f][:at]...), want[f][at+1:]...)
			}
		}
		got, err := s.ServiceFlavor(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]string{}, want[f]...), append([]string{}, got.ProfileIDs...)); diff != "" {
			t.Fatalf("profiles (-want +got):\n%s", diff)
		}
		used := false
		for _, list := range want {
			for _, id := range list {
				used = used || id == p
			}
		}
		_, err = s.UpdateServiceProfile(ctx, p, func(*network.ServiceProfile) error { return nil })
		if errors.Is(err, lbaas.Conflict) != used {
			t.Fatalf("a change of a profile that is used (%t): %v", used, err)
		}
	})
}

// TestFlavorChangesWhileRead takes a flavor's first profile away between the statements that read the flavor: what is read is of one moment.
func TestFlavorChangesWhileRead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		f := newServiceFlavor(t, s, "SEG1")
		var profiles []string
		for range 3 {
			p := newServiceProfile(t, s, "avi", "{}")
			if err := s.BindServiceProfile(ctx, f.ID, p.ID); err != nil {
				t.Fatal(err)
			}
			profiles = append(profiles, p.ID)
		}
		takeAway := func(id string) func() {
			return func() {
				if err := s.UnbindServiceProfile(ctx, f.ID, id); err != nil {
					t.Error(err)
				}
			}
		}
		s.Meanwhile(takeAway(profiles[0]))
		list, err := s.ServiceFlavors(ctx, store.Query{})
		if err != nil || len(list) != 1 {
			t.Fatalf("ServiceFlavors = %v, %v", list, err)
		}
		if diff := cmp.Diff(profiles, list[0].ProfileIDs); diff != "" {
			t.Errorf("profiles in the list (-want +got):\n%s", diff)
		}
		s.Meanwhile(takeAway(profiles[1]))
		one, err := s.ServiceFlavor(ctx, f.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(profiles[1:], one.ProfileIDs); diff != "" {
			t.Errorf("profiles of the flavor (-want +got):\n%s", diff)
		}
	})
}
