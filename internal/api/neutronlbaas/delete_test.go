package neutronlbaas_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDelete shows that a pool goes with its members, that listeners lose it and that policies which redirect to it reject.
func TestDelete(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	away := s.make("/l7policies", "l7policy", object{"listener_id": made.listener, "action": "REDIRECT_TO_POOL", "redirect_pool_id": made.pool})
	if _, shown := away["redirect_url"]; shown || away["redirect_pool_id"] != made.pool || away["position"] != 2.0 {
		t.Errorf("a policy that redirects to a pool is shown as %v", away)
	}
	policy := "/l7policies/" + away["id"].(string)
	s.must(http.StatusNoContent, http.MethodDelete, "/healthmonitors/"+made.monitor, nil)
	s.must(http.StatusNoContent, http.MethodDelete, "/pools/"+made.pool, nil)
	if got := s.show("/listeners/"+made.listener, "listener")["default_pool_id"]; got != nil {
		t.Errorf("the listener keeps %v", got)
	}
	want := object{"action": "REJECT", "redirect_pool_id": nil, "redirect_url": nil}
	if diff := cmp.Diff(want, fields(s.show(policy, "l7policy"), slices.Collect(maps.Keys(want))...)); diff != "" {
		t.Errorf("the policy (-want +got):\n%s", diff)
	}
	for _, path := range []string{
		"/l7policies/" + made.policy + "/rules/" + made.rule, "/l7policies/" + made.policy, policy, "/listeners/" + made.listener, "/loadbalancers/" + made.lb,
	} {
		s.must(http.StatusNoContent, http.MethodDelete, path, nil)
	}
}

// TestPolicies shows that an action takes its target from the request, else from what there is, and drops the others.
func TestPolicies(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	path := "/l7policies/" + made.policy
	for _, step := range []struct{ change, want object }{
		{object{"action": "REDIRECT_TO_URL", "redirect_url": "http://example.org/a"}, object{"action": "REDIRECT_TO_URL", "redirect_url": "http://example.org/a", "redirect_pool_id": nil}},
		{object{"action": "REDIRECT_TO_URL"}, object{"action": "REDIRECT_TO_URL", "redirect_url": "http://example.org/a", "redirect_pool_id": nil}},
		{object{"redirect_url": "https://example.org"}, object{"action": "REDIRECT_TO_URL", "redirect_url": "https://example.org", "redirect_pool_id": nil}},
		{object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": made.pool}, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": made.pool}},
		{object{"redirect_url": "http://example.org"}, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": made.pool}},
		{object{"position": 2147483647}, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": made.pool}},
		{object{}, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": made.pool}},
		{object{"action": "REJECT", "redirect_pool_id": made.pool}, object{"action": "REJECT", "redirect_url": nil, "redirect_pool_id": nil}},
	} {
		got := s.must(http.StatusOK, http.MethodPut, path, object{"l7policy": step.change})["l7policy"].(object)
		if diff := cmp.Diff(step.want, fields(got, "action", "redirect_url", "redirect_pool_id")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", step.change, diff)
		}
	}
	rule := s.must(http.StatusOK, http.MethodPut, path+"/rules/"+made.rule, object{"rule": object{"invert": "True", "value": "/b"}})["rule"]
	if diff := cmp.Diff(object{"type": "PATH", "invert": true, "value": "/b"}, fields(rule.(object), "type", "invert", "value")); diff != "" {
		t.Errorf("rule (-want +got):\n%s", diff)
	}
}

// TestMonitors shows that the attributes of HTTP are taken for other monitors, too, and never shown.
func TestMonitors(t *testing.T) {
	s := newSite(t)
	lb := s.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet})["id"]
	pool := s.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "TCP", "lb_algorithm": "LEAST_CONNECTIONS"})["id"]
	h := s.make("/healthmonitors", "healthmonitor", object{
		"pool_id": pool, "type": "TCP", "delay": 1, "timeout": 5, "max_retries": 10, "max_retries_down": "2", "http_method": "GET", "url_path": "/", "expected_codes": "200-204",
	})
	want := object{
		"id": h["id"], "tenant_id": mine, "name": "", "admin_state_up": true, "type": "TCP", "delay": 1.0, "timeout": 5.0, "max_retries": 10.0, "max_retries_down": 2.0,
		"pools": []any{object{"id": pool}},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.must(http.StatusOK, http.MethodPut, "/healthmonitors/"+h["id"].(string), object{"healthmonitor": object{"url_path": "/x", "delay": "9"}})
}
