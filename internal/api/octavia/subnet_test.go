package octavia_test

import (
	"net/http"
	"testing"

	"plimsoll/internal/network"
)

// TestOverlappingSubnets brings members of two networks with the same addresses into one load balancer, in all ways that the API has.
func TestOverlappingSubnets(t *testing.T) {
	c := newCloud(t)
	_, near := c.makeNetwork(mine, "10.1.0.0/24")
	_, apart := c.makeNetwork(mine, "10.2.0.0/24")
	_, twin := c.makeNetwork(mine, "10.1.0.0/16")
	_, vips := c.makeNetwork(mine, "10.0.0.0/24")
	member := func(s *network.Subnet, address string) object {
		return object{"address": address, "protocol_port": 80, "subnet_id": s.ID}
	}
	p := c.pool(c.loadBalancer())
	members := "/pools/" + p + "/members"
	c.make(members, "member", member(near, "10.1.0.5"))
	c.make(members, "member", member(near, "10.1.0.6"))
	c.make(members, "member", member(apart, "10.2.0.5"))

	tree := func(vip *network.Subnet, members ...object) (path string, body object) {
		pool := object{"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": members}
		return "/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": vip.ID, "pools": []object{pool}}}
	}
	treePath, both := tree(c.subnet, member(near, "10.1.0.5"), member(twin, "10.1.0.7"))
	_, onVIP := tree(c.subnet, member(vips, "10.0.0.50"))
	cases := []struct {
		name, method, path string
		body               object
		bad, other         *network.Subnet
	}{
		{"bad member", "POST", members, object{"member": member(twin, "10.1.0.7")}, twin, near},
		{"bad member: the VIP's addresses", "POST", members, object{"member": member(vips, "10.0.0.50")}, vips, c.subnet},
		{"bad batch", "PUT", members, object{"members": []object{member(apart, "10.2.0.9"), member(twin, "10.1.0.7")}}, twin, near},
		{"bad tree", "POST", treePath, both, near, twin},
		{"bad tree: the VIP's addresses", "POST", treePath, onVIP, vips, c.subnet},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			before := c.ports()
			c.do(test.method, root+test.path, test.body).fault(t, http.StatusNotImplemented,
				"Provider 'haproxy' does not support a requested option: member subnet_id "+test.bad.ID+" ("+test.bad.CIDR.String()+
					"), which overlaps with subnet "+test.other.ID+" ("+test.other.CIDR.String()+") of the same load balancer")
			if after := c.ports(); after != before {
				t.Errorf("%d ports, want %d", after, before)
			}
		})
	}
	if got := len(c.must(http.StatusOK, "GET", members, nil).body["members"].([]any)); got != 3 {
		t.Errorf("%d members, want 3", got)
	}
}

// TestPluggedPort takes a port for the VIP that is plugged into a namespace.
func TestPluggedPort(t *testing.T) {
	c := newCloud(t)
	p := &network.Port{ProjectID: mine, NetworkID: c.network.ID, AdminStateUp: true, FixedIPs: []network.FixedIP{{SubnetID: c.subnet.ID}}}
	p.Binding.Host, p.Binding.NetNS = "host-1", "client"
	if err := c.store.CreatePort(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	c.do("POST", root+"/loadbalancers", object{"loadbalancer": object{"vip_port_id": p.ID}}).
		fault(t, http.StatusBadRequest, "Validation failure: Port "+p.ID+" is already used by device client ")
}
