package store

import (
	"fmt"

	"github.com/uptrace/bun"
)

// Tags asks for rows by their tags. Each list that is not empty has its say.
type Tags struct {
	All    []string // has every one of them
	Any    []string // has one of them
	NotAll []string // has not every one of them
	NotAny []string // has none of them
}

// maxTags bounds the tags in one question: each is a comparison that no index helps, and SQLite takes no more than 1000
// in a row.
const maxTags = 500

func (t Tags) count() int { return len(t.All) + len(t.Any) + len(t.NotAll) + len(t.NotAny) }

// where adds the conditions. The column holds a list as JSON text.
func (t Tags) where(sel *bun.SelectQuery, column string) *bun.SelectQuery {
	for _, tag := range t.All {
		sel = sel.Where("? = 1", hasTag(column, tag))
	}
	for _, tag := range t.NotAny {
		sel = sel.Where("? = 0", hasTag(column, tag))
	}
	if len(t.Any) > 0 {
		sel = sel.WhereGroup(" AND ", func(g *bun.SelectQuery) *bun.SelectQuery {
			for _, tag := range t.Any {
				g = g.WhereOr("? = 1", hasTag(column, tag))
			}
			return g
		})
	}
	if len(t.NotAll) > 0 {
		sel = sel.WhereGroup(" AND ", func(g *bun.SelectQuery) *bun.SelectQuery {
			for _, tag := range t.NotAll {
				g = g.WhereOr("? = 0", hasTag(column, tag))
			}
			return g
		})
	}
	return sel
}

// hasTag is 1 where the list holds the tag. REPLACE compares bytes on all three engines, where LIKE does not on SQLite.
// listText sees to it that the quoted tag is found only where an element is it. Rows of before wrote commas and quotation marks as JSON
// does, and are found by that, too.
func hasTag(column, tag string) any {
	const found = "REPLACE(%s, ?, '') <> %[1]s"
	test, args := fmt.Sprintf(found, column), []any{quoted(tag)}
	if old := jsonText(tag); old != args[0] && tag != "," { // of which every old list with two elements would hold the quoted form
		test, args = test+" OR "+fmt.Sprintf(found, column), append(args, old)
	}
	return bun.SafeQuery("CASE WHEN "+test+" THEN 1 ELSE 0 END", args...)
}
