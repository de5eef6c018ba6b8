package network

import (
	"fmt"
	"net/netip"
	"slices"

	"plimsoll/lbaas"
)

// Bounds of a subnet's lists; those of name servers and routes are Neutron's defaults.
const (
	MaxNameservers = 5
	MaxHostRoutes  = 20
	MaxPools       = 100 // Neutron has no such bound; each may cost a question per allocation
)

// The ways in which the stations of an IPv6 subnet get addresses.
const (
	SLAAC           = "slaac"
	DHCPv6Stateful  = "dhcpv6-stateful"
	DHCPv6Stateless = "dhcpv6-stateless"
)

// Automatic tells whether the stations of the subnet give themselves addresses.
func (s *Subnet) Automatic() bool {
	return s.IPv6AddressMode == SLAAC || s.IPv6AddressMode == DHCPv6Stateless
}

// Validate checks a subnet as Neutron does, and refuses what no host could plug.
func (s *Subnet) Validate() error {
	checks := []func() error{s.validateCIDR, s.validateGateway, s.validateNameservers, s.validateRoutes, s.validateModes, s.validatePools}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Subnet) validateCIDR() error {
	if s.CIDR.Bits() == 0 {
		return InvalidInput("0 is not allowed as CIDR prefix length")
	}
	if !s.EnableDHCP {
		return s.validateStations()
	}
	a := s.CIDR.Addr()
	switch {
	case s.CIDR.Bits() > a.BitLen()-2:
		return InvalidInput("Subnet has a prefix length that is incompatible with DHCP service enabled")
	case a.IsMulticast():
		return InvalidInput("Multicast IP subnet is not supported if enable_dhcp is True")
	case a.IsLoopback():
		return InvalidInput("Loopback IP subnet is not supported if enable_dhcp is True")
	case a == netip.IPv4Unspecified():
		return InvalidInput("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")
	}
	return s.validateStations()
}

// notOfStations are the addresses that no station may have, or that would hide the station's own.
var notOfStations = [...]netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("ff00::/8"),
}

// validateStations refuses a subnet that has such addresses.
func (s *Subnet) validateStations() error {
	for _, p := range notOfStations {
		if s.CIDR.Overlaps(p) {
			return InvalidInput("Subnet %s overlaps with %s, of which no port may have an address", s.CIDR, p)
		}
	}
	return nil
}

func (s *Subnet) validateGateway() error {
	if !s.Gateway.IsValid() {
		return nil
	}
	if err := s.sameFamily("gateway_ip", s.Gateway); err != nil {
		return err
	}
	if !Usable(s.CIDR, s.Gateway) && !(s.Gateway.Is6() && s.Gateway.IsLinkLocalUnicast()) {
		return InvalidInput("Gateway is not valid on subnet")
	}
	return nil
}

func (s *Subnet) sameFamily(name string, a netip.Addr) error {
	if a.BitLen() != s.CIDR.Addr().BitLen() {
		return InvalidInput("%s '%s' does not match the ip_version '%d'", name, a, s.IPVersion())
	}
	return nil
}

func (s *Subnet) validateNameservers() error {
	if len(s.DNSNameservers) > MaxNameservers {
		return failure(lbaas.Invalid, "DNSNameServersExhausted", "Unable to complete operation for %s. "+
			"The number of DNS nameservers exceeds the limit %d.", s.called(), MaxNameservers)
	}
	for _, text := range s.DNSNameservers {
		a, err := ParseAddr(text)
		if err != nil {
			return InvalidInput("Error parsing dns address %s", text)
		}
		if err := s.sameFamily("dns_nameserver", a); err != nil {
			return err
		}
	}
	return nil
}

func (s *Subnet) called() string {
	if s.ID == "" {
		return "new subnet"
	}
	return s.ID
}

func (s *Subnet) validatePools() error {
	if len(s.AllocationPools) > MaxPools {
		return InvalidInput("a subnet may have at most %d allocation pools", MaxPools)
	}
	return ValidatePools(s.CIDR, s.Gateway, s.AllocationPools)
}

func (s *Subnet) validateRoutes() error {
	if len(s.HostRoutes) > MaxHostRoutes {
		return failure(lbaas.Invalid, "HostRoutesExhausted", "Unable to complete operation for %s. "+
			"The number of host routes exceeds the limit %d.", s.called(), MaxHostRoutes)
	}
	for _, r := range s.HostRoutes {
		if err := s.sameFamily("nexthop", r.NextHop); err != nil {
			return err
		}
		if err := s.sameFamily("destination", r.Destination.Addr()); err != nil {
			return err
		}
		if !s.mayBeHop(r.NextHop) {
			return InvalidInput("nexthop '%s' is not the address of a router", r.NextHop)
		}
	}
	return nil
}

// mayBeHop tells whether the kernel takes an address for a next hop: one station's, and within the subnet one that a
// station may have.
func (s *Subnet) mayBeHop(a netip.Addr) bool {
	if a.IsUnspecified() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || s.CIDR.Contains(a) && !Usable(s.CIDR, a) {
		return false
	}
	return !slices.ContainsFunc(notOfStations[:], func(p netip.Prefix) bool { return p.Contains(a) })
}

func (s *Subnet) validateModes() error {
	if s.IPVersion() == 4 {
		if s.IPv6RAMode != "" {
			return InvalidInput("ipv6_ra_mode is not valid when ip_version is 4")
		}
		if s.IPv6AddressMode != "" {
			return InvalidInput("ipv6_address_mode is not valid when ip_version is 4")
		}
		return nil
	}
	ra, mode := s.IPv6RAMode, s.IPv6AddressMode
	if (ra != "" || mode != "") && !s.EnableDHCP {
		return InvalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
	}
	if ra != "" && mode != "" && ra != mode {
		return InvalidInput("ipv6_ra_mode set to '%s' with ipv6_address_mode set to '%s' is not valid. "+
			"If both attributes are set, they must be the same value", ra, mode)
	}
	if s.Automatic() && s.CIDR.Bits() != 64 {
		return InvalidInput("Invalid CIDR %s for IPv6 address mode. OpenStack uses the EUI-64 address format, "+
			"which requires the prefix to be /64", s.CIDR)
	}
	return nil
}

// ParseAddr reads an address that a station may be known by: no zone, and no IPv4 address in IPv6's clothes.
func ParseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Addr{}, fmt.Errorf("'%s' is not a valid IP address", text)
	}
	return a, nil
}

// ParseCIDR reads a CIDR; the bits beyond the prefix are cleared, as Neutron does.
func ParseCIDR(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("'%s' is not a valid IP subnet", text)
	}
	return p.Masked(), nil
}
