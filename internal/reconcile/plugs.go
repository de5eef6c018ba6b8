package reconcile

import (
	"context"
	"errors"
	"net/netip"

	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
)

// EnginePlugger is the Plugger of the engine's host.
type EnginePlugger struct {
	Engine enginepb.EngineClient
}

// Plug sends the plan to the engine, with a default route through each subnet's gateway.
func (e EnginePlugger) Plug(ctx context.Context, plan *network.PortPlan, netns string) error {
	_, err := e.Engine.Plug(ctx, &enginepb.PlugRequest{Port: portMessage(plan), Netns: netns})
	return said(err)
}

// Unplug has the engine undo Plug.
func (e EnginePlugger) Unplug(ctx context.Context, portID string) error {
	_, err := e.Engine.Unplug(ctx, &enginepb.UnplugRequest{PortId: portID})
	return said(err)
}

// Plugged asks the engine what is plugged.
func (e EnginePlugger) Plugged(ctx context.Context) (map[string]string, error) {
	reply, err := e.Engine.Plugged(ctx, &enginepb.PluggedRequest{})
	if err != nil {
		return nil, said(err)
	}
	plugged := map[string]string{}
	for _, p := range reply.GetPlugs() {
		plugged[p.GetPortId()] = p.GetNetns()
	}
	return plugged, nil
}

// Watch calls changed when the engine's watch stands, and no more: the engine keeps by itself what is plugged, but one
// that starts anew has to be asked what it found.
func (e EnginePlugger) Watch(ctx context.Context, changed func()) error {
	stream, err := e.Engine.Watch(ctx, &enginepb.WatchRequest{})
	if err != nil {
		return said(err)
	}
	for {
		event, err := stream.Recv()
		if err != nil {
			return said(err)
		}
		if event.GetLoadBalancerId() == "" && !event.GetHost() {
			changed()
		}
	}
}

// said reduces an error of gRPC to what the engine said, for reasons that operators read.
func said(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(status.Convert(err).Message())
}

func portMessage(plan *network.PortPlan) *enginepb.Port {
	m := &enginepb.Port{Id: plan.PortID, NetworkId: plan.NetworkID, Mac: plan.MAC, Mtu: int32(plan.MTU),
		Link: plan.Link, Guarded: plan.Guarded}
	if plan.Segment.Wide() {
		m.Segment = &enginepb.Segment{Type: plan.Segment.Type, Physical: plan.Segment.Physical, Id: int32(plan.Segment.ID)}
	}
	for _, a := range plan.Addresses {
		m.Addresses = append(m.Addresses, a.String())
	}
	for _, g := range plan.Gateways {
		m.Routes = append(m.Routes, &enginepb.Route{Destination: everywhere(g).String(), NextHop: g.String()})
	}
	for _, r := range plan.Routes {
		m.Routes = append(m.Routes, &enginepb.Route{Destination: r.Destination.String(), NextHop: r.NextHop.String()})
	}
	return m
}

// everywhere is the default route's destination of an address's family.
func everywhere(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
