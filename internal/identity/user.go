package identity

import "time"

// User is somebody who has a password.
type User struct {
	ID               string
	DomainID         string
	Name             string
	PasswordHash     string // "" is no password: nothing logs in
	Enabled          bool
	DefaultProjectID string
	Options          Options
	Extra            Extra
	TokenEpoch       int64 // the user's tokens that were given under another are void
	CreatedAt        time.Time

	FailedLogins int       // since the last that succeeded
	FailedAt     time.Time // the last that failed
}

// RevokesTokens tells whether a change from old to u voids the tokens given so far.
func (u *User) RevokesTokens(old *User) bool {
	return old.PasswordHash != u.PasswordHash || (old.Enabled && !u.Enabled)
}

// Lockout bounds failed log-ins: after Attempts of them in a row the user cannot log in for Time.
type Lockout struct {
	Attempts int
	Time     time.Duration
}

// Locked tells whether u may not log in now.
func (l Lockout) Locked(u *User, now time.Time) bool {
	if u.Options.IgnoreLockoutFailureAttempts || u.FailedLogins < l.Attempts {
		return false
	}
	return now.Before(u.FailedAt.Add(l.Time))
}
