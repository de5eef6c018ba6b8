package store

import (
	"context"
	"time"
)

// Pending returns load balancers to work on.
func (s *Store) Pending(ctx context.Context, leaseName string, limit int) ([]string, error) {
	panic("being written")
}

// LoadBalancerIDs returns all load balancers of a lease.
func (s *Store) LoadBalancerIDs(ctx context.Context, leaseName string) ([]string, error) {
	panic("being written")
}

// PendingAge tells for how long a load balancer has been pending.
func (s *Store) PendingAge(ctx context.Context, id string) (time.Duration, error) {
	panic("being written")
}

// Achieved records what an Apply achieved.
func (s *Store) Achieved(ctx context.Context, l Lease, id string, generation int64, failures map[string]string) error {
	panic("being written")
}

// Failing records that nothing was achieved.
func (s *Store) Failing(ctx context.Context, l Lease, id string, generation int64, reason string, failed bool) error {
	panic("being written")
}

// Gone removes a load balancer and its tree.
func (s *Store) Gone(ctx context.Context, l Lease, id string, generation int64) error {
	panic("being written")
}
