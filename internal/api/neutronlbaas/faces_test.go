package neutronlbaas_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestShow has every noun show exactly the attributes that neutron-lbaas shows, with its defaults.
func TestShow(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	up := func(o object) object {
		maps.Copy(o, object{"tenant_id": mine, "admin_state_up": true})
		return o
	}
	ref := func(id string) []any { return []any{object{"id": id}} }
	for _, test := range []struct {
		path, key, id string
		want          object
	}{
		{"/loadbalancers", "loadbalancer", made.lb, object{
			"name": "lb", "description": "", "vip_subnet_id": s.subnet, "provider": "haproxy",
			"listeners": ref(made.listener), "pools": ref(made.pool), "provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE",
		}},
		{"/listeners", "listener", made.listener, object{
			"name": "", "description": "", "loadbalancers": ref(made.lb), "default_pool_id": made.pool, "default_tls_container_ref": nil,
			"sni_container_refs": []any{}, "connection_limit": -1.0, "protocol": "HTTP", "protocol_port": 80.0,
		}},
		{"/pools", "pool", made.pool, object{
			"name": "", "description": "", "healthmonitor_id": made.monitor, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
			"session_persistence": nil, "members": ref(made.member), "listeners": ref(made.listener), "loadbalancers": ref(made.lb),
		}},
		{"/pools/" + made.pool + "/members", "member", made.member, object{
			"name": "", "address": "10.0.0.11", "protocol_port": 80.0, "weight": 1.0, "subnet_id": s.subnet,
		}},
		{"/healthmonitors", "healthmonitor", made.monitor, object{
			"name": "", "type": "HTTP", "delay": 5.0, "timeout": 3.0, "max_retries": 3.0, "max_retries_down": 3.0, "pools": ref(made.pool),
			"http_method": "GET", "url_path": "/", "expected_codes": "200",
		}},
		{"/l7policies", "l7policy", made.policy, object{
			"name": "", "description": "", "listener_id": made.listener, "action": "REJECT", "redirect_pool_id": nil, "redirect_url": nil,
			"position": 1.0, "rules": ref(made.rule),
		}},
		{"/l7policies/" + made.policy + "/rules", "rule", made.rule, object{
			"type": "PATH", "compare_type": "STARTS_WITH", "value": "/private", "key": nil, "invert": false,
		}},
	} {
		test.want["id"] = test.id
		got := s.show(test.path+"/"+test.id, test.key)
		if test.key == "loadbalancer" {
			test.want["vip_port_id"], test.want["vip_address"] = got["vip_port_id"], got["vip_address"] // any that is free
		}
		if diff := cmp.Diff(up(test.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.key, diff)
		}
		plural := map[string]string{"l7policy": "l7policies"}[test.key]
		if plural == "" {
			plural = test.key + "s"
		}
		list := s.must(http.StatusOK, http.MethodGet, test.path+".json?id="+test.id+"&tenant_id="+mine, nil)
		if diff := cmp.Diff(object{plural: []any{got}}, list); diff != "" {
			t.Errorf("list of %s (-want +got):\n%s", test.key, diff)
		}
	}
}

// TestOtherFace shows that what either face makes and changes, the other shows.
func TestOtherFace(t *testing.T) {
	s := newSite(t)
	made := s.tree()
	s.must(http.StatusOK, http.MethodPut, "/listeners/"+made.listener, object{"listener": object{"name": "front", "admin_state_up": "False", "connection_limit": "7"}})
	l := s.octavia(http.StatusOK, http.MethodGet, "/listeners/"+made.listener, "listener", nil)
	want := object{"name": "front", "admin_state_up": false, "connection_limit": 7.0, "default_pool_id": made.pool, "timeout_client_data": 50000.0}
	if diff := cmp.Diff(want, fields(l, slices.Collect(maps.Keys(want))...)); diff != "" {
		t.Errorf("Octavia's listener (-want +got):\n%s", diff)
	}
	s.octavia(http.StatusOK, http.MethodPut, "/listeners/"+made.listener, "listener", object{
		"insert_headers": object{"X-Forwarded-For": "true"}, "allowed_cidrs": []string{"10.0.0.0/8"}, "timeout_client_data": 1, "tags": []string{"a"},
	})
	before := s.octavia(http.StatusOK, http.MethodGet, "/listeners/"+made.listener, "listener", nil)
	s.must(http.StatusOK, http.MethodPut, "/listeners/"+made.listener, object{"listener": object{"description": "d"}})
	after := s.octavia(http.StatusOK, http.MethodGet, "/listeners/"+made.listener, "listener", nil)
	before["description"], before["updated_at"] = "d", after["updated_at"]
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a change by the face of old loses something (-before +after):\n%s", diff)
	}
}

// TestTruth shows that what the face of old has no words for is shown as it is, and outlives its updates.
func TestTruth(t *testing.T) {
	s := newSite(t)
	lb := s.octavia(http.StatusCreated, http.MethodPost, "/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet})["id"].(string)
	udp := s.octavia(http.StatusCreated, http.MethodPost, "/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "UDP", "protocol_port": 53})["id"].(string)
	prom := s.octavia(http.StatusCreated, http.MethodPost, "/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "PROMETHEUS", "protocol_port": 8088})["id"].(string)
	pool := s.octavia(http.StatusCreated, http.MethodPost, "/pools", "pool", object{
		"listener_id": udp, "protocol": "UDP", "lb_algorithm": "SOURCE_IP", "session_persistence": object{"type": "SOURCE_IP", "persistence_timeout": 60},
	})["id"].(string)
	member := s.octavia(http.StatusCreated, http.MethodPost, "/pools/"+pool+"/members", "member", object{
		"address": "10.0.0.9", "protocol_port": 53, "backup": true, "monitor_port": 5353,
	})["id"].(string)
	monitor := s.octavia(http.StatusCreated, http.MethodPost, "/healthmonitors", "healthmonitor", object{
		"pool_id": pool, "type": "UDP-CONNECT", "delay": 5, "timeout": 3, "max_retries": 3,
	})["id"].(string)
	http80 := s.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 53})["id"].(string)
	policy := s.octavia(http.StatusCreated, http.MethodPost, "/l7policies", "l7policy", object{
		"listener_id": http80, "action": "REDIRECT_PREFIX", "redirect_prefix": "https://example.org",
	})["id"].(string)
	for _, test := range []struct {
		path, key string
		want      object
	}{
		{"/listeners/" + udp, "listener", object{"protocol": "UDP", "protocol_port": 53.0, "default_pool_id": pool}},
		{"/listeners/" + prom, "listener", object{"protocol": "PROMETHEUS", "default_pool_id": nil}},
		{"/pools/" + pool, "pool", object{"protocol": "UDP", "session_persistence": object{"type": "SOURCE_IP", "cookie_name": nil}}},
		{"/pools/" + pool + "/members/" + member, "member", object{"address": "10.0.0.9", "subnet_id": nil}},
		{"/healthmonitors/" + monitor, "healthmonitor", object{"type": "UDP-CONNECT"}},
		{"/l7policies/" + policy, "l7policy", object{"action": "REDIRECT_PREFIX", "redirect_url": nil, "redirect_pool_id": nil}},
	} {
		if diff := cmp.Diff(test.want, fields(s.show(test.path, test.key), slices.Collect(maps.Keys(test.want))...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.key, diff)
		}
		before := s.octavia(http.StatusOK, http.MethodGet, test.path, test.key, nil)
		s.must(http.StatusOK, http.MethodPut, test.path, object{test.key: object{"name": "new"}})
		after := s.octavia(http.StatusOK, http.MethodGet, test.path, test.key, nil)
		before["name"], before["updated_at"] = "new", after["updated_at"]
		before["provisioning_status"] = after["provisioning_status"]
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s: an update loses something (-before +after):\n%s", test.key, diff)
		}
	}
}

// TestKept shows that an update by this face of an attribute that Octavia says more of keeps what is more.
func TestKept(t *testing.T) {
	s := newSite(t)
	lb := s.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet})["id"].(string)
	listener := s.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 80})["id"].(string)
	policy := "/l7policies/" + s.octavia(http.StatusCreated, http.MethodPost, "/l7policies", "l7policy", object{
		"listener_id": listener, "action": "REDIRECT_TO_URL", "redirect_url": "http://a.example.org/", "redirect_http_code": 307,
	})["id"].(string)
	more := object{"type": "SOURCE_IP", "cookie_name": nil, "persistence_timeout": 60.0, "persistence_granularity": "255.255.255.0"}
	pool := "/pools/" + s.octavia(http.StatusCreated, http.MethodPost, "/pools", "pool", object{
		"loadbalancer_id": lb, "protocol": "UDP", "lb_algorithm": "ROUND_ROBIN", "session_persistence": more,
	})["id"].(string)

	s.must(http.StatusOK, http.MethodPut, policy, object{"l7policy": object{"action": "REDIRECT_TO_URL", "redirect_url": "http://b.example.org/"}})
	got := s.octavia(http.StatusOK, http.MethodGet, policy, "l7policy", nil)
	if diff := cmp.Diff(object{"redirect_url": "http://b.example.org/", "redirect_http_code": 307.0}, fields(got, "redirect_url", "redirect_http_code")); diff != "" {
		t.Errorf("l7policy (-want +got):\n%s", diff)
	}
	s.must(http.StatusOK, http.MethodPut, pool, object{"pool": object{"session_persistence": object{"type": "SOURCE_IP"}}})
	got = s.octavia(http.StatusOK, http.MethodGet, pool, "pool", nil)
	if diff := cmp.Diff(more, got["session_persistence"]); diff != "" {
		t.Errorf("session persistence (-want +got):\n%s", diff)
	}
}

// TestTextForms shows that booleans and numbers may be texts, and that Liberty's names of certificates are taken.
func TestTextForms(t *testing.T) {
	s := newSite(t)
	lb := s.make("/loadbalancers", "loadbalancer", object{"vip_network_id": s.network, "admin_state_up": "False", "provider": "NOOP"})
	if diff := cmp.Diff(object{"vip_subnet_id": s.subnet, "admin_state_up": false, "provider": "noop"}, fields(lb, "vip_subnet_id", "admin_state_up", "provider")); diff != "" {
		t.Errorf("load balancer (-want +got):\n%s", diff)
	}
	l := s.make("/listeners", "listener", object{
		"loadbalancer_id": lb["id"], "protocol": "TERMINATED_HTTPS", "protocol_port": "443", "connection_limit": "100",
		"default_tls_container_id": "http://b/1", "sni_container_ids": "http://b/2",
	})
	want := object{"default_tls_container_ref": "http://b/1", "sni_container_refs": []any{"http://b/2"}, "connection_limit": 100.0, "protocol_port": 443.0}
	if diff := cmp.Diff(want, fields(l, slices.Collect(maps.Keys(want))...)); diff != "" {
		t.Errorf("listener (-want +got):\n%s", diff)
	}
	pool := s.make("/pools", "pool", object{
		"loadbalancer_id": lb["id"], "protocol": "HTTP", "lb_algorithm": "SOURCE_IP", "session_persistence": object{"type": "APP_COOKIE", "cookie_name": "c"},
	})
	if diff := cmp.Diff(object{"type": "APP_COOKIE", "cookie_name": "c"}, pool["session_persistence"]); diff != "" {
		t.Errorf("session_persistence (-want +got):\n%s", diff)
	}
	for _, none := range []any{nil, object{}} {
		s.must(http.StatusOK, http.MethodPut, "/pools/"+pool["id"].(string), object{"pool": object{"session_persistence": object{"type": "HTTP_COOKIE"}}})
		got := s.must(http.StatusOK, http.MethodPut, "/pools/"+pool["id"].(string), object{"pool": object{"session_persistence": none}})["pool"].(object)
		if got["session_persistence"] != nil {
			t.Errorf("session_persistence %v leaves %v", none, got["session_persistence"])
		}
	}
	by := s.make("/listeners", "listener", object{"default_pool_id": pool["id"], "protocol": "HTTP", "protocol_port": 80})
	if diff := cmp.Diff([]string{lb["id"].(string)}, ids(by["loadbalancers"])); diff != "" {
		t.Errorf("load balancer of a listener that was made with a pool (-want +got):\n%s", diff)
	}
}
