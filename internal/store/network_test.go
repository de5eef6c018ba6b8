package store_test

import (
	"errors"
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

// lan is a network of a test, with one subnet.
type lan struct {
	*network.Network
	subnet *network.Subnet
}

func newLAN(t *testing.T, s *store.Store, cidr string) lan {
	t.Helper()
	n := &network.Network{ProjectID: "p", Name: "lan", AdminStateUp: true}
	if err := s.CreateNetwork(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return lan{n, addSubnet(t, s, n.ID, cidr)}
}

// addSubnet adds a subnet. Of an IPv4 /24 the addresses from 100 to 199 are given out, so that none is drawn that a test names.
func addSubnet(t *testing.T, s *store.Store, networkID, cidr string) *network.Subnet {
	t.Helper()
	prefix := netip.MustParsePrefix(cidr)
	sub := &network.Subnet{ProjectID: "p", NetworkID: networkID, CIDR: prefix, Gateway: network.DefaultGateway(prefix)}
	if a := prefix.Addr(); a.Is4() && prefix.Bits() == 24 {
		start, end := a.As4(), a.As4()
		start[3], end[3] = 100, 199
		sub.AllocationPools = []network.Range{{Start: netip.AddrFrom4(start), End: netip.AddrFrom4(end)}}
	}
	if err := s.CreateSubnet(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	return sub
}

func addPort(t *testing.T, s *store.Store, p *network.Port) *network.Port {
	t.Helper()
	p.AdminStateUp = true
	if err := s.CreatePort(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func fixed(sub *network.Subnet, address string) network.FixedIP {
	f := network.FixedIP{Address: netip.MustParseAddr(address)}
	if sub != nil {
		f.SubnetID = sub.ID
	}
	return f
}

// wantType fails unless err is the one that Neutron calls so.
func wantType(t *testing.T, what string, err error, name string) {
	t.Helper()
	var e *lbaas.Error
	if !errors.As(err, &e) || e.Type != name {
		t.Errorf("%s: %v, want a %s", what, err, name)
	}
}

func TestNetworkRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		want := &network.Network{ProjectID: "p", Name: "a 'quoted' \"name\" \\ % ü", Description: "d", AdminStateUp: true, Shared: true,
			External: true, MTU: 9000, Tags: []string{"a", "b,c"}}
		if err := s.CreateNetwork(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Network(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("a network comes back otherwise (-want +got):\n%s", diff)
		}
	})
}

// TestUnsharing takes a network away from others only while they have nothing on it.
func TestUnsharing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		change := func(id string, shared, external bool) error {
			_, err := s.UpdateNetwork(ctx, id, func(n *network.Network) error { n.Shared, n.External = shared, external; return nil })
			return err
		}
		l := newLAN(t, s, "10.0.0.0/24")
		if err := change(l.ID, true, true); err != nil {
			t.Fatal(err)
		}
		addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p"})
		foreign := addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "q"})
		wantType(t, "not shared any more", change(l.ID, false, true), "InvalidSharedSetting")
		wantType(t, "not external any more", change(l.ID, true, false), "InvalidSharedSetting")
		if err := s.DeletePort(ctx, foreign.ID); err != nil {
			t.Fatal(err)
		}
		if err := change(l.ID, false, false); err != nil {
			t.Error(err)
		}
	})
}

func TestSubnetRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/24")
		want := &network.Subnet{
			ProjectID: "p", NetworkID: l.ID, Name: "six", Description: "d", CIDR: netip.MustParsePrefix("2001:db8::/64"),
			Gateway:         netip.MustParseAddr("2001:db8::1"),
			AllocationPools: []network.Range{{Start: netip.MustParseAddr("2001:db8::10"), End: netip.MustParseAddr("2001:db8::20")}},
			DNSNameservers:  []string{"2001:db8::53"}, EnableDHCP: true,
			HostRoutes:      []network.Route{{Destination: netip.MustParsePrefix("2001:db8:1::/48"), NextHop: netip.MustParseAddr("2001:db8::2")}},
			IPv6AddressMode: network.DHCPv6Stateful, IPv6RAMode: network.DHCPv6Stateful, Tags: []string{"t"},
		}
		if err := s.CreateSubnet(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Subnet(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, addresses); diff != "" {
			t.Errorf("a subnet comes back otherwise (-want +got):\n%s", diff)
		}
		n, err := s.Network(t.Context(), l.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{l.subnet.ID, want.ID}, n.SubnetIDs); diff != "" {
			t.Errorf("the network's subnets (-want +got):\n%s", diff)
		}
	})
}

var addresses = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func TestSubnetsDoNotOverlapInANetwork(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/24")
		for _, cidr := range []string{"10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/8"} {
			prefix := netip.MustParsePrefix(cidr)
			err := s.CreateSubnet(t.Context(), &network.Subnet{NetworkID: l.ID, CIDR: prefix})
			want := "Invalid input for operation: Requested subnet with cidr: " + cidr + " for network: " + l.ID + " overlaps with another subnet."
			if err == nil || err.Error() != want {
				t.Errorf("a subnet %s beside 10.0.0.0/24: %v", cidr, err)
			}
		}
		addSubnet(t, s, l.ID, "10.0.1.0/24")
		newLAN(t, s, "10.0.0.0/24") // another network may have the same addresses
	})
}

func TestWhatIsMissing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		_, err := s.Network(ctx, "x")
		wantType(t, "show", err, "NetworkNotFound")
		_, err = s.UpdateNetwork(ctx, "x", nil)
		wantType(t, "update", err, "NetworkNotFound")
		wantType(t, "delete", s.DeleteNetwork(ctx, "x"), "NetworkNotFound")
		_, err = s.Subnet(ctx, "x")
		wantType(t, "show", err, "SubnetNotFound")
		_, err = s.UpdateSubnet(ctx, "x", nil)
		wantType(t, "update", err, "SubnetNotFound")
		wantType(t, "delete", s.DeleteSubnet(ctx, "x"), "SubnetNotFound")
		wantType(t, "create", s.CreateSubnet(ctx, &network.Subnet{NetworkID: "x"}), "NetworkNotFound")
		_, err = s.Port(ctx, "x")
		wantType(t, "show", err, "PortNotFound")
		_, err = s.UpdatePort(ctx, "x", nil)
		wantType(t, "update", err, "PortNotFound")
		wantType(t, "delete", s.DeletePort(ctx, "x"), "PortNotFound")
		wantType(t, "create", s.CreatePort(ctx, &network.Port{NetworkID: "x"}), "NetworkNotFound")
		_, err = s.PortPlan(ctx, "x")
		wantType(t, "plan", err, "PortNotFound")
		if err := s.BindingObserved(ctx, "x", 1, ""); err != nil {
			t.Errorf("a binding of no port is observed: %v", err)
		}
	})
}

func TestInUse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		p := addPort(t, s, &network.Port{NetworkID: l.ID})
		wantType(t, "network with a port", s.DeleteNetwork(ctx, l.ID), "NetworkInUse")
		wantType(t, "subnet with an address", s.DeleteSubnet(ctx, l.subnet.ID), "SubnetInUse")
		if err := errors.Join(s.DeletePort(ctx, p.ID), s.DeleteSubnet(ctx, l.subnet.ID), s.DeleteNetwork(ctx, l.ID)); err != nil {
			t.Errorf("delete what is no longer in use: %v", err)
		}
	})
}

func TestInUseTellsThePorts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		for range network.FewPorts {
			addPort(t, s, &network.Port{NetworkID: l.ID, Name: "a"})
		}
		se := addPort(t, s, &network.Port{NetworkID: l.ID, Name: network.AviPorts + "Data-se"})
		for what, err := range map[string]error{"subnet": s.DeleteSubnet(ctx, l.subnet.ID), "network": s.DeleteNetwork(ctx, l.ID)} {
			if err == nil || !strings.Contains(err.Error(), "In use: "+se.ID+" (Avi-Data-se), ") || !strings.Contains(err.Error(), "garbage collection") {
				t.Errorf("delete the %s: %v, want the ports", what, err)
			}
		}
	})
}

func TestNetworkLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, n := range []*network.Network{
			{ProjectID: "p", Name: "a", Tags: []string{"red"}},
			{ProjectID: "p", Name: "b", Shared: true, Tags: []string{"red", "Blue"}},
			{ProjectID: "q", Name: "c", External: true},
			{ProjectID: "q", Name: "d"},
		} {
			if err := s.CreateNetwork(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		tests := map[string]struct {
			query store.Query
			want  []string
		}{
			"all":             {store.Query{}, []string{"a", "b", "c", "d"}},
			"visible to p":    {store.Query{Filters: []store.Filter{{network.VisibleTo, []string{"p"}}}}, []string{"a", "b", "c"}},
			"visible to none": {store.Query{Filters: []store.Filter{{network.VisibleTo, []string{""}}}}, []string{"b", "c"}},
			"by name":         {store.Query{Filters: []store.Filter{{"name", []string{"a", "d", "z"}}}}, []string{"a", "d"}},
			"shared":          {store.Query{Filters: []store.Filter{{"shared", []string{"True"}}}}, []string{"b"}},
			"by status":       {store.Query{Filters: []store.Filter{{"status", []string{"ACTIVE"}}}}, []string{"a", "b", "c", "d"}},
			"tagged":          {store.Query{Tags: store.Tags{All: []string{"red"}}}, []string{"a", "b"}},
			"tagged in case":  {store.Query{Tags: store.Tags{All: []string{"blue"}}}, []string{}},
			"backwards":       {store.Query{Sort: []store.Order{{"name", true}}, Limit: 2}, []string{"d", "c"}},
			"by status again": {store.Query{Sort: []store.Order{{"status", true}, {"name", false}}, Limit: 1}, []string{"a"}},
		}
		for name, test := range tests {
			found, err := s.Networks(t.Context(), test.query)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			got := []string{}
			for _, n := range found {
				got = append(got, n.Name)
			}
			if test.query.Sort == nil {
				slices.Sort(got)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestFirstNetworksAreMadeOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() { errs <- s.BootstrapNetworks(ctx, "admin") }()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		nets, err := s.Networks(ctx, store.Query{Sort: []store.Order{{Attribute: "name", Descending: true}}})
		if err != nil {
			t.Fatal(err)
		}
		want := []*network.Network{
			{ProjectID: "admin", Name: "public", AdminStateUp: true, Shared: true, External: true, MTU: 1500, Segment: network.Segment{Type: "local"}, Revision: 1},
			{ProjectID: "admin", Name: "private", AdminStateUp: true, Shared: true, MTU: 1500, Segment: network.Segment{Type: "local"}, Revision: 1},
		}
		ignore := cmpopts.IgnoreFields(network.Network{}, "ID", "CreatedAt", "UpdatedAt", "SubnetIDs")
		if diff := cmp.Diff(want, nets, ignore); diff != "" {
			t.Fatalf("the first networks (-want +got):\n%s", diff)
		}
		for _, n := range nets {
			if err := s.DeleteNetwork(ctx, n.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.BootstrapNetworks(ctx, "admin"); err != nil {
			t.Fatal(err)
		}
		if nets, err = s.Networks(ctx, store.Query{}); err != nil || len(nets) > 0 {
			t.Errorf("networks that were deleted are there again: %v %v", nets, err)
		}
	})
}
