package avi

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/internal/reconcile"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// resting is the real loop on the real store, with a provider that audits all the time.
type resting struct {
	*world
	store *store.Store

	mu    sync.Mutex
	steps []reconcile.Step
}

// brisk has everything looked at many times a second.
func brisk(c *Config) { c.PollEvery, c.AuditEvery = 10*time.Millisecond, 20*time.Millisecond }

func newResting(t *testing.T, secrets Secrets) *resting {
	w := worldOf(t, avitest.Options{}, func(c *Config) { brisk(c); c.Secrets = secrets })
	s, err := store.Open(t.Context(), "sqlite:///"+filepath.Join(t.TempDir(), "test.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &resting{world: w, store: s}
}

// loop runs the loop with a provider until the function that it returns is called.
func (r *resting) loop(p provider.Provider) (stop func()) {
	l := reconcile.New(reconcile.Config{
		Store: r.store, Networks: r.store, Providers: map[string]provider.Provider{"avi_adc": p}, Instance: "one", Host: "h", Shards: true,
		ScanEvery: 50 * time.Millisecond, AuditEvery: 100 * time.Millisecond, ObserveEvery: 20 * time.Millisecond, LeaseTTL: 5 * time.Second,
		RetryFirst: 5 * time.Millisecond, RetryCap: 50 * time.Millisecond,
		Log:     slog.New(slog.NewTextHandler(r.t.Output(), nil)),
		Stepped: func(s reconcile.Step) { r.mu.Lock(); defer r.mu.Unlock(); r.steps = append(r.steps, s) },
	})
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-ended }) }
	r.t.Cleanup(stop)
	return stop
}

// until waits for something that is to become true.
func (r *resting) until(what string, is func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("it does not come about: %s", what)
		}
	}
}

func (r *resting) active(id string) {
	r.t.Helper()
	r.until("ACTIVE", func() bool {
		lb, err := r.store.LoadBalancer(r.t.Context(), id)
		return err == nil && lb.Progress.Status() == lbaas.Active
	})
}

// still has audits made, and fails the test unless nothing is written, and nothing repaired.
func (r *resting) still(when string, audits int) {
	r.t.Helper()
	lists := func() int { return r.calls("GET", "/api/"+translate.PKIProfile) }
	settled := lists() + 2 // those that began while something was made
	r.until("audits", func() bool { return lists() >= settled })
	r.mu.Lock()
	steps := len(r.steps)
	r.mu.Unlock()
	written, enough := r.writes(), lists()+audits
	r.until("audits", func() bool { return lists() >= enough })
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.writes(); now != written || len(r.steps) != steps {
		r.t.Errorf("%s: %d writes at rest, steps %+v", when, now-written, r.steps[steps:])
	}
}

// calls counts requests of a method, to a path.
func (r *resting) calls(method, path string) int {
	n := 0
	for _, c := range r.server.Calls() {
		if c.Method == method && len(c.Path) >= len(path) && c.Path[:len(path)] == path {
			n++
		}
	}
	return n
}

// writes counts the requests that change something.
func (r *resting) writes() int {
	return r.calls("POST", "/api/") - r.calls("POST", "/api/analytics") + r.calls("PUT", "/api/") + r.calls("PATCH", "/api/") + r.calls("DELETE", "/api/")
}

// TestAtRest runs the real loop with load balancers that have about all that there is. Once they are made nothing is written any more,
// however often it is looked: not by who made them, nor by a process that began later. What somebody changed is repaired once.
func TestAtRest(t *testing.T) {
	for _, chapter := range []int{2, 3} {
		t.Run(fmt.Sprint(chapter), func(t *testing.T) {
			s := newSaga(t)
			lb := s.tree(chapter)
			lb.Progress = lbaas.Progress{}
			r := newResting(t, s.secrets)
			stop := r.loop(r.provider)
			if err := r.store.CreateLoadBalancer(t.Context(), lb); err != nil {
				t.Fatal(err)
			}
			r.active(lb.ID)
			r.still("made", 3)
			written := r.writes()
			edit(t, r.server, translate.VsVip, translate.UUID(translate.VsVip, lb.ID), func(o map[string]any) { o["name"] = "mine" })
			r.until("a repair", func() bool { return r.writes() > written })
			r.still("repaired", 3)
			if n := r.writes() - written; n != 1 {
				t.Errorf("%d writes to repair one object", n)
			}
			stop()
			r.loop(r.open(func(c *Config) { brisk(c); c.Secrets = s.secrets }))
			r.still("after a restart", 3)
		})
	}
}

// TestAtRestWithReferrers shows that what cannot go, since an operator's object refers to it, is tried once, and once more by a
// process that began later.
func TestAtRestWithReferrers(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	lb := plain(demoProject, 'a')
	apply(t, p, lb)
	monitor := translate.UUID(translate.Monitor, lb.Pools[0].HealthMonitor.ID)
	_, err := p.ctl.Create(t.Context(), p.tenant(lb), translate.Pool, "pool-mine", controller.Object{
		"name": "mine", "health_monitor_refs": []any{translate.Ref(translate.Monitor, monitor)},
	})
	if err != nil {
		t.Fatal(err)
	}
	lb.Pools[0].HealthMonitor = nil
	lb.Progress = lbaas.Progress{Generation: 2, Observed: 2}
	apply(t, p, lb)
	if s.Object(translate.Monitor, monitor) == nil {
		t.Fatal("the monitor is gone")
	}
	for range 3 {
		if o := observe(t, p, lb)[lb.ID]; o.Drifted {
			t.Fatal("drifted since something cannot go")
		}
	}
	other := open(t, s, nil)
	for i, want := range []bool{true, false, false} {
		if o := observe(t, other, lb)[lb.ID]; o.Drifted != want {
			t.Fatalf("look %d of another process: drifted %v, want %v", i, o.Drifted, want)
		}
		if want {
			apply(t, other, lb)
		}
	}
}
