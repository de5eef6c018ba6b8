package lbaas

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// targets is what of a policy says where it leads.
func targets(p *L7Policy) L7Redirect {
	return L7Redirect{p.Action, p.RedirectPoolID, p.RedirectURL, p.RedirectPrefix, p.RedirectHTTPCode}
}

func policy(r L7Redirect) *L7Policy {
	p := NewL7Policy()
	p.Action, p.RedirectPoolID, p.RedirectURL, p.RedirectPrefix, p.RedirectHTTPCode = r.Action, r.PoolID, r.URL, r.Prefix, r.RedirectHTTPCode
	return p
}

const (
	invalidArguments = "Invalid L7 Policy arguments: "
	noURL            = invalidArguments + "redirect_url must not be None"
	noPrefix         = invalidArguments + "redirect_prefix must not be None"
	noPool           = invalidArguments + "redirect_pool_id or redirect_pool must not be None"
	twoWays          = invalidArguments + "Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time"
)

// TestRedirect goes through what a request may say, for a new policy and for one of each action.
func TestRedirect(t *testing.T) {
	reject := L7Redirect{Action: Reject}
	toURL := L7Redirect{Action: RedirectToURL, URL: "u", RedirectHTTPCode: 301}
	toPool := L7Redirect{Action: RedirectToPool, PoolID: "p"}
	toPrefix := L7Redirect{Action: RedirectPrefix, Prefix: "x", RedirectHTTPCode: 302}
	tests := []struct {
		name       string
		before, to L7Redirect
		want       L7Redirect
		fault      string
	}{
		{"bad: URL without one", L7Redirect{}, L7Redirect{Action: RedirectToURL}, L7Redirect{}, noURL},
		{"bad: URL without one, with others", L7Redirect{}, L7Redirect{Action: RedirectToURL, PoolID: "q", Prefix: "y"}, L7Redirect{}, noURL},
		{"bad: URL without a new one", toURL, L7Redirect{Action: RedirectToURL}, L7Redirect{}, noURL},
		{"bad: prefix without one", L7Redirect{}, L7Redirect{Action: RedirectPrefix, URL: "v"}, L7Redirect{}, noPrefix},
		{"bad: pool without one", toURL, L7Redirect{Action: RedirectToPool, URL: "v"}, L7Redirect{}, noPool},
		{"bad: pool and URL", toURL, L7Redirect{PoolID: "q", URL: "v"}, L7Redirect{}, twoWays},
		{"bad: pool and prefix", L7Redirect{}, L7Redirect{Action: RedirectToPool, PoolID: "q", Prefix: "y"}, L7Redirect{}, twoWays},
		{"bad: prefix and pool", L7Redirect{}, L7Redirect{Action: RedirectPrefix, PoolID: "q", Prefix: "y"}, L7Redirect{}, twoWays},

		{"reject", L7Redirect{}, reject, reject, ""},
		{"reject, nothing else fits", L7Redirect{}, L7Redirect{Action: Reject, PoolID: "q", URL: "v", RedirectHTTPCode: 301}, reject, ""},
		{"reject with a prefix", L7Redirect{}, L7Redirect{Action: Reject, Prefix: "y"}, L7Redirect{Action: RedirectPrefix, Prefix: "y", RedirectHTTPCode: 302}, ""},
		{"URL", L7Redirect{}, L7Redirect{Action: RedirectToURL, URL: "v"}, L7Redirect{Action: RedirectToURL, URL: "v", RedirectHTTPCode: 302}, ""},
		{"URL beats pool", L7Redirect{}, L7Redirect{Action: RedirectToURL, URL: "v", PoolID: "q"}, L7Redirect{Action: RedirectToURL, URL: "v", RedirectHTTPCode: 302}, ""},
		{"URL beats prefix", L7Redirect{}, L7Redirect{Action: RedirectPrefix, URL: "v", Prefix: "y", RedirectHTTPCode: 308}, L7Redirect{Action: RedirectToURL, URL: "v", RedirectHTTPCode: 308}, ""},
		{"pool beats URL", L7Redirect{}, L7Redirect{Action: RedirectToPool, URL: "v", PoolID: "q", RedirectHTTPCode: 301}, L7Redirect{Action: RedirectToPool, PoolID: "q"}, ""},
		{"prefix", L7Redirect{}, L7Redirect{Action: RedirectPrefix, Prefix: "y", RedirectHTTPCode: 307}, L7Redirect{Action: RedirectPrefix, Prefix: "y", RedirectHTTPCode: 307}, ""},

		{"nothing", toURL, L7Redirect{}, toURL, ""},
		{"URL to reject", toURL, reject, reject, ""},
		{"pool to reject", toPool, reject, reject, ""},
		{"URL to pool", toURL, L7Redirect{PoolID: "q"}, L7Redirect{Action: RedirectToPool, PoolID: "q"}, ""},
		{"pool to URL", toPool, L7Redirect{URL: "v"}, L7Redirect{Action: RedirectToURL, URL: "v", RedirectHTTPCode: 302}, ""},
		{"prefix to URL", toPrefix, L7Redirect{URL: "v"}, L7Redirect{Action: RedirectToURL, URL: "v", RedirectHTTPCode: 302}, ""},
		{"a new URL forgets the code", toURL, L7Redirect{URL: "v"}, L7Redirect{Action: RedirectToURL, URL: "v", RedirectHTTPCode: 302}, ""},
		{"a new code", toURL, L7Redirect{RedirectHTTPCode: 303}, L7Redirect{Action: RedirectToURL, URL: "u", RedirectHTTPCode: 303}, ""},
		{"a code without use", toPool, L7Redirect{RedirectHTTPCode: 303}, toPool, ""},
		{"another pool", toPool, L7Redirect{PoolID: "q"}, L7Redirect{Action: RedirectToPool, PoolID: "q"}, ""},
	}
	for _, test := range tests {
		p := policy(test.before)
		judge(t, test.name, p.Redirect(test.to), test.fault)
		if test.fault != "" {
			continue
		}
		if diff := cmp.Diff(test.want, targets(p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestL7PolicyValidate(t *testing.T) {
	long := "http://h/" + strings.Repeat("a", 255)
	tests := []struct {
		name   string
		change func(*L7Policy)
		want   string
	}{
		{"bad name", func(p *L7Policy) { p.Name = long }, field("name", long, "Value should have a maximum character requirement of 255")},
		{"bad action", func(p *L7Policy) { p.Action = "ALLOW" }, field("action", "ALLOW", "Value should be one of: REDIRECT_PREFIX, REDIRECT_TO_POOL, REDIRECT_TO_URL, REJECT")},
		{"bad position", func(p *L7Policy) { p.Position = -1 }, field("position", "-1", "Value should be greater or equal to 1")},
		{"bad position: large", func(p *L7Policy) { p.Position = MaxPosition + 1 }, field("position", "2147483648", "Value should be lower or equal to 2147483647")},
		{"bad: no pool", func(p *L7Policy) { p.Action = RedirectToPool }, noPool},
		{"bad: no URL", func(p *L7Policy) { p.Action = RedirectToURL }, noURL},
		{"bad: no prefix", func(p *L7Policy) { p.Action = RedirectPrefix }, noPrefix},
		{"bad URL", func(p *L7Policy) { p.Action, p.RedirectURL = RedirectToURL, "x" }, field("redirect_url", "x", "Value must be a valid URL string")},
		{"bad URL: long", func(p *L7Policy) { p.Action, p.RedirectURL = RedirectToURL, long }, field("redirect_url", long, "Value should have a maximum character requirement of 255")},
		{"bad prefix", func(p *L7Policy) { p.Action, p.RedirectPrefix = RedirectPrefix, "/x" }, field("redirect_prefix", "/x", "Value must be a valid URL string")},
		{"bad code", func(p *L7Policy) { p.RedirectHTTPCode = 304 }, field("redirect_http_code", "304", "Value should be one of: 301, 302, 303, 307, 308")},
		{"reject", func(*L7Policy) {}, ""},
		{"URL", func(p *L7Policy) {
			p.Action, p.RedirectURL, p.RedirectHTTPCode = RedirectToURL, "https://example.com/", 301
		}, ""},
		{"at the end", func(p *L7Policy) { p.Position = MaxPosition }, ""},
	}
	for _, test := range tests {
		p := policy(L7Redirect{Action: Reject})
		test.change(p)
		judge(t, test.name, p.Validate(), test.want)
	}
}

func TestValidURL(t *testing.T) {
	for _, bad := range []string{
		"", "x", "/path", "example.com", "//example.com/", "ftp://example.com/", "http:/example.com", "http://", "http:///path", "http://:80/",
		"http://exa mple.com/", "http://h/a b", "http://h/a\tb", "http://h/\n", "http://h/a?b c", "http://h/#a b", "http://h/%zz", "http://h/{x}",
		"http://h/\"", "http://h/é", "http://h:port/", "http://h:123456/", "http://[::1/", "http://[1.2.3.4]/", "http://[zz]/", "http://h|h/", "javascript:alert(1)",
		"http://h/\x7f", "http://h/?\x00", "http://h\\@evil/",
	} {
		judge(t, bad, ValidURL("redirect_url", bad), field("redirect_url", bad, "Value must be a valid URL string"))
	}
	for _, good := range []string{
		"http://example.com", "https://example.com/", "HTTPS://EXAMPLE.com/Path", "http://h:8080", "http://h:/", "http://user:secret@h/", "http://10.0.0.1/a/b;c=d",
		"http://[2001:db8::1]:80/x", "http://a_b/~x", "http://h/%7Ea?b={c}|d&e=%zz#f", "http://h?q", "http://h#f", "http://h//a//b/", "http://h/?q=é",
	} {
		judge(t, good, ValidURL("redirect_url", good), "")
	}
}

func TestCheckL7Policy(t *testing.T) {
	lb := &LoadBalancer{
		Listeners: []*Listener{
			{Object: Object{ID: "http"}, Protocol: HTTP}, {Object: Object{ID: "tls"}, Protocol: TerminatedHTTPS},
			{Object: Object{ID: "metrics"}, Protocol: Prometheus},
		},
		Pools: []*Pool{{Object: Object{ID: "p"}, Protocol: HTTP}, {Object: Object{ID: "t"}, Protocol: TCP}},
	}
	full := &L7Policy{Object: Object{ID: "x"}, ListenerID: "http"}
	for range MaxRules {
		full.Rules = append(full.Rules, &L7Rule{Object: Object{ID: "r"}})
	}
	fuller := &L7Policy{Object: Object{ID: "x"}, ListenerID: "http", Rules: append(full.Rules, &L7Rule{})}
	tests := []struct {
		name string
		p    *L7Policy
		want string
	}{
		{"bad listener", &L7Policy{ListenerID: "x"}, "Listener x not found."},
		{"bad listener protocol", &L7Policy{ListenerID: "metrics"}, "Protocol PROMETHEUS listeners cannot have child objects."},
		{"bad pool", &L7Policy{ListenerID: "http", RedirectPoolID: "x"}, "Pool x not found."},
		{"bad pool protocol", &L7Policy{ListenerID: "tls", RedirectPoolID: "t"}, "Validation failure: The pool protocol 'TCP' is invalid while the listener protocol is 'TERMINATED_HTTPS'."},
		{"bad: too many rules", fuller, "Too many rules on L7 policy x"},
		{"a pool", &L7Policy{ListenerID: "http", RedirectPoolID: "p"}, ""},
		{"many rules", full, ""},
	}
	for _, test := range tests {
		judge(t, test.name, lb.CheckL7Policy(test.p), test.want)
	}
	judge(t, "one more rule", full.CheckL7Rule(&L7Rule{Object: Object{ID: "new"}}), "Too many rules on L7 policy x")
	judge(t, "a rule that is there", full.CheckL7Rule(&L7Rule{Object: Object{ID: "r"}}), "")
}

func TestPoolsOf(t *testing.T) {
	sends := func(pool string, enabled bool, rules ...*L7Rule) *L7Policy {
		return &L7Policy{Object: Object{AdminStateUp: enabled}, Action: RedirectToPool, RedirectPoolID: pool, Rules: rules}
	}
	rule := &L7Rule{}
	l := &Listener{DefaultPoolID: "b", L7Policies: []*L7Policy{
		sends("c", true, rule), sends("b", true, rule), sends("d", false, rule), sends("e", true), sends("a", true, rule),
		{Object: Object{AdminStateUp: true}, Action: Reject, Rules: []*L7Rule{rule}},
	}}
	lb := &LoadBalancer{Listeners: []*Listener{l}}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		lb.Pools = append(lb.Pools, &Pool{Object: Object{ID: id}})
	}
	var got []string
	for _, p := range lb.PoolsOf(l) {
		got = append(got, p.ID)
	}
	if diff := cmp.Diff([]string{"b", "c", "a"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
