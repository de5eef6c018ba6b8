package harness

import (
	"context"
	order "encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"testing"
	"time"
)

// The chunks of SCTP that are spoken here (RFC 9260, section 3.2).
const (
	sctpInit         = 1
	sctpInitAck      = 2
	sctpHeartbeat    = 4
	sctpHeartbeatAck = 5
	sctpCookieEcho   = 10
	sctpCookieAck    = 11
)

// sctpCookie is the type of the parameter of an INIT ACK that holds the cookie (RFC 9260, section 3.3.3).
const sctpCookie = 7

// packet is a packet of SCTP with one chunk. The kernel of these tests has no SCTP: whole packets go through raw sockets.
type packet struct {
	from, to uint16
	tag      uint32
	kind     byte
	value    []byte
}

// castagnoli is the table of SCTP's checksum (RFC 9260, appendix A).
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func (p packet) marshal() []byte {
	b := order.BigEndian.AppendUint16(nil, p.from)
	b = order.BigEndian.AppendUint16(b, p.to)
	b = order.BigEndian.AppendUint32(b, p.tag)
	b = append(b, 0, 0, 0, 0, p.kind, 0)
	b = order.BigEndian.AppendUint16(b, uint16(4+len(p.value)))
	b = append(b, p.value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	order.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, castagnoli()))
	return b
}

// parsePacket wants the right checksum.
func parsePacket(b []byte) (p packet, err error) {
	if len(b) < 16 {
		return p, errors.New("the packet is too short")
	}
	sum := order.LittleEndian.Uint32(b[8:])
	bare := append([]byte(nil), b...)
	copy(bare[8:12], make([]byte, 4))
	if now := crc32.Checksum(bare, castagnoli()); now != sum {
		return p, fmt.Errorf("the checksum is %08x, want %08x", sum, now)
	}
	length := int(order.BigEndian.Uint16(b[14:]))
	if length < 4 || 12+length > len(b) {
		return p, errors.New("the chunk is too short")
	}
	return packet{order.BigEndian.Uint16(b), order.BigEndian.Uint16(b[2:]), order.BigEndian.Uint32(b[4:]), b[12], b[16 : 12+length]}, nil
}

// initiation is the value of an INIT, or of an INIT ACK with a cookie.
func initiation(tag uint32, cookie string) []byte {
	b := order.BigEndian.AppendUint32(nil, tag)
	b = order.BigEndian.AppendUint32(b, 65536) // window
	b = append(b, 0, 1, 0, 1)                  // streams
	b = order.BigEndian.AppendUint32(b, tag)   // the first TSN
	if cookie == "" {
		return b
	}
	b = order.BigEndian.AppendUint16(b, sctpCookie)
	b = order.BigEndian.AppendUint16(b, uint16(4+len(cookie)))
	return append(b, cookie...)
}

func cookieOf(value []byte) string {
	if len(value) < 20 || order.BigEndian.Uint16(value[16:]) != sctpCookie {
		return ""
	}
	return string(value[20:min(len(value), 16+int(order.BigEndian.Uint16(value[18:])))])
}

func (n *Node) rawSCTP() (conn net.PacketConn, err error) {
	err = n.inside(func() error {
		conn, err = new(net.ListenConfig).ListenPacket(context.Background(), "ip4:132", n.Address)
		return err
	})
	return conn, err
}

// ServeSCTP answers associations to a port of a node, as far as INIT, COOKIE ECHO and HEARTBEAT, until the test ends. Its cookies are its name.
func (n *Node) ServeSCTP(t testing.TB, port int, name string) {
	t.Helper()
	conn, err := n.rawSCTP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go serveSCTP(conn, uint16(port), name)
}

func serveSCTP(conn net.PacketConn, port uint16, name string) {
	const own = 0x5e12e1 // our tag, of all associations
	peers := map[string]uint32{}
	buffer := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		p, err := parsePacket(buffer[:n])
		if err != nil || p.to != port {
			continue
		}
		peer := fmt.Sprintf("%s %d", from, p.from)
		answer := packet{from: port, to: p.from, value: p.value}
		switch p.kind {
		case sctpInit:
			peers[peer] = order.BigEndian.Uint32(p.value)
			answer.kind, answer.value = sctpInitAck, initiation(own, name)
		case sctpCookieEcho:
			answer.kind, answer.value = sctpCookieAck, nil
		case sctpHeartbeat:
			answer.kind = sctpHeartbeatAck
		default:
			continue
		}
		if p.kind != sctpInit && p.tag != own {
			continue
		}
		answer.tag = peers[peer]
		_, _ = conn.WriteTo(answer.marshal(), from)
	}
}

// Association is an association of SCTP from a node.
type Association struct {
	Server string // the name of who answered

	conn net.PacketConn
	to   net.Addr
	own  packet // its ports, and the peer's tag
}

// errSilence is that nobody answered in time.
var errSilence = errors.New("no answer")

// Associate makes an association from a port of a node. The test closes it when it ends.
func (n *Node) Associate(t testing.TB, port int, address string, to int) (*Association, error) {
	t.Helper()
	conn, err := n.rawSCTP()
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	a := &Association{conn: conn, to: &net.IPAddr{IP: net.ParseIP(address)}, own: packet{from: uint16(port), to: uint16(to)}}
	const tag = 0xc11e47
	ack, err := a.exchange(sctpInit, initiation(tag, ""), sctpInitAck)
	if err != nil {
		return nil, fmt.Errorf("INIT: %w", err)
	}
	if ack.tag != tag {
		return nil, fmt.Errorf("INIT ACK has tag %x", ack.tag)
	}
	a.own.tag, a.Server = order.BigEndian.Uint32(ack.value), cookieOf(ack.value)
	if _, err := a.exchange(sctpCookieEcho, []byte(a.Server), sctpCookieAck); err != nil {
		return nil, fmt.Errorf("COOKIE ECHO: %w", err)
	}
	return a, nil
}

// Beat sends a HEARTBEAT and wants its answer.
func (a *Association) Beat() error {
	const info = "\x00\x01\x00\x08beat"
	ack, err := a.exchange(sctpHeartbeat, []byte(info), sctpHeartbeatAck)
	if err == nil && string(ack.value) != info {
		err = fmt.Errorf("HEARTBEAT ACK has %q", ack.value)
	}
	return err
}

// exchange sends a chunk and waits for the one that answers it.
func (a *Association) exchange(kind byte, value []byte, want byte) (packet, error) {
	p := a.own
	p.kind, p.value = kind, value
	if _, err := a.conn.WriteTo(p.marshal(), a.to); err != nil {
		return packet{}, err
	}
	_ = a.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	buffer := make([]byte, 65536)
	for {
		n, from, err := a.conn.ReadFrom(buffer)
		if err != nil {
			return packet{}, errSilence
		}
		if from.String() != a.to.String() {
			continue
		}
		got, err := parsePacket(buffer[:n])
		if err != nil {
			return packet{}, err
		}
		if got.to == a.own.from && got.from == a.own.to && got.kind == want {
			return got, nil
		}
	}
}
