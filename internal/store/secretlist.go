package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// The columns that lists of secrets and containers are sorted by, by Barbican's names. The status is always the same.
var (
	secretColumns = map[string]string{
		"id": "id", "name": "name", "secret_type": "type", "algorithm": "algorithm", "bit_length": "bit_length", "mode": "mode",
		"expiration": "expires_at", "created": "created_at", "updated": "updated_at", "status": "",
	}
	containerColumns = map[string]string{
		"id": "id", "name": "name", "type": "type", "created": "created_at", "updated": "updated_at", "status": "",
	}
)

// Secrets lists secrets, and says how many there are in all, without the limit and the offset.
func (s *Store) Secrets(ctx context.Context, l keymanager.Listing) (page []*keymanager.Secret, total int, err error) {
	rows, total, err := keyList[secretRow](ctx, s, l, secretColumns, func(sel *bun.SelectQuery) *bun.SelectQuery {
		for _, e := range []struct{ column, value string }{
			{"name", l.Name}, {"algorithm", l.Algorithm}, {"mode", l.Mode}, {"type", string(l.Type)},
		} {
			if e.value != "" {
				sel = sel.Where("? = ?", bun.Ident(e.column), e.value)
			}
		}
		if l.BitLength != 0 {
			sel = sel.Where("bit_length = ?", l.BitLength)
		}
		return within(sel, "expires_at", l.Expiration)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list secrets: %w", err)
	}
	for i := range rows {
		page = append(page, rows[i].domain())
	}
	return page, total, nil
}

// keyList reads the page of a list and counts the whole, both of one state of the database.
func keyList[R any](ctx context.Context, s *Store, l keymanager.Listing, columns map[string]string,
	more func(*bun.SelectQuery) *bun.SelectQuery) (rows []R, total int, err error) {
	err = s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		rows = nil
		sel := within(within(more(readable(tx.NewSelect().Model(&rows), l)), "created_at", l.Created), "updated_at", l.Updated)
		n, err := sel.Count(ctx)
		if err != nil {
			return err
		}
		total = int(n)
		if sel, err = ordered(sel, l.Sort, columns); err != nil {
			return err
		}
		return paged(sel, l).Scan(ctx)
	})
	return rows, total, err
}

// paged adds limit and offset. MariaDB and SQLite take no offset without a limit.
func paged(sel *bun.SelectQuery, l keymanager.Listing) *bun.SelectQuery {
	const all = 1 << 31
	limit := l.Limit
	if limit == 0 {
		limit = all
	}
	return sel.Limit(int64(limit)).Offset(int64(l.Offset))
}

// readable adds whose they are.
func readable(sel *bun.SelectQuery, l keymanager.Listing) *bun.SelectQuery {
	if l.ACLOnly {
		return sel.Where("? = 1", hasTag("acl_users", l.UserID))
	}
	sel = sel.Where("project_id = ?", l.ProjectID)
	if l.All {
		return sel
	}
	return sel.Where("(acl_project = ? OR creator_id = ? OR ? = 1)", true, l.UserID, hasTag("acl_users", l.UserID))
}

var comparisons = map[keymanager.Comparison]string{
	keymanager.Equal: "=", keymanager.Greater: ">", keymanager.GreaterOrEqual: ">=", keymanager.Less: "<", keymanager.LessOrEqual: "<=",
}

// within adds conditions on a time; without one (a secret that never expires) none holds.
func within(sel *bun.SelectQuery, column string, bounds []keymanager.Bound) *bun.SelectQuery {
	for _, b := range bounds {
		sel = sel.Where("? > 0 AND ? ? ?", bun.Ident(column), bun.Ident(column), bun.Safe(comparisons[b.Comparison]), micros(b.Time))
	}
	return sel
}

func ordered(sel *bun.SelectQuery, sort []keymanager.Order, columns map[string]string) (*bun.SelectQuery, error) {
	given := map[string]bool{}
	for _, o := range append(append([]keymanager.Order{}, sort...), keymanager.Order{Key: "created"}, keymanager.Order{Key: "id"}) {
		column, ok := columns[o.Key]
		if !ok {
			return nil, lbaas.Errorf(lbaas.Invalid, "Invalid sort key '%s'.", o.Key)
		}
		if given[column] || column == "" {
			continue
		}
		given[column] = true
		direction := "ASC"
		if o.Descending {
			direction = "DESC"
		}
		sel = sel.OrderExpr("? ?", bun.Ident(column), bun.Safe(direction))
	}
	return sel, nil
}
