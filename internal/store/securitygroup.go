package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/network"
)

const tableSecurityGroups = "security_groups"

type securityGroupRow struct {
	bun.BaseModel `bun:"table:security_groups"`

	ID          string `bun:"id,pk"`
	ProjectID   string
	Name        string
	Description string
	DefaultOf   *string
	Tags        string
	Revision    int64
	Epoch       int64
	CreatedAt   int64
	UpdatedAt   int64
}

func newSecurityGroupRow(g *network.SecurityGroup) *securityGroupRow {
	row := &securityGroupRow{
		ID: g.ID, ProjectID: g.ProjectID, Name: g.Name, Description: g.Description, Tags: listText(g.Tags), Revision: g.Revision,
		CreatedAt: micros(g.CreatedAt), UpdatedAt: micros(g.UpdatedAt),
	}
	if g.Default {
		row.DefaultOf = &g.ProjectID
	}
	return row
}

func (r *securityGroupRow) domain() *network.SecurityGroup {
	return &network.SecurityGroup{
		ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, Description: r.Description, Default: r.DefaultOf != nil, Tags: textList(r.Tags),
		Revision: r.Revision, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

func securityGroupAttributes() attributes {
	return attributes{
		"id":              {column: "id"},
		"tags":            {column: "tags"},
		"name":            {column: "name"},
		"description":     {column: "description"},
		"project_id":      {column: "project_id"},
		"tenant_id":       {column: "project_id"},
		"stateful":        {column: "CASE WHEN id = '' THEN 0 ELSE 1 END", value: truth},
		"shared":          {column: "CASE WHEN id = '' THEN 1 ELSE 0 END", value: truth},
		"revision_number": {column: "revision", value: integer},
		"created_at":      {column: "created_at", value: moment},
		"updated_at":      {column: "updated_at", value: moment},
	}
}

// truth reads a boolean that an expression gives as a number.
func truth(text string) (any, error) {
	v, err := boolean(text)
	if err == nil && v == true {
		return 1, nil
	}
	return 0, err
}

// SecurityGroup returns a security group with its rules. One that is not there is Neutron's SecurityGroupNotFound.
func (s *Store) SecurityGroup(ctx context.Context, id string) (*network.SecurityGroup, error) {
	var g *network.SecurityGroup
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		g, err = securityGroupByID(ctx, tx, id)
		return err
	})
	return g, err
}

// SecurityGroups lists security groups with their rules. Beside the attributes, network.VisibleTo is understood.
func (s *Store) SecurityGroups(ctx context.Context, q Query) ([]*network.SecurityGroup, error) {
	return found(ctx, s, tableSecurityGroups, q, securityGroupAttributes(), special{network.VisibleTo: ofProjects}, securityGroupsOf)
}

// ofProjects is network.VisibleTo of what only its own project sees.
func ofProjects(sel *bun.SelectQuery, projects []string) *bun.SelectQuery {
	return sel.Where("project_id IN (?)", bun.List(projects))
}

// DefaultSecurityGroup returns the id of the group of a project's ports that name none. It is made when it is first asked for; of those who
// make it at once one does. It is there whatever the quota says.
func (s *Store) DefaultSecurityGroup(ctx context.Context, projectID string) (id string, err error) {
	for {
		err := s.read.NewSelect().Table(tableSecurityGroups).Column("id").Where("default_of = ?", projectID).Scan(ctx, &id)
		switch {
		case err == nil:
			return id, nil
		case !notFound(err):
			return "", fmt.Errorf("look for the default security group of project %s: %w", projectID, err)
		}
		if err := s.makeDefaultGroup(ctx, projectID); err != nil {
			return "", err
		}
	}
}

func (s *Store) makeDefaultGroup(ctx context.Context, projectID string) error {
	err := s.change(ctx, "store.createDefaultSecurityGroup", func(ctx context.Context, tx bun.Tx) error {
		return insertSecurityGroup(ctx, tx, &network.SecurityGroup{
			ProjectID: projectID, Name: network.DefaultGroup, Description: "Default security group", Default: true,
		})
	})
	if duplicate(err) {
		return nil // somebody else was faster
	}
	return err
}

// CreateSecurityGroup keeps a new security group with the rules of a new one, and fills its ID, its times and its rules.
func (s *Store) CreateSecurityGroup(ctx context.Context, g *network.SecurityGroup) error {
	return s.CreateSecurityGroups(ctx, []*network.SecurityGroup{g})
}

// CreateSecurityGroups keeps all the security groups or none.
func (s *Store) CreateSecurityGroups(ctx context.Context, list []*network.SecurityGroup) error {
	return s.change(ctx, "store.createSecurityGroups", func(ctx context.Context, tx bun.Tx) error {
		for _, g := range list {
			if err := s.countNetwork(ctx, tx, g.ProjectID, network.QuotaSecurityGroup, 1); err != nil {
				return err
			}
			if err := s.countNetwork(ctx, tx, g.ProjectID, network.QuotaSecurityGroupRule, len(g.DefaultRules())); err != nil {
				return err
			}
			if err := insertSecurityGroup(ctx, tx, g); err != nil {
				return err
			}
		}
		return nil
	})
}

func insertSecurityGroup(ctx context.Context, tx bun.Tx, g *network.SecurityGroup) error {
	g.ID, g.CreatedAt, g.Revision = fresh(g.ID), now(), 1
	g.UpdatedAt = g.CreatedAt
	if _, err := tx.NewInsert().Model(newSecurityGroupRow(g)).Exec(ctx); err != nil {
		return fmt.Errorf("insert security group: %w", err)
	}
	g.Rules = g.DefaultRules()
	for i, r := range g.Rules {
		if err := insertRule(ctx, tx, r, g.CreatedAt.Add(time.Duration(i)*time.Microsecond)); err != nil {
			return err
		}
	}
	return nil
}

// UpdateSecurityGroup lets fn change a security group, which it may have to do more than once, and returns what was kept. Its rules
// have methods of their own.
func (s *Store) UpdateSecurityGroup(ctx context.Context, id string, fn func(*network.SecurityGroup) error) (*network.SecurityGroup, error) {
	var after *network.SecurityGroup
	err := s.change(ctx, "store.updateSecurityGroup", func(ctx context.Context, tx bun.Tx) error {
		if err := holdSecurityGroup(ctx, tx, id); err != nil {
			return err
		}
		g, err := securityGroupByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := fn(g); err != nil {
			return err
		}
		g.Revision, g.UpdatedAt = g.Revision+1, now()
		if _, err := tx.NewUpdate().Model(newSecurityGroupRow(g)).ExcludeColumn("id", "project_id", "default_of", "epoch", "created_at").
			WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update security group: %w", err)
		}
		after = g
		return nil
	})
	return after, err
}

// DeleteSecurityGroup removes a security group with its rules, and the rules of others that name it. One that ports are in is Neutron's
// SecurityGroupInUse.
func (s *Store) DeleteSecurityGroup(ctx context.Context, id string) error {
	err := s.change(ctx, "store.deleteSecurityGroup", func(ctx context.Context, tx bun.Tx) error {
		if err := holdSecurityGroup(ctx, tx, id); err != nil {
			return err
		}
		inside := tx.NewSelect().Table("port_security_groups").Column("port_id").Where("group_id = ?", id)
		busy, err := tx.NewSelect().Table("ports").Where("deleted = ?", false).Where("id IN (?)", inside).Exists(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("look for ports in security group %s: %w", id, err)
		case busy:
			return network.SecurityGroupInUse(id)
		}
		return erase(ctx,
			tx.NewDelete().Table("port_security_groups").Where("group_id = ?", id),
			tx.NewDelete().Table(tableSecurityRules).Where("group_id = ? OR remote_group_id = ?", id, id),
			tx.NewDelete().Table(tableSecurityGroups).Where("id = ?", id))
	})
	if err == nil {
		s.hint(Hint{Network: true})
	}
	return err
}

// holdSecurityGroup makes those who come to rely on a group (a port, a rule that names it) and those who delete it come one after
// another.
func holdSecurityGroup(ctx context.Context, tx bun.Tx, id string) error {
	return held(ctx, tx, tableSecurityGroups, "id", id, network.SecurityGroupNotFound(id))
}

// holdSecurityGroups holds several, always in the same order.
func holdSecurityGroups(ctx context.Context, tx bun.Tx, ids []string) error {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if err := holdSecurityGroup(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}

func securityGroupByID(ctx context.Context, db bun.IDB, id string) (*network.SecurityGroup, error) {
	row, err := readRow[securityGroupRow](ctx, db, "security group", id, network.SecurityGroupNotFound(id))
	if err != nil {
		return nil, err
	}
	list, err := securityGroupsOf(ctx, db, []*securityGroupRow{row})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func securityGroupsOf(ctx context.Context, db bun.IDB, rows []*securityGroupRow) ([]*network.SecurityGroup, error) {
	list := make([]*network.SecurityGroup, 0, len(rows))
	byID := map[string]*network.SecurityGroup{}
	for _, row := range rows {
		g := row.domain()
		list = append(list, g)
		byID[g.ID] = g
	}
	for chunk := range slices.Chunk(list, chunkSize) {
		if err := fillRules(ctx, db, chunk, byID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// securityGroupMembers returns the addresses of the live ports of groups, by the group's id: what a rule that names the group means.
func securityGroupMembers(ctx context.Context, db bun.IDB, groupIDs []string) (map[string][]network.AddressPair, error) {
	members := map[string][]network.AddressPair{}
	for chunk := range slices.Chunk(groupIDs, chunkSize) {
		var inside []*portGroupRow
		err := db.NewSelect().Model(&inside).Where("group_id IN (?)", bun.List(chunk)).Order("group_id", "port_id").Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the members of security groups: %w", err)
		}
		sources, err := sourcesOf(ctx, db, inside)
		if err != nil {
			return nil, err
		}
		for _, row := range inside {
			members[row.GroupID] = append(members[row.GroupID], sources[row.PortID]...)
		}
	}
	return members, nil
}

// sourcesOf reads from which addresses ports send, by the port's id.
func sourcesOf(ctx context.Context, db bun.IDB, inside []*portGroupRow) (map[string][]network.AddressPair, error) {
	var ids []string
	for _, row := range inside {
		ids = append(ids, row.PortID)
	}
	slices.Sort(ids)
	sources := map[string][]network.AddressPair{}
	for chunk := range slices.Chunk(slices.Compact(ids), chunkSize) {
		var rows []*portRow
		err := db.NewSelect().Model(&rows).Where("id IN (?) AND deleted = ? AND port_security = ?", bun.List(chunk), false, true).Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the ports of security groups: %w", err)
		}
		var ports []*network.Port
		for _, row := range rows {
			ports = append(ports, row.domain())
		}
		if err := fillAddresses(ctx, db, ports); err != nil {
			return nil, err
		}
		for _, p := range ports {
			sources[p.ID] = p.Sources()
		}
	}
	return sources, nil
}

// QoSPolicy returns a QoS policy. The embedded network service has none.
func (*Store) QoSPolicy(_ context.Context, id string) (*network.QoSPolicy, error) {
	return nil, network.QoSPolicyNotFound(id)
}
