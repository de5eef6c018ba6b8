package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plimsoll/lbaas"
)

// A Group counts the load balancers of a provider that have a status.
type Group struct {
	Provider  string                `bun:"provider"`
	Operating lbaas.OperatingStatus `bun:"operating_status"`
	Count     int                   `bun:"count"`
}

// Groups counts all load balancers.
func (s *Store) Groups(ctx context.Context) (groups []Group, err error) {
	err = s.read.NewSelect().TableExpr(tableLoadBalancers).ColumnExpr("provider, operating_status, COUNT(*) AS count").
		GroupExpr("provider, operating_status").OrderExpr("provider, operating_status").Scan(ctx, &groups)
	if err != nil {
		return nil, fmt.Errorf("count load balancers: %w", err)
	}
	return groups, nil
}

// Backlog counts the load balancers that are pending, and tells for how long the first of them has been, by the database's clock.
func (s *Store) Backlog(ctx context.Context) (n int, oldest time.Duration, err error) {
	var since, now int64
	err = s.read.NewSelect().TableExpr(tableLoadBalancers).ColumnExpr("COUNT(*), COALESCE(MIN(pending_since), 0), ? AS now", s.clock()).
		Where("pending_since > 0").Scan(ctx, &n, &since, &now)
	if err != nil {
		return 0, 0, fmt.Errorf("count pending load balancers: %w", err)
	}
	if n == 0 {
		return 0, 0, nil
	}
	return n, max(0, time.Duration(now-since)*time.Microsecond), nil
}

// A Summary is a load balancer in short: whose it is, its statuses, and the sum of its listeners' statistics.
type Summary struct {
	ID, ProjectID string
	Provisioning  lbaas.ProvisioningStatus
	Operating     lbaas.OperatingStatus
	Statistics    lbaas.Statistics
}

// Summaries are those of the oldest load balancers, so many at most.
func (s *Store) Summaries(ctx context.Context, most int64) ([]Summary, error) {
	var rows []objectRow
	err := s.read.NewSelect().TableExpr(tableLoadBalancers).
		Column("id", "project_id", "generation", "observed", "deleted", "failed", "operating_status").
		OrderExpr("created_at, id").Limit(most).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("list load balancers in short: %w", err)
	}
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	statistics, err := statisticsOf(ctx, s.read, ids)
	if err != nil {
		return nil, err
	}
	sums := map[string]lbaas.Statistics{}
	for _, one := range statistics {
		sums[one.LoadBalancerID] = added(sums[one.LoadBalancerID], one.domain())
	}
	all := make([]Summary, len(rows))
	for i := range rows {
		r := &rows[i]
		all[i] = Summary{r.ID, r.ProjectID, r.progress().Status(), lbaas.OperatingStatus(r.OperatingStatus), sums[r.ID]}
	}
	return all, nil
}

func added(a, b lbaas.Statistics) lbaas.Statistics {
	return lbaas.Statistics{
		BytesIn: a.BytesIn + b.BytesIn, BytesOut: a.BytesOut + b.BytesOut, ActiveConnections: a.ActiveConnections + b.ActiveConnections,
		TotalConnections: a.TotalConnections + b.TotalConnections, RequestErrors: a.RequestErrors + b.RequestErrors,
	}
}

// Pool is how the connections to the database are used.
type Pool struct {
	InUse, Idle int
	Waits       int64         // for a connection, so far
	Waited      time.Duration // altogether
}

// Connections tells how the connections to the database are used.
func (s *Store) Connections() Pool {
	p := pooled(s.read.Stats())
	if s.read.DB != s.write {
		w := pooled(s.write.Stats())
		p = Pool{p.InUse + w.InUse, p.Idle + w.Idle, p.Waits + w.Waits, p.Waited + w.Waited}
	}
	return p
}

func pooled(st sql.DBStats) Pool { return Pool{st.InUse, st.Idle, st.WaitCount, st.WaitDuration} }
