package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"plimsoll/internal/identity"
)

// check is a rule ready to be asked. It does not allocate.
type check func(a *identity.Actor, projectID string) bool

// written is a rule and the place where it stands.
type written struct {
	*expr
	place string
}

// compiler makes checks of rules that name each other.
type compiler struct {
	rules    map[string]written
	fallback string // the rule that stands in for those that are not there
	done     map[string]check
	path     []string // the rules that are being compiled, the outermost first
	warnings []string
}

// compile makes a check of every rule. A rule that leads back to itself is an error.
func compile(rules map[string]written, fallback string) (map[string]check, []string, error) {
	c := &compiler{rules: rules, fallback: fallback, done: map[string]check{}}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if _, err := c.rule(name); err != nil {
			return nil, nil, err
		}
	}
	return c.done, c.warnings, nil
}

// rule compiles the rule of a name. One that is not there never holds, as oslo.policy has it, unless there is a default.
func (c *compiler) rule(name string) (check, error) {
	if done, ok := c.done[name]; ok {
		return done, nil
	}
	r, ok := c.rules[name]
	if !ok {
		return c.missing(name)
	}
	if at := slices.Index(c.path, name); at >= 0 {
		return nil, c.loop(append(slices.Clone(c.path[at:]), name))
	}
	c.path = append(c.path, name)
	done, err := c.expr(r.expr)
	c.path = c.path[:len(c.path)-1]
	if err == nil {
		c.done[name] = done
	}
	return done, err
}

// loop is the error of rules that lead back to the first. It names the place of one that an operator wrote: our own alone
// make no loop.
func (c *compiler) loop(names []string) error {
	at := max(0, slices.IndexFunc(names, func(name string) bool { return c.rules[name].place != Builtin }))
	return fmt.Errorf("%s: rule %q leads back to itself: %s", c.rules[names[at]].place, names[at], strings.Join(names, " → "))
}

func (c *compiler) missing(name string) (check, error) {
	if _, ok := c.rules[c.fallback]; ok {
		c.warn("names the rule %q, which does not exist: %q stands in for it", name, c.fallback)
		return c.rule(c.fallback)
	}
	c.warn("names the rule %q, which does not exist: that part never holds", name)
	return never, nil
}

// warn says something of the rule that is being compiled.
func (c *compiler) warn(format string, args ...any) {
	name := c.path[len(c.path)-1]
	c.warnings = append(c.warnings, fmt.Sprintf("%s: rule %q %s", c.rules[name].place, name, fmt.Sprintf(format, args...)))
}

func never(*identity.Actor, string) bool { return false }

func always(*identity.Actor, string) bool { return true }

func (c *compiler) expr(e *expr) (check, error) {
	switch e.op {
	case allow:
		return always, nil
	case deny:
		return never, nil
	case atom:
		return c.atom(e)
	}
	args := make([]check, len(e.args))
	for i, arg := range e.args {
		var err error
		if args[i], err = c.expr(arg); err != nil {
			return nil, err
		}
	}
	switch e.op {
	case not:
		return func(a *identity.Actor, project string) bool { return !args[0](a, project) }, nil
	case and:
		return allOf(args), nil
	}
	return anyOf(args), nil
}

func allOf(checks []check) check {
	return func(a *identity.Actor, project string) bool {
		for _, c := range checks {
			if !c(a, project) {
				return false
			}
		}
		return true
	}
}

func anyOf(checks []check) check {
	return func(a *identity.Actor, project string) bool {
		for _, c := range checks {
			if c(a, project) {
				return true
			}
		}
		return false
	}
}

func (c *compiler) atom(e *expr) (check, error) {
	switch e.kind {
	case "rule":
		return c.rule(e.match)
	case "is_admin":
		return c.isAdmin(e.match)
	}
	parts, err := parseTemplate(e.match)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.target != "" && p.target != "project_id" {
			c.warn("asks for %%(%s)s: of what a request is about, project_id alone is known; that part never holds", p.target)
			return never, nil
		}
	}
	switch e.kind {
	case "role":
		return hasRole(parts, strings.EqualFold), nil
	case "roles": // the attribute by its own name: any attribute that is a list holds where one of it is the same
		return hasRole(parts, same), nil
	}
	return c.compare(e.kind, parts), nil
}

// isAdmin is Octavia's own check: whether "context_is_admin" holds in the token's own project.
func (c *compiler) isAdmin(match string) (check, error) {
	admin, err := c.rule("context_is_admin")
	want := strings.EqualFold(match, "true")
	return func(a *identity.Actor, _ string) bool { return admin(a, a.ProjectID) == want }, err
}

func same(a, b string) bool { return a == b }

// hasRole looks for a role.
func hasRole(parts []part, same func(a, b string) bool) check {
	if len(parts) == 1 && parts[0].target == "" {
		role := parts[0].text
		return func(a *identity.Actor, _ string) bool {
			return slices.ContainsFunc(a.Roles, func(r string) bool { return same(r, role) })
		}
	}
	return func(a *identity.Actor, project string) bool {
		return slices.ContainsFunc(a.Roles, func(r string) bool { return matches(parts, r, project, same) })
	}
}

// attributes are what oslo.policy may ask of a token, by the names that it has and had for them.
var attributes = map[string]func(*identity.Actor) string{
	"user_id":           userID,
	"user":              userID,
	"user_name":         func(a *identity.Actor) string { return a.UserName },
	"user_domain_id":    userDomainID,
	"user_domain":       userDomainID,
	"project_id":        projectID,
	"tenant_id":         projectID,
	"tenant":            projectID,
	"project_name":      func(a *identity.Actor) string { return a.ProjectName },
	"project_domain_id": projectDomainID,
	"project_domain":    projectDomainID,
	"domain_id":         domainID,
	"domain":            domainID,
	"system_scope":      systemScope,
	"is_admin_project":  func(*identity.Actor) string { return "True" }, // as where Keystone names no such project
}

func userID(a *identity.Actor) string          { return a.UserID }
func userDomainID(a *identity.Actor) string    { return a.UserDomainID }
func projectID(a *identity.Actor) string       { return a.ProjectID }
func projectDomainID(a *identity.Actor) string { return a.ProjectDomainID }
func domainID(a *identity.Actor) string        { return a.DomainID }

func systemScope(a *identity.Actor) string {
	if a.System {
		return "all"
	}
	return ""
}

// compare compares an attribute of the token, or a literal, with a template.
func (c *compiler) compare(kind string, parts []part) check {
	var value func(*identity.Actor) string
	if literal.MatchString(kind) {
		text := strings.Trim(kind, `'"`)
		value = func(*identity.Actor) string { return text }
	} else if value = attributes[kind]; value == nil {
		c.warn("asks for %q, which no token has: that part never holds", kind)
		return never
	}
	switch {
	case len(parts) == 1 && parts[0].target == "":
		return equals(value, parts[0].text)
	case len(parts) == 1: // %(project_id)s; what belongs to nobody is nobody's own
		return func(a *identity.Actor, project string) bool { return project != "" && value(a) == project }
	}
	return func(a *identity.Actor, project string) bool {
		return matches(parts, value(a), project, same)
	}
}

// equals compares with a text. An attribute that a token lacks is Python's None.
func equals(value func(*identity.Actor) string, text string) check {
	return func(a *identity.Actor, _ string) bool {
		v := value(a)
		return v == text || v == "" && text == "None"
	}
}

// matches tells whether a value is what the parts make together.
func matches(parts []part, value, project string, same func(a, b string) bool) bool {
	for _, p := range parts {
		text := p.text
		if p.target != "" {
			text = project
		}
		if text == "" || len(value) < len(text) || !same(value[:len(text)], text) {
			return false
		}
		value = value[len(text):]
	}
	return value == ""
}
