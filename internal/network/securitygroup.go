package network

import "plimsoll/lbaas"

// SecurityGroup is a set of rules that says what may reach a port.
type SecurityGroup struct {
	ID        string
	ProjectID string
	Name      string
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
