package store

import (
	"context"

	"plimsoll/lbaas"
)

// LoadBalancer returns one.
func (s *Store) LoadBalancer(ctx context.Context, id string) (*lbaas.LoadBalancer, error) { panic("being written") }

// LoadBalancers returns those that a query asks for.
func (s *Store) LoadBalancers(ctx context.Context, q Query) ([]*lbaas.LoadBalancer, error) { panic("being written") }
