package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// chunk bounds how many ids a statement names, and how many rows it inserts.
const (
	idChunk     = 1000
	insertChunk = 100
)

// one reads the row of an id, or says in the API's words that there is none.
func one[R any](ctx context.Context, db bun.IDB, noun lbaas.Noun, id string) (*R, error) {
	row, err := rowOf[R](ctx, db, id)
	if notFound(err) {
		return nil, lbaas.Missing(noun, id)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", noun, id, err)
	}
	return row, nil
}

// readRow is one for what is no noun of the load balancers' API; missing is the error of what is not there.
func readRow[R any](ctx context.Context, db bun.IDB, what, id string, missing error) (*R, error) {
	row, err := rowOf[R](ctx, db, id)
	if notFound(err) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return row, nil
}

func rowOf[R any](ctx context.Context, db bun.IDB, id string) (*R, error) {
	if r, ok := db.(*reader); ok && r.keeps {
		return oneByID[R](ctx, r, id)
	}
	row := new(R)
	return row, db.NewSelect().Model(row).Where("id = ?", id).Scan(ctx)
}

// list reads the rows that a query asks for, or the next of them, from a table or something like one.
func list[R any](ctx context.Context, db bun.IDB, q Query, table string, known attributes) ([]R, error) {
	if q.Cursor != nil {
		return piece[R](ctx, db, q, table, known)
	}
	found := records[R]{tables: db.Dialect().Tables(), most: q.Limit}
	sel, err := q.where(db.NewSelect().Model((*R)(nil)).ModelTableExpr(table), known)
	if err != nil {
		return nil, err
	}
	if sel, err = q.page(ctx, db, sel, table, known); err != nil {
		return nil, err
	}
	if err := sel.Scan(ctx, &found); err != nil {
		return nil, err
	}
	return inOrder(q, found.rows), nil
}

// idsBy returns the ids of the rows whose column has one of the values, by that value, oldest first.
func idsBy(ctx context.Context, db bun.IDB, table, column string, values []string) (map[string][]string, error) {
	found := make(map[string][]string, len(values))
	if r, ok := db.(*reader); ok && r.keeps && len(values) == 1 {
		ids, err := r.idsOf(ctx, table, column, values[0])
		if err != nil {
			return nil, fmt.Errorf("read the %s of %s: %w", table, values[0], err)
		}
		found[values[0]] = ids
		return found, nil
	}
	for some := range slices.Chunk(values, idChunk) {
		var rows []struct{ ID, Value string }
		err := db.NewSelect().TableExpr(table).ColumnExpr("id, ? AS value", bun.Safe(column)).
			Where("? IN (?)", bun.Safe(column), bun.List(some)).
			OrderExpr("?, created_at, id", bun.Safe(column)). // the order of an index
			Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("read the %s of %d objects: %w", table, len(values), err)
		}
		for _, r := range rows {
			found[r.Value] = append(found[r.Value], r.ID)
		}
	}
	return found, nil
}

// insert writes rows, some at a time: a statement has a bounded length.
func insert[R any](ctx context.Context, db bun.IDB, rows []R) error {
	for some := range slices.Chunk(rows, insertChunk) {
		if _, err := db.NewInsert().Model(&some).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
