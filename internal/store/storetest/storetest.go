// Package storetest gives tests the store on every database that it runs on: SQLite, and real PostgreSQL and MariaDB
// servers that are started once, on a socket in a directory of their own, and vanish with the test process however it ends.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"plimsoll/internal/store"
)

// Each runs a test on every database, each time with a fresh, empty store that is closed afterwards.
func Each(t *testing.T, fn func(t *testing.T, s *store.Store)) {
	t.Helper()
	for _, engine := range Engines() {
		t.Run(string(engine), func(t *testing.T) { fn(t, Open(t, engine)) })
	}
}

// EachB is Each for benchmarks.
func EachB(b *testing.B, fn func(b *testing.B, s *store.Store)) {
	b.Helper()
	for _, engine := range Engines() {
		b.Run(string(engine), func(b *testing.B) { fn(b, Open(b, engine)) })
	}
}

// Engines are the databases that the store runs on.
func Engines() []store.Engine {
	return []store.Engine{store.SQLite, store.PostgreSQL, store.MariaDB}
}

// Open returns a fresh, empty store, which is closed and removed at the end of the test.
func Open(t testing.TB, engine store.Engine) *store.Store {
	t.Helper()
	return Reopen(t, Connection(t, engine))
}

// Reopen returns a store on a connection of Connection: two of them are two processes on one database. It is closed at the
// end of the test.
func Reopen(t testing.TB, connection string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), connection, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open a store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// Connection makes a fresh database, which is removed at the end of the test, and returns how store.Open reaches it.
func Connection(t testing.TB, engine store.Engine) string {
	t.Helper()
	if engine == store.SQLite {
		connection := Bare(t, engine)
		if err := os.WriteFile(strings.TrimPrefix(connection, scheme), empty(), 0o600); err != nil {
			t.Fatal(err)
		}
		return connection
	}
	server, err := shared(engine)
	if err != nil {
		t.Fatalf("start %s: %v", engine, err)
	}
	return connectionTo(t, server, server.take, server.give)
}

// Bare is Connection to a database in which no store has been yet: not even the tables are there.
func Bare(t testing.TB, engine store.Engine) string {
	t.Helper()
	if engine == store.SQLite {
		return scheme + filepath.Join(t.TempDir(), "plimsoll.db")
	}
	server, err := shared(engine)
	if err != nil {
		t.Fatalf("start %s: %v", engine, err)
	}
	return connectionTo(t, server, server.create, server.drop)
}

// scheme begins the connections to files of SQLite.
const scheme = "sqlite:///"

// empty is a file of SQLite with its tables: making them takes longer than most tests.
var empty = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "plimsoll-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "empty.db")
	s, err := store.Open(context.Background(), scheme+file, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	if err := s.Close(); err != nil {
		panic(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	return data
})

func connectionTo(t testing.TB, server *Server, take func() (string, error), give func(string) error) string {
	t.Helper()
	name, err := take()
	if err != nil {
		t.Fatalf("make a database on %s: %v", server.engine, err)
	}
	t.Cleanup(func() {
		if err := give(name); err != nil {
			t.Errorf("take a database of %s away: %v", server.engine, err)
		}
	})
	connection, err := server.connection(name)
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

func random() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
