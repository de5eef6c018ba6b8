package store

import (
	"context"
	"slices"

	"github.com/uptrace/bun"
)

// Cursor reads a list of any length in pieces: the method of the list gives the next rows each time that it is called with the
// same Query, which has the Cursor. It belongs to that one list.
//
// It reads the ids of the list first, in order, and then the rows of some ids at a time. So a database that has to sort
// sorts ids, the pieces need no transaction that a slow reader would hold open, and each row comes once, whatever
// happens to it meanwhile; one that no longer is what was asked for is left out. Of a list of more than some thousand rows the
// ids come in pieces too, each of which begins behind the last one's end, as the pages do that a client asks for.
type Cursor struct {
	size int // how many rows a piece has
	// rowsAtOnce is up to how many rows a list may have to be read in one piece, which is faster; idsAtOnce is how many
	// ids are kept.
	rowsAtOnce, idsAtOnce int
	ids                   []string // of the rows that come next
	found                 int      // ids so far
	last                  []any    // what the last row that was found has of the keys; nil where nothing was found yet
	full                  bool     // the list has as many rows as were asked for
	ended                 bool     // there are no more ids than those above
}

// NewCursor returns a cursor that gives so many rows at a time.
func NewCursor(size int) *Cursor {
	return &Cursor{size: size, rowsAtOnce: rowsAtOnce, idsAtOnce: idsAtOnce}
}

// More tells whether there is more of the list.
func (c *Cursor) More() bool { return len(c.ids) > 0 || !c.ended }

// Full tells whether the list that was read has as many rows as the query's limit, so that there may be a next page.
func (c *Cursor) Full() bool { return c.full }

const (
	rowsAtOnce = 1000
	idsAtOnce  = 10_000 // half a megabyte
)

// piece reads the next rows of the list that q.Cursor reads.
func piece[R any](ctx context.Context, db bun.IDB, q Query, table string, known attributes) ([]R, error) {
	c := q.Cursor
	if q.Limit > 0 && q.Limit <= c.rowsAtOnce {
		whole := q
		whole.Cursor = nil
		rows, err := list[R](ctx, db, whole, table, known)
		c.ended, c.full = true, len(rows) == q.Limit
		return rows, err
	}
	order, err := q.order(known)
	if err != nil {
		return nil, err
	}
	if len(c.ids) == 0 && !c.ended {
		if err := c.find(ctx, db, q, table, known, order); err != nil {
			return nil, err
		}
	}
	if len(c.ids) == 0 {
		return nil, nil
	}
	some := c.ids[:min(c.size, len(c.ids))]
	c.ids = c.ids[len(some):]
	found := records[R]{tables: db.Dialect().Tables(), most: len(some)}
	sel, err := q.where(db.NewSelect().Model((*R)(nil)).ModelTableExpr(table), known)
	if err != nil {
		return nil, err
	}
	sel = sel.Where("? IN (?)", bun.Safe(known["id"].column), bun.List(some))
	if err := q.sorted(sel, order).Scan(ctx, &found); err != nil {
		return nil, err
	}
	return inOrder(q, found.rows), nil
}

// find reads the ids that come next.
func (c *Cursor) find(ctx context.Context, db bun.IDB, q Query, table string, known attributes, order []sortKey) error {
	sel, err := q.where(db.NewSelect().TableExpr(table), known)
	if err != nil {
		return err
	}
	if c.last == nil && q.Marker != "" {
		if c.last, err = q.marked(ctx, db, table, known, order); err != nil {
			return err
		}
	}
	if c.last != nil {
		sel = q.beyond(sel, order, c.last)
	}
	limit := c.next(q)
	if sel, err = q.short(ctx, sel, table, order, limit); err != nil {
		return err
	}
	sel = q.sorted(sel.ColumnExpr(known["id"].column), order)
	if c.ids, err = c.scan(ctx, sel, order, limit); err != nil {
		return err
	}
	c.found += len(c.ids)
	c.full = q.Limit > 0 && c.found >= q.Limit
	c.ended = c.full || limit == 0 || len(c.ids) < limit
	if q.Reverse {
		slices.Reverse(c.ids)
	}
	return nil
}

// next is how many ids to ask for; 0 is all. The row that is found last begins a reversed list, so there is but one piece of its
// ids.
func (c *Cursor) next(q Query) int {
	switch {
	case q.Reverse:
		return q.Limit
	case q.Limit == 0:
		return c.idsAtOnce
	}
	return min(q.Limit-c.found, c.idsAtOnce)
}

// scan reads ids, and what the last of them has of the keys.
func (c *Cursor) scan(ctx context.Context, sel *bun.SelectQuery, order []sortKey, limit int) ([]string, error) {
	for _, k := range order {
		sel = sel.ColumnExpr(k.column)
	}
	rows, err := sel.Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	ids := make([]string, 0, min(limit, 1000))
	var id string
	values, into := places(len(order))
	into = append([]any{&id}, into...)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	c.last = values
	return ids, rows.Err()
}
