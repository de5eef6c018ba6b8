package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"plimsoll/lbaas"
)

// refusing is a SQLite that refuses to commit, as a Galera node does whose transaction fails certification.
type refusing struct {
	driver.Connector
	err  error
	left *atomic.Int32 // how often it refuses
}

func (r refusing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := r.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return refusingConn{c.(sqliteConn), r}, nil
}

type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnPrepareContext
}

type refusingConn struct {
	sqliteConn
	refusing refusing
}

func (c refusingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, opts)
	return refusingTx{tx, c.refusing}, err
}

type refusingTx struct {
	driver.Tx
	refusing refusing
}

func (t refusingTx) Commit() error {
	if t.refusing.left.Add(-1) >= 0 {
		return errors.Join(t.refusing.err, t.Rollback())
	}
	return t.Tx.Commit()
}

// refusingStore is a store whose next commits fail with err.
func refusingStore(t *testing.T, err error) (*Store, *atomic.Int32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plimsoll.db")
	s, e := Open(context.Background(), "sqlite:///"+path, slog.New(slog.DiscardHandler))
	if e != nil {
		t.Fatal(e)
	}
	t.Cleanup(func() { _ = s.Close() })
	old := s.write
	connector := opener{old.DB.Driver(), "file:" + path + "?_txlock=immediate&_pragma=busy_timeout(10000)"}
	left := new(atomic.Int32)
	db := sql.OpenDB(refusing{connector, err, left})
	db.SetMaxOpenConns(1)
	s.write = bun.NewDB(db, sqlite{sqlitedialect.New()})
	t.Cleanup(func() { _ = old.Close() })
	return s, left
}

// opener makes a connector of a driver that has none.
type opener struct {
	driver driver.Driver
	name   string
}

func (o opener) Connect(context.Context) (driver.Conn, error) { return o.driver.Open(o.name) }

func (o opener) Driver() driver.Driver { return o.driver }

func TestRefusedCommitsStartAnew(t *testing.T) {
	ctx := context.Background()
	for name, err := range map[string]error{
		"certification": &mysql.MySQLError{Number: 1213, Message: "Deadlock found when trying to get lock; try restarting transaction"},
		"lock wait":     &mysql.MySQLError{Number: 1205},
		"snapshot":      &mysql.MySQLError{Number: 1020},
		"not ready":     &mysql.MySQLError{Number: 1047},
		"serialisation": &pgconn.PgError{Code: "40001"},
		"deadlock":      fmt.Errorf("commit: %w", &pgconn.PgError{Code: "40P01"}),
	} {
		t.Run(name, func(t *testing.T) {
			s, refuse := refusingStore(t, err)
			refuse.Store(2)
			lb := &lbaas.LoadBalancer{Host: "h", Pools: []*lbaas.Pool{{Protocol: lbaas.HTTP}}}
			if err := s.CreateLoadBalancer(ctx, lb); err != nil {
				t.Fatal(err)
			}
			refuse.Store(3)
			runs := 0
			member := &lbaas.Member{PoolID: lb.Pools[0].ID, ProtocolPort: 80}
			err := s.ChangeLoadBalancer(ctx, lb.ID, func(c *Change) error {
				if runs++; len(c.LB.Pools[0].Members) != 0 || c.LB.Progress.Generation != 2 {
					t.Errorf("run %d starts with %d members in generation %d", runs, len(c.LB.Pools[0].Members), c.LB.Progress.Generation)
				}
				return c.Put(member)
			})
			if err != nil || runs != 4 || member.Number != 1 {
				t.Errorf("after %d runs: %v, the member has the number %d", runs, err, member.Number)
			}
			refuse.Store(1)
			l, ok, err := s.AcquireLease(ctx, "host/h", "a", time.Minute)
			if !ok || err != nil || l.Epoch != 1 {
				t.Errorf("the lease: %+v, %v, %v", l, ok, err)
			}
			refuse.Store(1)
			if err := s.Achieved(ctx, l, lb.ID, 2, nil, nil); err != nil {
				t.Error(err)
			}
			got, err := s.Tree(ctx, lb.ID)
			if err != nil || got.Progress.Status() != lbaas.Active || len(got.Pools[0].Members) != 1 {
				t.Errorf("in the end: %+v, %v", got, err)
			}
		})
	}
}

func TestOtherErrorsDoNot(t *testing.T) {
	ctx := context.Background()
	for name, err := range map[string]error{
		"disk full":  &mysql.MySQLError{Number: 1021},
		"connection": driver.ErrBadConn,
		"privileges": &pgconn.PgError{Code: "42501"},
	} {
		s, refuse := refusingStore(t, err)
		refuse.Store(1)
		if got := s.CreateLoadBalancer(ctx, &lbaas.LoadBalancer{}); !errors.Is(got, err) {
			t.Errorf("%s: the error is %v", name, got)
		}
	}
}

func TestRetriesEnd(t *testing.T) {
	conflict := &mysql.MySQLError{Number: 1213}
	s, refuse := refusingStore(t, conflict)
	refuse.Store(1 << 30)
	var hints int
	s.OnHint(func(Hint) { hints++ })
	if err := s.CreateLoadBalancer(context.Background(), &lbaas.LoadBalancer{}); !errors.Is(err, conflict) {
		t.Errorf("the error is %v", err)
	}
	if tries := 1<<30 - refuse.Load(); tries != attempts || hints != 0 {
		t.Errorf("%d tries, %d hints", tries, hints)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.CreateLoadBalancer(ctx, &lbaas.LoadBalancer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that has ended gives %v", err)
	}
}

func TestBadConnections(t *testing.T) {
	for _, connection := range []string{
		"", "nonsense", "oracle://x", "sqlite://", "sqlite://relative.db", "postgresql://%zz", "mysql://%zz",
		"sqlite:////no/such/directory/plimsoll.db",
		"postgresql://user:secret@/db?host=/no/such/directory",
		"mysql+pymysql://user:secret@/db?unix_socket=/no/such/socket",
		"mysql+pymysql://user:secret@host/db?ssl_ca=/etc/ca.pem",
	} {
		s, err := Open(context.Background(), connection, slog.New(slog.DiscardHandler))
		if err == nil {
			_ = s.Close()
			t.Errorf("%q opens", connection)
			continue
		}
		if text := err.Error(); strings.Contains(text, "secret") {
			t.Errorf("%q: the error is %q", connection, text)
		}
	}
}
