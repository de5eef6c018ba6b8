package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"plimsoll/internal/network"
)

// Network is what the network service makes of networks: the sections [ml2], [ml2_type_flat], [ml2_type_vlan], [ml2_type_vxlan],
// [linux_bridge] and [vxlan], and the options of DHCP in [DEFAULT].
type Network struct {
	Segments network.Segments
	// Interfaces are the host's interfaces in physical networks, by those networks' names.
	Interfaces map[string]string
	TunnelIP   netip.Addr // the host's own end of VXLANs; the zero Addr is none
	TunnelPort int        // of UDP
	DHCP       DHCP
}

// DHCP is what DHCP servers tell every client.
type DHCP struct {
	Lease   int          // seconds; -1 is for ever
	Domain  string       // "" is none
	Servers []netip.Addr // of DNS, for clients of subnets that name none
}

func defaultNetwork() Network {
	return Network{
		Segments: network.Segments{VNIs: []network.IDRange{{Min: 1, Max: 65535}}}, TunnelPort: 4789,
		DHCP: DHCP{Lease: 86400, Domain: "openstacklocal"},
	}
}

// segmentOptions lists the options of what networks may be, and of their DHCP servers.
func (c *Config) segmentOptions() []option {
	n := &c.Network
	return []option{
		{section: "DEFAULT", name: "dhcp_lease_duration", set: number(&n.DHCP.Lease, -1, 1<<31-1)},
		{section: "DEFAULT", name: "dns_domain", set: domain(&n.DHCP.Domain)},
		{section: "DEFAULT", name: "dnsmasq_dns_servers", set: addresses(&n.DHCP.Servers)},
		{section: "DEFAULT", name: "global_physnet_mtu", set: number(&n.Segments.PhysicalMTU, 576, 65535)},
		{section: "linux_bridge", name: "physical_interface_mappings", set: mappings(&n.Interfaces)},
		{section: "ml2", name: "tenant_network_types", set: words(&n.Segments.TenantTypes, []string{network.TypeLocal, network.TypeVLAN, network.TypeVXLAN})},
		{section: "ml2_type_flat", name: "flat_networks", set: physicals(&n.Segments.FlatNetworks)},
		{section: "ml2_type_vlan", name: "network_vlan_ranges", set: vlans(&n.Segments.VLANs)},
		{section: "ml2_type_vxlan", name: "vni_ranges", set: vnis(&n.Segments.VNIs)},
		{section: "vxlan", name: "local_ip", set: station(&n.TunnelIP)},
		{section: "vxlan", name: "udp_dstport", set: number(&n.TunnelPort, 1, 65535)},
	}
}

// settle fills in what follows from other options: where tunnels can be, tenants' networks have one.
func (n *Network) settle() {
	if !n.TunnelIP.IsValid() {
		return
	}
	if len(n.Segments.TenantTypes) == 0 {
		n.Segments.TenantTypes = []string{network.TypeVXLAN}
	}
	n.Segments.Overhead = network.VXLANOverhead4
	if n.TunnelIP.Is6() {
		n.Segments.Overhead = network.VXLANOverhead6
	}
}

// checkNetwork refuses types of networks that could never be made.
func (c *Config) checkNetwork(file string) error {
	s := c.Network.Segments
	ids := 0
	for _, ranges := range s.VLANs {
		ids += len(ranges)
	}
	if slices.Contains(s.TenantTypes, network.TypeVLAN) && ids == 0 {
		return fmt.Errorf("%s: option tenant_network_types in [ml2] has vlan, but network_vlan_ranges in [ml2_type_vlan] has no ids", file)
	}
	if slices.Contains(s.TenantTypes, network.TypeVXLAN) && len(s.VNIs) == 0 {
		return fmt.Errorf("%s: option tenant_network_types in [ml2] has vxlan, but vni_ranges in [ml2_type_vxlan] has no ids", file)
	}
	return nil
}

// The names of physical networks and of interfaces stand between commas and colons, and an interface's becomes a path.
var (
	physicalName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,14}$`)
	domainName    = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$`)
)

func checkPhysical(name string) error {
	if !physicalName.MatchString(name) {
		return fmt.Errorf("%q is not the name of a physical network: letters, digits, '.', '_' and '-', at most 64", name)
	}
	return nil
}

// physicals reads names of physical networks, or "*" for all of them.
func physicals(into *[]string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			names := split(v, ",")
			for _, name := range names {
				if err := checkPhysical(name); err != nil && name != "*" {
					return err
				}
			}
			*into = names
			return nil
		})
	}
}

// mappings reads physical_interface_mappings: "physical network:interface" between commas.
func mappings(into *map[string]string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			found := map[string]string{}
			for _, item := range split(v, ",") {
				physical, link, _ := strings.Cut(item, ":")
				if err := checkPhysical(physical); err != nil {
					return err
				}
				if !interfaceName.MatchString(link) {
					return fmt.Errorf("%q is not of the form physical network:interface", item)
				}
				for other, same := range found {
					if other == physical || same == link {
						return fmt.Errorf("%q names a physical network, or an interface, twice", item)
					}
				}
				found[physical] = link
			}
			*into = found
			return nil
		})
	}
}

// vlans reads network_vlan_ranges: "physical network:first:last" between commas; one without ids has VLANs that are asked for by id.
func vlans(into *map[string][]network.IDRange) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			found := map[string][]network.IDRange{}
			for _, item := range split(v, ",") {
				physical, ids, ranged := strings.Cut(item, ":")
				if err := checkPhysical(physical); err != nil {
					return err
				}
				found[physical] = slices.Clip(found[physical])
				if !ranged {
					continue
				}
				r, err := idRange(ids, network.MaxVLAN)
				if err == nil {
					found[physical], err = apart(found[physical], r)
				}
				if err != nil {
					return fmt.Errorf("%q: %w", item, err)
				}
			}
			*into = found
			return nil
		})
	}
}

// vnis reads vni_ranges: "first:last" between commas.
func vnis(into *[]network.IDRange) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			var found []network.IDRange
			for _, item := range split(v, ",") {
				r, err := idRange(item, network.MaxVNI)
				if err == nil {
					found, err = apart(found, r)
				}
				if err != nil {
					return fmt.Errorf("%q: %w", item, err)
				}
			}
			*into = found
			return nil
		})
	}
}

func idRange(text string, most int) (network.IDRange, error) {
	first, last, _ := strings.Cut(text, ":")
	low, err := strconv.Atoi(strings.TrimSpace(first))
	high, err2 := strconv.Atoi(strings.TrimSpace(last))
	if err != nil || err2 != nil || low < 1 || high > most || high < low {
		return network.IDRange{}, fmt.Errorf("want first:last, from 1 to %d", most)
	}
	return network.IDRange{Min: low, Max: high}, nil
}

// apart adds a range that has no id of the others: an id is drawn once.
func apart(ranges []network.IDRange, r network.IDRange) ([]network.IDRange, error) {
	if slices.ContainsFunc(ranges, func(o network.IDRange) bool { return r.Min <= o.Max && o.Min <= r.Max }) {
		return nil, errors.New("it overlaps with another range")
	}
	return append(ranges, r), nil
}

// station reads the address of one host; an empty value is none.
func station(into *netip.Addr) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			if v == "" {
				*into = netip.Addr{}
				return nil
			}
			a, err := network.ParseAddr(v)
			if err != nil || a.IsUnspecified() || a.IsMulticast() {
				return fmt.Errorf("%q is not the address of a host", v)
			}
			*into = a
			return nil
		})
	}
}

// domain reads a DNS domain; an empty value is none.
func domain(into *string) func([]string) error {
	return func(values []string) error {
		return one(values, func(v string) error {
			if v != "" && (len(v) > 253 || !domainName.MatchString(v)) {
				return fmt.Errorf("%q is not a DNS domain", v)
			}
			*into = strings.TrimSuffix(v, ".")
			return nil
		})
	}
}
