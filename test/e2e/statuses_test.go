package e2e

import (
	"net"
	"syscall"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// operating are the statuses of a load balancer, its listener, its pool, its members and its monitor.
type operating struct{ lb, listener, pool, m1, m2, monitor string }

// TestOperatingStatuses brings a load balancer with real members into each operating status of each of its objects, as the API's
// reference has them (section 1.5), and back.
func TestOperatingStatuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2, harness.Tree{Monitor: true})
	well := operating{"ONLINE", "ONLINE", "ONLINE", "ONLINE", "ONLINE", "ONLINE"}
	s.are(t, "well", well)
	for _, test := range []struct {
		name   string
		change func(on bool) error // on undoes it
		want   operating
	}{
		{"a member without weight", func(on bool) error {
			weight := map[bool]int{true: 1}[on]
			return s.member(t, pools.UpdateMemberOpts{Weight: &weight})
		}, operating{"ONLINE", "ONLINE", "ONLINE", "DRAINING", "ONLINE", "ONLINE"}},
		{"a member that is off", func(on bool) error { return s.member(t, pools.UpdateMemberOpts{AdminStateUp: &on}) },
			operating{"ONLINE", "ONLINE", "ONLINE", "OFFLINE", "ONLINE", "ONLINE"}},
		{"a member that is dead", func(on bool) error { return s.serve(t, on, s.webs[:1]) },
			operating{"DEGRADED", "ONLINE", "DEGRADED", "ERROR", "ONLINE", "ONLINE"}},
		{"all members dead", func(on bool) error { return s.serve(t, on, s.webs) },
			operating{"ERROR", "ONLINE", "ERROR", "ERROR", "ERROR", "ONLINE"}},
		{"a monitor that is off", func(on bool) error {
			return monitors.Update(t.Context(), s.LoadBalancer, s.lb.MonitorID, monitors.UpdateOpts{AdminStateUp: &on}).Err
		}, operating{"ONLINE", "ONLINE", "ONLINE", "NO_MONITOR", "NO_MONITOR", "OFFLINE"}},
		{"a pool that is off", func(on bool) error {
			return pools.Update(t.Context(), s.LoadBalancer, s.lb.PoolID, pools.UpdateOpts{AdminStateUp: &on}).Err
		}, operating{"ONLINE", "ONLINE", "OFFLINE", "OFFLINE", "OFFLINE", "ONLINE"}},
		{"a listener at its limit", s.full(t), operating{"DEGRADED", "DEGRADED", "ONLINE", "ONLINE", "ONLINE", "ONLINE"}},
		{"a listener that is off", func(on bool) error {
			return listeners.Update(t.Context(), s.LoadBalancer, s.lb.ListenerID, listeners.UpdateOpts{AdminStateUp: &on}).Err
		}, operating{"ONLINE", "OFFLINE", "OFFLINE", "OFFLINE", "OFFLINE", "ONLINE"}},
		{"a load balancer that is off", func(on bool) error {
			return loadbalancers.Update(t.Context(), s.LoadBalancer, s.lb.ID, loadbalancers.UpdateOpts{AdminStateUp: &on}).Err
		}, operating{"OFFLINE", "OFFLINE", "OFFLINE", "OFFLINE", "OFFLINE", "ONLINE"}},
	} {
		if err := test.change(false); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		s.are(t, test.name, test.want)
		if err := test.change(true); err != nil {
			t.Fatalf("%s: undo: %v", test.name, err)
		}
		s.are(t, "well after "+test.name, well)
	}
	// A data plane that hangs serves nobody. It is replaced, so the status does not last.
	for _, p := range s.HAProxies() {
		if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	s.WaitOperating(t, s.lb.ID, s.lb.ListenerID, "ERROR")
	s.are(t, "well after HAProxy hung", well)
	s.answers(t)
}

// are waits until all is ACTIVE and has the statuses.
func (s *site) are(t *testing.T, when string, want operating) {
	t.Helper()
	t.Log(when)
	s.WaitActive(t, s.lb.ID)
	for id, status := range map[string]string{
		s.lb.ID: want.lb, s.lb.ListenerID: want.listener, s.lb.PoolID: want.pool,
		s.lb.MemberIDs[0]: want.m1, s.lb.MemberIDs[1]: want.m2, s.lb.MonitorID: want.monitor,
	} {
		s.WaitOperating(t, s.lb.ID, id, status)
	}
}

// member changes the first member.
func (s *site) member(t *testing.T, opts pools.UpdateMemberOpts) error {
	return pools.UpdateMember(t.Context(), s.LoadBalancer, s.lb.PoolID, s.lb.MemberIDs[0], opts).Err
}

// serve starts servers or stops them.
func (s *site) serve(t *testing.T, on bool, webs []*harness.Web) error {
	t.Helper()
	for _, w := range webs {
		if !on {
			w.Stop()
		} else if err := w.TryStart(); err != nil {
			return err
		}
	}
	return nil
}

// full gives the listener one connection, which is taken, and then as many as before.
func (s *site) full(t *testing.T) func(on bool) error {
	var c net.Conn
	return func(on bool) (err error) {
		limit := map[bool]int{true: -1, false: 1}[on]
		if err := listeners.Update(t.Context(), s.LoadBalancer, s.lb.ListenerID, listeners.UpdateOpts{ConnLimit: &limit}).Err; err != nil {
			return err
		}
		s.WaitActive(t, s.lb.ID)
		if on {
			return c.Close()
		}
		c, err = s.client.Dial(t.Context(), "tcp", s.lb.Address)
		return err
	}
}
