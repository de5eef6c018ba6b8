package bench

import (
	"log/slog"
	"path/filepath"
	"testing"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// fill puts load balancers straight into the store of a server that does not run. They are bound to a host that is not there
// and are as they are wanted, so that the server lists them and does nothing else about them.
func (s *site) fill(b *testing.B, n int) {
	b.Helper()
	connection := "sqlite:///" + filepath.Join(s.StateDir, "plimsoll.db")
	db, err := store.Open(b.Context(), connection, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	storetest.Fill(b, db, connection, n)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
