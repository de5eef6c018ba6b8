package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// TestMonitorTypes has a monitor of every type watch two members, of which one falls ill and gets well again: it is out of the traffic
// meanwhile, and the statuses say so.
func TestMonitorTypes(t *testing.T) {
	t.Parallel()
	s := prepare(t, 0)
	var all []*patients
	for _, test := range []struct {
		name     string
		protocol string
		monitor  monitors.CreateOpts
		organ    func() harness.Organ
	}{
		{"HTTP 1.0", "HTTP", monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "204", URLPath: "/healthy", HTTPVersion: "1.0"},
			func() harness.Organ { return &harness.HTTPOrgan{Method: "GET", Path: "/healthy", Proto: "HTTP/1.0"} }},
		{"HTTP 1.1", "HTTP", monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "200-204", URLPath: "/healthy?a=b", HTTPMethod: "HEAD", HTTPVersion: "1.1", DomainName: "www.example.com"},
			func() harness.Organ {
				return &harness.HTTPOrgan{Method: "HEAD", Path: "/healthy?a=b", Host: "www.example.com", Proto: "HTTP/1.1"}
			}},
		{"HTTPS", "TCP", monitors.CreateOpts{Type: "HTTPS", ExpectedCodes: "200, 204"}, func() harness.Organ { return &harness.HTTPOrgan{TLS: true} }},
		{"TLS-HELLO", "HTTP", monitors.CreateOpts{Type: "TLS-HELLO"}, func() harness.Organ { return &harness.HTTPOrgan{TLS: true} }},
		{"TCP", "TCP", monitors.CreateOpts{Type: "TCP"}, func() harness.Organ { return &harness.HTTPOrgan{} }},
		{"PING", "HTTP", monitors.CreateOpts{Type: "PING"}, func() harness.Organ { return &harness.PingOrgan{} }},
		{"UDP-CONNECT", "UDP", monitors.CreateOpts{Type: "UDP-CONNECT", Delay: 3}, func() harness.Organ { return &harness.UDPOrgan{} }},
		{"TCP of UDP", "UDP", monitors.CreateOpts{Type: "TCP"}, func() harness.Organ { return &harness.HTTPOrgan{} }},
		{"HTTP of UDP", "UDP", monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "204"}, func() harness.Organ { return &harness.HTTPOrgan{} }},
		{"SCTP", "UDP", monitors.CreateOpts{Type: "SCTP"}, func() harness.Organ { return &harness.SCTPOrgan{} }},
	} {
		all = append(all, s.patients(t, test.name, test.protocol, test.monitor, test.organ))
	}
	course(t, all)
}

// TestMonitorsIPv6 is TestMonitorTypes for members of IPv6, by the types that the engine asks for and one of HAProxy's.
func TestMonitorsIPv6(t *testing.T) {
	t.Parallel()
	s := &site{Server: harness.Start(t)}
	s.Cloud = s.Admin(t)
	s.net = s.CreateNetwork(t, "six", "fd00:10::/64")
	s.client = s.Plug(t, s.net)
	var all []*patients
	for _, test := range []struct {
		protocol string
		monitor  monitors.CreateOpts
		organ    func() harness.Organ
	}{
		{"HTTP", monitors.CreateOpts{Type: "PING"}, func() harness.Organ { return &harness.PingOrgan{} }},
		{"UDP", monitors.CreateOpts{Type: "UDP-CONNECT", Delay: 3}, func() harness.Organ { return &harness.UDPOrgan{} }},
		{"UDP", monitors.CreateOpts{Type: "SCTP"}, func() harness.Organ { return &harness.SCTPOrgan{} }},
		{"UDP", monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "204", HTTPVersion: "1.1"}, func() harness.Organ { return &harness.HTTPOrgan{} }},
		{"TCP", monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "204", HTTPVersion: "1.1"}, func() harness.Organ { return &harness.HTTPOrgan{} }},
	} {
		all = append(all, s.patients(t, test.monitor.Type+" of "+test.protocol, test.protocol, test.monitor, test.organ))
	}
	course(t, all)
}

// course has the second patients fall ill and get well.
func course(t *testing.T, all []*patients) {
	t.Helper()
	// One step of all after the other: they wait at the same time.
	step := func(name string, take func(p *patients, t *testing.T)) {
		for _, p := range all {
			t.Run(name+"/"+p.name, func(t *testing.T) { take(p, t) })
		}
	}
	step("well", (*patients).well)
	for _, p := range all {
		p.organs[1].Stop(t)
	}
	step("ill", (*patients).ill)
	for _, p := range all {
		p.organs[1].Start(t, p.nodes[1])
	}
	step("well again", (*patients).well)
}

// patients are two members with a monitor.
type patients struct {
	*site
	name   string
	lb     *harness.LB
	ask    func() (string, error)
	organs [2]harness.Organ
	nodes  [2]*harness.Node
}

// patients makes a load balancer whose members serve the protocol's traffic, and have organs.
func (s *site) patients(t *testing.T, name, protocol string, monitor monitors.CreateOpts, grow func() harness.Organ) *patients {
	t.Helper()
	p := &patients{site: s, name: name}
	ctx, api := t.Context(), s.LoadBalancer
	made, err := loadbalancers.Create(ctx, api, loadbalancers.CreateOpts{Name: name, VipSubnetID: s.net.SubnetID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	p.lb = &harness.LB{ID: made.ID, VIP: made.VipAddress, Address: harness.JoinPort(made.VipAddress, 80)}
	monitor.Name, monitor.Timeout, monitor.MaxRetries, monitor.MaxRetriesDown = "monitor", 1, 1, 2
	monitor.Delay = max(monitor.Delay, 1)
	port, organs := harness.OrganPort, p.organs[:]
	opts := pools.CreateOpts{Name: "pool", LoadbalancerID: p.lb.ID, Protocol: pools.Protocol(protocol), LBMethod: pools.LBMethodRoundRobin}
	for i := range organs {
		p.nodes[i], organs[i] = s.Plug(t, s.net), grow()
		serving := p.serve(t, protocol, p.nodes[i], fmt.Sprintf("m%d", i+1))
		organs[i].Start(t, p.nodes[i])
		t.Cleanup(func() { organs[i].Stop(t) })
		opts.Members = append(opts.Members, pools.CreateMemberOpts{
			Name: fmt.Sprintf("m%d", i+1), Address: p.nodes[i].Address, ProtocolPort: serving, MonitorPort: &port, SubnetID: s.net.SubnetID,
		})
	}
	p.build(t, opts, monitor, protocol)
	return p
}

// serve serves a protocol's traffic at the port that it returns.
func (p *patients) serve(t *testing.T, protocol string, n *harness.Node, name string) int {
	t.Helper()
	if protocol == "UDP" {
		p.ask = func() (string, error) { return p.client.AskOnce(t, p.lb.Address) }
		return n.ServeDatagrams(t, 5353, name).Port
	}
	p.ask = func() (string, error) { return p.client.Get(p.lb.Address) }
	return n.Serve(t, 8080, name).Port
}

// build makes pool, members, monitor and listener.
func (p *patients) build(t *testing.T, opts pools.CreateOpts, monitor monitors.CreateOpts, protocol string) {
	t.Helper()
	ctx, api, members := t.Context(), p.LoadBalancer, opts.Members
	opts.Members = nil
	pool, err := pools.Create(ctx, api, opts).Extract()
	if err != nil {
		t.Fatal(err)
	}
	p.lb.PoolID, monitor.PoolID = pool.ID, pool.ID
	for _, m := range members {
		made, err := pools.CreateMember(ctx, api, pool.ID, m).Extract()
		if err != nil {
			t.Fatal(err)
		}
		p.lb.MemberIDs = append(p.lb.MemberIDs, made.ID)
	}
	h, err := monitors.Create(ctx, api, monitor).Extract()
	if err != nil {
		t.Fatal(err)
	}
	l, err := listeners.Create(ctx, api, listeners.CreateOpts{
		Name: "listener", LoadbalancerID: p.lb.ID, Protocol: listeners.Protocol(protocol), ProtocolPort: 80, DefaultPoolID: pool.ID,
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	p.lb.MonitorID, p.lb.ListenerID = h.ID, l.ID
}

// well wants both members in the traffic.
func (p *patients) well(t *testing.T) {
	p.WaitActive(t, p.lb.ID)
	for _, id := range []string{p.lb.ID, p.lb.ListenerID, p.lb.PoolID, p.lb.MonitorID, p.lb.MemberIDs[0], p.lb.MemberIDs[1]} {
		p.WaitOperating(t, p.lb.ID, id, "ONLINE")
	}
	p.answerers(t, "m1", "m2")
}

// ill wants the second member out of it.
func (p *patients) ill(t *testing.T) {
	p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ERROR")
	p.WaitOperating(t, p.lb.ID, p.lb.PoolID, "DEGRADED")
	p.WaitOperating(t, p.lb.ID, p.lb.ID, "DEGRADED")
	p.answerers(t, "m1")
}

// answerers wants a round of requests answered by exactly the members named.
func (p *patients) answerers(t *testing.T, want ...string) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, func() error {
		names := map[string]bool{}
		for range 16 {
			name, err := p.ask()
			if err != nil {
				return err
			}
			names[name] = true
		}
		for _, name := range want {
			if !names[name] {
				return fmt.Errorf("%s does not answer, but %v", name, names)
			}
		}
		if len(names) != len(want) {
			return fmt.Errorf("%v answer, want %v", names, want)
		}
		return nil
	})
}

// TestRetries counts how often a member that answers with an error was asked before it was taken out, where HAProxy asks and where the
// engine does.
func TestRetries(t *testing.T) {
	t.Parallel()
	s := prepare(t, 0)
	const fall = 4
	var all []*patients
	for _, protocol := range []string{"HTTP", "UDP"} {
		p := s.patients(t, protocol, protocol, monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "204"}, func() harness.Organ { return &harness.HTTPOrgan{} })
		opts := monitors.UpdateOpts{MaxRetries: 3, MaxRetriesDown: fall}
		if err := monitors.Update(t.Context(), s.LoadBalancer, p.lb.MonitorID, opts).Err; err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	organ := func(p *patients) *harness.HTTPOrgan { return p.organs[1].(*harness.HTTPOrgan) }
	for _, p := range all {
		p.well(t)
		harness.Eventually(t, 10*time.Second, func() error {
			if n := organ(p).Well.Load(); n < 2 { // of a member that was never well the first failure is enough
				return fmt.Errorf("%s: it was asked %d times", p.name, n)
			}
			return nil
		})
	}
	for _, p := range all {
		organ(p).Ill.Store(true)
	}
	for _, p := range all {
		p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ERROR")
		if n := organ(p).Failed.Load(); n < fall {
			t.Errorf("%s: it was taken out after %d failures, want %d", p.name, n, fall)
		}
		organ(p).Ill.Store(false)
	}
	for _, p := range all {
		p.well(t)
	}
}

// TestMonitorAddress has the monitor ask another host than the one that serves, and nobody once the monitor is switched off.
func TestMonitorAddress(t *testing.T) {
	t.Parallel()
	s := prepare(t, 0)
	ctx, api := t.Context(), s.LoadBalancer
	var all []*patients
	for kind, grow := range organs() {
		p := s.patients(t, kind, "HTTP", monitors.CreateOpts{Type: kind}, grow)
		guard := s.Plug(t, s.net)
		if err := pools.UpdateMember(ctx, api, p.lb.PoolID, p.lb.MemberIDs[1], pools.UpdateMemberOpts{MonitorAddress: &guard.Address}).Err; err != nil {
			t.Fatal(err)
		}
		p.organs[1].Stop(t) // nobody asks for it from now on
		p.organs[1] = grow()
		p.organs[1].Start(t, guard)
		t.Cleanup(func() { p.organs[1].Stop(t) })
		all = append(all, p)
	}
	for _, p := range all {
		p.well(t)
	}
	for _, p := range all {
		p.organs[1].Stop(t)
	}
	for _, p := range all {
		p.ill(t)
		off := false
		if err := monitors.Update(ctx, api, p.lb.MonitorID, monitors.UpdateOpts{AdminStateUp: &off}).Err; err != nil {
			t.Fatal(err)
		}
		p.WaitActive(t, p.lb.ID)
		p.WaitOperating(t, p.lb.ID, p.lb.MonitorID, "OFFLINE")
		p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "NO_MONITOR")
		p.answerers(t, "m1", "m2")
	}
}

// organs are one that HAProxy asks for and one that the engine does, by the type of the monitor.
func organs() map[string]func() harness.Organ {
	return map[string]func() harness.Organ{
		"TCP":  func() harness.Organ { return &harness.HTTPOrgan{} },
		"PING": func() harness.Organ { return &harness.PingOrgan{} },
	}
}

// TestResultsSurvive kills the engine and then reloads HAProxy while the second member is down, by a check of HAProxy's and by one of the
// engine's: no client is sent there.
func TestResultsSurvive(t *testing.T) {
	t.Parallel()
	s := prepare(t, 0)
	var all []*patients
	for kind, grow := range organs() {
		all = append(all, s.patients(t, kind, "HTTP", monitors.CreateOpts{Type: kind}, grow))
	}
	for _, p := range all {
		p.well(t)
	}
	for _, p := range all {
		p.organs[1].Stop(t)
	}
	for _, p := range all {
		p.ill(t)
		seldom := monitors.UpdateOpts{Delay: 600} // from now on what is known is what was known
		if err := monitors.Update(t.Context(), s.LoadBalancer, p.lb.MonitorID, seldom).Err; err != nil {
			t.Fatal(err)
		}
		p.WaitActive(t, p.lb.ID)
	}
	for _, engine := range s.Engines() {
		if err := syscall.Kill(engine.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	s.Stop(t)
	s.Start(t)
	for _, p := range all {
		timeout := 44000
		if err := listeners.Update(t.Context(), s.LoadBalancer, p.lb.ListenerID, listeners.UpdateOpts{TimeoutClientData: &timeout}).Err; err != nil {
			t.Fatal(err)
		}
		p.WaitActive(t, p.lb.ID)
		p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ERROR")
		for range 20 {
			if name, err := p.ask(); err != nil || name != "m1" {
				t.Errorf("%s: after a restart %q answers, %v", p.name, name, err)
			}
		}
	}
}
