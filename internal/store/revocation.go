package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"plimsoll/internal/identity"
)

type revocationRow struct {
	bun.BaseModel `bun:"table:token_revocations"`

	AuditID   string `bun:"audit_id,pk"`
	ExpiresAt int64  `bun:"expires_at"`
}

// Revoke voids one token. Doing it again changes nothing. Revocations of tokens that have expired are forgotten.
func (s *Store) Revoke(ctx context.Context, t *identity.Token, now time.Time) error {
	row := &revocationRow{AuditID: t.AuditID.String(), ExpiresAt: micros(t.ExpiresAt)}
	return s.changeIdentity(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM token_revocations WHERE expires_at < ?`, micros(now)); err != nil {
			return err
		}
		has, err := tx.NewSelect().Model(row).WherePK().Exists(ctx)
		if err != nil || has {
			return err
		}
		_, err = tx.NewInsert().Model(row).Exec(ctx)
		if duplicate(err) {
			return errStale
		}
		return err
	})
}
