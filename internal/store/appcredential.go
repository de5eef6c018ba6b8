package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
)

type appCredentialRow struct {
	bun.BaseModel `bun:"table:application_credentials"`

	ID           string `bun:"id,pk"`
	UserID       string `bun:"user_id"`
	ProjectID    string `bun:"project_id"`
	Name         string `bun:"name"`
	Description  string `bun:"description"`
	SecretHash   string `bun:"secret_hash"`
	RoleIDs      string `bun:"role_ids"`
	Unrestricted bool   `bun:"unrestricted"`
	ExpiresAt    int64  `bun:"expires_at"`
	CreatedAt    int64  `bun:"created_at"`
}

func newAppCredentialRow(c *identity.AppCredential) *appCredentialRow {
	return &appCredentialRow{
		ID: c.ID, UserID: c.UserID, ProjectID: c.ProjectID, Name: c.Name, Description: c.Description, SecretHash: c.SecretHash,
		RoleIDs: written(append([]string{}, c.RoleIDs...)), Unrestricted: c.Unrestricted,
		ExpiresAt: micros(c.ExpiresAt), CreatedAt: micros(c.CreatedAt),
	}
}

func (r *appCredentialRow) domain() (*identity.AppCredential, error) {
	roles, err := kept[[]string](r.RoleIDs)
	return &identity.AppCredential{
		ID: r.ID, UserID: r.UserID, ProjectID: r.ProjectID, Name: r.Name, Description: r.Description, SecretHash: r.SecretHash,
		RoleIDs: roles, Unrestricted: r.Unrestricted, ExpiresAt: fromMicros(r.ExpiresAt), CreatedAt: fromMicros(r.CreatedAt),
	}, err
}

var appCredentialAttributes = attributes{
	"id": {column: "id"}, "name": {column: "name"}, "created_at": {column: "created_at"},
	"user_id": {column: "user_id"}, "project_id": {column: "project_id"},
}

// AppCredential returns one application credential.
func (s *Store) AppCredential(ctx context.Context, id string) (*identity.AppCredential, error) {
	return appCredentialWhere(ctx, s.read.NewSelect().Where("id = ?", id), id)
}

// AppCredentialByName returns a user's application credential of a name.
func (s *Store) AppCredentialByName(ctx context.Context, userID, name string) (*identity.AppCredential, error) {
	return appCredentialWhere(ctx, s.read.NewSelect().Where("user_id = ?", userID).Where("name = ?", name), name)
}

func appCredentialWhere(ctx context.Context, sel *bun.SelectQuery, what string) (*identity.AppCredential, error) {
	row := new(appCredentialRow)
	if err := sel.Model(row).Scan(ctx); err != nil {
		return nil, orMissing(err, "application credential", what)
	}
	return row.domain()
}

// AppCredentials lists application credentials.
func (s *Store) AppCredentials(ctx context.Context, q Query) ([]*identity.AppCredential, error) {
	var rows []*appCredentialRow
	if err := listInto(ctx, s, q, &rows, "application_credentials", appCredentialAttributes); err != nil {
		return nil, err
	}
	return domainsOf(inOrder(q, rows))
}

// CreateAppCredential keeps a new application credential and sets its CreatedAt.
func (s *Store) CreateAppCredential(ctx context.Context, c *identity.AppCredential) error {
	c.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := there(ctx, tx, "users", "user", c.UserID); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(newAppCredentialRow(c)).Exec(ctx)
		return orTaken(err, "application_credential", fmt.Sprintf("Duplicate entry found with name %s for user %s", c.Name, c.UserID))
	})
}

// DeleteAppCredential removes an application credential.
func (s *Store) DeleteAppCredential(ctx context.Context, id string) error {
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `DELETE FROM application_credentials WHERE id = ?`, id))
		if err == nil && n == 0 {
			return missing("application credential", id)
		}
		return err
	})
}
