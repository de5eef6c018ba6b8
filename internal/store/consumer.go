package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

type consumerRow struct {
	bun.BaseModel `bun:"table:secret_consumers"`

	ID           string `bun:"id,pk"`
	OwnerID      string `bun:"owner_id"`
	ProjectID    string `bun:"project_id"`
	Name         string `bun:"name"`
	URL          string `bun:"url"`
	Service      string `bun:"service"`
	ResourceType string `bun:"resource_type"`
	ResourceID   string `bun:"resource_id"`
	CreatedAt    int64  `bun:"created_at"`
	UpdatedAt    int64  `bun:"updated_at"`
}

func newConsumerRow(c *keymanager.Consumer) *consumerRow {
	return &consumerRow{
		ID: c.ID, OwnerID: c.OwnerID, ProjectID: c.ProjectID, Name: c.Name, URL: c.URL, Service: c.Service,
		ResourceType: c.ResourceType, ResourceID: c.ResourceID, CreatedAt: micros(c.CreatedAt), UpdatedAt: micros(c.UpdatedAt),
	}
}

func (r *consumerRow) domain() *keymanager.Consumer {
	return &keymanager.Consumer{
		ID: r.ID, OwnerID: r.OwnerID, ProjectID: r.ProjectID, Name: r.Name, URL: r.URL, Service: r.Service,
		ResourceType: r.ResourceType, ResourceID: r.ResourceID, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

// CreateConsumer notes a consumer of the secret or container OwnerID, and sets ID and times. Where one that is the Same is there already, that
// one stays and c becomes it. The error is lbaas.NotFound where there is no such secret or container.
func (s *Store) CreateConsumer(ctx context.Context, c *keymanager.Consumer) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := holdOwner(ctx, tx, c.OwnerID); err != nil {
			return err
		}
		old, err := sameConsumer(ctx, tx, c)
		if err != nil {
			return err
		}
		if old != nil {
			*c = *old
			return nil
		}
		c.ID, c.CreatedAt = uuid.NewString(), now()
		c.UpdatedAt = c.CreatedAt
		if _, err := tx.NewInsert().Model(newConsumerRow(c)).Exec(ctx); err != nil {
			return fmt.Errorf("insert a consumer of %s: %w", c.OwnerID, err)
		}
		return nil
	})
}

// holdOwner holds the secret or container of that id.
func holdOwner(ctx context.Context, tx bun.Tx, id string) error {
	found, err := hold(ctx, tx, tableContainers, "id", id)
	if err != nil || found {
		return err
	}
	return held(ctx, tx, tableSecrets, "id", id, lbaas.Errorf(lbaas.NotFound, "Neither a secret nor a container %s was found.", id))
}

// sameConsumer returns the consumer that is the Same, or nil.
func sameConsumer(ctx context.Context, db bun.IDB, c *keymanager.Consumer) (*keymanager.Consumer, error) {
	var rows []consumerRow
	if err := db.NewSelect().Model(&rows).Where("owner_id = ?", c.OwnerID).Scan(ctx); err != nil {
		return nil, fmt.Errorf("read the consumers of %s: %w", c.OwnerID, err)
	}
	for i := range rows {
		if old := rows[i].domain(); old.Same(c) {
			return old, nil
		}
	}
	return nil, nil
}

// Consumers lists the consumers of a secret or container, the oldest first, and says how many there are in all. Of the listing Limit and
// Offset count.
func (s *Store) Consumers(ctx context.Context, ownerID string, l keymanager.Listing) (page []*keymanager.Consumer, total int, err error) {
	var rows []consumerRow
	err = s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		rows = nil
		sel := tx.NewSelect().Model(&rows).Where("owner_id = ?", ownerID)
		n, err := sel.Count(ctx)
		if err != nil {
			return err
		}
		total = int(n)
		return paged(sel.Order("created_at", "id"), l).Scan(ctx)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the consumers of %s: %w", ownerID, err)
	}
	for i := range rows {
		page = append(page, rows[i].domain())
	}
	return page, total, nil
}

// ConsumersOf returns all consumers of several secrets or containers, by the id of these, each one's oldest first.
func (s *Store) ConsumersOf(ctx context.Context, ownerIDs []string) (map[string][]*keymanager.Consumer, error) {
	found := map[string][]*keymanager.Consumer{}
	for some := range slices.Chunk(ownerIDs, idChunk) {
		var rows []consumerRow
		if err := s.read.NewSelect().Model(&rows).Where("owner_id IN (?)", bun.List(some)).Order("created_at", "id").Scan(ctx); err != nil {
			return nil, fmt.Errorf("read who consumes secrets: %w", err)
		}
		for i := range rows {
			found[rows[i].OwnerID] = append(found[rows[i].OwnerID], rows[i].domain())
		}
	}
	return found, nil
}

// DeleteConsumer removes the consumer that is the Same. The error is lbaas.NotFound where there is none.
func (s *Store) DeleteConsumer(ctx context.Context, c *keymanager.Consumer) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := holdOwner(ctx, tx, c.OwnerID); err != nil {
			return err
		}
		old, err := sameConsumer(ctx, tx, c)
		if err != nil {
			return err
		}
		if old == nil {
			return lbaas.Errorf(lbaas.NotFound, "Consumer not found.")
		}
		_, err = tx.NewDelete().Table(tableConsumers).Where("id = ?", old.ID).Exec(ctx)
		return err
	})
}
