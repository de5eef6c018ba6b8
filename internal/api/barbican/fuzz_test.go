package barbican_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// answers fails unless the API answers what a client can have caused, in JSON or with a payload.
func (f *fixture) answers(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	f.t = t
	a := f.call("alice", method, path, body, headers...)
	known := []int{200, 201, 204, 400, 404, 405, 406, 409, 413, 415}
	if !slices.Contains(known, a.code) || a.header.Get("Content-Type") == "application/json" && !json.Valid([]byte(a.text)) {
		t.Errorf("%s %s %q with %q answers %d %q", method, path, body, headers, a.code, a.text)
	}
	return a
}

// FuzzBody sends any body to whatever reads one.
func FuzzBody(f *testing.F) {
	x := newFixture(f)
	s, c := x.text("alice", "s", "x"), x.container("alice", object{"type": "generic"})
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"name": "a\u0000"}`, `{"payload": "eA==", "payload_content_type": "text/plain; charset=utf-8", "payload_content_encoding": "base64"}`,
		`{"bit_length": 1e3, "expiration": "2099-01-01 00:00", "secret_type": "opaque", "algorithm": "\ud800"}`, `{"type": "generic", "secret_refs": [{"name": "a", "secret_ref": "/v1/secrets/"}]}`,
		`{"read": {"users": ["a"], "project-access": true}}`, `{"metadata": {"a": "b"}}`, `{"key": "k", "value": "v"}`,
		`{"service": "a", "resource_type": "b", "resource_id": "c"}`, `{"name": "a", "URL": "b"}`, "\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/v1/secrets", "/v1/containers", s + "/metadata", s + "/consumers", c + "/secrets", c + "/consumers"} {
			a := x.answers(t, "POST", path, body)
			if made, ok := a.body["secret_ref"].(string); ok && a.code == http.StatusCreated {
				x.answers(t, "GET", strings.TrimPrefix(made, x.url), nil)
				x.answers(t, "DELETE", strings.TrimPrefix(made, x.url), nil)
			}
			if made, ok := a.body["container_ref"].(string); ok && path == "/v1/containers" && a.code == http.StatusCreated {
				x.answers(t, "DELETE", strings.TrimPrefix(made, x.url), nil)
			}
		}
		for _, path := range []string{s + "/metadata", s + "/metadata/k", s + "/acl", c + "/acl"} {
			x.answers(t, "PUT", path, body)
		}
		x.answers(t, "PATCH", s+"/acl", body)
		for _, path := range []string{s + "/consumers", c + "/consumers", c + "/secrets"} {
			x.answers(t, "DELETE", path, body)
		}
	})
}

// FuzzPayload gives a secret any payload with any headers, and reads it: what was taken comes back.
func FuzzPayload(f *testing.F) {
	x := newFixture(f)
	s := x.text("alice", "s", "x")
	f.Add("x", "text/plain", "", "text/plain;q=0.5, */*")
	f.Add("eA==\n", "application/octet-stream", "base64", "application/*;q=2")
	f.Add("\xff", "TEXT/plain; charset=\"utf-8\"", "binary", "text/plain;charset=utf-8;q=x,,;")
	f.Fuzz(func(t *testing.T, payload, kind, encoding, accept string) {
		for _, header := range []string{kind, encoding, accept} {
			if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
				return // it is no header: the client refuses to send it
			}
		}
		put := x.answers(t, "PUT", s, payload, "Content-Type", kind, "Content-Encoding", encoding)
		got := x.answers(t, "GET", s+"/payload", nil)
		if put.code == http.StatusNoContent && !strings.EqualFold(encoding, "base64") && got.text != payload {
			t.Errorf("of %q comes back %q", payload, got.text)
		}
		x.answers(t, "GET", s+"/payload", nil, "Accept", accept)
		x.answers(t, "GET", s, nil, "Accept", accept)
	})
}

// FuzzList asks for lists in any way.
func FuzzList(f *testing.F) {
	x := newFixture(f)
	x.text("alice", "s", "x")
	f.Add("limit=1&offset=-1&sort=name:desc,created")
	f.Add("created=gt:2026-01-01T00:00:00,lte:0001-01-01&updated=9999-12-31T23:59:59-23:59")
	f.Add("name=%ff&alg=%00&acl_only=true&bits=99999999999999999999")
	f.Fuzz(func(t *testing.T, query string) {
		query = (&url.URL{Path: "/", RawQuery: query}).RawQuery
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
			query = url.QueryEscape(query)
		}
		x.answers(t, "GET", "/v1/secrets?"+query, nil)
		x.answers(t, "GET", "/v1/containers?"+query, nil)
	})
}
