package octavia_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (c *cloud) rateLimitPolicy(listener string, more ...object) string {
	c.t.Helper()
	body := with(object{"listener_id": listener, "action": "DENY"}, more...)
	return c.make("/ratelimitpolicies", "ratelimitpolicy", body)["id"].(string)
}

func (c *cloud) rateLimitRule(policy string, more ...object) string {
	c.t.Helper()
	body := with(object{"metric": "REQUESTS", "threshold": 10}, more...)
	return c.make("/ratelimitpolicies/"+policy+"/rules", "rule", body)["id"].(string)
}

func TestRateLimitPolicyShape(t *testing.T) {
	c := newL7Cloud(t)
	l := c.listener(c.loadBalancer(), 80)
	n := noun{collection: "/ratelimitpolicies", key: "ratelimitpolicy", base: object{"listener_id": l, "action": "DENY"}}
	n.shape(t, c, object{
		"name": "", "description": "", "project_id": mine, "tenant_id": mine, "enabled": true, "listener_id": l, "action": "DENY",
		"rules": []any{}, "tags": []any{}, "updated_at": nil, "provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE",
	})
}

// limitSamples are the common ones with the specification's word for admin_state_up.
func limitSamples() []sample {
	samples := slices.Concat(commonSamples(), described())
	for i, s := range samples {
		samples[i].fault = strings.ReplaceAll(s.fault, "admin_state_up", "enabled")
		if s.attribute == "admin_state_up" {
			samples[i].attribute = "enabled"
		}
	}
	return samples
}

func TestRateLimitPolicyAttributes(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l, other := c.listener(lb, 80), c.listener(lb, 81)
	n := noun{collection: "/ratelimitpolicies", key: "ratelimitpolicy", base: object{"listener_id": l, "action": "DENY"}}
	actions := []sample{
		{"action", `"DROP"`, nil, invalid("action", "DROP", "Value should be one of: DENY, QUEUE, REJECT, SILENT_DROP")},
		{"action", `1`, nil, invalid("action", "1", notString)},
		{"action", `"REJECT"`, "REJECT", ""},
		{"action", `"SILENT_DROP"`, "SILENT_DROP", ""},
		{"action", `"QUEUE"`, "QUEUE", ""},
	}
	n.creates(t, c, slices.Concat(limitSamples(), posted(), actions, []sample{{"listener_id", `"x"`, nil, invalid("listener_id", "x", notUUID)}}))
	n.required(t, c, "listener_id", "action")
	n.updates(t, c, nil, slices.Concat(limitSamples(), posted(), actions, []sample{
		{"action", `null`, nil, "None is not a valid option for action"},
		{"listener_id", `null`, nil, "None is not a valid option for listener_id"},
		{"listener_id", `"` + other + `"`, nil, "Validation failure: A rate limit policy cannot move to another listener."},
		{"listener_id", `"` + l + `"`, l, ""},
	}))
	path := root + "/ratelimitpolicies/" + c.rateLimitPolicy(l)
	for _, attribute := range []string{"id", "rules", "admin_state_up", "provisioning_status", "created_at", "nonsense"} {
		c.do(http.MethodPut, path, object{"ratelimitpolicy": object{attribute: nil}}).fault(t, 400, "Unknown attribute for argument ratelimitpolicy_.ratelimitpolicy: "+attribute)
	}
	c.do(http.MethodPut, root+"/ratelimitpolicies", object{}).fault(t, 400, `Missing argument: "id"`)
	c.do(http.MethodGet, root+"/ratelimitpolicies/x", nil).fault(t, 404, "Rate Limit Policy x not found.")
	c.do(http.MethodPost, root+"/ratelimitpolicies", object{"ratelimitpolicy": object{"listener_id": unknownID, "action": "DENY"}}).fault(t, 404, "Listener "+unknownID+" not found.")
}

func TestRateLimitRuleShape(t *testing.T) {
	c := newL7Cloud(t)
	p := c.rateLimitPolicy(c.listener(c.loadBalancer(), 80))
	n := noun{collection: "/ratelimitpolicies/" + p + "/rules", key: "rule", base: object{"metric": "REQUESTS", "threshold": 10}}
	n.shape(t, c, object{
		"name": "", "project_id": mine, "tenant_id": mine, "metric": "REQUESTS", "threshold": 10.0, "interval": 30.0, "urls": []any{}, "tags": []any{},
		"updated_at": nil, "provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE",
	})
}

func TestRateLimitRuleAttributes(t *testing.T) {
	c := newL7Cloud(t)
	l := c.listener(c.loadBalancer(), 80)
	p, other := c.rateLimitPolicy(l), c.rateLimitPolicy(l)
	n := noun{collection: "/ratelimitpolicies/" + p + "/rules", key: "rule", base: object{"metric": "REQUESTS_PER_URL", "threshold": 10, "urls": []string{"/"}}}
	const badPath = "Value must be a valid URL Path string"
	samples := slices.Concat(without(commonSamples(), "admin_state_up"), posted(), []sample{
		{"metric", `"BYTES"`, nil, invalid("metric", "BYTES", "Value should be one of: KBYTES, PACKETS, REQUESTS, REQUESTS_PER_URL")},
		{"metric", `"REQUESTS"`, "REQUESTS", ""},
		{"metric", `"KBYTES"`, "KBYTES", ""},
		{"metric", `"PACKETS"`, "PACKETS", ""},
		{"threshold", `0`, nil, invalid("threshold", "0", "Value should be greater or equal to 1")},
		{"threshold", `2147483648`, nil, invalid("threshold", "2147483648", "Value should be lower or equal to 2147483647")},
		{"threshold", `1.5`, nil, invalid("threshold", "1.5", notInteger)},
		{"threshold", `"7"`, 7.0, ""},
		{"interval", `0`, nil, invalid("interval", "0", "Value should be greater or equal to 1")},
		{"interval", `86401`, nil, invalid("interval", "86401", "Value should be lower or equal to 86400")},
		{"interval", `86400`, 86400.0, ""},
		{"interval", `null`, 30.0, ""},
		{"urls", `"/"`, nil, invalid("urls", "/", notList)},
		{"urls", `[7]`, nil, invalid("urls", "7", notString)},
		{"urls", `["a"]`, nil, invalid("urls", "a", badPath)},
		{"urls", `["/a","http://h/"]`, nil, invalid("urls", "http://h/", badPath)},
		{"urls", `["/a b"]`, nil, invalid("urls", "/a b", badPath)},
		{"urls", `[]`, nil, invalid("urls", "None", missing)},
		{"urls", `null`, nil, invalid("urls", "None", missing)},
		{"urls", `["/a","/b/c"]`, []any{"/a", "/b/c"}, ""},
	})
	n.creates(t, c, samples)
	n.required(t, c, "metric", "threshold")
	post := func(listener any) answer {
		return c.do(http.MethodPost, root+n.collection, object{"rule": with(n.base, object{"listener_id": listener})})
	}
	post("x").fault(t, 400, invalid("listener_id", "x", notUUID))
	post(unknownID).fault(t, 400, "Validation failure: A rate limit rule is for the listener of its policy: listener_id must be "+l+", or left out.")
	for _, listener := range []any{nil, l} {
		a := post(listener)
		rule, _ := a.body["rule"].(object)
		if _, answered := rule["listener_id"]; a.code != 201 || answered {
			t.Errorf("POST with listener_id %v: %d %s", listener, a.code, a.raw)
		}
	}
	n.updates(t, c, nil, append(samples, []sample{
		{"metric", `null`, nil, "None is not a valid option for metric"},
		{"threshold", `null`, nil, "None is not a valid option for threshold"},
	}...))
	r := c.rateLimitRule(p)
	path := root + n.collection + "/" + r
	for _, attribute := range []string{"id", "description", "enabled", "listener_id", "nonsense"} {
		c.do(http.MethodPut, path, object{"rule": object{attribute: nil}}).fault(t, 400, "Unknown attribute for argument rule_.rule: "+attribute)
	}
	c.do(http.MethodGet, root+"/ratelimitpolicies/"+other+"/rules/"+r, nil).fault(t, 404, "Rate Limit Rule "+r+" not found.")
	c.do(http.MethodGet, root+"/ratelimitpolicies/x/rules/"+r, nil).fault(t, 404, "Rate Limit Policy x not found.")
	c.do(http.MethodDelete, path+"x", nil).fault(t, 404, "Rate Limit Rule "+r+"x not found.")
}

// TestRateLimitsOnTCP shows that requests are limited only where there are any.
func TestRateLimitsOnTCP(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l := c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 80})["id"].(string)
	const needs = " needs a listener of protocol HTTP or TERMINATED_HTTPS, not TCP."
	c.do(http.MethodPost, root+"/ratelimitpolicies", object{"ratelimitpolicy": object{"listener_id": l, "action": "DENY"}}).
		fault(t, 400, "Validation failure: Rate limit action DENY"+needs)
	p := c.rateLimitPolicy(l, object{"action": "REJECT"})
	c.do(http.MethodPut, root+"/ratelimitpolicies/"+p, object{"ratelimitpolicy": object{"action": "DENY"}}).fault(t, 400, "Validation failure: Rate limit action DENY"+needs)
	for _, metric := range []string{"REQUESTS", "REQUESTS_PER_URL"} {
		c.do(http.MethodPost, root+"/ratelimitpolicies/"+p+"/rules", object{"rule": object{"metric": metric, "threshold": 1, "urls": []string{"/"}}}).
			fault(t, 400, "Validation failure: Rate limit metric "+metric+needs)
	}
	r := c.rateLimitRule(p, object{"metric": "KBYTES"})
	c.put("/ratelimitpolicies/"+p+"/rules/"+r, "rule", object{"metric": "PACKETS"})
	c.do(http.MethodPut, root+"/ratelimitpolicies/"+p+"/rules/"+r, object{"rule": object{"metric": "REQUESTS"}}).fault(t, 400, "Validation failure: Rate limit metric REQUESTS"+needs)
	metrics := c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "PROMETHEUS", "protocol_port": 81})["id"].(string)
	c.do(http.MethodPost, root+"/ratelimitpolicies", object{"ratelimitpolicy": object{"listener_id": metrics, "action": "REJECT"}}).
		fault(t, 400, "Protocol PROMETHEUS listeners cannot have child objects.")
}

// TestRateLimitsOfListener shows a listener's policies to those who ask, and lets nobody set them there.
func TestRateLimitsOfListener(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l := c.listener(lb, 80)
	const attribute, header = "rate_limit_policies", "X-Plimsoll-Extensions"
	const not = "Validation failure: rate_limit_policies cannot be set here: set listener_id where the rate limit policy is made, and delete the policy to take it away."
	put := func(value any) answer {
		return c.do(http.MethodPut, root+"/listeners/"+l, object{"listener": object{attribute: value}})
	}
	for _, nothing := range []any{nil, []string{}} {
		if a := put(nothing); a.code != 200 {
			t.Errorf("PUT %v: %d %s", nothing, a.code, a.raw)
		}
	}
	put([]string{unknownID}).fault(t, 400, not)
	put("x").fault(t, 400, invalid(attribute, "x", notList))
	p := c.rateLimitPolicy(l)
	for _, value := range []any{nil, []string{}, []string{p}} {
		put(value).fault(t, 400, not)
	}
	c.do(http.MethodPost, root+"/listeners", object{"listener": object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 81, attribute: []string{p}}}).fault(t, 400, not)
	c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 82, attribute: nil})
	if got, given := c.show("/listeners/"+l, "listener")[attribute]; given {
		t.Errorf("a listener has %v unasked", got)
	}
	want := []any{object{"id": p}}
	for _, a := range []answer{
		c.do(http.MethodGet, root+"/listeners/"+l+"?fields="+attribute, nil),
		c.do(http.MethodGet, root+"/listeners/"+l, nil, header, "status_reason, "+attribute),
		c.do(http.MethodPut, root+"/listeners/"+l, object{"listener": object{}}, header, attribute),
	} {
		got, _ := a.body["listener"].(object)
		if diff := cmp.Diff(want, got[attribute]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a.raw, diff)
		}
	}
	list := c.do(http.MethodGet, root+"/listeners?limit=1", nil, header, attribute).body["listeners"].([]any)[0].(object)
	if diff := cmp.Diff(want, list[attribute]); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

// TestRateLimitTouches shows what changes make pending, and that all goes with the listener.
func TestRateLimitTouches(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l := c.listener(lb, 80)
	p := c.rateLimitPolicy(l)
	r := c.rateLimitRule(p)
	rule := "/ratelimitpolicies/" + p + "/rules/" + r
	paths := map[string][2]string{
		"lb": {"/loadbalancers/" + lb, "loadbalancer"}, "listener": {"/listeners/" + l, "listener"},
		"policy": {"/ratelimitpolicies/" + p, "ratelimitpolicy"}, "rule": {rule, "rule"},
	}
	up := func(names ...string) []string {
		for i, name := range names {
			names[i] = name + " PENDING_UPDATE"
		}
		return names
	}
	for _, step := range []struct {
		request func()
		want    []string
	}{
		{func() { c.put("/ratelimitpolicies/"+p, "ratelimitpolicy", object{"enabled": false}) }, up("lb", "listener", "policy")},
		{func() { c.put(rule, "rule", object{"threshold": 3}) }, up("lb", "listener", "policy", "rule")},
		{func() { c.rateLimitRule(p) }, up("lb", "listener", "policy")},
		{func() { c.must(204, "DELETE", rule, nil) }, append(up("lb", "listener", "policy"), "rule PENDING_DELETE")},
	} {
		if diff := cmp.Diff(step.want, c.pendingAfter(paths, step.request)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	c.do(http.MethodPut, root+rule, object{"rule": object{"threshold": 4}}).fault(t, 409, "Rate Limit Rule "+r+" is immutable and cannot be updated.")
	c.must(204, "DELETE", "/listeners/"+l, nil)
	c.do(http.MethodPut, root+"/ratelimitpolicies/"+p, object{"ratelimitpolicy": object{}}).fault(t, 409, "Rate Limit Policy "+p+" is immutable and cannot be updated.")
	c.achieve()
	c.do(http.MethodGet, root+"/ratelimitpolicies/"+p, nil).fault(t, 404, "Rate Limit Policy "+p+" not found.")
}

// TestRateLimitFilters asks for lists by attribute.
func TestRateLimitFilters(t *testing.T) {
	c := newL7Cloud(t)
	l := c.listener(c.loadBalancer(), 80)
	p := c.rateLimitPolicy(l, object{"name": "a"})
	c.rateLimitPolicy(l, object{"name": "b", "action": "QUEUE", "enabled": false})
	c.rateLimitRule(p, object{"name": "r"})
	c.rateLimitRule(p, object{"name": "s", "metric": "KBYTES", "threshold": 7, "interval": 1})
	rules := "/ratelimitpolicies/" + p + "/rules"
	for _, test := range []struct {
		path, key string
		want      string
	}{
		{"/ratelimitpolicies?action=QUEUE", "ratelimitpolicies", "[b]"}, {"/ratelimitpolicies?enabled=true", "ratelimitpolicies", "[a]"},
		{"/ratelimitpolicies?listener_id=" + l + "&sort=name:desc", "ratelimitpolicies", "[b a]"},
		{rules, "rules", "[r s]"}, {rules + "?metric=KBYTES", "rules", "[s]"}, {rules + "?threshold=10", "rules", "[r]"}, {rules + "?interval=1", "rules", "[s]"},
	} {
		var got []any
		for _, o := range c.must(200, "GET", test.path, nil).body[test.key].([]any) {
			got = append(got, o.(object)["name"])
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("GET %s: %v, want %s", test.path, got, test.want)
		}
	}
}
