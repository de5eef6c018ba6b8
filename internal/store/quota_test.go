package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// limited gives a project a limit of its own.
func limited(t testing.TB, s *store.Store, projectID string, noun lbaas.Noun, n int) {
	t.Helper()
	_, err := s.PutQuota(context.Background(), projectID, func(q *lbaas.Quota) error {
		q.Limits[noun] = n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func of(projectID string) *lbaas.LoadBalancer {
	return &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: projectID}}
}

func TestQuotaIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		want := &lbaas.Quota{ProjectID: "p", Limits: map[lbaas.Noun]int{}}
		expect := func(what string) {
			t.Helper()
			got, err := s.Quota(ctx, "p")
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
			}
		}
		expect("without a row")
		missing := lbaas.Errorf(lbaas.NotFound, "Quotas p not found.")
		if diff := cmp.Diff(error(missing), s.DeleteQuota(ctx, "p")); diff != "" {
			t.Errorf("deleting what is not there (-want +got):\n%s", diff)
		}
		for i, noun := range lbaas.QuotaNouns() {
			want.Limits[noun] = []int{lbaas.Unlimited, 0, lbaas.MaxQuota}[i%3]
			got, err := s.PutQuota(ctx, "p", func(q *lbaas.Quota) error {
				q.ProjectID, q.Limits[noun] = "somebody else's", want.Limits[noun]
				return nil
			})
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("limit the %s: %v (-want +got):\n%s", noun, err, diff)
			}
			expect("after a limit")
		}
		refused := errors.New("refused")
		if _, err := s.PutQuota(ctx, "p", func(q *lbaas.Quota) error { clear(q.Limits); return refused }); !errors.Is(err, refused) {
			t.Errorf("a refused change gives %v", err)
		}
		expect("after a refused change")
		delete(want.Limits, lbaas.NounPool)
		if _, err := s.PutQuota(ctx, "p", func(q *lbaas.Quota) error { delete(q.Limits, lbaas.NounPool); return nil }); err != nil {
			t.Error(err)
		}
		expect("after a limit was taken back")
		if err := s.DeleteQuota(ctx, "p"); err != nil {
			t.Error(err)
		}
		want.Limits = map[lbaas.Noun]int{}
		expect("after the deletion")
		if diff := cmp.Diff(error(missing), s.DeleteQuota(ctx, "p")); diff != "" {
			t.Errorf("deleting it again (-want +got):\n%s", diff)
		}
		if _, err := s.PutQuota(ctx, strings.Repeat("p", 37), func(*lbaas.Quota) error { return nil }); !errors.Is(err, lbaas.Invalid) {
			t.Errorf("a project's id that is too long gives %v", err)
		}
	})
}

// TestChangesOfOneQuotaDoNotUndoEachOther lets many set one limit each.
func TestChangesOfOneQuotaDoNotUndoEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		nouns := lbaas.QuotaNouns()
		atOnce(t, len(nouns), func(i int) error {
			_, err := s.PutQuota(context.Background(), "p", func(q *lbaas.Quota) error { q.Limits[nouns[i]] = i; return nil })
			return err
		})
		got, err := s.Quota(context.Background(), "p")
		if err != nil || len(got.Limits) != len(nouns) {
			t.Errorf("%d limits are left: %+v, %v", len(nouns), got, err)
		}
	})
}

// TestQuotasAreExact lets 16 make things at once in a project that may have 5.
func TestQuotasAreExact(t *testing.T) {
	const creators, limit = 16, 5
	storetest.Pair(t, func(t *testing.T, a, b *store.Store) {
		stores := []*store.Store{a, b}
		for name, c := range map[string]struct {
			noun  lbaas.Noun
			own   bool // or the deployment's default, so that there is no row at first
			limit int
			make  func(lb *lbaas.LoadBalancer, i int) lbaas.Part
		}{
			"load balancers":               {noun: lbaas.NounLoadBalancer, own: true, limit: limit},
			"load balancers by default":    {noun: lbaas.NounLoadBalancer, limit: limit},
			"no load balancers":            {noun: lbaas.NounLoadBalancer, own: true},
			"no load balancers by default": {noun: lbaas.NounLoadBalancer},
			"members": {noun: lbaas.NounMember, own: true, limit: limit, make: func(lb *lbaas.LoadBalancer, i int) lbaas.Part {
				return fullMemberOf(lb.Pools[0], i)
			}},
			"listeners by default": {noun: lbaas.NounListener, limit: limit, make: func(_ *lbaas.LoadBalancer, i int) lbaas.Part {
				return &lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: 80 + i}
			}},
		} {
			t.Run(name, func(t *testing.T) {
				defaults := map[lbaas.Noun]int{c.noun: c.limit}
				if c.own {
					limited(t, a, name, c.noun, c.limit)
					defaults = nil
				}
				a.SetQuotaDefaults(defaults)
				b.SetQuotaDefaults(defaults)
				lbs := poolsOf(t, a, name, c.make == nil)
				b.CatchUp(t)
				made := race(t, creators, lbaas.QuotaMet(c.noun), func(i int) error {
					if c.make == nil {
						return stores[i%2].CreateLoadBalancer(context.Background(), of(name))
					}
					return stores[i%2].ChangeLoadBalancer(context.Background(), lbs[i%3].ID, func(ch *store.Change) error {
						return ch.Put(c.make(ch.LB, i))
					})
				})
				a.CatchUp(t)
				usage, err := a.QuotaUsage(context.Background(), []string{name})
				if err != nil || made != c.limit || usage[name][c.noun] != c.limit {
					t.Errorf("%d were made, there are %d, want %d; %v", made, usage[name][c.noun], c.limit, err)
				}
			})
		}
	})
}

// TestALoweredQuotaBindsAtOnce lowers a limit while many make things: what there is when that is done, or what is allowed then, is not
// exceeded after.
func TestALoweredQuotaBindsAtOnce(t *testing.T) {
	const creators, each = 8, 6
	storetest.Pair(t, func(t *testing.T, a, b *store.Store) {
		usage := func() int {
			usage, err := a.QuotaUsage(context.Background(), []string{"p"})
			if err != nil {
				t.Error(err)
			}
			return usage["p"][lbaas.NounLoadBalancer]
		}
		limited(t, a, "p", lbaas.NounLoadBalancer, 40)
		b.CatchUp(t)
		then := 0
		atOnce(t, creators+1, func(i int) error {
			if i < creators {
				for range each {
					err := []*store.Store{a, b}[i%2].CreateLoadBalancer(context.Background(), of("p"))
					if err != nil && !errors.Is(err, lbaas.QuotaExceeded) {
						return err
					}
				}
				return nil
			}
			for usage() < 10 {
				time.Sleep(time.Millisecond)
			}
			limited(t, a, "p", lbaas.NounLoadBalancer, 12)
			a.CatchUp(t)
			then = usage()
			return nil
		})
		a.CatchUp(t)
		if n := usage(); n > max(then, 12) || n < 12 {
			t.Errorf("the project has %d, had %d when the limit became 12", n, then)
		}
	})
}

// poolsOf makes three load balancers with a pool each, unless none.
func poolsOf(t *testing.T, s *store.Store, projectID string, none bool) []*lbaas.LoadBalancer {
	t.Helper()
	var lbs []*lbaas.LoadBalancer
	for range 3 {
		if !none {
			lb := of(projectID)
			lb.Pools = []*lbaas.Pool{{Protocol: lbaas.HTTP}}
			lbs = append(lbs, create(t, s, lb))
		}
	}
	return lbs
}

// race lets n do something at once and tells how many could. The others must have been refused with want.
func race(t *testing.T, n int, want error, fn func(i int) error) (done int) {
	t.Helper()
	var mu sync.Mutex
	atOnce(t, n, func(i int) error {
		err := fn(i)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			done++
		} else if diff := cmp.Diff(want, err); diff != "" {
			return err
		}
		return nil
	})
	return done
}

// TestEveryNounHasAQuota bounds one noun at a time to what a tree has, and asks for one more.
func TestEveryNounHasAQuota(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, noun := range lbaas.QuotaNouns() {
			project := string(noun)
			first := fullTree()
			first.ProjectID = project
			n := 0
			for _, part := range first.Parts() {
				if part.Noun() == noun {
					n++
				}
			}
			limited(t, s, project, noun, n)
			create(t, s, first)
			second := fullTree()
			second.ProjectID = project
			offer(t, s, second)
			err := s.CreateLoadBalancer(context.Background(), second)
			if diff := cmp.Diff(error(lbaas.QuotaMet(noun)), err); diff != "" {
				t.Errorf("%d of %s and a tree with more (-want +got):\n%s", n, noun, diff)
			}
			for _, table := range store.Tables() {
				if rows := s.Rows(t, table, second.ID); rows != 0 {
					t.Errorf("%s has %d rows of what was refused", table, rows)
				}
			}
		}
	})
}

// TestQuotasNameTheFirstNoun is the order in which faults name what there is too much of.
func TestQuotasNameTheFirstNoun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, noun := range lbaas.QuotaNouns() {
			limited(t, s, "project", noun, 0)
		}
		for _, noun := range lbaas.QuotaNouns() {
			lb := fullTree()
			offer(t, s, lb)
			if diff := cmp.Diff(error(lbaas.QuotaMet(noun)), s.CreateLoadBalancer(context.Background(), lb)); diff != "" {
				t.Errorf("the first noun (-want +got):\n%s", diff)
			}
			limited(t, s, "project", noun, lbaas.Unlimited)
		}
		create(t, s, fullTree())
	})
}

// TestUnlimitedTouchesNoQuota asks that a project's row is not written for what it does not bound.
func TestUnlimitedTouchesNoQuota(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		s.SetQuotaDefaults(map[lbaas.Noun]int{lbaas.NounMember: lbaas.Unlimited})
		lb := create(t, s, fullTree())
		if epoch := s.QuotaEpoch(t, "project"); epoch != -1 {
			t.Errorf("a project without limits has a row, of epoch %d", epoch)
		}
		limited(t, s, "project", lbaas.NounListener, 1)
		limited(t, s, "project", lbaas.NounPool, lbaas.Unlimited)
		before := s.QuotaEpoch(t, "project")
		change(t, s, lb.ID, func(c *store.Change) error {
			return errors.Join(
				c.Put(&lbaas.Pool{Protocol: lbaas.HTTP}, c.LB.Listeners[0], fullMemberOf(c.LB.Pools[0], 9)),
				c.Touch(c.LB.Listeners[0]), c.Delete(c.LB.Pools[0].Members[0]),
			)
		})
		if epoch := s.QuotaEpoch(t, "project"); epoch != before {
			t.Errorf("a change of what is unlimited has brought the epoch from %d to %d", before, epoch)
		}
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Listeners[0]) })
		change(t, s, lb.ID, func(c *store.Change) error { return c.Put(&lbaas.Listener{Protocol: lbaas.TCP, ProtocolPort: 1}) })
		if epoch := s.QuotaEpoch(t, "project"); epoch != before+1 {
			t.Errorf("a deletion and a creation of what is limited have brought the epoch from %d to %d", before, epoch)
		}
	})
}

// TestQuotasCountTheNetIncrease replaces members in projects that have as many as they may, or more.
func TestQuotasCountTheNetIncrease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree()) // with three members
		replace := func(gone, come int, deleteFirst bool) error {
			return s.ChangeLoadBalancer(context.Background(), lb.ID, func(c *store.Change) error {
				pool := c.LB.Pools[0]
				var doomed, fresh []lbaas.Part
				for _, m := range pool.Members[:gone] {
					doomed = append(doomed, m)
				}
				for i := range come {
					m := fullMemberOf(pool, i)
					m.Address = netip.MustParseAddr(fmt.Sprintf("10.9.%d.%d", c.LB.Progress.Generation, i))
					fresh = append(fresh, m)
				}
				if deleteFirst {
					return errors.Join(c.Delete(doomed...), c.Put(fresh...))
				}
				return errors.Join(c.Put(fresh...), c.Delete(doomed...))
			})
		}
		met := error(lbaas.QuotaMet(lbaas.NounMember))
		for _, step := range []struct {
			limit, gone, come int
			want              error
		}{
			{3, 0, 1, met}, {3, 1, 2, met}, {3, 3, 3, nil}, {3, 1, 1, nil}, // at the limit
			{1, 3, 3, nil}, {1, 1, 2, met}, {1, 1, 0, nil}, {1, 0, 1, met}, // beyond it, after it was lowered
			{1, 1, 0, nil}, {2, 0, 1, nil}, {2, 0, 1, met}, {3, 1, 2, nil},
		} {
			for _, deleteFirst := range []bool{true, false} {
				if step.want == nil && step.gone != step.come && !deleteFirst {
					continue
				}
				limited(t, s, "project", lbaas.NounMember, step.limit)
				if diff := cmp.Diff(step.want, replace(step.gone, step.come, deleteFirst)); diff != "" {
					t.Errorf("%+v, deleting first: %v (-want +got):\n%s", step, deleteFirst, diff)
				}
			}
		}
	})
}

// TestDeletedCountsForNoQuota makes things in the place of others that are not gone yet.
func TestDeletedCountsForNoQuota(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		for _, noun := range lbaas.QuotaNouns() {
			limited(t, s, "project", noun, 8)
		}
		limited(t, s, "project", lbaas.NounLoadBalancer, 1)
		limited(t, s, "other", lbaas.NounLoadBalancer, 0)
		lb := create(t, s, fullTree())
		if err := s.CreateLoadBalancer(ctx, of("project")); !errors.Is(err, lbaas.QuotaExceeded) {
			t.Errorf("a second load balancer gives %v", err)
		}
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB) })
		usage, err := s.QuotaUsage(ctx, []string{"project", "other"})
		for _, noun := range lbaas.QuotaNouns() {
			if err != nil || usage["project"][noun] != 0 || usage["other"][noun] != 0 {
				t.Errorf("usage of %s while all is wanted deleted: %v, %v", noun, usage, err)
			}
		}
		create(t, s, fullTree())
	})
}

func TestQuotaUsage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		want := map[string]map[lbaas.Noun]int{}
		projects := []string{"a", "b", "nobody"}
		for i, p := range projects {
			want[p] = map[lbaas.Noun]int{}
			for _, noun := range lbaas.QuotaNouns() {
				want[p][noun] = 0
			}
			for range []int{1, 2, 0}[i] {
				lb := fullTree()
				lb.ProjectID = p
				for _, part := range lb.Parts() {
					if _, bounded := want[p][part.Noun()]; bounded {
						want[p][part.Noun()]++
					}
				}
				create(t, s, lb)
			}
		}
		var got map[string]map[lbaas.Noun]int
		var err error
		for _, some := range [][]string{nil, {"a"}, projects} {
			n := s.Statements(func() { got, err = s.QuotaUsage(ctx, some) })
			if most := len(lbaas.QuotaNouns()); err != nil || n > most || len(got) != len(some) {
				t.Errorf("the usage of %d projects takes %d statements, want at most %d; %v", len(some), n, most, err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
	})
}

// TestCountsReadIndexesOnly looks at how SQLite counts what a project has.
func TestCountsReadIndexesOnly(t *testing.T) {
	s := storetest.Open(t, store.SQLite)
	create(t, s, fullTree())
	plans := s.Plans(t, func() {
		if _, err := s.QuotaUsage(context.Background(), []string{"project"}); err != nil {
			t.Error(err)
		}
	})
	if len(plans) != len(lbaas.QuotaNouns()) {
		t.Errorf("%d plans: %q", len(plans), plans)
	}
	for _, plan := range plans {
		if !strings.Contains(plan, "USING COVERING INDEX") || !strings.Contains(plan, "_owned (project_id=?") {
			t.Errorf("a count is %s", plan)
		}
	}
}

func TestQuotaLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		s.SetQuotaDefaults(map[lbaas.Noun]int{lbaas.NounLoadBalancer: 10})
		limited(t, s, "b", lbaas.NounPool, 7)
		limited(t, s, "gone", lbaas.NounPool, 7)
		limited(t, s, "d", lbaas.NounPool, 5)
		create(t, s, of("c"))
		create(t, s, of("a"))
		left := create(t, s, of("left"))
		change(t, s, left.ID, func(c *store.Change) error { return c.Delete(c.LB) })
		if err := s.DeleteQuota(ctx, "gone"); err != nil {
			t.Fatal(err)
		}
		limits := func(pool string) store.Query {
			return store.Query{Filters: []store.Filter{{Attribute: "pool", Values: []string{pool}}}}
		}
		for _, c := range []struct {
			query store.Query
			want  string
		}{
			{store.Query{}, "a b c d"},
			{store.Query{Limit: 2}, "a b"},
			{store.Query{Limit: 2, Marker: "b"}, "c d"},
			{store.Query{Limit: 2, Marker: "c"}, "d"},
			{store.Query{Limit: 1, Marker: "d", Reverse: true}, "c"},
			{store.Query{Sort: []store.Order{{Attribute: "project_id", Descending: true}}}, "d c b a"},
			{store.Query{Sort: []store.Order{{Attribute: "pool", Descending: true}}}, "b d a c"},
			{store.Query{Filters: []store.Filter{{Attribute: "project_id", Values: []string{"c"}}}}, "c"},
			{limits("7"), "b"}, {limits("-1"), ""},
		} {
			got, err := s.Quotas(ctx, c.query)
			var ids []string
			for _, q := range got {
				ids = append(ids, q.ProjectID)
			}
			if text := strings.Join(ids, " "); err != nil || text != c.want {
				t.Errorf("%+v lists %q, want %q; %v", c.query, text, c.want, err)
			}
		}
		got, err := s.Quotas(ctx, limits("7"))
		want := []*lbaas.Quota{{ProjectID: "b", Limits: map[lbaas.Noun]int{lbaas.NounPool: 7}}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for part, q := range map[string]store.Query{
			"marker": {Marker: "nobody"}, "filter": {Filters: []store.Filter{{Attribute: "epoch"}}}, "sort": {Sort: []store.Order{{Attribute: "own"}}},
		} {
			var bad *store.BadQuery
			if _, err := s.Quotas(ctx, q); !errors.As(err, &bad) || bad.Part != part {
				t.Errorf("a bad %s gives %v", part, err)
			}
		}
	})
}
