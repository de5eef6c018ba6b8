package engine

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
	"plimsoll/internal/linux"
)

// Remove deletes everything that Apply made of a load balancer. Removing what is not there succeeds.
func (e *Engine) Remove(ctx context.Context, req *enginepb.RemoveRequest) (*enginepb.RemoveReply, error) {
	if err := checkID("load balancer", req.LoadBalancerId); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "remove: %v", err)
	}
	b, err := e.balancer(ctx, req.LoadBalancerId)
	if err != nil {
		return nil, err
	}
	defer b.unlock()
	if err := e.fence(b, req.Epoch, req.Generation); err != nil {
		return nil, err
	}
	if err := e.tombstones.add(b.id, order{req.Epoch, req.Generation}); err != nil {
		return nil, status.Errorf(codes.Internal, "remove load balancer %s: %v", b.id, err)
	}
	if err := e.remove(b); err != nil {
		return nil, status.Errorf(codes.Internal, "remove load balancer %s: %v", b.id, err)
	}
	e.forget(b)
	e.log.Info("load balancer removed", "load_balancer", b.id)
	return &enginepb.RemoveReply{}, nil
}

// remove goes from the outside in: each step finds what it needs although the one after it was done before.
func (e *Engine) remove(b *balancer) error {
	if err := e.killAll(b); err != nil {
		return err
	}
	failpoint.Here("engine.haproxy.killed")
	if err := e.removeNetwork(b.id, b.record); err != nil {
		return err
	}
	if err := removeAll(b.dir); err != nil {
		return err
	}
	failpoint.Here("engine.files.removed")
	return nil
}

// removeNetwork removes a load balancer's ports, their bridges where they were the last, and its namespace.
func (e *Engine) removeNetwork(id string, r record) error {
	for _, p := range r.Ports {
		if err := e.removePort(p); err != nil {
			return err
		}
	}
	if err := e.host.RemoveNamespace(namespaceName(id)); err != nil && !errors.Is(err, linux.ErrForeign) {
		return err
	}
	return nil
}

// killAll ends the load balancer's processes, those that nobody told us of included.
func (e *Engine) killAll(b *balancer) error {
	for _, p := range b.processes() {
		if err := p.end(); err != nil {
			return err
		}
	}
	b.settle()
	return killConfigs(func(conf string) bool { return conf == b.conf })
}

// killConfigs ends every HAProxy that runs a configuration file of ours.
func killConfigs(ours func(conf string) bool) error {
	all, err := findProcesses()
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	var failed []error
	for conf, pids := range all {
		if !ours(conf) {
			continue
		}
		for _, pid := range pids {
			if p, err := openProcess(pid, conf); err == nil {
				failed = append(failed, p.end())
			}
		}
	}
	return errors.Join(failed...)
}
