package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/barbican"
	"plimsoll/internal/api/octavia"
	"plimsoll/internal/config"
)

func TestDeploymentOptions(t *testing.T) {
	same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(octavia.DefaultOptions(), apiOptions(config.Default()), same); diff != "" {
		t.Errorf("without a configuration (-want +got):\n%s", diff)
	}
	c := config.Default()
	c.API.AllowSorting, c.Deployment.AllowPing, c.Networking.AllowVIPPort = false, false, false
	want := octavia.DefaultOptions()
	want.AllowSorting, want.AllowPing, want.AllowVIPPort = false, false, false
	if diff := cmp.Diff(want, apiOptions(c), same); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	keys := &barbican.Service{}
	if certificates(c, keys) != keys {
		t.Errorf("barbican_cert_manager is %v", certificates(c, keys))
	}
	c.CertManager = config.NoopCertManager
	if certificates(c, keys) != (octavia.AnyCertificate{}) {
		t.Errorf("noop_cert_manager is %v", certificates(c, keys))
	}
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails error
		asked := 0
		h := &health{ping: func(context.Context) error { asked++; return fails }}
		ask := func(method, accept string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, "/healthcheck", nil)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		tests := []struct{ accept, kind, good, bad string }{
			{"", "text/plain; charset=utf-8", "OK", "The database does not answer."},
			{"*/*", "text/plain; charset=utf-8", "OK", "The database does not answer."},
			{"image/png, application/json;q=0.5", "application/json", `{"detailed":false,"reasons":["OK"]}`, `{"detailed":false,"reasons":["The database does not answer."]}`},
			{"text/html,*/*", "text/html; charset=utf-8", "<td>OK</td>", "<td>The database does not answer.</td>"},
		}
		for _, test := range tests {
			if w := ask("GET", test.accept); w.Code != 200 || w.Header().Get("Content-Type") != test.kind || !strings.Contains(w.Body.String(), test.good) {
				t.Errorf("Accept %q: %d %s %s", test.accept, w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		}
		fails = errors.New("gone")
		if w := ask("HEAD", ""); w.Code != 200 || asked != 1 {
			t.Errorf("a moment later: %d, the database was asked %d times", w.Code, asked)
		}
		time.Sleep(healthAge)
		for _, test := range tests {
			if w := ask("GET", test.accept); w.Code != 503 || w.Header().Get("Content-Type") != test.kind || !strings.Contains(w.Body.String(), test.bad) {
				t.Errorf("Accept %q without a database: %d %s", test.accept, w.Code, w.Body)
			}
		}
		if id := ask("GET", "").Header().Get("X-Openstack-Request-Id"); !strings.HasPrefix(id, "req-") {
			t.Errorf("the request id is %q", id)
		}
	})
}

func TestNoHealth(t *testing.T) {
	h := mount(map[string]http.Handler{"": http.NotFoundHandler()}, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthcheck", nil))
	if w.Code != 404 {
		t.Errorf("/healthcheck that is switched off: %d", w.Code)
	}
}
