package store_test

import (
	"errors"
	"sync"
	"testing"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestIfRevision has several change a port on condition of the same revision: one of them does.
func TestIfRevision(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := addPort(t, s, &network.Port{NetworkID: newLAN(t, s, "10.0.0.0/24").ID})
		results := make([]error, 5)
		var wait sync.WaitGroup
		for i := range results {
			wait.Go(func() {
				ctx := store.IfRevision(t.Context(), "port", p.ID, 1)
				_, results[i] = s.UpdatePort(ctx, p.ID, func(p *network.Port) error { p.Name += "x"; return nil })
			})
		}
		wait.Wait()
		for _, err := range results {
			if err != nil && !errors.Is(err, lbaas.Stale) {
				t.Errorf("UpdatePort: %v", err)
			}
		}
		got, err := s.Port(t.Context(), p.ID)
		if err != nil || got.Name != "x" || got.Revision != 2 {
			t.Errorf("the port is %q of revision %d (%v), want one change", got.Name, got.Revision, err)
		}
		ctx := store.IfRevision(t.Context(), "port", p.ID, 1)
		if err := s.DeletePort(ctx, p.ID); !errors.Is(err, lbaas.Stale) {
			t.Errorf("DeletePort of an old revision: %v", err)
		}
		ctx = store.IfRevision(t.Context(), "port", p.ID, 2)
		if err := s.DeletePort(ctx, p.ID); err != nil {
			t.Error(err)
		}
		wantType(t, "a port that is gone", s.DeletePort(ctx, p.ID), "PortNotFound")
	})
}
