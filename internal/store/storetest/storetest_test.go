package storetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

func TestEach(t *testing.T) {
	var seen []store.Engine
	Each(t, func(t *testing.T, s *store.Store) { seen = append(seen, s.Engine()) })
	if diff := cmp.Diff(Engines(), seen); diff != "" {
		t.Errorf("the test ran on (-want +got):\n%s", diff)
	}
}

// TestMigrationsInsertNothing is what databases being used again relies on.
func TestMigrationsInsertNothing(t *testing.T) {
	server, err := shared(store.PostgreSQL)
	if err != nil {
		t.Fatal(err)
	}
	connection := Connection(t, store.PostgreSQL)
	Reopen(t, connection)
	db, err := open(store.PostgreSQL, connection)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables, err := server.tables(db)
	if err != nil || len(tables) < 10 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
}

func TestUsedAgainIsEmpty(t *testing.T) {
	for range 2 {
		Each(t, func(t *testing.T, s *store.Store) {
			ctx := context.Background()
			lbs, err := s.LoadBalancers(ctx, store.Query{})
			if err != nil || len(lbs) != 0 {
				t.Errorf("a fresh store has %d load balancers, %v", len(lbs), err)
			}
			if err := s.CreateLoadBalancer(ctx, lbaas.NewLoadBalancer()); err != nil {
				t.Error(err)
			}
		})
	}
}

const childVariable = "PLIMSOLL_STORETEST_CHILD"

// TestKilled kills a test process that has started both servers, and looks for what is left of them.
func TestKilled(t *testing.T) {
	if file := os.Getenv(childVariable); file != "" {
		startAndTell(t, file)
		select {} // until killed
	}
	file := filepath.Join(t.TempDir(), "directories")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	child.Env = append(os.Environ(), childVariable+"="+file)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var dirs []byte
	eventually(t, "the servers start", func() bool {
		dirs, _ = os.ReadFile(file)
		return len(dirs) > 0
	})
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	for _, dir := range strings.Fields(string(dirs)) {
		eventually(t, dir+" goes", func() bool {
			_, err := os.Stat(dir)
			return os.IsNotExist(err) && !named(t, dir)
		})
	}
}

func startAndTell(t *testing.T, file string) {
	var dirs []string
	for _, engine := range []store.Engine{store.PostgreSQL, store.MariaDB} {
		s, err := Start(engine)
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, s.keeper.dir)
	}
	if err := os.WriteFile(file+"~", []byte(strings.Join(dirs, " ")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		t.Fatal(err)
	}
}

// named tells whether a process names a directory in its arguments.
func named(t *testing.T, dir string) bool {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && strings.Contains(string(text), dir) {
			return true
		}
	}
	return false
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestMissingServersFail(t *testing.T) {
	want := "/no/such/program not found: `make test-deps` installs what the tests need"
	if err := missing(os.Args[0], "/no/such/program"); err == nil || err.Error() != want {
		t.Errorf("a server that is not installed gives %v, want %s", err, want)
	}
	if err := missing(os.Args[0]); err != nil {
		t.Errorf("a server that is installed gives %v", err)
	}
}
