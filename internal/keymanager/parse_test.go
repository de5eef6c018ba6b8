package keymanager

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

// file reads what testdata/make.sh made; several are joined.
func file(t testing.TB, names ...string) []byte {
	t.Helper()
	var all []byte
	for _, name := range names {
		if name == "" {
			continue
		}
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

// shape is what a Material consists of: the subjects of its certificates, in order, and the kinds of all other blocks.
func shape(m *Material) string {
	var all []string
	for _, b := range blocks(m.PEM) {
		c, err := x509.ParseCertificate(b.Bytes)
		switch {
		case b.Type != blockCertificate:
			all = append(all, b.Type)
		case err != nil:
			all = append(all, err.Error())
		default:
			all = append(all, c.Subject.CommonName)
		}
	}
	return strings.Join(all, " ")
}

// TestBadBundles shows that each refusal says what is wrong.
func TestBadBundles(t *testing.T) {
	for _, tc := range []struct{ name, want string }{
		{"", "neither as PKCS#12 nor as PEM"},
		{"make.sh", "neither as PKCS#12 nor as PEM"},
		{"rsa.pem", "it holds no private key"},
		{"ec.der", "a certificate without its private key"},
		{"rsa.key", "it holds no certificate"},
		{"rsa.pem ec.key", "the private key is not that of the certificate"},
		{"rsa.pem rsa.key ec.key", "more than one private key"},
		{"ed.pem ed.key", "neither RSA nor ECDSA"},
		{"weak.pem weak.key", "the RSA key has 1024 bits; 2048 is the least"},
		{"rsa.secret.p12", "has a passphrase, which is not known"},
		{"rsa.slow.p12", "stretched more than 1000000 times"},
		{"rsa.pem rsa.enc.key", "is encrypted, and there is no passphrase"},
		{"rsa.pem rsa.dek.key", "is encrypted, and there is no passphrase"},
	} {
		m, err := ParseBundle(file(t, strings.Fields(tc.name)...), nil)
		if !errors.Is(err, lbaas.Invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("bad %s: %v, %v; want %q", tc.name, m, err, tc.want)
		}
	}
}

func TestParseBundle(t *testing.T) {
	for _, tc := range []struct{ name, passphrase, want string }{
		{"rsa.p12", "", "leaf Sub Root PRIVATE KEY"},
		{"ec.p12", "", "leaf Sub Root PRIVATE KEY"},
		{"rsa.legacy.p12", "", "leaf Sub Root PRIVATE KEY"},
		{"rsa.secret.p12", "secret", "leaf Sub Root PRIVATE KEY"},
		{"rsa.plain.p12", "", "leaf PRIVATE KEY"},
		{"chain.pem rsa.key ec.pem rsa.pem", "", "leaf Sub Root PRIVATE KEY"},
		{"rsa.enc.key ca.pem rsa.pem", "secret", "leaf PRIVATE KEY"},
		{"ec.pem sub.pem ec.key", "", "leaf Sub PRIVATE KEY"},
	} {
		for _, in64 := range []bool{false, true} {
			data := file(t, strings.Fields(tc.name)...)
			if in64 {
				if !strings.HasSuffix(tc.name, "p12") {
					continue
				}
				data = []byte(base64.StdEncoding.EncodeToString(data) + "\n")
			}
			m, err := ParseBundle(data, []byte(tc.passphrase))
			if err != nil {
				t.Errorf("ParseBundle(%s): %v", tc.name, err)
				continue
			}
			check(t, tc.name, tc.want, m)
		}
	}
}

// check compares a Material, and has crypto/tls read it.
func check(t *testing.T, name, want string, m *Material) {
	t.Helper()
	if got := shape(m); got != want {
		t.Errorf("%s: it holds %q, want %q", name, got, want)
	}
	pair, err := tls.X509KeyPair(m.PEM, m.PEM)
	if err != nil {
		t.Errorf("%s: TLS cannot use it: %v", name, err)
		return
	}
	if diff := cmp.Diff([]string{"www.example.com", "192.0.2.1"}, m.Names); diff != "" {
		t.Errorf("%s: names (-want +got):\n%s", name, diff)
	}
	if m.Fingerprint != digest(pair.Certificate[0]) || m.NotAfter.IsZero() || m.NotAfter.After(pair.Leaf.NotAfter) {
		t.Errorf("%s: fingerprint %s, not after %s", name, m.Fingerprint, m.NotAfter)
	}
}

func TestBadContainers(t *testing.T) {
	for _, tc := range []struct{ cert, key, intermediates, passphrase, want string }{
		{"make.sh", "rsa.key", "", "", "its certificate holds no certificate"},
		{"", "rsa.key", "", "", "its certificate holds no certificate"},
		{"rsa.pem", "make.sh", "", "", "it holds no private key"},
		{"rsa.pem", "rsa.key", "make.sh", "", "its intermediates hold no certificate"},
		{"rsa.pem", "rsa.enc.key", "", "wrong", "cannot be decrypted with the passphrase"},
		{"rsa.pem", "rsa.dek.key", "", "wrong", "cannot be decrypted with the passphrase"},
		{"ec.pem", "ec.v1.key", "", "secret", "encrypted in a way that is not supported"},
		{"ec.pem", "rsa.key", "", "", "the private key is not that of the certificate"},
	} {
		m, err := FromContainer(file(t, tc.cert), file(t, tc.key), file(t, tc.intermediates), []byte(tc.passphrase))
		if !errors.Is(err, lbaas.Invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("bad %+v: %v, %v", tc, m, err)
		}
	}
}

func TestFromContainer(t *testing.T) {
	for _, tc := range []struct{ cert, key, intermediates, passphrase, want string }{
		{"rsa.pem", "rsa.key", "", "", "leaf PRIVATE KEY"},
		{"rsa.pem", "rsa.traditional.key", "chain.pem", "", "leaf Sub Root PRIVATE KEY"},
		{"rsa.pem", "rsa.enc.key", "sub.pem", "secret\n", "leaf Sub PRIVATE KEY"},
		{"rsa.pem", "rsa.dek.key", "chain.p7.pem", "secret", "leaf Sub Root PRIVATE KEY"},
		{"ec.pem", "ec.key", "chain.p7.der", "", "leaf Sub Root PRIVATE KEY"},
		{"ec.der", "ec.key.der", "", "", "leaf PRIVATE KEY"},
		{"ec.pem", "ec.enc.key", "", "secret", "leaf PRIVATE KEY"},
		{"ec.pem", "ec.des3.key", "", "secret", "leaf PRIVATE KEY"},
	} {
		m, err := FromContainer(file(t, tc.cert), file(t, tc.key), file(t, tc.intermediates), []byte(tc.passphrase))
		if err != nil {
			t.Errorf("FromContainer(%+v): %v", tc, err)
			continue
		}
		check(t, tc.key, tc.want, m)
	}
}

func TestAuthoritiesAndRevocations(t *testing.T) {
	for _, name := range []string{"", "make.sh", "rsa.key", "ca.crl.pem"} {
		if m, err := ParseAuthorities(file(t, name)); !errors.Is(err, lbaas.Invalid) {
			t.Errorf("bad authorities %s: %v, %v", name, m, err)
		}
	}
	for _, name := range []string{"", "make.sh", "ca.pem"} {
		if m, err := ParseRevocations(file(t, name)); !errors.Is(err, lbaas.Invalid) {
			t.Errorf("bad revocations %s: %v, %v", name, m, err)
		}
	}
	for name, want := range map[string]string{"chain.pem": "Root Sub", "ca.pem": "Root", "chain.p7.der": "Root Sub"} {
		m, err := ParseAuthorities(file(t, name))
		if err != nil || shape(m) != want || strings.Join(m.Names, " ") != want || m.NotAfter.IsZero() {
			t.Errorf("ParseAuthorities(%s): %+v, %v", name, m, err)
		}
	}
	for _, name := range []string{"ca.crl.pem", "ca.crl.der"} {
		m, err := ParseRevocations(file(t, name))
		if err != nil || shape(m) != blockRevocations || m.NotAfter.IsZero() || m.Names[0] != "Root" {
			t.Fatalf("ParseRevocations(%s): %+v, %v", name, m, err)
		}
		if err := VerifyRevocations(m.PEM, file(t, "chain.pem")); err != nil {
			t.Errorf("VerifyRevocations(%s): %v", name, err)
		}
		if err := VerifyRevocations(m.PEM, file(t, "sub.pem")); !errors.Is(err, lbaas.Invalid) || !strings.Contains(err.Error(), "not signed") {
			t.Errorf("bad authority of %s: %v", name, err)
		}
	}
}

// TestForeignText has names in a certificate that would be lines of their own.
func TestForeignText(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	evil := "a\nssl_fc\x1b[1m" + strings.Repeat("x", 300)
	template := &x509.Certificate{NotAfter: time.Now().Add(time.Hour), DNSNames: []string{evil, "b c"}}
	template.Subject.CommonName = "c\nd"
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: der, Headers: map[string]string{"x": "evil"}})
	text = append(append([]byte("evil\n"), text...), encode("EC PRIVATE KEY", keyDER)...)
	m, err := ParseBundle(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(m.PEM, []byte("evil")) {
		t.Errorf("what stood around the blocks is in %s", m.PEM)
	}
	for _, name := range m.Names {
		if strings.ContainsAny(name, "\n\x1b") || len(name) > 255 {
			t.Errorf("the name %q", name)
		}
	}
}

func TestSeal(t *testing.T) {
	key, other := bytes.Repeat([]byte{1}, KeySize), bytes.Repeat([]byte{2}, KeySize)
	for _, plain := range [][]byte{nil, []byte("plain"), bytes.Repeat([]byte("x"), 1<<16)} {
		sealed, err := Seal(key, "id", plain)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Seal(key, "id", plain); bytes.Equal(again, sealed) || (len(plain) > 0 && bytes.Contains(sealed, plain)) {
			t.Errorf("sealed: %x", sealed[:20])
		}
		if got, err := Open(key, "id", sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Open: %x, %v", got, err)
		}
		changed := bytes.Clone(sealed)
		changed[len(changed)-1]++
		for name, open := range map[string]func() ([]byte, error){
			"key":     func() ([]byte, error) { return Open(other, "id", sealed) },
			"no key":  func() ([]byte, error) { return Open(nil, "id", sealed) },
			"id":      func() ([]byte, error) { return Open(key, "other", sealed) },
			"bytes":   func() ([]byte, error) { return Open(key, "id", changed) },
			"version": func() ([]byte, error) { return Open(key, "id", append([]byte{9}, sealed[1:]...)) },
			"short":   func() ([]byte, error) { return Open(key, "id", sealed[:5]) },
			"nothing": func() ([]byte, error) { return Open(key, "id", nil) },
		} {
			if got, err := open(); err == nil {
				t.Errorf("bad %s: it opens: %x", name, got)
			}
		}
	}
	if _, err := Seal(key[1:], "id", nil); err == nil {
		t.Error("bad key: it seals")
	}
}

func TestRefID(t *testing.T) {
	for ref, want := range map[string]string{
		"": "", "/": "", "id": "id", "http://h/v1/secrets/id": "id", "https://h/key-manager/v1/containers/id//": "id", "a/b c": "b c",
	} {
		if got := RefID(ref); got != want {
			t.Errorf("RefID(%q) = %q, want %q", ref, got, want)
		}
	}
}

// reads tells that a Material is as good as what it was read from.
func reads(t *testing.T, m *Material, err error, again func(data []byte) (*Material, error)) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, lbaas.Invalid) {
			t.Errorf("an error without a kind: %v", err)
		}
		return
	}
	second, err := again(m.PEM)
	if err != nil {
		t.Fatalf("what was read cannot be read again: %v\n%s", err, m.PEM)
	}
	if diff := cmp.Diff(m, second); diff != "" {
		t.Errorf("read again (-first +second):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"rsa.p12", "ec.p12", "rsa.legacy.p12", "rsa.slow.p12", "ec.enc.key", "ec.des3.key", "ec.key.der", "ec.der", "chain.p7.der", "ca.crl.der"} {
		f.Add(file(f, name), "secret")
	}
	f.Add(file(f, "ec.pem", "ec.key"), "")
	f.Add(file(f, "chain.pem", "rsa.dek.key", "ca.crl.pem"), "secret")
	f.Fuzz(func(t *testing.T, data []byte, passphrase string) {
		m, err := ParseBundle(data, []byte(passphrase))
		reads(t, m, err, func(data []byte) (*Material, error) { return ParseBundle(data, nil) })
		m, err = ParseAuthorities(data)
		reads(t, m, err, ParseAuthorities)
		m, err = ParseRevocations(data)
		reads(t, m, err, ParseRevocations)
		_, err = FromContainer(data, data, data, []byte(passphrase))
		if err != nil && !errors.Is(err, lbaas.Invalid) {
			t.Errorf("an error without a kind: %v", err)
		}
		_ = VerifyRevocations(data, data)
	})
}
