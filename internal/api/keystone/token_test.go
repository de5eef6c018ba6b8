package keystone

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

const unauthenticated = "The request you have made requires authentication."

func TestDiscovery(t *testing.T) {
	f := newFixture(t)
	version := object{
		"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
		"links":       []any{object{"rel": "self", "href": f.url + "/v3/"}},
		"media-types": []any{object{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}},
	}
	for path, want := range map[string]object{
		"": {"versions": object{"values": []any{version}}}, "/": {"versions": object{"values": []any{version}}},
		"/v3": {"version": version}, "/v3/": {"version": version},
	} {
		status := 300
		if strings.HasPrefix(path, "/v3") {
			status = 200
		}
		if diff := cmp.Diff(want, f.want(status, "GET", path, "", nil).Body); diff != "" {
			t.Errorf("GET %q (-want +got):\n%s", path, diff)
		}
	}
	f.publicURL = "https://cloud.example"
	if got := f.call("GET", "/v3", "", nil).Body["version"].(object)["links"].([]any)[0].(object)["href"]; got != "https://cloud.example/identity/v3/" {
		t.Errorf("with a public URL the link is %v", got)
	}
}

// TestFirstPasswords has the users of the first start keep to their own.
func TestFirstPasswords(t *testing.T) {
	ctx, s := t.Context(), storetest.Open(t, store.SQLite)
	service, err := New(Config{Store: s, KeyDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	service.passwords.cost = bcrypt.MinCost
	for range 2 { // the second start changes nothing
		if err := service.Bootstrap(ctx, "for admin", "for demo"); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{"admin", "demo"} {
		for _, password := range []string{"for admin", "for demo"} {
			_, err := service.login(ctx, func(ctx context.Context) (*identity.User, error) {
				return s.UserByName(ctx, identity.DefaultDomainID, user)
			}, password)
			if own := password == "for "+user; own != (err == nil) {
				t.Errorf("the user %s with the password %s: %v", user, password, err)
			}
		}
	}
}

func TestLogin(t *testing.T) {
	f := newFixture(t)
	user := func(u object) object {
		return object{"auth": object{"identity": object{"methods": []string{"password"}, "password": object{"user": u}}}}
	}
	scoped := func(scope any) object { return passwordAuth("demo", adminPassword, scope) }
	domain := object{"id": "default"}
	for _, c := range []struct {
		name   string
		body   any
		status int
		text   string
	}{
		{"bad: nothing", nil, 400, "a JSON object in request body"},
		{"bad: no JSON", "{", 400, "a JSON object in request body"},
		{"bad: no object", "[]", 400, "a JSON object in request body"},
		{"bad: null", "null", 400, "a JSON object in request body"},
		{"bad: two objects", "{}{}", 400, "a JSON object in request body"},
		{"bad: no UTF-8", "{\"auth\": {\"identity\": \"\xff\"}}", 400, "UTF-8"},
		{"bad: no auth", object{}, 400, "Expecting to find auth in request body"},
		{"bad: null auth", object{"auth": nil}, 400, "Expecting to find auth"},
		{"bad: no identity", object{"auth": object{}}, 400, "'identity' is a required property of auth"},
		{"bad: identity", object{"auth": object{"identity": 1}}, 400, "field 'identity'"},
		{"bad: no methods", object{"auth": object{"identity": object{}}}, 400, "'methods' is a required property"},
		{"bad: methods", object{"auth": object{"identity": object{"methods": "password"}}}, 400, "field 'methods'"},
		{"bad: empty methods", object{"auth": object{"identity": object{"methods": []string{}}}}, 400, "'methods' is a required property"},
		{"bad: unknown method", object{"auth": object{"identity": object{"methods": []string{"magic"}}}}, 401, unauthenticated},
		{"bad: no method's part", object{"auth": object{"identity": object{"methods": []string{"token"}}}}, 400, "'token' is a required property"},
		{"bad: empty token", tokenAuth("", nil), 400, "'id' is a required property"},
		{"bad: no user", user(nil), 400, "'user' is a required property"},
		{"bad: empty user", user(object{}), 400, "'name' is a required property"},
		{"bad: no domain", user(object{"name": "demo", "password": "x"}), 400, "'domain' is a required property"},
		{"bad: empty domain", user(object{"name": "demo", "password": "x", "domain": object{}}), 400, "'name' is a required property"},
		{"bad: no password", user(object{"name": "demo", "domain": domain}), 400, "'password' is a required property"},
		{"bad: password", user(object{"name": "demo", "domain": domain, "password": 1}), 400, "field 'password'"},
		{"bad: long password", user(object{"name": "demo", "domain": domain, "password": strings.Repeat("x", 4097)}), 400, "field 'password'"},
		{"bad: user's id", user(object{"id": "../x", "password": "x"}), 400, "field 'id'"},
		{"bad: wrong password", passwordAuth("demo", "wrong", nil), 401, unauthenticated},
		{"bad: wrong user", passwordAuth("nobody", adminPassword, nil), 401, unauthenticated},
		{"bad: wrong id", user(object{"id": "nobody", "password": adminPassword}), 401, unauthenticated},
		{"bad: wrong domain", user(object{"name": "demo", "domain": object{"name": "x"}, "password": adminPassword}), 401, unauthenticated},
		{"bad: scope", scoped("all"), 400, "field 'scope'"},
		{"bad: empty scope", scoped(object{}), 400, "exactly one of"},
		{"bad: two scopes", scoped(object{"project": object{"id": "x"}, "domain": object{"id": "x"}}), 400, "exactly one of"},
		{"bad: trust", scoped(object{"OS-TRUST:trust": object{"id": "x"}}), 400, "exactly one of"},
		{"bad: project without domain", scoped(object{"project": object{"name": "demo"}}), 400, "'domain' is a required property"},
		{"bad: not all the system", scoped(object{"system": object{"all": false}}), 400, "'all' is a required property"},
		{"bad: foreign project", scoped(projectScope("admin")), 401, unauthenticated},
		{"bad: no such project", scoped(projectScope("none")), 401, unauthenticated},
		{"bad: no such project's id", scoped(object{"project": object{"id": "none"}}), 401, unauthenticated},
		{"bad: no such domain", scoped(object{"domain": object{"name": "none"}}), 401, unauthenticated},
		{"bad: domain without role", scoped(object{"domain": domain}), 401, unauthenticated},
		{"bad: system without role", scoped(systemScope), 401, unauthenticated},
		{"bad: large", strings.Repeat(" ", 1<<17), 413, "too large"},
		{"bad: two methods, one wrong", object{"auth": object{"identity": object{
			"methods":  []string{"password", "token"},
			"password": object{"user": object{"name": "demo", "domain": domain, "password": adminPassword}}, "token": object{"id": "x"},
		}}}, 401, unauthenticated},
		{"default project", scoped(nil), 201, ""},
		{"null scope", object{"auth": object{"identity": scoped(nil)["auth"].(object)["identity"], "scope": nil}}, 201, ""},
		{"project", scoped(projectScope("demo")), 201, ""},
		{"unscoped", scoped("unscoped"), 201, ""},
		{"unscoped object", scoped(object{"unscoped": object{}}), 201, ""},
		{"system", passwordAuth("admin", adminPassword, systemScope), 201, ""},
	} {
		f.forgive()
		a := f.call("POST", "/v3/auth/tokens", "", c.body)
		if a.Status != c.status || !strings.Contains(a.message(), c.text) {
			t.Errorf("%s: %d %q, want %d with %q", c.name, a.Status, a.message(), c.status, c.text)
		}
		if a.Status == 401 && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), `Keystone uri="http://`) {
			t.Errorf("%s: WWW-Authenticate is %q", c.name, a.Header.Get("WWW-Authenticate"))
		}
		if strings.Contains(a.message(), adminPassword) {
			t.Errorf("%s: the answer %q holds the password", c.name, a.message())
		}
	}
}

// forgive lets locks run out.
func (f *fixture) forgive() {
	for _, name := range []string{"admin", "demo"} {
		u, err := f.store.UserByName(f.t.Context(), "default", name)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := f.store.LoginSucceeded(f.t.Context(), u.ID); err != nil {
			f.t.Fatal(err)
		}
	}
}

func TestTokenBody(t *testing.T) {
	f := newFixture(t)
	admin := f.token("admin", projectScope("admin"))
	a := f.want(201, "POST", "/v3/auth/tokens", "", passwordAuth("demo", adminPassword, nil))
	token := a.Body["token"].(object)
	issued, err := time.Parse(moment, token["issued_at"].(string))
	if err != nil {
		t.Fatal(err)
	}
	expires, err := time.Parse(moment, token["expires_at"].(string))
	if err != nil || expires.Sub(issued) > time.Hour || expires.Sub(issued) < 59*time.Minute {
		t.Errorf("issued at %v, expires at %v, %v", issued, expires, err)
	}
	if ids := token["audit_ids"].([]any); len(ids) != 1 || len(ids[0].(string)) != 22 {
		t.Errorf("audit ids are %v", ids)
	}
	domain, names := object{"id": "default", "name": "Default"}, []string{}
	for _, r := range token["roles"].([]any) {
		names = append(names, r.(object)["name"].(string))
	}
	if diff := cmp.Diff([]string{"load-balancer_member", "member", "reader"}, names); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	base := strings.TrimSuffix(f.url, "/identity")
	service := f.endpoints[2]
	endpoint := func(iface string) any {
		return object{
			"id": service.EndpointID("RegionOne", iface), "interface": iface, "region": "RegionOne", "region_id": "RegionOne",
			"url": base + "/load-balancer",
		}
	}
	wantService := object{
		"id": service.ServiceID(), "type": "load-balancer", "name": "octavia",
		"endpoints": []any{endpoint("admin"), endpoint("internal"), endpoint("public")},
	}
	if diff := cmp.Diff(wantService, token["catalog"].([]any)[2]); diff != "" {
		t.Errorf("catalog (-want +got):\n%s", diff)
	}
	want := object{
		"methods": []any{"password"}, "is_domain": false,
		"user":    object{"id": f.id(admin, "users", "demo"), "name": "demo", "domain": domain, "password_expires_at": nil},
		"project": object{"id": f.id(admin, "projects", "demo"), "name": "demo", "domain": domain},
	}
	shown := f.want(200, "GET", "/v3/auth/tokens", admin, nil, "X-Subject-Token", a.Header.Get("X-Subject-Token"))
	if diff := cmp.Diff(token, shown.Body["token"]); diff != "" {
		t.Errorf("validated (-issued +validated):\n%s", diff)
	}
	for _, key := range []string{"issued_at", "expires_at", "audit_ids", "roles", "catalog"} {
		delete(token, key)
	}
	if diff := cmp.Diff(want, token); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b := f.want(201, "POST", "/v3/auth/tokens?nocatalog", "", passwordAuth("demo", adminPassword, nil)); b.Body["token"].(object)["catalog"] != nil {
		t.Error("?nocatalog answers a catalog")
	}
	unscoped := f.want(201, "POST", "/v3/auth/tokens", "", passwordAuth("demo", adminPassword, "unscoped")).Body["token"].(object)
	for _, key := range []string{"roles", "catalog", "project"} {
		if unscoped[key] != nil {
			t.Errorf("the unscoped token has %s", key)
		}
	}
	system := f.want(201, "POST", "/v3/auth/tokens", "", passwordAuth("admin", adminPassword, systemScope)).Body["token"].(object)
	if diff := cmp.Diff(object{"all": true}, system["system"]); diff != "" {
		t.Errorf("system (-want +got):\n%s", diff)
	}
	if n := len(a.Header.Get("X-Subject-Token")); n > 255 {
		t.Errorf("a token has %d characters", n)
	}
}

func TestValidatingAndRevoking(t *testing.T) {
	f := newFixture(t)
	admin, demo := f.token("admin", projectScope("admin")), f.token("demo", nil)
	for _, c := range []struct {
		name, method, token, subject string
		status                       int
	}{
		{"bad: no token", "GET", "", demo, 401},
		{"bad: rubbish", "GET", "rubbish", demo, 401},
		{"bad: no subject", "GET", demo, "", 400},
		{"bad: rubbish subject", "GET", admin, "rubbish", 404},
		{"bad: rubbish subject, no right", "GET", demo, "rubbish", 403},
		{"bad: foreign", "GET", demo, admin, 403},
		{"bad: revoke foreign", "DELETE", demo, admin, 403},
		{"bad: method", "PATCH", admin, demo, 405},
		{"own", "GET", demo, demo, 200},
		{"own, head", "HEAD", demo, demo, 200},
		{"padded", "GET", demo, demo + "==", 200},
		{"any", "GET", admin, demo, 200},
		{"revoke", "DELETE", admin, demo, 204},
		{"bad: revoked", "GET", admin, demo, 404},
		{"bad: revoked twice", "DELETE", admin, demo, 404},
		{"bad: revoked token", "GET", demo, demo, 401},
		{"revoke own", "DELETE", admin, admin, 204},
		{"bad: used after", "GET", admin, admin, 401},
	} {
		header := []string{}
		if c.subject != "" {
			header = append(header, "X-Subject-Token", c.subject)
		}
		if a := f.call(c.method, "/v3/auth/tokens", c.token, nil, header...); a.Status != c.status {
			t.Errorf("%s: %d %v, want %d", c.name, a.Status, a.Body, c.status)
		}
	}
	service := f.serviceToken()
	f.want(200, "GET", "/v3/auth/tokens", service, nil, "X-Subject-Token", f.token("admin", nil))
	f.want(403, "GET", "/v3/users", service, nil)
}

// serviceToken is the token of a user with the role service.
func (f *fixture) serviceToken() string {
	admin := f.token("admin", nil)
	project := f.id(admin, "projects", "demo")
	u := f.want(201, "POST", "/v3/users", admin, object{"user": object{"name": "svc", "password": "p", "default_project_id": project}})
	id := u.Body["user"].(object)["id"].(string)
	f.want(204, "PUT", "/v3/projects/"+project+"/users/"+id+"/roles/"+f.id(admin, "roles", "service"), admin, nil)
	return f.tokenBy(passwordAuth("svc", "p", nil))
}

func TestTokenByToken(t *testing.T) {
	f := newFixture(t)
	first := f.want(201, "POST", "/v3/auth/tokens", "", passwordAuth("admin", adminPassword, "unscoped"))
	f.skew.Store(int64(10 * time.Minute))
	second := f.want(201, "POST", "/v3/auth/tokens", "", tokenAuth(first.Header.Get("X-Subject-Token"), projectScope("admin")))
	third := f.want(201, "POST", "/v3/auth/tokens", "", tokenAuth(second.Header.Get("X-Subject-Token"), systemScope))
	part := func(a answer, key string) any { return a.Body["token"].(object)[key] }
	if part(first, "expires_at") != part(third, "expires_at") {
		t.Errorf("a chain that ends at %v was made to end at %v", part(first, "expires_at"), part(third, "expires_at"))
	}
	if diff := cmp.Diff([]any{"password", "token"}, part(third, "methods")); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	chain := part(first, "audit_ids").([]any)[0]
	if ids := part(third, "audit_ids").([]any); len(ids) != 2 || ids[1] != chain || ids[0] == chain {
		t.Errorf("audit ids %v, want a new one and %v", ids, chain)
	}
	f.want(401, "POST", "/v3/auth/tokens", "", tokenAuth(f.token("demo", nil), systemScope))
	f.skew.Store(int64(61 * time.Minute))
	f.want(401, "GET", "/v3/auth/projects", second.Header.Get("X-Subject-Token"), nil)
}

// What is done to a user or project is seen by the very next request, whatever has been remembered of the token.
func TestTokensAreVoidAtOnce(t *testing.T) {
	f := newFixture(t)
	admin := f.token("admin", nil)
	user, project, role := f.id(admin, "users", "demo"), f.id(admin, "projects", "demo"), f.id(admin, "roles", "member")
	for _, c := range []struct {
		name, method, path string
		body               any
		undo               object
	}{
		{"password", "PATCH", "/v3/users/" + user, object{"user": object{"password": "new"}}, object{"user": object{"password": adminPassword}}},
		{"disabled user", "PATCH", "/v3/users/" + user, object{"user": object{"enabled": false}}, object{"user": object{"enabled": true}}},
		{"disabled project", "PATCH", "/v3/projects/" + project, object{"project": object{"enabled": false}}, object{"project": object{"enabled": true}}},
		{"disabled domain", "PATCH", "/v3/domains/default", object{"domain": object{"enabled": false}}, nil},
	} {
		token := f.token("demo", projectScope("demo"))
		f.want(200, "GET", "/v3/auth/projects", token, nil)
		if c.undo == nil {
			f.want(200, c.method, c.path, admin, c.body)
			f.want(401, "GET", "/v3/auth/projects", token, nil)
			f.want(401, "GET", "/v3/auth/projects", admin, nil)
			_, err := f.store.UpdateDomain(t.Context(), "default", func(d *identity.Domain) error { d.Enabled = true; return nil })
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		f.want(200, c.method, c.path, admin, c.body)
		f.want(401, "GET", "/v3/auth/projects", token, nil)
		f.want(200, c.method, c.path, admin, c.undo)
		if a := f.call("GET", "/v3/auth/projects", token, nil); a.Status != 401 {
			t.Errorf("%s: undone, the old token holds again", c.name)
		}
	}
	admin, token := f.token("admin", nil), f.token("demo", nil)
	f.want(204, "DELETE", "/v3/projects/"+project+"/users/"+user+"/roles/"+role, admin, nil)
	actor, err := f.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"load-balancer_member"}, actor.Roles); diff != "" {
		t.Errorf("roles after one was taken away (-want +got):\n%s", diff)
	}
	f.want(204, "DELETE", "/v3/users/"+user, admin, nil)
	f.want(401, "GET", "/v3/auth/projects", token, nil)
}

// Another process with the same keys and database sees a revocation a few seconds later.
func TestOtherProcessesSeeRevocations(t *testing.T) {
	connection := storetest.Connection(t, store.SQLite)
	f := newFixtureOn(t, storetest.Reopen(t, connection))
	other, err := New(Config{Store: storetest.Reopen(t, connection), KeyDir: f.keys.dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	other.now = func() time.Time { return start }
	token := f.token("demo", nil)
	if _, err := other.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	f.want(204, "DELETE", "/v3/auth/tokens", token, nil, "X-Subject-Token", token)
	other.now = func() time.Time { return start.Add(5 * time.Second) }
	if _, err := other.Authenticate(t.Context(), token); !errors.Is(err, lbaas.Unauthorized) {
		t.Errorf("after five seconds: %v", err)
	}
}

func TestLockout(t *testing.T) {
	f := newFixture(t)
	try := func(password string) int {
		return f.call("POST", "/v3/auth/tokens", "", passwordAuth("demo", password, nil)).Status
	}
	for i, step := range []struct {
		password string
		after    time.Duration
		status   int
	}{
		{"wrong", 0, 401},
		{"wrong", 0, 401},
		{adminPassword, 0, 201}, // forgets the two
		{"wrong", 0, 401},
		{"wrong", 0, 401},
		{"wrong", 0, 401},
		{adminPassword, 0, 401},                // locked
		{adminPassword, 59 * time.Second, 401}, // still
		{adminPassword, 61 * time.Second, 201},
	} {
		f.skew.Store(int64(step.after))
		if got := try(step.password); got != step.status {
			t.Errorf("step %d: %d, want %d", i, got, step.status)
		}
	}
	f.skew.Store(0)
	f.want(201, "POST", "/v3/auth/tokens", "", passwordAuth("admin", adminPassword, nil))
}

// Many guesses at once are no way round the lock.
func TestLockoutOfGuessesAtOnce(t *testing.T) {
	f := newFixture(t)
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() { f.call("POST", "/v3/auth/tokens", "", passwordAuth("demo", "wrong", nil)) })
	}
	group.Wait()
	u, err := f.store.UserByName(t.Context(), "default", "demo")
	if err != nil {
		t.Fatal(err)
	}
	if most := f.lockout.Attempts + cap(f.passwords.slots) - 1; u.FailedLogins > most {
		t.Errorf("%d guesses were looked at, want at most %d", u.FailedLogins, most)
	}
}

// A wrong user takes as long as a wrong password; a log-in that waits too long is refused rather than queued for ever.
func TestWrongUserTakesAsLong(t *testing.T) {
	f := newFixture(t)
	var costs []int
	f.passwords.equal = func(hash, digest []byte) error {
		cost, err := bcrypt.Cost(hash)
		if err != nil {
			t.Errorf("a hash that is none: %v", err)
		}
		costs = append(costs, cost)
		return bcrypt.CompareHashAndPassword(hash, digest)
	}
	f.dearPassword("demo")
	for _, user := range []string{"demo", "nobody"} {
		f.call("POST", "/v3/auth/tokens", "", passwordAuth(user, "wrong", nil))
	}
	if diff := cmp.Diff([]int{bcryptCost, bcryptCost}, costs); diff != "" {
		t.Errorf("the costs of a wrong password and of a wrong user (-want +got):\n%s", diff)
	}
	for range cap(f.passwords.slots) {
		f.passwords.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := f.passwords.hash(ctx, "x"); !errors.Is(err, lbaas.Unavailable) {
		t.Errorf("with all slots taken: %v", err)
	}
}

// dearPassword hashes a user's password as dearly as outside tests.
func (f *fixture) dearPassword(name string) {
	f.t.Helper()
	u, err := f.store.UserByName(f.t.Context(), "default", name)
	if err != nil {
		f.t.Fatal(err)
	}
	f.passwords.cost = bcryptCost
	if err := f.replacePassword(f.t.Context(), u, adminPassword); err != nil {
		f.t.Fatal(err)
	}
}

func TestAuthLists(t *testing.T) {
	f := newFixture(t)
	admin := f.token("admin", nil)
	f.want(204, "PUT", "/v3/domains/default/users/"+f.id(admin, "users", "demo")+"/roles/"+f.id(admin, "roles", "reader"), admin, nil)
	names := func(path, key, token string) (all []string) {
		t.Helper()
		for _, o := range f.want(200, "GET", path, token, nil).Body[key].([]any) {
			all = append(all, o.(object)["name"].(string))
		}
		return all
	}
	demo := f.token("demo", "unscoped")
	if diff := cmp.Diff([]string{"demo"}, names("/v3/auth/projects", "projects", demo)); diff != "" {
		t.Errorf("projects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Default"}, names("/v3/auth/domains", "domains", demo)); diff != "" {
		t.Errorf("domains (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{}, f.want(200, "GET", "/v3/auth/system", demo, nil).Body["system"]); diff != "" {
		t.Errorf("system (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{object{"all": true}}, f.want(200, "GET", "/v3/auth/system", admin, nil).Body["system"]); diff != "" {
		t.Errorf("system of admin (-want +got):\n%s", diff)
	}
	f.want(403, "GET", "/v3/auth/catalog", demo, nil)
	if got := f.want(200, "GET", "/v3/auth/catalog", admin, nil).Body["catalog"].([]any); len(got) != 3 {
		t.Errorf("the catalog has %d services", len(got))
	}
	inDomain := f.want(201, "POST", "/v3/auth/tokens", "", passwordAuth("demo", adminPassword, object{"domain": object{"name": "Default"}}))
	if diff := cmp.Diff(any(object{"id": "default", "name": "Default"}), inDomain.Body["token"].(object)["domain"]); diff != "" {
		t.Errorf("domain scope (-want +got):\n%s", diff)
	}
}

func FuzzParseAuth(f *testing.F) {
	for _, text := range []string{
		`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"a","domain":{"name":"D"},"password":"p"}}}}}`,
		`{"auth":{"identity":{"methods":["password","token"],"password":{"user":{"id":"a","password":"p"}},"token":{"id":"t"}},"scope":"unscoped"}}`,
		`{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"a","secret":"s"}},"scope":{"project":{"id":"p"}}}}`,
		`{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"name":"n","user":{"id":"u"},"secret":"s"}}}}`,
		`{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"project":{"name":"p","domain":{"id":"default"}}}}}`,
		`{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"domain":{"name":"p"}}}}`,
		`{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"system":{"all":true}}}}`,
		`{"auth":{"identity":{"methods":[null],"token":{"id":null}},"scope":{"unscoped":{}}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := parseAuth(data)
		if err != nil {
			if !errors.Is(err, lbaas.Invalid) && !errors.Is(err, lbaas.Unauthorized) {
				t.Errorf("%v is no fault of the client's", err)
			}
			return
		}
		if len(req.methods) == 0 || (req.password == nil && req.token == "" && req.appCredential == nil) {
			t.Errorf("%+v proves nothing", req)
		}
		if p := req.password; p != nil && p.user.id == "" && (p.user.name == "" || p.user.domain == domainReference{}) {
			t.Errorf("%+v names no user", p)
		}
		if s := req.scope; s.kind != identity.Unscoped && s.id == "" && s.name == "" {
			t.Errorf("%+v is no scope", s)
		}
	})
}

func FuzzOpenToken(f *testing.F) {
	k, err := openKeys(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	good, err := k.seal([]byte("payload"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good + "=")
	f.Add(good[:40])
	f.Add("gAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if payload, err := k.open(text); err == nil && strings.TrimRight(text, "=") != good {
			t.Errorf("%q opens to %q", text, payload)
		}
	})
}
