package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

type domainRow struct {
	bun.BaseModel `bun:"table:domains"`

	ID          string `bun:"id,pk"`
	Name        string `bun:"name"`
	Description string `bun:"description"`
	Enabled     bool   `bun:"enabled"`
	Options     string `bun:"options"`
	Extra       string `bun:"extra"`
	TokenEpoch  int64  `bun:"token_epoch"`
	Revision    int64  `bun:"revision"`
	CreatedAt   int64  `bun:"created_at"`
}

func newDomainRow(d *identity.Domain) *domainRow {
	return &domainRow{
		ID: d.ID, Name: d.Name, Description: d.Description, Enabled: d.Enabled,
		Options: written(d.Options), Extra: written(d.Extra), TokenEpoch: d.TokenEpoch, CreatedAt: micros(d.CreatedAt),
	}
}

func (r *domainRow) domain() (*identity.Domain, error) {
	options, err := kept[identity.Options](r.Options)
	if err != nil {
		return nil, err
	}
	extra, err := kept[identity.Extra](r.Extra)
	return &identity.Domain{
		ID: r.ID, Name: r.Name, Description: r.Description, Enabled: r.Enabled,
		Options: options, Extra: extra, TokenEpoch: r.TokenEpoch, CreatedAt: fromMicros(r.CreatedAt),
	}, err
}

var domainAttributes = attributes{
	"id": {column: "id"}, "name": {column: "name"}, "created_at": {column: "created_at"},
	"enabled": {column: "enabled", value: boolean},
}

// Domain returns one domain.
func (s *Store) Domain(ctx context.Context, id string) (*identity.Domain, error) {
	return s.domainWhere(ctx, s.read, "id", id)
}

// DomainByName returns the domain of a name.
func (s *Store) DomainByName(ctx context.Context, name string) (*identity.Domain, error) {
	return s.domainWhere(ctx, s.read, "name", name)
}

func (s *Store) domainWhere(ctx context.Context, db bun.IDB, column, value string) (*identity.Domain, error) {
	row := new(domainRow)
	if err := db.NewSelect().Model(row).Where("? = ?", bun.Ident(column), value).Scan(ctx); err != nil {
		return nil, orMissing(err, "domain", value)
	}
	return row.domain()
}

// Domains lists domains.
func (s *Store) Domains(ctx context.Context, q Query) ([]*identity.Domain, error) {
	var rows []*domainRow
	if err := listInto(ctx, s, q, &rows, "domains", domainAttributes); err != nil {
		return nil, err
	}
	return domainsOf(inOrder(q, rows))
}

// DomainsOf lists the enabled domains in which a user has a role.
func (s *Store) DomainsOf(ctx context.Context, userID string) ([]*identity.Domain, error) {
	var rows []*domainRow
	err := s.read.NewSelect().Model(&rows).Where("enabled").
		Where("id IN (SELECT scope_id FROM role_assignments WHERE user_id = ? AND scope_kind = 'domain')", userID).
		Order("created_at", "id").Scan(ctx)
	if err != nil {
		return nil, err
	}
	return domainsOf(rows)
}

// CreateDomain keeps a new domain and sets its CreatedAt.
func (s *Store) CreateDomain(ctx context.Context, d *identity.Domain) error {
	d.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(newDomainRow(d)).Exec(ctx)
		return orTaken(err, "domain", "Duplicate entry found with name "+d.Name)
	})
}

// UpdateDomain lets fn change a domain, all but its ID, and returns it as it is then.
func (s *Store) UpdateDomain(ctx context.Context, id string, fn func(*identity.Domain) error) (d *identity.Domain, err error) {
	err = s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := new(domainRow)
		if err := tx.NewSelect().Model(row).Where("id = ?", id).Scan(ctx); err != nil {
			return orMissing(err, "domain", id)
		}
		old, err := row.domain()
		if err != nil {
			return err
		}
		d, _ = row.domain()
		if err := fn(d); err != nil {
			return err
		}
		if d.Options.Immutable && old.Options.Immutable {
			return immutable(old.Options, "domain", id)
		}
		if d.RevokesTokens(old) {
			d.TokenEpoch++
		}
		changed := newDomainRow(d)
		changed.Revision = row.Revision + 1
		err = updateRow(ctx, tx, changed, row.Revision, "name", "description", "enabled", "options", "extra", "token_epoch")
		return orTaken(err, "domain", "Duplicate entry found with name "+d.Name)
	})
	return d, err
}

// DeleteDomain removes a domain that is disabled, with its projects, its users and all that hangs on them.
func (s *Store) DeleteDomain(ctx context.Context, id string) error {
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		d, err := s.domainWhere(ctx, tx, "id", id)
		if err != nil {
			return err
		}
		if err := deletable(d); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM application_credentials WHERE user_id IN (SELECT id FROM users WHERE domain_id = ?0)
				OR project_id IN (SELECT id FROM projects WHERE domain_id = ?0)`,
			`DELETE FROM role_assignments WHERE user_id IN (SELECT id FROM users WHERE domain_id = ?0)
				OR (scope_kind = 'project' AND scope_id IN (SELECT id FROM projects WHERE domain_id = ?0))
				OR (scope_kind = 'domain' AND scope_id = ?0)`,
			`UPDATE users SET default_project_id = '', revision = revision + 1
				WHERE default_project_id IN (SELECT id FROM projects WHERE domain_id = ?0)`,
			`DELETE FROM users WHERE domain_id = ?0`,
			`DELETE FROM projects WHERE domain_id = ?0`,
			`DELETE FROM domains WHERE id = ?0`,
		} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func deletable(d *identity.Domain) error {
	if d.ID == identity.DefaultDomainID {
		return lbaas.Errorf(lbaas.Forbidden, "You are not authorized to perform the requested action: delete the default domain.")
	}
	if d.Enabled {
		return lbaas.Errorf(lbaas.Forbidden, "You are not authorized to perform the requested action: "+
			"Cannot delete a domain that is enabled, please disable it first..")
	}
	return immutable(d.Options, "domain", d.ID)
}
