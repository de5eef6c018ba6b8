package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// Pending returns the ids of load balancers of a lease that have something to do, those first that have waited longest: not
// observed as they are wanted, failed, or wanted deleted. A limit of 0 is none.
func (s *Store) Pending(ctx context.Context, leaseName string, limit int) ([]string, error) {
	var ids []string
	sel := s.read.NewSelect().TableExpr(tableLoadBalancers).Column("id").
		Where("lease_name = ?", leaseName).Where("pending_since > 0").OrderExpr("pending_since, id")
	if limit > 0 {
		sel = sel.Limit(int64(limit))
	}
	if err := sel.Scan(ctx, &ids); err != nil {
		return nil, fmt.Errorf("list what is pending under %s: %w", leaseName, err)
	}
	return ids, nil
}

// LoadBalancerIDs returns the ids of the load balancers of a lease that have one of the providers, for the audit.
func (s *Store) LoadBalancerIDs(ctx context.Context, leaseName string, providers ...string) ([]string, error) {
	if len(providers) == 0 {
		return nil, nil
	}
	var ids []string
	err := s.read.NewSelect().TableExpr(tableLoadBalancers).Column("id").
		Where("lease_name = ?", leaseName).Where("provider IN (?)", bun.List(providers)).OrderExpr("id").Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("list the load balancers of %s: %w", leaseName, err)
	}
	return ids, nil
}

// KnownLoadBalancers returns those of the ids that load balancers have, be they wanted deleted or not.
func (s *Store) KnownLoadBalancers(ctx context.Context, ids []string) (known []string, err error) {
	for some := range slices.Chunk(ids, idChunk) {
		var found []string
		err := s.read.NewSelect().TableExpr(tableLoadBalancers).Column("id").Where("id IN (?)", bun.List(some)).OrderExpr("id").Scan(ctx, &found)
		if err != nil {
			return nil, fmt.Errorf("look which load balancers are known: %w", err)
		}
		known = append(known, found...)
	}
	return known, nil
}

// PendingAge tells for how long a load balancer has been pending without anything having been achieved, by the database's
// clock; 0 when it is not pending. A change of one that had failed starts anew.
func (s *Store) PendingAge(ctx context.Context, id string) (time.Duration, error) {
	var since, now int64
	err := s.read.NewSelect().TableExpr(tableLoadBalancers).ColumnExpr("pending_since, ? AS now", s.clock()).
		Where("id = ?", id).Scan(ctx, &since, &now)
	switch {
	case notFound(err):
		return 0, lbaas.Missing(lbaas.NounLoadBalancer, id)
	case err != nil:
		return 0, fmt.Errorf("read since when load balancer %s is pending: %w", id, err)
	case since == 0:
		return 0, nil
	}
	return max(0, time.Duration(now-since)*time.Microsecond), nil
}

// Failing records that an Apply or a Remove of a generation achieved nothing: every object of that generation or an older one that
// is not as wanted says why. With failed it also becomes ERROR, and so does the load balancer, even one that was ACTIVE. Newer
// objects are left alone, and a failure that is recorded already stays one.
func (s *Store) Failing(ctx context.Context, l Lease, id string, generation int64, reason string, failed bool) error {
	reason = bounded(reason)
	err := s.fenced(ctx, l, "store.failing", func(ctx context.Context, tx bun.Tx) error {
		// The load balancer's row is written in any case: that takes its lock, before any row below it.
		concerns := "generation <= ? AND (observed <> generation OR deleted OR failed OR ?)"
		found, err := affected(tx.NewUpdate().Table(tableLoadBalancers).
			Set("pending_since = CASE WHEN pending_since = 0 AND "+concerns+" THEN ? ELSE pending_since END", generation, failed, s.clock()).
			Set("reason = CASE WHEN "+concerns+" THEN ? ELSE reason END", generation, failed, reason).
			Set("failed = CASE WHEN generation <= ? AND ? THEN ? ELSE failed END", generation, failed, true).
			Set("updated_at = ?", micros(now())).
			Where("id = ?", id).Where("lease_name = ?", l.Name).Exec(ctx))
		if err != nil || found == 0 {
			return err
		}
		for _, table := range childTables {
			up := tx.NewUpdate().Table(table).Set("reason = ?", reason).Set("updated_at = ?", micros(now()))
			if failed {
				up = up.Set("failed = ?", true)
			}
			_, err := up.Where("load_balancer_id = ?", id).Where("generation <= ?", generation).
				Where("observed <> generation OR deleted OR failed").Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record why load balancer %s is not done: %w", id, err)
	}
	return nil
}

// Gone makes a load balancer vanish with its whole tree, once its wanted deletion, in that generation or an older one, is
// true in the data plane.
func (s *Store) Gone(ctx context.Context, l Lease, id string, generation int64) error {
	err := s.fenced(ctx, l, "store.gone", func(ctx context.Context, tx bun.Tx) error {
		n, err := affected(tx.NewDelete().Table(tableLoadBalancers).Where("id = ?", id).Where("lease_name = ?", l.Name).
			Where("deleted = ?", true).Where("generation <= ?", generation).Exec(ctx))
		if err != nil || n == 0 {
			return err
		}
		for _, table := range append(childTables[:], tableStatistics, tableAmphorae) {
			if _, err := tx.NewDelete().Table(table).Where("load_balancer_id = ?", id).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget load balancer %s: %w", id, err)
	}
	return nil
}

// longest is the longest reason that is kept, in bytes: enough for what HAProxy says of a configuration.
const longest = 4096

func bounded(reason string) string {
	if len(reason) <= longest {
		return reason
	}
	return reason[:longest] + "…"
}
