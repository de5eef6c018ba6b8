package harness

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netns"
)

// Node is a namespace with a port in it: where members and clients live.
type Node struct {
	NetNS   string
	PortID  string
	Address string // the port's first one

	flows atomic.Uint32 // that Flow began
}

// inside runs fn on a thread that is in the node's namespace. Sockets that fn makes stay in there.
func (n *Node) inside(fn func() error) error {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	there, err := netns.GetFromName(n.NetNS)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open namespace %s: %w", n.NetNS, err)
	}
	defer there.Close()
	if err := netns.Set(there); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter namespace %s: %w", n.NetNS, err)
	}
	result := fn()
	if err := netns.Set(home); err != nil {
		return fmt.Errorf("leave namespace %s: %w", n.NetNS, err) // the thread stays locked, and ends with the goroutine
	}
	runtime.UnlockOSThread()
	return result
}

// Exists gives an error when there is no such namespace.
func (n *Node) Exists() error { return n.inside(func() error { return nil }) }

// Dial connects from within the namespace. The address is an IP address with a port.
func (n *Node) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = n.inside(func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen listens within the namespace.
func (n *Node) Listen(network, address string) (l net.Listener, err error) {
	err = n.inside(func() error {
		l, err = new(net.ListenConfig).Listen(context.Background(), network, address)
		return err
	})
	return l, err
}

// Web is an HTTP server on a node that answers its name to every request.
type Web struct {
	Node *Node
	Name string
	Port int

	mu     sync.Mutex
	server *http.Server
	served atomic.Int64
	slow   atomic.Int64
}

// Serve starts an HTTP server on a node, on all its addresses, until the test ends.
func (n *Node) Serve(t testing.TB, port int, name string) *Web {
	t.Helper()
	w := &Web{Node: n, Name: name, Port: port}
	w.Start(t)
	t.Cleanup(w.Stop)
	return w
}

// Start starts the server, again after Stop.
func (w *Web) Start(t testing.TB) {
	t.Helper()
	if err := w.TryStart(); err != nil {
		t.Fatal(err)
	}
}

// TryStart is Start that gives an error.
func (w *Web) TryStart() error {
	l, err := w.Node.Listen("tcp", ":"+strconv.Itoa(w.Port))
	if err != nil {
		return fmt.Errorf("serve %s: %w", w.Name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server = &http.Server{Handler: http.HandlerFunc(w.answer), ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) { _ = s.Serve(l) }(w.server)
	return nil
}

// Stop ends the server at once; its connections are cut.
func (w *Web) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server != nil {
		_ = w.server.Close()
		w.server = nil
	}
}

// Delay makes every answer wait.
func (w *Web) Delay(d time.Duration) { w.slow.Store(int64(d)) }

// Served returns how many requests were answered; those of health monitors, which ask for /healthy, do not count.
func (w *Web) Served() int { return int(w.served.Load()) }

func (w *Web) answer(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("X-Member", w.Name)
	if r.URL.Path != "/healthy" {
		w.served.Add(1)
		time.Sleep(time.Duration(w.slow.Load()))
	}
	_, _ = fmt.Fprint(rw, w.Name)
}
