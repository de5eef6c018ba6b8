package barbican_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plimsoll/internal/api/barbican"
	"plimsoll/internal/keymanager"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/internal/web/webtest"
)

const (
	mine    = "0123456789abcdef0123456789abcdef"
	foreign = "fedcba9876543210fedcba9876543210"
)

// people are who sends the requests of these tests: the token is the name, and the user's id.
func people() webtest.Actors {
	all := webtest.Actors{
		"alice":    {ProjectID: mine, Roles: []string{"member", "reader"}},
		"carol":    {ProjectID: mine, Roles: []string{"member", "reader"}},
		"creator":  {ProjectID: mine, Roles: []string{"creator"}},
		"observer": {ProjectID: mine, Roles: []string{"observer"}},
		"audit":    {ProjectID: mine, Roles: []string{"audit"}},
		"reader":   {ProjectID: mine, Roles: []string{"reader"}},
		"boss":     {ProjectID: mine, Roles: []string{"admin", "member", "reader"}},
		"bob":      {ProjectID: foreign, Roles: []string{"member", "reader"}},
		"king":     {ProjectID: foreign, Roles: []string{"admin", "member", "reader"}},
		"friend":   {ProjectID: foreign, Roles: []string{"reader"}},
		"system":   {System: true, Roles: []string{"admin", "member", "reader"}},
		"nobody":   {},
	}
	for name, actor := range all {
		actor.UserID = name
	}
	return all
}

type object = map[string]any

// fixture is the API on an empty store, mounted under /key-manager.
type fixture struct {
	t     testing.TB
	url   string
	store *store.Store
	file  string // of the database
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	connection := storetest.Connection(t, store.SQLite)
	file := strings.TrimPrefix(connection, "sqlite:///")
	s := storetest.Reopen(t, connection)
	s.SetKey(bytes.Repeat([]byte{7}, keymanager.KeySize))
	handler := barbican.New(barbican.Config{Store: s, Auth: people(), Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(http.StripPrefix("/key-manager", handler))
	t.Cleanup(server.Close)
	return &fixture{t, server.URL + "/key-manager", s, file}
}

// answer is what came back: the object, where it is one, and the text.
type answer struct {
	code   int
	header http.Header
	text   string
	body   object
}

// call sends a request as somebody; the body is text, or something that is written as JSON. Headers are names and values.
func (f *fixture) call(who, method, path string, body any, headers ...string) answer {
	f.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = f.url + path
	}
	a := webtest.Send(f.t, webtest.Request{Method: method, URL: path, Token: who, Body: body, Headers: headers})
	return answer{code: a.Code, header: a.Header, text: a.Text, body: a.Body}
}

// want is call, and fails unless the code is the one given.
func (f *fixture) want(code int, who, method, path string, body any, headers ...string) answer {
	f.t.Helper()
	a := f.call(who, method, path, body, headers...)
	if a.code != code {
		f.t.Fatalf("%s %s %v by %s answers %d %s, want %d", method, path, body, who, a.code, a.text, code)
	}
	return a
}

// secret stores one and returns its path.
func (f *fixture) secret(who string, attributes object) string {
	f.t.Helper()
	ref := f.want(201, who, "POST", "/v1/secrets", attributes).body["secret_ref"].(string)
	return strings.TrimPrefix(ref, f.url)
}

// text stores a text and returns its path.
func (f *fixture) text(who, name, payload string) string {
	f.t.Helper()
	return f.secret(who, object{"name": name, "payload": payload, "payload_content_type": "text/plain"})
}

// container makes one and returns its path.
func (f *fixture) container(who string, attributes object) string {
	f.t.Helper()
	ref := f.want(201, who, "POST", "/v1/containers", attributes).body["container_ref"].(string)
	return strings.TrimPrefix(ref, f.url)
}

// fault is what an answer says of an error.
func (f *fixture) fault(a answer) (code int, description string) {
	f.t.Helper()
	if a.body["code"] != float64(a.code) || a.body["title"] != http.StatusText(a.code) || len(a.body) != 3 {
		f.t.Errorf("answer %d %s is no fault", a.code, a.text)
	}
	text, _ := a.body["description"].(string)
	return a.code, text
}

// bad is a request that is refused, and how.
type bad struct {
	name         string
	method, path string
	body         any
	headers      []string
	code         int
	description  string
}

// refuse sends bad requests by alice.
func (f *fixture) refuse(all []bad) {
	f.t.Helper()
	for _, b := range all {
		code, description := f.fault(f.call("alice", b.method, b.path, b.body, b.headers...))
		if code != b.code || description != b.description {
			f.t.Errorf("%s: %s %s answers %d %q, want %d %q", b.name, b.method, b.path, code, description, b.code, b.description)
		}
	}
}
