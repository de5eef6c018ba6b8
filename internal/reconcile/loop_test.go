package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

var (
	_ Store        = (*store.Store)(nil)
	_ Networks     = (*store.Store)(nil)
	_ BindingStore = (*store.Store)(nil)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a loop with everything around it faked, in a bubble of synctest.
type bench struct {
	*testing.T
	store    *fakeStore
	provider *fakeProvider
	networks *fakeNetworks
	stop     context.CancelFunc
	ended    chan error
}

func config(t testing.TB, s Store, p provider.Provider, n Networks) Config {
	return Config{
		Store: s, Providers: map[string]provider.Provider{"fake": p}, Networks: n, Instance: "one", Host: "h",
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func start(t *testing.T, change ...func(*bench, *Config)) *bench {
	b := &bench{T: t, store: newFakeStore(), provider: newFakeProvider(t), networks: &fakeNetworks{ports: map[string]*network.Port{}}}
	cfg := config(t, b.store, b.provider, b.networks)
	for _, fn := range change {
		fn(b, &cfg)
	}
	b.run(New(cfg))
	return b
}

func (b *bench) run(l *Loop) {
	ctx, stop := context.WithCancel(b.Context())
	b.stop, b.ended = stop, make(chan error, 1)
	go func() { b.ended <- l.Run(ctx) }()
	synctest.Wait()
}

func (b *bench) end() {
	b.Helper()
	b.stop()
	if err := <-b.ended; err != nil {
		b.Errorf("Run: %v", err)
	}
}

// is checks a provisioning status, once everything that can happen now has happened.
func (b *bench) is(id string, want lbaas.ProvisioningStatus) {
	b.Helper()
	synctest.Wait()
	if got := b.store.status(id); got != want {
		p, _ := b.store.progress(id)
		b.Errorf("%s is %s, want %s: %+v", id, got, want, p)
	}
}

func TestALoneChangeStartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		time.Sleep(time.Hour + 1234*time.Millisecond)
		before := time.Now()
		b.store.create("lb")
		synctest.Wait() // no time passes in here
		if diff := cmp.Diff([]time.Time{before}, b.provider.starts); diff != "" {
			t.Errorf("starts of Apply (-want +got):\n%s", diff)
		}
		b.is("lb", lbaas.Active)
		if got := b.store.operating("lb"); got != lbaas.Online {
			t.Errorf("operating status %q right after the Apply, want ONLINE", got)
		}
	})
}

func TestTenChangesDuringAnApplyCostOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, _ *Config) { b.provider.takes = time.Second })
		defer b.end()
		b.store.create("lb")
		synctest.Wait()
		for range 10 {
			time.Sleep(50 * time.Millisecond)
			b.store.change("lb", func(*lbaas.LoadBalancer) {})
		}
		time.Sleep(time.Second)
		b.is("lb", lbaas.PendingCreate)
		time.Sleep(time.Second)
		b.is("lb", lbaas.Active)
		if n := b.provider.count(); n != 2 {
			t.Errorf("%d Applies, want 2", n)
		}
		want := []string{"achieved lb 1", "achieved lb 11"} // it skipped nine
		if diff := cmp.Diff(want, b.store.written()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
	})
}

func TestNothingIsAppliedThatIsNotPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.store.create("lb")
		synctest.Wait()
		b.store.hint("lb")
		time.Sleep(10 * time.Minute)
		if n := b.provider.count(); n != 1 {
			t.Errorf("%d Applies, want 1", n)
		}
	})
}

func TestAFailureIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.provider.script(errors.New("no"), errors.New("no"))
		b.store.create("lb")
		b.is("lb", lbaas.PendingCreate)
		time.Sleep(time.Second)
		b.is("lb", lbaas.Active)
		want := []string{"failing lb 1 false", "failing lb 1 false", "achieved lb 1"}
		if diff := cmp.Diff(want, b.store.written()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
	})
}

func TestTheDeadlineMakesAnErrorThatHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.provider.answer(lbaas.Errorf(lbaas.Unavailable, "The engine is away."))
		b.store.create("lb")
		time.Sleep(40 * time.Second)
		b.is("lb", lbaas.PendingCreate)
		time.Sleep(40 * time.Second)
		b.is("lb", lbaas.Failed)
		if p, _ := b.store.progress("lb"); p.Reason != "The engine is away." {
			t.Errorf("reason %q", p.Reason)
		}
		b.provider.answer(nil)
		time.Sleep(20 * time.Second)
		b.is("lb", lbaas.Active)
	})
}

func TestARepairThatFailsBecomesAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.store.create("lb")
		b.is("lb", lbaas.Active)
		b.provider.lose("lb")
		b.provider.script(slices.Repeat([]error{errors.New("no HAProxy")}, 1000)...)
		time.Sleep(30 * time.Second)
		b.is("lb", lbaas.Active)
		time.Sleep(time.Minute)
		b.is("lb", lbaas.Failed)
		b.provider.script()
		time.Sleep(time.Minute)
		b.is("lb", lbaas.Active)
	})
}

func TestARepairThatStaysPartialBecomesAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.store.create("lb")
		b.is("lb", lbaas.Active)
		b.provider.mu.Lock()
		b.provider.result = slices.Repeat([]provider.Result{{
			Failures: map[string]provider.Failure{"lb": {Reason: "No HAProxy."}},
		}}, 1000)
		b.provider.mu.Unlock()
		b.provider.lose("lb")
		time.Sleep(30 * time.Second)
		b.is("lb", lbaas.Active)
		time.Sleep(time.Minute)
		b.is("lb", lbaas.Failed)
	})
}

func TestInnerErrorsAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.provider.script(errors.New("secret"))
		b.store.create("lb")
		synctest.Wait()
		if p, _ := b.store.progress("lb"); p.Reason == "" || strings.Contains(p.Reason, "secret") {
			t.Errorf("reason %q", p.Reason)
		}
	})
}

func TestAPermanentErrorWaitsForAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *bench, c *Config) { c.AuditEvery = time.Hour })
		defer b.end()
		b.provider.script(lbaas.Errorf(lbaas.Unsupported, "No UDP here."))
		b.store.create("lb")
		b.is("lb", lbaas.Failed)
		time.Sleep(30 * time.Minute)
		if n := b.provider.count(); n != 1 {
			t.Errorf("%d Applies without a change, want 1", n)
		}
		b.store.change("lb", func(*lbaas.LoadBalancer) {})
		b.is("lb", lbaas.Active)
	})
}

func TestAnAuditRetriesPermanentErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.provider.script(lbaas.Errorf(lbaas.Unsupported, "No UDP here."))
		b.store.create("lb")
		b.is("lb", lbaas.Failed)
		time.Sleep(time.Minute)
		b.is("lb", lbaas.Active)
	})
}

func TestOneBadObject(t *testing.T) {
	bad := func(permanent bool) provider.Result {
		return provider.Result{Failures: map[string]provider.Failure{"l1": {Permanent: permanent, Reason: "Refused."}}}
	}
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, c *Config) {
			b.provider.result = []provider.Result{bad(true)}
			c.AuditEvery = time.Hour
		})
		defer b.end()
		b.store.create("lb")
		b.is("lb", lbaas.Failed)
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"achieved lb 1"}, b.store.written()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]string{"l1": "Refused."}, b.store.lbs["lb"].failures); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
		b.store.change("lb", func(*lbaas.LoadBalancer) {})
		b.is("lb", lbaas.Active)
	})
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, _ *Config) { b.provider.result = []provider.Result{bad(false), bad(false)} })
		defer b.end()
		b.store.create("lb")
		b.is("lb", lbaas.PendingCreate)
		if p, _ := b.store.progress("lb"); p.Reason != "map[l1:Refused.]" {
			t.Errorf("reason %q", p.Reason)
		}
		time.Sleep(time.Second)
		b.is("lb", lbaas.Active)
		want := []string{"waiting lb 1", "waiting lb 1", "achieved lb 1"}
		if diff := cmp.Diff(want, b.store.written()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
	})
}

// TestABadObjectKeepsOnlyItselfWaiting: what does not depend on an object that is tried again is done, until the deadline too.
func TestABadObjectKeepsOnlyItselfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, _ *Config) {
			b.provider.result = slices.Repeat([]provider.Result{{
				Failures: map[string]provider.Failure{"m1": {Reason: "No such subnet."}},
			}}, 1000)
		})
		defer b.end()
		b.store.create("lb")
		time.Sleep(40 * time.Second)
		b.is("lb", lbaas.PendingCreate)
		for _, w := range b.store.written() {
			if w != "waiting lb 1" {
				t.Errorf("written: %s", w)
			}
		}
		time.Sleep(40 * time.Second)
		b.is("lb", lbaas.Failed)
		if diff := cmp.Diff(map[string]string{"m1": "No such subnet."}, b.store.lbs["lb"].failures); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
	})
}

func TestAnApplyThatHangsIsCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, _ *Config) { b.provider.takes = time.Hour })
		defer b.end()
		b.store.create("lb")
		time.Sleep(31 * time.Second)
		p, _ := b.store.progress("lb")
		if !strings.Contains(p.Reason, "in time") {
			t.Errorf("reason %q, want one of time", p.Reason)
		}
	})
}

func TestAnUnknownProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *bench, c *Config) { c.Providers = nil })
		defer b.end()
		b.store.create("lb")
		b.is("lb", lbaas.Failed)
	})
}

func TestDeleteFailsThenSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.networks.ports = map[string]*network.Port{
			"vip":    {ID: "vip", DeviceOwner: "Octavia", DeviceID: "lb-lb"},
			"member": {ID: "member", DeviceOwner: "Octavia", DeviceID: "lb-lb"},
			"other":  {ID: "other", DeviceOwner: "Octavia", DeviceID: "lb-other"},
		}
		b.store.create("lb")
		synctest.Wait()
		b.provider.script(errors.New("busy"), errors.New("busy"))
		b.store.change("lb", func(lb *lbaas.LoadBalancer) {
			lb.Progress.Deleted, lb.VIPPortID, lb.VIPPortOwned = true, "vip", true
		})
		b.is("lb", lbaas.PendingDelete)
		if b.networks.count() != 3 {
			t.Error("a port was deleted before the data plane was")
		}
		time.Sleep(time.Second)
		b.is("lb", "DELETED")
		if b.provider.has("lb") {
			t.Error("the data plane still has it")
		}
		if b.networks.ports["other"] == nil || len(b.networks.ports) != 1 {
			t.Errorf("ports that are left: %v", b.networks.ports)
		}
	})
}

func TestAUsersPortIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.networks.ports = map[string]*network.Port{"mine": {ID: "mine", Name: "web", DeviceOwner: "Octavia", DeviceID: "lb-lb"}}
		b.store.create("lb")
		synctest.Wait()
		b.store.change("lb", func(lb *lbaas.LoadBalancer) { lb.Progress.Deleted, lb.VIPPortID = true, "mine" })
		b.is("lb", "DELETED")
		want := map[string]*network.Port{"mine": {ID: "mine", Name: "web"}}
		if diff := cmp.Diff(want, b.networks.ports); diff != "" {
			t.Errorf("ports (-want +got):\n%s", diff)
		}
	})
}

func TestLostHintsAreMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.store.mu.Lock()
		b.store.hints = nil // as if another process wrote
		b.store.mu.Unlock()
		b.store.create("lb")
		time.Sleep(3 * time.Second)
		b.is("lb", lbaas.Active)
	})
}

func TestDriftIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.store.create("lb")
		synctest.Wait()
		b.provider.lose("lb")
		b.provider.events <- "lb"
		synctest.Wait()
		if !b.provider.has("lb") {
			t.Error("not repaired at the event")
		}
		b.provider.lose("lb") // and no event
		time.Sleep(20 * time.Second)
		if !b.provider.has("lb") {
			t.Error("not repaired without an event")
		}
	})
}

func TestRepairsInARowWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.store.create("lb")
		for range 600 { // a process that dies as soon as it runs, for a minute
			time.Sleep(100 * time.Millisecond)
			b.provider.lose("lb")
			b.provider.events <- "lb"
		}
		if n := b.provider.count(); n > 20 {
			t.Errorf("%d Applies in a minute", n)
		}
		time.Sleep(2 * time.Minute)
		if !b.provider.has("lb") {
			t.Error("not repaired in the end")
		}
	})
}

func TestARestartFindsWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.store.create("a")
		b.store.create("b")
		b.is("a", lbaas.Active)
		b.end()
		b.provider.lose("a")
		n := b.provider.count()
		b.run(New(config(t, b.store, b.provider, b.networks)))
		defer b.end()
		synctest.Wait()
		if !b.provider.has("a") {
			t.Error("not repaired at the start")
		}
		if got := b.provider.count() - n; got != 1 {
			t.Errorf("%d Applies at the start, want 1", got)
		}
	})
}

func TestARestartRetakesItsLeasesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		defer b.end()
		b.store.mu.Lock()
		crashed := b.store.leases["host/h"].Lease
		b.store.mu.Unlock()
		b.stop()
		<-b.ended
		b.store.leases["host/h"].until = time.Now().Add(time.Hour) // as a crash leaves it
		b.run(New(config(t, b.store, b.provider, b.networks)))
		b.store.create("lb")
		b.is("lb", lbaas.Active)
		if err := b.store.Achieved(t.Context(), crashed, "lb", 1, nil, nil); !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("the crashed process writes on: %v", err)
		}
	})
}

func TestLeaseLossEndsTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, _ *Config) { b.provider.takes = 20 * time.Second })
		defer b.end()
		b.store.create("lb")
		synctest.Wait()
		b.store.mu.Lock()
		b.store.leases["host/h"].Holder = "two"
		b.store.leases["host/h"].Epoch++
		b.store.mu.Unlock()
		time.Sleep(6 * time.Second) // the next renewal finds out
		if b.provider.busy("lb") {
			t.Error("the Apply goes on")
		}
		if w := b.store.written(); w != nil {
			t.Errorf("writes under a lost lease: %v", w)
		}
		time.Sleep(time.Minute) // two gives up; one takes over and finishes
		b.is("lb", lbaas.Active)
	})
}

func TestASilentStoreCostsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, c *Config) { b.provider.takes, c.ApplyTimeout = time.Hour, time.Hour })
		defer b.end()
		b.store.create("lb")
		synctest.Wait()
		b.store.fail(errors.New("database is away"))
		time.Sleep(20 * time.Second)
		if b.provider.busy("lb") {
			t.Error("the Apply outlives the lease's time")
		}
		b.provider.mu.Lock()
		b.provider.takes = 0
		b.provider.mu.Unlock()
		b.store.fail(nil)
		time.Sleep(10 * time.Second)
		b.is("lb", lbaas.Active)
	})
}

func TestTwoLoopsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, n := newFakeStore(), newFakeProvider(t), &fakeNetworks{}
		p.takes = 3 * time.Second
		var wg sync.WaitGroup
		run := func(instance string, lasts time.Duration) {
			cfg := config(t, s, p, n)
			cfg.Instance = instance
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			if err := New(cfg).Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		}
		wg.Go(func() { run("one", 20*time.Second) })
		wg.Go(func() { run("two", time.Minute) })
		for i := range 50 {
			time.Sleep(time.Second)
			id := fmt.Sprint("lb", i%7)
			if i < 7 {
				s.create(id)
			} else {
				s.change(id, func(*lbaas.LoadBalancer) {})
			}
		}
		wg.Wait() // the provider complains of two Applies at once, and of an older one after a newer
		if n := p.count(); n < 20 {
			t.Errorf("%d Applies", n)
		}
	})
}

func TestHundredChangesCostFewApplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, _ *Config) { b.provider.takes = 50 * time.Millisecond })
		defer b.end()
		b.store.create("lb")
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				b.store.change("lb", func(*lbaas.LoadBalancer) {})
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		b.is("lb", lbaas.Active)
		if n := b.provider.count(); n > 10 {
			t.Errorf("%d Applies for 100 changes", n)
		}
	})
}

func TestManyAreObservedWithFewQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		for i := range 1000 {
			b.store.create(fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		n := b.provider.questions()
		time.Sleep(5 * time.Minute)
		b.end()
		if got := b.provider.questions() - n; got > 5*75 {
			t.Errorf("%d questions in five minutes", got)
		}
		if n := b.provider.count(); n != 1000 {
			t.Errorf("%d Applies, want 1000", n)
		}
	})
}

func TestJanitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		old := now.Add(-time.Hour)
		port := func(id, lb, name string, made, changed time.Time) *network.Port {
			return &network.Port{ID: id, Name: name, DeviceOwner: "Octavia", DeviceID: lb, CreatedAt: made, UpdatedAt: changed}
		}
		n := &fakeNetworks{ports: map[string]*network.Port{}}
		for _, p := range []*network.Port{
			port("used", "lb-a", "octavia-lb-a", old, time.Time{}),
			port("orphan", "lb-b", "octavia-lb-b", old, time.Time{}),
			port("member", "lb-b", "octavia-lb-member-b", old, time.Time{}),
			port("young", "lb-c", "octavia-lb-c", now, time.Time{}),
			port("users", "lb-d", "mine", old, old),
			port("just claimed", "lb-e", "mine", old, now),
			port("odd", "x", "octavia-lb-b", old, time.Time{}),
		} {
			n.ports[p.ID] = p
		}
		for i := range 2 * portPage {
			id := fmt.Sprint("many", i)
			n.ports[id] = port(id, "lb-f", "octavia-lb-f", old, time.Time{})
		}
		j := NewJanitor(JanitorConfig{Networks: n, Store: lists{"a"}})
		if err := j.clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left []string
		for id, p := range n.ports {
			left = append(left, id+" "+p.DeviceID)
		}
		slices.Sort(left)
		want := []string{"just claimed lb-e", "odd x", "used lb-a", "users ", "young lb-c"}
		if diff := cmp.Diff(want, left); diff != "" {
			t.Errorf("ports that are left (-want +got):\n%s", diff)
		}
	})
}

// lists is the ids of the load balancers that have a row.
type lists []string

func (l lists) KnownLoadBalancers(_ context.Context, ids []string) (known []string, err error) {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(l, id) }), nil
}
