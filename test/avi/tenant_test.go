package avi

import (
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
)

// TestMissingTenant waits for a tenant that the controller's administrator makes later.
func TestMissingTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, "")
	c := w.Demo(t)
	lb := build(t, c, c.CreateNetwork(t, "web", "10.1.0.0/24"), "avi_adc", "web")
	waitReason(t, c, lb.ID, tenant(c.ProjectID))
	o := controller.Object{"name": "demo", "local": false}
	if _, err := w.client(t).Create(t.Context(), controller.Admin, "tenant", tenant(c.ProjectID), o); err != nil {
		t.Fatal(err)
	}
	c.WaitActive(t, lb.ID)
	c.Delete(t, lb.ID)
}

// TestSingleTenant has the load balancers of two projects in one tenant, where their objects have the same names.
func TestSingleTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{Tenants: map[string]string{"Load Balancers": "tenant-" + uuid.NewString()}}, "tenant_mapping = single:Load Balancers\n")
	for _, name := range []string{"red", "blue"} {
		c := w.Tenant(t, name)
		lb := build(t, c, c.CreateNetwork(t, "web", "10.1.0.0/24"), "avi_adc", "web")
		c.WaitActive(t, lb.ID)
	}
	names := map[any]bool{}
	for _, o := range w.emulator.Objects(w.emulator.TenantIDs["Load Balancers"], "virtualservice") {
		names[o["name"]] = true
	}
	if len(names) != 2 || !names["web:web"] {
		t.Errorf("the virtual services of both projects are %v", names)
	}
}
