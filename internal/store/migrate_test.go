package store_test

import (
	"testing"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// TestManyOpenAtOnce is several servers that start together on a new database.
func TestManyOpenAtOnce(t *testing.T) {
	for _, engine := range []store.Engine{store.PostgreSQL, store.MariaDB} {
		t.Run(string(engine), func(t *testing.T) {
			connection := storetest.Connection(t, engine)
			atOnce(t, 4, func(int) error {
				s, err := store.Open(t.Context(), connection, nil)
				if err != nil {
					return err
				}
				return s.Close()
			})
		})
	}
}
