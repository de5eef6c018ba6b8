package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func marshal(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func sortedCookies(header string) string {
	all := strings.Split(header, "; ")
	slices.Sort(all)
	return strings.Join(all, "; ")
}

func TestWhatErrorsMean(t *testing.T) {
	tests := map[string]func(error) bool{
		"Absent": Absent, "NoTenant": NoTenant, "Stale": Stale, "Taken": Taken, "Refused": Refused, "Unreachable": Unreachable, "Denied": Denied,
		"Referred": func(err error) bool { _, ok := Referred(err); return ok },
	}
	at := func(status int, text string) error {
		return &Error{Method: "PUT", Path: "/api/pool/p", Status: status, Text: text}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("no"), ""},
		{at(400, "Field check for ratio failed"), "Refused"},
		{at(400, "Cannot delete, object is referred by: ['Pool p']"), "Referred"},
		{at(403, "Cannot delete, object is referred by: ['Pool p']"), "Referred"},
		{at(403, "tenant uuid tenant-1 does not exist"), "NoTenant"},
		{at(403, "Tenant 'demo' does not exist!"), "NoTenant"},
		{at(403, "User has no write access"), "Refused"},
		{at(403, "Configuration is disallowed during upgrade"), ""},
		{at(401, "CSRF token missing or incorrect."), ""},
		{at(404, "Pool object not found!"), "Absent"},
		{at(405, "Method 'DELETE' not allowed."), "Refused"},
		{at(409, "Pool with name p already exists"), "Taken"},
		{at(412, "Need to reload object data Pool"), "Stale"},
		{at(419, "Need to switch session"), ""},
		{at(422, "no"), "Refused"},
		{at(429, "slow down"), ""},
		{at(500, "Bad pb: object is referred by: ['Pool p']"), ""},
		{at(501, "no"), "Refused"},
		{at(502, "Bad Gateway"), "Unreachable"},
		{at(503, "Service Unavailable"), "Unreachable"},
		{at(504, "Gateway Timeout"), "Unreachable"},
		{&silence{"GET /api/pool", errors.New("EOF")}, "Unreachable"},
		{&silence{of: "controller c does not answer"}, "Unreachable"},
		{&Error{Path: loginPath, Status: 401, Text: "Invalid credentials"}, "Denied"},
		{&Error{Path: loginPath, Status: 403, Text: "locked"}, "Denied"},
		{&Error{Path: loginPath, Status: 400, Text: "what?"}, "Refused"},
	} {
		var got []string
		for name, test := range tests {
			if test(c.err) {
				got = append(got, name)
			}
			if test(c.err) != test(fmt.Errorf("read the pool: %w", c.err)) {
				t.Errorf("%s(%v) is another once it is wrapped", name, c.err)
			}
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.err, diff)
		}
	}
}

func TestReferredTellsByWhich(t *testing.T) {
	for text, want := range map[string]string{
		"Cannot delete, object is referred by: ['Pool p', 'VirtualService v']": "'Pool p', 'VirtualService v'",
		"Cannot delete, object is referred by: ['Pool [p]']":                   "'Pool [p]'",
		"object is Referred by Pool p":                                         "Pool p",
		"referred by":                                                          "",
	} {
		if by, ok := Referred(&Error{Status: 400, Text: text}); !ok || by != want {
			t.Errorf("Referred(%q) = %q, %v; want %q", text, by, ok, want)
		}
	}
}

func TestTheControllersWords(t *testing.T) {
	for _, c := range []struct{ kind, body, want string }{
		{"", "", "Bad Request"},
		{"", " {} ", "Bad Request"},
		{"text/html; charset=utf-8", "<html>no</html>", "Bad Request"},
		{"", "<!doctype html>", "Bad Request"},
		{"application/json", "CSRF token missing or incorrect.", "CSRF token missing or incorrect."},
		{"application/json", `{"error": "Pool object not found!"}`, "Pool object not found!"},
		{"application/json", `{"detail": "Method 'DELETE' not allowed."}`, "Method 'DELETE' not allowed."},
		{"application/json", `{"error": "{\"ratio\": [\"Enter a number.\", \"Not that.\"], \"name\": [\"Required.\"]}"}`, "name: Required.; ratio: Enter a number.; Not that."},
		{"application/json", `{"error": {"servers": [{"port": ["too high"]}], "n": 5, "no": null}}`, "n: 5; no: <nil>; servers: port: too high"},
		{"application/json", `{"error": "cut`, `{"error": "cut`},
		{"application/json", "\xff\xfe", "\uFFFD"},
		{"application/json", strings.Repeat("ä", 2000), strings.Repeat("ä", 1000) + "…"},
	} {
		if diff := cmp.Diff(c.want, textOf(400, c.kind, []byte(c.body))); diff != "" {
			t.Errorf("textOf(%q) (-want +got):\n%s", c.body, diff)
		}
	}
}

func FuzzTextOf(f *testing.F) {
	f.Add("application/json", []byte(`{"error": "{\"a\": [\"b\"]}"}`))
	f.Add("", []byte("[]"))
	f.Add("", []byte(`[[[[{"error":{"x":"[1]"}}]]]]`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		text := textOf(400, kind, body)
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxText+1 || text == "" {
			t.Errorf("textOf(%q) = %q", body, text)
		}
	})
}

func FuzzReferred(f *testing.F) {
	f.Add("Cannot delete, object is referred by: ['Pool p']")
	f.Add("REFERRED BY [\n]")
	f.Fuzz(func(t *testing.T, text string) {
		if by, ok := Referred(&Error{Status: 400, Text: text}); !ok && by != "" || len(by) > len(text) {
			t.Errorf("Referred(%q) = %q, %v", text, by, ok)
		}
	})
}

func TestSecretsAreNotTold(t *testing.T) {
	f := newFake(t)
	c, j := client(t, nil, f)
	key := "-----BEGIN RSA PRIVATE KEY-----\nMIIsecret\n-----END RSA PRIVATE KEY-----"
	f.times(1, "/api/x", answering(400, "the password avi12345 and "+key+" are no good, nor is -----BEGIN PRIVATE KEY-----\nMIIsecret"))
	err := c.Call(t.Context(), tenant, "POST", "x", map[string][]string{"name": {"avi12345"}}, Object{"key": key}, nil)
	if err == nil {
		t.Fatal("Call ended well")
	}
	told := err.Error() + j.String()
	for _, secret := range []string{"avi12345", "MIIsecret", "session-0"} {
		if strings.Contains(told, secret) {
			t.Errorf("%q is told: %s", secret, told)
		}
	}
	if want := "POST /api/x: 400: the password *** and *** are no good, nor is ***"; err.Error() != want {
		t.Errorf("Call: %v, want %s", err, want)
	}
}
