package engine

import (
	"context"
	"fmt"
	"net/netip"

	"plimsoll/internal/engine/enginepb"
)

// applyTunnels says where VXLANs lead, those that are there and those that come. What cannot be is told for the host as a whole; that of one
// network is the reason why its ports are not plugged.
func (e *Engine) applyTunnels(_ context.Context, plan *enginepb.HostPlan) []*enginepb.HostFailure {
	var failures []*enginepb.HostFailure
	var peers []netip.Addr
	for _, text := range plan.TunnelPeers {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			failures = append(failures, &enginepb.HostFailure{Reason: fmt.Sprintf("tunnels: %q is not the address of a host", text)})
			continue
		}
		peers = append(peers, a.Unmap())
	}
	if err := e.host.SetPeers(peers); err != nil {
		failures = append(failures, &enginepb.HostFailure{Reason: "tunnels: " + err.Error()})
	}
	return failures
}
