package avi

import (
	"testing"
	"time"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// TestForsaken: the VRF context of a subnet waits for a load balancer that this process has and that has no listener yet, which the controller
// cannot know; but not for one that another process has taken over, and removes.
func TestForsaken(t *testing.T) {
	for _, test := range []struct {
		name string
		seen bool // observed all the time
		left int
	}{{"this process has it", true, 1}, {"another process has it", false, 0}} {
		t.Run(test.name, func(t *testing.T) {
			w := worldOf(t, avitest.Options{}, func(c *Config) { c.VRFPerSubnet = true })
			empty := next(w.Tree(t), func(lb *lbaas.LoadBalancer) { lb.Listeners, lb.Pools = nil, nil })
			last := w.Tree(t)
			now := time.Now()
			w.provider.now = func() time.Time { return now }
			mustApply(t, w.provider, empty)
			mustApply(t, w.provider, last)
			now = now.Add(forsaken + time.Second)
			seen := []*lbaas.LoadBalancer{last}
			if test.seen {
				seen = append(seen, empty)
			}
			observe(t, w.provider, seen...)
			if err := w.provider.Remove(t.Context(), next(last, func(*lbaas.LoadBalancer) {})); err != nil {
				t.Fatal(err)
			}
			if left := len(w.server.Objects(projectTenant, translate.VRFContext)); left != test.left {
				t.Errorf("%d VRF contexts are left", left)
			}
		})
	}
}
