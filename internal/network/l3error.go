package network

import (
	"net/netip"

	"plimsoll/lbaas"
)

// RouterNotFound is the error of a router that is not there.
func RouterNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "RouterNotFound", "Router %s could not be found", id)
}

// RouterInUse is the error of deleting a router that has interfaces.
func RouterInUse(id string) *lbaas.Error {
	return failure(lbaas.Conflict, "RouterInUse", "Router %s still has ports", id)
}

// RouterInterfaceNotFound is the error of a port that is no interface of the router.
func RouterInterfaceNotFound(routerID, portID string) *lbaas.Error {
	return failure(lbaas.NotFound, "RouterInterfaceNotFound", "Router %s does not have an interface with id %s", routerID, portID)
}

// RouterInterfaceNotFoundForSubnet is the error of a subnet that the router has no interface on.
func RouterInterfaceNotFoundForSubnet(routerID, subnetID string) *lbaas.Error {
	return failure(lbaas.NotFound, "RouterInterfaceNotFoundForSubnet", "Router %s has no interface on subnet %s", routerID, subnetID)
}

// RouterInterfaceInUseByFloatingIP is the error of removing an interface behind which floating addresses lead.
func RouterInterfaceInUseByFloatingIP(routerID, subnetID string) *lbaas.Error {
	return failure(lbaas.Conflict, "RouterInterfaceInUseByFloatingIP", "Router interface for subnet %s on router %s cannot be deleted, "+
		"as it is required by one or more floating IPs.", subnetID, routerID)
}

// RouterInterfaceInUseByRoute is the error of removing an interface that next hops of the router's extra routes are reached by.
func RouterInterfaceInUseByRoute(routerID, subnetID string) *lbaas.Error {
	return failure(lbaas.Conflict, "RouterInterfaceInUseByRoute", "Router interface for subnet %s on router %s cannot be deleted, "+
		"as it is required by one or more routes.", subnetID, routerID)
}

// RouterGatewayInUse is the error of taking away a gateway that floating addresses need.
func RouterGatewayInUse(routerID, networkID string) *lbaas.Error {
	return failure(lbaas.Conflict, "RouterExternalGatewayInUseByFloatingIp", "Gateway cannot be updated for router %s, since a "+
		"gateway to external network %s is required by one or more floating IPs.", routerID, networkID)
}

// SubnetMismatchForPort is the error of naming an interface by a port and a subnet that do not belong together.
func SubnetMismatchForPort(portID, subnetID string) *lbaas.Error {
	return failure(lbaas.Invalid, "SubnetMismatchForPort", "Subnet on port %s does not match the requested subnet %s.", portID, subnetID)
}

// PortInUse is the error of giving a device a port that another device has.
func PortInUse(portID, networkID, deviceID string) *lbaas.Error {
	return failure(lbaas.Conflict, "PortInUse", "Unable to complete operation on port %s for network %s. "+
		"Port already has an attached device %s.", portID, networkID, deviceID)
}

// FloatingIPNotFound is the error of a floating address that is not there.
func FloatingIPNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "FloatingIPNotFound", "Floating IP %s could not be found", id)
}

// ExternalGatewayNotFound is the error of a floating address for a port that no router leads to from that external network.
func ExternalGatewayNotFound(networkID, subnetID, portID string) *lbaas.Error {
	return failure(lbaas.NotFound, "ExternalGatewayForFloatingIPNotFound", "External network %s is not reachable from subnet %s.  "+
		"Therefore, cannot associate Port %s with a Floating IP.", networkID, subnetID, portID)
}

// FloatingIPPortAlreadyAssociated is the error of a second floating address of one network for a fixed address.
func FloatingIPPortAlreadyAssociated(f *FloatingIP) *lbaas.Error {
	return failure(lbaas.Conflict, "FloatingIPPortAlreadyAssociated", "Cannot associate floating IP %s (%s) with port %s "+
		"using fixed IP %s, as that fixed IP already has a floating IP on external network %s.",
		f.Address, f.ID, f.PortID, f.FixedAddress, f.NetworkID)
}

// FloatingIPAssociated is the error of deleting a port that another project's floating address stands for.
func FloatingIPAssociated(portID string) *lbaas.Error {
	return failure(lbaas.Conflict, "FipAssociated", "Unable to complete the operation on port \"%s\" because the port still has "+
		"an associated floating IP.", portID)
}

// ExternalIPAddressExhausted is the error of an external network that gives a floating address nothing.
func ExternalIPAddressExhausted(networkID string) *lbaas.Error {
	return failure(lbaas.Invalid, "ExternalIpAddressExhausted", "Unable to find any IP address on external network %s.", networkID)
}

// ExternalNetworkInUse is the error of making a network internal through which routers reach the outside.
func ExternalNetworkInUse(id string) *lbaas.Error {
	return failure(lbaas.Conflict, "ExternalNetworkInUse", "External network %s cannot be updated to be made non-external, "+
		"since it has existing gateway ports.", id)
}

// GatewayIPInUse is the error of changing the gateway of a subnet that is a router's port.
func GatewayIPInUse(a netip.Addr, portID string) *lbaas.Error {
	return failure(lbaas.Conflict, "GatewayIpInUse", "Current gateway ip %s already in use by port %s. Unable to update.", a, portID)
}
