package octavia_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oddValues are values of every kind of JSON, and some that are hard to read.
func oddValues() []string {
	return []string{
		`null`, `true`, `false`, `0`, `-1`, `1.5`, `1e400`, `99999999999999999999`, `-9223372036854775808`, `9223372036854775807`, `""`, `" "`, `"0"`, `"\u0000"`,
		`"\ud800"`, `"é😀"`, `"a\r\nb: c"`, `"%{+Q}[src]"`, `"` + strings.Repeat("x", 5000) + `"`, `"5e2e5e5e-0000-4000-8000-000000000000"`, `"2001:db8::1"`,
		`"::ffff:10.0.0.1"`, `"10.0.0.0/0"`, `[]`, `[null]`, `[[]]`, `[{}]`, `["a","a"]`, `[1,"x",null,{}]`, `{}`, `{"type":null}`, `{"a":{"b":[1]}}`, `{"name":"x"}`,
	}
}

// TestOddValues sends each of them for every attribute of every noun, in a POST and in a PUT: no answer is a server's error, and what is
// refused changes nothing.
func TestOddValues(t *testing.T) {
	c := newCloud(t)
	c.known()
	lb := c.loadBalancer()
	nouns := []noun{
		loadBalancerNoun(c), listenerNoun(lb), poolNoun(lb), memberNoun(c.pool(lb)), monitorNoun(c.pool(lb), "HTTP"),
		{"/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "x"}},
		{"/pools", "pool", object{"loadbalancer_id": lb, "protocol": "UDP", "lb_algorithm": "SOURCE_IP", "session_persistence": object{"type": "SOURCE_IP"}}},
	}
	doc := c.readContract()
	for _, n := range nouns {
		made := c.make(n.collection, n.key, n.base)
		path := n.path(made)
		known := func(method, path string) []string {
			body := at(doc.operation(method, root+path), "requestBody", "content", "application/json", "schema")
			return slices.Sorted(maps.Keys(doc.properties(doc.properties(body)[n.key])))
		}
		for _, attribute := range append(known(http.MethodPut, path), "id", "nonsense") {
			for _, value := range oddValues() {
				n.oddPut(t, c, path, attribute, value)
			}
		}
		c.must(http.StatusNoContent, http.MethodDelete, path, nil)
		for _, attribute := range append(known(http.MethodPost, n.collection), "id", "nonsense") {
			for _, value := range oddValues() {
				n.oddPost(t, c, attribute, value)
			}
		}
	}
}

func (n noun) oddPut(t *testing.T, c *cloud, path, attribute, value string) {
	t.Helper()
	before := c.show(path, n.key)
	a := c.do(http.MethodPut, root+path, `{"`+n.key+`":{"`+attribute+`":`+value+`}}`)
	switch {
	case a.code == http.StatusOK:
	case a.code >= 500 || a.code < 400:
		t.Errorf("PUT %s %s=%.100s: %d %s", n.key, attribute, value, a.code, a.raw)
	default:
		if diff := cmp.Diff(before, c.show(path, n.key)); diff != "" {
			t.Errorf("PUT %s %s=%.100s is refused (%d) and changes (-before +after):\n%s", n.key, attribute, value, a.code, diff)
		}
	}
}

func (n noun) oddPost(t *testing.T, c *cloud, attribute, value string) {
	t.Helper()
	body := n.with(t, n.base, sample{attribute: attribute, value: `"marker"`})
	body = strings.Replace(body, `"`+attribute+`":"marker"`, `"`+attribute+`":`+value, 1)
	ports := c.ports()
	a := c.do(http.MethodPost, root+n.collection, body)
	switch {
	case a.code == http.StatusCreated:
		c.must(http.StatusNoContent, http.MethodDelete, n.path(a.body[n.key].(object))+cascade(n.key), nil)
	case a.code >= 500 || a.code < 400:
		t.Errorf("POST %s %s=%.100s: %d %s", n.key, attribute, value, a.code, a.raw)
	case c.ports() != ports:
		t.Errorf("POST %s %s=%.100s is refused (%d) and leaves a port", n.key, attribute, value, a.code)
	}
	if !json.Valid([]byte(a.raw)) {
		t.Errorf("POST %s %s=%.100s: the answer is %q", n.key, attribute, value, a.raw)
	}
}

func cascade(key string) string {
	if key == "loadbalancer" {
		return "?cascade=true"
	}
	return ""
}
