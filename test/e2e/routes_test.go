package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"plimsoll/test/harness"
)

// routedNetwork makes a network whose subnet has a router, which also leads to another network. The router is a node of its own, and
// has in it what it leads to.
func (s *site) routedNetwork(t *testing.T, name, prefix, led string, behind ...string) (*harness.Net, *harness.Node) {
	t.Helper()
	made, err := networks.Create(t.Context(), s.Network, networks.CreateOpts{Name: name}).Extract()
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
	s.net, _ = s.routedNetwork(t, "near", "10.1.0", "192.0.2.0/24", "192.0.2.1", "198.51.100.1")
	far, _ := s.routedNetwork(t, "far", "10.2.0", "203.0.113.0/24", "203.0.113.1", "198.51.100.1", "192.0.2.1")
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
	out, err := exec.Command("ip", "-netns", "qlbaas-"+s.lb.ID, "route", "show", "default").Output()
	if routes := string(out); err != nil || strings.Count(routes, "\n") != 1 || !strings.Contains(routes, "via 10.1.0.1 ") {
		t.Errorf("default routes: %v\n%s", err, routes)
	}
}
