package store

import (
	"bytes"
	"context"
	"embed"
	"io/fs"
	"math/rand/v2"
	"testing/fstest"
	"text/template"
	"time"

	"github.com/pressly/goose/v3"
)

// The migrations are written once, in the SQL that the three engines share. {{.Table}} ends each CREATE TABLE, since
// MariaDB must be told to compare text byte by byte, trailing spaces included. {{.Text}} is text that may be longer than
// MariaDB's TEXT of 64 KiB. MariaDB commits after each statement, so each must do no harm when it is repeated after a crash:
// IF NOT EXISTS, and {{.AddColumn}} for ADD COLUMN IF NOT EXISTS, which SQLite does not know and, since there a migration is one
// transaction, does not need. A released file is never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

var goosedialects = map[Engine]goose.Dialect{
	SQLite:     goose.DialectSQLite3,
	PostgreSQL: goose.DialectPostgres,
	MariaDB:    goose.DialectMySQL,
}

// migrations of several servers that start together get in each other's way, since a lock that Galera honours too is not to be
// had; so whoever fails looks again whether the others have done it.
const migrateTries = 10

func (s *Store) migrate(ctx context.Context) error {
	for try := 1; ; try++ {
		err := s.migrateOnce(ctx)
		if err == nil || s.engine == SQLite || try == migrateTries {
			return err
		}
		select {
		case <-time.After(time.Duration(50+rand.IntN(100*try)) * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *Store) migrateOnce(ctx context.Context) error {
	files, err := rendered(s.engine)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goosedialects[s.engine], s.write.DB, files)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// rendered returns the migrations as one engine takes them.
func rendered(engine Engine) (fs.FS, error) {
	words := map[string]string{"Table": "", "Text": "TEXT", "AddColumn": "ADD COLUMN IF NOT EXISTS"}
	if engine == SQLite {
		words["AddColumn"] = "ADD COLUMN"
	}
	if engine == MariaDB {
		words["Table"] = "ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
		words["Text"] = "MEDIUMTEXT"
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	out := fstest.MapFS{}
	for _, name := range names {
		t, err := template.ParseFS(migrations, name)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, words); err != nil {
			return nil, err
		}
		out[name[len("migrations/"):]] = &fstest.MapFile{Data: b.Bytes()}
	}
	return out, nil
}
