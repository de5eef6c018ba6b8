package store

import (
	"context"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

var errKeyManager = lbaas.Errorf(lbaas.Unavailable, "The key manager has no key: its payloads cannot be read or written.")

// SetKey gives the store the key that payloads are sealed with: keymanager.KeySize bytes. It is called before the store is used.
func (s *Store) SetKey(key []byte) { s.key = key }

// CreateSecret keeps a new secret, with a payload where p is not nil, and sets its CreatedAt, UpdatedAt and ContentType. It gives it an ID
// where it has none.
func (s *Store) CreateSecret(ctx context.Context, secret *keymanager.Secret, p *keymanager.Payload) error {
	return errKeyManager
}

// Secret returns one secret. The error is lbaas.NotFound where there is none.
func (s *Store) Secret(ctx context.Context, id string) (*keymanager.Secret, error) {
	return nil, errKeyManager
}

// Secrets lists secrets, and says how many there are in all, without the limit and the offset.
func (s *Store) Secrets(ctx context.Context, l keymanager.Listing) (page []*keymanager.Secret, total int, err error) {
	return nil, 0, errKeyManager
}

// Payload returns what a secret keeps. The error is lbaas.NotFound where there is no such secret or it has no payload.
func (s *Store) Payload(ctx context.Context, id string) (*keymanager.Payload, error) {
	return nil, errKeyManager
}

// PutPayload gives a secret its payload, or another one. Load balancers that refer to it, by itself or by a container, get a new generation.
func (s *Store) PutPayload(ctx context.Context, id string, p keymanager.Payload) error {
	return errKeyManager
}

// DeleteSecret removes a secret with its payload and its consumers; it is then in no container any more.
func (s *Store) DeleteSecret(ctx context.Context, id string) error { return errKeyManager }

// SetSecretMetadata replaces the metadata of a secret.
func (s *Store) SetSecretMetadata(ctx context.Context, id string, metadata map[string]string) error {
	return errKeyManager
}

// SetSecretACL replaces the ACL of a secret and sets its times; nil takes it away.
func (s *Store) SetSecretACL(ctx context.Context, id string, acl *keymanager.ACL) error {
	return errKeyManager
}
