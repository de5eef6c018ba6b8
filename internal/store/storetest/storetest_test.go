package storetest

import (
	"testing"

	"plimsoll/internal/store"
)

func TestEach(t *testing.T) {
	var seen []store.Engine
	Each(t, func(t *testing.T, s *store.Store) { seen = append(seen, s.Engine()) })
	if len(seen) != 3 {
		t.Errorf("the test ran on %v", seen)
	}
}
