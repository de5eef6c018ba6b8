package store_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func hostState(t testing.TB, s *store.Store, host string) *network.HostState {
	t.Helper()
	state, err := s.HostState(t.Context(), host, nil)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func names[T any](names map[string]string, list []T, id func(T) string) []string {
	var found []string
	for _, v := range list {
		name, ok := names[id(v)]
		if !ok {
			name = "unknown " + id(v)
		}
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}

func group(t testing.TB, s *store.Store, name string, remote ...string) *network.SecurityGroup {
	t.Helper()
	g := &network.SecurityGroup{ProjectID: "p", Name: name}
	if err := s.CreateSecurityGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	for _, id := range remote {
		r := &network.SecurityGroupRule{ProjectID: "p", GroupID: g.ID, Direction: network.Ingress, EtherType: network.IPv4, RemoteGroupID: id}
		if err := s.CreateSecurityGroupRules(t.Context(), []*network.SecurityGroupRule{r}); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// TestHostState has one of everything that is of the host "h", and one that is not.
func TestHostState(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if diff := cmp.Diff(&network.HostState{Host: "h"}, hostState(t, s, "h"), cmp.Comparer(func(a, b []*network.Router) bool { return len(a)+len(b) == 0 }),
			cmp.Comparer(func(a, b []*network.Host) bool { return len(a)+len(b) == 0 }),
			cmp.Comparer(func(a, b map[string][]network.AddressPair) bool { return len(a)+len(b) == 0 })); diff != "" {
			t.Errorf("of nothing (-want +got):\n%s", diff)
		}
		for _, name := range []string{"h", "other"} {
			if err := s.HostSeen(ctx, &network.Host{Name: name, TunnelIP: "192.0.2.1"}); err != nil {
				t.Fatal(err)
			}
		}
		ids := map[string]string{}
		keep := func(name, id string) string { ids[id] = name; return id }

		c := newCloud(t, s)
		keep("outside", c.outside.ID)
		keep("inside", c.inside.ID)
		keep("router", c.router.ID)
		keep("outside's", c.outside.subnet.ID)
		keep("inside's", c.inside.subnet.ID)
		keep("qg", c.router.Gateway.PortID)
		behind := c.port()
		keep("floating", c.float(&network.FloatingIP{PortID: behind.ID}).ID)
		c.float(&network.FloatingIP{}) // stands for nothing
		for _, p := range portsOn(t, s, c.inside.ID) {
			if p.DeviceOwner == network.OwnerRouterInterface {
				keep("qr", p.ID)
			}
		}

		leased, elsewhere := dhcpLAN(t, s, "10.1.0.0/24"), dhcpLAN(t, s, "10.2.0.0/24")
		keep("leased", leased.ID)
		keep("lease", portsOn(t, s, leased.ID)[0].ID)
		keepDHCP(t, s, "h", leased.ID)
		keepDHCP(t, s, "other", elsewhere.ID)
		keep("dhcp", dhcpPorts(t, s, leased.ID)[0].ID)
		keep("leased's", subnetsOn(t, s, leased.ID)[0].ID)
		addPort(t, s, &network.Port{NetworkID: leased.ID, DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-x"}) // gets no lease

		named := group(t, s, "named")
		in, unnamed := group(t, s, "in", named.ID), group(t, s, "unnamed", named.ID)
		keep("group named", named.ID)
		keep("group in", in.ID)
		plain := newLAN(t, s, "10.3.0.0/24")
		keep("plain", plain.ID)
		keep("plain's", plain.subnet.ID)
		guard := func(host string, groups ...string) *network.Port {
			return addPort(t, s, &network.Port{ProjectID: "p", NetworkID: plain.ID, PortSecurity: true, SecurityGroupIDs: groups,
				Binding: network.Binding{Host: host, NetNS: "ns"}})
		}
		keep("guarded", guard("h", in.ID).ID)
		far := guard("other", named.ID, unnamed.ID)
		addPort(t, s, &network.Port{NetworkID: plain.ID, Binding: network.Binding{Host: "h", NetNS: "ns"}}) // is open

		for _, host := range []string{"h", "other"} {
			lb := &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p"}, Host: host, Provider: "haproxy"}
			if err := s.CreateLoadBalancer(ctx, lb); err != nil {
				t.Fatal(err)
			}
			vip := &network.Port{ProjectID: "p", NetworkID: plain.ID, PortSecurity: true, SecurityGroupIDs: []string{in.ID},
				DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-" + lb.ID}
			addPort(t, s, vip)
			if host == "h" {
				keep("vip", vip.ID)
			}
			addPort(t, s, &network.Port{NetworkID: plain.ID, PortSecurity: true, DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-" + lb.ID}) // in no group
		}

		state := hostState(t, s, "h")
		got := map[string][]string{
			"routers":  names(ids, state.Routers, func(r *network.Router) string { return r.ID }),
			"floating": names(ids, state.FloatingIPs, func(f *network.FloatingIP) string { return f.ID }),
			"networks": names(ids, state.Networks, func(n *network.Network) string { return n.ID }),
			"subnets":  names(ids, state.Subnets, func(s *network.Subnet) string { return s.ID }),
			"ports":    names(ids, state.Ports, func(p *network.Port) string { return p.ID }),
			"groups":   names(ids, state.Groups, func(g *network.SecurityGroup) string { return g.ID }),
			"peers":    names(nil, state.Peers, func(h *network.Host) string { return h.Name }),
		}
		want := map[string][]string{
			"routers": {"router"}, "floating": {"floating"}, "networks": {"inside", "leased", "outside", "plain"},
			"subnets": {"inside's", "leased's", "outside's", "plain's"}, "ports": {"dhcp", "guarded", "lease", "qg", "qr", "vip"},
			"groups": {"group in", "group named"}, "peers": {"unknown other"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("HostState (-want +got):\n%s", diff)
		}
		members := map[string][]network.AddressPair{named.ID: {{Address: netip.PrefixFrom(far.FixedIPs[0].Address, 32), MAC: far.MAC}}}
		if diff := cmp.Diff(members, state.Members, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("members of the named groups (-want +got):\n%s", diff)
		}
		if !slices.ContainsFunc(state.Routers[0].Gateway.FixedIPs, func(f network.FixedIP) bool { return f.SubnetID == c.outside.subnet.ID }) {
			t.Errorf("the router's gateway has no address: %+v", state.Routers[0].Gateway)
		}
	})
}

func portsOn(t *testing.T, s *store.Store, networkID string) []*network.Port {
	t.Helper()
	list, err := s.Ports(t.Context(), store.Query{Filters: []store.Filter{{Attribute: "network_id", Values: []string{networkID}}}})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func subnetsOn(t *testing.T, s *store.Store, networkID string) []*network.Subnet {
	t.Helper()
	list, err := s.Subnets(t.Context(), store.Query{Filters: []store.Filter{{Attribute: "network_id", Values: []string{networkID}}}})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestNetworkDigest asks that the digest changes with everything that a plan is made from, and else stays.
func TestNetworkDigest(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		digest := func() string {
			t.Helper()
			d, err := s.NetworkDigest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		last, hinted := digest(), false
		defer s.OnHint(func(h store.Hint) { hinted = hinted || h.Network })()
		step := func(what string, changes bool, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if now := digest(); (now != last) != changes {
				t.Errorf("%s: the digest changes: %t, want %t", what, now != last, changes)
			}
			last = digest()
		}
		c := newCloud(t, s)
		step("a cloud", true, nil)
		p := c.port()
		step("a port", true, nil)
		g := group(t, s, "g")
		step("a group", true, nil)
		_, err := s.UpdatePort(ctx, p.ID, func(p *network.Port) error { p.PortSecurity, p.SecurityGroupIDs = true, []string{g.ID}; return nil })
		step("a port in a group", true, err)
		rule := &network.SecurityGroupRule{ProjectID: "p", GroupID: g.ID, Direction: network.Ingress, EtherType: network.IPv4}
		step("a rule", true, s.CreateSecurityGroupRules(ctx, []*network.SecurityGroupRule{rule}))
		step("a rule less", true, s.DeleteSecurityGroupRule(ctx, rule.ID))
		f := c.float(&network.FloatingIP{})
		step("a floating address", true, nil)
		_, err = s.UpdateFloatingIP(ctx, f.ID, func(f *network.FloatingIP) error { f.PortID = p.ID; return nil })
		step("its port", true, err)
		_, err = s.UpdateRouter(ctx, c.router.ID, func(r *network.Router) error { r.AdminStateUp = false; return nil })
		step("a router that is switched off", true, err)
		_, err = s.UpdateSubnet(ctx, c.inside.subnet.ID, func(sub *network.Subnet) error { sub.DNSNameservers = []string{"192.0.2.1"}; return nil })
		step("a name server", true, err)
		_, err = s.RemoveRouterInterface(ctx, c.router.ID, c.inside.subnet.ID, "")
		if err != nil { // the floating address needs it
			step("an interface that is needed", false, nil)
		}
		step("a host", true, s.HostSeen(ctx, &network.Host{Name: "h"}))
		step("a heartbeat", false, s.HostSeen(ctx, &network.Host{Name: "h"}))
		step("a tunnel", true, s.HostSeen(ctx, &network.Host{Name: "h", TunnelIP: "192.0.2.7"}))
		step("one host more", true, s.HostSeen(ctx, &network.Host{Name: "i", TunnelIP: "192.0.2.1"}))
		step("another", true, s.HostSeen(ctx, &network.Host{Name: "j", TunnelIP: "192.0.2.9"}))
		step("a tunnel among others", true, s.HostSeen(ctx, &network.Host{Name: "h", TunnelIP: "192.0.2.8"}))
		bind := func(host string) error {
			_, err := s.UpdatePort(ctx, p.ID, func(p *network.Port) error { p.Binding.Host, p.Binding.NetNS = host, "ns"; return nil })
			return err
		}
		observed := func(host string) error {
			_, generation := seen(t, s, host, p.ID)
			return s.BindingObserved(ctx, p.ID, generation, "")
		}
		step("a port on a host", true, bind("h"))
		step("its link", false, observed("h"))
		step("a port on another host", true, bind("other"))
		step("the way is free for that host", true, observed("h"))
		hinted = false
		lb := &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p"}, Host: "h", Provider: "haproxy"}
		step("a load balancer, of which the host guards the VIP", true, s.CreateLoadBalancer(ctx, lb))
		if !hinted {
			t.Error("nobody is told that there is a load balancer of which the host may have to guard the VIP")
		}
		step("a floating address less", true, s.DeleteFloatingIP(ctx, f.ID))
		step("a port less", true, s.DeletePort(ctx, p.ID))
		step("a group less", true, s.DeleteSecurityGroup(ctx, g.ID))
	})
}

// TestNetworkDigestOfSkewedClocks replaces a router by one like it, while there is one that a server whose clock is ahead has made.
func TestNetworkDigestOfSkewedClocks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := &cloud{Store: s, t: t}
		c.newRouter(&network.Router{})
		s.PutRoutersAhead(t, time.Hour)
		router := c.newRouter(&network.Router{})
		before, err := s.NetworkDigest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteRouter(t.Context(), router.ID); err != nil {
			t.Fatal(err)
		}
		c.newRouter(&network.Router{})
		if after, err := s.NetworkDigest(t.Context()); err != nil || after == before {
			t.Errorf("with another router the digest is %s still (%v)", after, err)
		}
	})
}

// BenchmarkHostState is a host of that many networks with a router and a port each. Digest is what other servers' changes are looked for with.
func BenchmarkHostState(b *testing.B) {
	for _, n := range []int{1, 500} {
		s := storetest.Open(b, store.SQLite)
		for i := range n {
			smallCloud(b, s, i)
		}
		b.Run(fmt.Sprintf("networks=%d", n), func(b *testing.B) {
			for b.Loop() {
				hostState(b, s, "h")
			}
		})
		b.Run(fmt.Sprintf("digest/networks=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.NetworkDigest(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// smallCloud is a network with DHCP, a router and a guarded port.
func smallCloud(b *testing.B, s *store.Store, i int) {
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	n := &network.Network{ProjectID: "p", Name: fmt.Sprint("lan ", i), AdminStateUp: true}
	must(s.CreateNetwork(ctx, n))
	prefix := netip.MustParsePrefix("10.0.0.0/24")
	sub := &network.Subnet{ProjectID: "p", NetworkID: n.ID, CIDR: prefix, Gateway: network.DefaultGateway(prefix), EnableDHCP: true}
	must(s.CreateSubnet(ctx, sub))
	_, err := s.KeepDHCPPort(ctx, "h", n.ID)
	must(err)
	r := &network.Router{ProjectID: "p", AdminStateUp: true, Host: "h"}
	must(s.CreateRouter(ctx, r))
	_, err = s.AddRouterInterface(ctx, r.ID, sub.ID, "")
	must(err)
	group, err := s.DefaultSecurityGroup(ctx, "p")
	must(err)
	must(s.CreatePort(ctx, &network.Port{ProjectID: "p", NetworkID: n.ID, AdminStateUp: true, PortSecurity: true, SecurityGroupIDs: []string{group},
		Binding: network.Binding{Host: "h", NetNS: fmt.Sprint("ns", i)}}))
}
