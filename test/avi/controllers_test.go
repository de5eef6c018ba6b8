package avi

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/flavorprofiles"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/test/harness"
)

// TestTwoControllers has a second controller, with a section of its own that has a file for the password.
func TestTwoControllers(t *testing.T) {
	t.Parallel()
	lab := avitest.Start(t, avitest.Options{User: "lbaas", Password: "of the lab", AnyNetwork: true})
	dir := t.TempDir()
	for name, text := range map[string][]byte{"ca.pem": lab.CertPEM, "password": []byte("of the lab\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, avitest.Options{}, creating+fmt.Sprintf("[service_providers]\nservice_provider = LOADBALANCERV2:Lab:avi\n"+
		"[lab]\naddress = %s\nuser = lbaas\npassword_file = %s/password\nca_file = %[2]s/ca.pem\ncreate_tenants = yes\nuse_placement_network_for_pool = yes\n", lab.Address, dir))
	c := w.Demo(t)
	n := c.CreateNetwork(t, "web", "10.1.0.0/24")
	first, second := build(t, c, n, "", "first"), build(t, c, n, "lab", "second")
	c.WaitActive(t, first.ID)
	c.WaitActive(t, second.ID)
	for name, e := range map[string]*avitest.Server{"first": w.emulator, "second": lab} {
		if got := e.Objects("*", "virtualservice"); len(got) != 1 || got[0]["name"] != name+":web" {
			t.Errorf("the controller of %s has the virtual services %v", name, got)
		}
	}
	if text := fmt.Sprint(lab.Objects("*", "pool")[0]["placement_networks"]); !strings.Contains(text, n.ID) {
		t.Errorf("the networks of the second one's pool are %s, want %s", text, n.ID)
	}
	w.emulator.Down(true) // the other's flavors and load balancers do not notice
	if _, err := w.profile(t, "lab", `{"vrf_context_per_subnet": true}`); err != nil {
		t.Errorf("a flavor profile of the controller that answers: %v", err)
	}
	c.Delete(t, second.ID)
	w.emulator.Down(false)
	c.Delete(t, first.ID)
}

func (w *world) profile(t *testing.T, provider, data string) (*flavorprofiles.FlavorProfile, error) {
	t.Helper()
	return flavorprofiles.Create(t.Context(), w.Admin(t).LoadBalancer, flavorprofiles.CreateOpts{Name: "p", ProviderName: provider, FlavorData: data}).Extract()
}

// TestSwitchedOn switches VRF contexts per subnet on. Load balancers that were there stay without, new ones have one.
func TestSwitchedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating)
	c := w.Demo(t)
	n := c.CreateNetwork(t, "web", "10.1.0.0/24")
	old := build(t, c, n, "", "old")
	c.WaitActive(t, old.ID)
	w.Stop(t)
	harness.Config(w.text(creating + "vrf_context_per_subnet=True\n"))(w.Server)
	w.Start(t)
	added, err := listeners.Create(t.Context(), c.LoadBalancer, listeners.CreateOpts{LoadbalancerID: old.ID, Name: "added", Protocol: "TCP", ProtocolPort: 81}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	fresh := build(t, c, n, "", "fresh")
	c.WaitActive(t, old.ID)
	c.WaitActive(t, fresh.ID)
	for id, inVRF := range map[string]bool{old.Listeners[0].ID: false, added.ID: false, fresh.Listeners[0].ID: true} {
		o := w.emulator.Object("virtualservice", "virtualservice-"+id)
		if got := strings.Contains(fmt.Sprint(o["vrf_context_ref"]), n.SubnetID); got != inVRF || o["ign_pool_net_reach"] != inVRF {
			t.Errorf("%v has the VRF context %v, and ign_pool_net_reach is %v", o["name"], o["vrf_context_ref"], o["ign_pool_net_reach"])
		}
	}
}

// TestKilled kills the server in the middle of changes. The next start ends them, and nothing is there twice, or too much.
func TestKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating+"[reconcile]\nlease_ttl=2\n")
	c := w.Demo(t)
	n := c.CreateNetwork(t, "web", "10.1.0.0/24")
	var lbs []*loadbalancers.LoadBalancer
	for i := range 6 {
		lbs = append(lbs, build(t, c, n, "", fmt.Sprintf("lb-%d", i)))
		if i%2 == 1 {
			w.Kill(t)
			w.Start(t)
		}
	}
	for _, lb := range lbs {
		c.WaitActive(t, lb.ID)
	}
	for kind, want := range map[string]int{"virtualservice": 6, "pool": 6, "vsvip": 6} {
		if got := w.emulator.Objects(tenant(c.ProjectID), kind); len(got) != want {
			t.Errorf("%d of kind %s, want %d", len(got), kind, want)
		}
	}
	for _, lb := range lbs {
		if err := loadbalancers.Delete(t.Context(), c.LoadBalancer, lb.ID, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr(); err != nil {
			t.Fatal(err)
		}
	}
	w.Kill(t)
	w.Start(t)
	for _, lb := range lbs {
		c.WaitGone(t, lb.ID)
	}
	for _, kind := range []string{"virtualservice", "pool", "vsvip"} {
		if got := w.emulator.Objects(tenant(c.ProjectID), kind); len(got) > 0 {
			t.Errorf("left of kind %s: %v", kind, got)
		}
	}
}

// TestUnsupported asks for what Avi cannot do: it is refused, and the controller does not hear of it.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating)
	c := w.Demo(t)
	lb := build(t, c, c.CreateNetwork(t, "web", "10.1.0.0/24"), "", "web")
	c.WaitActive(t, lb.ID)
	w.emulator.ResetCalls()
	_, err := listeners.Create(t.Context(), c.LoadBalancer, listeners.CreateOpts{LoadbalancerID: lb.ID, Protocol: "UDP", ProtocolPort: 53}).Extract()
	if !gophercloud.ResponseCodeIs(err, http.StatusNotImplemented) || !strings.Contains(err.Error(), "listener protocol UDP") {
		t.Errorf("a UDP listener: %v", err)
	}
	for _, call := range w.emulator.Calls() {
		if call.Method != http.MethodGet && !looking(call) {
			t.Errorf("the controller was asked %v", call)
		}
	}
}

// TestFailing has a controller of which each fifth request fails, in all ways in turn. All is made, and nothing is left in the end.
func TestFailing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{FailEvery: 5}, creating+"timeout = 2\nvrf_context_per_subnet = True\n")
	c := w.Demo(t)
	n := c.CreateNetwork(t, "web", "10.1.0.0/24")
	var lbs []*loadbalancers.LoadBalancer
	for i := range 8 {
		lbs = append(lbs, build(t, c, n, "", fmt.Sprintf("lb-%d", i)))
	}
	for _, lb := range lbs {
		c.WaitActive(t, lb.ID)
		_, err := listeners.Create(t.Context(), c.LoadBalancer, listeners.CreateOpts{LoadbalancerID: lb.ID, Name: "added", Protocol: "TCP", ProtocolPort: 81}).Extract()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, lb := range lbs {
		c.WaitActive(t, lb.ID)
	}
	for kind, want := range map[string]int{"virtualservice": 16, "pool": 8, "vsvip": 8} {
		if got := w.emulator.Objects(tenant(c.ProjectID), kind); len(got) != want {
			t.Errorf("%d of kind %s, want %d", len(got), kind, want)
		}
	}
	for _, lb := range lbs {
		c.Delete(t, lb.ID)
	}
	for _, kind := range []string{"virtualservice", "pool", "vsvip", "vrfcontext"} {
		for _, o := range w.emulator.Objects(tenant(c.ProjectID), kind) {
			if name := fmt.Sprint(o["name"]); kind != "vrfcontext" || strings.HasPrefix(name, "subnet-") {
				t.Errorf("%s is left of kind %s", name, kind)
			}
		}
	}
}
