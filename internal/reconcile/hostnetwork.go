package reconcile

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
	"plimsoll/internal/hostplan"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
)

// HostEngine carries out what a host does for the network service. All calls may be repeated.
type HostEngine interface {
	// ApplyHost makes what the plan says, and removes what it does not say. The answer has the reasons of what could not be made, by the id
	// of the router, of the network with DHCP, or of the guarded port. An error means that nothing is known.
	ApplyHost(ctx context.Context, plan *enginepb.HostPlan) (reasons map[string]string, err error)
	// WatchHost calls changed each time that what was made may have changed by itself, and once when it stands, until ctx ends or the
	// connection is lost.
	WatchHost(ctx context.Context, changed func()) error
}

// HostStore is what HostNetwork uses of store.Store, whose comments say what the methods do.
type HostStore interface {
	OnHint(fn func(store.Hint)) (stop func())
	HostSeen(ctx context.Context, h *network.Host) error
	NetworkDigest(ctx context.Context) (string, error)
	UnclaimedNetworks(ctx context.Context, host string) ([]string, error)
	KeepDHCPPort(ctx context.Context, host, networkID string) (store.DHCPPort, error)
	HostState(ctx context.Context, host string, known *network.HostState) (*network.HostState, error)
	NotePorts(ctx context.Context, reasons map[string]string) error
}

// HostNetworkConfig is what a HostNetwork needs. Spans that are zero get the defaults that stand beside them.
type HostNetworkConfig struct {
	Store  HostStore
	Engine HostEngine
	Host   network.Host // as it reports itself: name, tunnel address, version
	Log    *slog.Logger

	BeatEvery  time.Duration // 10 s: tells that the host is alive
	LookEvery  time.Duration // 3 s: looks cheaply for changes that other servers made
	FullEvery  time.Duration // 30 s: has the engine look at everything
	Timeout    time.Duration // 70 s: of one call to the engine, which has a bound of its own
	RetryFirst time.Duration // 500 ms: the first pause after a failure; it doubles
	RetryCap   time.Duration // 30 s
}

// HostNetwork has a host's engine do what the network service wants of the host: routers, DHCP servers, guards and tunnels.
type HostNetwork struct {
	cfg     HostNetworkConfig
	now     chan struct{} // something may have changed
	fullNow chan struct{} // the engine is to look at everything

	// What follows is for the one goroutine that works.
	digest   string
	known    *network.HostState // as it was read last; nil is that all is to be read
	done     bool               // the last step left nothing to do
	applied  *enginepb.HostPlan // the last one that an engine took; nil is none
	failing  map[string]string  // what failed then
	reasons  map[string]string  // of what failed then and before, so that it is not just on its way
	full     map[string]bool    // subnets without a free address
	attempts int                // that failed in a row
	trouble  string             // the last error of a step, so that one that lasts is logged once
}

// NewHostNetwork returns a HostNetwork, which does nothing until Run.
func NewHostNetwork(cfg HostNetworkConfig) *HostNetwork {
	or(&cfg.BeatEvery, 10*time.Second)
	or(&cfg.LookEvery, 3*time.Second)
	or(&cfg.FullEvery, 30*time.Second)
	or(&cfg.Timeout, 70*time.Second)
	or(&cfg.RetryFirst, 500*time.Millisecond)
	or(&cfg.RetryCap, 30*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &HostNetwork{cfg: cfg, now: make(chan struct{}, 1), fullNow: make(chan struct{}, 1), full: map[string]bool{}}
}

// Run works until ctx ends and waits for everything that it started. It returns nil.
func (h *HostNetwork) Run(ctx context.Context) error {
	stopHints := h.cfg.Store.OnHint(func(hint store.Hint) {
		if hint.Network || hint.PortID != "" {
			poke(h.now)
		}
	})
	defer stopHints()
	var g errgroup.Group
	g.Go(func() error { h.beat(ctx); return nil })
	g.Go(func() error { h.work(ctx); return nil })
	g.Go(func() error {
		return rewatch(ctx, func(alive func()) error {
			return h.cfg.Engine.WatchHost(ctx, func() { alive(); poke(h.fullNow) })
		})
	})
	return g.Wait()
}

// beat tells from time to time that the host is alive.
func (h *HostNetwork) beat(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.cfg.Store.HostSeen(ctx, &h.cfg.Host); err != nil && ctx.Err() == nil {
			h.cfg.Log.Warn("host could not report itself", "host", h.cfg.Host.Name, "err", err)
		}
		sleep(ctx, jittered(h.cfg.BeatEvery))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// work makes the host's plan and has it carried out. After a step it rests, so that it works a third of the time at most, and many changes at
// once cost a few steps; a lone one never waits.
func (h *HostNetwork) work(ctx context.Context) {
	var full time.Time // when everything is to be looked at
	for ctx.Err() == nil {
		all := !time.Now().Before(full)
		began := time.Now()
		err := h.step(ctx, all)
		if ctx.Err() != nil {
			return
		}
		h.complain(err)
		if all && err == nil {
			full = time.Now().Add(jittered(h.cfg.FullEvery))
		}
		sleep(ctx, min(2*time.Since(began), 3*time.Second))
		if h.await(ctx, full, err != nil) {
			full = time.Time{}
		}
	}
}

// await waits until there may be something to do. It tells whether everything is to be looked at.
func (h *HostNetwork) await(ctx context.Context, full time.Time, failed bool) (all bool) {
	due := time.NewTimer(h.pause(full, failed))
	defer due.Stop()
	look := time.NewTicker(jittered(h.cfg.LookEvery))
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-h.now:
			return false
		case <-h.fullNow:
			return true
		case <-due.C:
			return len(h.failing) > 0
		case <-look.C:
			if h.changed(ctx) {
				return false
			}
		}
	}
}

// pause is how long to wait when nothing happens: until everything is to be looked at, and after a failure less.
func (h *HostNetwork) pause(full time.Time, failed bool) time.Duration {
	if !failed && len(h.failing) == 0 {
		h.attempts = 0
		return max(0, time.Until(full))
	}
	h.attempts++
	return backoff{h.cfg.RetryFirst, h.cfg.RetryCap}.pause(h.attempts)
}

// complain logs an error that is not the last one again.
func (h *HostNetwork) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != h.trouble {
		h.cfg.Log.Warn("what the host does for networks is not up to date", "err", err)
	}
	h.trouble = text
}

// changed tells whether anything seems to have changed since the last step. When that cannot be told, the next look may.
func (h *HostNetwork) changed(ctx context.Context) bool {
	digest, err := h.cfg.Store.NetworkDigest(ctx)
	return err == nil && digest != h.digest
}

// step makes true what is wanted now. Where the plan is as it was, the engine is asked only when everything is to be looked at.
func (h *HostNetwork) step(ctx context.Context, all bool) error {
	if all {
		clear(h.full) // addresses may have become free
		h.known = nil
	}
	unclaimed, err := h.cfg.Store.UnclaimedNetworks(ctx, h.cfg.Host.Name)
	if err != nil {
		return err
	}
	h.keepDHCP(ctx, unclaimed)
	digest, err := h.cfg.Store.NetworkDigest(ctx)
	if err != nil {
		return err
	}
	if !all && h.done && digest == h.digest {
		return nil // a hint of what was read already
	}
	h.done = false
	state, err := h.state(ctx)
	if err != nil {
		return err
	}
	h.digest = digest
	if err := h.carryOut(ctx, state, all); err != nil {
		return err
	}
	if err := h.note(ctx, state); err != nil {
		return err
	}
	h.done = len(h.failing) == 0
	return nil
}

// carryOut has the engine make what a state wants, unless that is what it was given last and not everything is to be looked at.
func (h *HostNetwork) carryOut(ctx context.Context, state *network.HostState, all bool) error {
	plan := hostplan.Plan(state)
	if !all && h.applied != nil && proto.Equal(plan, h.applied) {
		return nil
	}
	h.applied = nil
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	reasons, err := h.cfg.Engine.ApplyHost(ctx, plan)
	if err != nil {
		return err
	}
	failpoint.Here("reconcile.hostApplied")
	h.applied = plan
	h.tell(reasons)
	return nil
}

// state reads what the plan is made from, with the ports of the DHCP servers as they have to be.
func (h *HostNetwork) state(ctx context.Context) (*network.HostState, error) {
	state, err := h.read(ctx)
	if err != nil || !h.keepDHCP(ctx, dhcpDue(state, h.full)) {
		return state, err
	}
	return h.read(ctx)
}

func (h *HostNetwork) read(ctx context.Context) (*network.HostState, error) {
	state, err := h.cfg.Store.HostState(ctx, h.cfg.Host.Name, h.known)
	if err == nil {
		h.known = state
	}
	return state, err
}

// keepDHCP has the ports of some networks' DHCP servers made as they have to be, and tells whether anything was changed. What fails with one
// network does not keep the others.
func (h *HostNetwork) keepDHCP(ctx context.Context, networks []string) (changed bool) {
	for _, id := range networks {
		done, err := h.cfg.Store.KeepDHCPPort(ctx, h.cfg.Host.Name, id)
		if ctx.Err() != nil {
			return changed
		}
		if err != nil {
			h.cfg.Log.Warn("network has no DHCP server", "network", id, "err", err)
			continue
		}
		changed = changed || done.Changed
		for _, subnet := range done.Full {
			if !h.full[subnet] {
				h.cfg.Log.Warn("DHCP server has no address in a subnet: none is free", "network", id, "subnet", subnet)
			}
			h.full[subnet] = true
		}
	}
	return changed
}

// dhcpDue returns the networks of the host whose DHCP server's port is not as their subnets and ports want it; what is missing in subnets that are full
// is not counted.
func dhcpDue(state *network.HostState, full map[string]bool) []string {
	has := map[string]map[string]bool{} // the subnets that the servers have addresses in, by network
	guests := map[string]bool{}         // the networks that have ports to serve
	for _, p := range state.Ports {
		guests[p.NetworkID] = guests[p.NetworkID] || p.GetsLeases()
		if !p.ServesLeases() {
			continue
		}
		has[p.NetworkID] = map[string]bool{}
		for _, f := range p.FixedIPs {
			has[p.NetworkID][f.SubnetID] = true
		}
	}
	wanted := map[string]map[string]bool{}
	for _, s := range state.Subnets {
		if wanted[s.NetworkID] == nil {
			wanted[s.NetworkID] = map[string]bool{}
		}
		if guests[s.NetworkID] && s.ServesDHCP() && (!full[s.ID] || has[s.NetworkID][s.ID]) {
			wanted[s.NetworkID][s.ID] = true
		}
	}
	var due []string
	for _, n := range state.Networks {
		port, made := has[n.ID]
		if n.Host == state.Host && (!maps.Equal(port, wanted[n.ID]) || made && len(port) == 0) {
			due = append(due, n.ID)
		}
	}
	return due
}

// tell logs what fails for the second time, and what does no longer. What fails once may be waiting for a port that is being plugged.
func (h *HostNetwork) tell(failing map[string]string) {
	reasons := maps.Clone(failing)
	maps.DeleteFunc(reasons, func(id, _ string) bool { _, before := h.failing[id]; return !before })
	for _, id := range slices.Sorted(maps.Keys(reasons)) {
		if h.reasons[id] != reasons[id] {
			h.cfg.Log.Warn("host could not make a part of the network", "object", id, "err", reasons[id])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(h.reasons)) {
		if _, still := reasons[id]; !still {
			h.cfg.Log.Info("host has made a part of the network that failed before", "object", id)
		}
	}
	h.failing, h.reasons = failing, reasons
}

// note writes why something is not as it is wanted to the ports that show it: to those of a router, to that of a DHCP server, to a guarded
// port.
func (h *HostNetwork) note(ctx context.Context, state *network.HostState) error {
	notes := map[string]string{}
	for _, p := range state.Ports {
		reason, here := h.reasonOf(p), p.Binding.Host == h.cfg.Host.Name || p.DeviceOwner == network.OwnerLoadBalancer
		if here && p.Binding.Plugged && p.Binding.Reason != reason { // what is plugged elsewhere is its own host's to tell
			notes[p.ID] = reason
		}
	}
	if len(notes) == 0 {
		return nil
	}
	return h.cfg.Store.NotePorts(ctx, notes)
}

func (h *HostNetwork) reasonOf(p *network.Port) string {
	switch p.DeviceOwner {
	case network.OwnerRouterInterface, network.OwnerRouterGateway:
		return h.reasons[p.DeviceID]
	case network.OwnerDHCP:
		return h.reasons[p.NetworkID]
	}
	return h.reasons[p.ID]
}

// EngineHost is the HostEngine of the engine's host.
type EngineHost struct {
	Engine enginepb.EngineClient
}

// ApplyHost sends the plan to the engine.
func (e EngineHost) ApplyHost(ctx context.Context, plan *enginepb.HostPlan) (map[string]string, error) {
	reply, err := e.Engine.ApplyHost(ctx, plan)
	if err != nil {
		return nil, said(err)
	}
	reasons := map[string]string{}
	for _, f := range reply.GetFailures() {
		if was := reasons[f.GetObjectId()]; was != "" {
			reasons[f.GetObjectId()] = was + "; " + f.GetReason()
			continue
		}
		reasons[f.GetObjectId()] = f.GetReason()
	}
	return reasons, nil
}

// WatchHost listens to the engine's watch.
func (e EngineHost) WatchHost(ctx context.Context, changed func()) error {
	stream, err := e.Engine.Watch(ctx, &enginepb.WatchRequest{})
	if err != nil {
		return said(err)
	}
	for {
		event, err := stream.Recv()
		if err != nil {
			return said(err)
		}
		if event.GetHost() || event.GetLoadBalancerId() == "" {
			changed()
		}
	}
}
