package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// catalogNoun is what flavors, availability zones and their profiles have in common, for tests that are the same for all.
type catalogNoun struct {
	noun   lbaas.Noun
	create func(id, text string) error // the text is every attribute that can have any
	update func(id, text string) error
	delete func(id string) error
	one    func(id string) (text string, err error)
	list   func(q store.Query) (ids []string, err error)
}

// catalogOf returns the four nouns. Flavors and zones use the profile "used".
func catalogOf(t *testing.T, s *store.Store) []catalogNoun {
	t.Helper()
	ctx := context.Background()
	err := errors.Join(
		s.CreateFlavorProfile(ctx, &lbaas.FlavorProfile{ID: "used", Data: "{}"}),
		s.CreateAvailabilityZoneProfile(ctx, &lbaas.AvailabilityZoneProfile{ID: "used", Data: "{}"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return []catalogNoun{flavorNoun(ctx, s), flavorProfileNoun(ctx, s), zoneNoun(ctx, s), zoneProfileNoun(ctx, s)}
}

func flavorNoun(ctx context.Context, s *store.Store) catalogNoun {
	return catalogNoun{
		noun: lbaas.NounFlavor,
		create: func(id, text string) error {
			return s.CreateFlavor(ctx, &lbaas.Flavor{ID: id, Name: text, Description: text, Enabled: true, FlavorProfileID: "used"})
		},
		update: func(id, text string) error {
			got, err := s.UpdateFlavor(ctx, id, func(f *lbaas.Flavor) error {
				*f = lbaas.Flavor{ID: "another", Name: text, Description: text, FlavorProfileID: "another"}
				return nil
			})
			return changedTo(&lbaas.Flavor{ID: id, Name: text, Description: text, FlavorProfileID: "used"}, got, err)
		},
		delete: func(id string) error { return s.DeleteFlavor(ctx, id) },
		one: func(id string) (string, error) {
			f, err := s.Flavor(ctx, id)
			if err != nil {
				return "", err
			}
			return f.Name, changedTo(f.Description, f.Name, nil)
		},
		list: func(q store.Query) (ids []string, err error) {
			list, err := s.Flavors(ctx, q)
			for _, f := range list {
				ids = append(ids, f.ID)
			}
			return ids, err
		},
	}
}

func flavorProfileNoun(ctx context.Context, s *store.Store) catalogNoun {
	return catalogNoun{
		noun: lbaas.NounFlavorProfile,
		create: func(id, text string) error {
			return s.CreateFlavorProfile(ctx, &lbaas.FlavorProfile{ID: id, Name: text, Provider: "p", Data: text})
		},
		update: func(id, text string) error {
			got, err := s.UpdateFlavorProfile(ctx, id, func(p *lbaas.FlavorProfile) error {
				*p = lbaas.FlavorProfile{ID: "another", Name: text, Provider: "q", Data: text}
				return nil
			})
			return changedTo(&lbaas.FlavorProfile{ID: id, Name: text, Provider: "q", Data: text}, got, err)
		},
		delete: func(id string) error { return s.DeleteFlavorProfile(ctx, id) },
		one: func(id string) (string, error) {
			p, err := s.FlavorProfile(ctx, id)
			if err != nil {
				return "", err
			}
			return p.Name, changedTo(p.Data, p.Name, nil)
		},
		list: func(q store.Query) (ids []string, err error) {
			list, err := s.FlavorProfiles(ctx, q)
			for _, p := range list {
				ids = append(ids, p.ID)
			}
			return ids, err
		},
	}
}

func zoneNoun(ctx context.Context, s *store.Store) catalogNoun {
	return catalogNoun{
		noun: lbaas.NounAvailabilityZone,
		create: func(id, text string) error {
			return s.CreateAvailabilityZone(ctx, &lbaas.AvailabilityZone{Name: id, Description: text, Enabled: true, ProfileID: "used"})
		},
		update: func(id, text string) error {
			got, err := s.UpdateAvailabilityZone(ctx, id, func(z *lbaas.AvailabilityZone) error {
				*z = lbaas.AvailabilityZone{Name: "another", Description: text, ProfileID: "another"}
				return nil
			})
			return changedTo(&lbaas.AvailabilityZone{Name: id, Description: text, ProfileID: "used"}, got, err)
		},
		delete: func(id string) error { return s.DeleteAvailabilityZone(ctx, id) },
		one: func(id string) (string, error) {
			z, err := s.AvailabilityZone(ctx, id)
			if err != nil {
				return "", err
			}
			return z.Description, nil
		},
		list: func(q store.Query) (ids []string, err error) {
			list, err := s.AvailabilityZones(ctx, q)
			for _, z := range list {
				ids = append(ids, z.Name)
			}
			return ids, err
		},
	}
}

func zoneProfileNoun(ctx context.Context, s *store.Store) catalogNoun {
	return catalogNoun{
		noun: lbaas.NounAvailabilityZoneProfile,
		create: func(id, text string) error {
			return s.CreateAvailabilityZoneProfile(ctx, &lbaas.AvailabilityZoneProfile{ID: id, Name: text, Provider: "p", Data: text})
		},
		update: func(id, text string) error {
			got, err := s.UpdateAvailabilityZoneProfile(ctx, id, func(p *lbaas.AvailabilityZoneProfile) error {
				*p = lbaas.AvailabilityZoneProfile{ID: "another", Name: text, Provider: "q", Data: text}
				return nil
			})
			return changedTo(&lbaas.AvailabilityZoneProfile{ID: id, Name: text, Provider: "q", Data: text}, got, err)
		},
		delete: func(id string) error { return s.DeleteAvailabilityZoneProfile(ctx, id) },
		one: func(id string) (string, error) {
			p, err := s.AvailabilityZoneProfile(ctx, id)
			if err != nil {
				return "", err
			}
			return p.Name, changedTo(p.Data, p.Name, nil)
		},
		list: func(q store.Query) (ids []string, err error) {
			list, err := s.AvailabilityZoneProfiles(ctx, q)
			for _, p := range list {
				ids = append(ids, p.ID)
			}
			return ids, err
		},
	}
}

func changedTo[T any](want, got T, err error) error {
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("a change gives (-want +got):\n%s", diff)
	}
	return nil
}

func TestCatalogLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, c := range catalogOf(t, s) {
			missing := error(lbaas.Missing(c.noun, "x"))
			expect := func(text string) {
				t.Helper()
				if got, err := c.one("x"); err != nil || got != text {
					t.Errorf("%s: %q, want %q, %v", c.noun, got, text, err)
				}
			}
			_, err := c.one("x")
			for what, err := range map[string]error{"read": err, "update": c.update("x", "a"), "delete": c.delete("x")} {
				if diff := cmp.Diff(missing, err); diff != "" {
					t.Errorf("%s %s that is not there (-want +got):\n%s", what, c.noun, diff)
				}
			}
			if err := c.create("x", "first"); err != nil {
				t.Error(err)
			}
			expect("first")
			if err := c.create("x", "first"); !errors.Is(err, lbaas.Conflict) {
				t.Errorf("a second %s gives %v", c.noun, err)
			}
			for _, text := range append(hostile, "", strings.Repeat("👩", 255)) {
				if err := c.update("x", text); err != nil {
					t.Errorf("%s: %v", c.noun, err)
				}
				expect(text)
			}
			if err := c.delete("x"); err != nil {
				t.Error(err)
			}
			if _, err := c.one("x"); !errors.Is(err, lbaas.NotFound) {
				t.Errorf("a deleted %s gives %v", c.noun, err)
			}
		}
	})
}

func TestCatalogLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, c := range catalogOf(t, s) {
			all := store.Query{}
			if ids, err := c.list(all); err != nil || len(ids) > 1 {
				t.Errorf("%s: at first %v, %v", c.noun, ids, err)
			} else if len(ids) == 1 { // a profile that the others use comes first
				all.Marker = "used"
			}
			for _, id := range []string{"c", "a", "B", "d"} {
				if err := c.create(id, "text "+id); err != nil {
					t.Error(err)
				}
			}
			key := "id"
			if c.noun == lbaas.NounAvailabilityZone {
				key = "name"
			}
			for _, q := range []struct {
				query store.Query
				want  string
			}{
				{all, "c a B d"},
				{store.Query{Limit: 2, Marker: "c"}, "a B"},
				{store.Query{Limit: 2, Marker: "d", Reverse: true}, "a B"},
				{store.Query{Sort: []store.Order{{Attribute: key, Descending: true}}, Marker: "c"}, "a B"},
				{store.Query{Filters: []store.Filter{{Attribute: key, Values: []string{"a", "b"}}}}, "a"},
			} {
				if ids, err := c.list(q.query); err != nil || strings.TrimSuffix(strings.Join(ids, " "), " used") != q.want && strings.Join(ids, " ") != q.want {
					t.Errorf("%s: %+v lists %v, want %s; %v", c.noun, q.query, ids, q.want, err)
				}
			}
			for part, q := range map[string]store.Query{
				"marker": {Marker: "nothing"}, "filter": {Filters: []store.Filter{{Attribute: "epoch"}}}, "sort": {Sort: []store.Order{{Attribute: "x"}}},
			} {
				var bad *store.BadQuery
				if _, err := c.list(q); !errors.As(err, &bad) || bad.Part != part {
					t.Errorf("%s: a bad %s gives %v", c.noun, part, err)
				}
			}
		}
	})
}

func TestCatalogRules(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		flavor, err := s.Flavor(ctx, lb.FlavorID)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := s.AvailabilityZone(ctx, lb.AvailabilityZone)
		if err != nil {
			t.Fatal(err)
		}
		other := &lbaas.Flavor{Name: "other", FlavorProfileID: flavor.FlavorProfileID}
		if err := s.CreateFlavor(ctx, other); err != nil {
			t.Fatal(err)
		}
		names := func(lb *lbaas.LoadBalancer, flavorID, zone string) *lbaas.LoadBalancer {
			lb.FlavorID, lb.AvailabilityZone = flavorID, zone
			return lb
		}
		inUse := func(what, id string) error {
			return lbaas.Errorf(lbaas.Conflict, "%s %s is in use and cannot be modified.", what, id)
		}
		for what, c := range map[string]struct {
			want, got error
		}{
			"a taken name": {lbaas.Errorf(lbaas.Conflict, "A flavor of other already exists."),
				s.CreateFlavor(ctx, &lbaas.Flavor{Name: "other", FlavorProfileID: flavor.FlavorProfileID})},
			"a new name that is taken": {lbaas.Errorf(lbaas.Conflict, "A flavor of other already exists."),
				updateFlavor(s, flavor.ID, func(f *lbaas.Flavor) { f.Name = "other" })},
			"a zone's taken name": {lbaas.Errorf(lbaas.Conflict, "A availability zone of zone already exists."),
				s.CreateAvailabilityZone(ctx, &lbaas.AvailabilityZone{Name: "zone", ProfileID: zone.ProfileID})},
			"no profile": {lbaas.Missing(lbaas.NounFlavorProfile, "none"),
				s.CreateFlavor(ctx, &lbaas.Flavor{Name: "new", FlavorProfileID: "none"})},
			"no zone profile": {lbaas.Missing(lbaas.NounAvailabilityZoneProfile, "none"),
				s.CreateAvailabilityZone(ctx, &lbaas.AvailabilityZone{Name: "new", ProfileID: "none"})},
			"a flavor in use":       {inUse("Flavor", flavor.ID), s.DeleteFlavor(ctx, flavor.ID)},
			"a zone in use":         {inUse("Availability Zone", "zone"), s.DeleteAvailabilityZone(ctx, "zone")},
			"a profile in use":      {inUse("Flavor profile", flavor.FlavorProfileID), s.DeleteFlavorProfile(ctx, flavor.FlavorProfileID)},
			"a zone profile in use": {inUse("Availability Zone Profile", zone.ProfileID), s.DeleteAvailabilityZoneProfile(ctx, zone.ProfileID)},
			"frozen data": {inUse("Flavor profile", flavor.FlavorProfileID),
				updateProfile(s, flavor.FlavorProfileID, func(p *lbaas.FlavorProfile) { p.Data = `{"size":"small"}` })},
			"a frozen provider": {inUse("Flavor profile", flavor.FlavorProfileID),
				updateProfile(s, flavor.FlavorProfileID, func(p *lbaas.FlavorProfile) { p.Provider = "x" })},
			"frozen zone data": {inUse("Availability Zone Profile", zone.ProfileID),
				updateZoneProfile(s, zone.ProfileID, func(p *lbaas.AvailabilityZoneProfile) { p.Data = "{}" })},
			"a zone's frozen provider": {inUse("Availability Zone Profile", zone.ProfileID),
				updateZoneProfile(s, zone.ProfileID, func(p *lbaas.AvailabilityZoneProfile) { p.Provider = "x" })},
			"a load balancer of no flavor": {lbaas.Missing(lbaas.NounFlavor, "none"),
				s.CreateLoadBalancer(ctx, names(bareTree(), "none", ""))},
			"a load balancer in no zone": {lbaas.Missing(lbaas.NounAvailabilityZone, "none"),
				s.CreateLoadBalancer(ctx, names(bareTree(), "", "none"))},
			"a resize to no flavor": {lbaas.Missing(lbaas.NounFlavor, "none"),
				s.ChangeLoadBalancer(ctx, lb.ID, func(c *store.Change) error { return c.Put(names(c.LB, "none", "zone")) })},

			"a profile's name":      {nil, updateProfile(s, flavor.FlavorProfileID, func(p *lbaas.FlavorProfile) { p.Name = "x" })},
			"a zone profile's name": {nil, updateZoneProfile(s, zone.ProfileID, func(p *lbaas.AvailabilityZoneProfile) { p.Name = "x" })},
			"a flavor's switch":     {nil, updateFlavor(s, flavor.ID, func(f *lbaas.Flavor) { f.Enabled = false })},
		} {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		resized(t, s, lb.ID, flavor, other)
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB) })
		if err := errors.Join(
			s.DeleteFlavor(ctx, other.ID), s.DeleteFlavorProfile(ctx, flavor.FlavorProfileID),
			s.DeleteAvailabilityZone(ctx, "zone"), s.DeleteAvailabilityZoneProfile(ctx, zone.ProfileID),
		); err != nil {
			t.Errorf("what only a load balancer has that is wanted deleted: %v", err)
		}
		if got, err := s.Tree(ctx, lb.ID); err != nil || got.Flavor != nil || got.Zone != nil {
			t.Errorf("the load balancer that is wanted deleted: %+v, %v", got, err)
		}
	})
}

// resized gives a load balancer another flavor: the old one can go then, and the other no more.
func resized(t *testing.T, s *store.Store, id string, from, to *lbaas.Flavor) {
	t.Helper()
	change(t, s, id, func(c *store.Change) error {
		c.LB.FlavorID = to.ID
		return c.Put(c.LB)
	})
	if err := s.DeleteFlavor(context.Background(), from.ID); err != nil {
		t.Errorf("the flavor that a load balancer had: %v", err)
	}
	if err := s.DeleteFlavor(context.Background(), to.ID); !errors.Is(err, lbaas.Conflict) {
		t.Errorf("the flavor that a load balancer has now: %v", err)
	}
	// What is not given another flavor does not wait for those who look after it.
	change(t, s, id, func(c *store.Change) error { return c.Put(c.LB) })
}

func updateFlavor(s *store.Store, id string, fn func(*lbaas.Flavor)) error {
	_, err := s.UpdateFlavor(context.Background(), id, func(f *lbaas.Flavor) error { fn(f); return nil })
	return err
}

func updateProfile(s *store.Store, id string, fn func(*lbaas.FlavorProfile)) error {
	_, err := s.UpdateFlavorProfile(context.Background(), id, func(p *lbaas.FlavorProfile) error { fn(p); return nil })
	return err
}

func updateZoneProfile(s *store.Store, id string, fn func(*lbaas.AvailabilityZoneProfile)) error {
	_, err := s.UpdateAvailabilityZoneProfile(context.Background(), id, func(p *lbaas.AvailabilityZoneProfile) error { fn(p); return nil })
	return err
}

// TestNothingNamesWhatIsGone lets one take away what others come to rely on at the same moment, over and over, on two stores of one
// database where that can be: either it goes and nobody has it, or it stays.
func TestNothingNamesWhatIsGone(t *testing.T) {
	const rounds, users = 12, 4
	storetest.Pair(t, func(t *testing.T, a, b *store.Store) {
		for round := range rounds {
			for name, r := range rivals(t, a, b, round) {
				var went, came int
				var mu sync.Mutex
				note := func(n *int, err error, refusal lbaas.Kind) error {
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						*n++
					} else if !errors.Is(err, refusal) {
						return err
					}
					return nil
				}
				atOnce(t, users+1, func(i int) error {
					if i == round%(users+1) {
						return note(&went, r.takeAway(), lbaas.Conflict)
					}
					return note(&came, r.use(i), lbaas.NotFound)
				})
				if went+came == 0 || went > 0 && came > 0 {
					t.Errorf("%s: taken away %d times, used %d times", name, went, came)
				}
			}
		}
	})
}

// rival is something that one takes away and others come to use.
type rival struct {
	takeAway func() error
	use      func(i int) error
}

func rivals(t *testing.T, a, b *store.Store, round int) map[string]rival {
	t.Helper()
	ctx := context.Background()
	id := func(i int) string { return fmt.Sprint(round, "-", i) }
	made := func(noun string) *lbaas.Flavor {
		lb := bareTree()
		lb.FlavorID, lb.AvailabilityZone = id(0)+noun, id(0)+noun
		offer(t, a, lb)
		f, err := a.Flavor(ctx, lb.FlavorID)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	created, resized, zone, alone := made("created"), made("resized"), made("zone"), &lbaas.FlavorProfile{}
	there := create(t, a, bareTree())
	if err := a.CreateFlavorProfile(ctx, alone); err != nil {
		t.Fatal(err)
	}
	b.CatchUp(t)
	return map[string]rival{
		"a flavor and new load balancers": {
			takeAway: func() error { return a.DeleteFlavor(ctx, created.ID) },
			use: func(int) error {
				lb := bareTree()
				lb.FlavorID = created.ID
				return b.CreateLoadBalancer(ctx, lb)
			},
		},
		"a flavor and a resize": {
			takeAway: func() error { return a.DeleteFlavor(ctx, resized.ID) },
			use: func(int) error {
				return b.ChangeLoadBalancer(ctx, there.ID, func(c *store.Change) error {
					c.LB.FlavorID = resized.ID
					return c.Put(c.LB)
				})
			},
		},
		"a zone and new load balancers": {
			takeAway: func() error { return a.DeleteAvailabilityZone(ctx, zone.ID) },
			use: func(int) error {
				lb := bareTree()
				lb.AvailabilityZone = zone.ID
				return b.CreateLoadBalancer(ctx, lb)
			},
		},
		"a profile and new flavors": {
			takeAway: func() error { return a.DeleteFlavorProfile(ctx, alone.ID) },
			use: func(i int) error {
				return b.CreateFlavor(ctx, &lbaas.Flavor{Name: id(i), FlavorProfileID: alone.ID})
			},
		},
	}
}

// TestAProfileChangesBeforeItIsUsedOrNever lets one change a profile's data while others make flavors of it: the flavors may come after
// the change, and then the change is there, or before it, and then it is refused.
func TestAProfileChangesBeforeItIsUsedOrNever(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		for round := range 8 {
			p := &lbaas.FlavorProfile{Data: "old"}
			if err := s.CreateFlavorProfile(ctx, p); err != nil {
				t.Fatal(err)
			}
			var changed error
			atOnce(t, 4, func(i int) error {
				if i == round%4 {
					changed = updateProfile(s, p.ID, func(p *lbaas.FlavorProfile) { p.Data = "new" })
					return nil
				}
				return s.CreateFlavor(ctx, &lbaas.Flavor{Name: fmt.Sprint(round, i), FlavorProfileID: p.ID})
			})
			got, err := s.FlavorProfile(ctx, p.ID)
			if err != nil || (got.Data == "new") != (changed == nil) || changed != nil && !errors.Is(changed, lbaas.Conflict) {
				t.Errorf("the change gives %v and the data is %q, %v", changed, got.Data, err)
			}
		}
	})
}
