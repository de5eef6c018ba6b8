package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/uptrace/bun"
)

// ProvidersOf tells which provider each of the load balancers has, by id. Those that are not there are absent.
func (s *Store) ProvidersOf(ctx context.Context, ids map[string]bool) (map[string]string, error) {
	providers := make(map[string]string, len(ids))
	for some := range slices.Chunk(slices.Sorted(maps.Keys(ids)), idChunk) {
		var rows []struct {
			ID       string `bun:"id"`
			Provider string `bun:"provider"`
		}
		err := s.read.NewSelect().Table(tableLoadBalancers).Column("id", "provider").Where("id IN (?)", bun.List(some)).Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("read providers: %w", err)
		}
		for _, r := range rows {
			providers[r.ID] = r.Provider
		}
	}
	return providers, nil
}
