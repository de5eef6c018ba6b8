package hostplan

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

// routerState is a host with a router in an internal network of both families and in an external one.
func routerState() *network.HostState {
	address, prefix := netip.MustParseAddr, netip.MustParsePrefix
	return &network.HostState{
		Host: "here",
		Networks: []*network.Network{
			{ID: "inside", MTU: 1450}, {ID: "outside", MTU: 1500, External: true},
		},
		Subnets: []*network.Subnet{
			{ID: "four", NetworkID: "inside", CIDR: prefix("10.0.0.0/24"), Gateway: address("10.0.0.1"), DNSNameservers: []string{"192.0.2.53"}},
			{ID: "six", NetworkID: "inside", CIDR: prefix("2001:db8:1::/64"), Gateway: address("2001:db8:1::1"), IPv6RAMode: network.SLAAC,
				IPv6AddressMode: network.SLAAC, DNSNameservers: []string{"2001:db8::54", "2001:db8::53"}},
			{ID: "up", NetworkID: "outside", CIDR: prefix("203.0.113.0/24"), Gateway: address("203.0.113.1")},
		},
		Ports: []*network.Port{
			{ID: "p-inside-six", NetworkID: "inside", DeviceID: "r1", DeviceOwner: network.OwnerRouterInterface,
				FixedIPs: []network.FixedIP{{SubnetID: "six", Address: address("2001:db8:1::1")}}},
			{ID: "p-inside-four", NetworkID: "inside", DeviceID: "r1", DeviceOwner: network.OwnerRouterInterface,
				FixedIPs: []network.FixedIP{{SubnetID: "four", Address: address("10.0.0.1")}}},
			{ID: "p-outside", NetworkID: "outside", DeviceID: "r1", DeviceOwner: network.OwnerRouterGateway,
				FixedIPs: []network.FixedIP{{SubnetID: "up", Address: address("203.0.113.7")}}},
		},
		Routers: []*network.Router{{
			ID: "r1", Host: "here", AdminStateUp: true,
			Gateway: network.Gateway{NetworkID: "outside", PortID: "p-outside", EnableSNAT: true},
			Routes: []network.Route{
				{Destination: prefix("192.168.8.0/24"), NextHop: address("10.0.0.8")},
				{Destination: prefix("192.168.7.0/24"), NextHop: address("10.0.0.8")},
				{Destination: prefix("192.168.7.0/24"), NextHop: address("10.0.0.7")},
			},
		}},
		FloatingIPs: []*network.FloatingIP{
			{ID: "f2", RouterID: "r1", Address: address("203.0.113.21"), FixedAddress: address("10.0.0.6")},
			{ID: "f1", RouterID: "r1", Address: address("203.0.113.20"), FixedAddress: address("10.0.0.5")},
			{ID: "f3", Address: address("203.0.113.22")},
		},
	}
}

func TestRouters(t *testing.T) {
	for name, change := range map[string]func(s *network.HostState, r *network.Router){
		"whole":        func(*network.HostState, *network.Router) {},
		"down":         func(_ *network.HostState, r *network.Router) { r.AdminStateUp = false },
		"other-host":   func(_ *network.HostState, r *network.Router) { r.Host = "there" },
		"untranslated": func(_ *network.HostState, r *network.Router) { r.Gateway.EnableSNAT = false },
		"closed":       func(_ *network.HostState, r *network.Router) { r.Gateway = network.Gateway{} },
		"empty": func(s *network.HostState, r *network.Router) {
			*s = network.HostState{Host: "here", Routers: []*network.Router{{ID: r.ID, Host: "here", AdminStateUp: true}}}
		},
		"gateway-of-six": func(s *network.HostState, _ *network.Router) {
			s.Ports[2].FixedIPs[0].Address = netip.MustParseAddr("2001:db8:2::7")
		},
		"modes": func(s *network.HostState, _ *network.Router) {
			stateful := *s.Subnets[1]
			stateful.ID, stateful.CIDR, stateful.IPv6RAMode = "seven", netip.MustParsePrefix("2001:db8:7::/64"), network.DHCPv6Stateful
			quiet := *s.Subnets[1]
			quiet.ID, quiet.CIDR, quiet.IPv6RAMode = "eight", netip.MustParsePrefix("2001:db8:8::/64"), ""
			s.Subnets = append(s.Subnets, &stateful, &quiet)
			s.Ports[0].FixedIPs = append(s.Ports[0].FixedIPs,
				network.FixedIP{SubnetID: "seven", Address: netip.MustParseAddr("2001:db8:7::1")},
				network.FixedIP{SubnetID: "eight", Address: netip.MustParseAddr("2001:db8:8::1")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := routerState()
			change(state, state.Routers[0])
			got := &enginepb.HostPlan{Routers: index(state).routers()}
			golden(t, "router-"+name+".golden", got)
		})
	}
}

// TestRoutersInAnyOrder has the lists of a state in another order.
func TestRoutersInAnyOrder(t *testing.T) {
	want := index(routerState()).routers()
	rapid.Check(t, func(t *rapid.T) {
		s := routerState()
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		r.Shuffle(len(s.Ports), func(i, j int) { s.Ports[i], s.Ports[j] = s.Ports[j], s.Ports[i] })
		r.Shuffle(len(s.Subnets), func(i, j int) { s.Subnets[i], s.Subnets[j] = s.Subnets[j], s.Subnets[i] })
		r.Shuffle(len(s.FloatingIPs), func(i, j int) { s.FloatingIPs[i], s.FloatingIPs[j] = s.FloatingIPs[j], s.FloatingIPs[i] })
		routes := s.Routers[0].Routes
		r.Shuffle(len(routes), func(i, j int) { routes[i], routes[j] = routes[j], routes[i] })
		if diff := cmp.Diff(want, index(s).routers(), protocmp.Transform()); diff != "" {
			t.Fatalf("routers (-want +got):\n%s", diff)
		}
	})
}
