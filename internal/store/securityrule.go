package store

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

const tableSecurityRules = "security_group_rules"

type securityRuleRow struct {
	bun.BaseModel `bun:"table:security_group_rules"`

	ID            string `bun:"id,pk"`
	ProjectID     string
	GroupID       string
	Description   string
	Direction     string
	EtherType     string
	Protocol      string
	PortMin       *int
	PortMax       *int
	RemoteGroupID string
	RemotePrefix  string
	Likeness      string
	Revision      int64
	CreatedAt     int64
	UpdatedAt     int64
}

func newSecurityRuleRow(r *network.SecurityGroupRule) *securityRuleRow {
	return &securityRuleRow{
		ID: r.ID, ProjectID: r.ProjectID, GroupID: r.GroupID, Description: r.Description, Direction: r.Direction, EtherType: r.EtherType,
		Protocol: r.Protocol, PortMin: r.PortMin, PortMax: r.PortMax, RemoteGroupID: r.RemoteGroupID, RemotePrefix: prefixText(r.RemotePrefix),
		Likeness: r.Likeness(), Revision: r.Revision, CreatedAt: micros(r.CreatedAt), UpdatedAt: micros(r.UpdatedAt),
	}
}

func (r *securityRuleRow) domain() *network.SecurityGroupRule {
	return &network.SecurityGroupRule{
		ID: r.ID, ProjectID: r.ProjectID, GroupID: r.GroupID, Description: r.Description, Direction: r.Direction, EtherType: r.EtherType,
		Protocol: r.Protocol, PortMin: r.PortMin, PortMax: r.PortMax, RemoteGroupID: r.RemoteGroupID, RemotePrefix: textPrefix(r.RemotePrefix),
		Revision: r.Revision, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

// prefixText writes a prefix; "" is none.
func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

func securityRuleAttributes() attributes {
	return attributes{
		"id":                {column: "id"},
		"description":       {column: "description"},
		"project_id":        {column: "project_id"},
		"tenant_id":         {column: "project_id"},
		"security_group_id": {column: "group_id"},
		"direction":         {column: "direction"},
		"ethertype":         {column: "ether_type"},
		"protocol":          {column: "protocol", value: lower},
		"port_range_min":    {column: "COALESCE(port_min, -1)", value: integer},
		"port_range_max":    {column: "COALESCE(port_max, -1)", value: integer},
		"remote_group_id":   {column: "remote_group_id"},
		"remote_ip_prefix":  {column: "remote_prefix"},
		"revision_number":   {column: "revision", value: integer},
		"created_at":        {column: "created_at", value: moment},
		"updated_at":        {column: "updated_at", value: moment},
	}
}

// SecurityGroupRule returns a rule. One that is not there is Neutron's SecurityGroupRuleNotFound.
func (s *Store) SecurityGroupRule(ctx context.Context, id string) (*network.SecurityGroupRule, error) {
	return ruleByID(ctx, s.read, id)
}

// SecurityGroupRules lists rules. Beside the attributes, network.VisibleTo is understood: of rules that a project made, or that are in
// a group of its.
func (s *Store) SecurityGroupRules(ctx context.Context, q Query) ([]*network.SecurityGroupRule, error) {
	visible := func(sel *bun.SelectQuery, projects []string) *bun.SelectQuery {
		return sel.Where("(project_id IN (?) OR group_id IN (SELECT id FROM security_groups WHERE project_id IN (?)))",
			bun.List(projects), bun.List(projects))
	}
	return found(ctx, s, tableSecurityRules, q, securityRuleAttributes(), special{network.VisibleTo: visible}, rulesOf)
}

func rulesOf(_ context.Context, _ bun.IDB, rows []*securityRuleRow) ([]*network.SecurityGroupRule, error) {
	list := make([]*network.SecurityGroupRule, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.domain())
	}
	return list, nil
}

// CreateSecurityGroupRules keeps all the rules, which are of one group, or none, and fills their IDs and times. One that is like
// another of the group is Neutron's SecurityGroupRuleExists.
func (s *Store) CreateSecurityGroupRules(ctx context.Context, list []*network.SecurityGroupRule) error {
	if err := apart(list); err != nil {
		return err
	}
	err := s.change(ctx, "store.createSecurityGroupRules", func(ctx context.Context, tx bun.Tx) error {
		var relied []string
		for _, r := range list {
			if err := s.countNetwork(ctx, tx, r.ProjectID, network.QuotaSecurityGroupRule, 1); err != nil {
				return err
			}
			relied = append(relied, r.GroupID)
			if r.RemoteGroupID != "" {
				relied = append(relied, r.RemoteGroupID)
			}
		}
		if err := holdSecurityGroups(ctx, tx, relied); err != nil {
			return err
		}
		at := now()
		for i, r := range list {
			if err := newRule(ctx, tx, r, at.Add(time.Duration(i)*time.Microsecond)); err != nil {
				return err
			}
		}
		return touchGroup(ctx, tx, list[0].GroupID)
	})
	if err == nil {
		s.hint(Hint{Network: true})
	}
	return err
}

// apart tells whether the rules are of one group and no two of them alike.
func apart(list []*network.SecurityGroupRule) error {
	seen := map[string]bool{}
	for _, r := range list {
		if r.GroupID != list[0].GroupID {
			return network.NotSingleGroupRules()
		}
		if seen[r.Likeness()] {
			return network.DuplicateSecurityGroupRule()
		}
		seen[r.Likeness()] = true
	}
	return nil
}

func newRule(ctx context.Context, tx bun.Tx, r *network.SecurityGroupRule, at time.Time) error {
	var like string
	err := tx.NewSelect().Table(tableSecurityRules).Column("id").Where("group_id = ? AND likeness = ?", r.GroupID, r.Likeness()).Scan(ctx, &like)
	switch {
	case err == nil:
		return network.SecurityGroupRuleExists(like)
	case !notFound(err):
		return fmt.Errorf("look for a rule that is alike: %w", err)
	}
	return insertRule(ctx, tx, r, at)
}

func insertRule(ctx context.Context, tx bun.Tx, r *network.SecurityGroupRule, at time.Time) error {
	r.ID, r.CreatedAt, r.UpdatedAt, r.Revision = fresh(r.ID), at, at, 1
	if _, err := tx.NewInsert().Model(newSecurityRuleRow(r)).Exec(ctx); err != nil {
		return fmt.Errorf("insert security group rule: %w", err)
	}
	return nil
}

// touchGroup notes that a group's rules changed.
func touchGroup(ctx context.Context, tx bun.Tx, id string) error {
	_, err := tx.NewUpdate().Table(tableSecurityGroups).Set("revision = revision + 1").Set("updated_at = ?", micros(now())).
		Where("id = ?", id).Exec(ctx)
	if err != nil {
		return fmt.Errorf("note the change of security group %s: %w", id, err)
	}
	return nil
}

// UpdateSecurityGroupRule lets fn change the description of a rule, which is all that changes of one, and returns what was kept.
func (s *Store) UpdateSecurityGroupRule(ctx context.Context, id string, fn func(*network.SecurityGroupRule) error) (*network.SecurityGroupRule, error) {
	var after *network.SecurityGroupRule
	err := s.change(ctx, "store.updateSecurityGroupRule", func(ctx context.Context, tx bun.Tx) error {
		r, err := ruleByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
		r.Revision, r.UpdatedAt = r.Revision+1, now()
		n, err := affected(tx.NewUpdate().Model(newSecurityRuleRow(r)).Column("description", "revision", "updated_at").WherePK().Exec(ctx))
		switch {
		case err != nil:
			return fmt.Errorf("update security group rule: %w", err)
		case n == 0:
			return network.SecurityGroupRuleNotFound(id)
		}
		after = r
		return nil
	})
	return after, err
}

// DeleteSecurityGroupRule removes a rule.
func (s *Store) DeleteSecurityGroupRule(ctx context.Context, id string) error {
	err := s.change(ctx, "store.deleteSecurityGroupRule", func(ctx context.Context, tx bun.Tx) error {
		r, err := ruleByID(ctx, tx, id)
		if err != nil {
			return err
		}
		n, err := affected(tx.NewDelete().Table(tableSecurityRules).Where("id = ?", id).Exec(ctx))
		switch {
		case err != nil:
			return fmt.Errorf("delete security group rule: %w", err)
		case n == 0:
			return network.SecurityGroupRuleNotFound(id)
		}
		return touchGroup(ctx, tx, r.GroupID)
	})
	if err == nil {
		s.hint(Hint{Network: true})
	}
	return err
}

func ruleByID(ctx context.Context, db bun.IDB, id string) (*network.SecurityGroupRule, error) {
	row, err := readRow[securityRuleRow](ctx, db, "security group rule", id, network.SecurityGroupRuleNotFound(id))
	if err != nil {
		return nil, err
	}
	return row.domain(), nil
}

// fillRules reads the rules of groups, oldest first.
func fillRules(ctx context.Context, db bun.IDB, chunk []*network.SecurityGroup, byID map[string]*network.SecurityGroup) error {
	var ids []string
	for _, g := range chunk {
		ids = append(ids, g.ID)
	}
	var rows []*securityRuleRow
	err := db.NewSelect().Model(&rows).Where("group_id IN (?)", bun.List(ids)).Order("group_id", "created_at", "id").Scan(ctx)
	if err != nil {
		return fmt.Errorf("read the rules of security groups: %w", err)
	}
	for _, row := range rows {
		g := byID[row.GroupID]
		g.Rules = append(g.Rules, row.domain())
	}
	return nil
}
