package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

type projectRow struct {
	bun.BaseModel `bun:"table:projects"`

	ID          string `bun:"id,pk"`
	DomainID    string `bun:"domain_id"`
	ParentID    string `bun:"parent_id"`
	Name        string `bun:"name"`
	Description string `bun:"description"`
	Enabled     bool   `bun:"enabled"`
	Tags        string `bun:"tags"`
	Options     string `bun:"options"`
	Extra       string `bun:"extra"`
	TokenEpoch  int64  `bun:"token_epoch"`
	Revision    int64  `bun:"revision"`
	CreatedAt   int64  `bun:"created_at"`
}

func newProjectRow(p *identity.Project) *projectRow {
	return &projectRow{
		ID: p.ID, DomainID: p.DomainID, ParentID: p.ParentID, Name: p.Name, Description: p.Description, Enabled: p.Enabled,
		Tags: written(append([]string{}, p.Tags...)), Options: written(p.Options), Extra: written(p.Extra),
		TokenEpoch: p.TokenEpoch, CreatedAt: micros(p.CreatedAt),
	}
}

func (r *projectRow) domain() (*identity.Project, error) {
	options, err := kept[identity.Options](r.Options)
	if err != nil {
		return nil, err
	}
	tags, err := kept[[]string](r.Tags)
	if err != nil {
		return nil, err
	}
	extra, err := kept[identity.Extra](r.Extra)
	return &identity.Project{
		ID: r.ID, DomainID: r.DomainID, ParentID: r.ParentID, Name: r.Name, Description: r.Description, Enabled: r.Enabled,
		Tags: tags, Options: options, Extra: extra, TokenEpoch: r.TokenEpoch, CreatedAt: fromMicros(r.CreatedAt),
	}, err
}

var projectAttributes = attributes{
	"id": {column: "id"}, "name": {column: "name"}, "created_at": {column: "created_at"},
	"domain_id": {column: "domain_id"}, "parent_id": {column: "parent_id"}, "tags": {column: "tags"},
	"enabled": {column: "enabled", value: boolean},
}

// Project returns one project.
func (s *Store) Project(ctx context.Context, id string) (*identity.Project, error) {
	return projectWhere(ctx, s.read.NewSelect().Where("id = ?", id), id)
}

// ProjectByName returns the project of a name in a domain.
func (s *Store) ProjectByName(ctx context.Context, domainID, name string) (*identity.Project, error) {
	return projectWhere(ctx, s.read.NewSelect().Where("domain_id = ?", domainID).Where("name = ?", name), name)
}

func projectWhere(ctx context.Context, sel *bun.SelectQuery, what string) (*identity.Project, error) {
	row := new(projectRow)
	if err := sel.Model(row).Scan(ctx); err != nil {
		return nil, orMissing(err, "project", what)
	}
	return row.domain()
}

// Projects lists projects.
func (s *Store) Projects(ctx context.Context, q Query) ([]*identity.Project, error) {
	var rows []*projectRow
	if err := listInto(ctx, s, q, &rows, "projects", projectAttributes); err != nil {
		return nil, err
	}
	return domainsOf(inOrder(q, rows))
}

// ProjectsOf lists the enabled projects in which a user has a role.
func (s *Store) ProjectsOf(ctx context.Context, userID string) ([]*identity.Project, error) {
	var rows []*projectRow
	err := s.read.NewSelect().Model(&rows).Where("enabled").
		Where("id IN (SELECT scope_id FROM role_assignments WHERE user_id = ? AND scope_kind = 'project')", userID).
		Order("created_at", "id").Scan(ctx)
	if err != nil {
		return nil, err
	}
	return domainsOf(rows)
}

// CreateProject keeps a new project and sets its CreatedAt, and its ParentID where it has none.
func (s *Store) CreateProject(ctx context.Context, p *identity.Project) error {
	p.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	if p.ParentID == "" {
		p.ParentID = p.DomainID
	}
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := there(ctx, tx, "domains", "domain", p.DomainID); err != nil {
			return err
		}
		if err := parentFits(ctx, tx, p); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(newProjectRow(p)).Exec(ctx)
		return orTaken(err, "project", takenName(p.Name, p.DomainID))
	})
}

func parentFits(ctx context.Context, tx bun.Tx, p *identity.Project) error {
	if p.ParentID == p.DomainID {
		return nil
	}
	parent, err := projectWhere(ctx, tx.NewSelect().Where("id = ?", p.ParentID), p.ParentID)
	if err != nil {
		return err
	}
	if parent.DomainID != p.DomainID {
		return lbaas.Errorf(lbaas.Invalid, "Cannot create project, since its parent (%s) is of another domain.", p.ParentID)
	}
	return nil
}

// UpdateProject lets fn change a project, all but its ID, domain and parent, and returns it as it is then.
func (s *Store) UpdateProject(ctx context.Context, id string, fn func(*identity.Project) error) (p *identity.Project, err error) {
	err = s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := new(projectRow)
		if err := tx.NewSelect().Model(row).Where("id = ?", id).Scan(ctx); err != nil {
			return orMissing(err, "project", id)
		}
		old, err := row.domain()
		if err != nil {
			return err
		}
		p, _ = row.domain()
		if err := fn(p); err != nil {
			return err
		}
		if p.Options.Immutable && old.Options.Immutable {
			return immutable(old.Options, "project", id)
		}
		if p.RevokesTokens(old) {
			p.TokenEpoch++
		}
		changed := newProjectRow(p)
		changed.Revision = row.Revision + 1
		err = updateRow(ctx, tx, changed, row.Revision, "name", "description", "enabled", "tags", "options", "extra", "token_epoch")
		return orTaken(err, "project", takenName(p.Name, p.DomainID))
	})
	return p, err
}

// DeleteProject removes a project without children, with its assignments and application credentials.
func (s *Store) DeleteProject(ctx context.Context, id string) error {
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		p, err := projectWhere(ctx, tx.NewSelect().Where("id = ?", id), id)
		if err != nil {
			return err
		}
		if err := childless(ctx, tx, p); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM application_credentials WHERE project_id = ?0`,
			`DELETE FROM role_assignments WHERE scope_kind = 'project' AND scope_id = ?0`,
			`UPDATE users SET default_project_id = '', revision = revision + 1 WHERE default_project_id = ?0`,
			`DELETE FROM projects WHERE id = ?0`,
		} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func childless(ctx context.Context, tx bun.Tx, p *identity.Project) error {
	if err := immutable(p.Options, "project", p.ID); err != nil {
		return err
	}
	has, err := tx.NewSelect().TableExpr("projects").ColumnExpr("1").Where("parent_id = ?", p.ID).Exists(ctx)
	if err == nil && has {
		return lbaas.Errorf(lbaas.Forbidden, "You are not authorized to perform the requested action: "+
			"Cannot delete project %s since it is not a leaf in the hierarchy..", p.ID)
	}
	return err
}
