package store_test

import (
	"errors"
	"fmt"
	"slices"
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

// TestACLAtOnce adds users to an ACL from all sides, while somebody closes it to the project: nothing of that is lost.
func TestACLAtOnce(t *testing.T) {
	storetest.Pair(t, func(t *testing.T, a, b *store.Store) {
		ctx := t.Context()
		secret := &keymanager.Secret{ProjectID: "p", CreatorID: "u", Type: keymanager.Opaque}
		if err := a.CreateSecret(ctx, secret, nil); err != nil {
			t.Fatal(err)
		}
		c := &keymanager.Container{ProjectID: "p", CreatorID: "u", Type: keymanager.GenericContainer}
		if err := a.CreateContainer(ctx, c); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 4 {
			side := []*store.Store{a, b}[i%2]
			edit := func(old *keymanager.ACL) *keymanager.ACL {
				acl := keymanager.DefaultACL()
				if old != nil {
					acl = *old
				}
				acl.Users, acl.ProjectAccess = append(slices.Clone(acl.Users), fmt.Sprint("u", i)), acl.ProjectAccess && i != 1
				return &acl
			}
			all.Go(func() {
				if err := errors.Join(side.ChangeSecretACL(ctx, secret.ID, edit), side.ChangeContainerACL(ctx, c.ID, edit)); err != nil {
					t.Errorf("change: %v", err)
				}
			})
		}
		all.Wait()
		seen := func() (acls []*keymanager.ACL) {
			s, err1 := a.Secret(ctx, secret.ID)
			c, err2 := a.Container(ctx, c.ID)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			return []*keymanager.ACL{s.ACL, c.ACL}
		}
		whole := func(acl *keymanager.ACL) bool { return acl != nil && len(acl.Users) == 4 && !acl.ProjectAccess }
		// What one node has committed another sees a little later.
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			acls := seen()
			if whole(acls[0]) && whole(acls[1]) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("ACLs %+v, %+v", acls[0], acls[1])
			}
		}
		if err := a.ChangeSecretACL(ctx, "none", nil); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("a change of nothing gives %v", err)
		}
	})
}
