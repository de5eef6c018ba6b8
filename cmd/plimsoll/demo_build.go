package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/portsecurity"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"plimsoll/internal/statedir"
)

// demoNetwork is a network of the demo with its subnet.
type demoNetwork struct{ id, subnet string }

// demoHost is a port of the demo in a namespace of its own.
type demoHost struct{ name, netns, address string }

// demoBalancer is the load balancer of the demo.
type demoBalancer struct{ id, pool, vip string }

func (d *demo) startServer(ctx context.Context) error {
	log, err := os.Create(d.serverLog())
	if err != nil {
		return err
	}
	defer log.Close()
	d.server, err = startChild(ctx, "", log, d.self, "serve", "--state-dir", d.stateDir(), "--listen", "127.0.0.1:0")
	return err
}

func (d *demo) logIn(ctx context.Context) error {
	a, err := cloudAccount([]string{filepath.Join(d.stateDir(), "clouds.yaml")}, statedir.CloudName)
	if err != nil {
		return err
	}
	d.clients, err = a.connect(ctx)
	return err
}

func (d *demo) makeNetworks(ctx context.Context) (err error) {
	if d.front, err = d.makeNetwork(ctx, "front", "203.0.113.0/24"); err != nil {
		return err
	}
	d.back, err = d.makeNetwork(ctx, "back", "10.20.0.0/24")
	return err
}

func (d *demo) makeNetwork(ctx context.Context, name, cidr string) (demoNetwork, error) {
	guarded := false // or the hosts' security group would have to let the load balancer in
	n, err := networks.Create(ctx, d.clients.network, portsecurity.NetworkCreateOptsExt{
		CreateOptsBuilder: networks.CreateOpts{Name: name}, PortSecurityEnabled: &guarded,
	}).Extract()
	if err != nil {
		return demoNetwork{}, fmt.Errorf("network %s: %w", name, err)
	}
	noGateway := ""
	s, err := subnets.Create(ctx, d.clients.network, subnets.CreateOpts{
		NetworkID: n.ID, Name: name, CIDR: cidr, IPVersion: 4, GatewayIP: &noGateway,
	}).Extract()
	if err != nil {
		return demoNetwork{}, fmt.Errorf("subnet %s: %w", name, err)
	}
	return demoNetwork{id: n.ID, subnet: s.ID}, nil
}

func (d *demo) startHosts(ctx context.Context) error {
	for _, name := range []string{"web-1", "web-2"} {
		host, err := d.plugHost(ctx, name, d.back)
		if err != nil {
			return err
		}
		c, err := startChild(ctx, host.netns, nil, d.self, "demo-web", "--listen", host.address+":80", "--name", name)
		if err != nil {
			return err
		}
		d.web = append(d.web, c)
		d.members = append(d.members, host)
	}
	var err error
	d.client, err = d.plugHost(ctx, "client", d.front)
	return err
}

// plugHost makes a port and connects it to a namespace.
func (d *demo) plugHost(ctx context.Context, name string, n demoNetwork) (demoHost, error) {
	p, err := ports.Create(ctx, d.clients.network, ports.CreateOpts{NetworkID: n.id, Name: name}).Extract()
	if err != nil {
		return demoHost{}, fmt.Errorf("port %s: %w", name, err)
	}
	if len(p.FixedIPs) != 1 {
		return demoHost{}, fmt.Errorf("port %s has %d addresses", name, len(p.FixedIPs))
	}
	host := demoHost{name: name, netns: d.prefix + "-" + name, address: p.FixedIPs[0].IPAddress}
	kernels, err := hostName("")
	if err != nil {
		return demoHost{}, err
	}
	return host, plug(ctx, d.clients.network, p.ID, kernels, host.netns)
}

// makeBalancer waits for nothing between its calls: the server takes a change at any time.
func (d *demo) makeBalancer(ctx context.Context) error {
	lb, err := loadbalancers.Create(ctx, d.clients.loadBalancer, loadbalancers.CreateOpts{
		Name: "demo", VipSubnetID: d.front.subnet,
	}).Extract()
	if err != nil {
		return fmt.Errorf("load balancer: %w", err)
	}
	pool, err := pools.Create(ctx, d.clients.loadBalancer, pools.CreateOpts{
		Name: "demo", Protocol: pools.ProtocolHTTP, LBMethod: pools.LBMethodRoundRobin, LoadbalancerID: lb.ID,
	}).Extract()
	if err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	_, err = listeners.Create(ctx, d.clients.loadBalancer, listeners.CreateOpts{
		Name: "demo", Protocol: listeners.ProtocolHTTP, ProtocolPort: 80, LoadbalancerID: lb.ID, DefaultPoolID: pool.ID,
	}).Extract()
	if err != nil {
		return fmt.Errorf("listener: %w", err)
	}
	_, err = monitors.Create(ctx, d.clients.loadBalancer, monitors.CreateOpts{
		Name: "demo", PoolID: pool.ID, Type: monitors.TypeHTTP, Delay: 1, Timeout: 1, MaxRetries: 1, MaxRetriesDown: 2,
		URLPath: "/", ExpectedCodes: "200",
	}).Extract()
	if err != nil {
		return fmt.Errorf("health monitor: %w", err)
	}
	d.balancer = demoBalancer{id: lb.ID, pool: pool.ID, vip: lb.VipAddress}
	return d.makeMembers(ctx)
}

func (d *demo) makeMembers(ctx context.Context) error {
	for _, m := range d.members {
		_, err := pools.CreateMember(ctx, d.clients.loadBalancer, d.balancer.pool, pools.CreateMemberOpts{
			Name: m.name, Address: m.address, ProtocolPort: 80, SubnetID: d.back.subnet,
		}).Extract()
		if err != nil {
			return fmt.Errorf("member %s: %w", m.name, err)
		}
	}
	return nil
}

func (d *demo) awaitActive(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		var lb struct {
			Status string `json:"provisioning_status"`
			Reason string `json:"status_reason"`
		}
		err := loadbalancers.Get(ctx, d.clients.loadBalancer, d.balancer.id).ExtractIntoStructPtr(&lb, "loadbalancer")
		if err == nil && lb.Status == "ERROR" {
			err = errors.New(lb.Reason)
		}
		return lb.Status == "ACTIVE", err
	})
}

func (d *demo) awaitOnline(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		page, err := pools.ListMembers(d.clients.loadBalancer, d.balancer.pool, nil).AllPages(ctx)
		if err != nil {
			return false, err
		}
		members, err := pools.ExtractMembers(page)
		online := 0
		for _, m := range members {
			if m.OperatingStatus == "ONLINE" {
				online++
			}
		}
		return online == len(d.members), err
	})
}

// poll asks until the answer is yes.
func poll(ctx context.Context, ask func() (bool, error)) error {
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		done, err := ask()
		if err != nil || done {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
