package network

import (
	"regexp"
	"strings"

	"plimsoll/lbaas"
)

// Binding is where a port is plugged: wanted state, made true by the engine of that host.
type Binding struct {
	Host  string // "" is unbound
	NetNS string // the network namespace it is plugged into
	// Generation is bumped by every change of the binding; Observed follows when the host has made it true.
	Generation int64
	Observed   int64
	Reason     string // why it is not true yet
	// Plugged tells whether the port is plugged now as it is wanted; of a load balancer's port, whether its load balancer was made. The
	// store derives it; writing it has no effect.
	Plugged bool
}

// Status is the port's status as Neutron says it: ACTIVE once it is plugged, else DOWN. The port that holds a floating address is never
// plugged.
func (p *Port) Status() string {
	if p.DeviceOwner == OwnerFloatingIP {
		return "N/A"
	}
	if p.Binding.Plugged {
		return "ACTIVE"
	}
	return "DOWN"
}

// LoadBalancerNetNS begins the names of the namespaces that belong to load balancers.
const LoadBalancerNetNS = "qlbaas-"

var netnsName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidateNetNS checks the name of a network namespace. It becomes a file name and reaches a process that is root, so the
// check is strict; the namespaces of load balancers, routers and DHCP servers are not for users' ports.
func ValidateNetNS(name string) error {
	if !netnsName.MatchString(name) {
		return lbaas.Errorf(lbaas.Invalid, "'%s' is not a valid network namespace: it must begin with a letter or a digit, "+
			"hold letters, digits, '.', '_' and '-' only, and have at most 64 characters", name)
	}
	for prefix, owners := range map[string]string{LoadBalancerNetNS: "load balancers", RouterNetNS: "routers", DHCPNetNS: "DHCP servers"} {
		if strings.HasPrefix(name, prefix) {
			return lbaas.Errorf(lbaas.Invalid, "'%s' is not a valid network namespace: names that begin with '%s' belong to %s", name, prefix, owners)
		}
	}
	return nil
}
