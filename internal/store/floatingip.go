package store

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

type floatingIPRow struct {
	bun.BaseModel `bun:"table:floating_ips"`

	ID           string `bun:"id,pk"`
	ProjectID    string
	Description  string
	NetworkID    string
	Address      string
	OwnPortID    string
	PortID       string
	FixedAddress string
	RouterID     string
	Fixed        *string // what the port and the fixed address make, while there are such: it is unique in its network
	Tags         string
	Revision     int64
	CreatedAt    int64
	UpdatedAt    int64

	Translated bool `bun:",scanonly"`
}

func newFloatingIPRow(f *network.FloatingIP) *floatingIPRow {
	row := &floatingIPRow{
		ID: f.ID, ProjectID: f.ProjectID, Description: f.Description, NetworkID: f.NetworkID, Address: addressText(f.Address),
		OwnPortID: f.OwnPortID, PortID: f.PortID, FixedAddress: addressText(f.FixedAddress), RouterID: f.RouterID,
		Tags: listText(f.Tags), Revision: f.Revision, CreatedAt: micros(f.CreatedAt), UpdatedAt: micros(f.UpdatedAt),
	}
	if f.PortID != "" {
		fixed := f.PortID + "/" + row.FixedAddress
		row.Fixed = &fixed
	}
	return row
}

func (r *floatingIPRow) domain() *network.FloatingIP {
	return &network.FloatingIP{
		ID: r.ID, ProjectID: r.ProjectID, Description: r.Description, NetworkID: r.NetworkID, Address: textAddress(r.Address),
		OwnPortID: r.OwnPortID, PortID: r.PortID, FixedAddress: textAddress(r.FixedAddress), RouterID: r.RouterID, Active: r.Translated,
		Tags: textList(r.Tags), Revision: r.Revision, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

// translated is what holds of a floating address that a router translates now: the router's gateway is plugged with it.
const translated = `EXISTS (SELECT 1 FROM routers JOIN ports ON ports.id = routers.gateway_port_id WHERE routers.id = router_id
	AND ports.wanted_host <> '' AND ports.wanted_host = ports.plugged_host AND ports.observed = ports.generation)`

func floatingIPAttributes() attributes {
	return attributes{
		"id":                  {column: "id"},
		"tags":                {column: "tags"},
		"description":         {column: "description"},
		"project_id":          {column: "project_id"},
		"tenant_id":           {column: "project_id"},
		"floating_network_id": {column: "network_id"},
		"floating_ip_address": {column: "address", value: address},
		"port_id":             {column: "port_id"},
		"fixed_ip_address":    {column: "fixed_address", value: address},
		"router_id":           {column: "router_id"},
		"status":              {column: "CASE WHEN " + translated + " THEN 'ACTIVE' ELSE 'DOWN' END"},
		"revision_number":     {column: "revision", value: integer},
		"created_at":          {column: "created_at", value: moment},
		"updated_at":          {column: "updated_at", value: moment},
	}
}

// addFloating adds to the plan of a router's gateway the floating addresses that the router translates.
func addFloating(ctx context.Context, db bun.IDB, p *network.Port, plan *network.PortPlan) error {
	if p.DeviceOwner != network.OwnerRouterGateway {
		return nil
	}
	var texts []string
	err := db.NewSelect().Table("floating_ips").Column("address").Where("router_id = ?", p.DeviceID).Order("address").Scan(ctx, &texts)
	if err != nil {
		return fmt.Errorf("read the router's floating addresses: %w", err)
	}
	for _, text := range texts {
		if a := textAddress(text); a.IsValid() {
			plan.Addresses = append(plan.Addresses, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return nil
}

// FloatingIP returns a floating address. One that is not there is Neutron's FloatingIPNotFound.
func (s *Store) FloatingIP(ctx context.Context, id string) (*network.FloatingIP, error) {
	return floatingIPByID(ctx, s.read, id)
}

// FloatingIPs lists floating addresses. Beside the attributes, network.VisibleTo is understood.
func (s *Store) FloatingIPs(ctx context.Context, q Query) ([]*network.FloatingIP, error) {
	var rows []*floatingIPRow
	sel := floatingIPSelect(s.read, &rows)
	sel, err := pick(ctx, s.read, sel, "floating_ips", q, floatingIPAttributes(), special{network.VisibleTo: ofProjects})
	if err != nil {
		return nil, err
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, fmt.Errorf("list floating addresses: %w", err)
	}
	return floatingIPsOf(inOrder(q, rows)), nil
}

func floatingIPsOf(rows []*floatingIPRow) []*network.FloatingIP {
	list := make([]*network.FloatingIP, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.domain())
	}
	return list
}

func floatingIPByID(ctx context.Context, db bun.IDB, id string) (*network.FloatingIP, error) {
	row := &floatingIPRow{}
	err := floatingIPSelect(db, row).Where("id = ?", id).Scan(ctx)
	if notFound(err) {
		return nil, network.FloatingIPNotFound(id)
	}
	if err != nil {
		return nil, fmt.Errorf("read floating address: %w", err)
	}
	return row.domain(), nil
}

// floatingIPSelect asks for rows, and whether each is translated now.
func floatingIPSelect(db bun.IDB, into any) *bun.SelectQuery {
	return db.NewSelect().Model(into).ColumnExpr("?TableColumns").ColumnExpr(translated + " AS translated")
}
