// Package identity holds the types and the rules of domains, projects, users, roles and tokens. It does no I/O.
package identity

import (
	"slices"
	"time"
)

// Actor is who sends a request: what a validated token says. Actors are shared between requests; nobody changes one.
type Actor struct {
	UserID       string
	UserName     string
	UserDomainID string

	// One scope at most: a project, a domain, or the system. None is an unscoped token.
	ProjectID       string
	ProjectName     string
	ProjectDomainID string
	DomainID        string
	System          bool

	Roles     []string // names, implied roles included
	ExpiresAt time.Time

	// Restricted is set for a token of an application credential that may not manage application credentials.
	Restricted bool
}

// Has tells whether the actor has a role in its scope.
func (a *Actor) Has(role string) bool { return slices.Contains(a.Roles, role) }

// Admin tells whether the actor has the role admin.
func (a *Actor) Admin() bool { return a.Has("admin") }
