package keystone

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

func (s *Service) appCredentialJSON(r *web.Request, c *identity.AppCredential, byID map[string]*identity.Role) map[string]any {
	roles := []any{}
	for _, id := range c.RoleIDs {
		if role := byID[id]; role != nil {
			roles = append(roles, map[string]any{"id": role.ID, "name": role.Name, "domain_id": nil})
		}
	}
	m := map[string]any{
		"id": c.ID, "name": c.Name, "description": orNil(c.Description), "project_id": c.ProjectID, "user_id": c.UserID,
		"roles": roles, "unrestricted": c.Unrestricted, "expires_at": nil, "system": nil,
		"links": s.self(r, "/v3/users/"+c.UserID+"/application_credentials/"+c.ID),
	}
	if !c.ExpiresAt.IsZero() {
		m["expires_at"] = c.ExpiresAt.Format("2006-01-02T15:04:05.000000")
	}
	return m
}

func (s *Service) rolesByID(ctx context.Context) (map[string]*identity.Role, error) {
	roles, err := s.store.Roles(ctx, store.Query{})
	if err != nil {
		return nil, err
	}
	byID := map[string]*identity.Role{}
	for _, role := range roles {
		byID[role.ID] = role
	}
	return byID, nil
}

func (s *Service) listAppCredentials(ctx context.Context, r *web.Request) (web.Reply, error) {
	q, err := listQuery(r, "name")
	if err != nil {
		return web.Reply{}, err
	}
	q.Filters = append(q.Filters, store.Filter{Attribute: "user_id", Values: []string{r.PathValue("user")}})
	found, err := s.store.AppCredentials(ctx, q)
	if err != nil {
		return web.Reply{}, err
	}
	byID, err := s.rolesByID(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	var items []map[string]any
	for _, c := range found {
		items = append(items, s.appCredentialJSON(r, c, byID))
	}
	return s.list(r, "application_credentials", q.Limit, items), nil
}

// ownAppCredential returns the credential that the path names, if it is of the user that the path names.
func (s *Service) ownAppCredential(ctx context.Context, r *web.Request) (*identity.AppCredential, error) {
	id := r.PathValue("credential")
	c, err := s.store.AppCredential(ctx, id)
	if err == nil && c.UserID != r.PathValue("user") {
		return nil, lbaas.Errorf(lbaas.NotFound, "Could not find application credential: %s.", id)
	}
	return c, err
}

func (s *Service) showAppCredential(ctx context.Context, r *web.Request) (web.Reply, error) {
	c, err := s.ownAppCredential(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	byID, err := s.rolesByID(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	return resource(http.StatusOK, "application_credential", s.appCredentialJSON(r, c, byID)), nil
}

func (s *Service) deleteAppCredential(ctx context.Context, r *web.Request) (web.Reply, error) {
	c, err := s.ownAppCredential(ctx, r)
	if err != nil {
		return web.Reply{}, err
	}
	if err := s.store.DeleteAppCredential(ctx, c.ID); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("application credential deleted", "application_credential", c.ID, "user", c.UserID)
	return done, nil
}

// createAppCredential makes a credential for the project that the sender's token is for.
func (s *Service) createAppCredential(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "application_credential")
	if err != nil {
		return web.Reply{}, err
	}
	c, secret, err := s.readAppCredential(ctx, r, body)
	if err != nil {
		return web.Reply{}, err
	}
	byID, err := s.rolesByID(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	if c.SecretHash, err = s.passwords.hash(ctx, secret); err != nil {
		return web.Reply{}, err
	}
	if err := s.store.CreateAppCredential(ctx, c); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("application credential created", "application_credential", c.ID, "user", c.UserID, "project", c.ProjectID)
	m := s.appCredentialJSON(r, c, byID)
	m["secret"] = secret // this once
	return resource(http.StatusCreated, "application_credential", m), nil
}

func (s *Service) readAppCredential(ctx context.Context, r *web.Request, body *reader) (*identity.AppCredential, string, error) {
	c := &identity.AppCredential{
		ID: newID(), UserID: r.Actor.UserID, ProjectID: r.Actor.ProjectID,
		Name: body.requiredName(maxName), Description: body.text("description", maxProse).Value,
		Unrestricted: body.has("unrestricted") && body.flag("unrestricted").Value, ExpiresAt: body.moment("expires_at"),
	}
	secret := newSecret()
	if body.has("secret") {
		secret = body.secret("secret")
	}
	roles := body.objects("roles")
	rules, _ := body.take("access_rules")
	switch {
	case body.err != nil:
		return nil, "", body.err
	case c.ProjectID == "":
		return nil, "", lbaas.Errorf(lbaas.Invalid, "A project-scoped token is required to create an application credential.")
	case c.Expired(s.now()):
		return nil, "", badField("expires_at", body.object["expires_at"], "is in the past")
	case len(rules) > 0 && string(rules) != "[]" && string(rules) != "null":
		return nil, "", lbaas.Errorf(lbaas.Unsupported, "Access rules of application credentials are not supported.")
	}
	var err error
	c.RoleIDs, err = s.lentRoles(ctx, r, roles)
	return c, secret, err
}

// lentRoles are the roles that the request names, which must be among the sender's own, or all of these.
func (s *Service) lentRoles(ctx context.Context, r *web.Request, named []*reader) ([]string, error) {
	v, err := s.validate(ctx, r.Header.Get("X-Auth-Token"))
	if err != nil {
		return nil, err
	}
	own := v.Roles()
	var ids []string
	if len(named) == 0 {
		for _, role := range own {
			ids = append(ids, role.ID)
		}
		return ids, nil
	}
	for _, ref := range named {
		id, err := lentRole(ref, own)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func lentRole(ref *reader, own []identity.Role) (string, error) {
	id, name := ref.id("id"), ref.text("name", maxName)
	if ref.err == nil && !id.Given() && !name.Given() {
		ref.missing("id")
	}
	if ref.err != nil {
		return "", ref.err
	}
	for _, role := range own {
		if role.ID == id.Value || (!id.Given() && role.Name == name.Value) {
			return role.ID, nil
		}
	}
	return "", lbaas.Errorf(lbaas.Invalid, "Invalid application credential: Could not find role assignment with role: %s%s, user or group, project.",
		id.Value, name.Value)
}

// newSecret makes a secret as Keystone does: 64 random bytes.
func newSecret() string {
	var b [64]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
