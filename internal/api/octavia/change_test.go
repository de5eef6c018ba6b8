package octavia_test

import (
	"net/http"
	"testing"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
)

// TestOldOptionsDoNotBlock has a load balancer with an option that its provider has come to lack: other changes go on, and
// the option can be taken away but not brought in again.
func TestOldOptionsDoNotBlock(t *testing.T) {
	c := newCloud(t)
	old := haproxy.Face()
	old.Unsupported = nil
	c.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), Providers: []provider.Face{old}})
	lb := c.loadBalancer()
	pool := object{"loadbalancer_id": lb, "protocol": "UDP", "lb_algorithm": "LEAST_CONNECTIONS"}
	p := c.make("/pools", "pool", pool)["id"].(string)
	c.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), Providers: []provider.Face{haproxy.Face()}})
	c.listener(lb, 80)
	c.put("/pools/"+p, "pool", object{"name": "still here"})
	c.must(http.StatusNoContent, http.MethodDelete, "/pools/"+p, nil)
	c.do(http.MethodPost, root+"/pools", object{"pool": pool}).
		fault(t, 501, "Provider 'haproxy' does not support a requested option: lb_algorithm LEAST_CONNECTIONS with protocol UDP")
}
