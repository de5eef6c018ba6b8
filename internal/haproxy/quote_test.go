package haproxy

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

func TestQuote(t *testing.T) {
	cases := []struct{ in, want string }{
		{"", `""`},
		{"a\nb", `"a?b"`},
		{"a\x00\x7f\u202e\xffb", `"a????b"`},
		{`"`, `"\""`},
		{`\`, `"\\"`},
		{"$HOME", `"\$HOME"`},
		{"a b#c'd", `"a b#c'd"`},
		{"100%", `"100%"`},
		{"/healthy/a_b-c.d", "/healthy/a_b-c.d"},
		{"é", `"é"`},
	}
	for _, test := range cases {
		if got := Quote(test.in); got != test.want {
			t.Errorf("Quote(%q) = %s, want %s", test.in, got, test.want)
		}
	}
	if got, want := QuoteFormat("%[src]"), `"%%[src]"`; got != want {
		t.Errorf("QuoteFormat = %s, want %s", got, want)
	}
}

// words splits one line of a configuration as HAProxy's manual says (section 2.2, "Quoting and escaping"), written
// apart from Quote. It returns false for a line that HAProxy refuses, or that asks for the environment.
func words(line string) (all []string, ok bool) {
	var word []byte
	begun, single, double := false, false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case single:
			if single = c != '\''; single {
				word = append(word, c)
			}
		case c == '\\':
			if i++; i == len(line) {
				return nil, false
			}
			begun, word = true, append(word, line[i])
		case c == '$' && i+1 < len(line):
			return nil, false
		case c == '"':
			begun, double = true, !double
		case double:
			word = append(word, c)
		case c == '\'':
			begun, single = true, true
		case c == '#':
			i = len(line)
		case strings.ContainsRune(" \t\r\n", rune(c)):
			if begun {
				all = append(all, string(word))
			}
			word, begun = nil, false
		default:
			begun, word = true, append(word, c)
		}
	}
	if begun {
		all = append(all, string(word))
	}
	return all, !single && !double
}

// seeds are strings that have broken configurations elsewhere.
var seeds = []string{
	"", " ", "plain", hostile, "\n", "x\nglobal\n  stats socket :1", "\r\n", "a\\", `\"`, `"; reload`, "'", "$(id)", "${HOME}", "$HOME",
	"%[src]", "%%", "#", "# c", "\x00", "\xff\xfe", "\u2028", "é", strings.Repeat("\\", 255), strings.Repeat("\U0010ffff", 255),
	strings.Repeat("漢", 255), strings.Repeat("$", 255), ".if defined(X)", "[a]", "{ always_true }", "]", ",", "level admin",
	strings.Repeat("$", 1000), // longer than the 2047 bytes that HAProxy first makes room for
}

// FuzzFile shows that a file has the same lines with the same words, but for the tenant's own, whatever the tenant's strings.
func FuzzFile(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, s)
	}
	plain := lines(f, tenantTree("n", placeholder))
	f.Fuzz(func(t *testing.T, name, value string) {
		if name == "" || value == "" {
			return // a name that is not there has no comment, a path that is not there is another
		}
		got := lines(t, tenantTree(name, value))
		if diff := cmp.Diff(filled(plain, visible(value)), got); diff != "" {
			t.Errorf("structure with %q and %q (-plain +got):\n%s", name, value, diff)
		}
	})
}

const placeholder = "PLACEHOLDER"

// tenantTree has the tenant's strings in every place that takes any.
func tenantTree(name, value string) *lbaas.LoadBalancer {
	lb := everythingTree()
	rename(lb, name)
	h := lb.Pools[0].HealthMonitor
	h.Type, h.HTTPMethod, h.URLPath, h.DomainName, h.HTTPVersion, h.ExpectedCodes = lbaas.MonitorHTTPS, value, value, value, value, "200"
	lb.Listeners[0].AllowedCIDRs = []string{value}
	return lb
}

// lines are the words of every line.
func lines(t testing.TB, lb *lbaas.LoadBalancer) [][]string {
	text, _ := File(Render(lb, nil, nil, testDir))
	var all [][]string
	for _, line := range strings.Split(string(text), "\n") {
		if !utf8.ValidString(line) {
			t.Errorf("line %q is not UTF-8", line)
		}
		got, ok := words(line)
		if !ok {
			t.Fatalf("line %q cannot be read", line)
		}
		all = append(all, got)
	}
	return all
}

// filled is plain with value in the place of the placeholder. A log format has its percent signs twice.
func filled(plain [][]string, value string) [][]string {
	var all [][]string
	for _, line := range plain {
		line = slices.Clone(line)
		for i, w := range line {
			with := value
			if i > 0 && line[i-1] == "Host" {
				with = strings.ReplaceAll(value, "%", "%%")
			}
			line[i] = strings.ReplaceAll(w, placeholder, with)
		}
		all = append(all, line)
	}
	return all
}

// TestHostile shows the worst strings to the real HAProxy.
func TestHostile(t *testing.T) {
	for _, s := range seeds {
		lb := everythingTree()
		rename(lb, s)
		h := lb.Pools[0].HealthMonitor
		h.Type, h.URLPath, h.DomainName = lbaas.MonitorHTTPS, "/"+s, "a"+s
		text, _ := File(Render(lb, testPorts(), nil, testDir))
		if output, err := accepted(t, text); err != nil {
			t.Errorf("HAProxy refuses %q:\n%s", s, output)
		}
	}
}

// TestRefused shows that the failpoint's line is in no ordinary build.
func TestRefused(t *testing.T) {
	lb := simpleTree()
	rename(lb, "bad")
	text, _ := File(Render(lb, nil, nil, testDir))
	if strings.Contains(string(text), refusedLine) || strings.Contains(string(text), refusedOption) {
		t.Error("an ordinary build refuses on purpose")
	}
}
