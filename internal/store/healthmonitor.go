package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type healthMonitorRow struct {
	bun.BaseModel `bun:"table:health_monitors,alias:health_monitors"`
	objectRow

	LoadBalancerID string `bun:"load_balancer_id"`
	PoolID         string `bun:"pool_id"`
	Live           int64  `bun:"live,nullzero"`
	Type           string `bun:"type"`
	Delay          int64  `bun:"delay"`
	Timeout        int64  `bun:"timeout"`
	MaxRetries     int64  `bun:"max_retries"`
	MaxRetriesDown int64  `bun:"max_retries_down"`
	HTTPMethod     string `bun:"http_method"`
	URLPath        string `bun:"url_path"`
	ExpectedCodes  string `bun:"expected_codes"`
	HTTPVersion    string `bun:"http_version"`
	DomainName     string `bun:"domain_name"`
}

func newHealthMonitorRow(h *lbaas.HealthMonitor) healthMonitorRow {
	return healthMonitorRow{
		objectRow:      newObjectRow(&h.Object),
		LoadBalancerID: h.LoadBalancerID, PoolID: h.PoolID, Live: 1,
		Type: string(h.Type), Delay: int64(h.Delay), Timeout: int64(h.Timeout),
		MaxRetries: int64(h.MaxRetries), MaxRetriesDown: int64(h.MaxRetriesDown),
		HTTPMethod: h.HTTPMethod, URLPath: h.URLPath, ExpectedCodes: h.ExpectedCodes,
		HTTPVersion: h.HTTPVersion, DomainName: h.DomainName,
	}
}

func (r *healthMonitorRow) domain() *lbaas.HealthMonitor {
	return &lbaas.HealthMonitor{
		Object:         r.objectRow.domain(),
		LoadBalancerID: r.LoadBalancerID, PoolID: r.PoolID,
		Type: lbaas.MonitorType(r.Type), Delay: int(r.Delay), Timeout: int(r.Timeout),
		MaxRetries: int(r.MaxRetries), MaxRetriesDown: int(r.MaxRetriesDown),
		HTTPMethod: r.HTTPMethod, URLPath: r.URLPath, ExpectedCodes: r.ExpectedCodes,
		HTTPVersion: r.HTTPVersion, DomainName: r.DomainName,
	}
}

// same tells whether both rows say the same of the object, whatever its progress.
func (r healthMonitorRow) same(o healthMonitorRow) bool {
	r.objectRow, o.objectRow = r.settled(), o.settled()
	return r == o
}

var healthMonitorAttributes = objectAttributes(attributes{
	"loadbalancer_id":  {column: "load_balancer_id"},
	"pool_id":          {column: "pool_id"},
	"type":             {column: "type"},
	"delay":            {column: "delay", value: integer},
	"timeout":          {column: "timeout", value: integer},
	"max_retries":      {column: "max_retries", value: integer},
	"max_retries_down": {column: "max_retries_down", value: integer},
	"http_method":      {column: "http_method"},
	"url_path":         {column: "url_path"},
	"expected_codes":   {column: "expected_codes"},
	"http_version":     {column: "http_version"},
	"domain_name":      {column: "domain_name"},
})

// HealthMonitor returns one health monitor, also while it is wanted deleted, until it is gone.
func (s *Store) HealthMonitor(ctx context.Context, id string) (*lbaas.HealthMonitor, error) {
	row, err := one[healthMonitorRow](ctx, s.read, lbaas.NounHealthMonitor, id)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// HealthMonitors returns those that a query asks for.
func (s *Store) HealthMonitors(ctx context.Context, q Query) ([]*lbaas.HealthMonitor, error) {
	rows, err := list[healthMonitorRow](ctx, s.read, q, tableHealthMonitors, healthMonitorAttributes)
	if err != nil {
		return nil, fmt.Errorf("list health monitors: %w", err)
	}
	monitors := make([]*lbaas.HealthMonitor, len(rows))
	for i := range rows {
		monitors[i] = rows[i].domain()
	}
	return monitors, nil
}
