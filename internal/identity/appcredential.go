package identity

import "time"

// AppCredential lets a program act as a user in one project with some of the user's roles there.
type AppCredential struct {
	ID           string
	UserID       string
	ProjectID    string
	Name         string
	Description  string
	SecretHash   string
	RoleIDs      []string
	Unrestricted bool      // its tokens may manage application credentials
	ExpiresAt    time.Time // zero: never
	CreatedAt    time.Time
}

// Expired tells whether the credential can no longer be used.
func (c *AppCredential) Expired(now time.Time) bool {
	return !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt)
}
