package linux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"plimsoll/internal/guard"
)

// A yard is a network with stations, of which some are guarded.
type yard struct {
	t       *testing.T
	h       *Host
	network string
	ports   []guard.Port
	groups  []guard.Group
}

func newYard(t *testing.T) *yard {
	t.Helper()
	return &yard{t: t, h: testHost(t), network: uuid.NewString()}
}

// A station is a namespace with a port; it answers on TCP ports 80 and 81 and UDP ports 53 and 54 with what it is sent.
type station struct {
	y         *yard
	port      Port
	namespace string
	four, six netip.Addr
}

func (y *yard) station(number byte, guarded bool, groups ...string) *station {
	y.t.Helper()
	s := &station{y: y, namespace: ensureNamespace(y.t, y.h), four: netip.AddrFrom4([4]byte{10, 9, 0, number}),
		six: netip.AddrFrom16([16]byte{0: 0xfd, 3: 9, 15: number})}
	s.port = Port{ID: uuid.NewString(), NetworkID: y.network, MTU: 1450, MAC: net.HardwareAddr{0xfa, 0x16, 0x3e, 0, 0, number}, Guarded: guarded,
		Addresses: []netip.Prefix{netip.PrefixFrom(s.four, 24), netip.PrefixFrom(s.six, 64)}}
	s.plug()
	if guarded {
		y.guarded(s, groups...)
	}
	for _, port := range []int{80, 81} {
		s.serveStream(port)
	}
	for _, port := range []int{53, 54} {
		s.serveDatagrams(port)
	}
	return s
}

func (s *station) plug() {
	s.y.t.Helper()
	if _, err := s.y.h.EnsurePort(s.namespace, s.port); err != nil {
		s.y.t.Fatal(err)
	}
}

// guarded has the next apply guard a station.
func (y *yard) guarded(s *station, groups ...string) {
	mac := guard.MAC(s.port.MAC)
	y.ports = append(y.ports, guard.Port{ID: s.port.ID, Link: HostName(s.port.ID), Bridge: BridgeName(y.network), Groups: groups,
		Pairs: []guard.Pair{{MAC: mac, Addresses: netip.PrefixFrom(s.four, 32)}, {MAC: mac, Addresses: netip.PrefixFrom(s.six, 128)}}})
}

func (y *yard) apply() {
	y.t.Helper()
	if err := y.h.SetGuards(y.ports, y.groups); err != nil {
		y.t.Fatal(err)
	}
}

// within runs fn in the station's namespace.
func (s *station) within(fn func() error) {
	s.y.t.Helper()
	if err := Within(s.namespace, fn); err != nil {
		s.y.t.Fatal(err)
	}
}

func (s *station) serveStream(port int) {
	var l net.Listener
	s.within(func() (err error) { l, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); return err })
	done := make(chan struct{})
	s.y.t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			s.y.t.Cleanup(func() { _ = c.Close() })
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
}

func (s *station) serveDatagrams(port int) {
	var c *net.UDPConn
	s.within(func() (err error) { c, err = net.ListenUDP("udp", &net.UDPAddr{Port: port}); return err })
	done := make(chan struct{})
	s.y.t.Cleanup(func() { _ = c.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 65536)
		for {
			n, from, err := c.ReadFromUDP(b)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDP(b[:n], from)
		}
	}()
}

// A call is what one station sends another.
type call struct {
	network string // "tcp", "udp" or "ping"
	port    uint16
	six     bool
	size    int // bytes; 0 is a few
}

func (c call) String() string {
	return fmt.Sprintf("%s to port %d, IPv6 %t, %d bytes", c.network, c.port, c.six, c.size)
}

func (s *station) at(six bool) netip.Addr {
	if six {
		return s.six
	}
	return s.four
}

// Calls that are answered are so in milliseconds; those that are not cost their time, which is short for that.
const answered, unanswered = 10 * time.Second, 250 * time.Millisecond

// reach wants calls to be answered, or not.
func (s *station) reach(to *station, want bool, calls ...call) {
	s.y.t.Helper()
	wait := answered
	if !want {
		wait = unanswered
	}
	var all sync.WaitGroup
	for _, c := range calls {
		all.Go(func() {
			if err := s.call(to.at(c.six), c, wait); (err == nil) != want {
				s.y.t.Errorf("station %s calls %s: %s: %v, want an answer: %t", s.four, to.at(c.six), c, err, want)
			}
		})
	}
	all.Wait()
}

func (s *station) call(to netip.Addr, c call, wait time.Duration) error {
	if c.network == "ping" {
		return s.ping(to, max(c.size, 8), wait)
	}
	conn, err := s.dial(to, c, wait)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return exchange(conn, max(c.size, 8), wait)
}

func (s *station) dial(to netip.Addr, c call, wait time.Duration) (conn net.Conn, err error) {
	err = Within(s.namespace, func() error {
		conn, err = net.DialTimeout(c.network, netip.AddrPortFrom(to, c.port).String(), wait)
		return err
	})
	return conn, err
}

// exchange sends something and wants it back. What is lost of datagrams is not sent again.
func exchange(conn net.Conn, size int, wait time.Duration) error {
	_ = conn.SetDeadline(time.Now().Add(wait))
	sent, got := bytes.Repeat([]byte{'x'}, size), make([]byte, size)
	if _, err := conn.Write(sent); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, got)
	return err
}

var pings atomic.Uint32

func (s *station) ping(to netip.Addr, size int, wait time.Duration) error {
	network, request, reply := "ip4:icmp", byte(8), byte(0)
	if to.Is6() {
		network, request, reply = "ip6:ipv6-icmp", 128, 129
	}
	var conn net.PacketConn
	if err := Within(s.namespace, func() (err error) { conn, err = net.ListenPacket(network, s.at(to.Is6()).String()); return err }); err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(wait))
	id := uint16(pings.Add(1)) // else an older ping let it through
	message := append([]byte{request, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}, make([]byte, size)...)
	binary.BigEndian.PutUint16(message[2:], checksum(message)) // the kernel makes that of IPv6 anew
	if _, err := conn.WriteTo(message, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return err
	}
	for b := make([]byte, 65536); ; {
		n, _, err := conn.ReadFrom(b)
		if err != nil || n > 8 && b[0] == reply && binary.BigEndian.Uint16(b[4:]) == id {
			return err
		}
	}
}

func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// egress lets everything out, as the rules do that every group begins with.
func egress() []guard.GroupRule {
	return []guard.GroupRule{{Egress: true, Protocol: -1, Min: -1, Max: -1}, {Egress: true, Six: true, Protocol: -1, Min: -1, Max: -1}}
}

func ingress(six bool, protocol, low, high int) guard.GroupRule {
	return guard.GroupRule{Six: six, Protocol: protocol, Min: low, Max: high}
}

var (
	web, web6     = call{network: "tcp", port: 80}, call{network: "tcp", port: 80, six: true}
	other, other6 = call{network: "tcp", port: 81}, call{network: "tcp", port: 81, six: true}
	names, names6 = call{network: "udp", port: 53}, call{network: "udp", port: 53, six: true}
	echo, echo6   = call{network: "ping"}, call{network: "ping", six: true}
)

// TestGuardedPortIsClosed wants nothing to pass a guarded port before somebody says what may, nor after nobody does any more.
func TestGuardedPortIsClosed(t *testing.T) {
	y := newYard(t)
	open, closed := y.station(1, false), y.station(2, true, "all")
	open.reach(closed, false, web, web6, echo)
	closed.reach(open, false, web, web6, names)
	y.groups = []guard.Group{{ID: "all", Rules: append(egress(), ingress(false, -1, -1, -1), ingress(true, -1, -1, -1))}}
	y.apply()
	for _, from := range [][2]*station{{open, closed}, {closed, open}} {
		from[0].reach(from[1], true, web, web6, names, names6, echo, echo6)
	}
	guarded := y.ports
	y.ports = nil
	y.apply()
	open.reach(closed, false, web)
	closed.reach(open, false, web6)
	if _, err := y.h.EnsurePort(closed.namespace, closed.port); err != nil {
		t.Fatal(err)
	}
	open.reach(closed, false, web)
	y.ports = guarded
	y.apply()
	open.reach(closed, true, web)
	// The port is guarded no more: before its plan says so, and after.
	closed.port.Guarded = false
	ensurePort(t, y.h, closed.namespace, closed.port, false)
	y.groups[0].Rules = nil
	y.apply()
	open.reach(closed, false, other)
	y.ports = nil
	y.apply()
	open.reach(closed, true, other, other6)
	ensurePort(t, y.h, closed.namespace, closed.port, false)
}

// TestGuardRules wants rules to pass what they say, to any of the groups of a port.
func TestGuardRules(t *testing.T) {
	y := newYard(t)
	outside, one, two := y.station(1, false), y.station(2, true, "web", "names"), y.station(3, true, "friends")
	prefix := ingress(false, 6, 81, 81)
	prefix.Prefix = netip.MustParsePrefix("10.9.0.2/31")
	friends, friends6 := ingress(false, 6, 81, 81), ingress(true, -1, -1, -1)
	friends.Remote, friends6.Remote = "web", "web"
	ownPing := ingress(true, 58, 128, 0)
	ownPing.Prefix = netip.MustParsePrefix("fd00:9::/64")
	y.groups = []guard.Group{
		{ID: "web", Rules: append(egress(), ingress(false, 6, 80, 80), ingress(true, 6, 80, 80), prefix), Members: prefixes("10.9.0.2/32", "fd00:9::2/128")},
		{ID: "names", Rules: []guard.GroupRule{ingress(false, 17, 50, 53), ownPing, ingress(false, 1, 8, -1)}},
		{ID: "friends", Rules: append(egress(), friends, friends6)},
	}
	y.apply()
	fragments := call{network: "udp", port: 53, size: 9000}
	outside.reach(one, true, web, web6, names, echo, echo6, fragments)
	outside.reach(one, false, other, other6, names6, call{network: "udp", port: 54}, call{network: "udp", port: 54, size: 9000})
	outside.reach(two, false, web, web6, other, names6, echo, echo6)
	one.reach(two, true, other, other6, names6, call{network: "udp", port: 53, six: true, size: 9000}, echo6)
	one.reach(two, false, web, names, echo)
	two.reach(one, true, web, web6, other, echo, names)
	two.reach(one, false, other6, names6)
	one.reach(outside, true, web, other6, names, names6, echo, echo6, fragments)
	// A member less, one more by a range, and no way out.
	y.groups[0].Members = nil
	y.groups[2].Rules = []guard.GroupRule{friends, friends6}
	y.apply()
	one.reach(two, false, other, other6)
	two.reach(one, false, web, web6, echo, names)
	y.groups[0].Members = prefixes("10.9.0.0/29", "10.9.0.2/32")
	y.apply()
	one.reach(two, true, other)
}

// TestGuardChangesKeepConnections wants connections to go on whatever becomes of the rules that let them through.
func TestGuardChangesKeepConnections(t *testing.T) {
	y := newYard(t)
	outside, one := y.station(1, false), y.station(2, true, "web")
	y.groups = []guard.Group{{ID: "web", Rules: append(egress(), ingress(false, 6, 80, 80), ingress(true, 6, 80, 80))}, {ID: "none"}}
	y.apply()
	var conns []net.Conn
	for _, c := range []call{web, web6} {
		for _, ends := range [][2]*station{{outside, one}, {one, outside}} {
			conn, err := ends[0].dial(ends[1].at(c.six), c, answered)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
	}
	goOn := func(when string) {
		t.Helper()
		for _, c := range conns {
			if err := exchange(c, 4000, answered); err != nil {
				t.Errorf("%s, the connection of %s to %s: %v", when, c.LocalAddr(), c.RemoteAddr(), err)
			}
		}
	}
	goOn("at first")
	y.groups[0].Rules = nil
	y.apply()
	goOn("without rules")
	outside.reach(one, false, web, web6)
	one.reach(outside, false, web, web6)
	y.ports[0].Groups = []string{"none"}
	y.apply()
	goOn("in another group")
	two := y.station(3, true, "none")
	y.apply()
	goOn("beside another port")
	if out, err := exec.Command("nft", "delete", "table", "inet", y.h.guardTable()).CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
	if n, err := y.h.AuditGuards(); err != nil || n == 0 {
		t.Errorf("AuditGuards = %d, %v", n, err)
	}
	goOn("after somebody deleted a table")
	outside.reach(two, false, web)
	for _, c := range conns {
		_ = c.Close()
	}
}

// TestGuardOfAnOpenPort wants the connections of a port that becomes a guarded one to go on, whether its plug or its rules come first.
func TestGuardOfAnOpenPort(t *testing.T) {
	y := newYard(t)
	outside := y.station(1, false)
	y.groups = []guard.Group{{ID: "none"}}
	y.station(4, true, "none") // so that connections are tracked
	y.apply()
	for i, first := range []string{"rules", "plug"} {
		one := y.station(byte(2+i), false)
		conn, err := outside.dial(one.four, web, answered)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		one.port.Guarded = true
		if first == "plug" {
			one.plug()
		}
		y.guarded(one, "none")
		y.apply()
		if first == "rules" {
			one.plug()
		}
		if err := exchange(conn, 8, answered); err != nil {
			t.Errorf("%s first: the connection is cut: %v", first, err)
		}
		outside.reach(one, false, web)
	}
}

// TestGuardSpoofing wants a guarded port to speak for itself only.
func TestGuardSpoofing(t *testing.T) {
	y := newYard(t)
	outside, one := y.station(1, false), y.station(2, true, "all")
	y.groups = []guard.Group{{ID: "all", Rules: append(egress(), ingress(false, -1, -1, -1), ingress(true, -1, -1, -1))}}
	y.apply()
	tap := TapName(one.port.ID)
	one.reach(outside, true, web, web6)
	inside(t, one.namespace, "ip", "addr", "add", "10.9.0.77/24", "dev", tap)
	inside(t, one.namespace, "ip", "addr", "add", "fd00:9::77/64", "dev", tap, "nodad")
	stranger := &station{y: y, port: one.port, namespace: one.namespace, four: netip.MustParseAddr("10.9.0.77"), six: netip.MustParseAddr("fd00:9::77")}
	outside.reach(stranger, false, web, web6)
	stranger.reach(outside, false, echo, echo6)
	// As ranges, they are its own.
	mac := guard.MAC(one.port.MAC)
	y.ports[0].Pairs = append(y.ports[0].Pairs, guard.Pair{MAC: mac, Addresses: netip.MustParsePrefix("10.9.0.64/27")},
		guard.Pair{MAC: mac, Addresses: netip.MustParsePrefix("fd00:9::70/124")})
	y.apply()
	inside(t, outside.namespace, "ip", "neigh", "flush", "all")
	outside.reach(stranger, true, web, web6)
	inside(t, outside.namespace, "ip", "neigh", "flush", "all")
	stranger.reach(outside, true, echo, echo6)
	inside(t, one.namespace, "ip", "link", "set", tap, "address", "fa:16:3e:0:0:99")
	one.reach(outside, false, web, web6)
	inside(t, one.namespace, "ip", "link", "set", tap, "address", one.port.MAC.String())
	one.reach(outside, true, web, web6)
}

// frame is an Ethernet frame from a MAC address to everybody.
func frame(from net.HardwareAddr, kind uint16, payload ...byte) []byte {
	b := append(bytes.Repeat([]byte{0xff}, 6), from...)
	return append(binary.BigEndian.AppendUint16(b, kind), payload...)
}

// header4 and header6 are headers of IP for a payload.
func header4(protocol byte, from, to string, payload []byte) []byte {
	b := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	b = append(append(b, netip.MustParseAddr(from).AsSlice()...), netip.MustParseAddr(to).AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return append(b, payload...)
}

func header6(protocol byte, from, to string, payload []byte) []byte {
	b := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), protocol, 255}
	return append(append(append(b, netip.MustParseAddr(from).AsSlice()...), netip.MustParseAddr(to).AsSlice()...), payload...)
}

func datagramOf(from, to uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, from), to)
}

// TestGuardFrames sends frames from a guarded port as no decent kernel would, and looks which come out at another port.
func TestGuardFrames(t *testing.T) {
	y := newYard(t)
	outside, one := y.station(1, false), y.station(2, true, "all")
	y.groups = []guard.Group{{ID: "all", Rules: append(egress(), ingress(false, -1, -1, -1), ingress(true, -1, -1, -1))}}
	y.apply()
	own, foreign := one.port.MAC, net.HardwareAddr{0xfa, 0x16, 0x3e, 0, 0, 9}
	const all4, all6, mine, mine6, local = "255.255.255.255", "ff02::1", "10.9.0.2", "fd00:9::2", "fe80::f816:3eff:fe00:2"
	udp := func(from, to uint16) []byte { return append(datagramOf(from, to), 0, 8, 0, 0) }
	arp := func(mac net.HardwareAddr, sender, target string) []byte {
		b := append([]byte{0, 1, 8, 0, 6, 4, 0, 1}, mac...)
		b = append(append(b, netip.MustParseAddr(sender).AsSlice()...), make([]byte, 6)...)
		return append(b, netip.MustParseAddr(target).AsSlice()...)
	}
	icmp := func(kind byte, target string, from string) []byte {
		b := append([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, netip.MustParseAddr(target).AsSlice()...)
		return header6(58, from, all6, sum6(b, from, all6))
	}
	tests := []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"bad: another's MAC address", frame(foreign, guard.TypeIPv4, header4(17, mine, all4, udp(9, 9))...), false},
		{"bad: another's address", frame(own, guard.TypeIPv4, header4(17, "10.9.0.9", all4, udp(9, 9))...), false},
		{"bad: a tag of a VLAN", frame(own, 0x8100, append([]byte{0, 5, 8, 0}, header4(17, mine, all4, udp(9, 9))...)...), false},
		{"bad: no IP", frame(own, 0x88cc, make([]byte, 46)...), false},
		{"bad: leases", frame(own, guard.TypeIPv4, header4(17, mine, all4, udp(67, 68))...), false},
		{"bad: leases of IPv6", frame(own, guard.TypeIPv6, header6(17, local, all6, sumUDP6(udp(547, 546), local, all6))...), false},
		{"bad: from nowhere", frame(own, guard.TypeIPv4, header4(17, "0.0.0.0", all4, udp(9, 67))...), false},
		{"bad: ARP for another", frame(own, guard.TypeARP, arp(own, "10.9.0.9", "10.9.0.1")...), false},
		{"bad: ARP for another in it", frame(own, guard.TypeARP, arp(foreign, mine, "10.9.0.1")...), false},
		{"bad: ARP that probes for another", frame(own, guard.TypeARP, arp(own, "0.0.0.0", "10.9.0.9")...), false},
		{"bad: routes", frame(own, guard.TypeIPv6, icmp(134, mine6, local)...), false},
		{"bad: neighbour for another", frame(own, guard.TypeIPv6, icmp(136, "fd00:9::9", local)...), false},
		{"bad: another's link-local address", frame(own, guard.TypeIPv6, icmp(135, mine6, "fe80::9")...), false},
		{"its own", frame(own, guard.TypeIPv4, header4(17, mine, all4, udp(9, 9))...), true},
		{"a question for a lease", frame(own, guard.TypeIPv4, header4(17, "0.0.0.0", all4, udp(68, 67))...), true},
		{"a question for a lease of IPv6", frame(own, guard.TypeIPv6, header6(17, local, all6, sumUDP6(udp(546, 547), local, all6))...), true},
		{"ARP", frame(own, guard.TypeARP, arp(own, mine, "10.9.0.1")...), true},
		{"ARP that probes", frame(own, guard.TypeARP, arp(own, "0.0.0.0", mine)...), true},
		{"its neighbour", frame(own, guard.TypeIPv6, icmp(136, mine6, local)...), true},
		{"a search for a double", frame(own, guard.TypeIPv6, icmp(135, mine6, "::")...), true},
		{"a search for routers", frame(own, guard.TypeIPv6, icmp(133, mine6, local)...), true},
	}
	sniffer, sender := packetSocket(t, outside), packetSocket(t, one)
	tagged := frame(foreign, 0x8100, append([]byte{0, 5, 8, 0}, header4(17, "10.9.0.3", all4, udp(9, 9))...)...)
	end := frame(foreign, guard.TypeIPv4, header4(17, "10.9.0.3", all4, udp(9, 99))...)
	atOne, free := packetSocket(t, one), packetSocket(t, y.station(3, false))
	for _, f := range [][]byte{tagged, end} {
		if _, err := free.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if !seen(t, sniffer, tagged, end) {
		t.Error("a tag of a VLAN does not come from a port that is not guarded to another")
	}
	if seen(t, atOne, tagged, end) {
		t.Error("a tag of a VLAN comes to a guarded port")
	}
	for i, test := range tests {
		end := frame(own, guard.TypeIPv4, header4(17, mine, all4, udp(uint16(40000+i), 9))...)
		for _, f := range [][]byte{test.frame, end} {
			if _, err := sender.Write(f); err != nil {
				t.Fatalf("%s: send: %v", test.name, err)
			}
		}
		if got := seen(t, sniffer, test.frame, end); got != test.want {
			t.Errorf("%s: it passes: %t", test.name, got)
		}
	}
}

// TestGuardArriving sends frames to a guarded port that is in no group, and looks which come.
func TestGuardArriving(t *testing.T) {
	y := newYard(t)
	outside, one := y.station(1, false), y.station(2, true)
	y.apply()
	from := outside.port.MAC
	const all4, all6, its, its6, local = "255.255.255.255", "ff02::1", "10.9.0.1", "fd00:9::1", "fe80::f816:3eff:fe00:1"
	udp := func(from, to uint16) []byte { return append(datagramOf(from, to), 0, 8, 0, 0) }
	icmp := func(kind byte) []byte {
		b := append([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, netip.MustParseAddr(its6).AsSlice()...)
		return header6(58, local, all6, sum6(b, local, all6))
	}
	tests := []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"bad: a datagram", frame(from, guard.TypeIPv4, header4(17, its, all4, udp(9, 9))...), false},
		{"bad: a datagram of IPv6", frame(from, guard.TypeIPv6, header6(17, local, all6, sumUDP6(udp(9, 9), local, all6))...), false},
		{"bad: a ping", frame(from, guard.TypeIPv6, icmp(128)...), false},
		{"bad: a lease's question", frame(from, guard.TypeIPv4, header4(17, its, all4, udp(68, 67))...), false},
		{"bad: no IP", frame(from, 0x88cc, make([]byte, 46)...), false},
		{"a lease", frame(from, guard.TypeIPv4, header4(17, its, all4, udp(67, 68))...), true},
		{"a lease of IPv6", frame(from, guard.TypeIPv6, header6(17, local, all6, sumUDP6(udp(547, 546), local, all6))...), true},
		{"routes", frame(from, guard.TypeIPv6, icmp(134)...), true},
		{"a neighbour", frame(from, guard.TypeIPv6, icmp(136)...), true},
		{"a neighbour's question", frame(from, guard.TypeIPv6, icmp(135)...), true},
		{"a question of who listens", frame(from, guard.TypeIPv6, icmp(130)...), true},
		{"ARP", frame(from, guard.TypeARP, append([]byte{0, 1, 8, 0, 6, 4, 0, 1}, make([]byte, 20)...)...), true},
	}
	sniffer, sender := packetSocket(t, one), packetSocket(t, outside)
	for i, test := range tests {
		end := frame(from, guard.TypeARP, append([]byte{0, 1, 8, 0, 6, 4, 0, 2, byte(i)}, make([]byte, 19)...)...)
		for _, f := range [][]byte{test.frame, end} {
			if _, err := sender.Write(f); err != nil {
				t.Fatalf("%s: send: %v", test.name, err)
			}
		}
		if got := seen(t, sniffer, test.frame, end); got != test.want {
			t.Errorf("%s: it passes: %t", test.name, got)
		}
	}
}

// TestGuardErrors wants errors about what was let through to come back, whatever the groups say of ICMP.
func TestGuardErrors(t *testing.T) {
	y := newYard(t)
	outside, one := y.station(1, false), y.station(2, true, "out")
	y.groups = []guard.Group{{ID: "out", Rules: egress()}}
	y.apply()
	for _, six := range []bool{false, true} {
		conn, err := one.dial(outside.at(six), call{network: "udp", port: 99, six: six}, answered)
		if err != nil {
			t.Fatal(err)
		}
		if err := exchange(conn, 8, answered); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("a closed port at %s answers: %v", conn.RemoteAddr(), err)
		}
		_ = conn.Close()
	}
}

func sum6(message []byte, from, to string) []byte {
	pseudo := append(netip.MustParseAddr(from).AsSlice(), netip.MustParseAddr(to).AsSlice()...)
	pseudo = append(pseudo, 0, 0, 0, byte(len(message)), 0, 0, 0, 58)
	binary.BigEndian.PutUint16(message[2:], checksum(append(pseudo, message...)))
	return message
}

func sumUDP6(message []byte, from, to string) []byte {
	pseudo := append(netip.MustParseAddr(from).AsSlice(), netip.MustParseAddr(to).AsSlice()...)
	pseudo = append(pseudo, 0, 0, 0, byte(len(message)), 0, 0, 0, 17)
	binary.BigEndian.PutUint16(message[6:], checksum(append(pseudo, message...)))
	return message
}

// packetSocket sends and sees frames of a station's port.
func packetSocket(t *testing.T, s *station) *os.File {
	t.Helper()
	var fd int
	s.within(func() (err error) {
		link, err := net.InterfaceByName(s.port.LinkName())
		if err != nil {
			return err
		}
		everything := int(uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8)
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, everything); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(everything), Ifindex: link.Index})
	})
	f := os.NewFile(uintptr(fd), "packets")
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// seen tells whether a frame comes before the one that ends.
func seen(t *testing.T, sniffer *os.File, frame, end []byte) bool {
	t.Helper()
	_ = sniffer.SetReadDeadline(time.Now().Add(answered))
	found := false
	for b := make([]byte, 65536); ; {
		n, err := sniffer.Read(b)
		if err != nil {
			t.Fatalf("the frame that ends does not come: %v", err)
		}
		got := b[:n]
		if bytes.HasPrefix(got, frame) || len(frame) > 18 && len(got) >= len(frame)-4 && bytes.Contains(got, frame[18:]) && frame[12] == 0x81 {
			found = true
		}
		if bytes.HasPrefix(got, end) {
			return found
		}
	}
}

// TestGuardsOfTwoInstances wants two instances with the same addresses to guard side by side.
func TestGuardsOfTwoInstances(t *testing.T) {
	a, b := newYard(t), newYard(t)
	outsideA, oneA := a.station(1, false), a.station(2, true, "g")
	outsideB, oneB := b.station(1, false), b.station(2, true, "g")
	a.groups = []guard.Group{{ID: "g", Rules: append(egress(), ingress(false, 6, 80, 80))}}
	b.groups = []guard.Group{{ID: "g", Rules: append(egress(), ingress(false, 6, 81, 81))}}
	a.apply()
	b.apply()
	both := func() {
		t.Helper()
		outsideA.reach(oneA, true, web)
		outsideA.reach(oneA, false, other)
		outsideB.reach(oneB, true, other)
		outsideB.reach(oneB, false, web)
		oneA.reach(outsideA, true, web, names6)
		oneB.reach(outsideB, true, web, names6)
	}
	both()
	extra := a.station(3, true, "g")
	a.apply()
	both()
	if err := a.h.RemovePort(extra.port.ID); err != nil {
		t.Fatal(err)
	}
	a.ports = a.ports[:1]
	a.apply()
	both()
	if err := a.h.Sweep(nil, nil); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("nft", "list", "tables").CombinedOutput(); err != nil || strings.Contains(string(out), a.h.guardTable()) {
		t.Errorf("after Sweep: %v: %s", err, out)
	}
	outsideB.reach(oneB, true, other)
	outsideB.reach(oneB, false, web)
}

// TestGuardLeavesOthersAlone wants a port more to touch no chain that was there: their counters go on.
func TestGuardLeavesOthersAlone(t *testing.T) {
	y := newYard(t)
	outside, one := y.station(1, false), y.station(2, true, "g")
	y.groups = []guard.Group{{ID: "g", Rules: append(egress(), ingress(false, 6, 80, 80))}}
	y.apply()
	outside.reach(one, false, other)
	dropped := func() (n int) {
		out, err := exec.Command("nft", "list", "table", "inet", y.h.guardTable()).CombinedOutput()
		if err != nil {
			t.Fatalf("nft: %v: %s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if _, counted, is := strings.Cut(line, "counter packets "); is {
				packets := 0
				_, _ = fmt.Sscan(counted, &packets)
				n += packets
			}
		}
		return n
	}
	before := dropped()
	if before == 0 {
		t.Error("no counter counts what is dropped")
	}
	y.station(3, true, "g")
	y.apply()
	if after := dropped(); after < before {
		t.Errorf("%d packets were dropped, and now %d", before, after)
	}
}

// TestGuardForgetsAddresses wants what was let through to an address not to be let through to its next owner.
func TestGuardForgetsAddresses(t *testing.T) {
	y := newYard(t)
	outside, one := y.station(1, false), y.station(2, true, "g")
	y.groups = []guard.Group{{ID: "g", Rules: append(egress(), ingress(false, 17, 53, 53), ingress(true, 17, 53, 53))}, {ID: "none"}}
	y.apply()
	var conns []net.Conn
	for _, c := range []call{names, names6} {
		conn, err := outside.dial(one.at(c.six), c, answered)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := exchange(conn, 8, answered); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	y.ports[0].Groups = []string{"none"}
	y.apply()
	for _, c := range conns {
		if err := exchange(c, 8, answered); err != nil {
			t.Errorf("the flow of %s is cut: %v", c.RemoteAddr(), err)
		}
	}
	guarded := y.ports
	y.ports = nil
	y.apply()
	y.ports = guarded
	y.apply()
	for _, c := range conns {
		if err := exchange(c, 8, unanswered); err == nil {
			t.Errorf("the flow of %s goes on", c.RemoteAddr())
		}
	}
}

// halfPlugged undoes what a plug does behind the making of the link.
func (s *station) halfPlugged() {
	s.y.t.Helper()
	name := HostName(s.port.ID)
	link, err := s.y.h.links.LinkByName(name)
	if err == nil {
		err = s.y.h.links.LinkSetNoMaster(link)
	}
	if err = errors.Join(err, s.y.h.openLink(name)); err != nil {
		s.y.t.Fatal(err)
	}
}

// TestGuardForgetsForNextOwner wants what was let through to an address not to be let through to a port that has it at once, whether the
// one before it was guarded or open, and also where its rules come when its link was made and is in no bridge yet.
func TestGuardForgetsForNextOwner(t *testing.T) {
	for name, guarded := range map[string]bool{"guarded before": true, "open before": false, "half plugged": true} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			outside, one := y.station(1, false), y.station(2, guarded, "g")
			y.station(3, true, "none")
			y.groups = []guard.Group{{ID: "g", Rules: append(egress(), ingress(false, 17, 53, 53))}, {ID: "none"}}
			y.apply()
			conn, err := outside.dial(one.four, names, answered)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := exchange(conn, 8, answered); err != nil {
				t.Fatal(err)
			}
			if err := y.h.RemovePort(one.port.ID); err != nil {
				t.Fatal(err)
			}
			y.ports = slices.DeleteFunc(slices.Clone(y.ports), func(p guard.Port) bool { return p.ID == one.port.ID })
			two := y.station(2, true, "none")
			if name == "half plugged" {
				two.halfPlugged()
			}
			y.apply()
			two.plug()
			if err := exchange(conn, 8, unanswered); err == nil {
				t.Error("the flow goes on")
			}
		})
	}
}
