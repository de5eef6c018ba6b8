package store

import (
	"context"

	"plimsoll/lbaas"
)

// Pool returns one.
func (s *Store) Pool(ctx context.Context, id string) (*lbaas.Pool, error) { panic("being written") }

// Pools returns those that a query asks for.
func (s *Store) Pools(ctx context.Context, q Query) ([]*lbaas.Pool, error) { panic("being written") }
