package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type poolRow struct {
	bun.BaseModel `bun:"table:pools,alias:pools"`
	objectRow

	LoadBalancerID         string `bun:"load_balancer_id"`
	Protocol               string `bun:"protocol"`
	Algorithm              string `bun:"lb_algorithm"`
	PersistenceType        string `bun:"persistence_type"`
	PersistenceCookie      string `bun:"persistence_cookie"`
	PersistenceTimeout     int64  `bun:"persistence_timeout"`
	PersistenceGranularity string `bun:"persistence_granularity"`
	TLSEnabled             bool   `bun:"tls_enabled"`
	TLSContainerRef        string `bun:"tls_container_ref"`
	CATLSContainerRef      string `bun:"ca_tls_container_ref"`
	CRLContainerRef        string `bun:"crl_container_ref"`
	TLSCiphers             string `bun:"tls_ciphers"`
	TLSVersions            string `bun:"tls_versions"`
	ALPNProtocols          string `bun:"alpn_protocols"`
	LastNumber             int64  `bun:"last_number,skipupdate"`
}

func newPoolRow(p *lbaas.Pool) poolRow {
	r := poolRow{
		objectRow:      newObjectRow(&p.Object),
		LoadBalancerID: p.LoadBalancerID, Protocol: string(p.Protocol), Algorithm: string(p.Algorithm),
		PersistenceTimeout: noNumber,
		TLSEnabled:         p.TLSEnabled, TLSContainerRef: p.TLSContainerRef,
		CATLSContainerRef: p.CATLSContainerRef, CRLContainerRef: p.CRLContainerRef,
		TLSCiphers: p.TLSCiphers, TLSVersions: listText(p.TLSVersions), ALPNProtocols: listText(p.ALPNProtocols),
	}
	if sp := p.SessionPersistence; sp != nil {
		r.PersistenceType, r.PersistenceCookie = string(sp.Type), sp.CookieName
		r.PersistenceTimeout, r.PersistenceGranularity = numberOrNone(sp.PersistenceTimeout), sp.PersistenceGranularity
	}
	return r
}

func (r *poolRow) domain() *lbaas.Pool {
	return &lbaas.Pool{
		Object:         r.objectRow.domain(),
		LoadBalancerID: r.LoadBalancerID, Protocol: lbaas.Protocol(r.Protocol), Algorithm: lbaas.Algorithm(r.Algorithm),
		SessionPersistence: r.persistence(),
		TLSEnabled:         r.TLSEnabled, TLSContainerRef: r.TLSContainerRef,
		CATLSContainerRef: r.CATLSContainerRef, CRLContainerRef: r.CRLContainerRef,
		TLSCiphers: r.TLSCiphers, TLSVersions: textList(r.TLSVersions), ALPNProtocols: textList(r.ALPNProtocols),
	}
}

func (r *poolRow) persistence() *lbaas.SessionPersistence {
	if r.PersistenceType == "" {
		return nil
	}
	return &lbaas.SessionPersistence{
		Type: lbaas.PersistenceType(r.PersistenceType), CookieName: r.PersistenceCookie,
		PersistenceTimeout: noneOrNumber(r.PersistenceTimeout), PersistenceGranularity: r.PersistenceGranularity,
	}
}

// same tells whether both rows say the same of the object, whatever its progress.
func (r poolRow) same(o poolRow) bool {
	r.objectRow, o.objectRow = r.settled(), o.settled()
	r.LastNumber, o.LastNumber = 0, 0
	return r == o
}

var poolAttributes = objectAttributes(attributes{
	"loadbalancer_id":      {column: "load_balancer_id"},
	"protocol":             {column: "protocol"},
	"lb_algorithm":         {column: "lb_algorithm"},
	"tls_enabled":          {column: "tls_enabled", value: boolean},
	"tls_container_ref":    {column: "tls_container_ref"},
	"ca_tls_container_ref": {column: "ca_tls_container_ref"},
	"crl_container_ref":    {column: "crl_container_ref"},
	"tls_ciphers":          {column: "tls_ciphers"},
	"healthmonitor_id":     {column: "COALESCE((SELECT h.id FROM health_monitors h WHERE h.pool_id = pools.id AND h.live = 1), '')"},
})

// Pool returns one pool, also while it is wanted deleted, until it is gone. It names its listeners; its members and its
// health monitor carry their ids only.
func (s *Store) Pool(ctx context.Context, id string) (*lbaas.Pool, error) {
	row, err := one[poolRow](ctx, s.read, lbaas.NounPool, id)
	if err != nil {
		return nil, err
	}
	pools, err := s.poolsWithChildren(ctx, []poolRow{*row})
	if err != nil {
		return nil, err
	}
	return pools[0], nil
}

// Pools returns those that a query asks for, as Pool does.
func (s *Store) Pools(ctx context.Context, q Query) ([]*lbaas.Pool, error) {
	rows, err := list[poolRow](ctx, s.read, q, tablePools, poolAttributes)
	if err != nil {
		return nil, fmt.Errorf("list pools: %w", err)
	}
	return s.poolsWithChildren(ctx, rows)
}

func (s *Store) poolsWithChildren(ctx context.Context, rows []poolRow) ([]*lbaas.Pool, error) {
	pools := make([]*lbaas.Pool, len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		pools[i], ids[i] = rows[i].domain(), rows[i].ID
	}
	listeners, err := s.listenersOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	members, err := idsBy(ctx, s.read, tableMembers, "pool_id", ids)
	if err != nil {
		return nil, err
	}
	monitors, err := s.monitorsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, p := range pools {
		p.ListenerIDs = listeners[p.ID]
		for _, id := range members[p.ID] {
			p.Members = append(p.Members, &lbaas.Member{Object: lbaas.Object{ID: id}})
		}
		if id := monitors[p.ID]; id != "" {
			p.HealthMonitor = &lbaas.HealthMonitor{Object: lbaas.Object{ID: id}}
		}
	}
	return pools, nil
}

// listenersOf returns the ids of the listeners that use pools, by the pool's and oldest first: lbaas.LoadBalancer.ListenersOf in SQL.
func (s *Store) listenersOf(ctx context.Context, poolIDs []string) (map[string][]string, error) {
	found := map[string][]string{}
	for some := range slices.Chunk(poolIDs, idChunk) {
		var rows []struct {
			ID, PoolID string
			CreatedAt  int64 // the order
		}
		err := s.read.NewRaw("SELECT id, default_pool_id AS pool_id, created_at FROM listeners WHERE default_pool_id IN (?)"+
			" UNION SELECT l.id, p.redirect_pool_id, l.created_at FROM l7policies p JOIN listeners l ON l.id = p.listener_id"+
			" WHERE p.redirect_pool_id IN (?) AND p.deleted = ? AND p.admin_state_up = ?"+
			" AND EXISTS (SELECT 1 FROM l7rules r WHERE r.l7policy_id = p.id AND r.deleted = ?)"+
			" ORDER BY created_at, id", bun.List(some), bun.List(some), false, true, false).Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("read the listeners of %d pools: %w", len(poolIDs), err)
		}
		for _, r := range rows {
			found[r.PoolID] = append(found[r.PoolID], r.ID)
		}
	}
	return found, nil
}

// monitorsOf returns the health monitor's id by the pool's. Of one that is wanted deleted and its successor it is the latter.
func (s *Store) monitorsOf(ctx context.Context, poolIDs []string) (map[string]string, error) {
	found := map[string]string{}
	for some := range slices.Chunk(poolIDs, idChunk) {
		var rows []struct{ ID, PoolID string }
		err := s.read.NewSelect().TableExpr(tableHealthMonitors).ColumnExpr("id, pool_id").
			Where("pool_id IN (?)", bun.List(some)).OrderExpr("deleted DESC, created_at, id").Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("read the health monitors of %d pools: %w", len(poolIDs), err)
		}
		for _, r := range rows {
			found[r.PoolID] = r.ID
		}
	}
	return found, nil
}
