package network

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
)

// RandomMAC returns a MAC address with the prefix that Neutron's users know, fa:16:3e, which is locally administered.
func RandomMAC() string {
	n := rand.Uint32()
	return fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", byte(n>>16), byte(n>>8), byte(n))
}

// ParseMAC reads a MAC address that a port may have and returns it in the form in which it is kept. A port's address is of one
// station and not all zeros.
func ParseMAC(text string) (string, error) {
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		return "", fmt.Errorf("'%s' is not a valid MAC address", text)
	}
	if mac[0]&1 != 0 || mac.String() == "00:00:00:00:00:00" {
		return "", fmt.Errorf("'%s' is not an allowed MAC address", text)
	}
	return mac.String(), nil
}

// EUI64 is the address that a station with that MAC gives itself in an IPv6 subnet of 64 bits (RFC 4291, appendix A).
func EUI64(subnet netip.Prefix, mac string) (netip.Addr, error) {
	hw, err := net.ParseMAC(mac)
	if err != nil || len(hw) != 6 || subnet.Bits() != 64 || !subnet.Addr().Is6() {
		return netip.Addr{}, fmt.Errorf("no automatic address in %s for %q", subnet, mac)
	}
	a := subnet.Addr().As16()
	id := [8]byte{hw[0] ^ 2, hw[1], hw[2], 0xff, 0xfe, hw[3], hw[4], hw[5]}
	binary.BigEndian.PutUint64(a[8:], binary.BigEndian.Uint64(id[:]))
	return netip.AddrFrom16(a), nil
}
