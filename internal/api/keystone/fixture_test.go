package keystone

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/internal/web/webtest"
)

const adminPassword = "correct horse"

// fixture is a service with its first start done, mounted under /identity.
type fixture struct {
	*Service
	t   testing.TB
	url string // …/identity
	// skew is added to the service's clock, which stands still, in nanoseconds.
	skew atomic.Int64
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureOn(t, storetest.Open(t, store.SQLite))
}

func newFixtureOn(t testing.TB, s *store.Store) *fixture {
	t.Helper()
	service, err := New(Config{
		Store: s, KeyDir: filepath.Join(t.TempDir(), "keys"), Log: slog.New(slog.DiscardHandler),
		LockoutAttempts: 3, LockoutTime: time.Minute,
		Endpoints: []identity.Endpoint{
			{Type: "identity", Name: "keystone", Path: "/identity"},
			{Type: "network", Name: "neutron", Path: "/networking"},
			{Type: "load-balancer", Name: "octavia", Path: "/load-balancer"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Service: service, t: t}
	start := time.Now()
	service.now = func() time.Time { return start.Add(time.Duration(f.skew.Load())) }
	service.passwords.cost = bcrypt.MinCost
	if err := service.Bootstrap(t.Context(), adminPassword, adminPassword); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/identity", service.Handler()))
	t.Cleanup(server.Close)
	f.url = server.URL + "/identity"
	return f
}

// answer is what the service said.
type answer struct {
	Status int
	Header http.Header
	Body   map[string]any
}

// call sends a request; the body is text, or something that is written as JSON.
func (f *fixture) call(method, path, token string, body any, header ...string) answer {
	f.t.Helper()
	a := webtest.Send(f.t, webtest.Request{Method: method, URL: f.url + path, Token: token, Body: body, Headers: header})
	if a.Text != "" && a.Body == nil {
		f.t.Fatalf("%s %s answers %q", method, path, a.Text)
	}
	return answer{Status: a.Code, Header: a.Header, Body: a.Body}
}

// want is call, and fails unless the status is the one given.
func (f *fixture) want(status int, method, path, token string, body any, header ...string) answer {
	f.t.Helper()
	a := f.call(method, path, token, body, header...)
	if a.Status != status {
		f.t.Fatalf("%s %s answers %d %v, want %d", method, path, a.Status, a.Body, status)
	}
	return a
}

type object = map[string]any

// passwordAuth is the body of a log-in; a nil scope is none.
func passwordAuth(user, password string, scope any) object {
	auth := object{"identity": object{
		"methods": []string{"password"},
		"password": object{"user": object{
			"name": user, "domain": object{"name": "Default"}, "password": password,
		}},
	}}
	if scope != nil {
		auth["scope"] = scope
	}
	return object{"auth": auth}
}

func tokenAuth(token string, scope any) object {
	auth := object{"identity": object{"methods": []string{"token"}, "token": object{"id": token}}}
	if scope != nil {
		auth["scope"] = scope
	}
	return object{"auth": auth}
}

var systemScope = object{"system": object{"all": true}}

func projectScope(name string) object {
	return object{"project": object{"name": name, "domain": object{"id": "default"}}}
}

// token logs in.
func (f *fixture) token(user string, scope any) string {
	f.t.Helper()
	return f.tokenBy(passwordAuth(user, adminPassword, scope))
}

func (f *fixture) tokenBy(body object) string {
	f.t.Helper()
	return f.want(201, "POST", "/v3/auth/tokens", "", body).Header.Get("X-Subject-Token")
}

// id finds an object by name.
func (f *fixture) id(token, collection, name string) string {
	f.t.Helper()
	a := f.want(200, "GET", "/v3/"+collection+"?name="+name, token, nil)
	list := a.Body[collection].([]any)
	if len(list) != 1 {
		f.t.Fatalf("%d %s are called %s", len(list), collection, name)
	}
	return list[0].(object)["id"].(string)
}

// message is the text of an error.
func (a answer) message() string {
	e, _ := a.Body["error"].(object)
	text, _ := e["message"].(string)
	return text
}
