package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crossed are the headers of an answer that have to do with CORS.
func crossed(h http.Header) map[string]string {
	got := map[string]string{}
	for name := range h {
		if short, ok := strings.CutPrefix(name, "Access-Control-"); ok || name == "Vary" {
			got[short] = h.Get(name)
		}
	}
	return got
}

func TestCORS(t *testing.T) {
	named := CORS{
		Origins: []string{"https://a.example", "https://b.example"}, Credentials: true, Expose: []string{"X-Auth-Token", "X-Id"},
		Headers: []string{"X-Auth-Token"}, Methods: []string{"GET", "PUT"}, MaxAge: 60,
	}
	all := named
	all.Origins = []string{"*"}
	type table = map[string]string
	type headers = map[string]string
	const next = http.StatusTeapot
	vary := headers{"Vary": "Origin"}
	plain := headers{"Vary": "Origin", "Allow-Origin": "https://b.example", "Allow-Credentials": "true", "Expose-Headers": "X-Auth-Token,X-Id"}
	tests := []struct {
		name   string
		cors   CORS
		method string
		given  table
		code   int
		want   headers
	}{
		{"off", CORS{Methods: []string{"GET"}}, "GET", table{"Origin": "https://a.example"}, next, headers{}},
		{"bad origin", named, "GET", table{"Origin": "https://evil.example"}, next, vary},
		{"bad origin: another scheme", named, "GET", table{"Origin": "http://a.example"}, next, vary},
		{"bad origin: a part of one", named, "GET", table{"Origin": "https://a.example.evil"}, next, vary},
		{"bad preflight: origin", named, "OPTIONS", table{"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}, next, vary},
		{"bad preflight: method", named, "OPTIONS", table{"Origin": "https://a.example", "Access-Control-Request-Method": "DELETE"}, next, vary},
		{"bad preflight: no method", named, "OPTIONS", table{"Origin": "https://a.example"}, next, vary},
		{"bad preflight: header", named, "OPTIONS", table{"Origin": "https://a.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-auth-token, x-evil"}, next, vary},
		{"no origin", named, "GET", nil, next, vary},
		{"request", named, "GET", table{"Origin": "https://b.example"}, next, plain},
		{"request of a method that needs a preflight", named, "DELETE", table{"Origin": "https://b.example"}, next, plain},
		{"request from anywhere", all, "GET", table{"Origin": "https://c.example"}, next, headers{"Vary": "Origin", "Allow-Origin": "*", "Expose-Headers": "X-Auth-Token,X-Id"}},
		{"preflight", named, "OPTIONS", table{"Origin": "https://a.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-auth-token, Content-Type"}, 200,
			headers{"Vary": "Origin", "Allow-Origin": "https://a.example", "Allow-Credentials": "true", "Max-Age": "60", "Allow-Methods": "PUT", "Allow-Headers": "x-auth-token,Content-Type"}},
		{"preflight from anywhere", all, "OPTIONS", table{"Origin": "null", "Access-Control-Request-Method": "GET"}, 200,
			headers{"Vary": "Origin", "Allow-Origin": "*", "Max-Age": "60", "Allow-Methods": "GET"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "/", nil)
			for name, value := range test.given {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			test.cors.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(next) })).ServeHTTP(w, r)
			if w.Code != test.code {
				t.Errorf("code %d, want %d", w.Code, test.code)
			}
			if diff := cmp.Diff(test.want, crossed(w.Header())); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if id := w.Header().Get("X-Openstack-Request-Id"); w.Code == 200 && !strings.HasPrefix(id, "req-") {
				t.Errorf("the request id is %q", id)
			}
		})
	}
}
