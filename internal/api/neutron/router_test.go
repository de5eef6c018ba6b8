package neutron_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// routed is an API with an external network, a network of alice's with a router between them, and a port in it.
type routed struct {
	*fixture
	outside, outsideSubnet string
	inside, subnet         string
	router                 string
	port                   string
}

func newRouted(t *testing.T) *routed {
	t.Helper()
	r := &routed{fixture: newFixture(t)}
	r.outside, r.outsideSubnet = r.lan("admin", object{"name": "public", "router:external": true}, "172.24.4.0/24")
	r.inside, r.subnet = r.lan("alice", object{"name": "lan"}, "10.0.0.0/24")
	r.router = r.add("alice", "router", object{"name": "r", "external_gateway_info": object{"network_id": r.outside}})["id"].(string)
	r.want(200, "alice", "PUT", "/v2.0/routers/"+r.router+"/add_router_interface", object{"subnet_id": r.subnet})
	r.port = r.add("alice", "port", object{"network_id": r.inside, "name": "web"})["id"].(string)
	return r
}

// anonymous is an answer without what differs from time to time.
func anonymous(o object) object {
	for _, key := range []string{"id", "created_at", "updated_at"} {
		delete(o, key)
	}
	return o
}

func TestRouterAnswers(t *testing.T) {
	f := newRouted(t)
	want := object{
		"name": "r", "description": "", "project_id": "alices", "tenant_id": "alices", "admin_state_up": true, "status": "ACTIVE",
		"external_gateway_info": object{"network_id": f.outside, "enable_snat": true,
			"external_fixed_ips": []any{object{"subnet_id": f.outsideSubnet, "ip_address": "A"}}},
		"routes": []any{}, "availability_zones": []any{}, "availability_zone_hints": []any{}, "flavor_id": nil, "tags": []any{}, "revision_number": 1.0,
	}
	address := cmpopts.IgnoreMapEntries(func(key string, _ any) bool { return key == "ip_address" })
	got := f.want(200, "alice", "GET", "/v2.0/routers/"+f.router, nil)["router"].(object)
	if diff := cmp.Diff(want, anonymous(got), address); diff != "" {
		t.Errorf("a router as its owner sees it (-want +got):\n%s", diff)
	}
	want["distributed"], want["ha"] = false, false
	got = f.want(200, "admin", "GET", "/v2.0/routers/"+f.router, nil)["router"].(object)
	if diff := cmp.Diff(want, anonymous(got), address); diff != "" {
		t.Errorf("a router as an admin sees it (-want +got):\n%s", diff)
	}
	for query, found := range map[string]int{"distributed=False": 1, "distributed=true": 0, "ha=False": 1, "ha=True": 0, "flavor_id=": 1, "flavor_id=x": 0} {
		if names := f.names("alice", "routers", query); len(names) != found {
			t.Errorf("routers?%s lists %d, want %d", query, len(names), found)
		}
	}
	f.want(404, "bob", "GET", "/v2.0/routers/"+f.router, nil)
	if names := f.names("bob", "routers", ""); len(names) != 0 {
		t.Errorf("bob sees the routers %v", names)
	}
}

func TestInterfaceAnswers(t *testing.T) {
	f := newRouted(t)
	_, second := f.lan("alice", object{"name": "second"}, "10.1.0.0/24")
	path := "/v2.0/routers/" + f.router + "/"
	added := f.want(200, "alice", "PUT", path+"add_router_interface", object{"subnet_id": second})
	port := added["port_id"].(string)
	want := object{"id": f.router, "project_id": "alices", "tenant_id": "alices", "port_id": port, "network_id": added["network_id"],
		"subnet_id": second, "subnet_ids": []any{second}}
	if diff := cmp.Diff(want, added); diff != "" {
		t.Errorf("an interface (-want +got):\n%s", diff)
	}
	p := f.want(200, "alice", "GET", "/v2.0/ports/"+port, nil)["port"].(object)
	if p["device_owner"] != "network:router_interface" || p["device_id"] != f.router {
		t.Errorf("the interface's port: %v", p)
	}
	if diff := cmp.Diff([]any{object{"subnet_id": second, "ip_address": "10.1.0.1"}}, p["fixed_ips"]); diff != "" {
		t.Errorf("the interface's address (-want +got):\n%s", diff)
	}
	removed := f.want(200, "alice", "PUT", path+"remove_router_interface", object{"subnet_id": second})
	if diff := cmp.Diff(want, removed); diff != "" {
		t.Errorf("an interface that was taken away (-want +got):\n%s", diff)
	}
	f.want(404, "alice", "GET", "/v2.0/ports/"+port, nil)
}

func TestFloatingIPAnswers(t *testing.T) {
	f := newRouted(t)
	got := f.add("alice", "floatingip", object{"floating_network_id": f.outside, "port_id": f.port, "description": "d"})
	id := got["id"].(string)
	p := f.want(200, "alice", "GET", "/v2.0/ports/"+f.port, nil)["port"].(object)
	want := object{
		"project_id": "alices", "tenant_id": "alices", "description": "d", "status": "DOWN", "floating_network_id": f.outside,
		"floating_ip_address": got["floating_ip_address"], "router_id": f.router, "port_id": f.port,
		"fixed_ip_address": p["fixed_ips"].([]any)[0].(object)["ip_address"], "tags": []any{}, "revision_number": 1.0,
		"port_details": object{"name": "web", "network_id": f.inside, "mac_address": p["mac_address"], "admin_state_up": true, "status": "DOWN",
			"device_id": "", "device_owner": ""},
	}
	if diff := cmp.Diff(want, anonymous(got)); diff != "" {
		t.Errorf("a floating address (-want +got):\n%s", diff)
	}
	// What a request does not name stays.
	kept := f.want(200, "alice", "PUT", "/v2.0/floatingips/"+id, object{"floatingip": object{"description": "e"}})["floatingip"].(object)
	if kept["port_id"] != f.port || kept["description"] != "e" {
		t.Errorf("after a new description: %v", kept)
	}
	free := f.want(200, "alice", "PUT", "/v2.0/floatingips/"+id, object{"floatingip": object{"port_id": nil}})["floatingip"].(object)
	for _, key := range []string{"port_id", "router_id", "fixed_ip_address", "port_details"} {
		if free[key] != nil {
			t.Errorf("a floating address that stands for nothing has the %s %v", key, free[key])
		}
	}
	f.want(404, "bob", "GET", "/v2.0/floatingips/"+id, nil)
	own := f.want(200, "admin", "GET", "/v2.0/ports?device_id="+id, nil)["ports"].([]any)
	if len(own) != 1 || own[0].(object)["status"] != "N/A" || own[0].(object)["project_id"] != "" {
		t.Errorf("the port that holds the address: %v", own)
	}
	f.want(204, "alice", "DELETE", "/v2.0/floatingips/"+id, nil)
}

// TestBadRouting is what is refused, in Neutron's words. X, I, R, P, S stand for the ids of the external network, the internal one, the
// router, the port and the internal subnet.
func TestBadRouting(t *testing.T) {
	f := newRouted(t)
	f.add("alice", "floatingip", object{"floating_network_id": f.outside, "port_id": f.port})
	lonely, lonelySubnet := f.lan("alice", object{"name": "lonely"}, "10.9.0.0/24")
	stray := f.add("alice", "port", object{"network_id": lonely})["id"].(string)
	_, same := f.lan("alice", object{"name": "same"}, "10.0.0.128/25")
	none := f.add("alice", "network", object{"name": "none"})["id"].(string)
	closed := f.add("alice", "subnet", object{"network_id": none, "cidr": "10.8.0.0/24", "ip_version": 4, "gateway_ip": nil})["id"].(string)
	_, bobs := f.lan("bob", object{"name": "bobs"}, "10.7.0.0/24")
	_, shared := f.lan("admin", object{"name": "shared", "shared": true}, "10.6.0.0/24")
	six := f.add("alice", "network", object{"name": "six"})["id"].(string)
	f.add("alice", "subnet", object{"network_id": six, "cidr": "2001:db8::/64", "ip_version": 6})
	port6 := f.add("alice", "port", object{"network_id": six})["id"].(string)
	const missing = "00000000-0000-4000-8000-000000000000"
	r := func(s string) string { return "PUT /v2.0/routers/" + f.router + "/" + s }
	router := func(attributes object) object { return object{"router": attributes} }
	float := func(attributes object) object {
		if _, ok := attributes["floating_network_id"]; !ok {
			attributes["floating_network_id"] = f.outside
		}
		return object{"floatingip": attributes}
	}
	replacer := strings.NewReplacer("<X>", f.outside, "<I>", f.inside, "<R>", f.router, "<P>", f.port, "<S>", f.subnet, "<L>", lonelySubnet,
		"<s>", stray, "<0>", missing, "<same>", same, "<bobs>", bobs, "<shared>", shared, "<6>", port6)
	for _, test := range []struct {
		name, who, call string
		body            any
		want            refusal
	}{
		{"bad: distributed", "admin", "POST /v2.0/routers", router(object{"distributed": true}), refusal{400, "HTTPBadRequest", "Invalid input for distributed. Reason: 'True' is not supported by this network service."}},
		{"bad: ha", "admin", "POST /v2.0/routers", router(object{"ha": "True"}), refusal{400, "HTTPBadRequest", "Invalid input for ha. Reason: 'True' is not supported by this network service."}},
		{"bad: ha of a tenant's", "alice", "POST /v2.0/routers", router(object{"ha": false}), refusal{403, "PolicyNotAuthorized", "(rule:create_router and rule:create_router:ha) is disallowed by policy"}},
		{"bad: snat of a tenant's", "alice", "PUT /v2.0/routers/<R>", router(object{"external_gateway_info": object{"network_id": f.outside, "enable_snat": false}}), refusal{403, "PolicyNotAuthorized", "((rule:update_router and rule:update_router:external_gateway_info) and rule:update_router:external_gateway_info:enable_snat) is disallowed by policy"}},
		{"bad: gateway without a network", "admin", "PUT /v2.0/routers/<R>", router(object{"external_gateway_info": object{"enable_snat": false}}), refusal{400, "HTTPBadRequest", `Invalid input for external_gateway_info. Reason: Validation of dictionary's keys failed. Expected keys: {'network_id'} Provided keys: ["enable_snat"].`}},
		{"bad: gateway inside", "alice", "POST /v2.0/routers", router(object{"external_gateway_info": object{"network_id": f.inside}}), refusal{400, "BadRequest", "Bad router request: Network <I> is not an external network."}},
		{"bad: gateway nowhere", "alice", "POST /v2.0/routers", router(object{"external_gateway_info": object{"network_id": missing}}), refusal{404, "NetworkNotFound", "Network <0> could not be found."}},
		{"bad: the gateway's gateway", "admin", "POST /v2.0/routers", router(object{"tenant_id": "alices", "external_gateway_info": object{"network_id": f.outside, "external_fixed_ips": []object{{"ip_address": "172.24.4.1"}}}}), refusal{400, "BadRequest", "Bad router request: External IP 172.24.4.1 is the same as the gateway IP."}},
		{"bad: gateway in use", "alice", "PUT /v2.0/routers/<R>", router(object{"external_gateway_info": object{}}), refusal{409, "RouterExternalGatewayInUseByFloatingIp", "Gateway cannot be updated for router <R>, since a gateway to external network <X> is required by one or more floating IPs."}},
		{"bad: next hop elsewhere", "alice", "PUT /v2.0/routers/<R>", router(object{"routes": []object{{"destination": "10.20.0.0/16", "nexthop": "10.5.0.1"}}}), refusal{400, "InvalidRoutes", "Invalid format for routes: [{'destination': '10.20.0.0/16', 'nexthop': '10.5.0.1'}], the nexthop is not connected with router"}},
		{"bad: next hop itself", "alice", r("add_extraroutes"), router(object{"routes": []object{{"destination": "10.20.0.0/16", "nexthop": "10.0.0.1"}}}), refusal{400, "InvalidRoutes", "Invalid format for routes: [{'destination': '10.20.0.0/16', 'nexthop': '10.0.0.1'}], the nexthop is used by router"}},
		{"bad: router in use", "alice", "DELETE /v2.0/routers/<R>", nil, refusal{409, "RouterInUse", "Router <R> still has ports"}},
		{"bad: no router", "alice", "DELETE /v2.0/routers/<0>", nil, refusal{404, "RouterNotFound", "Router <0> could not be found"}},
		{"bad: somebody else's", "bob", r("add_router_interface"), object{"subnet_id": bobs}, refusal{404, "RouterNotFound", "Router <R> could not be found"}},

		{"bad: neither", "alice", r("add_router_interface"), object{}, refusal{400, "BadRequest", "Bad router request: Either subnet_id or port_id must be specified."}},
		{"bad: both", "alice", r("add_router_interface"), object{"subnet_id": f.subnet, "port_id": f.port}, refusal{400, "BadRequest", "Bad router request: Cannot specify both subnet-id and port-id."}},
		{"bad: no UUID", "alice", r("add_router_interface"), object{"subnet_id": "x"}, refusal{400, "BadRequest", "Bad router request: 'x' is not a valid UUID."}},
		{"bad: there already", "alice", r("add_router_interface"), object{"subnet_id": f.subnet}, refusal{400, "BadRequest", "Bad router request: Router already has a port on subnet <S>."}},
		{"bad: overlap", "alice", r("add_router_interface"), object{"subnet_id": same}, refusal{400, "BadRequest", "Bad router request: Cidr 10.0.0.128/25 of subnet <same> overlaps with cidr 10.0.0.0/24 of subnet <S>."}},
		{"bad: no gateway", "alice", r("add_router_interface"), object{"subnet_id": closed}, refusal{400, "BadRequest", "Bad router request: Subnet for router interface must have a gateway IP."}},
		{"bad: a subnet of another", "alice", r("add_router_interface"), object{"subnet_id": bobs}, refusal{404, "SubnetNotFound", "Subnet <bobs> could not be found."}},
		{"bad: a shared subnet", "alice", r("add_router_interface"), object{"subnet_id": shared}, refusal{400, "BadRequest", "Bad router request: Cannot add interface to router because subnet <shared> is not owned by project making the request."}},
		{"bad: no interface", "alice", r("remove_router_interface"), object{"subnet_id": lonelySubnet}, refusal{404, "RouterInterfaceNotFoundForSubnet", "Router <R> has no interface on subnet <L>"}},
		{"bad: no such interface", "alice", r("remove_router_interface"), object{"port_id": f.port}, refusal{404, "RouterInterfaceNotFound", "Router <R> does not have an interface with id <P>"}},
		{"bad: interface in use", "alice", r("remove_router_interface"), object{"subnet_id": f.subnet}, refusal{409, "RouterInterfaceInUseByFloatingIP", "Router interface for subnet <S> on router <R> cannot be deleted, as it is required by one or more floating IPs."}},

		{"bad: no network", "alice", "POST /v2.0/floatingips", object{"floatingip": object{}}, refusal{400, "HTTPBadRequest", "Failed to parse request. Required attribute 'floating_network_id' not specified"}},
		{"bad: floating inside", "alice", "POST /v2.0/floatingips", float(object{"floating_network_id": f.inside}), refusal{400, "BadRequest", "Bad floatingip request: Network <I> is not a valid external network."}},
		{"bad: unreachable", "alice", "POST /v2.0/floatingips", float(object{"port_id": stray}), refusal{404, "ExternalGatewayForFloatingIPNotFound", "External network <X> is not reachable from subnet <L>.  Therefore, cannot associate Port <s> with a Floating IP."}},
		{"bad: no IPv4", "alice", "POST /v2.0/floatingips", float(object{"port_id": port6}), refusal{400, "BadRequest", "Bad floatingip request: Cannot add floating IP to port <6> that has no fixed IPv4 addresses."}},
		{"bad: not the port's", "alice", "POST /v2.0/floatingips", float(object{"port_id": f.port, "fixed_ip_address": "10.0.0.250"}), refusal{400, "BadRequest", "Bad floatingip request: Port <P> does not have fixed ip 10.0.0.250."}},
		{"bad: no port", "alice", "POST /v2.0/floatingips", float(object{"fixed_ip_address": "10.0.0.250"}), refusal{400, "BadRequest", "Bad floatingip request: fixed_ip_address cannot be specified without a port_id."}},
		{"bad: unknown port", "alice", "POST /v2.0/floatingips", float(object{"port_id": missing}), refusal{404, "PortNotFound", "Port <0> could not be found."}},
		{"bad: the tenant names the address", "alice", "POST /v2.0/floatingips", float(object{"floating_ip_address": "172.24.4.99"}), refusal{403, "PolicyNotAuthorized", "(rule:create_floatingip and rule:create_floatingip:floating_ip_address) is disallowed by policy"}},
		{"bad: no floating IP", "alice", "GET /v2.0/floatingips/<0>", nil, refusal{404, "FloatingIPNotFound", "Floating IP <0> could not be found"}},

		{"bad: owner of routers", "admin", "POST /v2.0/ports", object{"port": object{"network_id": f.inside, "device_owner": "network:router_interface", "device_id": f.router}}, refusal{400, "InvalidInput", "Invalid input for operation: ports get the device_owner 'network:router_interface' by requests of routers and floating IPs only."}},
		{"bad: becomes a router's", "alice", "PUT /v2.0/ports/<P>", object{"port": object{"device_owner": "network:router_interface"}}, refusal{400, "InvalidInput", "Invalid input for operation: ports get the device_owner 'network:router_interface' by requests of routers and floating IPs only."}},
		{"bad: gateway of a router's subnet", "alice", "PUT /v2.0/subnets/<S>", object{"subnet": object{"gateway_ip": nil}}, refusal{409, "GatewayIpInUse", ""}},
		{"bad: external no more", "admin", "PUT /v2.0/networks/<X>", object{"network": object{"router:external": false}}, refusal{409, "ExternalNetworkInUse", "External network <X> cannot be updated to be made non-external, since it has existing gateway ports."}},
	} {
		method, path, _ := strings.Cut(replacer.Replace(test.call), " ")
		got := f.refused(test.who, method, path, test.body)
		test.want.Text = replacer.Replace(test.want.Text)
		if test.want.Text == "" {
			got.Text = ""
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	second := f.refused("alice", "POST", "/v2.0/floatingips", float(object{"port_id": f.port}))
	if second.Type != "FloatingIPPortAlreadyAssociated" || !strings.HasSuffix(second.Text, "as that fixed IP already has a floating IP on external network "+f.outside+".") {
		t.Errorf("a second floating address of a port: %v", second)
	}
	if ips, routers := f.count("floatingips"), f.count("routers"); ips != 1 || routers != 1 {
		t.Errorf("bad requests left %d floating addresses and %d routers, want one each", ips, routers)
	}
}

func (f *fixture) count(plural string) int {
	f.t.Helper()
	return len(f.want(200, "admin", "GET", "/v2.0/"+plural, nil)[plural].([]any))
}

// TestRoutingPorts: ports of routers and floating addresses neither go nor change by requests of ports.
func TestRoutingPorts(t *testing.T) {
	f := newRouted(t)
	f.add("alice", "floatingip", object{"floating_network_id": f.outside})
	for _, p := range f.want(200, "admin", "GET", "/v2.0/ports?fields=id&fields=device_owner", nil)["ports"].([]any) {
		id, owner := p.(object)["id"].(string), p.(object)["device_owner"].(string)
		if owner == "" {
			continue
		}
		want := refusal{409, "ServicePortInUse", "Port " + id + " cannot be deleted directly via the port API: has device owner " + owner + "."}
		if diff := cmp.Diff(want, f.refused("admin", "DELETE", "/v2.0/ports/"+id, nil)); diff != "" {
			t.Errorf("deleting a port of %s (-want +got):\n%s", owner, diff)
		}
		for _, change := range []object{{"device_owner": ""}, {"device_id": "x"}, {"fixed_ips": []object{}}, {"binding:host_id": "other"}} {
			if got := f.refused("admin", "PUT", "/v2.0/ports/"+id, object{"port": change}); got.Type != "ServicePortInUse" {
				t.Errorf("changing a port of %s to %v: %v", owner, change, got)
			}
		}
		f.want(200, "admin", "PUT", "/v2.0/ports/"+id, object{"port": object{"description": "d"}})
	}
}

func TestExtraRoutes(t *testing.T) {
	f := newRouted(t)
	route := func(destination string) object { return object{"destination": destination, "nexthop": "10.0.0.77"} }
	change := func(what string, routes ...object) any {
		t.Helper()
		return f.want(200, "alice", "PUT", "/v2.0/routers/"+f.router+"/"+what, object{"router": object{"routes": routes}})["router"].(object)["routes"]
	}
	one, two := route("10.20.0.0/16"), route("10.30.0.0/16")
	if diff := cmp.Diff([]any{one, two}, change("add_extraroutes", one, two)); diff != "" {
		t.Errorf("routes that are added (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{one, two}, change("add_extraroutes", one)); diff != "" {
		t.Errorf("a route that is there already (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{two}, change("remove_extraroutes", one, route("10.40.0.0/16"))); diff != "" {
		t.Errorf("routes that are removed (-want +got):\n%s", diff)
	}
	if got := f.refused("alice", "PUT", "/v2.0/routers/"+f.router+"/remove_router_interface", object{"subnet_id": f.subnet}); got.Type != "RouterInterfaceInUseByRoute" {
		t.Errorf("removing the way to a next hop: %v", got)
	}
	if diff := cmp.Diff([]any{}, change("", []object{}...)); diff != "" {
		t.Errorf("routes that are set to none (-want +got):\n%s", diff)
	}
}

// TestRoutingTakenDown deletes everything in the order that users do.
func TestRoutingTakenDown(t *testing.T) {
	f := newRouted(t)
	ip := f.add("alice", "floatingip", object{"floating_network_id": f.outside, "port_id": f.port})["id"].(string)
	f.add("alice", "floatingip", object{"floating_network_id": f.outside}) // goes with its network
	f.want(204, "alice", "DELETE", "/v2.0/ports/"+f.port, nil)
	if got := f.want(200, "alice", "GET", "/v2.0/floatingips/"+ip, nil)["floatingip"].(object); got["port_id"] != nil || got["router_id"] != nil {
		t.Errorf("after its port went, the floating address is %v", got)
	}
	f.want(409, "admin", "DELETE", "/v2.0/networks/"+f.outside, nil)
	f.want(200, "alice", "PUT", "/v2.0/routers/"+f.router+"/remove_router_interface", object{"subnet_id": f.subnet})
	f.want(204, "alice", "DELETE", "/v2.0/routers/"+f.router, nil)
	f.want(204, "alice", "DELETE", "/v2.0/networks/"+f.inside, nil)
	f.want(204, "admin", "DELETE", "/v2.0/networks/"+f.outside, nil)
	for _, plural := range []string{"networks", "subnets", "ports", "routers", "floatingips"} {
		if n := f.count(plural); n != 0 {
			t.Errorf("%d %s are left", n, plural)
		}
	}
}
