package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type amphoraRow struct {
	bun.BaseModel `bun:"table:amphorae,alias:amphorae"`

	ID             string `bun:"id,pk"`
	LoadBalancerID string `bun:"load_balancer_id"`
	ProjectID      string `bun:"project_id,skipupdate"`
	ComputeID      string `bun:"compute_id"`
	LBNetworkIP    string `bun:"lb_network_ip"`
	VRRPIP         string `bun:"vrrp_ip"`
	HAIP           string `bun:"ha_ip"`
	VRRPPortID     string `bun:"vrrp_port_id"`
	HAPortID       string `bun:"ha_port_id"`
	CertExpiration int64  `bun:"cert_expiration"`
	CertBusy       bool   `bun:"cert_busy"`
	Role           string `bun:"role"`
	Status         string `bun:"status"`
	VRRPInterface  string `bun:"vrrp_interface"`
	VRRPID         int64  `bun:"vrrp_id"`
	VRRPPriority   int64  `bun:"vrrp_priority"`
	CachedZone     string `bun:"cached_zone"`
	ImageID        string `bun:"image_id"`
	ComputeFlavor  string `bun:"compute_flavor"`
	CreatedAt      int64  `bun:"created_at,skipupdate"`
	UpdatedAt      int64  `bun:"updated_at"`
}

func newAmphoraRow(a *lbaas.Amphora) amphoraRow {
	return amphoraRow{
		ID: a.ID, LoadBalancerID: a.LoadBalancerID, ProjectID: a.ProjectID, ComputeID: a.ComputeID,
		LBNetworkIP: addressText(a.LBNetworkIP), VRRPIP: addressText(a.VRRPIP), HAIP: addressText(a.HAIP),
		VRRPPortID: a.VRRPPortID, HAPortID: a.HAPortID, CertExpiration: micros(a.CertExpiration), CertBusy: a.CertBusy,
		Role: a.Role, Status: a.Status, VRRPInterface: a.VRRPInterface, VRRPID: int64(a.VRRPID), VRRPPriority: int64(a.VRRPPriority),
		CachedZone: a.CachedZone, ImageID: a.ImageID, ComputeFlavor: a.ComputeFlavor,
		CreatedAt: micros(a.CreatedAt), UpdatedAt: micros(a.UpdatedAt),
	}
}

func (r *amphoraRow) domain() *lbaas.Amphora {
	return &lbaas.Amphora{
		ID: r.ID, LoadBalancerID: r.LoadBalancerID, ProjectID: r.ProjectID, ComputeID: r.ComputeID,
		LBNetworkIP: textAddress(r.LBNetworkIP), VRRPIP: textAddress(r.VRRPIP), HAIP: textAddress(r.HAIP),
		VRRPPortID: r.VRRPPortID, HAPortID: r.HAPortID, CertExpiration: fromMicros(r.CertExpiration), CertBusy: r.CertBusy,
		Role: r.Role, Status: r.Status, VRRPInterface: r.VRRPInterface, VRRPID: int(r.VRRPID), VRRPPriority: int(r.VRRPPriority),
		CachedZone: r.CachedZone, ImageID: r.ImageID, ComputeFlavor: r.ComputeFlavor,
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

var amphoraAttributes = attributes{
	"id": {column: "id"}, "loadbalancer_id": {column: "load_balancer_id"}, "project_id": {column: "project_id"},
	"compute_id":    {column: "compute_id"},
	"lb_network_ip": {column: "lb_network_ip", value: address}, "vrrp_ip": {column: "vrrp_ip", value: address},
	"ha_ip":        {column: "ha_ip", value: address},
	"vrrp_port_id": {column: "vrrp_port_id"}, "ha_port_id": {column: "ha_port_id"},
	"cert_expiration": {column: "cert_expiration", value: moment}, "cert_busy": {column: "cert_busy", value: boolean},
	"role": {column: "role"}, "status": {column: "status"}, "vrrp_interface": {column: "vrrp_interface"},
	"vrrp_id": {column: "vrrp_id", value: integer}, "vrrp_priority": {column: "vrrp_priority", value: integer},
	"cached_zone": {column: "cached_zone"}, "image_id": {column: "image_id"}, "compute_flavor": {column: "compute_flavor"},
	"created_at": {column: "created_at", value: moment}, "updated_at": {column: "updated_at", value: moment},
}

// Amphora returns one instance of a data plane.
func (s *Store) Amphora(ctx context.Context, id string) (*lbaas.Amphora, error) {
	row, err := one[amphoraRow](ctx, s.read, lbaas.NounAmphora, id)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// Amphorae returns those that a query asks for.
func (s *Store) Amphorae(ctx context.Context, q Query) ([]*lbaas.Amphora, error) {
	rows, err := list[amphoraRow](ctx, s.read, q, tableAmphorae, amphoraAttributes)
	if err != nil {
		return nil, fmt.Errorf("list amphorae: %w", err)
	}
	amphorae := make([]*lbaas.Amphora, len(rows))
	for i := range rows {
		amphorae[i] = rows[i].domain()
	}
	return amphorae, nil
}

// DeleteAmphora forgets an instance that is in ERROR; what becomes of it is its provider's affair, which reports it again as long as it
// is there. The error is NotFound, or Immutable for one that is not in ERROR.
func (s *Store) DeleteAmphora(ctx context.Context, id string) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := affected(tx.NewDelete().Table(tableAmphorae).Where("id = ?", id).Where("status = ?", lbaas.AmphoraError).Exec(ctx))
		if err != nil {
			return fmt.Errorf("delete amphora %s: %w", id, err)
		}
		if n == 1 {
			return nil
		}
		if _, err := one[amphoraRow](ctx, tx, lbaas.NounAmphora, id); err != nil {
			return err
		}
		return lbaas.Errorf(lbaas.Immutable, "amphora %s is immutable and cannot be updated.", id)
	})
}

// instances makes the rows of a load balancer's instances exactly these. Those that are as they were are not touched.
func (a *achievement) instances(amphorae []lbaas.Amphora) error {
	old, projectID, err := a.knownInstances()
	if err != nil {
		return err
	}
	var fresh []amphoraRow
	for i := range amphorae {
		row := newAmphoraRow(&amphorae[i])
		row.LoadBalancerID, row.ProjectID = a.id, projectID
		was, known := old[row.ID]
		delete(old, row.ID)
		switch {
		case !known:
			row.CreatedAt = cmp.Or(row.CreatedAt, a.time)
			fresh = append(fresh, row)
		case row.settled() != was.settled():
			row.UpdatedAt = a.time
			if _, err := a.tx.NewUpdate().Model(&row).WherePK().Exec(a.ctx); err != nil {
				return fmt.Errorf("update amphora %s: %w", row.ID, err)
			}
		}
	}
	if gone := slices.Collect(maps.Keys(old)); len(gone) > 0 {
		if _, err := a.tx.NewDelete().Table(tableAmphorae).Where("id IN (?)", bun.List(gone)).Exec(a.ctx); err != nil {
			return fmt.Errorf("delete amphorae: %w", err)
		}
	}
	if err := insert(a.ctx, a.tx, fresh); err != nil {
		return fmt.Errorf("insert amphorae: %w", err)
	}
	return nil
}

// knownInstances returns the rows of a load balancer's instances by id, and its project.
func (a *achievement) knownInstances() (map[string]amphoraRow, string, error) {
	var rows []amphoraRow
	if err := a.tx.NewSelect().Model(&rows).Where("load_balancer_id = ?", a.id).Scan(a.ctx); err != nil {
		return nil, "", fmt.Errorf("read the amphorae: %w", err)
	}
	old := make(map[string]amphoraRow, len(rows))
	for _, r := range rows {
		old[r.ID] = r
	}
	var projectID string
	err := a.tx.NewSelect().TableExpr(tableLoadBalancers).ColumnExpr("project_id").Where("id = ?", a.id).Scan(a.ctx, &projectID)
	if err != nil {
		return nil, "", fmt.Errorf("read the project: %w", err)
	}
	return old, projectID, nil
}

// settled is the row without the times that the store keeps.
func (r amphoraRow) settled() amphoraRow {
	r.CreatedAt, r.UpdatedAt = 0, 0
	return r
}
