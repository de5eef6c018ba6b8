package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// op is what an expr does.
type op int

const (
	deny  op = iota // !
	allow           // @
	atom            // kind:match
	not
	and
	or
)

// expr is a rule as it was understood. An and, or an or, holds no other one directly: they are flat.
type expr struct {
	op          op
	kind, match string
	args        []*expr
}

// maxDepth bounds how deep parentheses and "not" may nest. The deepest rule of an OpenStack service has three.
const maxDepth = 64

// parseText reads a rule in oslo.policy's language: checks of the form kind:match, "@" and "!", joined by "not", "and" and
// "or", in the order of their strength, and grouped by parentheses. The empty text lets everybody.
func parseText(text string) (*expr, error) {
	if text == "" {
		return &expr{op: allow}, nil
	}
	p := parser{tokens: tokens(text)}
	if len(p.tokens) == 0 {
		return nil, errors.New(`the rule is blank; write "" to let everybody, "!" to let nobody`)
	}
	e, err := p.anyOf()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf(`%q stands where "and", "or" or the end should`, p.tokens[0])
	}
	return e, err
}

// tokens splits a text as oslo.policy does: at blanks, and parentheses only where they begin or end a word, since
// %(project_id)s has some, too.
func tokens(text string) []string {
	var out []string
	for _, word := range strings.Fields(text) {
		rest := strings.TrimLeft(word, "(")
		for range len(word) - len(rest) {
			out = append(out, "(")
		}
		body := strings.TrimRight(rest, ")")
		if body != "" {
			out = append(out, body)
		}
		for range len(rest) - len(body) {
			out = append(out, ")")
		}
	}
	return out
}

type parser struct {
	tokens []string
	depth  int
}

// take takes the next token if it is the word, whatever the case.
func (p *parser) take(word string) bool {
	if len(p.tokens) == 0 || !strings.EqualFold(p.tokens[0], word) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) anyOf() (*expr, error) { return p.list(or, "or", p.allOf) }

func (p *parser) allOf() (*expr, error) { return p.list(and, "and", p.one) }

func (p *parser) list(o op, word string, item func() (*expr, error)) (*expr, error) {
	var args []*expr
	for {
		e, err := item()
		if err != nil {
			return nil, err
		}
		args = append(args, e)
		if !p.take(word) {
			return join(o, args), nil
		}
	}
}

// join makes one expr of several.
func join(o op, args []*expr) *expr {
	e := &expr{op: o}
	for _, arg := range args {
		if arg.op == o {
			e.args = append(e.args, arg.args...)
		} else {
			e.args = append(e.args, arg)
		}
	}
	if len(e.args) == 1 {
		return e.args[0]
	}
	return e
}

func (p *parser) one() (*expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("not"):
		e, err := p.one()
		return &expr{op: not, args: []*expr{e}}, err
	case p.take("("):
		return p.group()
	case len(p.tokens) == 0:
		return nil, errors.New("it ends where a check should stand")
	}
	word := p.tokens[0]
	switch strings.ToLower(word) {
	case "and", "or", ")":
		return nil, fmt.Errorf("%q stands where a check should", word)
	}
	p.tokens = p.tokens[1:]
	return parseCheck(word)
}

func (p *parser) group() (*expr, error) {
	e, err := p.anyOf()
	if err == nil && !p.take(")") {
		err = errors.New("a parenthesis is not closed")
		if len(p.tokens) > 0 {
			err = fmt.Errorf(`%q stands where "and", "or" or ")" should`, p.tokens[0])
		}
	}
	return e, err
}

// The left sides of a check: an attribute of the token, a text, or another value of Python's.
var (
	attributeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	literal       = regexp.MustCompile(`^('[^'"\\]*'|"[^'"\\]*"|True|False|None|0|-?[1-9][0-9]*)$`)
)

// parseCheck reads one check.
func parseCheck(word string) (*expr, error) {
	switch word {
	case "@":
		return &expr{op: allow}, nil
	case "!":
		return &expr{op: deny}, nil
	}
	kind, match, found := strings.Cut(word, ":")
	switch {
	case !found:
		return nil, fmt.Errorf("%q is no check: want kind:match, as in role:member", word)
	case !attributeName.MatchString(kind) && !literal.MatchString(kind):
		return nil, fmt.Errorf("%q: %q is neither the name of an attribute nor a literal", word, kind)
	case match == "":
		return nil, fmt.Errorf("%q has nothing after the colon", word)
	case strings.ContainsAny(word[:1], `'"`) && word[0] == word[len(word)-1]: // one text to oslo.policy, and no check
		return nil, fmt.Errorf("%q: what stands after the colon must not be in quotation marks", word)
	case kind == "http" || kind == "https":
		return nil, fmt.Errorf("%q: another server is not asked; write the rule itself", word)
	case kind == "rule" || kind == "is_admin":
		return &expr{op: atom, kind: kind, match: match}, nil
	}
	if _, err := parseTemplate(match); err != nil {
		return nil, fmt.Errorf("%q: %w", word, err)
	}
	return &expr{op: atom, kind: kind, match: match}, nil
}

// parseList reads the form of old policy.json files: a list of lists. One of the outer must hold, and all of an inner;
// a bare text is an inner list of one. An empty outer list lets everybody, and empty inner ones count for nothing.
func parseList(lists [][]string) (*expr, error) {
	if len(lists) == 0 {
		return &expr{op: allow}, nil
	}
	var choices []*expr
	for _, words := range lists {
		var all []*expr
		for _, word := range words {
			if t := tokens(word); len(t) != 1 || t[0] != word {
				return nil, fmt.Errorf("%q is more than one check, or none; a list holds single ones", word)
			}
			e, err := parseCheck(word)
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
		if len(all) > 0 {
			choices = append(choices, join(and, all))
		}
	}
	if len(choices) == 0 {
		return &expr{op: deny}, nil
	}
	return join(or, choices), nil
}

// String writes the rule in the language that it was read from.
func (e *expr) String() string {
	switch e.op {
	case deny:
		return "!"
	case allow:
		return "@"
	case not:
		return "not " + e.args[0].within(not)
	case and:
		return e.joined(" and ")
	case or:
		return e.joined(" or ")
	}
	return e.kind + ":" + e.match
}

func (e *expr) joined(by string) string {
	items := make([]string, len(e.args))
	for i, arg := range e.args {
		items[i] = arg.within(e.op)
	}
	return strings.Join(items, by)
}

// within writes the rule as a part of a stronger one or of a weaker.
func (e *expr) within(outer op) string {
	if e.op == or || e.op == and && outer == not {
		return "(" + e.String() + ")"
	}
	return e.String()
}

// part is a piece of a template: a text, or the name of an attribute of the target.
type part struct {
	text   string
	target string
}

// parseTemplate reads what stands after a check's colon: text, %% for a percent sign, and %(name)s.
func parseTemplate(match string) ([]part, error) {
	var parts []part
	for match != "" {
		before, after, found := strings.Cut(match, "%")
		if before != "" {
			parts = append(parts, part{text: before})
		}
		if !found {
			break
		}
		rest, percent := strings.CutPrefix(after, "%")
		if percent {
			parts, match = append(parts, part{text: "%"}), rest
			continue
		}
		inner, opened := strings.CutPrefix(after, "(")
		name, rest, closed := strings.Cut(inner, ")s")
		if !opened || !closed || name == "" || strings.ContainsAny(name, "()%") {
			return nil, errors.New(`"%" must begin %(attribute)s, or be written %%`)
		}
		parts, match = append(parts, part{target: name}), rest
	}
	return parts, nil
}
