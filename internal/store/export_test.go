package store

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/uptrace/bun"
)

// Statements counts the statements that fn makes the store send. BEGIN and COMMIT count.
func (s *Store) Statements(fn func()) int {
	before := s.Queries()
	fn()
	return s.Queries() - before
}

// Small makes a cursor keep but a few ids at once, and read even the shortest list in pieces.
func (c *Cursor) Small(ids int) *Cursor {
	c.idsAtOnce, c.rowsAtOnce = ids, 0
	return c
}

// Patient tries again what is refused for an address that a port of the network may be leaving.
func (s *Store) Patient(ctx context.Context, networkID string, try func() error) error {
	return s.patient(ctx, &networkID, try)
}

// Meanwhile has do done once, right after the next SELECT that the store reads with.
func (s *Store) Meanwhile(do func()) {
	s.read = &reader{DB: s.read.WithQueryHook(&interruption{do: do})}
}

type interruption struct {
	do   func()
	done atomic.Bool
}

// BeforeQuery does nothing.
func (*interruption) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

// AfterQuery interrupts the reader.
func (i *interruption) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if strings.HasPrefix(e.Query, "SELECT") && i.done.CompareAndSwap(false, true) {
		i.do()
	}
}

// Plans are how SQLite goes about the statements that fn makes the store send, and their sources.
func (s *Store) Plans(t *testing.T, fn func()) []string {
	t.Helper()
	sent := &statements{}
	read := s.read
	s.read = &reader{DB: read.WithQueryHook(sent)}
	fn()
	s.read = read
	var plans []string
	for _, statement := range sent.texts {
		var steps []struct {
			ID, Parent, Notused int
			Detail              string
		}
		if err := read.NewRaw("EXPLAIN QUERY PLAN "+statement).Scan(context.Background(), &steps); err != nil {
			t.Fatal(err)
		}
		var details []string
		for _, step := range steps {
			details = append(details, step.Detail)
		}
		plans = append(plans, strings.Join(details, "; "))
	}
	return plans
}

// statements are those that were sent.
type statements struct{ texts []string }

// BeforeQuery is for bun.
func (s *statements) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	s.texts = append(s.texts, strings.ReplaceAll(e.Query, "?", "??")) // as it goes through bun once more
	return ctx
}

// AfterQuery is for bun.
func (s *statements) AfterQuery(context.Context, *bun.QueryEvent) {}

// Expire makes a lease run out now.
func (s *Store) Expire(t *testing.T, name string) {
	t.Helper()
	if _, err := s.write.NewUpdate().Table("leases").Set("expires_at = 1").Where("name = ?", name).Exec(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// AgeHosts has all hosts be seen last so much earlier.
func (s *Store) AgeHosts(t *testing.T, by time.Duration) {
	t.Helper()
	if _, err := s.write.NewUpdate().Table("hosts").Set("seen_at = seen_at - ?", by.Microseconds()).Where("TRUE").Exec(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// PutRoutersAhead has routers be changed last so much later, as by a server whose clock is ahead.
func (s *Store) PutRoutersAhead(t *testing.T, by time.Duration) {
	t.Helper()
	if _, err := s.write.NewUpdate().Table("routers").Set("updated_at = updated_at + ?", by.Microseconds()).Where("TRUE").Exec(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// MigrateTo makes a database as a release of old had it, and runs statements there.
func MigrateTo(t *testing.T, connection string, version int64, statements ...string) {
	t.Helper()
	s := &Store{hints: newHints()}
	if err := s.connect(connection); err != nil {
		t.Fatal(err)
	}
	files, err := rendered(s.engine)
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goosedialects[s.engine], s.write.DB, files)
	if err != nil {
		t.Fatal(err)
	}
	if version > 0 {
		if _, err := p.UpTo(t.Context(), version); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range statements {
		if _, err := s.write.DB.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Migration returns the statements of the migration of a version, as an engine takes them; none is that there is no such version.
func Migration(t *testing.T, engine Engine, version int) (statements []string) {
	t.Helper()
	files, err := rendered(engine)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, fmt.Sprintf("%05d_*.sql", version))
	if err != nil || len(names) == 0 {
		return nil
	}
	text, err := fs.ReadFile(files, names[0])
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(?m)^\s*--.*$`).ReplaceAllString(string(text), "")
	for _, statement := range strings.Split(code, ";\n") {
		if strings.TrimSpace(statement) != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

// Indexes returns the names of all indexes.
func (s *Store) Indexes(t *testing.T) []string {
	t.Helper()
	query := map[Engine]string{
		SQLite:     "SELECT name FROM sqlite_master WHERE type = 'index'",
		PostgreSQL: "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
		MariaDB:    "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE()",
	}[s.engine]
	var names []string
	if err := s.write.NewRaw(query).Scan(t.Context(), &names); err != nil {
		t.Fatal(err)
	}
	return names
}

// CatchUp waits until this node of a cluster has what others have committed before.
func (s *Store) CatchUp(t *testing.T) {
	t.Helper()
	if s.engine != MariaDB {
		return
	}
	ctx := context.Background()
	c, err := s.write.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, statement := range []string{"SET wsrep_sync_wait = 1", "SELECT COUNT(*) FROM leases", "SET wsrep_sync_wait = 0"} {
		if _, err := c.ExecContext(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Stall begins a transaction that has written a lease, and leaves it at that, as a process does that is frozen.
func (s *Store) Stall(t *testing.T, l Lease) {
	t.Helper()
	tx, err := s.write.BeginTx(context.Background(), nil)
	if err == nil {
		err = s.fence(context.Background(), tx, l)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
}

// Outrun changes a load balancer twice in one transaction, and in between, where meanwhile goes on, reads a row without minding what
// comes after it. It returns how often the transaction began.
func (s *Store) Outrun(t *testing.T, id string, meanwhile func()) (began int) {
	t.Helper()
	var other sync.WaitGroup
	defer other.Wait()
	err := s.change(t.Context(), "store.outrun", func(ctx context.Context, tx bun.Tx) error {
		began++
		_, err := s.bump(tx, now()).Where("id = ?", id).Exec(ctx)
		if err != nil {
			return err
		}
		if began == 1 {
			other.Go(func() {
				time.Sleep(100 * time.Millisecond) // until the row is read
				meanwhile()
			})
			var row int
			if err := tx.NewRaw("SELECT 1 UNION ALL SELECT SLEEP(20)").Scan(ctx, &row); err != nil {
				return err
			}
		}
		_, err = s.bump(tx, now()).Where("id = ?", id).Exec(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return began
}

// Rows counts the rows of a table that belong to a load balancer.
func (s *Store) Rows(t *testing.T, table, loadBalancerID string) int {
	t.Helper()
	n := s.Count(table, loadBalancerID)
	if n < 0 {
		t.Fatalf("%s cannot be counted", table)
	}
	return n
}

// Count is Rows, or -1 when the rows cannot be counted.
func (s *Store) Count(table, loadBalancerID string) int {
	column := "load_balancer_id"
	if table == tableLoadBalancers {
		column = "id"
	}
	n, err := s.read.NewSelect().TableExpr(table).Where(column+" = ?", loadBalancerID).Count(context.Background())
	if err != nil {
		return -1
	}
	return int(n)
}

// Tables are those that hold parts of load balancers.
func Tables() []string {
	return append([]string{tableLoadBalancers, tableStatistics}, childTables[:]...)
}

// QuotaEpoch is how often the quota of a project was relied on or changed; -1 is that there is no row.
func (s *Store) QuotaEpoch(t *testing.T, projectID string) int64 {
	t.Helper()
	epoch := int64(-1)
	err := s.read.NewSelect().Table(tableQuotas).Column("epoch").Where("project_id = ?", projectID).Scan(context.Background(), &epoch)
	if err != nil && !notFound(err) {
		t.Fatal(err)
	}
	return epoch
}
