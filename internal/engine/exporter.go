package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
)

const (
	// metricsAge is how old metrics may be that are answered: many who ask cost as much as one.
	metricsAge = time.Second
	// metricsWait is how long a question waits for a change that is under way.
	metricsWait = 5 * time.Second
)

// exporter answers a load balancer's HAProxy with the load balancer's metrics, in its network namespace.
type exporter struct {
	listener *net.UnixListener
	server   *http.Server

	mu   sync.Mutex
	text []byte // what was answered last
	at   time.Time
}

// export makes a load balancer's metrics be served where it has a listener that exports them, and not elsewhere. What cannot be done
// is tried again with the next change, or by the next engine: until then the listener answers 503. The caller holds the load
// balancer's lock.
func (e *Engine) export(b *balancer) {
	wanted := haproxy.Exports(b.spec())
	if b.exporter != nil && wanted && b.exporter.inside(namespaceName(b.id)) {
		return
	}
	b.stopExporting()
	if !wanted {
		return
	}
	if err := e.startExporting(b); err != nil {
		e.log.Warn("metrics not exported", "load_balancer", b.id, "err", err)
	}
}

// inside tells whether the exporter can be reached from a namespace.
func (x *exporter) inside(namespace string) bool {
	socket, err := x.listener.SyscallConn()
	return err == nil && linux.SameNamespace(namespace, socket)
}

func (b *balancer) stopExporting() {
	if b.exporter != nil {
		_ = b.exporter.server.Close()
		b.exporter = nil
	}
}

func (e *Engine) startExporting(b *balancer) error {
	x := &exporter{}
	err := linux.Within(namespaceName(b.id), func() (err error) {
		x.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: abstract(haproxy.ExporterSocket), Net: "unix"})
		return err
	})
	if err != nil {
		return fmt.Errorf("listen in network namespace %s: %w", namespaceName(b.id), err)
	}
	x.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.answerMetrics(w, r, b, x) }),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	b.exporter = x
	e.tasks.Go(func() {
		stop := context.AfterFunc(e.life, func() { _ = x.server.Close() })
		defer stop()
		_ = x.server.Serve(x.listener)
	})
	return nil
}

// abstract is the name of an abstract socket as HAProxy spells it: filled up with zeros (unix(7)).
func abstract(name string) string {
	return "@" + name + strings.Repeat("\x00", len(syscall.RawSockaddrUnix{}.Path)-1-len(name))
}

func (e *Engine) answerMetrics(w http.ResponseWriter, r *http.Request, b *balancer, x *exporter) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	text, err := e.metrics(r.Context(), b, x)
	if err != nil {
		e.log.Warn("metrics not answered", "load_balancer", b.id, "err", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(text)
}

// metrics are a load balancer's, made anew when they are too old. One who asks makes them for all that wait.
func (e *Engine) metrics(ctx context.Context, b *balancer, x *exporter) ([]byte, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.text != nil && time.Since(x.at) < metricsAge {
		return x.text, nil
	}
	ctx, cancel := context.WithTimeout(ctx, metricsWait)
	defer cancel()
	select {
	case <-b.lock:
	case <-ctx.Done():
		return nil, errors.New("a change takes too long")
	}
	defer b.unlock()
	text, err := e.measure(b)
	if err == nil {
		x.text, x.at = text, time.Now()
	}
	return text, err
}

// measure asks HAProxy and the kernel for all figures of a load balancer. The caller holds its lock.
func (e *Engine) measure(b *balancer) ([]byte, error) {
	b.settle()
	b.follow()
	if b.current == nil {
		return nil, errors.New("HAProxy does not run")
	}
	info, err := b.ask("show info")
	if err != nil {
		return nil, err
	}
	stat, err := b.ask("show stat -1 7 -1")
	if err != nil {
		return nil, err
	}
	stats, err := haproxy.ParseStat(stat)
	if err != nil {
		return nil, err
	}
	o := &enginepb.Observation{Frontends: b.count(stats), Servers: haproxy.Servers(stats)}
	b.report(o.Servers)
	e.lookAtDatagrams(b, o)
	return haproxy.Metrics(haproxy.Exposition{Info: info, Stat: stat, Frontends: o.Frontends, Servers: o.Servers})
}
