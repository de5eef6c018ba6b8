package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// model says which answers a request may have, from the API's description alone.
func (l *live) model(at *lbaas.Listener, i int) map[string]bool {
	closed := map[string]bool{"closed": true}
	if !l.lb.AdminStateUp || !at.AdminStateUp || !admits(at, l.at.client.Addr()) {
		return closed
	}
	if at.ClientAuthentication == lbaas.ClientAuthMandatory && at.UsesTLS() {
		return closed // the client has no certificate of that authority
	}
	if at.Protocol == lbaas.Prometheus {
		return map[string]bool{"metrics": true}
	}
	if at.Protocol == lbaas.HTTP || at.Protocol == lbaas.TerminatedHTTPS {
		if p := l.decided(at, i); p != nil {
			return l.answerOf(at, p, i)
		}
		return l.poolAnswers(at, l.lb.Pool(at.DefaultPoolID))
	}
	return l.poolAnswers(at, l.lb.Pool(at.DefaultPoolID))
}

func admits(at *lbaas.Listener, client netip.Addr) bool {
	return len(at.AllowedCIDRs) == 0 || slices.ContainsFunc(at.AllowedCIDRs, func(s string) bool { return netip.MustParsePrefix(s).Contains(client) })
}

// decided is the policy that has the request: what rejects comes before what redirects, and that before what chooses a pool.
func (l *live) decided(at *lbaas.Listener, i int) *lbaas.L7Policy {
	ranks := map[lbaas.L7Action]int{lbaas.Reject: 0, lbaas.RedirectToURL: 1, lbaas.RedirectPrefix: 1, lbaas.RedirectToPool: 2}
	var best *lbaas.L7Policy
	for _, p := range at.L7Policies {
		pool := l.lb.Pool(p.RedirectPoolID)
		if !p.AdminStateUp || p.Action == lbaas.RedirectToPool && (pool == nil || !pool.AdminStateUp) || !matchesAll(at, p, i) {
			continue
		}
		if best == nil || cmp.Or(ranks[p.Action]-ranks[best.Action], p.Position-best.Position) < 0 {
			best = p
		}
	}
	return best
}

func matchesAll(at *lbaas.Listener, p *lbaas.L7Policy, i int) bool {
	asked := false
	for _, r := range p.Rules {
		if !r.AdminStateUp {
			continue
		}
		asked = true
		if matchesRule(at, r, i) == r.Invert {
			return false
		}
	}
	return asked
}

// matchesRule tells whether a request is as a rule wants it, inversion aside. No client shows a certificate.
func matchesRule(at *lbaas.Listener, r *lbaas.L7Rule, i int) bool {
	q := liveRequests[i]
	switch r.Type {
	case lbaas.RuleHostName:
		return compares(r, q.host, true)
	case lbaas.RulePath:
		return compares(r, q.path, false)
	case lbaas.RuleFileType:
		if r.CompareType == lbaas.CompareRegex {
			return compares(r, q.path, false) || compares(r, q.path[strings.LastIndex(q.path, ".")+1:], false)
		}
		return strings.HasSuffix(q.path, "."+strings.TrimPrefix(r.Value, "."))
	case lbaas.RuleHeader:
		return strings.EqualFold(r.Key, q.header) && compares(r, q.value, false)
	case lbaas.RuleCookie:
		name, value, _ := strings.Cut(q.cookie, "=")
		return r.Key == name && compares(r, value, false)
	case lbaas.RuleSSLVerifyResult:
		return at.UsesTLS() && r.Value == "0"
	}
	return false
}

func compares(r *lbaas.L7Rule, text string, anyCase bool) bool {
	want := r.Value
	if r.CompareType == lbaas.CompareRegex {
		if anyCase {
			want = "(?i)" + want
		}
		return regexp.MustCompile(want).MatchString(text)
	}
	if len(want) > 2 && strings.HasPrefix(want, `"`) && strings.HasSuffix(want, `"`) {
		want = want[1 : len(want)-1]
	}
	if anyCase {
		want, text = strings.ToLower(want), strings.ToLower(text)
	}
	switch r.CompareType {
	case lbaas.CompareStartsWith:
		return strings.HasPrefix(text, want)
	case lbaas.CompareEndsWith:
		return strings.HasSuffix(text, want)
	case lbaas.CompareContains:
		return strings.Contains(text, want)
	}
	return text == want
}

func (l *live) answerOf(at *lbaas.Listener, p *lbaas.L7Policy, i int) map[string]bool {
	code := cmp.Or(p.RedirectHTTPCode, 302)
	switch p.Action {
	case lbaas.Reject:
		return map[string]bool{"403": true}
	case lbaas.RedirectToURL:
		return map[string]bool{fmt.Sprintf("%d %s", code, p.RedirectURL): true}
	case lbaas.RedirectPrefix:
		return map[string]bool{fmt.Sprintf("%d %s%s", code, p.RedirectPrefix, liveRequests[i].path): true}
	}
	return l.poolAnswers(at, l.lb.Pool(p.RedirectPoolID))
}

// poolAnswers are the members that may answer. Backups serve when nobody else does. Who once had a client by its address may have it
// again, although it is new to nobody.
func (l *live) poolAnswers(at *lbaas.Listener, p *lbaas.Pool) map[string]bool {
	nobody := map[string]bool{"closed": true}
	if at.Protocol == lbaas.HTTP || at.Protocol == lbaas.TerminatedHTTPS {
		nobody = map[string]bool{"503": true}
	}
	if p == nil || !p.AdminStateUp {
		return nobody
	}
	if p.TLSEnabled && p.CATLSContainerRef != "" && at.Protocol != lbaas.UDP { // the members' certificates are of no authority
		nobody["502"] = true
		return nobody
	}
	sticky := p.SessionPersistence != nil && p.SessionPersistence.Type == lbaas.PersistSourceIP
	first, backups, enabled := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, m := range p.Members {
		if !m.AdminStateUp {
			continue
		}
		enabled[m.Address.String()] = true
		switch {
		case m.Weight == 0:
		case m.Backup:
			backups[m.Address.String()] = true
		default:
			first[m.Address.String()] = true
		}
	}
	chosen := first
	if len(first) == 0 {
		chosen = backups
	}
	if len(chosen) == 0 {
		chosen = nobody
	}
	if sticky {
		for name := range enabled {
			chosen[name] = true
		}
	}
	return chosen
}
