package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// statuses are the provisioning statuses of a load balancer and all that is below it, by name.
func statuses(t testing.TB, s *store.Store, id string) map[string]lbaas.ProvisioningStatus {
	t.Helper()
	lb, err := s.StatusTree(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]lbaas.ProvisioningStatus{}
	for _, part := range lb.Parts() {
		found[part.Base().Name] = part.Base().Progress.Status()
	}
	return found
}

func all(status lbaas.ProvisioningStatus) map[string]lbaas.ProvisioningStatus {
	return map[string]lbaas.ProvisioningStatus{
		"lb": status, "listener": status, "pool": status, "monitor": status,
		"member 0": status, "member 1": status, "member 2": status,
		"policy 1": status, "rule 1 a": status, "rule 1 b": status, "policy 2": status, "rule 2 a": status, "rule 2 b": status,
		"limit": status, "limit rule": status,
	}
}

// but is a map with some entries changed.
func but(m map[string]lbaas.ProvisioningStatus, status lbaas.ProvisioningStatus, names ...string) map[string]lbaas.ProvisioningStatus {
	for _, name := range names {
		m[name] = status
	}
	return m
}

func wantStatuses(t testing.TB, s *store.Store, id string, when string, want map[string]lbaas.ProvisioningStatus) {
	t.Helper()
	if diff := cmp.Diff(want, statuses(t, s, id)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func TestStatusesFollowChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree())
		wantStatuses(t, s, lb.ID, "after the creation", all(lbaas.PendingCreate))
		achieve(t, s, lb)
		wantStatuses(t, s, lb.ID, "once all is true", all(lbaas.Active))

		change(t, s, lb.ID, func(c *store.Change) error {
			pool := c.LB.Pools[0]
			pool.Members[1].Weight = 3
			return errors.Join(c.Put(pool.Members[1]), c.Touch(pool, c.LB.Listeners[0]))
		})
		wantStatuses(t, s, lb.ID, "after a member changed",
			but(all(lbaas.Active), lbaas.PendingUpdate, "lb", "listener", "pool", "member 1"))
		achieve(t, s, lb)
		wantStatuses(t, s, lb.ID, "once that is true", all(lbaas.Active))

		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Pools[0].Members[1]) })
		wantStatuses(t, s, lb.ID, "after a member was deleted",
			but(but(all(lbaas.Active), lbaas.PendingUpdate, "lb"), lbaas.PendingDelete, "member 1"))
		achieve(t, s, lb)
		want := all(lbaas.Active)
		delete(want, "member 1")
		wantStatuses(t, s, lb.ID, "once it is gone", want)

		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Listeners[0].L7Policies[0]) })
		wantStatuses(t, s, lb.ID, "after a policy was deleted, so that the other moves up",
			but(but(want, lbaas.PendingUpdate, "lb", "policy 2"), lbaas.PendingDelete, "policy 1", "rule 1 a", "rule 1 b"))
		achieve(t, s, lb)
		change(t, s, lb.ID, func(c *store.Change) error {
			l := c.LB.Listeners[0]
			return errors.Join(c.Delete(l.RateLimitPolicies[0].Rules[0]), c.Delete(l.RateLimitPolicies[0]), c.Delete(l.L7Policies[0]))
		})
		wantStatuses(t, s, lb.ID, "after all policies were deleted", map[string]lbaas.ProvisioningStatus{
			"lb": lbaas.PendingUpdate, "listener": lbaas.Active, "pool": lbaas.Active, "monitor": lbaas.Active,
			"member 0": lbaas.Active, "member 2": lbaas.Active, "limit": lbaas.PendingDelete, "limit rule": lbaas.PendingDelete,
			"policy 2": lbaas.PendingDelete, "rule 2 a": lbaas.PendingDelete, "rule 2 b": lbaas.PendingDelete,
		})
		achieve(t, s, lb)

		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Pools[0]) })
		wantStatuses(t, s, lb.ID, "after the pool was deleted", map[string]lbaas.ProvisioningStatus{
			"lb": lbaas.PendingUpdate, "listener": lbaas.PendingUpdate,
			"pool": lbaas.PendingDelete, "monitor": lbaas.PendingDelete, "member 0": lbaas.PendingDelete, "member 2": lbaas.PendingDelete,
		})
		if got := tree(t, s, lb.ID); len(got.Pools) != 0 || got.Listeners[0].DefaultPoolID != "" {
			t.Errorf("the listener still uses %q of %d pools", got.Listeners[0].DefaultPoolID, len(got.Pools))
		}
		achieve(t, s, lb)
		wantStatuses(t, s, lb.ID, "once it is gone", map[string]lbaas.ProvisioningStatus{"lb": lbaas.Active, "listener": lbaas.Active})
	})
}

func TestChangeKeepsTheTreeInStep(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree())
		var inMemory *lbaas.LoadBalancer
		change(t, s, lb.ID, func(c *store.Change) error {
			pool := c.LB.Pools[0]
			second := &lbaas.Pool{Object: lbaas.Object{Name: "second"}, Protocol: lbaas.HTTP}
			l := c.LB.Listeners[0]
			err := errors.Join(
				c.Put(&lbaas.L7Policy{ListenerID: l.ID, Position: 1}, &lbaas.L7Policy{ListenerID: l.ID, Position: 2}, &lbaas.L7Policy{ListenerID: l.ID}),
				c.Put(&lbaas.L7Rule{L7PolicyID: l.L7Policies[0].ID}),
				c.Delete(l.L7Policies[2], l.L7Policies[0].Rules[0]),
				c.Put(&lbaas.RateLimitPolicy{ListenerID: l.ID}, &lbaas.RateLimitRule{RateLimitPolicyID: l.RateLimitPolicies[0].ID}),
				c.Delete(pool.Members[0], pool.HealthMonitor),
				c.Put(fullMemberOf(pool, 9), second, &lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: 80}),
				c.Put(&lbaas.HealthMonitor{PoolID: second.ID, Type: lbaas.MonitorTCP}),
				c.Delete(pool.Members[0]), // writes what was put so far
				c.Put(second),
				c.Touch(c.LB.Listeners[0]),
				c.Put(c.LB),
			)
			inMemory = c.LB
			return err
		})
		if diff := cmp.Diff(inMemory, tree(t, s, lb.ID), compare); diff != "" {
			t.Errorf("the tree as the change left it and as it is read (-want +got):\n%s", diff)
		}
	})
}

func fullMemberOf(pool *lbaas.Pool, i int) *lbaas.Member {
	m := fullMember(i)
	m.PoolID = pool.ID
	return m
}

func TestInitialOperatingStatus(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		monitored, plain := fullPool(), fullPool()
		plain.HealthMonitor = nil
		lb := create(t, s, &lbaas.LoadBalancer{Pools: []*lbaas.Pool{monitored, plain}})
		for _, part := range tree(t, s, lb.ID).Parts() {
			want := lbaas.Offline
			if m, ok := part.(*lbaas.Member); ok && m.PoolID == plain.ID {
				want = lbaas.NoMonitor
			}
			if got := part.Base().Operating; got != want {
				t.Errorf("a new %s is %s, want %s", part.Noun(), got, want)
			}
		}
	})
}

func TestNumbersAreNeverGivenTwice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree())
		for range 2 {
			change(t, s, lb.ID, func(c *store.Change) error {
				pool := c.LB.Pools[0]
				last := pool.Members[len(pool.Members)-1]
				return errors.Join(c.Delete(last), c.Put(fullMemberOf(pool, 7)))
			})
			achieve(t, s, lb)
		}
		var numbers []int
		for _, m := range tree(t, s, lb.ID).Pools[0].Members {
			numbers = append(numbers, m.Number)
		}
		if diff := cmp.Diff([]int{1, 2, 5}, numbers); diff != "" {
			t.Errorf("numbers (-want +got):\n%s", diff)
		}
	})
}

func TestRefusedChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		gone := create(t, s, fullTree())
		change(t, s, gone.ID, func(c *store.Change) error { return c.Delete(c.LB) })
		nowhere := uuid.NewString()
		before := tree(t, s, lb.ID)
		for _, tc := range []struct {
			name string
			id   string
			part func(lb *lbaas.LoadBalancer) lbaas.Part
			want error
		}{
			{"bad load balancer", nowhere, nil, lbaas.Missing(lbaas.NounLoadBalancer, nowhere)},
			{"deleted load balancer", gone.ID, nil,
				lbaas.Errorf(lbaas.Immutable, "Load Balancer %s is immutable and cannot be updated.", gone.ID)},
			{"port in use", lb.ID, func(*lbaas.LoadBalancer) lbaas.Part {
				return &lbaas.Listener{Protocol: lbaas.TCP, ProtocolPort: 443}
			}, lbaas.Errorf(lbaas.Conflict, "Another Listener on this Load Balancer is already using protocol TERMINATED_HTTPS and protocol_port 443")},
			{"address in use", lb.ID, func(lb *lbaas.LoadBalancer) lbaas.Part {
				return &lbaas.Member{PoolID: lb.Pools[0].ID, Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: 8080}
			}, lbaas.Errorf(lbaas.Conflict, "Another member on this pool is already using ip 10.0.0.1 on protocol_port 8080")},
			{"second monitor", lb.ID, func(lb *lbaas.LoadBalancer) lbaas.Part {
				return &lbaas.HealthMonitor{PoolID: lb.Pools[0].ID, Type: lbaas.MonitorTCP}
			}, lbaas.Errorf(lbaas.Conflict, "This pool already has a health monitor")},
			{"member of no pool", lb.ID, func(*lbaas.LoadBalancer) lbaas.Part { return &lbaas.Member{PoolID: nowhere} },
				lbaas.Missing(lbaas.NounPool, nowhere)},
			{"monitor of no pool", lb.ID, func(*lbaas.LoadBalancer) lbaas.Part { return &lbaas.HealthMonitor{PoolID: nowhere} },
				lbaas.Missing(lbaas.NounPool, nowhere)},
			{"policy of no listener", lb.ID, func(*lbaas.LoadBalancer) lbaas.Part { return &lbaas.L7Policy{ListenerID: nowhere} },
				lbaas.Missing(lbaas.NounListener, nowhere)},
			{"policy for a foreign pool", lb.ID, func(lb *lbaas.LoadBalancer) lbaas.Part {
				return &lbaas.L7Policy{ListenerID: lb.Listeners[0].ID, RedirectPoolID: gone.Pools[0].ID}
			}, lbaas.Missing(lbaas.NounPool, gone.Pools[0].ID)},
			{"rule of no policy", lb.ID, func(*lbaas.LoadBalancer) lbaas.Part { return &lbaas.L7Rule{L7PolicyID: nowhere} },
				lbaas.Missing(lbaas.NounL7Policy, nowhere)},
			{"limit of no listener", lb.ID, func(*lbaas.LoadBalancer) lbaas.Part { return &lbaas.RateLimitPolicy{ListenerID: nowhere} },
				lbaas.Missing(lbaas.NounListener, nowhere)},
			{"limit rule of no policy", lb.ID, func(*lbaas.LoadBalancer) lbaas.Part { return &lbaas.RateLimitRule{RateLimitPolicyID: nowhere} },
				lbaas.Missing(lbaas.NounRateLimitPolicy, nowhere)},
			{"listener of a foreign pool", lb.ID, func(*lbaas.LoadBalancer) lbaas.Part {
				return &lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: 81, DefaultPoolID: gone.Pools[0].ID}
			}, lbaas.Missing(lbaas.NounPool, gone.Pools[0].ID)},
		} {
			err := s.ChangeLoadBalancer(ctx, tc.id, func(c *store.Change) error {
				c.LB.Name = "must not be kept"
				return errors.Join(c.Put(c.LB), c.Put(tc.part(c.LB)))
			})
			var got *lbaas.Error
			if !errors.As(err, &got) {
				t.Errorf("%s: the error is %v", tc.name, err)
				continue
			}
			if diff := cmp.Diff(tc.want, error(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.name, diff)
			}
		}
		if diff := cmp.Diff(before, tree(t, s, lb.ID), compare); diff != "" {
			t.Errorf("a refused change left (-want +got):\n%s", diff)
		}
	})
}

func TestUDPAndTCPShareAPort(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		create(t, s, &lbaas.LoadBalancer{Listeners: []*lbaas.Listener{
			{Protocol: lbaas.TCP, ProtocolPort: 53}, {Protocol: lbaas.UDP, ProtocolPort: 53}, {Protocol: lbaas.SCTP, ProtocolPort: 53},
		}})
	})
}

func TestCreateRefusesDuplicates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := fullTree()
		lb.Listeners = append(lb.Listeners, &lbaas.Listener{Protocol: lbaas.HTTPS, ProtocolPort: 443})
		err := s.CreateLoadBalancer(context.Background(), lb)
		want := lbaas.Errorf(lbaas.Conflict, "Another Listener on this Load Balancer is already using protocol TERMINATED_HTTPS and protocol_port 443")
		if diff := cmp.Diff(error(want), err); diff != "" {
			t.Errorf("two listeners on a port (-want +got):\n%s", diff)
		}
		for _, table := range store.Tables() {
			if n := s.Rows(t, table, lb.ID); n != 0 {
				t.Errorf("%s has %d rows of what was refused", table, n)
			}
		}
		twice := fullTree()
		create(t, s, twice)
		if err := s.CreateLoadBalancer(context.Background(), twice); !errors.Is(err, lbaas.Conflict) {
			t.Errorf("the same id twice gives %v", err)
		}
	})
}

func TestDeletedCountsForNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree())
		achieve(t, s, lb)
		for range 3 { // with nothing done in between, the deleted ones pile up
			change(t, s, lb.ID, func(c *store.Change) error {
				listener, pool := c.LB.Listeners[0], c.LB.Pools[0]
				for _, m := range pool.Members {
					if m.Address == netip.MustParseAddr("10.0.0.1") {
						return c.Delete(listener, m, pool.HealthMonitor)
					}
				}
				return errors.New("the member is not there")
			})
			change(t, s, lb.ID, func(c *store.Change) error {
				pool := c.LB.Pools[0]
				return c.Put(
					&lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: 443, DefaultPoolID: pool.ID},
					&lbaas.Member{PoolID: pool.ID, Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: 8080},
					&lbaas.HealthMonitor{PoolID: pool.ID, Type: lbaas.MonitorTCP})
			})
		}
		live := tree(t, s, lb.ID)
		if len(live.Listeners) != 1 || len(live.Pools[0].Members) != 3 || live.Pools[0].HealthMonitor == nil {
			t.Errorf("the live tree has %d listeners, %d members", len(live.Listeners), len(live.Pools[0].Members))
		}
		status, err := s.StatusTree(context.Background(), lb.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(status.Listeners) != 4 || len(status.Pools[0].Members) != 6 || status.Pools[0].HealthMonitor.ID != live.Pools[0].HealthMonitor.ID {
			t.Errorf("the status tree has %d listeners, %d members, the monitor %s",
				len(status.Listeners), len(status.Pools[0].Members), status.Pools[0].HealthMonitor.ID)
		}
		pool, err := s.Pool(context.Background(), live.Pools[0].ID)
		if err != nil || pool.HealthMonitor.ID != live.Pools[0].HealthMonitor.ID {
			t.Errorf("the pool names the monitor %v, %v", pool.HealthMonitor, err)
		}
		achieve(t, s, lb)
		if n := s.Rows(t, "listeners", lb.ID) + s.Rows(t, "members", lb.ID) + s.Rows(t, "health_monitors", lb.ID); n != 1+3+1 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestReplaceAllMembersAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree())
		change(t, s, lb.ID, func(c *store.Change) error {
			pool := c.LB.Pools[0]
			for _, m := range pool.Members { // Delete while going through the list
				if err := c.Delete(m); err != nil {
					return err
				}
			}
			for i := range 3 {
				if err := c.Put(fullMemberOf(pool, i)); err != nil {
					return err
				}
			}
			return nil
		})
		var numbers []int
		for _, m := range tree(t, s, lb.ID).Pools[0].Members {
			numbers = append(numbers, m.Number)
		}
		if diff := cmp.Diff([]int{4, 5, 6}, numbers); diff != "" {
			t.Errorf("numbers (-want +got):\n%s", diff)
		}
	})
}

func TestDeleteLoadBalancer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		achieve(t, s, lb)
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB) })
		wantStatuses(t, s, lb.ID, "after the deletion", all(lbaas.PendingDelete))
		got := tree(t, s, lb.ID)
		if len(got.Listeners)+len(got.Pools) != 0 || got.VIPPortID != lb.VIPPortID {
			t.Errorf("the tree of a deleted load balancer is %+v", got)
		}
		lease := leaseOf(t, s, lb)
		if err := s.Gone(ctx, lease, lb.ID, got.Progress.Generation-1); err != nil {
			t.Fatal(err)
		}
		if _, err := s.LoadBalancer(ctx, lb.ID); err != nil {
			t.Errorf("gone in a generation before its deletion: %v", err)
		}
		for range 2 { // what is not there needs no removal
			if err := s.Gone(ctx, lease, lb.ID, got.Progress.Generation); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Tree(ctx, lb.ID); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("the tree of what is gone gives %v", err)
		}
		for _, table := range store.Tables() {
			if n := s.Rows(t, table, lb.ID); n != 0 {
				t.Errorf("%s still has %d rows", table, n)
			}
		}
	})
}

func TestConcurrentChangesAllLand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const n = 32
		pool := &lbaas.Pool{Protocol: lbaas.HTTP}
		one := create(t, s, &lbaas.LoadBalancer{Pools: []*lbaas.Pool{pool}})
		addTo := func(id string, i int) error {
			return s.ChangeLoadBalancer(context.Background(), id, func(c *store.Change) error {
				return c.Put(fullMemberOf(c.LB.Pools[0], i))
			})
		}
		atOnce(t, n, func(i int) error { return addTo(one.ID, i) })
		got := tree(t, s, one.ID)
		if len(got.Pools[0].Members) != n || got.Progress.Generation != n+1 {
			t.Errorf("%d members and generation %d after %d changes of one load balancer", len(got.Pools[0].Members), got.Progress.Generation, n)
		}
		numbers, generations := map[int]bool{}, map[int64]bool{}
		for _, m := range got.Pools[0].Members {
			numbers[m.Number], generations[m.Progress.Generation] = true, true
		}
		if len(numbers) != n || len(generations) != n {
			t.Errorf("%d members have %d numbers and %d generations", n, len(numbers), len(generations))
		}

		many := make([]*lbaas.LoadBalancer, n)
		atOnce(t, n, func(i int) error {
			many[i] = bareTree()
			return s.CreateLoadBalancer(context.Background(), many[i])
		})
		atOnce(t, n, func(i int) error { return addTo(many[i].ID, i+1) })
		for _, lb := range many {
			if got := tree(t, s, lb.ID); len(got.Pools[0].Members) != 2 || got.Progress.Generation != 2 {
				t.Errorf("one of many has %d members and generation %d", len(got.Pools[0].Members), got.Progress.Generation)
			}
		}
	})
}

// TestDuplicatesRace lets many make the same listener at once: one may.
func TestDuplicatesRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, &lbaas.LoadBalancer{})
		errs := make([]error, 8)
		atOnce(t, len(errs), func(i int) error {
			errs[i] = s.ChangeLoadBalancer(context.Background(), lb.ID, func(c *store.Change) error {
				return c.Put(&lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: 80})
			})
			return nil
		})
		var made, refused int
		for _, err := range errs {
			switch {
			case err == nil:
				made++
			case errors.Is(err, lbaas.Conflict):
				refused++
			default:
				t.Error(err)
			}
		}
		if got := tree(t, s, lb.ID); made != 1 || refused != len(errs)-1 || len(got.Listeners) != 1 || got.Progress.Generation != 2 {
			t.Errorf("%d made, %d refused, %d listeners, generation %d", made, refused, len(got.Listeners), got.Progress.Generation)
		}
	})
}

func atOnce(t *testing.T, n int, fn func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := fn(i); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

func TestHintsComeAfterTheCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		var hints []string
		stop := s.OnHint(func(h store.Hint) {
			lb, err := s.Tree(ctx, h.LoadBalancerID) // would wait, or see the old state, within the transaction
			hints = append(hints, fmt.Sprint(lb.Progress.Generation, err))
		})
		lb := create(t, s, &lbaas.LoadBalancer{})
		change(t, s, lb.ID, func(*store.Change) error { return nil })
		failed := errors.New("refused")
		if err := s.ChangeLoadBalancer(ctx, lb.ID, func(*store.Change) error { return failed }); !errors.Is(err, failed) {
			t.Errorf("the change gives %v", err)
		}
		stop()
		change(t, s, lb.ID, func(*store.Change) error { return nil })
		if diff := cmp.Diff([]string{"1 <nil>", "2 <nil>"}, hints); diff != "" {
			t.Errorf("hints (-want +got):\n%s", diff)
		}
	})
}
