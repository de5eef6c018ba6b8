package octavia_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersions(t *testing.T) {
	c := newCloud(t)
	for _, prefix := range []string{"", "/load-balancer"} {
		a := c.as("no token").do(http.MethodGet, prefix+"/", nil)
		versions, _ := a.body["versions"].([]any)
		if a.code != http.StatusOK || len(versions) != 31 {
			t.Fatalf("GET %s/: %d %s", prefix, a.code, a.raw)
		}
		for i, v := range versions {
			v := v.(object)
			status := "SUPPORTED"
			if i == len(versions)-1 {
				status = "CURRENT"
			}
			want := object{
				"id": fmt.Sprintf("v2.%d", i), "status": status, "updated": v["updated"],
				"links": []any{object{"href": c.server.URL + prefix + "/v2", "rel": "self"}},
			}
			if diff := cmp.Diff(want, v); diff != "" {
				t.Errorf("version %d (-want +got):\n%s", i, diff)
			}
		}
		if last := versions[30].(object)["updated"]; last != "2025-02-26T00:00:00Z" {
			t.Errorf("the last version is of %v", last)
		}
	}
	for _, path := range []string{"/v2", "/v2.0", "/v2/lbaas", "/v2.0/lbaas", "/v2/octavia", "/v2.0/octavia", "/v2.0/"} {
		if a := c.do(http.MethodGet, path, nil); a.code != http.StatusOK || a.raw != `"v2"` {
			t.Errorf("GET %s: %d %s", path, a.code, a.raw)
		}
		if a := c.as("no token").do(http.MethodGet, path, nil); a.code != http.StatusUnauthorized {
			t.Errorf("GET %s without a token: %d %s", path, a.code, a.raw)
		}
	}
}

func TestRoots(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	for _, root := range []string{"/v2/lbaas", "/v2.0/lbaas", "/v2", "/v2.0", "/load-balancer/v2/lbaas", "/load-balancer/v2.0"} {
		for _, path := range []string{"/loadbalancers", "/loadbalancers/", "/loadbalancers.json", "/loadbalancers/" + lb, "/loadbalancers/" + lb + ".json"} {
			if a := c.do(http.MethodGet, root+path, nil); a.code != http.StatusOK || !strings.Contains(a.raw, lb) {
				t.Errorf("GET %s%s: %d %s", root, path, a.code, a.raw)
			}
		}
	}
}

func TestTransportFaults(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	one := root + "/loadbalancers/" + lb
	const json = "Only content type application/json is accepted."
	tests := []struct {
		name, method, path string
		body               any
		headers            []string
		code               int
		text               string
	}{
		{"bad path", "GET", "/nothing", nil, nil, 404, "The resource could not be found."},
		{"bad path below", "GET", root + "/nothing", nil, nil, 404, "The resource could not be found."},
		{"bad method", "PATCH", one, nil, nil, 405, "The method is not allowed for this resource."},
		{"bad method on an object", "POST", one, "{}", nil, 405, "The method is not allowed for this resource."},
		{"bad accept", "GET", one, nil, []string{"Accept", "text/plain"}, 406, json},
		{"bad accept: not JSON", "GET", one, nil, []string{"Accept", "application/json;q=0, text/html"}, 406, json},
		{"bad accept on a POST", "POST", root + "/pools", "{}", []string{"Accept", "application/xml"}, 406, json},
		{"bad content type", "POST", root + "/pools", "x", []string{"Content-Type", "text/plain"}, 415, json},
		{"bad size", "POST", root + "/pools", `{"pool":{"name":"` + strings.Repeat("x", 114688) + `"}}`, nil, 413, "Request is too large."},
		{"bad: no body", "POST", root + "/pools", nil, nil, 400, `Missing argument: "pool_"`},
		{"bad JSON", "POST", root + "/pools", `{"pool":`, nil, 400, "Request is not in valid JSON format"},
		{"bad JSON behind", "POST", root + "/pools", `{"pool":{}} {}`, nil, 400, "Request is not in valid JSON format"},
		{"bad: an array", "POST", root + "/pools", `[]`, nil, 400, "Invalid input for field/attribute pool_. Value: '[]'. Value should be object"},
		{"bad: null", "POST", root + "/pools", `null`, nil, 400, "Invalid input for field/attribute pool_. Value: 'None'. Value should be object"},
		{"bad: no envelope", "POST", root + "/listeners", `{}`, nil, 400, `Missing argument: "listener_.listener"`},
		{"bad envelope", "POST", root + "/listeners", `{"listner":{}}`, nil, 400, "Unknown attribute for argument listener_: listner"},
		{"bad envelopes", "POST", root + "/listeners", `{"b":1,"a":{},"listener":{}}`, nil, 400, "Unknown attributes for argument listener_: a, b"},
		{"bad: null envelope", "PUT", one, `{"loadbalancer":null}`, nil, 400, "Invalid input for field/attribute loadbalancer. Value: 'None'. Mandatory field missing."},
		{"bad: text envelope", "PUT", one, `{"loadbalancer":"x"}`, nil, 400, "Invalid input for field/attribute loadbalancer. Value: 'x'. Value should be object"},
		{"bad attribute", "PUT", one, `{"loadbalancer":{"vip_address":"10.0.0.9"}}`, nil, 400, "Unknown attribute for argument load_balancer.loadbalancer: vip_address"},
		{"bad attributes", "PUT", one, `{"loadbalancer":{"project_id":"x","tenant_id":"x","name":1}}`, nil, 400, "Unknown attributes for argument load_balancer.loadbalancer: project_id, tenant_id"},
		{"bad argument", "POST", root + "/pools?cascade=true", "{}", nil, 400, `Unknown argument: "cascade"`},
		{"bad argument of DELETE", "DELETE", one + "?force=true", nil, nil, 400, `Unknown argument: "force"`},
		{"bad query", "GET", root + "/pools?name=%zz", nil, nil, 400, "The query string cannot be read: invalid URL escape \"%zz\""},
		{"bad PUT of all", "PUT", root + "/listeners", "{}", nil, 400, `Missing argument: "id"`},
		{"bad DELETE of all", "DELETE", root + "/pools/x/members", nil, nil, 400, `Missing argument: "id"`},
		{"bad id", "GET", root + "/listeners/%00%ff", nil, nil, 404, "Listener \x00? not found."},
		{"unknown", "GET", root + "/listeners/nothing", nil, nil, 404, "Listener nothing not found."},
		{"bad: one provider", "GET", root + "/providers/haproxy", nil, nil, 405, "The method is not allowed for this resource."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c.do(test.method, test.path, test.body, test.headers...).fault(t, test.code, test.text)
		})
	}
	for _, accept := range []string{"", "*/*", "application/*;q=0.5", "text/html, application/json", "nonsense", "a/b/c"} {
		if a := c.do(http.MethodGet, one, nil, "Accept", accept); a.code != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: %d %s", accept, a.code, a.raw)
		}
	}
	for request, allowed := range map[string]string{
		"HEAD " + one: "GET, PUT, DELETE", "PATCH " + one: "GET, PUT, DELETE", "OPTIONS " + root + "/pools": "GET, POST, PUT, DELETE",
		"GET " + root + "/providers/haproxy": "", "HEAD /": "GET", "HEAD " + root + "/pools": "GET, POST, PUT, DELETE",
	} {
		method, path, _ := strings.Cut(request, " ")
		a := c.do(method, path, nil)
		if got := a.header["Allow"]; a.code != http.StatusMethodNotAllowed || len(got) != 1 || got[0] != allowed {
			t.Errorf("%s: %d, allowed are %q, want %q", request, a.code, got, allowed)
		}
	}
	stranger := c.as("no token")
	for _, request := range []string{"GET " + one, "HEAD " + one, "PATCH " + one, "GET " + root + "/nothing", "GET /nothing", "GET /v2"} {
		method, path, _ := strings.Cut(request, " ")
		if a := stranger.do(method, path, nil); a.code != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a token: %d %s", request, a.code, a.raw)
		}
	}
	for request, code := range map[string]int{"GET /": 200, "PUT /": 405, "GET /load-balancer/": 200, "GET /healthcheck": 404, "HEAD /healthcheck": 404, "POST /healthcheck": 405, "GET /openapi.json": 200} {
		method, path, _ := strings.Cut(request, " ")
		if a := stranger.do(method, path, nil); a.code != code {
			t.Errorf("%s without a token: %d %s", request, a.code, a.raw)
		}
	}
}

func TestQuotasAreUnlimited(t *testing.T) {
	c := newCloud(t)
	for _, path := range []string{"/quotas/defaults", "/quotas/" + mine, "/quotas/" + mine + "/default"} {
		quota := c.show(path, "quota")
		for _, noun := range []string{"loadbalancer", "load_balancer", "listener", "pool", "healthmonitor", "health_monitor", "member", "l7policy", "l7rule"} {
			if quota[noun] != float64(-1) {
				t.Errorf("GET %s: %s is %v", path, noun, quota[noun])
			}
		}
	}
	if got := c.show("/quotas/"+mine, "quota")["project_id"]; got != mine {
		t.Errorf("project_id is %v", got)
	}
}

func TestProviders(t *testing.T) {
	c := newCloud(t)
	want := `{"providers":[{"name":"haproxy","description":"HAProxy in network namespaces on this host."}]}`
	if a := c.do(http.MethodGet, root+"/providers", nil); a.raw != want {
		t.Errorf("GET /providers: %s", a.raw)
	}
	if a := c.do(http.MethodGet, root+"/providers?fields=name", nil); a.raw != `{"providers":[{"name":"haproxy"}]}` {
		t.Errorf("GET /providers?fields=name: %s", a.raw)
	}
}
