package e2e

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

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
	t.Parallel() // these tests mostly wait
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
		by[mustAskOnce(t, s.client, s.lb.Address)]++
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

// mustAsk wants an answer over a connection.
func mustAsk(t *testing.T, c net.Conn) string {
	t.Helper()
	name, err := harness.AskFor(c, "?", 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// mustAskOnce wants an answer to a flow of its own.
func mustAskOnce(t *testing.T, from *harness.Node, address string) string {
	t.Helper()
	c, err := from.Flow(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return mustAsk(t, c)
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
	if again, err := harness.Ask(flow, strings.Repeat("in several fragments ", 300)); err != nil || again != name {
		t.Errorf("a datagram in fragments is answered %q, %v", again, err)
	}
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

// TestUDPPersistence keeps a client with one member by the range of its address, also when weights change and members come; not when
// the member drains.
func TestUDPPersistence(t *testing.T) {
	s := newDatagramSite(t, 3, pools.CreateOpts{Persistence: &pools.SessionPersistence{Type: "SOURCE_IP"}})
	s.persist(t, map[string]any{"type": "SOURCE_IP", "persistence_timeout": 60, "persistence_granularity": "255.255.255.128"})
	near, far := s.Plug(t, s.net, "10.1.0.60"), s.Plug(t, s.net, "10.1.0.200")
	names := map[string]int{}
	for range 3 {
		for name, n := range s.asked(t, 2) {
			names[name] += n
		}
		names[mustAskOnce(t, near, s.lb.Address)]++
	}
	if len(names) != 1 {
		t.Errorf("clients of one range were with %v", names)
	}
	if other := mustAskOnce(t, far, s.lb.Address); names[other] > 0 {
		t.Errorf("a client of another range, the second to come, is with %q too", other)
	}

	s.addDatagramMember(t, "m4", pools.CreateMemberOpts{Weight: number(100)})
	s.WaitActive(t, s.lb.ID)
	for name := range s.asked(t, 5) {
		if names[name] == 0 {
			t.Errorf("a member came, and the client went from %v to %s", names, name)
		}
	}
	for i, d := range s.servers {
		if names[d.Name] > 0 {
			s.changeMember(t, i, pools.UpdateMemberOpts{Weight: number(0)})
		}
	}
	if moved := s.asked(t, 5); len(moved) != 1 || names[one(moved)] > 0 {
		t.Errorf("the member of %v drains, and the client is with %v", names, moved)
	}
}

// one is a key of a map.
func one(m map[string]int) string {
	for key := range m {
		return key
	}
	return ""
}

// TestUDPAlgorithms hashes sources: a client is always with the same member, or each of its ports is.
func TestUDPAlgorithms(t *testing.T) {
	s := newDatagramSite(t, 4, pools.CreateOpts{LBMethod: pools.LBMethodSourceIp})
	if by := s.asked(t, 12); len(by) != 1 {
		t.Errorf("by SOURCE_IP a client was with %v", by)
	}
	by := map[string]int{}
	for range 12 {
		by[mustAskOnce(t, s.Plug(t, s.net), s.lb.Address)]++
	}
	if len(by) < 2 {
		t.Errorf("by SOURCE_IP 12 clients were with %v", by)
	}
	if err := pools.Update(t.Context(), s.LoadBalancer, s.lb.PoolID, pools.UpdateOpts{LBMethod: pools.LBMethodSourceIpPort}).Err; err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	if by := s.asked(t, 60); len(by) != 4 {
		t.Errorf("by SOURCE_IP_PORT 60 flows were with %v", by)
	}
	at := func() string {
		c, err := s.client.DialFrom("udp", harness.JoinPort(s.client.Address, 40404), s.lb.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return mustAsk(t, c)
	}
	if first, second := at(), at(); first != second {
		t.Errorf("by SOURCE_IP_PORT a port was with %s and then with %s", first, second)
	}
}

// TestUDPLimits refuses flows beyond connection_limit, and does not answer clients that allowed_cidrs does not name.
func TestUDPLimits(t *testing.T) {
	s := newDatagramSite(t, 1, pools.CreateOpts{}, func(l *listeners.CreateOpts) { l.ConnLimit = number(3) })
	for range 3 {
		mustAsk(t, s.flow(t))
	}
	s.wantRefused(t)
	s.WaitOperating(t, s.lb.ID, s.lb.ListenerID, "DEGRADED")

	update := func(opts listeners.UpdateOpts) {
		t.Helper()
		if err := listeners.Update(t.Context(), s.LoadBalancer, s.lb.ListenerID, opts).Err; err != nil {
			t.Fatal(err)
		}
		s.WaitActive(t, s.lb.ID)
	}
	update(listeners.UpdateOpts{ConnLimit: number(-1)})
	s.WaitOperating(t, s.lb.ID, s.lb.ListenerID, "ONLINE")
	flow := s.flow(t)
	mustAsk(t, flow)
	update(listeners.UpdateOpts{AllowedCIDRs: &[]string{"10.1.0.224/27", "192.0.2.0/24"}})
	if name, err := harness.Ask(flow, "?"); !isTimeout(err) {
		t.Errorf("a client that is not allowed is answered %q, %v", name, err)
	}
	allowed := s.Plug(t, s.net, "10.1.0.230")
	if name := mustAskOnce(t, allowed, s.lb.Address); name != "m1" {
		t.Errorf("an allowed client is answered %q", name)
	}
	update(listeners.UpdateOpts{AllowedCIDRs: &[]string{}})
	mustAsk(t, flow)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// TestUDPDeath has members die: a monitor takes them out, flows move, backups take over when no other is left.
func TestUDPDeath(t *testing.T) {
	s := newDatagramSite(t, 2, pools.CreateOpts{})
	s.addDatagramMember(t, "spare", pools.CreateMemberOpts{Backup: boolean(true)})
	for i, d := range s.servers { // the monitor asks web servers beside those of datagrams, so that what dies is known at once
		web := d.Node.Serve(t, 8080, d.Name)
		s.webs = append(s.webs, web)
		if err := pools.UpdateMember(t.Context(), s.LoadBalancer, s.lb.PoolID, s.lb.MemberIDs[i],
			pools.UpdateMemberOpts{MonitorPort: number(8080)}).Err; err != nil {
			t.Fatal(err)
		}
	}
	_, err := monitors.Create(t.Context(), s.LoadBalancer, monitors.CreateOpts{
		PoolID: s.lb.PoolID, Type: "TCP", Delay: 1, Timeout: 1, MaxRetries: 1, MaxRetriesDown: 1}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	for _, id := range s.lb.MemberIDs {
		s.WaitOperating(t, s.lb.ID, id, "ONLINE")
	}
	s.wantShares(t, 4, map[string]int{"m1": 2, "m2": 2})
	flow := s.flow(t)
	name := mustAsk(t, flow)
	s.die(t, name)
	moves(t, flow, map[string]string{"m1": "m2", "m2": "m1"}[name])
	s.die(t, map[string]string{"m1": "m2", "m2": "m1"}[name])
	moves(t, flow, "spare")
	s.wantShares(t, 3, map[string]int{"spare": 3})
	s.die(t, "spare")
	s.wantRefused(t)
	s.WaitOperating(t, s.lb.ID, s.lb.PoolID, "ERROR")
	for _, w := range s.webs {
		if w.Name != "spare" {
			w.Start(t)
		}
	}
	harness.Eventually(t, 10*time.Second, func() error {
		_, err := harness.Ask(flow, "?")
		return err
	})
	for i := range 2 {
		s.WaitOperating(t, s.lb.ID, s.lb.MemberIDs[i], "ONLINE")
	}
	s.wantShares(t, 4, map[string]int{"m1": 2, "m2": 2})
}

// die ends what a member's monitor asks, and waits until it is known.
func (s *datagramSite) die(t *testing.T, name string) {
	t.Helper()
	for i, w := range s.webs {
		if w.Name == name {
			w.Stop()
			s.WaitOperating(t, s.lb.ID, s.lb.MemberIDs[i], "ERROR")
		}
	}
}

// moves waits until a flow is with a member.
func moves(t *testing.T, flow net.Conn, to string) {
	t.Helper()
	harness.Eventually(t, 5*time.Second, func() error {
		name, err := harness.Ask(flow, "?")
		if err == nil && name != to {
			err = fmt.Errorf("the flow is with %s, want %s", name, to)
		}
		return err
	})
}

// TestUDPRepair damages what forwards datagrams, behind the server's back and also the engine itself: it heals by itself, and figures never
// fall.
func TestUDPRepair(t *testing.T) {
	s := newDatagramSite(t, 1, pools.CreateOpts{})
	s.asked(t, 10)
	// An IPv4 header and one of UDP are 28 bytes; a question has one more, an answer two.
	before := s.counted(t, listeners.Stats{ActiveConnections: 10, BytesIn: 290, BytesOut: 300, TotalConnections: 10}, func() {})

	namespace := "qlbaas-" + s.lb.ID
	for _, damage := range []struct {
		name string
		do   func()
	}{
		{"the engine is killed", func() { s.killEngine(t) }},
		{"all tables are gone", func() { inside(t, namespace, "nft", "flush", "ruleset") }},
		{"a chain is empty", func() { inside(t, namespace, "nft", "flush", "chain", "inet", "plimsoll", "prerouting") }},
		{"nothing is forwarded", func() { inside(t, namespace, "sysctl", "-qw", "net.ipv4.ip_forward=0") }},
		{"the listener is off for a moment", func() {
			for _, up := range []bool{false, true} {
				s.alter(t, "/listeners/"+s.lb.ListenerID, "listener", object{"admin_state_up": up})
			}
		}},
		{"the namespace is gone", func() { s.killHAProxies(t); deleteNamespace(t, namespace) }},
	} {
		damage.do()
		start := time.Now()
		harness.Eventually(t, 30*time.Second, func() error {
			_, err := s.client.AskOnce(t, s.lb.Address)
			return err
		})
		t.Logf("%s: answers again after %v", damage.name, time.Since(start).Round(time.Millisecond))
		s.WaitActive(t, s.lb.ID)
		// What the namespace that is gone counted last, nobody saw: so there are more questions until the figures are seen to rise.
		before = s.counted(t, listeners.Stats{BytesIn: before.BytesIn + 29, BytesOut: before.BytesOut + 30,
			TotalConnections: before.TotalConnections + 1}, func() { _, _ = s.client.AskOnce(t, s.lb.Address) })
	}
}

// counted waits until the listener's statistics are at least so, and does something before each look.
func (s *datagramSite) counted(t *testing.T, least listeners.Stats, first func()) (got *listeners.Stats) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, func() (err error) {
		first()
		got, err = listeners.GetStats(t.Context(), s.LoadBalancer, s.lb.ListenerID).Extract()
		if err == nil && (got.ActiveConnections < least.ActiveConnections || got.BytesIn < least.BytesIn || got.BytesOut < least.BytesOut ||
			got.TotalConnections < least.TotalConnections) {
			err = fmt.Errorf("statistics %+v, want at least %+v", got, least)
		}
		return err
	})
	return got
}

// killEngine kills the engine; its supervisor starts it again.
func (s *site) killEngine(t *testing.T) {
	t.Helper()
	for _, p := range s.Engines() {
		if strings.Contains(p.Command, "--supervise") {
			continue
		}
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Errorf("kill %d: %v", p.PID, err)
		}
	}
}

// inside runs a program in a namespace.
func inside(t *testing.T, namespace string, command ...string) {
	t.Helper()
	args := append([]string{"netns", "exec", namespace}, command...)
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

// TestUDPVersions has a load balancer with VIPs of both IP versions and members of both, some in a network of their own: a flow goes to a
// member of its version, and a source of IPv6 stays with one by its range.
func TestUDPVersions(t *testing.T) {
	t.Parallel()
	s := &datagramSite{site: &site{Server: harness.Start(t)}}
	s.Cloud = s.Admin(t)
	four := s.CreateNetwork(t, "web", "10.1.0.0/24")
	six := s.CreateSubnet(t, four.ID, "six", "fd00:10:1::/64")
	away := s.CreateNetwork(t, "away", "fd00:10:2::/64")
	s.client = s.PlugAt(t, four, ports.IP{SubnetID: four.SubnetID}, ports.IP{SubnetID: six.SubnetID})
	var members []pools.CreateMemberOpts
	for i, n := range []*harness.Net{four, six, away} {
		d := s.PlugAt(t, n, ports.IP{SubnetID: n.SubnetID}).ServeDatagrams(t, 5353, fmt.Sprintf("m%d", i+1))
		members = append(members, pools.CreateMemberOpts{Address: d.Node.Address, ProtocolPort: d.Port, SubnetID: n.SubnetID})
	}
	lb, err := loadbalancers.Create(t.Context(), s.LoadBalancer, loadbalancers.CreateOpts{
		VipSubnetID: four.SubnetID, AdditionalVips: []loadbalancers.AdditionalVip{{SubnetID: six.SubnetID}},
		Listeners: []listeners.CreateOpts{{
			Name: "dns", Protocol: listeners.ProtocolUDP, ProtocolPort: 53,
			DefaultPool: &pools.CreateOpts{Name: "pool", Protocol: pools.ProtocolUDP, LBMethod: pools.LBMethodRoundRobin, Members: members},
		}},
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, lb.ID)
	s.lb = &harness.LB{ID: lb.ID, Address: harness.JoinPort(lb.VipAddress, 53), PoolID: lb.Pools[0].ID}
	s.wantShares(t, 4, map[string]int{"m1": 4})
	s.lb.Address = harness.JoinPort(lb.AdditionalVips[0].IPAddress, 53)
	s.wantShares(t, 4, map[string]int{"m2": 2, "m3": 2})
	s.persist(t, map[string]any{"type": "SOURCE_IP", "persistence_granularity": "ffff:ffff:ffff:ffff::"})
	if by := s.asked(t, 4); len(by) != 1 {
		t.Errorf("a client of IPv6 was with %v", by)
	}
	s.Delete(t, lb.ID)
}

// persist changes the pool's session_persistence.
func (s *datagramSite) persist(t *testing.T, persistence map[string]any) {
	t.Helper()
	body := map[string]any{"pool": map[string]any{"session_persistence": persistence}}
	_, err := s.LoadBalancer.Put(t.Context(), s.LoadBalancer.ServiceURL("lbaas", "pools", s.lb.PoolID), body, nil,
		&gophercloud.RequestOpts{OkCodes: []int{200}})
	if err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
}
