package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
)

// plugPause lies between two looks at all plugs, plugMost where there are so many that a look takes long.
const plugPause, plugMost = 15 * time.Second, time.Minute

// plug is a port that was plugged into a namespace, as it is stored.
type plug struct {
	*enginepb.PlugRequest
	former []string // addresses that an earlier plug had, and that may be there still
}

func (p plug) id() string { return p.GetPort().GetId() }

// Plug connects a port to a named network namespace, and makes the namespace if it is not there. It is stored first, so
// that the engine mends it after a crash or a reboot.
func (e *Engine) Plug(_ context.Context, req *enginepb.PlugRequest) (*enginepb.PlugReply, error) {
	port, err := parsePort(req.GetPort())
	if err == nil {
		err = checkNetns(req.Netns)
	}
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "plug: %v", err)
	}
	e.plugging.Lock()
	defer e.plugging.Unlock()
	if err := e.replug(plug{PlugRequest: req}, port); err != nil {
		return nil, status.Errorf(codes.Internal, "plug port %s: %v", port.ID, err)
	}
	return &enginepb.PlugReply{}, nil
}

// checkNetns refuses names that cannot be, and those of load balancers' own namespaces.
func checkNetns(name string) error {
	switch {
	case name == "" || len(name) > 100 || strings.HasPrefix(name, ".") || strings.ContainsFunc(name, odd):
		return fmt.Errorf("%q cannot name a network namespace", name)
	case strings.HasPrefix(name, namespaceName("")):
		return fmt.Errorf("network namespace %s belongs to a load balancer", name)
	}
	return nil
}

func odd(r rune) bool { return r <= ' ' || r == '/' || r >= 0x7f }

// replug stores and makes a plug. One that was another link, or elsewhere, is undone first; all else changes in place.
func (e *Engine) replug(p plug, port linux.Port) error {
	if old, err := e.storedPlug(p.id()); err == nil {
		if !sameLink(old, p) {
			if err := e.unplug(old); err != nil {
				return err
			}
		} else if !p.own() {
			p.former = formerAddresses(old, p)
		}
	}
	if err := e.writePlug(p); err != nil {
		return err
	}
	failpoint.Here("engine.plug.written")
	ours, err := e.host.EnsureNamespace(p.Netns)
	if err != nil {
		return err
	}
	if p.own() && !ours {
		return fmt.Errorf("network namespace %s: %w", p.Netns, linux.ErrForeign)
	}
	changes, err := e.host.EnsurePort(p.Netns, p.within(port))
	if changes > 0 {
		e.replugged(p.Netns)
	}
	if err != nil || len(p.former) == 0 {
		return err
	}
	p.former = nil // from now on they are their user's, if they come back
	return e.writePlug(p)
}

// own tells whether nobody but the network service uses the namespace, so that all in it is as the plug says.
func (p plug) own() bool {
	return strings.HasPrefix(p.Netns, network.RouterNetNS) || strings.HasPrefix(p.Netns, network.DHCPNetNS)
}

// within adds to a port what the plug says of its namespace.
func (p plug) within(port linux.Port) linux.Port {
	port.Shared = !p.own()
	for _, text := range p.former {
		if a, err := netip.ParsePrefix(text); err == nil {
			port.Former = append(port.Former, a)
		}
	}
	return port
}

// sameLink tells whether a plug becomes another without a new link.
func sameLink(a, b plug) bool {
	return a.Netns == b.Netns && a.Port.GetNetworkId() == b.Port.GetNetworkId() && a.Port.GetLink() == b.Port.GetLink() &&
		a.Port.GetMac() == b.Port.GetMac()
}

// formerAddresses are those that an earlier plug of the port had and the new one has not. In a namespace of others they cannot be told
// from those that its user has added.
func formerAddresses(old, now plug) []string {
	var all []string
	for _, a := range slices.Concat(old.Port.GetAddresses(), old.former) {
		if !slices.Contains(now.Port.GetAddresses(), a) && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// Unplug undoes Plug. Unplugging what is not there succeeds.
func (e *Engine) Unplug(_ context.Context, req *enginepb.UnplugRequest) (*enginepb.UnplugReply, error) {
	if err := checkID("port", req.PortId); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "unplug: %v", err)
	}
	e.plugging.Lock()
	defer e.plugging.Unlock()
	p, err := e.storedPlug(req.PortId)
	if errors.Is(err, os.ErrNotExist) {
		return &enginepb.UnplugReply{}, nil
	}
	if err != nil { // unreadable: what is known is the port
		p = plug{PlugRequest: &enginepb.PlugRequest{Port: &enginepb.Port{Id: req.PortId}}}
	}
	if err := e.unplug(p); err != nil {
		return nil, status.Errorf(codes.Internal, "unplug port %s: %v", req.PortId, err)
	}
	return &enginepb.UnplugReply{}, nil
}

// unplug removes the link, the namespace when we made it and nothing else needs it, and then the record.
func (e *Engine) unplug(p plug) error {
	if err := e.host.RemovePort(p.id()); err != nil {
		return err
	}
	if network := p.Port.GetNetworkId(); network != "" {
		if err := e.host.PruneBridge(network); err != nil {
			return err
		}
	}
	if p.Netns != "" && !e.planned(p.Netns) && !e.plugUses(p.Netns, p.id()) {
		if err := e.host.RemoveNamespace(p.Netns); err != nil && !errors.Is(err, linux.ErrForeign) {
			return err
		}
	}
	if err := e.erasePlug(p.id()); err != nil {
		return err
	}
	failpoint.Here("engine.plug.removed")
	return nil
}

func (e *Engine) plugUses(netns, but string) bool {
	return len(e.plugsThat(func(p plug) bool { return p.Netns == netns && p.id() != but })) > 0
}

// Plugged lists the ports that Plug made and that still are as it made them.
func (e *Engine) Plugged(context.Context, *enginepb.PluggedRequest) (*enginepb.PluggedReply, error) {
	reply := &enginepb.PluggedReply{}
	for _, p := range e.storedPlugs() {
		if e.stands(p) {
			reply.Plugs = append(reply.Plugs, &enginepb.Plug{PortId: p.id(), Netns: p.Netns})
		}
	}
	return reply, nil
}

// keepPlugs mends plugs: at once when the engine starts, as after a reboot, and then from time to time.
func (e *Engine) keepPlugs(ctx context.Context) error {
	for {
		began := time.Now()
		for _, p := range e.storedPlugs() {
			if ctx.Err() != nil {
				break
			}
			e.mend(p)
		}
		if !pause(ctx, pace(plugPause, time.Since(began), plugMost)) {
			return nil
		}
	}
}

// plugBroken mends the plug of the port whose id begins so.
func (e *Engine) plugBroken(port string) {
	for _, p := range e.plugsThat(func(p plug) bool { return strings.HasPrefix(p.id(), port) }) {
		e.tasks.Go(func() { e.mend(p) })
	}
}

// mend makes a stored plug again what it was. A plug that is being undone is left alone.
func (e *Engine) mend(p plug) {
	e.plugging.Lock()
	defer e.plugging.Unlock()
	if !e.current(p) || len(p.former) == 0 && e.asMade(p) {
		return
	}
	port, err := parsePort(p.Port)
	if err == nil {
		err = e.replug(p, port)
	}
	if err != nil {
		e.log.Warn("plug not restored", "port", p.id(), "netns", p.Netns, "err", err)
	}
}

// stands tells whether a stored plug is as it was made. None changes meanwhile: what the kernel is found to have is noted as what the port
// is to have.
func (e *Engine) stands(p plug) bool {
	e.plugging.Lock()
	defer e.plugging.Unlock()
	return e.current(p) && e.asMade(p)
}

// current tells whether the record of a plug still says the same. The caller holds plugging.
func (e *Engine) current(p plug) bool {
	now, err := e.storedPlug(p.id())
	return err == nil && proto.Equal(now.PlugRequest, p.PlugRequest)
}

// asMade tells whether nothing of a plug would be changed. The caller holds plugging.
func (e *Engine) asMade(p plug) bool {
	port, err := parsePort(p.Port)
	if err != nil {
		return false
	}
	reason, err := e.host.CheckPort(p.Netns, p.within(port))
	return err == nil && reason == ""
}
