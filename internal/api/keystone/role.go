package keystone

import (
	"context"
	"net/http"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

func (s *Service) roleJSON(r *web.Request, role *identity.Role) map[string]any {
	return map[string]any{
		"id": role.ID, "name": role.Name, "description": orNil(role.Description), "domain_id": nil,
		"options": role.Options, "links": s.self(r, "/v3/roles/"+role.ID),
	}
}

func (s *Service) listRoles(ctx context.Context, r *web.Request) (web.Reply, error) {
	q, err := listQuery(r, "name")
	if err != nil {
		return web.Reply{}, err
	}
	if r.Query.Get("domain_id") != "" {
		return s.list(r, "roles", 0, nil), nil // no role belongs to a domain
	}
	roles, err := s.store.Roles(ctx, q)
	if err != nil {
		return web.Reply{}, err
	}
	var items []map[string]any
	for _, role := range roles {
		items = append(items, s.roleJSON(r, role))
	}
	return s.list(r, "roles", q.Limit, items), nil
}

func (s *Service) showRole(ctx context.Context, r *web.Request) (web.Reply, error) {
	role, err := s.store.Role(ctx, r.PathValue("role"))
	if err != nil {
		return web.Reply{}, err
	}
	return resource(http.StatusOK, "role", s.roleJSON(r, role)), nil
}

func (s *Service) createRole(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "role")
	if err != nil {
		return web.Reply{}, err
	}
	role := &identity.Role{ID: newID(), Name: body.requiredName(maxName)}
	if body.has("domain_id") {
		return web.Reply{}, lbaas.Errorf(lbaas.Unsupported, "Roles that belong to a domain are not supported.")
	}
	if err := changeRole(body, role); err != nil {
		return web.Reply{}, err
	}
	if err := s.store.CreateRole(ctx, role); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("role created", "role", role.ID)
	return resource(http.StatusCreated, "role", s.roleJSON(r, role)), nil
}

func changeRole(body *reader, role *identity.Role) error {
	role.Description = body.text("description", maxProse).Or(role.Description)
	body.options(&role.Options, "immutable")
	return body.err
}

func (s *Service) updateRole(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "role")
	if err != nil {
		return web.Reply{}, err
	}
	role, err := s.store.UpdateRole(ctx, r.PathValue("role"), func(role *identity.Role) error {
		role.Name = body.name(maxName).Or(role.Name)
		body.unchanged("id", role.ID)
		return changeRole(body, role)
	})
	if err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("role changed", "role", role.ID)
	return resource(http.StatusOK, "role", s.roleJSON(r, role)), nil
}

func (s *Service) deleteRole(ctx context.Context, r *web.Request) (web.Reply, error) {
	id := r.PathValue("role")
	if err := s.store.DeleteRole(ctx, id); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("role deleted", "role", id)
	return done, nil
}

// impliedRoles tells what one role implies.
func (s *Service) impliedRoles(ctx context.Context, r *web.Request) (web.Reply, error) {
	role, err := s.store.Role(ctx, r.PathValue("role"))
	if err != nil {
		return web.Reply{}, err
	}
	byName, err := s.rolesByName(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{
		"role_inference": s.inference(r, role, byName), "links": s.self(r, "/v3/roles/"+role.ID+"/implies"),
	}}, nil
}

// roleInferences tells which roles imply which.
func (s *Service) roleInferences(ctx context.Context, r *web.Request) (web.Reply, error) {
	byName, err := s.rolesByName(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	rules := []any{}
	for _, name := range identity.RoleNames() {
		if role := byName[name]; role != nil && len(identity.Infers(name)) > 0 {
			rules = append(rules, s.inference(r, role, byName))
		}
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{
		"role_inferences": rules, "links": s.self(r, "/v3/role_inferences"),
	}}, nil
}

func (s *Service) inference(r *web.Request, prior *identity.Role, byName map[string]*identity.Role) map[string]any {
	implies := []any{}
	for _, name := range identity.Infers(prior.Name) {
		if role := byName[name]; role != nil {
			implies = append(implies, s.roleJSON(r, role))
		}
	}
	return map[string]any{"prior_role": s.roleJSON(r, prior), "implies": implies}
}

func (s *Service) rolesByName(ctx context.Context) (map[string]*identity.Role, error) {
	roles, err := s.store.Roles(ctx, store.Query{})
	if err != nil {
		return nil, err
	}
	byName := map[string]*identity.Role{}
	for _, role := range roles {
		byName[role.Name] = role
	}
	return byName, nil
}
