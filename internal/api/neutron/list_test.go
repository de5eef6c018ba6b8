package neutron_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPages(t *testing.T) {
	f := newFixture(t)
	var all []string
	for i := range 7 {
		name := fmt.Sprintf("n%d", i)
		f.add("alice", "network", object{"name": name})
		f.add("bob", "network", object{"name": "not alice's"})
		all = append(all, name)
	}
	for _, limit := range []int{1, 2, 3, 7, 8} {
		forth := f.follow("next", fmt.Sprintf("/v2.0/networks?limit=%d&sort_key=name&sort_dir=asc&admin_state_up=true", limit))
		if diff := cmp.Diff(all, forth); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	last := f.want(200, "alice", "GET", "/v2.0/networks?name=n6", nil)["networks"].([]any)[0].(object)["id"].(string)
	page := f.want(200, "alice", "GET", "/v2.0/networks?limit=2&sort_key=name&sort_dir=asc&page_reverse=True&marker="+last, nil)
	var got []string
	for _, n := range page["networks"].([]any) {
		got = append(got, n.(object)["name"].(string))
	}
	if diff := cmp.Diff([]string{"n4", "n5"}, got); diff != "" {
		t.Errorf("the page before the last (-want +got):\n%s", diff)
	}
	if back := f.follow("previous", "/v2.0/networks?limit=3&sort_key=name&sort_dir=asc&page_reverse=True&marker="+last); len(back) != 6 {
		t.Errorf("backwards from the last: %q", back)
	}
	if on := f.names("alice", "networks", "admin_state_up=%20true%20"); len(on) != len(all) {
		t.Errorf("of what is on, %d are listed, want %d", len(on), len(all))
	}
	if _, ok := f.want(200, "alice", "GET", "/v2.0/networks", nil)["networks_links"]; ok {
		t.Error("links are given without a limit")
	}
}

// follow reads all pages and returns the names.
func (f *fixture) follow(rel, path string) []string {
	f.t.Helper()
	var found []string
	for path != "" {
		page := f.want(200, "alice", "GET", path, nil)
		for _, n := range page["networks"].([]any) {
			found = append(found, n.(object)["name"].(string))
		}
		path = ""
		for _, l := range page["networks_links"].([]any) {
			href := l.(object)["href"].(string)
			if !strings.HasPrefix(href, f.url+"/v2.0/networks?") {
				f.t.Fatalf("the link %s does not have the client's own prefix", href)
			}
			if l.(object)["rel"] == rel {
				path = href
			}
		}
	}
	return found
}

func TestFilters(t *testing.T) {
	f := newFixture(t)
	lan, sub := f.lan("alice", object{"name": "lan", "description": "d"}, "10.0.0.0/24")
	f.add("alice", "port", object{"network_id": lan, "name": "one", "device_id": "x", "fixed_ips": []object{{"ip_address": "10.0.0.11"}}})
	f.add("alice", "port", object{"network_id": lan, "name": "two", "mac_address": "fa:16:3e:00:00:02", "fixed_ips": []object{{"ip_address": "10.0.0.12"}}})
	f.add("alice", "port", object{"network_id": lan, "name": "", "admin_state_up": "False", "fixed_ips": []object{}})
	tests := map[string][]string{
		"ports?name=one":                                {"one"},
		"ports?name=one&name=two":                       {"one", "two"},
		"ports?name=":                                   {""},
		"ports?device_id=":                              {"", "two"},
		"ports?admin_state_up=false":                    {""},
		"ports?mac_address=FA:16:3e:00:00:02":           {"two"},
		"ports?fixed_ips=ip_address=10.0.0.11":          {"one"},
		"ports?fixed_ips=ip_address%3D10.0.0.11":        {"one"},
		"ports?fixed_ips=subnet_id=" + sub:              {"one", "two"},
		"ports?fixed_ips=ip_address_substr=0.12":        {"two"},
		"ports?network_id=" + lan:                       {"", "one", "two"},
		"ports?tenant_id=alices&project_id=alices":      {"", "one", "two"},
		"ports?status=ACTIVE":                           {},
		"networks?shared=False":                         {"lan"},
		"networks?router:external=True":                 {},
		"networks?description=d&mtu=1500":               {"lan"},
		"networks?provider:network_type=local":          {"lan"},
		"networks?provider:network_type=vlan":           {},
		"networks?id=" + lan:                            {"lan"},
		"subnets?cidr=10.0.0.0/24&ip_version=4":         {""},
		"subnets?gateway_ip=10.0.0.1&network_id=" + lan: {""},
		"subnets?enable_dhcp=False":                     {},
		"subnets?ip_version=6":                          {},
	}
	for path, want := range tests {
		plural, query, _ := strings.Cut(path, "?")
		if diff := cmp.Diff(want, f.names("alice", plural, query+"&sort_key=name&sort_dir=asc")); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
}

// TestEveryFilter asks by every attribute that an answer shows: each is a filter, or is refused by name.
func TestEveryFilter(t *testing.T) {
	f := newFixture(t)
	lan, sub := f.lan("admin", object{"name": "lan"}, "10.0.0.0/24")
	id := f.add("admin", "port", object{"network_id": lan})["id"].(string)
	unfit := map[string]bool{ // lists and objects, as which nothing can be asked for
		"subnets": true, "availability_zones": true, "availability_zone_hints": true, "ipv4_address_scope": true, "ipv6_address_scope": true,
		"port_security_enabled": true, "allocation_pools": true, "dns_nameservers": true, "host_routes": true,
		"service_types": true, "security_groups": true, "allowed_address_pairs": true, "extra_dhcp_opts": true, "binding:profile": true,
		"binding:vif_details": true, "provider:physical_network": true,
		"provider:segmentation_id": true, "tags": true, "fixed_ips": true, "external_gateway_info": true, "routes": true,
	}
	router := f.add("admin", "router", object{"name": "r"})["id"].(string)
	for plural, id := range map[string]string{"networks": lan, "subnets": sub, "ports": id, "routers": router} {
		noun := plural[:len(plural)-1]
		for name, value := range f.want(200, "admin", "GET", "/v2.0/"+plural+"/"+id, nil)[noun].(object) {
			if unfit[name] {
				continue
			}
			if value == nil {
				value = ""
			}
			path := fmt.Sprintf("/v2.0/%s?id=%s&%s=%v", plural, id, name, value)
			if found := f.want(200, "admin", "GET", path, nil)[plural].([]any); len(found) != 1 {
				t.Errorf("GET %s lists %d, want the one that is so", path, len(found))
			}
		}
	}
}

func TestBounds(t *testing.T) {
	f := newFixture(t)
	lan, _ := f.lan("alice", object{}, "10.0.0.0/24")
	all := make([]object, 101)
	for i := range all {
		all[i] = object{"network_id": lan}
	}
	bad := func(text string) refusal { return refusal{400, "HTTPBadRequest", text} }
	for _, c := range []struct {
		method, path string
		body         any
		want         refusal
	}{
		{"POST", "/v2.0/ports", object{"ports": all}, bad("At most 100 ports may be created by one request")},
		{"GET", "/v2.0/networks?tags-any=t" + strings.Repeat(",t", 500), nil, bad("['tags'] is invalid attribute for filtering")},
		{"GET", "/v2.0/ports?fixed_ips=x" + strings.Repeat("&fixed_ips=ip_address_substr%3D1", 200), nil, bad("['fixed_ips'] has more than 200 values")},
	} {
		if diff := cmp.Diff(c.want, f.refused("alice", c.method, c.path, c.body)); diff != "" {
			t.Errorf("%s %.40s (-want +got):\n%s", c.method, c.path, diff)
		}
	}
	f.want(201, "alice", "POST", "/v2.0/ports", object{"ports": all[:100]})
	f.want(200, "alice", "GET", "/v2.0/ports?fixed_ips=x"+strings.Repeat("&fixed_ips=ip_address_substr%3D1", 199), nil)
}

func TestTags(t *testing.T) {
	f := newFixture(t)
	lan, sub := f.lan("alice", object{"name": "lan"}, "10.0.0.0/24")
	id := f.add("alice", "port", object{"network_id": lan, "name": "port"})["id"].(string)
	for _, path := range []string{"networks/" + lan, "subnets/" + sub, "ports/" + id} {
		path = "/v2.0/" + path + "/tags"
		got := f.want(200, "alice", "PUT", path, object{"tags": []string{"b", "a b", "b"}})
		if diff := cmp.Diff(object{"tags": []any{"a b", "b"}}, got); diff != "" {
			t.Errorf("PUT %s (-want +got):\n%s", path, diff)
		}
		f.want(201, "alice", "PUT", path+"/c", nil)
		f.want(204, "alice", "GET", path+"/c", nil)
		f.want(204, "alice", "GET", path+"/a%20b", nil)
		f.want(204, "alice", "DELETE", path+"/b", nil)
		f.want(404, "alice", "GET", path+"/b", nil)
		if diff := cmp.Diff(object{"tags": []any{"a b", "c"}}, f.want(200, "reader", "GET", path, nil)); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
	f.add("alice", "network", object{"name": "plain"})
	for query, want := range map[string][]string{
		"tags=c": {"lan"}, "tags=c,b": {}, "tags-any=c,b": {"lan"}, "not-tags=c": {"plain"}, "not-tags-any=c,b": {"plain"}, "not-tags=c,b": {"lan", "plain"},
	} {
		if diff := cmp.Diff(want, f.names("alice", "networks", query+"&sort_key=name&sort_dir=asc")); diff != "" {
			t.Errorf("?%s (-want +got):\n%s", query, diff)
		}
	}
	f.want(204, "alice", "DELETE", "/v2.0/networks/"+lan+"/tags", nil)
	if got := f.names("alice", "networks", "tags=c"); len(got) > 0 {
		t.Errorf("after all tags went: %q", got)
	}
}
