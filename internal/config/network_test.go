package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plimsoll/internal/config"
	"plimsoll/internal/network"
)

func TestParseNetworkRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"bad type", "[ml2]\ntenant_network_types = gre\n", `"gre" is none of local, vlan, vxlan`},
		{"bad type: flat networks are asked for by name", "[ml2]\ntenant_network_types = flat\n", `"flat" is none of`},
		{"bad type: no ids", "[ml2]\ntenant_network_types = vlan\n[ml2_type_vlan]\nnetwork_vlan_ranges = physnet1\n", "network_vlan_ranges in [ml2_type_vlan] has no ids"},
		{"bad type: no identifiers", "[ml2]\ntenant_network_types = vxlan\n[ml2_type_vxlan]\nvni_ranges =\n", "vni_ranges in [ml2_type_vxlan] has no ids"},
		{"bad flat", "[ml2_type_flat]\nflat_networks = a b\n", `"a b" is not the name of a physical network`},
		{"bad mapping", "[linux_bridge]\nphysical_interface_mappings = physnet1\n", `"physnet1" is not of the form physical network:interface`},
		{"bad interface", "[linux_bridge]\nphysical_interface_mappings = physnet1:../../x\n", "is not of the form"},
		{"bad interface: long", "[linux_bridge]\nphysical_interface_mappings = physnet1:abcdefghijklmnop\n", "is not of the form"},
		{"bad interface twice", "[linux_bridge]\nphysical_interface_mappings = a:eth1, b:eth1\n", "twice"},
		{"bad physical network twice", "[linux_bridge]\nphysical_interface_mappings = a:eth1, a:eth2\n", "twice"},
		{"bad range", "[ml2_type_vlan]\nnetwork_vlan_ranges = a:1:4095\n", "want first:last, from 1 to 4094"},
		{"bad range: one id", "[ml2_type_vlan]\nnetwork_vlan_ranges = a:7\n", "want first:last"},
		{"bad range: reversed", "[ml2_type_vxlan]\nvni_ranges = 9:8\n", "want first:last, from 1 to 16777215"},
		{"bad range: overlap", "[ml2_type_vxlan]\nvni_ranges = 1:9, 9:12\n", "overlaps"},
		{"bad tunnel", "[vxlan]\nlocal_ip = here\n", `"here" is not the address of a host`},
		{"bad tunnel: everywhere", "[vxlan]\nlocal_ip = 0.0.0.0\n", "is not the address of a host"},
		{"bad tunnel port", "[vxlan]\nudp_dstport = 0\n", `"0" is not a whole number from 1`},
		{"bad lease", "dhcp_lease_duration = -2\n", `"-2" is not a whole number from -1`},
		{"bad domain", "dns_domain = a b\n", `"a b" is not a DNS domain`},
		{"bad domain: two lines' worth", "dns_domain = a.example,b\n", "is not a DNS domain"},
		{"bad servers", "dnsmasq_dns_servers = dns.example\n", "is not an IP address"},
		{"bad MTU", "global_physnet_mtu = 100\n", `"100" is not a whole number from 576`},
	} {
		_, err := config.Parse("p.conf", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Parse gives %v, want an error with %q", test.name, err, test.want)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	got, err := config.Parse("p.conf", []byte(`
[DEFAULT]
dhcp_lease_duration = -1
dns_domain = cloud.example.
dnsmasq_dns_servers = 9.9.9.9, 2620:fe::fe
global_physnet_mtu = 9000
[ml2]
tenant_network_types = vlan, vxlan
[ml2_type_flat]
flat_networks = physnet1
[ml2_type_vlan]
network_vlan_ranges = physnet1:100:199, physnet2, physnet1:300:310
[ml2_type_vxlan]
vni_ranges = 1:99,200:299
[linux_bridge]
physical_interface_mappings = physnet1:eth1, physnet2:bond0
[vxlan]
local_ip = 2001:db8::5
udp_dstport = 8472
`))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Network{
		Segments: network.Segments{
			TenantTypes: []string{"vlan", "vxlan"}, FlatNetworks: []string{"physnet1"},
			VLANs: map[string][]network.IDRange{"physnet1": {{Min: 100, Max: 199}, {Min: 300, Max: 310}}, "physnet2": nil},
			VNIs:  []network.IDRange{{Min: 1, Max: 99}, {Min: 200, Max: 299}}, PhysicalMTU: 9000, Overhead: 70,
		},
		Interfaces: map[string]string{"physnet1": "eth1", "physnet2": "bond0"},
		TunnelIP:   netip.MustParseAddr("2001:db8::5"), TunnelPort: 8472,
		DHCP: config.DHCP{Lease: -1, Domain: "cloud.example", Servers: []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2620:fe::fe")}},
	}
	if diff := cmp.Diff(want, got.Network, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

// TestTenantTypes has tenants' networks reach other hosts where there are tunnels.
func TestTenantTypes(t *testing.T) {
	for text, want := range map[string][]string{
		"": {"local"}, "[vxlan]\nlocal_ip = 192.0.2.1\n": {"vxlan"},
		"[vxlan]\nlocal_ip = 192.0.2.1\n[ml2]\ntenant_network_types = local\n": {"local"},
	} {
		c, err := config.Parse("p.conf", []byte(text))
		if diff := cmp.Diff(want, c.Network.Segments.Types()); err != nil || diff != "" {
			t.Errorf("%q: %v, types (-want +got):\n%s", text, err, diff)
		}
	}
}
