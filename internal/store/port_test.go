package store_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func TestPortRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/24")
		six := addSubnet(t, s, l.ID, "2001:db8::/64")
		want := addPort(t, s, &network.Port{ProjectID: "p", NetworkID: l.ID, Name: "n", Description: "d", DeviceID: "dev", DeviceOwner: "own",
			Tags: []string{"x"}, Binding: network.Binding{Host: "h", NetNS: "ns"}})
		if len(want.FixedIPs) != 2 || want.FixedIPs[0].SubnetID != l.subnet.ID || want.FixedIPs[1].SubnetID != six.ID {
			t.Errorf("the addresses of a port that asks for none in particular: %v", want.FixedIPs)
		}
		got, err := s.Port(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, addresses); diff != "" {
			t.Errorf("a port comes back otherwise (-want +got):\n%s", diff)
		}
	})
}

func TestBadPorts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/29")
		other := newLAN(t, s, "10.0.0.0/29")
		slaac := &network.Subnet{NetworkID: l.ID, CIDR: netip.MustParsePrefix("2001:db8::/64"), EnableDHCP: true, IPv6AddressMode: network.SLAAC}
		if err := s.CreateSubnet(t.Context(), slaac); err != nil {
			t.Fatal(err)
		}
		first := addPort(t, s, &network.Port{NetworkID: l.ID, MAC: "fa:16:3e:00:00:01", FixedIPs: []network.FixedIP{fixed(l.subnet, "10.0.0.2")}})
		addPort(t, s, &network.Port{NetworkID: other.ID, MAC: first.MAC, FixedIPs: first.FixedIPs[:0]})
		tests := map[string]struct {
			port network.Port
			want string
		}{
			"bad: taken MAC":             {network.Port{MAC: first.MAC}, "MacAddressInUse"},
			"bad: taken address":         {network.Port{FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.2")}}, "IpAddressInUse"},
			"bad: one address twice":     {network.Port{FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.4"), fixed(l.subnet, "10.0.0.4")}}, "IpAddressInUse"},
			"bad: address elsewhere":     {network.Port{FixedIPs: []network.FixedIP{fixed(nil, "10.0.1.2")}}, "InvalidIpForNetwork"},
			"bad: not of this subnet":    {network.Port{FixedIPs: []network.FixedIP{fixed(l.subnet, "10.0.1.2")}}, "InvalidIpForSubnet"},
			"bad: network address":       {network.Port{FixedIPs: []network.FixedIP{fixed(l.subnet, "10.0.0.0")}}, "InvalidIpForSubnet"},
			"bad: broadcast address":     {network.Port{FixedIPs: []network.FixedIP{fixed(l.subnet, "10.0.0.7")}}, "InvalidIpForSubnet"},
			"bad: other network's":       {network.Port{FixedIPs: []network.FixedIP{{SubnetID: other.subnet.ID}}}, "InvalidInput"},
			"bad: neither":               {network.Port{FixedIPs: []network.FixedIP{{}}}, "InvalidInput"},
			"bad: too many":              {network.Port{FixedIPs: slices.Repeat([]network.FixedIP{{SubnetID: l.subnet.ID}}, 65)}, "InvalidInput"},
			"bad: more than there are":   {network.Port{FixedIPs: slices.Repeat([]network.FixedIP{{SubnetID: l.subnet.ID}}, 5)}, "IpAddressGenerationFailure"},
			"bad: not its own automatic": {network.Port{FixedIPs: []network.FixedIP{fixed(slaac, "2001:db8::5")}}, "AllocationOnAutoAddressSubnet"},
			"bad: bound load balancer":   {network.Port{DeviceOwner: network.OwnerLoadBalancer, Binding: network.Binding{Host: "h", NetNS: "n"}}, "PortInUse"},
		}
		for name, test := range tests {
			test.port.NetworkID = l.ID
			wantType(t, name, s.CreatePort(t.Context(), &test.port), test.want)
		}
		bad := network.Port{NetworkID: l.ID, Binding: network.Binding{Host: "h", NetNS: "../x"}}
		if err := s.CreatePort(t.Context(), &bad); !errors.Is(err, lbaas.Invalid) {
			t.Errorf("a port in the namespace ../x: %v", err)
		}
		if left, err := s.Ports(t.Context(), store.Query{}); err != nil || len(left) != 2 {
			t.Errorf("bad ports left something behind: %v %v", left, err)
		}
	})
}

func TestAutomaticAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		n := &network.Network{AdminStateUp: true}
		if err := s.CreateNetwork(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		slaac := &network.Subnet{NetworkID: n.ID, CIDR: netip.MustParsePrefix("2001:db8::/64"), EnableDHCP: true, IPv6AddressMode: network.SLAAC}
		if err := s.CreateSubnet(t.Context(), slaac); err != nil {
			t.Fatal(err)
		}
		p := addPort(t, s, &network.Port{NetworkID: n.ID, MAC: "fa:16:3e:00:00:01"})
		if diff := cmp.Diff([]network.FixedIP{fixed(slaac, "2001:db8::f816:3eff:fe00:1")}, p.FixedIPs, addresses); diff != "" {
			t.Errorf("the address that a port gives itself (-want +got):\n%s", diff)
		}
	})
}

// TestPortsOfLoadBalancersAreActive once the load balancer was made.
func TestPortsOfLoadBalancersAreActive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/24")
		lb := create(t, s, bareTree())
		vip := addPort(t, s, &network.Port{NetworkID: l.ID, DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-" + lb.ID})
		addPort(t, s, &network.Port{NetworkID: l.ID, DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-gone"})
		is := func(want string, active int) {
			t.Helper()
			p, err := s.Port(t.Context(), vip.ID)
			if err != nil || p.Status() != want {
				t.Errorf("the port is %s, %v; want %s", p.Status(), err, want)
			}
			list, err := s.Ports(t.Context(), store.Query{Filters: []store.Filter{{Attribute: "status", Values: []string{"ACTIVE"}}}})
			if err != nil || len(list) != active {
				t.Errorf("%d ports are listed as ACTIVE, %v; want %d", len(list), err, active)
			}
		}
		is("DOWN", 0)
		achieve(t, s, lb)
		is("ACTIVE", 1)
	})
}

// TestConcurrentAllocation fills a subnet from many sides: every address is given once, and nobody is refused while
// one is free.
func TestConcurrentAllocation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/26")
		const room = 61
		var mu sync.Mutex
		given := map[netip.Addr]int{}
		refused := 0
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 5 {
					p := &network.Port{NetworkID: l.ID}
					err := s.CreatePort(t.Context(), p)
					mu.Lock()
					var e *lbaas.Error
					switch {
					case err == nil:
						given[p.FixedIPs[0].Address]++
					case errors.As(err, &e) && e.Type == "IpAddressGenerationFailure":
						refused++
					default:
						t.Errorf("create a port: %v", err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(given) != room || refused != 80-room {
			t.Errorf("%d addresses of %d were given, %d refused", len(given), room, refused)
		}
		for a, n := range given {
			if n != 1 || !network.Usable(l.subnet.CIDR, a) || a == l.subnet.Gateway {
				t.Errorf("%s was given %d times", a, n)
			}
		}
		free := netip.MustParseAddr("10.0.0.33")
		held, err := s.Ports(t.Context(), store.Query{Filters: []store.Filter{{Attribute: network.FixedIPs, Values: []string{"ip_address=" + free.String()}}}})
		if err != nil || len(held) != 1 {
			t.Fatalf("who has %s: %v %v", free, held, err)
		}
		if err := s.DeletePort(t.Context(), held[0].ID); err != nil {
			t.Fatal(err)
		}
		if p := addPort(t, s, &network.Port{NetworkID: l.ID}); p.FixedIPs[0].Address != free {
			t.Errorf("the only free address is %s, given was %v", free, p.FixedIPs)
		}
	})
}

// TestBigRanges allocates where nobody could look at every address, with the start of the range taken.
func TestBigRanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, cidr := range []string{"10.0.0.0/8", "2001:db8::/64", "2001:db8::/32"} {
			l := newLAN(t, s, cidr)
			a := netip.MustParsePrefix(cidr).Addr().Next()
			for range 25 {
				var taken []network.FixedIP
				for range 60 {
					a = a.Next()
					taken = append(taken, network.FixedIP{SubnetID: l.subnet.ID, Address: a})
				}
				addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: taken})
			}
			var p *network.Port
			if asked := s.Statements(func() { p = addPort(t, s, &network.Port{NetworkID: l.ID}) }); asked > 20 {
				t.Errorf("an address of %s took %d statements", cidr, asked)
			}
			if len(p.FixedIPs) != 1 || !l.subnet.CIDR.Contains(p.FixedIPs[0].Address) {
				t.Errorf("an address of %s: %v", cidr, p.FixedIPs)
			}
		}
	})
}

// TestLongRun finds the one free address behind more taken ones than are read at once.
func TestLongRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/22")
		a := netip.MustParseAddr("10.0.0.1")
		for a.Less(netip.MustParseAddr("10.0.3.253")) {
			var taken []network.FixedIP
			for len(taken) < 64 && a.Less(netip.MustParseAddr("10.0.3.253")) {
				a = a.Next()
				taken = append(taken, network.FixedIP{Address: a})
			}
			addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: taken})
		}
		p := addPort(t, s, &network.Port{NetworkID: l.ID})
		if got := p.FixedIPs[0].Address.String(); got != "10.0.3.254" {
			t.Errorf("the only free address is 10.0.3.254, given was %s", got)
		}
		wantType(t, "full subnet", s.CreatePort(t.Context(), &network.Port{NetworkID: l.ID}), "IpAddressGenerationFailure")
	})
}

func TestAddressesFromTheNextSubnet(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/30")
		next := addSubnet(t, s, l.ID, "10.0.1.0/30")
		for _, want := range []network.FixedIP{fixed(l.subnet, "10.0.0.2"), fixed(next, "10.0.1.2")} {
			p := addPort(t, s, &network.Port{NetworkID: l.ID})
			if diff := cmp.Diff([]network.FixedIP{want}, p.FixedIPs, addresses); diff != "" {
				t.Errorf("addresses of two small subnets (-want +got):\n%s", diff)
			}
		}
	})
}

func TestBulkIsAllOrNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/29")
		var many []*network.Port
		for range 6 {
			many = append(many, &network.Port{NetworkID: l.ID})
		}
		wantType(t, "six ports where five fit", s.CreatePorts(t.Context(), many), "IpAddressGenerationFailure")
		if many[0].ID != "" || many[0].FixedIPs != nil {
			t.Errorf("a port that was not made says %+v", many[0])
		}
		if err := s.CreatePorts(t.Context(), many[:5]); err != nil {
			t.Errorf("five ports where five fit: %v", err)
		}
	})
}

func TestUpdatePortAddresses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/29")
		p := addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.2"), fixed(nil, "10.0.0.3")}})
		other := addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.6")}})
		set := func(ips ...network.FixedIP) func(*network.Port) error {
			return func(p *network.Port) error { p.FixedIPs = ips; return nil }
		}
		_, err := s.UpdatePort(ctx, p.ID, set(fixed(nil, "10.0.0.6")))
		wantType(t, "taken address", err, "IpAddressInUse")
		steps := []struct {
			ips  []network.FixedIP
			want []network.FixedIP
		}{
			{[]network.FixedIP{fixed(nil, "10.0.0.3"), {SubnetID: l.subnet.ID}}, []network.FixedIP{fixed(l.subnet, "10.0.0.3"), fixed(l.subnet, "10.0.0.2")}},
			{[]network.FixedIP{fixed(nil, "10.0.0.5")}, []network.FixedIP{fixed(l.subnet, "10.0.0.5")}},
			{nil, nil},
			{[]network.FixedIP{fixed(nil, "10.0.0.2")}, []network.FixedIP{fixed(l.subnet, "10.0.0.2")}},
		}
		for i, step := range steps {
			if _, err := s.UpdatePort(ctx, p.ID, set(step.ips...)); err != nil {
				t.Fatal(err)
			}
			got, err := s.Port(ctx, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.want, got.FixedIPs, addresses); diff != "" {
				t.Errorf("step %d (-want +got):\n%s", i, diff)
			}
		}
		_, err = s.UpdatePort(ctx, other.ID, func(o *network.Port) error { o.MAC = p.MAC; return nil })
		wantType(t, "taken MAC", err, "MacAddressInUse")
		refusal := errors.New("refused")
		if _, err := s.UpdatePort(ctx, p.ID, func(*network.Port) error { return refusal }); !errors.Is(err, refusal) {
			t.Errorf("a refused change gives %v", err)
		}
	})
}

func TestPortLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a, b := newLAN(t, s, "10.0.0.0/24"), newLAN(t, s, "10.0.0.0/24")
		addPort(t, s, &network.Port{Name: "1", ProjectID: "q", NetworkID: a.ID, FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.11")}})
		addPort(t, s, &network.Port{Name: "2", ProjectID: "p", NetworkID: b.ID, FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.11")}, MAC: "fa:16:3e:aa:bb:cc"})
		addPort(t, s, &network.Port{Name: "3", ProjectID: "p", NetworkID: b.ID, FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.12")}, DeviceOwner: "x"})
		by := func(attribute string, values ...string) store.Query {
			return store.Query{Filters: []store.Filter{{Attribute: attribute, Values: values}}}
		}
		tests := map[string]struct {
			query store.Query
			want  []string
		}{
			"by address":                            {by(network.FixedIPs, "ip_address=10.0.0.11"), []string{"1", "2"}},
			"by either address":                     {by(network.FixedIPs, "ip_address=10.0.0.11", "ip_address=10.0.0.12"), []string{"1", "2", "3"}},
			"by address and subnet":                 {by(network.FixedIPs, "ip_address=10.0.0.11", "subnet_id="+b.subnet.ID), []string{"2"}},
			"by part of the address":                {by(network.FixedIPs, "ip_address_substr=.0.12"), []string{"3"}},
			"by nonsense":                           {by(network.FixedIPs, "colour=red"), nil},
			"by MAC":                                {by("mac_address", "FA:16:3E:AA:BB:CC"), []string{"2"}},
			"by owner":                              {by("device_owner", "x"), []string{"3"}},
			"by no owner":                           {by("device_owner", ""), []string{"1", "2"}},
			"down":                                  {by("status", "DOWN"), []string{"1", "2", "3"}},
			"visible to q":                          {by(network.VisibleTo, "q"), []string{"1"}},
			"visible to p, whose networks they are": {by(network.VisibleTo, "p"), []string{"1", "2", "3"}},
		}
		for name, test := range tests {
			test.query.Sort = []store.Order{{Attribute: "name"}}
			found, err := s.Ports(t.Context(), test.query)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var got []string
			for _, p := range found {
				got = append(got, p.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// TestManyPorts reads more ports than one statement names.
func TestManyPorts(t *testing.T) {
	s := storetest.Open(t, store.SQLite)
	l := newLAN(t, s, "10.0.0.0/16")
	var many []*network.Port
	for i := range 2100 {
		many = append(many, &network.Port{NetworkID: l.ID, Name: fmt.Sprint(i)})
	}
	if err := s.CreatePorts(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	found, err := s.Ports(t.Context(), store.Query{})
	if err != nil || len(found) != len(many) {
		t.Fatalf("%d of %d ports are listed: %v", len(found), len(many), err)
	}
	for _, p := range found {
		if len(p.FixedIPs) != 1 {
			t.Fatalf("port %s has the addresses %v", p.Name, p.FixedIPs)
		}
	}
}
