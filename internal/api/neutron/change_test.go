package neutron_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBulk(t *testing.T) {
	f := newFixture(t)
	made := f.want(201, "alice", "POST", "/v2.0/networks", object{"networks": []object{{"name": "a"}, {"network": object{"name": "b"}}}})
	if list := made["networks"].([]any); len(list) != 2 {
		t.Fatalf("two networks at once: %v", made)
	}
	lan := made["networks"].([]any)[0].(object)["id"].(string)
	f.want(201, "alice", "POST", "/v2.0/subnets", object{"subnets": []object{
		{"network_id": lan, "cidr": "10.0.0.0/29", "ip_version": 4}, {"network_id": lan, "cidr": "10.0.1.0/24", "ip_version": 4, "gateway_ip": nil}}})
	overlap := f.refused("alice", "POST", "/v2.0/subnets", object{"subnets": []object{
		{"network_id": lan, "cidr": "10.0.2.0/24", "ip_version": 4}, {"network_id": lan, "cidr": "10.0.1.0/24", "ip_version": 4}}})
	if overlap.Code != 400 {
		t.Errorf("a bulk with an overlap: %+v", overlap)
	}
	if got := f.names("alice", "subnets", ""); len(got) != 2 {
		t.Errorf("a bulk with an overlap left %d subnets", len(got))
	}
	ports := f.want(201, "alice", "POST", "/v2.0/ports", object{"ports": []object{{"network_id": lan}, {"network_id": lan, "fixed_ips": []object{}}}})
	var counts []int
	for _, p := range ports["ports"].([]any) {
		counts = append(counts, len(p.(object)["fixed_ips"].([]any)))
	}
	if diff := cmp.Diff([]int{1, 0}, counts); diff != "" {
		t.Errorf("addresses of two ports (-want +got):\n%s", diff)
	}
}

func TestUpdates(t *testing.T) {
	f := newFixture(t)
	lan, sub := f.lan("alice", object{"name": "lan"}, "10.0.0.0/24")
	id := f.add("alice", "port", object{"network_id": lan, "fixed_ips": []object{{"ip_address": "10.0.0.9"}}})["id"].(string)
	tests := []struct {
		noun, id   string
		send, want object
	}{
		{"network", lan, object{"name": "new", "admin_state_up": false, "mtu": 0}, object{"name": "new", "admin_state_up": false, "mtu": 1500.0, "revision_number": 2.0}},
		{"network", lan, object{}, object{"name": "new", "revision_number": 3.0}},
		{"subnet", sub, object{"name": "new", "gateway_ip": nil, "dns_nameservers": []string{"9.9.9.9"}, "enable_dhcp": "false"},
			object{"name": "new", "gateway_ip": nil, "dns_nameservers": []any{"9.9.9.9"}, "enable_dhcp": false, "cidr": "10.0.0.0/24"}},
		{"subnet", sub, object{"dns_nameservers": nil, "allocation_pools": pools("10.0.0.10", "10.0.0.20")},
			object{"dns_nameservers": []any{}, "allocation_pools": []any{object{"start": "10.0.0.10", "end": "10.0.0.20"}}}},
		{"subnet", sub, object{"gateway_ip": "10.0.0.30"}, object{"gateway_ip": "10.0.0.30"}},
		{"port", id, object{"name": "new", "device_id": "d", "device_owner": "o", "description": "x"},
			object{"name": "new", "device_id": "d", "device_owner": "o", "fixed_ips": []any{object{"subnet_id": sub, "ip_address": "10.0.0.9"}}}},
		{"port", id, object{"device_id": nil, "fixed_ips": []object{{"ip_address": "10.0.0.10"}}},
			object{"device_id": "", "device_owner": "o", "fixed_ips": []any{object{"subnet_id": sub, "ip_address": "10.0.0.10"}}}},
		{"port", id, object{"fixed_ips": []object{}}, object{"fixed_ips": []any{}}},
	}
	for _, test := range tests {
		path := "/v2.0/" + test.noun + "s/" + test.id
		answer := f.want(200, "alice", "PUT", path, object{test.noun: test.send})[test.noun].(object)
		shown := f.want(200, "alice", "GET", path, nil)[test.noun].(object)
		if diff := cmp.Diff(answer, shown); diff != "" {
			t.Errorf("PUT %s %v answers otherwise than GET (-put +get):\n%s", path, test.send, diff)
		}
		for key, want := range test.want {
			if diff := cmp.Diff(want, answer[key]); diff != "" {
				t.Errorf("PUT %s %v: %s (-want +got):\n%s", path, test.send, key, diff)
			}
		}
	}
}

func TestDeletes(t *testing.T) {
	f := newFixture(t)
	lan, sub := f.lan("alice", object{}, "10.0.0.0/24")
	id := f.add("alice", "port", object{"network_id": lan})["id"].(string)
	for _, path := range []string{"ports/" + id, "subnets/" + sub, "networks/" + lan} {
		if o := f.want(204, "alice", "DELETE", "/v2.0/"+path, nil); o != nil {
			t.Errorf("DELETE %s answers %v", path, o)
		}
		f.want(404, "alice", "DELETE", "/v2.0/"+path, nil)
	}
}

// TestFullSubnet fills a subnet: the next port is refused in Neutron's words.
func TestFullSubnet(t *testing.T) {
	f := newFixture(t)
	lan, _ := f.lan("alice", object{}, "10.0.0.0/29")
	for range 5 {
		f.add("alice", "port", object{"network_id": lan})
	}
	want := refusal{409, "IpAddressGenerationFailure", "No more IP addresses available on network " + lan + "."}
	if diff := cmp.Diff(want, f.refused("alice", "POST", "/v2.0/ports", port(lan))); diff != "" {
		t.Errorf("a port too many (-want +got):\n%s", diff)
	}
}

// TestStrangeNames echoes what other systems choke on.
func TestStrangeNames(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"", "a\nb", `"quoted"`, "'; DROP TABLE networks; --", "100%", "$(reboot)", "`x`", "\\", "ünï©ode", "<b>", "\u2028", "a,b"} {
		n := f.add("alice", "network", object{"name": name, "description": name})
		shown := f.want(200, "alice", "GET", "/v2.0/networks/"+n["id"].(string), nil)["network"].(object)
		if shown["name"] != name || shown["description"] != name {
			t.Errorf("the name %q comes back as %q", name, shown["name"])
		}
	}
}
