package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// TestUDPForgets has a flow rest for longer than its listener's timeouts, and a client for longer than the pool's persistence: each is
// shared out anew then, and not before.
func TestUDPForgets(t *testing.T) {
	s := newDatagramSite(t, 2, pools.CreateOpts{}, func(l *listeners.CreateOpts) {
		l.TimeoutClientData, l.TimeoutMemberData = number(1000), number(1000)
	})
	flow := s.flow(t)
	changes := func(what string, ask func() string) {
		t.Helper()
		first := ask()
		harness.Eventually(t, 20*time.Second, func() error {
			if again := ask(); again != first {
				return nil
			}
			time.Sleep(2500 * time.Millisecond)
			return fmt.Errorf("%s: it is always with %s", what, first)
		})
	}
	ask := func() string { return mustAsk(t, flow) }
	for range 4 {
		began := time.Now()
		if first, second := ask(), ask(); first != second && time.Since(began) < time.Second { // else it did rest
			t.Errorf("a flow that does not rest is with %s and then with %s", first, second)
		}
	}
	changes("a flow that rests", ask)
	s.persist(t, map[string]any{"type": "SOURCE_IP", "persistence_timeout": 1})
	began := time.Now()
	if by := s.asked(t, 4); len(by) != 1 && time.Since(began) < time.Second {
		t.Errorf("a client that comes again at once was with %v", by)
	}
	changes("a client that comes again late", func() string { return one(s.asked(t, 1)) })
}

// TestUDPFailover asks for a fresh data plane: flows go on with their member, and figures rise.
func TestUDPFailover(t *testing.T) {
	s := newDatagramSite(t, 2, pools.CreateOpts{})
	flow := s.flow(t)
	name := mustAsk(t, flow)
	before := s.counted(t, listeners.Stats{TotalConnections: 1}, func() {})
	if err := loadbalancers.Failover(t.Context(), s.LoadBalancer, s.lb.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	if now := mustAsk(t, flow); now != name {
		t.Errorf("a flow went from %s to %s", name, now)
	}
	s.wantShares(t, 4, map[string]int{"m1": 2, "m2": 2})
	s.counted(t, listeners.Stats{TotalConnections: before.TotalConnections + 4, BytesIn: before.BytesIn + 5*29, BytesOut: before.BytesOut + 5*30}, func() {})
}

// TestPortOfEach has one port number listened on by TCP, UDP and SCTP at once, by one load balancer and one member.
func TestPortOfEach(t *testing.T) {
	const port, behind = 53, 5353
	s := newDatagramSite(t, 1, pools.CreateOpts{})
	node := s.servers[0].Node
	serveEcho(t, &harness.Web{Node: node, Name: "echo", Port: behind})
	node.ServeSCTP(t, behind, "sctp")
	s.lead(t, "TCP", port, nil, nil, behind, node)
	s.lead(t, "SCTP", port, nil, nil, behind, node)
	s.WaitActive(t, s.lb.ID)
	s.wantShares(t, 2, map[string]int{"m1": 2})
	echoes(t, s.dial(t, port), "by TCP")
	if a, err := s.client.Associate(t, 20000, s.lb.VIP, port); err != nil || a.Server != "sctp" {
		t.Errorf("by SCTP: %+v, %v", a, err)
	}
}

// TestUDPSwitchedOff switches what a flow goes through off and on: the port is closed meanwhile, also for a flow that there is.
func TestUDPSwitchedOff(t *testing.T) {
	s := newDatagramSite(t, 1, pools.CreateOpts{})
	for _, part := range []struct{ path, noun string }{
		{"/pools/" + s.lb.PoolID, "pool"}, {"/listeners/" + s.lb.ListenerID, "listener"}, {"/loadbalancers/" + s.lb.ID, "loadbalancer"},
		{"/pools/" + s.lb.PoolID + "/members/" + s.lb.MemberIDs[0], "member"},
	} {
		flow := s.flow(t)
		mustAsk(t, flow)
		s.alter(t, part.path, part.noun, object{"admin_state_up": false})
		s.wantRefused(t)
		if name, err := harness.Ask(flow, "?"); err == nil {
			t.Errorf("with the %s off a flow is answered by %s", part.noun, name)
		}
		s.alter(t, part.path, part.noun, object{"admin_state_up": true})
		s.wantShares(t, 2, map[string]int{"m1": 2})
	}
	s.alter(t, "/listeners/"+s.lb.ListenerID, "listener", object{"default_pool_id": nil})
	s.wantRefused(t)
}
