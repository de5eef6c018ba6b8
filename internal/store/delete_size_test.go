package store_test

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestDeleteManyIsCheap deletes a pool of thousands of members in each of the ways: what that takes grows with their number, and not
// with its square, since nobody else writes meanwhile.
func TestDeleteManyIsCheap(t *testing.T) {
	s := storetest.Open(t, store.SQLite)
	lb := bareTree()
	for i := range 4000 {
		lb.Pools[0].Members = append(lb.Pools[0].Members, &lbaas.Member{
			Object: lbaas.Object{Name: fmt.Sprint("m", i)}, Address: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), ProtocolPort: 80,
		})
	}
	create(t, s, lb)
	no := errors.New("leave it")
	for name, remove := range map[string]func(c *store.Change) error{
		"the pool":          func(c *store.Change) error { return c.Delete(c.LB.Pools[0]) },
		"the load balancer": func(c *store.Change) error { return c.Delete(c.LB) },
		"the members": func(c *store.Change) error {
			var parts []lbaas.Part
			for _, m := range c.LB.Pools[0].Members {
				parts = append(parts, m)
			}
			return c.Delete(parts...)
		},
	} {
		err := s.ChangeLoadBalancer(t.Context(), lb.ID, func(c *store.Change) error {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := remove(c); err != nil {
				return err
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
				t.Errorf("to delete %s takes %d MB", name, n>>20)
			}
			for _, p := range c.LB.Pools {
				if len(p.Members) > 0 {
					t.Errorf("%s is deleted, and the pool has %d members", name, len(p.Members))
				}
			}
			return no
		})
		if !errors.Is(err, no) {
			t.Fatal(err)
		}
	}
}
