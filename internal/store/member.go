package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type memberRow struct {
	bun.BaseModel `bun:"table:members,alias:members"`
	objectRow

	LoadBalancerID string `bun:"load_balancer_id"`
	PoolID         string `bun:"pool_id"`
	Address        string `bun:"address"`
	ProtocolPort   int64  `bun:"protocol_port"`
	Live           int64  `bun:"live,nullzero"`
	Weight         int64  `bun:"weight"`
	Backup         bool   `bun:"backup"`
	SubnetID       string `bun:"subnet_id"`
	MonitorAddress string `bun:"monitor_address"`
	MonitorPort    int64  `bun:"monitor_port"`
	VNICType       string `bun:"vnic_type"`
	Number         int64  `bun:"number"`
}

func newMemberRow(m *lbaas.Member) memberRow {
	return memberRow{
		objectRow:      newObjectRow(&m.Object),
		LoadBalancerID: m.LoadBalancerID, PoolID: m.PoolID,
		Address: addressText(m.Address), ProtocolPort: int64(m.ProtocolPort), Live: 1,
		Weight: int64(m.Weight), Backup: m.Backup, SubnetID: m.SubnetID,
		MonitorAddress: addressText(m.MonitorAddress), MonitorPort: int64(m.MonitorPort),
		VNICType: m.VNICType, Number: int64(m.Number),
	}
}

func (r *memberRow) domain() *lbaas.Member {
	return &lbaas.Member{
		Object:         r.objectRow.domain(),
		LoadBalancerID: r.LoadBalancerID, PoolID: r.PoolID,
		Address: textAddress(r.Address), ProtocolPort: int(r.ProtocolPort),
		Weight: int(r.Weight), Backup: r.Backup, SubnetID: r.SubnetID,
		MonitorAddress: textAddress(r.MonitorAddress), MonitorPort: int(r.MonitorPort),
		VNICType: r.VNICType, Number: int(r.Number),
	}
}

// same tells whether both rows say the same of the object, whatever its progress.
func (r memberRow) same(o memberRow) bool {
	r.objectRow, o.objectRow = r.settled(), o.settled()
	return r == o
}

var memberAttributes = objectAttributes(attributes{
	"loadbalancer_id": {column: "load_balancer_id"},
	"pool_id":         {column: "pool_id"},
	"address":         {column: "address", value: address},
	"protocol_port":   {column: "protocol_port", value: integer},
	"weight":          {column: "weight", value: integer},
	"backup":          {column: "backup", value: boolean},
	"subnet_id":       {column: "subnet_id"},
	"monitor_address": {column: "monitor_address", value: address},
	"monitor_port":    {column: "monitor_port", value: integer},
	"vnic_type":       {column: "vnic_type"},
})

// Member returns one member, also while it is wanted deleted, until it is gone.
func (s *Store) Member(ctx context.Context, id string) (*lbaas.Member, error) {
	row, err := one[memberRow](ctx, s.read, lbaas.NounMember, id)
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// Members returns those that a query asks for; those of one pool by a filter on pool_id.
func (s *Store) Members(ctx context.Context, q Query) ([]*lbaas.Member, error) {
	rows, err := list[memberRow](ctx, s.read, q, tableMembers, memberAttributes)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	members := make([]*lbaas.Member, len(rows))
	for i := range rows {
		members[i] = rows[i].domain()
	}
	return members, nil
}
