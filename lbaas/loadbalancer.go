package lbaas

import "net/netip"

// LoadBalancer is a virtual IP and the tree of objects behind it. A LoadBalancer that carries its whole tree is what
// providers are given; in lists, Listeners and Pools carry their ids only.
type LoadBalancer struct {
	Object

	VIPAddress     netip.Addr
	VIPPortID      string
	VIPSubnetID    string
	VIPNetworkID   string
	VIPQoSPolicyID string // "" is null
	VIPPortOwned   bool   // we made the VIP port, so we delete it
	VIPVNICType    string // "normal", or "direct" where the flavor asks for SR-IOV

	// VIPSecurityGroupIDs are the user's own security groups of the VIP port, in place of those that the provider makes.
	VIPSecurityGroupIDs []string

	// AdditionalVIPs are more addresses of the VIP's port, each in another subnet of its network.
	AdditionalVIPs []AdditionalVIP

	Provider         string
	FlavorID         string // "" is null
	FlavorProfileID  string // the profile that a new flavor was judged by; it is not kept
	AvailabilityZone string // "" is null

	// Flavor and Zone are the data of the flavor's and the availability zone's profiles, where providers are given a
	// whole tree; nil without.
	Flavor, Zone map[string]any

	// FailedOver is the generation at which a failover was last asked for; 0 is never. A provider makes instances anew that are
	// older.
	FailedOver int64

	// AccessLog has the data plane note every request or connection.
	AccessLog bool

	// Host is the host whose engine serves it, for providers that bind a load balancer to the host it was made on.
	Host string

	// Epoch is that of the lease under which the loop works on it; a later holder has a higher one. Zero in the APIs.
	Epoch int64

	Listeners []*Listener
	Pools     []*Pool
}

// AdditionalVIP is an address of a load balancer beside its VIP.
type AdditionalVIP struct {
	SubnetID string
	Address  netip.Addr
	PortID   string
}

// The kinds of virtual NIC that answers name.
const (
	VNICNormal = "normal"
	VNICDirect = "direct"
)

// Noun is «Load Balancer».
func (*LoadBalancer) Noun() Noun { return NounLoadBalancer }

// VIPs are the addresses of a load balancer, its VIP first. It has none before its port is made.
func (lb *LoadBalancer) VIPs() []netip.Addr {
	if !lb.VIPAddress.IsValid() {
		return nil
	}
	vips := []netip.Addr{lb.VIPAddress}
	for _, v := range lb.AdditionalVIPs {
		vips = append(vips, v.Address)
	}
	return vips
}

// Listener returns the listener of that id, or nil.
func (lb *LoadBalancer) Listener(id string) *Listener {
	for _, l := range lb.Listeners {
		if l.ID == id {
			return l
		}
	}
	return nil
}

// Pool returns the pool of that id, or nil.
func (lb *LoadBalancer) Pool(id string) *Pool {
	for _, p := range lb.Pools {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// ListenersOf returns the listeners that use a pool, in the tree's order: as their default pool, or by an enabled L7
// policy that has a rule.
func (lb *LoadBalancer) ListenersOf(poolID string) []*Listener {
	var users []*Listener
	for _, l := range lb.Listeners {
		if poolID != "" && l.uses(poolID) {
			users = append(users, l)
		}
	}
	return users
}

// L7Policy returns the policy of that id, or nil.
func (lb *LoadBalancer) L7Policy(id string) *L7Policy {
	for _, l := range lb.Listeners {
		for _, p := range l.L7Policies {
			if p.ID == id {
				return p
			}
		}
	}
	return nil
}

// RateLimitPolicy returns the policy of that id, or nil.
func (lb *LoadBalancer) RateLimitPolicy(id string) *RateLimitPolicy {
	for _, l := range lb.Listeners {
		for _, p := range l.RateLimitPolicies {
			if p.ID == id {
				return p
			}
		}
	}
	return nil
}

// Parts returns every object of the tree, the load balancer first, parents before children.
func (lb *LoadBalancer) Parts() []Part {
	parts := []Part{lb}
	for _, l := range lb.Listeners {
		parts = append(parts, l)
		for _, p := range l.L7Policies {
			parts = append(parts, p)
			for _, r := range p.Rules {
				parts = append(parts, r)
			}
		}
		for _, p := range l.RateLimitPolicies {
			parts = append(parts, p)
			for _, r := range p.Rules {
				parts = append(parts, r)
			}
		}
	}
	for _, p := range lb.Pools {
		parts = append(parts, p)
		for _, m := range p.Members {
			parts = append(parts, m)
		}
		if p.HealthMonitor != nil {
			parts = append(parts, p.HealthMonitor)
		}
	}
	return parts
}

// NewLoadBalancer returns a load balancer with the API's defaults.
func NewLoadBalancer() *LoadBalancer { return &LoadBalancer{Object: Object{AdminStateUp: true}} }

// Validate checks the load balancer by itself, without its tree.
func (lb *LoadBalancer) Validate() error {
	return first(
		lb.Object.validate(),
		Within("project_id", lb.ProjectID, 36),
		Within("provider", lb.Provider, 64),
		Within("availability_zone", lb.AvailabilityZone, MaxName),
	)
}
