package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/datagram"
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
	"plimsoll/internal/linux"
)

// forwarding is what the engine last had the kernel do with a load balancer's datagrams.
type forwarding struct {
	known      bool // it was carried out by this engine, whole
	listeners  []*enginepb.Datagram
	down       map[string]bool
	generation uint32 // of the namespace's tables, when they last were as wanted
}

// same tells whether f is carried out already.
func (f forwarding) same(other forwarding) bool {
	return f.known && maps.Equal(f.down, other.down) && slices.EqualFunc(f.listeners, other.listeners, func(a, b *enginepb.Datagram) bool {
		return proto.Equal(a, b)
	})
}

// tableSeen is a table that was looked at and was as wanted, by an engine that need not have made it.
type tableSeen struct {
	spec       *enginepb.Spec
	down       map[string]bool
	generation uint32 // of the namespace's tables, then
}

// by is the generation at which the table was seen to be as a Spec and the members' health ask for, or 0.
func (s tableSeen) by(spec *enginepb.Spec, down map[string]bool) uint32 {
	if s.spec != spec || !maps.Equal(s.down, down) {
		return 0
	}
	return s.generation
}

// checkDatagrams refuses listeners that no table of the kernel could be made of. Their ids become names in it.
func checkDatagrams(listeners []*enginepb.Datagram) error {
	for _, d := range listeners {
		if err := checkID("datagram listener", d.GetListenerId()); err != nil {
			return err
		}
		if d.PoolId != "" {
			if err := checkID("pool", d.PoolId); err != nil {
				return err
			}
		}
		for _, t := range d.Targets {
			if err := checkID("member", t.GetMemberId()); err != nil {
				return err
			}
		}
	}
	return datagram.Check(listeners)
}

// forward has the kernel forward datagrams as the Spec asks for. settled tells that what the last Spec asked for was carried out
// to its end. A failure is the listeners': HAProxy's need not wait for them.
func (a *application) forward(settled bool) {
	b, listeners := a.balancer, a.spec.Datagrams
	if len(listeners) == 0 && settled && len(b.spec().Datagrams) == 0 {
		b.forwarding = forwarding{known: true}
		return // most load balancers have no datagrams, and pay nothing for those of others
	}
	changes, err := a.engine.forward(b, listeners)
	a.forwarded = changes
	switch {
	case err == nil:
		b.counters.trimDatagrams(a.spec)
	case len(listeners) > 0:
		a.failDatagrams(err)
	case len(b.spec().Datagrams) > 0:
		a.fail(b.id, false, err.Error())
	default: // a kernel without nftables has no table to take away, and serves all but datagrams
		a.engine.log.Debug("no datagrams looked for", "load_balancer", b.id, "err", err)
	}
}

// failDatagrams fails the listeners of datagrams, where there is an error.
func (a *application) failDatagrams(err error) {
	if err == nil {
		return
	}
	for _, d := range a.spec.Datagrams {
		a.fail(d.ListenerId, false, err.Error())
	}
}

// countForwarded adds the changes of forwarding to what the reply says.
func (a *application) countForwarded() {
	if a.forwarded == 0 {
		return
	}
	if a.reply.Method == methodNone {
		a.reply.Method = methodRuntime
	}
	a.reply.RuntimeChanges++ // all of them are one transaction
}

// reforward has the kernel forward datagrams as the last Spec and the members' health ask for. The caller holds b's lock.
func (e *Engine) reforward(b *balancer) error {
	listeners := b.forwarding.listeners
	switch {
	case b.forwarding.known && maps.Equal(b.forwarding.down, b.targetsDown()):
		return nil
	case !b.forwarding.known && b.record.Process == (processID{}):
		return nil // nobody knows what is wanted; the next Apply says so
	case !b.forwarding.known:
		listeners = b.spec().Datagrams
	}
	if len(listeners) == 0 {
		return nil
	}
	_, err := e.forward(b, listeners)
	return err
}

// forward makes the namespace's table as listeners and the members' health ask for, and has the kernel forget the flows
// that the table would not have made. It returns how many changes that took.
func (e *Engine) forward(b *balancer, listeners []*enginepb.Datagram) (changes int, err error) {
	f := forwarding{known: true, listeners: listeners, down: b.targetsDown()}
	namespace := namespaceName(b.id)
	if b.forwarding.same(f) {
		is, err := linux.ReadDatagrams(namespace, b.forwarding.generation)
		if err == nil && is.State == nil && is.Forwards {
			return 0, nil // nobody has touched it since
		}
	}
	b.forwarding.known = false
	is, err := linux.ReadDatagrams(namespace, 0)
	if err != nil {
		return 0, err
	}
	b.counters.seeDatagrams(slices.Concat(b.spec().Datagrams, listeners), is.Counters) // also of those that this takes away
	todo := datagram.Diff(*is.State, datagram.Plan(listeners, f.down))
	if countersChange(*is.State, todo) { // counters go on from what is stored: nothing may be lost when the engine ends now
		if err := b.counters.write(b.dir); err != nil {
			return 0, err
		}
	}
	if err := carryOutTable(namespace, listeners, b.counters.Datagrams, todo); err != nil {
		return 0, err
	}
	forgotten, err := linux.ForgetFlows(namespace, func(t datagram.Tracked) bool { return datagram.Stale(listeners, f.down, t) })
	if err != nil {
		return 0, err
	}
	failpoint.Here("engine.datagrams.forwarded")
	if f.generation, err = linux.DatagramGeneration(namespace); err != nil {
		return 0, err
	}
	e.log.Debug("datagrams forwarded", "load_balancer", b.id, "changes", len(todo), "flows_forgotten", forgotten)
	b.forwarding = f
	return len(todo), nil
}

// countersChange tells whether counters are made anew, or taken away.
func countersChange(is datagram.State, todo []datagram.Change) bool {
	return len(todo) > 0 && is.None() || slices.ContainsFunc(todo, func(c datagram.Change) bool {
		return c.Op == datagram.DeleteCounter || c.Op == datagram.DeleteTable
	})
}

// carryOutTable changes the table. Nothing is forwarded without one: it comes before, and goes after.
func carryOutTable(namespace string, listeners []*enginepb.Datagram, counted map[string]datagram.Counted, todo []datagram.Change) error {
	restsUDP, restsSCTP := datagram.Idle(listeners, datagram.UDP), datagram.Idle(listeners, datagram.SCTP)
	start := func(counter string) datagram.Counter { return datagram.Start(counted, counter) }
	if len(listeners) == 0 {
		if err := linux.ForwardDatagrams(namespace, false, 0, 0); err != nil {
			return err
		}
		return linux.ChangeDatagrams(namespace, todo, start)
	}
	if err := linux.ChangeDatagrams(namespace, todo, start); err != nil {
		return err
	}
	return linux.ForwardDatagrams(namespace, true, restsUDP, restsSCTP)
}

// lookAtDatagrams adds what the kernel reports of datagrams to an observation, and returns what is not as it was applied.
func (e *Engine) lookAtDatagrams(b *balancer, o *enginepb.Observation) (drift string) {
	listeners := b.spec().Datagrams
	if len(listeners) == 0 {
		return ""
	}
	is, err := linux.ReadDatagrams(namespaceName(b.id), b.seen.by(b.record.Spec, b.targetsDown()))
	if err != nil {
		is = linux.Datagrams{State: &datagram.State{}}
	}
	b.counters.seeDatagrams(listeners, is.Counters)
	probed := b.probed()
	o.Servers = append(o.Servers, datagram.Statuses(listeners, b.targetsDown(), func(backend, member string) bool { return probed[backend+"/"+member] })...)
	drift = b.tableDrift(is, err)
	o.Frontends = append(o.Frontends, b.datagramFrontends(listeners, is)...)
	return drift
}

// tableDrift says what is not as wanted of a namespace's forwarding, or "".
func (b *balancer) tableDrift(is linux.Datagrams, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case !is.Forwards:
		return "the namespace does not forward"
	case is.State == nil:
		return ""
	}
	if left := datagram.Diff(*is.State, datagram.Plan(b.spec().Datagrams, b.targetsDown())); len(left) > 0 {
		return fmt.Sprintf("%d changes of the table of datagrams are due", len(left))
	}
	b.seen = tableSeen{spec: b.record.Spec, down: b.targetsDown(), generation: is.Generation}
	return ""
}

// flowCount is how many flows listeners had when they were last counted.
type flowCount struct {
	active map[string]int64
	at     time.Time
	took   time.Duration
}

// activeFlows are how many flows each listener has. Strangers can make so many that counting takes long: they are counted again when
// that takes a twenty-fifth of the time at most.
func (b *balancer) activeFlows(listeners []*enginepb.Datagram) map[string]int64 {
	if began := time.Now(); b.flows.active == nil || began.Sub(b.flows.at) > pace(0, b.flows.took, time.Minute) {
		flows, err := linux.Flows(namespaceName(b.id))
		if err != nil {
			flows = nil // the figure is of this moment only
		}
		b.flows = flowCount{active: datagram.Translations(listeners, flows), at: time.Now(), took: time.Since(began)}
	}
	return b.flows.active
}

// datagramFrontends are the listeners as HAProxy would report them.
func (b *balancer) datagramFrontends(listeners []*enginepb.Datagram, is linux.Datagrams) []*enginepb.Frontend {
	active := b.activeFlows(listeners)
	var all []*enginepb.Frontend
	for _, d := range listeners {
		c := b.counters.Datagrams[d.ListenerId]
		f := &enginepb.Frontend{Name: d.ListenerId, Status: "OPEN", BytesIn: c.In, BytesOut: c.Out,
			CurrentSessions: active[d.ListenerId], TotalSessions: c.Flows}
		switch {
		case is.State != nil && is.State.None():
			f.Status = "STOP"
		case d.ConnectionLimit > 0 && f.CurrentSessions >= int64(d.ConnectionLimit):
			f.Status = "FULL"
		}
		all = append(all, f)
	}
	return all
}

// seeDatagrams takes what the kernel counted of listeners. Its counters begin with what is known here, so they only fall when somebody else
// took them away.
func (c *counters) seeDatagrams(listeners []*enginepb.Datagram, now map[string]datagram.Counter) {
	if len(listeners) == 0 {
		return
	}
	if c.Datagrams == nil {
		c.Datagrams = map[string]datagram.Counted{}
	}
	for id, n := range datagram.Counts(listeners, now) {
		was := c.Datagrams[id]
		c.Datagrams[id] = datagram.Counted{In: max(was.In, n.In), Out: max(was.Out, n.Out), Flows: max(was.Flows, n.Flows)}
	}
}

// trimDatagrams forgets the listeners that are gone.
func (c *counters) trimDatagrams(spec *enginepb.Spec) {
	keep := kept(spec)
	maps.DeleteFunc(c.Datagrams, func(id string, _ datagram.Counted) bool { return !keep[id] })
}

// countDatagrams takes what the kernel counted until now.
func (b *balancer) countDatagrams() error {
	listeners := b.spec().Datagrams
	if len(listeners) == 0 {
		return nil
	}
	is, err := linux.ReadDatagrams(namespaceName(b.id), b.seen.generation)
	if errors.Is(err, linux.ErrNoNamespace) {
		return nil // it is told by others
	}
	if err == nil {
		b.counters.seeDatagrams(listeners, is.Counters)
	}
	return err
}
