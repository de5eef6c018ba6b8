package e2e

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// datagramSite is a server with members that answer datagrams, a client, and a load balancer whose listener 53 leads to them.
type datagramSite struct {
	*site
	servers []*harness.Datagrams
}

// newDatagramSite makes a site of which everything is ACTIVE and answers.
func newDatagramSite(t *testing.T, members int, pool pools.CreateOpts, more ...func(*listeners.CreateOpts)) *datagramSite {
	t.Helper()
	s := &datagramSite{site: prepare(t, 0)}
	ctx, api := t.Context(), s.LoadBalancer
	lb, err := loadbalancers.Create(ctx, api, loadbalancers.CreateOpts{Name: "dns", VipSubnetID: s.net.SubnetID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.lb = &harness.LB{ID: lb.ID, VIP: lb.VipAddress, Address: harness.JoinPort(lb.VipAddress, 53)}
	pool.Protocol, pool.LoadbalancerID = pools.ProtocolUDP, lb.ID
	if pool.LBMethod == "" {
		pool.LBMethod = pools.LBMethodRoundRobin
	}
	p, err := pools.Create(ctx, api, pool).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.lb.PoolID = p.ID
	opts := listeners.CreateOpts{LoadbalancerID: lb.ID, Protocol: listeners.ProtocolUDP, ProtocolPort: 53, DefaultPoolID: p.ID}
	for _, set := range more {
		set(&opts)
	}
	l, err := listeners.Create(ctx, api, opts).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.lb.ListenerID = l.ID
	for i := range members {
		s.addDatagramMember(t, fmt.Sprintf("m%d", i+1), pools.CreateMemberOpts{})
	}
	s.WaitActive(t, lb.ID)
	return s
}

// addDatagramMember makes a server of datagrams that is a member.
func (s *datagramSite) addDatagramMember(t *testing.T, name string, opts pools.CreateMemberOpts) {
	t.Helper()
	d := s.Plug(t, s.net).ServeDatagrams(t, 5353, name)
	opts.Name, opts.Address, opts.ProtocolPort, opts.SubnetID = name, d.Node.Address, d.Port, s.net.SubnetID
	m, err := pools.CreateMember(t.Context(), s.LoadBalancer, s.lb.PoolID, opts).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.servers, s.lb.MemberIDs = append(s.servers, d), append(s.lb.MemberIDs, m.ID)
}

// changeMember changes a member and waits until that is done.
func (s *datagramSite) changeMember(t *testing.T, i int, opts pools.UpdateMemberOpts) {
	t.Helper()
	if err := pools.UpdateMember(t.Context(), s.LoadBalancer, s.lb.PoolID, s.lb.MemberIDs[i], opts).Err; err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
}

// asked returns who answered, of n flows that must all be answered.
func (s *datagramSite) asked(t *testing.T, n int) map[string]int {
	t.Helper()
	by := map[string]int{}
	for range n {
		name, err := s.client.AskOnce(t, s.lb.Address)
		if err != nil {
			t.Fatalf("ask %s: %v", s.lb.Address, err)
		}
		by[name]++
	}
	return by
}

func (s *datagramSite) wantShares(t *testing.T, n int, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, s.asked(t, n)); diff != "" {
		t.Errorf("flows of each member (-want +got):\n%s", diff)
	}
}

// wantRefused wants the port to be closed, for new flows and those that there were.
func (s *datagramSite) wantRefused(t *testing.T) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, func() error {
		name, err := s.client.AskOnce(t, s.lb.Address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		return fmt.Errorf("%q answers, %w", name, err)
	})
}

// flow is a flow that lasts.
func (s *datagramSite) flow(t *testing.T) net.Conn {
	t.Helper()
	c, err := s.client.Dial(t.Context(), "udp", s.lb.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func mustAsk(t *testing.T, c net.Conn) string {
	t.Helper()
	name, err := harness.Ask(c, "?")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func number(n int) *int { return &n }

func boolean(b bool) *bool { return &b }

// TestUDP sends datagrams through a load balancer whose members come, change and go: new flows follow the weights, flows stay with their
// member while it may have them, and move at once when it may not.
func TestUDP(t *testing.T) {
	s := newDatagramSite(t, 2, pools.CreateOpts{})
	s.wantShares(t, 20, map[string]int{"m1": 10, "m2": 10})

	s.changeMember(t, 0, pools.UpdateMemberOpts{Weight: number(3)})
	s.wantShares(t, 20, map[string]int{"m1": 15, "m2": 5})
	for address := range s.servers[0].Sources() {
		if address != s.lb.VIP {
			t.Errorf("a member saw %s, want the VIP %s", address, s.lb.VIP)
		}
	}

	flow := s.flow(t)
	name := mustAsk(t, flow)
	i := map[string]int{"m1": 0, "m2": 1}[name]
	s.changeMember(t, i, pools.UpdateMemberOpts{Weight: number(0)})
	for range 3 {
		if now := mustAsk(t, flow); now != name {
			t.Errorf("a flow of the draining member %s went to %s", name, now)
		}
	}
	other := map[string]string{"m1": "m2", "m2": "m1"}[name]
	s.wantShares(t, 4, map[string]int{other: 4})
	s.WaitOperating(t, s.lb.ID, s.lb.MemberIDs[i], "DRAINING")

	s.changeMember(t, i, pools.UpdateMemberOpts{AdminStateUp: boolean(false)})
	if now := mustAsk(t, flow); now != other {
		t.Errorf("a flow of the disabled member %s stayed with %s", name, now)
	}
	s.WaitOperating(t, s.lb.ID, s.lb.MemberIDs[i], "OFFLINE")

	s.addDatagramMember(t, "m3", pools.CreateMemberOpts{})
	s.WaitActive(t, s.lb.ID)
	for _, id := range []int{0, 1} {
		if err := pools.DeleteMember(t.Context(), s.LoadBalancer, s.lb.PoolID, s.lb.MemberIDs[id]).ExtractErr(); err != nil {
			t.Fatal(err)
		}
	}
	s.WaitActive(t, s.lb.ID)
	if now := mustAsk(t, flow); now != "m3" {
		t.Errorf("a flow of a removed member went to %s", now)
	}
	if err := pools.DeleteMember(t.Context(), s.LoadBalancer, s.lb.PoolID, s.lb.MemberIDs[2]).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	s.wantRefused(t)
	harness.Eventually(t, 10*time.Second, func() error { // the kernel refuses once in a second
		if _, err := harness.Ask(flow, "?"); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("a flow without members: %w", err)
		}
		return nil
	})
	s.addDatagramMember(t, "m4", pools.CreateMemberOpts{})
	s.WaitActive(t, s.lb.ID)
	if now := mustAsk(t, flow); now != "m4" {
		t.Errorf("a flow that was refused went to %s", now)
	}
	if err := listeners.Delete(t.Context(), s.LoadBalancer, s.lb.ListenerID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	s.wantRefused(t)
	s.Delete(t, s.lb.ID)
}
