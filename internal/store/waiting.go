package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// Waiting records that an Apply of a generation achieved all but some objects, for which it is tried again: like Achieved, but the
// objects that reasons names stay pending and say why, and so does the load balancer. What was ERROR or ACTIVE before stays it.
// Without reasons it is Achieved.
func (s *Store) Waiting(
	ctx context.Context, l Lease, id string, generation int64, reasons map[string]string, amphorae []lbaas.Amphora,
) error {
	return s.achieve(ctx, l, achievement{id: id, generation: generation, failures: reasons, wait: len(reasons) > 0}, amphorae)
}

// lock takes the load balancer's row, before any row below it is touched.
func (a *achievement) lock(l Lease) (found bool, err error) {
	n, err := affected(a.tx.NewUpdate().Table(tableLoadBalancers).Set("updated_at = ?", a.time).
		Where("id = ?", a.id).Where("lease_name = ?", l.Name).Exec(a.ctx))
	return n == 1, err
}

// waits has the objects that wait say why.
func (a *achievement) waits(nouns []lbaas.Noun) error {
	for _, noun := range nouns {
		for reason, ids := range a.byReason() {
			for some := range slices.Chunk(ids, idChunk) {
				_, err := a.older(a.tx.NewUpdate().Table(tables[noun]).Set("reason = ?", reason).Set("updated_at = ?", a.time)).
					Where("id IN (?)", bun.List(some)).Where("observed <> generation OR deleted OR failed").Exec(a.ctx)
				if err != nil {
					return err
				}
				if err := a.note(noun, reason, some); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
