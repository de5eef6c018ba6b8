package neutron

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUndoWithoutClient takes back what was made for a client that has hung up.
func TestUndoWithoutClient(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	var removed []string
	err := undo(ctx, ctx.Err(), []string{"a", "b"}, func(id string) string { return id }, func(ctx context.Context, id string) error {
		if ctx.Err() == nil {
			removed = append(removed, id)
		}
		return ctx.Err()
	})
	if diff := cmp.Diff([]string{"a", "b"}, removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if err == nil {
		t.Error("what went wrong is not told")
	}
}
