package e2e

import (
	"fmt"
	"testing"
	"time"

	"plimsoll/test/harness"
)

// TestDeadMember takes a member down: it leaves the rotation and says so, and comes back.
func TestDeadMember(t *testing.T) {
	s := newSite(t, 3, harness.Tree{Monitor: true})
	lb := s.lb
	for _, id := range append([]string{lb.ID, lb.PoolID, lb.ListenerID}, lb.MemberIDs...) {
		s.WaitOperating(t, lb.ID, id, "ONLINE")
	}
	s.webs[0].Stop()
	s.WaitOperating(t, lb.ID, lb.MemberIDs[0], "ERROR")
	s.WaitOperating(t, lb.ID, lb.PoolID, "DEGRADED")
	s.WaitOperating(t, lb.ID, lb.ID, "DEGRADED")
	for i := range 30 {
		name, err := s.client.Get(lb.Address)
		if err != nil || name == s.webs[0].Name {
			t.Errorf("request %d: %q, %v", i, name, err)
		}
	}
	s.WaitActive(t, lb.ID) // a member that is down is no reason to change anything
	s.webs[0].Start(t)
	for _, id := range append([]string{lb.ID, lb.PoolID}, lb.MemberIDs...) {
		s.WaitOperating(t, lb.ID, id, "ONLINE")
	}
	harness.Eventually(t, 10*time.Second, func() error { return s.allServe(lb) })
	for _, w := range s.webs {
		w.Stop()
	}
	s.WaitOperating(t, lb.ID, lb.PoolID, "ERROR")
	s.WaitOperating(t, lb.ID, lb.ID, "ERROR")
	harness.Eventually(t, 10*time.Second, func() error {
		if name, err := s.client.Get(lb.Address); err == nil || err.Error() != "status 503" {
			return fmt.Errorf("%q answered: %w, want status 503", name, err)
		}
		return nil
	})
}
