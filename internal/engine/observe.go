package engine

import (
	"cmp"
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
)

const (
	// observers is how many load balancers are looked at at once.
	observers = 8
	// observeWait is how long Observe waits for a change that is under way. The load balancer is absent from the answer after that.
	observeWait = 5 * time.Second
)

// Observe reports what the host says of load balancers. One that the engine never had is absent from the answer.
func (e *Engine) Observe(ctx context.Context, req *enginepb.ObserveRequest) (*enginepb.ObserveReply, error) {
	ids := req.LoadBalancerIds
	if len(ids) == 0 {
		ids = e.known()
	}
	for _, id := range ids {
		if err := checkID("load balancer", id); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "observe: %v", err)
		}
	}
	seen := make([]*enginepb.Observation, len(ids))
	var group errgroup.Group
	group.SetLimit(observers)
	for i, id := range ids {
		group.Go(func() error {
			seen[i] = e.observe(ctx, id)
			return nil
		})
	}
	_ = group.Wait()
	reply := &enginepb.ObserveReply{}
	for _, o := range seen {
		if o != nil {
			reply.Observations = append(reply.Observations, o)
		}
	}
	return reply, nil
}

func (e *Engine) observe(ctx context.Context, id string) *enginepb.Observation {
	e.mu.Lock()
	_, known := e.balancers[id]
	e.mu.Unlock()
	if !known {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, observeWait)
	defer cancel()
	b, err := e.balancer(ctx, id)
	if err != nil {
		return nil
	}
	defer b.unlock()
	if b.record.Generation == 0 && b.record.Spec == nil {
		if b.current == nil && len(b.draining) == 0 {
			e.forget(b)
		}
		return nil
	}
	o := &enginepb.Observation{LoadBalancerId: id, Epoch: b.record.Epoch, Generation: b.record.Generation, Hash: b.record.Hash}
	reason := e.look(b, o)
	o.Reason = cmp.Or(reason, e.lookAtDatagrams(b, o))
	o.Drifted = o.Reason != ""
	return o
}

// look fills in what HAProxy reports, and returns what is not as it was applied.
func (e *Engine) look(b *balancer, o *enginepb.Observation) (drift string) {
	b.settle()
	b.follow()
	if b.current == nil {
		o.Frontends = b.counters.stopped(b.spec())
		return "HAProxy does not run"
	}
	stats, err := b.stats(1 + 4)
	if err != nil {
		o.Frontends = b.counters.stopped(b.spec())
		return err.Error()
	}
	o.Frontends, o.Servers = b.count(stats), haproxy.Servers(stats)
	if b.report(o.Servers) {
		e.enforce(b)
	}
	o.Running = b.record.Process == b.current.processID
	if !o.Running {
		return "the last change was not finished"
	}
	if !linux.Inside(namespaceName(b.id), b.current.PID) {
		return "HAProxy does not run in network namespace " + namespaceName(b.id)
	}
	if err := b.verify(b.spec()); err != nil {
		return err.Error()
	}
	if reason := e.lookAtPorts(b); reason != "" {
		return reason
	}
	if id := b.unneeded(); id != "" {
		return "port " + id + " is not needed any more"
	}
	return ""
}

func (e *Engine) lookAtPorts(b *balancer) string {
	for _, p := range b.spec().Ports {
		port, err := parsePort(p)
		if err != nil {
			continue // it was refused when it came
		}
		reason, err := e.host.CheckPort(namespaceName(b.id), port)
		if err != nil {
			return err.Error()
		}
		if reason != "" {
			return reason
		}
	}
	return ""
}
