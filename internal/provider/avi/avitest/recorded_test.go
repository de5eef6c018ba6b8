package avitest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The tests of this file are named after what was recorded of real controllers.

// TestPostOfPoolFillsDefaults: recorded of 17.2.5, asked with 17.1.6.
func TestPostOfPoolFillsDefaults(t *testing.T) {
	b := newBench(t, modelOptions{Version: "17.2.5"}).at("17.1.6")
	got := b.must(http.StatusCreated, http.MethodPost, "pool", "pool-1", js{
		"lb_algorithm": "LB_ALGORITHM_LEAST_CONNECTIONS", "default_server_port": 80, "name": "ssl_vs-pool",
		"servers": []any{js{"ip": js{"type": "V4", "addr": "10.90.64.10"}, "port": 80}},
	})
	if _, ok := got["_last_modified"].(string); !ok {
		t.Errorf("_last_modified is %v", got["_last_modified"])
	}
	cloud, vrf := got["cloud_ref"].(string), got["vrf_ref"].(string)
	if !strings.HasSuffix(cloud, "#Default-Cloud") || !strings.HasSuffix(vrf, "#global") {
		t.Errorf("cloud %s, VRF %s", cloud, vrf)
	}
	for _, k := range []string{"_last_modified", "cloud_ref", "vrf_ref"} {
		delete(got, k)
	}
	want(t, "pool", js{
		"lb_algorithm": "LB_ALGORITHM_LEAST_CONNECTIONS", "use_service_port": false, "server_auto_scale": false, "host_check_enabled": false,
		"tenant_ref": testBase + "/api/tenant/admin#admin", "rewrite_host_header_to_sni": false, "capacity_estimation": false,
		"servers": []any{js{"ratio": 1., "ip": js{"type": "V4", "addr": "10.90.64.10"}, "hostname": "10.90.64.10", "enabled": true,
			"verify_network": false, "static": false, "resolve_server_by_dns": false, "rewrite_host_header": false, "port": 80.}},
		"fewest_tasks_feedback_delay": 10., "rewrite_host_header_to_server_name": false, "lb_algorithm_core_nonaffinity": 2.,
		"inline_health_monitor": true, "default_server_port": 80., "request_queue_depth": 128., "graceful_disable_timeout": 1., "sni_enabled": true,
		"server_count": 1., "uuid": "pool-1", "request_queue_enabled": false, "name": "ssl_vs-pool", "max_concurrent_connections_per_server": 0.,
		"url": testBase + "/api/pool/pool-1#ssl_vs-pool", "enabled": true, "connection_ramp_duration": 10.,
	}, got)
}

// fieldsOf are the names of an object's fields, in order.
func fieldsOf(o js) string { return strings.Join(slices.Sorted(maps.Keys(o)), " ") }

// TestFieldsOfPostedObjects: recorded of 18.1.3, 18.2.1 and 20.1.5. Later controllers fill in more.
func TestFieldsOfPostedObjects(t *testing.T) {
	pool := js{"name": "p", "servers": []any{js{"ip": js{"type": "V4", "addr": "10.90.64.10"}, "port": 80}}}
	vip := js{"name": "v", "vip": []any{js{"ip_address": js{"addr": "10.90.64.123", "type": "V4"}}}}
	for _, recorded := range []struct{ version, kind, fields string }{
		{"18.1.3", "pool", `_last_modified capacity_estimation capacity_estimation_ttfb_thresh cloud_ref connection_ramp_duration default_server_port enabled
			fewest_tasks_feedback_delay graceful_disable_timeout host_check_enabled inline_health_monitor lb_algorithm lb_algorithm_core_nonaffinity
			lb_algorithm_hash lookup_server_by_name max_concurrent_connections_per_server name request_queue_depth request_queue_enabled
			rewrite_host_header_to_server_name rewrite_host_header_to_sni server_count servers sni_enabled tenant_ref url use_service_port uuid vrf_ref`},
		{"18.2.1", "pool", `_last_modified analytics_profile_ref capacity_estimation capacity_estimation_ttfb_thresh cloud_ref connection_ramp_duration
			default_server_port enabled fewest_tasks_feedback_delay graceful_disable_timeout host_check_enabled inline_health_monitor lb_algorithm
			lb_algorithm_core_nonaffinity lb_algorithm_hash lookup_server_by_name max_concurrent_connections_per_server name request_queue_depth
			request_queue_enabled rewrite_host_header_to_server_name rewrite_host_header_to_sni server_timeout servers sni_enabled tenant_ref url
			use_service_port uuid vrf_ref`},
		{"20.1.5", "pool", `_last_modified analytics_profile_ref capacity_estimation capacity_estimation_ttfb_thresh cloud_ref connection_ramp_duration
			default_server_port delete_server_on_dns_refresh enable_http2 enabled fewest_tasks_feedback_delay graceful_disable_timeout host_check_enabled
			ignore_server_port inline_health_monitor lb_algorithm lb_algorithm_core_nonaffinity lb_algorithm_hash lookup_server_by_name
			max_concurrent_connections_per_server name request_queue_depth request_queue_enabled rewrite_host_header_to_server_name
			rewrite_host_header_to_sni routing_pool server_timeout servers sni_enabled tenant_ref url use_service_port uuid vrf_ref`},
		{"20.1.5", "vsvip", "_last_modified cloud_ref east_west_placement name tenant_ref url uuid vip vrf_context_ref"},
	} {
		b := newBench(t, modelOptions{Version: recorded.version})
		body := pool
		if recorded.kind == "vsvip" {
			body = vip
		}
		got := b.must(http.StatusCreated, http.MethodPost, recorded.kind, "", body)
		want(t, recorded.version+" "+recorded.kind, strings.Join(strings.Fields(recorded.fields), " "), fieldsOf(got))
	}
	b := newBench(t, modelOptions{Version: "20.1.5"})
	got := b.must(http.StatusCreated, http.MethodPost, "vsvip", "", vip)
	want(t, "vip", any([]any{js{"vip_id": "0", "ip_address": js{"addr": "10.90.64.123", "type": "V4"}, "enabled": true, "auto_allocate_ip": false,
		"auto_allocate_floating_ip": false, "avi_allocated_vip": false, "avi_allocated_fip": false, "auto_allocate_ip_type": "V4_ONLY", "prefix_length": 32.}}), got["vip"])
	vs := b.must(http.StatusCreated, http.MethodPost, "virtualservice", "", js{"name": "basic_vs", "type": "VS_TYPE_NORMAL", "enabled": true,
		"services": []any{js{"port": 80, "enable_ssl": false}}, "vsvip_ref": got["url"], "application_profile_name": "System-HTTP"})
	want(t, "20.1.5 virtualservice", strings.Join(strings.Fields(`_last_modified active_standby_se_tag advertise_down_vs allow_invalid_client_cert
		analytics_profile_ref application_profile_ref bulk_sync_kvcache close_client_conn_on_config_update cloud_ref cloud_type delay_fairness
		east_west_placement enable_autogw enabled flow_dist flow_label_type ign_pool_net_reach limit_doser max_cps_per_client name network_profile_ref
		remove_listening_port_on_vs_down scaleout_ecmp se_group_ref services ssl_sess_cache_avg_size tenant_ref traffic_enabled type url
		use_bridge_ip_as_vip use_vip_as_snat uuid vh_type vrf_context_ref vsvip_ref weight`), " "), fieldsOf(vs))
}

// TestPostOfVirtualServiceFillsDefaults: the fields that were recorded with 18.1.3, on a controller of 18.x.
func TestPostOfVirtualServiceFillsDefaults(t *testing.T) {
	b := newBench(t, modelOptions{DefaultType: "CLOUD_NONE"}).at("18.1.3")
	got := b.must(http.StatusCreated, http.MethodPost, "virtualservice", "", js{
		"name": "ssl_vs", "pool_ref": testBase + b.pool("ssl_vs-pool") + "#ssl_vs-pool", "enabled": true, "application_profile_name": "System-Secure-HTTP",
		"vip": []any{js{"ip_address": js{"type": "V4", "addr": "10.90.64.123"}}}, "services": []any{js{"enable_ssl": true, "port": 443}},
		"type": "VS_TYPE_NORMAL", "ssl_key_and_certificate_refs": []any{testBase + b.certificate("ssl-vs-kc", false)}, "ssl_profile_name": "System-Standard",
	})
	var fields []string
	for name := range got {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	want(t, "fields", strings.Fields(`_last_modified active_standby_se_tag analytics_profile_ref application_profile_ref bulk_sync_kvcache
		close_client_conn_on_config_update cloud_ref cloud_type delay_fairness east_west_placement enable_autogw enabled flow_dist flow_label_type
		ign_pool_net_reach limit_doser max_cps_per_client name network_profile_ref pool_ref remove_listening_port_on_vs_down scaleout_ecmp se_group_ref
		services ssl_key_and_certificate_refs ssl_profile_ref ssl_sess_cache_avg_size tenant_ref traffic_enabled type url use_bridge_ip_as_vip
		use_vip_as_snat uuid vip vrf_context_ref vsvip_ref weight`), fields)
	want(t, "services", any([]any{js{"enable_ssl": true, "port_range_end": 443., "port": 443.}}), got["services"])
	want(t, "vip", any([]any{js{"vip_id": "0", "avi_allocated_fip": false, "auto_allocate_ip": false, "enabled": true, "auto_allocate_floating_ip": false,
		"avi_allocated_vip": false, "auto_allocate_ip_type": "V4_ONLY", "ip_address": js{"type": "V4", "addr": "10.90.64.123"}}}), got["vip"])
	want(t, "cloud_type", any("CLOUD_NONE"), got["cloud_type"])
}

// TestInlineVipMakesVsVip: the VsVip's name is "vsvip-" and six characters, both vip and vsvip_ref are answered, and it goes with the service.
func TestInlineVipMakesVsVip(t *testing.T) {
	b := newBench(t, modelOptions{}).at("17.1.1")
	body := js{"name": "basic_vs", "vip": []any{js{"ip_address": js{"type": "V4", "addr": "10.90.64.123"}}}, "services": []any{js{"port": 80}}}
	vs := b.must(http.StatusCreated, http.MethodPost, "virtualservice", "", body)
	ref, name, _ := strings.Cut(vs["vsvip_ref"].(string), "#")
	if len(name) != len("vsvip-Ki72ax") || !strings.HasPrefix(name, "vsvip-") {
		t.Errorf("the VsVip is called %q", name)
	}
	b.must(http.StatusOK, http.MethodGet, "vsvip/"+uuidIn(ref), "", nil)
	b.must(http.StatusOK, http.MethodPut, "virtualservice/"+vs["uuid"].(string), "", body)
	b.must(http.StatusNoContent, http.MethodDelete, "virtualservice/"+vs["uuid"].(string), "", nil)
	b.must(http.StatusNotFound, http.MethodGet, "vsvip/"+uuidIn(ref), "", nil)
}

// TestUnknownNamesAreIgnored: *_profile_name are no fields, but were taken without a word.
func TestUnknownNamesAreIgnored(t *testing.T) {
	for version, profile := range map[string]string{"18.2.6": "System-Standard", "20.1.1": "System-Standard-PFS"} {
		b := newBench(t, modelOptions{Version: version})
		vs := b.vs("v", b.vsvip("v"), 443, js{"application_profile_name": "System-Secure-HTTP", "ssl_profile_name": "System-Standard-Portal",
			"services": []any{js{"port": 443, "enable_ssl": true}}, "ssl_key_and_certificate_refs": []any{b.certificate("c", true)}})
		got := b.must(http.StatusOK, http.MethodGet, "virtualservice/"+uuidIn(vs)+"?include_name=true", "", nil)
		application, ssl := got["application_profile_ref"].(string), got["ssl_profile_ref"].(string)
		if !strings.HasSuffix(application, "#System-HTTP") || !strings.HasSuffix(ssl, "#"+profile) {
			t.Errorf("%s: profiles %s and %s", version, application, ssl)
		}
		if got["ssl_profile_name"] != nil {
			t.Errorf("ssl_profile_name is told")
		}
	}
}

// TestForceUUID: any string in Slug is the uuid.
func TestForceUUID(t *testing.T) {
	b := newBench(t, modelOptions{})
	a := b.raw(http.MethodPost, "pool", "pool-force-42", js{"name": "p"})
	if a.Status != http.StatusCreated || a.Header.Get("Location") != testBase+"/api/pool/pool-force-42#p" {
		t.Errorf("answers %d %v", a.Status, a.Header)
	}
	b.must(http.StatusOK, http.MethodGet, "pool/pool-force-42", "", nil)
}

// TestUUIDOfBodyIsIgnored unless the system's configuration says otherwise.
func TestUUIDOfBodyIsIgnored(t *testing.T) {
	b := newBench(t, modelOptions{})
	if got := b.must(http.StatusCreated, http.MethodPost, "pool", "", js{"name": "p", "uuid": "pool-mine"}); got["uuid"] == "pool-mine" {
		t.Error("the body's uuid was taken")
	}
	config := b.must(http.StatusOK, http.MethodGet, "systemconfiguration", "", nil)
	config["portal_configuration"].(map[string]any)["use_uuid_from_input"] = true
	b.must(http.StatusOK, http.MethodPut, "systemconfiguration", "", config)
	if got := b.must(http.StatusCreated, http.MethodPost, "pool", "", js{"name": "q", "uuid": "pool-mine"}); got["uuid"] != "pool-mine" {
		t.Errorf("the body's uuid was not taken: %v", got["uuid"])
	}
}

// TestNamesOfReferences: a POST's answer has them, a GET only if asked.
func TestNamesOfReferences(t *testing.T) {
	b := newBench(t, modelOptions{})
	made := b.must(http.StatusCreated, http.MethodPost, "pool", "pool-1", js{"name": "p"})
	plain := b.must(http.StatusOK, http.MethodGet, "pool/pool-1", "", nil)
	asked := b.must(http.StatusOK, http.MethodGet, "pool/pool-1?include_name=true", "", nil)
	for _, field := range []string{"url", "cloud_ref", "vrf_ref", "tenant_ref"} {
		if !strings.Contains(made[field].(string), "#") || strings.Contains(plain[field].(string), "#") || asked[field] != made[field] {
			t.Errorf("%s: POST %v, GET %v, with include_name %v", field, made[field], plain[field], asked[field])
		}
	}
}

// TestListEnvelope: count, results, and next but on the last page; nothing found is no error.
func TestListEnvelope(t *testing.T) {
	b := newBench(t, modelOptions{})
	want(t, "nothing", js{"count": 0., "results": []any{}}, b.must(http.StatusOK, http.MethodGet, "pool?name=none", "", nil))
	for _, name := range []string{"a", "b", "c"} {
		b.pool(name)
	}
	var seen []string
	for _, next := range []any{testBase + "/api/pool?page=2&page_size=2", nil} {
		path := "pool?page_size=2"
		if next == nil {
			path += "&page=2"
		}
		got := b.must(http.StatusOK, http.MethodGet, path, "", nil)
		seen = append(seen, names(got["results"])...)
		if got["next"] != next || got["count"] != 3. {
			t.Errorf("%s answers next %v, count %v", path, got["next"], got["count"])
		}
	}
	want(t, "pages", []string{"a", "b", "c"}, seen)
}

// TestVerbs: POST answers 201, Location and the object, PUT and PATCH 200 and the object, DELETE 204 and nothing.
func TestVerbs(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	u.header[headerSlug] = "pool-1"
	for _, test := range []struct {
		method, path string
		body         map[string]any
		status       int
		description  any
	}{
		{http.MethodPost, "", map[string]any{"name": "p"}, http.StatusCreated, nil},
		{http.MethodGet, "/pool-1", nil, http.StatusOK, nil},
		{http.MethodPut, "/pool-1", map[string]any{"name": "p", "description": "put"}, http.StatusOK, "put"},
		{http.MethodPatch, "/pool-1", map[string]any{"add": map[string]any{"description": "patched"}}, http.StatusOK, "patched"},
		{http.MethodDelete, "/pool-1", nil, http.StatusNoContent, nil},
	} {
		got := u.do(test.method, "/api/pool"+test.path, test.body)
		if got.status != test.status || got.body["description"] != test.description {
			t.Errorf("%s answers %d %s", test.method, got.status, got.text)
		}
		if test.status == http.StatusNoContent {
			want(t, "the body of DELETE", "", got.text)
			continue
		}
		location := map[bool]string{true: s.URL + "/api/pool/pool-1#p"}[test.method == http.MethodPost]
		if got.header.Get("Location") != location || got.header.Get("Content-Type") != "application/json" || got.body["enabled"] != true || got.body["uuid"] != "pool-1" {
			t.Errorf("%s answers %v %s", test.method, got.header, got.text)
		}
	}
}

// TestPutOfSystemConfiguration: the only objects of which PUT was recorded answer 200 and what they are; its uuid is "default".
func TestPutOfSystemConfiguration(t *testing.T) {
	s := Start(t, Options{Version: recorded2011})
	u := loggedIn(t, s)
	config := u.must(http.MethodGet, "/api/systemconfiguration", nil)
	want(t, "uuid", any("default"), config["uuid"])
	want(t, "url", any(s.URL+"/api/systemconfiguration"), config["url"])
	config["portal_configuration"].(map[string]any)["allow_basic_authentication"] = true
	got := u.do(http.MethodPut, "/api/systemconfiguration", config)
	want(t, "status", http.StatusOK, got.status)
	if got.body["_last_modified"].(string) <= config["_last_modified"].(string) {
		t.Errorf("_last_modified goes from %v to %v", config["_last_modified"], got.body["_last_modified"])
	}
	delete(config, "_last_modified")
	delete(got.body, "_last_modified")
	want(t, "the configuration", config, got.body)
}

// TestErrorsAreObjects: {"error": text}, where the text about a field is JSON itself; {"detail": text} is the framework's.
func TestErrorsAreObjects(t *testing.T) {
	b := newBench(t, modelOptions{})
	b.pool("p")
	for _, test := range []struct {
		method, path string
		body         any
		status       int
		want         js
	}{
		{http.MethodGet, "pool/none", nil, http.StatusNotFound, js{"error": "Pool object not found!"}},
		{http.MethodGet, "vsvip/none", nil, http.StatusNotFound, js{"error": "VsVip object not found!"}},
		{http.MethodPost, "pool", js{"name": 7}, http.StatusBadRequest, js{"error": `{"name":["Expected a string but got type \"number\"."]}`}},
		{http.MethodPost, "pool", js{"name": "p"}, http.StatusConflict, js{"error": "Pool with this Name and Tenant ref already exists."}},
		{http.MethodDelete, "pool", nil, http.StatusMethodNotAllowed, js{"detail": "Method 'DELETE' not allowed."}},
	} {
		status, got := b.ask(test.method, test.path, "", test.body)
		want(t, test.method+" "+test.path, js{"status": test.status, "body": test.want}, js{"status": status, "body": got})
	}
}

// TestDeleteIsEmpty: 204 without a body.
func TestDeleteIsEmpty(t *testing.T) {
	b := newBench(t, modelOptions{})
	a := b.raw(http.MethodDelete, "pool/"+uuidIn(b.pool("p")), "", nil)
	if a.Status != http.StatusNoContent || len(a.Body) > 0 {
		t.Errorf("answers %d %q", a.Status, a.Body)
	}
}

// TestObjectsOfMultipleTenants: a name of another tenant is an empty list; name and uuid headers mean the same.
func TestObjectsOfMultipleTenants(t *testing.T) {
	b := newBench(t, modelOptions{})
	one, two := b.in(b.tenantNamed("one", false)), b.in(b.tenantNamed("two", false))
	one.pool("p")
	two.pool("p") // names are a tenant's own
	two.pool("q")
	for query, expect := range map[string]int{"pool?name=p": 1, "pool?name=q": 0, "pool": 1} {
		byUUID := one.must(http.StatusOK, http.MethodGet, query, "", nil)
		path, q, _ := strings.Cut(query, "?")
		c := call{Method: http.MethodGet, Kind: path, Tenant: "one", Version: "18.2.6", Base: testBase, Query: map[string][]string{}}
		if name, ok := strings.CutPrefix(q, "name="); ok {
			c.Query.Set("name", name)
		}
		byName, err := decode(one.m.do(c).Body)
		if err != nil || len(byName["results"].([]any)) != expect || len(byUUID["results"].([]any)) != expect {
			t.Errorf("%s: by name %v, by uuid %v, want %d", query, byName, byUUID, expect)
		}
	}
	all := b.m.list(scope{all: true}, "pool")
	if len(all) != 3 {
		t.Errorf("all tenants have %d pools", len(all))
	}
}

// TestTenantAdminWasNeverModified: it has no _last_modified; all else has, in microseconds.
func TestTenantAdminWasNeverModified(t *testing.T) {
	b := newBench(t, modelOptions{})
	if got := b.must(http.StatusOK, http.MethodGet, "tenant/admin", "", nil); got["_last_modified"] != nil || got["uuid"] != "admin" {
		t.Errorf("tenant admin is %v", got)
	}
	if got := b.must(http.StatusOK, http.MethodGet, "cloud?name=Default-Cloud", "", nil); len(got["results"].([]any)[0].(map[string]any)["_last_modified"].(string)) != 16 {
		t.Errorf("the cloud is %v", got)
	}
}

// TestFieldsOfLaterVersions: the text of the refusal, and that answers do not have such fields.
func TestFieldsOfLaterVersions(t *testing.T) {
	b := newBench(t, modelOptions{Version: "20.1.1"})
	b.at("18.2.8").refuses(http.StatusBadRequest, "Incoming request (v18_2_8) has field (enable_http2) introduced in later versions(v20_1_1).",
		http.MethodPost, "pool", js{"name": "p", "enable_http2": true})
	b.must(http.StatusCreated, http.MethodPost, "pool", "pool-1", js{"name": "p", "enable_http2": true})
	old := b.at("18.2.8").must(http.StatusOK, http.MethodGet, "pool/pool-1", "", nil)
	if old["enable_http2"] != nil || b.must(http.StatusOK, http.MethodGet, "pool/pool-1", "", nil)["enable_http2"] != true {
		t.Errorf("18.2.8 sees enable_http2 %v", old["enable_http2"])
	}
	if got := b.at("18.2.1").must(http.StatusOK, http.MethodGet, "pool/pool-1", "", nil); got["server_count"] != nil {
		t.Errorf("18.2.1 sees server_count, which it had not any more")
	}
}

// TestWithoutVersion: 16.4.2 is meant, which knows no VsVip.
func TestWithoutVersion(t *testing.T) {
	b := newBench(t, modelOptions{}).at("")
	if a := b.raw(http.MethodGet, "vsvip", "", nil); a.Status != http.StatusNotFound || len(a.Body) > 0 {
		t.Errorf("GET vsvip answers %d %q", a.Status, a.Body)
	}
	b.refuses(http.StatusBadRequest, "Incoming request (v16_4_2) has field (vsvip_ref) introduced in later versions(v17_1_1).",
		http.MethodPost, "virtualservice", js{"name": "v", "vsvip_ref": "x"})
}

// TestRuntimeExtras: reading a virtual service tells more than writing it, and sending it back is no error.
func TestRuntimeExtras(t *testing.T) {
	b := newBench(t, modelOptions{})
	vs := "virtualservice/" + uuidIn(b.vs("v", b.vsvip("v"), 80))
	got := b.must(http.StatusOK, http.MethodGet, vs, "", nil)
	wrote := b.must(http.StatusOK, http.MethodPut, vs, "", got)
	for _, extra := range []string{"vip_runtime", "tls_ticket_key", "redis_db", "redis_port", "version", "marked_for_delete", "self_se_election"} {
		if got[extra] == nil || wrote[extra] != nil {
			t.Errorf("%s: GET %v, PUT %v", extra, got[extra], wrote[extra])
		}
	}
}

// TestSSLVS: what is told of a certificate, and when.
func TestSSLVS(t *testing.T) {
	b := newBench(t, modelOptions{})
	certificate, key := keypair(t, "app2-cert", false, false, "www.example.com")
	made := b.must(http.StatusCreated, http.MethodPost, "sslkeyandcertificate", "sslkeyandcertificate-1", js{
		"key_passphrase": "", "certificate": js{"certificate": certificate}, "type": "SSL_CERTIFICATE_TYPE_VIRTUALSERVICE", "name": "ssl-vs-kc", "key": key,
	})
	part := made["certificate"].(map[string]any)
	if part["certificate"] != nil || part["public_key"] != nil {
		t.Error("POST tells the certificate itself")
	}
	read := b.must(http.StatusOK, http.MethodGet, "sslkeyandcertificate/sslkeyandcertificate-1", "", nil)
	part = read["certificate"].(map[string]any)
	if part["certificate"] != certificate || part["public_key"] == nil {
		t.Error("GET does not tell the certificate")
	}
	for _, o := range []js{made, read} {
		if o["key"] != nil || o["key_passphrase"] != "" || o["status"] != "SSL_CERTIFICATE_FINISHED" || o["format"] != "SSL_PEM" {
			t.Errorf("is told as %v", o)
		}
	}
	want(t, "key_params", any(js{"algorithm": "SSL_KEY_ALGORITHM_RSA", "rsa_params": js{"key_size": "SSL_KEY_2048_BITS", "exponent": 65537.}}), read["key_params"])
	if line := part["fingerprint"].(string); !strings.HasPrefix(line, "SHA1 Fingerprint=") || !strings.HasSuffix(line, "\n") || len(line) != len("SHA1 Fingerprint=")+60 {
		t.Errorf("fingerprint %q", line)
	}
	for _, field := range []string{"fingerprint", "certificate", "public_key"} {
		delete(part, field)
	}
	person := js{"country": "US", "organization": "IT", "common_name": "app2-cert", "distinguished_name": "C=US, O=IT, CN=app2-cert"}
	want(t, "certificate", js{
		"subject": person, "issuer": person, "self_signed": true, "version": "2", "serial_number": "123456789", "not_before": "2026-01-02 03:04:05",
		"not_after": "2036-01-02 03:04:05", "signature_algorithm": "sha256WithRSAEncryption", "expiry_status": "SSL_CERTIFICATE_GOOD",
		"days_until_expire": 365., "subject_alt_names": []any{"www.example.com"},
	}, part)
}

// TestSystemObjects are there from the start, in tenant admin.
func TestSystemObjects(t *testing.T) {
	b := newBench(t, modelOptions{})
	for kind, expect := range map[string]string{
		"tenant": "admin", "cloud": "Default-Cloud", "serviceenginegroup": "Default-Group", "vrfcontext": "global management",
		"applicationprofile":            "System-DNS System-HTTP System-L4-Application System-SSL-Application System-Secure-HTTP System-Syslog",
		"networkprofile":                "System-TCP-Fast-Path System-TCP-Proxy System-UDP-Fast-Path System-UDP-Per-Pkt",
		"sslprofile":                    "System-Standard System-Standard-PFS System-Standard-Portal",
		"healthmonitor":                 "System-HTTP System-HTTPS System-Ping System-TCP System-UDP",
		"analyticsprofile":              "System-Analytics-Profile",
		"applicationpersistenceprofile": "System-Persistence-App-Cookie System-Persistence-Client-IP System-Persistence-Custom-Http-Header System-Persistence-Http-Cookie System-Persistence-TLS",
	} {
		got := b.must(http.StatusOK, http.MethodGet, kind+"?sort=name", "", nil)
		want(t, kind, expect, strings.Join(names(got["results"]), " "))
	}
	types := map[string]any{}
	for _, o := range b.must(http.StatusOK, http.MethodGet, "applicationprofile", "", nil)["results"].([]any) {
		types[text(o.(js), "name")] = o.(js)["type"]
	}
	for name, kind := range map[string]string{"System-HTTP": "HTTP", "System-Secure-HTTP": "HTTP", "System-L4-Application": "L4", "System-SSL-Application": "SSL"} {
		want(t, name, any("APPLICATION_PROFILE_TYPE_"+kind), types[name])
	}
}

// TestSystemObjectsFromOtherTenants: those of tenant admin are seen and referred to from all.
func TestSystemObjectsFromOtherTenants(t *testing.T) {
	b := newBench(t, modelOptions{})
	c := b.in(b.tenantNamed("one", false))
	for kind, name := range map[string]string{"cloud": "Default-Cloud", "serviceenginegroup": "Default-Group", "applicationprofile": "System-Secure-HTTP",
		"networkprofile": "System-TCP-Proxy", "sslprofile": "System-Standard", "vrfcontext": "global", "healthmonitor": "System-HTTP",
		"applicationpersistenceprofile": "System-Persistence-Client-IP", "tenant": "admin"} {
		if got := c.must(http.StatusOK, http.MethodGet, kind+"?name="+name, "", nil); got["count"] != 1. {
			t.Errorf("%s %s is found %v times", kind, name, got["count"])
		}
	}
	c.pool("p", js{"health_monitor_refs": []any{"/api/healthmonitor?name=System-HTTP"}, "ssl_profile_ref": "/api/sslprofile?name=System-Standard"})
}
