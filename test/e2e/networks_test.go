package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/portsecurity"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/provider"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"plimsoll/internal/linux"
	"plimsoll/test/harness"
)

// cable is a physical network: an interface of the host, and a station at the other end.
type cable struct {
	link    string
	station string // its network namespace; the link there is far0
}

func newCable(t *testing.T, mac string) cable {
	t.Helper()
	id := uuid.NewString()[:8]
	c := cable{"plc" + id, "plmtest-far-" + id}
	for _, args := range [][]string{
		{"netns", "add", c.station},
		{"link", "add", c.link, "type", "veth", "peer", "name", "far0", "address", mac, "netns", c.station},
		{"-n", c.station, "link", "set", "far0", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	t.Cleanup(func() { _ = netns.DeleteNamed(c.station) }) // the link goes with it
	return c
}

// lease has a DHCP client at the far end ask for an address, which it takes, and returns it.
func (c cable) lease(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	script := "#!/bin/sh\n[ $reason = BOUND ] && ip addr add $new_ip_address/$new_subnet_mask dev $interface && echo $new_ip_address > " + told + ".new && mv " + told + ".new " + told + "\nexit 0\n"
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte("timeout 30;\ninitial-interval 1;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd := exec.Command("dhclient", "-4", "-1", "-d", "-sf", dir+"/script", "-cf", dir+"/conf", "-lf", dir+"/leases", "-pf", dir+"/pid", "far0")
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, time.Second
	if err := linux.Start(c.station, cmd); err != nil {
		t.Fatal(err)
	}
	end := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	defer end()
	for stop := time.Now().Add(30 * time.Second); time.Now().Before(stop); time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(told); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	end()
	t.Fatalf("no lease: %s", said.String())
	return ""
}

// TestFlatNetwork has a station of a physical network get its address by DHCP and reach a server of the host, in a network that an administrator
// made of the host's interface. When the network is gone, the interface is as it was.
func TestFlatNetwork(t *testing.T) {
	const mac = "fa:16:3e:0a:0b:0c"
	c := newCable(t, mac)
	server := harness.Start(t, harness.Config("[ml2_type_flat]\nflat_networks = physnet1\n[linux_bridge]\nphysical_interface_mappings = physnet1:"+c.link+"\n"))
	admin := server.Admin(t)
	made, err := networks.Create(t.Context(), admin.Network, portsecurity.NetworkCreateOptsExt{
		CreateOptsBuilder: provider.CreateOptsExt{CreateOptsBuilder: networks.CreateOpts{Name: "flat"}, Segments: []provider.Segment{
			{NetworkType: "flat", PhysicalNetwork: "physnet1"},
		}}, PortSecurityEnabled: new(bool),
	}).Extract()
	if err != nil {
		t.Fatalf("create the flat network: %v", err)
	}
	n := admin.CreateSubnet(t, made.ID, "flat", "10.66.0.0/24")
	p, err := ports.Create(t.Context(), admin.Network, ports.CreateOpts{NetworkID: made.ID, Name: "station", MACAddress: mac}).Extract()
	if err != nil {
		t.Fatalf("create the station's port: %v", err)
	}
	node := admin.Plug(t, n)
	if got := c.lease(t); got != p.FixedIPs[0].IPAddress {
		t.Errorf("the station has %s, its port %s", got, p.FixedIPs[0].IPAddress)
	}
	node.Serve(t, 80, "inside")
	err = linux.Within(c.station, func() error {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(node.Address, "80"), 10*time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	if err != nil {
		t.Errorf("from the physical network: %v", err)
	}
	admin.Unplug(t, node)
	if err := ports.Delete(t.Context(), admin.Network, p.ID).ExtractErr(); err != nil {
		t.Fatalf("delete the station's port: %v", err)
	}
	admin.DeleteNetwork(t, n)
	harness.Eventually(t, 20*time.Second, func() error {
		l, err := netlink.LinkByName(c.link)
		if err != nil {
			return err
		}
		if l.Attrs().MasterIndex != 0 || l.Attrs().Alias != "" {
			return fmt.Errorf("the interface is in bridge %d, with the alias %q", l.Attrs().MasterIndex, l.Attrs().Alias)
		}
		if left := server.Leftovers(); len(left) > 0 {
			return errors.New(strings.Join(left, ", "))
		}
		return nil
	})
}
