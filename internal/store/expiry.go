package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/keymanager"
)

// Expiries tells, by references to secrets and containers, when the first certificate or revocation list in each expires. A reference to
// what is not there, or never expires, is absent.
func (s *Store) Expiries(ctx context.Context, refs []string) (map[string]time.Time, error) {
	return expiries(ctx, s.read, refs)
}

func expiries(ctx context.Context, db bun.IDB, refs []string) (map[string]time.Time, error) {
	byID := map[string]int64{}
	ids := make([]string, len(refs))
	for i, ref := range refs {
		ids[i] = keymanager.RefID(ref)
	}
	slices.Sort(ids)
	for some := range slices.Chunk(slices.Compact(ids), idChunk) {
		of := db.NewSelect().TableExpr(tableSecrets).ColumnExpr("id, not_after").Where("id IN (?)", bun.List(some))
		within := db.NewSelect().TableExpr(tableContainerItems+" AS i").Join("JOIN secrets AS s ON s.id = i.secret_id").
			ColumnExpr("i.container_id AS id, s.not_after AS not_after").Where("i.container_id IN (?)", bun.List(some))
		for _, sel := range []*bun.SelectQuery{of, within} {
			if err := earliest(ctx, sel, byID); err != nil {
				return nil, err
			}
		}
	}
	found := map[string]time.Time{}
	for _, ref := range refs {
		if at := byID[keymanager.RefID(ref)]; at > 0 {
			found[ref] = fromMicros(at)
		}
	}
	return found, nil
}

// earliest notes the earliest time of each id.
func earliest(ctx context.Context, sel *bun.SelectQuery, byID map[string]int64) error {
	var rows []struct {
		ID       string `bun:"id"`
		NotAfter int64  `bun:"not_after"`
	}
	if err := sel.Scan(ctx, &rows); err != nil {
		return fmt.Errorf("read when certificates expire: %w", err)
	}
	for _, r := range rows {
		if old := byID[r.ID]; r.NotAfter > 0 && (old == 0 || r.NotAfter < old) {
			byID[r.ID] = r.NotAfter
		}
	}
	return nil
}

// AllExpiries tells when each certificate and revocation list expires that a listener or pool refers to, by load balancer, listeners first.
func (s *Store) AllExpiries(ctx context.Context) (all []keymanager.Expiry, err error) {
	err = s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		listeners, err := referred[listenerRow](ctx, tx, tableListeners, "listener")
		if err != nil {
			return err
		}
		pools, err := referred[poolRow](ctx, tx, tablePools, "pool")
		if err != nil {
			return err
		}
		all, err = dated(ctx, tx, append(listeners, pools...))
		return err
	})
	return all, err
}

// referred are the references of all rows of a table, each once for each row.
func referred[R any, P referrer[R]](ctx context.Context, tx bun.Tx, table, noun string) ([]keymanager.Expiry, error) {
	var rows []R
	sel := tx.NewSelect().Model(&rows).Column("id", "project_id", "load_balancer_id").Column(refColumns[table]...).Where("deleted = ?", false)
	err := sel.WhereGroup(" AND ", func(g *bun.SelectQuery) *bun.SelectQuery {
		for _, column := range refColumns[table] {
			g = g.WhereOr("? <> ''", bun.Ident(column))
		}
		return g
	}).Order("load_balancer_id", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what %s refer to: %w", table, err)
	}
	var all []keymanager.Expiry
	for i := range rows {
		r := P(&rows[i])
		refs := slices.DeleteFunc(r.refs(), func(ref string) bool { return ref == "" })
		slices.Sort(refs)
		for _, ref := range slices.Compact(refs) {
			all = append(all, keymanager.Expiry{
				LoadBalancerID: r.balancer(), ProjectID: r.head().ProjectID, Noun: noun, ObjectID: r.head().ID, Ref: ref,
			})
		}
	}
	return all, nil
}

// dated are those of them that expire.
func dated(ctx context.Context, tx bun.Tx, all []keymanager.Expiry) ([]keymanager.Expiry, error) {
	refs := map[string]bool{}
	for _, e := range all {
		refs[e.Ref] = true
	}
	at, err := expiries(ctx, tx, slices.Sorted(maps.Keys(refs)))
	if err != nil {
		return nil, err
	}
	var found []keymanager.Expiry
	for _, e := range all {
		if e.NotAfter = at[e.Ref]; !e.NotAfter.IsZero() {
			found = append(found, e)
		}
	}
	return found, nil
}
