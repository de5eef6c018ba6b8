package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func TestHosts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		told := 0
		defer s.OnHint(func(h store.Hint) {
			if h.Network {
				told++
			}
		})()
		if err := s.SetHostAdminState(ctx, "never seen", true); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("SetHostAdminState of an unknown host: %v, want NotFound", err)
		}
		for _, h := range []network.Host{{Name: "b", TunnelIP: "192.0.2.2", Version: "1"}, {Name: "a", Version: "1"}, {Name: "a", Version: "2"}} {
			if err := s.HostSeen(ctx, &h); err != nil {
				t.Fatal(err)
			}
		}
		if told != 2 {
			t.Errorf("%d hints of changes, want 2: a heartbeat that says nothing new is none", told)
		}
		if err := s.SetHostAdminState(ctx, "a", false); err != nil {
			t.Fatal(err)
		}
		got, err := s.Hosts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		want := []*network.Host{{Name: "a", Version: "2", Alive: true}, {Name: "b", TunnelIP: "192.0.2.2", Version: "1", AdminStateUp: true, Alive: true}}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(network.Host{}, "ID", "CreatedAt", "SeenAt")); diff != "" {
			t.Errorf("Hosts (-want +got):\n%s", diff)
		}
		for _, h := range got {
			if h.ID == "" || time.Since(h.SeenAt) > time.Minute {
				t.Errorf("host %s has the id %q and was seen at %v", h.Name, h.ID, h.SeenAt)
			}
		}
	})
}

func TestHostLoads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		n := dhcpLAN(t, s, "10.0.0.0/24")
		if _, err := s.KeepDHCPPort(ctx, "a", n.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateLoadBalancer(ctx, &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p"}, Host: "b", Provider: "haproxy"}); err != nil {
			t.Fatal(err)
		}
		got, err := s.HostLoads(ctx)
		if diff := cmp.Diff(map[string]store.HostLoad{"a": {Networks: 1}, "b": {LoadBalancers: 1}}, got); diff != "" || err != nil {
			t.Errorf("HostLoads: %v (-want +got):\n%s", err, diff)
		}
	})
}

// dhcpLAN is a network with a DHCP server wanted in each of the subnets.
func dhcpLAN(t *testing.T, s *store.Store, cidrs ...string) *network.Network {
	t.Helper()
	n := &network.Network{ProjectID: "p", Name: "lan", AdminStateUp: true}
	if err := s.CreateNetwork(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for _, cidr := range cidrs {
		serveDHCP(t, s, addSubnet(t, s, n.ID, cidr), true)
	}
	addPort(t, s, &network.Port{NetworkID: n.ID, FixedIPs: []network.FixedIP{}}) // somebody has to want a lease
	return n
}

func serveDHCP(t *testing.T, s *store.Store, sub *network.Subnet, serve bool) {
	t.Helper()
	if _, err := s.UpdateSubnet(t.Context(), sub.ID, func(sub *network.Subnet) error { sub.EnableDHCP = serve; return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestUnclaimedNetworks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		wanting, taken := dhcpLAN(t, s, "10.0.0.0/24", "fd00::/64"), dhcpLAN(t, s, "10.0.0.0/24")
		newLAN(t, s, "10.0.0.0/24") // without DHCP
		if _, err := s.KeepDHCPPort(ctx, "other", taken.ID); err != nil {
			t.Fatal(err)
		}
		unclaimed := func() []string {
			ids, err := s.UnclaimedNetworks(ctx, "here")
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		if got := unclaimed(); !slices.Equal(got, []string{wanting.ID}) {
			t.Errorf("unclaimed are %v, want %s only", got, wanting.ID)
		}
		if err := s.HostSeen(ctx, &network.Host{Name: "here"}); err != nil {
			t.Fatal(err)
		}
		if err := s.SetHostAdminState(ctx, "here", false); err != nil {
			t.Fatal(err)
		}
		if got := unclaimed(); len(got) > 0 {
			t.Errorf("a host that is switched off is to take %v", got)
		}
	})
}
