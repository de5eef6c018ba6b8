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

// DefaultGroup is the name of a project's group for ports that name none.
const DefaultGroup = "default"

// DefaultRules are the rules of a new group: everything may leave. Into the ports of a default group may what comes from its
// other ports.
func (g *SecurityGroup) DefaultRules() []*SecurityGroupRule {
	var rules []*SecurityGroupRule
	for _, family := range []string{IPv4, IPv6} {
		if g.Default {
			rules = append(rules, &SecurityGroupRule{ProjectID: g.ProjectID, GroupID: g.ID, Direction: Ingress, EtherType: family, RemoteGroupID: g.ID})
		}
		rules = append(rules, &SecurityGroupRule{ProjectID: g.ProjectID, GroupID: g.ID, Direction: Egress, EtherType: family})
	}
	return rules
}

// SecurityGroupNotFound is the error of a security group that is not there.
func SecurityGroupNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "SecurityGroupNotFound", "Security group %s does not exist", id)
}

// SecurityGroupInUse is the error of deleting a security group that ports are in.
func SecurityGroupInUse(id string) *lbaas.Error {
	return failure(lbaas.Conflict, "SecurityGroupInUse", "Security Group %s in use.", id)
}

// CannotRemoveDefaultGroup is the error of deleting a project's default group.
func CannotRemoveDefaultGroup() *lbaas.Error {
	return failure(lbaas.Conflict, "SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group.")
}

// CannotUpdateDefaultGroup is the error of giving a project's default group another name.
func CannotUpdateDefaultGroup() *lbaas.Error {
	return failure(lbaas.Conflict, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")
}

// DefaultGroupExists is the error of giving a group the name of the default one.
func DefaultGroupExists() *lbaas.Error {
	return failure(lbaas.Conflict, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
}

// QoSPolicyNotFound is the error of a QoS policy that is not there.
func QoSPolicyNotFound(id string) *lbaas.Error {
	return failure(lbaas.NotFound, "QosPolicyNotFound", "QoS policy %s could not be found.", id)
}
