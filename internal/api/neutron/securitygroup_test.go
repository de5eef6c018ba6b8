package neutron_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/neutron"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

const nobodys = "00000000-0000-4000-8000-000000000000"

// group makes a security group and returns its id.
func (f *fixture) group(who, name string) string {
	f.t.Helper()
	return f.want(201, who, "POST", "/v2.0/security-groups", object{"security_group": object{"name": name}})["security_group"].(object)["id"].(string)
}

// rule is the body that makes a rule, with more attributes in pairs.
func rule(groupID string, more ...any) object {
	r := object{"security_group_id": groupID, "direction": "ingress"}
	for i := 0; i < len(more); i += 2 {
		r[more[i].(string)] = more[i+1]
	}
	return object{"security_group_rule": r}
}

func TestBadSecurityGroups(t *testing.T) {
	f := newFixture(t)
	g, def := f.group("alice", "web"), f.defaultGroup("alice")
	foreign := f.group("bob", "web")
	lan, _ := f.lan("alice", object{}, "10.0.0.0/24")
	open, _ := f.lan("alice", object{"port_security_enabled": false}, "10.0.0.0/24")
	user := f.add("alice", "port", object{"network_id": lan, "security_groups": []string{g}})["id"].(string)
	f.want(201, "alice", "POST", "/v2.0/security-group-rules", rule(g, "protocol", "tcp", "port_range_min", 80, "port_range_max", "80"))
	bad := func(text string) refusal { return refusal{400, "HTTPBadRequest", text} }
	groupMissing := func(id string) refusal {
		return refusal{404, "SecurityGroupNotFound", "Security group " + id + " does not exist"}
	}
	named := func(name string) object { return object{"security_group": object{"name": name}} }
	put := func(attributes ...any) object {
		p := object{}
		for i := 0; i < len(attributes); i += 2 {
			p[attributes[i].(string)] = attributes[i+1]
		}
		return object{"port": p}
	}
	for _, test := range []struct {
		name, request string
		body          any
		want          refusal
	}{
		{"bad: name of the default group", "POST security-groups", named("Default"), refusal{409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists."}},
		{"bad: stateless", "POST security-groups", object{"security_group": object{"stateful": "False"}},
			bad("Invalid input for stateful. Reason: 'False' is not supported by this network service.")},
		{"bad: rules in a group", "POST security-groups", object{"security_group": object{"security_group_rules": []any{}}}, bad("Attribute 'security_group_rules' not allowed in POST")},
		{"bad: name", "PUT security-groups/" + g, named(strings.Repeat("x", 256)), bad("Invalid input for name. Reason: '" + strings.Repeat("x", 256) + "' exceeds maximum length of 255.")},
		{"bad: the default group's name", "PUT security-groups/" + def, named("x"), refusal{409, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed."}},
		{"bad: delete the default group", "DELETE security-groups/" + def, nil,
			refusal{409, "SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group."}},
		{"bad: group in use", "DELETE security-groups/" + g, nil, refusal{409, "SecurityGroupInUse", "Security Group " + g + " in use."}},
		{"bad: nobody's group", "GET security-groups/" + nobodys, nil, groupMissing(nobodys)},
		{"bad: id", "GET security-groups/x", nil, groupMissing("x")},
		{"bad: another's group", "GET security-groups/" + foreign, nil, groupMissing(foreign)},
		{"bad: another's group in PUT", "PUT security-groups/" + foreign, named("x"), groupMissing(foreign)},
		{"bad: another's group in DELETE", "DELETE security-groups/" + foreign, nil, groupMissing(foreign)},
		{"bad: for another project", "POST security-groups", object{"security_group": object{"project_id": "bobs"}},
			bad("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges")},

		{"bad: no direction", "POST security-group-rules", object{"security_group_rule": object{"security_group_id": g}},
			bad("Failed to parse request. Required attribute 'direction' not specified")},
		{"bad: no group", "POST security-group-rules", object{"security_group_rule": object{"direction": "ingress"}},
			bad("Failed to parse request. Required attribute 'security_group_id' not specified")},
		{"bad: direction", "POST security-group-rules", rule(g, "direction", "up"), bad("Invalid input for direction. Reason: 'up' is not in ['ingress', 'egress'].")},
		{"bad: null direction", "POST security-group-rules", rule(g, "direction", nil), bad("Invalid input for direction. Reason: 'None' is not in ['ingress', 'egress'].")},
		{"bad: ether type", "POST security-group-rules", rule(g, "ethertype", "ARP"),
			refusal{400, "SecurityGroupRuleInvalidEtherType", "Security group rule for ethertype 'ARP' not supported. Allowed values are ['IPv4', 'IPv6']."}},
		{"bad: port", "POST security-group-rules", rule(g, "protocol", "tcp", "port_range_min", "x"), refusal{400, "SecurityGroupInvalidPortValue", "Invalid value for port x"}},
		{"bad: high port", "POST security-group-rules", rule(g, "protocol", "tcp", "port_range_max", 65536), refusal{400, "SecurityGroupInvalidPortValue", "Invalid value for port 65536"}},
		{"bad: ports backwards", "POST security-group-rules", rule(g, "protocol", "tcp", "port_range_min", 2, "port_range_max", 1),
			refusal{400, "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max"}},
		{"bad: prefix", "POST security-group-rules", rule(g, "remote_ip_prefix", "10.0.0.0/33"), refusal{400, "InvalidCIDR", "Invalid CIDR 10.0.0.0/33 given as IP prefix."}},
		{"bad: prefix of another version", "POST security-group-rules", rule(g, "remote_ip_prefix", "::/0"),
			refusal{400, "SecurityGroupRuleParameterConflict", "Conflicting value ethertype IPv4 for CIDR ::/0"}},
		{"bad: prefix and group", "POST security-group-rules", rule(g, "remote_ip_prefix", "10.0.0.0/8", "remote_group_id", g),
			refusal{400, "SecurityGroupRemoteGroupAndRemoteIpPrefix", "Only remote_ip_prefix or remote_group_id may be provided."}},
		{"bad: address group", "POST security-group-rules", rule(g, "remote_address_group_id", g),
			bad("Invalid input for remote_address_group_id. Reason: '" + g + "' is not supported by this network service.")},
		{"bad: remote group is a word", "POST security-group-rules", rule(g, "remote_group_id", "x"), bad("Invalid input for remote_group_id. Reason: 'x' is not a valid UUID.")},
		{"bad: nobody's remote group", "POST security-group-rules", rule(g, "remote_group_id", nobodys), groupMissing(nobodys)},
		{"bad: another's remote group", "POST security-group-rules", rule(g, "remote_group_id", foreign), groupMissing(foreign)},
		{"bad: another's group", "POST security-group-rules", rule(foreign), groupMissing(foreign)},
		{"bad: rule in PUT", "PUT security-group-rules/" + nobodys, object{"security_group_rule": object{"protocol": "udp"}}, bad("Cannot update read-only attribute protocol")},
		{"bad: nobody's rule", "DELETE security-group-rules/" + nobodys, nil, refusal{404, "SecurityGroupRuleNotFound", "Security group rule " + nobodys + " does not exist"}},
		{"bad: tags of a rule", "GET security-group-rules/" + nobodys + "/tags", nil, refusal{404, "HTTPNotFound", "The resource could not be found."}},

		{"bad: group of a port", "POST ports", port(lan, "security_groups", []string{"x"}), refusal{400, "InvalidInput", "Invalid input for operation: 'x' is not an integer or uuid."}},
		{"bad: another's group of a port", "POST ports", port(lan, "security_groups", []string{foreign}), groupMissing(foreign)},
		{"bad: groups of an open port", "POST ports", port(open, "security_groups", []string{g}), refusal{400, "PortSecurityAndIPRequiredForSecurityGroups",
			"Port security must be enabled and port must have an IP address in order to use security groups."}},
		{"bad: port security off", "PUT ports/" + user, put("port_security_enabled", false), refusal{409, "PortSecurityPortHasSecurityGroup",
			"Port has security group associated. Cannot disable port security or IP address until security group is removed."}},
		{"bad: another's group in PUT", "PUT ports/" + user, put("security_groups", []string{g, foreign}), groupMissing(foreign)},
		{"bad: pair without address", "PUT ports/" + user, put("allowed_address_pairs", []object{{"mac_address": "fa:16:3e:00:00:01"}}),
			refusal{400, "AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address"}},
		{"bad: pair", "PUT ports/" + user, put("allowed_address_pairs", []object{{"ip_address": "10.0.0.0/33"}}),
			bad("Invalid input for allowed_address_pairs. Reason: '10.0.0.0/33' is not a valid IP subnet.")},
		{"bad: pair's MAC", "PUT ports/" + user, put("allowed_address_pairs", []object{{"ip_address": "10.0.0.1", "mac_address": "x"}}),
			bad("Invalid input for allowed_address_pairs. Reason: 'x' is not a valid MAC address.")},
		{"bad: pair's key", "PUT ports/" + user, put("allowed_address_pairs", []object{{"ip_address": "10.0.0.1", "port": 1}}),
			bad("Invalid input for allowed_address_pairs. Reason: Unrecognized attribute(s) 'port'.")},
		{"bad: pairs of an open port", "POST ports", port(open, "allowed_address_pairs", []object{{"ip_address": "10.0.0.1"}}),
			refusal{409, "AddressPairAndPortSecurityRequired", "Port Security must be enabled in order to have allowed address pairs on a port."}},
		{"bad: option", "PUT ports/" + user, put("extra_dhcp_opts", []object{{"opt_name": "mtu"}}), bad("Failed to parse request. Required attribute 'opt_value' not specified")},
		{"bad: option's version", "PUT ports/" + user, put("extra_dhcp_opts", []object{{"opt_name": "mtu", "opt_value": "1", "ip_version": 5}}),
			bad("Invalid input for extra_dhcp_opts. Reason: '5' is not in [4, 6].")},
		{"bad: option's value", "PUT ports/" + user, put("extra_dhcp_opts", []object{{"opt_name": "mtu", "opt_value": "a\nb"}}),
			bad(`Invalid input for extra_dhcp_opts. Reason: '"a\nb"' holds a control character.`)},
	} {
		method, path, _ := strings.Cut(test.request, " ")
		if diff := cmp.Diff(test.want, f.refused("alice", method, "/v2.0/"+path, test.body)); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", test.name, test.request, diff)
		}
	}
	if names := f.names("alice", "security-groups", "sort_key=name&sort_dir=asc"); len(names) != 2 {
		t.Errorf("bad requests left groups behind: %q", names)
	}
	if got := f.want(200, "alice", "GET", "/v2.0/security-group-rules?security_group_id="+g, nil)["security_group_rules"].([]any); len(got) != 3 {
		t.Errorf("bad requests left %d rules", len(got))
	}
}

// TestSameRuleAgain names the rule that is there already.
func TestSameRuleAgain(t *testing.T) {
	f := newFixture(t)
	g := f.group("alice", "web")
	first := f.want(201, "alice", "POST", "/v2.0/security-group-rules", rule(g, "protocol", "tcp"))["security_group_rule"].(object)["id"].(string)
	want := refusal{409, "SecurityGroupRuleExists", "Security group rule already exists. Rule id is " + first + "."}
	if diff := cmp.Diff(want, f.refused("alice", "POST", "/v2.0/security-group-rules", rule(g, "protocol", 6, "remote_ip_prefix", "0.0.0.0/0"))); diff != "" {
		t.Errorf("the same again (-want +got):\n%s", diff)
	}
	two := object{"security_group_rules": []any{rule(g, "protocol", "udp"), rule(g, "protocol", "17")}}
	want = refusal{409, "DuplicateSecurityGroupRuleInPost", "Duplicate Security Group Rule in POST."}
	if diff := cmp.Diff(want, f.refused("alice", "POST", "/v2.0/security-group-rules", two)); diff != "" {
		t.Errorf("the same twice (-want +got):\n%s", diff)
	}
}

func TestSecurityGroupAnswers(t *testing.T) {
	f := newFixture(t)
	g := f.want(201, "alice", "POST", "/v2.0/security-groups", object{"security_group": object{"name": "web", "description": "d", "stateful": true}})["security_group"].(object)
	id := g["id"].(string)
	rules := g["security_group_rules"].([]any)
	for i, family := range []string{"IPv4", "IPv6"} {
		want := object{"security_group_id": id, "direction": "egress", "ethertype": family, "protocol": nil, "port_range_min": nil, "port_range_max": nil,
			"remote_group_id": nil, "remote_ip_prefix": nil, "remote_address_group_id": nil, "normalized_cidr": nil, "description": "", "project_id": "alices",
			"tenant_id": "alices", "revision_number": 1.0}
		if diff := cmp.Diff(want, timeless(rules[i].(object))); diff != "" {
			t.Errorf("a rule of a new group (-want +got):\n%s", diff)
		}
	}
	delete(g, "security_group_rules")
	want := object{"name": "web", "description": "d", "stateful": true, "shared": false, "project_id": "alices", "tenant_id": "alices", "tags": []any{}, "revision_number": 1.0}
	if diff := cmp.Diff(want, timeless(g)); diff != "" {
		t.Errorf("a new group (-want +got):\n%s", diff)
	}
	made := f.want(201, "alice", "POST", "/v2.0/security-group-rules", rule(id, "direction", "egress", "ethertype", "ipv6", "protocol", "ICMP", "port_range_min", 128,
		"remote_ip_prefix", "2001:db8::7/32", "description", nil))["security_group_rule"].(object)
	ruleID := made["id"].(string)
	want = object{"security_group_id": id, "direction": "egress", "ethertype": "IPv6", "protocol": "ipv6-icmp", "port_range_min": 128.0, "port_range_max": nil,
		"remote_group_id": nil, "remote_ip_prefix": "2001:db8::7/32", "remote_address_group_id": nil, "normalized_cidr": "2001:db8::/32", "description": "",
		"project_id": "alices", "tenant_id": "alices", "revision_number": 1.0}
	if diff := cmp.Diff(want, timeless(made)); diff != "" {
		t.Errorf("a new rule (-want +got):\n%s", diff)
	}
	f.want(200, "alice", "PUT", "/v2.0/security-group-rules/"+ruleID, object{"security_group_rule": object{"description": "why"}})
	shown := f.want(200, "alice", "GET", "/v2.0/security-group-rules/"+ruleID, nil)["security_group_rule"].(object)
	if shown["description"] != "why" || shown["revision_number"] != 2.0 {
		t.Errorf("a described rule: %v", shown)
	}
	f.want(204, "alice", "DELETE", "/v2.0/security-group-rules/"+ruleID, nil)
	f.want(200, "alice", "PUT", "/v2.0/security-groups/"+id+"/tags", object{"tags": []string{"blue"}})
	if got := f.names("alice", "security-groups", "tags=blue&shared=false&stateful=true"); !cmp.Equal(got, []string{"web"}) {
		t.Errorf("groups by tag: %q", got)
	}
	f.want(204, "alice", "DELETE", "/v2.0/security-groups/"+id, nil)
}

// timeless checks that an object has an id and times, and takes them away.
func timeless(o object) object {
	for _, key := range []string{"id", "created_at", "updated_at"} {
		if text, _ := o[key].(string); text == "" {
			o[key+" is missing"] = o[key]
		}
		delete(o, key)
	}
	return o
}

// TestDefaultGroups makes ports that name no groups, and lists as those who have none yet.
func TestDefaultGroups(t *testing.T) {
	f := newFixture(t)
	if got := f.names("bob", "security-groups", ""); !cmp.Equal(got, []string{"default"}) {
		t.Errorf("bob's groups: %q", got)
	}
	if got := f.want(200, "bob", "GET", "/v2.0/security-group-rules", nil)["security_group_rules"].([]any); len(got) != 4 {
		t.Errorf("bob's rules: %v", got)
	}
	lan, _ := f.lan("alice", object{}, "10.0.0.0/24")
	open, _ := f.lan("alice", object{"port_security_enabled": "False"}, "10.0.1.0/24")
	def := []any{f.defaultGroup("alice")}
	for _, test := range []struct {
		name string
		send object
		want []any // groups and port security
	}{
		{"nothing", object{"network_id": lan}, []any{def, true}},
		{"null", object{"network_id": lan, "security_groups": nil}, []any{def, true}},
		{"none", object{"network_id": lan, "security_groups": []any{}}, []any{[]any{}, true}},
		{"twice", object{"network_id": lan, "security_groups": []any{def[0], def[0]}}, []any{def, true}},
		{"no port security", object{"network_id": lan, "port_security_enabled": false}, []any{[]any{}, false}},
		{"an open network", object{"network_id": open}, []any{[]any{}, false}},
		{"port security on an open network", object{"network_id": open, "port_security_enabled": true}, []any{def, true}},
		{"a service of the network", object{"network_id": lan, "device_owner": "network:probe"}, []any{[]any{}, false}},
		{"a service that asks for a guard", object{"network_id": lan, "device_owner": "network:probe", "port_security_enabled": true}, []any{[]any{}, false}},
	} {
		p := f.add("alice", "port", test.send)
		if diff := cmp.Diff(test.want, []any{p["security_groups"], p["port_security_enabled"]}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	id := f.add("alice", "port", object{"network_id": lan, "name": "member"})["id"].(string)
	own := f.group("alice", "own")
	f.want(200, "alice", "PUT", "/v2.0/ports/"+id, object{"port": object{"security_groups": []string{own}}})
	if got := f.names("alice", "ports", "security_groups="+own); !cmp.Equal(got, []string{"member"}) {
		t.Errorf("ports of a group: %q", got)
	}
	if p := f.want(200, "alice", "PUT", "/v2.0/ports/"+id, object{"port": object{"security_groups": nil}})["port"].(object); len(p["security_groups"].([]any)) > 0 {
		t.Errorf("null leaves the groups %v", p["security_groups"])
	}
	p := f.want(200, "alice", "PUT", "/v2.0/ports/"+id, object{"port": object{"port_security_enabled": false, "security_groups": []any{}}})["port"].(object)
	if diff := cmp.Diff([]any{[]any{}, false}, []any{p["security_groups"], p["port_security_enabled"]}); diff != "" {
		t.Errorf("no guard any more (-want +got):\n%s", diff)
	}
	old := f.defaultGroup("bob")
	f.want(204, "admin", "DELETE", "/v2.0/security-groups/"+old, nil)
	if f.defaultGroup("bob") == old {
		t.Error("an admin cannot delete a default group")
	}
}

func TestPairsAndOptions(t *testing.T) {
	f := newFixture(t)
	lan, _ := f.lan("alice", object{}, "10.0.0.0/24")
	p := f.add("alice", "port", object{"network_id": lan, "mac_address": "fa:16:3e:00:00:01",
		"allowed_address_pairs": []object{{"ip_address": "10.0.0.100"}, {"ip_address": "10.9.0.0/16", "mac_address": "FA-16-3E-00-00-02"}},
		"extra_dhcp_opts":       []object{{"opt_name": "mtu", "opt_value": "1400"}, {"opt_name": "bootfile-name", "opt_value": "x", "ip_version": "6"}}})
	pairs := []any{object{"ip_address": "10.0.0.100", "mac_address": "fa:16:3e:00:00:01"}, object{"ip_address": "10.9.0.0/16", "mac_address": "fa:16:3e:00:00:02"}}
	boot := object{"opt_name": "bootfile-name", "opt_value": "x", "ip_version": 6.0}
	options := []any{object{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4.0}, boot}
	if diff := cmp.Diff([]any{pairs, options}, []any{p["allowed_address_pairs"], p["extra_dhcp_opts"]}); diff != "" {
		t.Errorf("a new port (-want +got):\n%s", diff)
	}
	change := func(attributes object) object {
		return f.want(200, "alice", "PUT", "/v2.0/ports/"+p["id"].(string), object{"port": attributes})["port"].(object)
	}
	change(object{"name": "x"})
	p = change(object{"extra_dhcp_opts": []object{{"opt_name": "mtu", "opt_value": "1300"}, {"opt_name": "bootfile-name", "opt_value": nil, "ip_version": 6}}})
	if diff := cmp.Diff([]any{pairs, []any{object{"opt_name": "mtu", "opt_value": "1300", "ip_version": 4.0}}}, []any{p["allowed_address_pairs"], p["extra_dhcp_opts"]}); diff != "" {
		t.Errorf("changed options (-want +got):\n%s", diff)
	}
	p = change(object{"allowed_address_pairs": nil, "extra_dhcp_opts": []object{{"opt_name": "mtu", "opt_value": nil}}})
	if diff := cmp.Diff([]any{[]any{}, []any{}}, []any{p["allowed_address_pairs"], p["extra_dhcp_opts"]}); diff != "" {
		t.Errorf("none any more (-want +got):\n%s", diff)
	}
}

// TestGuardsOfOthers has a tenant on a network of another project: what guards its ports is the network's owner's to say, the groups are
// its own.
func TestGuardsOfOthers(t *testing.T) {
	f := newFixture(t)
	shared, _ := f.lan("admin", object{"shared": true}, "10.0.0.0/24")
	p := f.add("bob", "port", object{"network_id": shared})
	if diff := cmp.Diff([]any{[]any{f.defaultGroup("bob")}, true}, []any{p["security_groups"], p["port_security_enabled"]}); diff != "" {
		t.Errorf("a port on a shared network (-want +got):\n%s", diff)
	}
	for _, attribute := range []string{"port_security_enabled", "allowed_address_pairs"} {
		value := map[string]any{"port_security_enabled": false, "allowed_address_pairs": []object{{"ip_address": "10.0.0.1"}}}[attribute]
		for rule, request := range map[string]string{"create_port": "POST /v2.0/ports", "update_port": "PUT /v2.0/ports/" + p["id"].(string)} {
			method, path, _ := strings.Cut(request, " ")
			body := object{attribute: value}
			if method == "POST" {
				body["network_id"] = shared
			}
			want := refusal{403, "PolicyNotAuthorized", "(rule:" + rule + " and rule:" + rule + ":" + attribute + ") is disallowed by policy"}
			if diff := cmp.Diff(want, f.refused("bob", method, path, object{"port": body})); diff != "" {
				t.Errorf("%s by bob (-want +got):\n%s", request, diff)
			}
		}
	}
	mine := f.group("bob", "web")
	f.want(200, "bob", "PUT", "/v2.0/ports/"+p["id"].(string), object{"port": object{"security_groups": []string{mine}}})
	if got := f.refused("reader", "POST", "/v2.0/security-groups", object{"security_group": object{}}); got.Code != 403 {
		t.Errorf("a reader makes a group: %v", got)
	}
	r := f.want(201, "admin", "POST", "/v2.0/security-group-rules", rule(mine, "protocol", "tcp"))["security_group_rule"].(object)
	f.want(200, "bob", "GET", "/v2.0/security-group-rules/"+r["id"].(string), nil)
	f.want(404, "alice", "GET", "/v2.0/security-group-rules/"+r["id"].(string), nil)
	if got := f.want(200, "bob", "GET", "/v2.0/security-group-rules?security_group_id="+mine, nil)["security_group_rules"].([]any); len(got) != 3 {
		t.Errorf("bob sees %d rules of his group", len(got))
	}
	f.want(204, "bob", "DELETE", "/v2.0/security-group-rules/"+r["id"].(string), nil)
}

// TestVIPPortGroups puts the port of a load balancer's VIP into a group, as its owner.
func TestVIPPortGroups(t *testing.T) {
	f := newFixture(t)
	lan, _ := f.lan("alice", object{}, "10.0.0.0/24")
	vip := &network.Port{ProjectID: "alices", NetworkID: lan, DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-x", PortSecurity: true, AdminStateUp: true}
	if err := f.store.CreatePort(t.Context(), vip); err != nil {
		t.Fatal(err)
	}
	lb := &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "alices"}, VIPPortID: vip.ID}
	if err := f.store.CreateLoadBalancer(t.Context(), lb); err != nil {
		t.Fatal(err)
	}
	g := f.group("alice", "lb-sec")
	f.want(200, "alice", "PUT", "/v2.0/ports/"+vip.ID, object{"port": object{"security_groups": []string{g}}})
	got, err := f.store.LoadBalancer(t.Context(), lb.ID)
	if err != nil || !cmp.Equal(got.VIPSecurityGroupIDs, []string{g}) {
		t.Errorf("vip_sg_ids is %v, %v", got.VIPSecurityGroupIDs, err)
	}
}

// TestNoSecurityGroups switches them off.
func TestNoSecurityGroups(t *testing.T) {
	handler := neutron.New(neutron.Config{Store: storetest.Open(t, store.SQLite), Auth: people(), NoSecurityGroups: true, Log: slog.New(slog.DiscardHandler)})
	call := func(method, path, body string) (int, object) {
		r := httptest.NewRequest(method, "/v2.0/"+path, strings.NewReader(body))
		r.Header.Set("X-Auth-Token", "alice")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		var o object
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		return w.Code, o
	}
	code, o := call(http.MethodPost, "networks", `{"network":{}}`)
	n, _ := o["network"].(object)
	if code != 201 || n["port_security_enabled"] != false {
		t.Fatalf("a network: %d %v", code, o)
	}
	id := n["id"].(string)
	code, o = call(http.MethodPost, "ports", `{"port":{"network_id":"`+id+`"}}`)
	if p, _ := o["port"].(object); code != 201 || p["port_security_enabled"] != false || len(p["security_groups"].([]any)) > 0 {
		t.Errorf("a port: %d %v", code, o)
	}
	for request, want := range map[string]int{
		`POST networks {"network":{"port_security_enabled":true}}`:                                            400,
		`POST ports {"port":{"network_id":"` + id + `","port_security_enabled":true}}`:                        400,
		`POST ports {"port":{"network_id":"` + id + `","security_groups":["` + nobodys + `"]}}`:               400,
		`POST ports {"port":{"network_id":"` + id + `","allowed_address_pairs":[{"ip_address":"10.0.0.1"}]}}`: 400,
		`GET security-groups `: 404, `GET security-group-rules `: 404, `GET extensions/security-group `: 404, `GET extensions/port-security `: 404, `GET extensions/quotas `: 200,
	} {
		parts := strings.SplitN(request, " ", 3)
		if code, o := call(parts[0], parts[1], parts[2]); code != want {
			t.Errorf("%s answers %d %v, want %d", request, code, o, want)
		}
	}
}

// FuzzSecurity sends anything as the body of a request about groups, rules, the guards of ports and quotas: the answer is never an
// internal error.
func FuzzSecurity(f *testing.F) {
	const id = "22222222-2222-2222-2222-222222222222"
	for _, seed := range []string{
		`{"security_group":{"name":"default"}}`, `{"security_group":{"stateful":null,"description":null}}`, `{"security_groups":[{},{"name":"\u0000"}]}`,
		`{"security_group_rule":{"security_group_id":"` + id + `","direction":"ingress","protocol":1e3,"port_range_min":"1","remote_ip_prefix":"::/0"}}`,
		`{"security_group_rule":{"direction":[],"ethertype":{},"protocol":true,"remote_group_id":7}}`, `{"security_group_rules":[{"security_group_rule":{}}]}`,
		`{"quota":{"network":1e99,"pool":"-1","force":7}}`, `{"quota":null}`, `{"quota":{"network":[]}}`,
		`{"port":{"network_id":"` + id + `","security_groups":{},"allowed_address_pairs":[{"ip_address":["1"]}],"extra_dhcp_opts":[[]]}}`,
		`{"port":{"network_id":"` + id + `","extra_dhcp_opts":[{"opt_name":"a","opt_value":"b","ip_version":null}],"port_security_enabled":"no"}}`,
	} {
		f.Add(seed)
	}
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, request := range []string{"POST security-groups", "PUT security-groups/" + id, "POST security-group-rules", "PUT security-group-rules/" + id,
			"PUT quotas/p", "POST ports", "PUT ports/" + id, "POST networks"} {
			method, path, _ := strings.Cut(request, " ")
			ask(t, handler, httptest.NewRequest(method, "/v2.0/"+path, strings.NewReader(body)))
		}
	})
}
