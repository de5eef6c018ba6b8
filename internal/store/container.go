package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

type containerRow struct {
	bun.BaseModel `bun:"table:secret_containers"`

	ID        string `bun:"id,pk"`
	ProjectID string `bun:"project_id"`
	CreatorID string `bun:"creator_id"`
	Name      string `bun:"name"`
	Type      string `bun:"type"`
	aclRow
	CreatedAt int64 `bun:"created_at"`
	UpdatedAt int64 `bun:"updated_at"`
	Epoch     int64 `bun:"epoch"`
}

type containerItemRow struct {
	bun.BaseModel `bun:"table:secret_container_items"`

	ContainerID string `bun:"container_id,pk"`
	Position    int64  `bun:"position,pk"`
	Name        string `bun:"name"`
	SecretID    string `bun:"secret_id"`
}

func newContainerRow(c *keymanager.Container) *containerRow {
	return &containerRow{
		ID: c.ID, ProjectID: c.ProjectID, CreatorID: c.CreatorID, Name: c.Name, Type: string(c.Type), aclRow: newACLRow(c.ACL),
		CreatedAt: micros(c.CreatedAt), UpdatedAt: micros(c.UpdatedAt),
	}
}

func (r *containerRow) domain(items []containerItemRow) *keymanager.Container {
	c := &keymanager.Container{
		ID: r.ID, ProjectID: r.ProjectID, CreatorID: r.CreatorID, Name: r.Name, Type: keymanager.ContainerType(r.Type),
		Status: keymanager.Active, ACL: r.acl(), CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
	for _, i := range items {
		c.Secrets = append(c.Secrets, keymanager.SecretRef{Name: i.Name, SecretID: i.SecretID})
	}
	return c
}

func missingContainer(id string) *lbaas.Error {
	return lbaas.Errorf(lbaas.NotFound, "Container %s not found.", id)
}

// CreateContainer keeps a new container and sets its Status, CreatedAt and UpdatedAt. It gives it an ID where it has none. The error is
// lbaas.Invalid for what Container.Validate refuses and lbaas.NotFound for a secret that is not there.
func (s *Store) CreateContainer(ctx context.Context, c *keymanager.Container) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	c.Status, c.CreatedAt = keymanager.Active, now()
	c.UpdatedAt = c.CreatedAt
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, r := range c.Secrets {
			if err := held(ctx, tx, tableSecrets, "id", r.SecretID, missingSecret(r.SecretID)); err != nil {
				return err
			}
		}
		if _, err := tx.NewInsert().Model(newContainerRow(c)).Exec(ctx); err != nil {
			return fmt.Errorf("insert container %s: %w", c.ID, err)
		}
		for i, r := range c.Secrets {
			if err := insertItem(ctx, tx, c.ID, int64(i), r); err != nil {
				return err
			}
		}
		return nil
	})
}

func insertItem(ctx context.Context, tx bun.Tx, id string, position int64, r keymanager.SecretRef) error {
	row := &containerItemRow{ContainerID: id, Position: position, Name: r.Name, SecretID: r.SecretID}
	if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
		return fmt.Errorf("put secret %s into container %s: %w", r.SecretID, id, err)
	}
	return nil
}

// Container returns one container. The error is lbaas.NotFound where there is none.
func (s *Store) Container(ctx context.Context, id string) (c *keymanager.Container, err error) {
	err = s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		c, err = containerByID(ctx, tx, id)
		return err
	})
	return c, err
}

func containerByID(ctx context.Context, db bun.IDB, id string) (*keymanager.Container, error) {
	row := new(containerRow)
	if err := db.NewSelect().Model(row).Where("id = ?", id).Scan(ctx); err != nil {
		return nil, orNone(err, missingContainer(id))
	}
	items, err := containerItems(ctx, db, []string{id})
	if err != nil {
		return nil, err
	}
	return row.domain(items[id]), nil
}

// containerItems are what containers hold, by their ids.
func containerItems(ctx context.Context, db bun.IDB, ids []string) (map[string][]containerItemRow, error) {
	found := make(map[string][]containerItemRow, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var rows []containerItemRow
	err := db.NewSelect().Model(&rows).Where("container_id IN (?)", bun.List(ids)).Order("container_id", "position").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what containers hold: %w", err)
	}
	for _, r := range rows {
		found[r.ContainerID] = append(found[r.ContainerID], r)
	}
	return found, nil
}

// Containers lists containers, and says how many there are in all, without the limit and the offset.
func (s *Store) Containers(ctx context.Context, l keymanager.Listing) (page []*keymanager.Container, total int, err error) {
	rows, total, err := keyList[containerRow](ctx, s, l, containerColumns, func(sel *bun.SelectQuery) *bun.SelectQuery {
		if l.Name != "" {
			sel = sel.Where("name = ?", l.Name)
		}
		if l.ContainerType != "" {
			sel = sel.Where("type = ?", string(l.ContainerType))
		}
		return sel
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list containers: %w", err)
	}
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	items, err := containerItems(ctx, s.read, ids)
	if err != nil {
		return nil, 0, err
	}
	for i := range rows {
		page = append(page, rows[i].domain(items[rows[i].ID]))
	}
	return page, total, nil
}

// AddToContainer puts a secret into a generic container. The errors are lbaas.NotFound, lbaas.Invalid (the container is not generic) and
// lbaas.Conflict (it is in there by that name).
func (s *Store) AddToContainer(ctx context.Context, id string, r keymanager.SecretRef) error {
	return s.changeContainer(ctx, id, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableSecrets, "id", r.SecretID, missingSecret(r.SecretID)); err != nil {
			return err
		}
		items, err := genericItems(ctx, tx, id)
		if err != nil {
			return err
		}
		position := int64(0)
		for _, i := range items {
			if i.SecretID == r.SecretID && i.Name == r.Name {
				return lbaas.Errorf(lbaas.Conflict, "Conflict. A secret with that name and ID is already stored in this container. "+
					"The same secret can exist in a container as long as the name is unique.")
			}
			position = i.Position + 1
		}
		return insertItem(ctx, tx, id, position, r)
	})
}

// genericItems are what a container holds, where it is generic.
func genericItems(ctx context.Context, tx bun.Tx, id string) ([]containerItemRow, error) {
	c, err := containerByID(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if c.Type != keymanager.GenericContainer {
		return nil, lbaas.Errorf(lbaas.Invalid, "Only 'generic' containers can be modified.")
	}
	items, err := containerItems(ctx, tx, []string{id})
	return items[id], err
}

// RemoveFromContainer takes a secret out of a generic container. The errors are lbaas.NotFound and lbaas.Invalid.
func (s *Store) RemoveFromContainer(ctx context.Context, id string, r keymanager.SecretRef) error {
	return s.changeContainer(ctx, id, func(ctx context.Context, tx bun.Tx) error {
		if _, err := genericItems(ctx, tx, id); err != nil {
			return err
		}
		n, err := affected(tx.NewDelete().Table(tableContainerItems).Where("container_id = ?", id).
			Where("secret_id = ?", r.SecretID).Where("name = ?", r.Name).Exec(ctx))
		if err == nil && n == 0 {
			return lbaas.Errorf(lbaas.NotFound, "Secret %s is not in container %s under that name.", r.SecretID, id)
		}
		return err
	})
}

// changeContainer is changeSecret for a container.
func (s *Store) changeContainer(ctx context.Context, id string, fn func(ctx context.Context, tx bun.Tx) error) error {
	return s.changeKeys(ctx, func(ctx context.Context, tx bun.Tx) ([]Hint, error) {
		if err := held(ctx, tx, tableContainers, "id", id, missingContainer(id)); err != nil {
			return nil, err
		}
		if err := fn(ctx, tx); err != nil {
			return nil, fmt.Errorf("change container %s: %w", id, err)
		}
		_, err := tx.NewUpdate().Table(tableContainers).Set("updated_at = ?", micros(now())).Where("id = ?", id).Exec(ctx)
		if err != nil {
			return nil, err
		}
		return s.renew(ctx, tx, []string{id})
	})
}

// DeleteContainer removes a container with its consumers; its secrets stay.
func (s *Store) DeleteContainer(ctx context.Context, id string) error {
	return s.changeContainer(ctx, id, func(ctx context.Context, tx bun.Tx) error {
		return deleteAll(ctx, tx, id, []place{{tableContainerItems, "container_id"}, {tableConsumers, "owner_id"}, {tableContainers, "id"}})
	})
}

// SetContainerACL replaces the ACL of a container and sets its times (CreatedAt, where it was zero); nil takes it away.
func (s *Store) SetContainerACL(ctx context.Context, id string, acl *keymanager.ACL) error {
	return s.changeContainer(ctx, id, func(ctx context.Context, tx bun.Tx) error { return setACL(ctx, tx, tableContainers, id, acl) })
}

// ChangeContainerACL is ChangeSecretACL for a container.
func (s *Store) ChangeContainerACL(ctx context.Context, id string, fn func(*keymanager.ACL) *keymanager.ACL) error {
	return s.changeContainer(ctx, id, func(ctx context.Context, tx bun.Tx) error { return changeACL(ctx, tx, tableContainers, id, fn) })
}
