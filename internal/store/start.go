package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
)

// Started tells whether the identity service has had its first start.
func (s *Store) Started(ctx context.Context) (bool, error) {
	return s.read.NewSelect().TableExpr("domains").ColumnExpr("1").Where("id = ?", identity.DefaultDomainID).Exists(ctx)
}

// Start keeps what the first start makes, all or nothing, unless another process has done so.
func (s *Store) Start(ctx context.Context, start identity.Start) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	err := s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		start.Domain.CreatedAt = now
		_, err := tx.NewInsert().Model(newDomainRow(&start.Domain)).Exec(ctx)
		if duplicate(err) {
			return errStarted
		}
		if err != nil {
			return err
		}
		return insertStart(ctx, tx, start, now)
	})
	if errors.Is(err, errStarted) {
		return nil
	}
	return err
}

// errStarted ends the transaction of a first start that another process was faster with.
var errStarted = errors.New("started already")

func insertStart(ctx context.Context, tx bun.Tx, start identity.Start, now time.Time) error {
	var rows []any
	for i := range start.Projects {
		start.Projects[i].CreatedAt = now
		rows = append(rows, newProjectRow(&start.Projects[i]))
	}
	for i := range start.Users {
		start.Users[i].CreatedAt = now
		rows = append(rows, newUserRow(&start.Users[i]))
	}
	for i := range start.Roles {
		start.Roles[i].CreatedAt = now
		rows = append(rows, newRoleRow(&start.Roles[i]))
	}
	for _, a := range start.Assignments {
		rows = append(rows, newAssignmentRow(a))
	}
	for _, row := range rows {
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
