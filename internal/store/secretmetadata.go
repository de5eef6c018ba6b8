package store

import (
	"context"
	"fmt"
	"maps"

	"github.com/uptrace/bun"
)

// ChangeSecretMetadata changes the metadata of a secret: fn edits what there is, which it may be asked for again. The errors are those of fn,
// and lbaas.NotFound where there is no such secret.
func (s *Store) ChangeSecretMetadata(ctx context.Context, id string, fn func(metadata map[string]string) error) error {
	return s.changeBeside(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := held(ctx, tx, tableSecrets, "id", id, missingSecret(id)); err != nil {
			return err
		}
		row := new(secretRow)
		if err := tx.NewSelect().Model(row).Where("id = ?", id).Scan(ctx); err != nil {
			return fmt.Errorf("read secret %s: %w", id, err)
		}
		metadata := map[string]string{}
		maps.Copy(metadata, textHeaders(row.Metadata))
		if err := fn(metadata); err != nil {
			return err
		}
		_, err := tx.NewUpdate().Table(tableSecrets).Set("metadata = ?", headersText(metadata)).Set("updated_at = ?", micros(now())).Where("id = ?", id).Exec(ctx)
		if err != nil {
			return fmt.Errorf("change the metadata of secret %s: %w", id, err)
		}
		return nil
	})
}
