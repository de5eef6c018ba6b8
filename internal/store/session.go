package store

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

// Session reads everything that says whether a token holds and what it allows, as one state of the database. What is not
// there is nil: identity.Session.Check judges it.
func (s *Store) Session(ctx context.Context, t *identity.Token) (*identity.Session, error) {
	session := &identity.Session{Token: t}
	err := s.snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		*session = identity.Session{Token: t}
		for _, part := range []func(context.Context, bun.Tx, *identity.Session) error{
			s.sessionUser, s.sessionScope, s.sessionRoles, s.sessionRest,
		} {
			if err := part(ctx, tx, session); err != nil {
				return err
			}
		}
		return nil
	})
	return session, err
}

func (s *Store) sessionUser(ctx context.Context, tx bun.Tx, session *identity.Session) (err error) {
	session.User, err = absentIsNil(userWhere(ctx, tx.NewSelect().Where("id = ?", session.Token.UserID), ""))
	if err != nil || session.User == nil {
		return err
	}
	session.UserDomain, err = absentIsNil(s.domainWhere(ctx, tx, "id", session.User.DomainID))
	return err
}

func (s *Store) sessionScope(ctx context.Context, tx bun.Tx, session *identity.Session) (err error) {
	switch id := session.Token.Scope.ID; session.Token.Scope.Kind {
	case identity.DomainScope:
		session.Domain, err = absentIsNil(s.domainWhere(ctx, tx, "id", id))
	case identity.ProjectScope:
		session.Project, err = absentIsNil(projectWhere(ctx, tx.NewSelect().Where("id = ?", id), ""))
		if err != nil || session.Project == nil {
			return err
		}
		if session.UserDomain != nil && session.UserDomain.ID == session.Project.DomainID {
			session.ProjectDomain = session.UserDomain
			return nil
		}
		session.ProjectDomain, err = absentIsNil(s.domainWhere(ctx, tx, "id", session.Project.DomainID))
	}
	return err
}

func (s *Store) sessionRoles(ctx context.Context, tx bun.Tx, session *identity.Session) (err error) {
	t := session.Token
	if t.Scope.Kind == identity.Unscoped {
		return nil
	}
	session.Assigned, err = rolesWhere(ctx, tx.NewSelect().
		Where("id IN (SELECT role_id FROM role_assignments WHERE user_id = ? AND scope_kind = ? AND scope_id = ?)",
			t.UserID, string(t.Scope.Kind), t.Scope.ID))
	if err != nil {
		return err
	}
	var implied []string
	for _, r := range session.Assigned {
		implied = append(implied, identity.Implied(r.Name)...)
	}
	if len(implied) == 0 {
		return nil
	}
	session.Implied, err = rolesWhere(ctx, tx.NewSelect().Where("name IN (?)", bun.List(implied)))
	return err
}

func rolesWhere(ctx context.Context, sel *bun.SelectQuery) ([]identity.Role, error) {
	var rows []*roleRow
	if err := sel.Model(&rows).Order("name").Scan(ctx); err != nil {
		return nil, err
	}
	var roles []identity.Role
	for _, row := range rows {
		r, err := row.domain()
		if err != nil {
			return nil, err
		}
		roles = append(roles, *r)
	}
	return roles, nil
}

func (s *Store) sessionRest(ctx context.Context, tx bun.Tx, session *identity.Session) (err error) {
	if id := session.Token.AppCredentialID; id != "" {
		session.AppCredential, err = absentIsNil(appCredentialWhere(ctx, tx.NewSelect().Where("id = ?", id), ""))
		if err != nil {
			return err
		}
	}
	session.Revoked, err = tx.NewSelect().TableExpr("token_revocations").ColumnExpr("1").
		Where("audit_id = ?", session.Token.AuditID.String()).Exists(ctx)
	return err
}

// absentIsNil makes the absence of a row no error.
func absentIsNil[T any](v *T, err error) (*T, error) {
	if errors.Is(err, lbaas.NotFound) {
		return nil, nil
	}
	return v, err
}
