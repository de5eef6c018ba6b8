package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// BigProject is the project of every fiftieth load balancer of Fill; the others share a thousand projects.
const BigProject = "b0000000000000000000000000000000"

// rowsAtOnce bounds how many rows a statement inserts.
const rowsAtOnce = 250

// Fill puts n load balancers into the database of a store, in seconds: it multiplies one that it makes through the store. Every
// third has a listener and a pool. Their provider is noop, and they are bound to a host that is not there, so that
// nothing works on them. They are alike at every call with the same n.
func Fill(t testing.TB, s *store.Store, connection string, n int) {
	t.Helper()
	db, err := open(s.Engine(), connection)
	if err != nil {
		t.Fatalf("open the database to fill it: %v", err)
	}
	defer func() { _ = db.Close() }()
	f := filler{db: db, engine: s.Engine(), rand: rand.New(rand.NewPCG(1, uint64(n)))} //nolint:gosec // alike at every call
	if err := f.fill(context.Background(), s, n); err != nil {
		t.Fatalf("fill %s: %v", s.Engine(), err)
	}
}

type filler struct {
	db     *sql.DB
	engine store.Engine
	rand   *rand.Rand
}

func (f *filler) fill(ctx context.Context, s *store.Store, n int) error {
	lb := sample()
	if err := s.CreateLoadBalancer(ctx, lb); err != nil {
		return err
	}
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	tables := map[string]*table{}
	for name, id := range map[string]string{"load_balancers": lb.ID, "listeners": lb.Listeners[0].ID, "pools": lb.Pools[0].ID} {
		if tables[name], err = f.takeTemplate(ctx, tx, name, id); err != nil {
			return err
		}
	}
	for i := range n - 1 { // and the one that is there
		if err := f.add(ctx, tables, i); err != nil {
			return err
		}
	}
	for _, t := range tables {
		if err := t.flush(ctx); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return f.analyze(ctx, slices.Sorted(maps.Keys(tables)))
}

// sample is the load balancer that is multiplied.
func sample() *lbaas.LoadBalancer {
	lb, l, p := lbaas.NewLoadBalancer(), lbaas.NewListener(), lbaas.NewPool()
	lb.Provider, lb.Host, lb.ProjectID = "noop", "elsewhere", BigProject
	lb.VIPAddress = netip.MustParseAddr("10.0.0.1")
	l.Protocol, l.ProtocolPort = lbaas.HTTP, 80
	p.Protocol, p.Algorithm = lbaas.HTTP, lbaas.RoundRobin
	p.ID = uuid.NewString()
	l.DefaultPoolID = p.ID
	lb.Listeners, lb.Pools = []*lbaas.Listener{l}, []*lbaas.Pool{p}
	return lb
}

// add makes the i-th load balancer. What may be asked for is spread over them: 1 in 100 is in ERROR, 2 wait for an update.
func (f *filler) add(ctx context.Context, tables map[string]*table, i int) error {
	created := int64(1_700_000_000_000_000) + int64(i)*1_000_003
	lb := row{
		"id": f.id(), "project_id": f.project(i), "created_at": created, "updated_at": created,
		"name": fmt.Sprintf("%s-%d", pick(f, "web", "api", "db", "Shop", "mail", "k8s"), f.rand.IntN(40_000)),
		"tags": f.tags(), "admin_state_up": f.rand.IntN(20) > 0, "pending_since": int64(0),
		"generation": int64(3), "observed": int64(3), "operating_status": f.operating(),
		"vip_address": fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), "vip_port_id": f.id(), "vip_subnet_id": f.id(), "vip_network_id": f.id(),
	}
	switch i % 100 {
	case 7:
		lb["failed"], lb["reason"] = true, "no such interface"
	case 8, 9:
		lb["observed"] = int64(2)
	}
	if err := tables["load_balancers"].add(ctx, lb); err != nil || i%3 > 0 {
		return err
	}
	pool := f.id()
	common := row{
		"load_balancer_id": lb["id"], "project_id": lb["project_id"], "created_at": created, "updated_at": created,
		"generation": int64(3), "observed": int64(3), "default_pool_id": pool,
	}
	if err := tables["listeners"].add(ctx, with(common, "id", f.id())); err != nil {
		return err
	}
	return tables["pools"].add(ctx, with(common, "id", pool))
}

func (f *filler) id() string {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(f.rand.Uint32())
	}
	return id.String()
}

func (f *filler) project(i int) string {
	if i%50 == 0 {
		return BigProject
	}
	return fmt.Sprintf("%032x", f.rand.IntN(1000))
}

func (f *filler) tags() string {
	if f.rand.IntN(10) > 0 {
		return ""
	}
	return fmt.Sprintf(`["%s","team-%d"]`, pick(f, "prod", "test"), f.rand.IntN(100))
}

func (f *filler) operating() string {
	return pick(f, "ONLINE", "ONLINE", "ONLINE", "ONLINE", "ONLINE", "ONLINE", "ONLINE", "DEGRADED", "OFFLINE", "ERROR")
}

func pick(f *filler, from ...string) string { return from[f.rand.IntN(len(from))] }

// analyze tells the database what it has. Otherwise it would find out by itself after a while; but for SQLite, which never does.
func (f *filler) analyze(ctx context.Context, tables []string) error {
	statement, ok := map[store.Engine]string{store.PostgreSQL: "VACUUM ANALYZE ", store.MariaDB: "ANALYZE TABLE "}[f.engine]
	if !ok {
		return nil
	}
	for _, name := range tables {
		if _, err := f.db.ExecContext(ctx, statement+name); err != nil {
			return err
		}
	}
	return nil
}

// row is the columns that differ from the template's.
type row map[string]any

func with(r row, column string, value any) row {
	r = maps.Clone(r)
	r[column] = value
	return r
}

// table takes rows that are like one that is there, and inserts some at a time. It knows the columns from that row only,
// so that a new one needs no change here.
type table struct {
	name     string
	tx       *sql.Tx
	engine   store.Engine
	columns  []string
	template []any
	waiting  []any
}

func (f *filler) takeTemplate(ctx context.Context, tx *sql.Tx, name, id string) (*table, error) {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+name+" WHERE id = '"+id+"'")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	t := &table{name: name, tx: tx, engine: f.engine}
	if t.columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	t.template = make([]any, len(t.columns))
	into := make([]any, len(t.columns))
	for i := range into {
		into[i] = &t.template[i]
	}
	if !rows.Next() {
		return nil, fmt.Errorf("%s has no row %s: %w", name, id, rows.Err())
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	for i, value := range t.template {
		if text, ok := value.([]byte); ok {
			t.template[i] = string(text)
		}
	}
	return t, rows.Err()
}

func (t *table) add(ctx context.Context, r row) error {
	for i, column := range t.columns {
		value, ok := r[column]
		if !ok {
			value = t.template[i]
		}
		t.waiting = append(t.waiting, value)
	}
	if len(t.waiting) < rowsAtOnce*len(t.columns) {
		return nil
	}
	return t.flush(ctx)
}

func (t *table) flush(ctx context.Context) error {
	if len(t.waiting) == 0 {
		return nil
	}
	var places []string
	for i := range len(t.waiting) / len(t.columns) {
		places = append(places, "("+t.places(i*len(t.columns))+")")
	}
	_, err := t.tx.ExecContext(ctx, "INSERT INTO "+t.name+" ("+strings.Join(t.columns, ", ")+") VALUES "+strings.Join(places, ", "), t.waiting...)
	t.waiting = t.waiting[:0]
	if err != nil {
		return fmt.Errorf("insert %s: %w", t.name, err)
	}
	return nil
}

// places are the places of a row's values, after those of the rows before.
func (t *table) places(before int) string {
	places := make([]string, len(t.columns))
	for i := range places {
		places[i] = "?"
		if t.engine == store.PostgreSQL {
			places[i] = fmt.Sprintf("$%d", before+i+1)
		}
	}
	return strings.Join(places, ", ")
}
