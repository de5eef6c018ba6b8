package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"

	"plimsoll/test/harness"
)

// TestStatistics counts what clients did while everything that could make the figures fall is done: they rise, by as much as the clients
// know of. A load balancer's are the sum of its listeners'.
func TestStatistics(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, harness.Tree{})
	other := s.create(t, "/listeners", "listener", object{"loadbalancer_id": s.lb.ID, "protocol": "TCP", "protocol_port": 81,
		"default_pool_id": s.lb.PoolID})
	s.WaitActive(t, s.lb.ID)
	s.get(t, harness.JoinPort(s.lb.VIP, 81), "/")
	before := s.figures(t, func(f listeners.Stats) error { return nil })
	switched := func(path, noun string) func() {
		return func() {
			s.alter(t, path, noun, object{"admin_state_up": false})
			s.alter(t, path, noun, object{"admin_state_up": true})
		}
	}
	for _, test := range []struct {
		name   string
		change func()
	}{
		{"nothing", func() {}},
		{"a reload", func() { s.reload(t, 82) }},
		{"the engine is killed", func() { s.killEngine(t) }},
		{"HAProxy is killed", func() { s.killHAProxies(t) }},
		{"a failover", func() {
			if err := loadbalancers.Failover(t.Context(), s.LoadBalancer, s.lb.ID).ExtractErr(); err != nil {
				t.Fatal(err)
			}
			s.WaitActive(t, s.lb.ID)
		}},
		{"the server is killed", func() { s.Kill(t); s.Start(t) }},
		{"the listener is off and on", switched("/listeners/"+s.lb.ListenerID, "listener")},
		{"the load balancer is off and on", switched("/loadbalancers/"+s.lb.ID, "loadbalancer")},
	} {
		test.change()
		s.answers(t)
		const requests = 5
		for range requests {
			s.get(t, s.lb.Address, "/")
		}
		// A request by hand is longer than 50 bytes, and its answer than 100.
		before = s.figures(t, func(f listeners.Stats) error {
			if f.TotalConnections < before.TotalConnections+requests || f.BytesIn < before.BytesIn+50*requests || f.BytesOut < before.BytesOut+100*requests {
				return fmt.Errorf("%s: statistics %+v, before it %+v", test.name, f, before)
			}
			return nil
		})
	}
	c := s.dial(t, 80)
	s.figures(t, func(f listeners.Stats) error {
		if f.ActiveConnections != 1 {
			return fmt.Errorf("%d active connections, want 1", f.ActiveConnections)
		}
		return nil
	})
	_ = c.Close()
	errors := s.figures(t, func(listeners.Stats) error { return nil }).RequestErrors
	if err := s.raw("no request\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.figures(t, func(f listeners.Stats) error {
		if f.RequestErrors != errors+1 {
			return fmt.Errorf("%d requests were wrong, want %d", f.RequestErrors, errors+1)
		}
		return nil
	})
	s.sums(t, s.lb.ListenerID, other)
}

// figures waits until the listener's statistics are right, and returns them.
func (s *site) figures(t *testing.T, right func(listeners.Stats) error) listeners.Stats {
	t.Helper()
	var f listeners.Stats
	harness.Eventually(t, 30*time.Second, func() error {
		got, err := listeners.GetStats(t.Context(), s.LoadBalancer, s.lb.ListenerID).Extract()
		if err != nil {
			return err
		}
		f = *got
		return right(f)
	})
	return f
}

// sums compares a load balancer's statistics with those of the listeners that had traffic.
func (s *site) sums(t *testing.T, ids ...string) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, func() error {
		var want loadbalancers.Stats
		for _, id := range ids {
			l, err := listeners.GetStats(t.Context(), s.LoadBalancer, id).Extract()
			if err != nil {
				return err
			}
			want.ActiveConnections += l.ActiveConnections
			want.BytesIn += l.BytesIn
			want.BytesOut += l.BytesOut
			want.RequestErrors += l.RequestErrors
			want.TotalConnections += l.TotalConnections
		}
		got, err := loadbalancers.GetStats(t.Context(), s.LoadBalancer, s.lb.ID).Extract()
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			return fmt.Errorf("the load balancer's statistics (-listeners' +its own):\n%s", diff)
		}
		return nil
	})
}
