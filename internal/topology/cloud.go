// Package topology draws networks, routers, ports, load balancers and the namespaces that they are in: as a tree of text, as a
// graph in Graphviz's language, and as a picture. It decides what is drawn and how, and does no I/O.
package topology

// Cloud is what there is to draw, as the APIs answer it: the names in JSON are theirs.
type Cloud struct {
	Networks      []Network
	Subnets       []Subnet
	Ports         []Port
	Routers       []Router
	FloatingIPs   []FloatingIP
	LoadBalancers []LoadBalancer
	Listeners     []Listener
	Pools         []Pool
}

// Network is a network of the network service.
type Network struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	ProjectID string `json:"project_id"`
	Up        *bool  `json:"admin_state_up"` // nil is up
	MTU       int    `json:"mtu"`
	External  bool   `json:"router:external"`
	Shared    bool   `json:"shared"`
	Type      string `json:"provider:network_type"` // only admins see it, and what follows
	Physical  string `json:"provider:physical_network"`
	Segment   int    `json:"provider:segmentation_id"`
}

// Subnet is a range of addresses of a network.
type Subnet struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	NetworkID string `json:"network_id"`
	CIDR      string `json:"cidr"`
	Gateway   string `json:"gateway_ip"`
	DHCP      bool   `json:"enable_dhcp"`
	Mode      string `json:"ipv6_address_mode"` // how stations of IPv6 get addresses; "" is by DHCP
	RAMode    string `json:"ipv6_ra_mode"`
}

// FixedIP is an address of a port.
type FixedIP struct {
	SubnetID string `json:"subnet_id"`
	Address  string `json:"ip_address"`
}

// Port is a connection to a network.
type Port struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	ProjectID   string    `json:"project_id"`
	NetworkID   string    `json:"network_id"`
	FixedIPs    []FixedIP `json:"fixed_ips"`
	DeviceID    string    `json:"device_id"`
	DeviceOwner string    `json:"device_owner"`
	Up          *bool     `json:"admin_state_up"` // nil is up
	Status      string    `json:"status"`
	Host        string    `json:"binding:host_id"` // only admins see it, and what follows
	Binding     struct {
		NetNS string `json:"netns"`
	} `json:"binding:profile"`
}

// Router forwards between networks.
type Router struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	ProjectID string   `json:"project_id"`
	Up        bool     `json:"admin_state_up"`
	Status    string   `json:"status"`
	Gateway   *Gateway `json:"external_gateway_info"`
	Routes    []Route  `json:"routes"`
}

// Gateway is a router's way to an external network.
type Gateway struct {
	NetworkID string    `json:"network_id"`
	SNAT      bool      `json:"enable_snat"`
	FixedIPs  []FixedIP `json:"external_fixed_ips"`
}

// Route is an extra route of a router.
type Route struct {
	Destination string `json:"destination"`
	NextHop     string `json:"nexthop"`
}

// FloatingIP is an address outside that stands for one inside.
type FloatingIP struct {
	ID        string `json:"id"`
	ProjectID string `json:"project_id"`
	NetworkID string `json:"floating_network_id"`
	Address   string `json:"floating_ip_address"`
	RouterID  string `json:"router_id"`
	PortID    string `json:"port_id"`
	Fixed     string `json:"fixed_ip_address"`
	Status    string `json:"status"`
}

// LoadBalancer is a load balancer without its parts.
type LoadBalancer struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	ProjectID    string `json:"project_id"`
	Address      string `json:"vip_address"`
	PortID       string `json:"vip_port_id"`
	NetworkID    string `json:"vip_network_id"`
	Provider     string `json:"provider"`
	Provisioning string `json:"provisioning_status"`
	Operating    string `json:"operating_status"`
	Host         string `json:"-"` // whose network namespace it has; "" is none
}

// Ref names another object.
type Ref struct {
	ID string `json:"id"`
}

// Listener is a listener of load balancers.
type Listener struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Protocol      string `json:"protocol"`
	ProtocolPort  int    `json:"protocol_port"`
	PoolID        string `json:"default_pool_id"`
	LoadBalancers []Ref  `json:"loadbalancers"`
	Operating     string `json:"operating_status"`
}

// Pool is a pool of load balancers.
type Pool struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Protocol      string   `json:"protocol"`
	Algorithm     string   `json:"lb_algorithm"`
	LoadBalancers []Ref    `json:"loadbalancers"`
	MemberRefs    []Ref    `json:"members"`
	Operating     string   `json:"operating_status"`
	Members       []Member `json:"-"`
}

// Member is a server of a pool.
type Member struct {
	Name         string `json:"name"`
	Address      string `json:"address"`
	ProtocolPort int    `json:"protocol_port"`
	SubnetID     string `json:"subnet_id"`
	Operating    string `json:"operating_status"`
}

// Owners of ports that are drawn as what they belong to.
const (
	ownerDHCP       = "network:dhcp"
	ownerInterface  = "network:router_interface"
	ownerGateway    = "network:router_gateway"
	ownerFloatingIP = "network:floatingip"
)
