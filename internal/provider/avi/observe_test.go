package avi

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

const (
	demoProject  = "b2c6b0cb6ef542568051ae9c65170da6"
	otherProject = "0b2c6b0c-6ef5-4256-8051-ae9c65170da6"
)

// newController starts an emulator that knows both projects as tenants.
func newController(t *testing.T) *avitest.Server {
	t.Helper()
	return avitest.Start(t, avitest.Options{AnyNetwork: true, Tenants: map[string]string{
		"demo": translate.UUID(translate.Tenant, demoProject), "other": translate.UUID(translate.Tenant, otherProject),
	}})
}

// open returns a provider on an emulator. It asks anew at every question, unless a change says otherwise.
func open(t *testing.T, s *avitest.Server, change func(*Config)) *Provider {
	t.Helper()
	cfg := Config{
		Name: "avi_adc", PollEvery: 1, AuditEvery: 1,
		Controller: controller.Config{
			Addresses: []string{s.Address}, User: s.User, Password: s.Password, Roots: s.Roots, Version: "18.1.2", Timeout: 5 * time.Second,
		},
	}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// plain is a load balancer of a project with a listener and a pool of three members, the third of which is off. Its ids end in n.
func plain(project string, n byte) *lbaas.LoadBalancer {
	id := func(first string) string { return first + "2a799f-2cfe-48b2-9fa9-198936b190" + string([]byte{'0', n}) }
	object := func(first, name string) lbaas.Object {
		return lbaas.Object{ID: id(first), ProjectID: project, Name: name, AdminStateUp: true, Progress: lbaas.Progress{Generation: 1, Observed: 1}}
	}
	member := func(first, address string) *lbaas.Member {
		return &lbaas.Member{Object: object(first, ""), PoolID: id("20"), Address: netip.MustParseAddr(address), ProtocolPort: 8080, Weight: 1}
	}
	lb := &lbaas.LoadBalancer{
		Object: object("00", "lb"), VIPAddress: netip.MustParseAddr("10.0.3.3"), VIPPortID: id("01"), VIPSubnetID: id("02"), Provider: "avi_adc", Epoch: 1,
		Listeners: []*lbaas.Listener{{
			Object: object("10", "web"), LoadBalancerID: id("00"), Protocol: lbaas.HTTP, ProtocolPort: 80, DefaultPoolID: id("20"),
			TimeoutClientData: lbaas.DefaultClient, TimeoutMemberConnect: lbaas.DefaultConnect, TimeoutMemberData: lbaas.DefaultServer,
		}},
		Pools: []*lbaas.Pool{{
			Object: object("20", "pool"), LoadBalancerID: id("00"), Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin,
			Members: []*lbaas.Member{member("30", "10.0.3.10"), member("31", "10.0.3.11"), member("32", "10.0.3.12")},
			HealthMonitor: &lbaas.HealthMonitor{
				Object: object("40", ""), PoolID: id("20"), Type: lbaas.MonitorTCP, Delay: 10, Timeout: 4, MaxRetries: 3, MaxRetriesDown: 3,
			},
		}},
	}
	lb.Pools[0].Members[2].AdminStateUp = false
	return lb
}

func apply(t *testing.T, p *Provider, lbs ...*lbaas.LoadBalancer) {
	t.Helper()
	for _, lb := range lbs {
		result, err := p.Apply(t.Context(), lb)
		if err != nil || len(result.Failures) > 0 {
			t.Fatalf("Apply: %v, %v", result, err)
		}
	}
}

func observe(t *testing.T, p *Provider, lbs ...*lbaas.LoadBalancer) map[string]provider.Observation {
	t.Helper()
	seen, err := p.Observe(t.Context(), lbs)
	if err != nil {
		t.Fatalf("Observe: %v", err)
	}
	return seen
}

// well is what is seen of plain() where all is well.
func well(lb *lbaas.LoadBalancer) provider.Observation {
	m := lb.Pools[0].Members
	return provider.Observation{
		Operating: statuses{
			lb.ID: lbaas.Online, lb.Listeners[0].ID: lbaas.Online, lb.Pools[0].ID: lbaas.Online, lb.Pools[0].HealthMonitor.ID: lbaas.Online,
			m[0].ID: lbaas.Online, m[1].ID: lbaas.Online, m[2].ID: lbaas.Offline,
		},
		Statistics: map[string]lbaas.Statistics{lb.Listeners[0].ID: {}},
		Generation: 1, Epoch: 1,
	}
}

func TestObserve(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	a, b, never := plain(demoProject, 'a'), plain(otherProject, 'b'), plain(demoProject, 'c')
	apply(t, p, a, b)
	want := map[string]provider.Observation{a.ID: well(a), b.ID: well(b)}
	if diff := cmp.Diff(want, observe(t, p, a, b, never)); diff != "" {
		t.Fatalf("Observe (-want +got):\n%s", diff)
	}

	pool := translate.PoolUUID(a.Pools[0].ID, a.Listeners[0].ID)
	s.SetServer(pool, "10.0.3.11:8080", "OPER_DOWN")
	s.SetVS(translate.UUID(translate.VirtualService, b.Listeners[0].ID), "OPER_RESOURCES")
	s.SetMetrics(translate.UUID(translate.VirtualService, a.Listeners[0].ID), map[string]float64{
		"l4_client.max_rx_bytes_absolute": 1234, "l4_client.max_tx_bytes_absolute": 5678, "l4_client.max_open_conns": 9,
		"l4_client.sum_finished_conns": 100, "l4_client.sum_errored_connections": 3,
	})
	o := want[a.ID]
	o.Operating[a.ID], o.Operating[a.Pools[0].ID], o.Operating[a.Pools[0].Members[1].ID] = lbaas.Degraded, lbaas.Degraded, lbaas.Broken
	o.Statistics[a.Listeners[0].ID] = lbaas.Statistics{BytesIn: 1234, BytesOut: 5678, ActiveConnections: 9, TotalConnections: 100, RequestErrors: 3}
	o = want[b.ID]
	o.Operating[b.Listeners[0].ID], o.Operating[b.Pools[0].ID] = lbaas.Offline, lbaas.Offline
	if diff := cmp.Diff(want, observe(t, p, a, b)); diff != "" {
		t.Errorf("Observe of what turned (-want +got):\n%s", diff)
	}
}

// TestObserveWithoutListeners shows that a load balancer of which nothing is to be there is well.
func TestObserveWithoutListeners(t *testing.T) {
	lb := plain(demoProject, 'a')
	lb.Listeners = nil
	p := open(t, newController(t), nil)
	for _, made := range []bool{false, true} {
		if made {
			apply(t, p, lb)
		}
		o, there := observe(t, p, lb)[lb.ID]
		if !there || o.Drifted || o.Operating[lb.ID] != lbaas.Online {
			t.Errorf("made %v: there %v, %+v", made, there, o)
		}
	}
}

// TestObservePolls counts what is asked of the controller: for many load balancers no more than for one, and not again while it is fresh.
func TestObservePolls(t *testing.T) {
	s := newController(t)
	p := open(t, s, func(c *Config) { c.PollEvery, c.AuditEvery = 0, 0 })
	var lbs []*lbaas.LoadBalancer
	for _, n := range []byte("abcdef0123") {
		lbs = append(lbs, plain(demoProject, n))
	}
	for i, lb := range lbs {
		lb.VIPAddress = netip.AddrFrom4([4]byte{10, 0, 3, byte(100 + i)})
		apply(t, p, lb)
	}
	s.ResetCalls()
	observe(t, p, lbs...)
	asked := paths(s)
	want := []string{"GET pool-inventory", "GET virtualservice-inventory", "GET analytics/metric_id", "POST analytics/metrics/collection"}
	for _, kind := range kinds {
		want = append(want, "GET "+kind)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("requests of a first look at %d (-want +got):\n%s", len(lbs), diff)
	}
	s.ResetCalls()
	for range 3 {
		observe(t, p, lbs...)
	}
	if asked := paths(s); len(asked) > 0 {
		t.Errorf("looks that follow ask %v", asked)
	}
	lbs[0].Progress.Generation++
	lbs[0].Pools[0].Members[0].Weight = 7
	apply(t, p, lbs[0])
	s.ResetCalls()
	observe(t, p, lbs[0])
	if diff := cmp.Diff([]string{"GET pool-inventory", "GET virtualservice-inventory"}, paths(s)); diff != "" {
		t.Errorf("a look after an Apply asks (-want +got):\n%s", diff)
	}
}

// paths are the requests that the emulator answered since the last reset, without their queries, in order of the alphabet.
func paths(s *avitest.Server) []string {
	var all []string
	for _, c := range s.Calls() {
		path, _, _ := strings.Cut(strings.TrimPrefix(c.Path, "/api/"), "?")
		if path != "/login" && path != "login" {
			all = append(all, c.Method+" "+strings.Trim(path, "/"))
		}
	}
	slices.Sort(all)
	return all
}

// TestObserveTenantByTenant has a user who may not read all tenants at once.
func TestObserveTenantByTenant(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	a, b := plain(demoProject, 'a'), plain(otherProject, 'b')
	apply(t, p, a, b)
	stranger := plain("0b2c6b0c-6ef5-4256-8051-ae9c65170dff", 'd') // a project that is no tenant
	s.ResetCalls()
	s.Inject(avitest.Fault{Match: func(_, path string, _ map[string]any) bool { return strings.Contains(path, "virtualservice-inventory") },
		Kind: avitest.Refuse, Status: 403, Text: "not allowed"})
	want := map[string]provider.Observation{a.ID: well(a), b.ID: well(b)}
	if diff := cmp.Diff(want, observe(t, p, a, b, stranger)); diff != "" {
		t.Errorf("Observe (-want +got):\n%s", diff)
	}
	observe(t, p, a)
	tried := 0
	for _, c := range s.Calls() {
		if c.Tenant == "*" {
			tried++
		}
	}
	if tried != 1 {
		t.Errorf("all tenants were asked %d times, want once", tried)
	}
}

// TestObserveAfterRestart has another process look at what one made.
func TestObserveAfterRestart(t *testing.T) {
	s := newController(t)
	lb := plain(demoProject, 'a')
	apply(t, open(t, s, nil), lb)
	p := open(t, s, nil)
	if diff := cmp.Diff(map[string]provider.Observation{lb.ID: well(lb)}, observe(t, p, lb)); diff != "" {
		t.Errorf("Observe (-want +got):\n%s", diff)
	}
	pool := translate.PoolUUID(lb.Pools[0].ID, lb.Listeners[0].ID)
	edit(t, s, translate.Pool, pool, func(o map[string]any) { o["lb_algorithm"] = "LB_ALGORITHM_RANDOM" })
	if o := observe(t, p, lb)[lb.ID]; !o.Drifted {
		t.Errorf("a change is not found: %+v", o)
	}
	apply(t, p, lb)
	if o := observe(t, p, lb)[lb.ID]; o.Drifted {
		t.Errorf("drifted after it was repaired: %+v", o)
	}
}

func edit(t *testing.T, s *avitest.Server, kind, uuid string, change func(map[string]any)) {
	t.Helper()
	if err := s.Edit(kind, uuid, change); err != nil {
		t.Fatalf("edit %s: %v", uuid, err)
	}
}

// TestObserveSilence has a controller that does not answer.
func TestObserveSilence(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	lb := plain(demoProject, 'a')
	apply(t, p, lb)
	s.Down(true)
	if seen, err := p.Observe(t.Context(), []*lbaas.LoadBalancer{lb}); err == nil || !controller.Unreachable(err) {
		t.Errorf("Observe of a controller that is down: %v, %v", seen, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Observe(ctx, []*lbaas.LoadBalancer{lb}); err == nil {
		t.Error("Observe goes on without a context")
	}
}

// TestObserveTogether has many ask at the same time, while one changes: they share what one of them asks.
func TestObserveTogether(t *testing.T) {
	s := newController(t)
	p := open(t, s, func(c *Config) { c.PollEvery, c.AuditEvery = time.Hour, time.Hour })
	a, b := plain(demoProject, 'a'), plain(otherProject, 'b')
	apply(t, p, a, b)
	s.SetServer(translate.PoolUUID(a.Pools[0].ID, a.Listeners[0].ID), "10.0.3.11:8080", "OPER_DOWN")
	s.ResetCalls()
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			lb := []*lbaas.LoadBalancer{a, b}[i%2]
			seen, err := p.Observe(t.Context(), []*lbaas.LoadBalancer{lb})
			if err != nil || len(seen) != 1 {
				t.Errorf("Observe: %v, %v", seen, err)
			}
		})
	}
	group.Wait()
	polls := 0
	for _, path := range paths(s) {
		if path == "GET virtualservice-inventory" {
			polls++
		}
	}
	if polls != 1 {
		t.Errorf("%d polls, want 1", polls)
	}
}
