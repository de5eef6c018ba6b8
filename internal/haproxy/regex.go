package haproxy

import (
	"fmt"
	"regexp"
	"strings"
)

// numberReference finds what may be a reference to a group by its number.
var numberReference = regexp.MustCompile(`\\[1-9]`)

// expression writes a regular expression for HAProxy, which has PCRE capture nothing but groups with names: where one refers to
// groups by number, all get names, and so the numbers that they were written for.
func expression(text string) string {
	if !numberReference.MatchString(text) {
		return text
	}
	var out strings.Builder
	for n := 1; text != ""; {
		part := regexPart(text)
		if part == "(" && !strings.HasPrefix(text, "(?") {
			part = fmt.Sprintf("(?<plain%d>", n)
			n++
			text = text[1:]
		} else {
			text = text[len(part):]
		}
		out.WriteString(part)
	}
	return out.String()
}

// regexPart is what an expression begins with: a quotation, a comment, an escape, a bracket expression, or one byte.
func regexPart(text string) string {
	switch {
	case strings.HasPrefix(text, `\Q`):
		return through(text, `\E`)
	case strings.HasPrefix(text, "(?#"):
		return through(text, ")")
	case text[0] == '\\':
		return text[:min(2, len(text))]
	case text[0] == '[':
		return bracketExpression(text)
	}
	return text[:1]
}

// through is the text up to what ends a part, or all of it.
func through(text, end string) string {
	if i := strings.Index(text, end); i >= 0 {
		return text[:i+len(end)]
	}
	return text
}

func bracketExpression(text string) string {
	i := 1
	for _, first := range []string{"^", "]"} {
		if strings.HasPrefix(text[i:], first) {
			i++
		}
	}
	for i < len(text) && text[i] != ']' {
		switch {
		case text[i] == '\\':
			i++
		case strings.HasPrefix(text[i:], "[:"):
			if end := strings.Index(text[i:], ":]"); end > 0 {
				i += end + 1
			}
		}
		i++
	}
	return text[:min(i+1, len(text))]
}
