package store

import (
	"context"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

type assignmentRow struct {
	bun.BaseModel `bun:"table:role_assignments"`

	UserID    string `bun:"user_id,pk"`
	ScopeKind string `bun:"scope_kind,pk"`
	ScopeID   string `bun:"scope_id,pk"`
	RoleID    string `bun:"role_id,pk"`
}

func newAssignmentRow(a identity.Assignment) *assignmentRow {
	return &assignmentRow{UserID: a.UserID, ScopeKind: string(a.Scope.Kind), ScopeID: a.Scope.ID, RoleID: a.RoleID}
}

// Assign gives a user a role in a scope. Giving it again changes nothing.
func (s *Store) Assign(ctx context.Context, a identity.Assignment) error {
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := assignable(ctx, tx, a); err != nil {
			return err
		}
		has, err := tx.NewSelect().Model(newAssignmentRow(a)).WherePK().Exists(ctx)
		if err != nil || has {
			return err
		}
		_, err = tx.NewInsert().Model(newAssignmentRow(a)).Exec(ctx)
		if duplicate(err) {
			return errStale // given by somebody else meanwhile: the next try sees it
		}
		return err
	})
}

// Assignable tells whether the user and the scope of an assignment are there: nil, or lbaas.NotFound.
func (s *Store) Assignable(ctx context.Context, a identity.Assignment) error {
	if err := there(ctx, s.read, "users", "user", a.UserID); err != nil {
		return err
	}
	return scopeThere(ctx, s.read, a.Scope)
}

// assignable tells whether everything that an assignment joins is there.
func assignable(ctx context.Context, db bun.IDB, a identity.Assignment) error {
	if err := there(ctx, db, "roles", "role", a.RoleID); err != nil {
		return err
	}
	if err := there(ctx, db, "users", "user", a.UserID); err != nil {
		return err
	}
	return scopeThere(ctx, db, a.Scope)
}

func scopeThere(ctx context.Context, db bun.IDB, scope identity.Scope) error {
	switch scope.Kind {
	case identity.ProjectScope:
		return there(ctx, db, "projects", "project", scope.ID)
	case identity.DomainScope:
		return there(ctx, db, "domains", "domain", scope.ID)
	}
	return nil
}

// Unassign takes a role away, and with it the user's application credentials of the project, as Keystone does.
func (s *Store) Unassign(ctx context.Context, a identity.Assignment) error {
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := assignable(ctx, tx, a); err != nil {
			return err
		}
		n, err := affected(tx.NewDelete().Model(newAssignmentRow(a)).WherePK().Exec(ctx))
		if err != nil {
			return err
		}
		if n == 0 {
			return unassigned(a)
		}
		if a.Scope.Kind != identity.ProjectScope {
			return nil
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM application_credentials WHERE user_id = ? AND project_id = ?`, a.UserID, a.Scope.ID)
		return err
	})
}

// Assigned tells whether a user has been given a role in a scope itself: nil, or lbaas.NotFound.
func (s *Store) Assigned(ctx context.Context, a identity.Assignment) error {
	if err := assignable(ctx, s.read, a); err != nil {
		return err
	}
	has, err := s.read.NewSelect().Model(newAssignmentRow(a)).WherePK().Exists(ctx)
	if err == nil && !has {
		return unassigned(a)
	}
	return err
}

func unassigned(a identity.Assignment) error {
	return lbaas.Errorf(lbaas.NotFound, "Could not find role assignment with role: %s, user or group: %s, project, domain, or system: %s.",
		a.RoleID, a.UserID, a.Scope.ID)
}

type namedAssignmentRow struct {
	assignmentRow

	UserName        string `bun:"user_name"`
	UserDomainID    string `bun:"user_domain_id"`
	UserDomainName  string `bun:"user_domain_name"`
	RoleName        string `bun:"role_name"`
	ProjectName     string `bun:"project_name"`
	ScopeDomainID   string `bun:"scope_domain_id"`
	ScopeDomainName string `bun:"scope_domain_name"`
}

func (r *namedAssignmentRow) domain() *identity.NamedAssignment {
	n := &identity.NamedAssignment{
		Assignment: identity.Assignment{
			UserID: r.UserID, Scope: identity.Scope{Kind: identity.ScopeKind(r.ScopeKind), ID: r.ScopeID}, RoleID: r.RoleID,
		},
		UserName: r.UserName, UserDomainID: r.UserDomainID, UserDomainName: r.UserDomainName, RoleName: r.RoleName,
		ScopeName: r.ProjectName, ScopeDomainID: r.ScopeDomainID, ScopeDomainName: r.ScopeDomainName,
	}
	if n.Scope.Kind == identity.DomainScope {
		n.ScopeName = r.ScopeDomainName
	}
	return n
}

// Assignments lists who has been given which role where, with the names.
func (s *Store) Assignments(ctx context.Context, f identity.AssignmentFilter) ([]*identity.NamedAssignment, error) {
	sel := s.read.NewSelect().TableExpr("role_assignments AS a").
		ColumnExpr("a.user_id, a.scope_kind, a.scope_id, a.role_id, u.name AS user_name, u.domain_id AS user_domain_id").
		ColumnExpr("COALESCE(ud.name, '') AS user_domain_name, r.name AS role_name, COALESCE(p.name, '') AS project_name").
		ColumnExpr("COALESCE(sd.id, '') AS scope_domain_id, COALESCE(sd.name, '') AS scope_domain_name").
		Join("JOIN users AS u ON u.id = a.user_id").
		Join("JOIN roles AS r ON r.id = a.role_id").
		Join("LEFT JOIN domains AS ud ON ud.id = u.domain_id").
		Join("LEFT JOIN projects AS p ON p.id = a.scope_id AND a.scope_kind = 'project'").
		Join("LEFT JOIN domains AS sd ON (a.scope_kind = 'domain' AND sd.id = a.scope_id) OR sd.id = p.domain_id").
		OrderExpr("a.scope_kind, a.scope_id, a.user_id, r.name")
	for column, value := range map[string]string{
		"a.user_id": f.UserID, "a.role_id": f.RoleID, "a.scope_kind": string(f.Scope.Kind), "a.scope_id": f.Scope.ID,
	} {
		if value != "" {
			sel = sel.Where("? = ?", bun.Safe(column), value)
		}
	}
	var rows []*namedAssignmentRow
	if err := sel.Scan(ctx, &rows); err != nil {
		return nil, err
	}
	all := make([]*identity.NamedAssignment, len(rows))
	for i, r := range rows {
		all[i] = r.domain()
	}
	return all, nil
}
