package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
)

type roleRow struct {
	bun.BaseModel `bun:"table:roles"`

	ID          string `bun:"id,pk"`
	Name        string `bun:"name"`
	Description string `bun:"description"`
	Options     string `bun:"options"`
	Revision    int64  `bun:"revision"`
	CreatedAt   int64  `bun:"created_at"`
}

func newRoleRow(r *identity.Role) *roleRow {
	return &roleRow{ID: r.ID, Name: r.Name, Description: r.Description, Options: written(r.Options), CreatedAt: micros(r.CreatedAt)}
}

func (r *roleRow) domain() (*identity.Role, error) {
	options, err := kept[identity.Options](r.Options)
	return &identity.Role{
		ID: r.ID, Name: r.Name, Description: r.Description, Options: options, CreatedAt: fromMicros(r.CreatedAt),
	}, err
}

var roleAttributes = attributes{
	"id": {column: "id"}, "name": {column: "name"}, "created_at": {column: "created_at"},
}

// Role returns one role.
func (s *Store) Role(ctx context.Context, id string) (*identity.Role, error) {
	row := new(roleRow)
	if err := s.read.NewSelect().Model(row).Where("id = ?", id).Scan(ctx); err != nil {
		return nil, orMissing(err, "role", id)
	}
	return row.domain()
}

// Roles lists roles.
func (s *Store) Roles(ctx context.Context, q Query) ([]*identity.Role, error) {
	var rows []*roleRow
	if err := listInto(ctx, s, q, &rows, "roles", roleAttributes); err != nil {
		return nil, err
	}
	return domainsOf(inOrder(q, rows))
}

// CreateRole keeps a new role and sets its CreatedAt.
func (s *Store) CreateRole(ctx context.Context, r *identity.Role) error {
	r.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(newRoleRow(r)).Exec(ctx)
		return orTaken(err, "role", "Duplicate entry found with name "+r.Name)
	})
}

// UpdateRole lets fn change a role, all but its ID, and returns it as it is then.
func (s *Store) UpdateRole(ctx context.Context, id string, fn func(*identity.Role) error) (r *identity.Role, err error) {
	err = s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := new(roleRow)
		if err := tx.NewSelect().Model(row).Where("id = ?", id).Scan(ctx); err != nil {
			return orMissing(err, "role", id)
		}
		old, err := row.domain()
		if err != nil {
			return err
		}
		r, _ = row.domain()
		if err := fn(r); err != nil {
			return err
		}
		if r.Options.Immutable && old.Options.Immutable {
			return immutable(old.Options, "role", id)
		}
		changed := newRoleRow(r)
		changed.Revision = row.Revision + 1
		err = updateRow(ctx, tx, changed, row.Revision, "name", "description", "options")
		return orTaken(err, "role", "Duplicate entry found with name "+r.Name)
	})
	return r, err
}

// DeleteRole removes a role with its assignments.
func (s *Store) DeleteRole(ctx context.Context, id string) error {
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := new(roleRow)
		if err := tx.NewSelect().Model(row).Where("id = ?", id).Scan(ctx); err != nil {
			return orMissing(err, "role", id)
		}
		r, err := row.domain()
		if err != nil {
			return err
		}
		if err := immutable(r.Options, "role", id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM role_assignments WHERE role_id = ?`, id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM roles WHERE id = ?`, id)
		return err
	})
}
