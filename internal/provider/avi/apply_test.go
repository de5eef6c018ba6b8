package avi

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/internal/provider/providertest"
	"plimsoll/lbaas"
)

// TestUnavailable has a controller that cannot be used: load balancers say why they wait and what an operator can do, and no secret.
func TestUnavailable(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		down   bool
		words  []string
	}{
		{"controller down", nil, true, []string{"does not answer", "127.0.0.1:", "avi_adc", "plimsoll doctor"}},
		{"wrong password", func(c *Config) { c.Controller.Password = "wrong-secret" }, false, []string{"does not let user admin in", "password"}},
		{"unknown authority", func(c *Config) { c.Controller.Roots = x509.NewCertPool() }, false, []string{"certificate that is not trusted", "ca_file", "avi_adc"}},
		{"old controller", func(c *Config) { c.Controller.Version = "22.1.1" }, false, []string{"has version 18.2.6", "api_version 22.1.1", "An operator can set api_version"}},
		{"tenant missing", func(c *Config) { c.Tenants.Single = "nobody" }, false, []string{"has no tenant nobody", "create_tenants"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := worldOf(t, avitest.Options{}, test.change)
			w.server.Down(test.down)
			lb := w.Tree(t)
			_, err := w.provider.Apply(t.Context(), lb)
			var told *lbaas.Error
			if !errors.As(err, &told) || told.Kind != lbaas.Unavailable {
				t.Fatalf("Apply: %v", err)
			}
			for _, word := range test.words {
				if !strings.Contains(told.Text, word) {
					t.Errorf("%q does not say %q", told.Text, word)
				}
			}
			for _, secret := range []string{"avi123", "wrong-secret"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v tells a secret", err)
				}
			}
			if !test.down {
				return
			}
			w.server.Down(false)
			w.provider = w.open(nil)
			mustApply(t, w.provider, lb)
			w.Check(t, lb)
		})
	}
}

// TestVRFRefused has a tenant that may have no VRF contexts of its own: the load balancer says what the controller says.
func TestVRFRefused(t *testing.T) {
	w := worldOf(t, avitest.Options{}, perSubnet(true))
	w.server.Inject(avitest.Fault{Times: -1, Kind: avitest.Refuse, Status: 403, Text: "VRF contexts are not allowed", Match: func(_, path string, _ map[string]any) bool {
		return path == "/api/vrfcontext"
	}})
	lb := w.Tree(t)
	_, err := w.provider.Apply(t.Context(), lb)
	var told *lbaas.Error
	if !errors.As(err, &told) || told.Kind != lbaas.Unavailable || !strings.Contains(told.Text, "refuses what the load balancer needs: VRF contexts are not allowed. An operator") {
		t.Errorf("Apply: %v", err)
	}
	if err := w.provider.Remove(t.Context(), lb); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

// TestVersions plays a saga on controllers of several versions, with data models as old as the client's default and as new as they are.
func TestVersions(t *testing.T) {
	for _, test := range []struct{ controller, model string }{
		{"18.1.2", "18.1.2"}, {"18.2.6", "18.2.6"}, {"20.1.1", "18.1.2"}, {"20.1.1", "20.1.1"}, {"22.1.1", "18.1.2"},
	} {
		t.Run(test.controller+" as "+test.model, func(t *testing.T) {
			s := newSaga(t)
			w := worldOf(t, avitest.Options{Version: test.controller}, func(c *Config) { c.Secrets, c.Controller.Version = s.secrets, test.model })
			for _, chapter := range []int{0, 1, 2, 3} {
				mustApply(t, w.provider, s.tree(chapter))
				w.checkSaga(t, s, chapter)
			}
			w.server.ResetCalls()
			mustApply(t, w.provider, s.tree(3))
			for _, c := range w.server.Calls() {
				if c.Method != http.MethodGet {
					t.Errorf("unchanged, and yet: %s", c)
				}
			}
			if err := w.provider.Remove(t.Context(), s.tree(4)); err != nil {
				t.Fatal(err)
			}
			w.CheckGone(t, s.tree(4))
		})
	}
}

// TestTenants makes tenants that are missing, of names that may be taken, under any single fault; and removes load balancers of tenants
// that are gone.
func TestTenants(t *testing.T) {
	for _, test := range []struct {
		name string
		kind avitest.Kind
		skip int
	}{
		{"no fault", 0, 0}, {"lost answer", avitest.CutAfterWrite, 0}, {"error", avitest.ServerError, 0}, {"lost answer to the second name", avitest.CutAfterWrite, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := worldOf(t, avitest.Options{Tenants: map[string]string{"demo": "tenant-" + id(501)}}, func(c *Config) {
				c.Tenants.Create, c.Controller.Probe = true, time.Nanosecond
				c.ProjectName = func(context.Context, string) (string, error) { return "demo", nil }
			})
			if test.kind > 0 {
				w.server.Inject(avitest.Fault{Kind: test.kind, Skip: test.skip, Match: func(method, path string, _ map[string]any) bool {
					return method == "POST" && path == "/api/tenant"
				}})
			}
			lb := w.Tree(t)
			if _, err := w.provider.Apply(t.Context(), lb); err != nil {
				mustApply(t, w.provider, lb)
			}
			w.Check(t, lb)
			if name := w.server.Object("tenant", projectTenant)["name"]; name != "demo-"+strings.TrimPrefix(projectTenant, "tenant-") {
				t.Errorf("the tenant is %v", name)
			}
		})
	}
	w := worldOf(t, avitest.Options{Tenants: map[string]string{}}, nil)
	if err := w.provider.Remove(t.Context(), w.Tree(t)); err != nil {
		t.Errorf("Remove in a tenant that is gone: %v", err)
	}
	w = worldOf(t, avitest.Options{}, func(c *Config) { c.Tenants = Tenants{Single: "all", Create: true} })
	lb := w.Tree(t)
	mustApply(t, w.provider, lb)
	if tenants := w.server.Objects("*", "tenant"); !slices.ContainsFunc(tenants, func(o map[string]any) bool { return o["name"] == "all" }) {
		t.Errorf("tenants %v", tenants)
	}
	w.Check(t, lb)
}

// TestLateWriters has another process take over: what the first one still does changes nothing, whether or not it remembers.
func TestLateWriters(t *testing.T) {
	w := newWorld(t)
	lb := w.Tree(t)
	lb.Epoch = 1
	mustApply(t, w.provider, lb)
	old, successor := w.provider, w.open(nil)
	newer := next(lb, func(lb *lbaas.LoadBalancer) {
		lb.Epoch, lb.Pools[0].Members[0].Weight, lb.Pools[0].Members = 2, 100, lb.Pools[0].Members[:2]
	})
	mustApply(t, successor, newer)
	late := next(lb, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[1].Weight, lb.Progress.Generation = 50, 9 })
	for _, p := range []*Provider{old, old, w.open(nil)} {
		if _, err := p.Apply(t.Context(), late); err == nil || !strings.Contains(err.Error(), "older than what the controller has") {
			t.Errorf("late Apply: %v", err)
		}
		w.Check(t, newer)
		if err := p.Remove(t.Context(), late); err == nil {
			t.Error("late Remove succeeds")
		}
		w.Check(t, newer)
	}
	if err := successor.Remove(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	if _, err := successor.Apply(t.Context(), late); err == nil {
		t.Error("an older tree comes back after the removal")
	}
	w.CheckGone(t, newer)
}

// TestIsolation has the controller refuse some of many servers: each of them fails, all others are made, and what was good before stays.
func TestIsolation(t *testing.T) {
	for _, test := range []struct {
		name string
		bad  []int // of ten members
		old  bool  // the pool was good before, and every member changes
	}{
		{"the first of a new pool", []int{0}, false},
		{"some of a new pool", []int{1, 2, 9}, false},
		{"all of a new pool", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, false},
		{"one of an old pool", []int{5}, true},
		{"some of an old pool", []int{0, 4, 5}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			lb := w.Tree(t)
			lb.Pools = []*lbaas.Pool{pool(20, 10)}
			lb.Pools[0].ID = lb.Listeners[0].DefaultPoolID
			if test.old {
				mustApply(t, w.provider, lb)
			}
			good := next(lb, func(*lbaas.LoadBalancer) {})
			lb = next(lb, func(lb *lbaas.LoadBalancer) {
				for _, m := range lb.Pools[0].Members {
					m.Weight = 100
				}
			})
			w.refuseServers(lb.Pools[0], test.bad)
			result, err := w.provider.Apply(t.Context(), lb)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]provider.Failure{}
			var members []*lbaas.Member
			for i, m := range lb.Pools[0].Members {
				if slices.Contains(test.bad, i) {
					want[m.ID] = provider.Failure{Permanent: true, Reason: "The Avi Controller of provider avi_adc refuses the member: Servers are bad."}
					m = good.Pools[0].Members[i]
				}
				if !slices.Contains(test.bad, i) || test.old {
					members = append(members, m)
				}
			}
			if diff := cmp.Diff(want, result.Failures); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			good.Pools[0].Members = members
			w.Check(t, good)
			w.server.ClearFaults()
			mustApply(t, w.provider, lb)
			w.Check(t, lb)
		})
	}
}

// TestIsolationOfMany has the controller refuse few and all of many servers: few of them are told apart; and it is not asked for each of all.
func TestIsolationOfMany(t *testing.T) {
	const many = 200
	all := make([]int, many)
	for i := range all {
		all[i] = i
	}
	for _, test := range []struct {
		name string
		bad  []int
	}{{"few", []int{3, 77, 160}}, {"all", all}} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			lb := w.Tree(t)
			lb.Pools = []*lbaas.Pool{pool(20, many)}
			lb.Pools[0].ID = lb.Listeners[0].DefaultPoolID
			for _, m := range lb.Pools[0].Members {
				m.Weight = 100
			}
			for i := range 3 { // copies of the pool
				l := *lb.Listeners[0]
				l.ID, l.ProtocolPort = id(90+i), 8000+i
				lb.Listeners = append(lb.Listeners, &l)
			}
			w.refuseServers(lb.Pools[0], test.bad)
			result, err := w.provider.Apply(t.Context(), lb)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range w.server.Objects(projectTenant, translate.Pool) {
				if list, _ := p[servers].([]any); len(list) != many-len(test.bad) {
					t.Errorf("a pool has %d servers", len(list))
				}
			}
			if len(result.Failures) != len(test.bad) {
				t.Errorf("%d members failed, want %d", len(result.Failures), len(test.bad))
			}
			for _, i := range test.bad {
				if f := result.Failures[lb.Pools[0].Members[i].ID]; !f.Permanent || !strings.Contains(f.Reason, "Servers are bad.") {
					t.Errorf("member %d: %+v", i, f)
				}
			}
			if calls := w.server.Calls(); len(calls) > 150 {
				t.Errorf("%d requests", len(calls))
			}
		})
	}
}

// refuseServers has the controller refuse changes of some members of a pool.
func (w *world) refuseServers(p *lbaas.Pool, bad []int) {
	var addresses []string
	for _, i := range bad {
		addresses = append(addresses, p.Members[i].Address.String())
	}
	w.server.Inject(avitest.Fault{Times: -1, Kind: avitest.Refuse, Text: "Servers are bad.", Match: func(method, path string, body map[string]any) bool {
		if method == "GET" || !strings.HasPrefix(path, "/api/pool") {
			return false
		}
		list, _ := body[servers].([]any)
		return slices.ContainsFunc(list, func(s any) bool {
			address, _ := within(s, "ip", "addr").(string)
			return slices.Contains(addresses, address) && numeral(within(s, "ratio")) != "1"
		})
	}})
}

// TestRefusals has the controller refuse objects of each kind: those to blame fail with its words, what needs the object goes without it
// where it can, and all else is made. Once nothing is refused any more all is as it is wanted.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		kind     string
		failures []string
		services int // virtual services that are there nevertheless
	}{
		{translate.VsVip, []string{id(1), id(10), id(11), id(20), id(21), id(22), id(40)}, 0},
		{translate.Certificate, []string{id(11), id(21)}, 1},
		{translate.SSLProfile, []string{id(11), id(21)}, 1},
		{translate.PKIProfile, []string{id(21)}, 3},
		{translate.Monitor, []string{id(40)}, 3},
		{translate.Persistence, []string{id(20)}, 3},
		{translate.Pool, []string{id(20), id(21), id(22)}, 3},
		{translate.PolicySet, []string{id(11)}, 3},
		{translate.VirtualService, []string{id(10), id(11)}, 0},
	} {
		t.Run(test.kind, func(t *testing.T) {
			s := newSaga(t)
			w := worldOf(t, avitest.Options{}, func(c *Config) { c.Secrets = s.secrets })
			w.server.Inject(avitest.Fault{Times: -1, Kind: avitest.Refuse, Text: "No.", Match: func(method, path string, _ map[string]any) bool {
				return method == "POST" && path == "/api/"+test.kind
			}})
			result, err := w.provider.Apply(t.Context(), s.tree(1))
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			for id, f := range result.Failures {
				failed = append(failed, id)
				if !f.Permanent || !strings.HasPrefix(f.Reason, "The Avi Controller of provider avi_adc refuses the ") || !strings.HasSuffix(f.Reason, ": No.") {
					t.Errorf("%s: %+v", id, f)
				}
			}
			slices.Sort(failed)
			if diff := cmp.Diff(test.failures, failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
			if n := len(w.server.Objects(projectTenant, translate.VirtualService)); n != test.services {
				t.Errorf("%d virtual services, want %d", n, test.services)
			}
			w.server.ClearFaults()
			mustApply(t, w.provider, s.tree(1))
			w.checkSaga(t, s, 1)
		})
	}
}

// checkSaga compares all objects with what a chapter wants.
func (w *world) checkSaga(t *testing.T, s *saga, chapter int) {
	t.Helper()
	lb := s.tree(chapter)
	c, err := w.provider.job(lb).gather(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.checkObjects(t, lb, translate.Objects(lb, c, translate.Options{Cloud: "Default-Cloud"}))
}

// TestPassingRefusals: what the controller does not know yet it may know later.
func TestPassingRefusals(t *testing.T) {
	w := newWorld(t)
	w.server.Inject(avitest.Fault{Times: -1, Kind: avitest.Refuse, Text: "Network object not found!", Match: func(method, path string, _ map[string]any) bool {
		return method == "POST" && path == "/api/vsvip"
	}})
	lb := w.Tree(t)
	result, err := w.provider.Apply(t.Context(), lb)
	if err != nil || result.Failures[lb.ID].Permanent || result.Failures[lb.ID].Reason == "" {
		t.Errorf("Apply: %v, %v", result, err)
	}
}

// broken is a key manager that does not answer.
type broken struct{}

func (broken) Material(context.Context, string, string, keymanager.Use) (*keymanager.Material, error) {
	return nil, fmt.Errorf("no route to the key manager")
}

// TestSecrets has containers that cannot be read: their listeners and pools fail, and stay as they are; nothing is made without, and
// nothing else suffers.
func TestSecrets(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Secrets = broken{} })
	if _, err := w.provider.Apply(t.Context(), s.tree(1)); err == nil {
		t.Error("Apply succeeds though the key manager does not answer")
	}
	if calls := w.server.Calls(); len(calls) > 0 {
		t.Errorf("the controller was asked: %s", lines(calls))
	}
	gone := safe{ref(5): s.secrets[ref(5)]}
	w.provider = w.open(func(c *Config) { c.Secrets = gone })
	failed := func(tree *lbaas.LoadBalancer) string {
		result, err := w.provider.Apply(t.Context(), tree)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for id, f := range result.Failures {
			ids = append(ids, id)
			if !f.Permanent || !strings.Contains(f.Reason, "not found") {
				t.Errorf("%s: %+v", id, f)
			}
		}
		slices.Sort(ids)
		return strings.Join(ids, " ")
	}
	tree := s.tree(1)
	delete(gone, ref(1))
	if got, want := failed(tree), id(11)+" "+id(21); got != want {
		t.Errorf("failed new: %s, want %s", got, want)
	}
	if n := len(w.server.Objects(projectTenant, translate.VirtualService)); n != 1 {
		t.Errorf("%d virtual services", n)
	}
	w.provider = w.open(func(c *Config) { c.Secrets = s.secrets })
	mustApply(t, w.provider, s.tree(1))
	if strings.Contains(fmt.Sprint(w.provider.memory.get(id(1))), "PRIVATE KEY") {
		t.Error("a private key is remembered")
	}
	before := w.picture(projectTenant)
	w.provider = w.open(func(c *Config) { c.Secrets = gone })
	tree = providertest.Clone(s.tree(1))
	tree.Progress.Generation++
	delete(gone, ref(1))
	tree.Listeners[0].Name = "seen"
	if got, want := failed(tree), id(11)+" "+id(21); got != want {
		t.Errorf("failed old: %s, want %s", got, want)
	}
	after := w.picture(projectTenant)
	if vs := "virtualservice-" + id(10); before[vs] == after[vs] {
		t.Error("the other listener did not change")
	}
	delete(before, "virtualservice-"+id(10))
	delete(after, "virtualservice-"+id(10))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what is held changed (-before +after):\n%s", diff)
	}
}
