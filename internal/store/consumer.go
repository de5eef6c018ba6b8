package store

import (
	"context"

	"plimsoll/internal/keymanager"
)

// CreateConsumer notes a consumer of the secret or container OwnerID, and sets ID and times. One that is the Same is there already: it
// stays as it is.
func (s *Store) CreateConsumer(ctx context.Context, c *keymanager.Consumer) error {
	return errKeyManager
}

// Consumers lists the consumers of a secret or container, and says how many there are in all. Of the listing Limit and Offset count.
func (s *Store) Consumers(ctx context.Context, ownerID string, l keymanager.Listing) (page []*keymanager.Consumer, total int, err error) {
	return nil, 0, errKeyManager
}

// DeleteConsumer removes the consumer that is the Same. The error is lbaas.NotFound where there is none.
func (s *Store) DeleteConsumer(ctx context.Context, c *keymanager.Consumer) error {
	return errKeyManager
}
