package store

import (
	"context"

	"plimsoll/lbaas"
)

// Listener returns one.
func (s *Store) Listener(ctx context.Context, id string) (*lbaas.Listener, error) { panic("being written") }

// Listeners returns those that a query asks for.
func (s *Store) Listeners(ctx context.Context, q Query) ([]*lbaas.Listener, error) { panic("being written") }
