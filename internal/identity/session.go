package identity

import (
	"slices"
	"time"

	"plimsoll/lbaas"
)

// Session is everything that says whether a token holds and what it allows, as it stands now. What is not there, or not
// asked for, is nil.
type Session struct {
	Token         *Token
	User          *User
	UserDomain    *Domain
	Project       *Project
	ProjectDomain *Domain
	Domain        *Domain // of a token that is scoped to a domain
	AppCredential *AppCredential
	Assigned      []Role // in the scope
	Implied       []Role // those that the assigned ones imply, where they exist
	Revoked       bool   // this very token
}

// Unauthorized is the error of everybody who is not who they say they are; it tells no more than that.
func Unauthorized() error {
	return lbaas.Errorf(lbaas.Unauthorized, "The request you have made requires authentication.")
}

// Check tells whether the token holds at a time: nil, or lbaas.Unauthorized.
func (s *Session) Check(now time.Time) error {
	if s.Revoked || !now.Before(s.Token.ExpiresAt) || !s.userHolds() || !s.scopeHolds() || !s.appCredentialHolds(now) {
		return Unauthorized()
	}
	return nil
}

func (s *Session) userHolds() bool {
	return s.User != nil && s.User.Enabled && s.User.TokenEpoch == s.Token.UserEpoch && enabled(s.UserDomain)
}

func (s *Session) scopeHolds() bool {
	switch s.Token.Scope.Kind {
	case ProjectScope:
		if s.Project == nil || !s.Project.Enabled || s.Project.TokenEpoch != s.Token.ScopeEpoch || !enabled(s.ProjectDomain) {
			return false
		}
	case DomainScope:
		if !enabled(s.Domain) || s.Domain.TokenEpoch != s.Token.ScopeEpoch {
			return false
		}
	case Unscoped:
		return true
	}
	return len(s.Roles()) > 0
}

func (s *Session) appCredentialHolds(now time.Time) bool {
	if s.Token.AppCredentialID == "" {
		return true
	}
	c := s.AppCredential
	return c != nil && !c.Expired(now) && c.UserID == s.Token.UserID && s.Token.Scope == Scope{ProjectScope, c.ProjectID}
}

func enabled(d *Domain) bool { return d != nil && d.Enabled }

// Roles are the roles that the token carries: those assigned and those implied. Of an application credential's token they are
// the ones that the credential names, with what those imply, as far as the user still has them.
func (s *Session) Roles() []Role {
	all := slices.Clone(s.Assigned)
	for _, r := range s.Implied {
		if !slices.ContainsFunc(all, func(o Role) bool { return o.ID == r.ID }) {
			all = append(all, r)
		}
	}
	if s.Token.AppCredentialID == "" {
		return all
	}
	return s.lent(all)
}

func (s *Session) lent(all []Role) []Role {
	if s.AppCredential == nil {
		return nil
	}
	var named []string
	for _, r := range all {
		if slices.Contains(s.AppCredential.RoleIDs, r.ID) {
			named = append(named, r.Name)
		}
	}
	named = Expand(named)
	return slices.DeleteFunc(all, func(r Role) bool { return !slices.Contains(named, r.Name) })
}

// Actor is who the token stands for.
func (s *Session) Actor() *Actor {
	a := &Actor{
		UserID: s.User.ID, UserName: s.User.Name, UserDomainID: s.User.DomainID,
		System:    s.Token.Scope.Kind == SystemScope,
		ExpiresAt: s.Token.ExpiresAt,
	}
	if s.Project != nil {
		a.ProjectID, a.ProjectName, a.ProjectDomainID = s.Project.ID, s.Project.Name, s.Project.DomainID
	}
	if s.Domain != nil {
		a.DomainID = s.Domain.ID
	}
	for _, r := range s.Roles() {
		a.Roles = append(a.Roles, r.Name)
	}
	a.Restricted = s.AppCredential != nil && !s.AppCredential.Unrestricted
	return a
}
