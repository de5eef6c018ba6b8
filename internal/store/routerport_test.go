package store_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// hinted returns what a change hints.
func hinted(t *testing.T, s *store.Store, fn func(ctx context.Context) error) []store.Hint {
	t.Helper()
	var hints []store.Hint
	defer s.OnHint(func(h store.Hint) { hints = append(hints, h) })()
	if err := fn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return hints
}

func (c *cloud) addressesOf(portID string) []string {
	c.t.Helper()
	p, err := c.Port(c.t.Context(), portID)
	if err != nil {
		c.t.Fatal(err)
	}
	var list []string
	for _, f := range p.FixedIPs {
		list = append(list, f.Address.String())
	}
	return list
}

// TestGateways sets, moves, changes and clears the gateway of a router.
func TestGateways(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		other := newLAN(t, s, "192.0.2.0/24")
		c.external(other.ID, true)
		r := c.newRouter(&network.Router{})
		set := func(g network.Gateway) *network.Router {
			t.Helper()
			got, err := s.UpdateRouter(t.Context(), r.ID, func(r *network.Router) error { r.Gateway = g; return nil })
			if err != nil {
				t.Fatal(err)
			}
			if kept, err := s.Router(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			} else if diff := cmp.Diff(got, kept, addresses); diff != "" {
				t.Errorf("a router is kept otherwise (-returned +kept):\n%s", diff)
			}
			return got
		}
		first := set(network.Gateway{NetworkID: c.outside.ID, EnableSNAT: true})
		if len(first.Gateway.FixedIPs) != 1 {
			t.Fatalf("the new gateway is %+v", first.Gateway)
		}
		again := set(network.Gateway{NetworkID: c.outside.ID})
		if again.Gateway.PortID != first.Gateway.PortID || !slices.Equal(again.Gateway.FixedIPs, first.Gateway.FixedIPs) || again.Gateway.EnableSNAT {
			t.Errorf("the same gateway without SNAT is %+v, it was %+v", again.Gateway, first.Gateway)
		}
		moved := set(network.Gateway{NetworkID: c.outside.ID, FixedIPs: []network.FixedIP{{Address: netip.MustParseAddr("172.24.4.200")}}})
		if diff := cmp.Diff([]string{"172.24.4.200"}, c.addressesOf(first.Gateway.PortID)); diff != "" || moved.Gateway.PortID != first.Gateway.PortID {
			t.Errorf("the gateway's port after a change of its address (-want +got):\n%s", diff)
		}
		c.settle()
		elsewhere := set(network.Gateway{NetworkID: other.ID})
		if _, err := s.Port(t.Context(), first.Gateway.PortID); err == nil || elsewhere.Gateway.PortID == first.Gateway.PortID {
			t.Errorf("after a change of its network the gateway is %+v", elsewhere.Gateway)
		}
		if got := set(network.Gateway{}); got.Gateway.PortID != "" || got.Gateway.FixedIPs != nil {
			t.Errorf("a gateway that was cleared: %+v", got.Gateway)
		}
		if err := s.DeleteRouter(t.Context(), r.ID); err != nil {
			t.Error(err)
		}
	})
}

// TestInterfacesOfIPv6: the IPv6 subnets of a network share the router's port there.
func TestInterfacesOfIPv6(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		one, two := addSubnet(t, s, c.inside.ID, "2001:db8:1::/64"), addSubnet(t, s, c.inside.ID, "2001:db8:2::/64")
		slaac := &network.Subnet{NetworkID: c.inside.ID, CIDR: netip.MustParsePrefix("2001:db8:3::/64"), Gateway: netip.MustParseAddr("2001:db8:3::1"),
			EnableDHCP: true, IPv6AddressMode: network.SLAAC, IPv6RAMode: network.SLAAC}
		if err := s.CreateSubnet(t.Context(), slaac); err != nil {
			t.Fatal(err)
		}
		first, second := c.enter(c.router, one), c.enter(c.router, two)
		if first.PortID != second.PortID {
			t.Errorf("two IPv6 subnets of a network have the ports %s and %s", first.PortID, second.PortID)
		}
		c.enter(c.router, slaac)
		if diff := cmp.Diff([]string{"2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1"}, c.addressesOf(first.PortID)); diff != "" {
			t.Errorf("the addresses (-want +got):\n%s", diff)
		}
		plan, err := s.PortPlan(t.Context(), first.PortID)
		if err != nil || len(plan.Gateways)+len(plan.Routes) > 0 || plan.Link != "qr-" {
			t.Errorf("the plan of an interface: %+v %v", plan, err)
		}
		if _, err := s.RemoveRouterInterface(t.Context(), c.router.ID, one.ID, ""); err != nil {
			t.Fatal(err)
		}
		wantType(t, "bad: a subnet that a router leads to", s.DeleteSubnet(t.Context(), slaac.ID), "SubnetInUse")
		if diff := cmp.Diff([]string{"2001:db8:2::1", "2001:db8:3::1"}, c.addressesOf(first.PortID)); diff != "" {
			t.Errorf("the addresses without the first subnet (-want +got):\n%s", diff)
		}
		if _, err := s.RemoveRouterInterface(t.Context(), c.router.ID, one.ID, first.PortID); err == nil {
			t.Error("an interface is named by a subnet that it does not have")
		} else {
			wantType(t, "an interface by another's subnet", err, "SubnetMismatchForPort")
		}
		if _, err := s.RemoveRouterInterface(t.Context(), c.router.ID, "", first.PortID); err != nil {
			t.Fatal(err)
		}
	})
}

// TestInterfacesComeBack gives a router a subnet again whose gateway's address the host has not taken away yet.
func TestInterfacesComeBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		c.settle()
		if _, err := s.RemoveRouterInterface(t.Context(), c.router.ID, c.inside.subnet.ID, ""); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := s.AddRouterInterface(t.Context(), c.router.ID, c.inside.subnet.ID, "")
			done <- err
		}()
		c.settle()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestPatience: what leaves after it was in the way, and before anybody looks for it, is in nobody's way.
func TestPatience(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		c.settle()
		if _, err := s.RemoveRouterInterface(t.Context(), c.router.ID, c.inside.subnet.ID, ""); err != nil {
			t.Fatal(err)
		}
		one, two := addPort(t, s, &network.Port{NetworkID: c.inside.ID}), addPort(t, s, &network.Port{NetworkID: c.inside.ID})
		tries := 0
		take := func(id string) func() error {
			return func() error {
				tries++
				_, err := s.UpdatePort(t.Context(), id, func(p *network.Port) error {
					p.FixedIPs = []network.FixedIP{fixed(c.inside.subnet, "10.0.0.1")}
					return nil
				})
				c.settle()
				return err
			}
		}
		if err := s.Patient(t.Context(), c.inside.ID, take(one.ID)); err != nil || tries != 2 {
			t.Errorf("after %d tries: %v", tries, err)
		}
		wantType(t, "an address that another has", s.Patient(t.Context(), c.inside.ID, take(two.ID)), "IpAddressInUse")
		if tries != 4 {
			t.Errorf("an address that another has was tried %d times, want 2", tries-2)
		}
	})
}

// TestPortBecomesInterface gives a port that is there to a router.
func TestPortBecomesInterface(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		other := newLAN(t, s, "10.7.0.0/24")
		p := addPort(t, s, &network.Port{NetworkID: other.ID, FixedIPs: []network.FixedIP{fixed(nil, "10.7.0.7")}})
		hints := hinted(t, s, func(ctx context.Context) error {
			_, err := s.AddRouterInterface(ctx, c.router.ID, "", p.ID)
			return err
		})
		if diff := cmp.Diff([]store.Hint{{PortID: p.ID}, {Network: true}}, hints); diff != "" {
			t.Errorf("hints (-want +got):\n%s", diff)
		}
		got, err := s.Port(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := network.Binding{Host: "h", NetNS: "qrouter-" + c.router.ID, Generation: 1}
		if diff := cmp.Diff(want, got.Binding); diff != "" || got.DeviceID != c.router.ID {
			t.Errorf("the binding of a port that was lent (-want +got):\n%s", diff)
		}
		bad := addPort(t, s, &network.Port{NetworkID: c.outside.ID, DeviceID: "x"})
		_, err = s.AddRouterInterface(t.Context(), c.router.ID, "", bad.ID)
		wantType(t, "bad: a port of another device", err, "PortInUse")
		overlapping := newLAN(t, s, "10.7.0.0/16")
		bad = addPort(t, s, &network.Port{NetworkID: overlapping.ID})
		_, err = s.AddRouterInterface(t.Context(), c.router.ID, "", bad.ID)
		wantType(t, "bad: a port where the router leads already", err, "BadRequest")
		if kept, err := s.Port(t.Context(), bad.ID); err != nil || kept.DeviceID != "" || kept.Binding.Host != "" {
			t.Errorf("a port that was refused is %+v %v", kept, err)
		}
	})
}

// TestFloatingFollows changes what floating addresses stand for by way of their ports.
func TestFloatingFollows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		p := c.port(fixed(nil, "10.0.0.7"), fixed(nil, "10.0.0.8"))
		seven := c.float(&network.FloatingIP{PortID: p.ID, FixedAddress: netip.MustParseAddr("10.0.0.7")})
		eight := c.float(&network.FloatingIP{PortID: p.ID, FixedAddress: netip.MustParseAddr("10.0.0.8")})
		stands := func(want ...string) {
			t.Helper()
			var got []string
			for _, f := range []*network.FloatingIP{seven, eight} {
				now, err := s.FloatingIP(t.Context(), f.ID)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, now.FixedAddress.String())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what the floating addresses stand for (-want +got):\n%s", diff)
			}
		}
		gateway := store.Hint{PortID: c.router.Gateway.PortID}
		hints := hinted(t, s, func(ctx context.Context) error {
			_, err := s.UpdatePort(ctx, p.ID, func(p *network.Port) error {
				p.FixedIPs = []network.FixedIP{fixed(nil, "10.0.0.9"), fixed(nil, "10.0.0.8")}
				return nil
			})
			return err
		})
		stands("invalid IP", "10.0.0.8")
		if !slices.Contains(hints, gateway) || !slices.Contains(hints, store.Hint{Network: true}) {
			t.Errorf("hints of a change that takes a floating address away: %v", hints)
		}
		hints = hinted(t, s, func(ctx context.Context) error { return s.DeletePort(ctx, p.ID) })
		stands("invalid IP", "invalid IP")
		if !slices.Contains(hints, gateway) {
			t.Errorf("hints of the end of a port with a floating address: %v", hints)
		}
		plan, err := s.PortPlan(t.Context(), c.router.Gateway.PortID)
		if err != nil || len(plan.Addresses) != 1 {
			t.Errorf("the gateway has %v (%v)", plan.Addresses, err)
		}
	})
}

// TestRouterOfFloating: of several routers the subnet's gateway translates.
func TestRouterOfFloating(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		second := c.newRouter(&network.Router{Gateway: network.Gateway{NetworkID: c.outside.ID}})
		back := c.port(fixed(nil, "10.0.0.254"))
		if _, err := s.AddRouterInterface(t.Context(), second.ID, "", back.ID); err != nil {
			t.Fatal(err)
		}
		f := c.float(&network.FloatingIP{PortID: c.port().ID})
		if f.RouterID != c.router.ID {
			t.Errorf("router %s translates, want the gateway %s", f.RouterID, c.router.ID)
		}
		if err := s.DeleteFloatingIP(t.Context(), f.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.RemoveRouterInterface(t.Context(), c.router.ID, c.inside.subnet.ID, ""); err != nil {
			t.Fatal(err)
		}
		if f = c.float(&network.FloatingIP{PortID: c.port().ID}); f.RouterID != second.ID {
			t.Errorf("router %s translates, want the only one %s", f.RouterID, second.ID)
		}
	})
}

// TestRoutingQuotas bounds routers and floating addresses.
func TestRoutingQuotas(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		_, err := s.PutNetworkQuota(t.Context(), "p", func(q *network.Quota) error {
			q.Limits = map[string]int{network.QuotaRouter: 1, network.QuotaFloatingIP: 1}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		c.float(&network.FloatingIP{})
		wantType(t, "bad: one router more", s.CreateRouter(t.Context(), &network.Router{ProjectID: "p"}), "OverQuota")
		wantType(t, "bad: one floating address more", s.CreateFloatingIP(t.Context(), &network.FloatingIP{ProjectID: "p", NetworkID: c.outside.ID}, ""), "OverQuota")
		if err := s.CreateRouter(t.Context(), &network.Router{ProjectID: "q"}); err != nil {
			t.Error(err)
		}
	})
}

// TestDHCPPortsGoAlong deletes subnets and a network that only DHCP servers, and stations that give themselves addresses, still use.
func TestDHCPPortsGoAlong(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		l := newLAN(t, s, "10.7.0.0/24")
		second := addSubnet(t, s, l.ID, "10.8.0.0/24")
		slaac := &network.Subnet{NetworkID: l.ID, CIDR: netip.MustParsePrefix("2001:db8::/64"), EnableDHCP: true, IPv6AddressMode: network.SLAAC}
		if err := s.CreateSubnet(t.Context(), slaac); err != nil {
			t.Fatal(err)
		}
		server := addPort(t, s, &network.Port{NetworkID: l.ID, DeviceOwner: network.OwnerDHCP,
			FixedIPs: []network.FixedIP{{SubnetID: l.subnet.ID}, {SubnetID: second.ID}}, Binding: network.Binding{Host: "h", NetNS: network.DHCPNetNS + l.ID}})
		station := addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: []network.FixedIP{{SubnetID: slaac.ID}, {SubnetID: second.ID}}})
		c.settle()
		wantType(t, "bad: a subnet with a station", s.DeleteSubnet(t.Context(), second.ID), "SubnetInUse")
		if err := s.DeleteSubnet(t.Context(), slaac.ID); err != nil {
			t.Fatal(err)
		}
		if got := c.addressesOf(station.ID); len(got) != 1 {
			t.Errorf("after its own subnet went, a station has %v", got)
		}
		if err := s.DeleteSubnet(t.Context(), l.subnet.ID); err != nil {
			t.Fatal(err)
		}
		if got := c.addressesOf(server.ID); len(got) != 1 {
			t.Errorf("after one of its subnets went, the DHCP server has %v", got)
		}
		wantType(t, "bad: a network with a station", s.DeleteNetwork(t.Context(), l.ID), "NetworkInUse")
		if err := s.DeletePort(t.Context(), station.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteNetwork(t.Context(), l.ID); err != nil {
			t.Fatal(err)
		}
		if what, _ := seen(t, s, "h", server.ID); what != "unplug" {
			t.Errorf("the host of the DHCP server has to %q", what)
		}
		c.settle()
		if what, _ := seen(t, s, "h", server.ID); what != "" {
			t.Errorf("then the host has to %q", what)
		}
	})
}
