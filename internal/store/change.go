package store

import (
	"context"

	"plimsoll/lbaas"
)

// Change is a change to one load balancer, in a transaction.
type Change struct {
	LB *lbaas.LoadBalancer
}

// ChangeLoadBalancer runs fn in one transaction.
func (s *Store) ChangeLoadBalancer(ctx context.Context, id string, fn func(c *Change) error) error {
	panic("being written")
}

// CreateLoadBalancer inserts a load balancer with its tree.
func (s *Store) CreateLoadBalancer(ctx context.Context, lb *lbaas.LoadBalancer) error {
	panic("being written")
}

// Put inserts or updates.
func (c *Change) Put(parts ...lbaas.Part) error { panic("being written") }

// Delete marks objects as wanted gone.
func (c *Change) Delete(parts ...lbaas.Part) error { panic("being written") }

// Touch stamps objects.
func (c *Change) Touch(parts ...lbaas.Part) error { panic("being written") }
