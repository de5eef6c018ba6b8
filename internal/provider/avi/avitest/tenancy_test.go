package avitest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const tenantDemo = "tenant-2add0600-a0e4-4468-4beb-9107aa0e2dff"

// withDemo is an emulator with the tenant demo besides admin, and a pool in each.
func withDemo(t *testing.T, o Options) (*Server, *user) {
	t.Helper()
	o.Tenants = map[string]string{"demo": tenantDemo}
	s := Start(t, o)
	u := loggedIn(t, s)
	u.make("pool", "pool-admin", map[string]any{"name": "of-admin"})
	u.tenant = "demo"
	u.make("pool", "pool-demo", map[string]any{"name": "of-demo"})
	u.tenant = "admin"
	return s, u
}

func poolNames(u *user) []string {
	u.t.Helper()
	names := []string{}
	for _, o := range objectsIn(u.must(http.MethodGet, "/api/pool", nil), "results") {
		names = append(names, text(o, "name"))
	}
	return names
}

func TestMultipleTenants(t *testing.T) {
	s, u := withDemo(t, Options{})
	for _, test := range []struct {
		name         string
		header, uuid string
		want         []string
	}{
		{"none is the user's default", "", "", []string{"of-admin"}},
		{"by name", "demo", "", []string{"of-demo"}},
		{"by UUID", "", tenantDemo, []string{"of-demo"}},
		{"all", "*", "", []string{"of-admin", "of-demo"}},
	} {
		u.header[headerTenant], u.header[headerTenantUUID] = test.header, test.uuid
		if diff := cmp.Diff(test.want, poolNames(u)); diff != "" {
			t.Errorf("%s: pools (-want +got):\n%s", test.name, diff)
		}
	}
	u.header = map[string]string{}
	got := u.must(http.MethodGet, "/api/pool?name=of-demo", nil)
	if diff := cmp.Diff(map[string]any{"count": 0.0, "results": []any{}}, got); diff != "" {
		t.Errorf("a name that the tenant does not see (-want +got):\n%s", diff)
	}
	if got := len(s.Objects("demo", "pool")) + len(s.Objects(tenantDemo, "pool")); got != 2 {
		t.Errorf("the tenant has %d pools by name and UUID, want one each", got)
	}
}

func TestUnknownTenantIsForbidden(t *testing.T) {
	_, u := withDemo(t, Options{})
	for _, test := range []struct{ name, uuid, want string }{
		{"nonesuch", "", "Tenant 'nonesuch' does not exist!"},
		{"", "tenant-none", "tenant uuid tenant-none does not exist"},
	} {
		u.header[headerTenant], u.header[headerTenantUUID] = test.name, test.uuid
		for _, path := range []string{"/api/pool", "/api/pool-inventory", "/api/analytics/metric_id"} {
			got := u.do(http.MethodGet, path, nil)
			if got.status != http.StatusForbidden || !strings.Contains(got.text, test.want) {
				t.Errorf("%s of tenant %q %q answers %d %s", path, test.name, test.uuid, got.status, got.text)
			}
		}
	}
}

func TestInventoriesAskTheTenant(t *testing.T) {
	_, u := withDemo(t, Options{})
	for tenant, want := range map[string]map[string]string{
		"admin": {"of-admin": OperUnused}, "demo": {"of-demo": OperUnused}, "*": {"of-admin": OperUnused, "of-demo": OperUnused},
	} {
		u.tenant = tenant
		if diff := cmp.Diff(want, states(u, "pool")); diff != "" {
			t.Errorf("pools of tenant %s (-want +got):\n%s", tenant, diff)
		}
	}
	u.tenant = "demo"
	if got := u.do(http.MethodGet, "/api/pool/pool-admin/runtime/", nil); got.status != http.StatusNotFound {
		t.Errorf("the runtime of another tenant's pool answers %d", got.status)
	}
	metrics := u.must(http.MethodPost, "/api/analytics/metrics/collection", map[string]any{"metric_requests": []any{
		map[string]any{"id": "p", "entity_uuid": "*", "metric_id": "l4_server.max_open_conns"},
	}})
	series, _ := metrics["series"].(map[string]any)
	found, _ := series["p"].(map[string]any)
	if len(found) != 1 || found["pool-demo"] == nil {
		t.Errorf("metrics of tenant demo are %v", found)
	}
}

func TestTenantsOfOptionsAreImported(t *testing.T) {
	s, _ := withDemo(t, Options{})
	demo := s.Object("tenant", tenantDemo)
	if demo["name"] != "demo" || demo["local"] != false {
		t.Errorf("the tenant is %v", demo)
	}
	if _, err := New(Options{Tenants: map[string]string{"admin": tenantDemo}}); err == nil {
		t.Errorf("a second tenant admin can be made")
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"bad version": {Version: "next"}, "bad address": {Listen: "127.0.0.1"}, "bad port": {Listen: "127.0.0.1:99999"},
	} {
		if s, err := New(o); err == nil {
			t.Errorf("%s: New starts %v", name, s.Address)
		}
	}
}

// FuzzRequest looks whether any request brings a controller down. What it answers is for the tests of its parts.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "/api/pool-inventory?page_size=0", ""}, {"POST", "/api/pool", `{"name": "p", "servers": [{"ip": 1}]}`},
		{"GET", "/api/pool/x/runtime/server/detail/", ""}, {"GET", "/api//", ""}, {"PUT", "/api/cloud/x/gc?force=True", "{}"},
		{"POST", "/api/analytics/metrics/collection", `{"metric_requests": [{"id": "a", "metric_id": "", "entity_uuid": "*"}]}`},
		{"GET", "/api/pool-inventory/pool-1/server/%5B::1%5D:80", ""}, {"POST", "/login", "username=admin&password=%zz"},
		{"GET", "/api/analytics/metrics/pool/pool-1?metric_id=,", ""}, {"PATCH", "/api/pool/pool-1", `{"add": {"servers": {}}}`},
		{"POST", "/api/user-token", `{"hours": 1e300}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	s, err := New(Options{Instant: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	s.model.do(call{Method: http.MethodPost, Kind: "pool", Slug: "pool-1", Version: DefaultVersion, Body: []byte(`{"name": "one", "servers": [{"ip": {"addr": "1.2.3.4", "type": "V4"}, "port": 80}]}`)})
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		one := s.sessions.begin()
		defer s.sessions.end(one.id)
		r.Header.Set(headerVersion, DefaultVersion)
		r.Header.Set(headerCSRF, one.csrf)
		r.Header.Set("Referer", "https://"+r.Host)
		r.AddCookie(&http.Cookie{Name: cookieCSRF, Value: one.csrf})
		r.AddCookie(&http.Cookie{Name: cookieAvi, Value: one.id})
		q, err := readRequest(nil, r)
		if err != nil {
			return
		}
		if re := s.treat(q); re.Status == 0 || re.Status >= http.StatusInternalServerError {
			t.Errorf("%s %s with %q is answered %d %s", method, path, body, re.Status, re.Body)
		}
	})
}
