package haproxy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// TestRenderL7 compares with golden files, to which the maps are appended as comments, and shows them to HAProxy.
func TestRenderL7(t *testing.T) {
	opts := Options{StateDir: "/var/lib/plimsoll", User: "nobody", Group: "nogroup", FDLimit: 20000}
	for name, lb := range l7Trees() {
		t.Run(name, func(t *testing.T) {
			spec := Render(lb, testPorts(), nil, opts)
			text, _ := File(spec)
			if output, err := takes(t, spec); err != nil {
				t.Errorf("HAProxy refuses %s: %v\n%s", name, err, output)
			}
			for _, f := range spec.Files {
				text = fmt.Appendf(text, "\n# %s\n", FileName(f.Name))
				for line := range strings.Lines(string(f.Content)) {
					text = fmt.Appendf(text, "# %s", line)
				}
			}
			golden := filepath.Join("testdata", name+".conf")
			if *update {
				if err := os.WriteFile(golden, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(text)); diff != "" {
				t.Errorf("Render(%s) (-want +got):\n%s", name, diff)
			}
		})
	}
}

// takes asks the real HAProxy what it thinks of a Spec with its files. A warning is a mistake of ours.
func takes(t *testing.T, spec *enginepb.Spec) (output []byte, err error) {
	t.Helper()
	dir := t.TempDir()
	text, _ := File(spec)
	if err := os.MkdirAll(filepath.Join(dir, FilesDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ConfigFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, StateFile), HandOver(nil, spec), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range spec.Files {
		if err := os.WriteFile(filepath.Join(dir, FileName(f.Name)), f.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("haproxy", "-c", "-f", ConfigFile, "-L", LocalPeer)
	cmd.Dir = dir
	output, err = cmd.CombinedOutput()
	if err == nil && strings.Contains(string(output), "[WARNING]") {
		err = fmt.Errorf("it warns")
	}
	return output, err
}

func TestL7RuleLack(t *testing.T) {
	cases := []struct {
		name, key, value, want string
	}{
		{"bad key: comma", "a,b", "x", "L7 rule key with a comma"},
		{"bad key: control", "a\x01", "x", "L7 rule key with a character that cannot be printed"},
		{"bad value: tab", "a", "\"x\ty\"", "L7 rule value with a character that cannot be printed"},
		{"bad value: bytes", "a", "\xff", "L7 rule value with a character that cannot be printed"},
		{"good", "a'b#$", `"x y" é`, ""},
	}
	for _, test := range cases {
		if got := L7RuleLack(&lbaas.L7Rule{Key: test.key, Value: test.value}); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestOrderOfPolicies shows that neither the order of policies and rules in the tree nor that of listeners makes a difference.
func TestOrderOfPolicies(t *testing.T) {
	for name, lb := range l7Trees() {
		want, _ := File(Render(lb, testPorts(), nil, testDir))
		for _, l := range lb.Listeners {
			reversed(l.L7Policies)
			reversed(l.RateLimitPolicies)
			for _, p := range l.L7Policies {
				reversed(p.Rules)
			}
			for _, p := range l.RateLimitPolicies {
				reversed(p.Rules)
			}
		}
		reversed(lb.Listeners)
		reversed(lb.Pools)
		got, _ := File(Render(lb, testPorts(), nil, testDir))
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func reversed[T any](list []T) {
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
}

// TestFullPolicy renders as many rules as a policy may have, of the longest values, and shows them to HAProxy.
func TestFullPolicy(t *testing.T) {
	for _, value := range longest() {
		lb := simpleTree()
		l := lb.Listeners[0]
		for i, action := range []lbaas.L7Action{lbaas.Reject, lbaas.RedirectToURL, lbaas.RedirectToPool} {
			p := addPolicy(l, 1+i, action)
			p.RedirectPoolID = lb.Pools[0].ID
			for range lbaas.MaxRules {
				addRule(p, lbaas.RuleHeader, lbaas.CompareEqualTo, strings.Repeat("k", 255), value).Invert = true
			}
		}
		var all []*lbaas.RateLimitRule
		for range lbaas.MaxRules {
			all = append(all, rate(lbaas.RateRequestsPerURL, 1, 10, "/"+strings.Repeat("u", 250)))
		}
		addLimit(l, 1, lbaas.RateLimitDeny, all...)
		if output, err := takes(t, Render(lb, nil, nil, testDir)); err != nil {
			t.Errorf("HAProxy refuses a full policy: %v\n%s", err, output)
		}
	}
}

// TestHostileL7 shows the worst strings to the real HAProxy.
func TestHostileL7(t *testing.T) {
	for _, s := range seeds {
		lb := l7Tree()
		seedTree(lb, s)
		if output, err := takes(t, Render(lb, testPorts(), nil, testDir)); err != nil && s != "" {
			t.Errorf("HAProxy refuses %q: %v\n%s", s, err, output)
		}
	}
}

// FuzzL7 shows that a file has the same lines with the same words, but for the tenant's own, whatever is in L7 policies and rules.
func FuzzL7(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	tree := func(s string) *lbaas.LoadBalancer {
		lb := l7Tree()
		seedTree(lb, s)
		addRule(lb.Listeners[0].L7Policies[0], lbaas.RuleCookie, lbaas.CompareEqualTo, s, "x")
		lb.Pools[0].SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistAppCookie, CookieName: s}
		addLimit(lb.Listeners[0], 1, lbaas.RateLimitDeny, rate(lbaas.RateRequestsPerURL, 1, 10, "/"+plainOnly(s)))
		return lb
	}
	plain := lines(f, tree(placeholder))
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" || strings.HasPrefix(value, `"`) || strings.HasPrefix(value, ".") {
			return // these have meanings of their own
		}
		got := lines(t, tree(value))
		if diff := cmp.Diff(filledL7(plain, visible(value)), got); diff != "" {
			t.Errorf("structure with %q (-plain +got):\n%s", value, diff)
		}
	})
}

// plainOnly is what of a string can be in a path: what cannot is lacking, and not rendered.
func plainOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune("?#", r) {
			return 'x'
		}
		return r
	}, s)
}

// filledL7 is plain with value in the place of the placeholder. Targets of redirects are log formats, with their percent signs twice.
func filledL7(plain [][]string, value string) [][]string {
	var all [][]string
	for _, line := range plain {
		var words []string
		for i, w := range line {
			with := value
			switch {
			case i > 0 && (line[i-1] == "location" || line[i-1] == "prefix"):
				with = strings.ReplaceAll(value, "%", "%%")
			case strings.HasPrefix(w, "req.cook(") || strings.HasPrefix(w, "res.cook("):
				with = argumentEscaper.Replace(value)
			}
			words = append(words, strings.ReplaceAll(w, placeholder, with))
		}
		all = append(all, words)
	}
	return all
}
