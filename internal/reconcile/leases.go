package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"plimsoll/internal/store"
)

// errLost is the cause with which the work under a lease that was lost ends.
var errLost = errors.New("the lease was lost")

// held is a lease that this process holds. Its context ends when it is lost or given away, or when the process ends.
type held struct {
	store.Lease
	ctx    context.Context
	lose   context.CancelCauseFunc
	expiry *time.Timer
	since  time.Time // what was read before may be older than what another holder has done

	learned bool // what was there before is known; used by audits only

	// Guarded by the mutex of leases.
	users   int  // steps under way
	leaving bool // it is another's to have: no step begins any more
}

// leases takes and keeps the leases that this process may hold: that of its own host, and its share of those of shards.
type leases struct {
	store  leaseStore
	host   string
	holder string
	shards bool
	ttl    time.Duration
	log    *slog.Logger
	taken  func(name string) // called for each lease that was acquired anew; must not block
	lost   func(name string) // called for each that was lost; must not block

	mu    sync.Mutex
	held  map[string]*held
	named map[string]bool // the leases that load balancers named when the last round looked
	kick  chan struct{}
}

// get returns the lease of that name, or nil if it is not held.
func (l *leases) get(name string) *held {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[name]
}

// use is get for a step. The lease is given away only when every step under it called done.
func (l *leases) use(name string) (h *held, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h = l.held[name]
	if h == nil || h.leaving {
		return nil, nil
	}
	h.users++
	return h, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if h.users--; h.users == 0 && h.leaving {
			poke(l.kick)
		}
	}
}

// all returns the leases of load balancers that are held, and are to be.
func (l *leases) all() []*held {
	return l.which(func(h *held) bool { return !h.leaving && !isInstance(h.Name) })
}

func (l *leases) which(want func(*held) bool) []*held {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []*held
	for _, h := range l.held {
		if want(h) {
			some = append(some, h)
		}
	}
	slices.SortFunc(some, func(a, b *held) int { return strings.Compare(a.Name, b.Name) })
	return some
}

// look makes the next round start now, for a load balancer that names a lease that is not held. One that the last round knew
// of is another's, or comes with the next.
func (l *leases) look(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.named[name] {
		poke(l.kick)
	}
}

// run takes leases and renews them on a third of their time, until ctx ends. They are kept then: the work under them
// has to end before release.
func (l *leases) run(ctx context.Context) error {
	for {
		next := l.ttl / 3
		waiting, err := l.round(ctx)
		if err != nil && ctx.Err() == nil {
			l.log.Warn("leases could not be kept", "err", err)
		}
		if err != nil || waiting {
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

// round renews what is held and takes what is free. It tells whether others hold what this process is to have.
func (l *leases) round(ctx context.Context) (waiting bool, err error) {
	bound, cancel := context.WithTimeout(ctx, l.ttl/3)
	defer cancel()
	err = l.renew(bound)
	if l.host != "" {
		err = errors.Join(err, l.acquire(ctx, bound, "host/"+l.host))
	}
	if l.shards {
		var e error
		waiting, e = l.share(ctx, bound)
		err = errors.Join(err, e)
	}
	return waiting, err
}

// renew prolongs all leases that are held.
func (l *leases) renew(ctx context.Context) error {
	all := l.which(func(*held) bool { return true })
	if len(all) == 0 {
		return nil
	}
	var rows []store.Lease
	for _, h := range all {
		rows = append(rows, h.Lease)
	}
	asked := time.Now()
	kept, err := l.store.RenewLeases(ctx, rows, l.ttl)
	if err != nil {
		return err // they hold until their time is over
	}
	for _, h := range all {
		if !slices.Contains(kept, h.Lease) {
			l.drop(h)
			continue
		}
		// The time starts before the question, so that ours is over before the database's.
		if h.expiry.Stop() {
			h.expiry.Reset(time.Until(asked.Add(l.ttl)))
		}
	}
	return nil
}

// acquire takes a lease if it is free and not held already. Its context hangs on that of the process.
func (l *leases) acquire(process, ctx context.Context, name string) error {
	if l.get(name) != nil {
		return nil
	}
	asked := time.Now()
	lease, ok, err := l.store.AcquireLease(ctx, name, l.holder, l.ttl)
	if err != nil || !ok {
		return err
	}
	h := &held{Lease: lease, since: time.Now()}
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
	for _, h := range l.which(func(*held) bool { return true }) {
		h.expiry.Stop()
		h.lose(nil)
		if err := l.store.ReleaseLease(ctx, h.Lease); err != nil {
			l.log.Debug("lease could not be released", "lease", h.Name, "err", err)
		}
	}
}
