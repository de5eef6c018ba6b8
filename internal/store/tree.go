package store

import (
	"context"

	"plimsoll/lbaas"
)

// Tree returns a load balancer with its whole live tree.
func (s *Store) Tree(ctx context.Context, id string) (*lbaas.LoadBalancer, error) { panic("being written") }

// StatusTree is Tree with the children that are wanted deleted.
func (s *Store) StatusTree(ctx context.Context, id string) (*lbaas.LoadBalancer, error) {
	panic("being written")
}
