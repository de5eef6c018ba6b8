package avitest

import (
	"crypto/tls"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Versions of controllers whose answers were recorded, or that lie between such.
const (
	recorded1826 = "18.2.6" // the default; 18.2.4 was recorded
	recorded1911 = "19.1.1"
	recorded2011 = "20.1.1"
)

func trusting(s *Server) *tls.Config {
	return &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
}

// clock is a controller's time.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2019, 11, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestLoginRefusesWrongCredentials(t *testing.T) {
	s := Start(t, Options{})
	u := newUser(t, s)
	for _, test := range []struct{ name, user, password string }{
		{"bad password", s.User, "wrong"}, {"bad user", "nobody", s.Password}, {"bad nothing", "", ""},
	} {
		got := u.login(test.user, test.password)
		if got.status != http.StatusUnauthorized || !strings.Contains(got.text, "Invalid credentials") || len(got.cookies) > 0 {
			t.Errorf("%s: login answers %d %s and sets %v", test.name, got.status, got.text, got.cookies)
		}
	}
	if s.Logins() != 0 {
		t.Errorf("%d log-ins are counted", s.Logins())
	}
}

func TestLoginTakesFormJSONAndToken(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	asJSON := func(body map[string]any) told {
		req := u.request(http.MethodPost, "/login", strings.NewReader(string(encode(body))))
		req.Header.Set("Content-Type", "application/json")
		return u.send(req)
	}
	if got := asJSON(map[string]any{"username": s.User, "password": s.Password}); got.status != http.StatusOK {
		t.Errorf("login with JSON answers %d %s", got.status, got.text)
	}
	if got := asJSON(map[string]any{"username": s.User, "token": "wrong"}); got.status != http.StatusUnauthorized {
		t.Errorf("login with a wrong token answers %d %s", got.status, got.text)
	}
	token := u.must(http.MethodPost, "/api/user-token", map[string]any{"hours": 1})["token"]
	if got := asJSON(map[string]any{"username": s.User, "token": token}); got.status != http.StatusOK {
		t.Errorf("login with a token answers %d %s", got.status, got.text)
	}
}

func TestLoginAnswersSevenKeys(t *testing.T) {
	for version, userHasUUID := range map[string]bool{recorded1826: false, recorded1911: false, recorded2011: true} {
		s := Start(t, Options{Version: version})
		got := newUser(t, s).login(s.User, s.Password)
		want := []string{"controller", "session_cookie_name", "system_config", "tenants", "user", "user_initialized", "version"}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.body))); diff != "" {
			t.Errorf("%s: keys of the log-in (-want +got):\n%s", version, diff)
		}
		account, _ := got.body["user"].(map[string]any)
		if _, has := account["uuid"]; has != userHasUUID {
			t.Errorf("%s: the user is %v", version, account)
		}
		product, _ := got.body["version"].(map[string]any)
		if product["Version"] != version || got.body["session_cookie_name"] != "avi-sessionid" {
			t.Errorf("%s: login answers %s", version, got.text)
		}
		if echoed := rawHeader(got.header, headerAPIVersion); echoed != "16_4_2" {
			t.Errorf("%s: login echoes %q", version, echoed)
		}
	}
}

// rawHeader finds a header whose name has no canonical form.
func rawHeader(h http.Header, name string) string {
	for key, values := range h {
		if strings.EqualFold(key, name) {
			return values[0]
		}
	}
	return ""
}

func TestLoginSetsCookies(t *testing.T) {
	for _, test := range []struct {
		version string
		want    []string
	}{
		{"18.2.1", []string{"avi-sessionid", "csrftoken", "sessionid"}},
		{"18.2.4", []string{"avi-sessionid", "csrftoken"}},
		{recorded1826, []string{"avi-sessionid", "csrftoken"}},
		{recorded1911, []string{"avi-sessionid", "csrftoken", "sessionid"}},
		{recorded2011, []string{"avi-sessionid", "csrftoken", "sessionid"}},
	} {
		s := Start(t, Options{Version: test.version})
		got := newUser(t, s).login(s.User, s.Password).cookies
		if diff := cmp.Diff(test.want, slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("%s: cookies (-want +got):\n%s", test.version, diff)
		}
		csrf, id := got["csrftoken"], got["avi-sessionid"]
		if csrf.HttpOnly || !csrf.Secure || csrf.MaxAge != 31449600 || !id.HttpOnly || !id.Secure || id.MaxAge != 86400 {
			t.Errorf("%s: cookies are %v and %v", test.version, csrf, id)
		}
		if second := got["sessionid"]; second != nil && second.Value != id.Value {
			t.Errorf("%s: the session's cookies differ: %v and %v", test.version, second, id)
		}
	}
}

func TestLoginTellsWhoAndWhere(t *testing.T) {
	s := Start(t, Options{Tenants: map[string]string{"demo": tenantDemo}})
	u := newUser(t, s)
	got := u.login(s.User, s.Password).body
	product, _ := got["version"].(map[string]any)
	keys := []string{"Date", "Product", "ProductName", "Tag", "Version", "build", "min_version"}
	if diff := cmp.Diff(keys, slices.Sorted(maps.Keys(product))); diff != "" {
		t.Errorf("keys of the version (-want +got):\n%s", diff)
	}
	tenants := []any{
		map[string]any{"url": s.URL + "/api/tenant/admin", "uuid": "admin", "name": "admin", "local": true},
		map[string]any{"url": s.URL + "/api/tenant/" + tenantDemo, "uuid": tenantDemo, "name": "demo", "local": false},
	}
	if diff := cmp.Diff(any(tenants), got["tenants"]); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
	account, _ := got["user"].(map[string]any)
	config, _ := got["system_config"].(map[string]any)
	if account["default_tenant_ref"] != s.URL+"/api/tenant/admin" || config["uuid"] != "default" || config["url"] != s.URL+"/api/systemconfiguration" {
		t.Errorf("the user is %v, the configuration %v", account, config)
	}
	if diff := cmp.Diff(any(map[string]any{"api_idle_timeout": 15.0}), got["controller"]); diff != "" {
		t.Errorf("controller (-want +got):\n%s", diff)
	}
	u.must(http.MethodPatch, "/api/controllerproperties", map[string]any{"replace": map[string]any{"api_idle_timeout": 300}})
	if diff := cmp.Diff(any(map[string]any{"api_idle_timeout": 300.0}), u.login(s.User, s.Password).body["controller"]); diff != "" {
		t.Errorf("controller, configured (-want +got):\n%s", diff)
	}
}

// TestOnlyLoginSetsCSRFToken, and answers to all verbs set the session's cookies again.
func TestOnlyLoginSetsCSRFToken(t *testing.T) {
	for version, want := range map[string][]string{recorded1826: {"avi-sessionid"}, recorded2011: {"avi-sessionid", "sessionid"}} {
		s := Start(t, Options{Version: version})
		u := loggedIn(t, s)
		session := u.cookies["avi-sessionid"]
		u.header[headerSlug] = "pool-1"
		for _, request := range [][2]string{
			{http.MethodPost, ""}, {http.MethodGet, ""}, {http.MethodGet, "/pool-1"}, {http.MethodPut, "/pool-1"}, {http.MethodPatch, "/pool-1"},
			{http.MethodDelete, "/pool-1"}, {http.MethodDelete, "/pool-1"},
		} {
			body := map[string]any{"name": "p"}
			if request[0] == http.MethodPatch {
				body = map[string]any{"add": body}
			}
			got := u.do(request[0], "/api/pool"+request[1], body)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.cookies))); diff != "" {
				t.Errorf("%s: cookies of %v, answered %d (-want +got):\n%s", version, request, got.status, diff)
			}
			if got.cookies["avi-sessionid"].Value != session {
				t.Errorf("%s: %v changes the session", version, request)
			}
		}
	}
}

func TestLaterAnswersSetTheSessionAgain(t *testing.T) {
	for _, test := range []struct {
		version   string
		afterPost bool
	}{{recorded1826, false}, {recorded2011, true}} {
		s := Start(t, Options{Version: test.version})
		u := loggedIn(t, s)
		if got := u.do(http.MethodPost, "/api/tenant", map[string]any{"name": "demo"}); (got.cookies["avi-sessionid"] != nil) != test.afterPost {
			t.Errorf("%s: the answer to the POST of a tenant, %d, sets %v", test.version, got.status, got.cookies)
		}
		u.login(s.User, s.Password)
		demo := text(s.Objects("*", "tenant")[1], "uuid")
		if got := u.do(http.MethodDelete, "/api/tenant/"+demo, nil); (got.cookies["avi-sessionid"] != nil) != test.afterPost {
			t.Errorf("%s: the answer to the DELETE of a tenant, %d, sets %v", test.version, got.status, got.cookies)
		}
	}
}

func TestGETNeedsTheSessionCookieAlone(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s).forgetting("csrftoken")
	u.header = map[string]string{"Referer": "", headerCSRF: ""}
	if got := u.do(http.MethodGet, "/api/pool", nil); got.status != http.StatusOK {
		t.Errorf("GET answers %d %s", got.status, got.text)
	}
}

func TestWritesNeedTheCSRFToken(t *testing.T) {
	for _, version := range []string{recorded1826, recorded2011} {
		s := Start(t, Options{Version: version})
		for name, break_ := range map[string]func(*user){
			"bad token":      func(u *user) { u.header[headerCSRF] = "invalid" },
			"bad no token":   func(u *user) { u.header[headerCSRF] = "" },
			"bad no cookie":  func(u *user) { delete(u.cookies, "csrftoken") },
			"bad no referer": func(u *user) { u.header["Referer"] = "" },
			"bad referer":    func(u *user) { u.header["Referer"] = "https://elsewhere.example" },
		} {
			u := loggedIn(t, s)
			break_(u)
			got := u.do(http.MethodPost, "/api/pool", map[string]any{"name": "p"})
			if got.status != http.StatusUnauthorized || got.header.Get("Content-Type") != "application/json" || got.body != nil {
				t.Errorf("%s: %s: POST answers %d %s %s", version, name, got.status, got.header.Get("Content-Type"), got.text)
			}
			if !strings.Contains(name, "referer") && got.text != "CSRF token missing or incorrect." {
				t.Errorf("%s: %s: POST answers %s", version, name, got.text)
			}
			if (got.cookies["sessionid"] != nil) != (version == recorded2011) {
				t.Errorf("%s: %s: a 401 sets %v", version, name, got.cookies)
			}
		}
		if got := s.Objects("*", "pool"); len(got) > 0 {
			t.Errorf("%s: there is %v", version, got)
		}
	}
}

func TestSwitchSessionAfterTenantCreation(t *testing.T) {
	for _, test := range []struct {
		version string
		status  int
	}{{recorded1826, 419}, {recorded2011, http.StatusOK}} {
		s := Start(t, Options{Version: test.version})
		u := loggedIn(t, s)
		before := u.cookies["avi-sessionid"]
		u.must(http.MethodPost, "/api/tenant", map[string]any{"name": "demo"})
		got := u.do(http.MethodGet, "/api/tenant", nil)
		if got.status != test.status {
			t.Fatalf("%s: the next GET answers %d %s", test.version, got.status, got.text)
		}
		if test.status == http.StatusOK {
			continue
		}
		want := map[string]any{"error": "Need to switch session"}
		if diff := cmp.Diff(want, got.body); diff != "" || got.phrase != "FORBIDDEN" {
			t.Errorf("%s: the answer is %q (-want +got):\n%s", test.version, got.phrase, diff)
		}
		if got.cookies["csrftoken"] == nil || got.cookies["avi-sessionid"] == nil || got.cookies["avi-sessionid"].Value == before {
			t.Errorf("%s: the answer sets %v", test.version, got.cookies)
		}
		if again := u.do(http.MethodGet, "/api/tenant", nil); again.status != http.StatusUnauthorized {
			t.Errorf("%s: nobody logged in, and GET answers %d", test.version, again.status)
		}
		if got := u.login(s.User, s.Password); got.status != http.StatusOK {
			t.Errorf("%s: login answers %d", test.version, got.status)
		}
		u.must(http.MethodGet, "/api/tenant", nil)
	}
}

func TestSwitchSessionWhenCookiesAreMixed(t *testing.T) {
	for _, test := range []struct {
		version string
		status  int
	}{{recorded1826, 419}, {recorded2011, http.StatusOK}} {
		s := Start(t, Options{Version: test.version})
		u, other := loggedIn(t, s), loggedIn(t, s)
		u.cookies["csrftoken"] = other.cookies["csrftoken"]
		if got := u.do(http.MethodGet, "/api/pool", nil); got.status != test.status {
			t.Errorf("%s: GET answers %d %s", test.version, got.status, got.text)
		}
		u = loggedIn(t, s)
		u.cookies["sessionid"] = other.cookies["avi-sessionid"]
		if got := u.do(http.MethodGet, "/api/pool", nil); got.status != test.status {
			t.Errorf("%s: two sessions' cookies: GET answers %d %s", test.version, got.status, got.text)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	c := newClock()
	s := Start(t, Options{Now: c.Now})
	u := loggedIn(t, s)
	get := func() int { return u.do(http.MethodGet, "/api/pool", nil).status }
	c.add(14 * time.Minute)
	if got := get(); got != http.StatusOK {
		t.Errorf("after 14 idle minutes GET answers %d", got)
	}
	c.add(15 * time.Minute)
	if got := get(); got != http.StatusUnauthorized {
		t.Errorf("after 15 idle minutes GET answers %d", got)
	}
	u.login(s.User, s.Password)
	for range 24*6 - 1 {
		c.add(10 * time.Minute)
		if got := get(); got != http.StatusOK {
			t.Fatalf("a session in use answers %d", got)
		}
	}
	c.add(10 * time.Minute)
	if got := get(); got != http.StatusUnauthorized {
		t.Errorf("after 24 hours GET answers %d", got)
	}
}

// TestLimitsOfSessions are as configured; 0 is none, and controllers before 18.2.3 end no session that is in use.
func TestLimitsOfSessions(t *testing.T) {
	for _, test := range []struct {
		version, kind string
		config        map[string]any
		idle, steps   time.Duration // so long apart are so many requests
		want          int
	}{
		{recorded1826, "controllerproperties", map[string]any{"api_idle_timeout": 1}, time.Minute, 1, http.StatusUnauthorized},
		{recorded1826, "controllerproperties", map[string]any{"api_idle_timeout": 300}, 299 * time.Minute, 2, http.StatusOK},
		{recorded1826, "controllerproperties", map[string]any{"api_idle_timeout": 0}, 23 * time.Hour, 1, http.StatusOK},
		{recorded1826, "systemconfiguration", map[string]any{"portal_configuration": map[string]any{"api_force_timeout": 1}}, 10 * time.Minute, 6, http.StatusUnauthorized},
		{recorded1826, "systemconfiguration", map[string]any{"portal_configuration": map[string]any{"api_force_timeout": 0}}, 10 * time.Minute, 150, http.StatusOK},
		{"18.2.1", "controllerproperties", map[string]any{"api_idle_timeout": 15}, 10 * time.Minute, 150, http.StatusOK},
	} {
		c := newClock()
		s := Start(t, Options{Now: c.Now, Version: test.version})
		u := loggedIn(t, s)
		u.must(http.MethodPatch, "/api/"+test.kind, map[string]any{"replace": test.config})
		status := 0
		for range test.steps {
			c.add(test.idle)
			status = u.do(http.MethodGet, "/api/pool", nil).status
		}
		if status != test.want {
			t.Errorf("%s with %v: after %d times %v GET answers %d, want %d", test.version, test.config, test.steps, test.idle, status, test.want)
		}
		c.add(1000 * time.Hour)
		loggedIn(t, s)
		if n := len(s.sessions.byID); n > 2 || n > 1 && test.idle < time.Hour {
			t.Errorf("%d sessions are remembered", n)
		}
	}
}

func TestTokensEnd(t *testing.T) {
	c := newClock()
	s := Start(t, Options{Now: c.Now})
	u := loggedIn(t, s)
	token, _ := u.must(http.MethodPost, "/api/user-token", map[string]any{"hours": 1})["token"].(string)
	if !s.sessions.goodToken(token) {
		t.Errorf("the token is no good")
	}
	c.add(time.Hour)
	if s.sessions.goodToken(token) {
		t.Errorf("the token is good after its time")
	}
}

func TestLogout(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	bad := u.forgetting()
	bad.header[headerCSRF] = ""
	if got := bad.do(http.MethodPost, "/logout", nil); got.status != http.StatusUnauthorized {
		t.Errorf("logout without a CSRF token answers %d", got.status)
	}
	u.must(http.MethodPost, "/logout", nil)
	if got := u.do(http.MethodGet, "/api/pool", nil); got.status != http.StatusUnauthorized {
		t.Errorf("after logout GET answers %d", got.status)
	}
}

func TestPasswordChangeAnswersNothing(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	for name, body := range map[string]map[string]any{
		"bad old password": {"username": s.User, "old_password": "wrong", "password": "new-password"},
		"bad no password":  {"username": s.User, "old_password": s.Password},
	} {
		if got := u.do(http.MethodPut, "/api/useraccount", body); got.status != http.StatusBadRequest {
			t.Errorf("%s: PUT answers %d %s", name, got.status, got.text)
		}
	}
	got := u.do(http.MethodPut, "/api/useraccount", map[string]any{"username": s.User, "old_password": s.Password, "password": "new-password"})
	if got.status != http.StatusOK || got.text != "" {
		t.Errorf("PUT answers %d %q", got.status, got.text)
	}
	if old, changed := u.login(s.User, s.Password).status, u.login(s.User, "new-password").status; old != http.StatusUnauthorized || changed != http.StatusOK {
		t.Errorf("the old password is answered %d, the new one %d", old, changed)
	}
}

func TestBasicAuthenticationNeedsNoCSRFToken(t *testing.T) {
	for _, test := range []struct {
		version string
		status  int
	}{{recorded1826, http.StatusCreated}, {recorded2011, http.StatusUnauthorized}} {
		s := Start(t, Options{Version: test.version})
		u := newUser(t, s)
		req := u.request(http.MethodPost, "/api/pool", strings.NewReader(`{"name": "basic"}`))
		req.SetBasicAuth(s.User, s.Password)
		req.Header.Set("Content-Type", "application/json")
		got := u.send(req)
		if got.status != test.status {
			t.Errorf("%s: POST answers %d %s", test.version, got.status, got.text)
		}
		if id := got.cookies["avi-sessionid"]; got.status == http.StatusCreated && (id == nil || id.Value != "None") {
			t.Errorf("%s: the answer sets %v", test.version, got.cookies)
		}
		if made := len(s.Objects("admin", "pool")); (made == 1) != (got.status == http.StatusCreated) {
			t.Errorf("%s: tenant admin has %d pools", test.version, made)
		}
	}
	basicOf2015(t)
	s := Start(t, Options{})
	u := newUser(t, s)
	req := u.request(http.MethodGet, "/api/pool", nil)
	req.SetBasicAuth(s.User, "wrong")
	if got := u.send(req); got.status != http.StatusUnauthorized {
		t.Errorf("a wrong password answers %d", got.status)
	}
}

// basicOf2015: recorded of 20.1.5, where it was allowed: POST and DELETE in tenant admin without a tenant's header, both cookies are "None".
func basicOf2015(t *testing.T) {
	t.Helper()
	s := Start(t, Options{Version: "20.1.5"})
	loggedIn(t, s).must(http.MethodPatch, "/api/systemconfiguration", map[string]any{"add": map[string]any{"portal_configuration": map[string]any{"allow_basic_authentication": true}}})
	u := newUser(t, s)
	for _, request := range [][3]string{{http.MethodPost, "/api/pool", `{"name": "basic"}`}, {http.MethodGet, "/api/pool/pool-1", ""}, {http.MethodDelete, "/api/pool/pool-1", ""}} {
		req := u.request(request[0], request[1], strings.NewReader(request[2]))
		req.SetBasicAuth(s.User, s.Password)
		req.Header.Set(headerSlug, "pool-1")
		req.Header.Set("Content-Type", "application/json")
		got := u.send(req)
		if got.status >= http.StatusBadRequest || got.cookies["avi-sessionid"].Value != "None" || got.cookies["sessionid"].Value != "None" {
			t.Errorf("%v answers %d %s and sets %v", request, got.status, got.text, got.cookies)
		}
		if made := len(s.Objects("admin", "pool")); (made == 0) != (request[0] == http.MethodDelete) {
			t.Errorf("after %v tenant admin has %d pools", request, made)
		}
	}
}

// TestBasicAuthenticationIsAllowed by 18.x and 19.1, and not by 20.1.
func TestBasicAuthenticationIsAllowed(t *testing.T) {
	for version, want := range map[string]bool{"18.2.1": true, "18.2.4": true, recorded1826: true, recorded1911: true, recorded2011: false} {
		s := Start(t, Options{Version: version})
		config := loggedIn(t, s).must(http.MethodGet, "/api/systemconfiguration", nil)
		portal, _ := config["portal_configuration"].(map[string]any)
		if portal["allow_basic_authentication"] != want {
			t.Errorf("%s: allow_basic_authentication is %v", version, portal["allow_basic_authentication"])
		}
	}
}

func TestVersionIsEchoed(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	for sent, want := range map[string]string{"18.1.2": "18.1.2", "17.1.1": "17.1.1", recorded1826: recorded1826, "": "16_4_2"} {
		u.header[headerVersion] = sent
		for _, path := range []string{"/api/pool", "/api/pool-inventory", "/api/pool/none"} {
			if got := rawHeader(u.do(http.MethodGet, path, nil).header, headerAPIVersion); got != want {
				t.Errorf("asked for %s with %q the controller echoes %q, want %q", path, sent, got, want)
			}
		}
	}
	u.header[headerVersion] = "30.2.1"
	if got := u.do(http.MethodGet, "/api/pool", nil); got.status != http.StatusBadRequest {
		t.Errorf("a version that the controller has not: %d %s", got.status, got.text)
	}
}

func TestProbesNeedNoSession(t *testing.T) {
	s := Start(t, Options{})
	u := newUser(t, s)
	version, _ := u.must(http.MethodGet, "/api/initial-data", nil)["version"].(map[string]any)
	if version["Version"] != recorded1826 {
		t.Errorf("initial-data tells %v", version)
	}
	for _, path := range []string{"/api/cluster/status", "/api/cluster/runtime"} {
		state, _ := u.must(http.MethodGet, path, nil)["cluster_state"].(map[string]any)
		if state["state"] != "CLUSTER_UP_NO_HA" || state["up_since"] != s.began.UTC().Format("2006-01-02 15:04:05") {
			t.Errorf("%s tells %v", path, state)
		}
	}
	nodes := objectsIn(u.must(http.MethodGet, "/api/cluster/runtime", nil), "node_states")
	if len(nodes) != 1 || nodes[0]["role"] != "CLUSTER_LEADER" {
		t.Errorf("the nodes are %v", nodes)
	}
	if got := u.do(http.MethodGet, "/api/pool", nil); got.status != http.StatusUnauthorized {
		t.Errorf("without a session GET answers %d", got.status)
	}
}

func TestPasswordIsInNoAnswer(t *testing.T) {
	s := Start(t, Options{Password: "very-secret"})
	u := loggedIn(t, s)
	for _, path := range []string{"/api/systemconfiguration", "/api/tenant", "/api/cloud", "/api/initial-data"} {
		if got := u.do(http.MethodGet, path, nil); strings.Contains(got.text, s.Password) {
			t.Errorf("%s tells the password", path)
		}
	}
	if text, err := json.Marshal(s.Calls()); err != nil || strings.Contains(string(text), s.Password) {
		t.Errorf("calls tell the password: %v", err)
	}
}
