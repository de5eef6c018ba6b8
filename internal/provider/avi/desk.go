package avi

import (
	"context"
	"maps"
	"sync"
	"time"

	"plimsoll/internal/provider/avi/controller"
)

const (
	atOnce = 4 // questions about single pools or tenants that are under way at the same time
	few    = 2 // audits and collections of metrics that are; others' requests are to get through
)

// askTime bounds how long one thing is asked for, in whatever number of requests.
const askTime = 5 * time.Minute

// aloneFor is how long tenants are asked one by one until it is tried again to ask all at once.
const aloneFor = time.Hour

// desk is where what is known of a tenant, or of all tenants, comes together.
type desk struct {
	sight   news[*sight]
	audit   news[*audit]
	metrics news[*metrics]

	mu      sync.Mutex
	closer  map[string]*poolSight // pools of which the servers were asked for
	trouble map[string]string     // what was last said to be wrong, by what it is about

	// Guarded by the mutex of the watcher.
	used time.Time
	took time.Duration // of the last audit
}

// watcher asks a controller for many load balancers at once.
type watcher struct {
	life context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	few  chan struct{} // one token for each audit and collection under way

	mu     sync.Mutex
	closed bool
	alone  time.Time // since when the user may not read all tenants at once
	desks  map[controller.Tenant]*desk
	spent  time.Duration // of the last audits of all desks, together
	ids    []string      // of the metrics that the controller has
}

func newWatcher() *watcher {
	w := &watcher{few: make(chan struct{}, few), desks: map[controller.Tenant]*desk{}}
	w.life, w.stop = context.WithCancel(context.Background())
	return w
}

// close ends what is being asked for.
func (w *watcher) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stop()
	w.work.Wait()
}

// start has work done beside, unless all is to end.
func (w *watcher) start(work func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.work.Go(work)
	return true
}

// desk is that of a tenant. Those that nobody used for long are given up.
func (p *Provider) desk(t controller.Tenant) *desk {
	w := p.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.desks[t]
	if d == nil {
		w.sweep()
		d = p.newDesk(t)
		w.desks[t] = d
	}
	d.used = time.Now()
	return d
}

// sweep forgets the desks that nobody used for long. It needs the mutex.
func (w *watcher) sweep() {
	maps.DeleteFunc(w.desks, func(_ controller.Tenant, d *desk) bool {
		old := time.Since(d.used) > forgotten
		if old {
			w.spent -= d.took
		}
		return old
	})
}

// newDesk returns a desk for a tenant. What it asks for goes on when who wanted to know has gone.
func (p *Provider) newDesk(t controller.Tenant) *desk {
	d := &desk{closer: map[string]*poolSight{}, trouble: map[string]string{}}
	d.sight = news[*sight]{start: p.watcher.start, ask: func(_ *sight, at time.Time) (*sight, error) {
		ctx, cancel := context.WithTimeout(p.watcher.life, askTime)
		defer cancel()
		return p.look(ctx, t, at)
	}}
	d.audit = news[*audit]{start: p.watcher.start, ask: func(*audit, time.Time) (*audit, error) {
		return beside(p.watcher, func(ctx context.Context) (*audit, error) {
			a, err := p.list(ctx, t)
			if err == nil {
				p.watcher.account(t, d, a.took)
			}
			return a, err
		})
	}}
	d.metrics = news[*metrics]{start: p.watcher.start, ask: func(last *metrics, at time.Time) (*metrics, error) {
		return beside(p.watcher, func(ctx context.Context) (*metrics, error) { return p.measure(ctx, t, d, last, at) })
	}}
	return d
}

// account notes how long an audit took.
func (w *watcher) account(t controller.Tenant, d *desk, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.desks[t] == d {
		w.spent += took - d.took
		d.took = took
	}
}

// beside does what takes long once few others do.
func beside[T any](w *watcher, work func(context.Context) (T, error)) (T, error) {
	w.few <- struct{}{}
	defer func() { <-w.few }()
	ctx, cancel := context.WithTimeout(w.life, askTime)
	defer cancel()
	return work(ctx)
}

// lone tells whether tenants are to be asked one by one.
func (w *watcher) lone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.alone.IsZero() && time.Since(w.alone) < aloneFor
}

// part has tenants asked one by one from now on. It tells whether that is new.
func (w *watcher) part() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.alone.IsZero()
	w.alone = time.Now()
	return first
}
