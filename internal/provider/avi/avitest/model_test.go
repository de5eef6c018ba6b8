package avitest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A bench asks a model, as the face would.
type bench struct {
	t       *testing.T
	m       *model
	tenant  string
	version string
}

const testBase = "https://127.0.0.1:8443"

func newBench(t *testing.T, o modelOptions) *bench {
	t.Helper()
	m, err := newModel(o)
	if err != nil {
		t.Fatal(err)
	}
	version := o.Version
	if version == "" {
		version = "18.2.6"
	}
	return &bench{t: t, m: m, version: version}
}

// in returns a bench that asks in a tenant, by uuid.
func (b *bench) in(tenant string) *bench {
	c := *b
	c.tenant = tenant
	return &c
}

// at returns a bench that asks with a version.
func (b *bench) at(version string) *bench {
	c := *b
	c.version = version
	return &c
}

// ask asks and returns the status and the decoded body. The path is "pool", "pool/<uuid>" or either with a query.
func (b *bench) ask(method, path, slug string, body any) (int, map[string]any) {
	b.t.Helper()
	a := b.raw(method, path, slug, body)
	var out map[string]any
	if len(a.Body) > 0 {
		if err := json.Unmarshal(a.Body, &out); err != nil {
			b.t.Fatalf("%s %s answers %s", method, path, a.Body)
		}
	}
	return a.Status, out
}

func (b *bench) raw(method, path, slug string, body any) answer {
	b.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		b.t.Fatal(err)
	}
	parts := append(strings.SplitN(path, "/", 3), "", "")
	c := call{Method: method, Kind: parts[0], UUID: parts[1], Action: parts[2], Query: q, TenantUUID: b.tenant, Slug: slug, Version: b.version, Base: testBase}
	if text, ok := body.(string); ok {
		c.Body = []byte(text)
	} else if body != nil {
		if c.Body, err = json.Marshal(body); err != nil {
			b.t.Fatal(err)
		}
	}
	return b.m.do(c)
}

// must asks and wants a status.
func (b *bench) must(status int, method, path, slug string, body any) map[string]any {
	b.t.Helper()
	got, out := b.ask(method, path, slug, body)
	if got != status {
		b.t.Fatalf("%s %s answers %d %v, want %d", method, path, got, out, status)
	}
	return out
}

// refuses asks and wants a status and words of the error.
func (b *bench) refuses(status int, words, method, path string, body any) {
	b.t.Helper()
	got, out := b.ask(method, path, "", body)
	text := fmt.Sprint(out["error"], out["detail"])
	if got != status || !strings.Contains(text, words) {
		b.t.Errorf("%s %s %v\nanswers %d %v,\nwant %d with %q", method, path, body, got, out, status, words)
	}
}

type js = map[string]any

// pool makes a pool and returns its path.
func (b *bench) pool(name string, more ...js) string {
	b.t.Helper()
	return b.make("pool", js{"name": name}, more...)
}

// vsvip makes a VsVip and returns its path.
func (b *bench) vsvip(name string, more ...js) string {
	b.t.Helper()
	return b.make("vsvip", js{"name": name, "vip": []any{js{"vip_id": "0", "ip_address": js{"addr": "10.0.0.9", "type": "V4"}}}}, more...)
}

// vs makes a virtual service on a VsVip and returns its path.
func (b *bench) vs(name, vip string, port int, more ...js) string {
	b.t.Helper()
	return b.make("virtualservice", js{"name": name, "vsvip_ref": vip, "services": []any{js{"port": port}}}, more...)
}

func (b *bench) make(kind string, body js, more ...js) string {
	b.t.Helper()
	for _, m := range more {
		for k, v := range m {
			body[k] = v
			if v == nil {
				delete(body, k)
			}
		}
	}
	o := b.must(http.StatusCreated, http.MethodPost, kind, "", body)
	return "/api/" + kind + "/" + o["uuid"].(string)
}

// uuidIn is the end of a path.
func uuidIn(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// keypair makes a certificate and its key as PEM. An authority may sign others.
func keypair(t *testing.T, cn string, authority, ec bool, names ...string) (certificate, key string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(123456789), Subject: pkix.Name{Country: []string{"US"}, Organization: []string{"IT"}, CommonName: cn},
		NotBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC),
		DNSNames: names, IsCA: authority, BasicConstraintsValid: true,
	}
	private, public, der := newKey(t, ec)
	c, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c}))
	return certificate, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newKey(t *testing.T, ec bool) (private, public any, der []byte) {
	t.Helper()
	var err error
	if ec {
		k, failed := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		private, public, err = k, &k.PublicKey, failed
	} else {
		k, failed := rsa.GenerateKey(rand.Reader, 2048)
		private, public, err = k, &k.PublicKey, failed
	}
	if err == nil {
		der, err = x509.MarshalPKCS8PrivateKey(private)
	}
	if err != nil {
		t.Fatal(err)
	}
	return private, public, der
}

// certificate makes a certificate object and returns its path.
func (b *bench) certificate(name string, ec bool) string {
	b.t.Helper()
	c, k := keypair(b.t, name, false, ec, name)
	return b.make("sslkeyandcertificate", js{"name": name, "key": k, "certificate": js{"certificate": c}})
}

// tenantNamed makes a tenant and returns its uuid.
func (b *bench) tenantNamed(name string, own bool) string {
	b.t.Helper()
	o := b.in("").must(http.StatusCreated, http.MethodPost, "tenant", "tenant-"+name, js{"name": name, "config_settings": js{"tenant_vrf": own}})
	return o["uuid"].(string)
}

func names(list any) []string {
	out := []string{}
	for _, e := range list.([]any) {
		out = append(out, fmt.Sprint(e.(map[string]any)["name"]))
	}
	return out
}

func want(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
