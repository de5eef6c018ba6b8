package store

import (
	"context"

	"plimsoll/lbaas"
)

// Member returns one.
func (s *Store) Member(ctx context.Context, id string) (*lbaas.Member, error) { panic("being written") }

// Members returns those that a query asks for.
func (s *Store) Members(ctx context.Context, q Query) ([]*lbaas.Member, error) { panic("being written") }
