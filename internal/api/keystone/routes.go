package keystone

import (
	"context"
	"net/http"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// routes is the table of everything that is answered. Where a rule is named, it is asked about the user, project and
// domain in the path before the handler runs; the handlers of tokens ask it themselves, about the token's user.
func (s *Service) routes() []web.Route {
	routes := []web.Route{
		{Method: "GET", Path: "/{$}", Open: true, Handle: s.versions},
		{Method: "GET", Path: "/v3", Open: true, Handle: s.version},

		{Method: "POST", Path: "/v3/auth/tokens", Open: true, Handle: s.issueToken},
		{Method: "GET", Path: "/v3/auth/tokens", Handle: s.showToken}, // and HEAD
		{Method: "DELETE", Path: "/v3/auth/tokens", Handle: s.revokeToken},
		{Method: "GET", Path: "/v3/auth/catalog", Rule: "identity:get_auth_catalog", Handle: s.showCatalog},
		{Method: "GET", Path: "/v3/auth/projects", Rule: "identity:get_auth_projects", Handle: s.authProjects},
		{Method: "GET", Path: "/v3/auth/domains", Rule: "identity:get_auth_domains", Handle: s.authDomains},
		{Method: "GET", Path: "/v3/auth/system", Rule: "identity:get_auth_system", Handle: s.authSystem},

		{Method: "GET", Path: "/v3/domains", Rule: "identity:list_domains", Handle: s.listDomains},
		{Method: "POST", Path: "/v3/domains", Rule: "identity:create_domain", Handle: s.createDomain},
		{Method: "GET", Path: "/v3/domains/{domain}", Rule: "identity:get_domain", Handle: s.showDomain},
		{Method: "PATCH", Path: "/v3/domains/{domain}", Rule: "identity:update_domain", Handle: s.updateDomain},
		{Method: "DELETE", Path: "/v3/domains/{domain}", Rule: "identity:delete_domain", Handle: s.deleteDomain},

		{Method: "GET", Path: "/v3/projects", Rule: "identity:list_projects", Handle: s.listProjects},
		{Method: "POST", Path: "/v3/projects", Rule: "identity:create_project", Handle: s.createProject},
		{Method: "GET", Path: "/v3/projects/{project}", Rule: "identity:get_project", Handle: s.showProject},
		{Method: "PATCH", Path: "/v3/projects/{project}", Rule: "identity:update_project", Handle: s.updateProject},
		{Method: "DELETE", Path: "/v3/projects/{project}", Rule: "identity:delete_project", Handle: s.deleteProject},

		{Method: "GET", Path: "/v3/users", Rule: "identity:list_users", Handle: s.listUsers},
		{Method: "POST", Path: "/v3/users", Rule: "identity:create_user", Handle: s.createUser},
		{Method: "GET", Path: "/v3/users/{user}", Rule: "identity:get_user", Handle: s.showUser},
		{Method: "PATCH", Path: "/v3/users/{user}", Rule: "identity:update_user", Handle: s.updateUser},
		{Method: "DELETE", Path: "/v3/users/{user}", Rule: "identity:delete_user", Handle: s.deleteUser},
		// Keystone asks for no token here: the old password proves enough.
		{Method: "POST", Path: "/v3/users/{user}/password", Open: true, Handle: s.changePassword},
		{Method: "GET", Path: "/v3/users/{user}/projects", Rule: "identity:list_user_projects", Handle: s.userProjects},
		{Method: "GET", Path: "/v3/users/{user}/groups", Rule: "identity:list_groups_for_user", Handle: s.userGroups},

		{Method: "GET", Path: "/v3/groups", Rule: "identity:list_groups", Handle: s.listGroups},
		{Method: "POST", Path: "/v3/groups", Rule: "identity:create_group", Handle: s.createGroup},
		{Method: "GET", Path: "/v3/groups/{group}", Rule: "identity:list_groups", Handle: s.showGroup},

		{Method: "GET", Path: "/v3/roles", Rule: "identity:list_roles", Handle: s.listRoles},
		{Method: "POST", Path: "/v3/roles", Rule: "identity:create_role", Handle: s.createRole},
		{Method: "GET", Path: "/v3/roles/{role}", Rule: "identity:get_role", Handle: s.showRole},
		{Method: "PATCH", Path: "/v3/roles/{role}", Rule: "identity:update_role", Handle: s.updateRole},
		{Method: "DELETE", Path: "/v3/roles/{role}", Rule: "identity:delete_role", Handle: s.deleteRole},
		{Method: "GET", Path: "/v3/roles/{role}/implies", Rule: "identity:list_implied_roles", Handle: s.impliedRoles},
		{Method: "GET", Path: "/v3/role_inferences", Rule: "identity:list_role_inferences", Handle: s.roleInferences},
		{Method: "GET", Path: "/v3/role_assignments", Rule: "identity:list_role_assignments", Handle: s.listAssignments},

		{Method: "GET", Path: "/v3/users/{user}/application_credentials", Rule: "identity:list_application_credentials", Handle: s.listAppCredentials},
		{Method: "POST", Path: "/v3/users/{user}/application_credentials", Rule: "identity:create_application_credential", Handle: s.createAppCredential},
		{Method: "GET", Path: "/v3/users/{user}/application_credentials/{credential}", Rule: "identity:get_application_credential", Handle: s.showAppCredential},
		{Method: "DELETE", Path: "/v3/users/{user}/application_credentials/{credential}", Rule: "identity:delete_application_credential", Handle: s.deleteAppCredential},

		{Method: "GET", Path: "/v3/services", Rule: "identity:list_services", Handle: s.listServices},
		{Method: "GET", Path: "/v3/services/{service}", Rule: "identity:get_service", Handle: s.showService},
		{Method: "GET", Path: "/v3/endpoints", Rule: "identity:list_endpoints", Handle: s.listEndpoints},
		{Method: "GET", Path: "/v3/endpoints/{endpoint}", Rule: "identity:get_endpoint", Handle: s.showEndpoint},
		{Method: "GET", Path: "/v3/regions", Rule: "identity:list_regions", Handle: s.listRegions},
		{Method: "GET", Path: "/v3/regions/{region}", Rule: "identity:get_region", Handle: s.showRegion},
	}
	for _, scope := range []string{"/v3/projects/{project}", "/v3/domains/{domain}", "/v3/system"} {
		routes = append(routes, s.grantRoutes(scope)...)
	}
	for i, route := range routes {
		if route.Rule != "" {
			routes[i].Handle = guarded(route)
		}
	}
	return routes
}

func (s *Service) grantRoutes(scope string) []web.Route {
	one := scope + "/users/{user}/roles/{role}"
	return []web.Route{
		{Method: "GET", Path: scope + "/users/{user}/roles", Rule: "identity:list_grants", Handle: s.listGrants},
		{Method: "GET", Path: one, Rule: "identity:check_grant", Handle: s.checkGrant}, // and HEAD
		{Method: "PUT", Path: one, Rule: "identity:create_grant", Handle: s.createGrant},
		{Method: "DELETE", Path: one, Rule: "identity:revoke_grant", Handle: s.revokeGrant},
	}
}

// guarded lets a handler run where the route's rule allows it.
func guarded(route web.Route) web.Handler {
	return func(ctx context.Context, r *web.Request) (web.Reply, error) {
		target := identity.Target{
			UserID: r.PathValue("user"), ProjectID: r.PathValue("project"), DomainID: r.PathValue("domain"),
		}
		if err := allow(r, route.Rule, target); err != nil {
			return web.Reply{}, err
		}
		return route.Handle(ctx, r)
	}
}

func allow(r *web.Request, rule string, target identity.Target) error {
	if identity.Allowed(r.Actor, rule, target) {
		return nil
	}
	return lbaas.Errorf(lbaas.Forbidden, "You are not authorized to perform the requested action: %s.", rule)
}

// done answers what has nothing to say.
var done = web.Reply{Status: http.StatusNoContent}

// moment is the form of times in answers.
const moment = "2006-01-02T15:04:05.000000Z"

// Bounds of text, in characters, as Keystone's schemas have them.
const (
	maxName   = 255
	maxShort  = 64 // names of domains and projects
	maxProse  = 65535
	maxTagLen = 255
)
