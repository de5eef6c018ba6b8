package lbaas

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
)

// absoluteURL takes an http or https URL apart, as RFC 3986 appendix B does: authority, path, query and fragment.
var absoluteURL = regexp.MustCompile(`^(?i:https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$`)

var (
	authority = regexp.MustCompile(`^(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?` +
		`(\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?$`)
	absolutePath = regexp.MustCompile(`^(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*$`)
)

// ValidURL checks that a text is an http or https URL with a host (RFC 3986), of at most MaxName characters. Octavia does not look
// at the query and the fragment; blanks and control characters have no place in them.
func ValidURL(field, text string) error {
	if err := Within(field, text, MaxName); err != nil {
		return err
	}
	parts := absoluteURL.FindStringSubmatch(text)
	if parts == nil || !validAuthority(parts[1]) || !absolutePath.MatchString(parts[2]) ||
		strings.ContainsFunc(parts[3]+parts[4], blankOrControl) {
		return InvalidField(field, text, "Value must be a valid URL string")
	}
	return nil
}

func validAuthority(text string) bool {
	parts := authority.FindStringSubmatch(text)
	if parts == nil {
		return false
	}
	host := parts[1]
	if !strings.HasPrefix(host, "[") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Is6()
}

func blankOrControl(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
}
