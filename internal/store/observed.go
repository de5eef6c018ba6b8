package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

// Seen is what was observed of one load balancer.
type Seen struct {
	Operating  map[string]lbaas.OperatingStatus // by object id
	Statistics map[string]lbaas.Statistics      // by listener id
}

type statisticsRow struct {
	bun.BaseModel `bun:"table:listener_statistics,alias:listener_statistics"`

	ListenerID        string `bun:"listener_id,pk"`
	LoadBalancerID    string `bun:"load_balancer_id"`
	BytesIn           int64  `bun:"bytes_in"`
	BytesOut          int64  `bun:"bytes_out"`
	ActiveConnections int64  `bun:"active_connections"`
	TotalConnections  int64  `bun:"total_connections"`
	RequestErrors     int64  `bun:"request_errors"`
}

func newStatisticsRow(loadBalancerID, listenerID string, st lbaas.Statistics) statisticsRow {
	return statisticsRow{
		ListenerID: listenerID, LoadBalancerID: loadBalancerID,
		BytesIn: st.BytesIn, BytesOut: st.BytesOut, ActiveConnections: st.ActiveConnections,
		TotalConnections: st.TotalConnections, RequestErrors: st.RequestErrors,
	}
}

func (r *statisticsRow) domain() lbaas.Statistics {
	return lbaas.Statistics{
		BytesIn: r.BytesIn, BytesOut: r.BytesOut, ActiveConnections: r.ActiveConnections,
		TotalConnections: r.TotalConnections, RequestErrors: r.RequestErrors,
	}
}

// Statistics returns what was last observed of a load balancer's listeners, by their ids.
func (s *Store) Statistics(ctx context.Context, loadBalancerID string) (map[string]lbaas.Statistics, error) {
	rows, err := statisticsOf(ctx, s.read, []string{loadBalancerID})
	if err != nil {
		return nil, err
	}
	found := make(map[string]lbaas.Statistics, len(rows))
	for id, r := range rows {
		found[id] = r.domain()
	}
	return found, nil
}

func statisticsOf(ctx context.Context, db bun.IDB, loadBalancerIDs []string) (map[string]statisticsRow, error) {
	found := map[string]statisticsRow{}
	for some := range slices.Chunk(loadBalancerIDs, idChunk) {
		var rows []statisticsRow
		if err := db.NewSelect().Model(&rows).Where("load_balancer_id IN (?)", bun.List(some)).Scan(ctx); err != nil {
			return nil, fmt.Errorf("read statistics: %w", err)
		}
		for _, r := range rows {
			found[r.ListenerID] = r
		}
	}
	return found, nil
}

// Observe records what was seen of many load balancers, by their ids: operating statuses and statistics. It first looks what differs,
// which locks nothing, and writes only that; who sees no difference writes nothing. Ids that are not there are passed over.
func (s *Store) Observe(ctx context.Context, l Lease, seen map[string]Seen) error {
	d, err := s.differences(ctx, seen)
	if err != nil {
		return fmt.Errorf("compare what was observed: %w", err)
	}
	if d.none() {
		return s.held(ctx, l)
	}
	err = s.fenced(ctx, l, "store.observe", func(ctx context.Context, tx bun.Tx) error {
		if err := d.writeStatuses(ctx, tx); err != nil {
			return err
		}
		return d.writeStatistics(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("record what was observed: %w", err)
	}
	return nil
}

// held gives ErrLeaseLost to who has nothing to write but should know.
func (s *Store) held(ctx context.Context, l Lease) error {
	n, err := s.read.NewSelect().TableExpr("leases").
		Where("name = ?", l.Name).Where("holder = ?", l.Holder).Where("epoch = ?", l.Epoch).Count(ctx)
	if err != nil {
		return fmt.Errorf("look at the lease %s: %w", l.Name, err)
	}
	if n == 0 {
		return ErrLeaseLost
	}
	return nil
}

// differences are what has to be written.
type differences struct {
	statuses   map[string]map[lbaas.OperatingStatus][]string // by table, the ids that get a status
	statistics []statisticsRow
}

func (d *differences) none() bool { return len(d.statuses) == 0 && len(d.statistics) == 0 }

func (s *Store) differences(ctx context.Context, seen map[string]Seen) (*differences, error) {
	d := &differences{statuses: map[string]map[lbaas.OperatingStatus][]string{}}
	operating := map[string]lbaas.OperatingStatus{}
	var ids []string
	for id, one := range seen {
		ids = append(ids, id)
		for object, status := range one.Operating {
			operating[object] = status
		}
	}
	slices.Sort(ids)
	if err := d.compareStatuses(ctx, s.read, ids, operating); err != nil {
		return nil, err
	}
	kept, err := statisticsOf(ctx, s.read, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		for listener, st := range seen[id].Statistics {
			if row := newStatisticsRow(id, listener, st); kept[listener] != row {
				d.statistics = append(d.statistics, row)
			}
		}
	}
	return d, nil
}

// compareStatuses asks all tables at once.
func (d *differences) compareStatuses(ctx context.Context, db bun.IDB, loadBalancerIDs []string, seen map[string]lbaas.OperatingStatus) error {
	for some := range slices.Chunk(loadBalancerIDs, idChunk) {
		query := "SELECT id, operating_status, '" + tableLoadBalancers + "' AS kept FROM " + tableLoadBalancers + " WHERE id IN (?0)"
		for _, table := range childTables {
			query += " UNION ALL SELECT id, operating_status, '" + table + "' FROM " + table + " WHERE load_balancer_id IN (?0)"
		}
		var rows []struct{ ID, OperatingStatus, Kept string }
		if err := db.NewRaw(query, bun.List(some)).Scan(ctx, &rows); err != nil {
			return err
		}
		for _, r := range rows {
			if status, ok := seen[r.ID]; ok && string(status) != r.OperatingStatus {
				d.status(r.Kept, status, r.ID)
			}
		}
	}
	return nil
}

func (d *differences) status(table string, status lbaas.OperatingStatus, id string) {
	if d.statuses[table] == nil {
		d.statuses[table] = map[lbaas.OperatingStatus][]string{}
	}
	d.statuses[table][status] = append(d.statuses[table][status], id)
}

func (d *differences) writeStatuses(ctx context.Context, tx bun.Tx) error {
	for _, table := range append([]string{tableLoadBalancers}, childTables[:]...) {
		for status, ids := range d.statuses[table] {
			slices.Sort(ids) // whoever else locks them does so in this order
			for some := range slices.Chunk(ids, idChunk) {
				_, err := tx.NewUpdate().Table(table).Set("operating_status = ?", string(status)).
					Where("id IN (?)", bun.List(some)).Exec(ctx)
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// writeStatistics replaces rows: no statement that the three engines share inserts or updates. Listeners that have vanished since
// they were observed get no row; only a holder of the lease makes them vanish, so none does meanwhile.
func (d *differences) writeStatistics(ctx context.Context, tx bun.Tx) error {
	for some := range slices.Chunk(d.statistics, idChunk) {
		ids := make([]string, len(some))
		for i, r := range some {
			ids[i] = r.ListenerID
		}
		if _, err := tx.NewDelete().Table(tableStatistics).Where("listener_id IN (?)", bun.List(ids)).Exec(ctx); err != nil {
			return err
		}
		var live []string
		if err := tx.NewSelect().TableExpr(tableListeners).Column("id").Where("id IN (?)", bun.List(ids)).Scan(ctx, &live); err != nil {
			return err
		}
		there := make(map[string]bool, len(live))
		for _, id := range live {
			there[id] = true
		}
		rows := slices.DeleteFunc(slices.Clone(some), func(r statisticsRow) bool { return !there[r.ListenerID] })
		if err := insert(ctx, tx, rows); err != nil {
			return err
		}
	}
	return nil
}
