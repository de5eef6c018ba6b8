package haproxy

import (
	"strings"

	"plimsoll/lbaas"
)

// l7Trees are load balancers whose listeners decide by what is in a request, count clients, or keep them on their members.
func l7Trees() map[string]*lbaas.LoadBalancer {
	return map[string]*lbaas.LoadBalancer{
		"l7": l7Tree(), "l7rules": l7RulesTree(), "l7hostile": l7HostileTree(), "ratelimit": rateLimitTree(), "persistence": persistenceTree(),
		"sourceipport": sourceIPPortTree(),
	}
}

func addPolicy(l *lbaas.Listener, n int, action lbaas.L7Action) *lbaas.L7Policy {
	p := &lbaas.L7Policy{
		Object: object(uid(7, n), "policy "+string(action)), ListenerID: l.ID, Action: action, Position: len(l.L7Policies) + 1,
	}
	switch action {
	case lbaas.RedirectToURL:
		p.RedirectURL, p.RedirectHTTPCode = "https://www.example.com/a?b=%20&c=d", 301
	case lbaas.RedirectPrefix:
		p.RedirectPrefix, p.RedirectHTTPCode = "https://www.example.com/prefix", 308
	}
	l.L7Policies = append(l.L7Policies, p)
	return p
}

func addRule(p *lbaas.L7Policy, kind lbaas.L7RuleType, compare lbaas.CompareType, key, value string) *lbaas.L7Rule {
	n := 100*int(p.ID[len(p.ID)-1]) + len(p.Rules)
	r := &lbaas.L7Rule{Object: object(uid(8, n), ""), L7PolicyID: p.ID, Type: kind, CompareType: compare, Key: key, Value: value}
	p.Rules = append(p.Rules, r)
	return r
}

// l7Tree has every action, in another order than that of the file, and things that are switched off.
func l7Tree() *lbaas.LoadBalancer {
	lb := simpleTree()
	l := lb.Listeners[0]
	other := addPool(lb, 2, lbaas.HTTP, lbaas.RoundRobin)
	addMember(other, 3, "10.93.48.5", 80)
	off := addPool(lb, 3, lbaas.HTTP, lbaas.RoundRobin)
	off.AdminStateUp = false
	to := addPolicy(l, 1, lbaas.RedirectToPool)
	to.RedirectPoolID = other.ID
	addRule(to, lbaas.RulePath, lbaas.CompareStartsWith, "", "/other")
	addRule(to, lbaas.RuleHeader, lbaas.CompareEqualTo, "X-Other", `"yes, please"`).Invert = true
	nowhere := addPolicy(l, 2, lbaas.RedirectToPool)
	nowhere.RedirectPoolID = off.ID
	addRule(nowhere, lbaas.RulePath, lbaas.CompareStartsWith, "", "/nowhere")
	addRule(addPolicy(l, 3, lbaas.RedirectPrefix), lbaas.RuleHostName, lbaas.CompareEqualTo, "", "old.example.com")
	addRule(addPolicy(l, 4, lbaas.RedirectToURL), lbaas.RulePath, lbaas.CompareEqualTo, "", "/moved")
	reject := addPolicy(l, 5, lbaas.Reject)
	addRule(reject, lbaas.RuleFileType, lbaas.CompareEqualTo, "", "php")
	addRule(reject, lbaas.RulePath, lbaas.CompareEqualTo, "", "/off").AdminStateUp = false
	addRule(addPolicy(l, 6, lbaas.Reject), lbaas.RulePath, lbaas.CompareEqualTo, "", "/off").AdminStateUp = false
	late := addPolicy(l, 7, lbaas.Reject)
	late.AdminStateUp = false
	addRule(late, lbaas.RulePath, lbaas.CompareEqualTo, "", "/late")
	addPolicy(l, 8, lbaas.Reject) // without rules
	first := addPolicy(l, 9, lbaas.Reject)
	first.Position = 0
	addRule(first, lbaas.RulePath, lbaas.CompareEqualTo, "", "/first")
	return lb
}

// l7RulesTree has a rule of each type and comparison.
func l7RulesTree() *lbaas.LoadBalancer {
	lb := simpleTree()
	values := map[lbaas.L7RuleType][2]string{
		lbaas.RuleHostName: {"", "www.example.com"}, lbaas.RulePath: {"", "/a"}, lbaas.RuleFileType: {"", "jpg"},
		lbaas.RuleHeader: {"X-A'b#c$d", "-f"}, lbaas.RuleCookie: {"sid'", "a=b"}, lbaas.RuleSSLConnHasCert: {"", "True"},
		lbaas.RuleSSLVerifyResult: {"", "10"}, lbaas.RuleSSLDNField: {"CN", `"Ann" é, $HOME`},
	}
	for i, kind := range lbaas.L7RuleTypes() {
		p := addPolicy(lb.Listeners[0], 1+i, lbaas.Reject)
		for _, compare := range lbaas.CompareTypes() {
			one := values[kind]
			r := addRule(p, kind, compare, one[0], one[1])
			if compare == lbaas.CompareRegex {
				r.Value = `^(?:a|\d{1,3}\.)[^"'$ ]+(?=x)$`
			}
			if r.Validate() != nil {
				p.Rules = p.Rules[:len(p.Rules)-1]
			}
		}
	}
	return lb
}

// l7HostileTree has a hostile string wherever the tenant has a say, although the API lets few of them pass.
func l7HostileTree() *lbaas.LoadBalancer {
	lb := l7Tree()
	seedTree(lb, hostile)
	return lb
}

// seedTree puts a string of a tenant into every attribute of L7 policies, rules and rate limits.
func seedTree(lb *lbaas.LoadBalancer, s string) {
	rename(lb, s)
	for _, l := range lb.Listeners {
		for _, p := range l.L7Policies {
			p.RedirectURL, p.RedirectPrefix = s, s
			for _, r := range p.Rules {
				r.Value = s
			}
		}
	}
}

func addLimit(l *lbaas.Listener, n int, action lbaas.RateLimitAction, rules ...*lbaas.RateLimitRule) *lbaas.RateLimitPolicy {
	p := &lbaas.RateLimitPolicy{Object: object(uid(9, n), "limit "+string(action)), ListenerID: l.ID, Action: action, Rules: rules}
	for i, r := range rules {
		r.Object = object(uid(10, 10*n+i), "")
	}
	l.RateLimitPolicies = append(l.RateLimitPolicies, p)
	return p
}

func rate(m lbaas.RateLimitMetric, threshold, interval int, urls ...string) *lbaas.RateLimitRule {
	return &lbaas.RateLimitRule{Metric: m, Threshold: threshold, Interval: interval, URLs: urls}
}

// rateLimitTree has rules of every metric that HAProxy counts, and every action that it can take.
func rateLimitTree() *lbaas.LoadBalancer {
	lb := simpleTree()
	l := lb.Listeners[0]
	addLimit(l, 1, lbaas.RateLimitDeny, rate(lbaas.RateRequests, 100, 30), rate(lbaas.RateKBytes, 4_000_000, 86400))
	addLimit(l, 2, lbaas.RateLimitReject, rate(lbaas.RateRequestsPerURL, 5, 10, "/login", "/a'b$c&d%20"))
	addLimit(l, 3, lbaas.RateLimitSilentDrop, rate(lbaas.RateRequests, 1<<31-1, 30))
	off := addLimit(l, 4, lbaas.RateLimitDeny, rate(lbaas.RateRequests, 1, 1))
	off.AdminStateUp = false
	part := addLimit(l, 5, lbaas.RateLimitDeny, rate(lbaas.RateRequests, 1, 2), rate(lbaas.RateRequestsPerURL, 7, 10, "/login"))
	part.Rules[0].AdminStateUp = false
	addLimit(l, 6, lbaas.RateLimitDeny)
	tcp := addListener(lb, 2, lbaas.TCP, 81, lb.Pools[0].ID)
	addLimit(tcp, 7, lbaas.RateLimitReject, rate(lbaas.RateKBytes, 10, 30))
	addLimit(tcp, 8, lbaas.RateLimitSilentDrop, rate(lbaas.RateKBytes, 20, 60))
	return lb
}

// persistenceTree keeps clients in every way, on listeners of both modes.
func persistenceTree() *lbaas.LoadBalancer {
	lb := newTree()
	for i, p := range []lbaas.SessionPersistence{
		{Type: lbaas.PersistSourceIP}, {Type: lbaas.PersistHTTPCookie}, {Type: lbaas.PersistAppCookie, CookieName: "S'ID$#"},
	} {
		pool := addPool(lb, 1+i, lbaas.HTTP, lbaas.RoundRobin)
		pool.SessionPersistence = &p
		addMember(pool, 1+i, "10.93.48.3", 80)
		addListener(lb, 1+i, lbaas.HTTP, 80+i, pool.ID)
		addListener(lb, 11+i, lbaas.TCP, 180+i, pool.ID)
	}
	return lb
}

func sourceIPPortTree() *lbaas.LoadBalancer {
	lb := newTree()
	p := addPool(lb, 1, lbaas.TCP, lbaas.SourceIPPort)
	addMember(p, 1, "10.93.48.3", 80)
	addListener(lb, 1, lbaas.TCP, 80, p.ID)
	q := addPool(lb, 2, lbaas.HTTP, lbaas.SourceIPPort)
	addMember(q, 2, "10.93.48.3", 80)
	addListener(lb, 2, lbaas.HTTP, 81, q.ID)
	return lb
}

// longest are strings of the longest lengths that the API takes, of characters that need most room.
func longest() []string {
	return []string{strings.Repeat(`\`, 255), strings.Repeat("$", 255), strings.Repeat("漢", 255)}
}
