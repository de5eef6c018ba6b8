package reconcile

import (
	"context"
	"maps"
	"sync"
	"time"

	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// observer asks one provider what became of its load balancers: at once for those that an event or an Apply named, and for
// all of them periodically.
type observer struct {
	loop     *Loop
	name     string
	provider provider.Provider

	mu     sync.Mutex
	urgent map[string]bool
	all    bool // everything is to be looked at
	wake   chan struct{}
	silent bool // the last question was not answered; used by run only
}

func newObserver(l *Loop, name string, p provider.Provider) *observer {
	return &observer{loop: l, name: name, provider: p, urgent: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// add has a load balancer looked at as soon as possible.
func (o *observer) add(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.urgent[id] = true
	poke(o.wake)
}

// addAll has all load balancers looked at, behind those that were named.
func (o *observer) addAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = true
	poke(o.wake)
}

// run looks until ctx ends: at those that were named, and in turn with them at some of all, so that neither waits for ever. Where there
// are so many load balancers that a look at all takes long, the next comes later, so that looking takes a tenth of the time at most: what
// turns meanwhile is told by events.
func (o *observer) run(ctx context.Context) error {
	var rest []string
	var began time.Time // of the look at all
	tick := time.NewTimer(jittered(o.loop.cfg.ObserveEvery))
	defer tick.Stop()
	due := false
	for ctx.Err() == nil {
		urgent, all := o.take(len(rest) == 0)
		if due = due || passed(tick) || all; due && len(rest) == 0 {
			rest, began, due = o.loop.memory.applied(o.name), time.Now(), false
			tick.Reset(jittered(o.loop.cfg.ObserveEvery))
		}
		if len(urgent)+len(rest) == 0 {
			due = o.wait(ctx, tick)
			continue
		}
		o.look(ctx, urgent)
		if n := min(len(rest), o.loop.cfg.ObserveAtOnce); n > 0 {
			o.look(ctx, rest[:n])
			if rest = rest[n:]; len(rest) == 0 {
				tick.Reset(jittered(max(o.loop.cfg.ObserveEvery, 10*time.Since(began))))
			}
		}
	}
	return nil
}

// passed tells whether the time of a timer is over.
func passed(t *time.Timer) bool {
	select {
	case <-t.C:
		return true
	default:
		return false
	}
}

// wait ends when there may be something to look at. It tells whether that is all, since the timer's time is over.
func (o *observer) wait(ctx context.Context, tick *time.Timer) bool {
	select {
	case <-ctx.Done():
	case <-o.wake:
	case <-tick.C:
		return true
	}
	return false
}

// take returns what was named since the last call, at most one question's worth, and whether all is to be looked at; that only where
// the look at all before has come to its end.
func (o *observer) take(ended bool) (urgent []string, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.urgent {
		if len(urgent) == o.loop.cfg.ObserveAtOnce {
			break
		}
		urgent = append(urgent, id)
		delete(o.urgent, id)
	}
	if ended {
		all, o.all = o.all, false
	}
	return urgent, all
}

// look asks one question and writes what differs.
func (o *observer) look(ctx context.Context, ids []string) {
	lbs := o.trees(ids)
	if len(lbs) == 0 {
		return
	}
	bound, cancel := context.WithTimeout(ctx, o.loop.cfg.ApplyTimeout)
	defer cancel()
	seen, err := o.provider.Observe(bound, lbs)
	if ctx.Err() != nil {
		return
	}
	if o.told(err); err != nil {
		return
	}
	for lease, batch := range o.sort(lbs, seen) {
		h := o.loop.leases.get(lease)
		if h == nil {
			continue
		}
		if err := o.loop.cfg.Store.Observe(h.ctx, h.Lease, batch); err != nil && h.ctx.Err() == nil {
			o.loop.cfg.Log.Warn("statuses could not be written", "provider", o.name, "err", err)
		}
	}
}

// trees returns the load balancers as they were last applied; those that were not, or that others work on, are left out.
func (o *observer) trees(ids []string) []*lbaas.LoadBalancer {
	var lbs []*lbaas.LoadBalancer
	for _, id := range ids {
		if lb := o.loop.memory.tree(id); lb != nil && lb.Provider == o.name && o.loop.leases.get(store.LeaseName(lb)) != nil {
			lbs = append(lbs, lb)
		}
	}
	return lbs
}

// sort puts what was seen under the leases, and sends what drifted to be repaired.
func (o *observer) sort(lbs []*lbaas.LoadBalancer, seen map[string]provider.Observation) map[string]map[string]store.Seen {
	batches := map[string]map[string]store.Seen{}
	for _, lb := range lbs {
		s, ok := seen[lb.ID]
		if !ok || s.Drifted {
			o.loop.repair(lb.ID)
		}
		if !ok {
			continue
		}
		lease := store.LeaseName(lb)
		if batches[lease] == nil {
			batches[lease] = map[string]store.Seen{}
		}
		batches[lease][lb.ID] = store.Seen{Operating: maps.Clone(s.Operating), Statistics: maps.Clone(s.Statistics)}
	}
	return batches
}

// told logs when a provider stops to answer, and when it answers again.
func (o *observer) told(err error) {
	if silent := err != nil; silent != o.silent {
		o.silent = silent
		if silent {
			o.loop.cfg.Log.Error("provider does not answer", "provider", o.name, "err", err)
		} else {
			o.loop.cfg.Log.Info("provider answers again", "provider", o.name)
		}
	}
}

// repair has a load balancer applied anew since its data plane is not what was made of it.
func (l *Loop) repair(id string) {
	if l.memory.tree(id) == nil {
		return // removed since
	}
	wait := l.memory.drift(id, l.queue.backoff)
	if l.queue.OfferAfter(id, wait) {
		l.memory.drifting(id)
		l.cfg.Log.Info("load balancer drifted", "load_balancer", id)
	}
}

// watch listens to a provider that can tell what changed, and comes back when the connection is lost.
func (o *observer) watch(ctx context.Context) error {
	w, ok := o.provider.(provider.Watcher)
	if !ok {
		return nil
	}
	return rewatch(ctx, func(alive func()) error {
		return w.Watch(ctx, func(id string) { alive(); o.event(id) })
	})
}

// event looks at the load balancer that an event names; none means that the watch stands anew, and that earlier events
// may have been missed.
func (o *observer) event(id string) {
	if id == "" {
		o.addAll()
		return
	}
	o.add(id)
}
