package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
	"plimsoll/lbaas"
)

func TestMain(m *testing.M) {
	if host := os.Getenv(hostVariable); host != "" {
		if err := runHost(host); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// world is an engine on a state directory of its own, with a network, and with clients and members on it.
type world struct {
	t       *testing.T
	dir     string
	config  Config
	client  enginepb.EngineClient
	stop    func()
	network string
	next    byte // the last byte of the next address
}

// newWorld starts an engine; all that it made is purged when the test ends.
func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	w := &world{t: t, dir: dir, network: uuid.NewString(), next: 20, config: Config{
		StateDir: dir, Instance: uuid.NewString(), Host: "here", Version: "test",
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level()})),
	}}
	t.Cleanup(w.purge)
	w.start()
	return w
}

// level of the engine's logs: what it does is of interest with -v only.
func level() slog.Level {
	if testing.Verbose() {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

func (w *world) socket() string { return filepath.Join(w.dir, "engine.sock") }

// start runs an engine until stop.
func (w *world) start() {
	w.t.Helper()
	e, err := New(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := Listen(w.socket(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, l) }()
	client, conn, err := Dial(w.socket(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := client.Hello(ctx, &enginepb.HelloRequest{}, grpc.WaitForReady(true)); err != nil {
		w.t.Fatal(err)
	}
	w.client = client
	w.stop = sync.OnceFunc(func() {
		_ = conn.Close()
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run: %v", err)
		}
		e.Close()
	})
	w.t.Cleanup(w.stop)
}

func (w *world) purge() {
	e, err := New(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	defer e.Close()
	if err := e.Purge(context.Background()); err != nil {
		w.t.Errorf("Purge: %v", err)
	}
}

// port makes a port with the next free address.
func (w *world) port() *enginepb.Port {
	n := w.next
	w.next++
	return w.portAt(fmt.Sprintf("10.77.0.%d/24", n))
}

func (w *world) portAt(address string) *enginepb.Port {
	id := uuid.New()
	return &enginepb.Port{Id: id.String(), NetworkId: w.network, Mtu: 1450, Addresses: []string{address},
		Mac: net.HardwareAddr{0xfa, 0x16, 0x3e, id[0], id[1], id[2]}.String()}
}

// plug connects a new namespace and returns its name and address.
func (w *world) plug() (namespace string, addr netip.Addr) {
	w.t.Helper()
	p, name := w.port(), "plmtest-"+uuid.NewString()
	if _, err := w.client.Plug(w.t.Context(), &enginepb.PlugRequest{Port: p, Netns: name}); err != nil {
		w.t.Fatal(err)
	}
	return name, netip.MustParsePrefix(p.Addresses[0]).Addr()
}

// member is a web server that says its name.
type member struct {
	*lbaas.Member
	server *http.Server
}

func (w *world) member() *member {
	w.t.Helper()
	m, namespace := w.deadMember()
	m.serve(w.t, namespace)
	return m
}

// deadMember has an address, but no server yet.
func (w *world) deadMember() (m *member, namespace string) {
	w.t.Helper()
	namespace, addr := w.plug()
	m = &member{Member: &lbaas.Member{Object: object(), Address: addr, ProtocolPort: 80, Weight: 1, Number: int(w.next)}}
	m.Name = addr.String()
	return m, namespace
}

func (m *member) serve(t *testing.T, namespace string) {
	t.Helper()
	var l net.Listener
	err := linux.Within(namespace, func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(m.Address, 80).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			rw.Header().Set("Connection", "close") // HAProxy would keep the connection idle for a while
			time.Sleep(2 * time.Second)
		}
		fmt.Fprint(rw, m.Name)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = m.server.Serve(l) }()
	t.Cleanup(func() { _ = m.server.Close(); <-done })
}

func object() lbaas.Object { return lbaas.Object{ID: uuid.NewString(), AdminStateUp: true} }

// balancerOf makes a load balancer with one HTTP listener and one pool.
func (w *world) balancerOf(members ...*member) *testBalancer {
	p := w.port()
	lb := &lbaas.LoadBalancer{Object: object(), VIPAddress: netip.MustParsePrefix(p.Addresses[0]).Addr(), VIPPortID: p.Id, Epoch: 1}
	pool := &lbaas.Pool{Object: object(), LoadBalancerID: lb.ID, Protocol: lbaas.HTTP, Algorithm: lbaas.RoundRobin}
	lb.Pools = []*lbaas.Pool{pool}
	b := &testBalancer{LoadBalancer: lb, w: w, port: p, pool: pool}
	b.add(members...)
	b.listen(80)
	return b
}

type testBalancer struct {
	*lbaas.LoadBalancer
	w    *world
	port *enginepb.Port
	pool *lbaas.Pool
}

func (b *testBalancer) add(members ...*member) {
	for _, m := range members {
		m.PoolID, m.LoadBalancerID = b.pool.ID, b.ID
		b.pool.Members = append(b.pool.Members, m.Member)
	}
}

func (b *testBalancer) listen(port int) *lbaas.Listener {
	l := &lbaas.Listener{Object: object(), LoadBalancerID: b.ID, Protocol: lbaas.HTTP, ProtocolPort: port,
		DefaultPoolID: b.pool.ID, TimeoutClientData: 50000, TimeoutMemberConnect: 5000, TimeoutMemberData: 50000}
	b.Listeners = append(b.Listeners, l)
	return l
}

func (b *testBalancer) monitor() {
	b.pool.HealthMonitor = &lbaas.HealthMonitor{Object: object(), PoolID: b.pool.ID, Type: lbaas.MonitorHTTP, Delay: 1,
		Timeout: 1, MaxRetries: 1, MaxRetriesDown: 1, HTTPMethod: "GET", URLPath: "/", ExpectedCodes: "200"}
}

func (b *testBalancer) spec() *enginepb.Spec {
	return haproxy.Render(b.LoadBalancer, []*enginepb.Port{b.port}, nil,
		haproxy.Options{StateDir: b.w.dir, User: "haproxy", Group: "haproxy", FDLimit: 4000})
}

// apply takes the next generation and applies it.
func (b *testBalancer) apply() *enginepb.ApplyReply {
	b.w.t.Helper()
	b.Progress.Generation++
	return b.again()
}

func (b *testBalancer) again() *enginepb.ApplyReply {
	b.w.t.Helper()
	reply, err := b.w.client.Apply(context.Background(), &enginepb.ApplyRequest{Spec: b.spec()})
	if err != nil {
		b.w.t.Fatalf("Apply: %v", err)
	}
	return reply
}

// mustApply wants no failure and one of the methods.
func (b *testBalancer) mustApply(methods ...string) {
	b.w.t.Helper()
	b.want(b.apply(), methods...)
}

func (b *testBalancer) want(reply *enginepb.ApplyReply, methods ...string) {
	b.w.t.Helper()
	if len(reply.Failures) > 0 {
		b.w.t.Fatalf("Apply failed: %v", reply.Failures)
	}
	for _, m := range methods {
		if reply.Method == m {
			return
		}
	}
	b.w.t.Errorf("Apply's method is %s, want %v", reply.Method, methods)
}

func (b *testBalancer) observe() *enginepb.Observation {
	b.w.t.Helper()
	reply, err := b.w.client.Observe(context.Background(), &enginepb.ObserveRequest{LoadBalancerIds: []string{b.ID}})
	if err != nil {
		b.w.t.Fatal(err)
	}
	if len(reply.Observations) != 1 {
		return nil
	}
	return reply.Observations[0]
}

func (b *testBalancer) remove() {
	b.w.t.Helper()
	_, err := b.w.client.Remove(context.Background(),
		&enginepb.RemoveRequest{LoadBalancerId: b.ID, Epoch: b.Epoch, Generation: b.Progress.Generation})
	if err != nil {
		b.w.t.Fatalf("Remove: %v", err)
	}
}

func (b *testBalancer) runDir() string { return filepath.Join(b.w.dir, "lbaas", "v2", b.ID) }

// askIn asks the HAProxy of a run directory, of which the path may be longer than a socket's address can be.
func askIn(dir, command string) ([]byte, error) {
	f, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return ask(f.path(""), command, askTime)
}

// pid is of the process that takes connections.
func (b *testBalancer) pid() int {
	b.w.t.Helper()
	answer, err := askIn(b.runDir(), "show info")
	if err != nil {
		b.w.t.Fatal(err)
	}
	info, err := haproxy.ParseInfo(answer)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return info.PID
}

// url is of the VIP's first listener.
func (b *testBalancer) url() string { return "http://" + b.VIPAddress.String() + "/" }

// httpClient makes requests from inside a namespace.
func httpClient(t *testing.T, namespace string, keepAlive bool) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DisableKeepAlives: !keepAlive,
		DialContext: func(ctx context.Context, network, addr string) (c net.Conn, err error) {
			err = linux.Within(namespace, func() error {
				c, err = new(net.Dialer).DialContext(ctx, network, addr)
				return err
			})
			return c, err
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func get(c *http.Client, url string) (string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}

// answers returns who answered, of n requests that all must succeed.
func (w *world) answers(c *http.Client, url string, n int) map[string]int {
	w.t.Helper()
	by := map[string]int{}
	for range n {
		body, err := get(c, url)
		if err != nil {
			w.t.Fatalf("GET %s: %v", url, err)
		}
		by[body]++
	}
	return by
}

// load makes requests without pause until stop is called, which fails the test if one failed.
func (w *world) load(url string, keepAlive bool) (stop func() int) {
	namespace, _ := w.plug()
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var group sync.WaitGroup
	done, failed := 0, []error{}
	for range 4 {
		c := httpClient(w.t, namespace, keepAlive)
		group.Go(func() {
			for ctx.Err() == nil {
				_, err := get(c, url)
				mu.Lock()
				done++
				if err != nil {
					failed = append(failed, err)
				}
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	stopped := sync.OnceFunc(func() { cancel(); group.Wait() })
	w.t.Cleanup(stopped)
	return func() int {
		w.t.Helper()
		stopped()
		if len(failed) > 0 {
			w.t.Errorf("%d of %d requests failed (keep-alive %v), the first: %v", len(failed), done, keepAlive, failed[0])
		}
		return done
	}
}

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}
