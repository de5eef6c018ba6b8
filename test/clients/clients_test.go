package clients

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"plimsoll/test/harness"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4") // clients that wait look every three seconds, and do nothing meanwhile
	os.Exit(harness.Main(m))
}

// configuration offers the provider that makes nothing and takes every option, and takes certificates at their word.
const configuration = `
[api_settings]
enabled_provider_drivers = haproxy: HAProxy in namespaces., noop: Makes nothing.
default_provider_driver = noop
[certificates]
cert_manager = noop_cert_manager
`

// TestClients has every client work at the same time with one server, each in a project of its own.
func TestClients(t *testing.T) {
	server := harness.Start(t, harness.Config(configuration))
	t.Run("side by side", func(t *testing.T) {
		for _, c := range clients() {
			s := newSite(t, server, c.project)
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.does(s, t)
			})
		}
	})
}

// client is what one client does in a project.
type client struct {
	name, project string
	does          func(*site, *testing.T)
}

func clients() []client {
	var all []client
	for _, name := range scripts {
		all = append(all, client{"openstack " + name, name, (*site).script})
	}
	return append(all,
		client{"every option of openstack", "options", (*site).everyOption}, client{"openstacksdk", "sdk", (*site).sdk},
		client{"gophercloud as in Terraform", "terraform", (*site).terraform},
		client{"gophercloud as in Kubernetes", "kubernetes", (*site).kubernetes},
		client{"gophercloud of an operator", "operator", (*site).operator},
		client{"gophercloud and secrets", "secrets", (*site).secrets},
		client{"neutron", "neutron", (*site).neutronScript}, client{"neutron of an operator", "neutron-agent", (*site).neutronAgents},
	)
}

// site is a project with a network for the addresses of its load balancers.
type site struct {
	*harness.Cloud
	name   string
	net    *harness.Net
	second string // a subnet of the same network, with IPv6
}

func newSite(t *testing.T, server *harness.Server, name string) *site {
	t.Helper()
	s := &site{name: name}
	if slices.Contains(byAdmin, name) {
		s.Cloud = server.Admin(t)
	} else {
		s.Cloud = server.Tenant(t, name)
	}
	s.net = s.CreateNetwork(t, name+"-net", "10.1.0.0/24")
	none := ""
	v6, err := subnets.Create(t.Context(), s.Network, subnets.CreateOpts{
		NetworkID: s.net.ID, Name: name + "-net6", CIDR: "fd00:1::/64", IPVersion: gophercloud.IPv6, GatewayIP: &none,
	}).Extract()
	if err != nil {
		t.Fatalf("create a subnet: %v", err)
	}
	s.second = v6.ID
	return s
}
