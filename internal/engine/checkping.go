package engine

import (
	"context"
	"fmt"
	"math/rand/v2"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// askPing wants an answer to one ICMP echo (RFC 792, RFC 4443).
func askPing(ctx context.Context, q question) error {
	four := q.to.Addr().Is4()
	protocol, kind, reply := unix.IPPROTO_ICMPV6, icmp.Type(ipv6.ICMPTypeEchoRequest), icmp.Type(ipv6.ICMPTypeEchoReply)
	if four {
		protocol, kind, reply = unix.IPPROTO_ICMP, ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	}
	w, err := q.connect(ctx, unix.SOCK_RAW, protocol)
	if err != nil {
		return err
	}
	defer w.close()
	// All sockets of a namespace see all answers: the numbers tell whose one is.
	echo := &icmp.Echo{ID: rand.IntN(1 << 16), Seq: rand.IntN(1 << 16), Data: []byte("plimsoll")}
	packet, err := (&icmp.Message{Type: kind, Body: echo}).Marshal(nil) // of ICMPv6 the kernel sets the checksum
	if err != nil {
		return fmt.Errorf("%w: %w", errNotAsked, err)
	}
	if err := w.send(packet); err != nil {
		return err
	}
	in := make([]byte, 1500)
	for {
		n, err := w.receive(in)
		if err != nil {
			return err
		}
		if answers(payload(in[:n], q.to.Addr()), protocol, reply, echo) {
			return nil
		}
	}
}

// answers tells whether a message is the reply to an echo.
func answers(message []byte, protocol int, reply icmp.Type, echo *icmp.Echo) bool {
	m, err := icmp.ParseMessage(protocol, message)
	if err != nil || m.Type != reply {
		return false
	}
	body, ok := m.Body.(*icmp.Echo)
	return ok && body.ID == echo.ID && body.Seq == echo.Seq
}
