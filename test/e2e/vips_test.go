package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"plimsoll/test/harness"
)

// TestVIPs has a load balancer with VIPs of both families and in another subnet, and members of both families: in the VIPs' subnets,
// and in a network of their own.
func TestVIPs(t *testing.T) {
	s := &site{Server: harness.Start(t)}
	s.Cloud = s.Admin(t)
	four := s.CreateNetwork(t, "web", "10.1.0.0/24")
	six := s.CreateSubnet(t, four.ID, "six", "fd00:10:1::/64")
	other := s.CreateSubnet(t, four.ID, "other", "10.1.1.0/24")
	away := s.CreateNetwork(t, "away", "fd00:10:2::/64")
	s.client = s.PlugAt(t, four, ports.IP{SubnetID: four.SubnetID}, ports.IP{SubnetID: six.SubnetID}, ports.IP{SubnetID: other.SubnetID})
	for i, n := range []*harness.Net{four, six, away} {
		s.webs = append(s.webs, s.PlugAt(t, n, ports.IP{SubnetID: n.SubnetID}).Serve(t, 8080, fmt.Sprintf("m%d", i+1)))
	}
	lb, err := loadbalancers.Create(t.Context(), s.LoadBalancer, loadbalancers.CreateOpts{
		VipSubnetID: four.SubnetID, VipAddress: "10.1.0.100", AdditionalVips: []loadbalancers.AdditionalVip{
			{SubnetID: six.SubnetID, IPAddress: "fd00:10:1::100"}, {SubnetID: other.SubnetID},
		},
		Listeners: []listeners.CreateOpts{{
			Name: "web", Protocol: listeners.ProtocolHTTP, ProtocolPort: 80,
			DefaultPool: &pools.CreateOpts{Name: "pool", Protocol: pools.ProtocolHTTP, LBMethod: pools.LBMethodRoundRobin, Members: []pools.CreateMemberOpts{
				{Address: s.webs[0].Node.Address, ProtocolPort: 8080, SubnetID: four.SubnetID},
				{Address: s.webs[1].Node.Address, ProtocolPort: 8080, SubnetID: six.SubnetID},
				{Address: s.webs[2].Node.Address, ProtocolPort: 8080, SubnetID: away.SubnetID},
			}},
		}},
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, lb.ID)
	vips := []string{lb.VipAddress}
	for _, v := range lb.AdditionalVips {
		vips = append(vips, v.IPAddress)
	}
	if len(vips) != 3 || vips[1] != "fd00:10:1::100" {
		t.Fatalf("VIPs %v", vips)
	}
	for _, vip := range vips {
		if got := s.answerers(t, harness.JoinPort(vip, 80)); !slices.Equal(got, []string{"m1", "m2", "m3"}) {
			t.Errorf("at %s answer %v, want all members", vip, got)
		}
	}
	// Networks of both families may be let in, and are told apart.
	s.letIn(t, lb, "10.1.0.0/24", "fd00:10:1::/64")
	for i, vip := range vips {
		if _, err := s.client.Get(harness.JoinPort(vip, 80)); (err == nil) != (i < 2) {
			t.Errorf("at %s with both families let in: %v", vip, err)
		}
	}
	s.letIn(t, lb, "fd00:10:1::/64")
	for i, vip := range vips {
		if _, err := s.client.Get(harness.JoinPort(vip, 80)); (err == nil) != (i == 1) {
			t.Errorf("at %s with IPv6 let in: %v", vip, err)
		}
	}
	s.Delete(t, lb.ID)
}

// answerers are the members that answer at an address, once all who will have.
func (s *site) answerers(t *testing.T, address string) []string {
	t.Helper()
	var names []string
	harness.Eventually(t, 10*time.Second, func() error {
		name, err := s.client.Get(address)
		if err != nil {
			return err
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) < len(s.webs) {
			return fmt.Errorf("at %s only %v answer", address, names)
		}
		return nil
	})
	slices.Sort(names)
	return names
}

// letIn says which networks may reach the only listener.
func (s *site) letIn(t *testing.T, lb *loadbalancers.LoadBalancer, cidrs ...string) {
	t.Helper()
	all, err := loadbalancers.Get(t.Context(), s.LoadBalancer, lb.ID).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if err := listeners.Update(t.Context(), s.LoadBalancer, all.Listeners[0].ID, listeners.UpdateOpts{AllowedCIDRs: &cidrs}).Err; err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, lb.ID)
}
