package network

import (
	"net/netip"
	"slices"

	"plimsoll/lbaas"
)

// MaxFixedIPs bounds the addresses of one port.
const MaxFixedIPs = 64

// WantedIP is an address that a port is to have: of one of the subnets, and a given one where Address is valid.
type WantedIP struct {
	Subnets []*Subnet // the first with a free address gives it
	Address netip.Addr
}

// DefaultIPs are the addresses of a port whose request names none: one of each family that the network has, and one of each
// IPv6 subnet whose stations give themselves addresses.
func DefaultIPs(mac string, subnets []*Subnet) ([]WantedIP, error) {
	var v4, v6 []*Subnet
	var wanted, automatic []WantedIP
	for _, s := range subnets {
		switch {
		case s.Automatic():
			a, err := EUI64(s.CIDR, mac)
			if err != nil {
				return nil, err
			}
			automatic = append(automatic, WantedIP{[]*Subnet{s}, a})
		case s.IPVersion() == 4:
			v4 = append(v4, s)
		default:
			v6 = append(v6, s)
		}
	}
	for _, family := range [][]*Subnet{v4, v6} {
		if len(family) > 0 {
			wanted = append(wanted, WantedIP{Subnets: family})
		}
	}
	return append(wanted, automatic...), nil
}

// Wanted resolves what a port is asked to have: a subnet, an address, or both. The subnets are those of its network. Where stations give
// themselves addresses, only routers have others.
func (f FixedIP) Wanted(p *Port, subnets []*Subnet) (WantedIP, error) {
	if f.SubnetID == "" && !f.Address.IsValid() {
		return WantedIP{}, InvalidInput("IP allocation requires subnet_id or ip_address")
	}
	if len(subnets) == 0 {
		return WantedIP{}, InvalidInput("IP allocation requires subnets for network")
	}
	s, err := f.subnet(p.NetworkID, subnets)
	if err != nil {
		return WantedIP{}, err
	}
	if !s.Automatic() || p.DeviceOwner == OwnerRouterInterface && f.Address.IsValid() {
		return WantedIP{[]*Subnet{s}, f.Address}, nil
	}
	own, err := EUI64(s.CIDR, p.MAC)
	if err != nil {
		return WantedIP{}, err
	}
	if f.Address.IsValid() && f.Address != own {
		return WantedIP{}, failure(lbaas.Invalid, "AllocationOnAutoAddressSubnet", "IPv6 address %s can not be directly assigned "+
			"to a port on subnet %s as the subnet is configured for automatic addresses", f.Address, s.ID)
	}
	return WantedIP{[]*Subnet{s}, own}, nil
}

func (f FixedIP) subnet(networkID string, subnets []*Subnet) (*Subnet, error) {
	if f.SubnetID == "" {
		i := slices.IndexFunc(subnets, func(s *Subnet) bool { return Usable(s.CIDR, f.Address) })
		if i < 0 {
			return nil, InvalidIPForNetwork(f.Address)
		}
		return subnets[i], nil
	}
	i := slices.IndexFunc(subnets, func(s *Subnet) bool { return s.ID == f.SubnetID })
	if i < 0 {
		return nil, InvalidInput("Failed to create port on network %s, because fixed_ips included invalid subnet %s",
			networkID, f.SubnetID)
	}
	if f.Address.IsValid() && !Usable(subnets[i].CIDR, f.Address) {
		return nil, InvalidIPForSubnet(f.Address)
	}
	return subnets[i], nil
}

// ChangeIPs returns the addresses that a port is to have from those it has: a wanted one that names only a subnet keeps an
// address of that subnet, if there is one that no other wanted one names. What is new still lacks what the request left out.
func ChangeIPs(have, want []FixedIP) []FixedIP {
	left := slices.Clone(have)
	keep := slices.Clone(want)
	for i, w := range keep {
		if !w.Address.IsValid() {
			continue
		}
		same := func(h FixedIP) bool { return h.Address == w.Address && (w.SubnetID == "" || h.SubnetID == w.SubnetID) }
		keep[i], left = taken(w, left, same)
	}
	for i, w := range keep {
		if w.Address.IsValid() {
			continue
		}
		keep[i], left = taken(w, left, func(h FixedIP) bool { return h.SubnetID == w.SubnetID })
	}
	return keep
}

// taken takes the first match out of left; where there is none, w stays as it is.
func taken(w FixedIP, left []FixedIP, match func(FixedIP) bool) (FixedIP, []FixedIP) {
	i := slices.IndexFunc(left, match)
	if i < 0 {
		return w, left
	}
	found := left[i]
	return found, slices.Delete(left, i, i+1)
}
