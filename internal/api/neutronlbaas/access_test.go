package neutronlbaas_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAccess shows who may do what. What one may not see is as good as not there.
func TestAccess(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	lb, body := "/loadbalancers/"+made.lb, object{"loadbalancer": object{"description": "d"}}
	for _, test := range []struct {
		who, method, path string
		body              any
		code              int
		kind              string
	}{
		{"", http.MethodGet, lb, nil, 401, ""},
		{"stranger", http.MethodGet, lb, nil, 404, "EntityNotFound"},
		{"stranger", http.MethodPut, lb, body, 404, "EntityNotFound"},
		{"stranger", http.MethodDelete, "/listeners/" + made.listener, nil, 404, "EntityNotFound"},
		{"stranger", http.MethodGet, "/pools/" + made.pool + "/members", nil, 404, "EntityNotFound"},
		{"stranger", http.MethodPost, "/pools/" + made.pool + "/members", object{"member": object{"subnet_id": s.subnet, "address": "10.0.0.77", "protocol_port": 1}}, 404, "EntityNotFound"},
		{"stranger", http.MethodPost, "/listeners", object{"listener": object{"loadbalancer_id": made.lb, "protocol": "TCP", "protocol_port": 1}}, 404, "EntityNotFound"},
		{"stranger", http.MethodPost, "/l7policies", object{"l7policy": object{"listener_id": made.listener, "action": "REJECT"}}, 404, "EntityNotFound"},
		{"stranger", http.MethodPost, "/healthmonitors", object{"healthmonitor": object{"pool_id": made.pool, "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1}}, 404, "EntityNotFound"},
		{"stranger", http.MethodGet, lb + "/statuses", nil, 404, "EntityNotFound"},
		{"stranger", http.MethodGet, lb + "/stats", nil, 404, "EntityNotFound"},
		{"reader", http.MethodGet, lb, nil, 200, ""},
		{"reader", http.MethodPut, lb, body, 403, "PolicyNotAuthorized"},
		{"reader", http.MethodDelete, "/pools/" + made.pool, nil, 403, "PolicyNotAuthorized"},
		{"reader", http.MethodPost, "/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": s.subnet}}, 403, "PolicyNotAuthorized"},
		{"reader", http.MethodPost, "/pools", object{"pool": object{"loadbalancer_id": made.lb, "protocol": "TCP", "lb_algorithm": "SOURCE_IP"}}, 403, "PolicyNotAuthorized"},
		{"nobody", http.MethodGet, lb, nil, 403, "PolicyNotAuthorized"},
		{"nobody", http.MethodGet, "/loadbalancers", nil, 403, "PolicyNotAuthorized"},
		{"unscoped", http.MethodGet, "/loadbalancers", nil, 403, "PolicyNotAuthorized"},
		{"unscoped", http.MethodGet, lb, nil, 404, "EntityNotFound"},
		{"member", http.MethodGet, lb + "/loadbalancer-hosting-agent", nil, 403, "PolicyNotAuthorized"},
		{"admin", http.MethodPut, lb, body, 200, ""},
		{"admin", http.MethodPost, "/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": s.subnet, "tenant_id": mine}}, 201, ""},
	} {
		a := s.as(test.who).old(test.method, test.path, test.body)
		if a.code != test.code || a.fault()[0] != test.kind {
			t.Errorf("%s: %s %s: %d %s, want %d %s", test.who, test.method, test.path, a.code, a.raw, test.code, test.kind)
		}
	}
	if got := ids(s.as("stranger").must(http.StatusOK, http.MethodGet, "/loadbalancers", nil)["loadbalancers"]); got != nil {
		t.Errorf("a stranger sees %v", got)
	}
	got := ids(s.as("admin").must(http.StatusOK, http.MethodGet, "/loadbalancers?tenant_id="+mine, nil)["loadbalancers"])
	if len(got) != 2 || got[0] != made.lb {
		t.Errorf("an admin sees %v", got)
	}
}

// TestReaders shows that no request that would change anything is for those who may only read.
func TestReaders(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	members, rules := "/pools/"+made.pool+"/members", "/l7policies/"+made.policy+"/rules"
	member := func(address string) object {
		return object{"subnet_id": s.subnet, "address": address, "protocol_port": 80}
	}
	rule := object{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/b"}
	before := s.everything()
	for path, body := range map[string]object{
		"/loadbalancers":  {"loadbalancer": object{"vip_subnet_id": s.subnet}},
		"/graphs":         {"graph": object{"loadbalancer": object{"vip_subnet_id": s.subnet}}},
		"/listeners":      {"listener": object{"loadbalancer_id": made.lb, "protocol": "HTTP", "protocol_port": 81}},
		"/pools":          {"pool": object{"loadbalancer_id": made.lb, "protocol": "HTTP", "lb_algorithm": "SOURCE_IP"}},
		"/healthmonitors": {"healthmonitor": object{"pool_id": made.pool, "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1}},
		"/l7policies":     {"l7policy": object{"listener_id": made.listener, "action": "REJECT"}},
		members:           {"members": []object{member("10.0.0.21"), member("10.0.0.22")}},
		rules:             {"rules": []object{rule, rule}},
	} {
		if a := s.as("reader").old(http.MethodPost, path, body); a.code != http.StatusForbidden {
			t.Errorf("POST %s: %d %s", path, a.code, a.raw)
		}
	}
	for path, body := range map[string]object{
		"/loadbalancers/" + made.lb:       {"loadbalancer": object{"name": "x"}},
		"/listeners/" + made.listener:     {"listener": object{"name": "x"}},
		"/pools/" + made.pool:             {"pool": object{"name": "x"}},
		"/healthmonitors/" + made.monitor: {"healthmonitor": object{"name": "x"}},
		"/l7policies/" + made.policy:      {"l7policy": object{"name": "x"}},
		members + "/" + made.member:       {"member": object{"weight": 2}},
		rules + "/" + made.rule:           {"rule": object{"value": "/x"}},
	} {
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			if a := s.as("reader").old(method, path, body); a.code != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", method, path, a.code, a.raw)
			}
		}
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("a reader changes something (-before +after):\n%s", diff)
	}
	for path, rule := range map[string]string{
		"/pools/" + made.pool: "delete_pool", members + "/" + made.member: "delete_pool_member", rules + "/" + made.rule: "delete_l7policy_rule",
	} {
		want := [2]string{"PolicyNotAuthorized", "rule:" + rule + " is disallowed by policy"}
		if diff := cmp.Diff(want, s.as("reader").old(http.MethodDelete, path, nil).fault()); diff != "" {
			t.Errorf("DELETE %s (-want +got):\n%s", path, diff)
		}
	}
}

// TestForeignPool shows that nobody learns of a pool of another project's by naming it as the one to use.
func TestForeignPool(t *testing.T) {
	s := newSite(t)
	foreign, mine := s.tree(), s.as("stranger")
	lb := mine.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet})["id"].(string)
	listener := mine.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 80})["id"].(string)
	policy := mine.make("/l7policies", "l7policy", object{"listener_id": listener, "action": "REJECT"})["id"].(string)
	to := object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": foreign.pool}
	for _, a := range []answer{
		mine.old(http.MethodPost, "/listeners", object{"listener": object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 81, "default_pool_id": foreign.pool}}),
		mine.old(http.MethodPut, "/listeners/"+listener, object{"listener": object{"default_pool_id": foreign.pool}}),
		mine.old(http.MethodPost, "/l7policies", object{"l7policy": object{"listener_id": listener, "action": "REDIRECT_TO_POOL", "redirect_pool_id": foreign.pool}}),
		mine.old(http.MethodPut, "/l7policies/"+policy, object{"l7policy": to}),
	} {
		if diff := cmp.Diff([2]string{"EntityNotFound", "pool " + foreign.pool + " could not be found"}, a.fault()); diff != "" || a.code != http.StatusNotFound {
			t.Errorf("%d (-want +got):\n%s", a.code, diff)
		}
	}
}

// TestQuota shows that both faces have the same quotas, each in its words.
func TestQuota(t *testing.T) {
	s := newSite(t)
	s.as("admin").do(http.MethodPut, "/load-balancer/v2/lbaas/quotas/"+mine, object{"quota": object{"loadbalancer": 1, "healthmonitor": 0}})
	made := s.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet})["id"].(string)
	pool := s.make("/pools", "pool", object{"loadbalancer_id": made, "protocol": "TCP", "lb_algorithm": "SOURCE_IP"})["id"].(string)
	for path, test := range map[string]struct {
		body object
		want [2]string
	}{
		"/loadbalancers":  {object{"loadbalancer": object{"vip_subnet_id": s.subnet}}, [2]string{"OverQuota", "Quota exceeded for resources: ['loadbalancer']."}},
		"/healthmonitors": {object{"healthmonitor": object{"pool_id": pool, "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1}}, [2]string{"OverQuota", "Quota exceeded for resources: ['healthmonitor']."}},
	} {
		a := s.old(http.MethodPost, path, test.body)
		if diff := cmp.Diff(test.want, a.fault()); diff != "" || a.code != http.StatusConflict {
			t.Errorf("%s: %d (-want +got):\n%s", path, a.code, diff)
		}
	}
}
