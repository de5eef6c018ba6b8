package haproxy

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An authority signs certificates for the tests.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	next int64
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t, next: 1}
	a.key, _ = ecKey(t).(*ecdsa.PrivateKey)
	template := a.template(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = block("CERTIFICATE", der)
	return a
}

func (a *authority) template(name string) *x509.Certificate {
	a.next++
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.next),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Tests"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
}

// issue returns a certificate for names (the first is the common name), its chain and its key, as HAProxy reads them.
func (a *authority) issue(key crypto.Signer, names ...string) []byte {
	a.t.Helper()
	template := a.template(names[0])
	template.DNSNames = slices.DeleteFunc(names, func(name string) bool { return strings.ContainsAny(name, "\"\r\n") })
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return bytes.Join([][]byte{block("CERTIFICATE", der), a.pem, block("PRIVATE KEY", private)}, nil)
}

// revoke returns a revocation list with certificates as issue returns them.
func (a *authority) revoke(certificates ...[]byte) []byte {
	a.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range certificates {
		leaf := pair(a.t, c).Leaf
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: leaf.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return block("X509 CRL", der)
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// pair is a certificate as issue returns it, for Go.
func pair(t testing.TB, text []byte) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(text, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func ecKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKey is one key for all tests, for making one takes long.
var rsaKey = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// References of the test trees.
const (
	refRSA    = "http://127.0.0.1/key-manager/v1/containers/00000010-0000-4000-8000-000000000001"
	refEC     = "http://127.0.0.1/key-manager/v1/secrets/00000010-0000-4000-8000-000000000002"
	refClient = "http://127.0.0.1/key-manager/v1/secrets/00000010-0000-4000-8000-000000000003"
	refCA     = "http://127.0.0.1/key-manager/v1/secrets/00000010-0000-4000-8000-000000000004"
	refCRL    = "http://127.0.0.1/key-manager/v1/secrets/00000010-0000-4000-8000-000000000005"
)

// testSecrets are what the test trees refer to, all of one authority.
func testSecrets(t testing.TB) (Secrets, *authority) {
	t.Helper()
	a := newAuthority(t, "authority")
	return Secrets{
		refRSA:    a.issue(rsaKey(), "www.example.com"),
		refEC:     a.issue(ecKey(t), "shop.example.com", "*.shop.example.com"),
		refClient: a.issue(ecKey(t), "client"),
		refCA:     a.pem,
		refCRL:    a.revoke(),
	}, a
}

// fingerprint is the SHA-1 of a certificate, as HAProxy writes it.
func fingerprint(der []byte) string { return fmt.Sprintf("%X", sha1.Sum(der)) }
