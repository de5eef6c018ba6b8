package network

import (
	"net/netip"
	"time"
)

// Router forwards between the networks that it has ports in, and, through its gateway, to an external network.
type Router struct {
	ID           string
	ProjectID    string
	Name         string
	Description  string
	AdminStateUp bool
	Host         string  // where it runs
	Gateway      Gateway // the zero Gateway is none
	Routes       []Route // extra routes
	Tags         []string
	Revision     int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Gateway is how a router reaches an external network.
type Gateway struct {
	NetworkID  string
	PortID     string // the router's port there
	EnableSNAT bool
	FixedIPs   []FixedIP // of that port; filled on reads
}

// FloatingIP is an address of an external network that stands for a fixed address of a port behind a router.
type FloatingIP struct {
	ID           string
	ProjectID    string
	Description  string
	NetworkID    string // the external network
	Address      netip.Addr
	PortID       string // the fixed address' port; "" is unassociated
	FixedAddress netip.Addr
	RouterID     string // the router that translates; "" while unassociated
	OwnPortID    string // the port in the external network that holds the address
	// Active tells whether the router's host has the address now. The store derives it; writing it has no effect.
	Active    bool
	Tags      []string
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Status is the floating address' status as Neutron says it: ACTIVE once its router's host has it, else DOWN.
func (f *FloatingIP) Status() string {
	if f.Active {
		return "ACTIVE"
	}
	return "DOWN"
}

// RouterInterface names a port of a router and what it leads to.
type RouterInterface struct {
	RouterID  string
	ProjectID string // of the port
	PortID    string
	NetworkID string
	SubnetIDs []string
}

// Owners of the ports that the network service makes for itself.
const (
	OwnerRouterInterface = "network:router_interface"
	OwnerRouterGateway   = "network:router_gateway"
	OwnerFloatingIP      = "network:floatingip"
	OwnerDHCP            = "network:dhcp"
)

// OfRouting tells whether a router or a floating address has the port.
func (p *Port) OfRouting() bool {
	return p.DeviceOwner == OwnerRouterInterface || p.DeviceOwner == OwnerRouterGateway || p.DeviceOwner == OwnerFloatingIP
}

// The names of the namespaces of routers and of DHCP servers begin so; the router's or the network's id follows.
const (
	RouterNetNS = "qrouter-"
	DHCPNetNS   = "qdhcp-"
)
