package network

import (
	"net/netip"
	"time"

	"plimsoll/lbaas"
)

// SecurityGroup is a set of rules that says what may reach a port, and what a port may reach. What no rule lets through is
// dropped; answers to what was let through pass.
type SecurityGroup struct {
	ID          string
	ProjectID   string
	Name        string
	Description string
	Default     bool // the project's group of ports that name none; its name is "default"
	Tags        []string
	Revision    int64
	CreatedAt   time.Time
	UpdatedAt   time.Time

	Rules []*SecurityGroupRule // filled on reads
}

// The directions of rules.
const (
	Ingress = "ingress"
	Egress  = "egress"
)

// SecurityGroupRule lets traffic of one kind through.
type SecurityGroupRule struct {
	ID            string
	ProjectID     string
	GroupID       string
	Description   string
	Direction     string // Ingress or Egress
	EtherType     string // "IPv4" or "IPv6"
	Protocol      string // as the user wrote it, lower-case: a name, a number as text; "" is any
	PortMin       *int   // of TCP, UDP, SCTP, UDP-Lite and DCCP; the ICMP type of ICMP
	PortMax       *int   // the last port; the ICMP code
	RemoteGroupID string // "" is none
	RemotePrefix  netip.Prefix
	Revision      int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// AddressPair is an address, or a range, that a port may send from besides its own ones.
type AddressPair struct {
	Address netip.Prefix
	MAC     string // the port's own one where the request names none
}

// DHCPOption is an option that a port's leases carry besides the subnet's.
type DHCPOption struct {
	Name      string // "bootfile-name", or a number as text
	Value     string
	IPVersion int // 4 or 6
}

// QoSPolicy bounds what passes a port.
type QoSPolicy struct {
	ID        string
	ProjectID string
	Name      string
	Shared    bool
}

// SecurityGroupNotFound is the error of a security group that is not there.
func SecurityGroupNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "SecurityGroupNotFound", "Security group %s does not exist", id)
}

// QoSPolicyNotFound is the error of a QoS policy that is not there.
func QoSPolicyNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "QosPolicyNotFound", "QoS policy %s could not be found.", id)
}
