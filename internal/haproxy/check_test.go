package haproxy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// pingTree has a pool that two listeners share, with a member switched off and one that is monitored elsewhere, and a pool that HAProxy
// checks itself.
func pingTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addMember(p, 1, "10.93.48.3", 80)
	addMember(p, 2, "10.93.48.4", 80).AdminStateUp = false
	m := addMember(p, 3, "2001:db8::3", 80)
	m.MonitorAddress, m.MonitorPort, m.Weight = netip.MustParseAddr("2001:db8::4"), 81, 0
	addMonitor(p, lbaas.MonitorPing)
	q := addPool(lb, 2, lbaas.HTTP, lbaas.RoundRobin)
	addMember(q, 4, "10.93.48.5", 80)
	addMonitor(q, lbaas.MonitorTCP).ID = uid(4, 2)
	addListener(lb, 1, lbaas.HTTP, 80, p.ID)
	addListener(lb, 2, lbaas.TCP, 81, p.ID)
	addListener(lb, 3, lbaas.TCP, 82, q.ID)
	return lb
}

func pingCheck() *enginepb.Check {
	return &enginepb.Check{
		MonitorId: uid(4, 1), PoolId: uid(2, 1), Type: "PING", DelaySeconds: 5, TimeoutSeconds: 3, Rise: 2, Fall: 3,
		Probes: []*enginepb.Probe{
			{MemberId: uid(3, 1), Address: "10.93.48.3", Port: 80},
			{MemberId: uid(3, 3), Address: "2001:db8::4", Port: 81},
		},
	}
}

func TestChecks(t *testing.T) {
	udp := func(kind lbaas.MonitorType) *lbaas.LoadBalancer {
		lb := newTree()
		p := addPool(lb, 1, lbaas.UDP, lbaas.RoundRobin)
		addMember(p, 1, "10.93.48.3", 53)
		addMonitor(p, kind)
		addListener(lb, 1, lbaas.UDP, 53, p.ID)
		return lb
	}
	of := func(kind string, more func(c *enginepb.Check)) []*enginepb.Check {
		c := pingCheck()
		c.Type, c.Probes = kind, []*enginepb.Probe{{MemberId: uid(3, 1), Address: "10.93.48.3", Port: 53}}
		more(c)
		return []*enginepb.Check{c}
	}
	for _, test := range []struct {
		name   string
		lb     *lbaas.LoadBalancer
		change func(lb *lbaas.LoadBalancer)
		want   []*enginepb.Check
	}{
		{"HAProxy's own", sharedTree(), nil, nil},
		{"a monitor that is off", pingTree(), func(lb *lbaas.LoadBalancer) { lb.Pools[0].HealthMonitor.AdminStateUp = false }, nil},
		{"a pool that is off", pingTree(), func(lb *lbaas.LoadBalancer) { lb.Pools[0].AdminStateUp = false }, nil},
		{"a load balancer that is off", pingTree(), func(lb *lbaas.LoadBalancer) { lb.AdminStateUp = false }, nil},
		{"a pool that nobody uses", pingTree(), func(lb *lbaas.LoadBalancer) { lb.Listeners = nil }, nil},
		{"PING", pingTree(), nil, []*enginepb.Check{pingCheck()}},
		{"UDP-CONNECT", udp(lbaas.MonitorUDPConnect), nil, of("UDP-CONNECT", func(*enginepb.Check) {})},
		{"SCTP", udp(lbaas.MonitorSCTP), nil, of("SCTP", func(*enginepb.Check) {})},
		{"TCP of a datagram pool", udp(lbaas.MonitorTCP), nil, of("TCP", func(*enginepb.Check) {})},
		{"the smallest values", udp(lbaas.MonitorTCP), func(lb *lbaas.LoadBalancer) {
			h := lb.Pools[0].HealthMonitor
			h.Delay, h.Timeout, h.MaxRetries, h.MaxRetriesDown = 0, 0, 0, 0
		}, of("TCP", func(c *enginepb.Check) { c.DelaySeconds, c.TimeoutSeconds, c.Rise, c.Fall = 1, 1, 1, 1 })},
		{"no timeout", udp(lbaas.MonitorTCP), func(lb *lbaas.LoadBalancer) { lb.Pools[0].HealthMonitor.Timeout = 0 },
			of("TCP", func(c *enginepb.Check) { c.TimeoutSeconds = 5 })},
		{"HTTP of a datagram pool", udp(lbaas.MonitorHTTP), nil, of("HTTP", func(c *enginepb.Check) {
			c.HttpMethod, c.HttpPath, c.ExpectedCodes = "GET", "/", "200"
		})},
		{"HTTP/1.1 of a datagram pool", udp(lbaas.MonitorHTTP), func(lb *lbaas.LoadBalancer) { lb.Pools[0].HealthMonitor.HTTPVersion = "1.1" },
			of("HTTP", func(c *enginepb.Check) {
				c.HttpMethod, c.HttpPath, c.ExpectedCodes, c.HttpVersion, c.HttpHost = "GET", "/", "200", "1.1", "10.0.0.5"
			})},
		{"HTTP with a name", udp(lbaas.MonitorHTTP), func(lb *lbaas.LoadBalancer) {
			h := lb.Pools[0].HealthMonitor
			h.HTTPVersion, h.DomainName, h.HTTPMethod, h.URLPath, h.ExpectedCodes = "1.1", "a.b", "HEAD", "/x", "200-204"
		}, of("HTTP", func(c *enginepb.Check) {
			c.HttpMethod, c.HttpPath, c.ExpectedCodes, c.HttpVersion, c.HttpHost = "HEAD", "/x", "200-204", "1.1", "a.b"
		})},
	} {
		if test.change != nil {
			test.change(test.lb)
		}
		got := Render(test.lb, testPorts(), nil, Options{}).Checks
		if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// status of a server, as HAProxy puts it.
func (p *process) status(t *testing.T, name string) string {
	t.Helper()
	stats, err := ParseStat(p.must("show stat -1 4 -1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stats {
		if s.Proxy+"/"+s.Name == name {
			return s.Status
		}
	}
	return ""
}

// TestHealthIsTold has a real HAProxy take what checks found, for all copies of a pool: at run time, and when it starts without ever having
// known it.
func TestHealthIsTold(t *testing.T) {
	opts := testOptions(t)
	lb := pingTree()
	lb.VIPAddress = netip.MustParseAddr("127.0.0.1")
	for i, l := range lb.Listeners {
		l.ProtocolPort = 18480 + i
	}
	spec := Render(lb, nil, nil, opts)
	member, off, drained := uid(3, 1), uid(3, 2), uid(3, 3)
	a, b := uid(2, 1)+":"+uid(1, 1)+"/", uid(2, 1)+":"+uid(1, 2)+"/"
	down := map[string]bool{member: true, off: true, drained: true}
	want := func(p *process, of map[string]string) {
		t.Helper()
		for name, status := range of {
			for _, copied := range []string{a, b} {
				if got := p.status(t, copied+name); got != status {
					t.Errorf("%s%s is %q, want %q", copied, name, got, status)
				}
			}
		}
	}
	p := start(t, opts, spec, HandOver(WithHealth(nil, spec, nil), spec))
	want(p, map[string]string{member: "no check", off: "MAINT", drained: "no check"})
	p.carry(Plan{Steps: HealthSteps(p.states(), spec, down)})
	want(p, map[string]string{member: "DOWN", off: "MAINT", drained: "DOWN"})
	if steps := HealthSteps(p.states(), spec, down); len(steps) > 0 {
		t.Errorf("what is done is to be done again: %v", steps)
	}
	if plan := Diff(Running(spec, p.states()), spec); !plan.Empty() {
		t.Errorf("a server that is down has drifted: %v", plan)
	}
	handed := HandOver(WithHealth(p.states(), spec, down), spec)
	unchecked := HandOver(WithHealth(p.states(), spec, nil), spec)
	p.carry(Plan{Steps: HealthSteps(p.states(), spec, nil)})
	want(p, map[string]string{member: "no check", off: "MAINT", drained: "no check"})
	p.stop()

	for name, state := range map[string][]byte{"of a process": handed, "of nobody": HandOver(WithHealth(nil, spec, down), spec)} {
		t.Run(name, func(t *testing.T) {
			p := start(t, opts, spec, state)
			defer p.stop()
			want(p, map[string]string{member: "DOWN", off: "MAINT", drained: "DOWN"})
			if got := p.status(t, uid(2, 2)+":"+uid(1, 3)+"/"+uid(3, 4)); !strings.HasPrefix(got, "UP") && !strings.HasPrefix(got, "DOWN") {
				t.Errorf("the server that HAProxy checks is %q", got)
			}
		})
	}
	p = start(t, opts, spec, unchecked)
	want(p, map[string]string{member: "no check", off: "MAINT", drained: "no check"})
}

// TestHeldPoolKeepsItsCheck has a pool keep its last form, while another changes.
func TestHeldPoolKeepsItsCheck(t *testing.T) {
	good := Render(pingTree(), nil, nil, Options{})
	lb := pingTree()
	lb.Pools[0].HealthMonitor.Type = lbaas.MonitorTCP
	lb.Pools[1].HealthMonitor.Type = lbaas.MonitorPing
	wanted := Render(lb, nil, nil, Options{})
	left, _ := Retreat(wanted, good, []string{uid(2, 1)})
	var pools []string
	for _, c := range left.Checks {
		pools = append(pools, c.PoolId+" "+c.Type)
	}
	if diff := cmp.Diff([]string{uid(2, 2) + " PING", uid(2, 1) + " PING"}, pools); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if left, _ := Retreat(wanted, nil, []string{uid(2, 2)}); len(left.Checks) > 0 {
		t.Errorf("a pool that is left out is checked: %v", left.Checks)
	}
}
