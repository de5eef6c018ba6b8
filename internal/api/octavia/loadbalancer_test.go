package octavia_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

func loadBalancerNoun(c *cloud) noun {
	return noun{"/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID}}
}

func TestLoadBalancerShape(t *testing.T) {
	c := newCloud(t)
	n := loadBalancerNoun(c)
	n.base["vip_address"] = "10.0.0.77"
	made := c.make(n.collection, n.key, n.base)
	port, err := c.store.Port(t.Context(), made["vip_port_id"].(string))
	if err != nil {
		t.Fatal(err)
	}
	id := made["id"].(string)
	want := object{
		"id": id, "created_at": made["created_at"],
		"name": "", "description": "", "admin_state_up": true, "project_id": mine, "tenant_id": mine, "tags": []any{},
		"provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE", "updated_at": nil,
		"vip_address": "10.0.0.77", "vip_port_id": port.ID, "vip_subnet_id": c.subnet.ID, "vip_network_id": c.network.ID,
		"vip_qos_policy_id": nil, "vip_sg_ids": []any{}, "vip_vnic_type": "normal", "additional_vips": []any{},
		"provider": "haproxy", "flavor_id": nil, "availability_zone": nil, "listeners": []any{}, "pools": []any{},
	}
	for name, got := range map[string]object{"POST": made, "GET": c.show("/loadbalancers/"+id, "loadbalancer")} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	wantPort := network.Port{
		Name: "octavia-lb-" + id, DeviceOwner: "Octavia", DeviceID: "lb-" + id, ProjectID: mine, NetworkID: c.network.ID, AdminStateUp: true,
		FixedIPs: []network.FixedIP{{SubnetID: c.subnet.ID, Address: netip.MustParseAddr("10.0.0.77")}},
	}
	gotPort := network.Port{
		Name: port.Name, DeviceOwner: port.DeviceOwner, DeviceID: port.DeviceID, ProjectID: port.ProjectID, NetworkID: port.NetworkID,
		AdminStateUp: port.AdminStateUp, FixedIPs: port.FixedIPs,
	}
	if diff := cmp.Diff(wantPort, gotPort, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("VIP port (-want +got):\n%s", diff)
	}
	lb, err := c.store.LoadBalancer(t.Context(), id)
	if err != nil || lb.Host != "host-1" || !lb.VIPPortOwned {
		t.Errorf("host %q, owned %v, %v", lb.Host, lb.VIPPortOwned, err)
	}
}

func TestLoadBalancerAttributes(t *testing.T) {
	c := newCloud(t)
	n := loadBalancerNoun(c)
	samples := append(append(commonSamples(), described()...),
		sample{"vip_qos_policy_id", `"x"`, nil, invalid("vip_qos_policy_id", "x", notUUID)},
		sample{"vip_qos_policy_id", `"5e2e5e5e-0000-4000-8000-000000000000"`, nil, "qos_policy 5e2e5e5e-0000-4000-8000-000000000000 not found."},
		sample{"vip_qos_policy_id", `null`, nil, ""},
		sample{"vip_sg_ids", `["x"]`, nil, invalid("vip_sg_ids", "x", notUUID)},
		sample{"vip_sg_ids", `["5e2e5e5e-0000-4000-8000-000000000000"]`, nil, "Security Group 5e2e5e5e-0000-4000-8000-000000000000 not found."},
		sample{"vip_sg_ids", `null`, []any{}, ""},
		sample{"vip_sg_ids", `[]`, []any{}, ""},
		sample{"access_log", `"x"`, nil, invalid("access_log", "x", "Value should be boolean")},
		sample{"access_log", `[]`, nil, invalid("access_log", "[]", "Value should be boolean")},
		sample{"access_log", `true`, nil, ""}, // shown to those who ask for it only
		sample{"access_log", `null`, nil, ""},
	)
	unknown := `"5e2e5e5e-0000-4000-8000-000000000000"`
	posts := append(slices.Clone(samples),
		sample{"tags", `null`, []any{}, ""},
		sample{"project_id", `["x"]`, nil, invalid("project_id", `["x"]`, notString)},
		sample{"vip_address", `"x"`, nil, invalid("vip_address", "x", notAddress)},
		sample{"vip_address", `"10.0.0.99"`, "10.0.0.99", ""},
		sample{"vip_subnet_id", `"x"`, nil, invalid("vip_subnet_id", "x", notUUID)},
		sample{"vip_subnet_id", unknown, nil, "Subnet 5e2e5e5e-0000-4000-8000-000000000000 not found."},
		sample{"vip_subnet_id", `null`, nil, "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."},
		sample{"vip_port_id", `{}`, nil, invalid("vip_port_id", "{}", notUUID)},
		sample{"vip_network_id", `"x"`, nil, invalid("vip_network_id", "x", notUUID)},
		sample{"provider", `"nothing"`, nil, "Provider 'nothing' is not enabled."},
		sample{"provider", `7`, nil, invalid("provider", "7", notString)},
		sample{"provider", `"` + strings.Repeat("p", 65) + `"`, nil, invalid("provider", strings.Repeat("p", 65), "Value should have a maximum character requirement of 64")},
		sample{"provider", `"haproxy"`, "haproxy", ""},
		sample{"provider", `null`, "haproxy", ""},
		sample{"flavor_id", `"x"`, nil, invalid("flavor_id", "x", notUUID)},
		sample{"flavor_id", unknown, nil, "Validation failure: Invalid flavor_id."},
		sample{"flavor_id", `null`, nil, "Validation failure: Invalid flavor_id."},
		sample{"availability_zone", `"az"`, nil, "Validation failure: Invalid availability zone."},
		sample{"availability_zone", `null`, nil, "Validation failure: Invalid availability zone."},
		sample{"additional_vips", `{}`, nil, invalid("additional_vips", "{}", notList)},
		sample{"additional_vips", `[{}]`, nil, invalid("subnet_id", "None", missing)},
		sample{"additional_vips", `[{"subnet_id":` + unknown + `,"x":1}]`, nil, "Unknown attribute for argument load_balancer.loadbalancer.additional_vips: x"},
		sample{"additional_vips", `[]`, []any{}, ""},
		sample{"id", unknown, nil, "Unknown attribute for argument load_balancer.loadbalancer: id"},
		sample{"listeners", `null`, []any{}, ""},
		sample{"pools", `{}`, nil, invalid("pools", "{}", notList)},
	)
	port := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID})
	posts = append(posts,
		sample{"project_id", `"` + mine + `"`, mine, ""},
		sample{"project_id", `null`, mine, ""},
		sample{"project_id", `"` + strings.Repeat("p", 37) + `"`, nil, invalid("project_id", strings.Repeat("p", 37), "Value should have a maximum character requirement of 36")},
		sample{"tenant_id", `7`, nil, invalid("tenant_id", "7", notString)},
		sample{"tenant_id", `"` + mine + `"`, mine, ""},
		sample{"tenant_id", `null`, mine, ""},
		sample{"vip_address", `"fe80::1%eth0"`, nil, invalid("vip_address", "fe80::1%eth0", notAddress)},
		sample{"vip_address", `null`, whatever, ""},
		sample{"vip_port_id", `"` + port.ID + `"`, port.ID, ""},
		sample{"vip_port_id", `null`, whatever, ""},
		sample{"vip_network_id", `"` + c.network.ID + `"`, c.network.ID, ""},
		sample{"vip_network_id", `null`, c.network.ID, ""},
		sample{"vip_subnet_id", `"` + strings.ToUpper(c.subnet.ID) + `"`, c.subnet.ID, ""},
		sample{"additional_vips", `[{"subnet_id":"x"}]`, nil, invalid("subnet_id", "x", notUUID)},
		sample{"additional_vips", `[{"subnet_id":` + unknown + `,"ip_address":"x"}]`, nil, invalid("ip_address", "x", notAddress)},
		sample{"additional_vips", `[{"subnet_id":` + unknown + `,"port_id":"x"}]`, nil, invalid("port_id", "x", notUUID)},
		sample{"additional_vips", `[{"subnet_id":null}]`, nil, invalid("subnet_id", "None", missing)},
		sample{"additional_vips", `[7]`, nil, invalid("additional_vips", "7", "Value should be object")},
		sample{"additional_vips", `null`, []any{}, ""},
		sample{"listeners", `"x"`, nil, invalid("listeners", "x", notList)},
		sample{"listeners", `[]`, []any{}, ""},
		sample{"pools", `[]`, []any{}, ""},
		sample{"pools", `null`, []any{}, ""},
		sample{"vip_vnic_type", `"direct"`, nil, "Unknown attribute for argument load_balancer.loadbalancer: vip_vnic_type"},
	)
	n.creates(t, c, posts)
	n.complete(t, c, http.MethodPost, posts, "flavor_id", "availability_zone") // which TestLoadBalancerOfFlavor takes
	puts := append(slices.Clone(samples), twiceTagged(), sample{"tags", `null`, []any{"t"}, ""})
	n.updates(t, c, object{"tags": []string{"t"}, "description": "before"}, puts)
	n.complete(t, c, http.MethodPut, puts)
	c.postLB(object{"vip_subnet_id": c.subnet.ID, "tags": []string{"a", "b", "a"}}).fault(t, 409, "Already an entity with that specified id.")
	n.readOnly(t, c, "load_balancer.loadbalancer", "vip_address", "vip_port_id", "vip_subnet_id", "vip_network_id", "additional_vips",
		"provider", "flavor_id", "availability_zone", "listeners", "pools", "vip_vnic_type")
}

// ports counts the ports that load balancers have.
func (c *cloud) ports() int {
	c.t.Helper()
	ports, err := c.store.Ports(c.t.Context(), store.Query{Filters: []store.Filter{{Attribute: "device_owner", Values: []string{"Octavia"}}}})
	if err != nil {
		c.t.Fatal(err)
	}
	return len(ports)
}

func (c *cloud) makePort(project string, addresses ...network.FixedIP) *network.Port {
	c.t.Helper()
	p := &network.Port{ProjectID: project, NetworkID: c.network.ID, Name: "user's", AdminStateUp: true, FixedIPs: addresses}
	if err := c.store.CreatePort(c.t.Context(), p); err != nil {
		c.t.Fatal(err)
	}
	return p
}

func TestVIP(t *testing.T) {
	c := newCloud(t)
	const unknown = "5e2e5e5e-0000-4000-8000-000000000000"
	both := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID}, network.FixedIP{SubnetID: c.six.ID})
	single := c.makePort(mine, network.FixedIP{SubnetID: c.subnet.ID})
	theirs := c.makePort(foreign, network.FixedIP{SubnetID: c.subnet.ID})
	emptyNet := &network.Network{ProjectID: mine, AdminStateUp: true, MTU: 1500}
	if err := c.store.CreateNetwork(t.Context(), emptyNet); err != nil {
		t.Fatal(err)
	}
	shared := &network.Network{ProjectID: foreign, AdminStateUp: true, MTU: 1500, Shared: true}
	if err := c.store.CreateNetwork(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	sharedSubnet := c.makeSubnet(foreign, shared.ID, "10.7.0.0/24")
	const failure = "Validation failure: "
	bad := []struct {
		name string
		vip  object
		code int
		text string
	}{
		{"bad: nothing", object{}, 400, failure + "VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."},
		{"bad: only an address", object{"vip_address": "10.0.0.5"}, 400, failure + "VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."},
		{"bad port", object{"vip_port_id": unknown}, 400, "Port " + unknown + " not found."},
		{"bad port: another's", object{"vip_port_id": theirs.ID}, 400, "Port " + theirs.ID + " not found."},
		{"bad port: two addresses", object{"vip_port_id": both.ID}, 400, failure + "VIP port's subnet could not be determined. Please specify either a VIP subnet or address."},
		{"bad address on port", object{"vip_port_id": single.ID, "vip_address": "10.0.0.250"}, 400, failure + "Specified VIP address not found on the specified VIP port."},
		{"bad subnet with port", object{"vip_port_id": single.ID, "vip_subnet_id": unknown}, 400, "Subnet " + unknown + " not found."},
		{"bad subnet for port", object{"vip_port_id": single.ID, "vip_subnet_id": c.six.ID}, 400, failure + "No VIP address found on the specified VIP port within the specified subnet."},
		{"bad network", object{"vip_network_id": unknown}, 400, "Network " + unknown + " not found."},
		{"bad network: another's", object{"vip_network_id": c.private.NetworkID}, 400, "Network " + c.private.NetworkID + " not found."},
		{"bad network: empty", object{"vip_network_id": emptyNet.ID}, 400, failure + "Supplied network does not contain a subnet."},
		{"bad address on network", object{"vip_network_id": c.network.ID, "vip_address": "192.0.2.1"}, 400, failure + "Supplied network does not contain a subnet for VIP address specified."},
		{"bad subnet of network", object{"vip_network_id": c.network.ID, "vip_subnet_id": c.private.ID}, 400, "Subnet " + c.private.ID + " not found."},
		{"bad subnet", object{"vip_subnet_id": unknown}, 400, "Subnet " + unknown + " not found."},
		{"bad subnet: another's", object{"vip_subnet_id": c.private.ID}, 400, "Subnet " + c.private.ID + " not found."},
		{"bad address in subnet", object{"vip_subnet_id": c.subnet.ID, "vip_address": "192.0.2.1"}, 400, "IP address 192.0.2.1 is not a valid IP for the specified subnet."},
		{"bad address: taken", object{"vip_subnet_id": c.subnet.ID, "vip_address": single.FixedIPs[0].Address.String()}, 409,
			"The VIP IP address is already in use: Unable to complete operation for network " + c.network.ID + ". The IP address " + single.FixedIPs[0].Address.String() + " is in use."},
	}
	for _, test := range bad {
		t.Run(test.name, func(t *testing.T) {
			c.do("POST", root+"/loadbalancers", object{"loadbalancer": test.vip}).fault(t, test.code, test.text)
		})
	}
	if n := c.ports(); n != 0 {
		t.Errorf("refused requests leave %d ports", n)
	}
	good := []struct {
		name   string
		vip    object
		subnet string
		address,
		port string
	}{
		{"subnet", object{"vip_subnet_id": c.subnet.ID}, c.subnet.ID, "", ""},
		{"subnet and address", object{"vip_subnet_id": c.subnet.ID, "vip_address": "10.0.0.200"}, c.subnet.ID, "10.0.0.200", ""},
		{"IPv6", object{"vip_subnet_id": c.six.ID, "vip_address": "2001:DB8::c8"}, c.six.ID, "2001:db8::c8", ""},
		{"network: IPv4 first", object{"vip_network_id": c.network.ID}, c.subnet.ID, "", ""},
		{"network and address", object{"vip_network_id": c.network.ID, "vip_address": "2001:db8::c9"}, c.six.ID, "2001:db8::c9", ""},
		{"network and subnet", object{"vip_network_id": c.network.ID, "vip_subnet_id": c.six.ID}, c.six.ID, "", ""},
		{"shared subnet", object{"vip_subnet_id": sharedSubnet.ID}, sharedSubnet.ID, "", ""},
		{"port", object{"vip_port_id": single.ID}, c.subnet.ID, single.FixedIPs[0].Address.String(), single.ID},
		{"port and subnet", object{"vip_port_id": both.ID, "vip_subnet_id": c.six.ID}, c.six.ID, both.FixedIPs[1].Address.String(), both.ID},
	}
	for _, test := range good {
		t.Run(test.name, func(t *testing.T) {
			got := c.make("/loadbalancers", "loadbalancer", test.vip)
			if got["vip_subnet_id"] != test.subnet || test.address != "" && got["vip_address"] != test.address || test.port != "" && got["vip_port_id"] != test.port {
				t.Errorf("the VIP is %v in %v on %v", got["vip_address"], got["vip_subnet_id"], got["vip_port_id"])
			}
			if got["vip_network_id"] == "" || got["vip_port_id"] == "" {
				t.Errorf("the answer is %v", got)
			}
		})
	}
	p, err := c.store.Port(t.Context(), single.ID)
	if err != nil || !strings.HasPrefix(p.DeviceID, "lb-") || p.DeviceOwner != "Octavia" || p.Name != "user's" {
		t.Errorf("the user's port is %+v, %v", p, err)
	}
	c.do("POST", root+"/loadbalancers", object{"loadbalancer": object{"vip_port_id": single.ID}}).
		fault(t, 400, failure+"Port "+single.ID+" is already used by device "+p.DeviceID+" ")
}

// TestFullSubnet fills a small IPv4 subnet: what has no other place is refused, what names the network goes to the next one.
func TestFullSubnet(t *testing.T) {
	c := newCloud(t)
	n := &network.Network{ProjectID: mine, AdminStateUp: true, MTU: 1500}
	if err := c.store.CreateNetwork(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	small := &network.Subnet{ProjectID: mine, NetworkID: n.ID, CIDR: netip.MustParsePrefix("10.5.0.0/30"), Gateway: netip.MustParseAddr("10.5.0.1"),
		AllocationPools: []network.Range{{Start: netip.MustParseAddr("10.5.0.2"), End: netip.MustParseAddr("10.5.0.2")}}}
	if err := c.store.CreateSubnet(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	six := c.makeSubnet(mine, n.ID, "2001:db8:5::/64")
	c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": small.ID})
	a := c.do("POST", root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": small.ID}})
	if a.code != http.StatusConflict {
		t.Errorf("a full subnet: %d %s", a.code, a.raw)
	}
	if got := c.make("/loadbalancers", "loadbalancer", object{"vip_network_id": n.ID})["vip_subnet_id"]; got != six.ID {
		t.Errorf("the VIP is in %v", got)
	}
}

// brokenPorts is a network service on which some things fail.
type brokenPorts struct {
	*store.Store
	made    []string
	deleted []string
	fail    error // of CreatePort
}

func (b *brokenPorts) CreatePort(ctx context.Context, p *network.Port) error {
	if b.fail != nil {
		return b.fail
	}
	err := b.Store.CreatePort(ctx, p)
	b.made = append(b.made, p.ID)
	return err
}

func (b *brokenPorts) DeletePort(ctx context.Context, id string) error {
	b.deleted = append(b.deleted, id)
	return b.Store.DeletePort(ctx, id)
}

// TestVIPIsReleased makes the tree impossible only once the VIP's family is known: the port must go again.
func TestVIPIsReleased(t *testing.T) {
	c := newCloud(t)
	ports := &brokenPorts{Store: c.store}
	c.serve(octavia.Config{Store: c.store, Networks: ports, Auth: everybody(), Providers: []provider.Face{haproxy.Face()}})
	tree := object{"vip_subnet_id": c.six.ID, "listeners": []object{{"protocol": "TCP", "protocol_port": 80, "allowed_cidrs": []string{"10.0.0.0/8"}}}}
	a := c.do("POST", root+"/loadbalancers", object{"loadbalancer": tree})
	if a.code != 400 || !strings.Contains(a.raw, "IP version incompatible") {
		t.Errorf("%d %s", a.code, a.raw)
	}
	if len(ports.made) != 1 || !cmp.Equal(ports.made, ports.deleted) || c.ports() != 0 {
		t.Errorf("ports %v were made, %v deleted, %d are left", ports.made, ports.deleted, c.ports())
	}
	user := c.makePort(mine, network.FixedIP{SubnetID: c.six.ID})
	delete(tree, "vip_subnet_id")
	tree["vip_port_id"] = user.ID
	if a := c.do("POST", root+"/loadbalancers", object{"loadbalancer": tree}); a.code != 400 {
		t.Errorf("%d %s", a.code, a.raw)
	}
	p, err := c.store.Port(t.Context(), user.ID)
	if err != nil || p.DeviceID != "" || p.DeviceOwner != "" {
		t.Errorf("the user's port is %+v, %v", p, err)
	}
	ports.fail = errors.New("the network service said the password is hunter2")
	a = c.do("POST", root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID}})
	a.fault(t, 500, "An unexpected error occurred. Its request id is in the header x-openstack-request-id.")
	ports.fail = lbaas.Errorf(lbaas.NotFound, "Subnet x could not be found.") // it went away meanwhile
	c.do("POST", root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID}}).fault(t, 400, "Subnet x could not be found.")
	ports.fail = lbaas.Errorf(lbaas.Unavailable, "The network service does not answer.")
	c.do("POST", root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID}}).fault(t, 503, "The network service does not answer.")
}

func TestLoadBalancerProject(t *testing.T) {
	c := newCloud(t)
	c.as("unscoped").do("POST", root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID}}).
		fault(t, 400, "Validation failure: Missing project ID in request where one is required. An administrator should check the keystone settings in the Octavia configuration.")
	got := c.as("admin").make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "project_id": mine})
	if got["project_id"] != mine {
		t.Errorf("project_id is %v", got["project_id"])
	}
}

func TestLoadBalancerDelete(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	path := "/loadbalancers/" + lb
	l, p := c.listener(lb, 80), c.pool(lb)
	for _, query := range []string{"", "?cascade=false", "?cascade=nonsense"} {
		c.do("DELETE", root+path+query, nil).fault(t, 400, "Validation failure: Cannot delete Load Balancer "+lb+" - it has children")
	}
	c.must(204, "DELETE", path+"?cascade=True", nil)
	for path, key := range map[string]string{path: "loadbalancer", "/listeners/" + l: "listener", "/pools/" + p: "pool"} {
		if got := c.show(path, key)["provisioning_status"]; got != "PENDING_DELETE" {
			t.Errorf("%s is %v", path, got)
		}
	}
	c.do("DELETE", root+path, nil).fault(t, 409, "Invalid state PENDING_DELETE of loadbalancer resource "+lb)
	c.do("PUT", root+path, object{"loadbalancer": object{"name": "x"}}).fault(t, 409, "Invalid state PENDING_DELETE of loadbalancer resource "+lb)
	immutable := "Load Balancer " + lb + " is immutable and cannot be updated."
	c.do("POST", root+"/listeners", object{"listener": object{"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 1}}).fault(t, 409, immutable)
	c.do("PUT", root+"/listeners/"+l, object{"listener": object{}}).fault(t, 409, immutable)
	c.do("DELETE", root+"/pools/"+p, nil).fault(t, 409, immutable)
	c.achieve()
	c.do("GET", root+path, nil).fault(t, 404, "Load Balancer "+lb+" not found.")
	c.do("GET", root+path+"/status", nil).fault(t, 404, "Load Balancer "+lb+" not found.")
	c.do("DELETE", root+path, nil).fault(t, 404, "Load Balancer "+lb+" not found.")

	// children that are going away do not count
	lb = c.loadBalancer()
	c.must(204, "DELETE", "/listeners/"+c.listener(lb, 80), nil)
	c.must(204, "DELETE", "/loadbalancers/"+lb, nil)
}

func TestStatistics(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	a, b := c.listener(lb, 80), c.listener(lb, 81)
	zero := object{"bytes_in": 0.0, "bytes_out": 0.0, "active_connections": 0.0, "total_connections": 0.0, "request_errors": 0.0}
	if diff := cmp.Diff(zero, c.show("/loadbalancers/"+lb+"/stats", "stats")); diff != "" {
		t.Errorf("before any (-want +got):\n%s", diff)
	}
	fail := false
	c.serve(octavia.Config{
		Store: c.store, Networks: c.store, Auth: everybody(), Providers: []provider.Face{haproxy.Face()},
		Stats: func(context.Context, *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error) {
			if fail {
				return nil, errors.New("the engine is away")
			}
			return map[string]lbaas.Statistics{a: {BytesIn: 1, BytesOut: 2, ActiveConnections: 3, TotalConnections: 4, RequestErrors: 5}, b: {BytesIn: 10}}, nil
		},
	})
	want := object{"bytes_in": 11.0, "bytes_out": 2.0, "active_connections": 3.0, "total_connections": 4.0, "request_errors": 5.0}
	if diff := cmp.Diff(want, c.show("/loadbalancers/"+lb+"/stats", "stats")); diff != "" {
		t.Errorf("the sum (-want +got):\n%s", diff)
	}
	want["bytes_in"] = 1.0
	if diff := cmp.Diff(want, c.show("/listeners/"+a+"/stats", "stats")); diff != "" {
		t.Errorf("a listener's (-want +got):\n%s", diff)
	}
	fail = true
	if diff := cmp.Diff(zero, c.show("/listeners/"+a+"/stats", "stats")); diff != "" {
		t.Errorf("the store's (-want +got):\n%s", diff)
	}
}

func TestStatusTree(t *testing.T) {
	c := newCloud(t)
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "name": "lb"})["id"].(string)
	l := c.listener(lb, 80)
	p := c.make("/pools", "pool", object{"listener_id": l, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "name": "p"})["id"].(string)
	m := c.make("/pools/"+p+"/members", "member", object{"address": "10.0.0.9", "protocol_port": 80, "name": "m"})["id"].(string)
	h := c.make("/healthmonitors", "healthmonitor", object{"pool_id": p, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2, "name": "h"})["id"].(string)
	c.pool(lb) // used by nobody: not in the tree
	c.achieve()
	c.must(204, "DELETE", "/pools/"+p+"/members/"+m, nil)
	monitor := object{"id": h, "name": "h", "type": "TCP", "provisioning_status": "ACTIVE", "operating_status": "OFFLINE"}
	want := object{"loadbalancer": object{
		"id": lb, "name": "lb", "provisioning_status": "PENDING_UPDATE", "operating_status": "OFFLINE",
		"listeners": []any{object{
			"id": l, "name": "", "provisioning_status": "PENDING_UPDATE", "operating_status": "OFFLINE", "l7policies": []any{},
			"pools": []any{object{
				"id": p, "name": "p", "provisioning_status": "PENDING_UPDATE", "operating_status": "OFFLINE",
				"health_monitor": monitor, "healthmonitor": monitor,
				"members": []any{object{
					"id": m, "name": "m", "provisioning_status": "PENDING_DELETE", "operating_status": "NO_MONITOR", "address": "10.0.0.9", "protocol_port": 80.0,
				}},
			}},
		}},
	}}
	for _, path := range []string{"/status", "/statuses"} {
		if diff := cmp.Diff(want, c.show("/loadbalancers/"+lb+path, "statuses")); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
}

// TestStatusReason shows that the extension is off unless it is asked for.
func TestStatusReason(t *testing.T) {
	c := newCloud(t)
	id := c.loadBalancer()
	names, err := c.store.LeaseNames(t.Context())
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	lease, _, err := c.store.AcquireLease(t.Context(), names[0], "test", 60e9)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.store.Failing(t.Context(), lease, id, 1, "HAProxy is not installed", true); err != nil {
		t.Fatal(err)
	}
	path := "/loadbalancers/" + id
	got := c.show(path, "loadbalancer")
	if _, given := got["status_reason"]; given || got["provisioning_status"] != "ERROR" {
		t.Errorf("unasked, the load balancer is %v", got)
	}
	want := object{"status_reason": "HAProxy is not installed"}
	if diff := cmp.Diff(want, c.show(path+"?fields=status_reason", "loadbalancer")); diff != "" {
		t.Errorf("?fields=status_reason (-want +got):\n%s", diff)
	}
	listed := c.must(200, "GET", "/loadbalancers?fields=status_reason", nil).body["loadbalancers"]
	if diff := cmp.Diff([]any{want}, listed); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	asked := c.do("GET", root+path, nil, "X-Plimsoll-Extensions", "other, status_reason").body["loadbalancer"].(object)
	if asked["status_reason"] != want["status_reason"] || asked["id"] != id {
		t.Errorf("by the header, the load balancer is %v", asked)
	}
	if a := c.do("GET", root+"/extensions", nil); a.code != 200 || !strings.Contains(a.raw, `"alias":"status_reason"`) {
		t.Errorf("GET /extensions: %s", a.raw)
	}
	// an ERROR load balancer takes changes
	if got := c.put(path, "loadbalancer", object{"name": "again"})["provisioning_status"]; got != "PENDING_CREATE" {
		t.Errorf("after a change it is %v", got)
	}
}

// TestAccessLog shows that the attribute is taken, kept, and answered to those who ask for it only.
func TestAccessLog(t *testing.T) {
	c := newCloud(t)
	base := loadBalancerNoun(c).base
	made := c.make("/loadbalancers", "loadbalancer", more(base, object{"access_log": true}))
	if got, given := made["access_log"]; given {
		t.Errorf("unasked, a POST answers access_log %v", got)
	}
	path := "/loadbalancers/" + made["id"].(string)
	for _, step := range []struct {
		put  any
		want bool
	}{{nil, false}, {"true", true}, {false, false}, {true, true}} {
		c.put(path, "loadbalancer", object{"access_log": step.put})
		want := object{"access_log": step.want}
		if diff := cmp.Diff(want, c.show(path+"?fields=access_log", "loadbalancer")); diff != "" {
			t.Errorf("after a PUT of %v (-want +got):\n%s", step.put, diff)
		}
	}
	c.put(path, "loadbalancer", object{"name": "untouched"})
	asked := c.do("GET", root+path, nil, "X-Plimsoll-Extensions", "access_log").body["loadbalancer"].(object)
	if asked["access_log"] != true || asked["name"] != "untouched" {
		t.Errorf("by the header, the load balancer is %v", asked)
	}
	other := c.make("/loadbalancers", "loadbalancer", base)
	if got := c.show("/loadbalancers/"+other["id"].(string)+"?fields=access_log", "loadbalancer")["access_log"]; got != false {
		t.Errorf("by default access_log is %v", got)
	}
}
