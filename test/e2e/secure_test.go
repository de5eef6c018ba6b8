package e2e

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/sha1"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"

	"plimsoll/test/harness"
)

// TestClientCertificates has L7 rules and headers over clients' certificates.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	node := s.Plug(t, s.net)
	serveHeard(t, node, 8080, "m1", nil)
	headers := object{"X-SSL-Client-SHA1": "true", "X-SSL-Client-Not-Before": "true", "X-SSL-Client-Not-After": "true"}
	listener, _ := s.lead(t, "TERMINATED_HTTPS", 443, object{
		"default_tls_container_ref":   s.StoreSecret(t, "www", packed(t, a.Issue("www.example.com"))),
		"client_authentication":       "OPTIONAL",
		"client_ca_tls_container_ref": s.StoreText(t, "ca", secrets.OpaqueSecret, a.PEM), "insert_headers": headers,
	}, nil, 8080, node)
	never := rule("SSL_VERIFY_RESULT", "EQUAL_TO", "", "10")
	never["invert"] = true
	rules := map[string][]object{
		"certificate": {rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "", "True")},
		"verified":    {rule("SSL_VERIFY_RESULT", "EQUAL_TO", "", "0"), rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "", "true")},
		"not-expired": {never},
		"field":       {rule("SSL_DN_FIELD", "EQUAL_TO", "O", "Plimsoll"), rule("SSL_DN_FIELD", "STARTS_WITH", "CN", "first of")},
		"regex":       {rule("SSL_DN_FIELD", "REGEX", "CN", "^first .* it's$")},
	}
	for name, all := range rules {
		policy := s.create(t, "/l7policies", "l7policy", object{"listener_id": listener, "action": "REDIRECT_TO_URL", "redirect_url": "http://hit/" + name})
		for _, r := range append(all, rule("PATH", "EQUAL_TO", "", "/"+name)) {
			s.create(t, "/l7policies/"+policy+"/rules", "rule", r)
		}
	}
	s.WaitActive(t, s.lb.ID)
	known := a.Issue("first of them, it's")
	for _, test := range []struct {
		name string
		by   *harness.Identity
		hit  []string
	}{
		{"none", nil, []string{"not-expired"}},
		{"another", a.Issue("second of them"), []string{"certificate", "not-expired", "verified"}},
		{"known", known, []string{"certificate", "field", "not-expired", "regex", "verified"}},
	} {
		client := s.as(a, test.by)
		var hit []string
		for _, name := range []string{"certificate", "field", "not-expired", "regex", "verified"} {
			resp, _, err := exchange(client, http.MethodGet, "https://www.example.com/"+name, nil)
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			if resp.StatusCode == http.StatusFound && resp.Header.Get("Location") == "http://hit/"+name {
				hit = append(hit, name)
			}
		}
		if diff := cmp.Diff(test.hit, hit); diff != "" {
			t.Errorf("certificate %s: policies that match (-want +got):\n%s", test.name, diff)
		}
	}
	_, h, err := hear(s.as(a, known), "https://www.example.com", nil)
	const form = "060102150405Z"
	want := map[string]string{
		"X-Ssl-Client-Sha1":       fmt.Sprintf("%X", sha1.Sum(known.TLS.Certificate[0])),
		"X-Ssl-Client-Not-Before": known.TLS.Leaf.NotBefore.Format(form), "X-Ssl-Client-Not-After": known.TLS.Leaf.NotAfter.Format(form),
	}
	got := map[string]string{}
	for name := range want {
		got[name] = h.Header.Get(name)
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("headers of a certificate: %v (-want +got):\n%s", err, diff)
	}
}

// TestLongNames has a client with long names in its certificate send a body right behind its headers: what is inserted finds its place.
func TestLongNames(t *testing.T) {
	t.Parallel()
	s, _ := tlsSite(t)
	a := harness.NewAuthority(t, strings.Repeat("An Authority of a Long Name ", 20))
	node := s.Plug(t, s.net)
	serveWorkload(t, node, 8080, nil)
	s.lead(t, "TERMINATED_HTTPS", 443, object{
		"default_tls_container_ref":   s.StoreSecret(t, "www", packed(t, a.Issue("www.example.com"))),
		"client_authentication":       "MANDATORY",
		"client_ca_tls_container_ref": s.StoreText(t, "ca", secrets.OpaqueSecret, a.PEM), "insert_headers": everySSLHeader,
	}, nil, 8080, node)
	s.WaitActive(t, s.lb.ID)
	for _, length := range []int{10, 300, 1000} {
		c := tls.Client(s.dial(t, 443), &tls.Config{RootCAs: a.Pool(), ServerName: "www.example.com", DynamicRecordSizingDisabled: true,
			Certificates: []tls.Certificate{a.Issue(strings.Repeat("x", length)).TLS}})
		_ = c.SetDeadline(time.Now().Add(patience))
		const size = 40000
		text := fmt.Sprintf("POST /digest HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("b", size))
		go func() { _, _ = io.WriteString(c, text) }()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("a name of %d characters: %v, %v", length, resp, err)
			continue
		}
		_ = resp.Body.Close()
	}
}

// as is a browser with a certificate, or without, that follows no redirects.
func (s *site) as(a *harness.Authority, i *harness.Identity) *http.Client {
	config := &tls.Config{RootCAs: a.Pool()}
	if i != nil {
		config.Certificates = []tls.Certificate{i.TLS}
	}
	c := s.browser(config)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// TestCryptography has listeners of some versions, ciphers and protocols: clients get these and no others. Nobody finds the private key
// but root, who reads HAProxy's files.
func TestCryptography(t *testing.T) {
	t.Parallel()
	s, a := tlsSite(t)
	node := s.Plug(t, s.net)
	serveHeard(t, node, 8080, "m1", nil)
	www := a.Issue("www.example.com")
	ref := s.StoreText(t, "www", secrets.OpaqueSecret, www.Bundle())
	old := object{"default_tls_container_ref": ref, "tls_versions": []string{"TLSv1.2"}, "alpn_protocols": []string{"http/1.1"},
		"tls_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"}
	modern := object{"sni_container_refs": []string{ref}, "tls_versions": []string{"TLSv1.3"}, "tls_ciphers": "TLS_CHACHA20_POLY1305_SHA256"}
	listener, _ := s.lead(t, "TERMINATED_HTTPS", 443, old, nil, 8080, node)
	s.lead(t, "TERMINATED_HTTPS", 444, modern, nil, 8080, node)
	s.WaitActive(t, s.lb.ID)
	type agreed struct {
		version, cipher uint16
		protocol        string
	}
	for _, test := range []struct {
		name     string
		port     int
		low, top uint16
		ciphers  []uint16
		want     agreed // zero is refused
	}{
		{"bad: only 1.3", 443, tls.VersionTLS13, tls.VersionTLS13, nil, agreed{}},
		{"bad: another cipher", 443, 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, agreed{}},
		{"bad: only 1.2", 444, 0, tls.VersionTLS12, nil, agreed{}},
		{"1.2", 443, 0, 0, nil, agreed{tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "http/1.1"}},
		{"1.3", 444, 0, 0, nil, agreed{tls.VersionTLS13, tls.TLS_CHACHA20_POLY1305_SHA256, "h2"}},
	} {
		c := tls.Client(s.dial(t, test.port), &tls.Config{RootCAs: a.Pool(), ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"},
			MinVersion: test.low, MaxVersion: test.top, CipherSuites: test.ciphers})
		_ = c.SetDeadline(time.Now().Add(patience))
		var got agreed
		if err := c.Handshake(); err == nil {
			state := c.ConnectionState()
			got = agreed{state.Version, state.CipherSuite, state.NegotiatedProtocol}
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(agreed{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if reason, err := s.Reason(t, "listeners", listener); err != nil || !strings.Contains(reason, "expires") {
		t.Errorf("of a certificate that expires in an hour the listener says %q, %v", reason, err)
	}
	s.keeps(t, www)
}

// keeps looks for a private key in everything below the state directory: it is in HAProxy's files, in the
// form that they have and in the one that they go back to when HAProxy refuses another, and in nothing else.
func (s *site) keeps(t *testing.T, i *harness.Identity) {
	t.Helper()
	block, _ := pem.Decode(i.Key)
	secret, err := i.TLS.PrivateKey.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(i.Key), []byte("\n"))
	found := 0
	err = filepath.WalkDir(s.StateDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Contains(text, block.Bytes) && !bytes.Contains(text, secret) && !bytes.Contains(text, lines[1]) {
			return nil
		}
		found++
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if dir := filepath.Base(filepath.Dir(path)); dir != "files" && dir != "kept" || info.Mode().Perm() != 0o600 {
			t.Errorf("the private key is in %s, of mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("the private key is in %d files, %v", found, err)
	}
}
