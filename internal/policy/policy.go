// Package policy says who may do what with load balancers: rules in oslo.policy's language, by Octavia's names. Without an
// operator's word two sets of roles hold at once, as they do in a deployment that has not enforced the new defaults:
// Keystone's default roles (admin, member, reader) and Octavia's own (load-balancer_*).
package policy

import (
	"cmp"
	"maps"
	"slices"

	"plimsoll/internal/identity"
)

// Prefix begins the name of every rule that the API asks for.
const Prefix = "os_load-balancer_api:"

// Rule is a rule as it holds.
type Rule struct {
	Name string
	// Check is the rule in oslo.policy's language; the legacy roles' part is in it where it holds.
	Check string
	// From is where the rule stands: Builtin, or the file and the line of an operator's.
	From string
	// Default is the rule that an operator's stands in for; "" where there is none.
	Default string

	check check
}

// Builtin is where our own rules stand.
const Builtin = "default"

// Allows tells what the rule says of an actor and an object of the project.
func (r Rule) Allows(actor *identity.Actor, projectID string) bool { return r.check(actor, projectID) }

// ruleset is everything that a judgement needs. It does not change.
type ruleset struct {
	rules    []Rule
	checks   map[string]check // of our rules; what an operator wrote beside them is asked through them only
	warnings []string
}

// settings are the options that a set of rules depends on.
type settings struct {
	newDefaults bool
	fallback    string
}

func byName(a, b standard) int { return cmp.Compare(a.name, b.name) }

// combine makes the set of rules of our own and an operator's, which come before.
func combine(s settings, own map[string]written) (*ruleset, error) {
	all, defaults := map[string]written{}, map[string]string{}
	var order []string
	for _, d := range standards() {
		e, err := d.expr(s.newDefaults)
		if err != nil {
			return nil, err
		}
		all[d.name], defaults[d.name] = written{e, Builtin}, e.String()
		order = append(order, d.name)
	}
	maps.Copy(all, own)
	checks, warnings, err := compile(all, s.fallback)
	if err != nil {
		return nil, err
	}
	set := &ruleset{checks: map[string]check{}, warnings: append(warnings, unused(all, defaults, s.fallback)...)}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if _, ours := defaults[name]; !ours {
			order = append(order, name)
		}
	}
	for _, name := range order {
		r := Rule{Name: name, Check: all[name].String(), From: all[name].place, check: checks[name]}
		if text, ours := defaults[name]; ours {
			set.checks[name] = checks[name]
			if r.From != Builtin {
				r.Default = text
			}
		}
		set.rules = append(set.rules, r)
	}
	return set, nil
}

// expr is the rule as it is by default.
func (d standard) expr(newDefaults bool) (*expr, error) {
	e, err := parseText(d.text)
	if err != nil || d.legacy == "" || newDefaults {
		return e, err
	}
	old, err := parseText(d.legacy)
	return join(or, distinct(e, old)), err
}

// distinct are the alternatives of both, each once.
func distinct(a, b *expr) []*expr {
	var args []*expr
	for _, e := range join(or, []*expr{a, b}).args {
		if !slices.ContainsFunc(args, func(o *expr) bool { return o.String() == e.String() }) {
			args = append(args, e)
		}
	}
	return args
}

// unused says which rules nobody will ever ask: they are neither ours nor named by another.
func unused(all map[string]written, ours map[string]string, fallback string) []string {
	named := map[string]bool{fallback: true}
	for _, r := range all {
		r.names(named)
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, known := ours[name]; !known && !named[name] {
			out = append(out, all[name].place+": rule \""+name+"\" is not one of the API's, and no other rule names it: it has no effect")
		}
	}
	return out
}

// names adds the rules that an expression names.
func (e *expr) names(to map[string]bool) {
	if e.op == atom && e.kind == "rule" {
		to[e.match] = true
	}
	for _, arg := range e.args {
		arg.names(to)
	}
}
