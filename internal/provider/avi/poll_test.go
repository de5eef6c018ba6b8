package avi

import (
	"context"
	"fmt"
	"net/netip"
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

// refusing is a fault of all requests whose path has a text, in a tenant.
func refusing(path, tenant string, status int) avitest.Fault {
	return avitest.Fault{Match: func(_, p string, _ map[string]any) bool { return strings.Contains(p, path) },
		Times: 1000, Kind: avitest.Refuse, Status: status, Text: "not for " + tenant}
}

// TestObserveInAHurry has a caller go away while a slow controller is asked: the answer serves the next.
func TestObserveInAHurry(t *testing.T) {
	s := newController(t)
	p := open(t, s, func(c *Config) { c.PollEvery, c.AuditEvery = time.Hour, time.Hour })
	lb := plain(demoProject, 'a')
	apply(t, p, lb)
	s.ResetCalls()
	hasty, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	s.Inject(avitest.Fault{Match: func(_, path string, _ map[string]any) bool {
		if strings.Contains(path, "virtualservice-inventory") {
			cancel()
			<-release
		}
		return false
	}, Times: 1000, Kind: avitest.Slow})
	if _, err := p.Observe(hasty, []*lbaas.LoadBalancer{lb}); err == nil {
		t.Error("Observe answers before the controller does")
	}
	close(release)
	if diff := cmp.Diff(map[string]provider.Observation{lb.ID: well(lb)}, observe(t, p, lb)); diff != "" {
		t.Errorf("Observe (-want +got):\n%s", diff)
	}
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

// TestCrowdedControllers shows whose tenants are asked one by one.
func TestCrowdedControllers(t *testing.T) {
	for _, test := range []struct {
		name                  string
		rows, states, tenants int
		want                  bool
	}{
		{"empty", 0, 0, 0, false}, {"ours alone, in few tenants", 3000, 3000, 2, false}, {"ours alone, in many", 3000, 3000, 1000, false},
		{"others', and few of ours", 20000, 40, 10, true}, {"others', and many of our tenants", 20000, 600, 300, false},
		{"others', and we have none yet", 20000, 0, 0, true}, {"few of others'", 300, 2, 1, false},
	} {
		v := view{sight: &sight{services: map[string]health{}}, audit: &audit{states: test.states, tenants: map[string]bool{}}}
		for i := range test.rows {
			v.sight.services[fmt.Sprint(i)] = up
		}
		for i := range test.tenants {
			v.audit.tenants[fmt.Sprint(i)] = true
		}
		if got := v.crowded(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if (view{sight: &sight{}}).crowded() {
		t.Error("crowded without an audit")
	}
}

// TestObserveAmongOthers has many objects of others' on the controller. They are read once.
func TestObserveAmongOthers(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	a, b := plain(demoProject, 'a'), plain(otherProject, 'b')
	apply(t, p, a, b)
	for i := range 1100 {
		if _, err := p.ctl.Create(t.Context(), controller.Admin, translate.Pool, fmt.Sprint("pool-", i), controller.Object{"name": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]provider.Observation{a.ID: well(a), b.ID: well(b)}
	for _, pages := range []int{6, 2, 2} {
		s.ResetCalls()
		if diff := cmp.Diff(want, observe(t, p, a, b)); diff != "" {
			t.Errorf("Observe (-want +got):\n%s", diff)
		}
		n := 0
		for _, path := range paths(s) {
			if path == "GET pool-inventory" {
				n++
			}
		}
		if n != pages {
			t.Errorf("%d pages of pools were read, want %d", n, pages)
		}
	}
}

// TestObserveSingleTenant has all load balancers in one tenant, which alone is asked.
func TestObserveSingleTenant(t *testing.T) {
	s := newController(t)
	p := open(t, s, func(c *Config) { c.Tenants.Single = "demo" })
	a, b := plain(demoProject, 'a'), plain(otherProject, 'b')
	b.VIPAddress = netip.MustParseAddr("10.0.3.4")
	apply(t, p, a, b)
	s.ResetCalls()
	if diff := cmp.Diff(map[string]provider.Observation{a.ID: well(a), b.ID: well(b)}, observe(t, p, a, b)); diff != "" {
		t.Errorf("Observe (-want +got):\n%s", diff)
	}
	for _, c := range s.Calls() {
		if c.Tenant == "*" {
			t.Errorf("all tenants were asked: %s", c)
		}
	}
}

// TestInventoriesNeedNoNames shows what states are asked for with: names of what objects refer to cost a controller as much as the states.
func TestInventoriesNeedNoNames(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	s.ResetCalls()
	observe(t, p, plain(demoProject, 'a'))
	for _, c := range s.Calls() {
		if strings.Contains(c.Path, "inventory") == strings.Contains(c.Query, "include_name") && strings.Contains(c.Query, "page_size") {
			t.Errorf("asked for %s", c)
		}
	}
}

// TestObserveInPart shows that what cannot be read of a controller keeps nobody from knowing the rest.
func TestObserveInPart(t *testing.T) {
	for _, path := range []string{"pkiprofile", "analytics", "metric_id", "runtime/server"} {
		t.Run(path, func(t *testing.T) {
			s := newController(t)
			p := open(t, s, nil)
			a, b := plain(demoProject, 'a'), plain(otherProject, 'b')
			apply(t, p, a, b)
			s.SetServer(translate.PoolUUID(b.Pools[0].ID, b.Listeners[0].ID), "10.0.3.11:8080", "OPER_DOWN")
			s.Inject(refusing(path, "you", 500))
			for range 2 {
				seen := observe(t, p, a, b)
				want := well(a)
				if diff := cmp.Diff(want, seen[a.ID]); diff != "" {
					t.Errorf("Observe (-want +got):\n%s", diff)
				}
				if o := seen[b.ID]; o.Drifted || o.Operating[b.Listeners[0].ID] != lbaas.Online {
					t.Errorf("the other: %+v", o)
				}
			}
			other := open(t, s, nil) // which has made nothing itself
			for id, o := range observe(t, other, a, b) {
				if o.Drifted || len(o.Operating) == 0 {
					t.Errorf("another process sees of %s: %+v", id, o)
				}
			}
		})
	}
}

// TestObserveTenantThatCannotBeRead shows that of it nothing is said, and of others all.
func TestObserveTenantThatCannotBeRead(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	a, b := plain(demoProject, 'a'), plain(otherProject, 'b')
	apply(t, p, a, b)
	p.watcher.part()
	none := p.tenant(b)
	p.desk(none).sight.ask = func(*sight, time.Time) (*sight, error) { return nil, fmt.Errorf("forbidden") }
	want := map[string]provider.Observation{a.ID: well(a), b.ID: {Generation: 1, Epoch: 1}}
	if diff := cmp.Diff(want, observe(t, p, a, b)); diff != "" {
		t.Errorf("Observe (-want +got):\n%s", diff)
	}
}

// TestSlowControllersArePolledLess shows how old states may be.
func TestSlowControllersArePolledLess(t *testing.T) {
	for _, test := range []struct {
		every, took, want time.Duration
	}{
		{0, 0, 3 * time.Second}, {0, time.Second / 2, 3 * time.Second}, {0, 4 * time.Second, 20 * time.Second},
		{10 * time.Second, time.Second, 10 * time.Second}, {10 * time.Second, 4 * time.Second, 20 * time.Second}, {1, 4 * time.Second, 1},
	} {
		p := &Provider{watcher: newWatcher(), cfg: Config{PollEvery: test.every}}
		d := p.newDesk(controller.AllTenants)
		d.sight.last, d.sight.began = &sight{took: test.took}, time.Now()
		if got := p.pollEvery(d); got != test.want {
			t.Errorf("polls that take %v, to be made every %v, come every %v, want %v", test.took, test.every, got, test.want)
		}
	}
}

// TestDesksAreForgotten shows what is left of tenants whose load balancers are gone.
func TestDesksAreForgotten(t *testing.T) {
	p := &Provider{watcher: newWatcher()}
	a, b := p.tenant(plain(demoProject, 'a')), p.tenant(plain(otherProject, 'b'))
	old := p.desk(a)
	p.watcher.account(a, old, time.Minute)
	p.watcher.account(a, old, time.Hour)
	if got := p.auditEvery(); got != 10*time.Hour {
		t.Errorf("audits that take an hour come every %v", got)
	}
	old.used = time.Now().Add(-2 * forgotten)
	p.desk(b)
	if len(p.watcher.desks) != 1 || p.auditEvery() != auditEvery {
		t.Errorf("%d desks, audits every %v", len(p.watcher.desks), p.auditEvery())
	}
	p.watcher.account(a, old, time.Hour) // one that ended late
	if p.auditEvery() != auditEvery {
		t.Errorf("audits every %v", p.auditEvery())
	}
}

// TestObserveForgotten shows that nothing is said of a load balancer that another process may have changed, by an audit that
// is older than what was forgotten.
func TestObserveForgotten(t *testing.T) {
	s := newController(t)
	p := open(t, s, func(c *Config) { c.AuditEvery = time.Hour })
	lb := plain(demoProject, 'a')
	observe(t, p, lb) // the audit has nothing of it
	apply(t, p, lb)
	for i := range remembered {
		p.memory.put(fmt.Sprint(i), memory{whole: true})
	}
	if p.memory.get(lb.ID).whole {
		t.Fatal("it is remembered")
	}
	if o, there := observe(t, p, lb)[lb.ID]; !there || o.Drifted {
		t.Errorf("there %v, %+v", there, o)
	}
}

// TestCloseWhileAsking ends a provider while many wait for a controller.
func TestCloseWhileAsking(t *testing.T) {
	s := newController(t)
	p := open(t, s, nil)
	lb := plain(demoProject, 'a')
	apply(t, p, lb)
	var group sync.WaitGroup
	began := make(chan struct{}, 1000)
	for range 8 {
		group.Go(func() {
			for range 20 {
				began <- struct{}{}
				if _, err := p.Observe(t.Context(), []*lbaas.LoadBalancer{lb}); err != nil {
					return
				}
			}
		})
	}
	<-began
	_ = p.Close()
	group.Wait()
	if _, err := p.Observe(t.Context(), []*lbaas.LoadBalancer{lb}); err == nil {
		t.Error("a closed provider observes")
	}
}
