package identity

import "time"

// Project owns load balancers and networks; tokens are scoped to it.
type Project struct {
	ID          string
	DomainID    string
	ParentID    string // another project, or the domain
	Name        string
	Description string
	Enabled     bool
	Tags        []string
	Options     Options
	Extra       Extra
	TokenEpoch  int64 // tokens scoped to the project that were given under another are void
	CreatedAt   time.Time
}

// RevokesTokens tells whether a change from old to p voids the tokens given so far.
func (p *Project) RevokesTokens(old *Project) bool { return old.Enabled && !p.Enabled }
