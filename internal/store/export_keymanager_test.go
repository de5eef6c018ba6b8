package store

import (
	"context"
	"encoding/base64"
	"testing"

	"github.com/uptrace/bun"

	"plimsoll/internal/keymanager"
)

// SealedPayload is what the database has of a payload.
func (s *Store) SealedPayload(t testing.TB, secretID string) string {
	t.Helper()
	var text string
	err := s.read.NewSelect().Table(tablePayloads).Column("sealed").Where("secret_id = ?", secretID).Scan(context.Background(), &text)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(sealed)
}

// RenewSlowly is PutPayload that does something after it has looked who refers to the secret, and before it commits.
func (s *Store) RenewSlowly(ctx context.Context, id string, content []byte, meanwhile func()) error {
	sealed, err := s.seal(id, &keymanager.Payload{Content: content})
	if err != nil {
		return err
	}
	return s.changeKeys(ctx, func(ctx context.Context, tx bun.Tx) ([]Hint, error) {
		if err := held(ctx, tx, tableSecrets, "id", id, missingSecret(id)); err != nil {
			return nil, err
		}
		if _, err := tx.NewUpdate().Model(sealed).WherePK().Exec(ctx); err != nil {
			return nil, err
		}
		hints, err := s.renew(ctx, tx, []string{id})
		meanwhile()
		return hints, err
	})
}
