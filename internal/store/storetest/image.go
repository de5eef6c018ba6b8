package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"plimsoll/internal/store"
)

// Image is what an SQLite database held at one time, kept beside it. It tells what has changed since, and puts it back, all
// from outside the store. It is not for several goroutines at once.
type Image struct {
	t       testing.TB
	conn    *sql.Conn
	tables  []imagedTable
	version int64 // SQLite's own count of what others have committed, when the database was last known to be as it was
	clean   bool  // nothing was found changed when version was read
}

type imagedTable struct {
	name    string
	columns string // but for those that are computed
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
	i := &Image{t: t, conn: conn, clean: true}
	i.exec("PRAGMA synchronous = OFF")
	i.exec("ATTACH DATABASE ':memory:' AS image")
	for _, name := range i.texts("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name") {
		columns := i.texts("SELECT name FROM main.pragma_table_info('" + name + "')")
		i.tables = append(i.tables, imagedTable{name, strings.Join(columns, ", ")})
		i.exec("CREATE TABLE image." + name + " AS SELECT " + strings.Join(columns, ", ") + " FROM main." + name)
	}
	i.version = i.dataVersion()
	return i
}

// Diff tells which rows are there that were not (+), and which are not as they were (-); "" where all is as it was. It costs
// next to nothing while nobody commits anything.
func (i *Image) Diff() string {
	i.t.Helper()
	version := i.dataVersion()
	if i.clean && version == i.version {
		return ""
	}
	var diff strings.Builder
	for _, t := range i.tables {
		for _, side := range [][3]string{{"-", "image.", "main."}, {"+", "main.", "image."}} {
			for _, row := range i.rows(t, side[1], side[2]) {
				fmt.Fprintf(&diff, "%s %s %s\n", side[0], t.name, row)
			}
		}
	}
	i.version, i.clean = version, diff.Len() == 0
	return diff.String()
}

// Touched tells whether anybody has committed anything since it was last asked.
func (i *Image) Touched() bool {
	i.t.Helper()
	was := i.version
	i.version, i.clean = i.dataVersion(), false
	return was != i.version
}

// Restore makes the database what it was.
func (i *Image) Restore() {
	i.t.Helper()
	i.exec("BEGIN IMMEDIATE")
	for _, t := range i.tables {
		if len(i.rows(t, "main.", "image."))+len(i.rows(t, "image.", "main.")) > 0 {
			i.exec("DELETE FROM main." + t.name)
			i.exec("INSERT INTO main." + t.name + " (" + t.columns + ") SELECT " + t.columns + " FROM image." + t.name)
		}
	}
	i.exec("COMMIT")
	i.version, i.clean = i.dataVersion(), true
}

// dataVersion changes whenever another connection has committed.
func (i *Image) dataVersion() (version int64) {
	i.t.Helper()
	if err := i.conn.QueryRowContext(context.Background(), "PRAGMA main.data_version").Scan(&version); err != nil {
		i.t.Fatalf("ask what was committed: %v", err)
	}
	return version
}

// rows are those of a table that stand in one database and not in the other, as text.
func (i *Image) rows(t imagedTable, in, notIn string) []string {
	i.t.Helper()
	columns := strings.Split(t.columns, ", ")
	texts := make([]string, len(columns))
	for n, c := range columns {
		texts[n] = "'" + c + "=' || quote(" + c + ")"
	}
	return i.texts("SELECT " + strings.Join(texts, " || ' ' || ") + " FROM (SELECT " + t.columns + " FROM " + in + t.name +
		" EXCEPT SELECT " + t.columns + " FROM " + notIn + t.name + ")")
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

func (i *Image) exec(statement string) {
	i.t.Helper()
	if _, err := i.conn.ExecContext(context.Background(), statement); err != nil {
		i.t.Fatalf("%s: %v", statement, err)
	}
}
