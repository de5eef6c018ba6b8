package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/lbaas"
)

func says(err error) string {
	var e *lbaas.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Type + ": " + e.Text
}

func subnetOf(id, cidr string) *Subnet {
	p := netip.MustParsePrefix(cidr)
	return &Subnet{ID: id, CIDR: p, Gateway: DefaultGateway(p)}
}

func fixedIPs(texts ...string) []FixedIP {
	var list []FixedIP
	for i, text := range texts {
		list = append(list, FixedIP{fmt.Sprint("s", i), netip.MustParseAddr(text)})
	}
	return list
}

func TestCheckOverlap(t *testing.T) {
	have := []*Subnet{subnetOf("a", "10.0.0.0/24"), subnetOf("b", "2001:db8::/64")}
	for _, test := range []struct{ name, id, cidr, want string }{
		{"bad: the same", "a", "10.0.0.0/24", "BadRequest: Bad router request: Router already has a port on subnet a."},
		{"bad: within", "c", "10.0.0.128/25", "BadRequest: Bad router request: Cidr 10.0.0.128/25 of subnet c overlaps with cidr 10.0.0.0/24 of subnet a."},
		{"bad: around", "c", "10.0.0.0/8", "BadRequest: Bad router request: Cidr 10.0.0.0/8 of subnet c overlaps with cidr 10.0.0.0/24 of subnet a."},
		{"bad: IPv6", "c", "2001:db8::/32", "BadRequest: Bad router request: Cidr 2001:db8::/32 of subnet c overlaps with cidr 2001:db8::/64 of subnet b."},
		{"beside", "c", "10.0.1.0/24", ""},
	} {
		if diff := cmp.Diff(test.want, says(CheckOverlap(have, []*Subnet{subnetOf(test.id, test.cidr)}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestOverlapsAreSeen: what a router leads to is apart, whatever it was asked for and in which order.
func TestOverlapsAreSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var have []*Subnet
		for i := range rapid.IntRange(1, 12).Draw(t, "subnets") {
			base := netip.AddrFrom4([4]byte{10, 0, byte(rapid.IntRange(0, 3).Draw(t, "third")), byte(rapid.IntRange(0, 255).Draw(t, "fourth"))})
			cidr := netip.PrefixFrom(base, rapid.IntRange(20, 30).Draw(t, "bits")).Masked()
			s := &Subnet{ID: fmt.Sprint(i), CIDR: cidr}
			shared := slices.ContainsFunc(have, func(h *Subnet) bool { return h.CIDR.Contains(cidr.Addr()) || cidr.Contains(h.CIDR.Addr()) })
			if err := CheckOverlap(have, []*Subnet{s}); (err != nil) != shared {
				t.Fatalf("%s beside %v: %v", cidr, have, err)
			}
			if !shared {
				have = append(have, s)
			}
		}
	})
}

func TestCheckInterface(t *testing.T) {
	closed, foreign, own := subnetOf("a", "10.0.0.0/24"), subnetOf("b", "2001:db8::/64"), subnetOf("c", "2001:db8::/64")
	closed.Gateway, foreign.IPv6AddressMode = netip.Addr{}, SLAAC
	own.IPv6AddressMode, own.IPv6RAMode = SLAAC, SLAAC
	for _, test := range []struct {
		name string
		sub  *Subnet
		want string
	}{
		{"bad: no gateway", closed, "BadRequest: Bad router request: Subnet for router interface must have a gateway IP."},
		{"bad: a router of somebody else", foreign, "BadRequest: Bad router request: IPv6 subnet b configured to receive RAs from an external router cannot be added to Neutron Router.."},
		{"IPv6", own, ""},
		{"IPv4", subnetOf("d", "10.0.0.0/24"), ""},
	} {
		if diff := cmp.Diff(test.want, says(test.sub.CheckInterfaceSubnet())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	have := []*Port{{ID: "i", NetworkID: "n", DeviceOwner: OwnerRouterInterface, FixedIPs: fixedIPs("2001:db8::1")}}
	for _, test := range []struct {
		name string
		port *Port
		want string
	}{
		{"bad: another's", &Port{ID: "p", NetworkID: "n", DeviceID: "d"}, "PortInUse: Unable to complete operation on port p for network n. Port already has an attached device d."},
		{"bad: no address", &Port{ID: "p", NetworkID: "n"}, "BadRequest: Bad router request: Router port must have at least one fixed IP."},
		{"bad: two", &Port{ID: "p", FixedIPs: fixedIPs("10.0.0.5", "10.0.1.5")}, "BadRequest: Bad router request: Cannot have multiple IPv4 subnets on router port."},
		{"bad: IPv6 twice", &Port{ID: "p", NetworkID: "n", FixedIPs: fixedIPs("2001:db8:1::1")}, "BadRequest: Bad router request: Cannot have multiple router ports with the same network id if both contain IPv6 subnets. Existing port i has IPv6 subnet(s) and network id n."},
		{"IPv6 elsewhere", &Port{ID: "p", NetworkID: "m", FixedIPs: fixedIPs("2001:db8:1::1", "10.0.0.5")}, ""},
	} {
		if diff := cmp.Diff(test.want, says(CheckInterfacePort(test.port, have))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestValidateRoutes(t *testing.T) {
	subnets := []*Subnet{subnetOf("a", "10.0.0.0/24"), subnetOf("b", "2001:db8::/64")}
	ports := []*Port{{FixedIPs: fixedIPs("10.0.0.1", "2001:db8::1")}}
	route := func(destination, hop string) Route {
		return Route{netip.MustParsePrefix(destination), netip.MustParseAddr(hop)}
	}
	for _, test := range []struct {
		name   string
		routes []Route
		want   string
	}{
		{"bad: elsewhere", []Route{route("10.9.0.0/16", "10.0.1.7")}, "InvalidRoutes: Invalid format for routes: [{'destination': '10.9.0.0/16', 'nexthop': '10.0.1.7'}], the nexthop is not connected with router"},
		{"bad: everybody", []Route{route("10.9.0.0/16", "10.0.0.255")}, "InvalidRoutes: Invalid format for routes: [{'destination': '10.9.0.0/16', 'nexthop': '10.0.0.255'}], the nexthop is not connected with router"},
		{"bad: itself", []Route{route("10.9.0.0/16", "10.0.0.1")}, "InvalidRoutes: Invalid format for routes: [{'destination': '10.9.0.0/16', 'nexthop': '10.0.0.1'}], the nexthop is used by router"},
		{"bad: another IP version", []Route{route("10.9.0.0/16", "2001:db8::7")}, "InvalidRoutes: Invalid format for routes: [{'destination': '10.9.0.0/16', 'nexthop': '2001:db8::7'}], the nexthop is of another IP version than the destination"},
		{"bad: many", slices.Repeat([]Route{route("10.9.0.0/16", "10.0.0.7")}, 31), "RoutesExhausted: Unable to complete operation for r. The number of routes exceeds the maximum 30."},
		{"good", []Route{route("10.9.0.0/16", "10.0.0.7"), route("::/0", "2001:db8::7"), route("0.0.0.0/0", "10.0.0.8")}, ""},
		{"none", nil, ""},
	} {
		if diff := cmp.Diff(test.want, says(ValidateRoutes("r", test.routes, ports, subnets))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestFloatTo(t *testing.T) {
	one, two, none := &Port{ID: "p", FixedIPs: fixedIPs("2001:db8::5", "10.0.0.5")}, &Port{ID: "p", FixedIPs: fixedIPs("10.0.0.5", "10.0.0.6")}, &Port{ID: "p"}
	for _, test := range []struct {
		name, wanted string
		port         *Port
		want         string
	}{
		{"bad: IPv6", "2001:db8::5", one, "BadRequest: Bad floatingip request: Cannot process floating IP association with 2001:db8::5, since that is not an IPv4 address."},
		{"bad: not the port's", "10.0.0.7", one, "BadRequest: Bad floatingip request: Port p does not have fixed ip 10.0.0.7."},
		{"bad: no address", "", none, "BadRequest: Bad floatingip request: Cannot add floating IP to port p that has no fixed IPv4 addresses."},
		{"bad: which", "", two, "BadRequest: Bad floatingip request: Port p has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP."},
		{"the only one", "", one, "10.0.0.5"},
		{"a given one", "10.0.0.6", two, "10.0.0.6"},
	} {
		var wanted netip.Addr
		if test.wanted != "" {
			wanted = netip.MustParseAddr(test.wanted)
		}
		fixed, err := test.port.FloatTo(wanted)
		got := says(err)
		if err == nil {
			got = fixed.Address.String()
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestPlanRouterPorts: a router is the way out of the networks inside; outside, the gateways are its.
func TestPlanRouterPorts(t *testing.T) {
	sub := subnetOf("s", "10.0.0.0/24")
	sub.HostRoutes = []Route{{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParseAddr("10.0.0.2")}}
	for owner, gateways := range map[string][]netip.Addr{OwnerRouterInterface: nil, OwnerRouterGateway: {sub.Gateway}} {
		p := &Port{DeviceOwner: owner, FixedIPs: []FixedIP{{"s", netip.MustParseAddr("10.0.0.9")}}}
		want := &PortPlan{Link: p.Link(), Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.9/24")}, Gateways: gateways}
		if diff := cmp.Diff(want, PlanPort(p, &Network{}, []*Subnet{sub}), addresses); diff != "" {
			t.Errorf("the port of a %s (-want +got):\n%s", owner, diff)
		}
	}
}
