package octavia_test

import (
	stdcmp "cmp"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
	"plimsoll/lbaas"
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
		{"connection_limit", `"7.0"`, nil, invalid("connection_limit", "7.0", notInteger)},
		{"connection_limit", `1e300`, nil, invalid("connection_limit", "1e300", notInteger)},
		{"connection_limit", `7.0`, 7.0, ""},
		{"connection_limit", `7e2`, 700.0, ""},
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
		{"timeout_member_data", `"soon"`, nil, invalid("timeout_member_data", "soon", notInteger)},
		{"timeout_member_data", `2073600000`, 2073600000.0, ""},
		{"timeout_member_data", `null`, 50000.0, ""},
		{"timeout_tcp_inspect", `-1`, nil, invalid("timeout_tcp_inspect", "-1", "Value should be greater or equal to 0")},
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
		{"tls_ciphers", `"A B"`, nil, "Validation failure: Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed."},
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
		{"rate_limit_policies", `"x"`, nil, invalid("rate_limit_policies", "x", notList)},
		{"rate_limit_policies", `["x"]`, nil, "Validation failure: rate_limit_policies cannot be set here: set listener_id where the rate limit policy is made, " +
			"and delete the policy to take it away."},
		{"rate_limit_policies", `[]`, nil, ""},
		{"rate_limit_policies", `null`, nil, ""},
	}
}

// tlsSamples are those of a listener that ends TLS, has a client CA and says how long HSTS is to hold.
func tlsSamples() []sample {
	samples := slices.Concat(
		refSamples("default_tls_container_ref")[:5], refSamples("client_ca_tls_container_ref"), refSamples("client_crl_container_ref"))
	long := strings.Repeat("r", 256)
	return append(samples,
		sample{"default_tls_container_ref", `null`, nil, "Validation failure: An SNI or default certificate container reference must be provided with a client CA container reference."},
		sample{"sni_container_refs", `"x"`, nil, invalid("sni_container_refs", "x", notList)},
		sample{"sni_container_refs", `[7]`, nil, invalid("sni_container_refs", "7", notString)},
		sample{"sni_container_refs", `["` + long + `"]`, nil, invalid("sni_container_refs", long, tooLong)},
		sample{"sni_container_refs", `["b","a"]`, []any{"b", "a"}, ""},
		sample{"sni_container_refs", `[]`, []any{}, ""},
		sample{"sni_container_refs", `null`, []any{}, ""},
		sample{"client_authentication", `7`, nil, invalid("client_authentication", "7", notString)},
		sample{"client_authentication", `"OPTIONAL"`, "OPTIONAL", ""},
		sample{"client_authentication", `"MANDATORY"`, "MANDATORY", ""},
		sample{"client_authentication", `null`, "NONE", ""},
		sample{"tls_ciphers", `"` + strings.Repeat("A", 2049) + `"`, nil, invalid("tls_ciphers", strings.Repeat("A", 2049), "Value should have a maximum character requirement of 2048")},
		sample{"tls_ciphers", `"A:B"`, "A:B", ""},
		sample{"tls_ciphers", `null`, lbaas.DefaultCiphers, ""},
		sample{"tls_versions", `"TLSv1.3"`, nil, invalid("tls_versions", "TLSv1.3", notList)},
		sample{"tls_versions", `["TLSv1.2","x","y"]`, nil, "Validation failure: Invalid TLS versions: x, y"},
		sample{"tls_versions", `[]`, nil, "Validation failure: Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default."},
		sample{"tls_versions", `["SSLv3","TLSv1","TLSv1.1"]`, []any{"SSLv3", "TLSv1", "TLSv1.1"}, ""},
		sample{"tls_versions", `null`, []any{"TLSv1.2", "TLSv1.3"}, ""},
		sample{"alpn_protocols", `[]`, nil, "Validation failure: Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default."},
		sample{"alpn_protocols", `["http/1.0"]`, []any{"http/1.0"}, ""},
		sample{"alpn_protocols", `null`, []any{"h2", "http/1.1", "http/1.0"}, ""},
		sample{"hsts_max_age", `-1`, nil, invalid("hsts_max_age", "-1", "Value should be greater or equal to 0")},
		sample{"hsts_max_age", `"x"`, nil, invalid("hsts_max_age", "x", notInteger)},
		sample{"hsts_max_age", `0`, 0.0, ""},
		sample{"hsts_max_age", `null`, nil, ""},
		sample{"hsts_include_subdomains", `"x"`, nil, invalid("hsts_include_subdomains", "x", notBoolean)},
		sample{"hsts_include_subdomains", `true`, true, ""},
		sample{"hsts_include_subdomains", `null`, false, ""},
		sample{"hsts_preload", `"yes"`, true, ""},
		sample{"hsts_preload", `null`, false, ""},
		sample{"insert_headers", `{"X-SSL-Issuer":"true","X-Forwarded-For":"0"}`, object{"X-SSL-Issuer": "true", "X-Forwarded-For": "0"}, ""},
	)
}

func TestListenerTLSAttributes(t *testing.T) {
	c := newCloud(t).everything()
	n := listenerNoun(c.loadBalancer())
	n.base = more(n.base, object{
		"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": "http://b/1", "client_ca_tls_container_ref": "http://b/2", "hsts_max_age": 5,
	})
	n.creates(t, c, tlsSamples())
	n.updates(t, c, object{"tls_ciphers": "OLD", "hsts_preload": true}, tlsSamples())
}

// TestListenerHSTS goes through HSTS with and without its age, in a POST and in a PUT.
func TestListenerHSTS(t *testing.T) {
	c := newCloud(t).everything()
	base := object{"loadbalancer_id": c.loadBalancer(), "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "http://b/1"}
	for _, flag := range []string{"hsts_include_subdomains", "hsts_preload"} {
		c.postListener(more(base, object{flag: true})).
			fault(t, 400, "Validation failure: HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well.")
	}
	l := "/listeners/" + c.make("/listeners", "listener", more(base, object{"hsts_max_age": 5, "hsts_preload": true}))["id"].(string)
	if got := c.put(l, "listener", object{"hsts_max_age": nil}); got["hsts_max_age"] != nil || got["hsts_preload"] != true {
		t.Errorf("without an age: %v, %v", got["hsts_max_age"], got["hsts_preload"])
	}
	c.put(l, "listener", object{"name": "x"})
	c.do(http.MethodPut, root+l, object{"listener": object{"hsts_preload": true}}).
		fault(t, 400, "Validation failure: Cannot enable hsts_include_subdomains or hsts_preload if hsts_max_age was not set as well.")
	c.put(l, "listener", object{"hsts_preload": false})
	c.put(l, "listener", object{"hsts_preload": true, "hsts_max_age": "7"})
}

// TestListenerCertificateRules has every rule that spans the attributes of TLS, in a POST and in a PUT.
func TestListenerCertificateRules(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	const (
		failure  = "Validation failure: "
		withCA   = failure + "An SNI or default certificate container reference must be provided with a client CA container reference."
		required = failure + "An SNI or default certificate container reference must be provided for TERMINATED_HTTPS protocol listeners."
		noCA     = failure + "A client authentication CA reference is required to specify a client authentication revocation list."
	)
	auth := func(setting string) string {
		return failure + "Client authentication setting " + setting + " requires a client CA container reference."
	}
	on := func(protocol string) string {
		return failure + "Certificate container references are not allowed on " + protocol + " protocol listeners."
	}
	for _, test := range []struct {
		protocol string
		body     object
		post     string
		put      string // to a listener that has no more than it needs; "" is what the POST says
	}{
		{"HTTP", object{"sni_container_refs": []string{"x"}}, on("HTTP"), ""},
		{"TCP", object{"client_ca_tls_container_ref": "x"}, on("TCP"), ""},
		{"HTTPS", object{"default_tls_container_ref": "x"}, on("HTTPS"), ""},
		{"UDP", object{"default_tls_container_ref": "x"}, failure + "UDP protocol listener does not support TLS.", failure + "UDP protocol listener does not support TLS or header insertion."},
		{"SCTP", object{"sni_container_refs": []string{"x"}}, failure + "SCTP protocol listener does not support TLS.", failure + "SCTP protocol listener does not support TLS or header insertion."},
		{"UDP", object{"insert_headers": object{"X-Forwarded-For": "true"}}, "insert-headers is not a valid option for a UDP protocol listener.",
			failure + "UDP protocol listener does not support TLS or header insertion."},
		{"TCP", object{"insert_headers": object{"X-Forwarded-For": "true"}}, "insert-headers is not a valid option for a TCP protocol listener.", ""},
		{"PROMETHEUS", object{"insert_headers": object{"X-Forwarded-For": "true"}}, "insert-headers is not a valid option for a PROMETHEUS protocol listener.", ""},
		{"HTTP", object{"insert_headers": object{"X-SSL-Issuer": "true", "X-Forwarded-For": "true", "X-SSL-Client-CN": "1"}}, "['X-SSL-Client-CN', 'X-SSL-Issuer'] is not a valid option for HTTP protocol listener.", ""},
		{"PROMETHEUS", object{"client_ca_tls_container_ref": "x"}, withCA, ""},
		{"TERMINATED_HTTPS", object{"default_tls_container_ref": nil, "client_ca_tls_container_ref": "x"}, withCA, ""},
		{"TERMINATED_HTTPS", object{"default_tls_container_ref": nil}, required, ""},
		{"TERMINATED_HTTPS", object{"default_tls_container_ref": nil, "sni_container_refs": []string{}}, required, ""},
		{"TERMINATED_HTTPS", object{"client_authentication": "MANDATORY"}, auth("MANDATORY"), ""},
		{"HTTP", object{"client_authentication": "OPTIONAL"}, auth("OPTIONAL"), ""},
		{"TERMINATED_HTTPS", object{"client_crl_container_ref": "x"}, noCA, ""},
	} {
		base := object{"loadbalancer_id": lb, "protocol": test.protocol, "protocol_port": 443}
		if test.protocol == "TERMINATED_HTTPS" {
			base["default_tls_container_ref"] = "http://b/1"
		}
		c.postListener(more(base, test.body)).fault(t, 400, test.post)
		path := root + "/listeners/" + c.make("/listeners", "listener", base)["id"].(string)
		c.do(http.MethodPut, path, object{"listener": test.body}).fault(t, 400, stdcmp.Or(test.put, test.post))
		c.do(http.MethodDelete, path, nil)
	}
	good := object{"loadbalancer_id": lb, "protocol": "PROMETHEUS", "protocol_port": 9090}
	plain := "/listeners/" + c.make("/listeners", "listener", good)["id"].(string)
	c.put(plain, "listener", object{"default_tls_container_ref": "http://b/1"})
	sni := "/listeners/" + c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "sni_container_refs": []string{"x"}})["id"].(string)
	c.do(http.MethodPut, root+sni, object{"listener": object{"sni_container_refs": nil}}).fault(t, 400, required)
	c.put(sni, "listener", object{"sni_container_refs": nil, "default_tls_container_ref": "http://b/1"})
}

// TestPrometheusHasNoChildren tries to give one a pool in every way.
func TestPrometheusHasNoChildren(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	p := c.pool(lb)
	const none = "Protocol PROMETHEUS listeners cannot have child objects."
	base := object{"loadbalancer_id": lb, "protocol": "PROMETHEUS", "protocol_port": 9090}
	c.postListener(more(base, object{"default_pool_id": p})).fault(t, 400, none)
	l := c.make("/listeners", "listener", base)["id"].(string)
	c.do(http.MethodPut, root+"/listeners/"+l, object{"listener": object{"default_pool_id": p}}).fault(t, 400, none)
	c.do(http.MethodPost, root+"/pools", object{"pool": object{"listener_id": l, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}}).fault(t, 400, none)
	c.do(http.MethodPost, root+"/l7policies", object{"l7policy": object{"listener_id": l, "action": "REJECT"}}).fault(t, 400, none)
	nested := object{"protocol": "PROMETHEUS", "protocol_port": 9090}
	c.postLB(object{"vip_subnet_id": c.subnet.ID, "listeners": []object{more(nested, object{"default_pool": object{"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}})}}).
		fault(t, 400, none)
	c.postLB(object{"vip_subnet_id": c.subnet.ID, "listeners": []object{more(nested, object{"l7policies": []object{{"action": "REJECT"}}})}}).fault(t, 400, none)
}

// TestListenerPools has every pair of protocols (API section 1.7).
func TestListenerPools(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	allowed := map[string][]string{
		"TCP": {"HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP"}, "HTTP": {"HTTP", "PROXY", "PROXYV2"}, "HTTPS": {"HTTPS", "PROXY", "PROXYV2", "TCP"},
		"TERMINATED_HTTPS": {"HTTP", "PROXY", "PROXYV2"}, "UDP": {"UDP"}, "SCTP": {"SCTP"},
	}
	pools := map[string]string{}
	for _, protocol := range []string{"TCP", "HTTP", "HTTPS", "PROXY", "PROXYV2", "UDP", "SCTP"} {
		pools[protocol] = c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	}
	for listener, good := range allowed {
		base := object{"loadbalancer_id": lb, "protocol": listener, "protocol_port": 80}
		if listener == "TERMINATED_HTTPS" {
			base["default_tls_container_ref"] = "x"
		}
		bare := c.make("/listeners", "listener", more(base, object{"protocol_port": 81}))["id"].(string)
		for pool, id := range pools {
			a := c.postListener(more(base, object{"default_pool_id": id}))
			put := c.do(http.MethodPut, root+"/listeners/"+bare, object{"listener": object{"default_pool_id": id}})
			if slices.Contains(good, pool) {
				if a.code != http.StatusCreated || put.code != http.StatusOK {
					t.Errorf("a %s listener with a %s pool: %d %s, %d %s", listener, pool, a.code, a.raw, put.code, put.raw)
				} else {
					c.must(http.StatusNoContent, http.MethodDelete, "/listeners/"+a.body["listener"].(object)["id"].(string), nil)
				}
				continue
			}
			want := "Validation failure: The pool protocol '" + pool + "' is invalid while the listener protocol is '" + listener + "'."
			a.fault(t, 400, want)
			put.fault(t, 400, want)
		}
		c.must(http.StatusNoContent, http.MethodDelete, "/listeners/"+bare, nil)
	}
}

// TestListenerPorts has which protocols share their ports.
func TestListenerPorts(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	listener := func(protocol string) object {
		l := object{"loadbalancer_id": lb, "protocol": protocol, "protocol_port": 53}
		if protocol == "TERMINATED_HTTPS" {
			l["default_tls_container_ref"] = "x"
		}
		return l
	}
	stream := []string{"TCP", "HTTP", "HTTPS", "TERMINATED_HTTPS", "PROMETHEUS"}
	for _, first := range stream {
		l := c.make("/listeners", "listener", listener(first))["id"].(string)
		for _, second := range stream {
			c.postListener(listener(second)).fault(t, 409, "Another Listener on this Load Balancer is already using protocol "+first+" and protocol_port 53")
		}
		c.must(http.StatusNoContent, http.MethodDelete, "/listeners/"+l, nil)
	}
	for _, protocol := range []string{"TCP", "UDP", "SCTP"} {
		c.make("/listeners", "listener", listener(protocol))
		c.postListener(listener(protocol)).fault(t, 409, "Another Listener on this Load Balancer is already using protocol "+protocol+" and protocol_port 53")
	}
}

func TestListenerAttributes(t *testing.T) {
	c := newCloud(t)
	n := listenerNoun(c.loadBalancer())
	samples := append(append(append(commonSamples(), twiceTagged()), described()...), listenerSamples()...)
	posts := append(append(samples, posted()...),
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
	)
	posts = append(posts, nulls("loadbalancer_id", "protocol", "protocol_port")...)
	posts = append(posts, sample{"protocol", `"TCP"`, "TCP", ""}, sample{"loadbalancer_id", `"` + n.base["loadbalancer_id"].(string) + `"`, nil, ""})
	n.creates(t, c, posts)
	n.complete(t, c, http.MethodPost, append(posts, tlsSamples()...))
	puts := append(slices.Clone(samples),
		sample{"connection_limit", `null`, -1.0, ""},
		sample{"tls_versions", `null`, []any{"TLSv1.2", "TLSv1.3"}, ""},
		sample{"tls_versions", `["TLSv9"]`, nil, "Validation failure: Invalid TLS versions: TLSv9"},
		sample{"tls_versions", `[]`, nil, "Validation failure: Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default."},
		sample{"alpn_protocols", `[]`, nil, "Validation failure: Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default."},
		sample{"alpn_protocols", `null`, []any{"h2", "http/1.1", "http/1.0"}, ""},
		sample{"tags", `null`, []any{"t"}, ""},
	)
	n.updates(t, c, object{"name": "before", "tags": []string{"t"}, "connection_limit": 5, "timeout_client_data": 1}, puts)
	n.complete(t, c, http.MethodPut, append(puts, tlsSamples()...))
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
