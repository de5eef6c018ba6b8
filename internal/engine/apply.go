package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
)

// How an Apply was done, as ApplyReply.method says.
const (
	methodNone    = "none"
	methodRuntime = "runtime"
	methodReload  = "reload"
	methodStart   = "start"
)

// Apply makes the host match the Spec. What keeps the whole of it from being done is a Failure of the load balancer
// itself, so that its owner can read it; an error is only for requests that the engine refuses.
func (e *Engine) Apply(ctx context.Context, req *enginepb.ApplyRequest) (*enginepb.ApplyReply, error) {
	spec := req.GetSpec()
	ports, err := checkSpec(spec)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "apply: %v", err)
	}
	b, err := e.balancer(ctx, spec.LoadBalancerId)
	if err != nil {
		return nil, err
	}
	defer b.unlock()
	if err := e.fence(b, spec.Epoch, spec.Generation); err != nil {
		return nil, err
	}
	// A caller that gives up must not leave half a change behind.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	began := time.Now()
	a := &application{engine: e, balancer: b, spec: spec, ports: ports, reply: &enginepb.ApplyReply{Method: methodNone}}
	if err := a.run(ctx); err != nil {
		a.fail(spec.LoadBalancerId, false, err.Error())
		a.reply.NeededPortIds = b.leave(spec) // nobody knows what runs
	}
	e.done.count(a.reply)
	b.broken = ""
	if err := b.sweepFiles(b.record.Spec); err != nil {
		e.log.Warn("old files not removed", "load_balancer", b.id, "err", err)
	}
	e.log.Debug("spec applied", "load_balancer", b.id, "generation", spec.Generation, "method", a.reply.Method,
		"runtime_changes", a.reply.RuntimeChanges, "failures", len(a.reply.Failures), "why", a.why, "took", time.Since(began))
	return a.reply, nil
}

// fence refuses what is older than the last Spec taken or the last removal.
func (e *Engine) fence(b *balancer, epoch, generation int64) error {
	last := e.tombstones.of(b.id)
	if older(last.Epoch, last.Generation, b.record.Epoch, b.record.Generation) {
		last = order{b.record.Epoch, b.record.Generation}
	}
	if !older(epoch, generation, last.Epoch, last.Generation) {
		return nil
	}
	return status.Errorf(codes.FailedPrecondition, "load balancer %s: epoch %d generation %d is older than epoch %d generation %d, which was taken",
		b.id, epoch, generation, last.Epoch, last.Generation)
}

// application is one Apply under way.
type application struct {
	engine    *Engine
	balancer  *balancer
	spec      *enginepb.Spec
	ports     []linux.Port
	reply     *enginepb.ApplyReply
	why       string // why HAProxy was started or reloaded
	forwarded int    // changes of the table of datagrams
	halfway   bool   // changes at run time were begun and not ended
}

func (a *application) fail(object string, permanent bool, reason string) {
	a.reply.Failures = append(a.reply.Failures, &enginepb.Failure{ObjectId: object, Permanent: permanent, Reason: reason})
}

func (a *application) run(ctx context.Context) error {
	b := a.balancer
	known := b.record.Process
	if err := a.take(); err != nil {
		return err
	}
	if err := a.network(); err != nil {
		return err
	}
	a.forward(known != processID{})
	if err := a.engine.inspect(b); err != nil {
		return err
	}
	done, err := a.converge(ctx, a.running(known))
	if err != nil {
		return err
	}
	a.countForwarded()
	if err := a.removePorts(); err != nil {
		return err
	}
	b.settle()
	b.follow()
	a.reply.NeededPortIds = b.needed(a.spec)
	if err := a.finish(done); err != nil {
		return err
	}
	a.engine.export(b)
	a.engine.recheck(b)
	a.engine.enforce(b)
	a.failDatagrams(a.engine.reforward(b)) // a member that is checked no more is up
	return nil
}

// take stores that the Spec was taken, before anything is done for it. Where it differs from the last, nobody knows
// from here on what runs, until the end.
func (a *application) take() error {
	b, r := a.balancer, a.balancer.record
	if err := os.Mkdir(b.dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the run directory: %w", bare(err))
	}
	r.Ports = join(r.Ports, portRefs(a.spec.Ports))
	if r.Hash != a.spec.Hash {
		r.Process = processID{}
	}
	r.Epoch, r.Generation, r.Hash = a.spec.Epoch, a.spec.Generation, a.spec.Hash
	if sameRecord(r, b.record) {
		return nil
	}
	if err := r.write(b.dir); err != nil {
		return err
	}
	b.record = r
	return nil
}

// network makes the namespace and its ports. Those that are no longer wanted go at the end: HAProxy may use them yet.
func (a *application) network() error {
	host, name := a.engine.host, namespaceName(a.balancer.id)
	ours, err := host.EnsureNamespace(name)
	if err != nil {
		return fmt.Errorf("make the network namespace: %w", bare(err))
	}
	if !ours {
		return fmt.Errorf("network namespace %s: %w", name, linux.ErrForeign)
	}
	for _, p := range a.ports {
		if _, err := host.EnsurePort(name, p); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) removePorts() error {
	wanted := portRefs(a.spec.Ports)
	for _, p := range a.balancer.record.Ports {
		if slices.Contains(wanted, p) {
			continue
		}
		if slices.ContainsFunc(wanted, func(w portRef) bool { return w.ID == p.ID }) {
			continue // it has moved to another network, and the old bridge was pruned
		}
		if err := a.engine.removePort(p); err != nil {
			return err
		}
	}
	return nil
}

// removePort removes a port and, where it was the last, its network's bridge.
func (e *Engine) removePort(p portRef) error {
	if err := e.host.RemovePort(p.ID); err != nil && !errors.Is(err, linux.ErrForeign) {
		return err
	}
	return e.host.PruneBridge(p.Network)
}

// running is what HAProxy itself says it runs, or nil when nobody knows.
func (a *application) running(known processID) *enginepb.Spec {
	b := a.balancer
	switch {
	case b.current == nil:
		a.why = "no process takes connections"
		return nil
	case b.record.Spec == nil || known != b.current.processID:
		a.why = "it is not known what runs"
		return nil
	}
	states, err := b.serverStates()
	if err != nil {
		a.why = err.Error()
		return nil
	}
	return haproxy.Running(b.record.Spec, states)
}

// converge brings HAProxy from what runs (nil: unknown) to the Spec, and returns what it could bring it to. What a file holds
// is shown to HAProxy before any of it is changed.
func (a *application) converge(ctx context.Context, running *enginepb.Spec) (*enginepb.Spec, error) {
	wanted, held := a.wanted()
	if err := a.balancer.keep(wanted); err != nil {
		return nil, err
	}
	sameFiles := haproxy.SameFiles(running, wanted)
	if sameFiles && a.atRunTime(running, wanted) {
		a.report(nil, held)
		return wanted, nil
	}
	accepted, err := a.admit(ctx, wanted, held)
	if err != nil {
		return nil, err
	}
	// What was refused may have been all that called for a reload.
	if (accepted != wanted || !sameFiles) && a.atRunTime(running, accepted) {
		return accepted, nil
	}
	a.reply.Method = methodReload
	if a.balancer.current == nil {
		a.reply.Method = methodStart
	}
	return accepted, a.engine.restart(ctx, a.balancer, accepted)
}

// wanted is the Spec, in which the objects that cannot be made now have their last good form, and the objects that are held back
// with these.
func (a *application) wanted() (left *enginepb.Spec, held []string) {
	if len(a.spec.HeldObjects) == 0 {
		return a.spec, nil
	}
	return haproxy.Retreat(a.spec, a.balancer.record.Spec, a.spec.HeldObjects)
}

// atRunTime tries to do without a reload, and tells whether HAProxy now is as wanted. Once it failed on its way, nobody knows
// any more what runs.
func (a *application) atRunTime(running, wanted *enginepb.Spec) bool {
	if running == nil || a.halfway {
		return false
	}
	b := a.balancer
	plan := haproxy.Diff(running, wanted)
	if plan.Reload {
		a.why = plan.Reason
		return false
	}
	if done, err := b.carryOut(plan.Steps); err != nil {
		a.why, a.halfway = err.Error(), done > 0
		return false
	}
	b.removals = plan.Removals
	if len(plan.Steps) > 0 {
		if err := b.verify(wanted); err != nil {
			a.why, a.halfway = err.Error(), true
			return false
		}
		a.reply.Method, a.reply.RuntimeChanges = methodRuntime, int32(len(plan.Steps))
	}
	b.removeIdle()
	return true
}

// verify compares what HAProxy reports with what was wanted of it. On the way it learns which servers have yet to be deleted.
func (b *balancer) verify(wanted *enginepb.Spec) error {
	states, err := b.serverStates()
	if err != nil {
		return err
	}
	plan := haproxy.Diff(haproxy.Running(wanted, states), wanted)
	switch {
	case plan.Reload:
		return fmt.Errorf("HAProxy did not take a change: %s", plan.Reason)
	case len(plan.Steps) > 0:
		return fmt.Errorf("HAProxy did not take a change: %s is due", plan.Steps[0].Command)
	}
	b.removals = plan.Removals
	return nil
}

// finish makes the file and the record agree with what runs.
func (a *application) finish(done *enginepb.Spec) error {
	b := a.balancer
	if err := b.layFiles(done); err != nil {
		return err
	}
	text, _ := haproxy.File(done)
	if err := writeFile(b.path(haproxy.ConfigFile), text); err != nil {
		return err
	}
	failpoint.Here("engine.conf.agreed")
	r := b.record
	r.Process, r.Spec, r.Ports = b.current.processID, clone(done), portRefs(a.spec.Ports)
	if sameRecord(b.record, r) {
		return nil
	}
	if err := r.write(b.dir); err != nil {
		return err
	}
	b.record = r
	return nil
}
