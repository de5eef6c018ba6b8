package store_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

var sealKey = bytes.Repeat([]byte{7}, keymanager.KeySize)

func fullSecret(name string) *keymanager.Secret {
	return &keymanager.Secret{
		ProjectID: "project", CreatorID: "user", Name: name, Type: keymanager.CertificateType, Algorithm: "rsa", BitLength: 2048, Mode: "cbc",
		Expiration: time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC), Metadata: map[string]string{"a": `b "c"`},
		ACL: &keymanager.ACL{Users: []string{"u1", "u2"}, CreatedAt: time.Unix(1, 0).UTC(), UpdatedAt: time.Unix(2, 0).UTC()},
	}
}

func newSecret(t testing.TB, s *store.Store, secret *keymanager.Secret, payload string) *keymanager.Secret {
	t.Helper()
	var p *keymanager.Payload
	if payload != "" {
		p = &keymanager.Payload{Content: []byte(payload), ContentType: "text/plain"}
	}
	if err := s.CreateSecret(context.Background(), secret, p); err != nil {
		t.Fatal(err)
	}
	return secret
}

func newContainer(t testing.TB, s *store.Store, c *keymanager.Container) *keymanager.Container {
	t.Helper()
	if err := s.CreateContainer(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSecret(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		s.SetKey(sealKey)
		for _, bad := range []func() error{
			func() error { _, err := s.Secret(ctx, "none"); return err },
			func() error { _, err := s.Payload(ctx, "none"); return err },
			func() error { return s.PutPayload(ctx, "none", keymanager.Payload{}) },
			func() error { return s.DeleteSecret(ctx, "none") },
			func() error { return s.ChangeSecretMetadata(ctx, "none", func(map[string]string) error { return nil }) },
			func() error { return s.SetSecretACL(ctx, "none", nil) },
		} {
			if err := bad(); !errors.Is(err, lbaas.NotFound) {
				t.Errorf("bad secret: %v", err)
			}
		}
		for _, name := range append([]string{""}, hostile...) {
			want := newSecret(t, s, fullSecret(name), "")
			got, err := s.Secret(ctx, want.ID)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("Secret(%q): %v (-want +got):\n%s", name, err, diff)
			}
		}
		secret := newSecret(t, s, fullSecret("payload"), "")
		if _, err := s.Payload(ctx, secret.ID); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("a payload before there is one: %v", err)
		}
		for _, content := range [][]byte{nil, []byte("text"), bytes.Repeat([]byte{0, 255}, 40000)} {
			want := keymanager.Payload{Content: content, ContentType: "application/octet-stream"}
			if err := s.PutPayload(ctx, secret.ID, want); err != nil {
				t.Fatal(err)
			}
			got, err := s.Payload(ctx, secret.ID)
			if err != nil || !bytes.Equal(got.Content, content) || got.ContentType != want.ContentType {
				t.Errorf("Payload gives %v, %v", got, err)
			}
		}
		if got, err := s.Secret(ctx, secret.ID); err != nil || got.ContentType != "application/octet-stream" || !got.UpdatedAt.After(got.CreatedAt) {
			t.Errorf("with a payload it is %+v, %v", got, err)
		}
	})
}

// TestSecretSealed looks for payloads in what the database has, and opens them with another key.
func TestSecretSealed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		if err := s.CreateSecret(ctx, fullSecret("no key"), &keymanager.Payload{}); err == nil {
			t.Error("a payload was sealed without a key")
		}
		s.SetKey(sealKey)
		if err := s.CheckKey(ctx); err != nil {
			t.Errorf("the key, before there is a payload: %v", err)
		}
		secret := newSecret(t, s, fullSecret("sealed"), "the payload")
		sealed := s.SealedPayload(t, secret.ID)
		if strings.Contains(sealed, "payload") || len(sealed) < len("the payload")+28 {
			t.Errorf("the database has %q", sealed)
		}
		s.SetKey(bytes.Repeat([]byte{8}, keymanager.KeySize))
		if p, err := s.Payload(ctx, secret.ID); err == nil {
			t.Errorf("another key opens it: %v", p)
		}
		if err := s.CheckKey(ctx); !errors.Is(err, lbaas.Unavailable) {
			t.Errorf("another key: %v", err)
		}
		newSecret(t, s, fullSecret("sealed with it"), "the payload")
		if err := s.CheckKey(ctx); err != nil {
			t.Errorf("a key that opens some: %v", err)
		}
	})
}

func TestSecretACLAndMetadata(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		secret := newSecret(t, s, fullSecret("acl"), "")
		acl := &keymanager.ACL{Users: []string{"u3"}, ProjectAccess: true}
		if err := errors.Join(s.SetSecretACL(ctx, secret.ID, acl), s.ChangeSecretMetadata(ctx, secret.ID, func(m map[string]string) error {
			clear(m)
			m["x"] = "y"
			return nil
		})); err != nil {
			t.Fatal(err)
		}
		got, err := s.Secret(ctx, secret.ID)
		if err != nil || acl.CreatedAt.IsZero() {
			t.Fatal(err, acl)
		}
		want := *secret
		want.ACL, want.Metadata, want.UpdatedAt = acl, map[string]string{"x": "y"}, got.UpdatedAt
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("after the change (-want +got):\n%s", diff)
		}
		if err := s.SetSecretACL(ctx, secret.ID, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Secret(ctx, secret.ID); err != nil || got.ACL != nil {
			t.Errorf("without its ACL it is %+v, %v", got, err)
		}
	})
}

func TestSecrets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		var made []time.Time
		for i, name := range []string{"a", "b", "c", "d"} {
			secret := &keymanager.Secret{ProjectID: "p", CreatorID: "creator", Name: name, Type: keymanager.Opaque, BitLength: 100 - i}
			switch name {
			case "b":
				secret.ACL = &keymanager.ACL{Users: []string{"reader"}, CreatedAt: time.Unix(1, 0)}
			case "c":
				secret.Type, secret.Algorithm, secret.Mode = keymanager.SymmetricKey, "aes", "cbc"
				secret.Expiration = time.Unix(5000000000, 0).UTC()
			case "d":
				secret.ProjectID = "other"
			}
			newSecret(t, s, secret, "")
			made = append(made, secret.CreatedAt)
		}
		for name, tc := range map[string]struct {
			list  keymanager.Listing
			want  []string
			total int
		}{
			"project":        {keymanager.Listing{ProjectID: "p"}, []string{"a", "c"}, 2},
			"creator":        {keymanager.Listing{ProjectID: "p", UserID: "creator"}, []string{"a", "b", "c"}, 3},
			"reader":         {keymanager.Listing{ProjectID: "p", UserID: "reader"}, []string{"a", "b", "c"}, 3},
			"all":            {keymanager.Listing{ProjectID: "p", All: true}, []string{"a", "b", "c"}, 3},
			"acl only":       {keymanager.Listing{ProjectID: "other", UserID: "reader", ACLOnly: true}, []string{"b"}, 1},
			"nobody":         {keymanager.Listing{ProjectID: "p", UserID: "rea", ACLOnly: true}, nil, 0},
			"page":           {keymanager.Listing{ProjectID: "p", All: true, Limit: 1, Offset: 1}, []string{"b"}, 3},
			"offset":         {keymanager.Listing{ProjectID: "p", All: true, Offset: 2}, []string{"c"}, 3},
			"past the end":   {keymanager.Listing{ProjectID: "p", All: true, Offset: 9}, nil, 3},
			"sorted":         {keymanager.Listing{ProjectID: "p", All: true, Sort: []keymanager.Order{{Key: "bit_length"}}}, []string{"c", "b", "a"}, 3},
			"descending":     {keymanager.Listing{ProjectID: "p", All: true, Sort: []keymanager.Order{{Key: "status"}, {Key: "name", Descending: true}}}, []string{"c", "b", "a"}, 3},
			"attributes":     {keymanager.Listing{ProjectID: "p", Algorithm: "aes", Mode: "cbc", Type: keymanager.SymmetricKey, BitLength: 98, Name: "c"}, []string{"c"}, 1},
			"after":          {keymanager.Listing{ProjectID: "p", All: true, Created: []keymanager.Bound{{Comparison: keymanager.Greater, Time: made[1]}}}, []string{"c"}, 1},
			"between":        {keymanager.Listing{ProjectID: "p", All: true, Created: []keymanager.Bound{{Comparison: keymanager.GreaterOrEqual, Time: made[1]}, {Comparison: keymanager.Less, Time: made[2]}}}, []string{"b"}, 1},
			"updated":        {keymanager.Listing{ProjectID: "p", All: true, Updated: []keymanager.Bound{{Comparison: keymanager.Equal, Time: made[1]}}}, []string{"b"}, 1},
			"expires before": {keymanager.Listing{ProjectID: "p", All: true, Expiration: []keymanager.Bound{{Comparison: keymanager.LessOrEqual, Time: time.Unix(5000000000, 0)}}}, []string{"c"}, 1},
		} {
			page, total, err := s.Secrets(ctx, tc.list)
			var names []string
			for _, secret := range page {
				names = append(names, secret.Name)
			}
			if diff := cmp.Diff(tc.want, names); diff != "" || total != tc.total || err != nil {
				t.Errorf("%s: %d in all, %v (-want +got):\n%s", name, total, err, diff)
			}
		}
		if _, _, err := s.Secrets(ctx, keymanager.Listing{Sort: []keymanager.Order{{Key: "id; DROP"}}}); !errors.Is(err, lbaas.Invalid) {
			t.Errorf("bad sort key: %v", err)
		}
	})
}

func TestContainer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		a, b := newSecret(t, s, fullSecret("a"), ""), newSecret(t, s, fullSecret("b"), "")
		refs := []keymanager.SecretRef{{Name: "certificate", SecretID: b.ID}, {Name: "private_key", SecretID: a.ID}}
		for name, bad := range map[string]*keymanager.Container{
			"type":   {Type: "none"},
			"name":   {Type: keymanager.CertificateContainer, Secrets: []keymanager.SecretRef{{Name: "nonsense", SecretID: a.ID}}},
			"needed": {Type: keymanager.RSAContainer, Secrets: refs[1:]},
		} {
			if err := s.CreateContainer(ctx, bad); !errors.Is(err, lbaas.Invalid) {
				t.Errorf("bad %s: %v", name, err)
			}
		}
		if err := s.CreateContainer(ctx, &keymanager.Container{Type: keymanager.GenericContainer, Secrets: []keymanager.SecretRef{{SecretID: "none"}}}); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("bad secret: %v", err)
		}
		want := newContainer(t, s, &keymanager.Container{ProjectID: "p", CreatorID: "u", Name: "c", Type: keymanager.CertificateContainer, Secrets: refs})
		got, err := s.Container(ctx, want.ID)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Container: %v (-want +got):\n%s", err, diff)
		}
		if err := s.AddToContainer(ctx, want.ID, keymanager.SecretRef{SecretID: a.ID}); !errors.Is(err, lbaas.Invalid) {
			t.Errorf("a secret comes into a container that is not generic: %v", err)
		}
		if err := s.DeleteSecret(ctx, b.ID); err != nil {
			t.Fatal(err)
		}
		page, total, err := s.Containers(ctx, keymanager.Listing{ProjectID: "p", ContainerType: keymanager.CertificateContainer, Name: "c"})
		if err != nil || total != 1 || !slices.Equal(page[0].Secrets, refs[1:]) {
			t.Errorf("without a secret that was deleted: %v, %d, %v", page, total, err)
		}
		if err := s.DeleteContainer(ctx, want.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Container(ctx, want.ID); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("a container that was deleted: %v", err)
		}
	})
}

func TestGenericContainer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		a := newSecret(t, s, fullSecret("a"), "")
		c := newContainer(t, s, &keymanager.Container{ProjectID: "p", Type: keymanager.GenericContainer})
		one, two := keymanager.SecretRef{Name: "one", SecretID: a.ID}, keymanager.SecretRef{Name: "two", SecretID: a.ID}
		if err := errors.Join(s.AddToContainer(ctx, c.ID, one), s.AddToContainer(ctx, c.ID, two)); err != nil {
			t.Fatal(err)
		}
		if err := s.AddToContainer(ctx, c.ID, one); !errors.Is(err, lbaas.Conflict) {
			t.Errorf("bad second: %v", err)
		}
		if err := s.RemoveFromContainer(ctx, c.ID, one); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveFromContainer(ctx, c.ID, one); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("bad remove: %v", err)
		}
		if got, err := s.Container(ctx, c.ID); err != nil || !slices.Equal(got.Secrets, []keymanager.SecretRef{two}) {
			t.Errorf("it holds %v, %v", got, err)
		}
	})
}

func TestConsumers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		secret := newSecret(t, s, fullSecret("used"), "")
		c := newContainer(t, s, &keymanager.Container{ProjectID: "p", Type: keymanager.GenericContainer})
		if err := s.CreateConsumer(ctx, &keymanager.Consumer{OwnerID: "none"}); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("bad owner: %v", err)
		}
		of := func(owner, name string) *keymanager.Consumer {
			return &keymanager.Consumer{OwnerID: owner, ProjectID: "p", Name: name, URL: "http://x", Service: "s", ResourceType: "t", ResourceID: "i"}
		}
		first, again, second := of(c.ID, "1"), of(c.ID, "1"), of(c.ID, "2")
		if err := errors.Join(s.CreateConsumer(ctx, first), s.CreateConsumer(ctx, again), s.CreateConsumer(ctx, second),
			s.CreateConsumer(ctx, of(secret.ID, "3"))); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("the same again (-first +again):\n%s", diff)
		}
		page, total, err := s.Consumers(ctx, c.ID, keymanager.Listing{Offset: 1, Limit: 5})
		if diff := cmp.Diff([]*keymanager.Consumer{second}, page); diff != "" || total != 2 || err != nil {
			t.Errorf("the second page: %d in all, %v (-want +got):\n%s", total, err, diff)
		}
		if err := s.DeleteConsumer(ctx, of(c.ID, "1")); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteConsumer(ctx, of(c.ID, "1")); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("bad consumer: %v", err)
		}
		if err := s.DeleteContainer(ctx, c.ID); err != nil {
			t.Fatal(err)
		}
		if _, total, err := s.Consumers(ctx, c.ID, keymanager.Listing{}); total != 0 || err != nil {
			t.Errorf("of what is gone: %d, %v", total, err)
		}
	})
}

// tlsBalancer is a load balancer whose listener and pool refer to secrets, and whose second listener does not.
func tlsBalancer(listenerRef, poolRef string) *lbaas.LoadBalancer {
	pool := &lbaas.Pool{Object: lbaas.Object{ID: uuid.NewString(), ProjectID: "p"}, Protocol: lbaas.HTTP, CATLSContainerRef: poolRef}
	return &lbaas.LoadBalancer{
		Object: lbaas.Object{ID: uuid.NewString(), ProjectID: "p"}, Provider: "haproxy", Pools: []*lbaas.Pool{pool},
		Listeners: []*lbaas.Listener{
			{Object: lbaas.Object{ID: uuid.NewString(), ProjectID: "p"}, Protocol: lbaas.TerminatedHTTPS, ProtocolPort: 443, SNIContainerRefs: []string{listenerRef}},
			{Object: lbaas.Object{ID: uuid.NewString(), ProjectID: "p"}, Protocol: lbaas.HTTP, ProtocolPort: 80},
		},
	}
}

// generations are those of a load balancer, its two listeners and its pool.
func generations(t testing.TB, s *store.Store, id string) (g [4]int64) {
	t.Helper()
	lb, err := s.Tree(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	g[0] = lb.Progress.Generation
	for _, l := range lb.Listeners {
		if l.ProtocolPort == 443 {
			g[1] = l.Progress.Generation
		} else {
			g[2] = l.Progress.Generation
		}
	}
	g[3] = lb.Pools[0].Progress.Generation
	return g
}

// TestRenewal has load balancers applied again that refer to what changes, and no others.
func TestRenewal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		s.SetKey(sealKey)
		direct, inside, idle := newSecret(t, s, fullSecret("direct"), "1"), newSecret(t, s, fullSecret("inside"), "1"), newSecret(t, s, fullSecret("idle"), "1")
		c := newContainer(t, s, &keymanager.Container{Type: keymanager.GenericContainer, Secrets: []keymanager.SecretRef{{Name: "x", SecretID: inside.ID}}})
		lb := tlsBalancer("http://keys/v1/containers/"+c.ID, "https://elsewhere/"+direct.ID+"/")
		unconcerned := tlsBalancer("http://keys/"+direct.ID+"/other", "http://keys/x"+inside.ID)
		if err := errors.Join(s.CreateLoadBalancer(ctx, lb), s.CreateLoadBalancer(ctx, unconcerned)); err != nil {
			t.Fatal(err)
		}
		hinted := 0
		defer s.OnHint(func(h store.Hint) {
			if h.LoadBalancerID == lb.ID {
				hinted++
			}
		})()
		put := func(secret *keymanager.Secret) func() error {
			return func() error { return s.PutPayload(ctx, secret.ID, keymanager.Payload{Content: []byte("2")}) }
		}
		for _, step := range []struct {
			name string
			do   func() error
			want [4]int64
		}{
			{"of nobody", put(idle), [4]int64{1, 1, 1, 1}},
			{"of the pool", put(direct), [4]int64{2, 1, 1, 2}},
			{"in the container", put(inside), [4]int64{3, 3, 1, 2}},
			{"a container changes", func() error { return s.AddToContainer(ctx, c.ID, keymanager.SecretRef{Name: "y", SecretID: idle.ID}) }, [4]int64{4, 4, 1, 2}},
			{"what came into it", put(idle), [4]int64{5, 5, 1, 2}},
			{"an ACL", func() error { return s.SetContainerACL(ctx, c.ID, &keymanager.ACL{}) }, [4]int64{6, 6, 1, 2}},
			{"a secret goes", func() error { return s.DeleteSecret(ctx, direct.ID) }, [4]int64{7, 6, 1, 7}},
			{"a container goes", func() error { return s.DeleteContainer(ctx, c.ID) }, [4]int64{8, 8, 1, 7}},
			{"what was in it", put(inside), [4]int64{8, 8, 1, 7}},
		} {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if diff := cmp.Diff(step.want, generations(t, s, lb.ID)); diff != "" {
				t.Errorf("%s: generations of load balancer, listener, other listener, pool (-want +got):\n%s", step.name, diff)
			}
		}
		if got := generations(t, s, unconcerned.ID); got != [4]int64{1, 1, 1, 1} || hinted != 7 {
			t.Errorf("%d hints; a load balancer that refers to others: %v", hinted, got)
		}
	})
}

// TestExpiries has certificates behind references of all sorts.
func TestExpiries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		s.SetKey(sealKey)
		at := func(hours int) time.Time { return time.Unix(2000000000, 0).UTC().Add(time.Duration(hours) * time.Hour) }
		first, later := newSecret(t, s, fullSecret("first"), certificateUntil(t, at(1))), newSecret(t, s, fullSecret("later"), certificateUntil(t, at(2)))
		never := newSecret(t, s, fullSecret("never"), "no certificate")
		c := newContainer(t, s, &keymanager.Container{Type: keymanager.GenericContainer, Secrets: []keymanager.SecretRef{
			{Name: "a", SecretID: never.ID}, {Name: "b", SecretID: later.ID}, {Name: "c", SecretID: first.ID},
		}})
		refs := []string{"http://keys/" + first.ID, later.ID, never.ID, "none", "x/" + c.ID}
		got, err := s.Expiries(ctx, refs)
		want := map[string]time.Time{refs[0]: at(1), refs[1]: at(2), refs[4]: at(1)}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Expiries: %v (-want +got):\n%s", err, diff)
		}
		lb := tlsBalancer(refs[4], refs[0])
		lb.Listeners[0].DefaultTLSContainerRef = never.ID
		create(t, s, lb)
		check := func(until time.Time) {
			t.Helper()
			all, err := s.AllExpiries(ctx)
			want := []keymanager.Expiry{
				{LoadBalancerID: lb.ID, ProjectID: "p", Noun: "listener", ObjectID: lb.Listeners[0].ID, Ref: refs[4], NotAfter: until},
				{LoadBalancerID: lb.ID, ProjectID: "p", Noun: "pool", ObjectID: lb.Pools[0].ID, Ref: refs[0], NotAfter: until},
			}
			if diff := cmp.Diff(want, all); diff != "" || err != nil {
				t.Errorf("AllExpiries: %v (-want +got):\n%s", err, diff)
			}
		}
		check(at(1))
		err = errors.Join(s.PutPayload(ctx, first.ID, keymanager.Payload{Content: []byte(certificateUntil(t, at(0)))}),
			s.PutPayload(ctx, later.ID, keymanager.Payload{Content: []byte("none")}))
		if err != nil {
			t.Fatal(err)
		}
		check(at(0))
	})
}

// certificateUntil is a certificate as PEM.
func certificateUntil(t *testing.T, notAfter time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestRenewalPending shows what a user sees of a renewal, also of a listener that had failed.
func TestRenewalPending(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		s.SetKey(sealKey)
		secret := newSecret(t, s, fullSecret("renewed"), "1")
		lb := create(t, s, tlsBalancer("http://keys/"+secret.ID, ""))
		lease := leaseOf(t, s, lb)
		id := lb.Listeners[0].ID
		if err := s.Achieved(ctx, lease, lb.ID, 1, map[string]string{id: "it cannot be read"}, nil); err != nil {
			t.Fatal(err)
		}
		if l, err := s.Listener(ctx, id); err != nil || l.Progress.Status() != lbaas.Failed {
			t.Fatalf("before the renewal the listener is %+v, %v", l.Progress, err)
		}
		if err := s.PutPayload(ctx, secret.ID, keymanager.Payload{Content: []byte("2")}); err != nil {
			t.Fatal(err)
		}
		l, err := s.Listener(ctx, id)
		if err != nil || l.Progress.Status() == lbaas.Failed || l.Progress.Reason != "" {
			t.Errorf("after the renewal the listener is %+v, %v", l.Progress, err)
		}
		if ids, err := s.Pending(ctx, lease.Name, 0); err != nil || !slices.Contains(ids, lb.ID) {
			t.Errorf("pending are %v, %v", ids, err)
		}
	})
}

// TestRenewalAtOnce has a listener come to refer to a secret while that is renewed, by another server that has already looked who refers to
// it: whoever applies the listener's last generation must read the new payload.
func TestRenewalAtOnce(t *testing.T) {
	storetest.Pair(t, func(t *testing.T, a, b *store.Store) {
		ctx := context.Background()
		a.SetKey(sealKey)
		b.SetKey(sealKey)
		lb := tlsBalancer("", "")
		if err := a.CreateLoadBalancer(ctx, lb); err != nil {
			t.Fatal(err)
		}
		secret := newSecret(t, a, fullSecret("renewed"), "old")
		before := generations(t, a, lb.ID)[0]
		var read string
		done := make(chan struct{})
		refer := func() {
			defer close(done)
			err := a.ChangeLoadBalancer(ctx, lb.ID, func(c *store.Change) error {
				l := *c.LB.Listener(lb.Listeners[0].ID)
				l.SNIContainerRefs = []string{"http://keys/" + secret.ID}
				return c.Put(&l)
			})
			if err != nil {
				t.Errorf("change the listener: %v", err)
				return
			}
			p, err := a.Payload(ctx, secret.ID)
			if err != nil {
				t.Errorf("read the payload: %v", err)
				return
			}
			read = string(p.Content)
		}
		var once sync.Once
		err := b.RenewSlowly(ctx, secret.ID, []byte("new"), func() {
			once.Do(func() {
				go refer()
				select {
				case <-done:
				case <-time.After(300 * time.Millisecond): // it waits, as it should
				}
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		<-done
		// What one node has committed another sees a little later.
		for end := time.Now().Add(10 * time.Second); read == "old" && generations(t, a, lb.ID)[0] == before+1; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the listener was applied with the old payload, and will not be again")
			}
		}
	})
}
