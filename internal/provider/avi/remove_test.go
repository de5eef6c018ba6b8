package avi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/internal/network"
	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// wires are a network service with ports and subnets. They are the provider's and the emulator's.
type wires struct {
	mu      sync.Mutex
	made    int
	ports   []*network.Port
	subnets map[string]*network.Subnet
}

func (n *wires) CreatePort(_ context.Context, name, subnetID, _ string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.made++
	p := &network.Port{ID: fmt.Sprintf("port-%d", n.made), Name: name, FixedIPs: []network.FixedIP{{SubnetID: subnetID}}}
	n.ports = append(n.ports, p)
	return p.ID, nil
}

func (n *wires) DeletePort(_ context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports = slices.DeleteFunc(n.ports, func(p *network.Port) bool { return p.ID == id })
	return nil
}

func (n *wires) Subnet(_ context.Context, id string) (*network.Subnet, error) {
	if s := n.subnets[id]; s != nil {
		return s, nil
	}
	return nil, lbaas.Errorf(lbaas.NotFound, "Subnet %s could not be found.", id)
}

func (n *wires) Ports(_ context.Context, q store.Query) ([]*network.Port, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []*network.Port
	for _, p := range n.ports {
		if slices.Equal(q.Filters[0].Values, []string{"subnet_id=" + p.FixedIPs[0].SubnetID}) {
			list = append(list, p)
		}
	}
	return list, nil
}

// TestPortsAreFreed has service engines whose ports stay until garbage collection was asked for three times: the removal waits for them
// and says which they are; and no longer than it may.
func TestPortsAreFreed(t *testing.T) {
	for _, test := range []struct {
		name  string
		waits int // how often the removal says that it waits
		pass  time.Duration
		left  int
	}{
		{"in time", 3, time.Second, 0},
		{"too late", 1, time.Minute, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := &wires{}
			w := worldOf(t, avitest.Options{Ports: n}, func(c *Config) { c.Networks = n })
			now := time.Now()
			w.provider.now = func() time.Time { return now }
			lb := w.Tree(t)
			mustApply(t, w.provider, lb)
			if len(n.ports) == 0 {
				t.Fatal("the emulator made no port")
			}
			lb = next(lb, func(lb *lbaas.LoadBalancer) { lb.Listeners, lb.Pools = nil, nil })
			waits := 0
			for {
				err := w.provider.Remove(t.Context(), lb)
				if err == nil {
					break
				}
				var told *lbaas.Error
				if !errors.As(err, &told) || !errors.Is(err, lbaas.Unavailable) || !strings.Contains(told.Text, "port-1 (Avi-") {
					t.Fatalf("Remove: %v", err)
				}
				waits++
				now = now.Add(test.pass)
			}
			w.CheckGone(t, lb)
			if waits != test.waits || len(n.ports) != test.left {
				t.Errorf("it waited %d times, want %d; ports left: %v", waits, test.waits, names(n.ports))
			}
		})
	}
}

// TestOthersPorts has another load balancer in the same subnet, of this process or not: its ports are not waited for.
func TestOthersPorts(t *testing.T) {
	n := &wires{}
	w := worldOf(t, avitest.Options{Ports: n}, func(c *Config) { c.Networks = n })
	a, b := w.Tree(t), w.Tree(t)
	mustApply(t, w.provider, a)
	mustApply(t, w.provider, b)
	if err := w.provider.Remove(t.Context(), a); err != nil {
		t.Errorf("beside one of the same process: %v", err)
	}
	mustApply(t, w.provider, next(a, func(*lbaas.LoadBalancer) {}))
	w.provider = w.open(func(c *Config) { c.Networks = n })
	n.ports = append(n.ports, &network.Port{
		ID: "vip", DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-" + b.ID, FixedIPs: []network.FixedIP{{SubnetID: subnet}},
	})
	if err := w.provider.Remove(t.Context(), next(a, func(lb *lbaas.LoadBalancer) { lb.Progress.Generation++ })); err != nil {
		t.Errorf("beside one of another process: %v", err)
	}
	w.Check(t, b)
}

// TestRemoveInUse has an operator use a pool's monitor and the VIP elsewhere: the removal says so, and ends once he does not any more.
func TestRemoveInUse(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Secrets = s.secrets })
	lb := s.tree(1)
	mustApply(t, w.provider, lb)
	tenant := controller.Tenant{UUID: projectTenant}
	theirs := controller.Object{"name": "theirs", "health_monitor_refs": []any{"/api/healthmonitor/healthmonitor-" + id(40)}}
	if _, err := w.provider.ctl.Create(t.Context(), tenant, translate.Pool, "pool-theirs", theirs); err != nil {
		t.Fatal(err)
	}
	err := w.provider.Remove(t.Context(), lb)
	if !errors.Is(err, lbaas.Conflict) || !strings.Contains(err.Error(), `health monitor "monitor"`) || !strings.Contains(err.Error(), "theirs") {
		t.Errorf("Remove: %v", err)
	}
	if left := w.objectsOf(lb); len(left) != 2 {
		t.Errorf("left: %v", left.keys())
	}
	w.server.Drop(translate.Pool, "pool-theirs")
	if err := w.provider.Remove(t.Context(), lb); err != nil {
		t.Errorf("Remove: %v", err)
	}
	w.CheckGone(t, lb)
}

// TestLeftoverInUse has an operator use a monitor that goes: it stays for now, and all else is as it is wanted; later it goes.
func TestLeftoverInUse(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.Secrets = s.secrets })
	mustApply(t, w.provider, s.tree(1))
	tenant := controller.Tenant{UUID: projectTenant}
	theirs := controller.Object{"name": "theirs", "health_monitor_refs": []any{"/api/healthmonitor/healthmonitor-" + id(40)}}
	if _, err := w.provider.ctl.Create(t.Context(), tenant, translate.Pool, "pool-theirs", theirs); err != nil {
		t.Fatal(err)
	}
	mustApply(t, w.provider, s.tree(3))
	if w.server.Object(translate.Monitor, "healthmonitor-"+id(40)) == nil {
		t.Error("the monitor is gone")
	}
	w.server.Drop(translate.Pool, "pool-theirs")
	mustApply(t, w.provider, s.tree(4))
	if w.server.Object(translate.Monitor, "healthmonitor-"+id(40)) != nil {
		t.Error("the monitor is left")
	}
	w.checkObjects(t, s.tree(4), translate.Objects(s.tree(4), nil, translate.Options{Cloud: "Default-Cloud"}))
}
