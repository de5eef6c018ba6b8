package avi

import (
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

const ownVRF = "subnet-" + subnet

// vrfOf is the name of the VRF context that all of a load balancer's objects are in; several are joined.
func (w *world) vrfOf(lb *lbaas.LoadBalancer) string {
	var all []string
	for k, field := range map[string]string{
		translate.VsVip: "vrf_context_ref", translate.VirtualService: "vrf_context_ref", translate.Pool: "vrf_ref",
	} {
		for o := range w.objectsOf(lb) {
			if o.kind == k {
				_, _, name := translate.ParseRef(textAt(w.object(o.kind, o.uuid), field))
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

func perSubnet(on bool) func(*Config) { return func(c *Config) { c.VRFPerSubnet = on } }

// TestVRFPerSubnet: the context is there as soon as the load balancer is, all of it is in there, and it goes with the last that needs it.
func TestVRFPerSubnet(t *testing.T) {
	w := worldOf(t, avitest.Options{}, perSubnet(true))
	a, b := w.Tree(t), w.Tree(t)
	bare := next(b, func(lb *lbaas.LoadBalancer) { lb.Listeners = nil })
	mustApply(t, w.provider, a)
	mustApply(t, w.provider, bare)
	vrf := w.server.Object(translate.VRFContext, "vrfcontext-"+subnet)
	if vrf["name"] != ownVRF || w.vrfOf(a) != ownVRF {
		t.Fatalf("%v, and all is in %s", vrf, w.vrfOf(a))
	}
	if vs := w.server.Object(translate.VirtualService, "virtualservice-"+a.Listeners[0].ID); vs["ign_pool_net_reach"] != true {
		t.Error("the virtual service is not in one-arm mode")
	}
	for _, step := range []struct {
		lb   *lbaas.LoadBalancer
		left bool
	}{{a, true}, {bare, false}} {
		if err := w.provider.Remove(t.Context(), step.lb); err != nil {
			t.Fatal(err)
		}
		if left := w.server.Object(translate.VRFContext, "vrfcontext-"+subnet) != nil; left != step.left {
			t.Errorf("the VRF context is left: %v", left)
		}
	}
}

// TestVRFInUse has the last load balancer of this process go, while another's is still there.
func TestVRFInUse(t *testing.T) {
	w := worldOf(t, avitest.Options{}, perSubnet(true))
	a, b := w.Tree(t), w.Tree(t)
	mustApply(t, w.provider, a)
	mustApply(t, w.open(perSubnet(true)), b)
	if err := w.provider.Remove(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if w.vrfOf(b) != ownVRF {
		t.Errorf("the other is in %s", w.vrfOf(b))
	}
}

// TestVRFOption turns the option on and off: load balancers stay where they were made; new ones follow it, and a flavor has its own will.
func TestVRFOption(t *testing.T) {
	w := worldOf(t, avitest.Options{}, perSubnet(false))
	off, on := w.Tree(t), w.open(perSubnet(true))
	mustApply(t, w.provider, off)
	if name := w.vrfOf(off); name != "global" {
		t.Errorf("without the option it is in %s", name)
	}
	mustApply(t, on, next(off, func(lb *lbaas.LoadBalancer) { lb.Listeners[0].ProtocolPort = 81 }))
	if name := w.vrfOf(off); name != "global" {
		t.Errorf("one that was there before the option is in %s", name)
	}
	made := w.Tree(t)
	mustApply(t, on, made)
	mustApply(t, w.provider, next(made, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Name = "new" }))
	if name := w.vrfOf(made); name != ownVRF {
		t.Errorf("one that was made with the option is in %s without it", name)
	}
	for _, test := range []struct {
		flavor map[string]any
		vrf    string
	}{
		{map[string]any{"vrf_context_per_subnet": "False"}, "global"},
		{map[string]any{"vrf_context_per_subnet": "True"}, ownVRF},
		{map[string]any{"vrf_ref": "/api/vrfcontext?name=management"}, "management"},
	} {
		lb := w.Tree(t)
		lb.Flavor = test.flavor
		mustApply(t, on, lb)
		if name := w.vrfOf(lb); name != test.vrf {
			t.Errorf("flavor %v: it is in %s, want %s", test.flavor, name, test.vrf)
		}
	}
}

// TestVRFOfSharedSubnet has load balancers of two projects in one subnet: each has a context of its own.
func TestVRFOfSharedSubnet(t *testing.T) {
	other := "tenant-" + id(500)
	w := worldOf(t, avitest.Options{Tenants: map[string]string{"demo": projectTenant, "other": other}}, perSubnet(true))
	a, b := w.Tree(t), w.Tree(t)
	b.ProjectID = id(500)
	mustApply(t, w.provider, a)
	for range 2 {
		b.Progress.Generation++
		mustApply(t, w.provider, b)
	}
	mustApply(t, w.open(perSubnet(true)), b)
	if w.vrfOf(a) != ownVRF || w.vrfOf(b) != ownVRF || len(w.server.Objects(other, translate.VRFContext)) == 0 {
		t.Errorf("they are in %s and %s", w.vrfOf(a), w.vrfOf(b))
	}
	for _, lb := range []*lbaas.LoadBalancer{a, b} {
		if err := w.provider.Remove(t.Context(), next(lb, func(*lbaas.LoadBalancer) {})); err != nil {
			t.Fatal(err)
		}
	}
	for _, vrf := range w.server.Objects("*", translate.VRFContext) {
		if vrf["name"] == ownVRF {
			t.Errorf("%v is left", vrf["uuid"])
		}
	}
}
