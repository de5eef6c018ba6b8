package neutron_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/network"
	"plimsoll/lbaas"
)

// TestTenantsDoNotMeet gives two tenants the same CIDR and the same addresses: neither sees anything of the other.
func TestTenantsDoNotMeet(t *testing.T) {
	f := newFixture(t)
	for _, who := range []string{"alice", "bob"} {
		lan, sub := f.lan(who, object{"name": who}, "10.0.0.0/24")
		p := f.add(who, "port", object{"network_id": lan, "name": who, "fixed_ips": []object{{"ip_address": "10.0.0.9"}}})
		other := map[string]string{"alice": "bob", "bob": "alice"}[who]
		for path, missing := range map[string]refusal{
			"networks/" + lan:           {404, "NetworkNotFound", "Network " + lan + " could not be found."},
			"subnets/" + sub:            {404, "SubnetNotFound", "Subnet " + sub + " could not be found."},
			"ports/" + p["id"].(string): {404, "PortNotFound", "Port " + p["id"].(string) + " could not be found."},
		} {
			noun := map[byte]string{'n': "network", 's': "subnet", 'p': "port"}[path[0]]
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				var body any
				if method == "PUT" {
					body = object{noun: object{"name": "mine"}}
				}
				if diff := cmp.Diff(missing, f.refused(other, method, "/v2.0/"+path, body)); diff != "" {
					t.Errorf("%s %s by %s (-want +got):\n%s", method, path, other, diff)
				}
			}
			if diff := cmp.Diff(missing, f.refused(other, "PUT", "/v2.0/"+path+"/tags/x", nil)); diff != "" {
				t.Errorf("tag %s by %s (-want +got):\n%s", path, other, diff)
			}
		}
		missing := refusal{404, "NetworkNotFound", "Network " + lan + " could not be found."}
		if diff := cmp.Diff(missing, f.refused(other, "POST", "/v2.0/ports", port(lan))); diff != "" {
			t.Errorf("a port on a foreign network (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(missing, f.refused(other, "POST", "/v2.0/subnets", subnet(lan, "10.1.0.0/24"))); diff != "" {
			t.Errorf("a subnet of a foreign network (-want +got):\n%s", diff)
		}
	}
	for who, want := range map[string][]string{"alice": {"alice"}, "bob": {"bob"}, "reader": {"alice"}, "balancer": {"alice"}, "admin": {"alice", "bob"}, "system": {"alice", "bob"}} {
		for _, plural := range []string{"networks", "ports"} {
			if diff := cmp.Diff(want, f.names(who, plural, "sort_key=name&sort_dir=asc")); diff != "" {
				t.Errorf("%s that %s sees (-want +got):\n%s", plural, who, diff)
			}
		}
	}
	if got := f.names("bob", "ports", "tenant_id=alices"); len(got) > 0 {
		t.Errorf("asked for alice's ports, bob is shown %q", got)
	}
}

func TestWhoMay(t *testing.T) {
	f := newFixture(t)
	shared, sub := f.lan("admin", object{"name": "shared", "shared": true}, "10.0.0.0/24")
	external, _ := f.lan("admin", object{"name": "external", "router:external": true}, "10.1.0.0/24")
	own, _ := f.lan("alice", object{"name": "own"}, "10.0.0.0/24")
	mine := f.add("alice", "port", object{"network_id": own})["id"].(string)
	lent, _ := f.lan("admin", object{"project_id": "alices", "shared": true, "router:external": true}, "10.2.0.0/24")
	no := func(text string) refusal {
		return refusal{403, "PolicyNotAuthorized", text + " is disallowed by policy"}
	}
	tests := []struct {
		name, who, method, path string
		body                    any
		want                    refusal
	}{
		{"bad: unscoped", "nobody", "GET", "networks", nil, no("rule:get_network")},
		{"bad: unscoped", "nobody", "GET", "networks/" + shared, nil, no("rule:get_network")},
		{"bad: unscoped", "nobody", "POST", "networks", object{"network": object{}}, no("rule:create_network")},
		{"bad: unscoped", "nobody", "DELETE", "networks/" + shared, nil, no("rule:delete_network")},
		{"bad: reader makes", "reader", "POST", "networks", object{"network": object{}}, no("rule:create_network")},
		{"bad: reader changes", "reader", "PUT", "networks/" + own, object{"network": object{}}, no("rule:update_network")},
		{"bad: reader deletes", "reader", "DELETE", "ports/" + mine, nil, no("rule:delete_port")},
		{"bad: reader tags", "reader", "PUT", "ports/" + mine + "/tags/x", nil, no("rule:update_ports_tags")},
		{"bad: other role", "balancer", "DELETE", "ports/" + mine, nil, no("rule:delete_port")},
		{"bad: share", "alice", "POST", "networks", object{"network": object{"shared": true}}, no("(rule:create_network and rule:create_network:shared)")},
		{"bad: share later", "alice", "PUT", "networks/" + own, object{"network": object{"shared": "true"}}, no("(rule:update_network and rule:update_network:shared)")},
		{"bad: unshare", "alice", "PUT", "networks/" + lent, object{"network": object{"shared": false}}, no("(rule:update_network and rule:update_network:shared)")},
		{"bad: withdraw", "alice", "PUT", "networks/" + lent, object{"network": object{"router:external": false}},
			no("(rule:update_network and rule:update_network:router:external)")},
		{"bad: external", "alice", "POST", "networks", object{"network": object{"router:external": true}}, no("(rule:create_network and rule:create_network:router:external)")},
		{"bad: provider", "alice", "POST", "networks", object{"network": object{"provider:network_type": "local"}},
			no("(rule:create_network and rule:create_network:provider:network_type)")},
		{"bad: change the shared", "alice", "PUT", "networks/" + shared, object{"network": object{"name": "x"}}, no("rule:update_network")},
		{"bad: tag the shared", "alice", "PUT", "networks/" + shared + "/tags/x", nil, no("rule:update_networks_tags")},
		{"bad: delete the shared", "alice", "DELETE", "networks/" + shared, nil, no("rule:delete_network")},
		{"bad: divide the shared", "alice", "POST", "subnets", subnet(shared, "10.5.0.0/24"), no("rule:create_subnet")},
		{"bad: change its subnet", "alice", "PUT", "subnets/" + sub, object{"subnet": object{"name": "x"}}, no("rule:update_subnet")},
		{"bad: delete its subnet", "alice", "DELETE", "subnets/" + sub, nil, no("rule:delete_subnet")},
		{"bad: port on the external", "alice", "POST", "ports", port(external), refusal{403, "HTTPForbidden", "Tenant alices not allowed to create port on this network"}},
		{"bad: address of the shared", "alice", "POST", "ports", ips(shared, object{"ip_address": "10.0.0.9"}),
			no("((rule:create_port and rule:create_port:fixed_ips) and rule:create_port:fixed_ips:ip_address)")},
		{"bad: MAC on the shared", "alice", "POST", "ports", port(shared, "mac_address", "fa:16:3e:00:00:01"), no("(rule:create_port and rule:create_port:mac_address)")},
		{"bad: router on the shared", "alice", "POST", "ports", port(shared, "device_owner", "network:dhcp"), no("(rule:create_port and rule:create_port:device_owner)")},
		{"bad: own load balancer", "alice", "POST", "ports", port(own, "device_owner", "Octavia"), no("(rule:create_port and rule:create_port:device_owner)")},
		{"bad: new MAC", "alice", "PUT", "ports/" + mine, object{"port": object{"mac_address": "fa:16:3e:00:00:02"}}, no("(rule:update_port and rule:update_port:mac_address)")},
		{"bad: binding", "alice", "PUT", "ports/" + mine, object{"port": object{"binding:profile": object{"netns": "x"}}},
			no("(rule:update_port and rule:update_port:binding:profile)")},
		{"bad: system without a project", "system", "POST", "networks", object{"network": object{}},
			refusal{400, "HTTPBadRequest", "Running without keystone AuthN requires that tenant_id is specified"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, f.refused(test.who, test.method, "/v2.0/"+test.path, test.body)); diff != "" {
			t.Errorf("%s: %s %s (-want +got):\n%s", test.name, test.method, test.path, diff)
		}
	}

	f.add("alice", "port", object{"network_id": shared})
	f.add("alice", "port", object{"network_id": shared, "fixed_ips": []object{{"subnet_id": sub}}})
	f.add("alice", "port", object{"network_id": own, "fixed_ips": []object{{"ip_address": "10.0.0.99"}}, "mac_address": "fa:16:3e:00:00:03", "device_owner": "network:dhcp"})
	f.add("alice", "network", object{"shared": false, "router:external": false, "project_id": "alices"})
	f.want(200, "alice", "PUT", "/v2.0/networks/"+lent, object{"network": object{"shared": true, "router:external": true, "name": "lent"}})
	f.want(204, "alice", "DELETE", "/v2.0/networks/"+lent, nil)
	f.add("system", "network", object{"project_id": "bobs", "name": "given"})
	f.add("admin", "port", object{"tenant_id": "bobs", "network_id": external})
	if diff := cmp.Diff([]string{"external", "given", "shared"}, f.names("bob", "networks", "sort_key=name&sort_dir=asc")); diff != "" {
		t.Errorf("bob's networks (-want +got):\n%s", diff)
	}
	if got := f.want(200, "bob", "GET", "/v2.0/subnets", nil)["subnets"].([]any); len(got) != 2 {
		t.Errorf("bob sees the subnets %v", got)
	}
	if got := f.want(200, "bob", "GET", "/v2.0/subnets?shared=true", nil)["subnets"].([]any); len(got) != 1 {
		t.Errorf("bob sees the shared subnets %v", got)
	}
	if got := f.want(200, "bob", "GET", "/v2.0/ports", nil)["ports"].([]any); len(got) != 1 {
		t.Errorf("bob sees the ports %v", got)
	}
}

// TestPortsOfLoadBalancers keeps tenants from pulling an address from under a load balancer.
func TestPortsOfLoadBalancers(t *testing.T) {
	f := newFixture(t)
	lan, sub := f.lan("alice", object{}, "10.0.0.0/24")
	vip := &network.Port{ProjectID: "alices", NetworkID: lan, Name: "octavia-lb-x", DeviceID: "lb-x", DeviceOwner: network.OwnerLoadBalancer, AdminStateUp: true}
	if err := f.store.CreatePort(t.Context(), vip); err != nil {
		t.Fatal(err)
	}
	path := "/v2.0/ports/" + vip.ID
	deleted := refusal{409, "ServicePortInUse", "Port " + vip.ID + " cannot be deleted directly via the port API: has device owner Octavia."}
	if diff := cmp.Diff(deleted, f.refused("alice", "DELETE", path, nil)); diff != "" {
		t.Errorf("delete (-want +got):\n%s", diff)
	}
	changed := refusal{409, "ServicePortInUse", "Port " + vip.ID + " cannot be changed directly via the port API: has device owner Octavia."}
	for _, body := range []object{
		{"fixed_ips": []object{}}, {"fixed_ips": []object{{"ip_address": "10.0.0.99"}}},
		{"fixed_ips": []object{{"subnet_id": sub}, {"subnet_id": sub}}}, {"device_owner": ""}, {"device_id": "x"},
	} {
		if diff := cmp.Diff(changed, f.refused("alice", "PUT", path, object{"port": body})); diff != "" {
			t.Errorf("change %v (-want +got):\n%s", body, diff)
		}
	}
	for _, body := range []object{{"name": "x"}, {"fixed_ips": []object{{"subnet_id": sub}}}, {"fixed_ips": []object{{"ip_address": vip.FixedIPs[0].Address.String()}}}} {
		f.want(200, "alice", "PUT", path, object{"port": body})
	}
	bound := f.refused("admin", "PUT", path, object{"port": object{"binding:host_id": "h", "binding:profile": object{"netns": "x"}}})
	want := refusal{409, "PortInUse", "Port " + vip.ID + " belongs to a load balancer, which plugs it: it cannot be bound."}
	if diff := cmp.Diff(want, bound); diff != "" {
		t.Errorf("bind (-want +got):\n%s", diff)
	}
	f.want(204, "admin", "DELETE", path, nil)
}

// TestPortsOfLoadBalancersThatAreThere keeps admins from it, too: the load balancer would say another address than its port has.
func TestPortsOfLoadBalancersThatAreThere(t *testing.T) {
	f := newFixture(t)
	lan, sub := f.lan("alice", object{}, "10.0.0.0/24")
	lb := lbaas.NewLoadBalancer()
	lb.ID, lb.ProjectID, lb.Provider = uuid.NewString(), "alices", "haproxy"
	vip := &network.Port{ProjectID: "alices", NetworkID: lan, DeviceID: "lb-" + lb.ID, DeviceOwner: network.OwnerLoadBalancer, AdminStateUp: true}
	if err := f.store.CreatePort(t.Context(), vip); err != nil {
		t.Fatal(err)
	}
	lb.VIPNetworkID, lb.VIPSubnetID, lb.VIPPortID, lb.VIPAddress = lan, sub, vip.ID, vip.FixedIPs[0].Address
	if err := f.store.CreateLoadBalancer(t.Context(), lb); err != nil {
		t.Fatal(err)
	}
	path := "/v2.0/ports/" + vip.ID
	for _, body := range []object{{"fixed_ips": []object{{"ip_address": "10.0.0.99"}}}, {"device_owner": ""}, {"device_id": "x"}} {
		if got := f.refused("admin", "PUT", path, object{"port": body}); got.Code != 409 || got.Type != "ServicePortInUse" {
			t.Errorf("change %v: %+v", body, got)
		}
	}
	f.want(200, "admin", "PUT", path, object{"port": object{"name": "x"}})
}

func TestBindings(t *testing.T) {
	f := newFixture(t)
	lan, _ := f.lan("admin", object{}, "10.0.0.0/24")
	id := f.add("admin", "port", object{"network_id": lan})["id"].(string)
	path := "/v2.0/ports/" + id
	for _, name := range []string{"../x", "a/b", ".hidden", "-x", "a b", "a\nb", "qlbaas-x", string(make([]byte, 65)), "ü", "a%00"} {
		got := f.refused("admin", "PUT", path, object{"port": object{"binding:profile": object{"netns": name}}})
		if got.Code != 400 || got.Type != "HTTPBadRequest" {
			t.Errorf("the namespace %q: %+v", name, got)
		}
	}
	for _, profile := range []any{"x", []int{}, 5, object{"netns": 5}, object{"colour": "red"}, object{"netns": "a", "x": "y"}} {
		got := f.refused("admin", "PUT", path, object{"port": object{"binding:profile": profile}})
		if got.Code != 400 || got.Type != "HTTPBadRequest" {
			t.Errorf("the profile %v: %+v", profile, got)
		}
	}
	f.want(200, "admin", "PUT", path, object{"port": object{"binding:host_id": "h", "binding:profile": object{"netns": "web-1"}}})
	list, err := f.store.BoundPorts(t.Context(), "h")
	if err != nil || len(list) != 1 || list[0].Binding.NetNS != "web-1" {
		t.Fatalf("bound ports: %v %v", list, err)
	}
	if err := f.store.BindingObserved(t.Context(), id, list[0].Binding.Generation, "no bridge"); err != nil {
		t.Fatal(err)
	}
	if got := f.want(200, "admin", "GET", path, nil)["port"].(object); got["status"] != "DOWN" || got["status_reason"] != "no bridge" {
		t.Errorf("a port that could not be plugged: %v", got)
	}
	if err := f.store.BindingObserved(t.Context(), id, list[0].Binding.Generation, ""); err != nil {
		t.Fatal(err)
	}
	if got := f.want(200, "admin", "GET", path, nil)["port"].(object); got["status"] != "ACTIVE" || got["status_reason"] != nil {
		t.Errorf("a plugged port: %v", got)
	}
	if got := f.want(200, "admin", "GET", "/v2.0/ports?status=ACTIVE&binding:host_id=h", nil)["ports"].([]any); len(got) != 1 {
		t.Errorf("active ports: %v", got)
	}
	got := f.want(200, "admin", "PUT", path, object{"port": object{"binding:host_id": nil, "binding:profile": object{}}})["port"].(object)
	if got["status"] != "DOWN" || got["binding:vif_type"] != "unbound" || got["binding:host_id"] != "" {
		t.Errorf("an unbound port: %v", got)
	}
}
