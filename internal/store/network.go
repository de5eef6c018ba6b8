package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

type networkRow struct {
	bun.BaseModel `bun:"table:networks"`

	ID           string `bun:"id,pk"`
	ProjectID    string
	Name         string
	Description  string
	AdminStateUp bool
	Shared       bool
	External     bool
	MTU          int `bun:"mtu"`
	NetworkType  string
	Physical     string `bun:"physical_network"`
	SegmentID    int    `bun:"segmentation_id"`
	PortSecurity bool
	Host         string
	Tags         string
	Revision     int64
	Epoch        int64
	CreatedAt    int64
	UpdatedAt    int64
}

func newNetworkRow(n *network.Network) *networkRow {
	return &networkRow{
		ID: n.ID, ProjectID: n.ProjectID, Name: n.Name, Description: n.Description, AdminStateUp: n.AdminStateUp,
		Shared: n.Shared, External: n.External, MTU: n.MTU, NetworkType: cmp.Or(n.Segment.Type, network.TypeLocal), Physical: n.Segment.Physical,
		SegmentID: n.Segment.ID, PortSecurity: n.PortSecurity, Host: n.Host, Tags: listText(n.Tags), Revision: n.Revision,
		CreatedAt: micros(n.CreatedAt), UpdatedAt: micros(n.UpdatedAt),
	}
}

func (r *networkRow) domain() *network.Network {
	return &network.Network{
		ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, Description: r.Description, AdminStateUp: r.AdminStateUp,
		Shared: r.Shared, External: r.External, MTU: r.MTU, Segment: network.Segment{Type: r.NetworkType, Physical: r.Physical, ID: r.SegmentID},
		PortSecurity: r.PortSecurity, Host: r.Host, Tags: textList(r.Tags), Revision: r.Revision,
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

// A constant alone cannot be sorted by on PostgreSQL.
const alwaysActive = "CASE WHEN id = '' THEN '' ELSE 'ACTIVE' END"

// never and nothing are of attributes that no object has here, so that one may ask by them all the same.
const (
	never   = "CASE WHEN id = '' THEN TRUE ELSE FALSE END"
	nothing = "CASE WHEN id = '' THEN id ELSE '' END"
)

func networkAttributes() attributes {
	return attributes{
		"id":              {column: "id"},
		"tags":            {column: "tags"},
		"name":            {column: "name"},
		"description":     {column: "description"},
		"project_id":      {column: "project_id"},
		"tenant_id":       {column: "project_id"},
		"admin_state_up":  {column: "admin_state_up", value: boolean},
		"shared":          {column: "shared", value: boolean},
		"router:external": {column: "external", value: boolean},
		"mtu":             {column: "mtu", value: integer},
		"status":          {column: alwaysActive},
		"revision_number": {column: "revision", value: integer},
		"created_at":      {column: "created_at", value: moment},
		"updated_at":      {column: "updated_at", value: moment},

		"port_security_enabled": {column: "port_security", value: boolean},

		"provider:network_type":     {column: "network_type"},
		"provider:physical_network": {column: "physical_network"},
		"provider:segmentation_id":  {column: "segmentation_id", value: integer},
	}
}

// Network returns a network. One that is not there is Neutron's NetworkNotFound.
func (s *Store) Network(ctx context.Context, id string) (*network.Network, error) {
	var n *network.Network
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		n, err = networkByID(ctx, tx, id)
		return err
	})
	return n, err
}

// Networks lists networks. Beside the attributes, network.VisibleTo is understood.
func (s *Store) Networks(ctx context.Context, q Query) ([]*network.Network, error) {
	visible := func(sel *bun.SelectQuery, projects []string) *bun.SelectQuery {
		return sel.Where("(project_id IN (?) OR shared = ? OR external = ?)", bun.List(projects), true, true)
	}
	return found(ctx, s, "networks", q, networkAttributes(), special{network.VisibleTo: visible}, networksOf)
}

// CreateNetwork keeps a new network and fills its ID, its times and, where it is zero, its MTU.
func (s *Store) CreateNetwork(ctx context.Context, n *network.Network) error {
	return s.CreateNetworks(ctx, []*network.Network{n})
}

// CreateNetworks keeps all the networks or none.
func (s *Store) CreateNetworks(ctx context.Context, list []*network.Network) error {
	asked := make([]network.Network, len(list)) // what is tried again begins with it
	for i, n := range list {
		asked[i] = *n
	}
	return s.change(ctx, "store.createNetworks", func(ctx context.Context, tx bun.Tx) error {
		for i, n := range list {
			*n = asked[i]
			if err := s.countNetwork(ctx, tx, n.ProjectID, network.QuotaNetwork, 1); err != nil {
				return err
			}
			n.ID = fresh(n.ID)
			if err := s.allocateSegment(ctx, tx, n); err != nil {
				return err
			}
			if err := insertNetwork(ctx, tx, n); err != nil {
				return err
			}
		}
		return nil
	})
}

func insertNetwork(ctx context.Context, tx bun.Tx, n *network.Network) error {
	n.ID, n.CreatedAt, n.Revision = fresh(n.ID), now(), 1
	n.UpdatedAt = n.CreatedAt
	if n.Segment.Type == "" {
		n.Segment.Type = network.TypeLocal
	}
	if n.MTU == 0 {
		n.MTU = network.DefaultMTU
	}
	if _, err := tx.NewInsert().Model(newNetworkRow(n)).Exec(ctx); err != nil {
		return fmt.Errorf("insert network: %w", err)
	}
	return nil
}

// UpdateNetwork lets fn change a network, which it may have to do more than once, and returns what was kept. When what ports are
// plugged with changes, they are plugged anew, and the load balancers that use them are applied anew.
func (s *Store) UpdateNetwork(ctx context.Context, id string, fn func(*network.Network) error) (*network.Network, error) {
	var after *network.Network
	var hints []Hint
	err := s.change(ctx, "store.updateNetwork", func(ctx context.Context, tx bun.Tx) error {
		if err := lockNetwork(ctx, tx, id); err != nil {
			return err
		}
		n, err := networkByID(ctx, tx, id)
		if err != nil {
			return err
		}
		before := *n
		if err := fn(n); err != nil {
			return err
		}
		if n.MTU != before.MTU {
			if err := s.settleMTU(n); err != nil {
				return err
			}
			if err := carries(ctx, tx, n); err != nil {
				return err
			}
		}
		n.Revision, n.UpdatedAt = before.Revision+1, now()
		row := newNetworkRow(n)
		if _, err := tx.NewUpdate().Model(row).ExcludeColumn("id", "epoch", "created_at").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update network: %w", err)
		}
		if before.External && !n.External {
			if err := noGateways(ctx, tx, id); err != nil {
				return err
			}
		}
		if before.Shared && !n.Shared || before.External && !n.External {
			if err := onlyOwn(ctx, tx, n); err != nil {
				return err
			}
		}
		after, hints = n, nil
		if n.MTU != before.MTU || n.AdminStateUp != before.AdminStateUp {
			hints, err = s.replug(ctx, tx, n, "network_id = ?", id)
		}
		if servesHosts(&before, n) {
			hints = append(hints, Hint{Network: true})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.hintAll(hints)
	return after, nil
}

// carries refuses an MTU that is too small for the network's subnets. Those are looked for only where it may be.
func carries(ctx context.Context, tx bun.Tx, n *network.Network) error {
	if n.MTU >= network.MinMTU6 {
		return nil
	}
	there, err := tx.NewSelect().Table("subnets").Where("network_id = ? AND ip_version = ?", n.ID, 6).Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for IPv6 subnets: %w", err)
	}
	if there {
		return network.NetworkMTUSubnetConflict(n.ID)
	}
	return nil
}

// onlyOwn refuses to take a network away from other projects that have ports on it.
func onlyOwn(ctx context.Context, tx bun.Tx, n *network.Network) error {
	foreign, err := tx.NewSelect().Table("ports").
		Where("network_id = ? AND project_id <> ? AND deleted = ?", n.ID, n.ProjectID, false).
		Where("device_owner NOT LIKE ?", "network:%").Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for ports of other projects: %w", err)
	}
	if foreign {
		return network.InvalidSharedSetting(n.ID)
	}
	return nil
}

// DeleteNetwork removes a network and its subnets, with the ports of its DHCP servers and the floating addresses that stand for nothing.
// One that has other ports is Neutron's NetworkInUse.
func (s *Store) DeleteNetwork(ctx context.Context, id string) error {
	var hints []Hint
	err := s.change(ctx, "store.deleteNetwork", func(ctx context.Context, tx bun.Tx) error {
		if err := lockNetwork(ctx, tx, id); err != nil {
			return err
		}
		var err error
		if hints, err = dropCompany(ctx, tx, id); err != nil {
			return err
		}
		users, err := somePorts(ctx, tx.NewSelect().Where("network_id = ? AND deleted = ?", id, false))
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return network.NetworkInUse(id, users...)
		}
		return erase(ctx,
			tx.NewDelete().Table("port_addresses").Where("subnet_id IN (SELECT id FROM subnets WHERE network_id = ?)", id),
			tx.NewDelete().Table("subnets").Where("network_id = ?", id),
			freeSegmentOf(tx, id),
			tx.NewDelete().Table("networks").Where("id = ?", id))
	})
	if err != nil {
		return err
	}
	s.hintAll(append(hints, Hint{Network: true}))
	return nil
}

// somePorts returns what errors tell of ports: of one more than they name, those of Avi first.
func somePorts(ctx context.Context, of *bun.SelectQuery) ([]*network.Port, error) {
	var rows []*portRow
	err := of.Model(&rows).Column("id", "name", "device_owner").
		OrderExpr("CASE WHEN name LIKE ? THEN 0 ELSE 1 END, name, id", network.AviPorts+"%").Limit(network.FewPorts + 1).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for ports: %w", err)
	}
	var ports []*network.Port
	for _, r := range rows {
		ports = append(ports, &network.Port{ID: r.ID, Name: r.Name, DeviceOwner: r.DeviceOwner})
	}
	return ports, nil
}

func erase(ctx context.Context, deletes ...*bun.DeleteQuery) error {
	for _, d := range deletes {
		if _, err := d.Exec(ctx); err != nil {
			return fmt.Errorf("delete from %s: %w", d.GetTableName(), err)
		}
	}
	return nil
}

// lockNetwork makes changes of what a network holds (its subnets, ports and addresses) come one after another.
func lockNetwork(ctx context.Context, tx bun.Tx, id string) error {
	n, err := affected(tx.NewUpdate().Table("networks").Set("epoch = epoch + 1").Where("id = ?", id).Exec(ctx))
	if err != nil {
		return fmt.Errorf("bump network: %w", err)
	}
	if n == 0 {
		return network.NetworkNotFound(id)
	}
	return nil
}

func networkByID(ctx context.Context, db bun.IDB, id string) (*network.Network, error) {
	row, err := readRow[networkRow](ctx, db, "network", id, network.NetworkNotFound(id))
	if err != nil {
		return nil, err
	}
	list, err := networksOf(ctx, db, []*networkRow{row})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func networksOf(ctx context.Context, db bun.IDB, rows []*networkRow) ([]*network.Network, error) {
	list := make([]*network.Network, 0, len(rows))
	byID := map[string]*network.Network{}
	for _, row := range rows {
		n := row.domain()
		list = append(list, n)
		byID[n.ID] = n
	}
	for chunk := range slices.Chunk(list, chunkSize) {
		if err := fillSubnetIDs(ctx, db, chunk, byID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func fillSubnetIDs(ctx context.Context, db bun.IDB, chunk []*network.Network, byID map[string]*network.Network) error {
	var ids []string
	for _, n := range chunk {
		ids = append(ids, n.ID)
	}
	var found []struct{ ID, NetworkID string }
	err := db.NewSelect().Table("subnets").Column("id", "network_id").Where("network_id IN (?)", bun.List(ids)).
		Order("created_at", "id").Scan(ctx, &found)
	if err != nil {
		return fmt.Errorf("read the networks' subnets: %w", err)
	}
	for _, f := range found {
		byID[f.NetworkID].SubnetIDs = append(byID[f.NetworkID].SubnetIDs, f.ID)
	}
	return nil
}

// chunkSize bounds how many ids one statement lists.
const chunkSize = 1000

// special are filters that are more than a comparison of one column.
type special map[string]func(sel *bun.SelectQuery, values []string) *bun.SelectQuery

// found lists what a query asks for of a table, with what of makes of the rows, as it all is at one moment.
func found[R, T any](ctx context.Context, s *Store, table string, q Query, known attributes, extra special,
	of func(ctx context.Context, db bun.IDB, rows []*R) ([]T, error)) ([]T, error) {
	var list []T
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []*R
		sel, err := pick(ctx, tx, tx.NewSelect().Model(&rows), table, q, known, extra)
		if err != nil {
			return err
		}
		if err := sel.Scan(ctx); err != nil {
			return fmt.Errorf("list %s: %w", table, err)
		}
		list, err = of(ctx, tx, inOrder(q, rows))
		return err
	})
	return list, err
}

// pick adds the filters, the order and the page of a list of the network service's.
func pick(ctx context.Context, db bun.IDB, sel *bun.SelectQuery, table string, q Query, known attributes, extra special) (*bun.SelectQuery, error) {
	rest := q
	rest.Filters = nil
	for _, f := range q.Filters {
		if apply, ok := extra[f.Attribute]; ok {
			sel = apply(sel, f.Values)
		} else {
			rest.Filters = append(rest.Filters, f)
		}
	}
	sel, err := rest.where(sel, known)
	if err != nil {
		return nil, err
	}
	return rest.page(ctx, db, sel, table, known)
}

// fresh returns the id, or a new one where there is none.
func fresh(id string) string {
	if id == "" {
		return uuid.NewString()
	}
	return id
}
