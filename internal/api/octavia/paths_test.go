package octavia_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// raw sends a request line as it is: clients would tidy it up.
func (c *cloud) raw(method, target string) (code int, body string) {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.server.URL, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: lb.example\r\nX-Auth-Token: %s\r\nConnection: close\r\n\r\n", method, target, c.token)
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, target, err)
	}
	return res.StatusCode, string(text)
}

// TestOddPaths asks for an object by every spelling of its path: whatever finds it, asks who wants it.
func TestOddPaths(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	found := 0
	for _, target := range []string{
		"/v2/lbaas/loadbalancers/%s", "/v2.0/lbaas/loadbalancers/%s", "/v2/loadbalancers/%s", "/v2.0/loadbalancers/%s",
		"/load-balancer/v2/lbaas/loadbalancers/%s", "/load-balancer/v2.0/loadbalancers/%s",
		"/v2/lbaas/loadbalancers/%s/", "/v2/lbaas/loadbalancers/%s//", "/v2/lbaas/loadbalancers/%s.json", "/v2/lbaas/loadbalancers/%s.json/",
		"/v2/lbaas/loadbalancers/%s.json.json", "//v2/lbaas/loadbalancers/%s", "/v2//lbaas///loadbalancers/%s", "/v2/lbaas/./loadbalancers/%s",
		"/v2/lbaas/pools/../loadbalancers/%s", "/v2/lbaas/pools/%%2e%%2e/loadbalancers/%s", "/v2/lbaas/loadbalancers%%2F%s",
		"/v2/lbaas/loadbalancers/%s%%2F", "/v2/lbaas/loadbalancers/x%%2F..%%2F%s", "/v2/lbaas/%%6coadbalancers/%s", "/v2/lbaas/loadbalancers/%s%%2Ejson",
		"/v2/lbaas/loadbalancers/%s%%2Fstatus", "/v2/lbaas/loadbalancers/%s/status/", "/v2/lbaas/loadbalancers/%s/stats.json",
		"/V2/lbaas/loadbalancers/%s", "/v2/lbaas/LoadBalancers/%s", "/v2/lbaas/loadbalancers/%s;x", "/v2/lbaas/loadbalancers/%s%%00", "/v2/lbaas/loadbalancers/%s%%20",
		"http://lb.example/v2/lbaas/loadbalancers/%s", "http://else.example/v2/lbaas/loadbalancers/%s", "/v2/lbaas/loadbalancers/%s?project_id=" + foreign,
		"/v2/lbaas/loadbalancers/%s?fields=id", "/v2/lbaas/loadbalancers?id=%s&project_id=" + mine, "/v2/lbaas/loadbalancers/?id=%s", "/../v2/lbaas/loadbalancers/%s",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, http.MethodPut, http.MethodPatch, "get", "FOO"} {
			path := fmt.Sprintf(target, lb)
			own, _ := c.as("reader").raw(method, path)
			code, body := c.as("stranger").raw(method, path)
			if own == http.StatusOK {
				found++
			}
			list := strings.Contains(path, "?id=")
			if code < 300 && !list || code == http.StatusMovedPermanently || strings.Contains(body, `"id"`) || strings.Contains(body, "PENDING") {
				t.Errorf("a stranger's %s %s: %d %s", method, path, code, body)
			}
			if own == http.StatusOK && !list && code != http.StatusForbidden {
				t.Errorf("a stranger's %s %s: %d, want 403", method, path, code)
			}
			if code >= http.StatusInternalServerError {
				t.Errorf("%s %s: %d %s", method, path, code, body)
			}
		}
	}
	if found < 15 {
		t.Errorf("the object is found %d times", found)
	}
	c.show("/loadbalancers/"+lb, "loadbalancer")
}
