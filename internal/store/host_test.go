package store_test

import (
	"errors"
	"slices"
	"strings"
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

// TestDeleteHost forgets hosts that are dead and have nothing.
func TestDeleteHost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		lan := newLAN(t, s, "10.0.0.0/24")
		held := map[string]func(name string) error{
			"ports": func(name string) error {
				return s.CreatePort(ctx, &network.Port{NetworkID: lan.ID, Binding: network.Binding{Host: name, NetNS: "x"}})
			},
			"routers": func(name string) error { return s.CreateRouter(ctx, &network.Router{Host: name}) },
			"load balancers": func(name string) error {
				return s.CreateLoadBalancer(ctx, &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p"}, Host: name, Provider: "haproxy"})
			},
			"DHCP servers of networks": func(name string) error {
				_, err := s.KeepDHCPPort(ctx, name, dhcpLAN(t, s, "10.0.0.0/24").ID)
				return err
			},
		}
		for what, hold := range held {
			if err := errors.Join(s.HostSeen(ctx, &network.Host{Name: what}), hold(what)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.HostSeen(ctx, &network.Host{Name: "empty"}); err != nil {
			t.Fatal(err)
		}
		refused := func(name, want string) {
			if err := s.DeleteHost(ctx, name); !errors.Is(err, lbaas.Conflict) || !strings.Contains(err.Error(), want) {
				t.Errorf("DeleteHost(%s): %v, want the conflict %q", name, err, want)
			}
		}
		refused("empty", "Host empty is alive")
		s.AgeHosts(t, store.HostAlive)
		for what := range held {
			refused(what, "Host "+what+" still has "+what)
		}
		if err := s.DeleteHost(ctx, "empty"); err != nil {
			t.Error(err)
		}
		if err := s.DeleteHost(ctx, "empty"); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("DeleteHost of one that is gone: %v, want NotFound", err)
		}
		if left, err := s.Hosts(ctx); len(left) != len(held) || err != nil {
			t.Errorf("%d hosts are left (%v), want %d", len(left), err, len(held))
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
