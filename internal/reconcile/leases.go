package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"plimsoll/internal/store"
)

// errLost is the cause with which the work under a lease that was lost ends.
var errLost = errors.New("the lease was lost")

// held is a lease that this process holds. Its context ends when it is lost, or when the process ends.
type held struct {
	store.Lease
	ctx    context.Context
	lose   context.CancelCauseFunc
	expiry *time.Timer
}

// leases takes and keeps the leases that this process may hold: that of its own host, and those of shards.
type leases struct {
	store  leaseStore
	host   string
	holder string
	shards bool
	ttl    time.Duration
	log    *slog.Logger
	taken  func(name string) // called for each lease that was acquired anew; must not block
	lost   func(name string) // called for each that was lost; must not block

	mu   sync.Mutex
	held map[string]*held
	kick chan struct{}
}

// get returns the lease of that name, or nil if it is not held.
func (l *leases) get(name string) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[name]
}

// all returns the leases that are held.
func (l *leases) all() []*held {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*held
	for _, h := range l.held {
		all = append(all, h)
	}
	return all
}

// look makes the next round start now: a load balancer names a lease that is not held.
func (l *leases) look() {
	poke(l.kick)
}

// run takes leases and renews them on a third of their time, until ctx ends. They are kept then: the work under them
// has to end before release.
func (l *leases) run(ctx context.Context) error {
	for {
		next := l.ttl / 3
		if err := l.round(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("leases could not be kept", "err", err)
			next = l.ttl / 10
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.kick:
		case <-time.After(next):
		}
	}
}

// round renews what is held and takes what is free.
func (l *leases) round(ctx context.Context) error {
	bound, cancel := context.WithTimeout(ctx, l.ttl/3)
	defer cancel()
	names, err := l.names(bound)
	for _, h := range l.all() {
		err = errors.Join(err, l.renew(bound, h))
	}
	for _, name := range names {
		if l.get(name) == nil {
			err = errors.Join(err, l.acquire(ctx, bound, name))
		}
	}
	return err
}

// names returns the leases that this process may hold.
func (l *leases) names(ctx context.Context) ([]string, error) {
	var names []string
	if l.host != "" {
		names = append(names, "host/"+l.host)
	}
	if !l.shards {
		return names, nil
	}
	named, err := l.store.LeaseNames(ctx)
	for _, name := range named {
		if strings.HasPrefix(name, "shard/") {
			names = append(names, name)
		}
	}
	return names, err
}

func (l *leases) renew(ctx context.Context, h *held) error {
	asked := time.Now()
	ok, err := l.store.RenewLease(ctx, h.Lease, l.ttl)
	if err != nil {
		return err // it holds until its time is over
	}
	if !ok {
		l.drop(h)
		return nil
	}
	// The time starts before the question, so that ours is over before the database's.
	if h.expiry.Stop() {
		h.expiry.Reset(time.Until(asked.Add(l.ttl)))
	}
	return nil
}

// acquire takes a lease if it is free. Its context hangs on that of the process.
func (l *leases) acquire(process, ctx context.Context, name string) error {
	asked := time.Now()
	lease, ok, err := l.store.AcquireLease(ctx, name, l.holder, l.ttl)
	if err != nil || !ok {
		return err
	}
	h := &held{Lease: lease}
	h.ctx, h.lose = context.WithCancelCause(process)
	l.mu.Lock()
	l.held[name] = h
	h.expiry = time.AfterFunc(time.Until(asked.Add(l.ttl)), func() { l.drop(h) })
	l.mu.Unlock()
	l.log.Debug("lease taken", "lease", name, "epoch", lease.Epoch)
	l.taken(name)
	return nil
}

// drop ends the work under a lease that is lost.
func (l *leases) drop(h *held) {
	l.mu.Lock()
	if l.held[h.Name] == h {
		delete(l.held, h.Name)
	}
	l.mu.Unlock()
	h.expiry.Stop()
	if h.ctx.Err() == nil {
		l.log.Warn("lease lost", "lease", h.Name, "epoch", h.Epoch)
	}
	h.lose(errLost)
	l.lost(h.Name)
}

// release gives all leases back, for others to take at once. ctx is not that of the process, which has ended.
func (l *leases) release(ctx context.Context) {
	for _, h := range l.all() {
		h.expiry.Stop()
		h.lose(nil)
		if err := l.store.ReleaseLease(ctx, h.Lease); err != nil {
			l.log.Debug("lease could not be released", "lease", h.Name, "err", err)
		}
	}
}
