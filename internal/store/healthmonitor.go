package store

import (
	"context"

	"plimsoll/lbaas"
)

// HealthMonitor returns one.
func (s *Store) HealthMonitor(ctx context.Context, id string) (*lbaas.HealthMonitor, error) { panic("being written") }

// HealthMonitors returns those that a query asks for.
func (s *Store) HealthMonitors(ctx context.Context, q Query) ([]*lbaas.HealthMonitor, error) { panic("being written") }
