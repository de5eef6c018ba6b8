package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/containers"
	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"software.sslmate.com/src/go-pkcs12"

	"plimsoll/test/harness"
)

// idCard is a certificate that signed itself, and its key.
type idCard struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newIDCard makes a certificate with a serial number that tells it from others.
func newIDCard(t *testing.T, name string, serial int64, validFor time.Duration) *idCard {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validFor),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &idCard{cert, key}
}

func (c *idCard) certPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

func (c *idCard) keyPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// bundle is the card as PKCS#12, in base64.
func (c *idCard) bundle(t *testing.T) string {
	t.Helper()
	data, err := pkcs12.Modern.Encode(c.key, c.cert, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(data)
}

// shop is a site with a listener that ends TLS: the default certificate is in a secret, that of two.example.com in a container.
type shop struct {
	*site
	listener          string
	bundle, cert, key string // the secrets' references
	one, two          *idCard
	address           string
}

func (s *shop) keep(t *testing.T, payload, encoding string) string {
	t.Helper()
	o := secrets.CreateOpts{Name: "a secret", Payload: payload, PayloadContentType: "text/plain"}
	if encoding != "" {
		o.PayloadContentType, o.PayloadContentEncoding = "application/octet-stream", encoding
	}
	secret, err := secrets.Create(t.Context(), s.KeyManager, o).Extract()
	if err != nil {
		t.Fatalf("store a secret: %v", err)
	}
	return secret.SecretRef
}

// renew gives a secret another payload.
func (s *shop) renew(t *testing.T, ref, payload, encoding string) {
	t.Helper()
	o := secrets.UpdateOpts{Payload: payload, ContentType: "text/plain"}
	if encoding != "" {
		o.ContentType, o.ContentEncoding = "application/octet-stream", encoding
	}
	if err := secrets.Update(t.Context(), s.KeyManager, last(ref), o).ExtractErr(); err != nil {
		t.Fatalf("renew a secret: %v", err)
	}
}

// last is the last element of a reference's path.
func last(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

func newShop(t *testing.T) *shop {
	s := &shop{site: prepare(t, 2)}
	s.one, s.two = newIDCard(t, "one.example.com", 11, 1000*time.Hour), newIDCard(t, "two.example.com", 12, 1000*time.Hour)
	s.bundle, s.cert, s.key = s.keep(t, s.one.bundle(t), "base64"), s.keep(t, s.two.certPEM(), ""), s.keep(t, s.two.keyPEM(t), "")
	c, err := containers.Create(t.Context(), s.KeyManager, containers.CreateOpts{
		Name: "two", Type: containers.CertificateContainer, SecretRefs: []containers.SecretRef{
			{Name: "certificate", SecretRef: s.cert}, {Name: "private_key", SecretRef: s.key},
		},
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	lb, err := loadbalancers.Create(t.Context(), s.LoadBalancer, loadbalancers.CreateOpts{
		VipSubnetID: s.net.SubnetID,
		Listeners: []listeners.CreateOpts{{
			Name: "tls", Protocol: listeners.ProtocolTerminatedHTTPS, ProtocolPort: 443,
			DefaultTlsContainerRef: s.bundle, SniContainerRefs: []string{c.ContainerRef},
			DefaultPool: &pools.CreateOpts{Name: "pool", Protocol: pools.ProtocolHTTP, LBMethod: pools.LBMethodRoundRobin, Members: []pools.CreateMemberOpts{
				{Address: s.webs[0].Node.Address, ProtocolPort: 8080}, {Address: s.webs[1].Node.Address, ProtocolPort: 8080},
			}},
		}},
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, lb.ID)
	s.lb = &harness.LB{ID: lb.ID, VIP: lb.VipAddress}
	s.address = harness.JoinPort(lb.VipAddress, 443)
	s.listener = listenerOf(t, s.site, lb.ID)
	return s
}

// listenerOf is the id of the one listener of a load balancer.
func listenerOf(t *testing.T, s *site, id string) string {
	t.Helper()
	lb, err := loadbalancers.Get(t.Context(), s.LoadBalancer, id).Extract()
	if err != nil || len(lb.Listeners) != 1 {
		t.Fatalf("listeners of %s: %v, %v", id, lb, err)
	}
	return lb.Listeners[0].ID
}

// greet is a TLS connection to the listener, from the client's namespace.
func (s *shop) greet(ctx context.Context, name string) (*tls.Conn, error) {
	c, err := s.client.Dial(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // the serial number is what is asked for
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn, nil
}

// shows tells whether the listener shows a card to new clients.
func (s *shop) shows(t *testing.T, name string, card *idCard) error {
	conn, err := s.greet(t.Context(), name)
	if err != nil {
		return err
	}
	defer conn.Close()
	if got := conn.ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(card.cert.SerialNumber) != 0 {
		return fmt.Errorf("%s gets certificate %v, want %v", name, got, card.cert.SerialNumber)
	}
	return nil
}

// askAgain sends a request on a connection that stays open.
func askAgain(conn *tls.Conn) error {
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: one.example.com\r\n\r\n"); err != nil {
		return err
	}
	reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", reply.StatusCode)
	}
	return nil
}

// waitReason waits until the listener is in ERROR, for a reason.
func (s *shop) waitReason(t *testing.T, want string) {
	t.Helper()
	harness.Eventually(t, 20*time.Second, func() error {
		l, err := listeners.Get(t.Context(), s.LoadBalancer, s.listener).Extract()
		if err != nil {
			return err
		}
		reason, err := s.Reason(t, "listeners", s.listener)
		if err == nil && (l.ProvisioningStatus != "ERROR" || !strings.Contains(reason, want)) {
			err = fmt.Errorf("the listener is %s: %q, want %q", l.ProvisioningStatus, reason, want)
		}
		return err
	})
}

// TestRenewal gives secrets of a running listener other payloads: clients get the new certificate, connections stay, nothing is
// reloaded; and one that is of no use replaces nothing.
func TestRenewal(t *testing.T) {
	s := newShop(t)
	for name, card := range map[string]*idCard{"one.example.com": s.one, "two.example.com": s.two, "other.example.com": s.one} {
		if err := s.shows(t, name, card); err != nil {
			t.Fatal(err)
		}
	}
	old, err := s.greet(t.Context(), "one.example.com")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	stays := func(when string) {
		t.Helper()
		if err := askAgain(old); err != nil {
			t.Errorf("%s, on the connection of before: %v", when, err)
		}
	}
	stays("at first")
	processes := s.HAProxies()

	second := newIDCard(t, "one.example.com", 21, 1000*time.Hour)
	s.renew(t, s.bundle, second.bundle(t), "base64")
	harness.Eventually(t, 20*time.Second, func() error { return s.shows(t, "one.example.com", second) })
	s.WaitActive(t, s.lb.ID)
	stays("after a renewal")

	// A container is renewed one secret after the other; what does not fit together yet is not shown.
	other := newIDCard(t, "two.example.com", 22, 1000*time.Hour)
	s.renew(t, s.cert, other.certPEM(), "")
	s.waitReason(t, "the private key is not that of the certificate")
	if err := s.shows(t, "two.example.com", s.two); err != nil {
		t.Errorf("halfway: %v", err)
	}
	s.renew(t, s.key, other.keyPEM(t), "")
	harness.Eventually(t, 20*time.Second, func() error { return s.shows(t, "two.example.com", other) })
	s.WaitActive(t, s.lb.ID)
	stays("after the container's renewal")

	s.renew(t, s.bundle, "nonsense", "")
	s.waitReason(t, "Secret "+last(s.bundle)+" cannot be used as certificate")
	if err := s.shows(t, "one.example.com", second); err != nil {
		t.Errorf("after nonsense: %v", err)
	}
	stays("after nonsense")
	s.renew(t, s.bundle, s.one.bundle(t), "base64")
	harness.Eventually(t, 20*time.Second, func() error { return s.shows(t, "one.example.com", s.one) })
	s.WaitActive(t, s.lb.ID)
	stays("in the end")
	if now := s.HAProxies(); !slices.Equal(pids(processes), pids(now)) {
		t.Errorf("HAProxy was reloaded: %v, then %v", processes, now)
	}

	if err := secrets.Delete(t.Context(), s.KeyManager, last(s.bundle)).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.waitReason(t, "not found")
	if err := s.shows(t, "one.example.com", s.one); err != nil {
		t.Errorf("after the secret is gone: %v", err)
	}
	s.keysAreSealed(t)
}

func pids(all []harness.Process) []int {
	var ids []int
	for _, p := range all {
		ids = append(ids, p.PID)
	}
	slices.Sort(ids)
	return ids
}

// keysAreSealed looks for private keys in every file of the state directory: only the engine's files for HAProxy may have them.
func (s *shop) keysAreSealed(t *testing.T) {
	t.Helper()
	runDirs := filepath.Join(s.StateDir, "lbaas", "v2") + "/"
	plain := [][]byte{[]byte("PRIVATE KEY"), []byte(strings.Split(s.two.keyPEM(t), "\n")[1])}
	err := filepath.WalkDir(s.StateDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		has := slices.ContainsFunc(plain, func(key []byte) bool { return bytes.Contains(content, key) })
		info, err := e.Info()
		if has && (!strings.HasPrefix(path, runDirs) || info.Mode().Perm() != 0o600) {
			t.Errorf("%s (%v) has a private key", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
