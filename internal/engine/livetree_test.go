package engine

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
	"plimsoll/lbaas"
)

// liveSeeds begin the sequences of trees that are applied over one another.
var liveSeeds = []uint64{1, 2}

// treesEach is how many trees a sequence has.
const treesEach = 6

// TestCombinationsLive applies random trees over one another to a real engine. After each, the HAProxy that runs is as one that is started
// anew, and requests are answered as an independent model says.
func TestCombinationsLive(t *testing.T) {
	for _, seed := range liveSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newLive(t).sequence(seed * 1000 * *firstSeed)
		})
	}
}

// live is an engine, one load balancer on it, members that speak all that a pool may speak, and a client.
type live struct {
	*world
	at      place
	secrets haproxy.Secrets
	port    *enginepb.Port
	client  string // its namespace
	lb      *lbaas.LoadBalancer
}

func newLive(t *testing.T) *live {
	w := newWorld(t)
	at, secrets := treeSecrets(t)
	l := &live{world: w, at: at, secrets: secrets, port: w.port()}
	var client netip.Addr
	l.client, client = w.plug()
	l.at.live, l.at.client = true, netip.PrefixFrom(client, 32)
	l.at.vips, l.at.ports = []netip.Addr{netip.MustParsePrefix(l.port.Addresses[0]).Addr()}, []int{80}
	for range 3 {
		namespace, addr := w.plug()
		l.at.members = append(l.at.members, addr)
		l.member(namespace, addr)
	}
	return l
}

// sequence applies trees in a random order: new ones, and ones that differ little from the one before.
func (l *live) sequence(seed uint64) {
	for n := range treesEach {
		at := seed + uint64(n)
		lb := randomTree(at, l.at)
		if n%2 == 1 {
			lb = l.nudged(at)
		}
		lb.ID, lb.Epoch, lb.Progress.Generation = l.network, 1, int64(n+1) // an id of its own: it names the namespace
		l.lb = lb
		if err := l.apply(); err != nil {
			l.t.Fatalf("tree %d of seed %d: %v\n%s", n, seed, err, treeText(lb))
		}
	}
}

// nudged is the tree of the step before with other weights, switches and members.
func (l *live) nudged(seed uint64) *lbaas.LoadBalancer {
	m := &maker{Rand: randomTreeSource(seed), place: l.at, deployment: lbaas.DefaultDeployment()}
	lb := randomTree(seed-1, l.at)
	for _, p := range lb.Pools {
		if len(p.Members) > 1 && m.oneIn(2) {
			p.Members = slices.Delete(p.Members, 0, 1)
		}
		for _, one := range p.Members {
			one.Weight, one.AdminStateUp = pick(m, 0, 1, 5), !m.oneIn(4)
		}
	}
	return m.supported(lb)
}

func (l *live) spec() *enginepb.Spec {
	return haproxy.Render(l.lb, []*enginepb.Port{l.port}, l.secrets, haproxy.Options{StateDir: l.dir, User: "haproxy", Group: "haproxy", FDLimit: 4000})
}

func (l *live) apply() error {
	spec := l.spec()
	reply, err := l.world.client.Apply(l.t.Context(), &enginepb.ApplyRequest{Spec: spec})
	if err != nil {
		return err
	}
	if len(reply.Failures) > 0 {
		return fmt.Errorf("it failed: %v", reply.Failures)
	}
	want, err := l.anew(spec)
	if err != nil {
		return err
	}
	var diff string
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, err := pictureOfProcess(l.runDir(), spec)
		if err != nil {
			return err
		}
		if diff = cmp.Diff(want, got); diff == "" {
			return l.follows()
		}
	}
	return fmt.Errorf("after %s (-started anew +running):\n%s", reply.Method, diff)
}

func (l *live) runDir() string { return filepath.Join(l.dir, "lbaas", "v2", l.lb.ID) }

var (
	bindLine = regexp.MustCompile(`(?m)^( +bind )\S+:(\d+)`)
	peerLine = regexp.MustCompile(`(?m)^( +peer local 127\.0\.0\.1:)\d+`)
)

// anew starts a HAProxy with the same configuration beside the one that runs, at other addresses, and says how that looks.
func (l *live) anew(spec *enginepb.Spec) (map[string]string, error) {
	dir, err := os.MkdirTemp("", "hp")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	text, _ := haproxy.File(spec)
	text = bindLine.ReplaceAll(text, []byte("${1}127.0.0.1:${2}"))
	text = peerLine.ReplaceAll(text, []byte("${1}1026"))
	text = regexp.MustCompile(`(?m)^    (user|group) .*\n`).ReplaceAll(text, nil)
	if err := layOut(dir, text, spec); err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }()
	var said bytes.Buffer
	cmd := exec.Command("ip", "netns", "exec", namespaceName(spec.LoadBalancerId), "haproxy", "-L", haproxy.LocalPeer, "-f", haproxy.ConfigFile)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = dir, &said, &said, []*os.File{null}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		p, err := pictureOfProcess(dir, spec)
		if err == nil || time.Now().After(end) {
			return p, err
		}
	}
}

// pictureOfProcess is what a HAProxy says of its servers, proxies, certificates, lists and maps, but for servers that only wait to be removed.
func pictureOfProcess(dir string, spec *enginepb.Spec) (map[string]string, error) {
	answer, err := askIn(dir, "show servers state")
	if err != nil {
		return nil, err
	}
	states, err := haproxy.ParseServersState(answer)
	if err != nil {
		return nil, err
	}
	all, wanted := map[string]string{}, map[string]bool{}
	for _, s := range spec.Servers {
		wanted[s.Backend+"/"+s.Name] = true
	}
	for _, s := range states {
		if name := s.Backend + "/" + s.Name; wanted[name] || !s.Maintenance() {
			all[name] = fmt.Sprintf("%s:%d weight %d maintenance %t", s.Address, s.Port, s.Weight, s.Maintenance())
		}
	}
	answer, err = askIn(dir, "show stat")
	if err != nil {
		return nil, err
	}
	stats, err := haproxy.ParseStat(answer)
	if err != nil {
		return nil, err
	}
	for _, s := range stats {
		s.Status, _, _ = strings.Cut(s.Status, " ") // not how many checks it took
		if name := s.Proxy + "/" + s.Name; all[name] != "" || s.Name == "FRONTEND" {
			all[name] += " " + s.Status
		}
	}
	for _, f := range spec.Files {
		command := map[enginepb.File_Kind]string{
			enginepb.File_CERTIFICATE: "show ssl cert", enginepb.File_CERTIFICATE_LIST: "show ssl crt-list", enginepb.File_MAP: "show map",
		}[f.Kind]
		if command == "" {
			continue
		}
		answer, err := askIn(dir, command+" "+haproxy.FileName(f.Name))
		if err != nil {
			return nil, err
		}
		lines := strings.Split(pointers.ReplaceAllString(string(answer), ""), "\n")
		slices.Sort(lines)
		all[f.Name] = strings.Join(lines, "\n")
	}
	return all, nil
}

// pointers are addresses of memory, in maps.
var pointers = regexp.MustCompile(`0x[0-9a-f]+ `)

// member serves a web server that says its address, whatever of PROXY and TLS comes before the request; and datagrams.
func (l *live) member(namespace string, addr netip.Addr) {
	l.t.Helper()
	var listener net.Listener
	var datagrams net.PacketConn
	err := linux.Within(namespace, func() (err error) {
		if listener, err = net.Listen("tcp", netip.AddrPortFrom(addr, 80).String()); err != nil {
			return err
		}
		datagrams, err = net.ListenPacket("udp", netip.AddrPortFrom(addr, 80).String())
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	own := newCertificate(l.t, "member", 9)
	pair, err := tls.X509KeyPair(own.cert, own.key)
	if err != nil {
		l.t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() { serveAnything(listener, &tls.Config{Certificates: []tls.Certificate{pair}}, addr.String()) })
	group.Go(func() {
		buffer := make([]byte, 100)
		for {
			_, from, err := datagrams.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = datagrams.WriteTo([]byte(addr.String()), from)
		}
	})
	l.t.Cleanup(func() { _ = listener.Close(); _ = datagrams.Close(); group.Wait() })
}

// serveAnything answers one request of each connection.
func serveAnything(listener net.Listener, config *tls.Config, name string) {
	var group sync.WaitGroup
	defer group.Wait()
	for {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		group.Go(func() { defer func() { _ = c.Close() }(); answerOne(c, config, name) })
	}
}

func answerOne(c net.Conn, config *tls.Config, name string) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	if start, err := r.Peek(6); err == nil && string(start) == "PROXY " {
		_, _ = r.ReadString('\n')
	} else if err == nil && string(start) == "\r\n\r\n\x00\r" {
		head := make([]byte, 16)
		_, _ = io.ReadFull(r, head)
		_, _ = r.Discard(int(head[14])<<8 | int(head[15]))
	}
	if start, err := r.Peek(1); err == nil && start[0] == 0x16 {
		secure := tls.Server(&peeked{c, r}, config)
		c, r = secure, bufio.NewReader(secure)
	}
	if _, err := http.ReadRequest(r); err != nil {
		return
	}
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(name), name)
}

// peeked is a connection of which the beginning was read.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// Requests of the tests: the words are those of the rules.
var liveRequests = []struct {
	host, path, header, value, cookie string
}{
	{"www.example.com", "/", "X-Kind", "alpha", "sid=alpha"}, {"api.example.com", "/a/b.jpg", "X-Other", "$HOME", "other=a"},
	{"www.example.org", "/login.php", "X-Kind", "two words", "sid=b"}, {"x.COM", "/a", "X-Other", "-i", "none=1"},
}

// follows makes requests at each listener, and compares the answers with the model's.
func (l *live) follows() error {
	for _, one := range l.lb.Listeners {
		switch one.Protocol {
		case lbaas.SCTP: // kernels of tests have none
			continue
		case lbaas.UDP:
			want := l.model(one, 0)
			if got := l.askUDP(one); !want[got] {
				return fmt.Errorf("UDP at port %d: %q, want %v", one.ProtocolPort, got, slices.Sorted(maps.Keys(want)))
			}
			continue
		}
		for i := range liveRequests {
			want := l.model(one, i)
			if got := l.ask(one, i); !want[got] {
				return fmt.Errorf("%+v at %s port %d: %q, want %q", liveRequests[i], one.Protocol, one.ProtocolPort, got, slices.Sorted(maps.Keys(want)))
			}
		}
	}
	return nil
}

// ask makes a request, and says who answers: a member, a status with its location, or "closed".
func (l *live) ask(at *lbaas.Listener, i int) string {
	q := liveRequests[i]
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		err = linux.Within(l.client, func() error {
			c, err = (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, addr)
			return err
		})
		return c, err
	}}
	defer transport.CloseIdleConnections()
	scheme, path := "http", q.path
	if at.Protocol == lbaas.Prometheus {
		path = "/metrics"
	}
	if at.UsesTLS() {
		scheme = "https"
		pair, err := tls.X509KeyPair(l.secrets["http://keys/cert/1"], l.secrets["http://keys/cert/1"])
		if err != nil {
			return err.Error()
		}
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}
	}
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, fmt.Sprintf("%s://%s:%d%s", scheme, l.at.vips[0], at.ProtocolPort, path), nil)
	if err != nil {
		return err.Error()
	}
	req.Host = q.host
	req.Header.Set(q.header, q.value)
	req.Header.Set("Cookie", q.cookie)
	resp, err := transport.RoundTrip(req) // a Client would read the location, too
	if err != nil {
		return "closed"
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err.Error()
	case at.Protocol == lbaas.Prometheus && bytes.Contains(body, []byte("octavia_")):
		return "metrics"
	case resp.StatusCode == http.StatusOK:
		return string(body)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, resp.Header.Get("Location")))
}

func (l *live) askUDP(at *lbaas.Listener) string {
	var conn net.Conn
	err := linux.Within(l.client, func() (err error) {
		conn, err = net.Dial("udp", netip.AddrPortFrom(l.at.vips[0], uint16(at.ProtocolPort)).String())
		return err
	})
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	buffer := make([]byte, 100)
	if _, err = conn.Write([]byte("?")); err == nil {
		var n int
		if n, err = conn.Read(buffer); err == nil {
			return string(buffer[:n])
		}
	}
	return "closed"
}
