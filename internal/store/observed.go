package store

import (
	"context"

	"plimsoll/lbaas"
)

// Seen is what was observed of one load balancer.
type Seen struct {
	Operating  map[string]lbaas.OperatingStatus // by object id
	Statistics map[string]lbaas.Statistics      // by listener id
}

// Observe writes what was observed, by load balancer id.
func (s *Store) Observe(ctx context.Context, l Lease, seen map[string]Seen) error {
	panic("being written")
}

// Statistics returns what was last observed of a load balancer's listeners, by their ids.
func (s *Store) Statistics(ctx context.Context, loadBalancerID string) (map[string]lbaas.Statistics, error) {
	panic("being written")
}
