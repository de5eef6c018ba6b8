package linux

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testHost is a Host of an instance of its own, that is swept when the test ends.
func testHost(t *testing.T) *Host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	h, err := Open(uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Sweep(nil, nil); err != nil {
			t.Errorf("Sweep: %v", err)
		}
		h.Close()
	})
	return h
}

// testPort is a port with addresses of both families and a default route.
func testPort() Port {
	return Port{
		ID: uuid.NewString(), NetworkID: uuid.NewString(), MTU: 1450,
		MAC:       net.HardwareAddr{0xfa, 0x16, 0x3e, 1, 2, 3},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.5/24"), netip.MustParsePrefix("fd00:9::5/64")},
		Routes: []Route{
			{Destination: netip.MustParsePrefix("0.0.0.0/0"), NextHop: netip.MustParseAddr("10.9.0.1")},
			{Destination: netip.MustParsePrefix("192.0.2.0/24")},
			{Destination: netip.MustParsePrefix("2001:db8::/32"), NextHop: netip.MustParseAddr("fd00:9::1")},
		},
	}
}

func ensureNamespace(t *testing.T, h *Host) string {
	t.Helper()
	name := "plmtest-" + uuid.NewString()
	if ours, err := h.EnsureNamespace(name); err != nil || !ours {
		t.Fatalf("EnsureNamespace = %v, %v", ours, err)
	}
	return name
}

// inside runs a program in a namespace and returns what it printed.
func inside(t *testing.T, namespace string, args ...string) string {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := Start(namespace, cmd); err != nil {
		t.Fatalf("start %v: %v", args, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, out.String())
	}
	return out.String()
}

func ensurePort(t *testing.T, h *Host, ns string, p Port, wantChanges bool) {
	t.Helper()
	n, err := h.EnsurePort(ns, p)
	if err != nil {
		t.Fatalf("EnsurePort: %v", err)
	}
	if (n > 0) != wantChanges {
		t.Errorf("EnsurePort changed %d things, want some: %v", n, wantChanges)
	}
	reason, err := h.CheckPort(ns, p)
	if reason != "" || err != nil {
		t.Errorf("CheckPort after EnsurePort = %q, %v", reason, err)
	}
}

func TestEnsurePort(t *testing.T) {
	h := testHost(t)
	ns, p := ensureNamespace(t, h), testPort()
	ensurePort(t, h, ns, p, true)
	ensurePort(t, h, ns, p, false)
	out := inside(t, ns, "ip", "-o", "addr", "show", "dev", TapName(p.ID), "scope", "global")
	for _, want := range []string{"10.9.0.5/24", "fd00:9::5/64"} {
		if !strings.Contains(out, want) {
			t.Errorf("no address %s in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "tentative") {
		t.Errorf("an address is tentative:\n%s", out)
	}
	routes := inside(t, ns, "ip", "route") + inside(t, ns, "ip", "-6", "route")
	for _, want := range []string{"default via 10.9.0.1", "192.0.2.0/24 dev", "2001:db8::/32 via fd00:9::1"} {
		if !strings.Contains(routes, want) {
			t.Errorf("no route %q in:\n%s", want, routes)
		}
	}
}

func TestEnsurePortRepairs(t *testing.T) {
	breaks := map[string]func(t *testing.T, h *Host, ns string, p *Port){
		"address removed": func(t *testing.T, _ *Host, ns string, p *Port) {
			inside(t, ns, "ip", "addr", "del", "10.9.0.5/24", "dev", TapName(p.ID))
		},
		"address added": func(t *testing.T, _ *Host, ns string, p *Port) {
			inside(t, ns, "ip", "addr", "add", "10.9.0.77/24", "dev", TapName(p.ID))
		},
		"route removed": func(t *testing.T, _ *Host, ns string, _ *Port) {
			inside(t, ns, "ip", "route", "del", "default")
		},
		"link down": func(t *testing.T, _ *Host, ns string, p *Port) {
			inside(t, ns, "ip", "link", "set", TapName(p.ID), "down")
		},
		"MAC address changed": func(t *testing.T, _ *Host, ns string, p *Port) {
			inside(t, ns, "ip", "link", "set", TapName(p.ID), "address", "fa:16:3e:0:0:1")
		},
		"link removed": func(t *testing.T, _ *Host, ns string, p *Port) {
			inside(t, ns, "ip", "link", "del", TapName(p.ID))
		},
		"bridge removed": func(t *testing.T, h *Host, _ string, p *Port) {
			br, err := h.links.LinkByName(BridgeName(p.NetworkID))
			if err != nil {
				t.Fatal(err)
			}
			if err := h.links.LinkDel(br); err != nil {
				t.Fatal(err)
			}
		},
		"moved to another network": func(_ *testing.T, _ *Host, _ string, p *Port) { p.NetworkID = uuid.NewString() },
		"smaller MTU":              func(_ *testing.T, _ *Host, _ string, p *Port) { p.MTU = 1400 },
		"other prefix length": func(_ *testing.T, _ *Host, _ string, p *Port) {
			p.Addresses = []netip.Prefix{netip.MustParsePrefix("10.9.0.5/26")}
		},
		"other gateway": func(_ *testing.T, _ *Host, _ string, p *Port) {
			p.Routes = []Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), NextHop: netip.MustParseAddr("10.9.0.2")}}
		},
	}
	for name, spoil := range breaks {
		t.Run(name, func(t *testing.T) {
			h := testHost(t)
			ns, p := ensureNamespace(t, h), testPort()
			ensurePort(t, h, ns, p, true)
			spoil(t, h, ns, &p)
			reason, err := h.CheckPort(ns, p)
			if reason == "" || err != nil {
				t.Errorf("CheckPort = %q, %v: it saw nothing", reason, err)
			}
			ensurePort(t, h, ns, p, true)
			ensurePort(t, h, ns, p, false)
		})
	}
}

func TestNamespaceReplaced(t *testing.T) {
	h := testHost(t)
	ns, p := ensureNamespace(t, h), testPort()
	ensurePort(t, h, ns, p, true)
	// A process keeps the old namespace and its end of the link alive.
	cmd := exec.Command("sleep", "60")
	if err := Start(ns, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if !Inside(ns, cmd.Process.Pid) {
		t.Error("Inside: the process is not in the namespace")
	}
	if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
		t.Fatalf("ip netns del: %v: %s", err, out)
	}
	if reason, err := h.CheckPort(ns, p); err != nil || !strings.Contains(reason, "missing") {
		t.Errorf("CheckPort = %q, %v", reason, err)
	}
	if _, err := h.EnsureNamespace(ns); err != nil {
		t.Fatal(err)
	}
	if Inside(ns, cmd.Process.Pid) {
		t.Error("Inside: the process is in the new namespace")
	}
	ensurePort(t, h, ns, p, true)
}

func TestForeignIsLeftAlone(t *testing.T) {
	ours, theirs := testHost(t), testHost(t)
	ns, p := ensureNamespace(t, theirs), testPort()
	ensurePort(t, theirs, ns, p, true)
	if _, err := ours.EnsurePort(ns, p); !errors.Is(err, ErrForeign) {
		t.Errorf("EnsurePort on a foreign link = %v", err)
	}
	if err := ours.RemovePort(p.ID); !errors.Is(err, ErrForeign) {
		t.Errorf("RemovePort on a foreign link = %v", err)
	}
	if err := ours.RemoveNamespace(ns); !errors.Is(err, ErrForeign) {
		t.Errorf("RemoveNamespace on a foreign namespace = %v", err)
	}
	if is, err := ours.EnsureNamespace(ns); is || err != nil {
		t.Errorf("EnsureNamespace on a foreign namespace = %v, %v", is, err)
	}
	if err := ours.Sweep(nil, nil); err != nil {
		t.Errorf("Sweep: %v", err)
	}
	ensurePort(t, theirs, ns, p, false)
}

// TestForeignIsMade makes a namespace while another instance, which has no use for its name, goes on removing what it takes for debris.
func TestForeignIsMade(t *testing.T) {
	ours, theirs := testHost(t), testHost(t)
	name := "plmtest-" + uuid.NewString()
	done := make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := theirs.RemoveNamespace(name); err != nil && !errors.Is(err, ErrForeign) {
				t.Errorf("RemoveNamespace by another: %v", err)
				return
			}
		}
	})
	for range 20 {
		if is, err := ours.EnsureNamespace(name); err != nil || !is {
			t.Errorf("EnsureNamespace = %v, %v", is, err)
		}
		if err := ours.RemoveNamespace(name); err != nil {
			t.Errorf("RemoveNamespace: %v", err)
		}
	}
	close(done)
	other.Wait()
}

func TestRemoveLeavesNothing(t *testing.T) {
	h := testHost(t)
	ns, p := ensureNamespace(t, h), testPort()
	q := testPort()
	q.NetworkID, q.Addresses, q.Routes = p.NetworkID, []netip.Prefix{netip.MustParsePrefix("10.9.0.6/24")}, nil
	ensurePort(t, h, ns, p, true)
	ensurePort(t, h, ns, q, true)
	for range 2 {
		if err := h.RemovePort(q.ID); err != nil {
			t.Fatal(err)
		}
		ensurePort(t, h, ns, p, false) // the bridge stays for the other
	}
	for range 2 {
		if err := h.RemoveNamespace(ns); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("ip", "-o", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{HostName(p.ID), HostName(q.ID), BridgeName(p.NetworkID)} {
		if strings.Contains(string(out), name) {
			t.Errorf("%s is still there", name)
		}
	}
	if HasNamespace(ns) {
		t.Error("the namespace is still there")
	}
}

func TestNamespacePath(t *testing.T) {
	for _, bad := range []string{"", ".", "..", "a/b", "../x", "a\x00b", "a\nb", strings.Repeat("x", 300)} {
		if path, err := namespacePath(bad); err == nil {
			t.Errorf("namespacePath(%q) = %q, want an error", bad, path)
		}
	}
	path, err := namespacePath("member-1")
	if diff := cmp.Diff("/run/netns/member-1", path); diff != "" || err != nil {
		t.Errorf("namespacePath: %v %s", err, diff)
	}
}

// TestHostIsOutOfReach shows that what a namespace sends to an address of the host does not arrive, even when it forces
// the way over the bridge.
func TestHostIsOutOfReach(t *testing.T) {
	h := testHost(t)
	ns, p := ensureNamespace(t, h), testPort()
	p.Routes = p.Routes[:1] // by default
	ensurePort(t, h, ns, p, true)
	addrs, err := h.links.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if a.IP.IsLoopback() {
			continue
		}
		to := a.IP.String()
		service, err := net.ListenPacket("udp4", net.JoinHostPort(to, "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = service.Close() }()
		// Frames to everybody reach the bridge itself.
		inside(t, ns, "ip", "neigh", "replace", "10.9.0.1", "lladdr", "ff:ff:ff:ff:ff:ff", "dev", TapName(p.ID))
		err = Within(ns, func() error {
			c, err := net.Dial("udp4", service.LocalAddr().String())
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			_, err = c.Write([]byte("x"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := service.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, from, err := service.ReadFrom(make([]byte, 10)); err == nil {
			t.Errorf("%d bytes reached %s from %s", n, to, from)
		}
	}
}

// TestBroadcastsStayOut shows that services of the host that listen on all addresses do not hear a namespace: not even what
// the kernel takes from anywhere, which is a broadcast of somebody who has no address yet.
func TestBroadcastsStayOut(t *testing.T) {
	h := testHost(t)
	ns, p := ensureNamespace(t, h), testPort()
	p.Addresses, p.Routes = nil, nil
	ensurePort(t, h, ns, p, true)
	br, err := h.links.LinkByName(BridgeName(p.NetworkID))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.finishBridge(br); err != nil { // as after a crash before it was stamped
		t.Errorf("finish the bridge again: %v", err)
	}
	service, err := net.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Close() }()
	err = Within(ns, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		to := &unix.SockaddrInet4{Addr: [4]byte{255, 255, 255, 255}, Port: service.LocalAddr().(*net.UDPAddr).Port}
		return errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
			unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, TapName(p.ID)), unix.Sendto(fd, []byte("x"), 0, to))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, from, err := service.ReadFrom(make([]byte, 10)); err == nil {
		t.Errorf("%d bytes reached the host from %s", n, from)
	}
}
