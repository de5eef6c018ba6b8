package barbican_test

import (
	"slices"
	"strings"
	"testing"
)

// Who may what to an object of alice's. The second list is for one that is private, and that names friend.
var (
	mayWrite   = [2][]string{{"alice", "carol", "creator", "boss"}, {"alice", "boss"}}
	mayDecrypt = [2][]string{{"alice", "carol", "creator", "observer", "boss"}, {"alice", "boss", "friend"}}
	mayLook    = [2][]string{{"alice", "carol", "creator", "observer", "audit", "boss"}, {"alice", "boss", "friend"}}
	mayUse     = [2][]string{{"alice", "carol", "creator", "boss"}, {"alice", "boss", "friend"}}
	maySeeACL  = [2][]string{{"alice", "carol", "creator", "observer", "boss"}, {"alice", "boss"}}
	mayCreate  = []string{"alice", "carol", "creator", "boss", "bob", "king"}
	mayList    = append(slices.Clone(mayCreate), "observer")
)

// attempt is a request to an object, and who is let pass.
type attempt struct {
	method, path string
	body         any
	headers      []string
	code         int
	may          [2][]string
}

func (f *fixture) attempts() (ofSecret, ofContainer []attempt) {
	s := f.text("alice", "held", "x")
	plain, text := []string{"Content-Type", "text/plain"}, []string{"Accept", "text/plain"}
	acl := object{"read": object{"users": []string{"friend"}, "project-access": false}}
	pair := object{"key": "k", "value": "v"}
	user := object{"service": "image", "resource_type": "images", "resource_id": "1"}
	named := object{"name": "lb", "URL": "http://x"}
	held := object{"name": "n", "secret_ref": f.url + s}
	ofSecret = []attempt{
		{"GET", "", nil, nil, 200, mayLook},
		{"GET", "", nil, text, 200, mayDecrypt},
		{"GET", "/payload", nil, text, 200, mayDecrypt},
		{"PUT", "", "new", plain, 204, mayWrite},
		{"GET", "/metadata", nil, nil, 200, mayLook},
		{"PUT", "/metadata", object{"metadata": object{}}, nil, 201, mayWrite},
		{"POST", "/metadata", pair, nil, 201, mayWrite},
		{"GET", "/metadata/there", nil, nil, 200, mayLook},
		{"PUT", "/metadata/there", object{"key": "there", "value": "2"}, nil, 200, mayWrite},
		{"DELETE", "/metadata/there", nil, nil, 204, mayWrite},
		{"GET", "/acl", nil, nil, 200, maySeeACL},
		{"PUT", "/acl", acl, nil, 200, mayWrite},
		{"PATCH", "/acl", acl, nil, 200, mayWrite},
		{"DELETE", "/acl", nil, nil, 200, mayWrite},
		{"GET", "/consumers", nil, nil, 200, mayLook},
		{"POST", "/consumers", user, nil, 200, mayUse},
		{"DELETE", "/consumers", user, nil, 404, mayUse},
		{"DELETE", "", nil, nil, 204, mayWrite},
	}
	ofContainer = []attempt{
		{"GET", "", nil, nil, 200, mayLook},
		{"POST", "/secrets", held, nil, 201, mayWrite},
		{"DELETE", "/secrets", held, nil, 404, mayWrite},
		{"GET", "/acl", nil, nil, 200, maySeeACL},
		{"PUT", "/acl", acl, nil, 200, mayWrite},
		{"PATCH", "/acl", acl, nil, 200, mayWrite},
		{"DELETE", "/acl", nil, nil, 200, mayWrite},
		{"GET", "/consumers", nil, nil, 200, mayLook},
		{"POST", "/consumers", named, nil, 200, mayUse},
		{"DELETE", "/consumers", named, nil, 404, mayUse},
		{"DELETE", "", nil, nil, 204, mayWrite},
	}
	return ofSecret, ofContainer
}

// TestWhoMay tries every request to an object as everybody, in the object's project and in another one.
func TestWhoMay(t *testing.T) {
	f := newFixture(t)
	private := object{"read": object{"users": []string{"friend"}, "project-access": false}}
	makeSecret := func() string {
		path := f.text("alice", "s", "x")
		f.want(201, "alice", "PUT", path+"/metadata", object{"metadata": object{"there": "1"}})
		return path
	}
	makeContainer := func() string { return f.container("alice", object{"type": "generic"}) }
	ofSecret, ofContainer := f.attempts()
	for kind, object := range []func() string{makeSecret, makeContainer} {
		for _, a := range [][]attempt{ofSecret, ofContainer}[kind] {
			for closed, may := range a.may {
				for who := range people() {
					path := object()
					if closed == 1 {
						f.want(200, "alice", "PUT", path+"/acl", private)
					}
					got := f.call(who, a.method, path+a.path, a.body, a.headers...)
					want := a.code
					if !slices.Contains(may, who) {
						want = 403
					}
					if got.code != want {
						t.Errorf("%s of an object that is private %t: %s %s answers %d %s, want %d", who, closed == 1, a.method, path+a.path, got.code, got.text, want)
					}
					if got.code == 403 && !strings.HasSuffix(got.text, `attempt not allowed - please review your user/project privileges"}`) {
						t.Errorf("a refusal says %s", got.text)
					}
				}
			}
		}
	}
}

// TestWhoMayMake asks who may make secrets and containers, and list those of the own project.
func TestWhoMayMake(t *testing.T) {
	f := newFixture(t)
	for who := range people() {
		for _, a := range []struct {
			method, path string
			body         any
			code         int
			may          []string
		}{
			{"POST", "/v1/secrets", object{"name": "s"}, 201, mayCreate},
			{"POST", "/v1/containers", object{"type": "generic"}, 201, mayCreate},
			{"GET", "/v1/secrets", nil, 200, mayList},
			{"GET", "/v1/containers", nil, 200, mayList},
		} {
			want := a.code
			if !slices.Contains(a.may, who) {
				want = 403
			}
			if got := f.call(who, a.method, a.path, a.body); got.code != want {
				t.Errorf("%s %s by %s answers %d %s, want %d", a.method, a.path, who, got.code, got.text, want)
			}
		}
	}
}

// TestListsShowOwnProject looks for what is somebody else's, and for what is private.
func TestListsShowOwnProject(t *testing.T) {
	f := newFixture(t)
	f.text("alice", "open", "x")
	closed := f.text("alice", "closed", "x")
	f.want(200, "alice", "PUT", closed+"/acl", object{"read": object{"users": []string{"friend", "bob"}, "project-access": false}})
	f.text("bob", "bob's", "x")
	for who, want := range map[string][]string{
		"alice": {"open", "closed"}, "carol": {"open"}, "observer": {"open"}, "boss": {"open", "closed"}, "bob": {"bob's"}, "king": {"bob's"},
	} {
		if got := f.names(who, "/v1/secrets"); !slices.Equal(got, want) {
			t.Errorf("%s sees %q, want %q", who, got, want)
		}
	}
	if got := f.names("bob", "/v1/secrets?acl_only=true"); !slices.Equal(got, []string{"closed"}) {
		t.Errorf("by ACL bob sees %q", got)
	}
}

// names lists objects and returns their names in order.
func (f *fixture) names(who, path string) []string {
	f.t.Helper()
	a := f.want(200, who, "GET", path, nil)
	noun := "secrets"
	if _, ok := a.body[noun]; !ok {
		noun = "containers"
	}
	found := []string{}
	for _, item := range a.body[noun].([]any) {
		name, _ := item.(object)["name"].(string)
		found = append(found, name)
	}
	return found
}

func TestStrangers(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/v1/secrets", "/v1/containers", "/v1/orders", "/v1/nothing", "/nothing"} {
		a := f.call("", "GET", path, nil)
		if a.code != 401 || a.body["title"] != "Unauthorized" || a.body["error"] == nil || !strings.HasPrefix(a.header.Get("Www-Authenticate"), "Keystone uri=") {
			t.Errorf("GET %s without a token answers %d %v %s", path, a.code, a.header, a.text)
		}
	}
}
