// Package network holds the types of the network service (networks, subnets, ports, routers, security groups), its rules, and its pure
// planning: address allocation, and what a port needs on a host. It does no I/O.
package network

import (
	"net/netip"
	"time"
)

// Network is a layer-2 segment: on a host, a bridge.
type Network struct {
	ID           string
	ProjectID    string
	Name         string
	Description  string
	AdminStateUp bool
	Shared       bool
	External     bool
	MTU          int // bytes
	Segment      Segment
	PortSecurity bool   // of new ports that say nothing about it
	Host         string // where its DHCP server runs; "" until a host takes it
	Tags         []string
	Revision     int64
	CreatedAt    time.Time
	UpdatedAt    time.Time

	SubnetIDs []string // filled on reads
}

// Subnet is a range of addresses of a network.
type Subnet struct {
	ID              string
	ProjectID       string
	NetworkID       string
	Name            string
	Description     string
	CIDR            netip.Prefix
	Gateway         netip.Addr // the zero Addr is none
	AllocationPools []Range
	DNSNameservers  []string
	HostRoutes      []Route
	EnableDHCP      bool
	IPv6AddressMode string // "" is null, as IPv6RAMode
	IPv6RAMode      string
	Tags            []string
	Revision        int64
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// IPVersion is 4 or 6.
func (s *Subnet) IPVersion() int {
	if s.CIDR.Addr().Is4() {
		return 4
	}
	return 6
}

// Route is a destination and its next hop.
type Route struct {
	Destination netip.Prefix
	NextHop     netip.Addr
}

// FixedIP is an address of a port.
type FixedIP struct {
	SubnetID string
	Address  netip.Addr
}

// Port is a connection to a network.
type Port struct {
	ID               string
	ProjectID        string
	NetworkID        string
	Name             string
	Description      string
	AdminStateUp     bool
	MAC              string
	FixedIPs         []FixedIP
	DeviceID         string
	DeviceOwner      string
	PortSecurity     bool     // security groups and the check of source addresses count for it; see Port.Guarded
	SecurityGroupIDs []string // in the order of the request
	AddressPairs     []AddressPair
	DHCPOptions      []DHCPOption
	QoSPolicyID      string // "" is none; the embedded service has none
	Tags             []string
	Revision         int64
	CreatedAt        time.Time
	UpdatedAt        time.Time

	Binding Binding
}

// Owner of the ports that load balancers use, as Octavia's users know it.
const OwnerLoadBalancer = "Octavia"

// MaxLinkName is the longest name that the kernel gives a link (IFNAMSIZ less the terminating zero).
const MaxLinkName = 15

// DefaultMTU is the MTU of a network whose request names none: that of a bridge.
const DefaultMTU = 1500

// MinMTU6 is the least MTU of a network with an IPv6 subnet (RFC 8200, section 5): below it, links take no IPv6 address.
const MinMTU6 = 1280

// Filters of lists beside the API's attributes.
const (
	// VisibleTo asks for what a project may see: its own, and what is shared, external or in its networks.
	VisibleTo = "visible_to"
	// SharedSubnet asks for the subnets of shared networks.
	SharedSubnet = "shared"
	// FixedIPs asks for ports by address, as Neutron writes it: ip_address=A, subnet_id=S or ip_address_substr=T.
	FixedIPs = "fixed_ips"
	// InGroups asks for the ports that are in one of some security groups.
	InGroups = "security_groups"
)
