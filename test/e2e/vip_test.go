package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"plimsoll/test/harness"
)

// TestIPv6 serves on an IPv6 network.
func TestIPv6(t *testing.T) {
	s := &site{Server: harness.Start(t)}
	s.Cloud = s.Admin(t)
	s.net = s.CreateNetwork(t, "six", "fd00:10::/64")
	s.client = s.Plug(t, s.net)
	s.webs = []*harness.Web{s.newMember(t, "a"), s.newMember(t, "b")}
	s.lb = s.BuildTree(t, s.net, harness.Tree{Members: s.webs, Monitor: true})
	s.WaitActive(t, s.lb.ID)
	s.answers(t)
	if err := s.allServe(s.lb); err != nil {
		t.Error(err)
	}
	s.Delete(t, s.lb.ID)
}

// TestUsersPort puts the VIP on a port that its user made: it outlives the load balancer, as it was.
func TestUsersPort(t *testing.T) {
	s := prepare(t, 1)
	mine, err := ports.Create(t.Context(), s.Network, ports.CreateOpts{NetworkID: s.net.ID, Name: "mine"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	made, err := loadbalancers.Create(t.Context(), s.LoadBalancer, loadbalancers.CreateOpts{VipPortID: mine.ID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if made.VipAddress != mine.FixedIPs[0].IPAddress {
		t.Errorf("VIP %s, want that of the port, %s", made.VipAddress, mine.FixedIPs[0].IPAddress)
	}
	s.WaitActive(t, made.ID)
	s.Delete(t, made.ID)
	got, err := ports.Get(t.Context(), s.Network, mine.ID).Extract()
	if err != nil {
		t.Fatal(err)
	}
	type port struct{ Name, DeviceID, DeviceOwner string }
	if diff := cmp.Diff(port{"mine", "", ""}, port{got.Name, got.DeviceID, got.DeviceOwner}); diff != "" {
		t.Errorf("the port afterwards (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(mine.FixedIPs, got.FixedIPs); diff != "" {
		t.Errorf("its addresses afterwards (-want +got):\n%s", diff)
	}
	// It can be used again at once.
	again, err := loadbalancers.Create(t.Context(), s.LoadBalancer, loadbalancers.CreateOpts{VipPortID: mine.ID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, again.ID)
}
