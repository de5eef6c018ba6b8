package store_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func TestObserve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		other := fullTree()
		other.Host = lb.Host
		create(t, s, other)
		lease := leaseOf(t, s, lb)
		observe := func(seen map[string]store.Seen) int {
			t.Helper()
			return s.Statements(func() {
				if err := s.Observe(ctx, lease, seen); err != nil {
					t.Fatal(err)
				}
			})
		}
		want := tree(t, s, lb.ID)
		seen := store.Seen{
			Operating:  map[string]lbaas.OperatingStatus{uuid.NewString(): lbaas.Broken},
			Statistics: map[string]lbaas.Statistics{uuid.NewString(): {BytesIn: 1}},
		}
		for i, part := range want.Parts() {
			status := []lbaas.OperatingStatus{lbaas.Degraded, lbaas.Online, lbaas.Draining}[i%3]
			seen.Operating[part.Base().ID], part.Base().Operating = status, status
		}
		stats := lbaas.Statistics{BytesIn: 1 << 60, BytesOut: 2, ActiveConnections: 3, TotalConnections: 4, RequestErrors: 5}
		seen.Statistics[lb.Listeners[0].ID] = stats
		both := map[string]store.Seen{lb.ID: seen, other.ID: {}, uuid.NewString(): {}}
		observe(both)
		if diff := cmp.Diff(want, tree(t, s, lb.ID), compare); diff != "" {
			t.Errorf("after an observation (-want +got):\n%s", diff)
		}
		wantStatistics := func(want map[string]lbaas.Statistics) {
			t.Helper()
			got, err := s.Statistics(ctx, lb.ID)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("statistics: %v (-want +got):\n%s", err, diff)
			}
		}
		wantStatistics(map[string]lbaas.Statistics{lb.Listeners[0].ID: stats})

		// What could not be written is not there: dropped, so that an observation without news only reads.
		delete(seen.Statistics, "")
		for id := range seen.Statistics {
			if id != lb.Listeners[0].ID {
				delete(seen.Statistics, id)
			}
		}
		if n := observe(both); n != 3 {
			t.Errorf("an observation without news took %d statements, want 3 that read", n)
		}

		// A change of the same objects leaves what was observed alone.
		change(t, s, lb.ID, func(c *store.Change) error {
			for _, part := range c.LB.Parts() {
				part.Base().Name, part.Base().Operating = "new", lbaas.Offline
			}
			return c.Put(c.LB.Parts()...)
		})
		for _, part := range tree(t, s, lb.ID).Parts() {
			if got := part.Base().Operating; got != seen.Operating[part.Base().ID] {
				t.Errorf("%s is %s after a change, want %s", part.Noun(), got, seen.Operating[part.Base().ID])
			}
		}

		stats.BytesOut = 99
		seen.Statistics[lb.Listeners[0].ID] = stats
		observe(both)
		wantStatistics(map[string]lbaas.Statistics{lb.Listeners[0].ID: stats})
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Listeners[0]) })
		achieve(t, s, lb)
		wantStatistics(map[string]lbaas.Statistics{})
		lease = leaseOf(t, s, lb)
		stats.BytesOut = 100
		seen.Statistics[lb.Listeners[0].ID] = stats
		observe(both) // of what has vanished meanwhile
		wantStatistics(map[string]lbaas.Statistics{})
	})
}
