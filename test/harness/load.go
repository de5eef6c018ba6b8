package harness

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// LoadOptions say what load is. Zeroes get the defaults that stand beside them.
type LoadOptions struct {
	Address   string        // the VIP with its port
	KeepAlive bool          // else a connection per request
	Workers   int           // 4
	Pause     time.Duration // 2 ms: between the requests of a worker
	Requests  int           // 200000: where it ends by itself
	Time      time.Duration // 2 min: when it ends by itself
	Timeout   time.Duration // 5 s: what takes longer has failed
	TLS       *tls.Config   // nil is plain HTTP
}

// Report is what came of load.
type Report struct {
	Answered int            // with status 200
	Failed   int            // no answer, or another one; nothing is ever tried again
	By       map[string]int // answers by the name of the member
	Errors   map[string]int // failures by what they were
	Longest  time.Duration
}

// String is one line.
func (r Report) String() string {
	s := fmt.Sprintf("%d answered, %d failed, longest %v, by", r.Answered, r.Failed, r.Longest.Round(time.Millisecond))
	for _, name := range slices.Sorted(maps.Keys(r.By)) {
		s += fmt.Sprintf(" %s:%d", name, r.By[name])
	}
	for _, e := range slices.Sorted(maps.Keys(r.Errors)) {
		s += fmt.Sprintf("; %d× %s", r.Errors[e], e)
	}
	return s
}

// Load is constant load from a node. It speaks HTTP itself, since net/http's client tries a request again when the
// connection that it kept turns out to be closed, and so hides the failures that are looked for.
type Load struct {
	node    *Node
	options LoadOptions
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu     sync.Mutex
	report Report
}

// Load starts load, which lasts until Stop, or at most until the test ends.
func (n *Node) Load(t testing.TB, o LoadOptions) *Load {
	t.Helper()
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Pause == 0 {
		o.Pause = 2 * time.Millisecond
	}
	if o.Requests == 0 {
		o.Requests = 200000
	}
	if o.Time == 0 {
		o.Time = 2 * time.Minute
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	l := &Load{node: n, options: o, report: Report{By: map[string]int{}, Errors: map[string]int{}}}
	var ctx context.Context
	ctx, l.cancel = context.WithTimeout(context.Background(), o.Time)
	for range o.Workers {
		l.workers.Go(func() { l.work(ctx) })
	}
	t.Cleanup(func() { l.Stop() })
	return l
}

// Stop ends the load, once the requests under way have ended, and returns what came of it.
func (l *Load) Stop() Report {
	l.cancel()
	l.workers.Wait()
	return l.Report()
}

// Report returns what has come of the load so far.
func (l *Load) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.report
	r.By, r.Errors = maps.Clone(r.By), maps.Clone(r.Errors)
	return r
}

func (l *Load) work(ctx context.Context) {
	w := &worker{load: l}
	defer w.hangUp()
	for ctx.Err() == nil {
		start := time.Now()
		name, err := w.request()
		if !l.count(name, err, time.Since(start)) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(l.options.Pause):
		}
	}
}

// count notes one request, and tells whether there is to be another.
func (l *Load) count(name string, err error, took time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.report
	r.Longest = max(r.Longest, took)
	if err != nil {
		r.Failed++
		r.Errors[plain(err)]++
	} else {
		r.Answered++
		r.By[name]++
	}
	return r.Answered+r.Failed < l.options.Requests
}

// plain is an error without the addresses in it, so that failures of a kind count together.
func plain(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// worker makes one request after the other.
type worker struct {
	load *Load
	conn net.Conn
	in   *bufio.Reader
}

func (w *worker) request() (string, error) {
	name, keep, err := w.exchange()
	if err != nil || !keep || !w.load.options.KeepAlive {
		w.hangUp()
	}
	return name, err
}

// exchange sends a request and reads its answer. It tells whether the server keeps the connection.
func (w *worker) exchange() (name string, keep bool, err error) {
	o := w.load.options
	deadline := time.Now().Add(o.Timeout)
	if w.conn == nil {
		if err := w.connect(deadline); err != nil {
			return "", false, err
		}
	}
	_ = w.conn.SetDeadline(deadline)
	header := ""
	if !o.KeepAlive {
		header = "Connection: close\r\n"
	}
	if _, err := fmt.Fprintf(w.conn, "GET / HTTP/1.1\r\nHost: vip\r\n%s\r\n", header); err != nil {
		return "", false, fmt.Errorf("send the request: %w", err)
	}
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return "", false, fmt.Errorf("read the answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", false, fmt.Errorf("read the body: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", false, fmt.Errorf("status %d", resp.StatusCode)
	}
	return strings.TrimSpace(string(body)), !resp.Close, nil
}

// connect makes a connection, with its TLS handshake where one is wanted.
func (w *worker) connect(deadline time.Time) error {
	o := w.load.options
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	conn, err := w.load.node.Dial(ctx, "tcp", o.Address)
	if err != nil {
		return err
	}
	if o.TLS != nil {
		secured := tls.Client(conn, o.TLS)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return fmt.Errorf("shake hands: %w", err)
		}
		conn = secured
	}
	w.conn, w.in = conn, bufio.NewReader(conn)
	return nil
}

func (w *worker) hangUp() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// Get makes one request from the node and returns the name of the member that answered.
func (n *Node) Get(address string) (string, error) {
	w := &worker{load: &Load{node: n, options: LoadOptions{Address: address, Timeout: 2 * time.Second}}}
	return w.request()
}
