package avi

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/lbaas"
)

// chaosTries are more than enough: a step of a load balancer here is about ten requests, of which one or two fail.
const chaosTries = 60

// chaosPause is between two tries, as the loop has one: while one caller probes a controller that seemed dead, all others fail at once.
const chaosPause = 5 * time.Millisecond

// TestChaos has many load balancers made, changed and removed at once on a controller that fails each sixth request, in all ways in turn.
// Each step is done again until it says that it came to its end; then all is as wanted.
func TestChaos(t *testing.T) {
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Controller.Probe = time.Nanosecond })
	var lbs []*lbaas.LoadBalancer
	for range 12 {
		lbs = append(lbs, w.Tree(t))
	}
	w.chaos(t, lbs, w.apply)
	for _, lb := range lbs {
		w.Check(t, lb)
	}
	for _, lb := range lbs {
		lb.Progress.Generation++
		lb.Pools[0].Members = lb.Pools[0].Members[1:]
		lb.Pools[0].Members[0].Weight = 100
		lb.Listeners[0].AdminStateUp = false
	}
	w.chaos(t, lbs, w.apply)
	for _, lb := range lbs {
		w.Check(t, lb)
	}
	w.chaos(t, lbs, func(lb *lbaas.LoadBalancer) error { return w.provider.Remove(t.Context(), lb) })
	for _, lb := range lbs {
		w.CheckGone(t, lb)
	}
}

// apply is Apply without failures of objects.
func (w *world) apply(lb *lbaas.LoadBalancer) error {
	result, err := w.provider.Apply(w.t.Context(), lb)
	if err == nil && len(result.Failures) > 0 {
		err = fmt.Errorf("failures %v", result.Failures)
	}
	return err
}

// chaos takes a step with all load balancers at once until each has come to its end, while the controller fails.
func (w *world) chaos(t *testing.T, lbs []*lbaas.LoadBalancer, step func(*lbaas.LoadBalancer) error) {
	t.Helper()
	w.server.FailEvery(6)
	defer w.server.FailEvery(0)
	var all sync.WaitGroup
	for _, lb := range lbs {
		all.Go(func() {
			var err error
			for range chaosTries {
				if err = step(lb); err == nil {
					return
				}
				time.Sleep(chaosPause)
			}
			t.Errorf("%s does not come to its end: %v", lb.Name, err)
		})
	}
	all.Wait()
}
