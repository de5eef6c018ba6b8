package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	sqlitedriver "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"plimsoll/internal/failpoint"
)

// attempts bounds how often a transaction that the database refused is tried. With the pauses between them that is two seconds,
// in which many who want one row have their turn even on a Galera cluster, where those who come from different nodes do not queue but
// all but one start anew.
const attempts = 20

// pauseAfter is for how long to wait before a transaction is tried again: a random part of a span that doubles up to a bound, so that
// those who got in each other's way do not do so again.
func pauseAfter(try int) time.Duration {
	const first, longest = 5 * time.Millisecond, 250 * time.Millisecond
	return 1 + rand.N(min(first<<(try-1), longest))
}

// change runs fn in a transaction, and again from the start when the database refused it for a conflict with another
// one. fn must have no effect but through tx. The name is that of the commit's failpoint, "store.<what>".
func (s *Store) change(ctx context.Context, name string, fn func(ctx context.Context, tx bun.Tx) error) error {
	fn = conditional(fn)
	for try := 1; ; try++ {
		err := s.write.RunInTx(ctx, nil, fn)
		if err == nil {
			failpoint.Here(name)
			return nil
		}
		if !retryable(err) || try == attempts {
			return err
		}
		select {
		case <-time.After(pauseAfter(try)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// snapshot runs fn in a transaction that sees one state of the database throughout and writes nothing.
func (s *Store) snapshot(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	opts := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	if s.engine == SQLite {
		opts = nil // a read transaction is a snapshot; the driver knows no isolation levels
	}
	return s.read.RunInTx(ctx, opts, fn)
}

// errAnew makes a transaction start anew, as the database's own refusals do.
var errAnew = errors.New("another transaction was faster")

// retryable tells whether the database refused a transaction for a conflict with another one, so that the same again
// may succeed: deadlocks, serialisation failures, lock time-outs, and Galera's failed certifications.
func retryable(err error) bool {
	if errors.Is(err, errAnew) {
		return true
	}
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		switch my.Number {
		case 1020, 1205, 1213, 1047: // record changed, lock wait, deadlock or certification, node not ready
			return true
		}
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "55P03"
	}
	var lite *sqlitedriver.Error
	if errors.As(err, &lite) {
		code := lite.Code() & 0xff
		return code == sqlitelib.SQLITE_BUSY || code == sqlitelib.SQLITE_LOCKED
	}
	return false
}

// duplicate tells whether a unique key refused the row.
func duplicate(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return my.Number == 1062
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlitedriver.Error
	if errors.As(err, &lite) {
		return lite.Code() == sqlitelib.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// affected returns how many rows a statement matched.
func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("count the changed rows: %w", err)
	}
	return n, nil
}

// micros is how times are kept: microseconds since 1970, UTC, 0 for the zero time. All three engines sort and compare
// them alike.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// notFound tells whether a single row was asked for and is not there.
func notFound(err error) bool { return errors.Is(err, sql.ErrNoRows) }
