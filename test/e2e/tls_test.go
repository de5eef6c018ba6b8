package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"plimsoll/test/harness"
)

// heard is what a member heard of a request, and of the connection that it came by.
type heard struct {
	Member string
	Header http.Header
	Proto  string
	Client string // the name in the client certificate
	Asked  string // the name that TLS was asked for
}

// serveHeard starts a member that answers with what it heard. A nil config is plain HTTP.
func serveHeard(t *testing.T, node *harness.Node, port int, name string, config *tls.Config) {
	t.Helper()
	l, err := node.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		t.Fatal(err)
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		h := heard{Member: name, Header: r.Header, Proto: r.Proto}
		if r.TLS != nil {
			h.Asked = r.TLS.ServerName
		}
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			h.Client = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		_ = json.NewEncoder(w).Encode(h)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(answer), TLSConfig: config, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if config == nil {
			_ = server.Serve(l)
		} else {
			_ = server.ServeTLS(l, "", "")
		}
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
}

// browser is a client on a node that connects to the load balancer whatever the URL names, anew for each request.
func (s *site) browser(config *tls.Config) *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: config.Clone(), DisableKeepAlives: true, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return s.client.Dial(ctx, network, net.JoinHostPort(s.lb.VIP, port))
		},
	}}
}

// hear makes a request and returns the answer with what the member heard.
func hear(c *http.Client, url string, headers map[string]string) (*http.Response, heard, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return nil, heard{}, err
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := c.Do(r)
	if err != nil {
		return nil, heard{}, err
	}
	defer answer.Body.Close()
	var h heard
	if answer.StatusCode != http.StatusOK {
		return answer, h, fmt.Errorf("status %d", answer.StatusCode)
	}
	return answer, h, json.NewDecoder(answer.Body).Decode(&h)
}

// tlsSite is a site whose load balancer has no listener yet, with an authority for everybody.
func tlsSite(t *testing.T) (*site, *harness.Authority) {
	t.Helper()
	s := prepare(t, 0)
	lb, err := loadbalancers.Create(t.Context(), s.LoadBalancer, loadbalancers.CreateOpts{Name: "lb", VipSubnetID: s.net.SubnetID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.lb = &harness.LB{ID: lb.ID, VIP: lb.VipAddress}
	return s, harness.NewAuthority(t, "authority")
}

// front makes a listener.
func (s *site) front(t *testing.T, opts listeners.CreateOpts) string {
	t.Helper()
	opts.LoadbalancerID = s.lb.ID
	l, err := listeners.Create(t.Context(), s.LoadBalancer, opts).Extract()
	if err != nil {
		t.Fatalf("create listener %s: %v", opts.Name, err)
	}
	return l.ID
}

// backends makes a pool with members.
func (s *site) backends(t *testing.T, opts pools.CreateOpts, port int, nodes ...*harness.Node) (poolID string, memberIDs []string) {
	t.Helper()
	opts.LoadbalancerID, opts.LBMethod = s.lb.ID, pools.LBMethodRoundRobin
	p, err := pools.Create(t.Context(), s.LoadBalancer, opts).Extract()
	if err != nil {
		t.Fatalf("create pool %s: %v", opts.Name, err)
	}
	for _, node := range nodes {
		m, err := pools.CreateMember(t.Context(), s.LoadBalancer, p.ID, pools.CreateMemberOpts{
			Address: node.Address, ProtocolPort: port, SubnetID: s.net.SubnetID,
		}).Extract()
		if err != nil {
			t.Fatal(err)
		}
		memberIDs = append(memberIDs, m.ID)
	}
	return p.ID, memberIDs
}

// packed is a certificate with its key and chain as PKCS#12, which the key manager takes as a secret.
func packed(t *testing.T, i *harness.Identity) []byte {
	t.Helper()
	text, err := pkcs12.Modern.Encode(i.TLS.PrivateKey, i.TLS.Leaf, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var everySSLHeader = map[string]string{
	"X-Forwarded-Proto": "true", "X-Forwarded-For": "true", "X-SSL-Client-Verify": "true", "X-SSL-Client-Has-Cert": "true",
	"X-SSL-Client-DN": "true", "X-SSL-Client-CN": "true", "X-SSL-Issuer": "true", "X-SSL-Client-SHA1": "true",
	"X-SSL-Client-Not-Before": "true", "X-SSL-Client-Not-After": "true",
}

// TestTerminatedHTTPS ends TLS with an RSA certificate from a container and an ECDSA one from PKCS#12, speaks HTTP/2, and knows its
// clients by their certificates.
func TestTerminatedHTTPS(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	node := s.Plug(t, s.net)
	serveHeard(t, node, 8080, "m1", nil)
	known, revoked := a.Issue("client"), a.Issue("revoked")
	stranger := harness.NewAuthority(t, "authority").Issue("stranger")
	pool, _ := s.backends(t, pools.CreateOpts{Name: "pool", Protocol: pools.ProtocolHTTP}, 8080, node)
	crl := s.StoreText(t, "crl", secrets.OpaqueSecret, a.Revoke(revoked))
	listener := s.front(t, listeners.CreateOpts{
		Name: "tls", Protocol: listeners.ProtocolTerminatedHTTPS, ProtocolPort: 443, DefaultPoolID: pool,
		DefaultTlsContainerRef: s.StoreCertificate(t, "www", a.IssueRSA("www.example.com"), a.PEM),
		SniContainerRefs:       []string{s.StoreSecret(t, "shop", packed(t, a.Issue("shop.example.com", "*.shop.example.com")))},
		ClientAuthentication:   listeners.ClientAuthenticationOptional, ClientCATLSContainerRef: s.StoreText(t, "ca", secrets.OpaqueSecret, a.PEM),
		ClientCRLContainerRef: crl,
		InsertHeaders:         everySSLHeader, HSTSMaxAge: 1000, HSTSPreload: true,
	})
	s.WaitActive(t, s.lb.ID)

	for _, test := range []struct{ url, certificate string }{
		{"https://www.example.com", "www.example.com"}, {"https://shop.example.com", "shop.example.com"},
		{"https://a.shop.example.com", "shop.example.com"}, {"https://mail.example.com", "www.example.com"},
	} {
		answer, h, err := hear(s.browser(&tls.Config{InsecureSkipVerify: true}), test.url, nil)
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		got := []string{answer.TLS.PeerCertificates[0].Subject.CommonName, answer.Proto, answer.Header.Get("Strict-Transport-Security"), h.Header.Get("X-Forwarded-Proto")}
		if diff := cmp.Diff([]string{test.certificate, "HTTP/2.0", "max-age=1000; preload", "https"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.url, diff)
		}
	}
	spoofed := map[string]string{"X-SSL-Client-CN": "me", "X_SSL_Client_Verify": "0", "X-SSL-Anything": "me"}
	asClient := func(i *harness.Identity) (heard, error) {
		config := &tls.Config{RootCAs: a.Pool()}
		if i != nil {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &i.TLS, nil }
		}
		_, h, err := hear(s.browser(config), "https://www.example.com", spoofed)
		return h, err
	}
	for _, test := range []struct {
		name string
		by   *harness.Identity
		want map[string]string // nil is refused
	}{
		{"bad: revoked", revoked, nil},
		{"bad: a stranger's", stranger, nil},
		{"none", nil, map[string]string{"Verify": "0", "Has-Cert": "0", "Dn": "", "Cn": "", "Issuer": ""}},
		{"known", known, map[string]string{"Verify": "0", "Has-Cert": "1", "Dn": "/O=Plimsoll/CN=client", "Cn": "client", "Issuer": "/O=Plimsoll/CN=authority"}},
	} {
		h, err := asClient(test.by)
		if (err == nil) != (test.want != nil) {
			t.Errorf("certificate %s: %v", test.name, err)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(test.want, sslHeaders(h.Header)); diff != "" {
			t.Errorf("certificate %s (-want +got):\n%s", test.name, diff)
		}
	}
	mandatory := listeners.ClientAuthenticationMandatory
	if err := listeners.Update(t.Context(), s.LoadBalancer, listener, listeners.UpdateOpts{ClientAuthentication: &mandatory}).Err; err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	if _, err := asClient(nil); err == nil {
		t.Error("a client without a certificate is served, though it is mandatory")
	}
	if _, err := asClient(known); err != nil {
		t.Errorf("a known client, when a certificate is mandatory: %v", err)
	}
	s.replaceSecret(t, crl, a.Revoke(revoked, known))
	harness.Eventually(t, 20*time.Second, func() error {
		if _, err := asClient(known); err == nil {
			return errors.New("a client is served though its certificate was revoked since")
		}
		return nil
	})
	if _, err := asClient(a.Issue("another")); err != nil {
		t.Errorf("a client that was not revoked: %v", err)
	}
}

// sslHeaders are those of a client's certificate that are the same each time.
func sslHeaders(h http.Header) map[string]string {
	all := map[string]string{}
	for name, values := range h {
		plain := strings.ReplaceAll(name, "_", "-")
		short, ours := strings.CutPrefix(plain, "X-Ssl-")
		if !ours || strings.Contains(plain, "Sha1") || strings.Contains(plain, "Not-") {
			continue
		}
		all[strings.TrimPrefix(short, "Client-")] = strings.Join(values, ",")
	}
	return all
}

// TestReencryption speaks TLS to members: those whose certificates are not of the authority get nothing.
func TestReencryption(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	config := func(i *harness.Identity) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{i.TLS}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool()}
	}
	revoked := a.Issue("www.example.com")
	var nodes []*harness.Node
	for i, identity := range []*harness.Identity{a.Issue("www.example.com"), harness.NewAuthority(t, "other").Issue("www.example.com"), revoked} {
		nodes = append(nodes, s.Plug(t, s.net))
		serveHeard(t, nodes[i], 8443, fmt.Sprintf("m%d", i+1), config(identity))
	}
	pool, members := s.backends(t, pools.CreateOpts{
		Name: "pool", Protocol: pools.ProtocolHTTP, TLSEnabled: true, ALPNProtocols: []string{"h2", "http/1.1"},
		TLSContainerRef: s.StoreCertificate(t, "lb", a.Issue("lb"), a.PEM), CATLSContainerRef: s.StoreText(t, "ca", secrets.OpaqueSecret, a.PEM),
		CRLContainerRef: s.StoreText(t, "crl", secrets.OpaqueSecret, a.Revoke(revoked)), TLSVersions: []pools.TLSVersion{"TLSv1.3"},
	}, 8443, nodes...)
	err := monitors.Create(t.Context(), s.LoadBalancer, monitors.CreateOpts{
		Name: "hello", PoolID: pool, Type: "TLS-HELLO", Delay: 1, Timeout: 1, MaxRetries: 1, MaxRetriesDown: 1,
	}).Err
	if err != nil {
		t.Fatal(err)
	}
	s.front(t, listeners.CreateOpts{Name: "plain", Protocol: listeners.ProtocolHTTP, ProtocolPort: 80, DefaultPoolID: pool})
	s.front(t, listeners.CreateOpts{
		Name: "tls", Protocol: listeners.ProtocolTerminatedHTTPS, ProtocolPort: 443, DefaultPoolID: pool,
		DefaultTlsContainerRef: s.StoreSecret(t, "www", packed(t, a.Issue("www.example.com"))),
	})
	s.WaitActive(t, s.lb.ID)
	s.WaitOperating(t, s.lb.ID, members[0], "ONLINE")
	s.WaitOperating(t, s.lb.ID, members[1], "ERROR")
	s.WaitOperating(t, s.lb.ID, members[2], "ERROR")
	for url, want := range map[string]heard{
		"http://www.example.com":  {Member: "m1", Client: "lb", Proto: "HTTP/2.0"},
		"https://www.example.com": {Member: "m1", Client: "lb", Proto: "HTTP/2.0", Asked: "www.example.com"},
	} {
		for range 3 {
			_, h, err := hear(s.browser(&tls.Config{RootCAs: a.Pool()}), url, nil)
			h.Header = nil
			if diff := cmp.Diff(want, h); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", url, err, diff)
			}
		}
	}
}

// TestRenewedCertificate puts another certificate into a secret while clients come and stay: they get the new one, none notices, and
// HAProxy stays the same process. What is no certificate changes nothing but the status.
func TestRenewedCertificate(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	node := s.Plug(t, s.net)
	serveHeard(t, node, 8080, "m1", nil)
	pool, _ := s.backends(t, pools.CreateOpts{Name: "pool", Protocol: pools.ProtocolHTTP}, 8080, node)
	ref := s.StoreText(t, "www", secrets.OpaqueSecret, a.Issue("www.example.com").Bundle(a.PEM))
	listener := s.front(t, listeners.CreateOpts{
		Name: "tls", Protocol: listeners.ProtocolTerminatedHTTPS, ProtocolPort: 443, DefaultPoolID: pool, DefaultTlsContainerRef: ref,
	})
	s.WaitActive(t, s.lb.ID)
	before := s.HAProxies()
	if len(before) != 1 {
		t.Fatalf("HAProxy processes: %v", before)
	}
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- s.keepAsking(ctx, a) }()

	for range 3 {
		next := a.Issue("www.example.com")
		s.replaceSecret(t, ref, next.Bundle(a.PEM))
		harness.Eventually(t, 20*time.Second, func() error {
			answer, _, err := hear(s.browser(&tls.Config{RootCAs: a.Pool()}), "https://www.example.com", nil)
			if err == nil && !answer.TLS.PeerCertificates[0].Equal(next.TLS.Leaf) {
				err = errors.New("the listener shows the old certificate")
			}
			return err
		})
		s.WaitActive(t, s.lb.ID)
	}
	s.replaceSecret(t, ref, []byte("no certificate"))
	harness.Eventually(t, 20*time.Second, func() error {
		all, err := s.Statuses(t, s.lb.ID)
		if err == nil && all[listener].Provisioning != "ERROR" {
			err = fmt.Errorf("the listener is %s", all[listener].Provisioning)
		}
		return err
	})
	if reason, err := s.Reason(t, "listeners", listener); err != nil || reason == "" {
		t.Errorf("the reason is %q, %v", reason, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("a client noticed: %v", err)
	}
	if diff := cmp.Diff(before, s.HAProxies()); diff != "" {
		t.Errorf("HAProxy processes (-before +after):\n%s", diff)
	}
	s.replaceSecret(t, ref, a.Issue("www.example.com").Bundle(a.PEM))
	s.WaitActive(t, s.lb.ID)
}

// replaceSecret puts another payload into a secret.
func (s *site) replaceSecret(t *testing.T, ref string, payload []byte) {
	t.Helper()
	err := secrets.Update(t.Context(), s.KeyManager, path.Base(ref), secrets.UpdateOpts{ContentType: "text/plain", Payload: string(payload)}).Err
	if err != nil {
		t.Fatalf("replace the payload: %v", err)
	}
}

// keepAsking asks by one connection that it keeps and by a new one, in turn, until ctx ends or a request fails.
func (s *site) keepAsking(ctx context.Context, a *harness.Authority) error {
	config := &tls.Config{RootCAs: a.Pool(), ServerName: "www.example.com"}
	raw, err := s.client.Dial(ctx, "tcp", harness.JoinPort(s.lb.VIP, 443))
	if err != nil {
		return err
	}
	kept := tls.Client(raw, config)
	defer kept.Close()
	for ctx.Err() == nil {
		_ = kept.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.WriteString(kept, "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"); err != nil {
			return fmt.Errorf("ask by the kept connection: %w", err)
		}
		if err := readAnswer(kept); err != nil {
			return fmt.Errorf("read from the kept connection: %w", err)
		}
		if _, _, err := hear(s.browser(config), "https://www.example.com", nil); err != nil {
			return fmt.Errorf("ask by a new connection: %w", err)
		}
	}
	return nil
}

// readAnswer reads an answer, which ends with the line end of its JSON.
func readAnswer(r io.Reader) error {
	var all []byte
	for part := make([]byte, 4096); !bytes.HasSuffix(all, []byte("}\n")); {
		n, err := r.Read(part)
		if all = append(all, part[:n]...); err != nil {
			return fmt.Errorf("after %q: %w", all, err)
		}
	}
	if !bytes.HasPrefix(all, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer %q", all)
	}
	return nil
}

// TestForeignSecrets has references to what does not exist or belongs to another project: they are refused where they are written.
func TestForeignSecrets(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	other := s.Server.Tenant(t, "other")
	for name, ref := range map[string]string{
		"nobody's":  s.URL + "/key-manager/v1/secrets/00000000-0000-4000-8000-000000000000",
		"another's": other.StoreText(t, "www", secrets.OpaqueSecret, a.Issue("www.example.com").Bundle(a.PEM)),
		"no key":    s.StoreText(t, "ca", secrets.OpaqueSecret, a.PEM),
	} {
		err := listeners.Create(t.Context(), s.LoadBalancer, listeners.CreateOpts{
			LoadbalancerID: s.lb.ID, Protocol: listeners.ProtocolTerminatedHTTPS, ProtocolPort: 443, DefaultTlsContainerRef: ref,
		}).Err
		if err == nil || !strings.Contains(err.Error(), "Could not retrieve certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
