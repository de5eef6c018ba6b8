package neutron_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/common/extensions"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"plimsoll/internal/api/keystone"
	"plimsoll/internal/api/neutron"
	"plimsoll/internal/identity"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/test/warm"
)

const password = "correct horse"

// cloud is the network service beside the identity service, as they are laid out when served. It returns the address.
func cloud(t *testing.T) string {
	t.Helper()
	s := storetest.Open(t, store.SQLite)
	id, err := keystone.New(keystone.Config{Store: s, KeyDir: filepath.Join(t.TempDir(), "keys"), Log: slog.New(slog.DiscardHandler),
		Endpoints: []identity.Endpoint{{Type: "identity", Name: "keystone", Path: "/identity"}, {Type: "network", Name: "neutron", Path: "/networking"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Bootstrap(t.Context(), password, "demo"); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/identity/", http.StripPrefix("/identity", id.Handler()))
	net := http.StripPrefix("/networking", neutron.New(neutron.Config{Store: s, Auth: id, Log: slog.New(slog.DiscardHandler)}))
	mux.Handle("/networking", net)
	mux.Handle("/networking/", net)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// login proves the administrator's password.
func login(t *testing.T, url string) *gophercloud.ProviderClient {
	t.Helper()
	p, err := openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{IdentityEndpoint: url + "/identity/v3", Username: "admin",
		Password: password, TenantName: "admin", DomainName: "Default"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// cli runs the openstack client and returns what it prints.
func cli(t *testing.T, url string) func(args ...string) string { return client(t, url, "openstack") }

// client runs one of the clients and returns what it prints. It has a token, since to prove a password costs more than the rest of a request.
func client(t *testing.T, url, program string) func(args ...string) string {
	t.Helper()
	env := []string{"PATH=" + warm.Path(t) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "OS_AUTH_URL=" + url + "/identity/v3", "OS_AUTH_TYPE=v3token",
		"OS_TOKEN=" + login(t, url).TokenID, "OS_PROJECT_NAME=admin", "OS_PROJECT_DOMAIN_NAME=Default", "OS_IDENTITY_API_VERSION=3",
		"OS_REGION_NAME=RegionOne"}
	return func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "env", append([]string{program}, args...)...) // which looks on the PATH of its own
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
}

// printed runs a client's command and returns the object that it prints.
func printed(t *testing.T, run func(args ...string) string) func(args ...string) object {
	return func(args ...string) (o object) {
		t.Helper()
		out := run(append(args, "-f", "json")...)
		if err := json.Unmarshal([]byte(out), &o); err != nil {
			t.Fatalf("openstack %s prints %q", strings.Join(args, " "), out)
		}
		return o
	}
}

// comparing holds a value against what it should be.
func comparing(t *testing.T) func(what string, want, got any) {
	return func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// TestOpenStackClient walks through what an operator does with networks.
func TestOpenStackClient(t *testing.T) {
	run := cli(t, cloud(t))
	list := func(column string, args ...string) []string {
		t.Helper()
		return strings.Fields(run(append(args, "-f", "value", "-c", column)...))
	}
	show, same := printed(t, run), comparing(t)

	net := show("network", "create", "lan", "--share", "--description", "first", "--tag", "blue", "--mtu", "1400")
	same("network", []any{"lan", true, 1400.0, "ACTIVE"}, []any{net["name"], net["shared"], net["mtu"], net["status"]})
	sub := show("subnet", "create", "lan-subnet", "--network", "lan", "--subnet-range", "10.0.0.0/24", "--dns-nameserver", "9.9.9.9",
		"--allocation-pool", "start=10.0.0.100,end=10.0.0.200", "--host-route", "destination=10.9.0.0/16,gateway=10.0.0.2", "--tag", "red")
	same("subnet", []any{"10.0.0.0/24", "10.0.0.1", 4.0}, []any{sub["cidr"], sub["gateway_ip"], sub["ip_version"]})
	show("subnet", "create", "six", "--network", "lan", "--subnet-range", "2001:db8::/64", "--ip-version", "6", "--gateway", "none",
		"--ipv6-ra-mode", "dhcpv6-stateful", "--ipv6-address-mode", "dhcpv6-stateful")
	port := show("port", "create", "web", "--network", "lan", "--fixed-ip", "subnet=lan-subnet,ip-address=10.0.0.9", "--mac-address", "fa:16:3e:00:00:01",
		"--device-owner", "compute:x", "--tag", "green")
	same("port", []any{"web", "fa:16:3e:00:00:01", "DOWN"}, []any{port["name"], port["mac_address"], port["status"]})
	show("port", "create", "any", "--network", "lan")

	same("networks", []string{"lan"}, list("Name", "network", "list", "--name", "lan", "--tags", "blue"))
	same("subnets", []string{"lan-subnet"}, list("Name", "subnet", "list", "--network", "lan", "--ip-version", "4", "--subnet-range", "10.0.0.0/24"))
	same("ports", []string{"web"}, list("Name", "port", "list", "--network", "lan", "--fixed-ip", "ip-address=10.0.0.9", "--device-owner", "compute:x"))
	same("ports by part", []string{"web"}, list("Name", "port", "list", "--fixed-ip", "ip-substring=0.0.9", "--long"))
	same("ports by MAC", []string{"web"}, list("Name", "port", "list", "--mac-address", "fa:16:3e:00:00:01"))
	same("extension", "Sorting support", show("extension", "show", "sorting")["name"])
	if got := list("Alias", "extension", "list", "--network"); len(got) < 10 {
		t.Errorf("extensions: %q", got)
	}

	run("network", "set", "lan", "--name", "lan2", "--no-share", "--disable", "--description", "second")
	run("network", "unset", "lan2", "--tag", "blue")
	net = show("network", "show", "lan2")
	same("changed network", []any{"lan2", false, false, "second", []any{}},
		[]any{net["name"], net["shared"], net["admin_state_up"], net["description"], net["tags"]})
	run("subnet", "set", "lan-subnet", "--no-dhcp", "--dns-nameserver", "1.1.1.1", "--gateway", "none")
	run("subnet", "unset", "lan-subnet", "--dns-nameserver", "9.9.9.9")
	sub = show("subnet", "show", "lan-subnet")
	same("changed subnet", []any{false, []any{"1.1.1.1"}, nil}, []any{sub["enable_dhcp"], sub["dns_nameservers"], sub["gateway_ip"]})
	run("port", "set", "web", "--host", "h", "--binding-profile", "netns=ns1", "--name", "web2", "--fixed-ip", "subnet=lan-subnet")
	port = show("port", "show", "web2")
	same("bound port", []any{"h", object{"netns": "ns1"}, "bridge"}, []any{port["binding_host_id"], port["binding_profile"], port["binding_vif_type"]})
	if got := len(port["fixed_ips"].([]any)); got != 2 {
		t.Errorf("after one more address the port has %d", got)
	}
	run("port", "unset", "web2", "--host", "--binding-profile", "netns", "--fixed-ip", "ip-address=10.0.0.9,subnet=lan-subnet")
	port = show("port", "show", "web2")
	same("unbound port", []any{"", object{}, "unbound"}, []any{port["binding_host_id"], port["binding_profile"], port["binding_vif_type"]})

	run("port", "delete", "web2", "any")
	run("subnet", "delete", "lan-subnet", "six")
	run("network", "delete", "lan2")
	same("what is left", []string{}, list("Name", "network", "list"))
}

func TestGophercloud(t *testing.T) {
	ctx := t.Context()
	client, err := openstack.NewNetworkV2(login(t, cloud(t)), gophercloud.EndpointOpts{Region: "RegionOne"})
	if err != nil {
		t.Fatal(err)
	}
	up := true
	n, err := networks.Create(ctx, client, networks.CreateOpts{Name: "lan", AdminStateUp: &up, Shared: &up}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	gateway := "10.0.0.254"
	sub, err := subnets.Create(ctx, client, subnets.CreateOpts{NetworkID: n.ID, CIDR: "10.0.0.0/24", IPVersion: 4, GatewayIP: &gateway}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := ports.Create(ctx, client, ports.CreateOpts{NetworkID: n.ID, FixedIPs: []ports.IP{{SubnetID: sub.ID}}}).Extract(); err != nil {
			t.Fatal(err)
		}
	}
	pages, err := ports.List(client, ports.ListOpts{Limit: 2, SortKey: "id", SortDir: "asc", FixedIPs: []ports.FixedIPOpts{{SubnetID: sub.ID}}}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found, err := ports.ExtractPorts(pages)
	if err != nil || len(found) != 5 {
		t.Errorf("five ports in pages of two: %d, %v", len(found), err)
	}
	if err := networks.Delete(ctx, client, n.ID).ExtractErr(); !gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		t.Errorf("delete a network in use: %v", err)
	}
	name := "renamed"
	if p, err := ports.Update(ctx, client, found[0].ID, ports.UpdateOpts{Name: &name}).Extract(); err != nil || p.Name != name || p.UpdatedAt.IsZero() {
		t.Errorf("a renamed port: %+v %v", p, err)
	}
	all, err := extensions.List(client).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := extensions.ExtractExtensions(all); err != nil || len(list) < 10 {
		t.Errorf("extensions: %v %v", list, err)
	}
}
