package neutron_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
)

func segment(kind, physical, id any) object {
	return object{"provider:network_type": kind, "provider:physical_network": physical, "provider:segmentation_id": id}
}

// TestProviderNetworks has administrators say what networks are made of.
func TestProviderNetworks(t *testing.T) {
	f := newFixture(t)
	f.store.SetSegments(network.Segments{
		TenantTypes: []string{"vxlan"}, FlatNetworks: []string{"physnet1", "physnet2"}, VLANs: map[string][]network.IDRange{"physnet1": {{Min: 100, Max: 100}}},
		VNIs: []network.IDRange{{Min: 5, Max: 6}},
	})
	for _, c := range []struct {
		name, who string
		asked     object
		code      int
		fault     string
	}{
		{"bad: not for tenants", "alice", segment("vxlan", nil, nil), 403, "PolicyNotAuthorized"},
		{"bad: no type", "admin", object{"provider:segmentation_id": 5}, 400, "InvalidInput"},
		{"bad: type of null", "admin", segment(nil, "physnet1", nil), 400, "InvalidInput"},
		{"bad: type", "admin", segment("gre", nil, 7), 400, "InvalidInput"},
		{"bad: type of another form", "admin", object{"provider:network_type": object{}}, 400, "HTTPBadRequest"},
		{"bad: id", "admin", segment("vxlan", nil, "seven"), 400, "HTTPBadRequest"},
		{"bad: id of 0", "admin", segment("vxlan", nil, 0), 400, "InvalidInput"},
		{"bad: VLAN of 0", "admin", segment("vlan", "physnet1", "0"), 400, "InvalidInput"},
		{"bad: id below", "admin", segment("vxlan", nil, -1), 400, "InvalidInput"},
		{"bad: physical network", "admin", segment("flat", "physnet9", nil), 400, "InvalidInput"},
		{"bad: segments: several", "admin", object{"segments": []object{segment("local", nil, nil), segment("local", nil, nil)}}, 400, "SegmentsSetInConjunctionWithProviders"},
		{"bad: segments beside others", "admin", object{"segments": []object{segment("local", nil, nil)}, "provider:network_type": "local"}, 400, "SegmentsSetInConjunctionWithProviders"},
		{"bad: segments: not for tenants", "alice", object{"segments": []object{segment("local", nil, nil)}}, 403, "PolicyNotAuthorized"},
		{"bad: segments: other keys", "admin", object{"segments": []object{{"id": "x"}}}, 400, "HTTPBadRequest"},
		{"bad: segments: no object", "admin", object{"segments": []string{"x"}}, 400, "HTTPBadRequest"},
		{"bad: segments: no list", "admin", object{"segments": "x"}, 400, "HTTPBadRequest"},
		{"bad: name too long", "admin", segment("flat", "x2345678901234567890123456789012345678901234567890123456789012345", nil), 400, "HTTPBadRequest"},
	} {
		got, o := f.call(c.who, "POST", "/v2.0/networks", object{"network": c.asked})
		fault, _ := o["NeutronError"].(object)
		if got != c.code || fault["type"] != c.fault {
			t.Errorf("%s: %d %v, want %d %s", c.name, got, o, c.code, c.fault)
		}
	}
	for _, c := range []struct {
		asked, want object
		mtu         float64
	}{
		{segment("flat", "physnet1", nil), segment("flat", "physnet1", nil), 1500},
		{segment("vlan", nil, nil), segment("vlan", "physnet1", 100.0), 1500},
		{segment("vxlan", nil, "77"), segment("vxlan", nil, 77.0), 1450},
		{segment(nil, nil, nil), segment("vxlan", nil, 5.0), 1450},
		{segment("local", nil, nil), segment("local", nil, nil), 1500},
		{object{"segments": []object{segment("vxlan", nil, 78)}, "name": "as gophercloud writes it"}, segment("vxlan", nil, 78.0), 1450},
		{object{"segments": []object{segment("flat", "physnet2", 0)}}, segment("flat", "physnet2", nil), 1500},
		{segment("local", nil, 0), segment("local", nil, nil), 1500},
	} {
		if c.want["provider:segmentation_id"] == 5.0 { // one of the two that are given out
			f.add("admin", "network", segment("vxlan", nil, 6))
		}
		got := f.add("admin", "network", c.asked)
		shown := object{}
		for key := range c.want {
			shown[key] = got[key]
		}
		if diff := cmp.Diff(c.want, shown); diff != "" || got["mtu"] != c.mtu {
			t.Errorf("%v has an MTU of %v and is (-want +got):\n%s", c.asked, got["mtu"], diff)
		}
	}
	f.want(409, "admin", "POST", "/v2.0/networks", object{"network": segment("flat", "physnet1", nil)})
	o := f.want(503, "alice", "POST", "/v2.0/networks", object{"network": object{"name": "one too many"}})
	if o["NeutronError"].(object)["type"] != "NoNetworkAvailable" {
		t.Errorf("without an id that is left: %v", o)
	}
	listed := f.want(200, "admin", "GET", "/v2.0/networks?provider:physical_network=physnet1&provider:network_type=vlan", nil)["networks"].([]any)
	if len(listed) != 1 {
		t.Errorf("a list by segment has %d networks", len(listed))
	}
}

// TestProviderNetworksStay has what a network is made of stay as it is.
func TestProviderNetworksStay(t *testing.T) {
	f := newFixture(t)
	f.store.SetSegments(network.Segments{})
	n := f.add("admin", "network", segment("vxlan", nil, 7))
	path := "/v2.0/networks/" + n["id"].(string)
	o := f.want(400, "admin", "PUT", path, object{"network": object{"provider:segmentation_id": 8}})
	want := object{"type": "InvalidInput", "message": "Invalid input for operation: Plugin does not support updating provider attributes.", "detail": ""}
	if diff := cmp.Diff(want, o["NeutronError"]); diff != "" {
		t.Errorf("another id (-want +got):\n%s", diff)
	}
	f.want(200, "admin", "PUT", path, object{"network": object{"provider:network_type": "vxlan", "provider:segmentation_id": 7, "name": "same"}})
	f.want(403, "alice", "PUT", "/v2.0/networks/"+f.add("alice", "network", object{})["id"].(string), object{"network": segment("vxlan", nil, 9)})
	f.want(400, "admin", "PUT", path, object{"network": object{"mtu": 1451}})
	if got := f.want(200, "admin", "PUT", path, object{"network": object{"mtu": 1400}})["network"].(object)["mtu"]; got != 1400.0 {
		t.Errorf("the MTU is %v", got)
	}
	if got := f.want(200, "admin", "PUT", path, object{"network": object{"mtu": 0}})["network"].(object)["mtu"]; got != 1450.0 {
		t.Errorf("the MTU of the type is %v", got)
	}
	f.want(204, "admin", "DELETE", path, nil)
	f.add("admin", "network", segment("vxlan", nil, 7))
}

// TestMTUOfIPv6: links with an MTU below that of IPv6 take no IPv6 address.
func TestMTUOfIPv6(t *testing.T) {
	f := newFixture(t)
	narrow, _ := f.lan("alice", object{"mtu": 1279}, "10.0.0.0/24")
	wide, _ := f.lan("alice", object{"mtu": 1280}, "10.0.0.0/24")
	f.want(201, "alice", "POST", "/v2.0/subnets", subnet(wide, "2001:db8::/64", "ip_version", 6))
	for _, c := range []struct {
		id, method, path string
		body             object
	}{
		{narrow, "POST", "/v2.0/subnets", subnet(narrow, "2001:db8::/64", "ip_version", 6)},
		{wide, "PUT", "/v2.0/networks/" + wide, object{"network": object{"mtu": 1279}}},
	} {
		want := refusal{409, "NetworkMTUSubnetConflict", "MTU of " + c.id + " is not valid, subnet requires a minimum of 1280"}
		if diff := cmp.Diff(want, f.refused("alice", c.method, c.path, c.body)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.method, c.path, diff)
		}
	}
	f.want(200, "alice", "PUT", "/v2.0/networks/"+narrow, object{"network": object{"mtu": 68}})
}
