package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestCensus counts load balancers on every database.
func TestCensus(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if n, age, err := s.Backlog(ctx); n != 0 || age != 0 || err != nil {
			t.Errorf("the backlog of nothing is %d, %v, %v", n, age, err)
		}
		first, second := create(t, s, fullTree()), create(t, s, fullTree())
		if n, age, err := s.Backlog(ctx); n != 2 || age < 0 || err != nil {
			t.Errorf("the backlog is %d, %v, %v", n, age, err)
		}
		achieve(t, s, first)
		if n, _, err := s.Backlog(ctx); n != 1 || err != nil {
			t.Errorf("the backlog is %d, %v", n, err)
		}
		seen := map[string]store.Seen{first.ID: {
			Operating:  map[string]lbaas.OperatingStatus{first.ID: lbaas.Degraded},
			Statistics: map[string]lbaas.Statistics{first.Listeners[0].ID: {BytesIn: 1, BytesOut: 2, ActiveConnections: 3, TotalConnections: 4, RequestErrors: 5}},
		}}
		if err := s.Observe(ctx, leaseOf(t, s, first), seen); err != nil {
			t.Fatal(err)
		}
		groups, err := s.Groups(ctx)
		want := []store.Group{{"haproxy", lbaas.Degraded, 1}, {"haproxy", lbaas.Offline, 1}}
		if diff := cmp.Diff(want, groups); diff != "" || err != nil {
			t.Errorf("%v; groups (-want +got):\n%s", err, diff)
		}
		summaries := []store.Summary{
			{first.ID, "project", lbaas.Active, lbaas.Degraded, lbaas.Statistics{BytesIn: 1, BytesOut: 2, ActiveConnections: 3, TotalConnections: 4, RequestErrors: 5}},
			{second.ID, "project", lbaas.PendingCreate, lbaas.Offline, lbaas.Statistics{}},
		}
		for most := range int64(3) {
			got, err := s.Summaries(ctx, most+1)
			if diff := cmp.Diff(summaries[:min(most+1, 2)], got); diff != "" || err != nil {
				t.Errorf("%v; %d summaries (-want +got):\n%s", err, most+1, diff)
			}
		}
		if p := s.Connections(); p.InUse < 0 || p.InUse+p.Idle == 0 {
			t.Errorf("connections %+v", p)
		}
	})
}
