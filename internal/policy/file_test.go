package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/identity"
)

// policyFile writes a file for the length of a test.
func policyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, text)
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func enforcer(t *testing.T, o Options) *Enforcer {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNewRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"a: b: c":                       ": mapping values are not allowed",
		"x: '!'\n\ta: '@'":              ":2: found",
		"- a":                           ":1: want a mapping",
		"just words":                    ":1: want a mapping",
		"a: '@'\n---\nb: '@'\n":         ":2: a second document begins",
		"a: '@'\nb: 'role:x'\na: '!'\n": `:3: rule "a" stands at FILE:1 already`,
		"# all\n\nload-balancer:read: role:a role:b\n": `:3: rule "load-balancer:read": "role:b" stands where`,
		"a:\n":                   `:1: rule "a": it has no value`,
		"a: true\n":              `:1: rule "a": want a text`,
		"a: 5\n":                 `:1: rule "a": want a text`,
		"a: {b: c}\n":            `:1: rule "a": want a text`,
		"a: [[[b]]]\n":           `:1: rule "a": want a text`,
		"a: [[null]]\n":          `:1: rule "a": it has no value`,
		"a: [['role:b', 'x']]\n": `:1: rule "a": "x" is no check`,
		"? [a]\n: b\n":           ":1: the name of a rule must be a text",
		"? ''\n: b:c\n":          ":1: the name of a rule must be a text",
		"a: rule:b\nb: not rule:c\nc: role:x or rule:a\n":   `rule "a" leads back to itself: a → b → c → a`,
		"context_is_admin: is_admin:True\n":                 `:1: rule "context_is_admin" leads back to itself`,
		"load-balancer:owner: 'rule:load-balancer:write'\n": "leads back to itself",
		"default: rule:nowhere\n":                           `rule "default" leads back to itself: default → default`,
		"a: " + strings.Repeat("#", maxFile):                "and may have",
	} {
		path := policyFile(t, text)
		want := strings.ReplaceAll(want, "FILE", path)
		if _, err := New(Options{File: path}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("bad %.60q: %v, want %q", text, err, want)
		}
	}
	dir := t.TempDir()
	if _, err := New(Options{File: dir}); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("bad folder as a file: %v", err)
	}
	if _, err := New(Options{Dirs: []string{policyFile(t, "")}}); err == nil {
		t.Error("bad file as a folder is taken")
	}
}

func TestFiles(t *testing.T) {
	actor := &identity.Actor{ProjectID: "p", Roles: []string{"boss"}}
	for text, want := range map[string]bool{
		"":                               false,
		"# nothing\n":                    false,
		"---\n":                          false,
		`{}`:                             false,
		"load-balancer:write: role:boss": true,
		"load-balancer:member_and_owner: role:boss":   true,
		"load-balancer:admin: role:boss":              true,
		"context_is_admin: role:boss":                 true,
		"load-balancer:owner: role:boss":              false,
		"os_load-balancer_api:pool:put: role:boss":    true,
		"os_load-balancer_api:pool:delete: role:boss": false,
		"{\n\t\"load-balancer:write\": [[\"role:boss\", \"project_id:%(project_id)s\"],\n\t[\"role:x\"]]\n}\n": true,
		`{"load-balancer:write": [["role:boss", "project_id:q"]]}`:                                             false,
		`{"load-balancer:write": []}`:                                 true,
		`{"load-balancer:write": [[]]}`:                               false,
		`{"load-balancer:write": ["role:boss"]}`:                      true,
		"load-balancer:write: rule:mine\nmine: role:boss":             true,
		"load-balancer:write: rule:mine\ndefault: role:boss":          true,
		"load-balancer:write: rule:mine\nfallback: role:boss":         false,
		"load-balancer:write: >\n  role:boss or\n  role:other\n":      true,
		"load-balancer:write: &x role:boss\nload-balancer:read: \"\"": true,
	} {
		e := enforcer(t, Options{File: policyFile(t, text)})
		if got := e.Allowed(actor, Prefix+"pool:put", "p"); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	e := enforcer(t, Options{File: policyFile(t, "load-balancer:write: rule:mine\nfallback: role:boss"), DefaultRule: "fallback"})
	if !e.Allowed(actor, Prefix+"pool:put", "p") {
		t.Error("the default rule that the options name does not stand in")
	}
}

func TestDirs(t *testing.T) {
	dir := t.TempDir()
	file := policyFile(t, "load-balancer:write: role:a\nload-balancer:read: role:a\n")
	write(t, filepath.Join(dir, "20-more.yaml"), "load-balancer:write: role:c")
	write(t, filepath.Join(dir, "10-more.json"), `{"load-balancer:write": "role:b"}`)
	write(t, filepath.Join(dir, ".hidden"), "load-balancer:write: role:d")
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	e := enforcer(t, Options{File: file, Dirs: []string{filepath.Join(dir, "nowhere"), dir}})
	got := map[string]string{}
	for _, r := range e.Rules() {
		if r.From != Builtin {
			got[r.Name] = r.Check + " from " + r.From
		}
	}
	want := map[string]string{
		"load-balancer:write": "role:c from " + filepath.Join(dir, "20-more.yaml") + ":1", "load-balancer:read": "role:a from " + file + ":2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{file, filepath.Join(dir, "10-more.json"), filepath.Join(dir, "20-more.yaml")}, e.Files()); diff != "" {
		t.Errorf("Files() (-want +got):\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	file := policyFile(t, `os_load-balancer_api:loadbalancer:explode: role:a
load-balancer:write: rule:nowhere or color:blue or user_id:%(user_id)s or rule:helper
helper: role:a
lonely: role:a
default: "!"
`)
	want := []string{
		file + `:2: rule "load-balancer:write" names the rule "nowhere", which does not exist: "default" stands in for it`,
		file + `:2: rule "load-balancer:write" asks for "color", which no token has: that part never holds`,
		file + `:2: rule "load-balancer:write" asks for %(user_id)s: of what a request is about, project_id alone is known; that part never holds`,
		file + `:4: rule "lonely" is not one of the API's, and no other rule names it: it has no effect`,
		file + `:1: rule "os_load-balancer_api:loadbalancer:explode" is not one of the API's, and no other rule names it: it has no effect`,
	}
	if diff := cmp.Diff(want, enforcer(t, Options{File: file}).Warnings()); diff != "" {
		t.Errorf("Warnings() (-want +got):\n%s", diff)
	}
}
