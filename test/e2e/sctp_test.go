package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// TestSCTP makes associations through a load balancer, packet by packet: they are shared among members, pass both ways with the right
// checksum, stay with their member, and are counted.
func TestSCTP(t *testing.T) {
	t.Parallel()
	const front, back = 3868, 3869
	s := prepare(t, 0)
	ctx, api := t.Context(), s.LoadBalancer
	lb, err := loadbalancers.Create(ctx, api, loadbalancers.CreateOpts{Name: "sctp", VipSubnetID: s.net.SubnetID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	l, err := listeners.Create(ctx, api, listeners.CreateOpts{LoadbalancerID: lb.ID, Protocol: "SCTP", ProtocolPort: front}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pools.Create(ctx, api, pools.CreateOpts{ListenerID: l.ID, Protocol: "SCTP", LBMethod: pools.LBMethodRoundRobin}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 2 {
		n := s.Plug(t, s.net)
		n.ServeSCTP(t, back, fmt.Sprintf("m%d", i+1))
		m, err := pools.CreateMember(ctx, api, p.ID, pools.CreateMemberOpts{Address: n.Address, ProtocolPort: back, SubnetID: s.net.SubnetID}).Extract()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	s.WaitActive(t, lb.ID)

	by, last := map[string]int{}, (*harness.Association)(nil)
	for i := range 6 {
		if last, err = s.client.Associate(t, 20000+i, lb.VipAddress, front); err != nil {
			t.Fatal(err)
		}
		by[last.Server]++
	}
	if diff := cmp.Diff(map[string]int{"m1": 3, "m2": 3}, by); diff != "" {
		t.Errorf("associations of each member (-want +got):\n%s", diff)
	}

	leaving := map[string]int{"m1": 0, "m2": 1}[last.Server]
	if err := pools.UpdateMember(ctx, api, p.ID, ids[leaving], pools.UpdateMemberOpts{Weight: number(0)}).Err; err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, lb.ID)
	if err := last.Beat(); err != nil {
		t.Errorf("an association of a draining member: %v", err)
	}
	for i := range 2 {
		a, err := s.client.Associate(t, 21000+i, lb.VipAddress, front)
		if err != nil || a.Server == last.Server {
			t.Errorf("a new association is with %+v, which drains: %v", a, err)
		}
	}
	harness.Eventually(t, 20*time.Second, func() error {
		got, err := listeners.GetStats(ctx, api, l.ID).Extract()
		if err == nil && (got.TotalConnections != 8 || got.ActiveConnections != 8 || got.BytesIn == 0 || got.BytesOut == 0) {
			err = fmt.Errorf("statistics %+v, want 8 associations", got)
		}
		return err
	})
	if err := pools.Delete(ctx, api, p.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, lb.ID)
	if a, err := s.client.Associate(t, 22000, lb.VipAddress, front); err == nil {
		t.Errorf("without a pool %s answers", a.Server)
	}
}
