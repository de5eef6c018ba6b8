package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// reasons are the reasons of a load balancer and all that is below it, by name, where there is one.
func reasons(t testing.TB, s *store.Store, id string) map[string]string {
	t.Helper()
	lb, err := s.StatusTree(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, part := range lb.Parts() {
		if r := part.Base().Progress.Reason; r != "" {
			found[part.Base().Name] = r
		}
	}
	return found
}

func wantReasons(t testing.TB, s *store.Store, id string, when string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, reasons(t, s, id)); diff != "" {
		t.Errorf("reasons %s (-want +got):\n%s", when, diff)
	}
}

func isPending(t testing.TB, s *store.Store, lb *lbaas.LoadBalancer) bool {
	t.Helper()
	ids, err := s.Pending(context.Background(), store.LeaseName(lb), 0)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(ids, lb.ID)
}

func TestFailureIsPerObject(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		lease := leaseOf(t, s, lb)
		listener, member := lb.Listeners[0], lb.Pools[0].Members[1]
		failures := map[string]string{listener.ID: "no such certificate", member.ID: "no route", uuid.NewString(): "who is that?"}
		blame := map[string]string{
			"listener": "no such certificate", "member 1": "no route",
			"lb": summaryOf("Listener listener: no such certificate", listener.ID, "Member member 1: no route", member.ID),
		}
		for _, when := range []string{"after the first try", "after the second try"} {
			if err := s.Achieved(ctx, lease, lb.ID, 1, failures, nil); err != nil {
				t.Fatal(err)
			}
			wantStatuses(t, s, lb.ID, when, but(all(lbaas.Active), lbaas.Failed, "lb", "listener", "member 1"))
			wantReasons(t, s, lb.ID, when, blame)
		}
		if !isPending(t, s, lb) {
			t.Error("a failed load balancer is not tried again")
		}

		change(t, s, lb.ID, func(c *store.Change) error { return c.Put(c.LB.Pools[0].Members[1]) })
		wantStatuses(t, s, lb.ID, "after the member was changed",
			but(but(but(all(lbaas.Active), lbaas.Failed, "listener"), lbaas.PendingUpdate, "lb"), lbaas.PendingCreate, "member 1"))

		delete(failures, member.ID)
		if err := s.Achieved(ctx, lease, lb.ID, 2, failures, nil); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "once the member is true", but(all(lbaas.Active), lbaas.Failed, "lb", "listener"))
		if err := s.Achieved(ctx, lease, lb.ID, 2, nil, nil); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "once it has healed", all(lbaas.Active))
		wantReasons(t, s, lb.ID, "once it has healed", map[string]string{})
		if isPending(t, s, lb) {
			t.Error("a load balancer of which all is true is still pending")
		}
	})
}

// summaryOf joins two reasons in the order of the ids that they are about.
func summaryOf(a, idA, b, idB string) string {
	if idA < idB {
		return a + "; " + b
	}
	return b + "; " + a
}

func TestFailuresOfTheLoadBalancerItself(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree())
		if err := s.Achieved(context.Background(), leaseOf(t, s, lb), lb.ID, 1, map[string]string{lb.ID: "no VIP"}, nil); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "after it failed", but(all(lbaas.Active), lbaas.Failed, "lb"))
		wantReasons(t, s, lb.ID, "after it failed", map[string]string{"lb": "no VIP"})
		if got := tree(t, s, lb.ID); got.Progress.Observed != 0 {
			t.Errorf("the load balancer has come to %+v", got.Progress)
		}
	})
}

func TestManyFailuresAreSummed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		pool := &lbaas.Pool{Protocol: lbaas.HTTP}
		failures := map[string]string{}
		for i := range 1100 { // more than one statement names
			m := fullMember(i)
			m.Name = ""
			pool.Members = append(pool.Members, m)
			failures[m.ID] = "no route"
		}
		lb := create(t, s, &lbaas.LoadBalancer{Object: lbaas.Object{Name: "lb"}, Pools: []*lbaas.Pool{pool}})
		if err := s.Achieved(context.Background(), leaseOf(t, s, lb), lb.ID, 1, failures, nil); err != nil {
			t.Fatal(err)
		}
		got := tree(t, s, lb.ID)
		if r := got.Progress.Reason; strings.Count(r, "Member ") != 3 || !strings.HasSuffix(r, ": no route; and 1097 more") {
			t.Errorf("the reason is %q", r)
		}
		for _, m := range got.Pools[0].Members {
			if m.Progress != (lbaas.Progress{Generation: 1, Failed: true, Reason: "no route"}) {
				t.Fatalf("a member has come to %+v", m.Progress)
			}
		}
	})
}

func TestAFailedDeletionIsTriedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		achieve(t, s, lb)
		lease := leaseOf(t, s, lb)
		member := lb.Pools[0].Members[0]
		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Pools[0].Members[0]) })
		if err := s.Achieved(ctx, lease, lb.ID, 2, map[string]string{member.ID: "it clings"}, nil); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "after a deletion failed", but(all(lbaas.Active), lbaas.Failed, "lb", "member 0"))
		if got := tree(t, s, lb.ID); len(got.Pools[0].Members) != 2 {
			t.Errorf("a failed deletion was undone: %d members", len(got.Pools[0].Members))
		}
		if err := s.Achieved(ctx, lease, lb.ID, 2, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Member(ctx, member.ID); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("a member that is gone gives %v", err)
		}
	})
}

func TestNewerChangesStayPending(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		change(t, s, lb.ID, func(c *store.Change) error {
			return errors.Join(c.Put(c.LB.Pools[0].Members[0]), c.Delete(c.LB.Pools[0].Members[1]))
		})
		lease := leaseOf(t, s, lb)
		failures := map[string]string{lb.Pools[0].Members[0].ID: "of an older form", lb.ID: "of an older form"}
		for _, f := range []map[string]string{nil, failures} {
			if err := s.Achieved(ctx, lease, lb.ID, 1, f, nil); err != nil {
				t.Fatal(err)
			}
			want := but(but(all(lbaas.Active), lbaas.PendingCreate, "lb", "member 0"), lbaas.PendingDelete, "member 1")
			wantStatuses(t, s, lb.ID, "after an older generation was achieved", want)
			if !isPending(t, s, lb) {
				t.Error("it is no longer pending")
			}
		}
		if err := s.Failing(ctx, lease, lb.ID, 1, "older", true); err != nil {
			t.Fatal(err)
		}
		wantReasons(t, s, lb.ID, "after an older generation failed", map[string]string{})
	})
}

func TestFailing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		achieve(t, s, lb)
		lease := leaseOf(t, s, lb)
		change(t, s, lb.ID, func(c *store.Change) error {
			return errors.Join(c.Put(c.LB.Pools[0].Members[0]), c.Delete(c.LB.Pools[0].Members[1]))
		})
		touched := []string{"lb", "member 0", "member 1"}
		if err := s.Failing(ctx, lease, lb.ID, 2, "the engine is away", false); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "while it is tried",
			but(but(all(lbaas.Active), lbaas.PendingUpdate, "lb", "member 0"), lbaas.PendingDelete, "member 1"))
		why := map[string]string{"lb": "the engine is away", "member 0": "the engine is away", "member 1": "the engine is away"}
		wantReasons(t, s, lb.ID, "while it is tried", why)

		if err := s.Failing(ctx, lease, lb.ID, 2, "given up", true); err != nil {
			t.Fatal(err)
		}
		for name := range why {
			why[name] = "given up"
		}
		wantStatuses(t, s, lb.ID, "after the deadline", but(all(lbaas.Active), lbaas.Failed, touched...))
		wantReasons(t, s, lb.ID, "after the deadline", why)
		if err := s.Failing(ctx, lease, lb.ID, 2, "given up", false); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "while it is tried on", but(all(lbaas.Active), lbaas.Failed, touched...))
		achieve(t, s, lb)
		want := all(lbaas.Active)
		delete(want, "member 1")
		wantStatuses(t, s, lb.ID, "once it has healed", want)
		wantReasons(t, s, lb.ID, "once it has healed", map[string]string{})
	})
}

// TestFailingWhileActive is an Apply that fails without a change having been made, as after drift.
func TestFailingWhileActive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		achieve(t, s, lb)
		lease := leaseOf(t, s, lb)
		if err := s.Failing(ctx, lease, lb.ID, 1, "a hiccup", false); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "after a hiccup", all(lbaas.Active))
		wantReasons(t, s, lb.ID, "after a hiccup", map[string]string{})
		if isPending(t, s, lb) {
			t.Error("it became pending")
		}
		if err := s.Failing(ctx, lease, lb.ID, 1, "the disk is full", true); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "after it was given up", but(all(lbaas.Active), lbaas.Failed, "lb"))
		if !isPending(t, s, lb) {
			t.Error("it is not tried again")
		}
		achieve(t, s, lb)
		wantStatuses(t, s, lb.ID, "once it has healed", all(lbaas.Active))
	})
}

func TestPendingAge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		age := func(lb *lbaas.LoadBalancer) time.Duration {
			t.Helper()
			d, err := s.PendingAge(ctx, lb.ID)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		began := time.Now()
		lb := create(t, s, &lbaas.LoadBalancer{Host: "h"})
		eventually(t, func() bool { return age(lb) > 20*time.Millisecond })
		if a, most := age(lb), time.Since(began); a > most+50*time.Millisecond {
			t.Errorf("it is pending for %v, and not older than %v", a, most)
		}
		change(t, s, lb.ID, func(*store.Change) error { return nil })
		if a := age(lb); a < 20*time.Millisecond {
			t.Errorf("a change while it is pending starts anew: %v", a)
		}
		lease := leaseOf(t, s, lb)
		achieved := time.Now()
		if err := s.Achieved(ctx, lease, lb.ID, 1, nil, nil); err != nil {
			t.Fatal(err)
		}
		if a, most := age(lb), time.Since(achieved); a > most+10*time.Millisecond {
			t.Errorf("it is pending for %v although there was progress %v ago", a, most)
		}
		if err := s.Failing(ctx, lease, lb.ID, 2, "no", true); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return age(lb) > 20*time.Millisecond })
		changed := time.Now()
		change(t, s, lb.ID, func(*store.Change) error { return nil })
		if a := age(lb); a > time.Since(changed)+10*time.Millisecond {
			t.Errorf("a change after a failure does not start anew: %v", a)
		}
		achieve(t, s, lb)
		if a := age(lb); a != 0 {
			t.Errorf("it is pending for %v although all is true", a)
		}
		nowhere := uuid.NewString()
		if _, err := s.PendingAge(ctx, nowhere); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("the age of what is not there: %v", err)
		}
	})
}

func TestPendingInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		var lbs []*lbaas.LoadBalancer
		var want []string
		for i := range 5 {
			lb := create(t, s, &lbaas.LoadBalancer{Host: "h", Provider: []string{"haproxy", "noop"}[i%2], Object: lbaas.Object{Name: fmt.Sprint(i)}})
			lbs, want = append(lbs, lb), append(want, lb.ID)
			eventually(t, func() bool { d, _ := s.PendingAge(ctx, lb.ID); return d > 2*time.Millisecond })
		}
		create(t, s, &lbaas.LoadBalancer{Host: "another"})
		elsewhere := create(t, s, &lbaas.LoadBalancer{})
		achieve(t, s, lbs[1])
		achieve(t, s, lbs[3])
		change(t, s, lbs[4].ID, func(c *store.Change) error { return c.Delete(c.LB) })
		want = []string{want[0], want[2], want[4]}
		for limit, most := range map[int]int{0: 3, 2: 2, 9: 3} {
			got, err := s.Pending(ctx, "host/h", limit)
			if diff := cmp.Diff(want[:most], got); diff != "" || err != nil {
				t.Errorf("pending with the limit %d: %v (-want +got):\n%s", limit, err, diff)
			}
		}
		for _, test := range []struct {
			providers []string
			want      int
		}{{nil, 0}, {[]string{"avi"}, 0}, {[]string{"avi", "haproxy"}, 3}, {[]string{"noop", "haproxy"}, 5}} {
			ids, err := s.LoadBalancerIDs(ctx, "host/h", test.providers...)
			if err != nil || len(ids) != test.want {
				t.Errorf("the audit of %v sees %d, %v", test.providers, len(ids), err)
			}
		}
		known, err := s.KnownLoadBalancers(ctx, []string{lbs[4].ID, uuid.NewString(), lbs[0].ID})
		slices.Sort(known)
		if want := []string{lbs[0].ID, lbs[4].ID}; err != nil || !slices.Equal(known, slices.Sorted(slices.Values(want))) {
			t.Errorf("known are %v, %v; want %v", known, err, want)
		}
		names, err := s.LeaseNames(ctx)
		if diff := cmp.Diff([]string{"host/another", "host/h", store.LeaseName(elsewhere)}, names); diff != "" || err != nil {
			t.Errorf("leases: %v (-want +got):\n%s", err, diff)
		}
	})
}

func eventually(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within ten seconds")
		}
	}
}
