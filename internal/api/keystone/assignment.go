package keystone

import (
	"context"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// grantOf reads the assignment that a path speaks of.
func grantOf(r *web.Request) identity.Assignment {
	scope := identity.System()
	if id := r.PathValue("project"); id != "" {
		scope = identity.Scope{Kind: identity.ProjectScope, ID: id}
	}
	if id := r.PathValue("domain"); id != "" {
		scope = identity.Scope{Kind: identity.DomainScope, ID: id}
	}
	return identity.Assignment{UserID: r.PathValue("user"), Scope: scope, RoleID: r.PathValue("role")}
}

func (s *Service) createGrant(ctx context.Context, r *web.Request) (web.Reply, error) {
	a := grantOf(r)
	if err := s.store.Assign(ctx, a); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("role assigned", "role", a.RoleID, "user", a.UserID, "scope", string(a.Scope.Kind), "scope_id", a.Scope.ID)
	return done, nil
}

func (s *Service) revokeGrant(ctx context.Context, r *web.Request) (web.Reply, error) {
	a := grantOf(r)
	if err := s.store.Unassign(ctx, a); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("role taken away", "role", a.RoleID, "user", a.UserID, "scope", string(a.Scope.Kind), "scope_id", a.Scope.ID)
	return done, nil
}

func (s *Service) checkGrant(ctx context.Context, r *web.Request) (web.Reply, error) {
	return done, s.store.Assigned(ctx, grantOf(r))
}

func (s *Service) listGrants(ctx context.Context, r *web.Request) (web.Reply, error) {
	a := grantOf(r)
	if err := s.store.Assignable(ctx, a); err != nil {
		return web.Reply{}, err
	}
	found, err := s.store.Assignments(ctx, identity.AssignmentFilter{UserID: a.UserID, Scope: a.Scope})
	if err != nil {
		return web.Reply{}, err
	}
	var items []map[string]any
	for _, f := range found {
		items = append(items, s.roleJSON(r, &identity.Role{ID: f.RoleID, Name: f.RoleName}))
	}
	return s.list(r, "roles", 0, items), nil
}

func (s *Service) listAssignments(ctx context.Context, r *web.Request) (web.Reply, error) {
	filter, none, err := assignmentFilter(r)
	if err != nil || none {
		return s.list(r, "role_assignments", 0, nil), err
	}
	roleID := filter.RoleID
	if r.Query.Has("effective") {
		filter.RoleID = "" // it may be an implied one
	}
	found, err := s.store.Assignments(ctx, filter)
	if err != nil {
		return web.Reply{}, err
	}
	if r.Query.Has("effective") {
		byName, err := s.rolesByName(ctx)
		if err != nil {
			return web.Reply{}, err
		}
		found = effective(found, byName, roleID)
	}
	var items []map[string]any
	for _, f := range found {
		items = append(items, s.assignmentJSON(r, f))
	}
	return s.list(r, "role_assignments", 0, items), nil
}

// assignmentFilter reads the filters. none is set where nothing can match: nobody has groups or inherited roles.
func assignmentFilter(r *web.Request) (f identity.AssignmentFilter, none bool, err error) {
	f.UserID, f.RoleID = r.Query.Get("user.id"), r.Query.Get("role.id")
	given := 0
	for key, kind := range map[string]identity.ScopeKind{
		"scope.project.id": identity.ProjectScope, "scope.domain.id": identity.DomainScope, "scope.system": identity.SystemScope,
	} {
		value := r.Query.Get(key)
		if value == "" {
			continue
		}
		given++
		f.Scope = identity.Scope{Kind: kind, ID: value}
		if kind == identity.SystemScope {
			f.Scope = identity.System()
		}
	}
	if given > 1 || (f.UserID != "" && r.Query.Get("group.id") != "") {
		return f, false, lbaas.Errorf(lbaas.Invalid, "Specify at most one of user and group, and at most one of project, domain and system.")
	}
	none = r.Query.Get("group.id") != "" || r.Query.Get("scope.OS-INHERIT:inherited_to") != ""
	return f, none, nil
}

// effective adds what the assignments imply, and leaves those of one role, where one is given.
func effective(found []*identity.NamedAssignment, byName map[string]*identity.Role, roleID string) []*identity.NamedAssignment {
	var all []*identity.NamedAssignment
	seen := map[identity.Assignment]bool{}
	add := func(n *identity.NamedAssignment) {
		if !seen[n.Assignment] && (roleID == "" || roleID == n.RoleID) {
			all = append(all, n)
		}
		seen[n.Assignment] = true
	}
	for _, f := range found {
		add(f)
	}
	for _, f := range found {
		for _, name := range identity.Implied(f.RoleName) {
			if role := byName[name]; role != nil {
				n := *f
				n.RoleID, n.RoleName, n.Prior = role.ID, role.Name, f.RoleID
				add(&n)
			}
		}
	}
	return all
}

func (s *Service) assignmentJSON(r *web.Request, n *identity.NamedAssignment) map[string]any {
	names := named(r)
	m := map[string]any{
		"role":  ref(names, n.RoleID, n.RoleName, "", ""),
		"user":  ref(names, n.UserID, n.UserName, n.UserDomainID, n.UserDomainName),
		"links": s.assignmentLinks(r, n),
	}
	switch n.Scope.Kind {
	case identity.ProjectScope:
		m["scope"] = map[string]any{"project": ref(names, n.Scope.ID, n.ScopeName, n.ScopeDomainID, n.ScopeDomainName)}
	case identity.DomainScope:
		m["scope"] = map[string]any{"domain": ref(names, n.Scope.ID, n.ScopeName, "", "")}
	default:
		m["scope"] = map[string]any{"system": map[string]any{"all": true}}
	}
	return m
}

// named tells whether the names are wanted: with a value or without.
func named(r *web.Request) bool {
	value := strings.ToLower(r.Query.Get("include_names"))
	return r.Query.Has("include_names") && value != "0" && value != "false"
}

func ref(names bool, id, name, domainID, domainName string) map[string]any {
	m := map[string]any{"id": id}
	if !names {
		return m
	}
	m["name"] = name
	if domainID != "" {
		m["domain"] = map[string]any{"id": domainID, "name": domainName}
	}
	return m
}

func (s *Service) assignmentLinks(r *web.Request, n *identity.NamedAssignment) map[string]any {
	path := "/v3/system"
	if n.Scope.Kind != identity.SystemScope {
		path = "/v3/" + string(n.Scope.Kind) + "s/" + n.Scope.ID
	}
	role := n.RoleID
	links := map[string]any{}
	if n.Prior != "" {
		role = n.Prior
		links["prior_role"] = s.base(r) + "/v3/prior_role/" + n.Prior + "/implies/" + n.RoleID
	}
	links["assignment"] = s.base(r) + path + "/users/" + n.UserID + "/roles/" + role
	return links
}
