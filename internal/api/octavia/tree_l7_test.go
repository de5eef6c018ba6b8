package octavia_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// l7Tree is a load balancer whose listener sends requests three ways: to a pool that stands beside it, to one that is defined within
// the policy, and away.
func l7Tree(c *cloud) object {
	rule := object{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a", "tags": []string{"r"}}
	return object{
		"vip_subnet_id": c.subnet.ID,
		"listeners": []object{{
			"name": "l", "protocol": "HTTP", "protocol_port": 80, "default_pool": object{"name": "beside", "tls_enabled": false},
			"l7policies": []object{
				{"name": "last", "action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "beside", "admin_state_up": true}, "rules": []object{rule, {"type": "HEADER", "compare_type": "REGEX", "key": "X-A", "value": "(?!b)a", "invert": true}}},
				{"name": "first", "action": "REJECT", "position": 1, "rules": []object{}},
				{"name": "second", "action": "REDIRECT_TO_POOL", "position": 2, "description": "d", "tags": []string{"p"}, "rules": []object{rule}, "redirect_pool": object{
					"name": "within", "protocol": "HTTP", "lb_algorithm": "SOURCE_IP", "members": []object{{"address": "10.0.0.50", "protocol_port": 80}},
				}},
				{"name": "end", "action": "REJECT", "position": 99, "redirect_prefix": "http://h/", "admin_state_up": false, "rules": nil},
			},
		}},
		"pools": []object{{"name": "beside", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}},
	}
}

func TestCreateL7Tree(t *testing.T) {
	c := newL7Cloud(t)
	made := c.make("/loadbalancers", "loadbalancer", l7Tree(c))
	listener := made["listeners"].([]any)[0].(object)
	pools := map[any]object{}
	for _, p := range made["pools"].([]any) {
		pools[p.(object)["name"]] = p.(object)
		if diff := cmp.Diff([]any{object{"id": listener["id"]}}, p.(object)["listeners"]); diff != "" {
			t.Errorf("listeners of pool %v (-want +got):\n%s", p.(object)["name"], diff)
		}
	}
	if len(pools) != 2 || len(pools["within"]["members"].([]any)) != 1 || listener["default_pool_id"] != pools["beside"]["id"] {
		t.Errorf("the pools are %v", pools)
	}
	var order []string
	for _, p := range listener["l7policies"].([]any) {
		order = append(order, c.nestedPolicy(p.(object), listener["id"]))
	}
	if diff := cmp.Diff([]string{"first1", "second2", "last3", "end4"}, order); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	byName := func(i int) object { return listener["l7policies"].([]any)[i].(object) }
	if byName(1)["redirect_pool_id"] != pools["within"]["id"] || byName(2)["redirect_pool_id"] != pools["beside"]["id"] || byName(0)["redirect_pool_id"] != nil {
		t.Errorf("the policies redirect to %v, %v and %v", byName(0)["redirect_pool_id"], byName(1)["redirect_pool_id"], byName(2)["redirect_pool_id"])
	}
	if byName(3)["action"] != "REDIRECT_PREFIX" || byName(3)["redirect_http_code"] != 302.0 {
		t.Errorf("the last policy is %v", byName(3))
	}
	if diff := cmp.Diff([]string{"first1", "second2", "last3", "end4"}, c.positions(listener["id"].(string))); diff != "" {
		t.Errorf("policies as kept (-want +got):\n%s", diff)
	}
	c.achieve()
	c.must(204, "DELETE", "/loadbalancers/"+made["id"].(string)+"?cascade=true", nil)
	c.achieve()
	for _, path := range []string{"/l7policies", "/listeners", "/pools"} {
		if left := c.must(200, "GET", path, nil).body[path[1:]].([]any); len(left) != 0 {
			t.Errorf("%d %s are left", len(left), path)
		}
	}
}

// nestedPolicy compares a policy within a load balancer with what GETs of it and its rules say, and returns its name and position.
func (c *cloud) nestedPolicy(nested object, listener any) string {
	c.t.Helper()
	got := c.show("/l7policies/"+nested["id"].(string), "l7policy")
	ids := []any{}
	for _, r := range nested["rules"].([]any) {
		r := r.(object)
		ids = append(ids, object{"id": r["id"]})
		if diff := cmp.Diff(r, c.show("/l7policies/"+nested["id"].(string)+"/rules/"+r["id"].(string), "rule")); diff != "" {
			c.t.Errorf("GET rule differs (-POST +GET):\n%s", diff)
		}
	}
	if nested["listener_id"] != listener || nested["provisioning_status"] != "PENDING_CREATE" {
		c.t.Errorf("the policy is %v", nested)
	}
	flat := with(nested, object{"rules": ids})
	if diff := cmp.Diff(flat, got); diff != "" {
		c.t.Errorf("GET policy differs (-POST +GET):\n%s", diff)
	}
	return fmt.Sprintf("%v%v", nested["name"], nested["position"])
}

func TestCreateL7TreeFaults(t *testing.T) {
	c := newL7Cloud(t)
	const failure = "Validation failure: "
	const path = "load_balancer.loadbalancer.listeners.l7policies"
	rule := object{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}
	tests := []struct {
		name   string
		policy object
		code   int
		text   string
	}{
		{"bad: no action", object{}, 400, invalid("action", "None", missing)},
		{"bad: null action", object{"action": nil}, 400, invalid("action", "None", missing)},
		{"bad action", object{"action": "X"}, 400, invalid("action", "X", l7Actions)},
		{"bad listener", object{"action": "REJECT", "listener_id": unknownID}, 400, "Unknown attribute for argument " + path + ": listener_id"},
		{"bad load balancer", object{"action": "REJECT", "loadbalancer_id": unknownID}, 400, "Unknown attribute for argument " + path + ": loadbalancer_id"},
		{"bad project", object{"action": "REJECT", "project_id": mine}, 400, "Unknown attribute for argument " + path + ": project_id"},
		{"bad pool id", object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": unknownID}, 400, "Unknown attribute for argument " + path + ": redirect_pool_id"},
		{"bad: no pool", object{"action": "REDIRECT_TO_POOL"}, 400, policyArg + "redirect_pool_id or redirect_pool must not be None"},
		{"bad: no URL", object{"action": "REDIRECT_TO_URL"}, 400, policyArg + "redirect_url must not be None"},
		{"bad URL", object{"action": "REDIRECT_TO_URL", "redirect_url": "h"}, 400, invalid("redirect_url", "h", notURL)},
		{"bad: two ways", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "p"}, "redirect_prefix": "http://h/"}, 400,
			policyArg + "Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time"},
		{"bad pool", object{"action": "REDIRECT_TO_POOL", "redirect_pool": 7}, 400, invalid("redirect_pool", "7", "Value should be object")},
		{"bad pool reference", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "x"}}, 400, failure + "Pool 'x' was referenced but no full definition was found."},
		{"bad pool reference: three attributes", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "x", "admin_state_up": false, "tls_enabled": true}}, 400,
			failure + "Pool 'x' was referenced but no full definition was found."},
		{"bad pool reference that is dropped", object{"action": "REJECT", "redirect_pool": object{"name": "x"}}, 400, failure + "Pool 'x' was referenced but no full definition was found."},
		{"bad pool: four attributes", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "x", "description": ""}}, 400, failure + "Pool definition for 'x' missing required attribute: protocol"},
		{"bad pool: no algorithm", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "x", "protocol": "HTTP"}}, 400, failure + "Pool definition for 'x' missing required attribute: lb_algorithm"},
		{"bad pool: no name", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"protocol": "HTTP", "lb_algorithm": "SOURCE_IP"}}, 400, failure + "Pools must be named when creating a fully populated loadbalancer."},
		{"bad pool: nothing", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{}}, 400, failure + "Pools must be named when creating a fully populated loadbalancer."},
		{"bad pool: its name is taken", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "p", "protocol": "HTTP", "lb_algorithm": "SOURCE_IP"}}, 400, failure + "Pool names must be unique when creating a fully populated loadbalancer."},
		{"bad pool protocol", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "x", "protocol": "TCP", "lb_algorithm": "SOURCE_IP"}}, 400, failure + "The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'."},
		{"bad pool's load balancer", object{"action": "REDIRECT_TO_POOL", "redirect_pool": object{"name": "x", "loadbalancer_id": unknownID}}, 400, "Unknown attribute for argument " + path + ".redirect_pool: loadbalancer_id"},
		{"bad rules", object{"action": "REJECT", "rules": "x"}, 400, invalid("rules", "x", notList)},
		{"bad rule", object{"action": "REJECT", "rules": []any{nil}}, 400, invalid("rules", "None", "Value should be object")},
		{"bad rule attribute", object{"action": "REJECT", "rules": []object{with(rule, object{"name": "x"})}}, 400, "Unknown attribute for argument " + path + ".rules: name"},
		{"bad rule's project", object{"action": "REJECT", "rules": []object{with(rule, object{"project_id": mine})}}, 400, "Unknown attribute for argument " + path + ".rules: project_id"},
		{"bad rule: no value", object{"action": "REJECT", "rules": []object{{"type": "PATH", "compare_type": "EQUAL_TO"}}}, 400, invalid("value", "None", missing)},
		{"bad rule's value", object{"action": "REJECT", "rules": []object{rule, with(rule, object{"value": "a b"})}}, 400, parseRule + "Invalid characters in comparison value"},
		{"bad rule's key", object{"action": "REJECT", "rules": []object{with(rule, object{"type": "COOKIE"})}}, 400, parseRule + "Invalid L7 Rule: L7 rule type requires a key"},
		{"bad position", object{"action": "REJECT", "position": 0}, 400, invalid("position", "0", "Value should be greater or equal to 1")},
		{"bad name", object{"action": "REJECT", "name": 7}, 400, invalid("name", "7", notString)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": object{
				"vip_subnet_id": c.subnet.ID, "pools": []object{{"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}},
				"listeners": []object{{"protocol": "HTTP", "protocol_port": 80, "l7policies": []object{test.policy}}},
			}}).fault(t, test.code, test.text)
		})
	}
	many := object{"action": "REJECT", "rules": slices.Repeat([]object{rule}, 51)}
	a := c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": object{
		"vip_subnet_id": c.subnet.ID, "listeners": []object{{"protocol": "HTTP", "protocol_port": 80, "l7policies": []object{many}}},
	}})
	if a.code != 409 || len(a.body["faultstring"].(string)) != len("Too many rules on L7 policy "+unknownID) {
		t.Errorf("51 rules: %d %s", a.code, a.raw)
	}
	metrics := object{"protocol": "PROMETHEUS", "protocol_port": 80, "l7policies": []object{{"action": "REJECT"}}}
	c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID, "listeners": []object{metrics}}}).
		fault(t, 400, "Protocol PROMETHEUS listeners cannot have child objects.")
	if n := c.ports(); n != 0 {
		t.Errorf("refused requests leave %d ports", n)
	}
}

// TestLonePoolsNeedNoName shows the one pool that may go without a name, and the two that may not.
func TestLonePoolsNeedNoName(t *testing.T) {
	c := newL7Cloud(t)
	pool := object{"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "pools": []object{pool}})
	if got := lb["pools"].([]any)[0].(object)["name"]; got != "" {
		t.Errorf("the pool is called %v", got)
	}
	c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID, "pools": []object{pool, pool}}}).
		fault(t, 400, "Validation failure: Pool names must be unique when creating a fully populated loadbalancer.")
}
