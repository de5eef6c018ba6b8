package store

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// reader is where reads go. On SQLite, which is in this process, to make a plan of a statement takes longer than to carry it
// out; there it keeps the statements that are sent all the time, with places for their values. On the others a statement is kept by a
// connection, and would cost a round trip for each of them.
type reader struct {
	*bun.DB
	keeps bool

	kept sync.Map     // of *sql.Stmt
	sent atomic.Int64 // how often they were sent, which bun does not count
}

// query sends a kept statement. The key stands for its text, which is only made where it is not kept yet.
func (r *reader) query(ctx context.Context, key any, text func() string, values ...any) (*sql.Rows, error) {
	stmt, err := r.statement(ctx, key, text) //nolint:sqlclosecheck // it is closed with the database
	if err != nil {
		return nil, err
	}
	r.sent.Add(1)
	return stmt.QueryContext(ctx, values...)
}

func (r *reader) statement(ctx context.Context, key any, text func() string) (*sql.Stmt, error) {
	if stmt, ok := r.kept.Load(key); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := r.DB.DB.PrepareContext(ctx, text()) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return nil, err
	}
	if other, ok := r.kept.LoadOrStore(key, stmt); ok {
		_ = stmt.Close() //nolint:sqlclosecheck // somebody else was faster
		return other.(*sql.Stmt), nil
	}
	return stmt, nil
}

// oneByID reads the row of an id; without one it is sql.ErrNoRows.
func oneByID[R any](ctx context.Context, r *reader, id string) (*R, error) {
	of := reflect.TypeFor[R]()
	rows, err := r.query(ctx, of, func() string { return rowByID(r.Table(of)) }, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := records[R]{tables: r.Dialect().Tables()}
	n, err := found.ScanRows(ctx, rows)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, sql.ErrNoRows
	}
	return &found.rows[0], nil
}

func rowByID(table *schema.Table) string {
	columns := make([]string, len(table.Fields))
	for i, field := range table.Fields {
		columns[i] = string(field.SQLName)
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE id = ?", strings.Join(columns, ", "), table.SQLName)
}

// idsOf is idsBy of one value.
func (r *reader) idsOf(ctx context.Context, table, column, value string) (ids []string, err error) {
	rows, err := r.query(ctx, [2]string{table, column}, func() string {
		return fmt.Sprintf("SELECT id FROM %s WHERE %s = ? ORDER BY created_at, id", table, column)
	}, value)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
