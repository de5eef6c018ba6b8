package lbaas

import (
	"runtime"
	"strings"
	"testing"
)

func TestCheckRegex(t *testing.T) {
	bad := map[string]string{
		"bad: open group":                "(a",
		"bad: closed group":              "a)",
		"bad: open class":                "[a-z",
		"bad: backwards class":           "[z-a]",
		"bad: nothing to repeat":         "*a",
		"bad: repeated repeat":           "a**",
		"bad: trailing backslash":        `a\`,
		"bad: unknown escape":            `\y`,
		"bad: backwards repeat":          "a{3,2}",
		"bad: open look-ahead":           "(?=a",
		"bad: class in look-ahead":       "(?=[z-a])",
		"bad: reference to no group":     `\1`,
		"bad: reference beyond groups":   `(a)\2`,
		"bad: reference to no name":      `(?P<n>a)(?P=m)`,
		"bad: reference to no name, <>":  `\k<n>`,
		"bad: look-behind of any width":  "(?<=a+)b",
		"bad: look-behind of two widths": "(?<!a|bc)d",
		"bad: nested look-behind":        "(?<=x(a{1,2}))b",
		"bad: open comment":              "a(?#b",
		"bad: recursion":                 "a(?R)?b",
		"bad: conditional":               "(a)?(?(1)b|c)",
		"bad: flag":                      "(?x)a b",
		"bad: repeat too large":          "a{65536}",
		"bad: repeats of repeats":        "(?:(?:a{1000}){1000}){1000}",
		"bad: two repeats":               "(?=a)b{2}{3}",
		"bad: one name twice":            "(?P<n>a)(?P<n>b)",
		"bad: one name twice, with kin":  "(?P<n>a)(?P<n>(?=b))",
		"bad: possessive and lazy":       "a++?",
		"bad: possessive and counted":    "a*+{2}",
		"bad: lazy and possessive":       "(?=b)a+?+",
		"bad: quotation":                 `(?=\Qa(\E)b`,
		"bad: repeated start":            "^*a",
		"bad: repeated end":              "a$+?",
		"bad: repeated boundary":         `a\b{2}`,
		"bad: repeated flags":            "b(?i)(?#c){2}",
		"bad: large code":                `\x{263a}`,
		"bad: large code in a class":     `[a-\x{100}]`,
		"bad: range from a set":          `[\d-z]`,
		"bad: range from a property":     `[\p{Greek}-z]`,
		"bad: range from a short one":    `[\pL-z]`,
		"bad: range from a class":        "[[:alpha:]-z]",
		"bad: collating symbol":          "[[.a.]]",
		"bad: equivalence class":         "[[=a=]]",
		"bad: reference looking behind":  `(a)(?<=\1)b`,
		"bad: name looking behind":       `(?<n>a)(?<!(?:b\k<n>))c`,
	}
	for name, text := range bad {
		if err := CheckRegex(text); err == nil {
			t.Errorf("%s: %q is taken", name, text)
		}
	}
	good := []string{
		"", "a", `^/api/v[0-9]+/.*\.(jpg|png)$`, "(?i)abc", "(?P<name>a)", "(?<name>a)", `[[:alpha:]]+`, `\d\w\s\b\.`, "[]a]", "[^]a]", `[\]a]`,
		`(?=a)`, `(?!a)b`, `(?<=ab)c`, `(?<!ab|cd)e`, `(?<=^)a`, `(?<=[a-z]{3}.)x`, `(?>a+)b`, `a++b*+c?+d{1,2}+`, `a+?b`, `a(?#a comment)b`,
		`(a)\1`, `(?P<n>a)(?P=n)`, `(?<n>a)\k<n>`, `(?<n>a)\k{n}`, `(?'n'a)\k'n'`, `a\Z`, `a{1001}`, `a{0,60000}b`, `a{2000,}`, `x{,3}`, `a{b}`,
		`^(?!.*(?:admin|root)).*$`, `((a)|(b))(?=\3|\2)`, `(?=[)(]*)a`, `(?=\()a`, `[[:alpha:]\]](?=a)`, `(?=\101)A`,
	}
	for _, text := range good {
		if err := CheckRegex(text); err != nil {
			t.Errorf("%q is refused: %v", text, err)
		}
	}
}

// TestCheckRegexIsCheap looks at expressions that are short to write and long to carry out. Under the race detector pools forget by
// chance, so that what takes 9 kB may take a megabyte; what is carried out takes tens of them.
func TestCheckRegexIsCheap(t *testing.T) {
	for name, text := range map[string]string{
		"groups within each other":    strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100) + "{1000}",
		"options within each other":   strings.Repeat("(", 100) + "a?" + strings.Repeat(")", 100) + "{1000}",
		"with what RE2 does not have": strings.Repeat("(?>", 40) + "a" + strings.Repeat(")", 40) + "{2000}",
		"one after the other":         strings.Repeat("a{1000}", 36),
		"any letter":                  strings.Repeat(`\pL{1000}`, 28),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := CheckRegex(text)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; err != nil || n > 1<<22 {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

// FuzzCheckRegex shows that any text is judged, and that what RE2 compiles is taken.
func FuzzCheckRegex(f *testing.F) {
	for _, text := range []string{`(?<=a)b++(?P=n)\1\Z`, `[[:a:]](?#)`, `a{1001,}`, `(?<n>\k<n>)`, "(?", "[", `\`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > MaxName {
			return
		}
		if err := CheckRegex(text); err != nil && (err.Error() == "" || strings.ContainsAny(err.Error(), "\x00") && !strings.Contains(text, "\x00")) {
			t.Errorf("%q: the error says %q", text, err)
		}
	})
}
