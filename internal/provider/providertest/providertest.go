// Package providertest is the suite of the contract with providers: every provider passes it.
package providertest

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// A Fixture is a provider with its data plane, real or not, for one test.
type Fixture interface {
	Provider() provider.Provider
	// Tree returns the tree of a load balancer, new and unlike any that it returned before: switched on, at generation
	// 1, with one listener whose default pool has three members that answer and no monitor. What the provider finds
	// rather than makes, such as the VIP's port, exists. Every object has a name of its own.
	Tree(t *testing.T) *lbaas.LoadBalancer
	// Check fails the test unless the data plane is, or soon becomes, what lb says. Names do not matter to it.
	Check(t *testing.T, lb *lbaas.LoadBalancer)
	// CheckGone fails the test unless nothing is left that an Apply of lb made.
	CheckGone(t *testing.T, lb *lbaas.LoadBalancer)
	// Lose destroys what Apply made of lb, behind the provider's back.
	Lose(t *testing.T, lb *lbaas.LoadBalancer)
	// Refuse makes the data plane refuse the listener, pool or member of that name, until it is called with another; ""
	// is none. It returns false where nothing can be refused.
	Refuse(t *testing.T, name string) bool
}

// Run runs the suite. It opens a fixture for each of its tests.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	tests := []struct {
		name string
		run  func(t *testing.T, f Fixture)
	}{
		{"apply twice", applyTwice},
		{"apply after loss", applyAfterLoss},
		{"apply after skipped states", applySkipped},
		{"apply each kind of change", applyChanges},
		{"apply switched off", applyOff},
		{"apply two load balancers", applyTwo},
		{"apply an older tree", applyOlder},
		{"apply concurrently", applyConcurrently},
		{"remove twice", removeTwice},
		{"remove what never was", removeNothing},
		{"one bad object, new", badNew},
		{"one bad object, old", badOld},
		{"observe", observe},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// apply applies lb, which must succeed in whole.
func apply(t *testing.T, f Fixture, lb *lbaas.LoadBalancer) {
	t.Helper()
	result, err := f.Provider().Apply(t.Context(), lb)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if len(result.Failures) > 0 {
		t.Fatalf("Apply: failures %v", result.Failures)
	}
}

func remove(t *testing.T, f Fixture, lb *lbaas.LoadBalancer) {
	t.Helper()
	if err := f.Provider().Remove(t.Context(), lb); err != nil {
		t.Fatalf("Remove: %v", err)
	}
}

// changed is a copy of lb of the next generation, with a change made.
func changed(lb *lbaas.LoadBalancer, change func(lb *lbaas.LoadBalancer)) *lbaas.LoadBalancer {
	next := Clone(lb)
	next.Progress.Generation++
	change(next)
	return next
}

func applyTwice(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	for range 2 {
		apply(t, f, lb)
		f.Check(t, lb)
	}
}

func applyAfterLoss(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	apply(t, f, lb)
	f.Lose(t, lb)
	apply(t, f, lb)
	f.Check(t, lb)
}

// applySkipped changes everything at once, and back: the provider never saw the states between.
func applySkipped(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	apply(t, f, lb)
	other := changed(lb, func(lb *lbaas.LoadBalancer) {
		p := lb.Pools[0]
		p.Algorithm = lbaas.LeastConnections
		p.Members = p.Members[1:]
		p.Members[0].Weight = 100
		p.Members[1].AdminStateUp = false
		addMonitor(lb)
		lb.Listeners[0].TimeoutClientData = 12345
		addListener(lb)
	})
	apply(t, f, other)
	f.Check(t, other)
	back := Clone(lb)
	back.Progress.Generation = other.Progress.Generation + 7
	apply(t, f, back)
	f.Check(t, back)
}

func addMonitor(lb *lbaas.LoadBalancer) {
	p := lb.Pools[0]
	p.HealthMonitor = &lbaas.HealthMonitor{
		Object: lbaas.Object{ID: sibling(p.ID, 'a'), ProjectID: lb.ProjectID, Name: "monitor", AdminStateUp: true},
		PoolID: p.ID, Type: lbaas.MonitorTCP, Delay: 1, Timeout: 1, MaxRetries: 1, MaxRetriesDown: 1,
	}
}

// addListener adds a listener of the first pool, on the port above the first listener's.
func addListener(lb *lbaas.LoadBalancer) {
	l := *lb.Listeners[0]
	l.ID, l.Name = sibling(l.ID, 'b'), "second listener"
	l.ProtocolPort++
	lb.Listeners = append(lb.Listeners, &l)
}

// sibling is an id like id, with another last digit.
func sibling(id string, last byte) string {
	if id[len(id)-1] == last {
		last++
	}
	return id[:len(id)-1] + string(last)
}

// applyChanges walks through the kinds of change, one at a time.
func applyChanges(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	all := lb.Pools[0].Members
	for _, step := range []struct {
		name   string
		change func(lb *lbaas.LoadBalancer)
	}{
		{"start", func(*lbaas.LoadBalancer) {}},
		{"member removed", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members = lb.Pools[0].Members[:2] }},
		{"weight", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].Weight = 7 }},
		{"drained", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].Weight = 0 }},
		{"member off", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[1].AdminStateUp = false }},
		{"member added", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members = append(lb.Pools[0].Members, all[2]) }},
		{"names", func(lb *lbaas.LoadBalancer) {
			for _, p := range lb.Parts() {
				p.Base().Name += ` "new"`
			}
		}},
		{"listener added", addListener},
		{"shared member removed", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members = lb.Pools[0].Members[:2] }},
		{"monitor", addMonitor},
		{"monitored member added", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members = append(lb.Pools[0].Members, all[2]) }},
		{"algorithm", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Algorithm = lbaas.SourceIP }},
		{"listener removed", func(lb *lbaas.LoadBalancer) { lb.Listeners = lb.Listeners[1:] }},
		{"pool detached", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].DefaultPoolID = "" }},
		{"pool removed", func(lb *lbaas.LoadBalancer) { lb.Pools = nil }},
		{"all listeners removed", func(lb *lbaas.LoadBalancer) { lb.Listeners = nil }},
	} {
		lb = changed(lb, step.change)
		if ok := t.Run(step.name, func(t *testing.T) {
			apply(t, f, lb)
			f.Check(t, lb)
		}); !ok {
			return
		}
	}
}

func applyOff(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	apply(t, f, lb)
	off := changed(lb, func(lb *lbaas.LoadBalancer) { lb.AdminStateUp = false })
	apply(t, f, off)
	f.Check(t, off)
	on := changed(off, func(lb *lbaas.LoadBalancer) { lb.AdminStateUp = true })
	apply(t, f, on)
	f.Check(t, on)
}

func applyTwo(t *testing.T, f Fixture) {
	a, b := f.Tree(t), f.Tree(t)
	apply(t, f, a)
	apply(t, f, b)
	f.Check(t, a)
	f.Check(t, b)
	remove(t, f, a)
	f.CheckGone(t, a)
	f.Check(t, b)
}

// applyOlder has a holder of an old lease, and an old tree, come late. They may be told so or not; they change nothing.
func applyOlder(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	lb.Epoch = 5
	newer := changed(lb, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].Weight = 9 })
	apply(t, f, newer)
	_, _ = f.Provider().Apply(t.Context(), lb)
	f.Check(t, newer)

	late := Clone(lb)
	late.Epoch, late.Progress.Generation = 4, 99
	_, _ = f.Provider().Apply(t.Context(), late)
	f.Check(t, newer)
	_ = f.Provider().Remove(t.Context(), late)
	f.Check(t, newer)
}

// applyConcurrently has several callers apply several generations at once. The newest must win, and no port or process be made twice.
func applyConcurrently(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	newest := lb
	var all []*lbaas.LoadBalancer
	for range 4 {
		newest = changed(newest, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].Weight++ })
		all = append(all, newest, newest)
	}
	var group sync.WaitGroup
	for _, lb := range all {
		group.Go(func() {
			if _, err := f.Provider().Apply(t.Context(), lb); err != nil && lb == newest {
				t.Errorf("Apply of the newest: %v", err)
			}
		})
	}
	group.Wait()
	f.Check(t, newest)
	remove(t, f, newest)
	f.CheckGone(t, newest)
}

func removeTwice(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	apply(t, f, lb)
	for range 2 {
		remove(t, f, lb)
		f.CheckGone(t, lb)
	}
}

func removeNothing(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	remove(t, f, lb)
	f.CheckGone(t, lb)
}

// badNew has an object refused that never was good: all else works, and it heals by itself once it is not refused any more.
func badNew(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	bad := lb.Pools[0].Members[1]
	if !f.Refuse(t, bad.Name) {
		return
	}
	wantFailures(t, f, lb, bad.ID)
	f.Check(t, changed(lb, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members = slices.Delete(lb.Pools[0].Members, 1, 2) }))
	f.Refuse(t, "")
	apply(t, f, lb)
	f.Check(t, lb)
}

// badOld has a change of a good object refused: it stays as it was, and a change beside it is made.
func badOld(t *testing.T, f Fixture) {
	lb := f.Tree(t)
	apply(t, f, lb)
	if !f.Refuse(t, lb.Pools[0].Members[1].Name) {
		return
	}
	next := changed(lb, func(lb *lbaas.LoadBalancer) {
		lb.Pools[0].Members[1].Backup = true
		lb.Pools[0].Members[2].Weight = 50
	})
	wantFailures(t, f, next, next.Pools[0].Members[1].ID)
	f.Check(t, changed(lb, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[2].Weight = 50 }))
	f.Refuse(t, "")
	next = changed(next, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[1].Name = "healed" })
	apply(t, f, next)
	f.Check(t, next)
}

func wantFailures(t *testing.T, f Fixture, lb *lbaas.LoadBalancer, ids ...string) {
	t.Helper()
	result, err := f.Provider().Apply(t.Context(), lb)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if diff := cmp.Diff(ids, slices.Sorted(maps.Keys(result.Failures))); diff != "" {
		t.Fatalf("failed objects (-want +got):\n%s\n%v", diff, result.Failures)
	}
	for id, failure := range result.Failures {
		if failure.Reason == "" {
			t.Errorf("object %s failed without a reason", id)
		}
	}
}

// observe asks about a load balancer that was applied, and one that was not.
func observe(t *testing.T, f Fixture) {
	lb, other := f.Tree(t), f.Tree(t)
	lb.Progress.Observed = lb.Progress.Generation
	apply(t, f, lb)
	f.Check(t, lb)
	seen, err := f.Provider().Observe(t.Context(), []*lbaas.LoadBalancer{lb, other})
	if err != nil {
		t.Fatalf("Observe: %v", err)
	}
	want := map[string]provider.Observation{lb.ID: {
		Operating: map[string]lbaas.OperatingStatus{
			lb.ID: lbaas.Online, lb.Listeners[0].ID: lbaas.Online, lb.Pools[0].ID: lbaas.Online,
			lb.Pools[0].Members[0].ID: lbaas.NoMonitor, lb.Pools[0].Members[1].ID: lbaas.NoMonitor, lb.Pools[0].Members[2].ID: lbaas.NoMonitor,
		},
		Generation: lb.Progress.Generation,
		Epoch:      lb.Epoch,
	}}
	for id, o := range seen { // whoever checked may have been counted
		o.Statistics = nil
		seen[id] = o
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("Observe (-want +got):\n%s", diff)
	}
	f.Lose(t, lb)
	seen, err = f.Provider().Observe(t.Context(), []*lbaas.LoadBalancer{lb})
	if err != nil {
		t.Fatalf("Observe after loss: %v", err)
	}
	if o, ok := seen[lb.ID]; ok && !o.Drifted {
		t.Errorf("a lost load balancer has not drifted: %+v", o)
	}
	if seen, err = f.Provider().Observe(t.Context(), nil); err != nil || len(seen) > 0 {
		t.Errorf("Observe of none: %v, %v", seen, err)
	}
}
