package octavia

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"plimsoll/internal/policy"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// readers read every noun.
var readers = map[string]func(f *form) lbaas.Part{
	"load balancer":     func(f *form) lbaas.Part { lb := lbaas.NewLoadBalancer(); readLoadBalancer(f, lb); return lb },
	"listener":          func(f *form) lbaas.Part { l := lbaas.NewListener(); readListener(f, l); return l },
	"pool":              func(f *form) lbaas.Part { p := lbaas.NewPool(); readPool(f, p); return p },
	"member":            func(f *form) lbaas.Part { m := lbaas.NewMember(); readMember(f, m); return m },
	"monitor":           func(f *form) lbaas.Part { h := lbaas.NewHealthMonitor(); readHealthMonitor(f, h); return h },
	"L7 policy":         func(f *form) lbaas.Part { p := lbaas.NewL7Policy(); readL7Policy(f, p); return p },
	"L7 rule":           func(f *form) lbaas.Part { r := lbaas.NewL7Rule(); readL7Rule(f, r); return r },
	"rate limit policy": func(f *form) lbaas.Part { p := lbaas.NewRateLimitPolicy(); readRateLimitPolicy(f, p); return p },
	"rate limit rule":   func(f *form) lbaas.Part { r := lbaas.NewRateLimitRule(); readRateLimitRule(f, r); return r },
}

// FuzzForms feeds anything to the readers of all nouns: they never panic, all errors are the user's, and what is taken has
// an answer in JSON.
func FuzzForms(f *testing.F) {
	f.Add([]byte(`{"name":"x","protocol":"HTTP","protocol_port":"80","insert_headers":{"X-Forwarded-For":"true"},"allowed_cidrs":["10.0.0.1/8"]}`))
	f.Add([]byte(`{"session_persistence":{"type":"APP_COOKIE","cookie_name":"a\nb"},"tls_versions":[],"lb_algorithm":null}`))
	f.Add([]byte(`{"address":"::ffff:169.254.169.254","weight":1e9,"monitor_port":0,"subnet_id":null,"backup":"Y"}`))
	f.Add([]byte(`{"type":"HTTP","delay":"5","timeout":3,"max_retries":2,"http_version":1.10,"url_path":"/\u0000","expected_codes":"200"}`))
	f.Add([]byte(`{"listener_id":"5e2e5e5e-0000-4000-8000-000000000000","action":"REJECT","redirect_prefix":"http://h/","redirect_http_code":"301","position":2}`))
	f.Add([]byte(`{"listener_id":"5e2e5e5e-0000-4000-8000-000000000000","action":"REDIRECT_TO_POOL","redirect_pool_id":"5e2e5e5e00004000800000000000000","redirect_url":null}`))
	f.Add([]byte(`{"type":"HEADER","compare_type":"REGEX","key":"X-A","value":"(?<=a)b++\\1","invert":"on","tags":null}`))
	f.Add([]byte(`{"type":"SSL_VERIFY_RESULT","compare_type":"EQUAL_TO","value":"٣"}`))
	f.Add([]byte(`{"metric":"REQUESTS_PER_URL","threshold":"5","interval":null,"urls":["/a","b"],"name":"x"}`))
	f.Add([]byte(`{"listener_id":"5e2e5e5e-0000-4000-8000-000000000000","action":"QUEUE","enabled":"no"}`))
	f.Add([]byte(`{"vip_sg_ids":["5E2E5E5E-0000-4000-8000-000000000000","{5e2e5e5e-0000-4000-8000-000000000000}"],"vip_qos_policy_id":null,"description":"\u0000"}`))
	f.Add([]byte(`{"tags":["a",1],"admin_state_up":[],"name":{"a":[null]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		given, err := web.ParseObject(data)
		if err != nil {
			return
		}
		for noun, read := range readers {
			for _, create := range []bool{true, false} {
				tryForm(t, noun, read, newForm("arg", given, create))
			}
		}
		tryTree(t, given)
	})
}

func tryForm(t *testing.T, noun string, read func(*form) lbaas.Part, f *form) {
	t.Helper()
	part := read(f)
	if err := f.done(); err != nil {
		userError(t, noun, err)
		return
	}
	v, ok := part.(interface{ Validate() error })
	if !ok {
		t.Fatalf("%s cannot be validated", noun)
	}
	if err := v.Validate(); err != nil {
		userError(t, noun, err)
		return
	}
	if strings.ContainsRune(part.Base().Name, 0) || !utf8.ValidString(part.Base().Name) {
		t.Errorf("%s has the name %q", noun, part.Base().Name)
	}
	if _, err := json.Marshal(show(part)); err != nil {
		t.Errorf("%s has no JSON: %v", noun, err)
	}
}

func show(part lbaas.Part) any {
	switch p := part.(type) {
	case *lbaas.LoadBalancer:
		return loadBalancerOf(p, view{})
	case *lbaas.Listener:
		return listenerOf(p, view{})
	case *lbaas.Pool:
		return poolOf(p, view{})
	case *lbaas.Member:
		return memberOf(p, view{})
	case *lbaas.HealthMonitor:
		return healthMonitorOf(p, view{})
	case *lbaas.L7Policy:
		return l7PolicyOf(p, view{})
	case *lbaas.L7Rule:
		return l7RuleOf(p, view{})
	case *lbaas.RateLimitPolicy:
		return rateLimitPolicyOf(p, view{})
	case *lbaas.RateLimitRule:
		return rateLimitRuleOf(p, view{})
	}
	return nil
}

func userError(t *testing.T, noun string, err error) {
	t.Helper()
	var known *lbaas.Error
	if !errors.As(err, &known) || known.Text == "" {
		t.Errorf("%s: %v is not for users", noun, err)
	}
	if code, _ := explain(err); code >= http.StatusInternalServerError && code != http.StatusNotImplemented {
		t.Errorf("%s: %v answers %d", noun, err, code)
	}
}

func tryTree(t *testing.T, given web.Object) {
	t.Helper()
	tree := newTree{form: newForm("arg", given, true), lb: lbaas.NewLoadBalancer()}
	if err := tree.read(); err != nil {
		userError(t, "tree", err)
		return
	}
	tree.adopt()
	d := lbaas.DefaultDeployment()
	if err := checkTree(&d, tree.lb); err != nil {
		userError(t, "tree", err)
	}
}

// FuzzTree is FuzzForms with whole trees to begin from.
func FuzzTree(f *testing.F) {
	f.Add([]byte(`{"vip_subnet_id":null,"listeners":[{"protocol":"HTTP","protocol_port":80,"default_pool":{"name":"p"}}],"pools":[{"name":"p","protocol":"HTTP","lb_algorithm":"ROUND_ROBIN","members":[{"address":"10.0.0.1","protocol_port":1}],"healthmonitor":{"type":"TCP","delay":1,"timeout":1,"max_retries":1}}]}`))
	f.Add([]byte(`{"listeners":[{"protocol":"HTTP","protocol_port":80,"l7policies":[{"action":"REDIRECT_TO_POOL","position":9,"redirect_pool":{"name":"p"},"rules":[{"type":"PATH","compare_type":"EQUAL_TO","value":"/"}]},{"action":"REJECT","position":1,"redirect_pool":{"name":"q","protocol":"HTTP","lb_algorithm":"SOURCE_IP"}}]}],"pools":[{"name":"p","protocol":"HTTP","lb_algorithm":"ROUND_ROBIN"}]}`))
	f.Add([]byte(`{"pools":[{},{}],"listeners":[null],"additional_vips":[{"subnet_id":7}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if given, err := web.ParseObject(data); err == nil {
			tryTree(t, given)
		}
	})
}

// FuzzQuery feeds anything to the reader of query strings.
func FuzzQuery(f *testing.F) {
	f.Add("limit=3&marker=x&sort=name:desc,id&tags=a,b&name=x&page_reverse=True")
	f.Add("limit=99999999999999999999&sort=:&sort_dir=desc&name=%00")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := readQuery(values, 1000)
		if err != nil {
			if code, _ := explain(err); code != http.StatusBadRequest {
				t.Errorf("%q: %v answers %d", text, err, code)
			}
			return
		}
		if q.Limit < 0 || q.Limit > 1000 {
			t.Errorf("%q: limit %d", text, q.Limit)
		}
		for _, filter := range q.Filters {
			if len(filter.Values) != 1 || !clean(filter.Values[0]) {
				t.Errorf("%q: filter %v", text, filter)
			}
		}
	})
}

// TestRoutesHaveRules shows that every route is checked by a rule that exists, but for those that say nothing of anybody.
func TestRoutesHaveRules(t *testing.T) {
	known := map[string]bool{}
	for _, rule := range policy.Rules() {
		known[rule] = true
	}
	a := &API{}
	for _, row := range append(a.table(), a.amphoraRows()...) {
		if row.rule == "" {
			continue
		}
		if !known[policy.Prefix+row.rule] {
			t.Errorf("%s %s has the rule %q, which does not exist", row.method, row.path, row.rule)
		}
	}
}
