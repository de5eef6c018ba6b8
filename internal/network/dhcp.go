package network

import (
	"strings"

	"github.com/google/uuid"
)

// ServesDHCP tells whether the stations of the subnet get answers from a DHCP server: all of IPv4 with enable_dhcp, and of IPv6 those
// that do not get everything from router advertisements.
func (s *Subnet) ServesDHCP() bool {
	switch {
	case !s.EnableDHCP || s.IPv6AddressMode == SLAAC:
		return false
	case s.IPVersion() == 4 || s.IPv6AddressMode != "":
		return true
	}
	return s.IPv6RAMode == "" // with advertisements alone, the stations' addresses are another service's
}

// GetsLeases tells whether a DHCP server has something to say to the port. Those of the network service and of load balancers have their
// addresses from the host. A network has a DHCP server while one of its ports gets leases.
func (p *Port) GetsLeases() bool {
	return p.DeviceOwner != OwnerLoadBalancer && !strings.HasPrefix(p.DeviceOwner, "network:")
}

// ServesLeases tells whether the port is that of the network's DHCP server here. Others may have the same device_owner: who has a network may
// run a DHCP server of their own in it.
func (p *Port) ServesLeases() bool {
	return p.DeviceOwner == OwnerDHCP && p.Binding.NetNS == DHCPNetNS+p.NetworkID
}

// DHCPDevice is the device_id of the port of a network's DHCP server on a host, as Neutron's agent writes it: clients find the host by it.
func DHCPDevice(host, networkID string) string {
	short, _, _ := strings.Cut(host, ".")
	return "dhcp" + uuid.NewSHA1(uuid.NameSpaceDNS, []byte(short)).String() + "-" + networkID
}
