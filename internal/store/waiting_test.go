package store_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestWaiting has objects that are tried again: they alone stay as they were, and the load balancer with them.
func TestWaiting(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		lb := create(t, s, fullTree())
		lease := leaseOf(t, s, lb)
		listener, member := lb.Listeners[0], lb.Pools[0].Members[1]
		reasons := map[string]string{listener.ID: "no such certificate", member.ID: "no route", uuid.NewString(): "who is that?"}
		told := map[string]string{
			"listener": "no such certificate", "member 1": "no route",
			"lb": summaryOf("Listener listener: no such certificate", listener.ID, "Member member 1: no route", member.ID),
		}
		wait := func(generation int64) {
			t.Helper()
			if err := s.Waiting(ctx, lease, lb.ID, generation, reasons, nil); err != nil {
				t.Fatal(err)
			}
		}
		age, err := s.PendingAge(ctx, lb.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, when := range []string{"after the first try", "after the second try"} {
			wait(1)
			wantStatuses(t, s, lb.ID, when, but(all(lbaas.Active), lbaas.PendingCreate, "lb", "listener", "member 1"))
			wantReasons(t, s, lb.ID, when, told)
		}
		if later, err := s.PendingAge(ctx, lb.ID); err != nil || later < age || !isPending(t, s, lb) {
			t.Errorf("it has waited for %v, and before for %v: %v", later, age, err)
		}

		if err := s.Achieved(ctx, lease, lb.ID, 1, reasons, nil); err != nil { // the deadline
			t.Fatal(err)
		}
		wait(1)
		wantStatuses(t, s, lb.ID, "after the deadline", but(all(lbaas.Active), lbaas.Failed, "lb", "listener", "member 1"))

		change(t, s, lb.ID, func(c *store.Change) error { return c.Delete(c.LB.Pools[0].Members[1]) })
		wait(1) // of what is older
		wantStatuses(t, s, lb.ID, "after the member was deleted",
			but(but(but(all(lbaas.Active), lbaas.PendingUpdate, "lb"), lbaas.PendingDelete, "member 1"), lbaas.Failed, "listener"))
		wait(2)
		if n := s.Rows(t, "members", lb.ID); n != len(lb.Pools[0].Members) {
			t.Errorf("%d members are left while one waits to be deleted", n)
		}
		delete(reasons, member.ID)
		wait(2)
		if n := s.Rows(t, "members", lb.ID); n != len(lb.Pools[0].Members)-1 {
			t.Errorf("%d members are left once one is deleted", n)
		}
	})
}

// TestWaitingToBeRepaired has an object of what is ACTIVE be tried again: nothing is told before the deadline.
func TestWaitingToBeRepaired(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		lb := create(t, s, fullTree())
		achieve(t, s, lb)
		reasons := map[string]string{lb.Listeners[0].ID: "no process", lb.ID: "no process"}
		if err := s.Waiting(context.Background(), leaseOf(t, s, lb), lb.ID, 1, reasons, nil); err != nil {
			t.Fatal(err)
		}
		wantStatuses(t, s, lb.ID, "while it is repaired", all(lbaas.Active))
		wantReasons(t, s, lb.ID, "while it is repaired", map[string]string{})
		if isPending(t, s, lb) {
			t.Error("it is pending")
		}
	})
}
