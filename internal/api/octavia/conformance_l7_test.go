package octavia_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/provider/noop"
)

const (
	unknownID = "5e2e5e5e-0000-4000-8000-000000000000"
	notURL    = "Value must be a valid URL string"
	l7Actions = "Value should be one of: REDIRECT_PREFIX, REDIRECT_TO_POOL, REDIRECT_TO_URL, REJECT"
	policyArg = "Invalid L7 Policy arguments: "
	parseRule = "Error parsing L7Rule: "
	oneLine   = `Value should match the pattern ^[^\r\n]*$`
)

// newL7Cloud is a cloud whose default provider takes everything.
func newL7Cloud(t testing.TB) *cloud {
	t.Helper()
	c := newCloud(t)
	c.serve(octavia.Config{
		Store: c.store, Networks: c.store, Auth: everybody(), Host: "host-1",
		Providers: []provider.Face{noop.Face(), haproxy.Face()}, DefaultProvider: noop.Name,
	})
	return c
}

// without drops the samples of attributes that a noun does not have.
func without(samples []sample, attributes ...string) []sample {
	return slices.DeleteFunc(samples, func(s sample) bool { return slices.Contains(attributes, s.attribute) })
}

// with is an object and what differs.
func with(base object, more ...object) object {
	out := maps.Clone(base)
	for _, m := range more {
		maps.Copy(out, m)
	}
	return out
}

func (c *cloud) l7Policy(listener string, more ...object) string {
	c.t.Helper()
	body := with(object{"listener_id": listener, "action": "REJECT"}, more...)
	return c.make("/l7policies", "l7policy", body)["id"].(string)
}

func (c *cloud) l7Rule(policy string, more ...object) string {
	c.t.Helper()
	body := with(object{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}, more...)
	return c.make("/l7policies/"+policy+"/rules", "rule", body)["id"].(string)
}

func TestL7PolicyShape(t *testing.T) {
	c := newL7Cloud(t)
	l := c.listener(c.loadBalancer(), 80)
	n := noun{collection: "/l7policies", key: "l7policy", base: object{"listener_id": l, "action": "REDIRECT_TO_URL", "redirect_url": "http://example.com/"}}
	n.shape(t, c, object{
		"name": "", "description": "", "project_id": mine, "tenant_id": mine, "admin_state_up": true, "listener_id": l,
		"action": "REDIRECT_TO_URL", "redirect_url": "http://example.com/", "redirect_prefix": nil, "redirect_pool_id": nil,
		"redirect_http_code": 302.0, "position": 1.0, "rules": []any{}, "tags": []any{}, "updated_at": nil,
		"provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE",
	})
}

// l7PolicySamples are those that a POST and a PUT have in common. What they are samples of redirects to a URL.
func l7PolicySamples() []sample {
	long := "http://h/" + strings.Repeat("x", 247)
	const codes = "Value should be one of: 301, 302, 303, 307, 308"
	return append(slices.Concat(commonSamples(), described()), []sample{
		{"tags", `null`, []any{}, ""},
		{"action", `"ALLOW"`, nil, invalid("action", "ALLOW", l7Actions)},
		{"action", `"reject"`, nil, invalid("action", "reject", l7Actions)},
		{"action", `7`, nil, invalid("action", "7", notString)},
		{"action", `"REDIRECT_TO_POOL"`, nil, policyArg + "redirect_pool_id or redirect_pool must not be None"},
		{"action", `"REDIRECT_PREFIX"`, nil, policyArg + "redirect_prefix must not be None"},
		{"action", `"REJECT"`, "REJECT", ""},
		{"redirect_url", `"example.com"`, nil, invalid("redirect_url", "example.com", notURL)},
		{"redirect_url", `""`, nil, invalid("redirect_url", "", notURL)},
		{"redirect_url", `"` + long + `"`, nil, invalid("redirect_url", long, tooLong)},
		{"redirect_url", `[]`, nil, invalid("redirect_url", "[]", notString)},
		{"redirect_url", `null`, nil, policyArg + "redirect_url must not be None"},
		{"redirect_url", `"https://h/?a=b"`, "https://h/?a=b", ""},
		{"redirect_prefix", `"h"`, nil, invalid("redirect_prefix", "h", notURL)},
		{"redirect_prefix", `null`, nil, ""},
		{"redirect_pool_id", `"p"`, nil, invalid("redirect_pool_id", "p", notUUID)},
		{"redirect_pool_id", `null`, nil, ""},
		{"redirect_http_code", `304`, nil, invalid("redirect_http_code", "304", codes)},
		{"redirect_http_code", `0`, nil, invalid("redirect_http_code", "0", codes)},
		{"redirect_http_code", `"x"`, nil, invalid("redirect_http_code", "x", notInteger)},
		{"redirect_http_code", `301`, 301.0, ""},
		{"redirect_http_code", `"308"`, 308.0, ""},
		{"redirect_http_code", `null`, 302.0, ""},
		{"position", `0`, nil, invalid("position", "0", "Value should be greater or equal to 1")},
		{"position", `-1`, nil, invalid("position", "-1", "Value should be greater or equal to 1")},
		{"position", `2147483648`, nil, invalid("position", "2147483648", "Value should be lower or equal to 2147483647")},
		{"position", `1.5`, nil, invalid("position", "1.5", notInteger)},
		{"position", `1`, 1.0, ""},
		{"position", `"2147483647"`, 1.0, ""},
		{"position", `null`, 1.0, ""},
	}...)
}

func TestL7PolicyAttributes(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l := c.listener(lb, 80)
	n := noun{collection: "/l7policies", key: "l7policy", base: object{"listener_id": l, "action": "REDIRECT_TO_URL", "redirect_url": "http://example.com/"}}
	n.creates(t, c, append(slices.Concat(l7PolicySamples(), posted()), []sample{
		{"listener_id", `"x"`, nil, invalid("listener_id", "x", notUUID)},
		{"redirect_prefix", `"http://h/"`, nil, ""},
	}...))
	n.required(t, c, "listener_id", "action")
	n.updates(t, c, nil, append(l7PolicySamples(), []sample{
		{"action", `null`, nil, "Invalid L7 Policy action specified: None"},
		{"action", `"REDIRECT_TO_URL"`, nil, policyArg + "redirect_url must not be None"},
		{"redirect_prefix", `"http://h/"`, "http://h/", ""},
	}...))
	n.readOnly(t, c, "l7policy_.l7policy", "listener_id", "rules", "redirect_pool")
	c.do(http.MethodPost, root+"/l7policies", object{"l7policy": with(n.base, object{"rules": []object{}})}).
		fault(t, 400, "Unknown attribute for argument l7policy_.l7policy: rules")
}

// TestL7PolicyTargets shows what becomes of an action and targets that do not go together.
func TestL7PolicyTargets(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l, p := c.listener(lb, 80), c.pool(lb)
	tcp := c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	elsewhere := c.pool(c.loadBalancer())
	metrics := c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "PROMETHEUS", "protocol_port": 81})["id"].(string)
	target := func(action string, code, pool, url, prefix any) object {
		return object{"action": action, "redirect_http_code": code, "redirect_pool_id": pool, "redirect_url": url, "redirect_prefix": prefix}
	}
	const u = "http://h/"
	tests := []struct {
		name   string
		before object // nil: a POST
		body   object
		code   int
		want   any
	}{
		{"bad listener", nil, object{"action": "REJECT", "listener_id": unknownID}, 404, "Listener " + unknownID + " not found."},
		{"bad listener: without children", nil, object{"action": "REJECT", "listener_id": metrics}, 400, "Protocol PROMETHEUS listeners cannot have child objects."},
		{"bad pool", nil, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": unknownID}, 404, "Pool " + unknownID + " not found."},
		{"bad pool: elsewhere", nil, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": elsewhere}, 404, "Pool " + elsewhere + " not found."},
		{"bad pool protocol", nil, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": tcp}, 400, "Validation failure: The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'."},
		{"bad: two ways", nil, object{"action": "REDIRECT_PREFIX", "redirect_pool_id": p, "redirect_prefix": u}, 400, policyArg + "Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time"},
		{"bad new pool", object{"action": "REJECT"}, object{"redirect_pool_id": unknownID}, 404, "Pool " + unknownID + " not found."},
		{"bad new pool protocol", object{"action": "REJECT"}, object{"redirect_pool_id": tcp}, 400, "Validation failure: The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'."},
		{"bad: pool taken away", object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": p}, object{"redirect_pool_id": nil}, 400, policyArg + "redirect_pool_id or redirect_pool must not be None"},
		{"bad: nothing", object{"action": "REJECT"}, object{}, 400, policyArg + "Invalid update options"},

		{"reject drops", nil, object{"action": "REJECT", "redirect_pool_id": p, "redirect_url": u, "redirect_http_code": 301}, 201, target("REJECT", nil, nil, nil, nil)},
		{"reject with prefix", nil, object{"action": "REJECT", "redirect_prefix": u}, 201, target("REDIRECT_PREFIX", 302.0, nil, nil, u)},
		{"URL drops the pool", nil, object{"action": "REDIRECT_TO_URL", "redirect_pool_id": p, "redirect_url": u}, 201, target("REDIRECT_TO_URL", 302.0, nil, u, nil)},
		{"pool drops the URL", nil, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": p, "redirect_url": u, "redirect_http_code": 301}, 201, target("REDIRECT_TO_POOL", nil, p, nil, nil)},
		{"URL beats prefix", nil, object{"action": "REDIRECT_PREFIX", "redirect_prefix": u, "redirect_url": u, "redirect_http_code": 307}, 201, target("REDIRECT_TO_URL", 307.0, nil, u, nil)},
		{"another way", object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": p}, object{"redirect_url": u}, 200, target("REDIRECT_TO_URL", 302.0, nil, u, nil)},
		{"back again", object{"action": "REDIRECT_PREFIX", "redirect_prefix": u, "redirect_http_code": 301}, object{"redirect_pool_id": p, "redirect_prefix": nil}, 200, target("REDIRECT_TO_POOL", nil, p, nil, nil)},
		{"to reject", object{"action": "REDIRECT_PREFIX", "redirect_prefix": u}, object{"action": "REJECT"}, 200, target("REJECT", nil, nil, nil, nil)},
		{"null of no use", object{"action": "REJECT"}, object{"redirect_url": nil}, 200, target("REJECT", nil, nil, nil, nil)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			method, path, body := http.MethodPost, "/l7policies", with(object{"listener_id": l}, test.body)
			if test.before != nil {
				method, path, body = http.MethodPut, "/l7policies/"+c.l7Policy(l, test.before), test.body
			}
			a := c.do(method, root+path, object{"l7policy": body})
			if text, bad := test.want.(string); bad {
				a.fault(t, test.code, text)
				return
			}
			if a.code != test.code {
				t.Fatalf("%d %s", a.code, a.raw)
			}
			got := a.body["l7policy"].(object)
			for attribute, want := range test.want.(object) {
				if got[attribute] != want {
					t.Errorf("%s is %v, want %v", attribute, got[attribute], want)
				}
			}
		})
	}
}

func TestL7RuleShape(t *testing.T) {
	c := newL7Cloud(t)
	p := c.l7Policy(c.listener(c.loadBalancer(), 80))
	n := noun{collection: "/l7policies/" + p + "/rules", key: "rule", base: object{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}}
	n.shape(t, c, object{
		"type": "PATH", "compare_type": "STARTS_WITH", "key": nil, "value": "/a", "invert": false, "admin_state_up": true,
		"project_id": mine, "tenant_id": mine, "tags": []any{}, "updated_at": nil,
		"provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE",
	})
}

// l7RuleSamples are those that a POST and a PUT have in common. What they are samples of compares a header.
func l7RuleSamples() []sample {
	long := strings.Repeat("v", 256)
	types := "Value should be one of: COOKIE, FILE_TYPE, HEADER, HOST_NAME, PATH, SSL_CONN_HAS_CERT, SSL_DN_FIELD, SSL_VERIFY_RESULT"
	return append(without(commonSamples(), "name"), []sample{
		{"tags", `null`, []any{}, ""},
		{"type", `"METHOD"`, nil, invalid("type", "METHOD", types)},
		{"type", `[]`, nil, invalid("type", "[]", notString)},
		{"type", `"SSL_CONN_HAS_CERT"`, nil, parseRule + `Invalid L7 Rule: L7rule type SSL_CONN_HAS_CERT does not use the "key" field.`},
		{"type", `"PATH"`, "PATH", ""},
		{"type", `"COOKIE"`, "COOKIE", ""},
		{"type", `"SSL_DN_FIELD"`, "SSL_DN_FIELD", ""},
		{"compare_type", `"IS"`, nil, invalid("compare_type", "IS", "Value should be one of: CONTAINS, ENDS_WITH, EQUAL_TO, REGEX, STARTS_WITH")},
		{"compare_type", `"REGEX"`, "REGEX", ""},
		{"key", `"a b"`, nil, parseRule + "Invalid characters in key"},
		{"key", `"a\nb"`, nil, invalid("key", "a\nb", oneLine)},
		{"key", `"` + long + `"`, nil, invalid("key", long, tooLong)},
		{"key", `7`, nil, invalid("key", "7", notString)},
		{"key", `null`, nil, parseRule + "Invalid L7 Rule: L7 rule type requires a key"},
		{"key", `""`, nil, parseRule + "Invalid L7 Rule: L7 rule type requires a key"},
		{"key", `"X_A"`, "X_A", ""},
		{"value", `"a b"`, nil, parseRule + "Invalid characters in header value"},
		{"value", `"a\r\n"`, nil, invalid("value", "a\r\n", oneLine)},
		{"value", `"a\u0000"`, nil, invalid("value", "a\x00", "Value should not contain a NUL character")},
		{"value", `"` + long + `"`, nil, invalid("value", long, tooLong)},
		{"value", `{}`, nil, invalid("value", "{}", notString)},
		{"value", `null`, nil, parseRule + "Invalid L7 Rule: L7 rule type requires a value"},
		{"value", `""`, nil, parseRule + "Invalid L7 Rule: L7 rule type requires a value"},
		{"value", `"\"a b\""`, `"a b"`, ""},
		{"invert", `"maybe"`, nil, invalid("invert", "maybe", notBoolean)},
		{"invert", `true`, true, ""},
		{"invert", `"on"`, true, ""},
		{"invert", `null`, false, ""},
	}...)
}

func TestL7RuleAttributes(t *testing.T) {
	c := newL7Cloud(t)
	p := c.l7Policy(c.listener(c.loadBalancer(), 80))
	n := noun{collection: "/l7policies/" + p + "/rules", key: "rule", base: object{"type": "HEADER", "compare_type": "EQUAL_TO", "key": "X-A", "value": "a"}}
	n.creates(t, c, slices.Concat(l7RuleSamples(), posted()))
	n.required(t, c, "type", "compare_type")
	c.do(http.MethodPost, root+n.collection, object{"rule": object{"type": "PATH", "compare_type": "EQUAL_TO"}}).fault(t, 400, invalid("value", "None", missing))
	n.updates(t, c, nil, append(l7RuleSamples(), []sample{
		{"type", `null`, nil, parseRule + "Invalid L7 Rule: invalid rule type"},
		{"compare_type", `null`, nil, parseRule + "Invalid L7 Rule: invalid comparison type for rule type"},
	}...))
	n.readOnly(t, c, "l7rule_.rule", "name", "description", "l7policy_id")
	c.do(http.MethodPost, root+n.collection, object{"rule": with(n.base, object{"name": "x"})}).fault(t, 400, "Unknown attribute for argument rule_.rule: name")
}

// TestL7RuleWhole shows that an update is judged together with what was there before.
func TestL7RuleWhole(t *testing.T) {
	c := newL7Cloud(t)
	p := c.l7Policy(c.listener(c.loadBalancer(), 80))
	r := c.l7Rule(p, object{"type": "PATH", "compare_type": "REGEX", "value": `^/(?!a)b`, "key": "dropped"})
	path := "/l7policies/" + p + "/rules/" + r
	put := func(body object) answer { return c.do(http.MethodPut, root+path, object{"rule": body}) }
	put(object{"type": "HEADER"}).fault(t, 400, parseRule+"Invalid L7 Rule: L7 rule type requires a key")
	put(object{"compare_type": "STARTS_WITH", "value": "/a b"}).fault(t, 400, parseRule+"Invalid characters in comparison value")
	put(object{"type": "FILE_TYPE", "compare_type": "CONTAINS"}).fault(t, 400, parseRule+"Invalid L7 Rule: invalid comparison type for rule type")
	put(object{"key": "a\nb"}).fault(t, 400, invalid("key", "a\nb", oneLine)) // though it would be dropped
	put(object{"value": "a\tb"}).fault(t, 400, parseRule+"Unable to parse regular expression: contains control characters")
	put(object{"value": "(a"}).fault(t, 400, parseRule+"Unable to parse regular expression: missing closing ): (a")
	put(object{"type": "SSL_VERIFY_RESULT", "compare_type": "EQUAL_TO"}).fault(t, 400, parseRule+"Invalid L7 Rule: L7rule type SSL_VERIFY_RESULT needs a int value, which is >= 0")
	got := c.show(path, "rule")
	if got["value"] != `^/(?!a)b` || got["key"] != nil || got["updated_at"] != nil {
		t.Errorf("what was refused has changed something: %v", got)
	}
	got = c.put(path, "rule", object{"type": "COOKIE", "key": "sid", "compare_type": "ENDS_WITH", "value": "x", "invert": true})
	want := object{"type": "COOKIE", "key": "sid", "compare_type": "ENDS_WITH", "value": "x", "invert": true}
	for attribute, v := range want {
		if got[attribute] != v {
			t.Errorf("%s is %v, want %v", attribute, got[attribute], v)
		}
	}
	if got := c.put(path, "rule", object{}); got["provisioning_status"] != "PENDING_CREATE" || got["updated_at"] == nil {
		t.Errorf("after an update of nothing the rule is %v", got)
	}
}

// TestL7RulePaths shows that a rule is found by its own id, below any policy.
func TestL7RulePaths(t *testing.T) {
	c := newL7Cloud(t)
	l := c.listener(c.loadBalancer(), 80)
	p, other := c.l7Policy(l), c.l7Policy(l)
	r := c.l7Rule(p)
	for _, method := range []string{"GET", "DELETE"} {
		c.do(method, root+"/l7policies/"+p+"/rules/x", nil).fault(t, 404, "L7 Rule x not found.")
		c.do(method, root+"/l7policies/x/rules/"+r, nil).fault(t, 404, "L7Policy x not found.")
	}
	c.do("PUT", root+"/l7policies/x/rules/"+r, object{"rule": object{}}).fault(t, 404, "L7Policy x not found.")
	c.do("POST", root+"/l7policies/x/rules", object{"rule": object{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}}).fault(t, 404, "L7Policy x not found.")
	c.do("GET", root+"/l7policies/x/rules", nil).fault(t, 404, "L7Policy x not found.")
	c.do("PUT", root+"/l7policies/"+p+"/rules", nil).fault(t, 400, `Missing argument: "id"`)
	c.do("DELETE", root+"/l7policies/"+p+"/rules", nil).fault(t, 400, `Missing argument: "id"`)
	if got := c.put("/l7policies/"+other+"/rules/"+r, "rule", object{"value": "/b"})["value"]; got != "/b" {
		t.Errorf("the value is %v", got)
	}
	for policy, want := range map[string]int{p: 1, other: 0} {
		if got := c.must(200, "GET", "/l7policies/"+policy+"/rules", nil).body["rules"].([]any); len(got) != want {
			t.Errorf("policy %s has %v", policy, got)
		}
	}
	c.must(204, "DELETE", "/l7policies/"+other+"/rules/"+r, nil)
	c.achieve()
	c.do("GET", root+"/l7policies/"+p+"/rules/"+r, nil).fault(t, 404, "L7 Rule "+r+" not found.")
}

// TestTooManyL7Rules fills a policy.
func TestTooManyL7Rules(t *testing.T) {
	c := newL7Cloud(t)
	p := c.l7Policy(c.listener(c.loadBalancer(), 80))
	first := c.l7Rule(p)
	for range 49 {
		c.l7Rule(p)
	}
	body := object{"rule": object{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}}
	c.do("POST", root+"/l7policies/"+p+"/rules", body).fault(t, 409, "Too many rules on L7 policy "+p)
	c.must(204, "DELETE", "/l7policies/"+p+"/rules/"+first, nil)
	c.must(201, "POST", "/l7policies/"+p+"/rules", body)
	c.achieve()
	rules := c.show("/l7policies/"+p, "l7policy")["rules"].([]any)
	if len(rules) != 50 {
		t.Errorf("the policy has %d rules", len(rules))
	}
}

// TestL7Filters asks for lists by attribute.
func TestL7Filters(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l, other, pool := c.listener(lb, 80), c.listener(lb, 81), c.pool(lb)
	c.l7Policy(l, object{"name": "a"})
	c.l7Policy(l, object{"name": "b", "action": "REDIRECT_TO_POOL", "redirect_pool_id": pool, "tags": []string{"t"}})
	c.l7Policy(other, object{"name": "c", "action": "REDIRECT_TO_URL", "redirect_url": "http://h/", "redirect_http_code": 301, "admin_state_up": false})
	for query, want := range map[string][]string{
		"": {"a", "b", "c"}, "?listener_id=" + l: {"a", "b"}, "?action=REJECT": {"a"}, "?redirect_pool_id=" + pool: {"b"}, "?redirect_url=http://h/": {"c"},
		"?redirect_http_code=301": {"c"}, "?position=1": {"a", "c"}, "?admin_state_up=false": {"c"}, "?tags=t": {"b"}, "?sort=name:desc&limit=2": {"c", "b"}, "?project_id=" + mine: {"a", "b", "c"},
	} {
		var got []string
		for _, p := range c.must(200, "GET", "/l7policies"+query, nil).body["l7policies"].([]any) {
			got = append(got, p.(object)["name"].(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", query, diff)
		}
	}
	c.do("GET", root+"/l7policies?rules=x", nil).fault(t, 400, "One or more arguments are either duplicate or invalid")
	if got := c.must(200, "GET", "/l7policies?fields=id&fields=rules&limit=1", nil).body["l7policies"].([]any)[0].(object); len(got) != 2 {
		t.Errorf("two fields are %v", got)
	}
}
