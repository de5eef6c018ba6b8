package lbaas

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// Errors of what RE2 compiles and PCRE does not, which HAProxy uses with bytes for characters.
var (
	errRepeatsNothing = errors.New("quantifier does not follow a repeatable item")
	errLargeCode      = errors.New("character code above \\x{ff}")
	errClassRange     = errors.New("invalid range in character class")
	errCollation      = errors.New("collating elements are not supported")
	errWidth          = errors.New("look-behind requires fixed-width pattern")
)

// pcre looks for what only PCRE refuses in an expression that has been found well-formed.
type pcre struct {
	text string
	at   int
	// nothing: what was read last is a place, not a character: it cannot be repeated.
	nothing bool
	behind  []bool // of each open group: it is within one that looks behind
}

// checkPCRE refuses what PCRE refuses although RE2 compiles it.
func checkPCRE(text string) error {
	p := pcre{text: text, behind: []bool{false}}
	for p.at < len(p.text) {
		if err := p.step(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pcre) step() error {
	rest := p.text[p.at:]
	switch {
	case strings.HasPrefix(rest, "(?#"):
		p.past(")", 0)
		return nil
	case strings.HasPrefix(rest, `\Q`):
		p.past(`\E`, 2)
		p.nothing = false
		return nil
	case rest[0] == '\\':
		return p.escape()
	case rest[0] == '[':
		p.nothing = false
		return p.class()
	case rest[0] == '(' || rest[0] == ')':
		p.group(rest)
		return nil
	case strings.IndexByte("*+?", rest[0]) >= 0:
		return p.repeat(1)
	case rest[0] == '{' && braces.MatchString(rest):
		return p.repeat(len(braces.FindString(rest)))
	}
	p.nothing = rest[0] == '^' || rest[0] == '$'
	p.at++
	return nil
}

var setFlags = regexp.MustCompile(`^\(\?[A-Za-z-]*\)`)

// group opens or closes one. Flags by themselves are nothing that could be repeated.
func (p *pcre) group(rest string) {
	p.nothing = false
	if strings.HasPrefix(rest, "(?") {
		if flags := setFlags.FindString(rest); flags != "" {
			p.nothing = true
			p.at += len(flags)
			return
		}
	}
	within := p.behind[len(p.behind)-1]
	switch {
	case rest[0] == '(':
		p.behind = append(p.behind, within || strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"))
		p.skip("(")
		p.skip("?") // no quantifier
		return
	case len(p.behind) > 1:
		p.behind = p.behind[:len(p.behind)-1]
	}
	p.at++
}

// past moves behind what ends a part, or to the end.
func (p *pcre) past(end string, from int) {
	i := strings.Index(p.text[p.at+from:], end)
	if i < 0 {
		p.at = len(p.text)
		return
	}
	p.at += from + i + len(end)
}

// repeat reads a quantifier with what makes it lazy or possessive.
func (p *pcre) repeat(n int) error {
	if p.nothing {
		return errRepeatsNothing
	}
	p.at += n
	if p.at < len(p.text) && (p.text[p.at] == '?' || p.text[p.at] == '+') {
		p.at++
	}
	return nil
}

var codePoint = regexp.MustCompile(`^\\x\{([0-9A-Fa-f]*)\}`)

var backReference = regexp.MustCompile(`^\\(?:[1-9]|k[<{'])`)

func (p *pcre) escape() error {
	rest := p.text[p.at:]
	if strings.HasPrefix(rest, `\x{`) {
		if parts := codePoint.FindStringSubmatch(rest); parts != nil {
			return p.code(parts)
		}
	}
	if p.behind[len(p.behind)-1] && backReference.MatchString(rest) {
		return errWidth
	}
	p.at += min(2, len(rest))
	p.nothing = len(rest) > 1 && strings.IndexByte("AbBzZG", rest[1]) >= 0
	return nil
}

// code reads a character by its code.
func (p *pcre) code(parts []string) error {
	p.at += len(parts[0])
	p.nothing = false
	if n, err := strconv.ParseUint(parts[1], 16, 64); err != nil || n > 0xff {
		return errLargeCode
	}
	return nil
}

// class reads a bracket expression.
func (p *pcre) class() error {
	p.at++
	p.skip("^")
	p.skip("]")
	for p.at < len(p.text) && p.text[p.at] != ']' {
		set, err := p.member()
		if err != nil {
			return err
		}
		rest := p.text[p.at:]
		if set && len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			return errClassRange
		}
	}
	p.at++
	return nil
}

func (p *pcre) skip(prefix string) {
	if strings.HasPrefix(p.text[p.at:], prefix) {
		p.at += len(prefix)
	}
}

// member reads one part of a bracket expression, and tells whether it is a set by itself.
func (p *pcre) member() (set bool, err error) {
	rest := p.text[p.at:]
	switch {
	case strings.HasPrefix(rest, "[.") || strings.HasPrefix(rest, "[="):
		if end := rest[1:2] + "]"; strings.Contains(rest[2:], end) {
			return false, errCollation
		}
	case strings.HasPrefix(rest, "[:") && strings.Contains(rest, ":]"):
		p.past(":]", 0)
		return true, nil
	case rest[0] == '\\':
		set = len(rest) > 1 && strings.IndexByte("dDwWsShHvVpP", rest[1]) >= 0
		err = p.escape()
		if set && strings.HasPrefix(p.text[p.at:], "{") && strings.IndexByte("pP", rest[1]) >= 0 {
			p.past("}", 0)
		} else if set && strings.IndexByte("pP", rest[1]) >= 0 && p.at < len(p.text) {
			p.at++
		}
		p.nothing = false
		return set, err
	}
	p.at++
	return false, nil
}
