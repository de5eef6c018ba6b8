package haproxy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"plimsoll/lbaas"
)

// l7Groups is the order in which Octavia's users know policies to work: first what rejects, then what redirects, then what chooses a
// pool, each by position. HAProxy would not have it otherwise: it goes through all http-request rules before it chooses a backend.
var l7Groups = [...][]lbaas.L7Action{
	{lbaas.Reject}, {lbaas.RedirectToURL, lbaas.RedirectPrefix}, {lbaas.RedirectToPool},
}

// compareFlags are HAProxy's words for a comparison.
var compareFlags = map[lbaas.CompareType]string{
	lbaas.CompareRegex:      "-m reg",
	lbaas.CompareStartsWith: "-m beg",
	lbaas.CompareEndsWith:   "-m end",
	lbaas.CompareContains:   "-m sub",
	lbaas.CompareEqualTo:    "-m str",
}

// L7Protocol tells whether L7 policies mean anything on a listener of that protocol.
func L7Protocol(p lbaas.Protocol) bool { return p == lbaas.HTTP || p == lbaas.TerminatedHTTPS }

// L7RuleLack names what of an L7 rule cannot be said to HAProxy; "" is nothing. Names of headers and cookies have no commas, although
// the API lets some through, and HAProxy's file has no place for what cannot be printed.
func L7RuleLack(r *lbaas.L7Rule) string {
	switch {
	case strings.Contains(r.Key, ","):
		return "L7 rule key with a comma"
	case visible(r.Key) != r.Key:
		return "L7 rule key with a character that cannot be printed"
	case visible(r.Value) != r.Value:
		return "L7 rule value with a character that cannot be printed"
	}
	return ""
}

// policies appends the L7 policies of a listener: for each its rules as ACLs, and a line that does something if all of them match.
// All lines of a policy are owned by it: HAProxy takes them together or not at all.
func (s section) policies(lb *lbaas.LoadBalancer, l *lbaas.Listener) {
	all := livePolicies(lb, l)
	for _, group := range l7Groups {
		for _, p := range all {
			if slices.Contains(group, p.Action) {
				s.policy(l, p)
			}
		}
	}
}

// livePolicies are the policies of a listener that can match, by position: those that are on, with a rule that is on. What leads
// to a pool that is switched off is passed over, as Octavia does: the next policy or the default pool has the request.
func livePolicies(lb *lbaas.LoadBalancer, l *lbaas.Listener) []*lbaas.L7Policy {
	live := slices.DeleteFunc(slices.Clone(l.L7Policies), func(p *lbaas.L7Policy) bool {
		if !p.AdminStateUp || len(liveRules(p)) == 0 {
			return true
		}
		pool := lb.Pool(p.RedirectPoolID)
		return p.Action == lbaas.RedirectToPool && (pool == nil || !pool.AdminStateUp)
	})
	slices.SortFunc(live, func(a, b *lbaas.L7Policy) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), oldest(&a.Object, &b.Object))
	})
	return live
}

// liveRules are the rules of a policy that are on, the oldest first.
func liveRules(p *lbaas.L7Policy) []*lbaas.L7Rule {
	live := slices.DeleteFunc(slices.Clone(p.Rules), func(r *lbaas.L7Rule) bool { return !r.AdminStateUp })
	slices.SortFunc(live, func(a, b *lbaas.L7Rule) int { return oldest(&a.Object, &b.Object) })
	return live
}

func (s section) policy(l *lbaas.Listener, p *lbaas.L7Policy) {
	s.Objects = append(s.Objects, p.ID)
	if p.Name != "" {
		s.addFor(p.ID, "# L7 policy %s", Comment(p.Name))
	}
	var when []string
	for _, r := range liveRules(p) {
		for _, sample := range samples(r) {
			s.addFor(p.ID, "acl %s %s", r.ID, sample)
		}
		when = append(when, negated(r.Invert)+r.ID)
	}
	s.addFor(p.ID, "%s if %s", action(l, p), strings.Join(when, " "))
	if refused(p.Name) {
		s.addFor(p.ID, refusedLine)
	}
}

// action is what a policy does with a request. In http-request rules HAProxy takes the target of a redirect for a log format.
func action(l *lbaas.Listener, p *lbaas.L7Policy) string {
	code := strconv.Itoa(cmp.Or(p.RedirectHTTPCode, lbaas.DefaultRedirectCode))
	switch p.Action {
	case lbaas.RedirectToURL:
		return "http-request redirect location " + QuoteFormat(p.RedirectURL) + " code " + code
	case lbaas.RedirectPrefix:
		return "http-request redirect prefix " + QuoteFormat(p.RedirectPrefix) + " code " + code
	case lbaas.RedirectToPool:
		return "use_backend " + p.RedirectPoolID + ":" + l.ID
	}
	return "http-request deny"
}

// samples are what a rule looks at and what it wants there, in HAProxy's words; it is enough that one of several matches.
func samples(r *lbaas.L7Rule) []string {
	switch r.Type {
	case lbaas.RuleHostName:
		return []string{"req.hdr(host) -i " + wanted(r)}
	case lbaas.RulePath:
		return []string{"path " + wanted(r)}
	case lbaas.RuleFileType:
		return fileType(r)
	case lbaas.RuleHeader:
		return []string{sample("req.hdr", r.Key) + " " + wanted(r)}
	case lbaas.RuleCookie:
		return []string{sample("req.cook", r.Key) + " " + wanted(r)}
	case lbaas.RuleSSLVerifyResult:
		return []string{"ssl_c_verify eq " + Quote(r.Value)}
	case lbaas.RuleSSLDNField:
		return []string{sample("ssl_c_s_dn", r.Key) + " " + wanted(r)}
	}
	return []string{"ssl_c_used"}
}

// fileType finds a value at the end of the path, behind a dot. An expression is tried on the whole path, as Octavia does, and on
// what follows the last dot, as Octavia's manual has it.
func fileType(r *lbaas.L7Rule) []string {
	if r.CompareType == lbaas.CompareRegex {
		return []string{"path " + wanted(r), Quote("path,field(-1,.)") + " " + wanted(r)}
	}
	return []string{"path -m end -- " + Quote("."+strings.TrimPrefix(unquoted(r.Value), "."))}
}

// wanted is how a rule compares, and with what. The two dashes let the value begin with a dash.
func wanted(r *lbaas.L7Rule) string {
	value := r.Value
	switch {
	case r.CompareType == lbaas.CompareRegex:
		value = expression(value)
	case r.Type != lbaas.RuleSSLDNField:
		value = unquoted(value)
	}
	return compareFlags[r.CompareType] + " -- " + Quote(value)
}

// unquoted takes the double quotes off in which the API wants values with spaces.
func unquoted(value string) string {
	if len(value) > 2 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) {
		return value[1 : len(value)-1]
	}
	return value
}

// sample is a sample fetch with a tenant's word for its argument. In arguments HAProxy reads quotes and backslashes once
// more than in words.
func sample(fetch, argument string) string {
	return Quote(fetch + "(" + argumentEscaper.Replace(argument) + ")")
}

var argumentEscaper = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`, `,`, `\,`, `)`, `\)`)

func negated(invert bool) string {
	if invert {
		return "!"
	}
	return ""
}
