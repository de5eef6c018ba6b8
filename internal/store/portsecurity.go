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
	if err := erase(ctx, tx, tx.NewDelete().Model((*portGroupRow)(nil)).Where("port_id = ?", p.ID)); err != nil {
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
