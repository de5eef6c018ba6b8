package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func acquire(t *testing.T, s *store.Store, name, holder string, ttl time.Duration, want int64) store.Lease {
	t.Helper()
	l, ok, err := s.AcquireLease(context.Background(), name, holder, ttl)
	if err != nil {
		t.Fatal(err)
	}
	wanted := store.Lease{}
	if want > 0 {
		wanted = store.Lease{Name: name, Holder: holder, Epoch: want}
	}
	if l != wanted || ok != (want > 0) {
		t.Errorf("%s acquires %+v, %v; want %+v", holder, l, ok, wanted)
	}
	return l
}

func TestLeases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		renew := func(l store.Lease, want bool) {
			t.Helper()
			if ok, err := s.RenewLease(ctx, l, time.Minute); ok != want || err != nil {
				t.Errorf("%s renews: %v, %v; want %v", l.Holder, ok, err, want)
			}
		}
		a1 := acquire(t, s, "x", "a", time.Minute, 1)
		acquire(t, s, "x", "b", time.Minute, 0)
		acquire(t, s, "y", "b", time.Minute, 1)
		renew(a1, true)
		a2 := acquire(t, s, "x", "a", time.Minute, 2) // its own at once, as after a restart
		renew(a1, false)
		renew(a2, true)

		s.Expire(t, "x")
		renew(a2, true) // nobody else took it
		acquire(t, s, "x", "b", time.Minute, 0)
		s.Expire(t, "x")
		b3 := acquire(t, s, "x", "b", time.Minute, 3)
		renew(a2, false)
		acquire(t, s, "x", "a", time.Minute, 0)

		if err := errors.Join(s.ReleaseLease(ctx, a2), s.ReleaseLease(ctx, store.Lease{Name: "none"})); err != nil {
			t.Error(err)
		}
		renew(b3, true) // a release of what is lost does nothing
		if err := s.ReleaseLease(ctx, b3); err != nil {
			t.Error(err)
		}
		renew(b3, false)
		acquire(t, s, "x", "a", time.Minute, 4)

		acquire(t, s, "y2", "c", time.Minute, 1)
		s.Expire(t, "y2")
		holders, err := s.LeaseHolders(ctx)
		if diff := cmp.Diff(map[string]string{"x": "a", "y": "b"}, holders); diff != "" || err != nil {
			t.Errorf("holders: %v (-want +got):\n%s", err, diff)
		}

		acquire(t, s, "z", "a", 30*time.Millisecond, 1)
		eventually(t, func() bool { // by the clock
			_, ok, err := s.AcquireLease(ctx, "z", "b", time.Minute)
			return ok && err == nil
		})
	})
}

func TestRenewLeases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		var all []store.Lease
		for _, name := range []string{"c", "a", "b"} {
			all = append(all, acquire(t, s, name, "me", time.Minute, 1))
		}
		s.Expire(t, "a")
		acquire(t, s, "a", "you", time.Minute, 2)
		kept, err := s.RenewLeases(ctx, all, time.Minute)
		if diff := cmp.Diff([]store.Lease{all[2], all[0]}, kept); diff != "" || err != nil {
			t.Errorf("kept: %v (-want +got):\n%s", err, diff)
		}
		if kept, err := s.RenewLeases(ctx, nil, time.Minute); kept != nil || err != nil {
			t.Errorf("of none: %v, %v", kept, err)
		}
	})
}

func TestOneOfManyGetsTheLease(t *testing.T) {
	storetest.Pair(t, func(t *testing.T, a, b *store.Store) {
		for round := range 3 {
			got := make([]bool, 8)
			atOnce(t, len(got), func(i int) (err error) {
				_, got[i], err = []*store.Store{a, b}[i%2].AcquireLease(context.Background(), "x", fmt.Sprint(round, i), time.Minute)
				return err
			})
			n := 0
			for _, ok := range got {
				if ok {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d got the lease", n)
			}
			a.CatchUp(t)
			a.Expire(t, "x")
			b.CatchUp(t)
		}
	})
}

func TestLeaseName(t *testing.T) {
	seen := map[string]int{}
	for i := range 1000 {
		seen[store.LeaseName(&lbaas.LoadBalancer{Object: lbaas.Object{ID: fmt.Sprint("id ", i)}})]++
	}
	if len(seen) != 16 || seen["shard/0"] < 20 || seen["shard/15"] < 20 {
		t.Errorf("a thousand load balancers fall into %v", seen)
	}
	if got := store.LeaseName(&lbaas.LoadBalancer{Host: "h"}); got != "host/h" {
		t.Errorf("a bound one has the lease %q", got)
	}
}

// TestAnOldEpochWritesNothing tries every write of the loop under leases that are not, or no longer, the writer's.
func TestAnOldEpochWritesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		doomed := create(t, s, &lbaas.LoadBalancer{Host: lb.Host})
		change(t, s, doomed.ID, func(c *store.Change) error { return c.Delete(c.LB) })
		leaseOf(t, s, lb)
		current := leaseOf(t, s, lb)
		before := []any{tree(t, s, lb.ID), tree(t, s, doomed.ID)}
		seen := map[string]store.Seen{lb.ID: {
			Operating:  map[string]lbaas.OperatingStatus{lb.ID: lbaas.Online},
			Statistics: map[string]lbaas.Statistics{lb.Listeners[0].ID: {BytesIn: 1}},
		}}
		for name, l := range map[string]store.Lease{
			"old epoch": {Name: current.Name, Holder: current.Holder, Epoch: current.Epoch - 1},
			"holder":    {Name: current.Name, Holder: "somebody else", Epoch: current.Epoch},
			"no lease":  {Name: "none", Holder: current.Holder, Epoch: current.Epoch},
			"zero":      {},
		} {
			for what, err := range map[string]error{
				"achieved":        s.Achieved(ctx, l, lb.ID, 9, nil, nil),
				"achieved less":   s.Achieved(ctx, l, lb.ID, 9, map[string]string{lb.ID: "x"}, nil),
				"waiting":         s.Waiting(ctx, l, lb.ID, 9, map[string]string{lb.ID: "x"}, nil),
				"failing":         s.Failing(ctx, l, lb.ID, 9, "x", true),
				"gone":            s.Gone(ctx, l, doomed.ID, 9),
				"observed":        s.Observe(ctx, l, seen),
				"observed naught": s.Observe(ctx, l, nil),
			} {
				if !errors.Is(err, store.ErrLeaseLost) {
					t.Errorf("%s: %s gives %v", name, what, err)
				}
			}
		}
		after := []any{tree(t, s, lb.ID), tree(t, s, doomed.ID)}
		if diff := cmp.Diff(before, after, compare); diff != "" {
			t.Errorf("a lost lease wrote (-want +got):\n%s", diff)
		}
		if st, err := s.Statistics(ctx, lb.ID); len(st) != 0 || err != nil {
			t.Errorf("a lost lease wrote %v, %v", st, err)
		}
	})
}

// TestALeaseCoversItsOwnOnly lets a holder write to what is another lease's.
func TestALeaseCoversItsOwnOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB) })
		before := tree(t, s, lb.ID)
		other := acquire(t, s, "host/other", "a", time.Minute, 1)
		if err := errors.Join(
			s.Achieved(ctx, other, lb.ID, 9, nil, nil), s.Failing(ctx, other, lb.ID, 9, "x", true), s.Gone(ctx, other, lb.ID, 9),
		); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(before, tree(t, s, lb.ID), compare); diff != "" {
			t.Errorf("another lease wrote (-want +got):\n%s", diff)
		}
	})
}

// TestALateWriterAndTheNextHolder interleaves a fenced write that takes its time with somebody who takes the lease: whoever takes it
// sees all that was written before, and nothing is written after.
func TestALateWriterAndTheNextHolder(t *testing.T) {
	storetest.Pair(t, func(t *testing.T, s, other *store.Store) {
		ctx := context.Background()
		lb := create(t, s, bareTree())
		for round := range 20 {
			late := acquire(t, s, store.LeaseName(lb), fmt.Sprint("late ", round), time.Minute, int64(2*round+1))
			s.Expire(t, late.Name)
			other.CatchUp(t)
			var written error
			var taken bool
			atOnce(t, 2, func(i int) (err error) {
				if i == 0 {
					written = s.Failing(ctx, late, lb.ID, 1, fmt.Sprint("written by ", round), false)
					return nil
				}
				_, taken, err = other.AcquireLease(ctx, late.Name, "next", time.Minute)
				return err
			})
			if !taken {
				t.Fatal("an expired lease was not to be had")
			}
			s.CatchUp(t)
			reason := tree(t, s, lb.ID).Progress.Reason
			if wrote := reason == fmt.Sprint("written by ", round); wrote != (written == nil) {
				t.Errorf("the late writer was told %v, and the reason is %q", written, reason)
			}
			if written != nil && !errors.Is(written, store.ErrLeaseLost) {
				t.Error(written)
			}
			s.Expire(t, late.Name)
		}
	})
}

// TestAFrozenHolderLosesItsLease has a process stop in the middle of a write: others take its lease as soon as the database has seen
// enough of that.
func TestAFrozenHolderLosesItsLease(t *testing.T) {
	for _, engine := range []store.Engine{store.PostgreSQL, store.MariaDB} { // SQLite is one process's own
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t, engine)
			frozen := acquire(t, s, "x", "frozen", time.Minute, 1)
			s.Expire(t, "x")
			s.Stall(t, frozen)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, ok, err := s.AcquireLease(ctx, "x", "next", time.Minute); !ok || err != nil {
				t.Errorf("the next holder gets %v, %v", ok, err)
			}
		})
	}
}
