package octavia_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// everything serves the API with a provider that supports whatever it is given.
func (c *cloud) everything() *cloud {
	c.serve(octavia.Config{
		Store: c.store, Networks: c.store, Auth: everybody(), Certificates: octavia.AnyCertificate{},
		Providers: []provider.Face{{Name: "noop", Aliases: []string{"nothing"}}}, DefaultProvider: "noop",
	})
	return c
}

func poolNoun(lb string) noun {
	return noun{"/pools", "pool", object{"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}}
}

func TestPoolShape(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	poolNoun(lb).shape(t, c, object{
		"name": "", "description": "", "admin_state_up": true, "project_id": mine, "tenant_id": mine, "tags": []any{},
		"provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE", "updated_at": nil,
		"loadbalancers": []any{object{"id": lb}}, "listeners": []any{}, "members": []any{}, "protocol": "HTTP",
		"lb_algorithm": "ROUND_ROBIN", "session_persistence": nil, "tls_enabled": false, "tls_container_ref": nil,
		"ca_tls_container_ref": nil, "crl_container_ref": nil, "tls_ciphers": nil, "tls_versions": nil, "alpn_protocols": nil,
	})
}

func persistence(kind string, cookie any) object {
	return object{"type": kind, "cookie_name": cookie, "persistence_timeout": nil, "persistence_granularity": nil}
}

func poolSamples() []sample {
	const nested = "Unknown attribute for argument pool_.pool.session_persistence: "
	return []sample{
		{"session_persistence", `"SOURCE_IP"`, nil, invalid("session_persistence", "SOURCE_IP", "Value should be object")},
		{"session_persistence", `{"type":"SOURCE_IP","kind":1}`, nil, nested + "kind"},
		{"session_persistence", `{"type":"MAGIC"}`, nil, invalid("type", "MAGIC", "Value should be one of: APP_COOKIE, HTTP_COOKIE, SOURCE_IP")},
		{"session_persistence", `{"type":"APP_COOKIE"}`, nil, `Validation failure: Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.`},
		{"session_persistence", `{"type":"SOURCE_IP","persistence_granularity":32}`, nil, invalid("persistence_granularity", "32", notString)},
		{"session_persistence", `{"type":"SOURCE_IP","persistence_granularity":"x"}`, nil, invalid("persistence_granularity", "x", notAddress)},
		{"session_persistence", `{"type":"SOURCE_IP","persistence_granularity":"10.0.0.0/8"}`, nil, invalid("persistence_granularity", "10.0.0.0/8", notAddress)},
		{"session_persistence", `{"type":"SOURCE_IP","persistence_timeout":5}`, nil, "Validation failure: persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools."},
		{"session_persistence", `{"type":"SOURCE_IP"}`, persistence("SOURCE_IP", nil), ""},
		{"session_persistence", `{"type":"HTTP_COOKIE"}`, persistence("HTTP_COOKIE", nil), ""},
		{"session_persistence", `{"type":"APP_COOKIE","cookie_name":"SID"}`, persistence("APP_COOKIE", "SID"), ""},
		{"session_persistence", `null`, nil, ""},
		{"lb_algorithm", `"RANDOM"`, nil, invalid("lb_algorithm", "RANDOM", "Value should be one of: LEAST_CONNECTIONS, ROUND_ROBIN, SOURCE_IP, SOURCE_IP_PORT")},
		{"lb_algorithm", `"SOURCE_IP_PORT"`, "SOURCE_IP_PORT", ""},
		{"tls_enabled", `"x"`, nil, invalid("tls_enabled", "x", notBoolean)},
		{"tls_enabled", `true`, true, ""},
		{"tls_ciphers", `"A B"`, nil, "Validation failure: Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed."},
		{"tls_ciphers", `"AES"`, "AES", ""},
		{"tls_versions", `[7]`, nil, invalid("tls_versions", "7", notString)},
		{"tls_versions", `["TLSv1.2"]`, []any{"TLSv1.2"}, ""},
		{"alpn_protocols", `["h3"]`, nil, invalid("alpn_protocols", "h3", "Value should be one of: h2, http/1.0, http/1.1")},
		{"alpn_protocols", `["http/1.1"]`, []any{"http/1.1"}, ""},
		{"alpn_protocols", `null`, nil, ""},
	}
}

// poolTLSSamples are those of a pool that speaks TLS to its members and knows their CA.
func poolTLSSamples() []sample {
	samples := slices.Concat(refSamples("tls_container_ref"), refSamples("ca_tls_container_ref"), refSamples("crl_container_ref"))
	return append(samples,
		sample{"tls_enabled", `false`, false, ""},
		sample{"tls_versions", `["TLSv1.2","x","y"]`, nil, "Validation failure: Invalid TLS versions: x, y"},
		sample{"tls_versions", `[]`, nil, "Validation failure: Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default."},
		sample{"tls_versions", `["TLSv1.1"]`, []any{"TLSv1.1"}, ""},
		sample{"tls_versions", `null`, []any{"TLSv1.2", "TLSv1.3"}, ""},
		sample{"tls_ciphers", `"A:B"`, "A:B", ""},
		sample{"tls_ciphers", `null`, lbaas.DefaultCiphers, ""},
		sample{"alpn_protocols", `[]`, nil, "Validation failure: Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default."},
		sample{"alpn_protocols", `["h2"]`, []any{"h2"}, ""},
	)
}

func TestPoolTLSAttributes(t *testing.T) {
	c := newCloud(t).everything()
	n := poolNoun(c.loadBalancer())
	n.base = more(n.base, object{"tls_enabled": true, "ca_tls_container_ref": "http://b/1"})
	n.creates(t, c, append(poolTLSSamples(), sample{"alpn_protocols", `null`, []any{"h2", "http/1.1", "http/1.0"}, ""}))
	n.updates(t, c, object{"tls_ciphers": "OLD", "tls_container_ref": "http://b/2"}, append(poolTLSSamples(), sample{"alpn_protocols", `null`, nil, ""}))
}

// TestPoolRevocation goes through the rules of a CA and its revocation list.
func TestPoolRevocation(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	bare := "/pools/" + c.pool(lb)
	full := "/pools/" + c.make("/pools", "pool", object{
		"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "ca_tls_container_ref": "ca", "crl_container_ref": "crl",
	})["id"].(string)
	put := func(path string, body object) answer { return c.do(http.MethodPut, root+path, object{"pool": body}) }
	put(bare, object{"crl_container_ref": "x"}).fault(t, 400, "Validation failure: A CA reference is required to specify a certificate revocation list.")
	put(bare, object{"crl_container_ref": "x", "ca_tls_container_ref": nil}).fault(t, 400, "Validation failure: A CA reference is required to specify a certificate revocation list.")
	put(full, object{"ca_tls_container_ref": nil}).fault(t, 400, "Validation failure: A CA reference cannot be removed when a certificate revocation list is present.")
	put(full, object{"ca_tls_container_ref": nil, "crl_container_ref": "new"}).fault(t, 400, "Validation failure: A CA reference cannot be removed when a certificate revocation list is present.")
	c.put(full, "pool", object{"ca_tls_container_ref": "other"})
	c.put(full, "pool", object{"ca_tls_container_ref": nil, "crl_container_ref": nil})
	c.put(bare, "pool", object{"ca_tls_container_ref": "ca", "crl_container_ref": "crl"})
}

// TestSessionPersistence has every attribute of session_persistence on every kind of pool, in a POST and in a PUT.
func TestSessionPersistence(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	const failure = "Validation failure: "
	const datagram = failure + "persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools."
	full := object{"type": "SOURCE_IP", "cookie_name": nil, "persistence_timeout": 5.0, "persistence_granularity": "255.255.0.0"}
	source := object{"type": "SOURCE_IP", "cookie_name": nil, "persistence_timeout": nil, "persistence_granularity": nil}
	app := more(source, object{"type": "APP_COOKIE", "cookie_name": "SID"})
	long := strings.Repeat("c", 256)
	pattern := `Value should match the pattern ^[^\s,;\\]+$`
	for _, test := range []struct {
		protocols []string
		given     object
		shows     object
		fault     string
	}{
		{[]string{"HTTP", "UDP"}, object{"type": nil}, nil, failure + "Invalid session_persistence provided."},
		{[]string{"HTTP", "UDP"}, object{"type": 7}, nil, invalid("type", "7", notString)},
		{[]string{"HTTP", "UDP"}, object{"type": "source_ip"}, nil, invalid("type", "source_ip", "Value should be one of: APP_COOKIE, HTTP_COOKIE, SOURCE_IP")},
		{[]string{"HTTP", "UDP"}, object{"type": "SOURCE_IP", "kind": 1}, nil, "Unknown attribute for argument pool_.pool.session_persistence: kind"},
		{[]string{"HTTP"}, object{"type": "APP_COOKIE", "cookie_name": 7}, nil, invalid("cookie_name", "7", notString)},
		{[]string{"HTTP"}, object{"type": "APP_COOKIE", "cookie_name": long}, nil, invalid("cookie_name", long, tooLong)},
		{[]string{"HTTP"}, object{"type": "APP_COOKIE", "cookie_name": "a b"}, nil, invalid("cookie_name", "a b", pattern)},
		{[]string{"HTTP"}, object{"type": "APP_COOKIE", "cookie_name": "a;b"}, nil, invalid("cookie_name", "a;b", pattern)},
		{[]string{"HTTP"}, object{"type": "APP_COOKIE", "cookie_name": "a:b"}, nil, failure + `Supplied "cookie_name" is invalid.`},
		{[]string{"HTTP"}, object{"type": "APP_COOKIE", "cookie_name": "sé"}, nil, failure + `Supplied "cookie_name" is invalid.`},
		{[]string{"HTTP"}, object{"type": "APP_COOKIE", "cookie_name": nil}, nil, failure + `Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.`},
		{[]string{"HTTP"}, object{"type": "APP_COOKIE"}, nil, failure + `Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.`},
		{[]string{"HTTP"}, object{"type": "HTTP_COOKIE", "cookie_name": "a"}, nil, failure + `Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE".`},
		{[]string{"TCP"}, object{"type": "SOURCE_IP", "cookie_name": "a"}, nil, failure + `Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE".`},
		{[]string{"HTTP", "TCP"}, object{"type": "SOURCE_IP", "persistence_timeout": 5}, nil, datagram},
		{[]string{"HTTP", "TCP"}, object{"type": "SOURCE_IP", "persistence_granularity": "255.0.0.0"}, nil, datagram},
		{[]string{"UDP"}, object{"type": "SOURCE_IP", "persistence_timeout": "x"}, nil, invalid("persistence_timeout", "x", notInteger)},
		{[]string{"UDP"}, object{"type": "SOURCE_IP", "persistence_granularity": 24}, nil, invalid("persistence_granularity", "24", notString)},
		{[]string{"SCTP"}, object{"type": "SOURCE_IP", "persistence_granularity": "24"}, nil, invalid("persistence_granularity", "24", notAddress)},
		{[]string{"UDP"}, object{"type": "SOURCE_IP", "cookie_name": "a"}, nil, failure + "session_persistence SOURCE_IP type for UDP and SCTP protocols only accepts: type, persistence_timeout, persistence_granularity."},
		{[]string{"UDP", "SCTP"}, object{"type": "APP_COOKIE", "cookie_name": "a"}, nil, failure + "Cookie names are not supported for UDP/SCTP pools."},
		{[]string{"UDP"}, object{"type": "SOURCE_IP", "cookie_name": "a b"}, nil, invalid("cookie_name", "a b", pattern)},
		{[]string{"UDP"}, object{"type": "HTTP_COOKIE"}, nil, failure + "Session persistence of type HTTP_COOKIE is not supported for UDP/SCTP protocol pools."},
		{[]string{"SCTP"}, object{"type": "APP_COOKIE"}, nil, failure + "Session persistence of type APP_COOKIE is not supported for UDP/SCTP protocol pools."},
		{[]string{"HTTP", "TCP", "HTTPS", "PROXY", "PROXYV2", "UDP", "SCTP"}, object{"type": "SOURCE_IP"}, source, ""},
		{[]string{"HTTP", "TCP", "HTTPS", "PROXY", "PROXYV2"}, object{"type": "HTTP_COOKIE"}, more(source, object{"type": "HTTP_COOKIE"}), ""},
		{[]string{"HTTP", "TCP", "HTTPS", "PROXY", "PROXYV2"}, object{"type": "APP_COOKIE", "cookie_name": "SID"}, app, ""},
		{[]string{"UDP", "SCTP"}, object{"type": "SOURCE_IP", "persistence_timeout": "5", "persistence_granularity": "255.255.0.0"}, full, ""},
		{[]string{"UDP"}, object{"type": "SOURCE_IP", "persistence_granularity": "ffff::"}, more(source, object{"persistence_granularity": "ffff::"}), ""},
		{[]string{"HTTP", "UDP"}, object{"type": "SOURCE_IP", "cookie_name": nil, "persistence_timeout": nil, "persistence_granularity": nil}, source, ""},
	} {
		for _, protocol := range test.protocols {
			pool := object{"loadbalancer_id": lb, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN"}
			path := root + "/pools/" + c.make("/pools", "pool", pool)["id"].(string)
			post := c.do(http.MethodPost, root+"/pools", object{"pool": more(pool, object{"session_persistence": test.given})})
			put := c.do(http.MethodPut, path, object{"pool": object{"session_persistence": test.given}})
			if test.fault != "" {
				post.fault(t, 400, test.fault)
				put.fault(t, 400, test.fault)
				continue
			}
			for code, a := range map[int]answer{201: post, 200: put} {
				if a.code != code {
					t.Errorf("%s %v: %d %s", protocol, test.given, a.code, a.raw)
				} else if diff := cmp.Diff(test.shows, at(a.body, "pool", "session_persistence")); diff != "" {
					t.Errorf("%s %v (-want +got):\n%s", protocol, test.given, diff)
				}
			}
			if a := c.do(http.MethodPut, path, object{"pool": object{"session_persistence": nil}}); at(a.body, "pool")["session_persistence"] != nil {
				t.Errorf("null leaves %s", a.raw)
			}
		}
	}
}

func TestPoolAttributes(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	n := poolNoun(lb)
	samples := append(append(append(commonSamples(), twiceTagged()), described()...), poolSamples()...)
	posts := append(append(samples, posted()...),
		sample{"protocol", `"TERMINATED_HTTPS"`, nil, invalid("protocol", "TERMINATED_HTTPS", "Value should be one of: HTTP, HTTPS, PROXY, PROXYV2, SCTP, TCP, UDP")},
		sample{"session_persistence", `{}`, nil, invalid("type", "None", missing)},
		sample{"session_persistence", `{"cookie_name":"SID"}`, nil, invalid("type", "None", missing)},
		sample{"loadbalancer_id", `"x"`, nil, invalid("loadbalancer_id", "x", notUUID)},
		sample{"listener_id", `"x"`, nil, invalid("listener_id", "x", notUUID)},
		sample{"loadbalancer_id", `null`, nil, "Validation failure: Must provide at least one of: loadbalancer_id, listener_id"},
		sample{"members", `[]`, nil, "Unknown attribute for argument pool_.pool: members"},
		sample{"healthmonitor", `{}`, nil, "Unknown attribute for argument pool_.pool: healthmonitor"},
		sample{"crl_container_ref", `"x"`, nil, "Validation failure: A CA certificate reference is required to specify a revocation list."},
		sample{"tls_ciphers", `null`, nil, ""},
		sample{"tls_versions", `null`, nil, ""},
	)
	posts = append(posts, nulls("protocol", "lb_algorithm")...)
	posts = append(posts,
		sample{"protocol", `"SCTP"`, "SCTP", ""},
		sample{"loadbalancer_id", `"` + lb + `"`, nil, ""}, // answers show loadbalancers and listeners
		sample{"listener_id", `"` + c.listener(lb, 80) + `"`, nil, ""},
		sample{"listener_id", `null`, nil, ""},
		sample{"tls_enabled", `null`, false, ""},
		sample{"tags", `null`, []any{}, ""},
		sample{"tls_versions", `["TLSv9"]`, []any{"TLSv9"}, ""}, // which means nothing without TLS
		sample{"tls_versions", `[]`, nil, ""},
		sample{"alpn_protocols", `[]`, nil, ""},
	)
	n.creates(t, c, posts)
	n.complete(t, c, http.MethodPost, append(posts, poolTLSSamples()...))
	before := object{"session_persistence": object{"type": "APP_COOKIE", "cookie_name": "OLD"}, "tags": []string{"t"}}
	puts := append(slices.Clone(samples),
		sample{"session_persistence", `{}`, nil, `Validation failure: Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.`},
		sample{"crl_container_ref", `"x"`, nil, "Validation failure: A CA reference is required to specify a certificate revocation list."},
		sample{"session_persistence", `{"cookie_name":"NEW"}`, persistence("APP_COOKIE", "NEW"), ""},
		sample{"lb_algorithm", `null`, nil, "None is not a valid option for lb_algorithm"},
		sample{"tls_enabled", `null`, nil, "None is not a valid option for tls_enabled"},
		sample{"tls_versions", `null`, []any{"TLSv1.2", "TLSv1.3"}, ""},
		sample{"tags", `null`, []any{"t"}, ""},
	)
	n.updates(t, c, before, puts)
	n.complete(t, c, http.MethodPut, append(puts, poolTLSSamples()...))
	n.required(t, c, "protocol", "lb_algorithm")
	n.readOnly(t, c, "pool_.pool", "loadbalancer_id", "listener_id", "protocol", "members", "healthmonitor", "healthmonitor_id", "listeners")
}

func TestPoolPersistenceOnUDP(t *testing.T) {
	c := newCloud(t).everything()
	lb := c.loadBalancer()
	want := object{"type": "SOURCE_IP", "cookie_name": nil, "persistence_timeout": 5.0, "persistence_granularity": "255.255.255.0"}
	got := c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "UDP", "lb_algorithm": "SOURCE_IP", "session_persistence": object{
		"type": "SOURCE_IP", "persistence_timeout": "5", "persistence_granularity": "255.255.255.0",
	}})
	if diff := cmp.Diff(want, got["session_persistence"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPoolOfListener(t *testing.T) {
	c := newCloud(t)
	lb, other := c.loadBalancer(), c.loadBalancer()
	l, far := c.listener(lb, 80), c.listener(other, 80)
	c.achieve()
	post := func(more object) answer {
		body := object{"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
		for k, v := range more {
			body[k] = v
		}
		return c.do(http.MethodPost, root+"/pools", object{"pool": body})
	}
	const unknown = "5e2e5e5e-0000-4000-8000-000000000000"
	post(object{"loadbalancer_id": unknown}).fault(t, 404, "Load Balancer "+unknown+" not found.")
	post(object{"listener_id": unknown}).fault(t, 404, "Listener "+unknown+" not found.")
	post(object{"listener_id": far, "loadbalancer_id": lb}).fault(t, 404, "Listener "+far+" not found.")
	post(object{"listener_id": l, "protocol": "TCP"}).fault(t, 400, "Validation failure: The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'.")
	post(object{"listener_id": l, "loadbalancer_id": lb, "protocol": "TCP"}).fault(t, 400, "Validation failure: The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'.")
	a := post(object{"listener_id": l})
	if a.code != http.StatusCreated {
		t.Fatalf("%d %s", a.code, a.raw)
	}
	pool := a.body["pool"].(object)
	if diff := cmp.Diff([]any{object{"id": l}}, pool["listeners"]); diff != "" {
		t.Errorf("listeners (-want +got):\n%s", diff)
	}
	post(object{"listener_id": l}).fault(t, 409, "This listener already has a default pool")
	listener := c.show("/listeners/"+l, "listener")
	if listener["default_pool_id"] != pool["id"] || listener["provisioning_status"] != "PENDING_UPDATE" {
		t.Errorf("the listener is %v", listener)
	}
	if lb := c.show("/loadbalancers/"+lb, "loadbalancer"); lb["provisioning_status"] != "PENDING_UPDATE" {
		t.Errorf("the load balancer is %v", lb["provisioning_status"])
	}
	c.achieve()
	c.put("/pools/"+pool["id"].(string), "pool", object{})
	for path, key := range map[string]string{"/listeners/" + l: "listener", "/pools/" + pool["id"].(string): "pool", "/loadbalancers/" + lb: "loadbalancer"} {
		if got := c.show(path, key)["provisioning_status"]; got != "PENDING_UPDATE" {
			t.Errorf("after a PUT of nothing %s is %v, want PENDING_UPDATE", path, got)
		}
	}
	c.must(204, "DELETE", "/pools/"+pool["id"].(string), nil)
	if got := c.show("/listeners/"+l, "listener")["default_pool_id"]; got != nil {
		t.Errorf("the listener keeps the pool %v", got)
	}
	if got := c.show("/pools/"+pool["id"].(string), "pool")["provisioning_status"]; got != "PENDING_DELETE" {
		t.Errorf("the pool is %v", got)
	}
	c.do(http.MethodPut, root+"/pools/"+pool["id"].(string), object{"pool": object{}}).
		fault(t, 409, "Pool "+pool["id"].(string)+" is immutable and cannot be updated.")
	c.do(http.MethodDelete, root+"/pools/"+pool["id"].(string), nil).
		fault(t, 409, "Pool "+pool["id"].(string)+" is immutable and cannot be updated.")
	c.do(http.MethodPost, root+"/pools/"+pool["id"].(string)+"/members", object{"member": object{"address": "10.0.0.1", "protocol_port": 1}}).
		fault(t, 409, "Pool "+pool["id"].(string)+" is immutable and cannot be updated.")
	c.achieve()
	c.do(http.MethodGet, root+"/pools/"+pool["id"].(string), nil).fault(t, 404, "Pool "+pool["id"].(string)+" not found.")
}
