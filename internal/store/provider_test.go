package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

func TestProvidersOf(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		one, other := tlsBalancer("", ""), tlsBalancer("", "")
		one.Provider, other.Provider = "noop", "avi"
		create(t, s, one)
		create(t, s, other)
		got, err := s.ProvidersOf(t.Context(), map[string]bool{one.ID: true, other.ID: true, "none": true})
		if diff := cmp.Diff(map[string]string{one.ID: "noop", other.ID: "avi"}, got); diff != "" || err != nil {
			t.Errorf("ProvidersOf: %v (-want +got):\n%s", err, diff)
		}
	})
}
