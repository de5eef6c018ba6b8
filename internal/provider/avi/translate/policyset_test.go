package translate

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

func l7Samples() map[string]*lbaas.LoadBalancer {
	return map[string]*lbaas.LoadBalancer{"l7": l7Tree(), "l7-rules": rulesTree()}
}

func TestPolicySets(t *testing.T) {
	options := Options{Cloud: "Default-Cloud", Version: "18.2.6"}
	for name, lb := range l7Samples() {
		t.Run(name, func(t *testing.T) {
			objects := slices.DeleteFunc(Objects(lb, testCertificates(t), options), func(o Object) bool {
				return o.Kind != PolicySet && o.Kind != Pool
			})
			checkGolden(t, name, objects)
		})
	}
}

func policy(n int, action lbaas.L7Action, rules ...*lbaas.L7Rule) *lbaas.L7Policy {
	return &lbaas.L7Policy{Object: up(number(3, n), ""), Action: action, Position: n, Rules: rules}
}

func rule(kind lbaas.L7RuleType, how lbaas.CompareType, key, value string) *lbaas.L7Rule {
	return &lbaas.L7Rule{Object: up(key+value, ""), Type: kind, CompareType: how, Key: key, Value: value}
}

func path(value string) *lbaas.L7Rule { return rule(lbaas.RulePath, lbaas.CompareEqualTo, "", value) }

func inverted(r *lbaas.L7Rule) *lbaas.L7Rule {
	r.Invert = true
	return r
}

// l7Tree has every action twice, on a listener with a child, and policies that are passed over.
func l7Tree() *lbaas.LoadBalancer {
	lb := sessionTree()
	l := secureListener(1, keyServer+number(2, 1), keyServer+number(2, 2))
	lb.Listeners = append(lb.Listeners, l)
	targets := []string{"https://example.com", "http://example.com:8080/", "https://[2001:db8::1]/a/b%20c?d=e&f", "http://example.com/a/b"}
	for i, url := range targets {
		p := policy(10+i, lbaas.RedirectToURL, path(fmt.Sprint("/url", i)))
		p.RedirectURL = url
		p.RedirectHTTPCode = []int{0, 301, 302, 307}[i]
		l.L7Policies = append(l.L7Policies, p)
	}
	for i, url := range []string{"https://example.com", "http://example.com/a/b/"} {
		p := policy(5+i, lbaas.RedirectPrefix, path(fmt.Sprint("/prefix", i)))
		p.RedirectPrefix = url
		l.L7Policies = append(l.L7Policies, p)
	}
	for i := range 3 {
		p := policy(1+i, lbaas.RedirectToPool, path(fmt.Sprint("/pool", i)))
		p.Name, p.RedirectPoolID = "to a pool", number(4, i)
		l.L7Policies = append(l.L7Policies, p)
		lb.Pools = append(lb.Pools, &lbaas.Pool{Object: up(number(4, i), "images"), Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin})
	}
	lb.Pools[3].AdminStateUp = false
	off, ruleOff := policy(21, lbaas.Reject, path("/off")), policy(22, lbaas.Reject, path("/ruleoff"))
	off.AdminStateUp, ruleOff.Rules[0].AdminStateUp = false, false
	l.L7Policies = append(l.L7Policies, policy(20, lbaas.Reject, path("/reject")), off, ruleOff, policy(23, lbaas.Reject))
	return lb
}

// rulesTree has every rule that Avi has words for, and its opposite.
func rulesTree() *lbaas.LoadBalancer {
	lb := sessionTree()
	l := lb.Listeners[0]
	add := func(rules ...*lbaas.L7Rule) {
		for _, turn := range []bool{false, true} {
			p := policy(1+len(l.L7Policies), lbaas.Reject)
			for _, r := range rules {
				of := *r
				of.Invert = turn
				p.Rules = append(p.Rules, &of)
			}
			l.L7Policies = append(l.L7Policies, p)
		}
	}
	for _, how := range lbaas.CompareTypes() {
		rules := []*lbaas.L7Rule{rule(lbaas.RulePath, how, "", "/a")}
		if how != lbaas.CompareRegex {
			rules = append(rules, rule(lbaas.RuleHostName, how, "", "a.example.com"), rule(lbaas.RuleHeader, how, "X-A", `"a b"`),
				rule(lbaas.RuleHeader, how, "X-B", "b"), rule(lbaas.RuleCookie, how, "session", "1"))
		}
		add(rules...)
	}
	add(rule(lbaas.RuleFileType, lbaas.CompareEqualTo, "", "jpg"))
	add(rule(lbaas.RuleFileType, lbaas.CompareRegex, "", "jpe?g$"))
	return lb
}

// TestLonePolicyIsToBlame shows whom a policy set that the controller refuses is blamed on.
func TestLonePolicyIsToBlame(t *testing.T) {
	l := &lbaas.Listener{Object: up("l", ""), Protocol: lbaas.HTTP, L7Policies: []*lbaas.L7Policy{policy(1, lbaas.Reject, path("/a"))}}
	lb := &lbaas.LoadBalancer{Listeners: []*lbaas.Listener{l}}
	tr := &translation{lb: lb}
	blame := func() []string { return tr.policySet(tr.owners(l)[0])[0].For }
	if diff := cmp.Diff([]string{number(3, 1), "l"}, blame()); diff != "" {
		t.Errorf("one policy (-want +got):\n%s", diff)
	}
	l.L7Policies = append(l.L7Policies, policy(2, lbaas.Reject, path("/b")))
	if diff := cmp.Diff([]string{"l", number(3, 1), number(3, 2)}, blame()); diff != "" {
		t.Errorf("two policies (-want +got):\n%s", diff)
	}
}

func TestPolicyLacks(t *testing.T) {
	to := func(action lbaas.L7Action, target string, code int, rules ...*lbaas.L7Rule) *lbaas.L7Policy {
		return &lbaas.L7Policy{
			Object: up("p", ""), Action: action, RedirectURL: target, RedirectPrefix: target, RedirectHTTPCode: code, Rules: rules,
		}
	}
	off := path("/off")
	off.AdminStateUp = false
	const twice = " in one L7 policy"
	tests := []struct {
		policy *lbaas.L7Policy
		want   []string
	}{
		{to(lbaas.RedirectToURL, "https://e/", 303), []string{"redirect_http_code 303"}},
		{to(lbaas.RedirectPrefix, "https://e/", 308), []string{"redirect_http_code 308"}},
		{to(lbaas.RedirectToURL, "https://me:secret@e/", 302), []string{"redirect_url with a user"}},
		{to(lbaas.RedirectToURL, "https://e/#top", 302), []string{"redirect_url with a fragment: https://e/#top"}},
		{to(lbaas.RedirectPrefix, "https://e/?a=b", 302), []string{"redirect_prefix with a query: https://e/?a=b"}},
		{to(lbaas.RedirectToURL, "https://e/%zz", 302), []string{"redirect_url https://e/%zz"}},
		{to(lbaas.Reject, "", 0, path("/a"), path("/b")), []string{"L7 rule type PATH as a second rule on the path" + twice}},
		{to(lbaas.Reject, "", 0, path("/a"), rule(lbaas.RuleFileType, lbaas.CompareEqualTo, "", "x")),
			[]string{"L7 rule type FILE_TYPE as a second rule on the path" + twice}},
		{to(lbaas.Reject, "", 0, rule(lbaas.RuleCookie, lbaas.CompareEqualTo, "a", "b"), rule(lbaas.RuleCookie, lbaas.CompareEqualTo, "c", "d")),
			[]string{"L7 rule type COOKIE as a second rule on the cookies" + twice}},
		{to(lbaas.Reject, "", 0, rule(lbaas.RuleHostName, lbaas.CompareEqualTo, "", "a"), rule(lbaas.RuleHostName, lbaas.CompareEndsWith, "", "b")),
			[]string{"L7 rule type HOST_NAME as a second rule on the host name" + twice}},
		{to(lbaas.Reject, "", 0, rule(lbaas.RuleHostName, lbaas.CompareRegex, "", "a")), []string{"L7 rule type HOST_NAME with compare_type REGEX"}},
		{to(lbaas.Reject, "", 0, rule(lbaas.RuleHeader, lbaas.CompareRegex, "k", "a")), []string{"L7 rule type HEADER with compare_type REGEX"}},
		{to(lbaas.Reject, "", 0, rule(lbaas.RuleCookie, lbaas.CompareRegex, "k", "a")), []string{"L7 rule type COOKIE with compare_type REGEX"}},
		{to(lbaas.Reject, "", 0, rule(lbaas.RuleSSLConnHasCert, lbaas.CompareEqualTo, "", "true")), []string{"L7 rule type SSL_CONN_HAS_CERT"}},
		{to(lbaas.Reject, "", 0, rule(lbaas.RuleSSLDNField, lbaas.CompareEqualTo, "CN", "a")), []string{"L7 rule type SSL_DN_FIELD"}},
		{to(lbaas.Reject, "", 0, rule(lbaas.RuleSSLVerifyResult, lbaas.CompareEqualTo, "", "1")), []string{"L7 rule type SSL_VERIFY_RESULT"}},
		{to(lbaas.Reject, "", 0, path("/a"), off, inverted(rule(lbaas.RuleHeader, lbaas.CompareEqualTo, "k", "a"))), nil},
		{to(lbaas.RedirectToURL, "https://e/a?b=c", 307, rule(lbaas.RulePath, lbaas.CompareRegex, "", "a|b")), nil},
	}
	for _, test := range tests {
		var got []string
		for _, l := range PolicyLacks(test.policy) {
			got = append(got, l.Option)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.policy, diff)
		}
	}
}
