package store

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

type subnetRow struct {
	bun.BaseModel `bun:"table:subnets"`

	ID              string `bun:"id,pk"`
	ProjectID       string
	NetworkID       string
	Name            string
	Description     string
	IPVersion       int    `bun:"ip_version"`
	CIDR            string `bun:"cidr"`
	Gateway         string `bun:"gateway_ip"`
	AllocationPools string
	DNSNameservers  string `bun:"dns_nameservers"`
	HostRoutes      string
	EnableDHCP      bool   `bun:"enable_dhcp"`
	IPv6AddressMode string `bun:"ipv6_address_mode"`
	IPv6RAMode      string `bun:"ipv6_ra_mode"`
	Tags            string
	Revision        int64
	CreatedAt       int64
	UpdatedAt       int64
}

func newSubnetRow(s *network.Subnet) *subnetRow {
	return &subnetRow{
		ID: s.ID, ProjectID: s.ProjectID, NetworkID: s.NetworkID, Name: s.Name, Description: s.Description,
		IPVersion: s.IPVersion(), CIDR: s.CIDR.String(), Gateway: addressText(s.Gateway),
		AllocationPools: jsonText(s.AllocationPools), DNSNameservers: listText(s.DNSNameservers), HostRoutes: jsonText(s.HostRoutes),
		EnableDHCP: s.EnableDHCP, IPv6AddressMode: s.IPv6AddressMode, IPv6RAMode: s.IPv6RAMode,
		Tags: listText(s.Tags), Revision: s.Revision, CreatedAt: micros(s.CreatedAt), UpdatedAt: micros(s.UpdatedAt),
	}
}

func (r *subnetRow) domain() *network.Subnet {
	s := &network.Subnet{
		ID: r.ID, ProjectID: r.ProjectID, NetworkID: r.NetworkID, Name: r.Name, Description: r.Description,
		CIDR: textPrefix(r.CIDR), Gateway: textAddress(r.Gateway), DNSNameservers: textList(r.DNSNameservers),
		EnableDHCP: r.EnableDHCP, IPv6AddressMode: r.IPv6AddressMode, IPv6RAMode: r.IPv6RAMode,
		Tags: textList(r.Tags), Revision: r.Revision, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
	textJSON(r.AllocationPools, &s.AllocationPools)
	textJSON(r.HostRoutes, &s.HostRoutes)
	return s
}

func textPrefix(text string) netip.Prefix {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

func subnetAttributes() attributes {
	return attributes{
		"id":                {column: "id"},
		"tags":              {column: "tags"},
		"name":              {column: "name"},
		"description":       {column: "description"},
		"project_id":        {column: "project_id"},
		"tenant_id":         {column: "project_id"},
		"network_id":        {column: "network_id"},
		"ip_version":        {column: "ip_version", value: integer},
		"cidr":              {column: "cidr"},
		"gateway_ip":        {column: "gateway_ip"},
		"enable_dhcp":       {column: "enable_dhcp", value: boolean},
		"ipv6_address_mode": {column: "ipv6_address_mode"},
		"ipv6_ra_mode":      {column: "ipv6_ra_mode"},
		"subnetpool_id":     {column: nothing},
		"revision_number":   {column: "revision", value: integer},
		"created_at":        {column: "created_at", value: moment},
		"updated_at":        {column: "updated_at", value: moment},
	}
}

// Subnet returns a subnet. One that is not there is Neutron's SubnetNotFound.
func (s *Store) Subnet(ctx context.Context, id string) (*network.Subnet, error) {
	return subnetByID(ctx, s.read, id)
}

// Subnets lists subnets. Beside the attributes, network.VisibleTo and network.SharedSubnet are understood.
func (s *Store) Subnets(ctx context.Context, q Query) ([]*network.Subnet, error) {
	filters := special{
		network.VisibleTo: func(sel *bun.SelectQuery, projects []string) *bun.SelectQuery {
			return sel.Where("(project_id IN (?) OR network_id IN (SELECT id FROM networks WHERE project_id IN (?) OR shared = ? OR external = ?))",
				bun.List(projects), bun.List(projects), true, true)
		},
		network.SharedSubnet: func(sel *bun.SelectQuery, values []string) *bun.SelectQuery {
			var wanted []any
			for _, v := range values {
				b, _ := boolean(v) // never fails
				wanted = append(wanted, b)
			}
			return sel.Where("network_id IN (SELECT id FROM networks WHERE shared IN (?))", bun.List(wanted))
		},
	}
	var rows []*subnetRow
	sel, err := pick(ctx, s.read, s.read.NewSelect().Model(&rows), "subnets", q, subnetAttributes(), filters)
	if err != nil {
		return nil, err
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, fmt.Errorf("list subnets: %w", err)
	}
	return subnetsOf(inOrder(q, rows)), nil
}

func subnetsOf(rows []*subnetRow) []*network.Subnet {
	list := make([]*network.Subnet, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.domain())
	}
	return list
}

// CreateSubnet keeps a new subnet and fills its ID, its times and, where there are none, its allocation pools. It is checked as
// Neutron does.
func (s *Store) CreateSubnet(ctx context.Context, sub *network.Subnet) error {
	return s.CreateSubnets(ctx, []*network.Subnet{sub})
}

// CreateSubnets keeps all the subnets or none.
func (s *Store) CreateSubnets(ctx context.Context, list []*network.Subnet) error {
	err := s.change(ctx, "store.createSubnets", func(ctx context.Context, tx bun.Tx) error {
		for _, sub := range list {
			if err := s.countNetwork(ctx, tx, sub.ProjectID, network.QuotaSubnet, 1); err != nil {
				return err
			}
			if err := insertSubnet(ctx, tx, sub); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.hint(Hint{Network: true})
	}
	return err
}

func insertSubnet(ctx context.Context, tx bun.Tx, sub *network.Subnet) error {
	if err := lockNetwork(ctx, tx, sub.NetworkID); err != nil {
		return err
	}
	if sub.AllocationPools == nil {
		sub.AllocationPools = network.DefaultPools(sub.CIDR, sub.Gateway)
	}
	if err := sub.Validate(); err != nil {
		return err
	}
	others, err := subnetsOfNetwork(ctx, tx, sub.NetworkID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(others, func(o *network.Subnet) bool { return o.CIDR.Overlaps(sub.CIDR) }) {
		return network.OverlappingSubnet(sub.NetworkID, sub.CIDR)
	}
	if sub.IPVersion() == 6 {
		n, err := networkByID(ctx, tx, sub.NetworkID)
		if err != nil {
			return err
		}
		if n.MTU < network.MinMTU6 {
			return network.NetworkMTUSubnetConflict(n.ID)
		}
	}
	sub.ID, sub.CreatedAt, sub.Revision = fresh(sub.ID), now(), 1
	sub.UpdatedAt = sub.CreatedAt
	if _, err := tx.NewInsert().Model(newSubnetRow(sub)).Exec(ctx); err != nil {
		return fmt.Errorf("insert subnet: %w", err)
	}
	return nil
}

// UpdateSubnet lets fn change a subnet, which it may have to do more than once, and returns what was kept. When the gateway or the
// host routes change, the ports that are plugged are plugged anew, and the load balancers that use its ports are applied anew.
func (s *Store) UpdateSubnet(ctx context.Context, id string, fn func(*network.Subnet) error) (*network.Subnet, error) {
	var after *network.Subnet
	var hints []Hint
	err := s.change(ctx, "store.updateSubnet", func(ctx context.Context, tx bun.Tx) error {
		sub, err := lockedSubnet(ctx, tx, id)
		if err != nil {
			return err
		}
		before := *sub
		if err := fn(sub); err != nil {
			return err
		}
		if err := sub.Validate(); err != nil {
			return err
		}
		if sub.Gateway != before.Gateway {
			if err := gatewayFree(ctx, tx, &before); err != nil {
				return err
			}
		}
		sub.Revision, sub.UpdatedAt = before.Revision+1, now()
		if _, err := tx.NewUpdate().Model(newSubnetRow(sub)).ExcludeColumn("id", "created_at").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update subnet: %w", err)
		}
		after, hints = sub, nil
		if sub.Gateway != before.Gateway || !slices.Equal(sub.HostRoutes, before.HostRoutes) {
			hints, err = s.replugSubnet(ctx, tx, sub)
		}
		if leases(&before, sub) {
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

// gatewayFree refuses to change the gateway of a subnet, which is locked, while a router's port is it.
func gatewayFree(ctx context.Context, tx bun.Tx, sub *network.Subnet) error {
	if !sub.Gateway.IsValid() {
		return nil
	}
	var ids []string
	err := tx.NewSelect().Table("ports").Column("id").Where("deleted = ?", false).
		Where("device_owner IN (?)", bun.List([]string{network.OwnerRouterInterface, network.OwnerRouterGateway})).
		Where("id IN (SELECT port_id FROM port_addresses WHERE subnet_id = ? AND address = ?)", sub.ID, addressText(sub.Gateway)).
		Limit(1).Scan(ctx, &ids)
	if err != nil {
		return fmt.Errorf("look for the port that is the gateway: %w", err)
	}
	if len(ids) > 0 {
		return network.GatewayIPInUse(sub.Gateway, ids[0])
	}
	return nil
}

func (s *Store) replugSubnet(ctx context.Context, tx bun.Tx, sub *network.Subnet) ([]Hint, error) {
	n, err := networkByID(ctx, tx, sub.NetworkID)
	if err != nil {
		return nil, err
	}
	return s.replug(ctx, tx, n, "id IN (SELECT port_id FROM port_addresses WHERE subnet_id = ?)", sub.ID)
}

// lockedSubnet reads a subnet of which nobody else changes anything until the transaction ends.
func lockedSubnet(ctx context.Context, tx bun.Tx, id string) (*network.Subnet, error) {
	sub, err := subnetByID(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if err := lockNetwork(ctx, tx, sub.NetworkID); err != nil {
		return nil, err
	}
	return subnetByID(ctx, tx, id)
}

// DeleteSubnet removes a subnet. DHCP servers lose their addresses of it, and, where stations give themselves addresses, so do ports; one of
// which other ports have addresses is Neutron's SubnetInUse.
func (s *Store) DeleteSubnet(ctx context.Context, id string) error {
	var hints []Hint
	err := s.allocating(ctx, "store.deleteSubnet", func(ctx context.Context, tx bun.Tx) error {
		sub, err := lockedSubnet(ctx, tx, id)
		if err != nil {
			return err
		}
		if hints, err = s.leaveSubnet(ctx, tx, sub); err != nil {
			return err
		}
		users, err := somePorts(ctx, tx.NewSelect().
			Where("deleted = ? AND id IN (SELECT port_id FROM port_addresses WHERE subnet_id = ?)", false, id))
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return network.SubnetInUse(id, users...)
		}
		return erase(ctx,
			tx.NewDelete().Table("port_addresses").Where("subnet_id = ?", id),
			tx.NewDelete().Table("subnets").Where("id = ?", id))
	})
	if err != nil {
		return err
	}
	s.hintAll(append(hints, Hint{Network: true}))
	return nil
}

func subnetByID(ctx context.Context, db bun.IDB, id string) (*network.Subnet, error) {
	row, err := readRow[subnetRow](ctx, db, "subnet", id, network.SubnetNotFound(id))
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// subnetsOfNetwork returns the subnets of a network, oldest first.
func subnetsOfNetwork(ctx context.Context, db bun.IDB, networkID string) ([]*network.Subnet, error) {
	var rows []*subnetRow
	err := db.NewSelect().Model(&rows).Where("network_id = ?", networkID).Order("created_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the network's subnets: %w", err)
	}
	return subnetsOf(rows), nil
}
