package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// TestSecretMetadataAtOnce adds keys from all sides: none is lost.
func TestSecretMetadataAtOnce(t *testing.T) {
	storetest.Pair(t, func(t *testing.T, a, b *store.Store) {
		ctx := t.Context()
		secret := &keymanager.Secret{ProjectID: "p", CreatorID: "u", Type: keymanager.Opaque}
		if err := a.CreateSecret(ctx, secret, nil); err != nil {
			t.Fatal(err)
		}
		fault := errors.New("no")
		if err := a.ChangeSecretMetadata(ctx, secret.ID, func(m map[string]string) error { m["x"] = "y"; return fault }); !errors.Is(err, fault) {
			t.Errorf("a change that fails gives %v", err)
		}
		if err := a.ChangeSecretMetadata(ctx, "none", func(map[string]string) error { return nil }); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("a change of nothing gives %v", err)
		}
		want := map[string]string{}
		var all sync.WaitGroup
		for i := range 4 {
			key, side := fmt.Sprint("k", i), []*store.Store{a, b}[i%2]
			want[key] = "v"
			all.Go(func() {
				if err := side.ChangeSecretMetadata(ctx, secret.ID, func(m map[string]string) error { m[key] = "v"; return nil }); err != nil {
					t.Errorf("change: %v", err)
				}
			})
		}
		all.Wait()
		got, err := a.Secret(ctx, secret.ID)
		// What one node has committed another sees a little later.
		for end := time.Now().Add(10 * time.Second); err == nil && len(got.Metadata) < len(want) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			got, err = a.Secret(ctx, secret.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Metadata); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
	})
}
