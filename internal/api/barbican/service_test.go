package barbican_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/barbican"
	"plimsoll/internal/identity"
	"plimsoll/internal/keymanager"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

// shop is a key manager with what TLS may refer to.
type shop struct {
	*store.Store
	service *barbican.Service
	refs    map[string]string
}

// read returns what keymanager's tests read.
func readKey(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "keymanager", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// keep makes a secret of alice's; a file of "" is no payload.
func (s *shop) keep(t testing.TB, name, file string, more func(*keymanager.Secret)) string {
	t.Helper()
	secret := &keymanager.Secret{ProjectID: mine, CreatorID: "alice", Name: name, Type: keymanager.Opaque}
	if more != nil {
		more(secret)
	}
	var p *keymanager.Payload
	if file != "" {
		p = &keymanager.Payload{Content: readKey(t, file), ContentType: "application/octet-stream"}
	}
	if err := s.CreateSecret(context.Background(), secret, p); err != nil {
		t.Fatal(err)
	}
	s.refs[name] = "http://keys.example.com/key-manager/v1/secrets/" + secret.ID
	return secret.ID
}

// hold makes a container of alice's, with a secret for each pair of name and file.
func (s *shop) hold(t testing.TB, name string, kind keymanager.ContainerType, pairs ...string) *keymanager.Container {
	t.Helper()
	c := &keymanager.Container{ProjectID: mine, CreatorID: "alice", Name: name, Type: kind}
	for i := 0; i < len(pairs); i += 2 {
		c.Secrets = append(c.Secrets, keymanager.SecretRef{Name: pairs[i], SecretID: s.keep(t, name+" "+pairs[i], pairs[i+1], nil)})
	}
	if err := s.CreateContainer(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	s.refs[name] = "https://other/v1/containers/" + c.ID + "/"
	return c
}

func newShop(t *testing.T) *shop {
	s := &shop{Store: storetest.Open(t, store.SQLite), refs: map[string]string{}}
	s.SetKey(bytes.Repeat([]byte{5}, keymanager.KeySize))
	s.service = &barbican.Service{Vault: s.Store}
	s.keep(t, "bundle", "rsa.p12", nil)
	s.refs["bare id"] = keymanager.RefID(s.refs["bundle"])
	s.keep(t, "cert only", "rsa.pem", nil)
	s.keep(t, "ca", "ca.pem", nil)
	s.keep(t, "other ca", "sub.pem", nil)
	s.keep(t, "crl", "ca.crl.pem", nil)
	s.keep(t, "no payload", "", nil)
	s.keep(t, "expired", "rsa.p12", func(s *keymanager.Secret) { s.Expiration = time.Unix(1000, 0).UTC() })
	s.keep(t, "private", "rsa.p12", func(s *keymanager.Secret) { s.ACL = &keymanager.ACL{CreatedAt: time.Unix(1, 0)} })
	s.keep(t, "foreign", "rsa.p12", func(s *keymanager.Secret) { s.ProjectID, s.CreatorID = foreign, "bob" })
	s.keep(t, "shared", "rsa.p12", func(s *keymanager.Secret) {
		s.ProjectID, s.CreatorID, s.ACL = foreign, "bob", &keymanager.ACL{Users: []string{mine}, CreatedAt: time.Unix(1, 0)}
	})
	s.hold(t, "container", keymanager.CertificateContainer, "certificate", "ec.pem", "private_key", "ec.key", "intermediates", "chain.pem")
	s.hold(t, "no key", keymanager.CertificateContainer, "certificate", "ec.pem")
	s.hold(t, "wrong key", keymanager.CertificateContainer, "certificate", "ec.pem", "private_key", "rsa.key")
	s.hold(t, "generic", keymanager.GenericContainer, "certificate", "rsa.pem", "private_key", "rsa.key")
	s.refs["a container as a secret"] = strings.Replace(s.refs["container"], "containers", "secrets", 1)
	s.refs["nothing"] = "http://keys.example.com/v1/containers/none"
	s.refs["neither"] = "none"
	return s
}

func TestMaterial(t *testing.T) {
	s := newShop(t)
	const certificate, authorities, revocations = keymanager.Certificate, keymanager.Authorities, keymanager.Revocations
	for _, tc := range []struct {
		name string
		use  keymanager.Use
		kind lbaas.Kind
		want string // of the error, or the first name
	}{
		{"nothing", certificate, lbaas.NotFound, "Container none not found."},
		{"neither", certificate, lbaas.NotFound, "Secret none not found."},
		{"a container as a secret", certificate, lbaas.NotFound, "not found."},
		{"no payload", certificate, lbaas.NotFound, "has no payload."},
		{"expired", certificate, lbaas.NotFound, "expired at 1970-01-01T00:16:40Z: store another one."},
		{"foreign", certificate, lbaas.Forbidden, "is another project's, and its ACL names neither project " + mine + " nor a user of it."},
		{"cert only", certificate, lbaas.Invalid, "cannot be used as certificate: it holds no private key."},
		{"ca", revocations, lbaas.Invalid, "cannot be used as certificate revocation list: it holds no revocation list"},
		{"crl", authorities, lbaas.Invalid, "cannot be used as CA certificates: it holds no CA certificate"},
		{"container", authorities, lbaas.Invalid, "cannot be used as CA certificates: refer to a secret."},
		{"no key", certificate, lbaas.Invalid, "it has no secret named private_key."},
		{"wrong key", certificate, lbaas.Invalid, "the private key is not that of the certificate."},

		{"bundle", certificate, "", "www.example.com"},
		{"bare id", certificate, "", "www.example.com"},
		{"private", certificate, "", "www.example.com"},
		{"shared", certificate, "", "www.example.com"},
		{"container", certificate, "", "www.example.com"},
		{"generic", certificate, "", "www.example.com"},
		{"ca", authorities, "", "Root"},
		{"crl", revocations, "", "Root"},
	} {
		m, err := s.service.Material(t.Context(), mine, s.refs[tc.name], tc.use)
		if tc.kind != "" {
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("bad %s: %v, %v", tc.name, m, err)
			}
			continue
		}
		if err != nil || m.Names[0] != tc.want || len(m.PEM) == 0 {
			t.Errorf("%s: %+v, %v", tc.name, m, err)
		}
	}
}

// TestMaterialUnknown has the store fail: that says nothing about the secret.
func TestMaterialUnknown(t *testing.T) {
	s := newShop(t)
	s.SetKey(bytes.Repeat([]byte{6}, keymanager.KeySize))
	_, err := s.service.Material(t.Context(), mine, s.refs["bundle"], keymanager.Certificate)
	if !errors.Is(err, lbaas.Unavailable) || !strings.Contains(err.Error(), "keymanager.key") {
		t.Errorf("with another key: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"bundle", "container"} {
		_, err := s.service.Material(ctx, mine, s.refs[name], keymanager.Certificate)
		if err == nil || errors.Is(err, lbaas.NotFound) || errors.Is(err, lbaas.Invalid) || errors.Is(err, lbaas.Forbidden) {
			t.Errorf("%s, without an answer: %v", name, err)
		}
	}
	if bad, err := s.service.Check(ctx, keymanager.Asker{}, []keymanager.Reference{{Ref: "x"}}); err == nil {
		t.Errorf("Check, without an answer: %v", bad)
	}
}

// TestMaterialOfUsers has the ACL name a user with a role in the load balancer's project.
func TestMaterialOfUsers(t *testing.T) {
	s := newShop(t)
	ctx := t.Context()
	s.keep(t, "granted", "rsa.p12", func(s *keymanager.Secret) {
		s.ProjectID, s.CreatorID, s.ACL = foreign, "bob", &keymanager.ACL{Users: []string{"alice"}, CreatedAt: time.Unix(1, 0)}
	})
	v := &granting{Vault: s.Store, user: "alice", project: mine}
	service := &barbican.Service{Vault: v}
	if _, err := service.Material(ctx, mine, s.refs["granted"], keymanager.Certificate); err != nil {
		t.Error(err)
	}
	if _, err := service.Material(ctx, "third", s.refs["granted"], keymanager.Certificate); !errors.Is(err, lbaas.Forbidden) {
		t.Errorf("of a project that she is not in: %v", err)
	}
	ask := func(user string) []keymanager.Refusal {
		bad, err := service.Check(ctx, keymanager.Asker{ProjectID: mine, UserID: user}, []keymanager.Reference{{Ref: s.refs["granted"]}})
		if err != nil {
			t.Fatal(err)
		}
		return bad
	}
	if bad := ask("alice"); bad != nil {
		t.Errorf("alice may not: %v", bad)
	}
	if bad := ask("carol"); len(bad) != 1 || !strings.Contains(bad[0].Reason, "its ACL does not name you") {
		t.Errorf("carol may: %v", bad)
	}
}

// granting is a vault that knows of one user's role in a project.
type granting struct {
	barbican.Vault
	user, project string
}

func (g *granting) ProjectsOf(_ context.Context, userID string) ([]*identity.Project, error) {
	if userID != g.user {
		return nil, nil
	}
	return []*identity.Project{{ID: g.project}}, nil
}

func TestCheck(t *testing.T) {
	s := newShop(t)
	by := func(user string) keymanager.Asker { return keymanager.Asker{ProjectID: mine, UserID: user} }
	for _, tc := range []struct {
		by   keymanager.Asker
		ref  keymanager.Reference
		want string // "" where it is fine
	}{
		{by("carol"), keymanager.Reference{Ref: "private"}, "is private, and its ACL does not name you."},
		{by("carol"), keymanager.Reference{Ref: "foreign"}, "is another project's"},
		{by("carol"), keymanager.Reference{Ref: "bundle", Use: keymanager.Authorities}, "it holds no CA certificate"},
		{by("carol"), keymanager.Reference{Ref: "crl", Use: keymanager.Revocations, Signers: "other ca"}, "is not signed by any of the CA certificates."},
		{by("carol"), keymanager.Reference{Ref: "crl", Use: keymanager.Revocations, Signers: "no payload"}, "has no payload."},

		{by("alice"), keymanager.Reference{Ref: "private"}, ""},
		{keymanager.Asker{ProjectID: mine, UserID: "boss", Admin: true}, keymanager.Reference{Ref: "private"}, ""},
		{by("carol"), keymanager.Reference{Ref: "bundle"}, ""},
		{by("carol"), keymanager.Reference{Ref: "shared"}, ""},
		{by("carol"), keymanager.Reference{Ref: "ca", Use: keymanager.Authorities}, ""},
		{by("carol"), keymanager.Reference{Ref: "crl", Use: keymanager.Revocations, Signers: "ca"}, ""},
		{by("carol"), keymanager.Reference{Ref: "crl", Use: keymanager.Revocations}, ""},
	} {
		ref := tc.ref
		ref.Ref, ref.Signers = s.refs[ref.Ref], s.refs[ref.Signers]
		bad, err := s.service.Check(t.Context(), tc.by, []keymanager.Reference{{Ref: s.refs["bundle"]}, ref})
		switch {
		case err != nil, tc.want == "" && bad != nil:
			t.Errorf("%+v: %v, %v", tc.ref, bad, err)
		case tc.want != "" && (len(bad) != 1 || bad[0].Ref != ref.Ref || !strings.Contains(bad[0].Reason, tc.want)):
			t.Errorf("bad %+v: %v", tc.ref, bad)
		}
	}
}

// TestRenewedMaterial reads a secret before and after it got another payload.
func TestRenewedMaterial(t *testing.T) {
	s := newShop(t)
	read := func() string {
		m, err := s.service.Material(t.Context(), mine, s.refs["bundle"], keymanager.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		return m.Fingerprint
	}
	before := read()
	err := s.PutPayload(t.Context(), keymanager.RefID(s.refs["bundle"]), keymanager.Payload{Content: readKey(t, "ec.p12")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, read()); diff == "" {
		t.Error("the renewed secret reads as before")
	}
}

// TestMaterialAgain reads the same payloads from secrets of two projects: who may read them is asked each time.
func TestMaterialAgain(t *testing.T) {
	s := newShop(t)
	for range 2 {
		for project, ref := range map[string]string{mine: s.refs["bundle"], foreign: s.refs["foreign"]} {
			if _, err := s.service.Material(t.Context(), project, ref, keymanager.Certificate); err != nil {
				t.Error(err)
			}
		}
		if m, err := s.service.Material(t.Context(), foreign, s.refs["bundle"], keymanager.Certificate); !errors.Is(err, lbaas.Forbidden) {
			t.Errorf("%v, %v", m, err)
		}
		if m, err := s.service.Material(t.Context(), mine, s.refs["bundle"], keymanager.Revocations); !errors.Is(err, lbaas.Invalid) {
			t.Errorf("as another thing: %v, %v", m, err)
		}
	}
}
