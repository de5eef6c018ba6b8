package store

import (
	"strings"

	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
)

// The dialects are bun's, but for text with a NUL, which PostgreSQL cannot keep and for which bun writes a broken statement, or drops
// it: here a NUL is U+FFFD, as bun makes of what is not UTF-8. So no text from outside breaks a statement, and an id with a NUL in
// it is just one that is not there.
type (
	sqlite     struct{ *sqlitedialect.Dialect }
	postgresql struct{ *pgdialect.Dialect }
	mariadb    struct{ *mysqldialect.Dialect }
)

// AppendString quotes a text.
func (d sqlite) AppendString(b []byte, s string) []byte { return d.Dialect.AppendString(b, noNUL(s)) }

// AppendString quotes a text.
func (d postgresql) AppendString(b []byte, s string) []byte {
	return d.Dialect.AppendString(b, noNUL(s))
}

// AppendString quotes a text.
func (d mariadb) AppendString(b []byte, s string) []byte { return d.Dialect.AppendString(b, noNUL(s)) }

func noNUL(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }
