package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/roles"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/users"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/portsecurity"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
)

// Cloud is what one project's user sees: gophercloud's clients.
type Cloud struct {
	Identity     *gophercloud.ServiceClient
	Network      *gophercloud.ServiceClient
	LoadBalancer *gophercloud.ServiceClient
	KeyManager   *gophercloud.ServiceClient
	Server       *Server
	ProjectID    string

	user, password, project string
}

// Env returns the variables of an openrc of this user, for clients that are programs.
func (c *Cloud) Env() []string {
	return append(c.Server.Env(), "OS_USERNAME="+c.user, "OS_PASSWORD="+c.password, "OS_PROJECT_NAME="+c.project)
}

// Admin logs in as the administrator.
func (s *Server) Admin(t testing.TB) *Cloud {
	t.Helper()
	env := map[string]string{}
	for _, v := range s.Env() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return s.login(t, env["OS_USERNAME"], env["OS_PASSWORD"], env["OS_PROJECT_NAME"])
}

// Demo logs in as the user that a first start makes for trying things out.
func (s *Server) Demo(t testing.TB) *Cloud {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(s.StateDir, "demo-password"))
	if err != nil {
		t.Fatal(err)
	}
	return s.login(t, "demo", strings.TrimSpace(string(password)), "demo")
}

// Tenant makes a project, and a user in it who may do with load balancers what its members may.
func (s *Server) Tenant(t testing.TB, name string) *Cloud {
	t.Helper()
	admin := s.Admin(t)
	project, err := projects.Create(t.Context(), admin.Identity, projects.CreateOpts{Name: name, DomainID: "default"}).Extract()
	if err != nil {
		t.Fatalf("create project %s: %v", name, err)
	}
	password := "secret of " + name
	user, err := users.Create(t.Context(), admin.Identity, users.CreateOpts{
		Name: name, DomainID: "default", Password: password, DefaultProjectID: project.ID,
	}).Extract()
	if err != nil {
		t.Fatalf("create user %s: %v", name, err)
	}
	for _, role := range []string{"member", "load-balancer_member"} {
		pages, err := roles.List(admin.Identity, roles.ListOpts{Name: role}).AllPages(t.Context())
		if err != nil {
			t.Fatalf("find role %s: %v", role, err)
		}
		found, err := roles.ExtractRoles(pages)
		if err != nil || len(found) != 1 {
			t.Fatalf("find role %s: %d, %v", role, len(found), err)
		}
		err = roles.Assign(t.Context(), admin.Identity, found[0].ID, roles.AssignOpts{UserID: user.ID, ProjectID: project.ID}).ExtractErr()
		if err != nil {
			t.Fatalf("assign role %s: %v", role, err)
		}
	}
	return s.login(t, name, password, name)
}

func (s *Server) login(t testing.TB, user, password, project string) *Cloud {
	t.Helper()
	provider, err := openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{
		IdentityEndpoint: s.URL + "/identity/v3", Username: user, Password: password, DomainName: "Default", AllowReauth: true,
		Scope: &gophercloud.AuthScope{ProjectName: project, DomainName: "Default"},
	})
	if err != nil {
		t.Fatalf("log in as %s: %v", user, err)
	}
	session, ok := provider.GetAuthResult().(tokens.CreateResult)
	if !ok {
		t.Fatalf("log in as %s: no token", user)
	}
	scope, err := session.ExtractProject()
	if err != nil {
		t.Fatalf("log in as %s: %v", user, err)
	}
	c := &Cloud{Server: s, ProjectID: scope.ID, user: user, password: password, project: project}
	for _, service := range []struct {
		client **gophercloud.ServiceClient
		find   func(*gophercloud.ProviderClient, gophercloud.EndpointOpts) (*gophercloud.ServiceClient, error)
	}{
		{&c.Identity, openstack.NewIdentityV3}, {&c.Network, openstack.NewNetworkV2}, {&c.LoadBalancer, openstack.NewLoadBalancerV2},
		{&c.KeyManager, openstack.NewKeyManagerV1},
	} {
		if *service.client, err = service.find(provider, gophercloud.EndpointOpts{Region: "RegionOne"}); err != nil {
			t.Fatalf("find a service: %v", err)
		}
	}
	return c
}

// Net is a network with one subnet.
type Net struct {
	ID       string
	SubnetID string
	CIDR     string
}

// CreateNetwork makes a network with a subnet that has no gateway. Its ports have no port security: everything passes them.
func (c *Cloud) CreateNetwork(t testing.TB, name, cidr string) *Net {
	t.Helper()
	open := false
	n, err := networks.Create(t.Context(), c.Network, portsecurity.NetworkCreateOptsExt{
		CreateOptsBuilder: networks.CreateOpts{Name: name}, PortSecurityEnabled: &open,
	}).Extract()
	if err != nil {
		t.Fatalf("create network %s: %v", name, err)
	}
	return c.CreateSubnet(t, n.ID, name, cidr)
}

// CreateSubnet makes a subnet without a gateway in a network. The Net is of that subnet.
func (c *Cloud) CreateSubnet(t testing.TB, networkID, name, cidr string) *Net {
	t.Helper()
	version := gophercloud.IPv4
	if strings.Contains(cidr, ":") {
		version = gophercloud.IPv6
	}
	none := ""
	sub, err := subnets.Create(t.Context(), c.Network, subnets.CreateOpts{
		NetworkID: networkID, Name: name, CIDR: cidr, IPVersion: version, GatewayIP: &none,
	}).Extract()
	if err != nil {
		t.Fatalf("create subnet %s of %s: %v", cidr, name, err)
	}
	return &Net{ID: networkID, SubnetID: sub.ID, CIDR: cidr}
}

// DeleteNetwork deletes a network with its subnet.
func (c *Cloud) DeleteNetwork(t testing.TB, n *Net) {
	t.Helper()
	if err := networks.Delete(t.Context(), c.Network, n.ID).ExtractErr(); err != nil {
		t.Fatalf("delete network %s: %v", n.ID, err)
	}
}

// Plug makes a port on a network, with an address if one is given, and has "plimsoll plug" connect it to a namespace that
// is new.
func (c *Cloud) Plug(t testing.TB, n *Net, address ...string) *Node {
	t.Helper()
	var at []ports.IP
	if len(address) > 0 {
		at = []ports.IP{{SubnetID: n.SubnetID, IPAddress: address[0]}}
	}
	return c.PlugAt(t, n, at...)
}

// PlugAt is Plug for a port with addresses in subnets of the network; none is any.
func (c *Cloud) PlugAt(t testing.TB, n *Net, at ...ports.IP) *Node {
	t.Helper()
	opts := ports.CreateOpts{NetworkID: n.ID}
	if len(at) > 0 {
		opts.FixedIPs = at
	}
	port, err := ports.Create(t.Context(), c.Network, opts).Extract()
	if err != nil {
		t.Fatalf("create a port: %v", err)
	}
	c.Server.nodes++
	node := &Node{
		NetNS:  fmt.Sprintf("t%.8s-%d", c.Server.Instance(), c.Server.nodes),
		PortID: port.ID, Address: port.FixedIPs[0].IPAddress,
	}
	c.Server.Run(t, "plug", port.ID, "--netns", node.NetNS)
	return node
}

// Unplug undoes Plug and deletes the port.
func (c *Cloud) Unplug(t testing.TB, n *Node) {
	t.Helper()
	c.Server.Run(t, "unplug", n.PortID)
	if err := ports.Delete(t.Context(), c.Network, n.PortID).ExtractErr(); err != nil {
		t.Fatalf("delete port %s: %v", n.PortID, err)
	}
}
