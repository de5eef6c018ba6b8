package network

import (
	"strings"

	"plimsoll/lbaas"
)

// NetworkInUse is the error of deleting a network that has ports. To Neutron's words it adds some of them, so that one knows
// what to delete first.
func NetworkInUse(id string, ports ...*Port) *lbaas.Error {
	return failure(lbaas.Conflict, "NetworkInUse", "Unable to complete operation on network %s. "+
		"There are one or more ports still in use on the network.%s", id, named(ports))
}

// SubnetInUse is the error of deleting a subnet of which ports have addresses. To Neutron's words it adds some of them.
func SubnetInUse(id string, ports ...*Port) *lbaas.Error {
	return failure(lbaas.Conflict, "SubnetInUse", "Unable to complete operation on subnet %s: "+
		"One or more ports have an IP allocation from this subnet.%s", id, named(ports))
}

// FewPorts is how many ports an error names at most.
const FewPorts = 5

// AviPorts is how the names begin of ports that an Avi Controller made for its service engines.
const AviPorts = "Avi-"

// named tells which ports are in the way, and what to do about those that a controller takes away by itself.
func named(ports []*Port) string {
	if len(ports) == 0 {
		return ""
	}
	var list []string
	avi := false
	for _, p := range ports[:min(len(ports), FewPorts)] {
		list = append(list, p.ID+about(p))
		avi = avi || strings.HasPrefix(p.Name, AviPorts)
	}
	text := " In use: " + strings.Join(list, ", ")
	if len(ports) > FewPorts {
		text += " and others"
	}
	text += "."
	if avi {
		text += " Those named " + AviPorts + "… are of an Avi Controller: its garbage collection frees them some minutes after the load balancers are gone. Try again then."
	}
	return text
}

func about(p *Port) string {
	var facts []string
	for _, fact := range []string{p.Name, p.DeviceOwner} {
		if fact != "" {
			facts = append(facts, fact)
		}
	}
	if len(facts) == 0 {
		return ""
	}
	return " (" + strings.Join(facts, ", ") + ")"
}
