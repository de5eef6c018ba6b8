package avi

import (
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/lbaas"
)

// TestObserveInMotion has load balancers made, changed and removed again and again, by one worker each, while others look at all of them all
// the time. Nobody else changes anything, so nothing has drifted, ever; and an answer is of the trees that were asked about.
func TestObserveInMotion(t *testing.T) {
	const lives = 6
	w := worldOf(t, avitest.Options{}, func(c *Config) {
		c.PollEvery, c.AuditEvery, c.Controller.Connections = time.Millisecond, time.Millisecond, 8
	})
	var mu sync.Mutex
	live := map[string]*lbaas.LoadBalancer{}
	put := func(lb *lbaas.LoadBalancer, there bool) {
		mu.Lock()
		defer mu.Unlock()
		delete(live, lb.ID)
		if there {
			live[lb.ID] = lb
		}
	}
	var workers, watchers sync.WaitGroup
	for range 4 {
		lb := w.Tree(t)
		workers.Go(func() {
			for range lives {
				for range 4 {
					lb = next(lb, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].Weight++ })
					lb.Progress.Observed = lb.Progress.Generation
					if _, err := w.provider.Apply(t.Context(), lb); err != nil {
						t.Error(err)
						return
					}
					put(lb, true)
				}
				put(lb, false)
				lb = next(lb, func(*lbaas.LoadBalancer) {})
				if err := w.provider.Remove(t.Context(), lb); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	looked := make(chan int, 4)
	for range 4 {
		watchers.Go(func() {
			n := 0
			for ; !ended(done); n++ {
				w.lookAround(&mu, live)
			}
			looked <- n
		})
	}
	workers.Wait()
	close(done)
	watchers.Wait()
	if n := <-looked; n == 0 {
		t.Error("nobody looked")
	}
}

func ended(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// lookAround observes all that are there, and fails the test where something drifted.
func (w *world) lookAround(mu *sync.Mutex, live map[string]*lbaas.LoadBalancer) {
	mu.Lock()
	var lbs []*lbaas.LoadBalancer
	for _, lb := range live {
		lbs = append(lbs, lb)
	}
	mu.Unlock()
	var seen map[string]provider.Observation
	seen, err := w.provider.Observe(w.t.Context(), lbs)
	if err != nil {
		w.t.Error(err)
	}
	for id, o := range seen {
		if o.Drifted || o.Operating[id] == "" {
			w.t.Errorf("%s: %+v", strings.SplitN(id, "-", 2)[0], o)
		}
	}
}
