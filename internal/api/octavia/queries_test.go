package octavia_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestQueriesDoNotGrow counts what each GET asks of the database among five of everything, and among fifty: as much.
func TestQueriesDoNotGrow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := &cloud{t: t, store: s, token: "admin"}
		c.serve(octavia.Config{Store: s, Networks: s, Auth: everybody(), Providers: []provider.Face{haproxy.Face()}, Host: "host-1"})
		w := newCrowd(c)
		w.grow(5)
		few := w.queries()
		w.grow(45)
		if diff := cmp.Diff(few, w.queries()); diff != "" {
			t.Errorf("queries by path (-among 5 +among 50):\n%s", diff)
		}
	})
}

// crowd has many of everything: load balancers with one of everything, and one load balancer with many.
type crowd struct {
	*cloud
	lb          *lbaas.LoadBalancer
	flavor      lbaas.Flavor
	profile     lbaas.FlavorProfile
	zone        lbaas.AvailabilityZone
	zoneProfile lbaas.AvailabilityZoneProfile
	amphorae    []lbaas.Amphora
	size        int
}

func newCrowd(c *cloud) *crowd {
	w := &crowd{cloud: c}
	w.profile = lbaas.FlavorProfile{Name: "p", Provider: "haproxy", Data: "{}"}
	w.zoneProfile = lbaas.AvailabilityZoneProfile{Name: "p", Provider: "haproxy", Data: "{}"}
	ctx := c.t.Context()
	w.check(c.store.CreateFlavorProfile(ctx, &w.profile), c.store.CreateAvailabilityZoneProfile(ctx, &w.zoneProfile))
	w.flavor = lbaas.Flavor{Name: "f", Enabled: true, FlavorProfileID: w.profile.ID}
	w.zone = lbaas.AvailabilityZone{Name: "z", Enabled: true, ProfileID: w.zoneProfile.ID}
	w.check(c.store.CreateFlavor(ctx, &w.flavor), c.store.CreateAvailabilityZone(ctx, &w.zone))
	w.lb = w.tree(0)
	w.lb.FlavorID, w.lb.AvailabilityZone = w.flavor.ID, w.zone.Name
	w.check(c.store.CreateLoadBalancer(ctx, w.lb))
	return w
}

func (w *crowd) check(errs ...error) {
	w.t.Helper()
	for _, err := range errs {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// tree is a load balancer with one of everything.
func (w *crowd) tree(i int) *lbaas.LoadBalancer {
	pool := &lbaas.Pool{
		Object: lbaas.Object{ID: uuid.NewString(), Name: "p"}, Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin,
		Members:       []*lbaas.Member{{Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: 80}},
		HealthMonitor: &lbaas.HealthMonitor{Type: lbaas.MonitorTCP},
	}
	listener := &lbaas.Listener{
		Protocol: lbaas.HTTP, ProtocolPort: 80, DefaultPoolID: pool.ID,
		L7Policies:        []*lbaas.L7Policy{{Action: lbaas.RedirectToPool, RedirectPoolID: pool.ID, Rules: []*lbaas.L7Rule{{}}}},
		RateLimitPolicies: []*lbaas.RateLimitPolicy{{Rules: []*lbaas.RateLimitRule{{}}}},
	}
	return &lbaas.LoadBalancer{
		Object: lbaas.Object{Name: fmt.Sprint("lb ", i%3), ProjectID: fmt.Sprint("project ", i)}, Provider: "haproxy", Host: "host-1",
		Listeners: []*lbaas.Listener{listener}, Pools: []*lbaas.Pool{pool},
	}
}

// grow makes n more of everything.
func (w *crowd) grow(n int) {
	w.t.Helper()
	ctx := w.t.Context()
	for range n {
		w.size++
		name := fmt.Sprint("name ", w.size)
		profile, zoneProfile := w.profile, w.zoneProfile
		profile.ID, zoneProfile.ID = "", ""
		w.check(
			w.store.CreateLoadBalancer(ctx, w.tree(w.size)),
			w.store.CreateFlavorProfile(ctx, &profile), w.store.CreateAvailabilityZoneProfile(ctx, &zoneProfile),
			w.store.CreateFlavor(ctx, &lbaas.Flavor{Name: name, FlavorProfileID: profile.ID}),
			w.store.CreateAvailabilityZone(ctx, &lbaas.AvailabilityZone{Name: name, ProfileID: zoneProfile.ID}),
		)
		w.amphorae = append(w.amphorae, lbaas.Amphora{ID: uuid.NewString(), LoadBalancerID: w.lb.ID, ProjectID: w.lb.ProjectID})
	}
	w.check(w.store.ChangeLoadBalancer(ctx, w.lb.ID, func(c *store.Change) error { return w.widen(c, n) }))
	w.achieveWith(w.amphorae)
}

// widen gives the one load balancer n more of everything.
func (w *crowd) widen(c *store.Change, n int) error {
	l, p := c.LB.Listeners[0], c.LB.Pools[0]
	policy, limit := l.L7Policies[0], l.RateLimitPolicies[0]
	for i := range n {
		port := w.size - i + 1000
		pool := &lbaas.Pool{Object: lbaas.Object{ID: uuid.NewString()}, Protocol: lbaas.HTTP}
		more := &lbaas.L7Policy{Object: lbaas.Object{ID: uuid.NewString()}, ListenerID: l.ID, Action: lbaas.RedirectToPool, RedirectPoolID: p.ID}
		further := &lbaas.RateLimitPolicy{Object: lbaas.Object{ID: uuid.NewString()}, ListenerID: l.ID}
		if err := c.Put(pool,
			&lbaas.HealthMonitor{PoolID: pool.ID, Type: lbaas.MonitorTCP},
			&lbaas.Listener{Protocol: lbaas.HTTP, ProtocolPort: port, DefaultPoolID: p.ID},
			&lbaas.Member{PoolID: p.ID, Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: port}, more, further); err != nil {
			return err
		}
		rules := []lbaas.Part{&lbaas.L7Rule{L7PolicyID: more.ID}, &lbaas.RateLimitRule{RateLimitPolicyID: further.ID}}
		if i < 40 { // a policy has no more than 50
			rules = append(rules, &lbaas.L7Rule{L7PolicyID: policy.ID}, &lbaas.RateLimitRule{RateLimitPolicyID: limit.ID})
		}
		if err := c.Put(rules...); err != nil {
			return err
		}
	}
	return nil
}

func (w *crowd) achieveWith(amphorae []lbaas.Amphora) {
	w.t.Helper()
	ctx := w.t.Context()
	lease, ok, err := w.store.AcquireLease(ctx, store.LeaseName(w.lb), "test", 60e9)
	if err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	lb, err := w.store.Tree(ctx, w.lb.ID)
	w.check(err)
	w.check(w.store.Achieved(ctx, lease, lb.ID, lb.Progress.Generation, nil, amphorae))
	w.lb = lb
}

// queries counts them by path.
func (w *crowd) queries() map[string]int {
	w.t.Helper()
	counted := map[string]int{}
	for _, path := range w.paths() {
		before := w.store.Queries()
		if a := w.do(http.MethodGet, path, nil); a.code != http.StatusOK {
			w.t.Fatalf("GET %s: %d %s", path, a.code, a.raw)
		}
		counted[path] = w.store.Queries() - before
	}
	return counted
}

func (w *crowd) paths() []string {
	l, p := w.lb.Listeners[0], w.lb.Pools[0]
	one := []struct{ collection, id string }{
		{"/loadbalancers", w.lb.ID}, {"/listeners", l.ID}, {"/pools", p.ID}, {"/pools/" + p.ID + "/members", p.Members[0].ID},
		{"/healthmonitors", p.HealthMonitor.ID}, {"/l7policies", l.L7Policies[0].ID},
		{"/l7policies/" + l.L7Policies[0].ID + "/rules", l.L7Policies[0].Rules[0].ID},
		{"/ratelimitpolicies", l.RateLimitPolicies[0].ID},
		{"/ratelimitpolicies/" + l.RateLimitPolicies[0].ID + "/rules", l.RateLimitPolicies[0].Rules[0].ID},
		{"/flavors", w.flavor.ID}, {"/flavorprofiles", w.profile.ID},
		{"/availabilityzones", w.zone.Name}, {"/availabilityzoneprofiles", w.zoneProfile.ID},
	}
	paths := []string{
		root + "/loadbalancers/" + w.lb.ID + "/status", root + "/loadbalancers/" + w.lb.ID + "/stats", root + "/listeners/" + l.ID + "/stats",
		root + "/loadbalancers?sort=name:desc&limit=4", root + "/loadbalancers?sort=name,created_at:desc&limit=4&marker=" + w.lb.ID,
		root + "/loadbalancers?provisioning_status=ACTIVE&sort=operating_status&tags-any=x",
		root + "/quotas", root + "/quotas/" + mine, root + "/quotas/" + mine + "/default", root + "/providers",
		"/v2/octavia/amphorae", "/v2/octavia/amphorae/" + w.amphorae[0].ID,
	}
	for _, o := range one {
		paths = append(paths, root+o.collection, root+o.collection+"?limit=infinite", root+o.collection+"/"+o.id)
	}
	return paths
}
