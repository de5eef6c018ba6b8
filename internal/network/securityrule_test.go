package network_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

func number(n int) *int { return &n }

// said is the exception's name and text of an error; "" is none.
func said(err error) string {
	if err == nil {
		return ""
	}
	var e *lbaas.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.Type + ": " + e.Text
}

func TestRules(t *testing.T) {
	four := func(protocol string, low, high *int) network.SecurityGroupRule {
		return network.SecurityGroupRule{Direction: network.Ingress, EtherType: network.IPv4, Protocol: protocol, PortMin: low, PortMax: high}
	}
	six := func(protocol string, low, high *int) network.SecurityGroupRule {
		r := four(protocol, low, high)
		r.EtherType = network.IPv6
		return r
	}
	const order = "SecurityGroupInvalidPortRange: For TCP/UDP protocols, port_range_min must be <= port_range_max"
	const zero = "SecurityGroupInvalidPortValue: Invalid value for port 0"
	for _, test := range []struct {
		name string
		rule network.SecurityGroupRule
		want string
	}{
		{"bad: ports of any protocol", four("", number(1), number(2)), "SecurityGroupProtocolRequiredWithPorts: Must also specify protocol if port range is given."},
		{"bad: ports backwards", four("tcp", number(2), number(1)), order},
		{"bad: no last port", four("udp", number(2), nil), order},
		{"bad: no first port", four("132", nil, number(2)), order},
		{"bad: port 0", four("udplite", number(0), number(2)), zero},
		{"bad: last port 0", four("dccp", nil, number(0)), zero},
		{"bad: ICMP type", four("icmp", number(256), nil), "SecurityGroupInvalidIcmpValue: Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255."},
		{"bad: ICMP code", six("ipv6-icmp", number(1), number(300)), "SecurityGroupInvalidIcmpValue: Invalid value for ICMP code (port_range_max) 300. It must be 0 to 255."},
		{"bad: ICMP code alone", four("1", nil, number(3)), "SecurityGroupMissingIcmpType: ICMP code (port-range-max) 3 is provided but ICMP type (port-range-min) is missing."},
		{"bad: ports of another protocol", four("gre", number(1), number(1)),
			"SecurityGroupInvalidProtocolForPort: Invalid protocol 47 for port range, only supported for DCCP, SCTP, TCP, UDP, UDPLITE."},
		{"bad: protocol of IPv6", four("ipv6-route", nil, nil), "SecurityGroupEthertypeConflictWithProtocol: Invalid ethertype IPv4 for protocol ipv6-route."},
		{"bad: number of IPv6", four("58", nil, nil), "SecurityGroupEthertypeConflictWithProtocol: Invalid ethertype IPv4 for protocol 58."},
		{"bad: prefix of IPv6", network.SecurityGroupRule{EtherType: network.IPv4, RemotePrefix: netip.MustParsePrefix("::/0")},
			"SecurityGroupRuleParameterConflict: Conflicting value ethertype IPv4 for CIDR ::/0"},
		{"bad: two others", network.SecurityGroupRule{EtherType: network.IPv4, RemotePrefix: netip.MustParsePrefix("0.0.0.0/0"), RemoteGroupID: "g"},
			"SecurityGroupRemoteGroupAndRemoteIpPrefix: Only remote_ip_prefix or remote_group_id may be provided."},
		{"everything", four("", nil, nil), ""},
		{"one port", four("tcp", number(80), number(80)), ""},
		{"all ports", four("6", number(1), number(65535)), ""},
		{"no ports", four("sctp", nil, nil), ""},
		{"ICMP type 0 and code 0", four("icmp", number(0), number(0)), ""},
		{"ICMP type", six("icmpv6", number(128), nil), ""},
		{"another protocol", four("vrrp", nil, nil), ""},
		{"protocol of IPv6 there", six("ipv6-frag", nil, nil), ""},
	} {
		if diff := cmp.Diff(test.want, said(test.rule.Validate())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestParseProtocol(t *testing.T) {
	for text, want := range map[string]string{"TCP": "tcp", "6": "6", "06": "6", "any": "", "ANY": "", "0": "0", "255": "255", "IPv6-ICMP": "ipv6-icmp", "hopopt": "hopopt"} {
		if got, err := network.ParseProtocol(text); got != want || err != nil {
			t.Errorf("ParseProtocol(%q) = %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "256", "-1", "tcp ", "1.0", "quic", "\x00", "None"} {
		_, err := network.ParseProtocol(text)
		const want = "SecurityGroupRuleInvalidProtocol: Security group rule protocol "
		if got := said(err); !strings.HasPrefix(got, want+text+" not supported. Only protocol values [None, 'ah', ") || !strings.HasSuffix(got, " [0 to 255] are supported.") {
			t.Errorf("ParseProtocol(%q): %s", text, got)
		}
	}
}

// TestCanonical gives ICMP its name of IPv6, as Neutron does.
func TestCanonical(t *testing.T) {
	for _, test := range []struct{ etherType, protocol, want string }{
		{network.IPv6, "icmp", "ipv6-icmp"}, {network.IPv6, "icmpv6", "ipv6-icmp"}, {network.IPv6, "1", "58"}, {network.IPv6, "tcp", "tcp"},
		{network.IPv4, "icmp", "icmp"}, {network.IPv6, "", ""},
	} {
		r := network.SecurityGroupRule{EtherType: test.etherType, Protocol: test.protocol}
		if r.Canonical(); r.Protocol != test.want {
			t.Errorf("%s of %s is called %q, want %q", test.protocol, test.etherType, r.Protocol, test.want)
		}
	}
}

// TestLikeness compares rules that say the same in other words, and rules that do not.
func TestLikeness(t *testing.T) {
	base := network.SecurityGroupRule{Direction: network.Ingress, EtherType: network.IPv4, Protocol: "tcp", PortMin: number(1), PortMax: number(2)}
	change := func(fn func(r *network.SecurityGroupRule)) network.SecurityGroupRule {
		r := base
		fn(&r)
		return r
	}
	for name, test := range map[string]struct {
		other network.SecurityGroupRule
		alike bool
	}{
		"itself":      {base, true},
		"number":      {change(func(r *network.SecurityGroupRule) { r.Protocol = "6" }), true},
		"description": {change(func(r *network.SecurityGroupRule) { r.Description, r.ID, r.ProjectID = "x", "y", "z" }), true},
		"everywhere":  {change(func(r *network.SecurityGroupRule) { r.RemotePrefix = netip.MustParsePrefix("0.0.0.0/0") }), true},
		"somewhere":   {change(func(r *network.SecurityGroupRule) { r.RemotePrefix = netip.MustParsePrefix("10.0.0.0/8") }), false},
		"group":       {change(func(r *network.SecurityGroupRule) { r.RemoteGroupID = "g" }), false},
		"direction":   {change(func(r *network.SecurityGroupRule) { r.Direction = network.Egress }), false},
		"version":     {change(func(r *network.SecurityGroupRule) { r.EtherType = network.IPv6 }), false},
		"ports":       {change(func(r *network.SecurityGroupRule) { r.PortMax = number(3) }), false},
		"no ports":    {change(func(r *network.SecurityGroupRule) { r.PortMin, r.PortMax = nil, nil }), false},
		"any":         {change(func(r *network.SecurityGroupRule) { r.Protocol = "" }), false},
	} {
		if alike := test.other.Likeness() == base.Likeness(); alike != test.alike {
			t.Errorf("%s: alike is %v", name, alike)
		}
	}
}

// TestLikenessFits draws rules as long as they get: the text fits into its column.
func TestLikenessFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addr := netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")))
		r := network.SecurityGroupRule{
			Direction: rapid.SampledFrom([]string{network.Ingress, network.Egress}).Draw(t, "direction"), EtherType: network.IPv6,
			Protocol: rapid.SampledFrom([]string{"", "ipv6-encap", "255"}).Draw(t, "protocol"), PortMin: number(65535), PortMax: number(65535),
			RemoteGroupID: strings.Repeat("x", 36), RemotePrefix: netip.PrefixFrom(addr, 128),
		}
		if len(r.Likeness()) > 255 {
			t.Errorf("%q has %d characters", r.Likeness(), len(r.Likeness()))
		}
	})
}

// FuzzRule reads anything as a rule's texts: what is taken is valid or refused, and reads the same again.
func FuzzRule(f *testing.F) {
	for _, s := range []string{"tcp", "6", "any", "255", "ipv6-icmp", "10.0.0.1", "10.0.0.1/24", "::/0", "fe80::1%eth0/64", "::ffff:10.0.0.1/120", "1.2.3.4/33", "\x00"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, protocol, prefix string) {
		r := network.SecurityGroupRule{Direction: network.Ingress, EtherType: network.IPv6}
		if p, err := network.ParseProtocol(protocol); err == nil {
			if again, err := network.ParseProtocol(p); p != "" && (err != nil || again != p) {
				t.Errorf("%q is %q, and that is %q, %v", protocol, p, again, err)
			}
			r.Protocol = p
		}
		if p, err := network.ParseRemotePrefix(prefix); err == nil {
			if again, err := network.ParseRemotePrefix(p.String()); err != nil || again != p {
				t.Errorf("%q is %s, and that is %s, %v", prefix, p, again, err)
			}
			r.RemotePrefix = p
		}
		if n := r.ProtocolNumber(); n < network.AnyProtocol || n > 255 {
			t.Errorf("%q has the number %d", r.Protocol, n)
		}
		_ = r.Validate()
		_ = r.Likeness()
	})
}

func TestPortSecurityOf(t *testing.T) {
	pair := func(text, mac string) network.AddressPair {
		return network.AddressPair{Address: netip.MustParsePrefix(text), MAC: mac}
	}
	many := make([]network.AddressPair, 0, 11)
	for i := range 11 {
		many = append(many, network.AddressPair{Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32)})
	}
	guarded := network.Port{PortSecurity: true, SecurityGroupIDs: []string{"g"}}
	for _, test := range []struct {
		name          string
		before, after network.Port
		want          string
	}{
		{"bad: groups without port security", network.Port{}, network.Port{SecurityGroupIDs: []string{"g"}}, "PortSecurityAndIPRequiredForSecurityGroups: " +
			"Port security must be enabled and port must have an IP address in order to use security groups."},
		{"bad: port security away, groups stay", guarded, network.Port{SecurityGroupIDs: []string{"g"}}, "PortSecurityPortHasSecurityGroup: " +
			"Port has security group associated. Cannot disable port security or IP address until security group is removed."},
		{"bad: pairs without port security", network.Port{}, network.Port{AddressPairs: many[:1]}, "AddressPairAndPortSecurityRequired: " +
			"Port Security must be enabled in order to have allowed address pairs on a port."},
		{"bad: many pairs", network.Port{}, network.Port{PortSecurity: true, AddressPairs: many},
			"AllowedAddressPairExhausted: The number of allowed address pair exceeds the maximum 10."},
		{"bad: pair twice", network.Port{}, network.Port{PortSecurity: true, AddressPairs: []network.AddressPair{pair("10.0.0.1/32", ""), pair("10.0.0.1/32", "")}},
			"DuplicateAddressPairInRequest: Request contains duplicate address pair: mac_address None ip_address 10.0.0.1."},
		{"groups", network.Port{}, guarded, ""},
		{"port security and groups away", guarded, network.Port{}, ""},
		{"pairs of two MACs", network.Port{}, network.Port{PortSecurity: true, AddressPairs: []network.AddressPair{pair("10.0.0.0/24", ""), pair("10.0.0.0/24", "fa:16:3e:00:00:01")}}, ""},
	} {
		if diff := cmp.Diff(test.want, said(test.after.ValidateSecurityChange(&test.before))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
