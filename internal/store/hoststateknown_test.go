package store_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// followed is a host's state that is read again after each change, with what is known of it.
type followed struct {
	*testing.T
	store *store.Store
	known *network.HostState
}

// same reads the state anew and with what is known, and asks that both say the same.
func (f *followed) same(what string, err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
	fresh := hostState(f, f.store, "h")
	if f.known, err = f.store.HostState(f.Context(), "h", f.known); err != nil {
		f.Fatal(err)
	}
	sorted := func(s *network.HostState) *network.HostState {
		s.Ports, s.Subnets = slices.Clone(s.Ports), slices.Clone(s.Subnets)
		slices.SortFunc(s.Ports, func(a, b *network.Port) int { return strings.Compare(a.ID, b.ID) })
		slices.SortFunc(s.Subnets, func(a, b *network.Subnet) int { return strings.Compare(a.ID, b.ID) })
		return s
	}
	if diff := cmp.Diff(sorted(fresh), sorted(f.known), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		f.Errorf("%s (-read anew +read with what was known):\n%s", what, diff)
	}
}

// update has a change of a port followed.
func (f *followed) update(what, id string, fn func(p *network.Port)) {
	f.Helper()
	_, err := f.store.UpdatePort(f.Context(), id, func(p *network.Port) error { fn(p); return nil })
	f.same(what, err)
}

// observed has what the host made of a port followed.
func (f *followed) observed(what, id, reason string) {
	f.Helper()
	p, err := f.store.Port(f.Context(), id)
	if err == nil {
		err = f.store.BindingObserved(f.Context(), id, p.Binding.Generation, reason)
	}
	f.same(what, err)
}

// TestHostStateKnown changes all that a host's state is made of: what is taken over from an earlier state is as if it were read.
func TestHostStateKnown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		f := &followed{T: t, store: s}
		f.same("nothing", s.HostSeen(ctx, &network.Host{Name: "h"}))
		c := newCloud(t, s)
		f.same("a cloud", nil)
		leased := dhcpLAN(t, s, "10.1.0.0/24")
		guest := portsOn(t, s, leased.ID)[0].ID
		_, err := s.KeepDHCPPort(ctx, "h", leased.ID)
		f.same("a DHCP server", err)
		f.ports(guest)
		f.subnets(leased.ID)
		f.routers(c)
		f.balancer(leased.ID)
		f.same("a port less", s.DeletePort(ctx, guest))
		if len(f.known.Ports) < 3 || len(f.known.Subnets) < 2 {
			t.Errorf("in the end there are %d ports and %d subnets, want some", len(f.known.Ports), len(f.known.Subnets))
		}
		before := f.known
		f.same("nothing more", nil)
		for i, p := range f.known.Ports {
			if taken := p == before.Ports[i]; taken != (p.DeviceOwner != network.OwnerLoadBalancer) {
				t.Errorf("port %s of owner %q is taken over: %t", p.ID, p.DeviceOwner, taken)
			}
		}
		for i, sub := range f.known.Subnets {
			if sub != before.Subnets[i] {
				t.Errorf("subnet %s is read again", sub.ID)
			}
		}
	})
}

func (f *followed) ports(id string) {
	g := group(f, f.store, "g")
	f.update("an address", id, func(p *network.Port) { p.FixedIPs = []network.FixedIP{{Address: netip.MustParseAddr("10.1.0.99")}} })
	f.update("an option", id, func(p *network.Port) {
		p.DHCPOptions = []network.DHCPOption{{Name: "router", Value: "10.1.0.7", IPVersion: 4}}
	})
	f.update("a group", id, func(p *network.Port) { p.PortSecurity, p.SecurityGroupIDs = true, []string{g.ID} })
	f.update("a host", id, func(p *network.Port) { p.Binding.Host, p.Binding.NetNS = "h", "ns" })
	f.observed("a failure", id, "no room")
	f.observed("a link", id, "")
	f.same("a note", f.store.NotePorts(f.Context(), map[string]string{id: "no guard"}))
	f.same("a note less", f.store.NotePorts(f.Context(), map[string]string{id: ""}))
	f.update("another host", id, func(p *network.Port) { p.Binding.Host = "other" })
	f.observed("the link is away", id, "")
	f.update("no host", id, func(p *network.Port) { p.Binding.Host, p.Binding.NetNS = "", "" })
}

func (f *followed) subnets(networkID string) {
	slaac := &network.Subnet{ProjectID: "p", NetworkID: networkID, CIDR: netip.MustParsePrefix("2001:db8::/64"), EnableDHCP: true, IPv6AddressMode: network.SLAAC}
	f.same("a subnet", f.store.CreateSubnet(f.Context(), slaac))
	_, err := f.store.KeepDHCPPort(f.Context(), "h", networkID)
	f.same("its DHCP server", err)
	guest := addPort(f.T, f.store, &network.Port{NetworkID: networkID})
	f.same("a guest of both families", nil)
	_, err = f.store.UpdateSubnet(f.Context(), slaac.ID, func(s *network.Subnet) error { s.DNSNameservers = []string{"2001:db8::53"}; return nil })
	f.same("a name server", err)
	f.same("a subnet less", f.store.DeleteSubnet(f.Context(), slaac.ID))
	f.same("a guest less", f.store.DeletePort(f.Context(), guest.ID))
	_, err = f.store.UpdateNetwork(f.Context(), networkID, func(n *network.Network) error { n.AdminStateUp = false; return nil })
	f.same("a network that is off", err)
	_, err = f.store.UpdateNetwork(f.Context(), networkID, func(n *network.Network) error { n.AdminStateUp = true; return nil })
	f.same("a network that is on", err)
}

func (f *followed) routers(c *cloud) {
	behind := c.port()
	floating := c.float(&network.FloatingIP{PortID: behind.ID})
	f.same("a floating address", nil)
	f.same("a floating address less", f.store.DeleteFloatingIP(f.Context(), floating.ID))
	_, err := f.store.UpdateRouter(f.Context(), c.router.ID, func(r *network.Router) error {
		r.Gateway.FixedIPs = []network.FixedIP{{SubnetID: c.outside.subnet.ID, Address: netip.MustParseAddr("172.24.4.77")}}
		return nil
	})
	f.same("another address of the gateway", err)
	_, err = f.store.UpdateRouter(f.Context(), c.router.ID, func(r *network.Router) error { r.AdminStateUp = false; return nil })
	f.same("a router that is off", err)
	second := newLAN(f.T, f.store, "10.9.0.0/24")
	c.enter(c.router, second.subnet)
	f.same("an interface", nil)
	_, err = f.store.RemoveRouterInterface(f.Context(), c.router.ID, second.subnet.ID, "")
	f.same("an interface less", err)
}

func (f *followed) balancer(networkID string) {
	lb := &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p"}, Host: "h", Provider: "haproxy"}
	err := f.store.CreateLoadBalancer(f.Context(), lb)
	g := group(f, f.store, "vip")
	addPort(f.T, f.store, &network.Port{ProjectID: "p", NetworkID: networkID, PortSecurity: true, SecurityGroupIDs: []string{g.ID},
		DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-" + lb.ID})
	f.same("a load balancer", err)
	f.same("a load balancer that was made", f.store.Achieved(f.Context(), leaseOf(f.T, f.store, lb), lb.ID, 1, nil, nil))
	if !slices.ContainsFunc(f.known.Ports, func(p *network.Port) bool { return p.DeviceOwner == network.OwnerLoadBalancer && p.Binding.Plugged }) {
		f.Error("the load balancer's port is not ACTIVE")
	}
}
