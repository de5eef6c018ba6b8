package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plimsoll/internal/failpoint"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
)

// Plugger connects ports to network namespaces of one host. All calls may be repeated.
type Plugger interface {
	// Plug connects a port to a namespace as planned; an earlier connection of the port is changed to that.
	Plug(ctx context.Context, plan *network.PortPlan, netns string) error
	// Unplug undoes Plug. Unplugging what is not there succeeds.
	Unplug(ctx context.Context, portID string) error
	// Plugged returns the namespaces by port, of what Plug made and still is as it made it.
	Plugged(ctx context.Context) (map[string]string, error)
	// Watch calls changed each time that connections may have changed by themselves, and once when it stands,
	// until ctx ends or the connection is lost.
	Watch(ctx context.Context, changed func()) error
}

// BindingStore is what Bindings uses of store.Store.
type BindingStore interface {
	OnHint(fn func(store.Hint)) (stop func())
	PortPlan(ctx context.Context, portID string) (*network.PortPlan, error)
	BoundPorts(ctx context.Context, host string) ([]*network.Port, error)
	DuePorts(ctx context.Context, host string) ([]*network.Port, error)
	BindingObserved(ctx context.Context, portID string, generation int64, reason string) error
}

// BindingsConfig is what Bindings need. Spans that are zero get the defaults that stand beside them.
type BindingsConfig struct {
	Store   BindingStore
	Plugger Plugger
	Host    string
	Log     *slog.Logger

	Workers    int           // 4
	ScanEvery  time.Duration // 2 s
	AuditEvery time.Duration // 30 s: compares with what the host says
	Timeout    time.Duration // 10 s: of one call to the host
	RetryFirst time.Duration // 100 ms: the first pause after a failure; it doubles
	RetryCap   time.Duration // 15 s
}

// Bindings plugs the ports that are bound to a host, and unplugs those that no longer are.
type Bindings struct {
	cfg      BindingsConfig
	queue    *queue
	scanNow  chan struct{}
	auditNow chan struct{}

	scanning sync.Mutex // so that what an older scan found does not replace what a newer one did

	mu    sync.Mutex
	ports map[string]*network.Port // of this host, as the last audit found all of them, and scans those that are due since
}

// NewBindings returns Bindings, which do nothing until Run.
func NewBindings(cfg BindingsConfig) *Bindings {
	or(&cfg.Workers, 4)
	or(&cfg.ScanEvery, 2*time.Second)
	or(&cfg.AuditEvery, 30*time.Second)
	or(&cfg.Timeout, 10*time.Second)
	or(&cfg.RetryFirst, 100*time.Millisecond)
	or(&cfg.RetryCap, 15*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Bindings{
		cfg: cfg, ports: map[string]*network.Port{}, queue: newQueue(backoff{cfg.RetryFirst, cfg.RetryCap}, cfg.Workers),
		scanNow: make(chan struct{}, 1), auditNow: make(chan struct{}, 1),
	}
}

// Run works until ctx ends and waits for everything that it started. It returns nil.
func (b *Bindings) Run(ctx context.Context) error {
	stopHints := b.cfg.Store.OnHint(func(h store.Hint) {
		if h.PortID != "" {
			poke(b.scanNow)
		}
	})
	defer stopHints()
	var g errgroup.Group
	g.Go(func() error { b.scans(ctx); return nil })
	g.Go(func() error { b.audits(ctx); return nil })
	g.Go(func() error {
		return rewatch(ctx, func(alive func()) error {
			return b.cfg.Plugger.Watch(ctx, func() { alive(); poke(b.auditNow) })
		})
	})
	for range b.cfg.Workers {
		g.Go(func() error { b.work(ctx); return nil })
	}
	<-ctx.Done()
	b.queue.Close()
	return g.Wait()
}

func (b *Bindings) work(ctx context.Context) {
	for {
		id, ok := b.queue.Get()
		if !ok {
			return
		}
		if err := b.step(ctx, id); err != nil {
			if ctx.Err() == nil {
				b.cfg.Log.Warn("port could not be bound", "port", id, "err", err)
			}
			b.queue.Retry(id)
		} else {
			b.queue.Done(id)
		}
	}
}

// step makes the binding of one port true on this host, as the last scan found it; a later one comes with a later scan.
func (b *Bindings) step(ctx context.Context, id string) error {
	port := b.port(id)
	if port == nil { // an audit found it plugged, and nobody wants it
		return b.unplug(ctx, id)
	}
	var cause error
	if b.ours(port) {
		cause = b.plug(ctx, port)
	} else {
		cause = b.unplug(ctx, id)
	}
	return b.tell(ctx, port, cause)
}

// tell writes how a port's binding came out.
func (b *Bindings) tell(ctx context.Context, port *network.Port, cause error) error {
	wanted := port.Binding
	if cause == nil && wanted.Observed == wanted.Generation || ctx.Err() != nil {
		return cause
	}
	reason := ""
	if cause != nil {
		reason = cause.Error()
	}
	return errors.Join(cause, b.cfg.Store.BindingObserved(ctx, port.ID, wanted.Generation, reason))
}

// ours tells whether a port is to be plugged here. Ports that are bound without a namespace are load balancers' own.
func (b *Bindings) ours(p *network.Port) bool {
	return p.Binding.Host == b.cfg.Host && p.Binding.NetNS != ""
}

func (b *Bindings) port(id string) *network.Port {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ports[id]
}

func (b *Bindings) plug(ctx context.Context, port *network.Port) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	plan, err := b.cfg.Store.PortPlan(ctx, port.ID)
	if err != nil {
		return err
	}
	if err := b.cfg.Plugger.Plug(ctx, plan, port.Binding.NetNS); err != nil {
		return fmt.Errorf("plug port %s into %s: %w", port.ID, port.Binding.NetNS, err)
	}
	failpoint.Here("reconcile.plug")
	b.cfg.Log.Info("port plugged", "port", port.ID, "netns", port.Binding.NetNS)
	return nil
}

func (b *Bindings) unplug(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	if err := b.cfg.Plugger.Unplug(ctx, id); err != nil {
		return fmt.Errorf("unplug port %s: %w", id, err)
	}
	failpoint.Here("reconcile.unplug")
	b.cfg.Log.Debug("port not plugged", "port", id)
	return nil
}

// scans looks for bindings that are not true yet: at each hint, and now and then since hints may be lost.
func (b *Bindings) scans(ctx context.Context) {
	for {
		if err := b.scan(ctx, b.cfg.Store.DuePorts, b.add); err != nil && ctx.Err() == nil {
			b.cfg.Log.Warn("bound ports could not be read", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-b.scanNow:
		case <-time.After(jittered(b.cfg.ScanEvery)):
		}
	}
}

// scan reads bindings of this host and keeps them, and queues those that are not true yet: at once where they changed since they were
// last read.
func (b *Bindings) scan(ctx context.Context, read func(ctx context.Context, host string) ([]*network.Port, error),
	keep func([]*network.Port) (before map[string]*network.Port),
) error {
	b.scanning.Lock()
	defer b.scanning.Unlock()
	ports, err := read(ctx, b.cfg.Host)
	if err != nil {
		return err
	}
	before := keep(ports)
	for _, p := range ports {
		is := p.Binding
		if is.Observed == is.Generation {
			continue
		}
		if was := before[p.ID]; was == nil || was.Binding.Generation != is.Generation {
			b.queue.Add(p.ID)
		} else {
			b.queue.Offer(p.ID)
		}
	}
	return nil
}

// add keeps some ports besides those that are kept, and returns what was kept of them before.
func (b *Bindings) add(ports []*network.Port) (before map[string]*network.Port) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before = map[string]*network.Port{}
	for _, p := range ports {
		before[p.ID] = b.ports[p.ID]
		b.ports[p.ID] = p
	}
	return before
}

// replace keeps the ports of this host instead of those that were kept before, and returns the latter.
func (b *Bindings) replace(ports []*network.Port) (before map[string]*network.Port) {
	now := map[string]*network.Port{}
	for _, p := range ports {
		now[p.ID] = p
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	before, b.ports = b.ports, now
	return before
}

// audits compares what is bound with what is plugged: now and then, and whenever the host says that things changed.
func (b *Bindings) audits(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.auditNow:
		case <-time.After(jittered(b.cfg.AuditEvery)):
		}
		if err := b.audit(ctx); err != nil && ctx.Err() == nil {
			b.cfg.Log.Warn("plugged ports could not be audited", "err", err)
		}
	}
}

func (b *Bindings) audit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	plugged, err := b.cfg.Plugger.Plugged(ctx)
	if err != nil {
		return err
	}
	if err := b.scan(ctx, b.cfg.Store.BoundPorts, b.replace); err != nil {
		return err
	}
	for _, id := range b.amiss(plugged) {
		b.queue.Offer(id)
	}
	return nil
}

// amiss returns the ports that are not plugged as wanted, or plugged and not wanted.
func (b *Bindings) amiss(plugged map[string]string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id, p := range b.ports {
		if b.ours(p) && plugged[id] != p.Binding.NetNS {
			ids = append(ids, id)
		}
	}
	for id := range plugged {
		if p := b.ports[id]; p == nil || !b.ours(p) {
			ids = append(ids, id)
		}
	}
	return ids
}
