package neutron_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

// limits is a quota in which everything is unlimited but what is given.
func limits(more object) object {
	q := object{}
	for _, name := range strings.Fields("floatingip healthmonitor l7policy listener loadbalancer member network pool port rbac_policy router " +
		"security_group security_group_rule subnet subnetpool") {
		q[name] = -1.0
	}
	maps.Copy(q, more)
	return q
}

func TestQuotas(t *testing.T) {
	f := newFixture(t)
	f.store.SetNetworkQuotaDefaults(map[string]int{"router": 7})
	f.store.SetQuotaDefaults(map[lbaas.Noun]int{lbaas.NounPool: 3})
	same := comparing(t)
	defaults := limits(object{"router": 7.0, "pool": 3.0})
	show := func(who, path string) any { return f.want(200, who, "GET", "/v2.0/quotas/"+path, nil)["quota"] }
	same("what bob may have", defaults, show("bob", "bobs"))
	same("of old clients", object{"tenant": object{"tenant_id": "bobs"}}, f.want(200, "bob", "GET", "/v2.0/quotas/tenant", nil))
	same("of clients", object{"project": object{"project_id": "bobs"}}, f.want(200, "bob", "GET", "/v2.0/quotas/project", nil))

	want := limits(object{"router": 7.0, "pool": 2.0, "network": 1.0, "security_group": 4.0})
	put := f.want(200, "admin", "PUT", "/v2.0/quotas/bobs", object{"quota": object{"network": 1, "security_group": "4", "pool": 2, "force": true}})
	same("a change", want, put["quota"])
	same("as bob sees it", want, show("bob", "bobs"))
	same("the defaults stay", defaults, show("bob", "bobs/default"))
	want["project_id"], want["tenant_id"] = "bobs", "bobs"
	f.want(200, "admin", "PUT", "/v2.0/quotas/alices", object{"quota": object{"loadbalancer": 5}})
	ofBalancers := limits(object{"router": 7.0, "pool": 3.0, "loadbalancer": 5.0, "project_id": "alices", "tenant_id": "alices"})
	same("all", []any{ofBalancers, want}, f.want(200, "admin", "GET", "/v2.0/quotas", nil)["quotas"])

	f.add("bob", "network", object{})
	same("one too many", refusal{409, "OverQuota", "Quota exceeded for resources: ['network']."}, f.refused("bob", "POST", "/v2.0/networks", object{"network": object{}}))
	details := show("bob", "bobs/details").(object)
	same("what bob has", object{"limit": 1.0, "used": 1.0, "reserved": 0.0}, details["network"])
	same("what bob has of pools", object{"limit": 2.0, "used": 0.0, "reserved": 0.0}, details["pool"])

	f.want(204, "admin", "DELETE", "/v2.0/quotas/bobs", nil)
	same("taken back", defaults, show("bob", "bobs"))
	same("again", refusal{404, "TenantQuotaNotFound", "Quota for tenant bobs could not be found."}, f.refused("admin", "DELETE", "/v2.0/quotas/bobs", nil))
}

func TestBadQuotas(t *testing.T) {
	f := newFixture(t)
	f.add("bob", "network", object{})
	bad := func(text string) refusal { return refusal{400, "HTTPBadRequest", text} }
	admins := func(reason string) refusal {
		return refusal{403, "AdminRequired", "User does not have admin privileges: " + reason}
	}
	quota := func(name string, value any) object { return object{"quota": object{name: value}} }
	for _, test := range []struct {
		who, request string
		body         any
		want         refusal
	}{
		{"bob", "GET quotas", nil, admins("Only admin can view or configure quota.")},
		{"bob", "GET quotas/alices", nil, admins("Only admin is authorized to access quotas for another tenant.")},
		{"bob", "GET quotas/alices/details", nil, admins("Only admin is authorized to access quotas for another tenant.")},
		{"bob", "PUT quotas/bobs", quota("network", 5), admins("Only admin can view or configure quota.")},
		{"bob", "DELETE quotas/bobs", nil, admins("Only admin can view or configure quota.")},
		{"admin", "PUT quotas/bobs", object{"network": 1}, bad("Unable to find 'quota' in request body")},
		{"admin", "PUT quotas/bobs", quota("colour", 1), bad("Unrecognized attribute(s) 'colour'")},
		{"admin", "PUT quotas/bobs", quota("network", "many"), refusal{400, "InvalidInput", "Invalid input for operation: 'many' is not an integer."}},
		{"admin", "PUT quotas/bobs", quota("pool", -2), bad("Invalid input for pool. Reason: '-2' is too small - must be at least '-1'.")},
		{"admin", "PUT quotas/bobs", quota("pool", "99999999999"), bad("Invalid input for pool. Reason: '99999999999' is too large - must be no larger than '2000000000'.")},
		{"admin", "PUT quotas/bobs", object{"quota": object{"network": 0, "check_limit": true}},
			refusal{409, "InvalidQuotaValue", "Change would make usage less than 0 for the following resources: ['network']."}},
		{"admin", "GET quotas/" + strings.Repeat("x", 65), nil, bad("'" + strings.Repeat("x", 65) + "' is not the id of a project")},
		{"nobody", "GET quotas/x", nil, refusal{403, "PolicyNotAuthorized", "rule:get_quota is disallowed by policy"}},
	} {
		method, path, _ := strings.Cut(test.request, " ")
		if diff := cmp.Diff(test.want, f.refused(test.who, method, "/v2.0/"+path, test.body)); diff != "" {
			t.Errorf("%s by %s (-want +got):\n%s", test.request, test.who, diff)
		}
	}
	if got := f.want(200, "admin", "GET", "/v2.0/quotas", nil)["quotas"].([]any); len(got) > 0 {
		t.Errorf("bad requests left quotas: %v", got)
	}
}

// TestQuotaClients asks as the clients do.
func TestQuotaClients(t *testing.T) {
	t.Parallel()
	url := cloud(t)
	run := cli(t, url)
	value := func(column string, args ...string) string {
		t.Helper()
		return strings.TrimSpace(run(append(args, "-f", "value", "-c", column)...))
	}
	group := value("id", "security", "group", "create", "web", "--description", "d", "--tag", "blue")
	for _, args := range []string{"--protocol tcp --dst-port 80:90 --remote-ip 10.0.0.0/8", "--egress --ethertype IPv6 --protocol ipv6-icmp --icmp-type 128", "--remote-group web --protocol vrrp"} {
		run(append(strings.Fields("security group rule create web"), strings.Fields(args)...)...)
	}
	if got := strings.Fields(value("IP Protocol", "security", "group", "rule", "list", "web", "--ingress")); len(got) != 2 {
		t.Errorf("rules of a group: %q", got)
	}
	run("security", "group", "set", "web", "--name", "www", "--description", "other")
	run("network", "create", "lan", "--enable-port-security")
	run("port", "create", "p", "--network", "lan", "--no-fixed-ip", "--security-group", "www", "--allowed-address", "ip-address=10.0.0.7", "--extra-dhcp-option", "name=mtu,value=1400")
	run("port", "set", "p", "--security-group", group, "--no-allowed-address")
	if got := value("security_group_ids", "port", "show", "p"); !strings.Contains(got, group) {
		t.Errorf("the port is in %q", got)
	}
	run("port", "set", "p", "--no-security-group", "--disable-port-security")
	neutron := client(t, url, "neutron")
	neutron("quota-update", "--network", "3", "--security-group-rule", "50", "--loadbalancer", "9")
	shown := neutron("quota-show", "-f", "json")
	for _, want := range []string{`"network": 3`, `"loadbalancer": 9`, `"security_group_rule": 50`} {
		if !strings.Contains(shown, want) {
			t.Errorf("quota-show prints %s, want %s", shown, want)
		}
	}
	neutron("quota-delete")
	run("security", "group", "delete", "www")
}
