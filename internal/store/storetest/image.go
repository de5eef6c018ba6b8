package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/store"
)

// Image is what an SQLite database held at one time, kept beside it. It tells what has changed since, and puts it back, all
// from outside the store. It is not for several goroutines at once.
type Image struct {
	t       testing.TB // of the test that looks
	conn    *sql.Conn
	tables  []imagedTable
	all     *sql.Stmt // every row of every table, as text
	rows    map[string]map[string]bool
	version int64    // SQLite's own count of what others have committed, when changed was found
	changed []string // the tables that were not as they were then
	diff    string
}

// imagedTable is a table of which there is an image.
type imagedTable struct {
	name        string
	empty, fill *sql.Stmt
}

// TakeImage takes an image of a database that Connection has made for SQLite and a store has opened.
func TakeImage(t testing.TB, connection string) *Image {
	t.Helper()
	db, err := open(store.SQLite, connection)
	if err != nil {
		t.Fatalf("open the database to take an image: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatalf("reach the database to take an image: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	i := &Image{t: t, conn: conn}
	i.exec("PRAGMA synchronous = OFF")
	i.exec("ATTACH DATABASE ':memory:' AS image")
	var selects []string
	for _, name := range i.texts("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name") {
		selects = append(selects, i.keep(name))
	}
	i.all = i.prepare(strings.Join(selects, " UNION ALL "))
	i.version, i.rows = i.dataVersion(), i.read()
	return i
}

// keep copies a table, and returns the query that reads it as text.
func (i *Image) keep(name string) string {
	columns := i.texts("SELECT name FROM main.pragma_table_info('" + name + "')")
	list := strings.Join(columns, ", ")
	i.exec("CREATE TABLE image." + name + " AS SELECT " + list + " FROM main." + name)
	i.tables = append(i.tables, imagedTable{
		name: name, empty: i.prepare("DELETE FROM main." + name),
		fill: i.prepare("INSERT INTO main." + name + " (" + list + ") SELECT " + list + " FROM image." + name),
	})
	for n, c := range columns {
		columns[n] = "' " + c + "=' || quote(" + c + ")"
	}
	return "SELECT '" + name + "', " + strings.Join(columns, " || ") + " FROM main." + name
}

// Diff tells which rows are there that were not (+), and which are not as they were (-); "" where all is as it was. It costs
// next to nothing while nobody commits anything.
func (i *Image) Diff(t testing.TB) string {
	t.Helper()
	i.t = t
	version := i.dataVersion()
	if version != i.version {
		i.compare()
		i.version = version
	}
	return i.diff
}

// compare finds what has changed.
func (i *Image) compare() {
	i.t.Helper()
	now := i.read()
	var diff strings.Builder
	i.changed = nil
	for _, t := range i.tables {
		before := diff.Len()
		for _, row := range slices.Sorted(maps.Keys(i.rows[t.name])) {
			if !now[t.name][row] {
				fmt.Fprintf(&diff, "- %s%s\n", t.name, row)
			}
		}
		for _, row := range slices.Sorted(maps.Keys(now[t.name])) {
			if !i.rows[t.name][row] {
				fmt.Fprintf(&diff, "+ %s%s\n", t.name, row)
			}
		}
		if diff.Len() > before {
			i.changed = append(i.changed, t.name)
		}
	}
	i.diff = diff.String()
}

// Restore makes the database what it was.
func (i *Image) Restore(t testing.TB) {
	t.Helper()
	if i.Diff(t) == "" {
		return
	}
	i.exec("BEGIN IMMEDIATE")
	for _, t := range i.tables {
		if slices.Contains(i.changed, t.name) {
			i.do(t.empty)
			i.do(t.fill)
		}
	}
	i.exec("COMMIT")
	i.version, i.diff = i.dataVersion(), ""
}

// Committed is a number that changes whenever somebody else has committed something.
func (i *Image) Committed(t testing.TB) int64 {
	t.Helper()
	i.t = t
	return i.dataVersion()
}

func (i *Image) dataVersion() (version int64) {
	i.t.Helper()
	if err := i.conn.QueryRowContext(context.Background(), "PRAGMA main.data_version").Scan(&version); err != nil {
		i.t.Fatalf("ask what was committed: %v", err)
	}
	return version
}

// read returns the rows of all tables.
func (i *Image) read() map[string]map[string]bool {
	i.t.Helper()
	rows, err := i.all.QueryContext(context.Background())
	if err != nil {
		i.t.Fatalf("read all tables: %v", err)
	}
	defer rows.Close()
	all := map[string]map[string]bool{}
	for rows.Next() {
		var table, row string
		if err := rows.Scan(&table, &row); err != nil {
			i.t.Fatalf("read all tables: %v", err)
		}
		if all[table] == nil {
			all[table] = map[string]bool{}
		}
		all[table][row] = true
	}
	if err := rows.Err(); err != nil {
		i.t.Fatalf("read all tables: %v", err)
	}
	return all
}

func (i *Image) texts(query string) []string {
	i.t.Helper()
	rows, err := i.conn.QueryContext(context.Background(), query)
	if err != nil {
		i.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			i.t.Fatalf("%s: %v", query, err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		i.t.Fatalf("%s: %v", query, err)
	}
	return all
}

func (i *Image) prepare(query string) *sql.Stmt {
	i.t.Helper()
	s, err := i.conn.PrepareContext(context.Background(), query)
	if err != nil {
		i.t.Fatalf("%s: %v", query, err)
	}
	return s // which goes with the connection
}

func (i *Image) do(s *sql.Stmt) {
	i.t.Helper()
	if _, err := s.ExecContext(context.Background()); err != nil {
		i.t.Fatalf("put the database back: %v", err)
	}
}

func (i *Image) exec(statement string) {
	i.t.Helper()
	if _, err := i.conn.ExecContext(context.Background(), statement); err != nil {
		i.t.Fatalf("%s: %v", statement, err)
	}
}
