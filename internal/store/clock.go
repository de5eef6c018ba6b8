package store

import (
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// clock is the database's clock in microseconds since 1970, as an SQL expression. Leases and ages are judged by it, since
// processes on several hosts do not agree on the time.
func (s *Store) clock() schema.QueryAppender {
	switch s.engine {
	case PostgreSQL:
		// Not now(), which stands still in a transaction and is too early after the wait for a lock.
		return bun.SafeQuery("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)")
	case MariaDB:
		// For the same reason not NOW. The session's time zone is UTC: a local time may come twice in a year.
		return bun.SafeQuery("CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)")
	default:
		return bun.SafeQuery("CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)")
	}
}

// later is the clock in a while.
func (s *Store) later(d time.Duration) schema.QueryAppender {
	return bun.SafeQuery(fmt.Sprintf("? + %d", d.Microseconds()), s.clock())
}
