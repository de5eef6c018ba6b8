package store

import (
	"context"

	"plimsoll/internal/network"
)

// SecurityGroup returns a security group. The embedded network service has none.
func (*Store) SecurityGroup(_ context.Context, id string) (*network.SecurityGroup, error) {
	return nil, network.SecurityGroupNotFound(id)
}

// QoSPolicy returns a QoS policy. The embedded network service has none.
func (*Store) QoSPolicy(_ context.Context, id string) (*network.QoSPolicy, error) {
	return nil, network.QoSPolicyNotFound(id)
}
