package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
)

// hostVariable has the test's program be the engine of another host, as runHost does.
const hostVariable = "PLIMSOLL_TEST_HOST"

// hostConfig is what such an engine is told.
type hostConfig struct {
	Dir, Instance, Tunnel string
}

// runHost is an engine on a host of its own, in the process's network namespace: it has names of namespaces of its own, too. It ends when its
// standard input does, and leaves nothing.
func runHost(text string) error {
	var c hostConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	for _, m := range []struct {
		place, kind string
		flags       uintptr
	}{{"/", "", unix.MS_REC | unix.MS_PRIVATE}, {"/run/netns", "tmpfs", 0}, {"/sys", "sysfs", 0}} {
		if err := unix.Mount("none", m.place, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.place, err)
		}
	}
	config := Config{StateDir: c.Dir, Instance: c.Instance, Host: c.Tunnel, Version: "test", Uplinks: linux.Uplinks{TunnelIP: netip.MustParseAddr(c.Tunnel)},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	e, err := New(config)
	if err != nil {
		return err
	}
	l, err := Listen(filepath.Join(c.Dir, "engine.sock"), 0)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err = e.Run(ctx, l)
	e.Close()
	if e, err2 := New(config); err2 == nil {
		err = errors.Join(err, e.Purge(context.Background()))
		e.Close()
	}
	return err
}

// otherHost is an engine that runs in a network namespace, which plays a host.
type otherHost struct {
	t       *testing.T
	address string
	netns   string
	pid     int
	client  enginepb.EngineClient
}

// newHosts starts engines on hosts that are on one wire, 192.0.2.1 and so on.
func newHosts(t *testing.T, n int) []*otherHost {
	t.Helper()
	w := newWorld(t) // which plugs the hosts into the wire
	var hosts []*otherHost
	for i := range n {
		p, netns := w.portAt(fmt.Sprintf("192.0.2.%d/24", i+1)), "plmtest-"+uuid.NewString()
		p.Mtu = 1500
		if _, err := w.client.Plug(t.Context(), &enginepb.PlugRequest{Port: p, Netns: netns}); err != nil {
			t.Fatal(err)
		}
		h := &otherHost{t: t, address: fmt.Sprintf("192.0.2.%d", i+1), netns: netns}
		h.start()
		hosts = append(hosts, h)
	}
	return hosts
}

func (h *otherHost) start() {
	h.t.Helper()
	dir := h.t.TempDir()
	text, err := json.Marshal(hostConfig{Dir: dir, Instance: uuid.NewString(), Tunnel: h.address})
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), hostVariable+"="+string(text))
	cmd.Stdout, cmd.Stderr = h.t.Output(), h.t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	alive, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := linux.Start(h.netns, cmd); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = alive.Close()
		if err := cmd.Wait(); err != nil {
			h.t.Errorf("the engine of %s: %v", h.address, err)
		}
	})
	h.pid = cmd.Process.Pid
	client, conn, err := Dial(filepath.Join(dir, "engine.sock"), 0)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := client.Hello(ctx, &enginepb.HelloRequest{}, grpc.WaitForReady(true)); err != nil {
		h.t.Fatal(err)
	}
	h.client = client
}

// remote is a station on another host: a namespace with a port in a VXLAN.
type remote struct {
	*otherHost
	name string
	port *enginepb.Port
}

func (h *otherHost) remote(networkID string, vni int32, addresses ...string) remote {
	h.t.Helper()
	id := uuid.New()
	s := remote{h, "plmtest-" + uuid.NewString(), &enginepb.Port{Id: id.String(), NetworkId: networkID, Mtu: 1450, Addresses: addresses,
		Mac: net.HardwareAddr{0xfa, 0x16, 0x3e, id[0], id[1], id[2]}.String(), Segment: &enginepb.Segment{Type: network.TypeVXLAN, Id: vni}}}
	s.plug(s.name)
	return s
}

func (s remote) plug(netns string) {
	s.t.Helper()
	if _, err := s.client.Plug(s.t.Context(), &enginepb.PlugRequest{Port: s.port, Netns: netns}); err != nil {
		s.t.Fatal(err)
	}
}

// listen answers who connects to the remote with a line.
func (s remote) listen(address, line string) {
	s.t.Helper()
	var l net.Listener
	err := s.within(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	s.t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, line+strings.Repeat(".", 100_000)+"\n") // in packets of the full size, too
			_ = c.Close()
		}
	}()
}

// ask returns the first word that whoever listens there says.
func (s remote) ask(address string) (word string) {
	s.t.Helper()
	err := s.within(func() error {
		c, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, err := bufio.NewReader(c).ReadString('\n')
		word = strings.Trim(line, ".\n")
		return err
	})
	if err != nil {
		s.t.Errorf("from %s on %s: %v", s.name, s.address, err)
	}
	return word
}

// within runs fn in the station's namespace.
func (s remote) within(fn func() error) error {
	return s.named(func() error { return linux.Within(s.name, fn) })
}

// named gives the station's namespace, which has a name on its own host only, that name here while fn runs.
func (s remote) named(fn func() error) error {
	link := filepath.Join(linux.NamespaceDir, s.name)
	if err := os.WriteFile(link, nil, 0o444); err != nil {
		return err
	}
	defer func() { _ = os.Remove(link) }()
	if err := unix.Mount(fmt.Sprintf("/proc/%d/root%s", s.pid, link), link, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", link, err)
	}
	defer func() { _ = unix.Unmount(link, unix.MNT_DETACH) }()
	return fn()
}

func (h *otherHost) apply(plan *enginepb.HostPlan) {
	h.t.Helper()
	reply, err := h.client.ApplyHost(h.t.Context(), plan)
	if err != nil || len(reply.Failures) > 0 {
		h.t.Fatalf("ApplyHost on %s: %v, %v", h.address, reply.GetFailures(), err)
	}
}

// TestTunnels has stations on three hosts reach each other, and only those of their network: another one has the same addresses.
func TestTunnels(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 3)
	for i, h := range hosts {
		var peers []string
		for j, other := range hosts {
			if i != j {
				peers = append(peers, other.address)
			}
		}
		h.apply(&enginepb.HostPlan{TunnelPeers: peers})
	}
	one, two := uuid.NewString(), uuid.NewString()
	a := hosts[0].remote(one, 7, "10.9.0.1/24", "fd09::1/64")
	b := hosts[1].remote(one, 7, "10.9.0.2/24", "fd09::2/64")
	c := hosts[2].remote(one, 7, "10.9.0.3/24")
	other := hosts[0].remote(two, 8, "10.9.0.1/24")
	same := hosts[1].remote(two, 8, "10.9.0.2/24")
	b.listen("10.9.0.2:7000", "b")
	b.listen("[fd09::2]:7000", "b6")
	same.listen("10.9.0.2:7000", "same")
	for _, q := range []struct {
		from       remote
		what, want string
	}{{a, "10.9.0.2:7000", "b"}, {a, "[fd09::2]:7000", "b6"}, {c, "10.9.0.2:7000", "b"}, {other, "10.9.0.2:7000", "same"}} {
		if got := q.from.ask(q.what); got != q.want {
			t.Errorf("%s asks %s: %q answers, want %q", q.from.address, q.what, got, q.want)
		}
	}
}

// TestDHCPThroughTunnels has a client get its lease from the network's server on another host.
func TestDHCPThroughTunnels(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	id := uuid.NewString()
	server := hosts[0].remote(id, 9, "10.9.0.2/24")
	client := hosts[1].remote(id, 9)
	server.unplugAndPlug(network.DHCPNetNS + id)
	hosts[0].apply(&enginepb.HostPlan{TunnelPeers: []string{hosts[1].address}, Dhcps: []*enginepb.Dhcp{{
		NetworkId: id, PortId: server.port.Id, Mtu: 1450, Subnets: []*enginepb.DhcpSubnet{{Id: uuid.NewString(), Cidr: "10.9.0.0/24"}},
		Hosts: []*enginepb.DhcpHost{{PortId: client.port.Id, Mac: client.port.Mac, Addresses: []string{"10.9.0.77"}}},
	}}})
	hosts[1].apply(&enginepb.HostPlan{TunnelPeers: []string{hosts[0].address}})
	var facts map[string]string
	err := client.named(func() error {
		facts = leaseOf(t, client.name, linux.TapName(client.port.Id), "-4")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if facts["ip_address"] != "10.9.0.77" || facts["routers"] != "" {
		t.Errorf("the lease is %v", facts)
	}
}

func (s remote) unplugAndPlug(netns string) {
	s.t.Helper()
	if _, err := s.client.Unplug(s.t.Context(), &enginepb.UnplugRequest{PortId: s.port.Id}); err != nil {
		s.t.Fatal(err)
	}
	s.plug(netns)
}
