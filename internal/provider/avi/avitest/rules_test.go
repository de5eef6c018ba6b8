package avitest

import (
	"net/http"
	"strings"
	"testing"
)

// TestBadBodies are refused with 400 before anything is stored.
func TestBadBodies(t *testing.T) {
	b := newBench(t, modelOptions{})
	authority, _ := keypair(t, "ca", true, true)
	leaf, key := keypair(t, "leaf", false, true)
	_, other := keypair(t, "other", false, true)
	vip := func(more ...js) js {
		v := js{"ip_address": js{"addr": "10.0.0.9", "type": "V4"}}
		for _, m := range more {
			for k, e := range m {
				v[k] = e
			}
		}
		return js{"name": "v", "vip": []any{v}}
	}
	server := func(s js) js { return js{"name": "p", "servers": []any{s}} }
	ip := js{"addr": "10.0.0.1", "type": "V4"}
	rule := func(r js) js {
		return js{"name": "s", "http_request_policy": js{"rules": []any{r}}}
	}
	for name, bad := range map[string]struct {
		kind, words string
		body        any
	}{
		"no JSON":                   {"pool", "JSON parse error", `{"name": `},
		"a list":                    {"pool", "JSON parse error", `[]`},
		"null":                      {"pool", "JSON parse error", `null`},
		"two objects":               {"pool", "extra data", `{"name":"p"}{}`},
		"no name":                   {"pool", "name", js{}},
		"name blank":                {"pool", "blank", js{"name": ""}},
		"name too long":             {"pool", "255 characters", js{"name": strings.Repeat("ä", 256)}},
		"unknown field":             {"pool", `no field named "intermediates"`, js{"name": "p", "intermediates": ""}},
		"unknown nested field":      {"pool", `Message type "Server" has no field named "subnet_uuid"`, server(js{"ip": ip, "subnet_uuid": "x"})},
		"text for bool":             {"pool", "Expected a boolean", js{"name": "p", "enabled": "true"}},
		"text for number":           {"pool", "Expected an integer", js{"name": "p", "default_server_port": "80"}},
		"fraction":                  {"pool", "valid integer", js{"name": "p", "default_server_port": 80.5}},
		"number for text":           {"pool", "Expected a string", js{"name": 7}},
		"object for list":           {"pool", "Expected a list", js{"name": "p", "servers": js{}}},
		"text for object":           {"pool", "Expected an object", server(js{"ip": "10.0.0.1"})},
		"no such choice":            {"pool", "not a valid choice", js{"name": "p", "lb_algorithm": "LB_ALGORITHM_ROUNDROBIN"}},
		"another tenant's":          {"pool", "Tenant is not", js{"name": "p", "tenant_ref": "/api/tenant/" + b.tenantNamed("another", false)}},
		"ratio 0":                   {"pool", "allowed range 1-20", server(js{"ip": ip, "ratio": 0})},
		"ratio 21":                  {"pool", "allowed range 1-20", server(js{"ip": ip, "ratio": 21})},
		"port 65536":                {"pool", "allowed range", server(js{"ip": ip, "port": 65536})},
		"server without address":    {"pool", "servers[0].ip", server(js{"port": 80})},
		"server of wrong type":      {"pool", "Invalid IP address", server(js{"ip": js{"addr": "fd00::1", "type": "V4"}})},
		"server no address":         {"pool", "Invalid IP address", server(js{"ip": js{"addr": "web1", "type": "V4"}})},
		"server twice":              {"pool", "duplicate server", js{"name": "p", "servers": []any{js{"ip": ip, "port": 80}, js{"ip": ip, "port": 80}}}},
		"timeout -2":                {"pool", "allowed range", js{"name": "p", "graceful_disable_timeout": -2}},
		"hash without header":       {"pool", "lb_algorithm_consistent_hash_hdr", js{"name": "p", "lb_algorithm_hash": "LB_ALGORITHM_CONSISTENT_HASH_CUSTOM_HEADER"}},
		"PKI without TLS":           {"pool", "needs ssl_profile_ref", js{"name": "p", "pki_profile_ref": b.make("pkiprofile", js{"name": "x", "ca_certs": []any{js{"certificate": authority}}, "crl_check": false})}},
		"mask as text":              {"pool", "Expected an integer", js{"name": "p", "placement_networks": []any{js{"network_ref": b.make("network", js{"name": "n"}), "subnet": js{"ip_addr": ip, "mask": "24"}}}}},
		"dangling uuid":             {"pool", "HealthMonitor not found", js{"name": "p", "health_monitor_refs": []any{"/api/healthmonitor/healthmonitor-x"}}},
		"dangling name":             {"pool", "SSLProfile not found", js{"name": "p", "ssl_profile_ref": "/api/sslprofile?name=none"}},
		"reference of another kind": {"pool", "no reference", js{"name": "p", "ssl_profile_ref": "/api/pool?name=none"}},
		"HTTPS monitor without TLS": {"pool", "of type HTTPS needs", js{"name": "p", "health_monitor_refs": []any{"/api/healthmonitor?name=System-HTTPS"}}},
		"VRF unknown":               {"pool", "VrfContext not found", js{"name": "p", "vrf_ref": "vrfcontext-x"}},
		"network unknown":           {"pool", "Network object not found", js{"name": "p", "placement_networks": []any{js{"network_ref": "0b0b0b0b-1111-4222-8333-444444444444", "subnet": js{"ip_addr": ip, "mask": 24}}}}},

		"monitor without type":    {"healthmonitor", "type", js{"name": "m"}},
		"monitor timeout equal":   {"healthmonitor", "must be less than", js{"name": "m", "type": "HEALTH_MONITOR_TCP", "send_interval": 5, "receive_timeout": 5}},
		"monitor timeout default": {"healthmonitor", "must be less than", js{"name": "m", "type": "HEALTH_MONITOR_TCP", "send_interval": 4}},
		"monitor retries 51":      {"healthmonitor", "allowed range 1-50", js{"name": "m", "type": "HEALTH_MONITOR_TCP", "failed_checks": 51}},
		"monitor without HTTP":    {"healthmonitor", "http_monitor", js{"name": "m", "type": "HEALTH_MONITOR_HTTP"}},
		"monitor without codes":   {"healthmonitor", "response code", js{"name": "m", "type": "HEALTH_MONITOR_HTTP", "http_monitor": js{"http_response_code": []any{}}}},
		"monitor with wrong code": {"healthmonitor", "not a valid choice", js{"name": "m", "type": "HEALTH_MONITOR_HTTP", "http_monitor": js{"http_response_code": []any{"200"}}}},
		"monitor with other part": {"healthmonitor", "is not for", js{"name": "m", "type": "HEALTH_MONITOR_TCP", "http_monitor": js{"http_response_code": []any{"HTTP_2XX"}}}},
		"monitor enabled":         {"healthmonitor", "no field", js{"name": "m", "type": "HEALTH_MONITOR_TCP", "enabled": true}},

		"persistence without cookie": {"applicationpersistenceprofile", "app_cookie_persistence_profile", js{"name": "a", "persistence_type": "PERSISTENCE_TYPE_APP_COOKIE"}},
		"cookie without name":        {"applicationpersistenceprofile", "prst_hdr_name", js{"name": "a", "persistence_type": "PERSISTENCE_TYPE_APP_COOKIE", "app_cookie_persistence_profile": js{}}},
		"persistence's other part":   {"applicationpersistenceprofile", "is not for", js{"name": "a", "persistence_type": "PERSISTENCE_TYPE_TLS", "app_cookie_persistence_profile": js{"prst_hdr_name": "x"}}},

		"vip none":           {"vsvip", "vip", js{"name": "v"}},
		"vip without ip":     {"vsvip", "is required", js{"name": "v", "vip": []any{js{"vip_id": "0"}}}},
		"vip of wrong type":  {"vsvip", "type V4 is required", js{"name": "v", "vip": []any{js{"ip_address": js{"addr": "fd00::1", "type": "V6"}}}}},
		"vip id twice":       {"vsvip", "Duplicate vip_id", js{"name": "v", "vip": []any{js{"vip_id": "0", "ip_address": ip}, js{"vip_id": "0", "ip_address": ip}}}},
		"vip of a later one": {"vsvip", "introduced in later versions", vip(js{"prefix_length": 32})},
		"vsvip description":  {"vsvip", "no field", js{"name": "v", "vip": []any{js{"ip_address": ip}}, "description": "x"}},

		"certificate unreadable":  {"sslkeyandcertificate", "Invalid certificate", js{"name": "c", "key": key, "certificate": js{"certificate": "x"}}},
		"certificate without key": {"sslkeyandcertificate", "key", js{"name": "c", "certificate": js{"certificate": leaf}}},
		"key unreadable":          {"sslkeyandcertificate", "Invalid private key", js{"name": "c", "key": "x", "certificate": js{"certificate": leaf}}},
		"another's key":           {"sslkeyandcertificate", "does not match", js{"name": "c", "key": other, "certificate": js{"certificate": leaf}}},
		"leaf as authority":       {"sslkeyandcertificate", "not of an authority", js{"name": "c", "type": "SSL_CERTIFICATE_TYPE_CA", "certificate": js{"certificate": leaf}}},
		"leaf in chain":           {"sslkeyandcertificate", "is not of type", js{"name": "c", "key": key, "certificate": js{"certificate": leaf}, "ca_certs": []any{js{"ca_ref": b.certificate("y", true)}}}},
		"PKI with leaf":           {"pkiprofile", "not of an authority", js{"name": "k", "ca_certs": []any{js{"certificate": leaf}}, "crl_check": false}},
		"PKI without lists":       {"pkiprofile", "needs crls", js{"name": "k", "ca_certs": []any{js{"certificate": authority}}}},
		"PKI without authorities": {"pkiprofile", "At least one", js{"name": "k", "crl_check": false}},
		"TLS without versions":    {"sslprofile", "At least one version", js{"name": "s"}},
		"TLS 1.4":                 {"sslprofile", "not a valid choice", js{"name": "s", "accepted_versions": []any{js{"type": "SSL_VERSION_TLS1_4"}}}},
		"TLS odd ciphers":         {"sslprofile", "Invalid cipher", js{"name": "s", "accepted_ciphers": "A B", "accepted_versions": []any{js{"type": "SSL_VERSION_TLS1_2"}}}},

		"rule without action":    {"httppolicyset", "an action is required", rule(js{"index": 0, "name": "r"})},
		"rule without index":     {"httppolicyset", "index", rule(js{"name": "r"})},
		"rule index twice":       {"httppolicyset", "twice", js{"name": "s", "http_request_policy": js{"rules": []any{js{"index": 1, "name": "a", "hdr_action": []any{js{"action": "HTTP_REMOVE_HDR"}}}, js{"index": 1, "name": "b", "hdr_action": []any{js{"action": "HTTP_REMOVE_HDR"}}}}}}},
		"switch without pool":    {"httppolicyset", "pool_ref", rule(js{"index": 0, "name": "r", "switching_action": js{"action": "HTTP_SWITCHING_SELECT_POOL"}})},
		"local without status":   {"httppolicyset", "status_code", rule(js{"index": 0, "name": "r", "switching_action": js{"action": "HTTP_SWITCHING_SELECT_LOCAL"}})},
		"redirect 303":           {"httppolicyset", "not a valid choice", rule(js{"index": 0, "name": "r", "redirect_action": js{"protocol": "HTTP", "status_code": "HTTP_REDIRECT_STATUS_CODE_303"}})},
		"redirect nowhere":       {"httppolicyset", "At least one token", rule(js{"index": 0, "name": "r", "redirect_action": js{"protocol": "HTTP", "host": js{"type": "URI_PARAM_TYPE_TOKENIZED"}}})},
		"redirect empty":         {"httppolicyset", "str_value", rule(js{"index": 0, "name": "r", "redirect_action": js{"protocol": "HTTP", "host": js{"type": "URI_PARAM_TYPE_TOKENIZED", "tokens": []any{js{"type": "URI_TOKEN_TYPE_STRING"}}}}})},
		"host by regex":          {"httppolicyset", "not a valid choice", rule(js{"index": 0, "name": "r", "match": js{"host_hdr": js{"match_criteria": "REGEX_MATCH", "value": []any{"x"}}}})},
		"match without value":    {"httppolicyset", "value to compare", rule(js{"index": 0, "name": "r", "match": js{"path": js{"match_criteria": "EQUALS"}}})},
		"cookies as a list":      {"httppolicyset", "Expected an object", rule(js{"index": 0, "name": "r", "match": js{"cookie": []any{}}})},
		"response without state": {"httppolicyset", "status_code", js{"name": "s", "http_security_policy": js{"rules": []any{js{"index": 0, "name": "r", "action": js{"action": "HTTP_SECURITY_ACTION_SEND_RESPONSE"}}}}}},

		"default VRF": {"vrfcontext", "the controller's own", js{"name": "x", "system_default": true}},
	} {
		t.Run(name, func(t *testing.T) {
			c := *b
			c.t = t
			before := len(b.m.list(scope{all: true}, bad.kind))
			c.refuses(http.StatusBadRequest, bad.words, http.MethodPost, bad.kind, bad.body)
			if after := len(b.m.list(scope{all: true}, bad.kind)); after != before {
				t.Errorf("%d objects became %d", before, after)
			}
		})
	}
}

// TestLenient ignores unknown fields, and nothing else.
func TestLenient(t *testing.T) {
	b := newBench(t, modelOptions{Lenient: true})
	got := b.must(http.StatusCreated, http.MethodPost, "pool", "", js{"name": "p", "intermediates": "x", "servers": []any{js{"ip": js{"addr": "10.0.0.1", "type": "V4"}, "subnet_uuid": "x"}}})
	if got["intermediates"] != nil {
		t.Error("an unknown field is told")
	}
	b.refuses(http.StatusBadRequest, "allowed range", http.MethodPost, "pool", js{"name": "q", "default_server_port": 0})
	b.refuses(http.StatusBadRequest, "not found", http.MethodPost, "pool", js{"name": "q", "vrf_ref": "none"})
}

// TestReferences are accepted in all forms.
func TestReferences(t *testing.T) {
	b := newBench(t, modelOptions{})
	monitor := uuidIn(b.make("healthmonitor", js{"name": "my monitor", "type": "HEALTH_MONITOR_PING"}))
	for i, ref := range []string{
		monitor, "/api/healthmonitor/" + monitor, "/api/healthmonitor/" + monitor + "#other", "/api/healthmonitor?name=my+monitor", "/api/healthmonitor/?name=my%20monitor",
		"https://10.0.0.1/api/healthmonitor/" + monitor + "#my monitor", "https://10.0.0.1/api/healthmonitor?name=my+monitor", "/api/healthmonitor/?name=my+monitor&cloud=Default-Cloud",
	} {
		p := b.pool(strings.Repeat("p", i+1), js{"health_monitor_refs": []any{ref}})
		got := b.must(http.StatusOK, http.MethodGet, "pool/"+uuidIn(p), "", nil)
		want(t, ref, any([]any{testBase + "/api/healthmonitor/" + monitor}), got["health_monitor_refs"])
	}
	for _, ref := range []string{"", "/api/healthmonitor", "/api/healthmonitor/", "/api/healthmonitor/a/b", "/api/healthmonitor?uuid=x", "x/api/healthmonitor/" + monitor} {
		b.refuses(http.StatusBadRequest, "health_monitor_refs[0]", http.MethodPost, "pool", js{"name": "q", "health_monitor_refs": []any{ref}})
	}
}

// TestNamesOfTwoTenants: a name means the tenant's own object before the administrator's, and an uuid nobody else's.
func TestNamesOfTwoTenants(t *testing.T) {
	b := newBench(t, modelOptions{})
	one, two := b.in(b.tenantNamed("one", false)), b.in(b.tenantNamed("two", false))
	own := one.make("sslprofile", js{"name": "System-Standard", "accepted_versions": []any{js{"type": "SSL_VERSION_TLS1_2"}}})
	system := b.must(http.StatusOK, http.MethodGet, "sslprofile?name=System-Standard", "", nil)["results"].([]any)[0].(js)["url"]
	for range 8 { // objects are in no order
		for bench, expect := range map[*bench]any{one: testBase + own, two: system} {
			p := bench.pool("p", js{"ssl_profile_ref": "/api/sslprofile?name=System-Standard"})
			want(t, bench.tenant, expect, bench.must(http.StatusOK, http.MethodGet, "pool/"+uuidIn(p), "", nil)["ssl_profile_ref"])
			bench.must(http.StatusNoContent, http.MethodDelete, "pool/"+uuidIn(p), "", nil)
		}
	}
	for _, bench := range []*bench{b, two} {
		for _, ref := range []string{own, testBase + own + "#System-Standard", uuidIn(own)} {
			bench.refuses(http.StatusBadRequest, "SSLProfile not found", http.MethodPost, "pool", js{"name": "q", "ssl_profile_ref": ref})
		}
	}
}

// TestClashes: names are unique per tenant and kind, uuids per kind.
func TestClashes(t *testing.T) {
	b := newBench(t, modelOptions{})
	c := b.in(b.tenantNamed("one", false))
	b.must(http.StatusCreated, http.MethodPost, "pool", "pool-1", js{"name": "p"})
	b.refuses(http.StatusConflict, "already exists", http.MethodPost, "pool", js{"name": "p"})
	for _, bench := range []*bench{b, c} {
		if status, out := bench.ask(http.MethodPost, "pool", "pool-1", js{"name": "q"}); status != http.StatusConflict || !strings.Contains(out["error"].(string), "already exists") {
			t.Errorf("a taken uuid answers %d %v", status, out)
		}
	}
	c.pool("p")
	q := b.pool("q")
	b.refuses(http.StatusConflict, "already exists", http.MethodPut, "pool/"+uuidIn(q), js{"name": "p"})
	b.refuses(http.StatusConflict, "already exists", http.MethodPatch, "pool/"+uuidIn(q), js{"replace": js{"name": "p"}})
	b.refuses(http.StatusConflict, "already exists", http.MethodPost, "tenant", js{"name": "one"})
}

// TestTenants: unknown ones are 403, others' objects are not there, the administrator's cannot be changed from elsewhere.
func TestTenants(t *testing.T) {
	b := newBench(t, modelOptions{})
	b.in("tenant-none").refuses(http.StatusForbidden, "tenant uuid tenant-none does not exist", http.MethodGet, "pool", nil)
	for header, words := range map[string]string{"none": "Tenant 'none' does not exist!"} {
		a := b.m.do(call{Method: http.MethodGet, Kind: "pool", Tenant: header})
		if a.Status != http.StatusForbidden || !strings.Contains(string(a.Body), words) {
			t.Errorf("tenant %s answers %d %s", header, a.Status, a.Body)
		}
	}
	if a := b.m.do(call{Method: http.MethodGet, Kind: "pool", Tenant: "admin", TenantUUID: "admin"}); a.Status != http.StatusBadRequest {
		t.Errorf("both headers answer %d", a.Status)
	}
	one, two := b.in(b.tenantNamed("one", false)), b.in(b.tenantNamed("two", false))
	p := "pool/" + uuidIn(one.pool("p"))
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		two.refuses(http.StatusNotFound, "Pool object not found!", method, p, js{"name": "p"})
	}
	two.refuses(http.StatusBadRequest, "Pool not found", http.MethodPost, "virtualservice", js{"name": "v", "pool_ref": "/api/" + p})
	one.refuses(http.StatusForbidden, "", http.MethodDelete, "cloud/"+b.m.cloud, nil)
	one.refuses(http.StatusForbidden, "", http.MethodPost, "tenant", js{"name": "three"})
	b.refuses(http.StatusForbidden, "Cannot delete, object is referred by: ['Pool p']", http.MethodDelete, "tenant/"+one.tenant, nil)
	one.must(http.StatusNoContent, http.MethodDelete, p, "", nil)
	b.must(http.StatusNoContent, http.MethodDelete, "tenant/"+one.tenant, "", nil)
	all := b.m.do(call{Method: http.MethodPost, Kind: "pool", Tenant: "*", Version: "18.2.6", Body: []byte(`{"name":"p"}`)})
	if all.Status != http.StatusBadRequest {
		t.Errorf("POST in tenant * answers %d", all.Status)
	}
}

// TestTenantWithVRFs has a default one of its own and does not see the global one, as document 000 shows tenant demo.
func TestTenantWithVRFs(t *testing.T) {
	b := newBench(t, modelOptions{})
	demo := b.in(b.tenantNamed("demo", true))
	want(t, "VRF contexts", []string{"demo-default"}, names(demo.must(http.StatusOK, http.MethodGet, "vrfcontext", "", nil)["results"]))
	got := demo.must(http.StatusCreated, http.MethodPost, "pool", "", js{"name": "p"})
	if !strings.HasSuffix(got["vrf_ref"].(string), "#demo-default") {
		t.Errorf("a pool is in %v", got["vrf_ref"])
	}
	demo.refuses(http.StatusBadRequest, "VrfContext not found", http.MethodPost, "pool", js{"name": "q", "vrf_ref": "/api/vrfcontext?name=global"})
	b.refuses(http.StatusBadRequest, "cannot be changed", http.MethodPut, "tenant/"+demo.tenant, js{"name": "demo", "config_settings": js{"tenant_vrf": false}})
	demo.must(http.StatusNoContent, http.MethodDelete, "pool/"+got["uuid"].(string), "", nil)
	b.must(http.StatusNoContent, http.MethodDelete, "tenant/"+demo.tenant, "", nil)
}

// TestReferredBy: what is used cannot be deleted, and the text names who uses it.
func TestReferredBy(t *testing.T) {
	b := newBench(t, modelOptions{})
	monitor := b.make("healthmonitor", js{"name": "m", "type": "HEALTH_MONITOR_PING"})
	p := b.pool("p", js{"health_monitor_refs": []any{monitor}})
	vip := b.vsvip("i")
	set := b.make("httppolicyset", js{"name": "s", "http_request_policy": js{"rules": []any{js{"index": 0, "name": "r", "switching_action": js{"action": "HTTP_SWITCHING_SELECT_POOL", "pool_ref": p}}}}})
	vs := b.vs("v", vip, 80, js{"pool_ref": p, "http_policies": []any{js{"index": 0, "http_policy_set_ref": set}}})
	guarded := map[string]string{monitor: "['Pool p']", p: "['HTTPPolicySet s', 'VirtualService v']", vip: "['VirtualService v']", set: "['VirtualService v']"}
	for path, by := range guarded {
		b.refuses(http.StatusForbidden, "Cannot delete, object is referred by: "+by, http.MethodDelete, strings.TrimPrefix(path, "/api/"), nil)
	}
	b.refuses(http.StatusForbidden, "system default", http.MethodDelete, "cloud/"+b.m.cloud, nil)
	for _, path := range []string{vs, set, p, monitor, vip} {
		b.must(http.StatusNoContent, http.MethodDelete, strings.TrimPrefix(path, "/api/"), "", nil)
		b.refuses(http.StatusNotFound, "object not found!", http.MethodDelete, strings.TrimPrefix(path, "/api/"), nil)
	}
}

// TestConcurrency: a stale _last_modified is 412, none is the last writer's right, and it always rises.
func TestConcurrency(t *testing.T) {
	b := newBench(t, modelOptions{})
	p := "pool/" + uuidIn(b.pool("p"))
	first := b.must(http.StatusOK, http.MethodGet, p, "", nil)
	second := b.must(http.StatusOK, http.MethodPut, p, "", first)
	if first["_last_modified"].(string) >= second["_last_modified"].(string) {
		t.Errorf("_last_modified goes from %v to %v", first["_last_modified"], second["_last_modified"])
	}
	b.refuses(http.StatusPreconditionFailed, "", http.MethodPut, p, first)
	b.refuses(http.StatusPreconditionFailed, "", http.MethodPut, p, js{"name": "p", "_last_modified": ""})
	b.refuses(http.StatusBadRequest, "Expected a string", http.MethodPut, p, js{"name": "p", "_last_modified": 1572868800000000})
	b.refuses(http.StatusBadRequest, "Expected a string", http.MethodPut, p, js{"name": "p", "_last_modified": js{}})
	delete(first, "_last_modified")
	b.must(http.StatusOK, http.MethodPut, p, "", first)
	if err := b.m.edit("pool", uuidIn(p), func(o map[string]any) { o["description"] = "mine" }); err != nil {
		t.Fatal(err)
	}
	b.refuses(http.StatusPreconditionFailed, "", http.MethodPut, p, second)
	if got, _ := b.m.get("pool", uuidIn(p)); got["description"] != "mine" {
		t.Errorf("the edit is lost: %v", got)
	}
}

// TestPutReplaces the whole object: what is left out gets its default, but for what cannot change and what is secret.
func TestPutReplaces(t *testing.T) {
	b := newBench(t, modelOptions{})
	p := "pool/" + uuidIn(b.pool("p", js{"description": "x", "inline_health_monitor": false}))
	got := b.must(http.StatusOK, http.MethodPut, p, "", js{"name": "p2"})
	if got["name"] != "p2" || got["description"] != nil || got["inline_health_monitor"] != true || got["cloud_ref"] == nil {
		t.Errorf("is now %v", got)
	}
	cloud := b.make("cloud", js{"name": "c", "vtype": "CLOUD_NONE"})
	b.refuses(http.StatusBadRequest, "cannot be changed", http.MethodPut, p, js{"name": "p2", "cloud_ref": cloud})
	c := "sslkeyandcertificate/" + uuidIn(b.certificate("c", true))
	read := b.must(http.StatusOK, http.MethodGet, c, "", nil)
	b.must(http.StatusOK, http.MethodPut, c, "", read)
	other, _ := keypair(t, "other", false, true)
	b.refuses(http.StatusBadRequest, "does not match", http.MethodPut, c, js{"name": "c", "certificate": js{"certificate": other}})
}

// TestMethods: what there is no method for.
func TestMethods(t *testing.T) {
	b := newBench(t, modelOptions{})
	p := "pool/" + uuidIn(b.pool("p"))
	b.refuses(http.StatusMethodNotAllowed, "Method 'DELETE' not allowed.", http.MethodDelete, "pool", nil)
	b.refuses(http.StatusMethodNotAllowed, "Method 'POST' not allowed.", http.MethodPost, p, js{})
	b.refuses(http.StatusMethodNotAllowed, "Method 'POST' not allowed.", http.MethodPost, "systemconfiguration", js{})
	if a := b.raw(http.MethodGet, "nothing", "", nil); a.Status != http.StatusNotFound || len(a.Body) > 0 {
		t.Errorf("an unknown kind answers %d %s", a.Status, a.Body)
	}
	if a := b.raw(http.MethodPut, "cloud/"+b.m.cloud+"/gc?force=True", "", nil); a.Status != http.StatusOK {
		t.Errorf("gc answers %d %s", a.Status, a.Body)
	}
	b.at("18.2.7").refuses(http.StatusBadRequest, "later than the controller's", http.MethodGet, "pool", nil)
	b.at("new").refuses(http.StatusBadRequest, "not of the form", http.MethodGet, "pool", nil)
}

// TestSharedCAs: AKO met controllers that have two certificates refer to one of two objects with the same authority in it.
func TestSharedCAs(t *testing.T) {
	b := newBench(t, modelOptions{SharedCAs: true})
	authority, _ := keypair(t, "ca", true, true)
	var made []string
	for _, name := range []string{"one", "two"} {
		ca := b.make("sslkeyandcertificate", js{"name": "ca-" + name, "type": "SSL_CERTIFICATE_TYPE_CA", "certificate": js{"certificate": authority}})
		leaf, key := keypair(t, name, false, true)
		made = append(made, ca)
		c := b.make("sslkeyandcertificate", js{"name": name, "key": key, "certificate": js{"certificate": leaf}, "ca_certs": []any{js{"name": "ca-" + name, "ca_ref": ca}}})
		got := b.must(http.StatusOK, http.MethodGet, strings.TrimPrefix(c, "/api/"), "", nil)
		want(t, name, any(testBase+made[0]), got["ca_certs"].([]any)[0].(map[string]any)["ca_ref"])
	}
	b.refuses(http.StatusForbidden, "'SSLKeyAndCertificate one', 'SSLKeyAndCertificate two'", http.MethodDelete, strings.TrimPrefix(made[0], "/api/"), nil)
	b.must(http.StatusNoContent, http.MethodDelete, strings.TrimPrefix(made[1], "/api/"), "", nil)
}
