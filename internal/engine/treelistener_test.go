package engine

import (
	"strings"

	"plimsoll/lbaas"
)

// firstPort is that of the first listener of a random tree.
const firstPort = 8001

func (m *maker) listener(lb *lbaas.LoadBalancer, n int) (*lbaas.Listener, bool) {
	return valid(func() *lbaas.Listener {
		l := lbaas.NewListener()
		l.Object = m.object(1, n)
		l.Protocol = pick(m, append(lbaas.ListenerProtocols(), lbaas.HTTP, lbaas.HTTP, lbaas.TerminatedHTTPS)...)
		l.ProtocolPort = firstPort + m.IntN(8)
		if len(lb.Pools) > 0 && !m.oneIn(8) {
			l.DefaultPoolID = pick(m, lb.Pools...).ID
		}
		m.bounds(l)
		m.headers(l)
		if l.Protocol == lbaas.TerminatedHTTPS || l.Protocol == lbaas.Prometheus && m.oneIn(3) {
			m.listenerTLS(l)
		}
		return l
	}, func(l *lbaas.Listener) error {
		return firstError(l.Validate(), m.deployment.ValidateListener(l), m.deployment.ValidateListenerIn(lb, l))
	})
}

// bounds are the timeouts and limits of a listener, and whom it allows.
func (m *maker) bounds(l *lbaas.Listener) {
	limit := pick(m, -1, -1, 1000)
	if !m.live {
		limit = pick(m, -1, 0, 1, 1<<31-1)
		l.TimeoutClientData, l.TimeoutMemberConnect = pick(m, 0, 1, 50000), pick(m, 0, 1, lbaas.MaxTimeoutMs)
		l.TimeoutMemberData, l.TimeoutTCPInspect = pick(m, 0, 1, lbaas.MaxTimeoutMs), pick(m, 0, 0, 1, lbaas.MaxTimeoutMs)
	}
	l.ConnectionLimit = &limit
	if !m.oneIn(4) {
		return
	}
	l.AllowedCIDRs = some(m, []string{"192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "::ffff:192.0.2.0/120"})
	if m.live && m.oneIn(2) {
		l.AllowedCIDRs = append(l.AllowedCIDRs, m.client.String())
	}
}

// insertable are the names of insert_headers.
var insertable = []string{
	"X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-IP", "X-Client-IP", "X-Real-IP",
	"X-SSL-Client-Verify", "X-SSL-Client-Has-Cert", "X-SSL-Client-DN", "X-SSL-Client-CN", "X-SSL-Issuer", "X-SSL-Client-SHA1",
	"X-SSL-Client-Not-Before", "X-SSL-Client-Not-After",
}

func (m *maker) headers(l *lbaas.Listener) {
	names := insertable
	switch l.Protocol {
	case lbaas.HTTP:
		names = insertable[:6]
	case lbaas.TerminatedHTTPS:
	default:
		return
	}
	l.InsertHeaders = map[string]string{}
	for _, name := range some(m, names) {
		l.InsertHeaders[name] = pick(m, "true", "True", "false", "x\ny", `"`)
	}
}

func (m *maker) listenerTLS(l *lbaas.Listener) {
	l.DefaultTLSContainerRef = pick(m, append(m.certificates, "")...)
	l.SNIContainerRefs = some(m, m.certificates)
	if m.oneIn(2) {
		l.ClientCATLSContainerRef = pick(m, m.authorities...)
		l.ClientAuthentication = pick(m, lbaas.ClientAuthNone, lbaas.ClientAuthOptional, lbaas.ClientAuthMandatory)
		l.ClientCRLContainerRef = pick(m, append(m.revocations, "")...)
	}
	l.TLSCiphers, l.TLSVersions, l.ALPNProtocols = m.ciphers(), m.versions(), m.alpn()
	l.DefaultTLS(lbaas.DefaultTLS())
	if l.Protocol == lbaas.TerminatedHTTPS && m.oneIn(2) {
		age := pick(m, 0, 1, 1<<31-1)
		l.HSTSMaxAge, l.HSTSIncludeSubdomains, l.HSTSPreload = &age, m.oneIn(2), m.oneIn(2)
	}
}

// decisions gives a listener L7 policies and rate limits.
func (m *maker) decisions(lb *lbaas.LoadBalancer, l *lbaas.Listener, n int) {
	for i := range m.IntN(5) {
		if p, ok := m.l7Policy(lb, l, 10*n+i); ok {
			l.L7Policies = append(l.L7Policies, p)
		}
	}
	m.Shuffle(len(l.L7Policies), func(i, j int) { l.L7Policies[i], l.L7Policies[j] = l.L7Policies[j], l.L7Policies[i] })
	for i, p := range l.L7Policies {
		p.Position = i + 1
	}
	for i := range m.IntN(3) {
		if p, ok := m.rateLimitPolicy(lb, l, 10*n+i); ok {
			l.RateLimitPolicies = append(l.RateLimitPolicies, p)
		}
	}
}

func (m *maker) l7Policy(lb *lbaas.LoadBalancer, l *lbaas.Listener, n int) (*lbaas.L7Policy, bool) {
	p, ok := valid(func() *lbaas.L7Policy {
		p := lbaas.NewL7Policy()
		p.Object, p.ListenerID, p.Action = m.object(7, n), l.ID, pick(m, lbaas.L7Actions()...)
		switch p.Action {
		case lbaas.RedirectToPool:
			if len(lb.Pools) > 0 {
				p.RedirectPoolID = pick(m, lb.Pools...).ID
			}
		case lbaas.RedirectToURL:
			p.RedirectURL = pick(m, "http://www.example.com/", "https://a%20b@[::1]:8/x?y=$HOME#%[src]", "https://e/'*;!$&()?\"\\{}")
		case lbaas.RedirectPrefix:
			p.RedirectPrefix = pick(m, "http://www.example.com", "https://e/a%2fb", "https://e/$x'~")
		}
		if p.Action == lbaas.RedirectToURL || p.Action == lbaas.RedirectPrefix {
			p.RedirectHTTPCode = pick(m, 0, 301, 302, 303, 307, 308)
		}
		return p
	}, func(p *lbaas.L7Policy) error { return firstError(p.Validate(), lb.CheckL7Policy(p)) })
	if !ok {
		return nil, false
	}
	for i := range m.IntN(4) {
		if r, ok := m.l7Rule(p, 10*n+i); ok {
			p.Rules = append(p.Rules, r)
		}
	}
	return p, true
}

// The words of rules, which requests of the tests have, too.
var (
	ruleHosts   = []string{"www.example.com", "api.example.com", "WWW", ".COM"}
	rulePaths   = []string{"/", "/a", "/a/b.jpg", "/login.php", "b"}
	ruleTypes   = []string{"jpg", ".php", "b"}
	ruleKeys    = []string{"X-Kind", "X-Other", "x-a'b#c$d"}
	ruleCookies = []string{"sid", "other", "s'id"}
	ruleValues  = []string{"alpha", "a", `"two words"`, "$HOME", "%[src]", "#x", "-i", "--", `"it's"`, `\`, "{}", "b"}
	ruleRegexes = []string{`^/a`, `\.(jpg|png)$`, `[a-c]+$`, `^www\.`, `(a|o)l?`, `["'$# ]`, `^\$HOME$`, `\\`, `php|jpg`, `a{1,2}`, `(?i)WWW`, `\bwords`}
	// Go cannot say what these match.
	pcreRegexes = []string{`(a)\1`, `a(?=b)`, `(?<!x)y`, `(?:a|b)++`, `^(?>x+)y$`, `[[:alpha:]\]"']`, `\d{3}\Z`, `(?P<n>a)(?P=n)`}
)

func (m *maker) l7Rule(p *lbaas.L7Policy, n int) (*lbaas.L7Rule, bool) {
	values := map[lbaas.L7RuleType][]string{
		lbaas.RuleHostName: ruleHosts, lbaas.RulePath: rulePaths, lbaas.RuleFileType: ruleTypes, lbaas.RuleHeader: ruleValues,
		lbaas.RuleCookie: ruleValues, lbaas.RuleSSLConnHasCert: {"true", "True"}, lbaas.RuleSSLVerifyResult: {"0", "10", "2147483647"},
		lbaas.RuleSSLDNField: ruleValues,
	}
	keys := map[lbaas.L7RuleType][]string{
		lbaas.RuleHeader: ruleKeys, lbaas.RuleCookie: ruleCookies, lbaas.RuleSSLDNField: {"CN", "O", "emailAddress"},
	}
	return valid(func() *lbaas.L7Rule {
		r := lbaas.NewL7Rule()
		r.Object, r.L7PolicyID = m.object(8, n), p.ID
		r.Type, r.CompareType, r.Invert = pick(m, lbaas.L7RuleTypes()...), pick(m, lbaas.CompareTypes()...), m.oneIn(4)
		r.Value = pick(m, values[r.Type]...)
		if keys[r.Type] != nil {
			r.Key = pick(m, keys[r.Type]...)
		}
		if r.CompareType == lbaas.CompareRegex {
			r.Value = pick(m, ruleRegexes...)
		}
		if r.CompareType == lbaas.CompareRegex && !m.live && m.oneIn(2) {
			r.Value = pick(m, pcreRegexes...)
		}
		r.Name = "" // a rule has none
		return r
	}, func(r *lbaas.L7Rule) error { return firstError(r.Validate(), p.CheckL7Rule(r)) })
}

func (m *maker) rateLimitPolicy(lb *lbaas.LoadBalancer, l *lbaas.Listener, n int) (*lbaas.RateLimitPolicy, bool) {
	p, ok := valid(func() *lbaas.RateLimitPolicy {
		p := lbaas.NewRateLimitPolicy()
		p.Object, p.ListenerID, p.Action = m.object(9, n), l.ID, pick(m, lbaas.RateLimitActions()...)
		return p
	}, func(p *lbaas.RateLimitPolicy) error { return firstError(p.Validate(), lb.CheckRateLimitPolicy(p)) })
	if !ok {
		return nil, false
	}
	for i := range m.IntN(4) {
		r, ok := valid(func() *lbaas.RateLimitRule { return m.rateLimitRule(p, 10*n+i) },
			func(r *lbaas.RateLimitRule) error { return firstError(r.Validate(), lb.CheckRateLimitRule(p, r)) })
		if ok {
			p.Rules = append(p.Rules, r)
		}
	}
	return p, true
}

func (m *maker) rateLimitRule(p *lbaas.RateLimitPolicy, n int) *lbaas.RateLimitRule {
	r := lbaas.NewRateLimitRule()
	r.Object, r.RateLimitPolicyID, r.Metric = m.object(10, n), p.ID, pick(m, lbaas.RateLimitMetrics()...)
	r.Name = ""
	r.Interval, r.Threshold = pick(m, 1, 30, 86400), pick(m, 1, 100, 4_000_000)
	if m.live {
		r.Threshold = 4_000_000
	}
	r.URLs = some(m, []string{"/", "/a", "/a'b$c&d%20", "/login.php", "/#x", "/a?b", "/" + strings.Repeat("x", 254)})
	return r
}
