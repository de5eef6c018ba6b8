package reconcile

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"plimsoll/internal/provider"
	"plimsoll/internal/store"
)

// Config is what a Loop needs. Spans that are zero get the defaults that stand beside them.
type Config struct {
	Store     Store
	Networks  Networks
	Providers map[string]provider.Provider // by the name that load balancers carry
	Instance  string                       // holds the leases; the same after a restart
	Host      string                       // whose load balancers this process may work on
	Shards    bool                         // work on load balancers that are not bound to a host, too
	Log       *slog.Logger
	Stepped   func(Step) // told of every Apply and Remove; may be nil

	Workers       int           // 8: load balancers of each provider that are in work at the same time
	LeaseTTL      time.Duration // 15 s
	ScanEvery     time.Duration // 2 s: looks for pending load balancers that no hint named
	AuditEvery    time.Duration // 30 s
	ObserveEvery  time.Duration // 5 s: statuses and statistics
	ApplyTimeout  time.Duration // 30 s: an Apply or Remove that takes longer has failed
	Deadline      time.Duration // 60 s: what is still pending then shows ERROR; tries go on
	RetryFirst    time.Duration // 100 ms: the first pause after a failure; it doubles
	RetryCap      time.Duration // 15 s
	ObserveAtOnce int           // 200: load balancers in one question
}

// Loop makes load balancers real and keeps them so.
type Loop struct {
	cfg       Config
	queue     *queue
	leases    *leases
	memory    *memory
	observers map[string]*observer
	scanNow   chan struct{}
	auditNow  chan struct{}
}

// New returns a loop, which does nothing until Run.
func New(cfg Config) *Loop {
	cfg.defaults()
	l := &Loop{
		cfg:       cfg,
		queue:     newQueue(backoff{cfg.RetryFirst, cfg.RetryCap}, cfg.Workers),
		memory:    newMemory(),
		observers: map[string]*observer{},
		scanNow:   make(chan struct{}, 1),
		auditNow:  make(chan struct{}, 1),
	}
	l.leases = &leases{
		store: cfg.Store, host: cfg.Host, holder: cfg.Instance, shards: cfg.Shards, ttl: cfg.LeaseTTL, log: cfg.Log,
		taken: func(string) { poke(l.scanNow); poke(l.auditNow) },
		lost:  l.memory.forgetLease,
		held:  map[string]*held{}, kick: make(chan struct{}, 1),
	}
	for name, p := range cfg.Providers {
		l.observers[name] = newObserver(l, name, p)
	}
	return l
}

func (c *Config) defaults() {
	or(&c.Workers, 8)
	or(&c.LeaseTTL, 15*time.Second)
	or(&c.ScanEvery, 2*time.Second)
	or(&c.AuditEvery, 30*time.Second)
	or(&c.ObserveEvery, 5*time.Second)
	or(&c.ApplyTimeout, 30*time.Second)
	or(&c.Deadline, time.Minute)
	or(&c.RetryFirst, 100*time.Millisecond)
	or(&c.RetryCap, 15*time.Second)
	or(&c.ObserveAtOnce, 200)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Run works until ctx ends, then waits for everything that it started and gives its leases back. It returns nil.
func (l *Loop) Run(ctx context.Context) error {
	stopHints := l.cfg.Store.OnHint(func(h store.Hint) {
		if h.LoadBalancerID != "" {
			l.queue.Add(h.LoadBalancerID)
		}
	})
	defer stopHints()
	var g errgroup.Group
	g.Go(func() error { return l.leases.run(ctx) })
	g.Go(func() error { l.scans(ctx); return nil })
	g.Go(func() error { l.audits(ctx); return nil })
	for _, o := range l.observers {
		g.Go(func() error { return o.run(ctx) })
		g.Go(func() error { return o.watch(ctx) })
	}
	for range l.cfg.Workers * max(1, len(l.cfg.Providers)) { // so that there is one left for each that finds room
		g.Go(func() error { l.work(ctx); return nil })
	}
	<-ctx.Done()
	l.queue.Close()
	err := g.Wait()
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	l.leases.release(bound)
	return err
}

// work takes keys until the queue closes.
func (l *Loop) work(ctx context.Context) {
	for {
		id, ok := l.queue.Get()
		if !ok {
			return
		}
		switch l.step(ctx, id) {
		case again:
			l.queue.Retry(id)
		case done:
			l.queue.Done(id)
		case waits: // the queue has it
		}
	}
}

// poke makes a loop go round now, unless it is about to.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
