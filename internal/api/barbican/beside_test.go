package barbican_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMetadata(t *testing.T) {
	f := newFixture(t)
	s := f.secret("alice", object{"name": "s"})
	const badKey, badText = "Invalid Key. Key must be URL safe.", "Invalid Metadata. Keys and Values must be Strings."
	all := object{}
	for i := range 101 {
		all[fmt.Sprint("k", i)] = "v"
	}
	f.want(201, "alice", "PUT", s+"/metadata", object{"metadata": object{"Kept": "1"}})
	f.refuse([]bad{
		{"bad body", "PUT", s + "/metadata", object{}, nil, 400, schema("SecretMetadata", "'metadata' is a required property", "None")},
		{"bad metadata", "PUT", s + "/metadata", object{"metadata": "x"}, nil, 400, schema("SecretMetadata", "the value is not of type 'object'", "metadata")},
		{"bad key", "PUT", s + "/metadata", object{"metadata": object{"a/b": "x"}}, nil, 400, badKey},
		{"bad key: none", "POST", s + "/metadata", object{"key": "", "value": "x"}, nil, 400, badKey},
		{"bad value", "PUT", s + "/metadata", object{"metadata": object{"a": 1}}, nil, 400, badText},
		{"bad value: null", "POST", s + "/metadata", object{"key": "a", "value": nil}, nil, 400, badText},
		{"bad length", "POST", s + "/metadata", object{"key": "a", "value": strings.Repeat("x", 256)}, nil, 400, "Invalid Metadata. Keys and Values have at most 255 characters."},
		{"bad number", "PUT", s + "/metadata", object{"metadata": all}, nil, 400, "Invalid Metadata. A secret has at most 100 keys."},
		{"bad pair", "POST", s + "/metadata", object{"key": "a"}, nil, 400, schema("SecretMetadatum", "'value' is a required property", "None")},
		{"bad property", "POST", s + "/metadata", object{"key": "a", "value": "b", "x": 1}, nil, 400, schema("SecretMetadatum", "Additional properties are not allowed", "None")},
		{"bad key: there", "POST", s + "/metadata", object{"key": "KEPT", "value": "2"}, nil, 409, "Conflict. Key in request is already in the secret metadata"},
		{"bad key: another", "PUT", s + "/metadata/kept", object{"key": "other", "value": "2"}, nil, 409, "Key in request data does not match key in the request url."},
		{"bad key: missing", "PUT", s + "/metadata/a", object{"key": "a", "value": "2"}, nil, 404, "Secret metadata not found."},
		{"bad key: not there", "GET", s + "/metadata/a", nil, nil, 404, "Secret metadata not found."},
		{"bad key: gone", "DELETE", s + "/metadata/a", nil, nil, 404, "Secret metadata not found."},
	})
	pair := func(key, value string) object { return object{"key": key, "value": value} }
	a := f.want(201, "alice", "POST", s+"/metadata", pair("New", "n"))
	if diff := cmp.Diff(object{"metadata_ref": f.url + s + "/metadata/new", "key": "new", "value": "n"}, a.body); diff != "" {
		t.Errorf("POST (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(pair("new", "2"), f.want(200, "alice", "PUT", s+"/metadata/new", pair("new", "2")).body); diff != "" {
		t.Errorf("PUT (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(pair("new", "2"), f.want(200, "alice", "GET", s+"/metadata/new", nil).body); diff != "" {
		t.Errorf("GET (-want +got):\n%s", diff)
	}
	f.want(204, "alice", "DELETE", s+"/metadata/kept", nil)
	if diff := cmp.Diff(object{"metadata": object{"new": "2"}}, f.want(200, "alice", "GET", s+"/metadata", nil).body); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	a = f.want(201, "alice", "PUT", s+"/metadata", object{"metadata": object{}})
	if diff := cmp.Diff(object{"metadata_ref": f.url + s + "/metadata"}, a.body); diff != "" {
		t.Errorf("PUT of all (-want +got):\n%s", diff)
	}
}

func TestACLs(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{f.text("alice", "s", "x"), f.container("alice", object{"type": "generic"})} {
		acl := path + "/acl"
		show := func() object {
			read := f.want(200, "alice", "GET", acl, nil).body["read"].(object)
			return f.shown(read)
		}
		read := func(o object) object { return object{"read": o} }
		many := make([]string, 101)
		for i := range many {
			many[i] = fmt.Sprint("u", i)
		}
		for _, b := range []bad{
			{"bad operation", "PUT", acl, object{"write": object{}}, nil, 400, schema("ACL", "Additional properties are not allowed ('write' was unexpected)", "None")},
			{"bad property", "PUT", acl, read(object{"groups": 1}), nil, 400, schema("ACL", "Additional properties are not allowed ('groups' was unexpected)", "read")},
			{"bad read", "PATCH", acl, object{"read": nil}, nil, 400, schema("ACL", "the value is not of type 'object'", "read")},
			{"bad access", "PUT", acl, read(object{"project-access": "no"}), nil, 400, schema("ACL", "the value of project-access is not of type 'boolean'", "read")},
			{"bad access: null", "PUT", acl, read(object{"project-access": nil}), nil, 400, schema("ACL", "the value of project-access is not of type 'boolean'", "read")},
			{"bad users", "PATCH", acl, read(object{"users": "u"}), nil, 400, schema("ACL", "the value of users is not a list of strings", "read")},
			{"bad users: null", "PUT", acl, read(object{"users": []any{"u", nil}}), nil, 400, schema("ACL", "the value of users is not a list of strings", "read")},
			{"bad user", "PUT", acl, read(object{"users": []string{" "}}), nil, 400, schema("ACL", "users are ids of 1 to 255 characters", "read")},
			{"bad number", "PUT", acl, read(object{"users": many}), nil, 400, schema("ACL", "there are more than 100 users", "read")},
		} {
			f.refuse([]bad{b})
		}
		same := func(what string, want object) {
			t.Helper()
			if diff := cmp.Diff(want, show()); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", path, what, diff)
			}
		}
		same("without an ACL", object{"project-access": true})
		a := f.want(200, "alice", "PUT", acl, read(object{"users": []string{"bob", " friend ", "bob"}, "project-access": false}))
		if diff := cmp.Diff(object{"acl_ref": f.url + acl}, a.body); diff != "" {
			t.Errorf("PUT (-want +got):\n%s", diff)
		}
		full := func(access bool, users ...any) object {
			return object{"project-access": access, "users": append([]any{}, users...), "created": "now", "updated": "now"}
		}
		same("an ACL", full(false, "bob", "friend"))
		f.want(200, "alice", "PATCH", acl, read(object{"project-access": true}))
		same("after one of its access", full(true, "bob", "friend"))
		f.want(200, "alice", "PATCH", acl, read(object{"users": []string{"bob"}}))
		same("after one of its users", full(true, "bob"))
		f.want(200, "alice", "PUT", acl, read(object{"project-access": false}))
		same("replaced", full(false))
		f.want(200, "alice", "DELETE", acl, nil)
		same("deleted", object{"project-access": true})
		f.want(200, "alice", "PUT", acl, read(object{"users": []string{"bob"}}))
		f.want(200, "alice", "PUT", acl, object{})
		same("replaced by none", object{"project-access": true})
	}
}

func TestConsumers(t *testing.T) {
	f := newFixture(t)
	s, c := f.text("alice", "s", "x"), f.container("alice", object{"type": "generic"})
	for _, path := range []string{s, c} {
		f.want(200, "alice", "PUT", path+"/acl", object{"read": object{"users": []string{"friend", "bob"}}})
	}
	image := object{"service": "image", "resource_type": "images", "resource_id": "1"}
	volume := object{"service": "volume", "resource_type": "volumes", "resource_id": "2"}
	lb, other := object{"name": "lb", "URL": "http://lb"}, object{"name": "other", "URL": "http://lb"}
	required := func(schemaName, name string) string {
		return schema(schemaName, "'"+name+"' is a required property", "None")
	}
	long := strings.Repeat("x", 256)
	f.refuse([]bad{
		{"bad consumer", "POST", s + "/consumers", object{}, nil, 400, required("Secret Consumer", "service")},
		{"bad consumer: empty", "POST", s + "/consumers", object{"service": "", "resource_type": "a", "resource_id": "b"}, nil, 400, schema("Secret Consumer", "'' is too short", "service")},
		{"bad consumer: long", "POST", s + "/consumers", object{"service": "a", "resource_type": long, "resource_id": "b"}, nil, 400, schema("Secret Consumer", "'"+long+"' is too long", "resource_type")},
		{"bad consumer: missing", "DELETE", s + "/consumers", image, nil, 404, "Consumer not found."},
		{"bad user", "POST", c + "/consumers", object{"name": "a"}, nil, 400, required("Consumer", "URL")},
		{"bad user: long", "POST", c + "/consumers", object{"name": long[:37], "URL": "a"}, nil, 400, schema("Consumer", "'"+long[:37]+"' is too long", "name")},
		{"bad user: missing", "DELETE", c + "/consumers", lb, nil, 404, "Consumer not found."},
	})
	for path, pair := range map[string][2]object{s: {image, volume}, c: {lb, other}} {
		same := func(what string, a answer, want ...any) {
			t.Helper()
			if diff := cmp.Diff(append([]any{}, want...), a.body["consumers"]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", path, what, diff)
			}
		}
		first, second := pair[0], pair[1]
		same("the first", f.want(200, "alice", "POST", path+"/consumers", first), first)
		same("again", f.want(200, "alice", "POST", path+"/consumers", first), first)
		same("one of another project", f.want(200, "bob", "POST", path+"/consumers", second), first, second)
		a := f.want(200, "alice", "GET", path+"/consumers?limit=1&offset=1", nil)
		listed := f.shown(a.body["consumers"].([]any)[0].(object))
		want := object{"status": "ACTIVE", "created": "now", "updated": "now"}
		for k, v := range second {
			want[k] = v
		}
		if diff := cmp.Diff(want, listed); diff != "" || a.body["total"] != 2.0 || a.body["previous"] != f.url+path+"/consumers?limit=1&offset=0" {
			t.Errorf("%s: the list %s (-want +got):\n%s", path, a.text, diff)
		}
		if code, text := f.fault(f.call("bob", "DELETE", path+"/consumers", first)); code != 403 || text != "Not Allowed. Sorry, only the creator of a consumer can delete it." {
			t.Errorf("%s: somebody else's consumer: %d %s", path, code, text)
		}
		same("without the first", f.want(200, "alice", "DELETE", path+"/consumers", first), second)
		same("without any", f.want(200, "bob", "DELETE", path+"/consumers", second))
	}
}
