package network

import (
	"fmt"
	"net/netip"

	"plimsoll/lbaas"
)

// The errors of the network service carry Neutron's exception names and Neutron's texts.

func failure(kind lbaas.Kind, name, format string, args ...any) *lbaas.Error {
	return &lbaas.Error{Kind: kind, Type: name, Text: fmt.Sprintf(format, args...)}
}

// InvalidInput is Neutron's answer to an attribute that is well-formed and makes no sense.
func InvalidInput(format string, args ...any) *lbaas.Error {
	return failure(lbaas.Invalid, "InvalidInput", "Invalid input for operation: %s.", fmt.Sprintf(format, args...))
}

// BadRequest is Neutron's answer to a request that contradicts itself.
func BadRequest(resource, format string, args ...any) *lbaas.Error {
	return failure(lbaas.Invalid, "BadRequest", "Bad %s request: %s.", resource, fmt.Sprintf(format, args...))
}

// NetworkNotFound is the error of a network that is not there.
func NetworkNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "NetworkNotFound", "Network %s could not be found.", id)
}

// SubnetNotFound is the error of a subnet that is not there.
func SubnetNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "SubnetNotFound", "Subnet %s could not be found.", id)
}

// PortNotFound is the error of a port that is not there.
func PortNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "PortNotFound", "Port %s could not be found.", id)
}

// NetworkMTUSubnetConflict is the error of an MTU that is too small for the subnets of the network.
func NetworkMTUSubnetConflict(id string) *lbaas.Error {
	return failure(lbaas.Conflict, "NetworkMTUSubnetConflict", "MTU of %s is not valid, subnet requires a minimum of %d", id, MinMTU6)
}

// RevisionConstraintFailed is the error of a change on condition of a revision that the object does not have.
func RevisionConstraintFailed(expected, current int64) *lbaas.Error {
	return failure(lbaas.Stale, "RevisionNumberConstraintFailed", "Constrained to %d, but current revision is %d", expected, current)
}

// InvalidSharedSetting is the error of taking a network away from projects that have ports on it.
func InvalidSharedSetting(id string) *lbaas.Error {
	return failure(lbaas.Conflict, "InvalidSharedSetting", "Unable to reconfigure sharing settings for network %s. "+
		"Multiple tenants are using it.", id)
}

// ServicePortInUse is the error of deleting a port that belongs to a service.
func ServicePortInUse(id, reason string) *lbaas.Error {
	return failure(lbaas.Conflict, "ServicePortInUse", "Port %s cannot be deleted directly via the port API: %s.", id, reason)
}

// AddressInUse is the error of asking for an address that a port has.
func AddressInUse(networkID string, a netip.Addr) *lbaas.Error {
	return failure(lbaas.Conflict, "IpAddressInUse", "Unable to complete operation for network %s. "+
		"The IP address %s is in use.", networkID, a)
}

// MACInUse is the error of asking for a MAC address that a port of the network has.
func MACInUse(networkID, mac string) *lbaas.Error {
	return failure(lbaas.Conflict, "MacAddressInUse", "Unable to complete operation for network %s. "+
		"The mac address %s is in use.", networkID, mac)
}

// NoAddress is the error of a network, or of a subnet of it, that is full.
func NoAddress(networkID string) *lbaas.Error {
	return failure(lbaas.Conflict, "IpAddressGenerationFailure", "No more IP addresses available on network %s.", networkID)
}

// InvalidIPForNetwork is the error of an address that is in no subnet of the network.
func InvalidIPForNetwork(a netip.Addr) *lbaas.Error {
	return failure(lbaas.Invalid, "InvalidIpForNetwork", "IP address %s is not a valid IP for any of the subnets on the "+
		"specified network.", a)
}

// InvalidIPForSubnet is the error of an address that is not in the subnet, or that no port may have.
func InvalidIPForSubnet(a netip.Addr) *lbaas.Error {
	return failure(lbaas.Invalid, "InvalidIpForSubnet", "IP address %s is not a valid IP for the specified subnet.", a)
}

// OverlappingSubnet is the error of a subnet that overlaps with another one of its network.
func OverlappingSubnet(networkID string, cidr netip.Prefix) *lbaas.Error {
	return InvalidInput("Requested subnet with cidr: %s for network: %s overlaps with another subnet", cidr, networkID)
}
