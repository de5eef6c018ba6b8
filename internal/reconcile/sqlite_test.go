package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// These tests run the loop on the real store.

func openSQLite(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:///"+filepath.Join(t.TempDir(), "test.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// loopOn runs a loop with short spans until the function that it returns is called, or the test ends.
func loopOn(t *testing.T, s *store.Store, p provider.Provider, instance string, change ...func(*Config)) (stop func()) {
	t.Helper()
	cfg := config(t, s, p, s)
	cfg.Instance = instance
	cfg.ScanEvery, cfg.AuditEvery, cfg.ObserveEvery = 50*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond
	cfg.RetryFirst, cfg.RetryCap = 5*time.Millisecond, 50*time.Millisecond
	cfg.LeaseTTL, cfg.Deadline = 2*time.Second, 500*time.Millisecond
	for _, fn := range change {
		fn(&cfg)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := New(cfg).Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-ended }) }
	t.Cleanup(stop)
	return stop
}

func createTree(t *testing.T, s *store.Store, change ...func(*lbaas.LoadBalancer)) *lbaas.LoadBalancer {
	t.Helper()
	object := func(name string) lbaas.Object {
		return lbaas.Object{ID: uuid.NewString(), ProjectID: "p", Name: name, AdminStateUp: true}
	}
	lb := &lbaas.LoadBalancer{Object: object("lb"), Provider: "fake", Host: "h", VIPAddress: netip.MustParseAddr("10.0.0.9")}
	pool := &lbaas.Pool{Object: object("pool"), LoadBalancerID: lb.ID, Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin}
	lb.Pools = []*lbaas.Pool{pool}
	lb.Listeners = []*lbaas.Listener{{
		Object: object("listener"), LoadBalancerID: lb.ID, Protocol: lbaas.HTTP, ProtocolPort: 80, DefaultPoolID: pool.ID,
	}}
	for _, fn := range change {
		fn(lb)
	}
	if err := s.CreateLoadBalancer(t.Context(), lb); err != nil {
		t.Fatal(err)
	}
	return lb
}

// becomes waits until every object of a tree has a status.
func becomes(t *testing.T, s *store.Store, id string, want lbaas.ProvisioningStatus) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if last = unlike(t, s, id, want); last == "" {
			return
		}
	}
	t.Fatalf("not %s: %s", want, last)
}

func unlike(t *testing.T, s *store.Store, id string, want lbaas.ProvisioningStatus) string {
	lb, err := s.StatusTree(t.Context(), id)
	if errors.Is(err, lbaas.NotFound) && want == "DELETED" {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	for _, part := range lb.Parts() {
		if p := part.Base().Progress; p.Status() != want {
			return fmt.Sprintf("%s %s is %s: %+v", part.Noun(), part.Base().Name, p.Status(), p)
		}
	}
	return ""
}

func TestSQLiteLifeOfALoadBalancer(t *testing.T) {
	s, p := openSQLite(t), newFakeProvider(t)
	loopOn(t, s, p, "one")
	p.answer(errors.New("no"))
	lb := createTree(t, s)
	becomes(t, s, lb.ID, lbaas.Failed)
	p.answer(nil)
	becomes(t, s, lb.ID, lbaas.Active)
	settle(t, func() bool {
		got, err := s.LoadBalancer(t.Context(), lb.ID)
		return err == nil && got.Operating == lbaas.Online
	})
	p.lose(lb.ID)
	settle(t, func() bool { return p.has(lb.ID) })
	p.answer(errors.New("no"))
	if err := s.ChangeLoadBalancer(t.Context(), lb.ID, func(c *store.Change) error { return c.Delete(c.LB) }); err != nil {
		t.Fatal(err)
	}
	becomes(t, s, lb.ID, lbaas.Failed)
	p.answer(nil)
	becomes(t, s, lb.ID, "DELETED")
	if p.has(lb.ID) {
		t.Error("the data plane still has it")
	}
}

func TestSQLiteHundredConcurrentChanges(t *testing.T) {
	s, p := openSQLite(t), newFakeProvider(t)
	p.takes = 20 * time.Millisecond
	loopOn(t, s, p, "one")
	lb := createTree(t, s)
	becomes(t, s, lb.ID, lbaas.Active)
	before := p.count()
	var changes sync.WaitGroup
	for i := range 100 {
		changes.Go(func() {
			err := s.ChangeLoadBalancer(t.Context(), lb.ID, func(c *store.Change) error {
				return c.Put(&lbaas.Member{
					Object:         lbaas.Object{ID: uuid.NewString(), ProjectID: "p", AdminStateUp: true},
					LoadBalancerID: lb.ID, PoolID: c.LB.Pools[0].ID,
					Address: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), ProtocolPort: 80, Weight: 1,
				})
			})
			if err != nil {
				t.Errorf("change %d: %v", i, err)
			}
		})
	}
	changes.Wait()
	becomes(t, s, lb.ID, lbaas.Active)
	got, err := s.Tree(t.Context(), lb.ID)
	if err != nil || len(got.Pools[0].Members) != 100 {
		t.Errorf("%d members, %v", len(got.Pools[0].Members), err)
	}
	if n := p.count() - before; n > 50 {
		t.Errorf("%d Applies for 100 changes", n)
	} else {
		t.Logf("%d Applies for 100 changes", n)
	}
}

func TestSQLiteTwoLoops(t *testing.T) {
	s, p := openSQLite(t), newFakeProvider(t)
	p.takes = 5 * time.Millisecond
	stopOne := loopOn(t, s, p, "one")
	loopOn(t, s, p, "two")
	var lbs []*lbaas.LoadBalancer
	for i := range 30 {
		if i == 15 {
			stopOne()
		}
		lbs = append(lbs, createTree(t, s))
		time.Sleep(10 * time.Millisecond)
	}
	for _, lb := range lbs {
		becomes(t, s, lb.ID, lbaas.Active)
	}
}

// TestSQLiteShards has processes share load balancers that are bound to no host, by the database's clock.
func TestSQLiteShards(t *testing.T) {
	s, p := openSQLite(t), newFakeProvider(t)
	stops := map[string]func(){}
	for _, name := range []string{"one", "two"} {
		stops[name] = loopOn(t, s, p, name, func(c *Config) { c.Host, c.Shards = "", true })
	}
	var lbs []*lbaas.LoadBalancer
	for range 200 { // so that every shard has some
		lbs = append(lbs, createTree(t, s, func(lb *lbaas.LoadBalancer) { lb.Host = "" }))
	}
	shares := func(want map[string]int) {
		t.Helper()
		settle(t, func() bool {
			holders, err := s.LeaseHolders(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for name, holder := range holders {
				if isShard(name) {
					got[holder]++
				}
			}
			return maps.Equal(got, want)
		})
	}
	shares(map[string]int{"one": 8, "two": 8})
	for _, lb := range lbs {
		becomes(t, s, lb.ID, lbaas.Active)
	}
	stops["one"]()
	shares(map[string]int{"two": 16})
	for _, lb := range lbs[:10] {
		if err := s.ChangeLoadBalancer(t.Context(), lb.ID, func(c *store.Change) error { return c.Delete(c.LB) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, lb := range lbs[:10] {
		becomes(t, s, lb.ID, "DELETED")
	}
}

func TestSQLiteManyLoadBalancersAtOnce(t *testing.T) {
	s, p := openSQLite(t), newFakeProvider(t)
	loopOn(t, s, p, "one")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				lb := createTree(t, s)
				becomes(t, s, lb.ID, lbaas.Active)
			}
		})
	}
	wg.Wait()
	if n := p.count(); n > 24 {
		t.Errorf("%d Applies for 20 load balancers", n)
	}
}
