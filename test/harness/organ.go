package harness

import (
	"context"
	wire "encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// OrganPort is where members answer to their health monitor, apart from the port of their traffic.
const OrganPort = 9000

// An Organ is what a health monitor asks a member for. It can fail while the member goes on to serve, so that traffic shows what the
// monitor decides.
type Organ interface {
	Start(t testing.TB, n *Node) // again after Stop
	Stop(t testing.TB)
}

// HTTPOrgan answers HTTP, with TLS of a certificate that nobody trusts where it is wanted: 204 to what is to be asked, else 400.
type HTTPOrgan struct {
	TLS                       bool
	Method, Path, Host, Proto string // "" takes every request

	Ill    atomic.Bool  // it answers 503
	Well   atomic.Int64 // answers with 204
	Failed atomic.Int64 // answers while it was ill

	server *httptest.Server
}

// Start begins to listen.
func (o *HTTPOrgan) Start(t testing.TB, n *Node) {
	t.Helper()
	l, err := n.Listen("tcp", JoinPort(n.Address, OrganPort))
	if err != nil {
		t.Fatal(err)
	}
	o.server = &httptest.Server{Listener: l, Config: &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(o.answer)}}
	if o.TLS {
		o.server.StartTLS()
	} else {
		o.server.Start()
	}
}

// Stop closes the port.
func (o *HTTPOrgan) Stop(testing.TB) {
	if o.server != nil {
		o.server.CloseClientConnections()
		o.server.Close()
		o.server = nil
	}
}

func (o *HTTPOrgan) answer(rw http.ResponseWriter, r *http.Request) {
	switch {
	case o.Ill.Load():
		o.Failed.Add(1)
		rw.WriteHeader(http.StatusServiceUnavailable)
	case o.Method != "" && (r.Method != o.Method || r.RequestURI != o.Path || r.Host != o.Host || r.Proto != o.Proto):
		rw.WriteHeader(http.StatusBadRequest)
	default:
		o.Well.Add(1)
		rw.WriteHeader(http.StatusNoContent)
	}
}

// UDPOrgan is an open port.
type UDPOrgan struct{ server *Datagrams }

// Start opens the port.
func (o *UDPOrgan) Start(t testing.TB, n *Node) {
	t.Helper()
	o.server = n.ServeDatagrams(t, OrganPort, "organ")
}

// Stop closes the port.
func (o *UDPOrgan) Stop(testing.TB) { o.server.Stop() }

// PingOrgan is the host's answer to ICMP echoes.
type PingOrgan struct{ node *Node }

// Start has echoes answered.
func (o *PingOrgan) Start(t testing.TB, n *Node) {
	t.Helper()
	o.node = n
	o.ignore(t, "0")
}

// Stop has echoes ignored.
func (o *PingOrgan) Stop(t testing.TB) { t.Helper(); o.ignore(t, "1") }

func (o *PingOrgan) ignore(t testing.TB, value string) {
	t.Helper()
	if err := o.node.inside(func() error {
		file := "/proc/sys/net/ipv4/icmp_echo_ignore_all"
		if o.node.six() {
			file = "/proc/sys/net/ipv6/icmp/echo_ignore_all"
		}
		return os.WriteFile(file, []byte(value), 0o644)
	}); err != nil {
		t.Error(err)
	}
}

// SCTPOrgan answers INIT with INIT ACK, as a server of SCTP begins (RFC 9260, section 5.1). The kernel has no SCTP.
type SCTPOrgan struct {
	conn net.PacketConn
	done chan struct{}
}

// Start begins to answer.
func (o *SCTPOrgan) Start(t testing.TB, n *Node) {
	t.Helper()
	if err := n.inside(func() (err error) {
		network := "ip4:132"
		if n.six() {
			network = "ip6:132"
		}
		o.conn, err = new(net.ListenConfig).ListenPacket(context.Background(), network, n.Address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	o.done = make(chan struct{})
	go o.answer(o.conn, o.done)
}

// Stop ends the answers: the kernel says instead that it knows no such protocol.
func (o *SCTPOrgan) Stop(testing.TB) {
	if o.conn != nil {
		_ = o.conn.Close()
		<-o.done
		o.conn = nil
	}
}

func (o *SCTPOrgan) answer(conn net.PacketConn, done chan<- struct{}) {
	defer close(done)
	in := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(in)
		if err != nil {
			return
		}
		if n < 32 || in[12] != 1 || wire.BigEndian.Uint16(in[2:]) != OrganPort {
			continue
		}
		out := slices.Clone(in[:32])
		copy(out, in[2:4])       // the port that was asked answers
		copy(out[2:], in[:2])    // the one that asked
		copy(out[4:], in[16:20]) // with the tag that it asked for
		out[12] = 2
		clear(out[8:12])
		wire.LittleEndian.PutUint32(out[8:], crc32.Checksum(out, crc32.MakeTable(crc32.Castagnoli)))
		_, _ = conn.WriteTo(out, from)
	}
}

// six tells whether the node's first address is one of IPv6.
func (n *Node) six() bool { return strings.Contains(n.Address, ":") }

// Mute has a node drop what is sent to its organ's port, so that whoever asks hears nothing, or take it again.
func (n *Node) Mute(t testing.TB, mute bool) {
	t.Helper()
	rules := "delete table inet mute\n"
	if mute {
		rules = fmt.Sprintf("table inet mute { chain in { type filter hook prerouting priority -300;\n"+
			" meta l4proto { tcp, udp, sctp } th dport %d drop\n }\n}\n", OrganPort)
	}
	nft := exec.CommandContext(t.Context(), "ip", "netns", "exec", n.NetNS, "nft", "-f", "-")
	nft.Stdin = strings.NewReader(rules)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Errorf("mute %s: %v: %s", n.NetNS, err, out)
	}
}
