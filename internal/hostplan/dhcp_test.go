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

// dhcpState is a host that serves a network of both families, with guests and with ports that ask for nothing.
func dhcpState() *network.HostState {
	address, prefix := netip.MustParseAddr, netip.MustParsePrefix
	at := func(subnet, a string) network.FixedIP { return network.FixedIP{SubnetID: subnet, Address: address(a)} }
	return &network.HostState{
		Host:     "here",
		Networks: []*network.Network{{ID: "lan", MTU: 1450, Host: "here", AdminStateUp: true}},
		Subnets: []*network.Subnet{
			{ID: "four", NetworkID: "lan", CIDR: prefix("10.0.0.0/24"), Gateway: address("10.0.0.1"), EnableDHCP: true, DNSNameservers: []string{"192.0.2.54", "192.0.2.53"},
				HostRoutes: []network.Route{{Destination: prefix("198.51.100.0/24"), NextHop: address("10.0.0.9")}}},
			{ID: "more", NetworkID: "lan", CIDR: prefix("10.0.1.0/24"), EnableDHCP: true},
			{ID: "still", NetworkID: "lan", CIDR: prefix("10.0.2.0/24"), Gateway: address("10.0.2.1")},
			{ID: "six", NetworkID: "lan", CIDR: prefix("2001:db8::/64"), Gateway: address("2001:db8::1"), EnableDHCP: true,
				IPv6AddressMode: network.DHCPv6Stateful, IPv6RAMode: network.DHCPv6Stateful, DNSNameservers: []string{"2001:db8::53"}},
			{ID: "less", NetworkID: "lan", CIDR: prefix("2001:db8:1::/64"), EnableDHCP: true, IPv6AddressMode: network.DHCPv6Stateless, IPv6RAMode: network.DHCPv6Stateless},
			{ID: "self", NetworkID: "lan", CIDR: prefix("2001:db8:2::/64"), EnableDHCP: true, IPv6AddressMode: network.SLAAC, IPv6RAMode: network.SLAAC},
		},
		Ports: []*network.Port{
			{ID: "server", NetworkID: "lan", MAC: "fa:16:3e:00:00:01", DeviceOwner: network.OwnerDHCP, Binding: network.Binding{NetNS: network.DHCPNetNS + "lan"},
				FixedIPs: []network.FixedIP{at("four", "10.0.0.254"), at("more", "10.0.1.254"), at("six", "2001:db8::fffe"), at("less", "2001:db8:1::fffe")}},
			{ID: "guest", NetworkID: "lan", MAC: "fa:16:3e:00:00:02", DHCPOptions: []network.DHCPOption{{Name: "bootfile-name", Value: "pxelinux.0", IPVersion: 4}},
				FixedIPs: []network.FixedIP{at("four", "10.0.0.5"), at("six", "2001:db8::5"), at("less", "2001:db8:1::5"), at("self", "2001:db8:2::5")}},
			{ID: "quiet", NetworkID: "lan", MAC: "fa:16:3e:00:00:03", FixedIPs: []network.FixedIP{at("still", "10.0.2.5")}},
			{ID: "by-itself", NetworkID: "lan", MAC: "fa:16:3e:00:00:04", FixedIPs: []network.FixedIP{at("less", "2001:db8:1::6")}},
			{ID: "asks", NetworkID: "lan", MAC: "fa:16:3e:00:00:05", FixedIPs: []network.FixedIP{at("less", "2001:db8:1::7")},
				DHCPOptions: []network.DHCPOption{{Name: "59", Value: "tftp://x", IPVersion: 6}}},
			{ID: "router", NetworkID: "lan", MAC: "fa:16:3e:00:00:06", DeviceOwner: network.OwnerRouterInterface, FixedIPs: []network.FixedIP{at("four", "10.0.0.1")}},
			{ID: "vip", NetworkID: "lan", MAC: "fa:16:3e:00:00:07", DeviceOwner: network.OwnerLoadBalancer, FixedIPs: []network.FixedIP{at("four", "10.0.0.7")}},
		},
	}
}

func TestDHCPServers(t *testing.T) {
	for name, change := range map[string]func(s *network.HostState){
		"whole":         func(*network.HostState) {},
		"other-host":    func(s *network.HostState) { s.Networks[0].Host = "there" },
		"down":          func(s *network.HostState) { s.Networks[0].AdminStateUp = false },
		"no-server":     func(s *network.HostState) { s.Ports = s.Ports[1:] },
		"part":          func(s *network.HostState) { s.Ports[0].FixedIPs = s.Ports[0].FixedIPs[1:2] },
		"modes-of-old":  func(s *network.HostState) { s.Subnets[3].IPv6AddressMode, s.Subnets[3].IPv6RAMode = "", "" },
		"others-router": func(s *network.HostState) { s.Subnets[3].IPv6AddressMode = "" },
	} {
		t.Run(name, func(t *testing.T) {
			s := dhcpState()
			change(s)
			golden(t, "dhcp-"+name+".golden", &enginepb.HostPlan{Dhcps: index(s).dhcps()})
		})
	}
}

// TestDHCPServersInAnyOrder has the lists of a state in another order.
func TestDHCPServersInAnyOrder(t *testing.T) {
	want := index(dhcpState()).dhcps()
	rapid.Check(t, func(t *rapid.T) {
		s := dhcpState()
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		r.Shuffle(len(s.Ports), func(i, j int) { s.Ports[i], s.Ports[j] = s.Ports[j], s.Ports[i] })
		r.Shuffle(len(s.Subnets), func(i, j int) { s.Subnets[i], s.Subnets[j] = s.Subnets[j], s.Subnets[i] })
		if diff := cmp.Diff(want, index(s).dhcps(), protocmp.Transform()); diff != "" {
			t.Fatalf("DHCP servers (-want +got):\n%s", diff)
		}
	})
}

func TestPeers(t *testing.T) {
	s := index(&network.HostState{Host: "here", Peers: []*network.Host{
		{Name: "c", TunnelIP: "192.0.2.3"}, {Name: "here", TunnelIP: "192.0.2.1"}, {Name: "b", TunnelIP: "192.0.2.2"}, {Name: "again", TunnelIP: "192.0.2.2"},
		{Name: "none"}, {Name: "bad", TunnelIP: "bad"}, {Name: "zoned", TunnelIP: "fe80::1%eth0"},
	}})
	if diff := cmp.Diff([]string{"192.0.2.2", "192.0.2.3"}, s.peers()); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}
