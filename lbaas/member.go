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

// NewMember returns a member with the API's defaults.
func NewMember() *Member {
	return &Member{Object: Object{AdminStateUp: true}, Weight: DefaultWeight, VNICType: VNICNormal}
}

// Validate checks the member by itself, as far as that has nothing to do with the deployment.
func (m *Member) Validate() error {
	return first(
		m.Object.validate(),
		m.validateAddress("address", m.Address),
		Between("protocol_port", m.ProtocolPort, 1, MaxPort),
		Between("weight", m.Weight, 0, MaxWeight),
		m.validateMonitorAddress(),
		Between("monitor_port", m.MonitorPort, 0, MaxPort),
	)
}

func (m *Member) validateMonitorAddress() error {
	if !m.MonitorAddress.IsValid() {
		return nil
	}
	return m.validateAddress("monitor_address", m.MonitorAddress)
}

func (m *Member) validateAddress(field string, a netip.Addr) error {
	switch {
	case !a.IsValid():
		return Required(field)
	case a.Unmap().IsUnspecified(), a.Unmap().IsMulticast():
		return InvalidOption(a, "member "+field)
	}
	return nil
}

// CheckMember checks a member against the pool that it is put into: address and port are its own.
func (p *Pool) CheckMember(m *Member) error {
	for _, o := range p.Members {
		if o.ID != m.ID && o.Address == m.Address && o.ProtocolPort == m.ProtocolPort {
			return Errorf(Conflict, "Another member on this pool is already using ip %s on protocol_port %d", m.Address, m.ProtocolPort)
		}
	}
	return nil
}

// InitialOperating is the operating status of a member that was just made (API section 1.5).
func (p *Pool) InitialOperating() OperatingStatus {
	if p.HealthMonitor == nil {
		return NoMonitor
	}
	return Offline
}
