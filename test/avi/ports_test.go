package avi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/test/harness"
)

// neutron is where the controller makes ports for its service engines, once there is a server.
type neutron struct {
	cloud atomic.Pointer[harness.Cloud]
	held  atomic.Bool // ports are not deleted
}

func (n *neutron) CreatePort(ctx context.Context, name, subnetID, _ string) (string, error) {
	c := n.cloud.Load()
	if c == nil {
		return "", errors.New("the network service is not there yet")
	}
	subnet, err := subnets.Get(ctx, c.Network, subnetID).Extract()
	if err != nil {
		return "", err
	}
	port, err := ports.Create(ctx, c.Network, ports.CreateOpts{NetworkID: subnet.NetworkID, Name: name, FixedIPs: []ports.IP{{SubnetID: subnetID}}}).Extract()
	if err != nil {
		return "", err
	}
	return port.ID, nil
}

func (n *neutron) DeletePort(ctx context.Context, id string) error {
	if n.held.Load() {
		return errors.New("Nova is busy")
	}
	err := ports.Delete(ctx, n.cloud.Load().Network, id).ExtractErr()
	if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// TestPorts deletes load balancers of which service engines have ports. As long as these are there the deletion waits and says for which, and the
// subnet cannot go; garbage collection that is forced takes them away.
func TestPorts(t *testing.T) {
	t.Parallel()
	network := &neutron{}
	w := newWorld(t, avitest.Options{Ports: network}, creating+"port_wait = 600\n")
	network.cloud.Store(w.Admin(t))
	c := w.Demo(t)
	n := c.CreateNetwork(t, "web", "10.1.0.0/24")
	network.held.Store(true)
	lb := build(t, c, n, "avi_adc", "web")
	c.WaitActive(t, lb.ID)
	left := w.emulator.DataPorts()
	if len(left) != 1 {
		t.Fatalf("the service engines have the ports %v, want one", left)
	}
	if err := loadbalancers.Delete(t.Context(), c.LoadBalancer, lb.ID, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	waitReason(t, c, lb.ID, left[0])
	err := subnets.Delete(t.Context(), c.Network, n.SubnetID).ExtractErr()
	for _, want := range []string{"One or more ports have an IP allocation from this subnet.", left[0], "Avi-Data-", "garbage collection"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("delete the subnet: %v, want %q", err, want)
		}
	}
	network.held.Store(false)
	harness.Eventually(t, time.Minute, func() error {
		_, err := loadbalancers.Get(t.Context(), c.LoadBalancer, lb.ID).Extract()
		if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
			return nil
		}
		return errors.New("the load balancer is still there")
	})
	if left := w.emulator.DataPorts(); len(left) > 0 {
		t.Errorf("ports are left: %v", left)
	}
	if err := networks.Delete(t.Context(), c.Network, n.ID).ExtractErr(); err != nil {
		t.Errorf("delete the network: %v", err)
	}
}
