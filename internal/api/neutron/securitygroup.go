package neutron

import (
	"context"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
)

func securityGroupSpec() spec {
	return spec{
		"id": readOnly, "tags": readOnly, "revision_number": readOnly, "created_at": readOnly, "updated_at": readOnly,
		"security_group_rules": readOnly, "shared": readOnly,
		"project_id": postOnly, "tenant_id": postOnly,
		"name": postAndPut, "description": postAndPut, "stateful": postAndPut,
	}
}

func (s *service) securityGroups() *resource {
	return &resource{
		name: "security_group", plural: "security_groups", path: "security-groups", spec: securityGroupSpec(),
		notFound: func(id string) error { return network.SecurityGroupNotFound(id) },
		list:     s.listSecurityGroups, show: s.showSecurityGroup, create: s.createSecurityGroups, update: s.updateSecurityGroup,
		remove: s.deleteSecurityGroup, retag: s.retagSecurityGroup,
	}
}

func securityGroupView(g *network.SecurityGroup) view {
	rules := make([]view, 0, len(g.Rules))
	for _, r := range g.Rules {
		rules = append(rules, securityRuleView(r))
	}
	return view{
		"id": g.ID, "project_id": g.ProjectID, "tenant_id": g.ProjectID, "name": g.Name, "description": g.Description, "stateful": true,
		"shared": false, "security_group_rules": rules, "tags": listed(g.Tags), "revision_number": g.Revision,
		"created_at": moment(g.CreatedAt), "updated_at": moment(g.UpdatedAt),
	}
}

func (s *service) listSecurityGroups(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	if err := s.ensureDefault(ctx, a, q); err != nil {
		return nil, err
	}
	found, err := s.store.SecurityGroups(ctx, visible(a, q))
	if err != nil {
		return nil, err
	}
	return viewsOf(found, securityGroupView), nil
}

// ensureDefault sees to it that the project whose groups are listed has its default one, as Neutron does.
func (s *service) ensureDefault(ctx context.Context, a *identity.Actor, q store.Query) error {
	project := a.ProjectID
	for _, f := range q.Filters {
		if (f.Attribute == "project_id" || f.Attribute == "tenant_id") && len(f.Values) > 0 {
			project = f.Values[0]
		}
	}
	if project == "" || len(project) > maxProject || !owns(a, project) {
		return nil
	}
	_, err := s.store.DefaultSecurityGroup(ctx, project)
	return err
}

// maxProject is how long the id of a project may be.
const maxProject = 64

func (s *service) showSecurityGroup(ctx context.Context, a *identity.Actor, id string) (view, error) {
	g, err := s.groupSeen(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return securityGroupView(g), nil
}

// groupSeen reads a security group that the actor may know of: its own ones.
func (s *service) groupSeen(ctx context.Context, a *identity.Actor, id string) (*network.SecurityGroup, error) {
	g, err := s.store.SecurityGroup(ctx, id)
	if err == nil && !owns(a, g.ProjectID) {
		return nil, network.SecurityGroupNotFound(id)
	}
	return g, err
}

func (s *service) createSecurityGroups(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	var list []*network.SecurityGroup
	for _, b := range bodies {
		g := &network.SecurityGroup{ProjectID: b.owner(a)}
		if err := readSecurityGroup(b, g); err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	for _, g := range list {
		if _, err := s.store.DefaultSecurityGroup(ctx, g.ProjectID); err != nil {
			return nil, err
		}
	}
	if err := s.store.CreateSecurityGroups(ctx, list); err != nil {
		return nil, err
	}
	return viewsOf(list, securityGroupView), nil
}

// readSecurityGroup reads the attributes that a request carries into a security group. What a group lets through is remembered by
// connection; others Neutron calls stateless, and they are not offered.
func readSecurityGroup(b *body, g *network.SecurityGroup) error {
	b.text("name", &g.Name, 255)
	b.text("description", &g.Description, 255)
	stateful := true
	b.boolean("stateful", &stateful)
	if !stateful {
		b.fail(invalid("stateful", "'False' is not supported by this network service"))
	}
	if b.has("name") && strings.EqualFold(g.Name, network.DefaultGroup) {
		b.fail(network.DefaultGroupExists())
	}
	return b.err()
}

func (s *service) updateSecurityGroup(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	g, err := s.store.UpdateSecurityGroup(ctx, id, func(g *network.SecurityGroup) error {
		switch {
		case !owns(a, g.ProjectID):
			return disallowed("update_security_group")
		case g.Default && b.has("name"):
			return network.CannotUpdateDefaultGroup()
		}
		return readSecurityGroup(b, g)
	})
	if err != nil {
		return nil, err
	}
	return securityGroupView(g), nil
}

func (s *service) retagSecurityGroup(ctx context.Context, a *identity.Actor, id string, fn func([]string) ([]string, error)) ([]string, error) {
	g, err := s.store.UpdateSecurityGroup(ctx, id, func(g *network.SecurityGroup) (err error) {
		if !owns(a, g.ProjectID) {
			return disallowed("update_security_groups_tags")
		}
		g.Tags, err = fn(g.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return g.Tags, nil
}

// deleteSecurityGroup deletes a group of the actor's. The default one only an admin takes away, say of a project that is gone; it is
// made again when it is next needed.
func (s *service) deleteSecurityGroup(ctx context.Context, a *identity.Actor, id string) error {
	g, err := s.groupSeen(ctx, a, id)
	if err != nil {
		return err
	}
	if g.Default && !a.Admin() {
		return network.CannotRemoveDefaultGroup()
	}
	return s.store.DeleteSecurityGroup(ctx, id)
}
