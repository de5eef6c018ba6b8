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

// guardState is a host with a web server, a database and a load balancer's VIP, each in a group of its own.
func guardState() *network.HostState {
	address, prefix := netip.MustParseAddr, netip.MustParsePrefix
	number := func(n int) *int { return &n }
	here := network.Binding{Host: "here", NetNS: "ns"}
	return &network.HostState{
		Host: "here",
		Ports: []*network.Port{
			{ID: "web", NetworkID: "lan", MAC: "fa:16:3e:00:00:01", PortSecurity: true, SecurityGroupIDs: []string{"g-web", "g-all"}, Binding: here,
				FixedIPs:     []network.FixedIP{{Address: address("2001:db8::5")}, {Address: address("10.0.0.5")}},
				AddressPairs: []network.AddressPair{{Address: prefix("10.0.9.7/24")}, {Address: prefix("10.0.0.5/32"), MAC: "fa:16:3e:00:00:09"}}},
			{ID: "db", NetworkID: "lan", MAC: "fa:16:3e:00:00:02", PortSecurity: true, SecurityGroupIDs: []string{"g-db"}, Binding: here,
				FixedIPs: []network.FixedIP{{Address: address("10.0.0.6")}}},
			{ID: "vip", NetworkID: "lan", MAC: "fa:16:3e:00:00:03", PortSecurity: true, SecurityGroupIDs: []string{"g-all"},
				DeviceOwner: network.OwnerLoadBalancer, FixedIPs: []network.FixedIP{{Address: address("10.0.0.7")}}},
			{ID: "alone", NetworkID: "lan", MAC: "fa:16:3e:00:00:04", PortSecurity: true, Binding: here},
			{ID: "open", NetworkID: "lan", MAC: "fa:16:3e:00:00:05", Binding: here},
			{ID: "router", NetworkID: "lan", PortSecurity: true, DeviceOwner: network.OwnerRouterInterface, Binding: here},
			{ID: "quiet-vip", NetworkID: "lan", PortSecurity: true, DeviceOwner: network.OwnerLoadBalancer},
			{ID: "elsewhere", NetworkID: "lan", PortSecurity: true, SecurityGroupIDs: []string{"g-far"}, Binding: network.Binding{Host: "there", NetNS: "ns"}},
		},
		Groups: []*network.SecurityGroup{
			{ID: "g-web", Rules: []*network.SecurityGroupRule{
				{Direction: network.Ingress, EtherType: network.IPv4, Protocol: "tcp", PortMin: number(80), PortMax: number(80), RemotePrefix: prefix("192.0.2.7/24")},
				{Direction: network.Ingress, EtherType: network.IPv6, Protocol: "ipv6-icmp", PortMin: number(128)},
				{Direction: network.Egress, EtherType: network.IPv4},
				{Direction: network.Egress, EtherType: network.IPv6},
			}},
			{ID: "g-db", Rules: []*network.SecurityGroupRule{
				{Direction: network.Ingress, EtherType: network.IPv4, Protocol: "6", PortMin: number(5432), PortMax: number(5433), RemoteGroupID: "g-web"},
				{Direction: network.Ingress, EtherType: network.IPv4, RemoteGroupID: "g-db"},
				{Direction: network.Ingress, EtherType: network.IPv4, RemoteGroupID: "g-empty"},
			}},
			{ID: "g-all", Rules: []*network.SecurityGroupRule{{Direction: network.Ingress, EtherType: network.IPv4, Protocol: "ip"}}},
			{ID: "g-far", Rules: []*network.SecurityGroupRule{{Direction: network.Ingress, EtherType: network.IPv4}}},
		},
		Members: map[string][]network.AddressPair{
			"g-web": {{Address: prefix("10.0.9.7/24")}, {Address: prefix("10.0.0.5/32")}, {Address: prefix("2001:db8::5/128")}, {Address: prefix("10.0.0.5/32"), MAC: "fa:16:3e:00:00:09"}},
			"g-db":  {{Address: prefix("10.0.0.6/32")}},
			"g-all": {{Address: prefix("10.0.0.7/32")}},
		},
	}
}

func TestGuards(t *testing.T) {
	for name, change := range map[string]func(s *network.HostState){
		"whole":       func(*network.HostState) {},
		"nothing":     func(s *network.HostState) { *s = network.HostState{Host: "here"} },
		"other-host":  func(s *network.HostState) { s.Host = "there" },
		"open":        func(s *network.HostState) { s.Ports[0].PortSecurity, s.Ports[0].SecurityGroupIDs = false, nil },
		"one-address": func(s *network.HostState) { s.Ports[0].AddressPairs = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := guardState()
			change(s)
			plan := Plan(s)
			golden(t, "guard-"+name+".golden", &enginepb.HostPlan{Guards: plan.GetGuards(), Groups: plan.GetGroups()})
		})
	}
}

// TestGuardsInAnyOrder plans the same state with its lists in other orders.
func TestGuardsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		s := guardState()
		shuffle(random, s.Ports)
		shuffle(random, s.Groups)
		for _, g := range s.Groups {
			shuffle(random, g.Rules)
		}
		for _, p := range s.Ports {
			shuffle(random, p.SecurityGroupIDs)
			shuffle(random, p.AddressPairs)
			shuffle(random, p.FixedIPs)
		}
		for _, m := range s.Members {
			shuffle(random, m)
		}
		if diff := cmp.Diff(Plan(guardState()), Plan(s), protocmp.Transform()); diff != "" {
			t.Errorf("another order, another plan (-want +got):\n%s", diff)
		}
	})
}

func shuffle[T any](random *rand.Rand, list []T) {
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// TestGuardsAreWhole plans any ports in any groups: every guarded port of the host has a guard with the sources that it has, every group of a
// guard is in the plan, and only groups that a rule of the plan names have members.
func TestGuardsAreWhole(t *testing.T) {
	names := rapid.SampledFrom([]string{"g1", "g2", "g3", "g4"})
	rapid.Check(t, func(t *rapid.T) {
		s := &network.HostState{Host: "here", Members: map[string][]network.AddressPair{}}
		for _, id := range []string{"g1", "g2", "g3", "g4"} {
			g := &network.SecurityGroup{ID: id}
			for range rapid.IntRange(0, 3).Draw(t, "rules") {
				g.Rules = append(g.Rules, &network.SecurityGroupRule{Direction: network.Ingress, EtherType: network.IPv4,
					RemoteGroupID: rapid.OneOf(names, rapid.Just("")).Draw(t, "remote")})
			}
			s.Groups = append(s.Groups, g)
			s.Members[id] = []network.AddressPair{{Address: netip.MustParsePrefix("10.0.0.1/32")}}
		}
		want := map[string]bool{}
		for _, id := range []string{"p1", "p2", "p3"} {
			p := &network.Port{ID: id, PortSecurity: rapid.Bool().Draw(t, "security"), SecurityGroupIDs: rapid.SliceOfDistinct(names, rapid.ID).Draw(t, "groups"),
				DeviceOwner: rapid.SampledFrom([]string{"", network.OwnerLoadBalancer, network.OwnerDHCP}).Draw(t, "owner"),
				Binding:     network.Binding{Host: rapid.SampledFrom([]string{"here", "there"}).Draw(t, "host")}}
			s.Ports = append(s.Ports, p)
			if p.Guarded() && (p.Binding.Host == "here" || p.DeviceOwner == network.OwnerLoadBalancer) {
				want[id] = true
			}
		}
		checkWhole(t, want, Plan(s))
	})
}

func checkWhole(t *rapid.T, want map[string]bool, plan *enginepb.HostPlan) {
	groups, named := map[string]*enginepb.Group{}, map[string]bool{}
	for _, g := range plan.GetGroups() {
		groups[g.GetId()] = g
		for _, r := range g.GetRules() {
			named[r.GetRemoteGroupId()] = true
		}
	}
	got := map[string]bool{}
	for _, g := range plan.GetGuards() {
		got[g.GetPortId()] = true
		for _, id := range g.GetGroupIds() {
			if groups[id] == nil {
				t.Errorf("port %s is in group %s, of which the plan says nothing", g.GetPortId(), id)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("guarded ports (-want +got):\n%s", diff)
	}
	for id, g := range groups {
		if (len(g.GetMembers()) > 0) != named[id] {
			t.Errorf("group %s has the members %v; that a rule names it is %v", id, g.GetMembers(), named[id])
		}
	}
}
