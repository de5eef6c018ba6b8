package linux

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"plimsoll/internal/guard"
)

// TestPortIsAnnounced plugs a port, and gives it another address later: neighbours on its network hear of each address.
func TestPortIsAnnounced(t *testing.T) {
	h := testHost(t)
	neighbour := Port{ID: uuid.NewString(), NetworkID: uuid.NewString(), Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.9/24")}}
	there := ensureNamespace(t, h)
	ensurePort(t, h, there, neighbour, true)
	heard := listenTo(t, there)

	ns, p := ensureNamespace(t, h), testPort()
	p.NetworkID, p.Routes = neighbour.NetworkID, nil
	ensurePort(t, h, ns, p, true)
	heard.announcements(t, p.MAC, p.Addresses...)

	another := netip.MustParsePrefix("10.9.0.6/24")
	p.Addresses = append(p.Addresses, another)
	ensurePort(t, h, ns, p, true)
	heard.announcements(t, p.MAC, another)
}

// TestGuardedPortIsAnnounced plugs a guarded port, and gives it another address later, before the guard knows of them: neighbours hear of
// each address as soon as they may.
func TestGuardedPortIsAnnounced(t *testing.T) {
	y := newYard(t)
	neighbour := y.station(1, false)
	heard := listenTo(t, neighbour.namespace)
	one := y.station(2, true, "g")
	y.groups = []guard.Group{{ID: "g"}}
	y.apply()
	heard.announcements(t, one.port.MAC, one.port.Addresses...)

	another := netip.MustParsePrefix("10.9.0.66/24")
	one.port.Addresses = append(one.port.Addresses, another)
	one.plug()
	y.apply() // the plan that was, for another reason
	p := y.ports[0]
	p.Pairs = append(slices.Clone(p.Pairs), guard.Pair{MAC: guard.MAC(one.port.MAC), Addresses: netip.PrefixFrom(another.Addr(), 32)})
	y.ports = []guard.Port{p}
	y.apply()
	heard.announcements(t, one.port.MAC, another)
}

// frames is a socket that hears every frame which reaches a namespace.
type frames int

func listenTo(t *testing.T, namespace string) frames {
	t.Helper()
	var fd int
	err := Within(namespace, func() (err error) {
		all := uint16(unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8) // in the network's order
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
		return err
	})
	if err != nil {
		t.Fatalf("listen in %s: %v", namespace, err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	timeout := unix.Timeval{Usec: 100000}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		t.Fatal(err)
	}
	return frames(fd)
}

// announcements waits until a MAC address has announced all of some addresses.
func (f frames) announcements(t *testing.T, mac net.HardwareAddr, addresses ...netip.Prefix) {
	t.Helper()
	due := map[netip.Addr]bool{}
	for _, a := range addresses {
		due[a.Addr()] = true
	}
	frame := make([]byte, 2000)
	for deadline := time.Now().Add(2 * time.Second); len(due) > 0 && time.Now().Before(deadline); {
		n, _, err := unix.Recvfrom(int(f), frame, 0)
		if err == nil && n > 14 && bytes.Equal(frame[6:12], mac) {
			delete(due, announced(frame[12:n]))
		}
	}
	for a := range due {
		t.Errorf("nobody hears that %v has %v", mac, a)
	}
}

// announced is the address that a frame, from its EtherType on, tells neighbours of, without having been asked.
func announced(frame []byte) netip.Addr {
	switch {
	// ARP (RFC 826): a request or reply whose sender and target have the same protocol address.
	case len(frame) >= 30 && frame[0] == 0x08 && frame[1] == 0x06 && bytes.Equal(frame[16:20], frame[26:30]):
		return netip.AddrFrom4([4]byte(frame[16:20]))
	// ICMPv6 neighbour advertisement (RFC 4861): type 136 behind the 40 bytes of the IPv6 header.
	case len(frame) >= 66 && frame[0] == 0x86 && frame[1] == 0xdd && frame[42] == 136:
		return netip.AddrFrom16([16]byte(frame[50:66]))
	}
	return netip.Addr{}
}
