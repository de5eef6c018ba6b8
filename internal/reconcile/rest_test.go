package reconcile

import (
	"cmp"
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/noop"
	"plimsoll/internal/statedir"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// BenchmarkRest measures what a process costs that works on a hundred thousand load balancers of a steady provider, each with a
// port of its own, while nothing is asked of it: the share of one core that its loop, its bindings and its
// janitor take.
func BenchmarkRest(b *testing.B) {
	const balancers = 100_000
	connection := "sqlite:///" + filepath.Join(b.TempDir(), "rest.db")
	s, err := store.Open(b.Context(), connection, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	storetest.Fill(b, s, connection, balancers)
	settleAll(b, s, connection)
	dir, err := statedir.Make(filepath.Join(b.TempDir(), "state"), statedir.Current())
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	cfg := config(b, s, nil, s)
	cfg.Providers = map[string]provider.Provider{"noop": noop.New(dir.Folder(noop.Folder)), "fake": newFakeProvider(b)}
	cfg.Shards, cfg.Log = true, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{
		New(cfg).Run,
		NewBindings(BindingsConfig{Store: s, Plugger: idle{}, Host: "h"}).Run,
		NewJanitor(JanitorConfig{Store: s, Networks: s}).Run,
	} {
		running.Go(func() { _ = run(ctx) })
	}
	defer running.Wait()
	defer cancel()
	time.Sleep(15 * time.Second) // leases are taken, and the first looks around are over

	const span = time.Minute
	before := processorTime(b)
	time.Sleep(span)
	b.ReportMetric(100*(processorTime(b)-before).Seconds()/span.Seconds(), "%core")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
}

// idle is a Plugger with nothing to plug.
type idle struct{}

func (idle) Plug(context.Context, *network.PortPlan, string) error { return nil }
func (idle) Unplug(context.Context, string) error                  { return nil }
func (idle) Plugged(context.Context) (map[string]string, error)    { return nil, nil }
func (idle) Watch(ctx context.Context, _ func()) error             { <-ctx.Done(); return nil }

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// settleAll binds the load balancers to no host, has nothing pending, and gives each a VIP port.
func settleAll(b *testing.B, s *store.Store, connection string) {
	b.Helper()
	p := &network.Port{ProjectID: "p", DeviceOwner: network.OwnerLoadBalancer}
	if err := s.BootstrapNetworks(b.Context(), "p"); err != nil {
		b.Fatal(err)
	}
	networks, err := s.Networks(b.Context(), store.Query{})
	if err != nil || len(networks) == 0 {
		b.Fatal(err)
	}
	p.NetworkID = networks[0].ID
	if err := s.CreatePort(b.Context(), p); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", connection[len("sqlite:///"):])
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	list, values := portColumns(b, db)
	for _, text := range []string{
		"UPDATE load_balancers SET host = '', failed = FALSE, reason = '', observed = generation, pending_since = 0, lease_name = 'shard/' || (abs(random()) % 16)",
		"INSERT INTO ports (" + list + ") SELECT " + values + " FROM load_balancers lb, ports p WHERE p.id = '" + p.ID + "'",
		"ANALYZE",
	} {
		if _, err := db.ExecContext(b.Context(), text); err != nil {
			b.Fatalf("%s: %v", text, err)
		}
	}
}

// portColumns are the columns of ports, and what they are to hold for each load balancer lb, like the port p.
func portColumns(b *testing.B, db *sql.DB) (list, values string) {
	b.Helper()
	own := map[string]string{"id": "lb.vip_port_id", "device_id": "'lb-' || lb.id", "mac_address": "lb.id"}
	rows, err := db.QueryContext(b.Context(), "SELECT name FROM pragma_table_info('ports')")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var all, each []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			b.Fatal(err)
		}
		all, each = append(all, name), append(each, cmp.Or(own[name], "p."+name))
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return strings.Join(all, ", "), strings.Join(each, ", ")
}
