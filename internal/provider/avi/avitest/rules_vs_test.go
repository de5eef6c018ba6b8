package avitest

import (
	"net/http"
	"testing"
)

// parent makes a parent that ends TLS, and returns its path.
func (b *bench) parent(name, vip string) string {
	b.t.Helper()
	return b.vs(name, vip, 0, js{"type": "VS_TYPE_VH_PARENT", "services": []any{js{"port": 443, "enable_ssl": true}},
		"application_profile_ref": "/api/applicationprofile?name=System-Secure-HTTP", "ssl_key_and_certificate_refs": []any{b.certificate(name, true)}})
}

// childOf is the body of a child.
func childOf(name, parent, certificate string, more js, domains ...any) js {
	c := js{"name": name, "type": "VS_TYPE_VH_CHILD", "vh_parent_vs_ref": parent, "vh_domain_name": domains, "ssl_key_and_certificate_refs": []any{certificate}}
	for k, v := range more {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

// TestBadVirtualServices are refused, and change nothing.
func TestBadVirtualServices(t *testing.T) {
	b := newBench(t, modelOptions{})
	vip, other := b.vsvip("i"), b.vsvip("j")
	used := b.pool("used")
	vrf := b.make("vrfcontext", js{"name": "subnet-1"})
	cloud := b.make("cloud", js{"name": "c", "vtype": "CLOUD_NONE"})
	set := b.make("httppolicyset", js{"name": "s", "http_request_policy": js{"rules": []any{js{"index": 0, "name": "r", "switching_action": js{"action": "HTTP_SWITCHING_SELECT_POOL", "pool_ref": used}}}}})
	free := b.make("httppolicyset", js{"name": "free"})
	taken := b.make("httppolicyset", js{"name": "taken"})
	plain := b.vs("plain", vip, 80, js{"pool_ref": used, "http_policies": []any{js{"index": 3, "http_policy_set_ref": set}, js{"index": 4, "http_policy_set_ref": taken}}})
	parent := b.parent("parent", vip)
	b.make("virtualservice", childOf("first", parent, b.certificate("first", true), nil, "www.example.com"))
	ec, again, rsa := b.certificate("ec", true), b.certificate("again", true), b.certificate("rsa", false)
	ca, _ := keypair(t, "ca", true, true)
	authority := b.make("sslkeyandcertificate", js{"name": "ca", "type": "SSL_CERTIFICATE_TYPE_CA", "certificate": js{"certificate": ca}})
	on := func(port int, more js) js {
		v := js{"name": "new", "vsvip_ref": other, "services": []any{js{"port": port}}}
		for k, e := range more {
			v[k] = e
		}
		return v
	}
	tls := []any{js{"port": 443, "enable_ssl": true}}
	for name, bad := range map[string]struct {
		words string
		body  js
	}{
		"no vip":              {"vip or vsvip_ref", js{"name": "new", "services": []any{js{"port": 80}}}},
		"no services":         {"service is required", js{"name": "new", "vsvip_ref": other}},
		"vip twice":           {"Only one of vip", on(80, js{"vip": []any{js{"ip_address": js{"addr": "10.0.0.1", "type": "V4"}}}})},
		"bad inline vip":      {"Invalid IP address", js{"name": "new", "services": []any{js{"port": 80}}, "vip": []any{js{"ip_address": js{"addr": "x", "type": "V4"}}}}},
		"port in use":         {"port 80 is in use by VirtualService plain", on(80, js{"vsvip_ref": vip})},
		"range in use":        {"is in use", on(80, js{"vsvip_ref": vip, "services": []any{js{"port": 70, "port_range_end": 90}}})},
		"port twice":          {"overlap", on(80, js{"services": []any{js{"port": 80}, js{"port": 80}}})},
		"range backwards":     {"port_range_end", on(80, js{"services": []any{js{"port": 80, "port_range_end": 79}}})},
		"pool of another":     {"Pool used is already used by VirtualService plain", on(80, js{"pool_ref": used})},
		"policy of another":   {"HTTPPolicySet taken is already used by VirtualService plain", on(80, js{"http_policies": []any{js{"index": 0, "http_policy_set_ref": taken}}})},
		"policy's pool":       {"Pool used is already used by VirtualService plain", on(80, js{"http_policies": []any{js{"index": 0, "http_policy_set_ref": set}}})},
		"policy index twice":  {"twice", on(80, js{"http_policies": []any{js{"index": 0, "http_policy_set_ref": free}, js{"index": 0, "http_policy_set_ref": free}}})},
		"policy on L4":        {"type HTTP", on(80, js{"application_profile_ref": "/api/applicationprofile?name=System-L4-Application", "http_policies": []any{js{"index": 0, "http_policy_set_ref": free}}})},
		"pool and group":      {"Only one of pool_ref", on(80, js{"pool_ref": b.pool("x"), "pool_group_ref": b.make("poolgroup", js{"name": "g"})})},
		"TLS, no certificate": {"certificate is required", on(443, js{"services": tls})},
		"TLS on L4":           {"type L4", on(443, js{"services": tls, "ssl_key_and_certificate_refs": []any{ec}, "application_profile_ref": "/api/applicationprofile?name=System-L4-Application"})},
		"two of a kind":       {"different algorithms", on(443, js{"services": tls, "ssl_key_and_certificate_refs": []any{ec, again}})},
		"three certificates":  {"no more than 2", on(443, js{"services": tls, "ssl_key_and_certificate_refs": []any{ec, rsa, again}})},
		"authority":           {"is of type", on(443, js{"services": tls, "ssl_key_and_certificate_refs": []any{authority}})},
		"VRF without VsVip's": {"another VRF context", on(80, js{"vrf_context_ref": vrf})},
		"pool's other VRF":    {"another VRF context", on(80, js{"pool_ref": b.pool("y", js{"vrf_ref": vrf})})},
		"pool's other cloud":  {"another cloud", on(80, js{"pool_ref": b.pool("z", js{"cloud_ref": cloud})})},
		"parent without TLS":  {"enable_ssl", on(80, js{"type": "VS_TYPE_VH_PARENT"})},
		"domain of no child":  {"are for VirtualServices of type VS_TYPE_VH_CHILD", on(80, js{"vh_domain_name": []any{"x"}})},

		"child with vip":      {"cannot have vsvip_ref", childOf("new", parent, ec, js{"vsvip_ref": vip}, "x")},
		"child with own vip":  {"cannot have vsvip_ref", childOf("new", parent, ec, js{"vip": []any{js{"ip_address": js{"addr": "10.0.0.1", "type": "V4"}}}}, "x")},
		"child with services": {"cannot have services", childOf("new", parent, ec, js{"services": []any{js{"port": 80}}}, "x")},
		"child alone":         {"vh_parent_vs_ref", childOf("new", parent, ec, js{"vh_parent_vs_ref": nil}, "x")},
		"child of no one":     {"VirtualService not found", childOf("new", "/api/virtualservice/none", ec, nil, "x")},
		"child of no parent":  {"is no parent", childOf("new", plain, ec, nil, "x")},
		"child unnamed":       {"vh_domain_name", childOf("new", parent, ec, nil)},
		"child of same name":  {"in use by VirtualService first", childOf("new", parent, ec, nil, "a", "www.example.com")},
		"child named twice":   {"twice", childOf("new", parent, ec, nil, "a", "a")},
		"child's certificate": {"certificate is required", childOf("new", parent, ec, js{"ssl_key_and_certificate_refs": nil}, "x")},
	} {
		t.Run(name, func(t *testing.T) {
			c := *b
			c.t = t
			vips := len(b.m.list(scope{all: true}, "vsvip"))
			c.refuses(http.StatusBadRequest, bad.words, http.MethodPost, "virtualservice", bad.body)
			if after := len(b.m.list(scope{all: true}, "vsvip")); after != vips {
				t.Errorf("%d VsVips became %d", vips, after)
			}
		})
	}
}

// TestGoodVirtualServices: what the rules leave.
func TestGoodVirtualServices(t *testing.T) {
	b := newBench(t, modelOptions{})
	vrf := js{"vrf_context_ref": b.make("vrfcontext", js{"name": "subnet-1"})}
	vip := b.vsvip("i", vrf)
	p := b.pool("p", js{"vrf_ref": vrf["vrf_context_ref"]})
	b.vs("a", vip, 80, vrf, js{"pool_ref": p, "ign_pool_net_reach": true})
	b.vs("b", vip, 81, vrf)
	parent := b.make("virtualservice", js{"name": "c", "vsvip_ref": vip, "services": []any{js{"port": 443, "enable_ssl": true}}, "type": "VS_TYPE_VH_PARENT",
		"ssl_key_and_certificate_refs": []any{b.certificate("ec", true), b.certificate("rsa", false)}}, vrf)
	child := b.make("virtualservice", childOf("d", parent, b.certificate("d", true), vrf, "www.example.com", "*.example.org"))
	got := b.must(http.StatusOK, http.MethodGet, "virtualservice/"+uuidIn(parent), "", nil)
	want(t, "children", any([]any{uuidIn(child)}), got["vh_child_vs_uuid"])
	got["vh_child_vs_uuid"] = []any{}
	b.must(http.StatusOK, http.MethodPut, "virtualservice/"+uuidIn(parent), "", got)
}

// TestBadChanges of objects in use are refused, and the object stays as it was.
func TestBadChanges(t *testing.T) {
	b := newBench(t, modelOptions{})
	vrf := b.make("vrfcontext", js{"name": "subnet-1"})
	vip, p := b.vsvip("i"), b.pool("p")
	vs := b.vs("v", vip, 80, js{"pool_ref": p})
	free := b.vs("w", vip, 81)
	parent := b.parent("parent", vip)
	b.make("virtualservice", childOf("first", parent, b.certificate("first", true), nil, "www.example.com"))
	set := b.make("httppolicyset", js{"name": "s"})
	b.vs("x", vip, 82, js{"http_policies": []any{js{"index": 0, "http_policy_set_ref": set}}})
	for name, bad := range map[string]struct {
		path, words string
		patch       js
	}{
		"VRF of a service":         {vs, "cannot be changed", js{"vrf_context_ref": vrf}},
		"VRF of a VsVip":           {vip, "cannot be changed", js{"vrf_context_ref": vrf}},
		"VRF of a pool":            {p, "another VRF context", js{"vrf_ref": vrf}},
		"id of a vip":              {vip, "vip_id is not supported", js{"vip": []any{js{"vip_id": "1", "ip_address": js{"addr": "10.0.0.9", "type": "V4"}}}}},
		"port":                     {free, "is in use", js{"services": []any{js{"port": 80}}}},
		"pool":                     {free, "already used", js{"pool_ref": p}},
		"policy's pool":            {set, "already used", js{"http_request_policy": js{"rules": []any{js{"index": 0, "name": "r", "switching_action": js{"action": "HTTP_SWITCHING_SELECT_POOL", "pool_ref": p}}}}}},
		"parent no more":           {parent, "has children", js{"type": "VS_TYPE_NORMAL"}},
		"parent's TLS":             {parent, "enable_ssl", js{"services": []any{js{"port": 443}}}},
		"certificate of a service": {parent, "certificate is required", js{"ssl_key_and_certificate_refs": []any{}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := *b
			c.t = t
			path := bad.path[len("/api/"):]
			before := c.must(http.StatusOK, http.MethodGet, path, "", nil)
			c.refuses(http.StatusBadRequest, bad.words, http.MethodPatch, path, js{"replace": bad.patch})
			want(t, "the object", before, c.must(http.StatusOK, http.MethodGet, path, "", nil))
		})
	}
}
