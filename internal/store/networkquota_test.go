package store_test

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func limitNetwork(t *testing.T, s *store.Store, projectID, resource string, most int) {
	t.Helper()
	_, err := s.PutNetworkQuota(t.Context(), projectID, func(q *network.Quota) error { q.Limits[resource] = most; return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestNetworkQuotaIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		s.SetNetworkQuotaDefaults(map[string]int{network.QuotaPort: 7})
		q, err := s.NetworkQuota(ctx, "p")
		if err != nil || q.Limit(network.QuotaPort, s.NetworkQuotaDefaults()) != 7 || q.Limit(network.QuotaRouter, s.NetworkQuotaDefaults()) != lbaas.Unlimited {
			t.Errorf("without a row: %+v, %v", q, err)
		}
		limitNetwork(t, s, "p", network.QuotaPort, 5)
		limitNetwork(t, s, "p", network.QuotaRouter, 0)
		limitNetwork(t, s, "q", network.QuotaRouter, lbaas.Unlimited)
		want := []*network.Quota{
			{ProjectID: "p", Limits: map[string]int{network.QuotaPort: 5, network.QuotaRouter: 0}},
			{ProjectID: "q", Limits: map[string]int{network.QuotaRouter: lbaas.Unlimited}},
		}
		got, err := s.NetworkQuotas(ctx)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("quotas: %v (-want +got):\n%s", err, diff)
		}
		for _, had := range []bool{true, false} {
			if got, err := s.DeleteNetworkQuota(ctx, "p"); got != had || err != nil {
				t.Errorf("taken back: %v, %v; want %v", got, err, had)
			}
		}
	})
}

// TestNetworkQuotas makes one of each thing too many. Ports that services make for themselves do not count.
func TestNetworkQuotas(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		for _, resource := range []string{network.QuotaNetwork, network.QuotaSubnet, network.QuotaPort, network.QuotaSecurityGroup} {
			limitNetwork(t, s, "p", resource, 1)
		}
		limitNetwork(t, s, "p", network.QuotaSecurityGroupRule, 3)
		wantType(t, "a network too many", s.CreateNetwork(ctx, &network.Network{ProjectID: "p"}), "OverQuota")
		wantType(t, "a subnet too many", s.CreateSubnet(ctx, &network.Subnet{ProjectID: "p", NetworkID: l.ID, CIDR: netip.MustParsePrefix("10.0.1.0/24")}), "OverQuota")
		for _, owner := range []string{network.OwnerLoadBalancer, network.OwnerRouterInterface, network.OwnerFloatingIP} {
			addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p", DeviceOwner: owner})
		}
		serveDHCP(t, s, l.subnet, true)
		addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p", DeviceOwner: network.OwnerDHCP}) // a server of the project's own counts
		addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "q"})
		if done := keepDHCP(t, s, "host", l.ID); !done.Changed {
			t.Error("the network has no DHCP server of the service's")
		}
		two := []*network.Port{{NetworkID: l.ID, ProjectID: "q"}, {NetworkID: l.ID, ProjectID: "p"}}
		wantType(t, "a port too many", s.CreatePorts(ctx, two), "OverQuota")
		g := addGroup(t, s, "p", "web")
		if err := s.CreateSecurityGroup(ctx, &network.SecurityGroup{ProjectID: "p"}); err == nil || err.Error() != "Quota exceeded for resources: ['security_group']." {
			t.Errorf("a group too many: %v", err)
		}
		rule := func(protocol string) []*network.SecurityGroupRule {
			return []*network.SecurityGroupRule{{ProjectID: "p", GroupID: g.ID, Direction: network.Ingress, EtherType: network.IPv4, Protocol: protocol}}
		}
		if err := s.CreateSecurityGroupRules(ctx, rule("tcp")); err != nil {
			t.Error(err)
		}
		wantType(t, "a rule too many", s.CreateSecurityGroupRules(ctx, rule("udp")), "OverQuota")
		if _, err := s.DefaultSecurityGroup(ctx, "p"); err != nil {
			t.Errorf("the default group is there whatever the quota says: %v", err)
		}
		want := map[string]int{
			network.QuotaNetwork: 1, network.QuotaSubnet: 1, network.QuotaPort: 1, network.QuotaSecurityGroup: 2, network.QuotaSecurityGroupRule: 7,
			network.QuotaRouter: 0, network.QuotaFloatingIP: 0, network.QuotaSubnetPool: 0, network.QuotaRBACPolicy: 0,
		}
		got, err := s.NetworkUsage(ctx, "p")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("usage: %v (-want +got):\n%s", err, diff)
		}
	})
}

// TestNetworkQuotaAtOnce has many make ports in several networks at the same time: not one more than the quota is kept.
func TestNetworkQuotaAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		nets := []lan{newLAN(t, s, "10.0.0.0/24"), newLAN(t, s, "10.0.1.0/24"), newLAN(t, s, "10.0.2.0/24")}
		const most = 5
		limitNetwork(t, s, "p", network.QuotaPort, most)
		var made atomic.Int64
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				if s.CreatePort(t.Context(), &network.Port{NetworkID: nets[i%len(nets)].ID, ProjectID: "p"}) == nil {
					made.Add(1)
				}
			})
		}
		wg.Wait()
		usage, err := s.NetworkUsage(t.Context(), "p")
		if err != nil || made.Load() != most || usage[network.QuotaPort] != most {
			t.Errorf("%d ports were made and %d are there, %v; want %d", made.Load(), usage[network.QuotaPort], err, most)
		}
	})
}
