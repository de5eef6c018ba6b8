package keystone

import (
	"context"
	"net/http"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

func (s *Service) userJSON(r *web.Request, u *identity.User) map[string]any {
	m := extended(u.Extra)
	m["id"], m["name"], m["domain_id"], m["enabled"] = u.ID, u.Name, u.DomainID, u.Enabled
	m["password_expires_at"], m["options"], m["links"] = nil, u.Options, s.self(r, "/v3/users/"+u.ID)
	if u.DefaultProjectID != "" {
		m["default_project_id"] = u.DefaultProjectID
	}
	return m
}

func (s *Service) listUsers(ctx context.Context, r *web.Request) (web.Reply, error) {
	q, err := listQuery(r, "name", "enabled", "domain_id")
	if err != nil {
		return web.Reply{}, err
	}
	users, err := s.store.Users(ctx, q)
	if err != nil {
		return web.Reply{}, err
	}
	var items []map[string]any
	for _, u := range users {
		items = append(items, s.userJSON(r, u))
	}
	return s.list(r, "users", q.Limit, items), nil
}

func (s *Service) showUser(ctx context.Context, r *web.Request) (web.Reply, error) {
	u, err := s.store.User(ctx, r.PathValue("user"))
	if err != nil {
		return web.Reply{}, err
	}
	return resource(http.StatusOK, "user", s.userJSON(r, u)), nil
}

func (s *Service) createUser(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "user")
	if err != nil {
		return web.Reply{}, err
	}
	u := &identity.User{ID: newID(), Name: body.requiredName(maxName)}
	domainID, password := body.id("domain_id"), body.password()
	if err := changeUser(body, u, true); err != nil {
		return web.Reply{}, err
	}
	if u.DomainID, err = s.domainFor(ctx, r, domainID, web.Field[string]{}); err != nil {
		return web.Reply{}, err
	}
	if password.Given() {
		if u.PasswordHash, err = s.passwords.hash(ctx, password.Value); err != nil {
			return web.Reply{}, err
		}
	}
	if err := s.store.CreateUser(ctx, u); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("user created", "user", u.ID)
	return resource(http.StatusCreated, "user", s.userJSON(r, u)), nil
}

// changeUser reads what creation and change have in common, but for the password.
func changeUser(body *reader, u *identity.User, enabled bool) error {
	u.Enabled = body.flag("enabled").Or(enabled)
	if project := body.id("default_project_id"); project.Set {
		u.DefaultProjectID = project.Value
	}
	body.taken["original_password"] = true // never kept
	body.options(&u.Options, "ignore_lockout_failure_attempts", "lock_password", "ignore_password_expiry", "ignore_user_inactivity")
	u.Extra = body.extra(u.Extra)
	return body.err
}

// password reads the attribute of that name, which never shows up in an error nor among the extra attributes.
func (d *reader) password() web.Field[string] {
	if !d.has("password") {
		return web.Field[string]{}
	}
	return web.Field[string]{Set: true, Value: d.secret("password")}
}

func (s *Service) updateUser(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "user")
	if err != nil {
		return web.Reply{}, err
	}
	password, hash := body.password(), ""
	if body.err == nil && password.Given() {
		if hash, err = s.passwords.hash(ctx, password.Value); err != nil {
			return web.Reply{}, err
		}
	}
	u, err := s.store.UpdateUser(ctx, r.PathValue("user"), func(u *identity.User) error {
		u.Name = body.name(maxName).Or(u.Name)
		body.unchanged("id", u.ID)
		body.unchanged("domain_id", u.DomainID)
		if hash != "" {
			u.PasswordHash = hash
		}
		return changeUser(body, u, u.Enabled)
	})
	if err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("user changed", "user", u.ID)
	return resource(http.StatusOK, "user", s.userJSON(r, u)), nil
}

// unchanged refuses another value than the one that the object has for good.
func (d *reader) unchanged(key, value string) {
	if f := d.text(key, maxName); f.Given() && f.Value != value {
		d.fail(key, d.object[key], "cannot be changed")
	}
}

func (s *Service) deleteUser(ctx context.Context, r *web.Request) (web.Reply, error) {
	id := r.PathValue("user")
	if err := s.store.DeleteUser(ctx, id); err != nil {
		return web.Reply{}, err
	}
	r.Log.Info("user deleted", "user", id)
	return done, nil
}

// changePassword lets users change their own password.
func (s *Service) changePassword(ctx context.Context, r *web.Request) (web.Reply, error) {
	body, err := readBody(r, "user")
	if err != nil {
		return web.Reply{}, err
	}
	old, password := body.secret("original_password"), body.secret("password")
	if body.err != nil {
		return web.Reply{}, body.err
	}
	user, err := s.login(ctx, func(ctx context.Context) (*identity.User, error) {
		return s.store.User(ctx, r.PathValue("user"))
	}, old)
	if err != nil {
		return web.Reply{}, err
	}
	if err := passwordChangeable(user); err != nil {
		return web.Reply{}, err
	}
	return done, s.replacePassword(ctx, user, password)
}

func passwordChangeable(u *identity.User) error {
	if !u.Enabled {
		return identity.Unauthorized()
	}
	if u.Options.LockPassword {
		return lbaas.Errorf(lbaas.Forbidden, "Cannot change password for user %s: the password is locked.", u.ID)
	}
	return nil
}

// replacePassword changes the password of a user whose old one has just been proved.
func (s *Service) replacePassword(ctx context.Context, proved *identity.User, password string) error {
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	_, err = s.store.UpdateUser(ctx, proved.ID, func(u *identity.User) error {
		if u.PasswordHash != proved.PasswordHash {
			return identity.Unauthorized() // somebody else changed it since
		}
		u.PasswordHash = hash
		return nil
	})
	return err
}

func (s *Service) userProjects(ctx context.Context, r *web.Request) (web.Reply, error) {
	if _, err := s.store.User(ctx, r.PathValue("user")); err != nil {
		return web.Reply{}, err
	}
	return s.projectsOf(ctx, r, r.PathValue("user"))
}
