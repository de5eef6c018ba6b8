package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

// portGroupRow says that a port is in a security group.
type portGroupRow struct {
	bun.BaseModel `bun:"table:port_security_groups"`

	PortID   string `bun:"port_id,pk"`
	GroupID  string `bun:"group_id,pk"`
	Position int
}

// fillSecurityGroups reads the groups that ports are in.
func fillSecurityGroups(ctx context.Context, db bun.IDB, ports []*network.Port) error {
	byID := map[string]*network.Port{}
	var ids []string
	for _, p := range ports {
		byID[p.ID] = p
		ids = append(ids, p.ID)
	}
	var rows []*portGroupRow
	err := db.NewSelect().Model(&rows).Where("port_id IN (?)", bun.List(ids)).Order("port_id", "position").Scan(ctx)
	if err != nil {
		return fmt.Errorf("read the ports' security groups: %w", err)
	}
	for _, row := range rows {
		p := byID[row.PortID]
		p.SecurityGroupIDs = append(p.SecurityGroupIDs, row.GroupID)
	}
	return nil
}

// setSecurityGroups writes which groups a port is in. They are held, so that none of them goes meanwhile.
func setSecurityGroups(ctx context.Context, tx bun.Tx, p *network.Port) error {
	if err := holdSecurityGroups(ctx, tx, p.SecurityGroupIDs); err != nil {
		return err
	}
	if err := erase(ctx, tx.NewDelete().Model((*portGroupRow)(nil)).Where("port_id = ?", p.ID)); err != nil {
		return err
	}
	for i, id := range p.SecurityGroupIDs {
		row := &portGroupRow{PortID: p.ID, GroupID: id, Position: i}
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			return fmt.Errorf("put port %s into security group %s: %w", p.ID, id, err)
		}
	}
	return nil
}

// SetVIPGroups says of which providers load balancers may have security groups of their VIP port in vip_sg_ids; nil is all. It is called at
// most once, before the store is used.
func (s *Store) SetVIPGroups(takes func(provider string) bool) { s.vipGroups = takes }

// changeGroups puts a port into other groups than before. Where it is the VIP port of a load balancer, vip_sg_ids says the same from
// then on.
func (s *Store) changeGroups(ctx context.Context, tx bun.Tx, p *network.Port) error {
	if err := setSecurityGroups(ctx, tx, p); err != nil || p.DeviceOwner != network.OwnerLoadBalancer {
		return err
	}
	var balancers []struct{ ID, Provider string }
	err := tx.NewSelect().Table(tableLoadBalancers).Column("id", "provider").Where("vip_port_id = ? AND deleted = ?", p.ID, false).Scan(ctx, &balancers)
	if err != nil {
		return fmt.Errorf("look for the load balancer of port %s: %w", p.ID, err)
	}
	for _, lb := range balancers {
		if s.vipGroups != nil && !s.vipGroups(lb.Provider) {
			continue
		}
		_, err := tx.NewUpdate().Table(tableLoadBalancers).Set("vip_sg_ids = ?", listText(p.SecurityGroupIDs)).Where("id = ?", lb.ID).Exec(ctx)
		if err != nil {
			return fmt.Errorf("give load balancer %s the security groups of its VIP port: %w", lb.ID, err)
		}
	}
	return nil
}

// Lists of a port that only the port needs are kept as JSON; "" is none.

func pairsText(list []network.AddressPair) string {
	if len(list) == 0 {
		return ""
	}
	return jsonText(list)
}

func textPairs(text string) (list []network.AddressPair) {
	textJSON(text, &list)
	return list
}

func optionsText(list []network.DHCPOption) string {
	if len(list) == 0 {
		return ""
	}
	return jsonText(list)
}

func textOptions(text string) (list []network.DHCPOption) {
	textJSON(text, &list)
	return list
}
