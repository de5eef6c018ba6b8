package keymanager

import "time"

// SecretType says what a secret is, in Barbican's words.
type SecretType string

// The types of secrets.
const (
	SymmetricKey    SecretType = "symmetric"
	PublicKey       SecretType = "public"
	PrivateKey      SecretType = "private"
	Passphrase      SecretType = "passphrase"
	CertificateType SecretType = "certificate"
	Opaque          SecretType = "opaque"
)

// SecretTypes are all of them.
func SecretTypes() []SecretType {
	return []SecretType{SymmetricKey, PublicKey, PrivateKey, Passphrase, CertificateType, Opaque}
}

// Secret is what is known of a secret without its payload.
type Secret struct {
	ID         string
	ProjectID  string
	CreatorID  string // the user who made it
	Name       string
	Type       SecretType
	Status     Status
	Algorithm  string
	BitLength  int // 0: not said
	Mode       string
	Expiration time.Time // zero: never
	// ContentType is that of the payload, as Barbican tells it (content_types.default); "" means that there is no payload yet.
	ContentType string
	Metadata    map[string]string
	ACL         *ACL // nil: the default, which lets the project read
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Payload is what a secret keeps.
type Payload struct {
	Content     []byte
	ContentType string
}

// ACL says who may read a secret or container besides its creator.
type ACL struct {
	Users         []string // ids of users; the id of a project lets its load balancers use it
	ProjectAccess bool     // whoever may read secrets of the project may read this one
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// DefaultACL is that of an object without one.
func DefaultACL() ACL { return ACL{ProjectAccess: true} }

// Expired tells whether the secret's expiration has come: its payload is not given out any more.
func (s *Secret) Expired(now time.Time) bool {
	return !s.Expiration.IsZero() && !now.Before(s.Expiration)
}
