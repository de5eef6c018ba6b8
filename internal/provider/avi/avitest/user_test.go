package avitest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// user is somebody with a session, who sends what a client of a recorded controller sent, unless told otherwise.
type user struct {
	t       *testing.T
	s       *Server
	client  *http.Client
	cookies map[string]string
	version string
	tenant  string            // by name
	header  map[string]string // further headers; an empty value takes one away
}

// told is an answer.
type told struct {
	status  int
	phrase  string
	header  http.Header
	cookies map[string]*http.Cookie
	text    string
	body    map[string]any
}

func newUser(t *testing.T, s *Server) *user {
	transport := &http.Transport{TLSClientConfig: trusting(s)}
	t.Cleanup(transport.CloseIdleConnections)
	return &user{
		t: t, s: s, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}, cookies: map[string]string{},
		version: s.opts.Version, tenant: "admin", header: map[string]string{},
	}
}

// loggedIn is a user with a session.
func loggedIn(t *testing.T, s *Server) *user {
	t.Helper()
	u := newUser(t, s)
	if got := u.login(s.User, s.Password); got.status != http.StatusOK {
		t.Fatalf("log in: %d %s", got.status, got.text)
	}
	return u
}

func (u *user) login(name, password string) told {
	u.t.Helper()
	form := url.Values{"username": {name}, "password": {password}}
	req := u.request(http.MethodPost, "/login", strings.NewReader(form.Encode()))
	req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return u.send(req)
}

func (u *user) request(method, path string, body io.Reader) *http.Request {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.s.URL+path, body)
	if err != nil {
		u.t.Fatal(err)
	}
	return req
}

// do makes a request with all that recorded requests carried.
func (u *user) do(method, path string, body any) told {
	u.t.Helper()
	got, err := u.try(method, path, body)
	if err != nil {
		u.t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

func (u *user) try(method, path string, body any) (told, error) {
	u.t.Helper()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(encode(body))
	}
	req := u.request(method, path, reader)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(headerVersion, u.version)
	req.Header.Set(headerTenant, u.tenant)
	req.Header.Set("Referer", u.s.URL)
	req.Header.Set(headerCSRF, u.cookies[cookieCSRF])
	for name, value := range u.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, value := range u.header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	return u.sent(req)
}

func (u *user) send(req *http.Request) told {
	u.t.Helper()
	got, err := u.sent(req)
	if err != nil {
		u.t.Fatal(err)
	}
	return got
}

func (u *user) sent(req *http.Request) (told, error) {
	resp, err := u.client.Do(req)
	if err != nil {
		return told{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return told{}, err
	}
	_, phrase, _ := strings.Cut(resp.Status, " ")
	got := told{status: resp.StatusCode, phrase: phrase, header: resp.Header, cookies: map[string]*http.Cookie{}, text: string(raw)}
	_ = json.Unmarshal(raw, &got.body) // nil where it is no object
	for _, c := range resp.Cookies() {
		got.cookies[c.Name] = c
		u.cookies[c.Name] = c.Value
	}
	return got, nil
}

// must is do for requests that have to succeed.
func (u *user) must(method, path string, body any) map[string]any {
	u.t.Helper()
	got := u.do(method, path, body)
	if got.status >= http.StatusBadRequest {
		u.t.Fatalf("%s %s: %d %s", method, path, got.status, got.text)
	}
	return got.body
}

// make creates an object with a UUID of the test's choice.
func (u *user) make(kind, uuid string, body map[string]any) map[string]any {
	u.t.Helper()
	u.header[headerSlug] = uuid
	defer delete(u.header, headerSlug)
	return u.must(http.MethodPost, "/api/"+kind, body)
}

// forgetting is the user without some cookies.
func (u *user) forgetting(names ...string) *user {
	c := *u
	c.cookies = maps.Clone(u.cookies)
	for _, name := range names {
		delete(c.cookies, name)
	}
	c.header = maps.Clone(u.header)
	return &c
}

// query is one parameter of a URL.
func query(name, value string) string { return url.Values{name: {value}}.Encode() }
