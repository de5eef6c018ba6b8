package haproxy

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// liveTree is a load balancer on the n-th loopback address of this package whose three members are real.
func liveTree(t *testing.T, n int) *lbaas.LoadBalancer {
	lb := newTree()
	lb.VIPAddress = netip.AddrFrom4([4]byte{127, 26, 12, byte(n)})
	p := addPool(lb, 1, lbaas.HTTP, lbaas.RoundRobin)
	addListener(lb, 1, lbaas.HTTP, 8080, p.ID)
	for n := 1; n <= 3; n++ {
		addMember(p, n, "127.0.0.1", serve(t))
	}
	return lb
}

// clone copies a tree as deep as the tests change it.
func clone(lb *lbaas.LoadBalancer) *lbaas.LoadBalancer {
	c := *lb
	c.Listeners, c.Pools = nil, nil
	for _, l := range lb.Listeners {
		k := *l
		c.Listeners = append(c.Listeners, &k)
	}
	for _, p := range lb.Pools {
		k := *p
		k.Members = nil
		for _, m := range p.Members {
			n := *m
			k.Members = append(k.Members, &n)
		}
		if h := p.HealthMonitor; h != nil {
			n := *h
			k.HealthMonitor = &n
		}
		c.Pools = append(c.Pools, &k)
	}
	return &c
}

type edit func(lb *lbaas.LoadBalancer)

func pool(change func(p *lbaas.Pool)) edit {
	return func(lb *lbaas.LoadBalancer) { change(lb.Pools[0]) }
}

func member(i int, change func(m *lbaas.Member)) edit {
	return func(lb *lbaas.LoadBalancer) { change(lb.Pools[0].Members[i]) }
}

func algorithm(a lbaas.Algorithm) edit { return pool(func(p *lbaas.Pool) { p.Algorithm = a }) }

// monitored has the pool checked, quickly and without hysteresis.
func monitored(kind lbaas.MonitorType) edit {
	return pool(func(p *lbaas.Pool) {
		h := addMonitor(p, kind)
		h.Delay, h.Timeout, h.MaxRetries, h.MaxRetriesDown = 1, 1, 1, 1
	})
}

func shared(lb *lbaas.LoadBalancer) {
	first := lb.Listeners[0]
	addListener(lb, 2, lbaas.TCP, first.ProtocolPort, first.DefaultPoolID).ProtocolPort++
}

// cookies keeps the pool's clients by a cookie.
func cookies(lb *lbaas.LoadBalancer) {
	lb.Pools[0].SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistHTTPCookie}
}

func drop(i int) edit {
	return pool(func(p *lbaas.Pool) { p.Members = append(p.Members[:i:i], p.Members[i+1:]...) })
}

// base applies edits to both sides of a case.
func base(edits ...edit) []edit { return edits }

// runtimeCases are changes that HAProxy makes without a reload.
var runtimeCases = []struct {
	name string
	both []edit // on both sides
	old  edit   // only before
	new  edit   // only after
}{
	{name: "nothing", new: func(*lbaas.LoadBalancer) {}},
	{name: "names", new: func(lb *lbaas.LoadBalancer) { rename(lb, "other") }},
	{name: "weight", new: member(0, func(m *lbaas.Member) { m.Weight = 256 })},
	{name: "weight to 0", new: member(0, func(m *lbaas.Member) { m.Weight = 0 })},
	{name: "weight from 0", old: member(0, func(m *lbaas.Member) { m.Weight = 0 }), new: member(0, func(m *lbaas.Member) { m.Weight = 7 })},
	{name: "weight, checked", both: base(monitored(lbaas.MonitorTCP)), new: member(0, func(m *lbaas.Member) { m.Weight = 5 })},
	{name: "member off", new: member(1, func(m *lbaas.Member) { m.AdminStateUp = false })},
	{name: "member on", old: member(1, func(m *lbaas.Member) { m.AdminStateUp = false }), new: member(1, func(m *lbaas.Member) { m.AdminStateUp = true })},
	{name: "member on, checked", both: base(monitored(lbaas.MonitorTCP)), old: member(1, func(m *lbaas.Member) { m.AdminStateUp = false }), new: func(*lbaas.LoadBalancer) {}},
	{name: "pool off", new: pool(func(p *lbaas.Pool) { p.AdminStateUp = false })},
	{name: "pool on", old: pool(func(p *lbaas.Pool) { p.AdminStateUp = false }), new: func(*lbaas.LoadBalancer) {}},

	{name: "first member added", old: pool(func(p *lbaas.Pool) { p.Members = nil }), new: func(*lbaas.LoadBalancer) {}},
	{name: "added", old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, LEAST_CONNECTIONS", both: base(algorithm(lbaas.LeastConnections)), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, SOURCE_IP", both: base(algorithm(lbaas.SourceIP)), old: drop(0), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, checked", both: base(monitored(lbaas.MonitorTCP)), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, checked by HTTP", both: base(monitored(lbaas.MonitorHTTP)), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, checked by HTTPS", both: base(monitored(lbaas.MonitorHTTPS), pool(func(p *lbaas.Pool) {
		p.HealthMonitor.HTTPVersion, p.HealthMonitor.DomainName = "1.1", "a-b.example.com"
	})), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, checked elsewhere", both: base(monitored(lbaas.MonitorTCP), member(2, func(m *lbaas.Member) {
		m.MonitorAddress, m.MonitorPort = netip.MustParseAddr("127.0.0.1"), 1
	})), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, dead", both: base(monitored(lbaas.MonitorTCP), member(2, func(m *lbaas.Member) { m.ProtocolPort = 1 })), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added as backup of weight 0", both: base(member(2, func(m *lbaas.Member) { m.Backup, m.Weight = true, 0 })), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, off", both: base(monitored(lbaas.MonitorTCP), member(2, func(m *lbaas.Member) { m.AdminStateUp = false })), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "added, IPv6", both: base(member(2, func(m *lbaas.Member) { m.Address = netip.MustParseAddr("::1") })), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "removed", new: drop(1)},
	{name: "removed, checked", both: base(monitored(lbaas.MonitorTCP)), new: drop(0)},
	{name: "removed, SOURCE_IP", both: base(algorithm(lbaas.SourceIP)), new: drop(0)},
	{name: "removed, off", both: base(member(0, func(m *lbaas.Member) { m.AdminStateUp = false })), new: drop(0)},
	{name: "all removed", new: pool(func(p *lbaas.Pool) { p.Members = nil })},
	{name: "everything at once", both: base(monitored(lbaas.MonitorTCP)), old: drop(2), new: func(lb *lbaas.LoadBalancer) {
		drop(0)(lb)
		lb.Pools[0].Members[0].Weight = 9
		lb.Pools[0].Members[0].AdminStateUp = false
	}},

	{name: "cookies, weight", both: base(cookies), new: member(0, func(m *lbaas.Member) { m.Weight = 5 })},
	{name: "cookies, off", both: base(cookies), new: member(0, func(m *lbaas.Member) { m.AdminStateUp = false })},
	{name: "cookies, on", both: base(cookies), old: member(0, func(m *lbaas.Member) { m.AdminStateUp = false }), new: func(*lbaas.LoadBalancer) {}},
	{name: "cookies, removed", both: base(cookies), new: drop(1)},

	{name: "shared, weight", both: base(monitored(lbaas.MonitorTCP), shared), new: member(0, func(m *lbaas.Member) { m.Weight = 4 })},
	{name: "shared, off", both: base(monitored(lbaas.MonitorTCP), shared), new: member(0, func(m *lbaas.Member) { m.AdminStateUp = false })},
	{name: "shared, on", both: base(monitored(lbaas.MonitorTCP), shared), old: member(0, func(m *lbaas.Member) { m.AdminStateUp = false }), new: func(*lbaas.LoadBalancer) {}},
	{name: "shared unchecked, added", both: base(shared), old: drop(2), new: func(*lbaas.LoadBalancer) {}},
	{name: "shared unchecked, removed", both: base(shared), new: drop(2)},
}

// TestDiffAtRunTime proves the table of Diff with a real HAProxy: after the steps it is as one that was started anew.
func TestDiffAtRunTime(t *testing.T) {
	for i, test := range runtimeCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opts := testOptions(t)
			lb := liveTree(t, i+1)
			for _, e := range test.both {
				e(lb)
			}
			before, after := clone(lb), clone(lb)
			if test.old != nil {
				test.old(before)
			}
			test.new(after)
			from, to := Render(before, nil, nil, opts), Render(after, nil, nil, opts)

			plan := Diff(from, to)
			if plan.Reload {
				t.Fatalf("Diff wants a reload: %s", plan.Reason)
			}
			p := start(t, opts, from, HandOver(nil, from))
			p.picture()
			p.carry(plan)
			got := p.picture()
			if drift := Diff(Running(to, p.states()), to); !drift.Empty() {
				t.Errorf("still to do: %+v", drift)
			}
			p.stop()
			want := start(t, opts, to, HandOver(nil, to)).picture()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after %v (-started anew +changed):\n%s", commandsOf(plan), diff)
			}
		})
	}
}

func commandsOf(p Plan) []string {
	var all []string
	for _, s := range append(p.Steps, p.Removals...) {
		all = append(all, s.Command)
	}
	return all
}

func TestDiffReload(t *testing.T) {
	first := uid(2, 1) + ":" + uid(1, 1)
	cases := []struct {
		name   string
		both   []edit
		new    edit
		reason string
	}{
		{"listener added", nil, func(lb *lbaas.LoadBalancer) { addListener(lb, 2, lbaas.HTTP, 81, "") }, "frontend " + uid(1, 2) + " is new"},
		{"listener off", nil, func(lb *lbaas.LoadBalancer) { lb.Listeners[0].AdminStateUp = false }, "frontend " + uid(1, 1) + " is gone"},
		{"timeout", nil, func(lb *lbaas.LoadBalancer) { lb.Listeners[0].TimeoutClientData++ }, "frontend " + uid(1, 1) + " is changed"},
		{"pool detached", nil, func(lb *lbaas.LoadBalancer) { lb.Listeners[0].DefaultPoolID = "" }, "frontend " + uid(1, 1) + " is changed"},
		{"algorithm", nil, algorithm(lbaas.SourceIP), "backend " + first + " is changed"},
		{"monitor added", nil, monitored(lbaas.MonitorTCP), "backend " + first + " is changed"},
		{"load balancer off", nil, func(lb *lbaas.LoadBalancer) { lb.AdminStateUp = false }, "frontend " + uid(1, 1) + " is gone"},
		{"failover", nil, func(lb *lbaas.LoadBalancer) { lb.FailedOver = 4 }, "a failover was asked for"},
		{"backup", nil, member(0, func(m *lbaas.Member) { m.Backup = true }), "server " + first + "/" + uid(3, 1) + " has other options"},
		{"address", nil, member(0, func(m *lbaas.Member) { m.Address = m.Address.Next() }), "server " + first + "/" + uid(3, 1) + " has other options"},
		{"number", nil, member(0, func(m *lbaas.Member) { m.Number = 77 }), "server " + first + "/" + uid(3, 1) + " has other options"},
		{"monitor port", base(monitored(lbaas.MonitorTCP)), member(0, func(m *lbaas.Member) { m.MonitorPort = 1 }), "server " + first + "/" + uid(3, 1) + " has other options"},
		{"added to a shared pool", base(monitored(lbaas.MonitorTCP), shared), pool(func(p *lbaas.Pool) { addMember(p, 4, "127.0.0.1", 9) }), "server " + first + "/" + uid(3, 4) + " of a shared pool is added"},
		{"removed from a shared pool", base(monitored(lbaas.MonitorTCP), shared), drop(2), "server " + first + "/" + uid(3, 3) + " of a shared pool is removed"},
		{"added to a pool with cookies", base(cookies), pool(func(p *lbaas.Pool) { addMember(p, 4, "127.0.0.1", 9) }), "server " + first + "/" + uid(3, 4) + " of a pool with cookies is added"},
		{"added with a word that needs quotes", base(monitored(lbaas.MonitorHTTPS), pool(func(p *lbaas.Pool) { p.HealthMonitor.DomainName = "a;b" })),
			pool(func(p *lbaas.Pool) { addMember(p, 4, "127.0.0.1", 9) }), "server " + first + "/" + uid(3, 4) + " has an option that only the file can hold"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			lb := liveTree(t, 0)
			for _, e := range test.both {
				e(lb)
			}
			after := clone(lb)
			test.new(after)
			got := Diff(Render(lb, nil, nil, Options{}), Render(after, nil, nil, Options{}))
			want := Plan{Reload: true, Reason: test.reason}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(Step{})); diff != "" {
				t.Errorf("Diff (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDiffOrder shows that the order of sections and servers is no difference.
func TestDiffOrder(t *testing.T) {
	lb := sharedTree()
	a := Render(lb, nil, nil, Options{})
	b := Render(lb, nil, nil, Options{})
	reverse(b.Sections)
	reverse(b.Servers)
	if plan := Diff(a, b); !plan.Empty() {
		t.Errorf("Diff = %+v", plan)
	}
}

func reverse[T *enginepb.Section | *enginepb.Server](list []T) {
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
}
