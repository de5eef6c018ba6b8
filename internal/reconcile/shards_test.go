package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// crew is several processes on one store, whose load balancers are bound to no host.
type crew struct {
	*testing.T
	store    *fakeStore
	provider *fakeProvider
	running  map[string]*process
}

type process struct {
	stop  context.CancelFunc
	ended chan error
	loop  *Loop
}

func newCrew(t *testing.T) *crew {
	return &crew{T: t, store: newFakeStore(), provider: newFakeProvider(t), running: map[string]*process{}}
}

// join starts a process.
func (c *crew) join(name string) {
	cfg := config(c, c.store, c.provider, &fakeNetworks{})
	cfg.Instance, cfg.Host, cfg.Shards = name, "", true
	cfg.Log = slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(c.Context())
	p := &process{stop: stop, ended: make(chan error, 1), loop: New(cfg)}
	go func() { p.ended <- p.loop.Run(ctx) }()
	c.running[name] = p
	synctest.Wait()
}

// quit ends a process in order.
func (c *crew) quit(name string) {
	c.Helper()
	c.running[name].stop()
	if err := <-c.running[name].ended; err != nil {
		c.Errorf("Run of %s: %v", name, err)
	}
	delete(c.running, name)
}

// die ends a process, and leaves its leases as a crash does.
func (c *crew) die(name string) {
	c.Helper()
	c.store.mu.Lock()
	kept := map[string]fakeLease{}
	for lease, row := range c.store.leases {
		if row.Holder == name {
			kept[lease] = *row
		}
	}
	c.store.mu.Unlock()
	c.quit(name)
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	for lease, row := range kept {
		*c.store.leases[lease] = row
	}
}

// fill makes enough load balancers that every shard has some.
func (c *crew) fill() {
	for i := range 200 {
		c.store.createAnywhere(fmt.Sprint("lb", i))
	}
	synctest.Wait()
	if names, _ := c.store.LeaseNames(c.Context()); len(names) != store.Shards {
		c.Fatalf("%d shards, want %d", len(names), store.Shards)
	}
}

// shares counts the shards that are held by whom.
func (c *crew) shares() map[string]int {
	holders, _ := c.store.LeaseHolders(c.Context())
	shares := map[string]int{}
	for name, holder := range holders {
		if isShard(name) {
			shares[holder]++
		}
	}
	return shares
}

func (c *crew) want(want map[string]int) {
	c.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, c.shares()); diff != "" {
		c.Errorf("shares (-want +got):\n%s", diff)
	}
}

// epochs is how often shards were taken so far.
func (c *crew) epochs() (n int64) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	for name, l := range c.store.leases {
		if isShard(name) {
			n += l.Epoch
		}
	}
	return n
}

func (s *fakeStore) createAnywhere(id string) {
	lb := &lbaas.LoadBalancer{Object: lbaas.Object{ID: id, AdminStateUp: true}, Provider: "fake"}
	lb.Progress.Generation = 1
	s.mu.Lock()
	s.lbs[id] = &fakeRow{lb: lb, pending: time.Now()}
	s.mu.Unlock()
	s.hint(id)
}

func TestShareOf(t *testing.T) {
	for _, test := range []struct {
		self  string
		alive []string
		want  int
	}{
		{"a", nil, 16},
		{"a", []string{"a"}, 16},
		{"b", []string{"b", "a"}, 8},
		{"a", []string{"c", "b", "a"}, 6},
		{"b", []string{"c", "b", "a"}, 5},
		{"c", []string{"c", "b"}, 8},
		{"b", []string{"c", "a"}, 5}, // itself is alive, whatever the store says
	} {
		if got := shareOf(test.self, test.alive, 16); got != test.want {
			t.Errorf("shareOf(%s, %v) is %d, want %d", test.self, test.alive, got, test.want)
		}
	}
	for n := range 40 {
		var alive []string
		for i := range n + 1 {
			alive = append(alive, fmt.Sprint(i))
		}
		sum := 0
		for _, self := range alive {
			sum += shareOf(self, alive, 16)
		}
		if sum != 16 {
			t.Errorf("%d processes share %d shards of 16", n+1, sum)
		}
	}
}

func TestShardsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.join("a")
		c.fill()
		c.want(map[string]int{"a": 16})

		c.join("b")
		time.Sleep(15 * time.Second)
		c.want(map[string]int{"a": 8, "b": 8})

		c.join("c")
		time.Sleep(15 * time.Second)
		c.want(map[string]int{"a": 6, "b": 5, "c": 5})

		before := c.epochs()
		time.Sleep(time.Hour)
		if n := c.epochs() - before; n != 0 {
			t.Errorf("%d leases changed hands in a quiet hour", n)
		}

		c.die("b")
		c.want(map[string]int{"a": 6, "b": 5, "c": 5})
		time.Sleep(25 * time.Second)
		c.want(map[string]int{"a": 8, "c": 8})

		c.quit("a")
		time.Sleep(6 * time.Second)
		c.want(map[string]int{"c": 16})
		c.quit("c")
		c.want(map[string]int{})
	})
}

// TestARestartKeepsItsShards has a process die and come back before anybody noticed.
func TestARestartKeepsItsShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.join("a")
		c.join("b")
		c.fill()
		time.Sleep(20 * time.Second)
		c.want(map[string]int{"a": 8, "b": 8})
		c.store.mu.Lock()
		before := map[string]string{}
		for name, l := range c.store.leases {
			before[name] = l.Holder
		}
		c.store.mu.Unlock()
		c.die("a")
		c.join("a")
		time.Sleep(time.Minute)
		c.want(map[string]int{"a": 8, "b": 8})
		after := map[string]string{}
		for name, l := range c.store.leases {
			after[name] = l.Holder
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("holders (-want +got):\n%s", diff)
		}
		c.quit("a")
		c.quit("b")
	})
}

// TestSharesWhileAllChanges has processes come and go while load balancers change. The provider complains of two calls for one
// load balancer at once, and of an older one after a newer; in the end everything is ACTIVE and shared.
func TestSharesWhileAllChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.provider.takes = 700 * time.Millisecond
		c.join("a")
		c.fill()
		events := []func(){
			func() { c.join("b") }, func() { c.join("c") }, func() { c.quit("a") }, func() { c.die("b") },
			func() { c.join("a") }, func() { c.join("d") }, func() { c.quit("c") }, func() { c.join("b") },
		}
		for i := range 240 {
			if i%30 == 0 {
				events[i/30]()
			}
			c.store.change(fmt.Sprint("lb", i*7%200), func(*lbaas.LoadBalancer) {})
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		c.want(map[string]int{"a": 6, "b": 5, "d": 5})
		for id := range c.store.lbs {
			if got := c.store.status(id); got != lbaas.Active {
				t.Errorf("%s is %s", id, got)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(c.running)) {
			c.quit(name)
		}
	})
}

// TestALeaseLeavesWithoutCuttingWork has a process give up shards while an Apply takes long.
func TestALeaseLeavesWithoutCuttingWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.join("a")
		c.fill()
		time.Sleep(time.Minute)
		c.provider.mu.Lock()
		c.provider.takes = 25 * time.Second
		c.provider.mu.Unlock()
		last := c.oneOf("shard/9") // of the shards that leave
		c.store.change(last, func(*lbaas.LoadBalancer) {})
		synctest.Wait()
		c.join("b")
		time.Sleep(20 * time.Second)
		c.want(map[string]int{"a": 9, "b": 7})
		c.store.change(last, func(*lbaas.LoadBalancer) {}) // for whoever has the shard then
		time.Sleep(5100 * time.Millisecond)
		if !slices.Contains(c.store.written(), "achieved "+last+" 2") {
			t.Error("what was under way was cut short")
		}
		time.Sleep(40 * time.Second)
		c.want(map[string]int{"a": 8, "b": 8})
		if p, _ := c.store.progress(last); p.Observed != 3 {
			t.Errorf("the next holder did not go on: %+v", p)
		}
		c.quit("a")
		c.quit("b")
	})
}

// TestAnOldTreeIsNotAppliedUnderANewLease has a process read a tree and stall; meanwhile its shard goes to another one, which applies
// something newer, and comes back under an epoch that the data plane would follow.
func TestAnOldTreeIsNotAppliedUnderANewLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.join("a")
		c.fill()
		time.Sleep(time.Minute)
		id := c.oneOf("shard/9") // of the shards that leave
		stalled := make(chan struct{})
		var reads atomic.Int32
		c.store.onRead(func(read string) {
			if read == id && reads.Add(1) == 1 {
				<-stalled
			}
		})
		c.store.change(id, func(*lbaas.LoadBalancer) {})
		synctest.Wait()
		c.join("b")
		time.Sleep(20 * time.Second)
		c.want(map[string]int{"a": 8, "b": 8})
		c.store.change(id, func(*lbaas.LoadBalancer) {})
		synctest.Wait()
		c.quit("b")
		time.Sleep(20 * time.Second)
		c.want(map[string]int{"a": 16})
		if p, _ := c.store.progress(id); p.Observed != 3 {
			t.Errorf("the other process has come to %+v", p)
		}
		close(stalled)
		time.Sleep(time.Minute)
		if is := c.provider.plane[id]; is.generation != 3 {
			t.Errorf("the data plane has generation %d, want 3", is.generation)
		}
		c.quit("a")
	})
}

// TestNothingIsRememberedOfALeaseThatWent, be it of load balancers that work, that fail or that fail for good.
func TestNothingIsRememberedOfALeaseThatWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.join("a")
		c.fill()
		time.Sleep(time.Minute)
		for _, cause := range []error{errors.New("no"), lbaas.Errorf(lbaas.Unsupported, "never")} {
			c.provider.answer(cause)
			c.store.createAnywhere(fresh("shard/9", cause))
			synctest.Wait()
		}
		a := c.running["a"].loop
		c.join("b")
		time.Sleep(time.Minute)
		c.want(map[string]int{"a": 8, "b": 8})
		for id := range a.memory.known {
			if lease := store.LeaseName(c.store.lbs[id].lb); a.leases.get(lease) == nil {
				t.Errorf("%s of %s is remembered: %+v", id, lease, *a.memory.known[id])
			}
		}
		c.quit("a")
		c.quit("b")
	})
}

// fresh is an id that falls to a shard.
func fresh(shard string, why error) string {
	for i := 0; ; i++ {
		if id := fmt.Sprint(why, i); store.LeaseName(&lbaas.LoadBalancer{Object: lbaas.Object{ID: id}}) == shard {
			return id
		}
	}
}

// oneOf returns a load balancer of a lease.
func (c *crew) oneOf(lease string) string {
	for id, row := range c.store.lbs {
		if store.LeaseName(row.lb) == lease {
			return id
		}
	}
	c.Fatalf("no load balancer names %s", lease)
	return ""
}

// onRead has fn called with each load balancer whose tree was read.
func (s *fakeStore) onRead(fn func(id string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = fn
}

// TestHintsOfOthersCostNothing: a process hears of load balancers that another works on, and does not ask for their leases.
func TestHintsOfOthersCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.join("a")
		c.fill()
		c.join("b")
		time.Sleep(time.Minute + 1234*time.Millisecond)
		asked := c.store.questions()
		for i := range 100 {
			c.store.change(fmt.Sprint("lb", i), func(*lbaas.LoadBalancer) {})
			synctest.Wait()
		}
		if n := c.store.questions() - asked; n > 0 {
			t.Errorf("%d questions for leases", n)
		}
		c.quit("a")
		c.quit("b")
	})
}

// TestAloneOnAHost shows that who has load balancers of its host only takes no other lease.
func TestAloneOnAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *bench, c *Config) { c.Shards = true })
		b.store.create("lb")
		time.Sleep(time.Minute)
		var names []string
		for name := range b.store.leases {
			names = append(names, name)
		}
		if diff := cmp.Diff([]string{"host/h"}, names); diff != "" {
			t.Errorf("leases (-want +got):\n%s", diff)
		}
		b.end()
	})
}

// steadyProvider is a provider with nothing to observe.
type steadyProvider struct{ *fakeProvider }

func (steadyProvider) Steady() bool { return true }

func TestASteadyProviderIsNotObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var loop *Loop
		b := &bench{T: t, store: newFakeStore(), provider: newFakeProvider(t), networks: &fakeNetworks{}}
		cfg := config(t, b.store, b.provider, b.networks)
		cfg.Providers = map[string]provider.Provider{"fake": steadyProvider{b.provider}}
		loop = New(cfg)
		b.run(loop)
		b.store.create("lb")
		b.is("lb", lbaas.Active)
		if got := b.store.operating("lb"); got != lbaas.Online {
			t.Errorf("operating status %q right after the Apply, want ONLINE", got)
		}
		time.Sleep(10 * time.Minute)
		if n := b.provider.questions(); n != 1 {
			t.Errorf("%d questions, want 1", n)
		}
		if n := len(loop.memory.known); n != 0 {
			t.Errorf("%d load balancers are remembered", n)
		}
		b.store.fail(fmt.Errorf("database is away"))
		b.store.change("lb", func(*lbaas.LoadBalancer) {})
		time.Sleep(time.Second)
		b.store.fail(nil)
		time.Sleep(20 * time.Second)
		b.is("lb", lbaas.Active)
		b.end()
		if w := strings.Join(b.store.written(), ", "); w != "achieved lb 1, achieved lb 2" {
			t.Errorf("writes %s", w)
		}
	})
}
