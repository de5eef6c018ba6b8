package avi

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/test/harness"
)

// build makes a load balancer with a listener, a pool and members, in one call.
func build(t testing.TB, c *harness.Cloud, n *harness.Net, provider, name string) *loadbalancers.LoadBalancer {
	t.Helper()
	lb, err := loadbalancers.Create(t.Context(), c.LoadBalancer, loadbalancers.CreateOpts{
		Name: name, VipSubnetID: n.SubnetID, Provider: provider,
		Listeners: []listeners.CreateOpts{{
			Name: "web", Protocol: "HTTP", ProtocolPort: 80, DefaultPool: &pools.CreateOpts{
				Name: "pool", Protocol: "HTTP", LBMethod: "ROUND_ROBIN",
				Members: []pools.CreateMemberOpts{{Address: "10.1.0.250", ProtocolPort: 80}, {Address: "10.1.0.251", ProtocolPort: 80}},
			},
		}},
	}).Extract()
	if err != nil {
		t.Fatalf("create load balancer %s: %v", name, err)
	}
	return lb
}

// TestControllerDown takes the controller away for a while, once so that it refuses connections, once so that it does not answer. The API goes
// on, load balancers say what they wait for, other providers notice nothing, a server starts all the same, and all is done when
// the controller is back.
func TestControllerDown(t *testing.T) {
	t.Parallel()
	t.Run("refuses", func(t *testing.T) { t.Parallel(); controllerDown(t, (*avitest.Server).Down) })
	t.Run("is silent", func(t *testing.T) { t.Parallel(); controllerDown(t, (*avitest.Server).Mute) })
}

func controllerDown(t *testing.T, away func(*avitest.Server, bool)) {
	w := newWorld(t, avitest.Options{}, creating+"timeout = 2\n")
	c := w.Demo(t)
	n := c.CreateNetwork(t, "web", "10.1.0.0/24")
	changed, doomed := build(t, c, n, "avi_adc", "changed"), build(t, c, n, "avi_adc", "doomed")
	c.WaitActive(t, changed.ID)
	c.WaitActive(t, doomed.ID)

	away(w.emulator, true)
	made := change(t, c, n, changed.ID, doomed.ID)
	for _, id := range []string{made, changed.ID, doomed.ID} {
		waitReason(t, c, id, w.address)
	}
	for i := range 20 { // more than the loop works on at the same time
		build(t, c, n, "avi_adc", fmt.Sprintf("queued-%d", i))
	}
	for range 3 {
		other := build(t, c, n, "noop", "other")
		c.WaitActive(t, other.ID)
		c.Delete(t, other.ID)
	}
	w.Stop(t)
	w.Start(t)
	waitReason(t, c, made, w.address)

	away(w.emulator, false)
	c.WaitGone(t, doomed.ID)
	converged(t, w, c, 22)
}

// TestControllerDownForLong has load balancers wait for longer than the deadline: they show ERROR and why, take changes, and are well again
// by themselves.
func TestControllerDownForLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating+"[reconcile]\ndeadline = 1\n")
	c := w.Demo(t)
	n := c.CreateNetwork(t, "web", "10.1.0.0/24")
	changed, doomed := build(t, c, n, "avi_adc", "changed"), build(t, c, n, "avi_adc", "doomed")
	c.WaitActive(t, changed.ID)
	c.WaitActive(t, doomed.ID)
	w.emulator.Down(true)
	made := build(t, c, n, "avi_adc", "made")
	waitStatus(t, c, made.ID, "ERROR", w.address)
	other := change(t, c, n, changed.ID, doomed.ID)
	for _, id := range []string{changed.ID, doomed.ID, other} {
		waitStatus(t, c, id, "ERROR", w.address)
	}
	time.Sleep(longer(t))
	back := time.Now()
	w.emulator.Down(false)
	c.WaitGone(t, doomed.ID)
	converged(t, w, c, 3)
	t.Logf("all is well %s after the controller came back", time.Since(back).Round(time.Millisecond))
}

// longer is how much longer the controller stays away: PLIMSOLL_AWAY, such as 10m, which nobody wants to wait for each time.
func longer(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("PLIMSOLL_AWAY")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("PLIMSOLL_AWAY: %v", err)
	}
	return d
}

// change makes a load balancer, changes one and deletes one, and returns the one that it made.
func change(t *testing.T, c *harness.Cloud, n *harness.Net, changed, doomed string) string {
	t.Helper()
	made := build(t, c, n, "avi_adc", "made")
	_, err := listeners.Create(t.Context(), c.LoadBalancer, listeners.CreateOpts{LoadbalancerID: changed, Protocol: "HTTP", ProtocolPort: 81, Name: "late"}).Extract()
	if err != nil {
		t.Fatalf("a change while the controller is down: %v", err)
	}
	if err := loadbalancers.Delete(t.Context(), c.LoadBalancer, doomed, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr(); err != nil {
		t.Fatalf("a deletion while the controller is down: %v", err)
	}
	return made.ID
}

// converged waits until so many load balancers are there, each with a listener and one of them with two.
func converged(t *testing.T, w *world, c *harness.Cloud, count int) {
	t.Helper()
	all, err := loadbalancers.List(c.LoadBalancer, loadbalancers.ListOpts{}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lbs, err := loadbalancers.ExtractLoadBalancers(all)
	if err != nil || len(lbs) != count {
		t.Fatalf("%d load balancers, %v, want %d", len(lbs), err, count)
	}
	for _, lb := range lbs {
		c.WaitActive(t, lb.ID)
	}
	if got := w.emulator.Objects(tenant(c.ProjectID), "virtualservice"); len(got) != count+1 {
		t.Errorf("%d virtual services, want one for each listener", len(got))
	}
}

// waitReason waits until a load balancer is pending, with a reason that names something.
func waitReason(t *testing.T, c *harness.Cloud, id, named string) {
	t.Helper()
	waitStatus(t, c, id, "PENDING_", named)
}

// waitStatus waits until a load balancer has a provisioning status that begins so, with a reason that names something.
func waitStatus(t *testing.T, c *harness.Cloud, id, status, named string) {
	t.Helper()
	harness.Eventually(t, 40*time.Second, func() error {
		lb, err := loadbalancers.Get(t.Context(), c.LoadBalancer, id).Extract()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(lb.ProvisioningStatus, status) {
			return errors.New("it is " + lb.ProvisioningStatus)
		}
		reason, err := c.Reason(t, "loadbalancers", id)
		if err == nil && !strings.Contains(reason, named) {
			err = fmt.Errorf("the reason is %q, want one that names %s", reason, named)
		}
		return err
	})
}
