package barbican_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBadContainers(t *testing.T) {
	f := newFixture(t)
	s, s2 := f.url+f.text("alice", "s", "x"), f.url+f.text("alice", "s2", "x")
	foreignRef, private := f.url+f.text("bob", "b", "x"), f.text("carol", "c", "x")
	f.want(200, "carol", "PUT", private+"/acl", object{"read": object{"project-access": false}})
	refs := func(pairs ...any) []object {
		var all []object
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, object{"name": pairs[i], "secret_ref": pairs[i+1]})
		}
		return all
	}
	container := func(name string, body any, reason, property string) bad {
		return bad{"bad " + name, "POST", "/v1/containers", body, nil, 400, schema("Container", reason, property)}
	}
	generic := func(refs any) object { return object{"type": "generic", "secret_refs": refs} }
	const notOurs = "it is no reference to a secret of this key manager"
	missing := func(ref, name string) bad {
		return bad{"bad secret " + name, "POST", "/v1/containers", generic(refs(name, ref)), nil, 404, "Secret provided for '" + name + "' doesn't exist."}
	}
	f.refuse([]bad{
		container("type: none", object{}, "'type' is a required property", "None"),
		container("type", object{"type": "box"}, "'box' is not one of ['generic', 'rsa', 'certificate']", "type"),
		container("name", object{"type": "generic", "name": 1}, "the value is not of type 'string'", "name"),
		container("refs", generic(object{}), "the value is not a list of objects", "secret_refs"),
		container("refs: null", generic([]any{nil}), "the value is not a list of objects", "secret_refs"),
		container("ref: none", generic([]object{{"name": "a"}}), "'secret_ref' is a required property", "None"),
		container("ref: another place", generic(refs("a", "https://evil.example/x/"+s[len(s)-36:])), notOurs, "secret_ref"),
		container("ref: a container", generic(refs("a", strings.Replace(s, "secrets", "containers", 1))), notOurs, "secret_ref"),
		container("ref: no id", generic(refs("a", f.url+"/v1/secrets/x")), notOurs, "secret_ref"),
		container("names", generic(refs("a", s, "a", s2)), "Duplicate reference names are not allowed", "secret_refs"),
		container("ids", generic(refs("a", s, "b", s)), "Duplicate secret ids are not allowed", "secret_refs"),
		missing(f.url+nothing, "none"), missing(foreignRef, "bob's"), missing(f.url+private, "private"),
		{"bad id", "GET", "/v1/containers/x", nil, nil, 404, "Container not found."},
		{"bad id: none has it", "DELETE", strings.Replace(nothing, "secrets", "containers", 1), nil, nil, 404, "Container not found."},
	})
	for _, body := range []object{
		{"type": "rsa", "secret_refs": refs("private_key", s)},
		{"type": "rsa", "secret_refs": refs("private_key", s, "certificate", s2)},
		{"type": "certificate", "secret_refs": refs("private_key", s)},
		{"type": "certificate", "secret_refs": refs("certificate", s, "public_key", s2)},
		{"type": "certificate"},
	} {
		if code, text := f.fault(f.call("alice", "POST", "/v1/containers", body)); code != 400 || !strings.HasPrefix(text, "Provided object does not match schema 'Container': ") {
			t.Errorf("%v: %d %s", body, code, text)
		}
	}
	if got := f.names("alice", "/v1/containers"); len(got) != 0 {
		t.Errorf("after refusals there are %q", got)
	}
}

func TestContainer(t *testing.T) {
	f := newFixture(t)
	cert, key, pass := f.url+f.text("alice", "cert", "x"), f.url+f.text("alice", "key", "x"), f.url+f.text("alice", "pass", "x")
	ref := func(name any, ref string) object { return object{"name": name, "secret_ref": ref} }
	c := f.container("alice", object{"name": "tls", "type": "certificate", "secret_refs": []object{
		ref("certificate", "http://another.name/key-manager/v1/secrets/"+cert[len(cert)-36:]+"/"), ref("private_key", key), ref("private_key_passphrase", pass[len(pass)-36:]),
	}})
	want := object{
		"type": "certificate", "status": "ACTIVE", "name": "tls", "container_ref": f.url + c, "creator_id": "alice", "created": "now", "updated": "now",
		"consumers": []any{}, "secret_refs": []any{ref("certificate", cert), ref("private_key", key), ref("private_key_passphrase", pass)},
	}
	if diff := cmp.Diff(want, f.shown(f.want(200, "alice", "GET", c, nil).body)); diff != "" {
		t.Errorf("a container (-want +got):\n%s", diff)
	}
	all := f.want(200, "alice", "GET", "/v1/containers", nil).body
	f.shown(all["containers"].([]any)[0].(object))
	if diff := cmp.Diff(object{"containers": []any{want}, "total": 1.0}, all); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	if code, text := f.fault(f.call("alice", "POST", c+"/secrets", ref("x", cert))); code != 400 || text != "Only 'generic' containers can be modified." {
		t.Errorf("a secret for a container of a certificate: %d %s", code, text)
	}
	f.want(204, "alice", "DELETE", c, nil)
	f.want(404, "alice", "GET", c, nil)
	f.want(200, "alice", "GET", strings.TrimPrefix(cert, f.url), nil)
}

func TestContained(t *testing.T) {
	f := newFixture(t)
	one, two := f.url+f.text("alice", "one", "x"), f.url+f.text("alice", "two", "x")
	ref := func(name any, ref string) object { return object{"name": name, "secret_ref": ref} }
	c := f.container("alice", object{"type": "generic"})
	a := f.want(201, "alice", "POST", c+"/secrets", ref("a", one))
	if diff := cmp.Diff(object{"container_ref": f.url + c}, a.body); diff != "" {
		t.Errorf("POST (-want +got):\n%s", diff)
	}
	f.want(201, "alice", "POST", c+"/secrets", object{"secret_ref": two})
	f.want(404, "alice", "DELETE", c+"/secrets", ref("b", one))
	f.want(404, "alice", "POST", c+"/secrets", ref("b", f.url+nothing))
	f.want(400, "alice", "POST", c+"/secrets", object{"name": "b"})
	if a := f.call("alice", "POST", c+"/secrets", ref("a", one)); a.code != 409 {
		t.Errorf("a secret that is there: %d %s", a.code, a.text)
	}
	held := func() any { return f.want(200, "alice", "GET", c, nil).body["secret_refs"] }
	if diff := cmp.Diff(any([]any{ref("a", one), ref(nil, two)}), held()); diff != "" {
		t.Errorf("with two (-want +got):\n%s", diff)
	}
	f.want(204, "alice", "DELETE", c+"/secrets", ref("a", one))
	f.want(204, "alice", "DELETE", strings.TrimPrefix(two, f.url), nil)
	if diff := cmp.Diff(any([]any{}), held()); diff != "" {
		t.Errorf("after a secret was deleted (-want +got):\n%s", diff)
	}
}
