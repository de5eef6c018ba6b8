package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Datagrams is a UDP server on a node that answers every datagram with its name.
type Datagrams struct {
	Node *Node
	Name string
	Port int

	mu   sync.Mutex
	conn net.PacketConn
	from map[string]bool
}

// ServeDatagrams starts a UDP server on a node's address, until the test ends.
func (n *Node) ServeDatagrams(t testing.TB, port int, name string) *Datagrams {
	t.Helper()
	d := &Datagrams{Node: n, Name: name, Port: port, from: map[string]bool{}}
	if err := d.TryStart(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return d
}

// TryStart starts the server, again after Stop.
func (d *Datagrams) TryStart() error {
	var conn net.PacketConn
	err := d.Node.inside(func() (err error) {
		conn, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp", net.JoinHostPort(d.Node.Address, strconv.Itoa(d.Port)))
		return err
	})
	if err != nil {
		return fmt.Errorf("serve %s: %w", d.Name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = conn
	go d.answer(conn)
	return nil
}

func (d *Datagrams) answer(conn net.PacketConn) {
	buffer := make([]byte, 65536)
	for {
		_, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		host, _, _ := net.SplitHostPort(from.String())
		d.mu.Lock()
		d.from[host] = true
		d.mu.Unlock()
		_, _ = conn.WriteTo([]byte(d.Name), from)
	}
}

// Sources returns the addresses that datagrams came from.
func (d *Datagrams) Sources() map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]bool{}
	for host := range d.from {
		all[host] = true
	}
	return all
}

// Stop ends the server: its port is closed.
func (d *Datagrams) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.Close()
		d.conn = nil
	}
}

// DialFrom connects from within the namespace, from an address of it; its port may be 0.
func (n *Node) DialFrom(network, from, to string) (c net.Conn, err error) {
	local, err := net.ResolveUDPAddr("udp", from)
	if err != nil {
		return nil, err
	}
	err = n.inside(func() error {
		c, err = (&net.Dialer{LocalAddr: local}).Dial(network, to)
		return err
	})
	return c, err
}

// Ask sends a datagram over a connection and returns the answer. A lost one is an error, after half a second.
func Ask(c net.Conn, question string) (string, error) {
	return AskFor(c, question, 500*time.Millisecond)
}

// AskFor is Ask that waits for so long: what has to be answered may be so late on a busy machine.
func AskFor(c net.Conn, question string, wait time.Duration) (string, error) {
	_ = c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write([]byte(question)); err != nil {
		return "", err
	}
	buffer := make([]byte, 65536)
	n, err := c.Read(buffer)
	return string(buffer[:n]), err
}

// Flow begins a flow of its own: from a source port that the node has not used for some thousand flows, since the kernel may draw that of a
// flow which the load balancer still remembers, and which then stays with its member.
func (n *Node) Flow(address string) (c net.Conn, err error) {
	for range 50 { // some may be taken
		port := 20000 + n.flows.Add(1)%10000
		if c, err = n.DialFrom("udp", ":"+strconv.Itoa(int(port)), address); !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return c, err
}

// AskOnce asks in a flow of its own.
func (n *Node) AskOnce(_ testing.TB, address string) (string, error) {
	c, err := n.Flow(address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return Ask(c, "?")
}
