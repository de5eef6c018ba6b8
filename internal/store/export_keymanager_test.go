package store

import (
	"context"
	"encoding/base64"
	"testing"
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
