package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

type networkQuotaRow struct {
	bun.BaseModel `bun:"table:network_quotas"`

	ProjectID string `bun:"project_id,pk"`
	Resource  string `bun:"resource,pk"`
	Most      int
}

// networkTables are where the resources with a quota are kept. What has no table has no objects here.
var networkTables = map[string]string{
	network.QuotaNetwork: "networks", network.QuotaSubnet: "subnets", network.QuotaPort: "ports", network.QuotaRouter: "routers",
	network.QuotaFloatingIP: "floating_ips", network.QuotaSecurityGroup: tableSecurityGroups, network.QuotaSecurityGroupRule: tableSecurityRules,
}

// uncounted are the owners of ports that only services make, for themselves: no quota bounds them, nor the ports of this service's DHCP
// servers. A DHCP server's port that somebody makes counts.
var uncounted = []string{network.OwnerRouterInterface, network.OwnerRouterGateway, network.OwnerFloatingIP, network.OwnerLoadBalancer}

// SetNetworkQuotaDefaults gives the limits of projects that have none of their own, by resource. It is called at most once, before the
// store is used; without it everything is unlimited.
func (s *Store) SetNetworkQuotaDefaults(defaults map[string]int) { s.networkDefaults = defaults }

// NetworkQuotaDefaults are the limits of projects that have none of their own, by resource.
func (s *Store) NetworkQuotaDefaults() map[string]int { return s.networkDefaults }

// NetworkQuota returns a project's own limits: none where it was given none.
func (s *Store) NetworkQuota(ctx context.Context, projectID string) (*network.Quota, error) {
	return networkQuotaOf(ctx, s.read, projectID)
}

func networkQuotaOf(ctx context.Context, db bun.IDB, projectID string) (*network.Quota, error) {
	list, err := networkQuotas(ctx, db.NewSelect().Where("project_id = ?", projectID))
	if err != nil || len(list) == 0 {
		return &network.Quota{ProjectID: projectID, Limits: map[string]int{}}, err
	}
	return list[0], nil
}

// NetworkQuotas returns the limits of the projects that have any of their own, in the projects' order.
func (s *Store) NetworkQuotas(ctx context.Context) ([]*network.Quota, error) {
	return networkQuotas(ctx, s.read.NewSelect())
}

func networkQuotas(ctx context.Context, of *bun.SelectQuery) ([]*network.Quota, error) {
	var rows []*networkQuotaRow
	if err := of.Model(&rows).Order("project_id", "resource").Scan(ctx); err != nil {
		return nil, fmt.Errorf("read network quotas: %w", err)
	}
	var list []*network.Quota
	for _, row := range rows {
		if len(list) == 0 || list[len(list)-1].ProjectID != row.ProjectID {
			list = append(list, &network.Quota{ProjectID: row.ProjectID, Limits: map[string]int{}})
		}
		list[len(list)-1].Limits[row.Resource] = row.Most
	}
	return list, nil
}

// NetworkUsage counts what a project has, by resource. Ports that services made for themselves do not count.
func (s *Store) NetworkUsage(ctx context.Context, projectID string) (map[string]int, error) {
	usage := map[string]int{}
	for _, resource := range network.QuotaResources() {
		n, err := countResource(ctx, s.read, projectID, resource)
		if err != nil {
			return nil, err
		}
		usage[resource] = n
	}
	return usage, nil
}

func countResource(ctx context.Context, db bun.IDB, projectID, resource string) (int, error) {
	table := networkTables[resource]
	if table == "" {
		return 0, nil
	}
	sel := db.NewSelect().Table(table).Where("project_id = ?", projectID)
	if resource == network.QuotaPort {
		sel = sel.Where("deleted = ?", false).Where("device_owner NOT IN (?)", bun.List(uncounted)).
			Where("(device_owner <> ? OR netns NOT LIKE ?)", network.OwnerDHCP, network.DHCPNetNS+"%")
	}
	n, err := sel.Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("count the %s of project %s: %w", table, projectID, err)
	}
	return int(n), nil
}

// PutNetworkQuota lets fn change a project's own limits and returns them as they are then.
func (s *Store) PutNetworkQuota(ctx context.Context, projectID string, fn func(*network.Quota) error) (q *network.Quota, err error) {
	if err := lbaas.Within("project_id", projectID, 64); err != nil {
		return nil, err
	}
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := holdNetworkQuota(ctx, tx, projectID); err != nil {
			return err
		}
		if q, err = networkQuotaOf(ctx, tx, projectID); err != nil {
			return err
		}
		if err := fn(q); err != nil {
			return err
		}
		if err := erase(ctx, tx.NewDelete().Table("network_quotas").Where("project_id = ?", projectID)); err != nil {
			return err
		}
		var rows []networkQuotaRow
		for resource, most := range q.Limits {
			rows = append(rows, networkQuotaRow{ProjectID: projectID, Resource: resource, Most: most})
		}
		return insert(ctx, tx, rows)
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

// DeleteNetworkQuota takes back a project's own limits, so that it has the deployment's defaults. It tells whether it had any.
func (s *Store) DeleteNetworkQuota(ctx context.Context, projectID string) (had bool, err error) {
	err = s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := holdNetworkQuota(ctx, tx, projectID); err != nil {
			return err
		}
		n, err := affected(tx.NewDelete().Table("network_quotas").Where("project_id = ?", projectID).Exec(ctx))
		if err != nil {
			return fmt.Errorf("take back the network quota of project %s: %w", projectID, err)
		}
		had = n > 0
		return nil
	})
	return had, err
}

// countNetwork refuses to make n more of a resource when the project would then have more than it may: network.OverQuota. It is
// called before they are inserted, in the same transaction. What is unlimited writes no row; where a limit is finite, the project's
// row is held and then everything is counted, which takes in what all others have made that held the row before. So nothing is kept that
// could drift.
func (s *Store) countNetwork(ctx context.Context, tx bun.Tx, projectID, resource string, n int) error {
	q, err := networkQuotaOf(ctx, tx, projectID)
	if err != nil || q.Limit(resource, s.networkDefaults) == lbaas.Unlimited {
		return err
	}
	if err := holdNetworkQuota(ctx, tx, projectID); err != nil {
		return err
	}
	if q, err = networkQuotaOf(ctx, tx, projectID); err != nil { // as it is now
		return err
	}
	most := q.Limit(resource, s.networkDefaults)
	if most == lbaas.Unlimited {
		return nil
	}
	have, err := countResource(ctx, tx, projectID, resource)
	if err == nil && have+n > most {
		return network.OverQuota(resource)
	}
	return err
}

// countPort is countNetwork of a port; those that services make for themselves do not count.
func (s *Store) countPort(ctx context.Context, tx bun.Tx, p *network.Port) error {
	if slices.Contains(uncounted, p.DeviceOwner) {
		return nil
	}
	return s.countNetwork(ctx, tx, p.ProjectID, network.QuotaPort, 1)
}

// holdNetworkQuota holds the row of a project and makes it where there is none. Of two that make it at once the later starts anew.
func holdNetworkQuota(ctx context.Context, tx bun.Tx, projectID string) error {
	const table = "network_quota_epochs"
	found, err := hold(ctx, tx, table, "project_id", projectID)
	if err != nil || found {
		return err
	}
	_, err = tx.NewRaw("INSERT INTO network_quota_epochs (project_id, epoch) VALUES (?, 1)", projectID).Exec(ctx)
	switch {
	case duplicate(err):
		return errAnew
	case err != nil:
		return fmt.Errorf("insert the network quota of project %s: %w", projectID, err)
	}
	return nil
}
