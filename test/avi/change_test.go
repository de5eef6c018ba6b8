package avi

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/test/harness"
)

// TestUsersChanges changes on the controller what LBaaS does not say, and what it does. The former survives, the latter does not.
func TestUsersChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating+"[reconcile]\naudit_interval = 1\n")
	c := w.Demo(t)
	lb := build(t, c, c.CreateNetwork(t, "web", "10.1.0.0/24"), "avi_adc", "web")
	pool := lb.Pools[0].ID
	monitor, err := monitors.Create(t.Context(), c.LoadBalancer, monitors.CreateOpts{PoolID: pool, Type: "HTTP", Delay: 5, Timeout: 2, MaxRetries: 3}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	c.WaitActive(t, lb.ID)
	hm, vs := "healthmonitor-"+monitor.ID, "virtualservice-"+lb.Listeners[0].ID
	err = errors.Join(
		w.emulator.Edit("healthmonitor", hm, func(o map[string]any) { o["monitor_port"] = 8081 }),
		w.emulator.Edit("virtualservice", vs, func(o map[string]any) { o["weight"] = 3; o["enabled"] = false }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := monitors.Update(t.Context(), c.LoadBalancer, monitor.ID, monitors.UpdateOpts{Delay: 7}).Extract(); err != nil {
		t.Fatal(err)
	}
	c.WaitActive(t, lb.ID)
	o := w.emulator.Object("healthmonitor", hm)
	if fmt.Sprint(o["monitor_port"], o["send_interval"]) != "8081 7" {
		t.Errorf("the monitor asks port %v every %v s, want 8081 and 7", o["monitor_port"], o["send_interval"])
	}
	harness.Eventually(t, 90*time.Second, func() error {
		if o := w.emulator.Object("virtualservice", vs); fmt.Sprint(o["enabled"], o["weight"]) != "true 3" {
			return fmt.Errorf("the virtual service is enabled %v with the weight %v", o["enabled"], o["weight"])
		}
		return nil
	})
}

// TestStatuses has a server fail and a virtual service count.
func TestStatuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating+"[reconcile]\naudit_interval = 1\n")
	c := w.Demo(t)
	lb := build(t, c, c.CreateNetwork(t, "web", "10.1.0.0/24"), "avi_adc", "web")
	pool, listener := lb.Pools[0].ID, lb.Listeners[0].ID
	if _, err := monitors.Create(t.Context(), c.LoadBalancer, monitors.CreateOpts{PoolID: pool, Type: "HTTP", Delay: 5, Timeout: 2, MaxRetries: 3}).Extract(); err != nil {
		t.Fatal(err)
	}
	c.WaitActive(t, lb.ID)
	c.WaitOperating(t, lb.ID, listener, "ONLINE")
	c.WaitOperating(t, lb.ID, pool, "ONLINE")
	w.emulator.SetServer(poolID(pool, listener), "10.1.0.250:80", avitest.OperDown)
	c.WaitOperating(t, lb.ID, pool, "DEGRADED")
	c.WaitOperating(t, lb.ID, lb.ID, "DEGRADED")
	w.emulator.SetServer(poolID(pool, listener), "10.1.0.250:80", "")
	c.WaitOperating(t, lb.ID, pool, "ONLINE")
	w.emulator.SetMetrics("virtualservice-"+listener, map[string]float64{
		"l4_client.max_rx_bytes_absolute": 1000, "l4_client.max_tx_bytes_absolute": 2000, "l4_client.max_open_conns": 3,
	})
	wantStats(t, c, listener, 1000, 2000, 3)
	w.emulator.SetServer(poolID(pool, listener), "10.1.0.250:80", avitest.OperDown)
	c.WaitOperating(t, lb.ID, pool, "DEGRADED") // by now they are in the database, too
	w.Stop(t)
	count := func(in, out, active float64) {
		w.emulator.SetMetrics("virtualservice-"+listener, map[string]float64{
			"l4_client.max_rx_bytes_absolute": in, "l4_client.max_tx_bytes_absolute": out, "l4_client.max_open_conns": active,
		})
	}
	count(100, 200, 1) // another service engine begins anew
	w.Start(t)
	wantStats(t, c, listener, 1000, 2000, 1)
	count(150, 260, 0)
	wantStats(t, c, listener, 1050, 2060, 0)
}

// wantStats waits for the statistics of a listener.
func wantStats(t *testing.T, c *harness.Cloud, listener string, in, out, active int) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, func() error {
		s, err := listeners.GetStats(t.Context(), c.LoadBalancer, listener).Extract()
		if err == nil && (s.BytesIn != in || s.BytesOut != out || s.ActiveConnections != active) {
			err = fmt.Errorf("the statistics are %+v", s)
		}
		return err
	})
}

// TestRefusal has the controller refuse one listener. It is in ERROR with the controller's words, and the others work.
func TestRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating)
	c := w.Demo(t)
	lb := build(t, c, c.CreateNetwork(t, "web", "10.1.0.0/24"), "avi_adc", "web")
	c.WaitActive(t, lb.ID)
	w.emulator.Inject(avitest.Fault{
		Match: func(method, at string, body map[string]any) bool {
			return method == "POST" && path.Base(at) == "virtualservice" && body["name"] == "web:refused"
		},
		Kind: avitest.Refuse, Times: -1, Status: 400, Text: "Only the first listener is allowed here.",
	})
	l, err := listeners.Create(t.Context(), c.LoadBalancer, listeners.CreateOpts{LoadbalancerID: lb.ID, Name: "refused", Protocol: "HTTP", ProtocolPort: 81}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 30*time.Second, func() error {
		all, err := c.Statuses(t, lb.ID)
		if err == nil && (all[l.ID].Provisioning != "ERROR" || all[lb.Listeners[0].ID].Provisioning != "ACTIVE") {
			err = fmt.Errorf("the statuses are %v", all)
		}
		return err
	})
	if reason, err := c.Reason(t, "listeners", l.ID); err != nil || !strings.Contains(reason, "Only the first listener is allowed here.") {
		t.Errorf("the reason is %q, %v", reason, err)
	}
	if _, err := pools.List(c.LoadBalancer, pools.ListOpts{LoadbalancerID: lb.ID}).AllPages(t.Context()); err != nil {
		t.Error(err)
	}
	c.Delete(t, lb.ID)
	if got := w.emulator.Objects(tenant(c.ProjectID), "virtualservice"); len(got) > 0 {
		t.Errorf("virtual services are left: %v", got)
	}
}
