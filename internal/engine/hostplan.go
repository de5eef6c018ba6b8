package engine

import (
	"context"

	"plimsoll/internal/engine/enginepb"
)

// ApplyHost makes what the host does for the network service what the plan says. The plan is kept first, so that the engine makes it
// again after a crash or a reboot. The guards come first: nothing passes a port that is guarded before they know it.
func (e *Engine) ApplyHost(ctx context.Context, plan *enginepb.HostPlan) (*enginepb.HostReply, error) {
	reply := &enginepb.HostReply{}
	for _, apply := range []func(context.Context, *enginepb.HostPlan) []*enginepb.HostFailure{
		e.applyGuards, e.applyTunnels, e.applyRouters, e.applyDhcps,
	} {
		reply.Failures = append(reply.Failures, apply(ctx, plan)...)
	}
	return reply, nil
}
