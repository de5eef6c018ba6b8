package keystone

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"time"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// proof is who somebody has proved to be.
type proof struct {
	user          *identity.User
	methods       []string
	parent        *identity.Token         // of the method token
	appCredential *identity.AppCredential // of that method, or of the parent
}

func (s *Service) issueToken(ctx context.Context, r *web.Request) (web.Reply, error) {
	data, err := web.ReadBody(r)
	if err != nil {
		return web.Reply{}, err
	}
	req, err := parseAuth(data)
	if err != nil {
		return web.Reply{}, err
	}
	who, err := s.prove(ctx, req)
	if err != nil {
		return web.Reply{}, err
	}
	session, err := s.grant(ctx, who, req.scope)
	if err != nil {
		return web.Reply{}, err
	}
	text, err := s.keys.seal(session.Token.Encode())
	if err != nil {
		return web.Reply{}, err
	}
	reply := web.Reply{Status: http.StatusCreated, Body: s.tokenBody(r, session)}
	reply.Header = http.Header{"X-Subject-Token": {text}}
	return reply, nil
}

// prove tries every method that the request names; all must hold, and for the same user.
func (s *Service) prove(ctx context.Context, req *authRequest) (*proof, error) {
	who := &proof{}
	for _, try := range []func(context.Context, *authRequest, *proof) (*identity.User, error){
		s.byToken, s.byPassword, s.byAppCredential,
	} {
		user, err := try(ctx, req, who)
		if err != nil {
			return nil, err
		}
		if user == nil {
			continue
		}
		if who.user != nil && who.user.ID != user.ID {
			return nil, identity.Unauthorized()
		}
		who.user = user
	}
	if who.user == nil {
		return nil, identity.Unauthorized()
	}
	for _, m := range identity.Methods() {
		if slices.Contains(req.methods, m) || (who.parent != nil && slices.Contains(who.parent.Methods, m)) {
			who.methods = append(who.methods, m)
		}
	}
	return who, nil
}

func (s *Service) byPassword(ctx context.Context, req *authRequest, _ *proof) (*identity.User, error) {
	if req.password == nil {
		return nil, nil
	}
	return s.login(ctx, func(ctx context.Context) (*identity.User, error) {
		return s.userOf(ctx, req.password.user)
	}, req.password.password)
}

func (s *Service) userOf(ctx context.Context, ref userReference) (*identity.User, error) {
	if ref.id != "" {
		return s.store.User(ctx, ref.id)
	}
	domainID, err := s.domainOf(ctx, ref.domain)
	if err != nil {
		return nil, err
	}
	return s.store.UserByName(ctx, domainID, ref.name)
}

func (s *Service) domainOf(ctx context.Context, ref domainReference) (string, error) {
	if ref.id != "" {
		return ref.id, nil
	}
	d, err := s.store.DomainByName(ctx, ref.name)
	if err != nil {
		return "", err
	}
	return d.ID, nil
}

func (s *Service) byToken(ctx context.Context, req *authRequest, who *proof) (*identity.User, error) {
	if req.token == "" {
		return nil, nil
	}
	v, err := s.validate(ctx, req.token)
	if err != nil {
		return nil, err
	}
	who.parent, who.appCredential = v.Token, v.AppCredential
	return v.User, nil
}

func (s *Service) byAppCredential(ctx context.Context, req *authRequest, who *proof) (*identity.User, error) {
	m := req.appCredential
	if m == nil {
		return nil, nil
	}
	// The secret is compared as a password is, with the user's lock and with the same time for everything that is wrong.
	var c *identity.AppCredential
	user, err := s.login(ctx, func(ctx context.Context) (*identity.User, error) {
		var err error
		if c, err = s.appCredentialOf(ctx, m); err != nil {
			return nil, err
		}
		u, err := s.store.User(ctx, c.UserID)
		if err == nil {
			u.PasswordHash = c.SecretHash
		}
		return u, err
	}, m.secret)
	if err != nil {
		return nil, err
	}
	if who.appCredential != nil && who.appCredential.ID != c.ID {
		return nil, identity.Unauthorized()
	}
	who.appCredential = c
	return user, nil
}

func (s *Service) appCredentialOf(ctx context.Context, m *appCredentialMethod) (*identity.AppCredential, error) {
	if m.id != "" {
		return s.store.AppCredential(ctx, m.id)
	}
	u, err := s.userOf(ctx, m.user)
	if err != nil {
		return nil, err
	}
	return s.store.AppCredentialByName(ctx, u.ID, m.name)
}

// grant makes a token for the scope asked for, if the user has a role there. Without one it is the user's default project, where
// there is a role in it, else no scope.
func (s *Service) grant(ctx context.Context, who *proof, ask scopeRequest) (*identity.Session, error) {
	if who.appCredential != nil {
		return s.grantAppCredential(ctx, who, ask)
	}
	if ask.asked {
		scope, err := s.scopeOf(ctx, ask)
		if err != nil {
			return nil, err
		}
		return s.grantScope(ctx, who, scope)
	}
	if id := who.user.DefaultProjectID; id != "" {
		session, err := s.grantScope(ctx, who, identity.Scope{Kind: identity.ProjectScope, ID: id})
		if !errors.Is(err, lbaas.Unauthorized) {
			return session, err
		}
	}
	return s.grantScope(ctx, who, identity.Scope{})
}

// grantAppCredential gives a token for the credential's project and for no other scope.
func (s *Service) grantAppCredential(ctx context.Context, who *proof, ask scopeRequest) (*identity.Session, error) {
	own := identity.Scope{Kind: identity.ProjectScope, ID: who.appCredential.ProjectID}
	if ask.asked {
		scope, err := s.scopeOf(ctx, ask)
		if err != nil {
			return nil, err
		}
		if scope != own {
			return nil, identity.Unauthorized()
		}
	}
	return s.grantScope(ctx, who, own)
}

// scopeOf finds the ids of a scope that is given by names. One that is not there answers as one without a role does.
func (s *Service) scopeOf(ctx context.Context, ask scopeRequest) (identity.Scope, error) {
	scope := identity.Scope{Kind: ask.kind, ID: ask.id}
	if ask.name == "" {
		return scope, nil
	}
	if ask.kind == identity.DomainScope {
		d, err := s.store.DomainByName(ctx, ask.name)
		if err != nil {
			return scope, unauthorizedIfMissing(err)
		}
		scope.ID = d.ID
		return scope, nil
	}
	domainID, err := s.domainOf(ctx, ask.domain)
	if err != nil {
		return scope, unauthorizedIfMissing(err)
	}
	p, err := s.store.ProjectByName(ctx, domainID, ask.name)
	if err != nil {
		return scope, unauthorizedIfMissing(err)
	}
	scope.ID = p.ID
	return scope, nil
}

func unauthorizedIfMissing(err error) error {
	if errors.Is(err, lbaas.NotFound) {
		return identity.Unauthorized()
	}
	return err
}

func (s *Service) grantScope(ctx context.Context, who *proof, scope identity.Scope) (*identity.Session, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	t := &identity.Token{
		Methods: who.methods, UserID: who.user.ID, Scope: scope, UserEpoch: who.user.TokenEpoch,
		IssuedAt: now, ExpiresAt: now.Add(s.tokenLife).Truncate(time.Second),
	}
	_, _ = rand.Read(t.AuditID[:]) // it never fails
	if who.parent != nil {
		t.ExpiresAt = who.parent.ExpiresAt // a chain of tokens ends when its first one does
		t.ParentAuditID = who.parent.AuditID
		if who.parent.ParentAuditID != (identity.AuditID{}) {
			t.ParentAuditID = who.parent.ParentAuditID
		}
	}
	if who.appCredential != nil {
		t.AppCredentialID = who.appCredential.ID
	}
	session, err := s.store.Session(ctx, t)
	if err != nil {
		return nil, err
	}
	if session.Project != nil {
		t.ScopeEpoch = session.Project.TokenEpoch
	}
	if session.Domain != nil {
		t.ScopeEpoch = session.Domain.TokenEpoch
	}
	return session, session.Check(now)
}

// subject returns the token that a request speaks of, if the rule lets its sender do so.
func (s *Service) subject(ctx context.Context, r *web.Request, rule string) (session, error) {
	text := r.Header.Get("X-Subject-Token")
	if text == "" {
		return session{}, lbaas.Errorf(lbaas.Invalid, "Expecting to find a token in the header X-Subject-Token.")
	}
	v, err := s.validate(ctx, text)
	target := identity.Target{}
	if err == nil {
		target.UserID = v.User.ID
	}
	if err != nil && !errors.Is(err, lbaas.Unauthorized) {
		return session{}, err
	}
	if err := allow(r, rule, target); err != nil {
		return session{}, err
	}
	if err != nil {
		return session{}, lbaas.Errorf(lbaas.NotFound, "Could not find token.")
	}
	return v, nil
}

func (s *Service) showToken(ctx context.Context, r *web.Request) (web.Reply, error) {
	v, err := s.subject(ctx, r, "identity:validate_token")
	if err != nil {
		return web.Reply{}, err
	}
	header := http.Header{"X-Subject-Token": {r.Header.Get("X-Subject-Token")}}
	return web.Reply{Status: http.StatusOK, Body: s.tokenBody(r, v.Session), Header: header}, nil
}

func (s *Service) revokeToken(ctx context.Context, r *web.Request) (web.Reply, error) {
	v, err := s.subject(ctx, r, "identity:revoke_token")
	if err != nil {
		return web.Reply{}, err
	}
	return done, s.store.Revoke(ctx, v.Token, s.now())
}

func (s *Service) tokenBody(r *web.Request, v *identity.Session) map[string]any {
	t := map[string]any{
		"methods": v.Token.Methods, "audit_ids": auditIDs(v.Token),
		"issued_at": v.Token.IssuedAt.Format(moment), "expires_at": v.Token.ExpiresAt.Format(moment),
		"user": map[string]any{
			"id": v.User.ID, "name": v.User.Name, "domain": domainRef(v.UserDomain), "password_expires_at": nil,
		},
	}
	switch v.Token.Scope.Kind {
	case identity.Unscoped:
		return map[string]any{"token": t}
	case identity.ProjectScope:
		t["project"] = map[string]any{"id": v.Project.ID, "name": v.Project.Name, "domain": domainRef(v.ProjectDomain)}
		t["is_domain"] = false
	case identity.DomainScope:
		t["domain"] = domainRef(v.Domain)
	case identity.SystemScope:
		t["system"] = map[string]any{"all": true}
	}
	t["roles"] = roleRefs(v.Roles())
	if c := v.AppCredential; c != nil {
		t["application_credential"] = map[string]any{"id": c.ID, "name": c.Name, "restricted": !c.Unrestricted}
	}
	if !r.Query.Has("nocatalog") {
		t["catalog"] = s.catalog(r)
	}
	return map[string]any{"token": t}
}

func auditIDs(t *identity.Token) []string {
	ids := []string{t.AuditID.String()}
	if t.ParentAuditID != (identity.AuditID{}) {
		ids = append(ids, t.ParentAuditID.String())
	}
	return ids
}

func domainRef(d *identity.Domain) map[string]any {
	return map[string]any{"id": d.ID, "name": d.Name}
}

func roleRefs(roles []identity.Role) []any {
	refs := []any{}
	for _, r := range roles {
		refs = append(refs, map[string]any{"id": r.ID, "name": r.Name})
	}
	return refs
}

func (s *Service) authProjects(ctx context.Context, r *web.Request) (web.Reply, error) {
	return s.projectsOf(ctx, r, r.Actor.UserID)
}

func (s *Service) authDomains(ctx context.Context, r *web.Request) (web.Reply, error) {
	domains, err := s.store.DomainsOf(ctx, r.Actor.UserID)
	if err != nil {
		return web.Reply{}, err
	}
	return s.domainList(r, 0, domains), nil
}

func (s *Service) authSystem(ctx context.Context, r *web.Request) (web.Reply, error) {
	found, err := s.store.Assignments(ctx, identity.AssignmentFilter{UserID: r.Actor.UserID, Scope: identity.System()})
	if err != nil {
		return web.Reply{}, err
	}
	system := []any{}
	if len(found) > 0 {
		system = append(system, map[string]any{"all": true})
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{
		"system": system, "links": s.self(r, "/v3/auth/system"),
	}}, nil
}
