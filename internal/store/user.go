package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
)

type userRow struct {
	bun.BaseModel `bun:"table:users"`

	ID               string `bun:"id,pk"`
	DomainID         string `bun:"domain_id"`
	Name             string `bun:"name"`
	PasswordHash     string `bun:"password_hash"`
	Enabled          bool   `bun:"enabled"`
	DefaultProjectID string `bun:"default_project_id"`
	Options          string `bun:"options"`
	Extra            string `bun:"extra"`
	TokenEpoch       int64  `bun:"token_epoch"`
	FailedLogins     int64  `bun:"failed_logins"`
	FailedAt         int64  `bun:"failed_at"`
	Revision         int64  `bun:"revision"`
	CreatedAt        int64  `bun:"created_at"`
}

func newUserRow(u *identity.User) *userRow {
	return &userRow{
		ID: u.ID, DomainID: u.DomainID, Name: u.Name, PasswordHash: u.PasswordHash, Enabled: u.Enabled,
		DefaultProjectID: u.DefaultProjectID, Options: written(u.Options), Extra: written(u.Extra), TokenEpoch: u.TokenEpoch,
		FailedLogins: int64(u.FailedLogins), FailedAt: micros(u.FailedAt), CreatedAt: micros(u.CreatedAt),
	}
}

func (r *userRow) domain() (*identity.User, error) {
	options, err := kept[identity.Options](r.Options)
	if err != nil {
		return nil, err
	}
	extra, err := kept[identity.Extra](r.Extra)
	return &identity.User{
		ID: r.ID, DomainID: r.DomainID, Name: r.Name, PasswordHash: r.PasswordHash, Enabled: r.Enabled,
		DefaultProjectID: r.DefaultProjectID, Options: options, Extra: extra, TokenEpoch: r.TokenEpoch,
		FailedLogins: int(r.FailedLogins), FailedAt: fromMicros(r.FailedAt), CreatedAt: fromMicros(r.CreatedAt),
	}, err
}

var userAttributes = attributes{
	"id": {column: "id"}, "name": {column: "name"}, "created_at": {column: "created_at"}, "domain_id": {column: "domain_id"},
	"enabled": {column: "enabled", value: boolean},
}

// User returns one user.
func (s *Store) User(ctx context.Context, id string) (*identity.User, error) {
	return userWhere(ctx, s.read.NewSelect().Where("id = ?", id), id)
}

// UserByName returns the user of a name in a domain.
func (s *Store) UserByName(ctx context.Context, domainID, name string) (*identity.User, error) {
	return userWhere(ctx, s.read.NewSelect().Where("domain_id = ?", domainID).Where("name = ?", name), name)
}

func userWhere(ctx context.Context, sel *bun.SelectQuery, what string) (*identity.User, error) {
	row := new(userRow)
	if err := sel.Model(row).Scan(ctx); err != nil {
		return nil, orMissing(err, "user", what)
	}
	return row.domain()
}

// Users lists users.
func (s *Store) Users(ctx context.Context, q Query) ([]*identity.User, error) {
	var rows []*userRow
	if err := listInto(ctx, s, q, &rows, "users", userAttributes); err != nil {
		return nil, err
	}
	return domainsOf(inOrder(q, rows))
}

// CreateUser keeps a new user and sets its CreatedAt.
func (s *Store) CreateUser(ctx context.Context, u *identity.User) error {
	u.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := there(ctx, tx, "domains", "domain", u.DomainID); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(newUserRow(u)).Exec(ctx)
		return orTaken(err, "user", takenName(u.Name, u.DomainID))
	})
}

// UpdateUser lets fn change a user, all but ID and domain, and returns it as it is then. A new password forgets the
// log-ins that failed.
func (s *Store) UpdateUser(ctx context.Context, id string, fn func(*identity.User) error) (u *identity.User, err error) {
	err = s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := new(userRow)
		if err := tx.NewSelect().Model(row).Where("id = ?", id).Scan(ctx); err != nil {
			return orMissing(err, "user", id)
		}
		old, err := row.domain()
		if err != nil {
			return err
		}
		u, _ = row.domain()
		if err := fn(u); err != nil {
			return err
		}
		columns := []string{"name", "password_hash", "enabled", "default_project_id", "options", "extra", "token_epoch"}
		if u.PasswordHash != old.PasswordHash {
			u.FailedLogins, u.FailedAt = 0, time.Time{}
			columns = append(columns, "failed_logins", "failed_at")
		}
		if u.RevokesTokens(old) {
			u.TokenEpoch++
		}
		changed := newUserRow(u)
		changed.Revision = row.Revision + 1
		return orTaken(updateRow(ctx, tx, changed, row.Revision, columns...), "user", takenName(u.Name, u.DomainID))
	})
	return u, err
}

// DeleteUser removes a user with its assignments and application credentials.
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := there(ctx, tx, "users", "user", id); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM application_credentials WHERE user_id = ?0`,
			`DELETE FROM role_assignments WHERE user_id = ?0`,
			`DELETE FROM users WHERE id = ?0`,
		} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// LoginFailed counts a log-in that failed at a time. The count starts anew when a lock, which takes limit.Attempts failures, has
// run out.
func (s *Store) LoginFailed(ctx context.Context, userID string, limit identity.Lockout, at time.Time) error {
	return s.change(ctx, "store.login_failed", func(ctx context.Context, tx bun.Tx) error {
		// failed_logins comes first: MariaDB's later assignments see the earlier ones.
		_, err := tx.ExecContext(ctx, `UPDATE users
			SET failed_logins = CASE WHEN failed_logins >= ? AND failed_at <= ? THEN 1 ELSE failed_logins + 1 END, failed_at = ?
			WHERE id = ?`, limit.Attempts, micros(at.Add(-limit.Time)), micros(at), userID)
		return err
	})
}

// LoginSucceeded forgets the log-ins of a user that failed.
func (s *Store) LoginSucceeded(ctx context.Context, userID string) error {
	return s.change(ctx, "store.login_succeeded", func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE users SET failed_logins = 0, failed_at = 0 WHERE id = ?`, userID)
		return err
	})
}
