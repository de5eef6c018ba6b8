package keystone

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exchange is one request and what has to come back.
type exchange struct {
	name, method, path string
	body               any
	status             int
	text               string // in the error's message
}

func (f *fixture) table(token string, exchanges []exchange) {
	f.t.Helper()
	for _, e := range exchanges {
		a := f.call(e.method, e.path, token, e.body)
		if a.Status != e.status || !strings.Contains(a.message(), e.text) {
			f.t.Errorf("%s: %s %s answers %d %v, want %d with %q", e.name, e.method, e.path, a.Status, a.Body, e.status, e.text)
		}
		if e.status >= 400 {
			f.fault(e.name, a)
		}
	}
}

// fault checks the form of an error.
func (f *fixture) fault(name string, a answer) {
	f.t.Helper()
	e, _ := a.Body["error"].(object)
	if len(a.Body) != 1 || len(e) != 3 || e["code"] != float64(a.Status) || e["title"] == "" || e["message"] == "" {
		f.t.Errorf("%s: the error %v has not Keystone's form", name, a.Body)
	}
}

// items returns one attribute of each object of a list.
func (f *fixture) items(token, path, key, attribute string) []string {
	f.t.Helper()
	all := []string{}
	for _, o := range f.want(200, "GET", path, token, nil).Body[key].([]any) {
		all = append(all, fmt.Sprint(o.(object)[attribute]))
	}
	return all
}

func (f *fixture) create(token, collection, noun string, attributes object) object {
	f.t.Helper()
	return f.want(201, "POST", "/v3/"+collection, token, object{noun: attributes}).Body[noun].(object)
}

// badBodies are what no request of a noun may look like.
func badBodies(noun, method, path string, maxName int) []exchange {
	long := strings.Repeat("é", maxName+1)
	return []exchange{
		{"bad body", method, path, "{", 400, "a JSON object"},
		{"bad: no noun", method, path, object{"thing": object{}}, 400, "Expecting to find " + noun},
		{"bad: noun", method, path, object{noun: []int{}}, 400, "Expecting to find " + noun},
		{"bad name", method, path, object{noun: object{"name": 5}}, 400, "field 'name': 5 is not of type 'string'"},
		{"bad: blank name", method, path, object{noun: object{"name": " \t"}}, 400, "field 'name'"},
		{"bad: null name", method, path, object{noun: object{"name": nil}}, 400, "field 'name'"},
		{"bad: NUL in the name", method, path, object{noun: object{"name": "a\x00"}}, 400, "field 'name'"},
		{"bad: long name", method, path, object{noun: object{"name": long}}, 400, "field 'name'"},
		{"bad options", method, path, object{noun: object{"name": "n", "options": 1}}, 400, "field 'options'"},
		{"bad option", method, path, object{noun: object{"name": "n", "options": object{"multi_factor_auth_enabled": true}}}, 400, "multi_factor_auth_enabled"},
	}
}

func TestDomains(t *testing.T) {
	f := newFixture(t)
	admin := f.token("admin", systemScope)
	f.table(admin, append(append(badBodies("domain", "POST", "/v3/domains", maxShort), badBodies("domain", "PATCH", "/v3/domains/default", maxShort)...),
		exchange{"bad: no name", "POST", "/v3/domains", object{"domain": object{}}, 400, "'name' is a required property"},
		exchange{"bad: enabled", "POST", "/v3/domains", object{"domain": object{"name": "x", "enabled": "yes"}}, 400, "field 'enabled'"},
		exchange{"bad: twice", "POST", "/v3/domains", object{"domain": object{"name": "Default"}}, 409, "Conflict occurred attempting to store domain"},
		exchange{"bad: unknown", "GET", "/v3/domains/x", nil, 404, "Could not find domain: x."},
		exchange{"bad: unknown", "PATCH", "/v3/domains/x", object{"domain": object{}}, 404, "Could not find domain: x."},
		exchange{"bad: unknown", "DELETE", "/v3/domains/x", nil, 404, "Could not find domain: x."},
		exchange{"bad: default", "DELETE", "/v3/domains/default", nil, 403, "default domain"},
		exchange{"bad: method", "PUT", "/v3/domains", nil, 405, "method"},
		exchange{"bad: path", "GET", "/v3/nothing", nil, 404, "could not be found"},
	))
	d := f.create(admin, "domains", "domain", object{"name": "d", "description": "x", "color": "red"})
	id := d["id"].(string)
	want := object{
		"id": id, "name": "d", "description": "x", "enabled": true, "color": "red", "tags": []any{}, "options": object{},
		"links": object{"self": f.url + "/v3/domains/" + id},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.table(admin, []exchange{
		{"bad: enabled", "DELETE", "/v3/domains/" + id, nil, 403, "disable it first"},
		{"disable", "PATCH", "/v3/domains/" + id, object{"domain": object{"enabled": false, "name": "e", "description": nil}}, 200, ""},
		{"show", "GET", "/v3/domains/" + id, nil, 200, ""},
	})
	if diff := cmp.Diff([]string{"e"}, f.items(admin, "/v3/domains?enabled=false", "domains", "name")); diff != "" {
		t.Errorf("disabled (-want +got):\n%s", diff)
	}
	f.want(204, "DELETE", "/v3/domains/"+id, admin, nil)
	f.want(404, "GET", "/v3/domains/"+id, admin, nil)
}

func TestProjects(t *testing.T) {
	f := newFixture(t)
	admin := f.token("admin", nil)
	own := "/v3/projects/" + f.id(admin, "projects", "admin")
	project := func(attributes object) object {
		if attributes["name"] == nil {
			attributes["name"] = "x"
		}
		return object{"project": attributes}
	}
	f.table(admin, append(append(badBodies("project", "POST", "/v3/projects", maxShort), badBodies("project", "PATCH", own, maxShort)...),
		exchange{"bad: no name", "POST", "/v3/projects", object{"project": object{}}, 400, "'name' is a required property"},
		exchange{"bad: enabled", "POST", "/v3/projects", project(object{"enabled": 1}), 400, "field 'enabled'"},
		exchange{"bad: domain", "POST", "/v3/projects", project(object{"domain_id": "../x"}), 400, "field 'domain_id'"},
		exchange{"bad: no such domain", "POST", "/v3/projects", project(object{"domain_id": "x"}), 404, "Could not find domain: x."},
		exchange{"bad: no such parent", "POST", "/v3/projects", project(object{"parent_id": "x"}), 404, "Could not find domain: x."},
		exchange{"bad: is_domain", "POST", "/v3/projects", project(object{"is_domain": true}), 501, "not supported"},
		exchange{"bad: tags", "POST", "/v3/projects", project(object{"tags": "x"}), 400, "field 'tags'"},
		exchange{"bad: tag", "POST", "/v3/projects", project(object{"tags": []string{"a,b"}}), 400, "field 'tags'"},
		exchange{"bad: description", "POST", "/v3/projects", project(object{"description": []int{}}), 400, "field 'description'"},
		exchange{"bad: twice", "POST", "/v3/projects", project(object{"name": "demo"}), 409, "Duplicate entry found with name demo at domain ID default"},
		exchange{"bad: unknown", "GET", "/v3/projects/x", nil, 404, "Could not find project: x."},
		exchange{"bad: unknown", "DELETE", "/v3/projects/x", nil, 404, "Could not find project: x."},
		exchange{"bad: other id", "PATCH", own, object{"project": object{"id": "x"}}, 400, "field 'id'"},
		exchange{"bad: other domain", "PATCH", own, object{"project": object{"domain_id": "x"}}, 400, "field 'domain_id'"},
		exchange{"bad: taken name", "PATCH", own, project(object{"name": "demo"}), 409, "name demo"},
		exchange{"bad limit", "GET", "/v3/projects?limit=0", nil, 400, "field 'limit'"},
		exchange{"bad limit", "GET", "/v3/projects?limit=x", nil, 400, "field 'limit'"},
		exchange{"bad marker", "GET", "/v3/projects?marker=x", nil, 400, "marker"},
		exchange{"bad query", "GET", "/v3/projects?%zz", nil, 400, "query"},
	))
	p := f.create(admin, "projects", "project", object{"name": "web", "tags": []string{"a"}, "floor": "7", "domain_id": nil})
	id := p["id"].(string)
	want := object{
		"id": id, "name": "web", "description": "", "enabled": true, "floor": "7", "tags": []any{"a"}, "options": object{},
		"domain_id": "default", "parent_id": "default", "is_domain": false, "links": object{"self": f.url + "/v3/projects/" + id},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	child := f.create(admin, "projects", "project", object{"name": "child", "parent_id": id, "options": object{"immutable": true}})["id"].(string)
	f.table(admin, []exchange{
		{"bad: children", "DELETE", "/v3/projects/" + id, nil, 403, "not a leaf"},
		{"bad: immutable", "DELETE", "/v3/projects/" + child, nil, 403, "immutable"},
		{"bad: immutable", "PATCH", "/v3/projects/" + child, object{"project": object{"name": "y"}}, 403, "immutable"},
		{"no longer", "PATCH", "/v3/projects/" + child, object{"project": object{"options": object{"immutable": nil}}}, 200, ""},
		{"all as it was answered", "PATCH", "/v3/projects/" + id, object{"project": p}, 200, ""},
	})
	if diff := cmp.Diff([]string{"child"}, f.items(admin, "/v3/projects?parent_id="+id, "projects", "name")); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	for query, want := range map[string][]string{
		"tags=a": {"web"}, "tags=a,b": {}, "tags-any=a,b": {"web"}, "not-tags=a&name=web": {}, "not-tags-any=b&name=web": {"web"},
	} {
		if diff := cmp.Diff(want, f.items(admin, "/v3/projects?"+query, "projects", "name")); diff != "" {
			t.Errorf("?%s (-want +got):\n%s", query, diff)
		}
	}
	page := f.want(200, "GET", "/v3/projects?limit=3", admin, nil)
	next := page.Body["links"].(object)["next"].(string)
	if rest := f.items(admin, strings.TrimPrefix(next, f.url), "projects", "name"); !cmp.Equal(rest, []string{"child"}) {
		t.Errorf("the next page %s holds %v", next, rest)
	}
	f.want(204, "DELETE", "/v3/projects/"+child, admin, nil)
	f.want(204, "DELETE", "/v3/projects/"+id, admin, nil)
}

func TestUsers(t *testing.T) {
	f := newFixture(t)
	admin, demo := f.token("admin", nil), f.token("demo", nil)
	adminPath, demoPath := "/v3/users/"+f.id(admin, "users", "admin"), "/v3/users/"+f.id(admin, "users", "demo")
	password := func(before, after any) object {
		return object{"user": object{"original_password": before, "password": after}}
	}
	f.table(admin, append(append(badBodies("user", "POST", "/v3/users", maxName), badBodies("user", "PATCH", demoPath, maxName)...),
		exchange{"bad: no name", "POST", "/v3/users", object{"user": object{}}, 400, "'name' is a required property"},
		exchange{"bad: password", "POST", "/v3/users", object{"user": object{"name": "x", "password": 12345}}, 400, "field 'password'"},
		exchange{"bad: project", "POST", "/v3/users", object{"user": object{"name": "x", "default_project_id": "/"}}, 400, "field 'default_project_id'"},
		exchange{"bad: no such domain", "POST", "/v3/users", object{"user": object{"name": "x", "domain_id": "x"}}, 404, "Could not find domain: x."},
		exchange{"bad: twice", "POST", "/v3/users", object{"user": object{"name": "demo"}}, 409, "name demo"},
		exchange{"bad: unknown", "GET", "/v3/users/x", nil, 404, "Could not find user: x."},
		exchange{"bad: unknown's projects", "GET", "/v3/users/x/projects", nil, 404, "Could not find user: x."},
		exchange{"bad: other domain", "PATCH", demoPath, object{"user": object{"domain_id": "x"}}, 400, "field 'domain_id'"},
		exchange{"bad: no passwords", "POST", demoPath + "/password", object{"user": object{}}, 400, "'original_password' is a required property"},
		exchange{"bad: wrong password", "POST", demoPath + "/password", password("wrong", "x"), 401, unauthenticated},
		exchange{"bad: no new password", "POST", demoPath + "/password", password(adminPassword, nil), 400, "'password' is a required property"},
		exchange{"bad: unknown's password", "POST", "/v3/users/x/password", password("x", "x"), 401, unauthenticated},
	))
	f.table(demo, []exchange{
		{"bad: foreign", "GET", adminPath, nil, 403, "identity:get_user"},
		{"bad: list", "GET", "/v3/users", nil, 403, "identity:list_users"},
		{"bad: write", "PATCH", demoPath, object{"user": object{"enabled": true}}, 403, "identity:update_user"},
		{"bad: foreign projects", "GET", adminPath + "/projects", nil, 403, "identity:list_user_projects"},
		{"own", "GET", demoPath, nil, 200, ""},
		{"own projects", "GET", demoPath + "/projects", nil, 200, ""},
		{"own groups", "GET", demoPath + "/groups", nil, 200, ""},
	})
	f.table("", []exchange{{"bad: nobody", "GET", demoPath, nil, 401, unauthenticated}})
	u := f.create(admin, "users", "user", object{"name": "alice", "password": "s3cret", "original_password": "not kept", "email": "a@b.c"})
	id := u["id"].(string)
	want := object{
		"id": id, "name": "alice", "domain_id": "default", "enabled": true, "email": "a@b.c", "password_expires_at": nil, "options": object{},
		"links": object{"self": f.url + "/v3/users/" + id},
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.table(admin, []exchange{
		{"locked", "PATCH", "/v3/users/" + id, object{"user": object{"options": object{"lock_password": true, "ignore_password_expiry": true}, "email": nil}}, 200, ""},
		{"bad: locked password", "POST", "/v3/users/" + id + "/password", password("s3cret", "s4cret"), 403, "locked"},
		{"unlocked", "PATCH", "/v3/users/" + id, object{"user": object{"options": object{"lock_password": false}}}, 200, ""},
		{"own password", "POST", "/v3/users/" + id + "/password", password("s3cret", "s4cret"), 204, ""},
		{"bad: old password", "POST", "/v3/auth/tokens", passwordAuth("alice", "s3cret", nil), 401, unauthenticated},
		{"new password", "POST", "/v3/auth/tokens", passwordAuth("alice", "s4cret", nil), 201, ""},
		{"long password", "PATCH", "/v3/users/" + id, object{"user": object{"password": strings.Repeat("€", 4096)}}, 200, ""},
		{"bad: 72 bytes of it", "POST", "/v3/auth/tokens", passwordAuth("alice", strings.Repeat("€", 24), nil), 401, unauthenticated},
		{"disabled", "PATCH", "/v3/users/" + id, object{"user": object{"enabled": false}}, 200, ""},
		{"bad: disabled", "POST", "/v3/auth/tokens", passwordAuth("alice", strings.Repeat("€", 4096), nil), 401, unauthenticated},
		{"bad: disabled's password", "POST", "/v3/users/" + id + "/password", password(strings.Repeat("€", 4096), "x"), 401, unauthenticated},
		{"delete", "DELETE", "/v3/users/" + id, nil, 204, ""},
		{"bad: deleted", "DELETE", "/v3/users/" + id, nil, 404, "Could not find user"},
	})
}

func TestRoles(t *testing.T) {
	f := newFixture(t)
	admin := f.token("admin", nil)
	f.table(admin, append(badBodies("role", "POST", "/v3/roles", maxName),
		exchange{"bad: domain's", "POST", "/v3/roles", object{"role": object{"name": "x", "domain_id": "default"}}, 501, "not supported"},
		exchange{"bad: twice", "POST", "/v3/roles", object{"role": object{"name": "member"}}, 409, "store role"},
		exchange{"bad: immutable", "DELETE", "/v3/roles/" + f.id(admin, "roles", "admin"), nil, 403, "immutable"},
		exchange{"bad: immutable", "PATCH", "/v3/roles/" + f.id(admin, "roles", "admin"), object{"role": object{"name": "root"}}, 403, "immutable"},
		exchange{"bad: unknown", "GET", "/v3/roles/x", nil, 404, "Could not find role: x."},
	))
	id := f.create(admin, "roles", "role", object{"name": "auditor", "description": "reads"})["id"].(string)
	f.table(admin, []exchange{
		{"rename", "PATCH", "/v3/roles/" + id, object{"role": object{"name": "inspector"}}, 200, ""},
		{"show", "GET", "/v3/roles/" + id, nil, 200, ""},
		{"implies", "GET", "/v3/roles/" + id + "/implies", nil, 200, ""},
		{"delete", "DELETE", "/v3/roles/" + id, nil, 204, ""},
	})
	rules := f.want(200, "GET", "/v3/role_inferences", admin, nil).Body["role_inferences"].([]any)
	got := map[string]string{}
	for _, r := range rules {
		got[r.(object)["prior_role"].(object)["name"].(string)] = r.(object)["implies"].([]any)[0].(object)["name"].(string)
	}
	if diff := cmp.Diff(map[string]string{"admin": "member", "member": "reader"}, got); diff != "" {
		t.Errorf("inferences (-want +got):\n%s", diff)
	}
}

func TestRoleAssignments(t *testing.T) {
	f := newFixture(t)
	admin := f.token("admin", nil)
	user, project, role := f.id(admin, "users", "demo"), f.id(admin, "projects", "demo"), f.id(admin, "roles", "reader")
	for _, scope := range []string{"/v3/projects/" + project, "/v3/domains/default", "/v3/system"} {
		one := scope + "/users/" + user + "/roles/" + role
		f.table(admin, []exchange{
			{"bad: no role", "PUT", scope + "/users/" + user + "/roles/x", nil, 404, "Could not find role: x."},
			{"bad: no user", "PUT", scope + "/users/x/roles/" + role, nil, 404, "Could not find user: x."},
			{"bad: list of no user", "GET", scope + "/users/x/roles", nil, 404, "Could not find user: x."},
			{"bad: not assigned", "GET", one, nil, 404, "Could not find role assignment"},
			{"bad: not assigned", "DELETE", one, nil, 404, "Could not find role assignment"},
			{"assign", "PUT", one, nil, 204, ""},
			{"assign again", "PUT", one, nil, 204, ""},
			{"check", "GET", one, nil, 204, ""},
			{"check", "HEAD", one, nil, 204, ""},
		})
		if got := f.items(admin, scope+"/users/"+user+"/roles", "roles", "name"); len(got) == 0 {
			t.Errorf("%s lists no role", scope)
		}
		f.table(f.token("demo", projectScope("demo")), []exchange{
			{"bad: right", "PUT", one, nil, 403, "identity:create_grant"}, {"bad: right", "DELETE", one, nil, 403, "identity:revoke_grant"},
		})
	}
	f.want(404, "PUT", "/v3/projects/x/users/"+user+"/roles/"+role, admin, nil)
	f.want(404, "PUT", "/v3/domains/x/users/"+user+"/roles/"+role, admin, nil)
	list := func(query string) int {
		t.Helper()
		return len(f.want(200, "GET", "/v3/role_assignments?"+query, admin, nil).Body["role_assignments"].([]any))
	}
	for query, want := range map[string]int{
		"user.id=" + user: 5, "user.id=x": 0, "role.id=" + role: 3, "role.id=" + role + "&effective": 5, "scope.project.id=" + project: 3,
		"scope.domain.id=default": 1, "scope.system=all": 2, "user.id=" + user + "&scope.system=all": 1, "group.id=x": 0,
		"scope.OS-INHERIT:inherited_to=projects": 0, "scope.project.id=" + project + "&effective": 3,
	} {
		if got := list(query); got != want {
			t.Errorf("?%s lists %d, want %d", query, got, want)
		}
	}
	f.table(admin, []exchange{
		{"bad: two scopes", "GET", "/v3/role_assignments?scope.system=all&scope.domain.id=x", nil, 400, "at most one"},
		{"bad: two actors", "GET", "/v3/role_assignments?user.id=x&group.id=x", nil, 400, "at most one"},
	})
	got := f.want(200, "GET", "/v3/role_assignments?include_names&role.id="+role+"&scope.project.id="+project, admin, nil).Body["role_assignments"]
	domain := object{"id": "default", "name": "Default"}
	want := []any{object{
		"role": object{"id": role, "name": "reader"}, "user": object{"id": user, "name": "demo", "domain": domain},
		"scope": object{"project": object{"id": project, "name": "demo", "domain": domain}},
		"links": object{"assignment": f.url + "/v3/projects/" + project + "/users/" + user + "/roles/" + role},
	}}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("with names (-want +got):\n%s", diff)
	}
}

func TestApplicationCredentials(t *testing.T) {
	f := newFixture(t)
	admin, demo := f.token("admin", nil), f.token("demo", nil)
	user := f.id(admin, "users", "demo")
	path := "/v3/users/" + user + "/application_credentials"
	body := func(attributes object) object {
		if attributes["name"] == nil {
			attributes["name"] = "x"
		}
		return object{"application_credential": attributes}
	}
	f.table(demo, []exchange{
		{"bad: body", "POST", path, "[]", 400, "a JSON object"},
		{"bad: no name", "POST", path, object{"application_credential": object{}}, 400, "'name' is a required property"},
		{"bad: unrestricted", "POST", path, body(object{"unrestricted": 1}), 400, "field 'unrestricted'"},
		{"bad: time", "POST", path, body(object{"expires_at": "tomorrow"}), 400, "field 'expires_at'"},
		{"bad: past", "POST", path, body(object{"expires_at": "2001-01-01T00:00:00"}), 400, "is in the past"},
		{"bad: secret", "POST", path, body(object{"secret": 1}), 400, "field 'secret'"},
		{"bad: roles", "POST", path, body(object{"roles": "member"}), 400, "field 'roles'"},
		{"bad: role", "POST", path, body(object{"roles": []any{object{}}}), 400, "'id' is a required property"},
		{"bad: foreign role", "POST", path, body(object{"roles": []any{object{"name": "admin"}}}), 400, "Could not find role assignment"},
		{"bad: rules", "POST", path, body(object{"access_rules": []any{object{"path": "/x"}}}), 501, "not supported"},
		{"bad: unknown", "GET", path + "/x", nil, 404, "Could not find application credential: x."},
		{"bad: foreign user", "POST", "/v3/users/x/application_credentials", body(object{}), 403, "create_application_credential"},
		{"bad: foreign user", "GET", "/v3/users/x/application_credentials", nil, 403, "list_application_credentials"},
	})
	f.table(admin, []exchange{{"bad: for another", "POST", path, body(object{}), 403, "create_application_credential"}})
	f.table(f.token("demo", "unscoped"), []exchange{{"bad: unscoped", "POST", path, body(object{}), 400, "project-scoped token"}})

	c := f.want(201, "POST", path, demo, body(object{"name": "robot", "roles": []any{object{"name": "reader"}}})).Body["application_credential"].(object)
	id, secret := c["id"].(string), c["secret"].(string)
	f.table(demo, []exchange{{"bad: twice", "POST", path, body(object{"name": "robot"}), 409, "Duplicate entry"}})
	shown := f.want(200, "GET", path+"/"+id, demo, nil).Body["application_credential"].(object)
	delete(c, "secret")
	if diff := cmp.Diff(c, shown); diff != "" || shown["secret_hash"] != nil {
		t.Errorf("(-created +shown):\n%s", diff)
	}
	login := func(m object, scope any) answer {
		auth := object{"identity": object{"methods": []string{"application_credential"}, "application_credential": m}}
		if scope != nil {
			auth["scope"] = scope
		}
		return f.call("POST", "/v3/auth/tokens", "", object{"auth": auth})
	}
	byID := object{"id": id, "secret": secret}
	for name, a := range map[string]answer{
		"bad secret":    login(object{"id": id, "secret": "x"}, nil),
		"bad id":        login(object{"id": "x", "secret": secret}, nil),
		"bad name":      login(object{"name": "x", "user": object{"id": user}, "secret": secret}, nil),
		"bad user":      login(object{"name": "robot", "user": object{"id": "x"}, "secret": secret}, nil),
		"bad scope":     login(byID, projectScope("admin")),
		"bad: unscoped": login(byID, "unscoped"),
	} {
		if a.Status != 401 {
			t.Errorf("%s: %d %v", name, a.Status, a.Body)
		}
	}
	f.forgive()
	for name, a := range map[string]answer{
		"id":    login(byID, nil),
		"name":  login(object{"name": "robot", "user": object{"name": "demo", "domain": object{"id": "default"}}, "secret": secret}, nil),
		"scope": login(byID, projectScope("demo")),
	} {
		if a.Status != 201 {
			t.Errorf("%s: %d %v", name, a.Status, a.Body)
		}
	}
	robot := login(byID, nil)
	token := robot.Body["token"].(object)
	if diff := cmp.Diff(any(object{"id": id, "name": "robot", "restricted": true}), token["application_credential"]); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
	if roles := token["roles"].([]any); len(roles) != 1 || roles[0].(object)["name"] != "reader" {
		t.Errorf("the token's roles are %v", roles)
	}
	text := robot.Header.Get("X-Subject-Token")
	f.table(text, []exchange{
		{"bad: restricted", "POST", path, body(object{}), 403, "create_application_credential"},
		{"bad: restricted", "DELETE", path + "/" + id, nil, 403, "delete_application_credential"},
		{"list", "GET", path, nil, 200, ""},
	})
	f.want(401, "POST", "/v3/auth/tokens", "", tokenAuth(text, "unscoped"))
	again := f.want(201, "POST", "/v3/auth/tokens", "", tokenAuth(text, nil))
	if roles := again.Body["token"].(object)["roles"].([]any); len(roles) != 1 {
		t.Errorf("a token by the credential's token has the roles %v", roles)
	}
	f.want(404, "GET", strings.Replace(path, user, f.id(admin, "users", "admin"), 1)+"/"+id, admin, nil)
	f.want(204, "DELETE", path+"/"+id, demo, nil)
	f.want(401, "GET", "/v3/auth/projects", text, nil)

	free := f.want(201, "POST", path, demo, body(object{"name": "free", "unrestricted": true, "secret": "mine", "expires_at": "2099-01-01T00:00:00.000000"})).Body["application_credential"].(object)
	if free["secret"] != "mine" || free["expires_at"] != "2099-01-01T00:00:00.000000" || len(free["roles"].([]any)) != 3 {
		t.Errorf("created %v", free)
	}
	unrestricted := login(object{"id": free["id"], "secret": "mine"}, nil).Header.Get("X-Subject-Token")
	f.want(201, "POST", path, unrestricted, body(object{"name": "child"}))
	if diff := cmp.Diff([]string{"free", "child"}, f.items(demo, path, "application_credentials", "name")); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	project, role := f.id(admin, "projects", "demo"), f.id(admin, "roles", "load-balancer_member")
	f.want(204, "DELETE", "/v3/projects/"+project+"/users/"+user+"/roles/"+role, admin, nil)
	if got := f.items(demo, path, "application_credentials", "name"); len(got) != 0 {
		t.Errorf("after a role was taken away there are still %v", got)
	}
}

func TestServicesEndpointsRegions(t *testing.T) {
	f := newFixture(t)
	admin, demo := f.token("admin", nil), f.token("demo", nil)
	f.table(demo, []exchange{
		{"bad: right", "GET", "/v3/services", nil, 403, "identity:list_services"},
		{"bad: right", "GET", "/v3/endpoints", nil, 403, "identity:list_endpoints"},
		{"regions", "GET", "/v3/regions", nil, 200, ""},
	})
	f.table(admin, []exchange{
		{"bad: unknown", "GET", "/v3/services/x", nil, 404, "Could not find service: x."},
		{"bad: unknown", "GET", "/v3/endpoints/x", nil, 404, "Could not find endpoint: x."},
		{"bad: unknown", "GET", "/v3/regions/x", nil, 404, "Could not find region: x."},
		{"bad: write", "POST", "/v3/services", object{"service": object{}}, 405, "not allowed"},
		{"bad: group", "POST", "/v3/groups", object{"group": object{}}, 501, "not supported"},
		{"bad: group", "GET", "/v3/groups/x", nil, 404, "Could not find group: x."},
		{"region", "GET", "/v3/regions/RegionOne", nil, 200, ""},
	})
	e := f.endpoints[2]
	for path, want := range map[string][]string{
		"/v3/services": {"keystone", "neutron", "octavia"}, "/v3/services?type=network": {"neutron"}, "/v3/services?name=x": {},
	} {
		if diff := cmp.Diff(want, f.items(admin, path, "services", "name")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	path := "/v3/endpoints?interface=public&service_id=" + e.ServiceID()
	if diff := cmp.Diff([]string{e.EndpointID("RegionOne", "public")}, f.items(admin, path, "endpoints", "id")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.want(200, "GET", "/v3/endpoints/"+e.EndpointID("RegionOne", "public"), admin, nil)
	f.want(200, "GET", "/v3/services/"+e.ServiceID(), admin, nil)
	if diff := cmp.Diff([]string{}, f.items(admin, "/v3/groups", "groups", "id")); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// Every route that names a rule is closed to those whom the rule does not allow, and open to nobody without a token.
func TestEveryRouteAsksItsRule(t *testing.T) {
	f := newFixture(t)
	unscoped := f.token("demo", "unscoped")
	free := map[string]bool{"/{$}": true, "/v3": true, "/v3/auth/tokens": true, "/v3/users/{user}/password": true}
	for _, route := range f.routes() {
		path := strings.NewReplacer("{", "", "}", "", "$", "").Replace(route.Path)
		if (route.Rule == "") != free[route.Path] {
			t.Errorf("%s %s has the rule %q", route.Method, route.Path, route.Rule)
		}
		if route.Open {
			continue
		}
		f.want(401, route.Method, path, "", nil)
		anybody := strings.HasPrefix(route.Path, "/v3/auth/") || strings.HasPrefix(route.Path, "/v3/regions")
		if a := f.call(route.Method, path, unscoped, nil); a.Status != 403 && !anybody {
			t.Errorf("%s %s answers %d to an unscoped token", route.Method, path, a.Status)
		}
	}
}
