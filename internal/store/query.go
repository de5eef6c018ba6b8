package store

import (
	"context"
	"slices"
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
	Cursor  *Cursor  // reads the list in pieces; nil reads it at once
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
	hidden bool                      // it is no attribute of the API: neither filters nor sorts may name it
}

// attributes maps the API's names. It must have created_at and id, the key that markers name. Columns must not be null: a
// null has no place in an order.
type attributes map[string]attribute

// where adds the filters.
func (q Query) where(sel *bun.SelectQuery, known attributes) (*bun.SelectQuery, error) {
	for _, f := range q.Filters {
		a, ok := known[f.Attribute]
		if !ok || a.hidden {
			return nil, &BadQuery{Part: "filter", Value: f.Attribute}
		}
		if a.column == provisioningStatus {
			sel = sel.Where("?", bun.Safe(hasStatus(f.Values)))
			continue
		}
		values, err := a.parse(f)
		if err != nil {
			return nil, err
		}
		column := a.column
		if len(values) > 0 && isSecond(values[0]) {
			column += " - " + a.column + " % 1000000"
		}
		in := "? IN (?)"
		if f.common(a.column) {
			in = "COALESCE(? IN (?), FALSE)" // which no database takes for rare, as SQLite does every equality
		}
		sel = sel.Where(in, bun.Safe(column), bun.List(values))
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
		values, err := q.marked(ctx, db, table, known, order)
		if err != nil {
			return nil, err
		}
		sel = q.beyond(sel, order, values)
	}
	if sel, err = q.short(ctx, sel, table, order, q.Limit); err != nil {
		return nil, err
	}
	return q.sorted(sel, order), nil
}

// short bounds the number of rows. An order whose keys go both ways, such as the newest first and then by id, is that of no
// index. Where the first key alone has one, what the last row of the page has of it is asked for before, and only the rows
// up to there have to be sorted.
func (q Query) short(ctx context.Context, sel *bun.SelectQuery, table string, order []sortKey, limit int) (*bun.SelectQuery, error) {
	if limit == 0 {
		return sel, nil
	}
	first := order[0]
	bothWays := slices.ContainsFunc(order, func(k sortKey) bool { return k.descending != first.descending })
	if bothWays && slices.Contains(leading[table], first.column) {
		var last any
		at := sel.Clone().ColumnExpr(first.column).Limit(1).Offset(int64(limit) - 1)
		err := q.sorted(at, order[:1]).Scan(ctx, &last)
		switch {
		case notFound(err): // there are fewer rows
		case err != nil:
			return nil, err
		case first.direction(q.Reverse) == "DESC":
			sel = sel.Where(first.column+" >= ?", plain(last))
		default:
			sel = sel.Where(first.column+" <= ?", plain(last))
		}
	}
	return sel.Limit(int64(limit)), nil
}

// leading are the columns that indexes of a table begin with and go on with (created_at, id).
var leading = map[string][]string{
	tableLoadBalancers:  {"created_at", "name"},
	tableListeners:      {"created_at", "name"},
	tablePools:          {"created_at", "name"},
	tableMembers:        {"created_at"},
	tableHealthMonitors: {"created_at"},
	tableL7Policies:     {"created_at"},
	tableL7Rules:        {"created_at"},
}

// sorted adds the order.
func (q Query) sorted(sel *bun.SelectQuery, order []sortKey) *bun.SelectQuery {
	for _, k := range order {
		sel = sel.OrderExpr("? ?", bun.Safe(k.column), bun.Safe(k.direction(q.Reverse)))
	}
	return sel
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
	for i, o := range append(append([]Order{}, q.Sort...), Order{Attribute: "created_at"}, Order{Attribute: "id"}) {
		a, ok := known[o.Attribute]
		if !ok || a.hidden && i < len(q.Sort) {
			return nil, &BadQuery{Part: "sort", Value: o.Attribute}
		}
		if !seen[a.column] {
			keys = append(keys, sortKey{a.column, o.Descending})
		}
		seen[a.column] = true
	}
	if !q.walks(known) {
		keys[0].column = unindexed(keys[0].column)
	}
	return keys, nil
}

// unindexed is an expression of a column's value that is not in any index. What is no plain column is one.
func unindexed(column string) string {
	if strings.Contains(column, " ") {
		return column
	}
	return "COALESCE(" + column + ", " + column + ")"
}

// walks tells whether the list may be read along an index that has its order: where most rows are wanted, a page of them is
// found after a few steps. Where few are, each step of a long way would look up a row, which takes ten times as long as reading all
// of them one after the other and sorting what is found. The databases do not know the difference: they have no idea of how
// many rows are in ERROR. So an order that is not to be walked begins with an expression that no index has.
func (q Query) walks(known attributes) bool {
	if len(q.Tags.All)+len(q.Tags.Any) > 0 {
		return false
	}
	scoped := false
	for _, f := range q.Filters {
		column := known[f.Attribute].column
		switch {
		case slices.Contains(scopes[:], column):
			scoped = true
		case !f.common(column):
			return false
		}
	}
	return !scoped || len(q.Sort) == 0 || q.Sort[0].Attribute == "created_at"
}

// scopes are the columns of indexes that go on with (created_at, id).
var scopes = [...]string{"project_id", "load_balancer_id", "pool_id", "default_pool_id", "l7policy_id"}

// common tells whether most rows have a value that is asked for of the column.
func (f Filter) common(column string) bool {
	return slices.ContainsFunc(f.Values, func(value string) bool {
		switch column {
		case provisioningStatus:
			return value == string(lbaas.Active)
		case "operating_status":
			return value == string(lbaas.Online)
		case "admin_state_up":
			up, _ := boolean(value)
			return up == true
		}
		return false
	})
}

// bounds are the columns that say what a row is part of, which never changes.
var bounds = [...]string{"project_id", "load_balancer_id", "pool_id", "l7policy_id", "rate_limit_policy_id"}

// marked returns what the marker's row has of the keys. It must be part of what the list is of, or else who may see one project's
// rows would learn, from those that come after it, what another's has. In all else it may have changed since it ended a page.
func (q Query) marked(ctx context.Context, db bun.IDB, table string, known attributes, order []sortKey) ([]any, error) {
	at := db.NewSelect().TableExpr(table).Where("? = ?", bun.Safe(known["id"].column), q.Marker)
	for _, f := range q.Filters {
		if column := known[f.Attribute].column; slices.Contains(bounds[:], column) {
			at = at.Where("? IN (?)", bun.Safe(column), bun.List(f.Values))
		}
	}
	for _, k := range order {
		at = at.ColumnExpr(k.column)
	}
	values, into := places(len(order))
	err := at.Scan(ctx, into...)
	if notFound(err) {
		return nil, &BadQuery{Part: "marker", Value: q.Marker}
	}
	return values, err
}

// places makes room for n values, and pointers to them.
func places(n int) (values, into []any) {
	values, into = make([]any, n), make([]any, n)
	for i := range values {
		into[i] = &values[i]
	}
	return values, into
}

// beyond asks for the rows that come after the one with these values. Each key but the last bounds the rest from outside:
// a >= x AND (a > x OR (b >= y AND (b > y OR c > z))), since databases look up a range in an index where AND leads to it,
// and not where OR does.
func (q Query) beyond(sel *bun.SelectQuery, order []sortKey, values []any) *bun.SelectQuery {
	var text strings.Builder
	var args []any
	for i, k := range order {
		comparison := " > ?"
		if k.direction(q.Reverse) == "DESC" {
			comparison = " < ?"
		}
		value := plain(values[i])
		if i < len(order)-1 {
			text.WriteString(k.column + strings.TrimSuffix(comparison, " ?") + "= ? AND (")
			args = append(args, value)
		}
		text.WriteString(k.column + comparison)
		args = append(args, value)
		if i < len(order)-1 {
			text.WriteString(" OR (")
		}
	}
	text.WriteString(strings.Repeat("))", len(order)-1))
	return sel.Where("("+text.String()+")", args...)
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
	switch strings.ToLower(strings.TrimSpace(text)) {
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
