package store

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"

	"github.com/uptrace/bun/schema"
)

// records reads rows into structs, for lists of many: bun's own way looks each column of each row up again.
type records[R any] struct {
	tables *schema.Tables
	rows   []R
	most   int // how many rows there may be; 0 is no bound
}

// Value is for bun.
func (m *records[R]) Value() any { return m.rows }

// ScanRows is for bun.
func (m *records[R]) ScanRows(_ context.Context, rows *sql.Rows) (int, error) {
	var row R
	into, err := m.fields(&row, rows)
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
		m.add(row)
	}
	return len(m.rows), rows.Err()
}

// fields are where a row's columns go.
func (m *records[R]) fields(row *R, rows *sql.Rows) ([]any, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	table := m.tables.Get(reflect.TypeFor[R]())
	into := make([]any, len(columns))
	for i, column := range columns {
		field := table.LookupField(column)
		if field == nil {
			return nil, fmt.Errorf("read the column %s: there is no place for it", column)
		}
		place := field.Value(reflect.ValueOf(row).Elem()).Addr().Interface()
		if number, ok := place.(*int64); ok && field.NullZero {
			place = zeroNull{number}
		}
		into[i] = place
	}
	return into, nil
}

// add appends a row. Where many seem to come it makes room for all of them at once.
func (m *records[R]) add(row R) {
	if len(m.rows) == cap(m.rows) && len(m.rows) >= 100 && m.most > len(m.rows) && m.most <= rowsAtOnce {
		m.rows = append(make([]R, 0, m.most), m.rows...)
	}
	m.rows = append(m.rows, row)
}

// zeroNull reads null as 0.
type zeroNull struct{ into *int64 }

// Scan is for database/sql.
func (z zeroNull) Scan(value any) error {
	var n sql.NullInt64
	if err := n.Scan(value); err != nil {
		return err
	}
	*z.into = n.Int64
	return nil
}
