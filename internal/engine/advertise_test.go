package engine

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

// advert is what a station hears of a router (RFC 4861, RFC 8106).
type advert struct {
	Managed, Other bool
	Lifetime       int
	MTU            uint32
	Prefixes       []string // with "auto" where stations may give themselves addresses
	Servers        []string
}

// solicit asks the routers of a link, and returns what one answered; false is no answer.
func solicit(t *testing.T, namespace, link string) (advert, bool) {
	t.Helper()
	var c net.PacketConn
	var to *net.IPAddr
	err := linux.Within(namespace, func() error {
		i, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		to = &net.IPAddr{IP: net.ParseIP("ff02::2"), Zone: fmt.Sprint(i.Index)}
		far := func(_, _ string, raw syscall.RawConn) (err error) {
			_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255) })
			return err
		}
		c, err = (&net.ListenConfig{Control: far}).ListenPacket(t.Context(), "ip6:ipv6-icmp", "::")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.WriteTo([]byte{133, 0, 0, 0, 0, 0, 0, 0}, to); err != nil {
		return advert{}, false
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	for b := make([]byte, 1500); ; {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return advert{}, false
		}
		if n >= 16 && b[0] == 134 {
			return parseAdvert(b[:n]), true
		}
	}
}

func parseAdvert(b []byte) advert {
	a := advert{Managed: b[5]&0x80 != 0, Other: b[5]&0x40 != 0, Lifetime: int(binary.BigEndian.Uint16(b[6:]))}
	for o := b[16:]; len(o) >= 8 && o[1] > 0 && len(o) >= int(o[1])*8; o = o[int(o[1])*8:] {
		switch o[0] {
		case 3:
			addr, _ := netip.AddrFromSlice(o[16:32])
			text := netip.PrefixFrom(addr, int(o[2])).String()
			if o[3]&0x40 != 0 {
				text += " auto"
			}
			a.Prefixes = append(a.Prefixes, text)
		case 5:
			a.MTU = binary.BigEndian.Uint32(o[4:])
		case 25:
			for s := o[8 : int(o[1])*8]; len(s) >= 16; s = s[16:] {
				addr, _ := netip.AddrFromSlice(s[:16])
				a.Servers = append(a.Servers, addr.String())
			}
		}
	}
	slices.Sort(a.Prefixes)
	return a
}

// hearing waits until a station hears what is wanted.
func hearing(t *testing.T, namespace, link string, want advert) {
	t.Helper()
	var got advert
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var heard bool
		if got, heard = solicit(t, namespace, link); heard && cmp.Equal(want, got) {
			return
		}
	}
	t.Fatalf("advertisement (-want +got):\n%s", cmp.Diff(want, got))
}

func TestAdvertisements(t *testing.T) {
	w := newWorld(t)
	one, two := portIn(uuid.NewString(), "qr-", "2001:db8:a::1/64"), portIn(uuid.NewString(), "qr-", "2001:db8:b::1/64", "2001:db8:c::1/64")
	router := &enginepb.Router{Id: uuid.NewString(), InternalPortIds: []string{one.Id, two.Id}, Advertisements: []*enginepb.Advertisement{
		{PortId: one.Id, Mode: "slaac", Prefixes: []string{"2001:db8:a::/64"}, Mtu: 1450, DnsServers: []string{"2001:db8::53", "2001:db8::54"}},
		{PortId: two.Id, Mode: "dhcpv6-stateless", Prefixes: []string{"2001:db8:b::/64"}, Mtu: 1400},
	}}
	netns := "qrouter-" + router.Id
	w.applyHost(router)
	w.plugAt(netns, one)
	w.plugAt(netns, two)
	link := func(of *enginepb.Port) (namespace, name string) {
		p := portIn(of.NetworkId, "")
		namespace = "plmtest-" + uuid.NewString()
		w.plugAt(namespace, p)
		return namespace, linux.TapName(p.Id)
	}
	first, firstTap := link(one)
	second, secondTap := link(two)
	slaac := advert{Lifetime: 1800, MTU: 1450, Prefixes: []string{"2001:db8:a::/64 auto"}, Servers: []string{"2001:db8::53", "2001:db8::54"}}
	hearing(t, first, firstTap, slaac)
	hearing(t, second, secondTap, advert{Other: true, Lifetime: 1800, MTU: 1400, Prefixes: []string{"2001:db8:b::/64 auto"}})

	// A station as they are gives itself an address and finds the way out.
	run(t, "ip", "netns", "exec", first, "sysctl", "-q", "-w", "net.ipv6.conf."+firstTap+".accept_ra=1", "net.ipv6.conf."+firstTap+".autoconf=1")
	eventually(t, "an address of the prefix", func() bool {
		_, _ = solicit(t, first, firstTap)
		return strings.Contains(run(t, "ip", "-n", first, "-6", "addr"), "2001:db8:a:") &&
			strings.Contains(run(t, "ip", "-n", first, "-6", "route"), "default via fe80:")
	})

	changed := proto.CloneOf(router)
	changed.Advertisements[1].Mode = "dhcpv6-stateful"
	w.applyHost(changed)
	hearing(t, second, secondTap, advert{Managed: true, Other: true, Lifetime: 1800, MTU: 1400, Prefixes: []string{"2001:db8:b::/64"}})
	asksNobody(t, second, secondTap)

	w.stop()
	hearing(t, first, firstTap, slaac)
	w.start()
	w.applyHost(router)
	hearing(t, second, secondTap, advert{Other: true, Lifetime: 1800, MTU: 1400, Prefixes: []string{"2001:db8:b::/64 auto"}})

	changed.Advertisements = nil
	w.applyHost(changed)
	if _, heard := solicit(t, first, firstTap); heard {
		t.Error("a router that is to be quiet advertises")
	}
	w.applyHost(router)
	hearing(t, first, firstTap, slaac)
	w.applyHost()
	if files, _ := os.ReadDir(filepath.Join(dnsmasqRoot, w.config.Instance)); len(files) > 0 {
		t.Errorf("files are left: %v", files)
	}
}

// asksNobody wants that no DHCPv6 server answers from the router: a network has its own.
func asksNobody(t *testing.T, namespace, link string) {
	t.Helper()
	var c net.PacketConn
	err := linux.Within(namespace, func() (err error) {
		c, err = net.ListenPacket("udp6", "[::]:546")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var to *net.UDPAddr
	if err := linux.Within(namespace, func() (err error) {
		to, err = net.ResolveUDPAddr("udp6", "[ff02::1:2%"+link+"]:547")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// An information request with a client's identifier (RFC 8415).
	if _, err := c.WriteTo([]byte{11, 1, 2, 3, 0, 1, 0, 10, 0, 3, 0, 1, 0xfa, 0x16, 0x3e, 1, 2, 3}, to); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, from, err := c.ReadFrom(make([]byte, 1500)); err == nil {
		t.Errorf("%s answers a request of DHCPv6 with %d bytes", from, n)
	}
}

// TestAdvertisingConf has what dnsmasq reads.
func TestAdvertisingConf(t *testing.T) {
	got, err := advertisingConf(&enginepb.Router{Id: "r", Advertisements: []*enginepb.Advertisement{
		{PortId: "aaaaaaaa-1111", Mode: "dhcpv6-stateful", Prefixes: []string{"2001:db8:c::/80"}},
		{PortId: "aaaaaaaa-1111", Mode: "slaac", Prefixes: []string{"2001:db8:a::/64", "2001:db8:b::/64"}, Mtu: 1450, DnsServers: []string{"2001:db8::53"}},
		{PortId: "bbbbbbbb-2222", Mode: "dhcpv6-stateless", Prefixes: []string{"2001:db8:d::/64"}, Mtu: 1400},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := `port=0
no-ping
leasefile-ro
bind-dynamic
except-interface=lo
enable-ra
dhcp-duid=0,01
interface=qr-aaaaaaaa-11
ra-param=qr-aaaaaaaa-11,mtu:off,60,1800
dhcp-range=2001:db8:c::,static,80,24h
dhcp-range=2001:db8:a::,ra-only,64,24h
dhcp-range=2001:db8:b::,ra-only,64,24h
dhcp-option=tag:qr-aaaaaaaa-11,option6:dns-server,[2001:db8::53]
interface=qr-bbbbbbbb-22
ra-param=qr-bbbbbbbb-22,mtu:1400,60,1800
dhcp-range=2001:db8:d::,ra-stateless,64,24h
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// TestNotAllIsAdvertised has one thing that cannot be advertised among others.
func TestNotAllIsAdvertised(t *testing.T) {
	got, err := advertisingConf(&enginepb.Router{Advertisements: []*enginepb.Advertisement{
		{PortId: "aaaaaaaa-1111", Mode: "dhcpv6-stateful", Prefixes: []string{"2001:db8::/56", "2001:db8:1::/64"}, DnsServers: []string{"x"}},
		{PortId: "bbbbbbbb-2222", Mode: "x", Prefixes: []string{"2001:db8:2::/64"}},
	}})
	for _, want := range []string{"no range of 56 bits", `"x" is no IPv6 address`, `"x" is no mode`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("advertisingConf = %v, want %s", err, want)
		}
	}
	if text := string(got); !strings.Contains(text, "dhcp-range=2001:db8:1::,static,64,24h") || strings.Contains(text, "bbbbbbbb") {
		t.Errorf("configuration:\n%s", text)
	}
}

// FuzzAdvertisingConf wants that whatever a message says, only what was meant reaches dnsmasq.
func FuzzAdvertisingConf(f *testing.F) {
	f.Add("aaaaaaaa-1111", "slaac", "2001:db8::/64", "2001:db8::53")
	f.Add("x\nport=53", "slaac\nuser=root", "2001:db8::/64\nconf-file=/etc/shadow", "::1%\n")
	f.Fuzz(func(t *testing.T, port, mode, prefix, server string) {
		if checkID("port", port) != nil {
			return // refused before
		}
		conf, err := advertisingConf(&enginepb.Router{Advertisements: []*enginepb.Advertisement{
			{PortId: port, Mode: mode, Prefixes: []string{prefix}, DnsServers: []string{server}}}})
		if n := strings.Count(string(conf), "\n"); n > 11 || err == nil && n != 11 {
			t.Errorf("other lines than those that were meant:\n%s", conf)
		}
	})
}
