package barbican_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/barbican"
	"plimsoll/internal/keymanager"
)

// schema is Barbican's text of a body that is not as it should be.
func schema(name, reason, property string) string {
	return "Provided object does not match schema '" + name + "': " + reason + ". Invalid property: '" + property + "'"
}

const nothing = "/v1/secrets/00000000-0000-4000-8000-000000000000"

func TestBadSecrets(t *testing.T) {
	f := newFixture(t)
	secret := func(name string, body any, reason, property string) bad {
		return bad{"bad " + name, "POST", "/v1/secrets", body, nil, 400, schema("Secret", reason, property)}
	}
	payload := func(more object) object {
		o := object{"payload": "eA==", "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"}
		for k, v := range more {
			if o[k] = v; v == nil {
				delete(o, k)
			}
		}
		return o
	}
	known := "['text/plain', 'application/octet-stream', 'application/pkcs8', 'application/pkix-cert']"
	f.refuse([]bad{
		{"bad JSON", "POST", "/v1/secrets", "{", nil, 400, "Malformed JSON"},
		{"bad UTF-8", "POST", "/v1/secrets", "{\"name\": \"\xff\"}", nil, 400, "Malformed JSON"},
		{"bad content type", "POST", "/v1/secrets", "x", []string{"Content-Type", "text/plain"}, 415, "Unexpected content type. Expected content types are: ['application/json']"},
		{"bad size", "POST", "/v1/secrets", `{"name": "` + strings.Repeat("x", 200000) + `"}`, nil, 413, "Provided information too large to process"},
		secret("list", []object{}, "the body is not of type 'object'", "None"),
		secret("null", "null", "the body is not of type 'object'", "None"),
		secret("name", object{"name": 1}, "the value is not of type 'string'", "name"),
		secret("long name", object{"name": strings.Repeat("x", 256)}, "'"+strings.Repeat("x", 256)+"' is too long", "name"),
		secret("zero byte", object{"name": "a\x00b"}, "the value has a zero byte", "name"),
		secret("algorithm", object{"algorithm": nil}, "the value is not of type 'string'", "algorithm"),
		secret("mode", object{"mode": []string{}}, "the value is not of type 'string'", "mode"),
		secret("bit length", object{"bit_length": "256"}, "the value is not of type 'integer'", "bit_length"),
		secret("bit length: null", object{"bit_length": nil}, "the value is not of type 'integer'", "bit_length"),
		secret("bit length: 0", object{"bit_length": 0}, "0 is less than the minimum of 1", "bit_length"),
		secret("bit length: more", object{"bit_length": 32768}, "32768 is greater than the maximum of 32767", "bit_length"),
		secret("type", object{"secret_type": "key"}, "'key' is not one of ['symmetric', 'public', 'private', 'passphrase', 'certificate', 'opaque']", "secret_type"),
		secret("expiration", object{"expiration": "tomorrow"}, "Invalid date for 'expiration'", "expiration"),
		secret("expiration: past", object{"expiration": "2020-01-01T00:00:00"}, "'expiration' is before current time", "expiration"),
		secret("transport key", object{"transport_key_id": "x"}, "there are no transport keys here", "transport_key_id"),
		secret("transport key: needed", object{"transport_key_needed": "true"}, "there are no transport keys here", "transport_key_needed"),
		secret("payload: none", object{"payload_content_type": "text/plain"}, "payload must be provided when payload_content_type is specified", "payload"),
		secret("payload: no type", object{"payload": "x"}, "If 'payload' is supplied, 'payload_content_type' must also be supplied.", "payload_content_type"),
		secret("payload: blank", object{"payload": " \n", "payload_content_type": "text/plain"}, "If 'payload' specified, must be non empty", "payload"),
		secret("payload: number", payload(object{"payload": 4711}), "the value is not of type 'string'", "payload"),
		secret("payload: type", payload(object{"payload_content_type": "image/png"}), "payload_content_type is not one of "+known, "payload_content_type"),
		secret("payload: charset", payload(object{"payload_content_type": "text/plain; charset=latin1"}), "payload_content_type is not one of "+known, "payload_content_type"),
		secret("payload: encoding", payload(object{"payload_content_encoding": "hex"}), "'hex' is not one of ['base64']", "payload_content_encoding"),
		secret("payload: encoding of a text", payload(object{"payload_content_type": "text/plain"}), "payload_content_encoding must not be specified when payload_content_type is text/plain", "payload_content_encoding"),
		secret("payload: no encoding", payload(object{"payload_content_encoding": nil}), "payload_content_encoding must be specified when payload_content_type is application/octet-stream", "payload_content_encoding"),
		secret("payload: no base64", payload(object{"payload": "§"}), "Invalid payload for payload_content_encoding", "payload"),
		{"bad payload: too big", "POST", "/v1/secrets", payload(object{"payload": base64.StdEncoding.EncodeToString(make([]byte, barbican.MaxSecret+1))}), nil, 413,
			"Provided information too large to process"},
	})
	if got := f.names("alice", "/v1/secrets"); len(got) != 0 {
		t.Errorf("after refusals there are %q", got)
	}
}

func TestBadPaths(t *testing.T) {
	f := newFixture(t)
	s := f.text("alice", "s", "x")
	empty := f.secret("alice", object{})
	const method = "The method is not allowed for this resource."
	f.refuse([]bad{
		{"bad id", "GET", "/v1/secrets/x", nil, nil, 404, "Secret not found."},
		{"bad id: another form", "GET", "/v1/secrets/" + strings.ReplaceAll(s[len("/v1/secrets/"):], "-", ""), nil, nil, 404, "Secret not found."},
		{"bad id: none has it", "GET", nothing, nil, nil, 404, "Secret not found."},
		{"bad id of a payload", "GET", nothing + "/payload", nil, nil, 404, "Secret not found."},
		{"no payload", "GET", empty + "/payload", nil, nil, 404, "Secret payload not found."},
		{"bad method", "PATCH", s, nil, nil, 405, method},
		{"bad method of a list", "DELETE", "/v1/secrets", nil, nil, 405, method},
		{"bad path", "GET", "/v1/nothing", nil, nil, 404, "The resource could not be found."},
		{"bad query", "GET", "/v1/secrets?x=%zz", nil, nil, 400, `The query string cannot be read: invalid URL escape "%zz"`},
		{"bad version", "GET", s, nil, []string{"OpenStack-API-Version", "key-manager 1.2"}, 406,
			"The header OpenStack-API-Version asks for a version that is not there: there are key-manager 1.0 and 1.1."},
		{"orders", "GET", "/v1/orders", nil, nil, 501, "This key manager keeps secrets and containers: it has no /v1/orders."},
		{"orders: new", "POST", "/v1/orders", object{"type": "key"}, nil, 501, "This key manager keeps secrets and containers: it has no /v1/orders."},
		{"an order", "DELETE", "/v1/orders/1", nil, nil, 501, "This key manager keeps secrets and containers: it has no /v1/orders."},
		{"authorities", "GET", "/v1/cas/all", nil, nil, 501, "This key manager keeps secrets and containers: it has no /v1/cas."},
	})
	if a := f.call("alice", "HEAD", s, nil); a.code != 405 {
		t.Errorf("HEAD answers %d", a.code)
	}
}

func TestBadUpdates(t *testing.T) {
	f := newFixture(t)
	s := f.text("alice", "s", "before")
	const types = "Unexpected content type. Expected content types are: ['text/plain', 'application/octet-stream', 'application/pkcs8', 'application/pkix-cert']"
	put := func(name string, body any, code int, description string, headers ...string) bad {
		return bad{"bad " + name, "PUT", s, body, headers, code, description}
	}
	f.refuse([]bad{
		put("type: JSON", object{}, 415, types),
		put("type: none", nil, 415, types),
		put("type", "x", 415, types, "Content-Type", "image/png"),
		put("payload: none", "", 400, "Secret update issue seen - No data supplied to process.", "Content-Type", "text/plain"),
		put("payload: no UTF-8", "\xff", 400, "Secret update issue seen - a payload of text/plain must be UTF-8.", "Content-Type", "text/plain"),
		put("payload: too big", strings.Repeat("x", barbican.MaxSecret+1), 413, "Provided information too large to process", "Content-Type", "text/plain"),
		put("payload: far too big", strings.Repeat("x", 1<<20), 413, "Provided information too large to process", "Content-Type", "application/octet-stream"),
		put("encoding", "x", 400, "Secret update issue seen - content-encoding of 'gzip' not supported.", "Content-Type", "application/octet-stream", "Content-Encoding", "gzip"),
		put("encoding of a text", "x", 400, "Secret update issue seen - content-encoding of 'base64' not supported.", "Content-Type", "text/plain", "Content-Encoding", "base64"),
		put("encoding: no base64", "§", 400, "Secret update issue seen - Unable to decode request data.", "Content-Type", "application/octet-stream", "Content-Encoding", "base64"),
		{"bad id", "PUT", nothing, "x", []string{"Content-Type", "text/plain"}, 404, "Secret not found."},
	})
	if got := f.want(200, "alice", "GET", s+"/payload", nil).text; got != "before" {
		t.Errorf("after refusals the payload is %q", got)
	}
}

// shown replaces what differs from run to run, once it has the right form.
func (f *fixture) shown(o object) object {
	f.t.Helper()
	for _, name := range []string{"created", "updated"} {
		if text, ok := o[name].(string); ok {
			at, err := time.Parse("2006-01-02T15:04:05", text)
			if age := time.Since(at); err != nil || age < 0 || age > time.Minute {
				f.t.Errorf("%s is %q", name, text)
			}
			o[name] = "now"
		}
	}
	return o
}

func TestSecret(t *testing.T) {
	f := newFixture(t)
	all := f.secret("alice", object{
		"name": " AES key ", "algorithm": "aes", "bit_length": 256, "mode": "cbc", "secret_type": "symmetric", "expiration": "2099-12-28T19:14:44.180394",
		"payload": "YmVl\ncg==\n", "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64",
	})
	want := object{
		"status": "ACTIVE", "created": "now", "updated": "now", "expiration": "2099-12-28T19:14:44", "algorithm": "aes", "bit_length": 256.0,
		"mode": "cbc", "name": "AES key", "secret_ref": f.url + all, "secret_type": "symmetric", "creator_id": "alice",
		"content_types": object{"default": "application/octet-stream"},
	}
	if diff := cmp.Diff(want, f.shown(f.want(200, "alice", "GET", all, nil).body)); diff != "" {
		t.Errorf("a secret with everything (-want +got):\n%s", diff)
	}
	if got := f.want(200, "alice", "GET", all+"/payload", nil).text; got != "beer" {
		t.Errorf("its payload is %q", got)
	}
	none := f.secret("alice", object{"name": nil, "payload_content_encoding": "base64", "unknown": 1})
	want = object{
		"status": "ACTIVE", "created": "now", "updated": "now", "expiration": nil, "algorithm": nil, "bit_length": nil,
		"mode": nil, "name": nil, "secret_ref": f.url + none, "secret_type": "opaque", "creator_id": "alice",
	}
	if diff := cmp.Diff(want, f.shown(f.want(200, "alice", "GET", none+"/", nil).body)); diff != "" {
		t.Errorf("a secret with nothing (-want +got):\n%s", diff)
	}
	a := f.want(200, "alice", "GET", none, nil, "OpenStack-API-Version", "compute 2.1, key-manager latest")
	want["consumers"] = []any{}
	if diff := cmp.Diff(want, f.shown(a.body)); diff != "" || a.header.Get("OpenStack-API-Version") != "key-manager 1.1" {
		t.Errorf("in version 1.1 (-want +got):\n%s%v", diff, a.header)
	}
	f.want(204, "alice", "DELETE", all, nil)
	f.want(404, "alice", "GET", all, nil)
	f.want(404, "alice", "DELETE", all, nil)
}

// TestTwoSteps stores what is known of a secret first and its payload later, and then another one.
func TestTwoSteps(t *testing.T) {
	f := newFixture(t)
	s := f.secret("alice", object{"name": "s"})
	text := "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
	for _, step := range []struct{ kind, encoding, sent, kept, shown string }{
		{"text/plain", "", text, text, "text/plain"},
		{"text/plain;charset=UTF-8", "", "grün", "grün", "text/plain"},
		{"application/octet-stream", "", "\x00\xff", "\x00\xff", "application/octet-stream"},
		{"application/octet-stream", "binary", "\x00", "\x00", "application/octet-stream"},
		{"application/octet-stream", "base64", "YmVl\ncg==", "beer", "application/octet-stream"},
		{"application/pkcs8", "", "key", "key", "application/pkcs8"},
	} {
		a := f.want(204, "alice", "PUT", s, step.sent, "Content-Type", step.kind, "Content-Encoding", step.encoding)
		if a.text != "" {
			t.Errorf("PUT answers %q", a.text)
		}
		if got := f.want(200, "alice", "GET", s+"/payload", nil).text; got != step.kept {
			t.Errorf("after %s the payload is %q", step.kind, got)
		}
		if got := f.want(200, "alice", "GET", s, nil).body["content_types"]; !cmp.Equal(got, any(object{"default": step.shown})) {
			t.Errorf("after %s the content types are %v", step.kind, got)
		}
	}
}

func TestAccept(t *testing.T) {
	f := newFixture(t)
	text := f.text("alice", "text", "grün")
	bytes := f.secret("alice", object{"payload": "/w==", "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64"})
	for _, test := range []struct {
		path, accept string
		code         int
		kind, text   string
	}{
		{text + "/payload", "application/json", 406, "application/json", ""},
		{text + "/payload", "text/plain;q=0", 406, "application/json", ""},
		{text + "/payload", "nonsense", 406, "application/json", ""},
		{bytes + "/payload", "text/plain", 406, "application/json", ""},
		{bytes + "/payload", "text/*, image/png", 406, "application/json", ""},
		{text + "/payload", "", 200, "text/plain; charset=utf-8", "grün"},
		{text + "/payload", "*/*", 200, "text/plain; charset=utf-8", "grün"},
		{text + "/payload", "text/plain", 200, "text/plain; charset=utf-8", "grün"},
		{text + "/payload", "application/octet-stream", 200, "application/octet-stream", "grün"},
		{text + "/payload", "text/plain;q=0.1, application/*;q=0.2", 200, "application/octet-stream", "grün"},
		{text + "/payload", "*/*;q=0.9, text/plain;q=0", 200, "application/octet-stream", "grün"},
		{bytes + "/payload", "*/*, text/plain;q=0.2", 200, "application/octet-stream", "\xff"},
		{text, "text/plain", 200, "text/plain; charset=utf-8", "grün"},
		{bytes, "application/octet-stream", 200, "application/octet-stream", "\xff"},
		{bytes, "text/plain", 406, "application/json", ""},
		{text, "text/html, */*", 200, "application/json", ""},
		{text, "application/json", 200, "application/json", ""},
	} {
		a := f.call("alice", "GET", test.path, nil, "Accept", test.accept)
		if a.code != test.code || a.header.Get("Content-Type") != test.kind || test.text != "" && a.text != test.text {
			t.Errorf("GET %s as %q answers %d %s %q, want %d %s %q", test.path, test.accept, a.code, a.header.Get("Content-Type"), a.text, test.code, test.kind, test.text)
		}
		if test.text != "" && (a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("a payload may be kept: %v", a.header)
		}
	}
}

// TestSealed looks for a payload in the whole database, and reads it with another key.
func TestSealed(t *testing.T) {
	f := newFixture(t)
	const payload = "the payload of this secret"
	s := f.text("alice", "the name of this secret", payload)
	f.store.SetKey(bytes.Repeat([]byte{8}, keymanager.KeySize))
	code, text := f.fault(f.call("alice", "GET", s+"/payload", nil))
	if code != 503 || !strings.Contains(text, "keymanager.key is not the one") {
		t.Errorf("with another key: %d %s", code, text)
	}
	kept := ""
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(f.file + suffix)
		if err != nil {
			t.Fatal(err)
		}
		kept += string(data)
	}
	for name, in := range map[string]string{"the payload": payload, "its base64": base64.StdEncoding.EncodeToString([]byte(payload))} {
		if strings.Contains(kept, in) {
			t.Errorf("%s is in the database", name)
		}
	}
	if !strings.Contains(kept, "the name of this secret") {
		t.Error("the secret is not in the database")
	}
}

func TestExpired(t *testing.T) {
	f := newFixture(t)
	s := f.secret("alice", object{"name": "short", "expiration": time.Now().Add(1500 * time.Millisecond).UTC().Format("2006-01-02T15:04:05.000000")})
	f.want(200, "alice", "GET", s, nil)
	deadline := time.Now().Add(20 * time.Second)
	for f.call("alice", "GET", s, nil).code != 404 {
		if time.Now().After(deadline) {
			t.Fatal("a secret does not expire")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a := f.call("alice", "PUT", s, "x", "Content-Type", "text/plain"); a.code != 404 {
		t.Errorf("an expired secret is given a payload: %d", a.code)
	}
	f.want(204, "alice", "DELETE", s, nil)
}
