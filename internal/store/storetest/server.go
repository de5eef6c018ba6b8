package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"plimsoll/internal/store"
)

// Variable names the environment variable that names a server which runs already, as the connection of its administrator; "" for
// SQLite, which needs no server.
func Variable(engine store.Engine) string {
	switch engine {
	case store.PostgreSQL:
		return "PLIMSOLL_TEST_POSTGRESQL"
	case store.MariaDB:
		return "PLIMSOLL_TEST_MARIADB"
	}
	return ""
}

// Server is a database server for tests.
type Server struct {
	Connection string // of its administrator

	engine store.Engine
	admin  *sql.DB
	keeper *keeper // nil when somebody else runs it

	mu   sync.Mutex
	free []string // databases that an earlier test has left, emptied
}

// shared returns the one server of this process.
func shared(engine store.Engine) (*Server, error) {
	if engine == store.PostgreSQL {
		return sharedPostgreSQL()
	}
	return sharedMariaDB()
}

var (
	sharedPostgreSQL = sync.OnceValues(func() (*Server, error) { return find(store.PostgreSQL) })
	sharedMariaDB    = sync.OnceValues(func() (*Server, error) { return find(store.MariaDB) })
)

func find(engine store.Engine) (*Server, error) {
	if connection := os.Getenv(Variable(engine)); connection != "" {
		return connect(engine, connection)
	}
	return Start(engine)
}

// Start starts a server for as long as this process lives, or until Stop. It is asked to come up within a minute.
func Start(engine store.Engine) (*Server, error) {
	recipe := recipes[engine]
	k, err := recipe.start()
	if err != nil {
		return nil, err
	}
	s, err := connect(engine, recipe.connection(k.dir))
	if err != nil {
		k.stop()
		return nil, err
	}
	s.keeper = k
	if err := s.wait(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Stop ends the server and removes all that it left.
func (s *Server) Stop() {
	_ = s.admin.Close()
	if s.keeper != nil {
		s.keeper.stop()
	}
}

func connect(engine store.Engine, connection string) (*Server, error) {
	admin, err := open(engine, connection)
	return &Server{Connection: connection, engine: engine, admin: admin}, err
}

// open opens a connection of the form that store.Open takes.
func open(engine store.Engine, connection string) (*sql.DB, error) {
	switch engine {
	case store.PostgreSQL:
		return sql.Open("pgx", connection)
	case store.SQLite:
		return sql.Open("sqlite", "file:"+strings.TrimPrefix(connection, "sqlite:///")+"?_pragma=busy_timeout(10000)&_txlock=immediate")
	}
	u, err := url.Parse(connection)
	if err != nil {
		return nil, fmt.Errorf("read the connection %q: %w", connection, err)
	}
	c := mysql.NewConfig()
	c.User, c.DBName = u.User.Username(), strings.TrimPrefix(u.Path, "/")
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", u.Host
	if socket := u.Query().Get("unix_socket"); socket != "" {
		c.Net, c.Addr = "unix", socket
	}
	c.Logger = &mysql.NopLogger{} // it would tell of each try while the server comes up
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("read the connection %q: %w", connection, err)
	}
	return sql.OpenDB(connector), nil
}

// wait returns when the server answers.
func (s *Server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := s.admin.PingContext(ctx)
		if err == nil {
			return nil
		}
		if said, ended := s.keeper.ended(); ended {
			return fmt.Errorf("the server ended: %s", said)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w\n%s", err, s.keeper.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// missing tells which programs are not installed, and how to get them.
func missing(programs ...string) error {
	var lacking []string
	for _, p := range programs {
		if _, err := os.Stat(p); err != nil {
			lacking = append(lacking, p)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return errors.New(strings.Join(lacking, ", ") + " not found: `make test-deps` installs what the tests need")
}
