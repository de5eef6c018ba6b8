package network

import (
	"fmt"
	"net/netip"

	"plimsoll/lbaas"
)

// Bounds of a subnet's lists, as Neutron has them by default.
const (
	MaxNameservers = 5
	MaxHostRoutes  = 20
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

// Validate checks a subnet as Neutron does.
func (s *Subnet) Validate() error {
	checks := []func() error{s.validateCIDR, s.validateGateway, s.validateNameservers, s.validateRoutes, s.validateModes,
		func() error { return ValidatePools(s.CIDR, s.Gateway, s.AllocationPools) }}
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
		return nil
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
	}
	return nil
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
