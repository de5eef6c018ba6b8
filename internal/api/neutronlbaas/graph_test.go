package neutronlbaas_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGraph makes a whole tree by one request, whose pools have no names.
func TestGraph(t *testing.T) {
	s := newSite(t)
	pool := func(more object) object {
		p := object{"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": []any{object{"subnet_id": s.subnet, "address": "10.0.0.9", "protocol_port": "80"}}}
		for k, v := range more {
			p[k] = v
		}
		return p
	}
	lb := object{"vip_subnet_id": s.subnet, "name": "g", "listeners": []any{
		object{
			"protocol": "HTTP", "protocol_port": "80", "default_pool": pool(object{"healthmonitor": object{"type": "PING", "delay": 1, "timeout": 1, "max_retries": 1}}),
			"l7policies": []any{
				object{"action": "REDIRECT_TO_POOL", "redirect_pool": pool(object{"name": "other"}), "rules": []any{object{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}}},
				object{"action": "REJECT"},
			},
		},
		object{"protocol": "TCP", "protocol_port": 81},
	}}
	got := s.must(http.StatusCreated, http.MethodPost, "/graphs", object{"graph": object{"loadbalancer": lb}})["graph"].(object)["loadbalancer"].(object)
	stripped := strip(got).(object)
	member := []any{object{"address": "10.0.0.9", "admin_state_up": true, "name": "", "protocol_port": 80.0, "subnet_id": s.subnet, "weight": 1.0}}
	wantPool := func(name string) object {
		return object{"admin_state_up": true, "description": "", "lb_algorithm": "ROUND_ROBIN", "members": member, "name": name, "protocol": "HTTP", "session_persistence": nil}
	}
	monitored := wantPool("")
	monitored["healthmonitor"] = object{"admin_state_up": true, "name": "", "type": "PING", "delay": 1.0, "timeout": 1.0, "max_retries": 1.0, "max_retries_down": 3.0}
	listener := func(protocol string, port float64) object {
		return object{
			"admin_state_up": true, "connection_limit": -1.0, "default_tls_container_ref": nil, "description": "", "name": "", "protocol": protocol, "protocol_port": port,
			"sni_container_refs": []any{}, "l7policies": []any{},
		}
	}
	first := listener("HTTP", 80)
	first["default_pool"] = monitored
	first["l7policies"] = []any{
		object{
			"action": "REDIRECT_TO_POOL", "admin_state_up": true, "description": "", "name": "", "position": 1.0, "redirect_pool": wantPool("other"),
			"rules": []any{object{"admin_state_up": true, "type": "PATH", "compare_type": "EQUAL_TO", "value": "/a", "key": nil, "invert": false}},
		},
		object{"action": "REJECT", "admin_state_up": true, "description": "", "name": "", "position": 2.0, "redirect_url": nil, "rules": []any{}},
	}
	want := object{
		"admin_state_up": true, "description": "", "name": "g", "listeners": []any{first, listener("TCP", 81)}, "provider": "haproxy",
		"provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE", "vip_subnet_id": s.subnet,
	}
	if diff := cmp.Diff(want, stripped); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// strip takes out what differs from run to run.
func strip(v any) any {
	switch v := v.(type) {
	case object:
		for _, name := range []string{"id", "tenant_id", "vip_port_id", "vip_address"} {
			delete(v, name)
		}
		for k := range v {
			v[k] = strip(v[k])
		}
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	}
	return v
}

// TestBadGraphs shows that a graph with anything wrong in it makes nothing.
func TestBadGraphs(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct{ name, lb, kind string }{
		{"bad load balancer", `{}`, "RequiredAttributeNotSpecified"},
		{"bad listeners", `{"vip_subnet_id": "S", "listeners": {}}`, "HTTPBadRequest"},
		{"bad listener", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP"}]}`, "HTTPBadRequest"},
		{"bad item", `{"vip_subnet_id": "S", "listeners": [1]}`, "HTTPBadRequest"},
		{"bad listener: names its load balancer", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "loadbalancer_id": "S"}]}`, "HTTPBadRequest"},
		{"bad pool: protocol", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "default_pool": {"protocol": "TCP", "lb_algorithm": "SOURCE_IP"}}]}`, "ListenerPoolProtocolMismatch"},
		{"bad pool: only a name", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "default_pool": {"name": "x"}}]}`, "HTTPBadRequest"},
		{"bad member", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "default_pool": {"protocol": "HTTP", "lb_algorithm": "SOURCE_IP", "members": [{}]}}]}`, "HTTPBadRequest"},
		{"bad members: one twice", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "default_pool": {"protocol": "HTTP", "lb_algorithm": "SOURCE_IP", "members": [{"address": "10.0.0.1", "protocol_port": 1, "subnet_id": "S"}, {"address": "10.0.0.1", "protocol_port": "1", "subnet_id": "S"}]}}]}`, "MemberExists"},
		{"bad monitor", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "default_pool": {"protocol": "HTTP", "lb_algorithm": "SOURCE_IP", "healthmonitor": {"type": "X"}}}]}`, "HTTPBadRequest"},
		{"bad policy: no pool", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "l7policies": [{"action": "REDIRECT_TO_POOL"}]}]}`, "L7PolicyRedirectPoolIdMissing"},
		{"bad rule", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "l7policies": [{"action": "REJECT", "rules": [{"type": "HEADER", "compare_type": "EQUAL_TO", "value": "x"}]}]}]}`, "L7RuleKeyMissing"},
		{"bad ports: one twice", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1}, {"protocol": "TCP", "protocol_port": 1}]}`, "LoadBalancerListenerProtocolPortExists"},
		{"bad subnet of a member", `{"vip_subnet_id": "S", "listeners": [{"protocol": "HTTP", "protocol_port": 1, "default_pool": {"protocol": "HTTP", "lb_algorithm": "SOURCE_IP", "members": [{"address": "10.0.0.1", "protocol_port": 1, "subnet_id": "11111111-1111-1111-1111-111111111111"}]}}]}`, "SubnetNotFound"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := `{"graph": {"loadbalancer": ` + strings.ReplaceAll(test.lb, `"S"`, `"`+s.subnet+`"`) + `}}`
			if !json.Valid([]byte(body)) {
				t.Fatal(body)
			}
			if a := s.old(http.MethodPost, "/graphs", body); a.fault()[0] != test.kind {
				t.Errorf("%d %s, want %s", a.code, a.raw, test.kind)
			}
		})
	}
	if got := s.everything(); len(got["loadbalancers"].([]any)) != 0 {
		t.Errorf("there are %v", got)
	}
}
