package octavia_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/keymanager"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/provider/noop"
)

// vault finds every reference bad that says so, and notes what it was asked.
type vault struct {
	asked    []string
	projects []string
	err      error
}

func (v *vault) Check(_ context.Context, by keymanager.Asker, refs []keymanager.Reference) (bad []keymanager.Refusal, err error) {
	var asked []string
	for _, r := range refs {
		word := r.Ref
		if r.Use == keymanager.Revocations {
			word += " signed by " + r.Signers
		}
		asked = append(asked, word)
		if strings.Contains(r.Ref, "bad") {
			bad = append(bad, keymanager.Refusal{Ref: r.Ref, Reason: "It is bad."})
		}
	}
	v.asked, v.projects = append(v.asked, strings.Join(asked, ", ")), append(v.projects, by.ProjectID)
	return bad, v.err
}

func (c *cloud) serveVault(v octavia.Certificates) {
	c.serve(octavia.Config{
		Store: c.store, Networks: c.store, Auth: everybody(), Certificates: v, Providers: []provider.Face{noop.Face()}, DefaultProvider: noop.Name,
	})
}

// TestCertificates shows which references are looked at, in which order, and what is told of bad ones.
func TestCertificates(t *testing.T) {
	c := newCloud(t)
	v := &vault{}
	c.serveVault(v)
	lb := c.loadBalancer()
	listener := object{"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443}
	pool := object{"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
	refs := object{
		"default_tls_container_ref": "d", "sni_container_refs": []string{"s1", "s2"}, "client_ca_tls_container_ref": "ca", "client_crl_container_ref": "crl",
	}
	poolRefs := object{"tls_container_ref": "t", "ca_tls_container_ref": "ca", "crl_container_ref": "crl"}
	asked := func(want ...string) {
		t.Helper()
		if !slices.Equal(v.asked, want) || slices.ContainsFunc(v.projects, func(p string) bool { return p != mine }) {
			t.Errorf("it was asked for %q of %v, want %q", v.asked, v.projects, want)
		}
		v.asked = nil
	}
	l := "/listeners/" + c.make("/listeners", "listener", more(listener, refs))["id"].(string)
	asked("s1, s2, d, ca, crl signed by ca")
	p := "/pools/" + c.make("/pools", "pool", more(pool, poolRefs))["id"].(string)
	asked("t, ca, crl signed by ca")
	c.make("/pools", "pool", pool)
	asked()
	c.put(l, "listener", object{"name": "x", "hsts_max_age": 5})
	asked()
	c.put(l, "listener", object{"client_crl_container_ref": "crl2", "sni_container_refs": nil})
	asked("crl2 signed by ca")
	c.put(l, "listener", object{"client_ca_tls_container_ref": "ca2"})
	asked("ca2, crl2 signed by ca2")
	c.put(l, "listener", object{"sni_container_refs": []string{"s1", "s1", "s1"}})
	asked("s1")
	c.put(p, "pool", object{"tls_container_ref": "t2"})
	asked("t2")
	nested := object{"vip_subnet_id": c.subnet.ID, "listeners": []object{more(refs, object{"protocol": "TERMINATED_HTTPS", "protocol_port": 443})}, "pools": []object{
		more(poolRefs, object{"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}),
	}}
	c.make("/loadbalancers", "loadbalancer", nested)
	asked("t, ca, crl signed by ca, s1, s2, d") // each of the tree once

	const fault = "Could not retrieve certificate: ['bad1', 'bad2'] It is bad."
	bad := object{"sni_container_refs": []string{"bad1", "s"}, "client_ca_tls_container_ref": "bad2"}
	badPool := object{"tls_container_ref": "bad1", "ca_tls_container_ref": "ca", "crl_container_ref": "bad2"}
	c.postListener(more(listener, bad, object{"protocol_port": 444})).fault(t, 400, fault)
	c.do(http.MethodPut, root+l, object{"listener": bad}).fault(t, 400, fault)
	c.do(http.MethodPost, root+"/pools", object{"pool": more(pool, badPool)}).fault(t, 400, fault)
	c.do(http.MethodPut, root+p, object{"pool": badPool}).fault(t, 400, fault)
	n := c.ports()
	c.postLB(object{"vip_subnet_id": c.subnet.ID, "listeners": []object{more(bad, object{"protocol": "TERMINATED_HTTPS", "protocol_port": 443})}}).fault(t, 400, fault)
	if c.ports() != n {
		t.Error("a refused tree leaves a port")
	}
	v.asked = nil
	c.postListener(more(listener, bad, object{"protocol_port": 443})).fault(t, 400, fault) // before the port, which is taken
	c.postListener(more(listener, bad, object{"client_authentication": "NONE", "protocol": "HTTP"})).
		fault(t, 400, "Validation failure: Certificate container references are not allowed on HTTP protocol listeners.")
	asked("bad1, s, bad2") // and not of a listener that makes no sense
	v.err = errors.New("the vault is sealed")
	if a := c.postListener(more(listener, refs, object{"protocol_port": 445})); a.code != http.StatusInternalServerError || strings.Contains(a.raw, "sealed") {
		t.Errorf("without an answer: %d %s", a.code, a.raw)
	}
	c.serveVault(nil)
	c.postListener(more(listener, refs, object{"protocol_port": 445})).fault(t, 400, "Could not retrieve certificate: ['s1', 's2', 'd', 'ca', 'crl']")
	c.do(http.MethodPost, root+"/pools", object{"pool": more(pool, object{"tls_container_ref": "t"})}).fault(t, 400, "Could not retrieve certificate: ['t']")
	c.put(l, "listener", object{"name": "y"})
}

// haproxyWith serves the API with the provider haproxy and somebody who reads certificates.
func (c *cloud) haproxyWith(v octavia.Certificates) *cloud {
	c.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), Certificates: v, Providers: []provider.Face{haproxy.Face()}})
	return c
}

// TestCertificatesBeforeProvider shows the order of the two noes of the provider haproxy, which has no such versions of TLS.
func TestCertificatesBeforeProvider(t *testing.T) {
	c := newCloud(t)
	tls := object{"loadbalancer_id": c.loadBalancer(), "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "x",
		"tls_versions": []string{"TLSv1", "TLSv1.2"}}
	c.postListener(tls).fault(t, 400, "Could not retrieve certificate: ['x']")
	o := c.haproxyWith(octavia.AnyCertificate{})
	if a := o.postListener(tls); a.code != http.StatusNotImplemented || !strings.Contains(a.raw, "tls_versions TLSv1, TLSv1.2") {
		t.Errorf("%d %s", a.code, a.raw)
	}
}
