package avi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/network"
	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/internal/provider/providertest"
	"plimsoll/lbaas"
)

// mustApply applies a tree, all of which must be made.
func mustApply(t *testing.T, p *Provider, lb *lbaas.LoadBalancer) {
	t.Helper()
	result, err := p.Apply(t.Context(), lb)
	if err != nil || len(result.Failures) > 0 {
		t.Fatalf("Apply: %v, failures %v", err, result.Failures)
	}
}

// edit changes an object as another user does.
func (w *world) edit(kind, uuid string, change func(map[string]any)) {
	w.t.Helper()
	if err := w.server.Edit(kind, uuid, change); err != nil {
		w.t.Fatal(err)
	}
}

// next is a tree of the next generation.
func next(lb *lbaas.LoadBalancer, change func(lb *lbaas.LoadBalancer)) *lbaas.LoadBalancer {
	lb = providertest.Clone(lb)
	lb.Progress.Generation++
	change(lb)
	return lb
}

// TestUsersChangesSurvive has an operator change on the controller what LBaaS knows nothing of, behind the provider's memory: it survives
// what users change afterwards, next to it and inside the same lists.
func TestUsersChangesSurvive(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Secrets = s.secrets })
	lb := s.tree(1)
	mustApply(t, w.provider, lb)
	vs, poolID, monitor := "virtualservice-"+id(11), translate.PoolUUID(id(20), id(10)), "healthmonitor-"+id(40)
	w.edit(translate.Monitor, monitor, func(o map[string]any) { o["monitor_port"] = 9999 })
	w.edit(translate.Pool, poolID, func(o map[string]any) {
		o["graceful_disable_timeout"] = 7
		within(o, servers, 1).(map[string]any)["rewrite_host_header"] = true
	})
	w.edit(translate.VirtualService, vs, func(o map[string]any) {
		o["weight"] = 5
		within(o, "services", 0).(map[string]any)["port_range_end"] = json.Number("443")
	})
	lb = s.tree(2)
	mustApply(t, w.provider, lb)
	for _, want := range []struct {
		kind, uuid string
		path       []any
		value      string
	}{
		{translate.Monitor, monitor, []any{"monitor_port"}, "9999"},
		{translate.Monitor, monitor, []any{"receive_timeout"}, "2"},
		{translate.Pool, poolID, []any{"graceful_disable_timeout"}, "7"},
		{translate.VirtualService, vs, []any{"weight"}, "5"},
		{translate.VirtualService, vs, []any{"services", 0, "port_range_end"}, "443"},
	} {
		if got := numeral(within(w.server.Object(want.kind, want.uuid), want.path...)); got != want.value {
			t.Errorf("%s %v is %s, want %s", want.uuid, want.path, got, want.value)
		}
	}
	for _, s := range w.server.Object(translate.Pool, poolID)[servers].([]any) {
		if want := within(s, "external_uuid") == id(201); (within(s, "rewrite_host_header") == true) != want {
			t.Errorf("server %v", s)
		}
	}
}

// TestUsersPolicies has an operator put a policy set of his own in front of ours: it stays when ours comes, changes and goes.
func TestUsersPolicies(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Secrets = s.secrets })
	lb := s.tree(1)
	policies := lb.Listeners[1].L7Policies
	lb.Listeners[1].L7Policies = nil
	mustApply(t, w.provider, lb)
	tenant := controller.Tenant{UUID: projectTenant}
	if _, err := w.provider.ctl.Create(t.Context(), tenant, translate.PolicySet, "httppolicyset-theirs", controller.Object{"name": "theirs"}); err != nil {
		t.Fatal(err)
	}
	vs := "virtualservice-" + id(11)
	w.edit(translate.VirtualService, vs, func(o map[string]any) {
		o[httpPolicies] = []any{map[string]any{"index": 1, policySetRef: "/api/httppolicyset/httppolicyset-theirs"}}
	})
	for _, step := range []struct {
		policies []*lbaas.L7Policy
		want     string
	}{
		{policies, "1 theirs, 2 " + id(11)},
		{policies[:1], "1 theirs, 2 " + id(11)},
		{nil, "1 theirs"},
	} {
		lb.Progress.Generation++
		lb.Listeners[1].L7Policies = step.policies
		mustApply(t, w.provider, lb)
		var got []string
		list, _ := w.server.Object(translate.VirtualService, vs)[httpPolicies].([]any)
		for _, e := range list {
			got = append(got, numeral(within(e, "index"))+" "+strings.TrimPrefix(refID(within(e, policySetRef)), "httppolicyset-"))
		}
		if got := strings.Join(got, ", "); got != step.want {
			t.Errorf("policy sets %s, want %s", got, step.want)
		}
	}
}

// TestConstantWriter has somebody write a pool all the time: the servers are then changed by PATCH, which nobody's write disturbs; what
// cannot be changed so is given up for now, and done once there is peace.
func TestConstantWriter(t *testing.T) {
	w := newWorld(t)
	lb := w.Tree(t)
	mustApply(t, w.provider, lb)
	stale := w.server.Inject(avitest.Fault{Times: -1, Kind: avitest.Stale, Match: func(method, path string, _ map[string]any) bool {
		return method == http.MethodPut && strings.HasPrefix(path, "/api/pool/")
	}})
	lb = next(lb, func(lb *lbaas.LoadBalancer) {
		p := lb.Pools[0]
		p.Members[0].Weight = 100
		added := *p.Members[1]
		added.ID, added.ProtocolPort = id(77), 81
		p.Members = append(p.Members[:1], p.Members[2], &added)
	})
	w.server.ResetCalls()
	mustApply(t, w.provider, lb)
	w.Check(t, lb)
	patches := 0
	for _, c := range w.server.Calls() {
		if c.Method == http.MethodPatch {
			patches++
		}
	}
	if patches != 2 || stale.Hits() != patient {
		t.Errorf("%d patches after %d refusals", patches, stale.Hits())
	}
	lb = next(lb, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Algorithm = lbaas.LeastConnections })
	if _, err := w.provider.Apply(t.Context(), lb); err == nil || stale.Hits() != patient+rounds {
		t.Errorf("Apply gives %v after %d refusals", err, stale.Hits())
	}
	stale.Cancel()
	mustApply(t, w.provider, lb)
	w.Check(t, lb)
}

// TestNames has two load balancers of one name, a third object with a name that ours wants, and then a change of names: who comes second
// gets a name with its id, and keeps it.
func TestNames(t *testing.T) {
	w := newWorld(t)
	a, b := w.Tree(t), w.Tree(t)
	for _, lb := range []*lbaas.LoadBalancer{a, b} {
		lb.Name, lb.Listeners[0].Name = "same", "same"
	}
	mustApply(t, w.provider, a)
	mustApply(t, w.provider, b)
	names := func(lb *lbaas.LoadBalancer) string {
		return textAt(w.server.Object(translate.VirtualService, "virtualservice-"+lb.Listeners[0].ID), "name")
	}
	if names(a) != "same:same" || names(b) != "same:same-"+b.Listeners[0].ID {
		t.Errorf("names %q and %q", names(a), names(b))
	}
	w.server.ResetCalls()
	b.Progress.Generation++
	mustApply(t, w.provider, b)
	if calls := w.server.Calls(); len(calls) > 0 {
		t.Errorf("the second name is a reason to write: %s", lines(calls))
	}
	a, b = next(a, func(lb *lbaas.LoadBalancer) { lb.Name = "other" }), next(b, func(lb *lbaas.LoadBalancer) { lb.Name = "other" })
	mustApply(t, w.provider, b)
	mustApply(t, w.provider, a)
	if names(b) != "other:same" || names(a) != "other:same-"+a.Listeners[0].ID {
		t.Errorf("names %q and %q", names(a), names(b))
	}
	w.Check(t, a)
	w.Check(t, b)
}

// TestDeletedBehind has an operator delete objects that we remember: what then changes is made anew.
func TestDeletedBehind(t *testing.T) {
	w := newWorld(t)
	lb := w.Tree(t)
	mustApply(t, w.provider, lb)
	w.server.Drop(translate.Pool, translate.PoolUUID(lb.Pools[0].ID, lb.Listeners[0].ID))
	lb = next(lb, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].Weight = 100 })
	mustApply(t, w.provider, lb)
	w.Check(t, lb)
	w.Lose(t, lb)
	lb = next(lb, func(lb *lbaas.LoadBalancer) { lb.Listeners[0].Name = "new" })
	mustApply(t, w.provider, lb)
	mustApply(t, w.provider, lb) // what was not to be changed is found missing by Observe, which has it applied again
	w.Check(t, lb)
}

// TestPlacement has pools name the networks of their members, as far as the network service knows their subnets. Members come and go, and
// nothing is written twice.
func TestPlacement(t *testing.T) {
	n := &wires{subnets: map[string]*network.Subnet{
		subnet:  {ID: subnet, NetworkID: vipNetwork, CIDR: netip.MustParsePrefix("10.1.0.0/16")},
		id(600): {ID: id(600), NetworkID: id(601), CIDR: netip.MustParsePrefix("10.2.0.0/16")},
	}}
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Networks, c.Placement = n, true })
	lb := w.Tree(t)
	poolID := translate.PoolUUID(lb.Pools[0].ID, lb.Listeners[0].ID)
	for _, step := range []struct {
		subnets []string
		want    string
	}{
		{[]string{subnet}, "10.1.0.0/16 " + vipNetwork},
		{[]string{subnet, id(600)}, "10.1.0.0/16 " + vipNetwork + ", 10.2.0.0/16 " + id(601)},
		{[]string{id(600), "unknown"}, "10.2.0.0/16 " + id(601)},
	} {
		lb = next(lb, func(lb *lbaas.LoadBalancer) {
			for i, m := range lb.Pools[0].Members {
				m.SubnetID = step.subnets[i%len(step.subnets)]
			}
		})
		mustApply(t, w.provider, lb)
		var got []string
		list, _ := w.server.Object(translate.Pool, poolID)[placementNetworks].([]any)
		for _, e := range list {
			got = append(got, fmt.Sprintf("%v/%s %s", within(e, "subnet", "ip_addr", "addr"), numeral(within(e, "subnet", "mask")), refID(within(e, "network_ref"))))
		}
		slices.Sort(got)
		if got := strings.Join(got, ", "); got != step.want {
			t.Errorf("the pool is in %s, want %s", got, step.want)
		}
		w.server.ResetCalls()
		mustApply(t, w.provider, next(lb, func(*lbaas.LoadBalancer) {}))
		if calls := w.server.Calls(); len(calls) > 0 {
			t.Errorf("written twice: %s", lines(calls))
		}
		lb.Progress.Generation++
	}
}

// TestKeptOtherwise has a controller that ignores a field: the object is written, and then is no drift that has it written for ever.
func TestKeptOtherwise(t *testing.T) {
	w := worldOf(t, avitest.Options{Lenient: true}, nil)
	j := w.provider.job(w.Tree(t))
	for i, field := range []string{"description", "unheard_of"} {
		o := translate.Object{Kind: translate.Pool, UUID: "pool-" + id(i), Owned: controller.Object{"name": "pool " + id(i), field: "text"}}
		if err := j.ensure(t.Context(), o); err != nil || len(j.failures) > 0 {
			t.Fatal(err, j.failures)
		}
	}
	if len(w.server.Objects(projectTenant, translate.Pool)) != 2 || len(j.settled) != 1 || j.settled[0].UUID != "pool-"+id(0) {
		t.Errorf("settled: %v", j.settled)
	}
}
