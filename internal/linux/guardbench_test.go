package linux

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/guard"
)

// manyGuards are ports of 50 projects, each in its project's default group, which lets its own members in.
func manyGuards(n int) (ports []guard.Port, groups []guard.Group) {
	for g := range 50 {
		id := fmt.Sprintf("group-%d", g)
		mine, mine6 := ingress(false, -1, -1, -1), ingress(true, -1, -1, -1)
		mine.Remote, mine6.Remote = id, id
		groups = append(groups, guard.Group{ID: id, Rules: append(egress(), mine, mine6)})
	}
	for i := range n {
		id, g := fmt.Sprintf("%011x", i), &groups[i%len(groups)]
		four := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		six := netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)}), 128)
		g.Members = append(g.Members, four, six)
		mac := guard.MAC{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)}
		ports = append(ports, guard.Port{ID: id, Link: HostName(id), Bridge: fmt.Sprintf("brq%011x", i%500), Groups: []string{g.ID},
			Pairs: []guard.Pair{{MAC: mac, Addresses: four}, {MAC: mac, Addresses: six}}})
	}
	return ports, groups
}

// BenchmarkGuards tells what one guarded port more costs where there are many, in 50 groups and 500 networks.
func BenchmarkGuards(b *testing.B) {
	const many = 1500
	h := benchHost(b)
	for _, more := range []int{0, 1} {
		ports, groups := manyGuards(many + more)
		b.Run([]string{"all", "onemore"}[more], func(b *testing.B) {
			fewer, few := manyGuards(many)
			for b.Loop() {
				b.StopTimer()
				err := h.RemoveGuards()
				if more == 1 {
					err = h.SetGuards(fewer, few)
				}
				b.StartTimer()
				if err == nil {
					err = h.SetGuards(ports, groups)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	ports, groups := manyGuards(many)
	b.Run("same", func(b *testing.B) {
		for b.Loop() {
			if err := h.SetGuards(ports, groups); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := readGuards(h.guardTable()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("audit", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.AuditGuards(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchHost(b *testing.B) *Host {
	b.Helper()
	h, err := Open(uuid.NewString())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Sweep(nil, nil); err != nil {
			b.Errorf("Sweep: %v", err)
		}
		h.Close()
	})
	return h
}

// BenchmarkGuardTraffic tells what a guard costs the traffic between two ports of a bridge: bytes of a stream, and round trips of a byte.
func BenchmarkGuardTraffic(b *testing.B) {
	for _, guarded := range []bool{false, true} {
		h := benchHost(b)
		network := uuid.NewString()
		var ports []guard.Port
		var spaces []string
		for i := range byte(2) {
			p := Port{ID: uuid.NewString(), NetworkID: network, MTU: 1450, MAC: net.HardwareAddr{0xfa, 0x16, 0x3e, 9, 9, i}, Guarded: guarded,
				Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 9, i + 1}), 24)}}
			name := "plmtest-" + uuid.NewString()
			if _, err := h.EnsureNamespace(name); err != nil {
				b.Fatal(err)
			}
			if _, err := h.EnsurePort(name, p); err != nil {
				b.Fatal(err)
			}
			spaces = append(spaces, name)
			ports = append(ports, guard.Port{ID: p.ID, Link: HostName(p.ID), Bridge: BridgeName(network), Groups: []string{"g"},
				Pairs: []guard.Pair{{MAC: guard.MAC(p.MAC), Addresses: netip.PrefixFrom(p.Addresses[0].Addr(), 32)}}})
		}
		if guarded {
			rules := append(egress(), ingress(false, 6, 80, 80), ingress(false, 6, 81, 81))
			more, groups := manyGuards(1500)
			if err := h.SetGuards(append(ports, more...), append(groups, guard.Group{ID: "g", Rules: rules})); err != nil {
				b.Fatal(err)
			}
		}
		conn := benchConnection(b, spaces)
		b.Run(fmt.Sprintf("guarded=%t/stream", guarded), func(b *testing.B) {
			block := make([]byte, 1<<20)
			b.SetBytes(int64(len(block)))
			for b.Loop() {
				go func() { _, _ = conn.Write(block) }()
				if _, err := io.ReadFull(conn, make([]byte, len(block))); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("guarded=%t/roundtrip", guarded), func(b *testing.B) {
			one := make([]byte, 1)
			for b.Loop() {
				if _, err := conn.Write(one); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, one); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchConnection is a connection from the first namespace to an echo in the second.
func benchConnection(b *testing.B, spaces []string) (conn net.Conn) {
	b.Helper()
	var l net.Listener
	if err := Within(spaces[1], func() (err error) { l, err = net.Listen("tcp", "10.9.9.2:80"); return err }); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	if err := Within(spaces[0], func() (err error) { conn, err = net.Dial("tcp", "10.9.9.2:80"); return err }); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}
