package identity

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// goodSession is a token of alice, a member of the project web.
func goodSession() *Session {
	d := &Domain{ID: "default", Name: "Default", Enabled: true}
	return &Session{
		Token: &Token{
			UserID: "alice", Scope: Scope{ProjectScope, "web"}, ExpiresAt: noon.Add(time.Hour), UserEpoch: 2, ScopeEpoch: 3,
		},
		User: &User{ID: "alice", Name: "Alice", DomainID: "default", Enabled: true, TokenEpoch: 2}, UserDomain: d,
		Project: &Project{ID: "web", Name: "Web", DomainID: "default", Enabled: true, TokenEpoch: 3}, ProjectDomain: d,
		Assigned: []Role{{ID: "m", Name: "member"}, {ID: "x", Name: "load-balancer_member"}}, Implied: []Role{{ID: "r", Name: "reader"}},
	}
}

func withCredential(s *Session, roles ...string) *Session {
	s.Token.AppCredentialID = "robot"
	s.AppCredential = &AppCredential{ID: "robot", UserID: "alice", ProjectID: "web", RoleIDs: roles}
	return s
}

func TestSessionCheck(t *testing.T) {
	bad := map[string]func(*Session){
		"bad expired":           func(s *Session) { s.Token.ExpiresAt = noon },
		"bad revoked":           func(s *Session) { s.Revoked = true },
		"bad user gone":         func(s *Session) { s.User, s.UserDomain = nil, nil },
		"bad user disabled":     func(s *Session) { s.User.Enabled = false },
		"bad user epoch":        func(s *Session) { s.User.TokenEpoch++ },
		"bad domain gone":       func(s *Session) { s.UserDomain = nil },
		"bad domain disabled":   func(s *Session) { s.UserDomain.Enabled = false },
		"bad project gone":      func(s *Session) { s.Project, s.ProjectDomain = nil, nil },
		"bad project disabled":  func(s *Session) { s.Project.Enabled = false },
		"bad project epoch":     func(s *Session) { s.Project.TokenEpoch++ },
		"bad project's domain":  func(s *Session) { s.ProjectDomain = &Domain{} },
		"bad no role":           func(s *Session) { s.Assigned, s.Implied = nil, nil },
		"bad domain epoch":      func(s *Session) { s.Token.Scope, s.Domain = Scope{DomainScope, "default"}, s.UserDomain },
		"bad credential gone":   func(s *Session) { s.Token.AppCredentialID = "robot" },
		"bad credential's time": func(s *Session) { withCredential(s, "m").AppCredential.ExpiresAt = noon },
		"bad credential's user": func(s *Session) { withCredential(s, "m").AppCredential.UserID = "bob" },
		"bad credential's project": func(s *Session) {
			withCredential(s, "m").AppCredential.ProjectID = "db"
		},
		"bad credential's role was lost": func(s *Session) { withCredential(s, "a") },
		"bad system without a role": func(s *Session) {
			s.Token.Scope, s.Assigned, s.Implied = System(), nil, nil
		},
	}
	for name, spoil := range bad {
		s := goodSession()
		spoil(s)
		if err := s.Check(noon); !errors.Is(err, lbaas.Unauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]*Session{
		"project":    goodSession(),
		"credential": withCredential(goodSession(), "m"),
		"unscoped":   {Token: &Token{ExpiresAt: noon.Add(1)}, User: &User{Enabled: true}, UserDomain: &Domain{Enabled: true}},
	} {
		if err := s.Check(noon); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSessionActor(t *testing.T) {
	want := &Actor{
		UserID: "alice", UserName: "Alice", UserDomainID: "default", ProjectID: "web", ProjectName: "Web",
		ProjectDomainID: "default", Roles: []string{"member", "load-balancer_member", "reader"}, ExpiresAt: noon.Add(time.Hour),
	}
	if diff := cmp.Diff(want, goodSession().Actor()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want.Roles, want.Restricted = []string{"member", "reader"}, true
	if diff := cmp.Diff(want, withCredential(goodSession(), "m", "gone").Actor()); diff != "" {
		t.Errorf("application credential (-want +got):\n%s", diff)
	}
}

func TestLockout(t *testing.T) {
	limit := Lockout{Attempts: 3, Time: time.Minute}
	for name, c := range map[string]struct {
		user User
		want bool
	}{
		"bad three":          {User{FailedLogins: 3, FailedAt: noon}, true},
		"bad many":           {User{FailedLogins: 9, FailedAt: noon.Add(-59 * time.Second)}, true},
		"two":                {User{FailedLogins: 2, FailedAt: noon}, false},
		"a minute ago":       {User{FailedLogins: 3, FailedAt: noon.Add(-time.Minute)}, false},
		"one who is let off": {User{FailedLogins: 3, FailedAt: noon, Options: Options{IgnoreLockoutFailureAttempts: true}}, false},
	} {
		if got := limit.Locked(&c.user, noon); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestExpand(t *testing.T) {
	got := Expand([]string{"load-balancer_admin", "admin", "reader"})
	if diff := cmp.Diff([]string{"load-balancer_admin", "admin", "member", "reader"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
