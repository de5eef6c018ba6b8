package avi

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Ids of watched().
const (
	watchedLB       = "e29a4da7-f9cc-4c73-91ca-a02bca3d5a89"
	watchedListener = "42aa799f-2cfe-48b2-9fa9-198936b1906f"
	watchedPool     = "27533aa8-0fde-4016-8129-09ac99e8215c"
	watchedFirst    = "494b7351-054e-4059-ba7b-bd653ecb657c"
	watchedSecond   = "494b7351-054e-4059-ba7b-bd653ecb6571"
	watchedMonitor  = "27533aa8-0fde-4016-8129-09ac99e82150"
	watchedSNI      = "https://keys/v1/containers/0b0b0b0b-1111-4222-8333-444444444444"
)

// watched is an ACTIVE load balancer with a listener, a child of it, and a pool of two members with a monitor.
func watched() *lbaas.LoadBalancer {
	object := func(id string) lbaas.Object { return lbaas.Object{ID: id, AdminStateUp: true} }
	member := func(id, address string) *lbaas.Member {
		return &lbaas.Member{Object: object(id), Address: netip.MustParseAddr(address), ProtocolPort: 8080, Weight: 1}
	}
	return &lbaas.LoadBalancer{
		Object: object(watchedLB),
		Listeners: []*lbaas.Listener{{
			Object: object(watchedListener), Protocol: lbaas.TerminatedHTTPS, SNIContainerRefs: []string{watchedSNI}, DefaultPoolID: watchedPool,
		}},
		Pools: []*lbaas.Pool{{
			Object: object(watchedPool), Members: []*lbaas.Member{member(watchedFirst, "10.0.3.10"), member(watchedSecond, "2001:db8::a")},
			HealthMonitor: &lbaas.HealthMonitor{Object: object(watchedMonitor)},
		}},
	}
}

// The UUIDs of what watched() is on the controller.
func watchedServices() (parent, child string) {
	return translate.UUID(translate.VirtualService, watchedListener),
		translate.UUID(translate.VirtualService, translate.ChildID(watchedSNI, watchedListener))
}

func watchedPools() (parent, child string) {
	return translate.PoolUUID(watchedPool, watchedListener), translate.PoolUUID(watchedPool, translate.ChildID(watchedSNI, watchedListener))
}

// wellSight is a sight of watched() in which all is well.
func wellSight() *sight {
	vs, childVS := watchedServices()
	pool, childPool := watchedPools()
	return &sight{
		services: map[string]health{vs: up, childVS: up},
		pools:    map[string]*poolSight{pool: {health: up, servers: 2, enabled: 2, live: 2}, childPool: {health: up, servers: 2, enabled: 2, live: 2}},
	}
}

type statuses = map[string]lbaas.OperatingStatus

func TestOperatingStatuses(t *testing.T) {
	vs, childVS := watchedServices()
	pool, childPool := watchedPools()
	first, second := serverKey("10.0.3.10", 8080), serverKey("2001:db8::a", 8080)
	good := statuses{
		watchedLB: lbaas.Online, watchedListener: lbaas.Online, watchedPool: lbaas.Online, watchedMonitor: lbaas.Online,
		watchedFirst: lbaas.Online, watchedSecond: lbaas.Online,
	}
	unserved := statuses{watchedListener: lbaas.Offline, watchedPool: lbaas.Offline}
	unplaced := statuses{watchedListener: lbaas.Offline, watchedPool: lbaas.Offline, watchedFirst: lbaas.Offline, watchedSecond: lbaas.Offline}
	for _, test := range []struct {
		name    string
		change  func(lb *lbaas.LoadBalancer, s *sight)
		differs statuses // from good
	}{
		{"all well", func(*lbaas.LoadBalancer, *sight) {}, nil},
		{"nothing there", func(_ *lbaas.LoadBalancer, s *sight) { *s = sight{} },
			statuses{watchedListener: lbaas.Broken, watchedPool: lbaas.Offline, watchedFirst: lbaas.Offline, watchedSecond: lbaas.Offline}},
		{"being placed", func(_ *lbaas.LoadBalancer, s *sight) {
			s.services[vs], s.services[childVS], s.pools[pool].health, s.pools[childPool].health = unknown, unknown, unknown, unknown
		}, unplaced},
		{"disabled behind our back", func(_ *lbaas.LoadBalancer, s *sight) { s.services[vs] = off }, unserved},
		{"load balancer off", func(lb *lbaas.LoadBalancer, _ *sight) { lb.AdminStateUp = false },
			statuses{watchedLB: lbaas.Offline, watchedListener: lbaas.Offline, watchedPool: lbaas.Offline, watchedFirst: lbaas.Offline, watchedSecond: lbaas.Offline}},
		{"listener off", func(lb *lbaas.LoadBalancer, s *sight) { lb.Listeners[0].AdminStateUp, s.services[vs] = false, off }, unplaced},
		{"pool off", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools[0].AdminStateUp, s.services[vs], s.pools[pool].health, s.pools[childPool].health = false, down, off, off
		}, statuses{watchedPool: lbaas.Offline, watchedFirst: lbaas.Offline, watchedSecond: lbaas.Offline}},
		{"all members down", func(_ *lbaas.LoadBalancer, s *sight) {
			s.services[vs], s.services[childVS] = down, down
			*s.pools[pool] = poolSight{health: down, servers: 2, enabled: 2}
			*s.pools[childPool] = poolSight{health: down, servers: 2, enabled: 2}
		}, statuses{watchedLB: lbaas.Broken, watchedListener: lbaas.Broken, watchedPool: lbaas.Broken, watchedFirst: lbaas.Broken, watchedSecond: lbaas.Broken}},
		{"a member down", func(_ *lbaas.LoadBalancer, s *sight) {
			each := map[string]health{first: up, second: down}
			*s.pools[pool] = poolSight{health: up, servers: 2, enabled: 2, live: 1, each: each}
			*s.pools[childPool] = poolSight{health: up, servers: 2, enabled: 2, live: 1, each: each}
		}, statuses{watchedLB: lbaas.Degraded, watchedPool: lbaas.Degraded, watchedSecond: lbaas.Broken}},
		{"a member down for the child only", func(_ *lbaas.LoadBalancer, s *sight) {
			*s.pools[childPool] = poolSight{health: up, servers: 2, enabled: 2, live: 1, each: map[string]health{first: down, second: up}}
		}, statuses{watchedLB: lbaas.Degraded, watchedPool: lbaas.Degraded, watchedFirst: lbaas.Broken}},
		{"the child down", func(_ *lbaas.LoadBalancer, s *sight) { s.services[childVS] = down },
			statuses{watchedLB: lbaas.Degraded, watchedListener: lbaas.Degraded}},
		{"the pool is being placed, its listener is", func(_ *lbaas.LoadBalancer, s *sight) {
			s.pools[pool].health, s.pools[childPool].health = unknown, unknown
		},
			statuses{watchedPool: lbaas.Offline, watchedFirst: lbaas.Offline, watchedSecond: lbaas.Offline}},
		{"the pool is being placed, and one member is off", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools[0].Members[0].AdminStateUp = false
			s.pools[pool].health, s.pools[childPool].health = unknown, unknown
		}, statuses{watchedPool: lbaas.Offline, watchedFirst: lbaas.Offline, watchedSecond: lbaas.Offline}},
		{"all members off", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools[0].Members[0].AdminStateUp, lb.Pools[0].Members[1].AdminStateUp, s.services[vs], s.services[childVS] = false, false, down, down
			*s.pools[pool], *s.pools[childPool] = poolSight{health: down, servers: 2}, poolSight{health: down, servers: 2}
		}, statuses{watchedLB: lbaas.Broken, watchedPool: lbaas.Broken, watchedFirst: lbaas.Offline, watchedSecond: lbaas.Offline}},
		{"no pool, and no engine", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools, lb.Listeners[0].DefaultPoolID = nil, ""
			s.services[vs], s.services[childVS], s.pools = failed, failed, nil
		}, statuses{watchedListener: lbaas.Broken, watchedPool: "", watchedMonitor: "", watchedFirst: "", watchedSecond: ""}},
		{"no pool, and no engine for the child", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools, lb.Listeners[0].DefaultPoolID = nil, ""
			s.services[vs], s.services[childVS], s.pools = up, failed, nil
		}, statuses{watchedLB: lbaas.Degraded, watchedListener: lbaas.Degraded, watchedPool: "", watchedMonitor: "", watchedFirst: "", watchedSecond: ""}},
		{"no engine for the pool", func(_ *lbaas.LoadBalancer, s *sight) { s.pools[pool].health = failed },
			statuses{watchedLB: lbaas.Broken, watchedPool: lbaas.Broken, watchedFirst: lbaas.Broken, watchedSecond: lbaas.Broken}},
		{"the child's pool not placed", func(_ *lbaas.LoadBalancer, s *sight) { s.pools[childPool].health = unknown }, nil},
		{"a member off", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools[0].Members[1].AdminStateUp = false
			s.pools[pool].enabled, s.pools[pool].live = 1, 1
			s.pools[childPool].enabled, s.pools[childPool].live = 1, 1
		}, statuses{watchedSecond: lbaas.Offline}},
		{"a member drains", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools[0].Members[1].Weight = 0
			s.pools[pool].enabled, s.pools[pool].live = 1, 1
			s.pools[childPool].enabled, s.pools[childPool].live = 1, 1
		}, statuses{watchedSecond: lbaas.Draining}},
		{"a member disabled behind our back", func(_ *lbaas.LoadBalancer, s *sight) {
			*s.pools[pool] = poolSight{health: up, servers: 2, enabled: 1, live: 1, each: map[string]health{first: up, second: off}}
			*s.pools[childPool] = poolSight{health: up, servers: 2, enabled: 1, live: 1, each: map[string]health{first: up, second: off}}
		}, statuses{watchedSecond: lbaas.Offline}},
		{"a member not made", func(_ *lbaas.LoadBalancer, s *sight) {
			*s.pools[pool] = poolSight{health: up, servers: 1, enabled: 1, live: 1, each: map[string]health{first: up}}
			*s.pools[childPool] = poolSight{health: up, servers: 1, enabled: 1, live: 1, each: map[string]health{first: up}}
		}, statuses{watchedSecond: lbaas.Offline}},
		{"monitor off", func(lb *lbaas.LoadBalancer, _ *sight) { lb.Pools[0].HealthMonitor.AdminStateUp = false },
			statuses{watchedMonitor: lbaas.Offline, watchedFirst: lbaas.NoMonitor, watchedSecond: lbaas.NoMonitor}},
		{"no members", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools[0].Members, s.services[vs], s.services[childVS] = nil, down, down
			*s.pools[pool], *s.pools[childPool] = poolSight{health: down}, poolSight{health: down}
		}, statuses{watchedFirst: "", watchedSecond: ""}},
		{"no pool", func(lb *lbaas.LoadBalancer, s *sight) {
			lb.Pools, lb.Listeners[0].DefaultPoolID = nil, ""
			s.services[vs], s.services[childVS], s.pools = down, down, nil
		}, statuses{watchedPool: "", watchedMonitor: "", watchedFirst: "", watchedSecond: ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lb, s := watched(), wellSight()
			test.change(lb, s)
			want := statuses{}
			for id, status := range good {
				if other, differs := test.differs[id]; differs {
					status = other
				}
				if status != "" {
					want[id] = status
				}
			}
			if diff := cmp.Diff(want, lb.RollUp(lookout{lb: lb, sight: s}.reported())); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOperatingStatusesOfTheYoung shows that what was just made and is in no inventory yet is not broken.
func TestOperatingStatusesOfTheYoung(t *testing.T) {
	for young, want := range map[bool]lbaas.OperatingStatus{true: lbaas.Offline, false: lbaas.Broken} {
		lb := watched()
		all := lb.RollUp(lookout{lb: lb, sight: &sight{}, young: young}.reported())
		if got := all[watchedListener]; got != want || all[watchedLB] != lbaas.Online {
			t.Errorf("young %v: the listener is %s, want %s; the load balancer %s", young, got, want, all[watchedLB])
		}
	}
}

// TestHealthOf has every state that the controller is known to tell.
func TestHealthOf(t *testing.T) {
	want := map[string]health{
		"": unknown, "OPER_UP": up, "OPER_DOWN": down, "OPER_DISABLED": off, "OPER_DISABLING": off, "OPER_CREATING": unknown,
		"OPER_INITIALIZING": unknown, "OPER_RESOURCES": unknown, "OPER_PROCESSING": unknown, "OPER_SE_PROCESSING": unknown, "OPER_UNAVAIL": failed,
		"OPER_UNUSED": unknown, "OPER_UNKNOWN": unknown, "OPER_INACTIVE": off, "OPER_FAILED": failed, "OPER_ERROR_DISABLED": failed,
		"OPER_PARTITIONED": failed, "OPER_UPGRADING": unknown, "OPER_AWAIT_MANUAL_PLACEMENT": unknown, "OPER_AGGREGATE_DOWN": down,
	}
	got := map[string]health{}
	for state := range want {
		got[state] = healthOf(state)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("healthOf (-want +got):\n%s", diff)
	}
}

// TestUnclear shows which pools are asked about closer: those whose numbers do not tell, as long as they are looked after.
func TestUnclear(t *testing.T) {
	pool, childPool := watchedPools()
	for _, test := range []struct {
		name string
		is   poolSight
		want bool
	}{
		{"all up", poolSight{health: up, servers: 2, enabled: 2, live: 2}, false},
		{"none up", poolSight{health: down, servers: 2, enabled: 2}, false},
		{"some up", poolSight{health: up, servers: 2, enabled: 2, live: 1}, true},
		{"some not there", poolSight{health: up, servers: 1, enabled: 1, live: 1}, true},
		{"some disabled", poolSight{health: up, servers: 2, enabled: 1, live: 1}, true},
		{"not placed", poolSight{health: unknown, servers: 2, enabled: 2, live: 1}, false},
		{"disabled", poolSight{health: off, servers: 2, enabled: 2, live: 1}, false},
	} {
		s := wellSight()
		s.pools[pool] = &test.is
		asked := s.unclear([]*lbaas.LoadBalancer{watched()})
		if _, got := asked[pool]; got != test.want || asked[childPool] != nil {
			t.Errorf("%s: asked %v, want %v", test.name, asked, test.want)
		}
	}
}

// FuzzServersIn shows that no answer about servers breaks anything.
func FuzzServersIn(f *testing.F) {
	for _, seed := range []string{
		`[{"ip_addr": {"addr": "10.0.3.10", "type": "V4"}, "port": 8080, "oper_status": {"state": "OPER_UP"}}]`,
		`{"count": 1, "results": [{"ip": {"addr": "2001:DB8::0A"}, "port": 8080, "oper_status": {"state": "OPER_DOWN"}}]}`,
		`[1, null, {"port": 1e999, "ip_addr": 7, "oper_status": []}]`, `"x"`, `null`, `{"results": {}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var answer any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&answer) != nil {
			return
		}
		for server, is := range serversIn(answer) {
			if server == "" || is < unknown || is > off {
				t.Errorf("%q is %d", server, is)
			}
		}
	})
}

func TestServersIn(t *testing.T) {
	for _, answer := range []any{
		[]any{map[string]any{"ip_addr": map[string]any{"addr": "2001:DB8::0A"}, "port": json.Number("8080"), "oper_status": map[string]any{"state": "OPER_UP"}}},
		map[string]any{"results": []any{map[string]any{
			"ip": map[string]any{"addr": "2001:db8::a"}, "port": json.Number("8080"), "oper_status": map[string]any{"state": "OPER_UP"},
		}}},
	} {
		if diff := cmp.Diff(map[string]health{"[2001:db8::a]:8080": up}, serversIn(answer)); diff != "" {
			t.Errorf("serversIn(%v) (-want +got):\n%s", answer, diff)
		}
	}
}
