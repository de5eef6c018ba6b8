// Package store keeps what is wanted and what was achieved in one SQL schema, on SQLite, PostgreSQL or MariaDB/Galera.
// Coordination is writes of rows: compare-and-set, judged by the database's clock, or, where there is nothing to compare, a write that
// others make, too, so that one comes after the other (hold). Nothing else is relied on.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// Engine is a kind of database.
type Engine string

// The engines that the schema runs on.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgresql"
	MariaDB    Engine = "mariadb"
)

// Store is the database. All methods may be called concurrently.
type Store struct {
	engine Engine
	write  *bun.DB // on SQLite a single connection, since it has a single writer
	read   *reader
	hints  *hints
	log    *slog.Logger

	identityEpoch atomic.Uint64 // see IdentityEpoch
	quotaDefaults map[lbaas.Noun]int
	segments      network.Segments

	networkDefaults map[string]int
	vipGroups       func(provider string) bool // see SetVIPGroups
	key             []byte                     // see SetKey
}

// Open connects to the database that connection names and brings its schema up to date. The form is that of
// [database] connection: sqlite:////path, postgresql://user:password@host/name or mysql+pymysql://user:password@host/name;
// on a Unix socket postgresql://user@/name?host=/directory or mysql+pymysql://user@/name?unix_socket=/path.
func Open(ctx context.Context, connection string, log *slog.Logger) (*Store, error) {
	s := &Store{hints: newHints(), log: log}
	if err := s.connect(connection); err != nil {
		return nil, err
	}
	if err := s.write.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("reach the database: %w", err), s.Close())
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bring the schema up to date: %w", err), s.Close())
	}
	return s, nil
}

// Close releases the connections.
func (s *Store) Close() error {
	if s.read.DB == s.write {
		return s.write.Close()
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.read.ExecContext(ctx, "SELECT 1")
	return err
}

// Queries is how many statements were sent to the database so far.
func (s *Store) Queries() int {
	n := int(s.read.DBStats().Queries) + int(s.read.sent.Load())
	if s.read.DB != s.write {
		n += int(s.write.DBStats().Queries)
	}
	return n
}

// Engine tells which database it is.
func (s *Store) Engine() Engine { return s.engine }

func (s *Store) connect(connection string) error {
	scheme, rest, ok := strings.Cut(connection, "://")
	if !ok {
		return fmt.Errorf("database connection %q has no scheme: want sqlite:////path, postgresql:// or mysql+pymysql://", scheme)
	}
	switch dialect, _, _ := strings.Cut(scheme, "+"); dialect {
	case "sqlite":
		return s.connectSQLite(strings.TrimPrefix(rest, "/"))
	case "postgresql", "postgres":
		return s.connectPostgreSQL("postgres://" + rest)
	case "mysql", "mariadb":
		return s.connectMariaDB("mysql://" + rest)
	}
	return fmt.Errorf("database connection has the scheme %q: want sqlite, postgresql or mysql", scheme)
}

func (s *Store) connectSQLite(path string) error {
	if path == "" || !filepath.IsAbs(path) {
		return fmt.Errorf("sqlite needs an absolute path: sqlite:////var/lib/plimsoll/plimsoll.db")
	}
	const pragmas = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas
	w, err := sql.Open("sqlite", dsn+"&_txlock=immediate")
	if err != nil {
		return err
	}
	w.SetMaxOpenConns(1)
	r, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		return errors.Join(err, w.Close())
	}
	r.SetMaxOpenConns(8)
	r.SetMaxIdleConns(8)
	s.engine = SQLite
	s.write, s.read = bun.NewDB(w, sqlite{sqlitedialect.New()}), &reader{DB: bun.NewDB(r, sqlite{sqlitedialect.New()}), keeps: true}
	return nil
}

// idle is after how many seconds a server ends the transaction of a process that has stopped in the middle of it (a virtual machine that
// was frozen, a host that is cut off). It holds locks, on its leases too, and would keep others from taking over. Ours never
// wait for anything but the server.
const idle = 10

func (s *Store) connectPostgreSQL(dsn string) error {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return errors.New("database connection cannot be read as a PostgreSQL URL") // err holds the password
	}
	// Values stand in the text of our statements, so that hardly two are alike: preparing them would cost a round trip each.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	s.engine = PostgreSQL
	// Not a parameter of the connection's start, which poolers in between may refuse.
	impatient := stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, fmt.Sprintf("SET idle_in_transaction_session_timeout = '%ds'", idle))
		return err
	})
	s.share(bun.NewDB(pool(stdlib.OpenDB(*c, impatient)), postgresql{pgdialect.New()}))
	return nil
}

func (s *Store) connectMariaDB(dsn string) error {
	u, err := url.Parse(dsn)
	if err != nil {
		return errors.New("database connection cannot be read as a MariaDB URL") // err holds the password
	}
	for name := range u.Query() {
		// charset, which OpenStack's connections have, is always utf8mb4. Others must not be passed over: one may ask for TLS.
		if name != "unix_socket" && name != "charset" {
			return fmt.Errorf("database connection has the option %q: MariaDB takes unix_socket and charset", name)
		}
	}
	c := mysql.NewConfig()
	c.Timeout = 10 * time.Second // to connect
	c.User, c.Net, c.Addr, c.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	c.Passwd, _ = u.User.Password()
	if socket := u.Query().Get("unix_socket"); socket != "" {
		c.Net, c.Addr = "unix", socket
	} else if u.Port() == "" {
		c.Addr = u.Hostname() + ":3306"
	}
	c.ClientFoundRows = true // a compare-and-set that changes nothing has still matched
	c.InterpolateParams = true
	c.Collation = "utf8mb4_bin"
	c.Params = map[string]string{
		// Not NO_BACKSLASH_ESCAPES: bun writes a backslash twice.
		"sql_mode":                 "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
		"time_zone":                "'+00:00'",
		"tx_isolation":             "'READ-COMMITTED'", // MariaDB before 11.1 knows only this name
		"innodb_lock_wait_timeout": "10",
		"idle_transaction_timeout": strconv.Itoa(idle),
		"default_storage_engine":   "InnoDB",
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return fmt.Errorf("database connection: %w", err)
	}
	s.engine = MariaDB
	s.share(bun.NewDB(pool(sql.OpenDB(strict{connector})), mariadb{mysqldialect.New()}))
	return nil
}

func (s *Store) share(db *bun.DB) { s.read, s.write = &reader{DB: db}, db }

func pool(db *sql.DB) *sql.DB {
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(10)
	db.SetConnMaxLifetime(30 * time.Minute)
	return db
}
