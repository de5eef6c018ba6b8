package network

import (
	"net/netip"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// MaxAddressPairs bounds the address pairs of a port, as Neutron's default does.
const MaxAddressPairs = 10

// ValidateSecurity checks what a port asks of its guard, as Neutron does.
func (p *Port) ValidateSecurity() error {
	if err := validatePairs(p.AddressPairs); err != nil {
		return err
	}
	if p.PortSecurity {
		return nil
	}
	switch {
	case len(p.SecurityGroupIDs) > 0:
		return failure(lbaas.Invalid, "PortSecurityAndIPRequiredForSecurityGroups",
			"Port security must be enabled and port must have an IP address in order to use security groups.")
	case len(p.AddressPairs) > 0:
		return failure(lbaas.Conflict, "AddressPairAndPortSecurityRequired",
			"Port Security must be enabled in order to have allowed address pairs on a port.")
	}
	return nil
}

// ValidateSecurityChange is ValidateSecurity of a port that was another one before.
func (p *Port) ValidateSecurityChange(before *Port) error {
	if before.PortSecurity && !p.PortSecurity && len(p.SecurityGroupIDs) > 0 && slices.Equal(before.SecurityGroupIDs, p.SecurityGroupIDs) {
		return failure(lbaas.Conflict, "PortSecurityPortHasSecurityGroup", "Port has security group associated. "+
			"Cannot disable port security or IP address until security group is removed.")
	}
	return p.ValidateSecurity()
}

func validatePairs(pairs []AddressPair) error {
	if len(pairs) > MaxAddressPairs {
		return failure(lbaas.Invalid, "AllowedAddressPairExhausted", "The number of allowed address pair exceeds the maximum %d.", MaxAddressPairs)
	}
	for i, p := range pairs {
		if slices.Contains(pairs[:i], p) {
			return failure(lbaas.Invalid, "DuplicateAddressPairInRequest",
				"Request contains duplicate address pair: mac_address %s ip_address %s.", orNone(p.MAC), p.Text())
		}
	}
	return nil
}

func orNone(text string) string {
	if text == "" {
		return "None"
	}
	return text
}

// MissingPairAddress is the error of an address pair without an address.
func MissingPairAddress() *lbaas.Error {
	return failure(lbaas.Invalid, "AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address")
}

// Text writes the address of a pair as Neutron's users did: one address bare, a range with its length.
func (a AddressPair) Text() string {
	if a.Address.IsSingleIP() {
		return a.Address.Addr().String()
	}
	return a.Address.String()
}

// Trusted tells whether the port is one of the network service's own, which are in no group.
func (p *Port) Trusted() bool { return strings.HasPrefix(p.DeviceOwner, "network:") }

// Sources are the addresses that the port may send from: its own ones, and its address pairs.
func (p *Port) Sources() []AddressPair {
	var list []AddressPair
	for _, f := range p.FixedIPs {
		list = append(list, AddressPair{Address: netip.PrefixFrom(f.Address, f.Address.BitLen()), MAC: p.MAC})
	}
	for _, a := range p.AddressPairs {
		if a.MAC == "" {
			a.MAC = p.MAC
		}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
