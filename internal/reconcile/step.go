package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"plimsoll/internal/failpoint"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// task is one step on one load balancer: its tree, the lease under which the step is done, and its provider.
type task struct {
	lb       *lbaas.LoadBalancer
	held     *held
	provider provider.Provider
	log      *slog.Logger
}

// generation is that of the wanted state which the step makes true.
func (t *task) generation() int64 { return t.lb.Progress.Generation }

// lost tells whether the step's lease is no longer held, so that its outcome is for somebody else to find out.
func (t *task) lost(err error) bool {
	return t.held.ctx.Err() != nil || errors.Is(err, store.ErrLeaseLost)
}

// next is what follows a step.
type next int

const (
	done  next = iota
	again      // it is to be repeated after a pause
	waits      // it did not begin: the provider has as much to do as it may
)

func nextOf(repeat bool) next {
	if repeat {
		return again
	}
	return done
}

// step makes true what is wanted of a load balancer.
func (l *Loop) step(ctx context.Context, id string) next {
	asked := time.Now()
	lb, err := l.cfg.Store.Tree(ctx, id)
	if errors.Is(err, lbaas.NotFound) {
		l.memory.forget(id)
		return done
	}
	if err != nil {
		if ctx.Err() == nil {
			l.cfg.Log.Warn("load balancer could not be read", "load_balancer", id, "err", err)
		}
		return again
	}
	h, release := l.leases.use(store.LeaseName(lb))
	if h == nil {
		l.leases.look(store.LeaseName(lb)) // once it is taken, the scan finds what is pending
		return done
	}
	defer release()
	if h.since.After(asked) {
		return again // another may have had the lease and gone on: under our new epoch the data plane would take the older tree
	}
	return l.begin(lb, h)
}

// begin does a step on what was read under a lease, if there is need and the provider has room for it.
func (l *Loop) begin(lb *lbaas.LoadBalancer, h *held) next {
	if !l.queue.Enter(lb.ID, lb.Provider) {
		return waits
	}
	if !l.memory.due(lb, h.Name) {
		return done
	}
	lb.Epoch = h.Epoch
	t := &task{lb: lb, held: h, provider: l.cfg.Providers[lb.Provider], log: l.cfg.Log.With("load_balancer", lb.ID, "provider", lb.Provider)}
	repeat, err := l.converge(t)
	return nextOf(l.settle(t, repeat, err))
}

// settle decides what becomes of a step that was cut short or could not be written down.
func (l *Loop) settle(t *task, again bool, err error) bool {
	if t.lost(err) {
		t.log.Debug("load balancer left to the holder of the lease", "lease", t.held.Name)
		return false
	}
	if err != nil {
		t.log.Warn("load balancer's progress could not be written", "err", err)
		again = true
	}
	if again {
		l.memory.update(t.lb.ID, func(k *known) { k.force = true })
	}
	return again
}

// converge removes or applies. Its error is one of the store: what the provider says is kept with the load balancer.
func (l *Loop) converge(t *task) (again bool, err error) {
	if t.provider == nil {
		return l.failed(t, lbaas.Errorf(lbaas.Unsupported, "Provider '%s' is not enabled.", t.lb.Provider))
	}
	start := time.Now()
	if t.lb.Progress.Deleted {
		if err := l.remove(t); err != nil {
			l.tell(t, "remove", "failed", start)
			return l.failed(t, err)
		}
		l.tell(t, "remove", "done", start)
		return false, l.gone(t, time.Since(start))
	}
	ctx, cancel := context.WithTimeout(t.held.ctx, l.cfg.ApplyTimeout)
	defer cancel()
	result, seen, err := t.apply(ctx)
	if err != nil {
		l.tell(t, "", "failed", start)
		return l.failed(t, err)
	}
	l.tell(t, result.Method, outcome(result), start)
	failpoint.Here("reconcile.apply")
	if seen != nil { // before the Apply is written down: nobody looks again
		if err := l.cfg.Store.Observe(t.held.ctx, t.held.Lease, seen); err != nil {
			return true, err
		}
	}
	again, err = l.achieved(t, result, time.Since(start))
	if err == nil {
		l.remember(t)
	}
	return again, err
}

func outcome(r provider.Result) string {
	if len(r.Failures) > 0 {
		return "incomplete"
	}
	return "done"
}

// apply has the provider make the tree, and tells what can be seen of it where it stays as it was made.
func (t *task) apply(ctx context.Context) (result provider.Result, seen map[string]store.Seen, err error) {
	result, err = t.provider.Apply(ctx, t.lb)
	if err != nil || !steady(t.provider) {
		return result, nil, err
	}
	all, err := t.provider.Observe(ctx, []*lbaas.LoadBalancer{t.lb})
	s := all[t.lb.ID]
	return result, map[string]store.Seen{t.lb.ID: {Operating: s.Operating, Statistics: s.Statistics}}, err
}

func steady(p provider.Provider) bool {
	s, ok := p.(provider.Steady)
	return ok && s.Steady()
}

// achieved writes what an Apply brought about.
func (l *Loop) achieved(t *task, result provider.Result, took time.Duration) (again bool, err error) {
	ctx, g := t.held.ctx, t.generation()
	if len(result.Failures) == 0 {
		if err := l.cfg.Store.Achieved(ctx, t.held.Lease, t.lb.ID, g, nil, result.Amphorae); err != nil {
			return false, err
		}
		l.memory.update(t.lb.ID, func(k *known) { k.failing = time.Time{} })
		phrase := "load balancer became ACTIVE"
		if t.lb.Progress.Status() == lbaas.Active {
			phrase = "load balancer repaired"
		}
		l.log(t, "", slog.LevelInfo, phrase, "generation", g, "duration", took, "method", result.Method)
		// As the store has it now: what is ACTIVE and serves nobody is in ERROR, what is not yet made is OFFLINE.
		t.lb.Progress.Observed, t.lb.Progress.Failed = g, false
		return false, nil
	}
	reasons, permanent := reasonsOf(result.Failures)
	if !permanent {
		late, err := l.late(t)
		if err != nil {
			return true, err
		}
		if !late {
			l.log(t, allOf(reasons), slog.LevelInfo, "load balancer is not whole yet", "generation", g, "reasons", reasons)
			return true, l.wait(t, reasons, result.Amphorae)
		}
	}
	if err := l.cfg.Store.Achieved(ctx, t.held.Lease, t.lb.ID, g, reasons, result.Amphorae); err != nil {
		return true, err
	}
	l.log(t, allOf(reasons), slog.LevelError, "load balancer has objects that failed", "generation", g, "reasons", reasons)
	if permanent {
		l.memory.update(t.lb.ID, func(k *known) { k.settled = g })
	}
	return !permanent, nil
}

// wait writes what is to be tried again. A load balancer that failed as a whole tells nothing of its objects.
func (l *Loop) wait(t *task, reasons map[string]string, amphorae []lbaas.Amphora) error {
	ctx, g := t.held.ctx, t.generation()
	if reason, whole := reasons[t.lb.ID]; whole {
		return l.cfg.Store.Failing(ctx, t.held.Lease, t.lb.ID, g, reason, false)
	}
	return l.cfg.Store.Waiting(ctx, t.held.Lease, t.lb.ID, g, reasons, amphorae)
}

// failed writes that nothing was achieved, and why.
func (l *Loop) failed(t *task, cause error) (again bool, err error) {
	if t.lost(cause) {
		return false, nil
	}
	g := t.generation()
	permanent := (errors.Is(cause, lbaas.Unsupported) || errors.Is(cause, lbaas.Invalid)) && !t.lb.Progress.Deleted
	late, err := l.late(t)
	if err != nil {
		return true, err
	}
	reason := t.reason(cause)
	level := slog.LevelInfo
	if late || permanent {
		level = slog.LevelError
	}
	l.log(t, cause.Error(), level, "load balancer failed", "generation", g, "err", cause)
	if err := l.cfg.Store.Failing(t.held.ctx, t.held.Lease, t.lb.ID, g, reason, late || permanent); err != nil {
		return true, err
	}
	if permanent {
		l.memory.update(t.lb.ID, func(k *known) { k.settled = g })
	}
	return !permanent, nil
}

// late tells whether a user has been kept hoping for too long: since something is pending, or since a repair of what was
// ACTIVE failed for the first time, which only this process knows.
func (l *Loop) late(t *task) (bool, error) {
	age, err := l.cfg.Store.PendingAge(t.held.ctx, t.lb.ID)
	l.memory.update(t.lb.ID, func(k *known) {
		if k.failing.IsZero() {
			k.failing = time.Now()
		}
		if age == 0 {
			age = time.Since(k.failing)
		}
	})
	return age >= l.cfg.Deadline, err
}

// reason is an error in words for users: those that the error has for them, else none of its own, since it may tell of
// the inside.
func (t *task) reason(err error) string {
	var told *lbaas.Error
	if errors.As(err, &told) {
		return told.Text
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("The provider %s did not answer in time; it is tried again.", t.lb.Provider)
	}
	return fmt.Sprintf("The provider %s failed; it is tried again. The server's log says more.", t.lb.Provider)
}

// remember keeps the tree that was applied, and has it observed, unless there is nothing to observe.
func (l *Loop) remember(t *task) {
	if steady(t.provider) {
		l.memory.rest(t.lb.ID)
		return
	}
	l.memory.remember(t.lb, t.held)
	l.observers[t.lb.Provider].add(t.lb.ID)
}

// gone takes a load balancer out of the store once nothing is left of it.
func (l *Loop) gone(t *task, took time.Duration) error {
	if err := l.cfg.Store.Gone(t.held.ctx, t.held.Lease, t.lb.ID, t.generation()); err != nil {
		return err
	}
	t.log.Info("load balancer is gone", "duration", took)
	l.memory.forget(t.lb.ID)
	return nil
}

// log tells what became of a load balancer, but a failure that lasts only once.
func (l *Loop) log(t *task, reason string, level slog.Level, phrase string, args ...any) {
	last := ""
	l.memory.update(t.lb.ID, func(k *known) { last, k.reason = k.reason, level.String()+reason })
	if reason == "" || last != level.String()+reason {
		t.log.Log(t.held.ctx, level, phrase, args...)
	}
}

// reasonsOf returns the reasons by object, and whether all of the failures are permanent.
func reasonsOf(failures map[string]provider.Failure) (reasons map[string]string, permanent bool) {
	reasons, permanent = map[string]string{}, true
	for id, f := range failures {
		reasons[id] = f.Reason
		permanent = permanent && f.Permanent
	}
	return reasons, permanent
}

// allOf joins the reasons in the order of their objects' ids.
func allOf(reasons map[string]string) string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(reasons)) {
		if !slices.Contains(all, reasons[id]) {
			all = append(all, reasons[id])
		}
	}
	return strings.Join(all, " ")
}
