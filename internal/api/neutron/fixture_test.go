package neutron_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plimsoll/internal/api/neutron"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/internal/web/webtest"
)

// people are who sends the requests of these tests: the token is the name.
func people() webtest.Actors {
	return webtest.Actors{
		"admin":    {ProjectID: "admins", Roles: []string{"admin", "member", "reader"}},
		"alice":    {ProjectID: "alices", Roles: []string{"member", "reader"}},
		"bob":      {ProjectID: "bobs", Roles: []string{"member", "reader"}},
		"reader":   {ProjectID: "alices", Roles: []string{"reader"}},
		"balancer": {ProjectID: "alices", Roles: []string{"load-balancer_member"}},
		"nobody":   {},
		"system":   {System: true, Roles: []string{"admin"}},
	}
}

type object = map[string]any

// fixture is the API on an empty store, mounted under /networking.
type fixture struct {
	t     testing.TB
	url   string
	store *store.Store
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	s := storetest.Open(t, store.SQLite)
	handler := neutron.New(neutron.Config{Store: s, Auth: people(), Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(http.StripPrefix("/networking", handler))
	t.Cleanup(server.Close)
	return &fixture{t, server.URL + "/networking", s}
}

// call sends a request as somebody; the body is text, or something that is written as JSON. The answer's body is nil if it is none.
func (f *fixture) call(who, method, path string, body any) (int, object) {
	f.t.Helper()
	if path[0] == '/' {
		path = f.url + path
	}
	a := webtest.Send(f.t, webtest.Request{Method: method, URL: path, Token: who, Body: body})
	if a.Text != "" && a.Body == nil {
		f.t.Fatalf("%s %s answers %q", method, path, a.Text)
	}
	return a.Code, a.Body
}

// want is call, and fails unless the code is the one given.
func (f *fixture) want(code int, who, method, path string, body any) object {
	f.t.Helper()
	got, o := f.call(who, method, path, body)
	if got != code {
		f.t.Fatalf("%s %s %s by %s answers %d %v, want %d", method, path, body, who, got, o, code)
	}
	return o
}

// add makes an object and returns it.
func (f *fixture) add(who, noun string, attributes object) object {
	f.t.Helper()
	return f.want(201, who, "POST", "/v2.0/"+noun+"s", object{noun: attributes})[noun].(object)
}

// lan makes a network with a subnet. Of a /24 the addresses from 101 to 240 are given out, so that none is drawn that a test names.
func (f *fixture) lan(who string, network object, cidr string) (networkID, subnetID string) {
	f.t.Helper()
	n := f.add(who, "network", network)
	subnet := object{"network_id": n["id"], "cidr": cidr, "ip_version": 4}
	if net, ok := strings.CutSuffix(cidr, "0/24"); ok {
		subnet["allocation_pools"] = []object{{"start": net + "101", "end": net + "240"}}
	}
	s := f.add(who, "subnet", subnet)
	return n["id"].(string), s["id"].(string)
}

// defaultGroup is the id of the default security group of somebody's project.
func (f *fixture) defaultGroup(who string) string {
	f.t.Helper()
	project := people()[who].ProjectID
	found := f.want(200, who, "GET", "/v2.0/security-groups?name=default&project_id="+project, nil)["security_groups"].([]any)
	if len(found) != 1 {
		f.t.Fatalf("%s has %d default security groups", who, len(found))
	}
	return found[0].(object)["id"].(string)
}

// names lists objects and returns their names in order.
func (f *fixture) names(who, plural, query string) []string {
	f.t.Helper()
	found := []string{}
	for _, item := range f.want(200, who, "GET", "/v2.0/"+plural+"?"+query, nil)[strings.ReplaceAll(plural, "-", "_")].([]any) {
		found = append(found, item.(object)["name"].(string))
	}
	return found
}

// refusal is what a fault says.
type refusal struct {
	Code int
	Type string
	Text string
}

func (f *fixture) refused(who, method, path string, body any) refusal {
	f.t.Helper()
	code, o := f.call(who, method, path, body)
	e, ok := o["NeutronError"].(object)
	if !ok {
		f.t.Errorf("%s %s %v answers %d %v, want an error", method, path, body, code, o)
		return refusal{Code: code}
	}
	return refusal{code, e["type"].(string), e["message"].(string)}
}
