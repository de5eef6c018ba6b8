package network

// The types of networks, in Neutron's words.
const (
	TypeLocal = "local" // a bridge that no other host shares
	TypeFlat  = "flat"  // a bridge with a physical interface of the host
	TypeVLAN  = "vlan"  // a bridge with a VLAN of a physical interface
	TypeVXLAN = "vxlan" // a bridge with a tunnel to the other hosts
)

// Segment is what makes a network one network on several hosts.
type Segment struct {
	Type     string // one of the Type constants; "" counts as TypeLocal
	Physical string // the name of the physical network, of flat and VLAN networks
	ID       int    // the VLAN's id or the VXLAN's network identifier; 0 is none
}

// Wide tells whether the segment reaches beyond the host's bridge.
func (s Segment) Wide() bool { return s.Type != "" && s.Type != TypeLocal }
