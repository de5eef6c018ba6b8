package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"plimsoll/lbaas"
)

// scanLimit bounds what one scan takes from the store; the rest comes with the next.
const scanLimit = 10000

// scans looks for pending load balancers now and then: hints may be lost, and other processes give none.
func (l *Loop) scans(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.scanNow:
		case <-time.After(jittered(l.cfg.ScanEvery)):
		}
		for _, h := range l.leases.all() {
			l.scan(h)
		}
	}
}

func (l *Loop) scan(h *held) {
	ids, err := l.cfg.Store.Pending(h.ctx, h.Name, scanLimit)
	if err != nil && h.ctx.Err() == nil {
		l.cfg.Log.Warn("pending load balancers could not be read", "err", err)
	}
	for _, id := range ids {
		l.queue.Offer(id)
	}
}

// audits looks at every load balancer now and then, however quiet everything is.
func (l *Loop) audits(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.auditNow:
		case <-time.After(jittered(l.cfg.AuditEvery)):
			l.retrySettled()
		}
		for _, h := range l.leases.all() {
			if err := l.audit(h); err != nil && h.ctx.Err() == nil {
				l.cfg.Log.Warn("load balancers could not be audited", "err", err)
			}
		}
		for _, o := range l.observers {
			o.addAll()
		}
	}
}

// audit learns the load balancers of a lease that were there before this process had it, so that they are observed. Those that come
// later it learns when it applies them.
func (l *Loop) audit(h *held) error {
	if h.learned {
		return nil
	}
	ids, err := l.cfg.Store.LoadBalancerIDs(h.ctx, h.Name, l.observed()...)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if l.memory.tree(id) != nil {
			continue
		}
		lb, err := l.cfg.Store.Tree(h.ctx, id)
		if errors.Is(err, lbaas.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		lb.Epoch = h.Epoch
		l.memory.learn(lb, h)
	}
	h.learned = true
	return nil
}

// observed are the providers whose data planes may change by themselves.
func (l *Loop) observed() []string {
	var names []string
	for name, p := range l.cfg.Providers {
		if !steady(p) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// retrySettled gives permanent failures another try: the data plane may have learnt something since.
func (l *Loop) retrySettled() {
	for _, id := range l.memory.unsettle() {
		l.queue.Offer(id)
	}
}
