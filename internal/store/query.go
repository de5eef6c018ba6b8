package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// Query is what a list asks for: the API's filters, order and page.
type Query struct {
	Filters []Filter // ANDed
	Sort    []Order  // created_at and id are appended
	Limit   int      // 0 is no limit
	Marker  string   // the id of the last row of the previous page
	Reverse bool     // the page before the marker instead
	Tags    Tags     // ANDed with the filters
}

// Filter asks for rows whose attribute has one of the values. Attributes have the API's names.
type Filter struct {
	Attribute string
	Values    []string
}

// Order is one sort key, by the API's name.
type Order struct {
	Attribute  string
	Descending bool
}

// BadQuery is the error of a Query that names what is not there. Faces turn it into their own words.
type BadQuery struct {
	Part  string // filter, sort or marker
	Value string
}

// Error names the part.
func (e *BadQuery) Error() string { return "invalid " + e.Part + " " + strconv.Quote(e.Value) }

// Unwrap makes it an invalid input.
func (e *BadQuery) Unwrap() error { return lbaas.Invalid }

// attribute is how an API's attribute is kept.
type attribute struct {
	column string                    // an SQL expression over the table's columns
	value  func(string) (any, error) // how the text of a filter compares; nil compares as text
}

// attributes maps the API's names. It must have created_at and id, the key that markers name. Columns must not be null: a null has no place in an
// order.
type attributes map[string]attribute

// where adds the filters.
func (q Query) where(sel *bun.SelectQuery, known attributes) (*bun.SelectQuery, error) {
	for _, f := range q.Filters {
		a, ok := known[f.Attribute]
		if !ok {
			return nil, &BadQuery{Part: "filter", Value: f.Attribute}
		}
		values, err := a.parse(f)
		if err != nil {
			return nil, err
		}
		column := a.column
		if len(values) > 0 && isSecond(values[0]) {
			column += " - " + a.column + " % 1000000"
		}
		sel = sel.Where("? IN (?)", bun.Safe(column), bun.List(values))
	}
	if tags, ok := known["tags"]; ok {
		if q.Tags.count() > maxTags {
			return nil, &BadQuery{Part: "filter", Value: "tags"}
		}
		sel = q.Tags.where(sel, tags.column)
	}
	return sel, nil
}

func (a attribute) parse(f Filter) ([]any, error) {
	var values []any
	for _, text := range f.Values {
		if a.value == nil {
			values = append(values, text)
			continue
		}
		v, err := a.value(text)
		if err != nil {
			return nil, &BadQuery{Part: "filter", Value: f.Attribute}
		}
		values = append(values, v)
	}
	return values, nil
}

// page adds the order and the page. The rows of a reversed page come in reverse: the caller turns them round with
// inOrder.
func (q Query) page(ctx context.Context, db bun.IDB, sel *bun.SelectQuery, table string, known attributes) (*bun.SelectQuery, error) {
	order, err := q.order(known)
	if err != nil {
		return nil, err
	}
	if q.Marker != "" {
		at := db.NewSelect().TableExpr(table).Where("? = ?", bun.Safe(known["id"].column), q.Marker)
		if sel, err = q.after(ctx, at, sel, order); err != nil {
			return nil, err
		}
	}
	for _, k := range order {
		sel = sel.OrderExpr("? ?", bun.Safe(k.column), bun.Safe(k.direction(q.Reverse)))
	}
	if q.Limit > 0 {
		sel = sel.Limit(int64(q.Limit))
	}
	return sel, nil
}

// inOrder turns the rows of a reversed page round.
func inOrder[T any](q Query, rows []T) []T {
	if q.Reverse {
		for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
			rows[i], rows[j] = rows[j], rows[i]
		}
	}
	return rows
}

type sortKey struct {
	column     string
	descending bool
}

func (k sortKey) direction(reverse bool) string {
	if k.descending != reverse {
		return "DESC"
	}
	return "ASC"
}

func (q Query) order(known attributes) ([]sortKey, error) {
	var keys []sortKey
	seen := map[string]bool{}
	for _, o := range append(append([]Order{}, q.Sort...), Order{Attribute: "created_at"}, Order{Attribute: "id"}) {
		a, ok := known[o.Attribute]
		if !ok {
			return nil, &BadQuery{Part: "sort", Value: o.Attribute}
		}
		if !seen[a.column] {
			keys = append(keys, sortKey{a.column, o.Descending})
		}
		seen[a.column] = true
	}
	return keys, nil
}

// after asks for the rows beyond the one that at selects: (a > x) or (a = x and b > y) or …
func (q Query) after(ctx context.Context, at, sel *bun.SelectQuery, order []sortKey) (*bun.SelectQuery, error) {
	for _, k := range order {
		at = at.ColumnExpr(k.column)
	}
	values := make([]any, len(order))
	into := make([]any, len(order))
	for i := range values {
		into[i] = &values[i]
	}
	if err := at.Scan(ctx, into...); err != nil {
		if notFound(err) {
			return nil, &BadQuery{Part: "marker", Value: q.Marker}
		}
		return nil, err
	}
	var clauses []string
	var args []any
	for i, k := range order {
		var parts []string
		for j := range i {
			parts = append(parts, order[j].column+" = ?")
			args = append(args, plain(values[j]))
		}
		comparison := " > ?"
		if k.direction(q.Reverse) == "DESC" {
			comparison = " < ?"
		}
		parts = append(parts, k.column+comparison)
		args = append(args, plain(values[i]))
		clauses = append(clauses, "("+strings.Join(parts, " AND ")+")")
	}
	return sel.Where("("+strings.Join(clauses, " OR ")+")", args...), nil
}

// plain undoes the MariaDB driver's habit of giving text as bytes.
func plain(v any) any {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v
}

// The ways in which the text of a filter is compared.

// boolean reads loosely, as the API does: what is not true-like is false.
func boolean(text string) (any, error) {
	switch strings.ToLower(text) {
	case "true", "t", "yes", "y", "on", "1":
		return true, nil
	}
	return false, nil
}

func integer(text string) (any, error) { return strconv.ParseInt(text, 10, 64) }

// second is a time without the fractions that rows have and the API does not show.
type second int64

func isSecond(v any) bool {
	_, ok := v.(second)
	return ok
}

// moment reads a time: as the API writes it, which stands for the whole second, or with fractions.
func moment(text string) (any, error) {
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339Nano, "2006-01-02 15:04:05"} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if t.Nanosecond() == 0 {
			return second(micros(t)), nil
		}
		return micros(t), nil
	}
	return nil, &BadQuery{Part: "filter", Value: text}
}
