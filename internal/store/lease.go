package store

import (
	"context"
	"errors"
	"time"

	"plimsoll/lbaas"
)

// ErrLeaseLost is the answer to a write under a lease that somebody else has taken meanwhile. Nothing was written.
var ErrLeaseLost = errors.New("the lease is lost")

// Lease is the right to work on the load balancers that name it.
type Lease struct {
	Name   string
	Holder string
	Epoch  int64 // grows whenever the lease is acquired anew
}

// LeaseName names the lease under which a load balancer is worked on.
func LeaseName(lb *lbaas.LoadBalancer) string { return "" }

// AcquireLease takes a lease.
func (s *Store) AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (Lease, bool, error) {
	panic("being written")
}

// RenewLease prolongs a lease.
func (s *Store) RenewLease(ctx context.Context, l Lease, ttl time.Duration) (bool, error) {
	panic("being written")
}

// ReleaseLease gives a lease back.
func (s *Store) ReleaseLease(ctx context.Context, l Lease) error { panic("being written") }

// LeaseNames returns the leases that load balancers name.
func (s *Store) LeaseNames(ctx context.Context) ([]string, error) { panic("being written") }
