package engine

import (
	"context"
	"errors"

	"plimsoll/internal/haproxy"
)

// Health checks that HAProxy cannot make: checkschedule.go says when, checkprobe.go and the files beside it how, checkhealth.go what
// they have found. Here they are tied to a load balancer.

// recheck makes the schedule follow what was carried out last. The caller holds the load balancer's lock.
func (e *Engine) recheck(b *balancer) {
	asked := map[string]bool{}
	for _, c := range b.spec().Checks {
		for _, p := range c.Probes {
			asked[p.MemberId] = true
		}
	}
	for _, member := range e.checks.follow(b, b.spec().Checks) {
		b.health.forget(member)
	}
	b.health.keep(asked)
	e.saveHealth(b)
}

// checked takes what came of a check.
func (e *Engine) checked(b *balancer, t *task, err error) {
	if errors.Is(err, errNotAsked) {
		e.log.Debug("member not checked", "load_balancer", b.id, "member", t.probe.MemberId, "err", err)
		return
	}
	turned, first := b.health.result(t.probe.MemberId, err == nil, t.check.Rise, t.check.Fall)
	if !turned {
		return
	}
	if err != nil {
		e.log.Info("member is down", "load_balancer", b.id, "member", t.probe.MemberId, "monitor", t.check.MonitorId, "err", err)
	} else {
		e.log.Info("member is up", "load_balancer", b.id, "member", t.probe.MemberId, "monitor", t.check.MonitorId)
	}
	if first { // else whoever waits for the lock will see this, too
		e.tasks.Go(func() { e.tell(e.life, b) })
	}
}

// tell says what the checks have found to those who have to know it, once the load balancer is not being worked on.
func (e *Engine) tell(ctx context.Context, b *balancer) {
	select {
	case <-b.lock:
	case <-ctx.Done():
		return
	}
	defer b.unlock()
	b.health.told()
	if b.removed {
		return
	}
	e.enforce(b)
	if err := e.reforward(b); err != nil {
		e.log.Warn("datagrams are forwarded as before", "load_balancer", b.id, "err", err)
	}
	e.saveHealth(b)
	e.hub.publish(b.id)
}

// enforce makes HAProxy's servers as the checks found the members. What cannot be done is tried again when the load balancer is next
// looked at. The caller holds the load balancer's lock.
func (e *Engine) enforce(b *balancer) {
	if err := b.setHealth(); err != nil {
		e.log.Warn("members' health not told", "load_balancer", b.id, "err", err)
	}
}

// setHealth makes HAProxy's servers as the checks found the members.
func (b *balancer) setHealth() error {
	if b.current == nil || len(haproxy.Unchecked(b.spec())) == 0 {
		return nil // what starts is told by its state file
	}
	states, err := b.serverStates()
	if err != nil {
		return err
	}
	_, err = b.carryOut(haproxy.HealthSteps(states, b.spec(), b.targetsDown()))
	return err
}

func (e *Engine) saveHealth(b *balancer) {
	if err := b.health.write(b.dir); err != nil {
		e.log.Warn("members' health not stored", "load_balancer", b.id, "err", err)
	}
}
