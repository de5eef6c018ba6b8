package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// Port returns a port. One that is not there is Neutron's PortNotFound.
func (s *Store) Port(ctx context.Context, id string) (*network.Port, error) {
	var p *network.Port
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		_, p, err = portByID(ctx, tx, id)
		return err
	})
	return p, err
}

// Ports lists ports. Beside the attributes, network.VisibleTo, network.FixedIPs and network.InGroups are understood.
func (s *Store) Ports(ctx context.Context, q Query) ([]*network.Port, error) {
	filters := special{
		network.VisibleTo: func(sel *bun.SelectQuery, projects []string) *bun.SelectQuery {
			return sel.Where("(project_id IN (?) OR network_id IN (SELECT id FROM networks WHERE project_id IN (?)))",
				bun.List(projects), bun.List(projects))
		},
		network.FixedIPs: func(sel *bun.SelectQuery, values []string) *bun.SelectQuery { return s.byAddress(sel, values) },
		network.InGroups: func(sel *bun.SelectQuery, values []string) *bun.SelectQuery {
			return sel.Where("id IN (SELECT port_id FROM port_security_groups WHERE group_id IN (?))", bun.List(values))
		},
	}
	var list []*network.Port
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []*portRow
		sel := tx.NewSelect().Model(&rows).Where("deleted = ?", false)
		sel, err := pick(ctx, tx, sel, "ports", q, portAttributes(), filters)
		if err != nil {
			return err
		}
		if err := sel.Scan(ctx); err != nil {
			return fmt.Errorf("list ports: %w", err)
		}
		list, err = portsOf(ctx, tx, inOrder(q, rows))
		return err
	})
	return list, err
}

// lockedPort reads a port and its network, which nobody else changes until the transaction ends.
func lockedPort(ctx context.Context, tx bun.Tx, id string) (*portRow, *network.Port, *network.Network, error) {
	_, p, err := portByID(ctx, tx, id)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := lockNetwork(ctx, tx, p.NetworkID); err != nil {
		return nil, nil, nil, err
	}
	n, err := networkByID(ctx, tx, p.NetworkID)
	if err != nil {
		return nil, nil, nil, err
	}
	row, p, err := portByID(ctx, tx, id)
	return row, p, n, err
}

func portByID(ctx context.Context, db bun.IDB, id string) (*portRow, *network.Port, error) {
	row := &portRow{}
	err := db.NewSelect().Model(row).Where("id = ? AND deleted = ?", id, false).Scan(ctx)
	if notFound(err) {
		return nil, nil, network.PortNotFound(id)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read port: %w", err)
	}
	list, err := portsOf(ctx, db, []*portRow{row})
	if err != nil {
		return nil, nil, err
	}
	return row, list[0], nil
}

func portsOf(ctx context.Context, db bun.IDB, rows []*portRow) ([]*network.Port, error) {
	list := make([]*network.Port, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.domain())
	}
	for chunk := range slices.Chunk(list, chunkSize) {
		if err := fillAddresses(ctx, db, chunk); err != nil {
			return nil, err
		}
		if err := fillSecurityGroups(ctx, db, chunk); err != nil {
			return nil, err
		}
		if err := fillPlugged(ctx, db, chunk); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// fillPlugged says of load balancers' ports, which no host is told to plug, whether their load balancers were made.
func fillPlugged(ctx context.Context, db bun.IDB, ports []*network.Port) error {
	byDevice := map[string][]*network.Port{}
	var ids []string
	for _, p := range ports {
		if id, ok := strings.CutPrefix(p.DeviceID, deviceOfLoadBalancer); ok && p.DeviceOwner == network.OwnerLoadBalancer {
			byDevice[id] = append(byDevice[id], p)
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var made []string
	err := db.NewSelect().Table(tableLoadBalancers).Column("id").Where("id IN (?) AND observed > 0", bun.List(ids)).Scan(ctx, &made)
	if err != nil {
		return fmt.Errorf("read the ports' load balancers: %w", err)
	}
	for _, id := range made {
		for _, p := range byDevice[id] {
			p.Binding.Plugged = true
		}
	}
	return nil
}
