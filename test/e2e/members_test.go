package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// TestConcurrentMemberChanges makes a hundred changes to one load balancer at once: all land, with far fewer Applies.
func TestConcurrentMemberChanges(t *testing.T) {
	s := newSite(t, 2, harness.Tree{})
	before := s.applies()
	var all sync.WaitGroup
	var mu sync.Mutex
	var added []string
	for i := range 60 {
		all.Go(func() {
			zero := 0 // nobody is there
			m, err := pools.CreateMember(t.Context(), s.LoadBalancer, s.lb.PoolID, pools.CreateMemberOpts{
				Address: fmt.Sprintf("10.1.0.%d", 150+i), ProtocolPort: 80, Weight: &zero, SubnetID: s.net.SubnetID,
			}).Extract()
			if err != nil {
				t.Errorf("add member %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			added = append(added, m.ID)
		})
	}
	for i := range 40 {
		all.Go(func() {
			weight := 1 + i
			id := s.lb.MemberIDs[i%2]
			_, err := pools.UpdateMember(t.Context(), s.LoadBalancer, s.lb.PoolID, id, pools.UpdateMemberOpts{Weight: &weight}).Extract()
			if err != nil {
				t.Errorf("change member %d: %v", i, err)
			}
		})
	}
	all.Wait()
	s.WaitActive(t, s.lb.ID)
	applies := s.applies() - before
	t.Logf("%d Applies for 100 changes", applies)
	if applies > 50 {
		t.Errorf("%d Applies for 100 changes, want far fewer", applies)
	}
	conf := s.configuration(t)
	for _, id := range append(added, s.lb.MemberIDs...) {
		if !strings.Contains(conf, id) {
			t.Errorf("member %s is not in haproxy.conf", id)
		}
	}
	for range 10 {
		if _, err := s.client.Get(s.lb.Address); err != nil {
			t.Errorf("request: %v", err)
		}
	}
}

// applies returns how often the load balancer became ACTIVE, which it does once with each Apply.
func (s *site) applies() int {
	n := 0
	for line := range strings.Lines(s.Log()) {
		if strings.Contains(line, "load balancer became ACTIVE") && strings.Contains(line, s.lb.ID) {
			n++
		}
	}
	return n
}

// configuration returns the load balancer's haproxy.conf.
func (s *site) configuration(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.StateDir, "lbaas", "v2", s.lb.ID, "haproxy.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDeleteThenCreate creates what was deleted a moment before, with the same address and ports.
func TestDeleteThenCreate(t *testing.T) {
	s := newSite(t, 1, harness.Tree{Monitor: true})
	ctx, api := t.Context(), s.LoadBalancer
	for round := range 5 {
		if err := monitors.Delete(ctx, api, s.lb.MonitorID).ExtractErr(); err != nil {
			t.Fatalf("round %d: delete the monitor: %v", round, err)
		}
		if err := pools.DeleteMember(ctx, api, s.lb.PoolID, s.lb.MemberIDs[0]).ExtractErr(); err != nil {
			t.Fatalf("round %d: delete the member: %v", round, err)
		}
		if err := listeners.Delete(ctx, api, s.lb.ListenerID).ExtractErr(); err != nil {
			t.Fatalf("round %d: delete the listener: %v", round, err)
		}
		var err error
		if s.lb.MonitorID, err = s.TryMonitor(t, s.lb); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if s.lb.MemberIDs[0], err = s.TryMember(t, s.lb, s.net, s.webs[0]); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		l, err := listeners.Create(ctx, api, listeners.CreateOpts{
			LoadbalancerID: s.lb.ID, Protocol: listeners.ProtocolHTTP, ProtocolPort: 80, DefaultPoolID: s.lb.PoolID,
		}).Extract()
		if err != nil {
			t.Fatalf("round %d: create the listener: %v", round, err)
		}
		s.lb.ListenerID = l.ID
	}
	s.WaitActive(t, s.lb.ID)
	harness.Eventually(t, 10*time.Second, func() error {
		name, err := s.client.Get(s.lb.Address)
		if err == nil && name != s.webs[0].Name {
			err = fmt.Errorf("%q answered", name)
		}
		return err
	})
}
