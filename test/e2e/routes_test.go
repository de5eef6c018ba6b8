package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/portsecurity"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"plimsoll/test/harness"
)

// routedNetwork makes a network whose subnet has a router, which also leads to another network. The router is a node of its own, and
// has in it what it leads to.
func (s *site) routedNetwork(t *testing.T, name, prefix, led string, behind ...string) (*harness.Net, *harness.Node) {
	t.Helper()
	made, err := networks.Create(t.Context(), s.Network, portsecurity.NetworkCreateOptsExt{ // the router has addresses of others
		CreateOptsBuilder: networks.CreateOpts{Name: name}, PortSecurityEnabled: new(bool),
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	gateway := prefix + ".1"
	subnet, err := subnets.Create(t.Context(), s.Network, subnets.CreateOpts{
		NetworkID: made.ID, CIDR: prefix + ".0/24", IPVersion: gophercloud.IPv4, GatewayIP: &gateway,
		HostRoutes: []subnets.HostRoute{{DestinationCIDR: led, NextHop: gateway}},
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	n := &harness.Net{ID: made.ID, SubnetID: subnet.ID, CIDR: subnet.CIDR}
	router := s.PlugAt(t, n, ports.IP{SubnetID: n.SubnetID, IPAddress: gateway})
	inside(t, router.NetNS, "ip", "link", "set", "lo", "up")
	for _, address := range behind {
		inside(t, router.NetNS, "ip", "address", "add", address+"/32", "dev", "lo")
	}
	router.Serve(t, 8080, name)
	return n, router
}

// TestMembersBehindRoutes has members beyond the subnets that the load balancer is in: behind the router and the host routes of the
// VIP's subnet, and behind a host route of a member's subnet, which gives no way to anywhere else.
func TestMembersBehindRoutes(t *testing.T) {
	t.Parallel()
	s := &site{Server: harness.Start(t)}
	s.Cloud = s.Admin(t)
	var near *harness.Node
	s.net, near = s.routedNetwork(t, "near", "10.1.0", "192.0.2.0/24", "192.0.2.1", "198.51.100.1")
	far, farther := s.routedNetwork(t, "far", "10.2.0", "203.0.113.0/24", "203.0.113.1", "198.51.100.1", "192.0.2.1")
	s.client = s.Plug(t, s.net)
	s.lb = s.BuildTree(t, s.net, harness.Tree{})
	at := s.Plug(t, far).Serve(t, 8080, "m1")
	if _, err := s.TryMember(t, s.lb, far, at); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	s.answers(t)
	for _, test := range []struct{ name, address, subnet, want string }{
		{"the VIP's subnet's host route", "192.0.2.1", "", "near"},
		{"the VIP's subnet's router", "198.51.100.1", "", "near"},
		{"a member's subnet's host route", "203.0.113.1", far.SubnetID, "far"},
		{"a member's subnet's host route, of a member without a subnet", "203.0.113.1", "", "far"},
	} {
		pool := s.create(t, "/pools", "pool", object{"loadbalancer_id": s.lb.ID, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})
		opts := pools.CreateMemberOpts{Address: test.address, ProtocolPort: 8080, SubnetID: test.subnet}
		if err := pools.CreateMember(t.Context(), s.LoadBalancer, pool, opts).Err; err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		s.alter(t, "/listeners/"+s.lb.ListenerID, "listener", object{"default_pool_id": pool})
		s.wants(t, test.name, 80, map[string]int{test.want: 2})
	}
	s.datagramsBehindRoutes(t, near, farther, far.SubnetID)
	out, err := exec.Command("ip", "-netns", "qlbaas-"+s.lb.ID, "route", "show", "default").Output()
	if routes := string(out); err != nil || strings.Count(routes, "\n") != 1 || !strings.Contains(routes, "via 10.1.0.1 ") {
		t.Errorf("default routes: %v\n%s", err, routes)
	}
}

// datagramsBehindRoutes has members of UDP behind the same routes.
func (s *site) datagramsBehindRoutes(t *testing.T, near, far *harness.Node, farSubnet string) {
	t.Helper()
	_, pool := s.lead(t, "UDP", 53, nil, nil, 0)
	for name, m := range map[string]struct {
		router  *harness.Node
		address string
		subnet  any
	}{"near": {near, "192.0.2.1", nil}, "far": {far, "203.0.113.1", farSubnet}} {
		behind := &harness.Node{NetNS: m.router.NetNS, Address: m.address}
		behind.ServeDatagrams(t, 5353, name)
		s.create(t, "/pools/"+pool+"/members", "member", object{"address": m.address, "protocol_port": 5353, "subnet_id": m.subnet})
	}
	s.WaitActive(t, s.lb.ID)
	by := map[string]int{}
	for range 4 {
		name, err := s.client.AskOnce(t, harness.JoinPort(s.lb.VIP, 53))
		if err != nil {
			t.Fatal(err)
		}
		by[name]++
	}
	if diff := cmp.Diff(map[string]int{"near": 2, "far": 2}, by); diff != "" {
		t.Errorf("flows of members behind routes (-want +got):\n%s", diff)
	}
}
