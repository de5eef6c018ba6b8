// Package hostplan says, without doing anything, what a host does for the network service: which routers and DHCP servers it
// runs, what may pass the ports that it guards, and where its tunnels lead. Package engine carries it out.
package hostplan

import (
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

// Plan is what the host of a state has to do. Equal states give equal plans, whatever the order of their lists.
func Plan(state *network.HostState) *enginepb.HostPlan {
	s := index(state)
	plan := &enginepb.HostPlan{
		Routers: s.routers(), Dhcps: s.dhcps(), Guards: s.guards(), Groups: s.groups(), TunnelPeers: s.peers(),
	}
	return plan
}

// indexed is a state in which things are found.
type indexed struct {
	*network.HostState
	networks map[string]*network.Network
	subnets  map[string]*network.Subnet
	inside   map[string][]*network.Subnet // by network
	ports    map[string]*network.Port
}

func index(state *network.HostState) *indexed {
	s := &indexed{HostState: state, networks: map[string]*network.Network{}, subnets: map[string]*network.Subnet{},
		inside: map[string][]*network.Subnet{}, ports: map[string]*network.Port{}}
	for _, n := range state.Networks {
		s.networks[n.ID] = n
	}
	for _, sub := range state.Subnets {
		s.subnets[sub.ID] = sub
		s.inside[sub.NetworkID] = append(s.inside[sub.NetworkID], sub)
	}
	for _, p := range state.Ports {
		s.ports[p.ID] = p
	}
	return s
}
