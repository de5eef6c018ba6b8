package octavia_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
)

func listenerNoun(lb string) noun {
	return noun{"/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 80}}
}

func TestListenerShape(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	listenerNoun(lb).shape(t, c, object{
		"name": "", "description": "", "admin_state_up": true, "project_id": mine, "tenant_id": mine, "tags": []any{},
		"provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE", "updated_at": nil,
		"loadbalancers": []any{object{"id": lb}}, "protocol": "HTTP", "protocol_port": 80.0, "connection_limit": -1.0,
		"default_pool_id": nil, "l7policies": []any{}, "insert_headers": object{}, "allowed_cidrs": nil,
		"timeout_client_data": 50000.0, "timeout_member_connect": 5000.0, "timeout_member_data": 50000.0, "timeout_tcp_inspect": 0.0,
		"default_tls_container_ref": nil, "sni_container_refs": []any{}, "client_ca_tls_container_ref": nil,
		"client_authentication": "NONE", "client_crl_container_ref": nil, "tls_ciphers": nil, "tls_versions": nil,
		"alpn_protocols": nil, "hsts_max_age": nil, "hsts_include_subdomains": false, "hsts_preload": false,
	})
}

func listenerSamples() []sample {
	return []sample{
		{"connection_limit", `-2`, nil, invalid("connection_limit", "-2", "Value should be greater or equal to -1")},
		{"connection_limit", `"x"`, nil, invalid("connection_limit", "x", notInteger)},
		{"connection_limit", `1.5`, nil, invalid("connection_limit", "1.5", notInteger)},
		{"connection_limit", `true`, nil, invalid("connection_limit", "true", notInteger)},
		{"connection_limit", `99999999999999999999`, nil, invalid("connection_limit", "99999999999999999999", notInteger)},
		{"connection_limit", `"99"`, 99.0, ""},
		{"default_pool_id", `"x"`, nil, invalid("default_pool_id", "x", notUUID)},
		{"default_pool_id", `5`, nil, invalid("default_pool_id", "5", notUUID)},
		{"default_pool_id", `null`, nil, ""},
		{"insert_headers", `[]`, nil, invalid("insert_headers", "[]", "Value should be object")},
		{"insert_headers", `{"X-Forwarded-For":true}`, nil, invalid("insert_headers", "true", notString)},
		{"insert_headers", `{"X-Forwarded-For":null}`, nil, invalid("insert_headers", "None", notString)},
		{"insert_headers", `{"X-Evil\r\nX-Other":"true"}`, nil, "['X-Evil\r\nX-Other'] is not a valid option for insert_headers"},
		{"insert_headers", `{"X-Forwarded-For":"true"}`, object{"X-Forwarded-For": "true"}, ""},
		{"insert_headers", `null`, object{}, ""},
		{"allowed_cidrs", `"10.0.0.0/8"`, nil, invalid("allowed_cidrs", "10.0.0.0/8", notList)},
		{"allowed_cidrs", `["10.0.0.0/40"]`, nil, invalid("allowed_cidrs", "10.0.0.0/40", "Value should be IPv4 or IPv6 CIDR format")},
		{"allowed_cidrs", `["10.1.2.3/8","192.0.2.1"]`, []any{"10.0.0.0/8", "192.0.2.1/32"}, ""},
		{"allowed_cidrs", `[]`, nil, ""},
		{"allowed_cidrs", `null`, nil, ""},
		{"timeout_client_data", `2073600001`, nil, invalid("timeout_client_data", "2073600001", "Value should be lower or equal to 2073600000")},
		{"timeout_client_data", `-1`, nil, invalid("timeout_client_data", "-1", "Value should be greater or equal to 0")},
		{"timeout_client_data", `0`, 0.0, ""},
		{"timeout_client_data", `null`, 50000.0, ""},
		{"timeout_member_connect", `{}`, nil, invalid("timeout_member_connect", "{}", notInteger)},
		{"timeout_member_connect", `7`, 7.0, ""},
		{"timeout_member_connect", `null`, 5000.0, ""},
		{"timeout_member_data", `2073600000`, 2073600000.0, ""},
		{"timeout_member_data", `null`, 50000.0, ""},
		{"timeout_tcp_inspect", `9`, 9.0, ""},
		{"timeout_tcp_inspect", `null`, 0.0, ""},
		{"sni_container_refs", `"x"`, nil, invalid("sni_container_refs", "x", notList)},
		{"sni_container_refs", `null`, []any{}, ""},
		{"default_tls_container_ref", `7`, nil, invalid("default_tls_container_ref", "7", notString)},
		{"default_tls_container_ref", `"x"`, nil, "Validation failure: Certificate container references are not allowed on HTTP protocol listeners."},
		{"default_tls_container_ref", `null`, nil, ""},
		{"client_authentication", `"SOME"`, nil, invalid("client_authentication", "SOME", "Value should be one of: MANDATORY, NONE, OPTIONAL")},
		{"client_authentication", `""`, nil, invalid("client_authentication", "", "Value should be one of: MANDATORY, NONE, OPTIONAL")},
		{"client_authentication", `null`, "NONE", ""},
		{"tls_ciphers", `"A B"`, nil, invalid("tls_ciphers", "A B", `Value should match the pattern ^[A-Za-z0-9\-+!:@=_.]+$`)},
		{"tls_ciphers", `"AES"`, "AES", ""},
		{"tls_versions", `["` + strings.Repeat("v", 33) + `"]`, nil, invalid("tls_versions", strings.Repeat("v", 33), "Value should have a maximum character requirement of 32")},
		{"tls_versions", `["TLSv1.3"]`, []any{"TLSv1.3"}, ""},
		{"alpn_protocols", `["spdy"]`, nil, invalid("alpn_protocols", "spdy", "Value should be one of: h2, http/1.0, http/1.1")},
		{"alpn_protocols", `["h2"]`, []any{"h2"}, ""},
		{"hsts_max_age", `5`, nil, "Validation failure: The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol."},
		{"hsts_max_age", `null`, nil, ""},
		{"hsts_preload", `"x"`, nil, invalid("hsts_preload", "x", notBoolean)},
		{"hsts_preload", `null`, false, ""},
		{"hsts_include_subdomains", `false`, false, ""},
	}
}

func TestListenerAttributes(t *testing.T) {
	c := newCloud(t)
	n := listenerNoun(c.loadBalancer())
	samples := append(append(append(commonSamples(), twiceTagged()), described()...), listenerSamples()...)
	n.creates(t, c, append(append(samples, posted()...),
		sample{"connection_limit", `null`, nil, ""},
		sample{"tls_ciphers", `null`, nil, ""},
		sample{"tls_versions", `null`, nil, ""},
		sample{"tls_versions", `["TLSv9"]`, []any{"TLSv9"}, ""}, // which means nothing without TLS
		sample{"tls_versions", `[]`, nil, ""},
		sample{"alpn_protocols", `[]`, nil, ""},
		sample{"alpn_protocols", `null`, nil, ""},
		sample{"tags", `null`, []any{}, ""},
		sample{"loadbalancer_id", `"x"`, nil, invalid("loadbalancer_id", "x", notUUID)},
		sample{"protocol", `"http"`, nil, invalid("protocol", "http", "Value should be one of: HTTP, HTTPS, PROMETHEUS, SCTP, TCP, TERMINATED_HTTPS, UDP")},
		sample{"protocol", `["HTTP"]`, nil, invalid("protocol", `["HTTP"]`, notString)},
		sample{"protocol_port", `0`, nil, invalid("protocol_port", "0", "Value should be greater or equal to 1")},
		sample{"protocol_port", `65536`, nil, invalid("protocol_port", "65536", "Value should be lower or equal to 65535")},
		sample{"protocol_port", `"443"`, 443.0, ""},
		sample{"default_pool", `{"name":"x"}`, nil, "Unknown attribute for argument listener_.listener: default_pool"},
		sample{"l7policies", `[]`, nil, "Unknown attribute for argument listener_.listener: l7policies"},
	))
	n.updates(t, c, object{"name": "before", "tags": []string{"t"}, "connection_limit": 5, "timeout_client_data": 1}, append(samples,
		sample{"connection_limit", `null`, -1.0, ""},
		sample{"tls_versions", `null`, []any{"TLSv1.2", "TLSv1.3"}, ""},
		sample{"tls_versions", `["TLSv9"]`, nil, "Validation failure: Invalid TLS versions: TLSv9"},
		sample{"tls_versions", `[]`, nil, "Validation failure: Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default."},
		sample{"alpn_protocols", `[]`, nil, "Validation failure: Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default."},
		sample{"alpn_protocols", `null`, []any{"h2", "http/1.1", "http/1.0"}, ""},
		sample{"tags", `null`, []any{"t"}, ""},
	))
	n.required(t, c, "loadbalancer_id", "protocol", "protocol_port")
	n.readOnly(t, c, "listener_.listener", "loadbalancer_id", "protocol", "protocol_port", "loadbalancers", "default_pool", "l7policies")
}

func TestListenerFaults(t *testing.T) {
	c := newCloud(t)
	lb, other := c.loadBalancer(), c.loadBalancer()
	c.listener(lb, 80)
	pool, tcp := c.pool(other), c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	const unknown = "5e2e5e5e-0000-4000-8000-000000000000"
	post := func(more object) answer {
		body := object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 81}
		for k, v := range more {
			body[k] = v
		}
		return c.do(http.MethodPost, root+"/listeners", object{"listener": body})
	}
	post(object{"protocol_port": 80}).fault(t, 409, "Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 80")
	post(object{"protocol_port": 80, "protocol": "TCP"}).fault(t, 409, "Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 80")
	post(object{"loadbalancer_id": unknown}).fault(t, 404, "Load Balancer "+unknown+" not found.")
	post(object{"default_pool_id": unknown}).fault(t, 404, "Pool "+unknown+" not found.")
	post(object{"default_pool_id": pool}).fault(t, 404, "Pool "+pool+" not found.")
	post(object{"default_pool_id": tcp}).fault(t, 400, "Validation failure: The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'.")
	post(object{"allowed_cidrs": []string{"2001:db8::/32"}}).
		fault(t, 400, "Validation failure: CIDR 2001:db8::/32 IP version incompatible with all VIPs ['"+c.show("/loadbalancers/"+lb, "loadbalancer")["vip_address"].(string)+"'] IP version.")
	post(object{"protocol": "TERMINATED_HTTPS"}).
		fault(t, 400, "Validation failure: An SNI or default certificate container reference must be provided for TERMINATED_HTTPS protocol listeners.")
	post(object{"protocol": "UDP"}).fault(t, 501, "Provider 'haproxy' does not support a requested option: listener protocol UDP")
	if got := len(c.must(200, "GET", "/listeners", nil).body["listeners"].([]any)); got != 1 {
		t.Errorf("%d listeners are left by refused requests, want 1", got)
	}
	c.do(http.MethodPut, root+"/listeners/"+unknown, object{"listener": object{}}).fault(t, 404, "Listener "+unknown+" not found.")
	c.do(http.MethodDelete, root+"/listeners/"+unknown, nil).fault(t, 404, "Listener "+unknown+" not found.")
}

// TestListenerTLS has a provider that supports everything, so that all that TLS listeners have is stored and shown.
func TestListenerTLS(t *testing.T) {
	c := newCloud(t)
	c.serve(octavia.Config{
		Store: c.store, Networks: c.store, Auth: everybody(), Certificates: octavia.AnyCertificate{},
		Providers: []provider.Face{{Name: "noop"}}, DefaultProvider: "noop",
	})
	lb := c.loadBalancer()
	body := object{
		"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "http://b/1",
		"sni_container_refs": []any{"http://b/2"}, "client_ca_tls_container_ref": "http://b/3", "client_authentication": "MANDATORY",
		"client_crl_container_ref": "http://b/4", "hsts_max_age": 5.0, "hsts_include_subdomains": true, "hsts_preload": true,
		"insert_headers": object{"X-SSL-Issuer": "true"},
	}
	made := c.make("/listeners", "listener", body)
	path := "/listeners/" + made["id"].(string)
	delete(body, "loadbalancer_id")
	body["tls_versions"] = []any{"TLSv1.2", "TLSv1.3"}
	body["alpn_protocols"] = []any{"h2", "http/1.1", "http/1.0"}
	got := c.show(path, "listener")
	for attribute, want := range body {
		if diff := cmp.Diff(normal(want), normal(got[attribute])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", attribute, diff)
		}
	}
	if s, _ := got["tls_ciphers"].(string); s == "" {
		t.Error("there are no default ciphers")
	}
	c.do(http.MethodPut, root+path, object{"listener": object{"client_ca_tls_container_ref": nil}}).
		fault(t, 400, "Validation failure: Client authentication setting MANDATORY requires a client CA container reference.")
	cleared := c.put(path, "listener", object{
		"client_ca_tls_container_ref": nil, "client_authentication": nil, "client_crl_container_ref": nil, "sni_container_refs": nil,
		"hsts_max_age": nil, "hsts_include_subdomains": nil, "hsts_preload": nil, "insert_headers": nil,
	})
	defaults := object{
		"client_ca_tls_container_ref": nil, "client_authentication": "NONE", "client_crl_container_ref": nil,
		"sni_container_refs": []any{}, "hsts_max_age": nil, "hsts_preload": false, "insert_headers": object{},
	}
	for attribute, want := range defaults {
		if diff := cmp.Diff(want, cleared[attribute]); diff != "" {
			t.Errorf("null %s (-want +got):\n%s", attribute, diff)
		}
	}
}

func normal(v any) any {
	if n, ok := v.(int); ok {
		return float64(n)
	}
	return v
}
