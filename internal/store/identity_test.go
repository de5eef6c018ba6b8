package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// newIDs makes ids that a reader can follow.
func newIDs() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("%032x", n) }
}

// startIdentity does the first start.
func startIdentity(t *testing.T, s *store.Store) identity.Start {
	t.Helper()
	start := identity.FirstStart(newIDs(), "hash of admin", "hash of demo")
	if err := s.Start(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	return start
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, what string, err error, kind lbaas.Kind, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %s with %q", what, err, kind, text)
	}
}

func TestFirstStart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if err := s.Start(t.Context(), identity.FirstStart(newIDs(), "a", "d")); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		started, err := s.Started(t.Context())
		if err != nil || !started {
			t.Errorf("Started gives %v, %v", started, err)
		}
		found, err := s.Assignments(t.Context(), identity.AssignmentFilter{})
		must(t, err)
		got := map[string]bool{}
		for _, a := range found {
			got[fmt.Sprint(a.UserName, "@", a.UserDomainName, " ", a.RoleName, " ", a.Scope.Kind, " ", a.ScopeName, "@", a.ScopeDomainName)] = true
		}
		want := map[string]bool{
			"admin@Default admin project admin@Default": true, "admin@Default admin system @": true,
			"demo@Default member project demo@Default": true, "demo@Default load-balancer_member project demo@Default": true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("assignments (-want +got):\n%s", diff)
		}
		roles, err := s.Roles(t.Context(), store.Query{})
		if err != nil || len(roles) != len(identity.RoleNames()) {
			t.Errorf("%d roles, %v", len(roles), err)
		}
	})
}

func TestIdentityObjectsAreKept(t *testing.T) {
	extra := identity.Extra{"email": []byte(`"a@b.c"`), "n": []byte(`{"x":[1,null]}`)}
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		d := &identity.Domain{ID: "d", Name: "Ünïcode 😀", Description: "'\"\\%", Enabled: true, Extra: extra, Options: identity.Options{Immutable: true}}
		must(t, s.CreateDomain(ctx, d))
		p := &identity.Project{ID: "p", DomainID: "d", Name: "web", Description: "x", Enabled: true, Tags: []string{"a", "b"}, Extra: extra}
		must(t, s.CreateProject(ctx, p))
		u := &identity.User{
			ID: "u", DomainID: "d", Name: "alice", PasswordHash: "h", Enabled: true, DefaultProjectID: "p", Extra: extra,
			Options: identity.Options{LockPassword: true},
		}
		must(t, s.CreateUser(ctx, u))
		r := &identity.Role{ID: "r", Name: "auditor", Description: "reads"}
		must(t, s.CreateRole(ctx, r))
		c := &identity.AppCredential{
			ID: "c", UserID: "u", ProjectID: "p", Name: "robot", SecretHash: "s", RoleIDs: []string{"r"}, Unrestricted: true,
			ExpiresAt: time.Date(2099, 1, 1, 0, 0, 0, 1000, time.UTC),
		}
		must(t, s.CreateAppCredential(ctx, c))

		check := func(what string, want, got any, err error) {
			t.Helper()
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
			}
		}
		gotD, err := s.DomainByName(ctx, d.Name)
		check("domain", d, gotD, err)
		gotP, err := s.ProjectByName(ctx, "d", "web")
		check("project", p, gotP, err)
		gotU, err := s.UserByName(ctx, "d", "alice")
		check("user", u, gotU, err)
		gotR, err := s.Role(ctx, "r")
		check("role", r, gotR, err)
		gotC, err := s.AppCredentialByName(ctx, "u", "robot")
		check("application credential", c, gotC, err)
		if p.ParentID != "d" {
			t.Errorf("the project's parent is %q, want its domain", p.ParentID)
		}
		changed, err := s.UpdateUser(ctx, "u", func(u *identity.User) error {
			u.Name, u.Extra, u.Options, u.DefaultProjectID = "bob", nil, identity.Options{}, ""
			return nil
		})
		must(t, err)
		gotU, err = s.User(ctx, "u")
		check("changed user", changed, gotU, err)
	})
}

func TestIdentityRefuses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, start := t.Context(), startIdentity(t, s)
		admin, web, role := start.Users[0], start.Projects[0], start.Roles[0]
		nothing := func(*identity.Project) error { return nil }
		must(t, s.CreateDomain(ctx, &identity.Domain{ID: "d", Name: "d", Enabled: true}))
		must(t, s.CreateProject(ctx, &identity.Project{ID: "child", DomainID: "default", ParentID: web.ID, Name: "child"}))
		for _, c := range []struct {
			what string
			err  error
			kind lbaas.Kind
			text string
		}{
			{"domain's name", s.CreateDomain(ctx, &identity.Domain{ID: "x", Name: "Default"}), lbaas.Conflict, "store domain - Duplicate entry found with name Default"},
			{"project's name", s.CreateProject(ctx, &identity.Project{ID: "x", DomainID: "default", Name: "admin"}), lbaas.Conflict, "name admin at domain ID default"},
			{"user's name", s.CreateUser(ctx, &identity.User{ID: "x", DomainID: "default", Name: "admin"}), lbaas.Conflict, "store user"},
			{"role's name", s.CreateRole(ctx, &identity.Role{ID: "x", Name: "admin"}), lbaas.Conflict, "store role"},
			{"project's domain", s.CreateProject(ctx, &identity.Project{ID: "x", DomainID: "gone", Name: "x"}), lbaas.NotFound, "Could not find domain: gone."},
			{"project's parent", s.CreateProject(ctx, &identity.Project{ID: "x", DomainID: "default", ParentID: "gone", Name: "x"}), lbaas.NotFound, "project: gone"},
			{"parent's domain", s.CreateProject(ctx, &identity.Project{ID: "x", DomainID: "d", ParentID: web.ID, Name: "x"}), lbaas.Invalid, "another domain"},
			{"user's domain", s.CreateUser(ctx, &identity.User{ID: "x", DomainID: "gone", Name: "x"}), lbaas.NotFound, "domain: gone"},
			{"credential's user", s.CreateAppCredential(ctx, &identity.AppCredential{ID: "x", UserID: "gone"}), lbaas.NotFound, "user: gone"},
			{"assigned role", s.Assign(ctx, identity.Assignment{UserID: admin.ID, Scope: identity.System(), RoleID: "gone"}), lbaas.NotFound, "role: gone"},
			{"assigned user", s.Assign(ctx, identity.Assignment{UserID: "gone", Scope: identity.System(), RoleID: role.ID}), lbaas.NotFound, "user: gone"},
			{"assigned project", s.Assign(ctx, identity.Assignment{UserID: admin.ID, Scope: identity.Scope{Kind: identity.ProjectScope, ID: "gone"}, RoleID: role.ID}), lbaas.NotFound, "project: gone"},
			{"assignment", s.Unassign(ctx, identity.Assignment{UserID: start.Users[1].ID, Scope: identity.System(), RoleID: role.ID}), lbaas.NotFound, "Could not find role assignment"},
			{"enabled domain", s.DeleteDomain(ctx, "d"), lbaas.Forbidden, "disable it first"},
			{"default domain", s.DeleteDomain(ctx, "default"), lbaas.Forbidden, "default domain"},
			{"project with children", s.DeleteProject(ctx, web.ID), lbaas.Forbidden, "not a leaf"},
			{"immutable role", s.DeleteRole(ctx, role.ID), lbaas.Forbidden, "immutable"},
			{"no project", s.DeleteProject(ctx, "gone"), lbaas.NotFound, "project: gone"},
			{"no user", s.DeleteUser(ctx, "gone"), lbaas.NotFound, "user: gone"},
			{"no role", s.DeleteRole(ctx, "gone"), lbaas.NotFound, "role: gone"},
			{"no domain", s.DeleteDomain(ctx, "gone"), lbaas.NotFound, "domain: gone"},
			{"no credential", s.DeleteAppCredential(ctx, "gone"), lbaas.NotFound, "application credential: gone"},
		} {
			wantKind(t, "bad "+c.what, c.err, c.kind, c.text)
		}
		_, err := s.UpdateProject(ctx, "gone", nothing)
		wantKind(t, "bad update", err, lbaas.NotFound, "project: gone")
		_, err = s.UpdateProject(ctx, "child", func(p *identity.Project) error { p.Name = "demo"; return nil })
		wantKind(t, "bad rename", err, lbaas.Conflict, "name demo")
		_, err = s.UpdateRole(ctx, role.ID, func(r *identity.Role) error { r.Name = "root"; return nil })
		wantKind(t, "bad change of the immutable", err, lbaas.Forbidden, "immutable")
		_, err = s.UpdateRole(ctx, role.ID, func(r *identity.Role) error { r.Name, r.Options.Immutable = "root", false; return nil })
		must(t, err)
		_, err = s.Users(ctx, store.Query{Marker: "gone"})
		wantKind(t, "bad marker", err, lbaas.Invalid, "marker")
	})
}

func TestIdentityLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		startIdentity(t, s)
		for i := range 5 {
			must(t, s.CreateUser(ctx, &identity.User{ID: fmt.Sprint("u", i), DomainID: "default", Name: fmt.Sprint("user", i), Enabled: i%2 == 0}))
		}
		names := func(q store.Query) (all []string) {
			t.Helper()
			users, err := s.Users(ctx, q)
			must(t, err)
			for _, u := range users {
				all = append(all, u.Name)
			}
			return all
		}
		for _, c := range []struct {
			q    store.Query
			want []string
		}{
			{store.Query{Filters: []store.Filter{{Attribute: "name", Values: []string{"user3"}}}}, []string{"user3"}},
			{store.Query{Filters: []store.Filter{{Attribute: "enabled", Values: []string{"false"}}}}, []string{"user1", "user3"}},
			{store.Query{Filters: []store.Filter{{Attribute: "domain_id", Values: []string{"other"}}}}, nil},
			{store.Query{Limit: 2, Marker: "u1"}, []string{"user2", "user3"}},
			{store.Query{Marker: "u4"}, nil},
		} {
			if diff := cmp.Diff(c.want, names(c.q)); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", c.q, diff)
			}
		}
	})
}

func TestDeletingTakesAlongWhatHangsOnIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, start := t.Context(), startIdentity(t, s)
		role := start.Roles[1].ID
		must(t, s.CreateDomain(ctx, &identity.Domain{ID: "d", Name: "d"}))
		must(t, s.CreateProject(ctx, &identity.Project{ID: "dp", DomainID: "d", Name: "p", Enabled: true}))
		must(t, s.CreateProject(ctx, &identity.Project{ID: "p", DomainID: "default", Name: "p", Enabled: true}))
		must(t, s.CreateUser(ctx, &identity.User{ID: "du", DomainID: "d", Name: "u"}))
		must(t, s.CreateUser(ctx, &identity.User{ID: "u", DomainID: "default", Name: "u", DefaultProjectID: "dp"}))
		must(t, s.CreateRole(ctx, &identity.Role{ID: "r", Name: "r"}))
		project := func(id string) identity.Scope { return identity.Scope{Kind: identity.ProjectScope, ID: id} }
		for _, a := range []identity.Assignment{
			{UserID: "u", Scope: project("dp"), RoleID: role}, {UserID: "u", Scope: project("p"), RoleID: role},
			{UserID: "u", Scope: project("p"), RoleID: "r"},
			{UserID: "du", Scope: project("p"), RoleID: role}, {UserID: "u", Scope: identity.Scope{Kind: identity.DomainScope, ID: "d"}, RoleID: role},
			{UserID: "u", Scope: identity.System(), RoleID: role}, {UserID: "u", Scope: identity.System(), RoleID: role},
		} {
			must(t, s.Assign(ctx, a))
		}
		for i, c := range []identity.AppCredential{{UserID: "u", ProjectID: "dp"}, {UserID: "u", ProjectID: "p"}, {UserID: "du", ProjectID: "p"}} {
			c.ID, c.Name = fmt.Sprint("c", i), fmt.Sprint("c", i)
			must(t, s.CreateAppCredential(ctx, &c))
		}
		left := func() (all []string) {
			t.Helper()
			for _, user := range []string{"u", "du"} {
				found, err := s.Assignments(ctx, identity.AssignmentFilter{UserID: user})
				must(t, err)
				for _, a := range found {
					all = append(all, fmt.Sprint(a.UserID, " ", a.Scope.ID, " ", a.RoleName))
				}
			}
			credentials, err := s.AppCredentials(ctx, store.Query{})
			must(t, err)
			for _, c := range credentials {
				all = append(all, c.ID)
			}
			return all
		}
		for _, step := range []struct {
			what string
			do   func() error
			want []string
		}{
			{"nothing", func() error { return nil }, []string{"u d member", "u dp member", "u p member", "u p r", "u all member", "du p member", "c0", "c1", "c2"}},
			{"domain", func() error { return s.DeleteDomain(ctx, "d") }, []string{"u p member", "u p r", "u all member", "c1"}},
			{"role", func() error { return s.DeleteRole(ctx, "r") }, []string{"u p member", "u all member", "c1"}},
			{"assignment", func() error {
				return s.Unassign(ctx, identity.Assignment{UserID: "u", Scope: project("p"), RoleID: role})
			}, []string{"u all member"}},
			{"user", func() error { return s.DeleteUser(ctx, "u") }, nil},
		} {
			must(t, step.do())
			if diff := cmp.Diff(step.want, left()); diff != "" {
				t.Errorf("after deleting the %s (-want +got):\n%s", step.what, diff)
			}
		}
		_, err := s.User(ctx, "du")
		wantKind(t, "user of the domain", err, lbaas.NotFound, "user: du")
	})
}

// Two processes change different attributes of one user, over and over: nothing is lost, above all no password hash.
func TestChangesOfOneUserDoNotUndoEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		startIdentity(t, s)
		must(t, s.CreateUser(ctx, &identity.User{ID: "u", DomainID: "default", Name: "u", Enabled: true}))
		var group sync.WaitGroup
		for _, change := range []func(*identity.User){
			func(u *identity.User) { u.PasswordHash += "h" },
			func(u *identity.User) { u.Name += "n" },
		} {
			group.Go(func() {
				for range 10 {
					if _, err := s.UpdateUser(ctx, "u", func(u *identity.User) error { change(u); return nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		u, err := s.User(ctx, "u")
		must(t, err)
		if len(u.PasswordHash) != 10 || len(u.Name) != 11 || u.TokenEpoch != 10 {
			t.Errorf("%+v: changes were lost", u)
		}
	})
}

func TestFailedLoginsAreCounted(t *testing.T) {
	limit, noon := identity.Lockout{Attempts: 3, Time: time.Minute}, time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, id := t.Context(), startIdentity(t, s).Users[0].ID
		epoch := s.IdentityEpoch()
		for _, step := range []struct {
			at    time.Duration
			count int
		}{{0, 1}, {time.Hour, 2}, {time.Hour, 3}, {time.Hour + 59*time.Second, 4}, {2 * time.Hour, 1}} {
			must(t, s.LoginFailed(ctx, id, limit, noon.Add(step.at)))
			u, err := s.User(ctx, id)
			if err != nil || u.FailedLogins != step.count || !u.FailedAt.Equal(noon.Add(step.at)) {
				t.Errorf("at %s: %+v, %v, want the count %d", step.at, u, err, step.count)
			}
		}
		must(t, s.LoginSucceeded(ctx, id))
		if u, err := s.User(ctx, id); err != nil || u.FailedLogins != 0 || !u.FailedAt.IsZero() {
			t.Errorf("after a success: %+v, %v", u, err)
		}
		if s.IdentityEpoch() != epoch {
			t.Error("failed log-ins void what is remembered of tokens")
		}
	})
}

func TestSessionSeesEveryChange(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, start := t.Context(), startIdentity(t, s)
		demo, project := start.Users[1].ID, start.Projects[1].ID
		token := &identity.Token{
			UserID: demo, Scope: identity.Scope{Kind: identity.ProjectScope, ID: project}, ExpiresAt: noon.Add(time.Hour), AuditID: identity.AuditID{7},
		}
		holds := func() bool {
			t.Helper()
			session, err := s.Session(ctx, token)
			must(t, err)
			return session.Check(noon) == nil
		}
		session, err := s.Session(ctx, token)
		must(t, err)
		if diff := cmp.Diff([]string{"load-balancer_member", "member", "reader"}, session.Actor().Roles); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
		fresh := func() {
			u, err := s.User(ctx, demo)
			must(t, err)
			p, err := s.Project(ctx, project)
			must(t, err)
			token.UserEpoch, token.ScopeEpoch = u.TokenEpoch, p.TokenEpoch
		}
		for what, change := range map[string]func(on bool) error{
			"password": func(on bool) error {
				_, err := s.UpdateUser(ctx, demo, func(u *identity.User) error { u.PasswordHash += "x"; return nil })
				return err
			},
			"user": func(on bool) error {
				_, err := s.UpdateUser(ctx, demo, func(u *identity.User) error { u.Enabled = on; return nil })
				return err
			},
			"project": func(on bool) error {
				_, err := s.UpdateProject(ctx, project, func(p *identity.Project) error { p.Enabled = on; return nil })
				return err
			},
			"domain": func(on bool) error {
				_, err := s.UpdateDomain(ctx, "default", func(d *identity.Domain) error { d.Enabled = on; return nil })
				return err
			},
		} {
			fresh()
			if !holds() {
				t.Fatalf("%s: the token does not hold before", what)
			}
			epoch := s.IdentityEpoch()
			must(t, change(false))
			if holds() || s.IdentityEpoch() == epoch {
				t.Errorf("%s: the token still holds", what)
			}
			must(t, change(true))
		}
		fresh()
		for _, role := range []string{"member", "load-balancer_member"} {
			must(t, s.Unassign(ctx, identity.Assignment{UserID: demo, Scope: token.Scope, RoleID: roleID(start, role)}))
		}
		if holds() {
			t.Error("the token holds without a role")
		}
		must(t, s.Assign(ctx, identity.Assignment{UserID: demo, Scope: token.Scope, RoleID: roleID(start, "reader")}))
		if !holds() {
			t.Error("the token does not hold with another role")
		}
		must(t, s.Revoke(ctx, token, noon))
		must(t, s.Revoke(ctx, token, noon))
		if holds() {
			t.Error("the token holds after its revocation")
		}
	})
}

func roleID(start identity.Start, name string) string {
	for _, r := range start.Roles {
		if r.Name == name {
			return r.ID
		}
	}
	return ""
}
