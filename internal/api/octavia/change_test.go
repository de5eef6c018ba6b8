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
	udp := object{"loadbalancer_id": lb, "protocol": "UDP", "protocol_port": 53}
	l := c.make("/listeners", "listener", udp)["id"].(string)
	c.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), Providers: []provider.Face{haproxy.Face()}})
	c.listener(lb, 80)
	c.put("/listeners/"+l, "listener", object{"name": "still here"})
	c.must(http.StatusNoContent, http.MethodDelete, "/listeners/"+l, nil)
	c.do(http.MethodPost, root+"/listeners", object{"listener": udp}).
		fault(t, 501, "Provider 'haproxy' does not support a requested option: listener protocol UDP")
}
