package network

import (
	"cmp"
	"slices"

	"plimsoll/lbaas"
)

// The types of networks, in Neutron's words.
const (
	TypeLocal = "local" // a bridge that no other host shares
	TypeFlat  = "flat"  // a bridge with a physical interface of the host
	TypeVLAN  = "vlan"  // a bridge with a VLAN of a physical interface
	TypeVXLAN = "vxlan" // a bridge with a tunnel to the other hosts
)

// The bounds of ids: of VLANs (IEEE 802.1Q) and of VXLANs (RFC 7348).
const (
	MaxVLAN = 4094
	MaxVNI  = 1<<24 - 1
)

// Bytes that a VXLAN adds to a packet, with an outer header of IPv4 and of IPv6.
const (
	VXLANOverhead4 = 50
	VXLANOverhead6 = 70
)

// Segment is what makes a network one network on several hosts.
type Segment struct {
	Type     string // one of the Type constants; "" counts as TypeLocal
	Physical string // the name of the physical network, of flat and VLAN networks
	ID       int    // the VLAN's id or the VXLAN's network identifier; 0 is none
}

// Wide tells whether the segment reaches beyond the host's bridge.
func (s Segment) Wide() bool { return s.Type != "" && s.Type != TypeLocal }

// IDRange is an inclusive range of ids of VLANs or VXLANs.
type IDRange struct{ Min, Max int }

// Segments is what the deployment lets networks be.
type Segments struct {
	// TenantTypes are tried in turn for a network whose request names no type; none is TypeLocal.
	TenantTypes []string
	// FlatNetworks are the physical networks that flat networks may be on; "*" is any.
	FlatNetworks []string
	// VLANs are the physical networks that VLANs may be on, and the ids that those get whose requests name none.
	VLANs map[string][]IDRange
	// VNIs are the identifiers that VXLANs get whose requests name none.
	VNIs []IDRange
	// PhysicalMTU is the MTU of the physical networks, in bytes; 0 is DefaultMTU.
	PhysicalMTU int
	// Overhead is what a VXLAN takes of it, in bytes; 0 is VXLANOverhead4.
	Overhead int
}

// Types are those that are tried for a network whose request names none.
func (c Segments) Types() []string {
	if len(c.TenantTypes) == 0 {
		return []string{TypeLocal}
	}
	return c.TenantTypes
}

// MTU is the MTU of a network of that type whose request names none.
func (c Segments) MTU(networkType string) int {
	mtu := cmp.Or(c.PhysicalMTU, DefaultMTU)
	if networkType == TypeVXLAN {
		mtu -= cmp.Or(c.Overhead, VXLANOverhead4)
	}
	return mtu
}

// CheckMTU refuses what a network of that type cannot carry. A bridge that no other host shares carries anything.
func (c Segments) CheckMTU(networkType string, mtu int) error {
	wide := Segment{Type: networkType}.Wide()
	if most := c.MTU(networkType); wide && mtu > most {
		return InvalidInput("Requested MTU is too big, maximum is %d", most)
	}
	return nil
}

// Check refuses what an administrator may not ask for. A VLAN may lack its id, or both its id and its physical network, a VXLAN its
// id: those are given one.
func (c Segments) Check(s Segment) error {
	switch s.Type {
	case TypeLocal:
		return prohibited(s, s.Physical != "", s.ID != 0)
	case TypeFlat:
		return c.checkFlat(s)
	case TypeVLAN:
		return c.checkVLAN(s)
	case TypeVXLAN:
		return checkVXLAN(s)
	}
	return InvalidInput("network_type value '%s' not supported", s.Type)
}

func prohibited(s Segment, physical, id bool) error {
	switch {
	case physical:
		return InvalidInput("physical_network prohibited for %s provider network", s.Type)
	case id:
		return InvalidInput("segmentation_id prohibited for %s provider network", s.Type)
	}
	return nil
}

func (c Segments) checkFlat(s Segment) error {
	switch {
	case s.Physical == "":
		return InvalidInput("physical_network required for flat provider network")
	case !slices.Contains(c.FlatNetworks, "*") && !slices.Contains(c.FlatNetworks, s.Physical):
		return InvalidInput("physical_network '%s' unknown for flat provider network", s.Physical)
	}
	return prohibited(s, false, s.ID != 0)
}

func (c Segments) checkVLAN(s Segment) error {
	_, known := c.VLANs[s.Physical]
	switch {
	case s.Physical == "" && s.ID != 0:
		return InvalidInput("segmentation_id requires physical_network for VLAN provider network")
	case s.Physical != "" && !known:
		return InvalidInput("physical_network '%s' unknown for VLAN provider network", s.Physical)
	case s.ID < 0 || s.ID > MaxVLAN:
		return InvalidInput("segmentation_id out of range (%d through %d)", 1, MaxVLAN)
	}
	return nil
}

func checkVXLAN(s Segment) error {
	if s.Physical != "" {
		return InvalidInput("provider:physical_network specified for %s network", s.Type)
	}
	if s.ID < 0 || s.ID > MaxVNI {
		return InvalidInput("segmentation_id out of range (%d through %d)", 1, MaxVNI)
	}
	return nil
}

// SegmentInUse is the error of asking for what another network is.
func SegmentInUse(s Segment) *lbaas.Error {
	switch s.Type {
	case TypeFlat:
		return failure(lbaas.Conflict, "FlatNetworkInUse", "Unable to create the flat network. Physical network %s is in use.", s.Physical)
	case TypeVLAN:
		return failure(lbaas.Conflict, "VlanIdInUse", "Unable to create the network. The VLAN %d on physical network %s is in use.", s.ID, s.Physical)
	}
	return failure(lbaas.Conflict, "TunnelIdInUse", "Unable to create the network. The tunnel ID %d is in use.", s.ID)
}

// NoNetworkAvailable is the error of a network for which there is no id left.
func NoNetworkAvailable() *lbaas.Error {
	return failure(lbaas.Unavailable, "NoNetworkAvailable", "Unable to create the network. No tenant network is available for allocation.")
}
