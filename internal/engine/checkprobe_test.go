package engine

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"plimsoll/internal/engine/enginepb"
)

// asking is a question about a member at an address of this host.
func asking(kind string, to netip.AddrPort) question {
	return question{
		check: &enginepb.Check{Type: kind, HttpMethod: "GET", HttpPath: "/healthy?a=b", HttpVersion: "1.1", HttpHost: "www.example.com", ExpectedCodes: "200-204"},
		to:    to,
		open: func(domain, kind, protocol int) (int, error) {
			return unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
		},
		unanswered: func(netip.Addr) (bool, error) { return false, nil },
	}
}

// asks wants an answer, or an error, within a time that is enough for both.
func asks(t *testing.T, q question, well bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := probers()[q.check.Type](ctx, q); (err == nil) != well || errors.Is(err, errNotAsked) {
		t.Errorf("%s to %s gives %v, want well %v", q.check.Type, q.to, err, well)
	}
}

// silent wants no answer in the time that there is.
func silent(t *testing.T, q question) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := probers()[q.check.Type](ctx, q); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s to %s gives %v, want that the time is up", q.check.Type, q.to, err)
	}
}

// local are an address of each family.
func local() []netip.Addr {
	return []netip.Addr{netip.MustParseAddr("127.0.0.77"), netip.IPv6Loopback()}
}

// listen takes connections until the test ends.
func listen(t *testing.T, a netip.Addr) (net.Listener, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, netip.MustParseAddrPort(l.Addr().String())
}

// closed is a port at which nobody listens.
func closed(t *testing.T, a netip.Addr) netip.AddrPort {
	t.Helper()
	l, at := listen(t, a)
	_ = l.Close()
	return at
}

// TestNobodyIsAsked has no namespace to ask from: that says nothing about the member, and nobody is asked from elsewhere.
func TestNobodyIsAsked(t *testing.T) {
	_, at := listen(t, local()[0])
	e := &Engine{checks: newSchedule()}
	for kind := range probers() {
		c := &enginepb.Check{Type: kind, TimeoutSeconds: 1, HttpMethod: "GET", HttpPath: "/", ExpectedCodes: "200"}
		p := &enginepb.Probe{MemberId: "m", Address: at.Addr().String(), Port: int32(at.Port())}
		if err := e.probe(t.Context(), "edfacd79-e9ec-4811-8ffe-7cfb8a8b3b03", c, p); !errors.Is(err, errNotAsked) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestAskTCP(t *testing.T) {
	for _, a := range local() {
		_, at := listen(t, a)
		asks(t, asking(typeTCP, at), true)
		asks(t, asking(typeTCP, closed(t, a)), false)
	}
	q := asking(typeTCP, netip.MustParseAddrPort("127.0.0.1:1"))
	q.open = func(int, int, int) (int, error) { return 0, unix.EMFILE }
	if err := askTCP(t.Context(), q); !errors.Is(err, errNotAsked) {
		t.Errorf("without a socket: %v", err)
	}
}

// web serves HTTP: status 204 to the right request, else 418.
func web(t *testing.T, l net.Listener) {
	t.Helper()
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.RequestURI != "/healthy?a=b" || r.Host != "www.example.com" || r.Proto != "HTTP/1.1" {
			rw.WriteHeader(http.StatusTeapot)
			return
		}
		rw.WriteHeader(http.StatusNoContent)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
}

func TestAskHTTP(t *testing.T) {
	for _, a := range local() {
		l, at := listen(t, a)
		web(t, l)
		asks(t, asking(typeHTTP, at), true)
		for _, spoil := range []func(c *enginepb.Check){
			func(c *enginepb.Check) { c.ExpectedCodes = "200" },
			func(c *enginepb.Check) { c.HttpPath = "/" },
			func(c *enginepb.Check) { c.HttpMethod = "HEAD" },
			func(c *enginepb.Check) { c.HttpVersion = "1.0" },
			func(c *enginepb.Check) { c.HttpVersion = "" },
			func(c *enginepb.Check) { c.HttpHost = "" },
		} {
			q := asking(typeHTTP, at)
			spoil(q.check)
			asks(t, q, false)
		}
		asks(t, asking(typeHTTP, closed(t, a)), false)
		_, mute := listen(t, a)
		silent(t, asking(typeHTTP, mute))
	}
}

// certificate is one that nobody trusts.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{text}, PrivateKey: key}
}

func TestAskTLS(t *testing.T) {
	own := certificate(t)
	for _, a := range local() {
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS13} {
			l, at := listen(t, a)
			web(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: version, MaxVersion: version}))
			asks(t, asking(typeTLSHello, at), true)
			asks(t, asking(typeHTTPS, at), true)
			q := asking(typeHTTPS, at)
			q.check.ExpectedCodes = "200"
			asks(t, q, false)
		}
		plain, at := listen(t, a)
		web(t, plain)
		asks(t, asking(typeTLSHello, at), false)
		asks(t, asking(typeHTTPS, at), false)
		_, mute := listen(t, a)
		silent(t, asking(typeTLSHello, mute))
		asks(t, asking(typeTLSHello, closed(t, a)), false)
	}
}

// TestAskEndless has a member whose answer has no end: its code is all that counts.
func TestAskEndless(t *testing.T) {
	l, at := listen(t, local()[0])
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n")
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := askHTTP(ctx, asking(typeHTTP, at)); err != nil || ctx.Err() != nil {
		t.Errorf("it is %v, %v", err, ctx.Err())
	}
}

// TestAskEnds has members that take connections and never answer: a check ends with the engine, whatever time it has left.
func TestAskEnds(t *testing.T) {
	for _, kind := range []string{typeHTTP, typeHTTPS, typeTLSHello} {
		l, at := listen(t, local()[0])
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		go func() {
			if c, err := l.Accept(); err == nil {
				t.Cleanup(func() { _ = c.Close() })
				cancel()
			}
		}()
		if err := probers()[kind](ctx, asking(kind, at)); err == nil {
			t.Errorf("%s: a member that says nothing is well", kind)
		}
		cancel()
	}
}

func TestAskUDP(t *testing.T) {
	for _, a := range local() {
		c, err := net.ListenPacket("udp", netip.AddrPortFrom(a, 0).String())
		if err != nil {
			t.Fatal(err)
		}
		at := netip.MustParseAddrPort(c.LocalAddr().String())
		short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := askUDP(short, asking(typeUDPConnect, at)); err != nil {
			t.Errorf("%s: a member that says nothing: %v", a, err)
		}
		q := asking(typeUDPConnect, at)
		q.unanswered = func(netip.Addr) (bool, error) { return true, nil }
		short, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := askUDP(short, q); !errors.Is(err, unix.EHOSTUNREACH) {
			t.Errorf("%s: a member that is not there: %v", a, err)
		}
		_ = c.Close()
		asks(t, asking(typeUDPConnect, at), false)
	}
}

func TestAskPing(t *testing.T) {
	for _, a := range local() {
		asks(t, asking(typePing, netip.AddrPortFrom(a, 80)), true)
	}
}

// association answers INITs at an address: with a chunk of a type, or not at all.
func association(t *testing.T, a netip.Addr, port uint16, chunk byte) {
	t.Helper()
	network := "ip6:132"
	if a.Is4() {
		network = "ip4:132"
	}
	c, err := net.ListenPacket(network, a.String())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = c.Close(); <-done })
	go func() {
		defer close(done)
		in := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(in)
			if err != nil {
				return
			}
			p := in[:n]
			if n < 32 || p[sctpHeader] != sctpInit || binary.BigEndian.Uint16(p[2:]) != port || chunk == 0 {
				continue
			}
			asker := sctpEnd{from: port, to: binary.BigEndian.Uint16(p)}
			value := append([]byte{1, 2, 3, 4}, p[sctpHeader+8:]...)
			_, _ = c.WriteTo(asker.packet(binary.BigEndian.Uint32(p[sctpHeader+4:]), chunk, value), from)
		}
	}()
}

func TestAskSCTP(t *testing.T) {
	for _, a := range local() {
		association(t, a, 5001, sctpInitAck)
		association(t, a, 5002, sctpAbort)
		association(t, a, 5003, 0)
		asks(t, asking(typeSCTP, netip.AddrPortFrom(a, 5001)), true)
		asks(t, asking(typeSCTP, netip.AddrPortFrom(a, 5002)), false)
		silent(t, asking(typeSCTP, netip.AddrPortFrom(a, 5003)))
	}
}

// TestSCTPPacket compares a packet with one whose CRC32c was computed elsewhere, and has every bit of an answer count.
func TestSCTPPacket(t *testing.T) {
	own := sctpEnd{from: 40000, to: 80, tag: 0x01020304}
	if got := hex.EncodeToString(own.init()); got != "9c4000500000000077c5366b01000014010203040001000000010001fefdfcfb" {
		t.Errorf("INIT is %s", got)
	}
	answer := sctpEnd{from: 80, to: 40000}.packet(own.tag, sctpInitAck, append([]byte{9, 8, 7, 6}, make([]byte, 12)...))
	if chunk, tag := own.read(answer); chunk != sctpInitAck || tag != 0x09080706 {
		t.Errorf("read gives %d, %x", chunk, tag)
	}
	for bit := range 8 * len(answer) {
		spoilt := append([]byte(nil), answer...)
		spoilt[bit/8] ^= 1 << (bit % 8)
		if chunk, _ := own.read(spoilt); chunk != 0 {
			t.Errorf("bit %d does not count", bit)
		}
	}
	for n := range answer {
		if chunk, _ := own.read(answer[:n]); chunk != 0 {
			t.Errorf("%d bytes are taken for an answer", n)
		}
	}
}

func FuzzSCTPRead(f *testing.F) {
	own := sctpEnd{from: 40000, to: 80, tag: 1}
	f.Add(sctpEnd{from: 80, to: 40000}.packet(1, sctpAbort, nil))
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, a := range local() {
			_, _ = own.read(payload(packet, a))
			_ = answers(payload(packet, a), unix.IPPROTO_ICMP, ipv4.ICMPTypeEchoReply, &icmp.Echo{ID: 1, Seq: 1})
		}
	})
}

func FuzzParseCodes(f *testing.F) {
	f.Add("200, 204")
	f.Add("200-299")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseCodes(text)
		for _, r := range all {
			if err == nil && (r.from < 0 || r.to > 1023 || r.from > r.to) {
				t.Errorf("%q: %v", text, r)
			}
		}
	})
}
