package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
)

// dhcpWorld is an engine with the DHCP server of a network, 10.77.0.2 and fd77::2, and its plan.
type dhcpWorld struct {
	*world
	server *enginepb.Port
	plan   *enginepb.HostPlan
	dhcp   *enginepb.Dhcp
}

func newDHCPWorld(t *testing.T) *dhcpWorld {
	w := &dhcpWorld{world: newWorld(t)}
	w.server = w.portAt("10.77.0.2/24")
	w.server.Addresses = append(w.server.Addresses, "fd77::2/64")
	w.dhcp = &enginepb.Dhcp{NetworkId: w.network, PortId: w.server.Id, Mtu: 1442, Subnets: []*enginepb.DhcpSubnet{
		{Id: uuid.NewString(), Cidr: "10.77.0.0/24", Gateway: "10.77.0.1", DnsServers: []string{"192.0.2.53", "192.0.2.54"},
			Routes: []*enginepb.Route{{Destination: "198.51.100.0/24", NextHop: "10.77.0.9"}}},
		{Id: uuid.NewString(), Cidr: "fd77::/64", DnsServers: []string{"2001:db8::53"}, Mode: network.DHCPv6Stateful},
	}}
	w.plan = &enginepb.HostPlan{Dhcps: []*enginepb.Dhcp{w.dhcp}}
	return w
}

func (w *dhcpWorld) netns() string { return network.DHCPNetNS + w.network }

func (w *dhcpWorld) plugServer() {
	w.t.Helper()
	if _, err := w.client.Plug(w.t.Context(), &enginepb.PlugRequest{Port: w.server, Netns: w.netns()}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *dhcpWorld) applyPlan(plan *enginepb.HostPlan) []*enginepb.HostFailure {
	w.t.Helper()
	reply, err := w.client.ApplyHost(context.Background(), plan)
	if err != nil {
		w.t.Fatalf("ApplyHost: %v", err)
	}
	return reply.Failures
}

func (w *dhcpWorld) apply() {
	w.t.Helper()
	if failures := w.applyPlan(w.plan); len(failures) > 0 {
		w.t.Fatalf("ApplyHost: %v", failures)
	}
}

// guest is a port without addresses in a namespace of its own, that the server knows.
type guest struct {
	*enginepb.Port
	netns string
	host  *enginepb.DhcpHost
}

func (w *dhcpWorld) guest(addresses ...string) guest {
	w.t.Helper()
	p := w.portAt("")
	p.Addresses = nil
	g := guest{p, "plmtest-" + uuid.NewString(), &enginepb.DhcpHost{PortId: p.Id, Mac: p.Mac, Name: "host-" + strings.ReplaceAll(addresses[0], ".", "-"), Addresses: addresses}}
	if _, err := w.client.Plug(w.t.Context(), &enginepb.PlugRequest{Port: p, Netns: g.netns}); err != nil {
		w.t.Fatal(err)
	}
	w.dhcp.Hosts = append(w.dhcp.Hosts, g.host)
	return g
}

func (w *dhcpWorld) lease(g guest, family string) map[string]string {
	w.t.Helper()
	return leaseOf(w.t, g.netns, linux.TapName(g.Id), family)
}

// leaseOf has dhclient ask for a lease of a family ("-4", "-6"), and returns what it was told.
func leaseOf(t *testing.T, netns, link, family string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	files := map[string]string{
		"script": "#!/bin/sh\ncase $reason in BOUND*|RENEW*|REBOOT) env > " + told + ".new; mv " + told + ".new " + told + ";; esac\n",
		"conf": `option classless code 121 = array of unsigned integer 8;
timeout 20;
initial-interval 1;
request subnet-mask, routers, domain-name, domain-name-servers, host-name, interface-mtu, classless, bootfile-name, tftp-server-name;
also request dhcp6.name-servers, dhcp6.domain-search;
`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	cmd := exec.Command("dhclient", family, "-1", "-d", "-sf", dir+"/script", "-cf", dir+"/conf", "-lf", dir+"/leases", "-pf", dir+"/pid", link)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	if err := linux.Start(netns, cmd); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(told)
		if err != nil {
			continue
		}
		facts := map[string]string{}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if kind, ok := strings.CutPrefix(name, "new_"); ok {
				facts[kind] = value
			}
		}
		return facts
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	t.Fatalf("no lease: %s", said.String())
	return nil
}

// these narrows facts to those that are named.
func these(facts map[string]string, names ...string) map[string]string {
	some := map[string]string{}
	for _, name := range names {
		if v, ok := facts[name]; ok {
			some[name] = v
		}
	}
	return some
}

// pid is the server's process.
func (w *dhcpWorld) pid() int {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("%s/%s/dhcp-%s/pid", dnsmasqRoot, w.config.Instance, w.network))
	if err != nil {
		w.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		w.t.Fatal(err)
	}
	return pid
}

// TestLeases has a client get what its port has and its subnets say, of both families.
func TestLeases(t *testing.T) {
	t.Parallel()
	w := newDHCPWorld(t)
	g := w.guest("10.77.0.5", "fd77::5")
	g.host.Options = []*enginepb.DhcpOption{{Name: "bootfile-name", Value: "pxe linux.0", IpVersion: 4}, {Name: "tftp-server", Value: "192.0.2.66", IpVersion: 4}}
	w.apply() // before its port is there, which has it applied again
	w.plugServer()
	facts := w.lease(g, "-4")
	want := map[string]string{
		"ip_address": "10.77.0.5", "subnet_mask": "255.255.255.0", "routers": "10.77.0.1", "domain_name_servers": "192.0.2.53 192.0.2.54",
		"interface_mtu": "1442", "classless": "0 10 77 0 1 24 198 51 100 10 77 0 9", "bootfile_name": "pxe linux.0", "tftp_server_name": "192.0.2.66",
		"dhcp_lease_time": "86400",
	}
	if diff := cmp.Diff(want, these(facts, "ip_address", "subnet_mask", "routers", "domain_name_servers", "interface_mtu", "classless", "bootfile_name",
		"tftp_server_name", "dhcp_lease_time")); diff != "" {
		t.Errorf("a lease of IPv4 (-want +got):\n%s\nof %v", diff, facts)
	}
	facts = w.lease(g, "-6")
	want = map[string]string{"ip6_address": "fd77::5", "dhcp6_name_servers": "2001:db8::53"}
	if diff := cmp.Diff(want, these(facts, "ip6_address", "dhcp6_name_servers")); diff != "" {
		t.Errorf("a lease of IPv6 (-want +got):\n%s\nof %v", diff, facts)
	}
}

// TestDHCPChanges has a server follow the plan: without a new process when a port comes, with one when an address is another's, and when
// it was killed. An engine that starts goes on with the process that is there.
func TestDHCPChanges(t *testing.T) {
	t.Parallel()
	w := newDHCPWorld(t)
	before := listing(t, w.world)
	w.plugServer()
	first := w.guest("10.77.0.5")
	w.apply()
	if got := w.lease(first, "-4")["ip_address"]; got != "10.77.0.5" {
		t.Errorf("the first port got %q", got)
	}
	began := w.pid()
	second := w.guest("10.77.0.6")
	w.apply()
	if got := w.lease(second, "-4")["ip_address"]; got != "10.77.0.6" || w.pid() != began {
		t.Errorf("the second port got %q of process %d, want that of %d", got, w.pid(), began)
	}
	w.stop()
	w.start()
	w.apply()
	if w.pid() != began {
		t.Error("the engine that started did not adopt the process")
	}
	third := w.guest("10.77.0.7")
	first.host.Addresses = []string{"10.77.0.8"}
	second.host.Addresses, third.host.Addresses = []string{"10.77.0.7"}, []string{"10.77.0.5"} // which others have leased
	w.apply()
	if got := w.lease(third, "-4")["ip_address"]; got != "10.77.0.5" {
		t.Errorf("a port that has the address of another now got %q", got)
	}
	began = w.pid()
	if err := unix.Kill(began, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := w.lease(second, "-4")["ip_address"]; got != "10.77.0.7" {
		t.Errorf("after its death, the server gave %q", got)
	}
	run(t, "ip", "netns", "del", w.netns())
	w.plugServer()
	w.apply()
	if got := w.lease(first, "-4")["ip_address"]; got != "10.77.0.8" {
		t.Errorf("after the loss of its namespace, the server gave %q", got)
	}
	for _, g := range []guest{first, second, third} {
		w.unplug(g.Id)
	}
	w.plan.Dhcps = nil
	w.apply()
	w.unplug(w.server.Id)
	if diff := cmp.Diff(before, listing(t, w.world)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(dnsmasqRoot, w.config.Instance, "dhcp-"+w.network)); !os.IsNotExist(err) {
		t.Errorf("its files are left: %v", err)
	}
	if found, err := findDnsmasqs(filepath.Join(dnsmasqRoot, w.config.Instance)); err != nil || len(found) > 0 {
		t.Errorf("processes left: %v, %v", found, err)
	}
}

// TestDHCPNamespaceGoes has the namespace of a server go with the plan, in whatever order the port goes, and although the server never ran.
func TestDHCPNamespaceGoes(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]func(w *dhcpWorld, gone func()){
		"the port first": func(w *dhcpWorld, gone func()) {
			w.plugServer()
			w.apply()
			w.unplug(w.server.Id)
			gone()
		},
		"the plan first": func(w *dhcpWorld, gone func()) {
			w.plugServer()
			w.apply()
			gone()
			w.unplug(w.server.Id)
		},
		"it never ran": func(w *dhcpWorld, gone func()) {
			w.plugServer()
			w.dhcp.PortId = uuid.NewString() // of a port that is not plugged
			w.apply()
			w.unplug(w.server.Id)
			gone()
		},
		"another engine": func(w *dhcpWorld, gone func()) {
			w.plugServer()
			w.apply()
			w.unplug(w.server.Id)
			w.stop()
			if err := os.RemoveAll(filepath.Join(dnsmasqRoot, w.config.Instance)); err != nil {
				w.t.Fatal(err)
			}
			w.start()
			gone()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDHCPWorld(t)
			steps(w, func() {
				w.plan.Dhcps = nil
				w.apply()
			})
			if linux.HasNamespace(w.netns()) {
				t.Error("the namespace is left")
			}
		})
	}
}
