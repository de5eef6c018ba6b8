package neutron_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBadRequests(t *testing.T) {
	f := newFixture(t)
	lan, sub := f.lan("alice", object{"name": "lan"}, "10.0.0.0/24")
	user := f.add("alice", "port", object{"network_id": lan, "name": "web", "mac_address": "fa:16:3e:00:00:01", "fixed_ips": []object{{"ip_address": "10.0.0.9"}}})["id"].(string)
	const none = "11111111-1111-1111-1111-111111111111"
	bad := func(text string) refusal { return refusal{400, "HTTPBadRequest", text} }
	input := func(text string) refusal {
		return refusal{400, "InvalidInput", "Invalid input for operation: " + text + "."}
	}
	const malformed = "The server could not comply with the request since it is either malformed or otherwise incorrect."
	tests := []struct {
		name, request string
		body          any
		want          refusal
	}{
		{"bad: no body", "POST networks", nil, bad("Resource body required")},
		{"bad: not JSON", "POST networks", "{", bad(malformed)},
		{"bad: two objects", "POST networks", "{}{}", bad(malformed)},
		{"bad: null", "POST networks", "null", bad(malformed)},
		{"bad: list", "POST networks", "[]", bad(malformed)},
		{"bad: other noun", "POST networks", object{"subnet": object{}}, bad("Unable to find 'network' in request body")},
		{"bad: noun is a text", "POST networks", object{"network": "x"}, bad("Unable to find 'network' in request body")},
		{"bad: noun is null", "POST networks", object{"network": nil}, bad("Unable to find 'network' in request body")},
		{"bad: empty bulk", "POST networks", object{"networks": []any{}}, bad("Resources required")},
		{"bad: bulk of texts", "POST networks", object{"networks": []any{"x"}}, bad("Unable to find 'network' in request body")},
		{"bad: unknown attributes", "POST networks", object{"network": object{"a": 1, "b": 2}}, bad("Unrecognized attribute(s) 'a, b'")},
		{"bad: read-only", "POST networks", object{"network": object{"status": "DOWN"}}, bad("Attribute 'status' not allowed in POST")},
		{"bad: too large", "POST networks", object{"network": object{"name": strings.Repeat("x", 200000)}},
			refusal{413, "HTTPRequestEntityTooLarge", "The request body is too large."}},
		{"bad: name is a number", "POST networks", object{"network": object{"name": 5}}, bad("Invalid input for name. Reason: '5' is not a valid string.")},
		{"bad: name is null", "POST networks", object{"network": object{"name": nil}}, bad("Invalid input for name. Reason: 'None' is not a valid string.")},
		{"bad: long name", "POST networks", object{"network": object{"name": strings.Repeat("ü", 256)}},
			bad("Invalid input for name. Reason: '" + strings.Repeat("ü", 256) + "' exceeds maximum length of 255.")},
		{"bad: name with a zero", "POST networks", object{"network": object{"name": "a\x00"}}, bad(`Invalid input for name. Reason: 'a\x00' is not a valid string.`)},
		{"bad: boolean", "POST networks", object{"network": object{"admin_state_up": "maybe"}}, input("'maybe' cannot be converted to boolean")},
		{"bad: boolean null", "POST networks", object{"network": object{"admin_state_up": nil}}, input("'None' cannot be converted to boolean")},
		{"bad: MTU", "POST networks", object{"network": object{"mtu": 67}}, bad("Invalid input for mtu. Reason: '67' is too small - must be at least '68'.")},
		{"bad: huge MTU", "POST networks", object{"network": object{"mtu": 65536}}, bad("Invalid input for mtu. Reason: '65536' is too large - must be no larger than '65535'.")},
		{"bad: MTU of words", "POST networks", object{"network": object{"mtu": "big"}}, bad("Invalid input for mtu. Reason: 'big' is not an integer.")},
		{"bad: port security", "POST networks", object{"network": object{"port_security_enabled": "x"}}, input("'x' cannot be converted to boolean")},
		{"bad: other's project", "POST networks", object{"network": object{"tenant_id": "bobs"}},
			bad("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges")},
		{"bad: two projects", "POST networks", object{"network": object{"tenant_id": "alices", "project_id": "bobs"}}, bad("'project_id' and 'tenant_id' do not match")},
		{"bad: read-only in PUT", "PUT networks/" + lan, object{"network": object{"id": none}}, bad("Cannot update read-only attribute id")},
		{"bad: project in PUT", "PUT networks/" + lan, object{"network": object{"project_id": "alices"}}, bad("Cannot update read-only attribute project_id")},
		{"bad: unknown in PUT", "PUT networks/" + lan, object{"network": object{"x": none}}, bad("Unrecognized attribute(s) 'x'")},
		{"bad: nobody's network", "PUT networks/" + none, object{"network": object{}}, refusal{404, "NetworkNotFound", "Network " + none + " could not be found."}},
		{"bad: id", "GET networks/x", nil, refusal{404, "NetworkNotFound", "Network x could not be found."}},

		{"bad: no network", "POST subnets", object{"subnet": object{"ip_version": 4}}, bad("Failed to parse request. Required attribute 'network_id' not specified")},
		{"bad: no version", "POST subnets", object{"subnet": object{"network_id": lan}}, bad("Failed to parse request. Required attribute 'ip_version' not specified")},
		{"bad: version", "POST subnets", subnet(lan, "10.1.0.0/24", "ip_version", 5), bad("Invalid input for ip_version. Reason: 5 is not in [4, 6].")},
		{"bad: no CIDR", "POST subnets", object{"subnet": object{"network_id": lan, "ip_version": 4}},
			refusal{400, "BadRequest", "Bad subnets request: a subnetpool must be specified in the absence of a cidr."}},
		{"bad: CIDR", "POST subnets", subnet(lan, "10.1.0.0/33"), bad("Invalid input for cidr. Reason: '10.1.0.0/33' is not a valid IP subnet.")},
		{"bad: no prefix", "POST subnets", subnet(lan, "10.1.0.0"), bad("Invalid input for cidr. Reason: '10.1.0.0' is not a valid IP subnet.")},
		{"bad: family", "POST subnets", subnet(lan, "10.1.0.0/24", "ip_version", 6), input("cidr '10.1.0.0/24' does not match the ip_version '6'")},
		{"bad: /0", "POST subnets", subnet(lan, "0.0.0.0/0"), input("0 is not allowed as CIDR prefix length")},
		{"bad: /31 with DHCP", "POST subnets", subnet(lan, "10.1.0.0/31"), input("Subnet has a prefix length that is incompatible with DHCP service enabled")},
		{"bad: multicast", "POST subnets", subnet(lan, "224.0.0.0/24"), input("Multicast IP subnet is not supported if enable_dhcp is True")},
		{"bad: loopback", "POST subnets", subnet(lan, "127.0.0.0/24"), input("Loopback IP subnet is not supported if enable_dhcp is True")},
		{"bad: loopback without DHCP", "POST subnets", subnet(lan, "126.0.0.0/7", "enable_dhcp", false),
			input("Subnet 126.0.0.0/7 overlaps with 127.0.0.0/8, of which no port may have an address")},
		{"bad: IPv6 multicast without DHCP", "POST subnets", subnet(lan, "ff05::/64", "ip_version", 6, "enable_dhcp", false),
			input("Subnet ff05::/64 overlaps with ff00::/8, of which no port may have an address")},
		{"bad: overlap", "POST subnets", subnet(lan, "10.0.0.128/25"), input("Requested subnet with cidr: 10.0.0.128/25 for network: " + lan + " overlaps with another subnet")},
		{"bad: gateway", "POST subnets", subnet(lan, "10.1.0.0/24", "gateway_ip", "x"), bad("Invalid input for gateway_ip. Reason: 'x' is not a valid IP address.")},
		{"bad: gateway elsewhere", "POST subnets", subnet(lan, "10.1.0.0/24", "gateway_ip", "10.2.0.1"), input("Gateway is not valid on subnet")},
		{"bad: gateway's family", "POST subnets", subnet(lan, "10.1.0.0/24", "gateway_ip", "2001:db8::1"), input("gateway_ip '2001:db8::1' does not match the ip_version '4'")},
		{"bad: pools", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", "x"), bad("Invalid input for allocation_pools. Reason: Invalid data format for IP pool: 'x'.")},
		{"bad: pool", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", []object{{"start": "10.1.0.2"}}),
			bad(`Invalid input for allocation_pools. Reason: Invalid data format for IP pool: '{"start":"10.1.0.2"}'.`)},
		{"bad: pool of words", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", pools("a", "b")), bad("Invalid input for allocation_pools. Reason: 'a' is not a valid IP address.")},
		{"bad: pool backwards", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", pools("10.1.0.9", "10.1.0.2")),
			refusal{400, "InvalidAllocationPool", "The allocation pool 10.1.0.9-10.1.0.2 is not valid."}},
		{"bad: pool beyond", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", pools("10.1.0.9", "10.1.1.2")),
			refusal{400, "OutOfBoundsAllocationPool", "The allocation pool 10.1.0.9-10.1.1.2 spans beyond the subnet cidr 10.1.0.0/24."}},
		{"bad: pool of the broadcast", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", pools("10.1.0.9", "10.1.0.255")),
			refusal{400, "OutOfBoundsAllocationPool", "The allocation pool 10.1.0.9-10.1.0.255 spans beyond the subnet cidr 10.1.0.0/24."}},
		{"bad: pools overlap", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", pools("10.1.0.9", "10.1.0.20", "10.1.0.20", "10.1.0.30")),
			refusal{409, "OverlappingAllocationPools", "Found overlapping allocation pools: 10.1.0.9-10.1.0.20, 10.1.0.20-10.1.0.30 for subnet 10.1.0.0/24."}},
		{"bad: pool has the gateway", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", pools("10.1.0.1", "10.1.0.20")),
			refusal{409, "GatewayConflictWithAllocationPools", "Gateway ip 10.1.0.1 conflicts with allocation pool 10.1.0.1-10.1.0.20."}},
		{"bad: very many pools", "POST subnets", subnet(lan, "10.1.0.0/24", "allocation_pools", manyPools()),
			input("a subnet may have at most 100 allocation pools")},
		{"bad: nameserver", "POST subnets", subnet(lan, "10.1.0.0/24", "dns_nameservers", []string{"x"}),
			bad("Invalid input for dns_nameservers. Reason: 'x' is not a valid nameserver. 'x' is not a valid IP address.")},
		{"bad: nameserver twice", "POST subnets", subnet(lan, "10.1.0.0/24", "dns_nameservers", []string{"10.0.0.1", "10.0.0.1"}),
			bad("Invalid input for dns_nameservers. Reason: Duplicate nameserver '10.0.0.1'.")},
		{"bad: nameservers", "POST subnets", subnet(lan, "10.1.0.0/24", "dns_nameservers", []string{"1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5", "1.0.0.6"}),
			refusal{400, "DNSNameServersExhausted", "Unable to complete operation for new subnet. The number of DNS nameservers exceeds the limit 5."}},
		{"bad: route", "POST subnets", subnet(lan, "10.1.0.0/24", "host_routes", []object{{"destination": "10.9.0.0/16"}}),
			bad(`Invalid input for host_routes. Reason: Invalid data format for hostroute: '{"destination":"10.9.0.0/16"}'.`)},
		{"bad: route's family", "POST subnets", subnet(lan, "10.1.0.0/24", "host_routes", []object{{"destination": "10.9.0.0/16", "nexthop": "2001:db8::1"}}),
			input("nexthop '2001:db8::1' does not match the ip_version '4'")},
		{"bad: hop to itself", "POST subnets", subnet(lan, "10.1.0.0/24", "host_routes", hop("127.0.0.1")), input("nexthop '127.0.0.1' is not the address of a router")},
		{"bad: hop to nowhere", "POST subnets", subnet(lan, "10.1.0.0/24", "host_routes", hop("0.0.0.0")), input("nexthop '0.0.0.0' is not the address of a router")},
		{"bad: hop to many", "POST subnets", subnet(lan, "10.1.0.0/24", "host_routes", hop("224.0.0.1")), input("nexthop '224.0.0.1' is not the address of a router")},
		{"bad: hop to all", "PUT subnets/" + sub, object{"subnet": object{"host_routes": hop("255.255.255.255")}}, input("nexthop '255.255.255.255' is not the address of a router")},
		{"bad: hop to all of the subnet", "PUT subnets/" + sub, object{"subnet": object{"host_routes": hop("10.0.0.255")}}, input("nexthop '10.0.0.255' is not the address of a router")},
		{"bad: IPv6 mode", "POST subnets", subnet(lan, "2001:db8::/64", "ip_version", 6, "ipv6_ra_mode", "x"),
			bad("Invalid input for ipv6_ra_mode. Reason: 'x' is not in ['dhcpv6-stateful', 'dhcpv6-stateless', 'slaac'].")},
		{"bad: IPv6 mode of IPv4", "POST subnets", subnet(lan, "10.1.0.0/24", "ipv6_ra_mode", "slaac"), input("ipv6_ra_mode is not valid when ip_version is 4")},
		{"bad: subnet pool", "POST subnets", subnet(lan, "10.1.0.0/24", "subnetpool_id", none), refusal{404, "SubnetPoolNotFound", "Subnet pool " + none + " could not be found."}},
		{"bad: nobody's", "POST subnets", subnet(none, "10.1.0.0/24"), refusal{404, "NetworkNotFound", "Network " + none + " could not be found."}},
		{"bad: network is a word", "POST subnets", subnet("x", "10.1.0.0/24"), bad("Invalid input for network_id. Reason: 'x' is not a valid UUID.")},
		{"bad: new CIDR", "PUT subnets/" + sub, object{"subnet": object{"cidr": "10.0.0.0/25"}}, bad("Cannot update read-only attribute cidr")},
		{"bad: new gateway", "PUT subnets/" + sub, object{"subnet": object{"gateway_ip": "10.0.0.130"}},
			refusal{409, "GatewayConflictWithAllocationPools", "Gateway ip 10.0.0.130 conflicts with allocation pool 10.0.0.101-10.0.0.240."}},
		{"bad: used subnet", "DELETE subnets/" + sub, nil,
			refusal{409, "SubnetInUse", "Unable to complete operation on subnet " + sub + ": One or more ports have an IP allocation from this subnet. In use: " + user + " (web)."}},
		{"bad: used network", "DELETE networks/" + lan, nil,
			refusal{409, "NetworkInUse", "Unable to complete operation on network " + lan + ". There are one or more ports still in use on the network. In use: " + user + " (web)."}},

		{"bad: no network", "POST ports", object{"port": object{}}, bad("Failed to parse request. Required attribute 'network_id' not specified")},
		{"bad: nobody's", "POST ports", port(none), refusal{404, "NetworkNotFound", "Network " + none + " could not be found."}},
		{"bad: MAC", "POST ports", port(lan, "mac_address", "x"), bad("Invalid input for mac_address. Reason: 'x' is not a valid MAC address.")},
		{"bad: multicast MAC", "POST ports", port(lan, "mac_address", "01:00:5e:00:00:01"), bad("Invalid input for mac_address. Reason: '01:00:5e:00:00:01' is not an allowed MAC address.")},
		{"bad: taken MAC", "POST ports", port(lan, "mac_address", "FA-16-3E-00-00-01"),
			refusal{409, "MacAddressInUse", "Unable to complete operation for network " + lan + ". The mac address fa:16:3e:00:00:01 is in use."}},
		{"bad: addresses", "POST ports", port(lan, "fixed_ips", "x"), bad("Invalid input for fixed_ips. Reason: Invalid data format for fixed IP: 'x'.")},
		{"bad: address", "POST ports", ips(lan, object{"ip_address": "x"}), bad("Invalid input for fixed_ips. Reason: 'x' is not a valid IP address.")},
		{"bad: address with a zone", "POST ports", ips(lan, object{"ip_address": "fe80::1%eth0"}), bad("Invalid input for fixed_ips. Reason: 'fe80::1%eth0' is not a valid IP address.")},
		{"bad: key", "POST ports", ips(lan, object{"x": 1}), bad("Invalid input for fixed_ips. Reason: Unexpected key 'x' in fixed IP.")},
		{"bad: subnet", "POST ports", ips(lan, object{"subnet_id": "x"}), bad("Invalid input for fixed_ips. Reason: 'x' is not a valid UUID.")},
		{"bad: address twice", "POST ports", ips(lan, object{"ip_address": "10.0.0.5"}, object{"ip_address": "10.0.0.5"}), bad("Invalid input for fixed_ips. Reason: Duplicate IP address '10.0.0.5'.")},
		{"bad: taken address", "POST ports", ips(lan, object{"ip_address": "10.0.0.9"}),
			refusal{409, "IpAddressInUse", "Unable to complete operation for network " + lan + ". The IP address 10.0.0.9 is in use."}},
		{"bad: address elsewhere", "POST ports", ips(lan, object{"ip_address": "10.1.0.9"}),
			refusal{400, "InvalidIpForNetwork", "IP address 10.1.0.9 is not a valid IP for any of the subnets on the specified network."}},
		{"bad: broadcast address", "POST ports", ips(lan, object{"ip_address": "10.0.0.255", "subnet_id": sub}),
			refusal{400, "InvalidIpForSubnet", "IP address 10.0.0.255 is not a valid IP for the specified subnet."}},
		{"bad: other subnet", "POST ports", ips(lan, object{"subnet_id": none}),
			input("Failed to create port on network " + lan + ", because fixed_ips included invalid subnet " + none)},
		{"bad: security group", "POST ports", port(lan, "security_groups", []string{none}), refusal{404, "SecurityGroupNotFound", "Security group " + none + " does not exist"}},
		{"bad: vNIC", "POST ports", port(lan, "binding:vnic_type", "direct"), bad("Invalid input for binding:vnic_type. Reason: 'direct' is not in ['normal'].")},
		{"bad: binding of a tenant", "POST ports", port(lan, "binding:host_id", "h"),
			refusal{403, "PolicyNotAuthorized", "(rule:create_port and rule:create_port:binding:host_id) is disallowed by policy"}},
		{"bad: unknown filter", "GET ports?colour=red", nil, bad("['colour'] is invalid attribute for filtering")},
		{"bad: internal filter", "GET ports?visible_to=bobs", nil, bad("['visible_to'] is invalid attribute for filtering")},
		{"bad: admin's filter", "GET ports?binding:host_id=h", nil, bad("['binding:host_id'] is invalid attribute for filtering")},
		{"bad: number in a filter", "GET networks?mtu=x", nil, bad("['mtu'] is invalid attribute for filtering")},
		{"bad: limit", "GET ports?limit=x", nil, refusal{400, "BadRequest", "Bad limit request: Limit must be an integer 0 or greater and not 'x'."}},
		{"bad: negative limit", "GET ports?limit=-1", nil, refusal{400, "BadRequest", "Bad limit request: Limit must be an integer 0 or greater and not '-1'."}},
		{"bad: marker", "GET ports?limit=1&marker=" + none, nil, refusal{404, "PortNotFound", "Port " + none + " could not be found."}},
		{"bad: sort key", "GET ports?sort_key=x&sort_dir=asc", nil, bad("['x'] is invalid attribute for sort_keys")},
		{"bad: sort direction", "GET ports?sort_key=id&sort_dir=up", nil, bad("['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'")},
		{"bad: sort keys", "GET ports?sort_key=id", nil, bad("The number of sort_keys and sort_dirs must be same")},
		{"bad: method", "PATCH ports", nil, refusal{405, "HTTPMethodNotAllowed", "The method is not allowed for this resource."}},
		{"bad: path", "GET trunks", nil, refusal{404, "HTTPNotFound", "The resource could not be found."}},
		{"bad: extension", "GET extensions/trunk", nil, refusal{404, "HTTPNotFound", "Extension with alias trunk does not exist"}},
		{"bad: tags", "PUT networks/" + lan + "/tags", object{"tags": "x"}, bad("Invalid tags body")},
		{"bad: null for tags", "PUT networks/" + lan + "/tags", object{"tags": nil}, bad("Invalid tags body")},
		{"bad: no such tag", "DELETE networks/" + lan + "/tags/x", nil, refusal{404, "TagNotFound", "Tag x could not be found."}},
		{"bad: empty tag", "PUT networks/" + lan + "/tags", object{"tags": []string{""}}, bad("Invalid input for tags. Reason: '' is not a valid tag: it must have 1 to 255 characters.")},
	}
	for _, test := range tests {
		method, path, _ := strings.Cut(test.request, " ")
		got := f.refused("alice", method, "/v2.0/"+path, test.body)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", test.name, test.request, diff)
		}
	}
	if names := f.names("alice", "networks", ""); len(names) != 1 {
		t.Errorf("bad requests left networks behind: %q", names)
	}
	if names := f.names("alice", "ports", ""); len(names) != 1 {
		t.Errorf("bad requests left ports behind: %q", names)
	}
}

// subnet is the body that makes a subnet, with more attributes in pairs.
func subnet(networkID, cidr string, more ...any) object {
	return object{"subnet": with(object{"network_id": networkID, "cidr": cidr, "ip_version": 4}, more)}
}

func port(networkID string, more ...any) object {
	return object{"port": with(object{"network_id": networkID}, more)}
}

func ips(networkID string, list ...object) object { return port(networkID, "fixed_ips", list) }

func with(o object, more []any) object {
	for i := 0; i < len(more); i += 2 {
		o[more[i].(string)] = more[i+1]
	}
	return o
}

func pools(ends ...string) []object {
	var list []object
	for i := 0; i < len(ends); i += 2 {
		list = append(list, object{"start": ends[i], "end": ends[i+1]})
	}
	return list
}

func manyPools() []object {
	var ends []string
	for i := range 101 {
		ends = append(ends, fmt.Sprintf("10.1.0.%d", 2*i+2), fmt.Sprintf("10.1.0.%d", 2*i+2))
	}
	return pools(ends...)
}

func hop(address string) []object {
	return []object{{"destination": "192.0.2.0/24", "nexthop": address}}
}

func TestNoToken(t *testing.T) {
	f := newFixture(t)
	for _, who := range []string{"", "stranger"} {
		f.want(401, who, "GET", "/v2.0/networks", nil)
		f.want(401, who, "POST", "/v2.0/ports", object{})
		f.want(401, who, "GET", "/v2.0/extensions", nil)
	}
}

func TestDiscovery(t *testing.T) {
	f := newFixture(t)
	link := func(href string) []any { return []any{object{"rel": "self", "href": href}} }
	want := object{"versions": []any{object{"id": "v2.0", "status": "CURRENT", "links": link(f.url + "/v2.0/")}}}
	for _, path := range []string{"", "/"} {
		if diff := cmp.Diff(want, f.want(200, "", "GET", f.url+path, nil)); diff != "" {
			t.Errorf("GET %q (-want +got):\n%s", path, diff)
		}
	}
	var found []string
	for _, r := range f.want(200, "", "GET", "/v2.0/", nil)["resources"].([]any) {
		found = append(found, r.(object)["collection"].(string))
	}
	if diff := cmp.Diff([]string{"extensions", "networks", "subnets", "ports", "routers", "floatingips", "flavors", "service_profiles", "security-groups", "security-group-rules"}, found); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	for _, e := range f.want(200, "bob", "GET", "/v2.0/extensions", nil)["extensions"].([]any) {
		one := f.want(200, "bob", "GET", "/v2.0/extensions/"+e.(object)["alias"].(string), nil)
		if diff := cmp.Diff(object{"extension": e}, one); diff != "" {
			t.Errorf("an extension alone (-want +got):\n%s", diff)
		}
	}
}

func TestAnswers(t *testing.T) {
	f := newFixture(t)
	n := f.add("admin", "network", object{"name": "n", "description": "d", "shared": true, "router:external": "True", "mtu": "1400"})
	id := n["id"].(string)
	times := func(o object) object {
		for _, key := range []string{"created_at", "updated_at"} {
			if text, _ := o[key].(string); len(text) != len("2006-01-02T15:04:05Z") || !strings.HasSuffix(text, "Z") {
				t.Errorf("%s is %v", key, o[key])
			}
			delete(o, key)
		}
		return o
	}
	wantNetwork := object{
		"id": id, "name": "n", "description": "d", "project_id": "admins", "tenant_id": "admins", "admin_state_up": true, "status": "ACTIVE",
		"shared": true, "router:external": true, "mtu": 1400.0, "subnets": []any{}, "port_security_enabled": true,
		"availability_zones": []any{}, "availability_zone_hints": []any{}, "ipv4_address_scope": nil, "ipv6_address_scope": nil,
		"provider:network_type": "local", "provider:physical_network": nil, "provider:segmentation_id": nil,
		"tags": []any{}, "revision_number": 1.0,
	}
	if diff := cmp.Diff(wantNetwork, times(n)); diff != "" {
		t.Errorf("a new network (-want +got):\n%s", diff)
	}
	s := f.add("admin", "subnet", object{"network_id": id, "cidr": "10.0.0.7/24", "ip_version": "4", "name": "s", "dns_nameservers": []string{"9.9.9.9"},
		"host_routes": []object{{"destination": "10.9.0.3/16", "nexthop": "10.0.0.2"}}})
	wantSubnet := object{
		"id": s["id"], "name": "s", "description": "", "project_id": "admins", "tenant_id": "admins", "network_id": id, "ip_version": 4.0,
		"cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "allocation_pools": []any{object{"start": "10.0.0.2", "end": "10.0.0.254"}},
		"dns_nameservers": []any{"9.9.9.9"}, "host_routes": []any{object{"destination": "10.9.0.0/16", "nexthop": "10.0.0.2"}},
		"enable_dhcp": true, "ipv6_address_mode": nil, "ipv6_ra_mode": nil, "subnetpool_id": nil, "service_types": []any{},
		"tags": []any{}, "revision_number": 1.0,
	}
	if diff := cmp.Diff(wantSubnet, times(s)); diff != "" {
		t.Errorf("a new subnet (-want +got):\n%s", diff)
	}
	p := f.add("admin", "port", object{"network_id": id, "mac_address": "fa:16:3e:00:00:01", "device_id": "dev", "device_owner": "compute:nova",
		"fixed_ips": []object{{"ip_address": "10.0.0.9"}}, "binding:host_id": "h", "binding:profile": object{"netns": "ns"}})
	wantPort := object{
		"id": p["id"], "name": "", "description": "", "project_id": "admins", "tenant_id": "admins", "network_id": id, "admin_state_up": true,
		"status": "DOWN", "mac_address": "fa:16:3e:00:00:01", "fixed_ips": []any{object{"subnet_id": s["id"], "ip_address": "10.0.0.9"}},
		"device_id": "dev", "device_owner": "compute:nova", "security_groups": []any{f.defaultGroup("admin")}, "port_security_enabled": true,
		"allowed_address_pairs": []any{}, "extra_dhcp_opts": []any{}, "binding:vnic_type": "normal", "binding:host_id": "h",
		"binding:profile": object{"netns": "ns"}, "binding:vif_type": "bridge",
		"binding:vif_details": object{"connectivity": "l2", "port_filter": true}, "tags": []any{}, "revision_number": 1.0,
	}
	if diff := cmp.Diff(wantPort, times(p)); diff != "" {
		t.Errorf("a new port (-want +got):\n%s", diff)
	}
	shown := f.want(200, "alice", "GET", "/v2.0/networks/"+id, nil)["network"].(object)
	for key := range shown {
		if strings.HasPrefix(key, "provider:") {
			t.Errorf("a tenant is shown %s", key)
		}
	}
	one := f.want(200, "admin", "GET", "/v2.0/ports/"+p["id"].(string)+"?fields=id&fields=status&fields=colour", nil)
	if diff := cmp.Diff(object{"port": object{"id": p["id"], "status": "DOWN"}}, one); diff != "" {
		t.Errorf("two fields (-want +got):\n%s", diff)
	}
	many := f.want(200, "admin", "GET", "/v2.0/ports.json?fields=status", nil)
	if diff := cmp.Diff(object{"ports": []any{object{"status": "DOWN"}}}, many); diff != "" {
		t.Errorf("one field of many (-want +got):\n%s", diff)
	}
}
