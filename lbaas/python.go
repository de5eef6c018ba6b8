package lbaas

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLiteralDepth bounds how deep literals stand in each other.
const maxLiteralDepth = 32

// ParsePython reads a Python literal, in which operators write data of flavors: {'vrf_context_per_subnet': 'True'}. It reads what
// ast.literal_eval does as far as JSON has words for it: dictionaries with texts for keys, lists and tuples (both are []any), texts, numbers
// (json.Number), True, False and None.
func ParsePython(text string) (any, error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("a Python literal has no such bytes")
	}
	l := literal{text: text}
	v, err := l.value()
	if err != nil {
		return nil, err
	}
	if l.next() != 0 {
		return nil, l.wrong()
	}
	return v, nil
}

// literal is a text that is being read.
type literal struct {
	text  string
	at    int
	depth int
}

func (l *literal) wrong() error {
	return fmt.Errorf("no Python literal that is known at byte %d", l.at)
}

// next is the next byte that is no white space; 0 is the end.
func (l *literal) next() byte {
	for l.at < len(l.text) && strings.IndexByte(" \t\n\r\f", l.text[l.at]) >= 0 {
		l.at++
	}
	return l.here()
}

func (l *literal) here() byte {
	if l.at == len(l.text) {
		return 0
	}
	return l.text[l.at]
}

// take goes past a byte, if it is the next.
func (l *literal) take(c byte) bool {
	if l.next() != c {
		return false
	}
	l.at++
	return true
}

func (l *literal) value() (any, error) {
	if l.depth == maxLiteralDepth {
		return nil, l.wrong()
	}
	l.depth++
	defer func() { l.depth-- }()
	switch c := l.next(); {
	case c == '{':
		return l.dictionary()
	case c == '[':
		l.at++
		list, _, err := l.list(']')
		return list, err
	case c == '(':
		return l.tuple()
	case pythonText.MatchString(l.text[l.at:]):
		return l.texts()
	}
	return l.word()
}

func (l *literal) dictionary() (any, error) {
	l.at++
	all := map[string]any{}
	for !l.take('}') {
		l.next()
		if !pythonText.MatchString(l.text[l.at:]) {
			return nil, l.wrong()
		}
		key, err := l.texts()
		if err != nil {
			return nil, err
		}
		if !l.take(':') {
			return nil, l.wrong()
		}
		if all[key], err = l.value(); err != nil {
			return nil, err
		}
		if !l.take(',') && l.next() != '}' {
			return nil, l.wrong()
		}
	}
	return all, nil
}

// list reads values up to a bracket, and tells whether there was a comma behind the last.
func (l *literal) list(end byte) (all []any, comma bool, err error) {
	all = []any{}
	for !l.take(end) {
		v, err := l.value()
		if err != nil {
			return nil, false, err
		}
		all = append(all, v)
		if comma = l.take(','); !comma && l.next() != end {
			return nil, false, l.wrong()
		}
	}
	return all, comma, nil
}

// tuple reads what stands in parentheses: without a comma these are nothing but parentheses.
func (l *literal) tuple() (any, error) {
	l.at++
	all, comma, err := l.list(')')
	if err == nil && len(all) == 1 && !comma {
		return all[0], nil
	}
	return all, err
}

var (
	pythonWord    = regexp.MustCompile(`^[A-Za-z0-9_.+-]*`)
	pythonInteger = regexp.MustCompile(`^[+-]?(?:0|[1-9][0-9]*)$`)
	pythonFloat   = regexp.MustCompile(`^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$`)
	pythonText    = regexp.MustCompile(`^[uUrR]?["']`)
)

// word reads a number or one of Python's constants.
func (l *literal) word() (any, error) {
	word := pythonWord.FindString(l.text[l.at:])
	v, ok := constant(word)
	if !ok {
		return nil, l.wrong()
	}
	l.at += len(word)
	return v, nil
}

func constant(word string) (v any, ok bool) {
	switch word {
	case "True", "False":
		return word == "True", true
	case "None":
		return nil, true
	}
	if pythonInteger.MatchString(word) {
		return json.Number(strings.TrimPrefix(word, "+")), true
	}
	if !pythonFloat.MatchString(word) || !strings.ContainsAny(word, ".eE") {
		return nil, false
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, false
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), true
}

// texts reads a text. Several that follow each other are one.
func (l *literal) texts() (string, error) {
	var all strings.Builder
	for l.next(); pythonText.MatchString(l.text[l.at:]); l.next() {
		raw := l.here() == 'r' || l.here() == 'R'
		if c := l.here(); c != '"' && c != '\'' {
			l.at++
		}
		if err := l.one(&all, raw); err != nil {
			return "", err
		}
	}
	return all.String(), nil
}

// one reads a text between quotes. Those of three quotes are not known: nobody writes data in them.
func (l *literal) one(into *strings.Builder, raw bool) error {
	quote := l.text[l.at]
	if strings.HasPrefix(l.text[l.at:], strings.Repeat(string(quote), 3)) {
		return l.wrong()
	}
	l.at++
	for {
		switch c := l.here(); c {
		case 0, '\n', '\r':
			return l.wrong()
		case quote:
			l.at++
			return nil
		case '\\':
			if err := l.escape(into, raw); err != nil {
				return err
			}
		default:
			into.WriteByte(c)
			l.at++
		}
	}
}

// pythonEscapes are the characters that a letter behind a backslash stands for. A backslash at the end of a line is nothing at all.
var pythonEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// escape reads a backslash and what it makes of what follows. Where Python knows no such escape it stays a backslash.
func (l *literal) escape(into *strings.Builder, raw bool) error {
	l.at++
	c := l.here()
	if c == 0 || c == 'N' && !raw {
		return l.wrong()
	}
	if raw {
		into.WriteByte('\\')
		into.WriteByte(c)
		l.at++
		return nil
	}
	if text, known := pythonEscapes[c]; known {
		into.WriteString(text)
		l.at++
		return nil
	}
	if digits := pythonCharacter.FindString(l.text[l.at:]); digits != "" {
		return l.character(into, digits)
	}
	if strings.IndexByte("xuU", c) >= 0 {
		return l.wrong()
	}
	into.WriteByte('\\')
	return nil
}

// pythonCharacter is a character by number, behind a backslash.
var pythonCharacter = regexp.MustCompile(`^(?:[0-7]{1,3}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})`)

func (l *literal) character(into *strings.Builder, digits string) error {
	base, number := 8, digits
	if digits[0] > '7' {
		base, number = 16, digits[1:]
	}
	n, err := strconv.ParseInt(number, base, 64)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return l.wrong()
	}
	into.WriteRune(rune(n))
	l.at += len(digits)
	return nil
}
