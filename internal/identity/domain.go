package identity

import (
	"encoding/json"
	"time"
)

// DefaultDomainID is the id of the domain that the first start makes; its name is Default.
const DefaultDomainID = "default"

// Extra holds the attributes of an object that Keystone keeps without knowing them, such as a user's email.
type Extra map[string]json.RawMessage

// Options are the resource options that an object has been given.
type Options struct {
	Immutable                    bool `json:"immutable,omitempty"`                       // neither changed nor deleted: domains, projects, roles
	IgnoreLockoutFailureAttempts bool `json:"ignore_lockout_failure_attempts,omitempty"` // users
	LockPassword                 bool `json:"lock_password,omitempty"`                   // users may not change their own
}

// Domain is a name space of projects and users.
type Domain struct {
	ID          string
	Name        string
	Description string
	Enabled     bool
	Options     Options
	Extra       Extra
	TokenEpoch  int64 // tokens scoped to the domain that were given under another are void
	CreatedAt   time.Time
}

// RevokesTokens tells whether a change from old to d voids the tokens given so far.
func (d *Domain) RevokesTokens(old *Domain) bool { return old.Enabled && !d.Enabled }
