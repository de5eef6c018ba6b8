package identity

// ScopeKind is what a token or an assignment is about.
type ScopeKind string

// The kinds of scope. Unscoped tokens carry no role.
const (
	Unscoped      ScopeKind = ""
	ProjectScope  ScopeKind = "project"
	DomainScope   ScopeKind = "domain"
	SystemScope   ScopeKind = "system"
	SystemScopeID           = "all" // the one system there is
)

// Scope is a project, a domain, the system, or nothing.
type Scope struct {
	Kind ScopeKind
	ID   string
}

// System is the scope of the whole installation.
func System() Scope { return Scope{SystemScope, SystemScopeID} }

// Assignment gives a user a role in a scope.
type Assignment struct {
	UserID string
	Scope  Scope
	RoleID string
}

// NamedAssignment is an Assignment with the names of what it joins. Prior is the role that implies this one, "" for a
// role that was assigned itself.
type NamedAssignment struct {
	Assignment
	UserName, UserDomainID, UserDomainName    string
	RoleName                                  string
	ScopeName, ScopeDomainID, ScopeDomainName string // the name of the project or domain; the project's domain
	Prior                                     string
}

// AssignmentFilter asks for assignments; empty fields ask for nothing in particular.
type AssignmentFilter struct {
	UserID string
	RoleID string
	Scope  Scope // a Kind without an ID is any scope of that kind
}
