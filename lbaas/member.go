package lbaas

import "net/netip"

// Member is a server of a pool (API section 1.11).
type Member struct {
	Object

	LoadBalancerID string
	PoolID         string
	Address        netip.Addr
	ProtocolPort   int // 1 to 65535
	Weight         int // 0 to MaxWeight; 0 drains
	Backup         bool
	SubnetID       string     // "": reached through the VIP subnet's routes
	MonitorAddress netip.Addr // the zero Addr is null
	MonitorPort    int        // 0 is null
	VNICType       string     // normal or direct

	// Number is the member's own small number in its pool, kept for life, so that consistent hashing places it the
	// same way whatever else comes and goes. The store gives it.
	Number int
}

// Noun is «Member».
func (*Member) Noun() Noun { return NounMember }
