package network

import "time"

// Host is a host that runs an engine, as it reported itself.
type Host struct {
	ID           string // a UUID, for agents' lists
	Name         string
	TunnelIP     string // where VXLAN packets for it go; "" is none
	Version      string
	AdminStateUp bool
	CreatedAt    time.Time
	SeenAt       time.Time // by the database's clock
	Alive        bool      // it was seen lately; the store derives it
}

// HostState is everything that the plan of a host is made from: what of the network service concerns it.
type HostState struct {
	Host     string
	Networks []*Network // with DHCP on this host, and those of the routers' and guarded ports
	Subnets  []*Subnet  // of those networks
	// Ports of those networks: the routers' and the DHCP servers' own, those that get leases, and those that are guarded. Of load
	// balancers' ports there are only those that are plugged on this host and in groups; ports of others may be on any host.
	Ports       []*Port
	Routers     []*Router
	FloatingIPs []*FloatingIP
	// Groups are the security groups that guarded ports of this host are in, and those that their rules name.
	Groups []*SecurityGroup
	// Members are the addresses of the ports of groups that rules name, by the group's id; ports of other hosts count, too.
	Members map[string][]AddressPair
	Peers   []*Host // the other hosts
}
