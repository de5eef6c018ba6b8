package store_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// dhcpPorts are the ports of a network's DHCP servers.
func dhcpPorts(t *testing.T, s *store.Store, networkID string) []*network.Port {
	t.Helper()
	list, err := s.Ports(t.Context(), store.Query{Filters: []store.Filter{
		{Attribute: "network_id", Values: []string{networkID}}, {Attribute: "device_owner", Values: []string{network.OwnerDHCP}}}})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func keepDHCP(t *testing.T, s *store.Store, host, networkID string) store.DHCPPort {
	t.Helper()
	done, err := s.KeepDHCPPort(t.Context(), host, networkID)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func addressTexts(p *network.Port) []string {
	var list []string
	for _, f := range p.FixedIPs {
		list = append(list, f.Address.String())
	}
	return list
}

// TestOwnDHCPServerStays has the owner of a network run a DHCP server in it: that one is left alone, and does not keep the service from
// having its own.
func TestOwnDHCPServerStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/24")
		serveDHCP(t, s, l.subnet, true)
		own := addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p", DeviceOwner: network.OwnerDHCP, DeviceID: "vm"})
		guest := addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p"})
		keepDHCP(t, s, "host", l.ID)
		if list := dhcpPorts(t, s, l.ID); len(list) != 2 {
			t.Fatalf("there are %d ports of DHCP servers, want the user's and the service's", len(list))
		}
		if err := s.DeletePort(t.Context(), guest.ID); err != nil {
			t.Fatal(err)
		}
		keepDHCP(t, s, "host", l.ID)
		got, err := s.Port(t.Context(), own.ID)
		if err != nil {
			t.Fatalf("the user's DHCP server is gone: %v", err)
		}
		if diff := cmp.Diff(own.FixedIPs, got.FixedIPs, compare); diff != "" {
			t.Errorf("its addresses (-want +got):\n%s", diff)
		}
		if list := dhcpPorts(t, s, l.ID); len(list) != 1 {
			t.Errorf("there are %d ports of DHCP servers, want the user's", len(list))
		}
	})
}

func TestDHCPPortLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if done := keepDHCP(t, s, "host", "5f2b1c1e-0000-4000-8000-000000000000"); done.Changed {
			t.Error("something was changed for a network that is not there")
		}
		l := newLAN(t, s, "10.0.0.0/29") // .2 to .6, the gateway has .1
		if done := keepDHCP(t, s, "host", l.ID); done.Changed || len(dhcpPorts(t, s, l.ID)) > 0 {
			t.Error("a network without DHCP got a DHCP server")
		}

		serveDHCP(t, s, l.subnet, true)
		addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: []network.FixedIP{fixed(l.subnet, "10.0.0.6")}})
		if done := keepDHCP(t, s, "host", l.ID); !done.Changed {
			t.Error("the DHCP server's port is not told as changed")
		}
		got := dhcpPorts(t, s, l.ID)
		if len(got) != 1 {
			t.Fatalf("there are %d DHCP servers, want 1", len(got))
		}
		want := &network.Port{
			ID: got[0].ID, ProjectID: "p", NetworkID: l.ID, AdminStateUp: true, MAC: got[0].MAC, FixedIPs: []network.FixedIP{fixed(l.subnet, "10.0.0.5")},
			DeviceID: network.DHCPDevice("host", l.ID), DeviceOwner: network.OwnerDHCP, Revision: 1, Tags: got[0].Tags,
			CreatedAt: got[0].CreatedAt, UpdatedAt: got[0].UpdatedAt,
			Binding: network.Binding{Host: "host", NetNS: "qdhcp-" + l.ID, Generation: 1},
		}
		if diff := cmp.Diff(want, got[0], compare); diff != "" {
			t.Errorf("the DHCP server's port (-want +got):\n%s", diff)
		}
		if done := keepDHCP(t, s, "host", l.ID); done.Changed {
			t.Error("nothing was to be done, and something was")
		}
		if done := keepDHCP(t, s, "other", l.ID); done.Changed || len(dhcpPorts(t, s, l.ID)) != 1 {
			t.Error("another host meddled")
		}
		if n, err := s.Network(ctx, l.ID); err != nil || n.Host != "host" {
			t.Errorf("the network's host is %+v, %v", n, err)
		}

		six := addSubnet(t, s, l.ID, "fd00::/120")
		serveDHCP(t, s, six, true)
		keepDHCP(t, s, "host", l.ID)
		p := dhcpPorts(t, s, l.ID)[0]
		if diff := cmp.Diff([]string{"10.0.0.5", "fd00::ff"}, addressTexts(p)); diff != "" || p.Binding.Generation != 2 {
			t.Errorf("with a second subnet (generation %d) (-want +got):\n%s", p.Binding.Generation, diff)
		}
		serveDHCP(t, s, l.subnet, false)
		keepDHCP(t, s, "host", l.ID)
		if diff := cmp.Diff([]string{"fd00::ff"}, addressTexts(dhcpPorts(t, s, l.ID)[0])); diff != "" {
			t.Errorf("without the first subnet (-want +got):\n%s", diff)
		}
		addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: []network.FixedIP{fixed(l.subnet, "10.0.0.5")}}) // is free again

		serveDHCP(t, s, six, false)
		keepDHCP(t, s, "host", l.ID)
		if left := dhcpPorts(t, s, l.ID); len(left) > 0 {
			t.Errorf("without DHCP there is %+v", left)
		}
		if what, generation := seen(t, s, "host", p.ID); what != "unplug" {
			t.Errorf("the host is to %q the port", what)
		} else if err := s.BindingObserved(ctx, p.ID, generation, ""); err != nil {
			t.Fatal(err)
		}
	})
}

// TestDHCPPortForGuests is there while a port gets leases.
func TestDHCPPortForGuests(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/24")
		serveDHCP(t, s, l.subnet, true)
		addPort(t, s, &network.Port{NetworkID: l.ID, DeviceOwner: network.OwnerRouterInterface})
		addPort(t, s, &network.Port{NetworkID: l.ID, DeviceOwner: network.OwnerLoadBalancer})
		has := func(want int) {
			t.Helper()
			unclaimed, err := s.UnclaimedNetworks(t.Context(), "host")
			if err != nil || len(unclaimed) > want {
				t.Errorf("networks that want a host: %v, %v", unclaimed, err)
			}
			keepDHCP(t, s, "host", l.ID)
			if got := dhcpPorts(t, s, l.ID); len(got) != want {
				t.Errorf("there are %d DHCP servers, want %d", len(got), want)
			}
		}
		has(0)
		guest := addPort(t, s, &network.Port{NetworkID: l.ID})
		has(1)
		if err := s.DeletePort(t.Context(), guest.ID); err != nil {
			t.Fatal(err)
		}
		has(0)
	})
}

// TestDHCPPortOfANetworkThatIsOff is not plugged, and its host hears of it all the same.
func TestDHCPPortOfANetworkThatIsOff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		n := dhcpLAN(t, s, "10.0.0.0/24")
		keepDHCP(t, s, "host", n.ID)
		p := dhcpPorts(t, s, n.ID)[0]
		if _, err := s.UpdateNetwork(t.Context(), n.ID, func(n *network.Network) error { n.AdminStateUp = false; return nil }); err != nil {
			t.Fatal(err)
		}
		_, generation := seen(t, s, "host", p.ID)
		if err := s.BindingObserved(t.Context(), p.ID, generation, ""); err != nil {
			t.Fatal(err)
		}
		for _, guest := range portsOn(t, s, n.ID) {
			if guest.ID != p.ID {
				if err := s.DeletePort(t.Context(), guest.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		state := hostState(t, s, "host")
		if !slices.ContainsFunc(state.Ports, func(known *network.Port) bool { return known.ID == p.ID }) {
			t.Errorf("the host does not hear of the port of a DHCP server that nobody wants: %v", state.Ports)
		}
		keepDHCP(t, s, "host", n.ID)
		if left := dhcpPorts(t, s, n.ID); len(left) > 0 {
			t.Errorf("the port stays: %+v", left)
		}
	})
}

func TestDHCPPortOfFullSubnets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		n := dhcpLAN(t, s)
		sub := &network.Subnet{ProjectID: "p", NetworkID: n.ID, CIDR: netip.MustParsePrefix("10.0.0.0/29"), EnableDHCP: true,
			AllocationPools: []network.Range{{Start: netip.MustParseAddr("10.0.0.2"), End: netip.MustParseAddr("10.0.0.2")}}}
		if err := s.CreateSubnet(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
		taker := addPort(t, s, &network.Port{NetworkID: n.ID})
		if done := keepDHCP(t, s, "host", n.ID); !slices.Equal(done.Full, []string{sub.ID}) || len(dhcpPorts(t, s, n.ID)) > 0 {
			t.Errorf("in a full network: %+v", done)
		}
		serveDHCP(t, s, addSubnet(t, s, n.ID, "10.0.1.0/24"), true)
		if done := keepDHCP(t, s, "host", n.ID); !done.Changed || !slices.Equal(done.Full, []string{sub.ID}) {
			t.Errorf("in a network of which one subnet is full: %+v", done)
		}
		if diff := cmp.Diff([]string{"10.0.1.199"}, addressTexts(dhcpPorts(t, s, n.ID)[0])); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
		if err := s.DeletePort(t.Context(), taker.ID); err != nil {
			t.Fatal(err)
		}
		keepDHCP(t, s, "host", n.ID)
		if diff := cmp.Diff([]string{"10.0.1.199", "10.0.0.2"}, addressTexts(dhcpPorts(t, s, n.ID)[0])); diff != "" {
			t.Errorf("addresses once there is room (-want +got):\n%s", diff)
		}
	})
}

// TestHighestFree compares with a search through all addresses.
func TestHighestFree(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		n := dhcpLAN(t, s, "10.0.0.0/22")
		sub := addSubnet(t, s, n.ID, "10.1.0.0/24")
		for i := 199; i > 199-40; i-- { // more than are read at first
			a := netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})
			addPort(t, s, &network.Port{NetworkID: n.ID, FixedIPs: []network.FixedIP{{SubnetID: sub.ID, Address: a}}})
		}
		serveDHCP(t, s, sub, true)
		keepDHCP(t, s, "host", n.ID)
		if diff := cmp.Diff([]string{"10.0.3.254", "10.1.0.159"}, addressTexts(dhcpPorts(t, s, n.ID)[0])); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
	})
}

// TestTwoHostsTakeANetwork has them do it at once.
func TestTwoHostsTakeANetwork(t *testing.T) {
	storetest.Pair(t, func(t *testing.T, a, b *store.Store) {
		n := dhcpLAN(t, a, "10.0.0.0/24")
		eventually(t, func() bool { _, err := b.Network(t.Context(), n.ID); return err == nil })
		var both sync.WaitGroup
		for host, s := range map[string]*store.Store{"a": a, "b": b} {
			both.Go(func() {
				if _, err := s.KeepDHCPPort(t.Context(), host, n.ID); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		for _, s := range []*store.Store{a, b} {
			var taken *network.Network
			eventually(t, func() (seen bool) {
				var err error
				taken, err = s.Network(t.Context(), n.ID)
				return err == nil && taken.Host != ""
			})
			if ports := dhcpPorts(t, s, n.ID); len(ports) != 1 || ports[0].Binding.Host != taken.Host {
				t.Errorf("network %+v has the DHCP servers %+v", taken, ports)
			}
		}
	})
}

func TestNotePorts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		done := addPort(t, s, &network.Port{NetworkID: l.ID, Binding: network.Binding{Host: "host", NetNS: "ns"}})
		waiting := addPort(t, s, &network.Port{NetworkID: l.ID, Binding: network.Binding{Host: "host", NetNS: "ns"}})
		if err := s.BindingObserved(ctx, done.ID, 1, ""); err != nil {
			t.Fatal(err)
		}
		if err := s.BindingObserved(ctx, waiting.ID, 1, "no such device"); err != nil {
			t.Fatal(err)
		}
		for _, reason := range []string{"nftables is missing", ""} {
			if err := s.NotePorts(ctx, map[string]string{done.ID: reason, waiting.ID: reason}); err != nil {
				t.Fatal(err)
			}
			for id, want := range map[string]string{done.ID: reason, waiting.ID: "no such device"} {
				if p, err := s.Port(ctx, id); err != nil || p.Binding.Reason != want {
					t.Errorf("the reason is %q (%v), want %q", p.Binding.Reason, err, want)
				}
			}
		}
	})
}

// TestPluggedNoMore has a host find that a port is plugged no more, and that it cannot be: the port is DOWN for that reason, whatever became of
// what it is for, until it is plugged again.
func TestPluggedNoMore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		p := addPort(t, s, &network.Port{NetworkID: l.ID, Binding: network.Binding{Host: "host", NetNS: "ns"}})
		for _, step := range []struct{ binding, want, status, does string }{
			{"", "", "ACTIVE", "plugged"},
			{"no such bridge", "no such bridge", "DOWN", "plug"},
			{"no such device", "no such device", "DOWN", "plug"},
			{"", "", "ACTIVE", "plugged"},
		} {
			if err := s.BindingObserved(ctx, p.ID, 1, step.binding); err != nil {
				t.Fatal(err)
			}
			if step.binding != "" {
				if err := s.NotePorts(ctx, map[string]string{p.ID: ""}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := s.Port(ctx, p.ID)
			if err != nil || got.Binding.Reason != step.want || got.Status() != step.status {
				t.Errorf("the host says %q: %s, %q (%v)", step.binding, got.Status(), got.Binding.Reason, err)
			}
			if does, _ := seen(t, s, "host", p.ID); does != step.does {
				t.Errorf("the host says %q: it has to %q, want %q", step.binding, does, step.does)
			}
		}
	})
}
