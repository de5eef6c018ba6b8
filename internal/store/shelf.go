package store

import (
	"fmt"
	"slices"

	"github.com/uptrace/bun"
)

// shelf holds one table's rows of a load balancer during a change, and what has to be written.
type shelf[R any] struct {
	kept    map[string]R  // the live rows, by id, as they are now
	fresh   []*R          // to insert
	changed []*R          // to update
	stamped []string      // only to be given the generation
	noted   map[string]*R // those to insert or to update, by id: what is put again is written once
}

// row is what a shelf asks of a row.
type row[R any] interface {
	*R
	head() *objectRow
	same(R) bool
}

func newShelf[R any, P row[R]](rows []R) shelf[R] {
	sh := shelf[R]{kept: make(map[string]R, len(rows)), noted: map[string]*R{}}
	for i := range rows {
		sh.kept[P(&rows[i]).head().ID] = rows[i]
	}
	return sh
}

// was returns the row of an id as it is kept, or nil.
func was[R any, P row[R]](sh *shelf[R], id string) *objectRow {
	r, ok := sh.kept[id]
	if !ok {
		return nil
	}
	return P(&r).head()
}

// put notes a row that is new or may have changed.
func put[R any, P row[R]](sh *shelf[R], r R) {
	id := P(&r).head().ID
	old, known := sh.kept[id]
	switch again := sh.noted[id]; {
	case again != nil:
		*again = r
	case !known:
		sh.fresh = append(sh.fresh, &r)
		sh.noted[id] = &r
	case P(&r).same(old):
		if P(&r).head().UpdatedAt != 0 { // else it was inserted in this very change, as it is
			sh.stamped = append(sh.stamped, id)
		}
	default:
		sh.changed = append(sh.changed, &r)
		sh.noted[id] = &r
	}
	sh.kept[id] = r
}

// write brings what was noted to the database: one statement for all new rows (some at a time), one for those that only get
// the generation, one for each row that changed.
func write[R any, P row[R]](c *Change, table string, sh *shelf[R]) error {
	if err := insert(c.ctx, c.tx, sh.fresh); err != nil {
		if duplicate(err) {
			return taken(*sh.fresh[0])
		}
		return fmt.Errorf("insert %s: %w", table, err)
	}
	for _, r := range sh.changed {
		if _, err := c.tx.NewUpdate().Model(r).WherePK().Exec(c.ctx); err != nil {
			return fmt.Errorf("update %s %s: %w", table, P(r).head().ID, err)
		}
	}
	c.grown[table] += int64(len(sh.fresh))
	if err := c.stamp(table, sh.stamped); err != nil {
		return err
	}
	sh.fresh, sh.changed, sh.stamped = nil, nil, nil
	clear(sh.noted)
	return nil
}

// full tells whether there are whole rows to write. A stamp does no harm to what is marked as deleted in the same generation.
func (sh *shelf[R]) full() bool { return len(sh.fresh)+len(sh.changed) > 0 }

// stamp gives rows the generation of the change, so that they show PENDING_UPDATE.
func (c *Change) stamp(table string, ids []string) error {
	for some := range slices.Chunk(ids, idChunk) {
		_, err := c.tx.NewUpdate().Table(table).
			Set("generation = ?", c.LB.Progress.Generation).Set("updated_at = ?", micros(c.time)).
			Set("failed = ?", false).Set("reason = ''").
			Where("id IN (?)", bun.List(some)).Exec(c.ctx)
		if err != nil {
			return fmt.Errorf("stamp %s: %w", table, err)
		}
	}
	return nil
}
