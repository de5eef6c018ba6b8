package keymanager

import "time"

// Consumer is who has said that it uses a container (Name and URL) or a secret (Service, ResourceType and ResourceID). The fields of
// the other kind are "".
type Consumer struct {
	ID        string
	OwnerID   string // of the secret or container that it uses
	ProjectID string // of the consumer

	Name, URL                         string
	Service, ResourceType, ResourceID string

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Same tells whether two consumers stand for the same use of the same object.
func (c *Consumer) Same(o *Consumer) bool {
	return c.OwnerID == o.OwnerID && c.Name == o.Name && c.URL == o.URL &&
		c.Service == o.Service && c.ResourceType == o.ResourceType && c.ResourceID == o.ResourceID
}
