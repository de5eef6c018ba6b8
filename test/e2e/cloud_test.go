package e2e

import (
	"bufio"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/external"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/portsecurity"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"plimsoll/test/harness"
)

// The tests of this file and of those beside it use the network service as a cloud's tenants do: with routers, floating
// addresses and security groups.

// outsideNet makes an external network; what is plugged there is the outside.
func outsideNet(t *testing.T, admin *harness.Cloud) *harness.Net {
	t.Helper()
	yes := true
	n, err := networks.Create(t.Context(), admin.Network, external.CreateOptsExt{
		CreateOptsBuilder: portsecurity.NetworkCreateOptsExt{
			CreateOptsBuilder: networks.CreateOpts{Name: "outside"}, PortSecurityEnabled: new(bool),
		}, External: &yes,
	}).Extract()
	if err != nil {
		t.Fatalf("create the external network: %v", err)
	}
	return admin.CreateSubnet(t, n.ID, "outside", "192.0.2.0/24")
}

// tenant is a project with a network behind a router that leads outside.
type tenant struct {
	*site
	outside *harness.Net
	router  string
}

// newTenant makes a network with a gateway, a router between it and the outside, and members.
func newTenant(t *testing.T, server *harness.Server, cloud *harness.Cloud, outside *harness.Net, cidr string, members ...string) *tenant {
	t.Helper()
	s := &tenant{site: &site{Server: server, Cloud: cloud}, outside: outside}
	s.net = s.routed(t, cidr)
	r, err := routers.Create(t.Context(), s.Network, routers.CreateOpts{Name: "r", GatewayInfo: &routers.GatewayInfo{NetworkID: outside.ID}}).Extract()
	if err != nil {
		t.Fatalf("create a router: %v", err)
	}
	s.router = r.ID
	if _, err := routers.AddInterface(t.Context(), s.Network, r.ID, routers.AddInterfaceOpts{SubnetID: s.net.SubnetID}).Extract(); err != nil {
		t.Fatalf("add the subnet to the router: %v", err)
	}
	for _, name := range members {
		s.webs = append(s.webs, s.newMember(t, name))
	}
	return s
}

// routed makes an open network with a subnet that has a gateway.
func (s *site) routed(t *testing.T, cidr string) *harness.Net {
	t.Helper()
	n, err := networks.Create(t.Context(), s.Network, portsecurity.NetworkCreateOptsExt{
		CreateOptsBuilder: networks.CreateOpts{Name: "inside"}, PortSecurityEnabled: new(bool),
	}).Extract()
	if err != nil {
		t.Fatalf("create a network: %v", err)
	}
	gateway := firstOf(cidr)
	sub, err := subnets.Create(t.Context(), s.Network, subnets.CreateOpts{
		NetworkID: n.ID, Name: "inside", CIDR: cidr, IPVersion: gophercloud.IPv4, GatewayIP: &gateway,
	}).Extract()
	if err != nil {
		t.Fatalf("create a subnet: %v", err)
	}
	return &harness.Net{ID: n.ID, SubnetID: sub.ID, CIDR: cidr}
}

// firstOf is the first station of a CIDR whose last number is 0.
func firstOf(cidr string) string {
	ip, _, err := net.ParseCIDR(cidr)
	if err != nil {
		panic(err)
	}
	ip[len(ip)-1] = 1
	return ip.String()
}

// float gives a port a floating address.
func (s *tenant) float(t *testing.T, portID string) *floatingips.FloatingIP {
	t.Helper()
	f, err := floatingips.Create(t.Context(), s.Network, floatingips.CreateOpts{FloatingNetworkID: s.outside.ID, PortID: portID}).Extract()
	if err != nil {
		t.Fatalf("give port %s a floating address: %v", portID, err)
	}
	return f
}

// vipPort is the id of the port of a load balancer's VIP.
func (s *site) vipPort(t *testing.T, lb *harness.LB) string {
	t.Helper()
	pages, err := ports.List(s.Network, ports.ListOpts{Name: "octavia-lb-" + lb.ID}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, err := ports.ExtractPorts(pages)
	if err != nil || len(found) != 1 {
		t.Fatalf("find the VIP's port: %d, %v", len(found), err)
	}
	return found[0].ID
}

// isAnswered waits until one of some members answers at an address.
func isAnswered(t *testing.T, from *harness.Node, address string, by ...string) {
	t.Helper()
	harness.Eventually(t, 15*time.Second, func() error {
		name, err := from.Get(address)
		if err != nil {
			return err
		}
		for _, want := range by {
			if name == want {
				return nil
			}
		}
		return fmt.Errorf("%q answered at %s, want one of %v", name, address, by)
	})
}

// isSilent waits until nothing answers at an address.
func isSilent(t *testing.T, from *harness.Node, address string) {
	t.Helper()
	harness.Eventually(t, 15*time.Second, func() error {
		if name, err := from.Get(address); err == nil {
			return fmt.Errorf("%q answered at %s", name, address)
		}
		return nil
	})
}

// TestFloatingAddresses reaches a VIP and a member from outside, and the outside from inside; the addresses follow.
func TestFloatingAddresses(t *testing.T) {
	server := harness.Start(t)
	admin := server.Admin(t)
	outside := outsideNet(t, admin)
	guest := admin.Plug(t, outside, "192.0.2.200")
	far := admin.Plug(t, outside, "192.0.2.201").Serve(t, 8080, "far")
	s := newTenant(t, server, server.Tenant(t, "red"), outside, "10.3.0.0/24", "a", "b")
	one := s.BuildTree(t, s.net, harness.Tree{Members: s.webs[:1]})
	two := s.BuildTree(t, s.net, harness.Tree{Members: s.webs[1:]})
	s.WaitActive(t, one.ID)
	s.WaitActive(t, two.ID)

	f := s.float(t, s.vipPort(t, one))
	isAnswered(t, guest, f.FloatingIP+":80", "a")
	isAnswered(t, s.webs[0].Node, far.Node.Address+":8080", "far")
	isAnswered(t, s.webs[0].Node, f.FloatingIP+":80", "a") // from inside, by the address outside

	next := s.vipPort(t, two)
	if _, err := floatingips.Update(t.Context(), s.Network, f.ID, floatingips.UpdateOpts{PortID: &next}).Extract(); err != nil {
		t.Fatalf("move the floating address: %v", err)
	}
	isAnswered(t, guest, f.FloatingIP+":80", "b")

	member := s.float(t, s.webs[0].Node.PortID)
	isAnswered(t, guest, member.FloatingIP+":8080", "a")
	s.Delete(t, two.ID) // its VIP goes, and the address is free again
	isSilent(t, guest, f.FloatingIP+":80")
	got, err := floatingips.Get(t.Context(), s.Network, f.ID).Extract()
	if err != nil || got.PortID != "" || got.Status != "DOWN" {
		t.Errorf("the floating address after its port went: %+v, %v", got, err)
	}
	none := ""
	if _, err := floatingips.Update(t.Context(), s.Network, member.ID, floatingips.UpdateOpts{PortID: &none}).Extract(); err != nil {
		t.Fatalf("take the floating address away: %v", err)
	}
	isSilent(t, guest, member.FloatingIP+":8080")
}

// TestTenantsBehindRouters gives two tenants the same addresses behind routers of their own; each is reached by its floating
// address, and neither reaches the other.
func TestTenantsBehindRouters(t *testing.T) {
	server := harness.Start(t)
	admin := server.Admin(t)
	outside := outsideNet(t, admin)
	guest := admin.Plug(t, outside, "192.0.2.200")
	var tenants []*tenant
	for _, name := range []string{"red", "blue"} {
		s := newTenant(t, server, server.Tenant(t, name), outside, "10.3.0.0/24")
		s.webs = append(s.webs, s.Plug(t, s.net, "10.3.0.11").Serve(t, 8080, name))
		s.lb = s.BuildTree(t, s.net, harness.Tree{VIP: "10.3.0.100", Members: s.webs})
		tenants = append(tenants, s)
	}
	for i, s := range tenants {
		s.WaitActive(t, s.lb.ID)
		f := s.float(t, s.vipPort(t, s.lb))
		isAnswered(t, guest, f.FloatingIP+":80", s.webs[0].Name)
		isAnswered(t, s.webs[0].Node, "10.3.0.100:80", s.webs[0].Name)
		if other := tenants[1-i]; other.lb != nil {
			isAnswered(t, other.webs[0].Node, f.FloatingIP+":80", s.webs[0].Name) // through both routers
		}
	}
}

// rule makes a rule of a security group.
func (s *site) rule(t *testing.T, o rules.CreateOpts) string {
	t.Helper()
	r, err := rules.Create(t.Context(), s.Network, o).Extract()
	if err != nil {
		t.Fatalf("create a rule: %v", err)
	}
	return r.ID
}

// guardedNet makes a network as a tenant does: its ports are in the default group.
func (s *site) guardedNet(t *testing.T, cidr string) *harness.Net {
	t.Helper()
	n, err := networks.Create(t.Context(), s.Network, networks.CreateOpts{Name: "guarded"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	return s.CreateSubnet(t, n.ID, "guarded", cidr)
}

// TestSecurityGroups lets through what rules say, at members and at the VIP; connections that are there go on.
func TestSecurityGroups(t *testing.T) {
	server := harness.Start(t)
	s := &site{Server: server, Cloud: server.Tenant(t, "red")}
	s.net = s.guardedNet(t, "10.4.0.0/24")
	s.client = s.Plug(t, s.net)
	s.webs = append(s.webs, s.newMember(t, "a"))
	at := s.webs[0].Node.Address + ":8080"
	isAnswered(t, s.client, at, "a") // both are in the default group
	s.lb = s.BuildTree(t, s.net, harness.Tree{Members: s.webs})
	s.WaitActive(t, s.lb.ID)
	if _, err := s.client.Get(s.lb.Address); err == nil {
		t.Error("the load balancer, which is not in the default group, reaches the member")
	}
	web, err := groups.Create(t.Context(), s.Network, groups.CreateOpts{Name: "web"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.rule(t, rules.CreateOpts{SecGroupID: web.ID, Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP, PortRangeMin: 8080, PortRangeMax: 8080})
	if _, err := ports.Update(t.Context(), s.Network, s.webs[0].Node.PortID, ports.UpdateOpts{SecurityGroups: &[]string{web.ID}}).Extract(); err != nil {
		t.Fatal(err)
	}
	isAnswered(t, s.client, s.lb.Address, "a")

	// The VIP is open until it is in a group.
	sec, err := groups.Create(t.Context(), s.Network, groups.CreateOpts{Name: "lb-sec"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	kept := s.talk(t)
	vip := s.vipPort(t, s.lb)
	if _, err := ports.Update(t.Context(), s.Network, vip, ports.UpdateOpts{SecurityGroups: &[]string{sec.ID}}).Extract(); err != nil {
		t.Fatal(err)
	}
	isSilent(t, s.client, s.lb.Address)
	open := s.rule(t, rules.CreateOpts{SecGroupID: sec.ID, Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP,
		PortRangeMin: 80, PortRangeMax: 80, RemoteIPPrefix: s.client.Address + "/32"})
	isAnswered(t, s.client, s.lb.Address, "a")
	kept.goesOn(t)
	begun := s.talk(t)
	if err := rules.Delete(t.Context(), s.Network, open).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	isSilent(t, s.client, s.lb.Address)
	begun.goesOn(t)

	// A remote group lets its members through, as they come and go.
	s.rule(t, rules.CreateOpts{SecGroupID: sec.ID, Direction: rules.DirIngress, EtherType: rules.EtherType4, RemoteGroupID: web.ID})
	isAnswered(t, s.webs[0].Node, s.lb.Address, "a")
	if _, err := s.client.Get(s.lb.Address); err == nil {
		t.Error("a client that is not in the remote group gets through")
	}
	both := []string{web.ID}
	if _, err := ports.Update(t.Context(), s.Network, s.client.PortID, ports.UpdateOpts{SecurityGroups: &both}).Extract(); err != nil {
		t.Fatal(err)
	}
	isAnswered(t, s.client, s.lb.Address, "a")
	if err := groups.Delete(t.Context(), s.Network, web.ID).ExtractErr(); !gophercloud.ResponseCodeIs(err, 409) {
		t.Errorf("delete a group in use: %v", err)
	}
}

// conversation is a connection that stays open.
type conversation struct {
	conn net.Conn
	from *bufio.Reader
	host string
}

// talk opens a connection to the load balancer and makes a request on it.
func (s *site) talk(t *testing.T) *conversation {
	t.Helper()
	conn, err := s.client.Dial(t.Context(), "tcp", s.lb.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &conversation{conn: conn, from: bufio.NewReader(conn), host: s.lb.Address}
	c.goesOn(t)
	return c
}

// goesOn makes one more request.
func (c *conversation) goesOn(t *testing.T) {
	t.Helper()
	_ = c.conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(c.conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", c.host); err != nil {
		t.Fatalf("the connection broke: %v", err)
	}
	line, err := c.from.ReadString('\n')
	if err != nil || len(line) < 12 || line[9:12] != "200" {
		t.Fatalf("the connection broke: %q, %v", line, err)
	}
	for length := 0; ; {
		if line, err = c.from.ReadString('\n'); err != nil {
			t.Fatalf("the connection broke: %v", err)
		}
		_, _ = fmt.Sscanf(line, "content-length: %d", &length)
		_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
		if line == "\r\n" {
			if _, err := c.from.Discard(length); err != nil {
				t.Fatalf("the connection broke: %v", err)
			}
			return
		}
	}
}

// TestNetworksAfterAReboot loses everything on the host, then everything comes back; then all is deleted, and nothing stays.
func TestNetworksAfterAReboot(t *testing.T) {
	server := harness.Start(t)
	admin := server.Admin(t)
	outside := outsideNet(t, admin)
	guest := admin.Plug(t, outside, "192.0.2.200")
	s := newTenant(t, server, admin, outside, "10.3.0.0/24", "a")
	s.lb = s.BuildTree(t, s.net, harness.Tree{Members: s.webs})
	s.WaitActive(t, s.lb.ID)
	f := s.float(t, s.vipPort(t, s.lb))
	isAnswered(t, guest, f.FloatingIP+":80", "a")
	router := "qrouter-" + s.router
	dhcp := "qdhcp-" + s.net.ID
	harness.Eventually(t, 10*time.Second, func() error { return hasNamespaces(router, dhcp, "qdhcp-"+outside.ID) })

	s.Stop(t)
	for _, p := range s.Engines() {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Errorf("kill %d: %v", p.PID, err)
		}
	}
	s.killHAProxies(t)
	s.webs[0].Stop()
	for _, name := range []string{router, dhcp, "qdhcp-" + outside.ID, "qlbaas-" + s.lb.ID, guest.NetNS, s.webs[0].Node.NetNS} {
		deleteNamespace(t, name)
	}
	s.Start(t)
	harness.Eventually(t, 20*time.Second, func() error { return s.webs[0].TryStart() })
	isAnswered(t, guest, f.FloatingIP+":80", "a")
	harness.Eventually(t, 10*time.Second, func() error { return hasNamespaces(router, dhcp) })

	s.tearDown(t, f.ID, guest)
	s.DeleteNetwork(t, outside)
	harness.Eventually(t, 15*time.Second, func() error {
		if left := s.Leftovers(); len(left) > 0 {
			return fmt.Errorf("left on the host: %v", left)
		}
		return nil
	})
	s.Stop(t)
	s.noRows(t)
}

func hasNamespaces(names ...string) error {
	for _, name := range names {
		if err := (&harness.Node{NetNS: name}).Exists(); err != nil {
			return err
		}
	}
	return nil
}

// tearDown deletes all that a tenant has.
func (s *tenant) tearDown(t *testing.T, floatingID string, guests ...*harness.Node) {
	t.Helper()
	if err := floatingips.Delete(t.Context(), s.Network, floatingID).ExtractErr(); err != nil {
		t.Errorf("delete the floating address: %v", err)
	}
	s.Delete(t, s.lb.ID)
	if err := routers.Delete(t.Context(), s.Network, s.router).ExtractErr(); !gophercloud.ResponseCodeIs(err, 409) {
		t.Errorf("delete a router with an interface: %v", err)
	}
	if _, err := routers.RemoveInterface(t.Context(), s.Network, s.router, routers.RemoveInterfaceOpts{SubnetID: s.net.SubnetID}).Extract(); err != nil {
		t.Errorf("remove the router's interface: %v", err)
	}
	if err := routers.Delete(t.Context(), s.Network, s.router).ExtractErr(); err != nil {
		t.Errorf("delete the router: %v", err)
	}
	for _, w := range s.webs {
		w.Stop()
		s.Unplug(t, w.Node)
	}
	for _, guest := range guests {
		s.Unplug(t, guest)
	}
	s.DeleteNetwork(t, s.net)
}
