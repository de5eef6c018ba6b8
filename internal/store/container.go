package store

import (
	"context"

	"plimsoll/internal/keymanager"
)

// CreateContainer keeps a new container and sets its CreatedAt and UpdatedAt. It gives it an ID where it has none. The error is
// lbaas.Invalid for what Container.Validate refuses and lbaas.NotFound for a secret that is not there.
func (s *Store) CreateContainer(ctx context.Context, c *keymanager.Container) error {
	return errKeyManager
}

// Container returns one container. The error is lbaas.NotFound where there is none.
func (s *Store) Container(ctx context.Context, id string) (*keymanager.Container, error) {
	return nil, errKeyManager
}

// Containers lists containers, and says how many there are in all, without the limit and the offset.
func (s *Store) Containers(ctx context.Context, l keymanager.Listing) (page []*keymanager.Container, total int, err error) {
	return nil, 0, errKeyManager
}

// AddToContainer puts a secret into a generic container. The errors are lbaas.NotFound, lbaas.Invalid (the container is not generic) and
// lbaas.Conflict (it is in there by that name).
func (s *Store) AddToContainer(ctx context.Context, id string, r keymanager.SecretRef) error {
	return errKeyManager
}

// RemoveFromContainer takes a secret out of a generic container. The errors are lbaas.NotFound and lbaas.Invalid.
func (s *Store) RemoveFromContainer(ctx context.Context, id string, r keymanager.SecretRef) error {
	return errKeyManager
}

// DeleteContainer removes a container with its consumers; its secrets stay.
func (s *Store) DeleteContainer(ctx context.Context, id string) error { return errKeyManager }

// SetContainerACL replaces the ACL of a container and sets its times; nil takes it away.
func (s *Store) SetContainerACL(ctx context.Context, id string, acl *keymanager.ACL) error {
	return errKeyManager
}
