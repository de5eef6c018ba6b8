package haproxy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote writes s as one word of HAProxy's configuration. Every string of a tenant passes here. A word of harmless
// characters stays as it is; anything else is put in double quotes, in which quotes, backslashes and dollars are
// escaped. Control characters and bytes that are not UTF-8 become question marks: none has a place in any value, and
// a line break would end the line.
func Quote(s string) string {
	s = visible(s)
	if s != "" && strings.IndexFunc(s, special) < 0 {
		return s
	}
	return `"` + escaper.Replace(s) + `"`
}

// QuoteFormat is Quote for the places where HAProxy expects a log format, in which a percent sign begins a variable.
func QuoteFormat(s string) string {
	return Quote(strings.ReplaceAll(s, "%", "%%"))
}

// Comment writes s for a comment: in double quotes, on one line.
func Comment(s string) string {
	return `"` + visible(s) + `"`
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`)

func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func special(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && !strings.ContainsRune("._/:,=+@~*!-", r)
}
