package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
)

// fakeHosts is a HostStore in memory.
type fakeHosts struct {
	mu        sync.Mutex
	state     network.HostState
	version   int // of the state
	unclaimed []string
	full      []string // subnets without a free address
	fails     error
	kept      []string // networks of which the DHCP port was kept
	reads     int
	anew      int // of the reads, those of everything
	beats     int
	notes     []map[string]string
	hints     func(store.Hint)
}

func (f *fakeHosts) OnHint(fn func(store.Hint)) (stop func()) {
	f.hints = fn
	return func() {}
}

func (f *fakeHosts) HostSeen(context.Context, *network.Host) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beats++
	return nil
}

func (f *fakeHosts) NetworkDigest(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.version), f.fails
}

func (f *fakeHosts) UnclaimedNetworks(context.Context, string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.unclaimed), nil
}

// KeepDHCPPort gives the network's server an address in each subnet that is not full.
func (f *fakeHosts) KeepDHCPPort(_ context.Context, host, id string) (store.DHCPPort, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, id)
	f.unclaimed = slices.DeleteFunc(f.unclaimed, func(u string) bool { return u == id })
	if id == "broken" {
		return store.DHCPPort{}, errors.New("the database is in a mood")
	}
	done := store.DHCPPort{Changed: true}
	port := &network.Port{ID: "dhcp-" + id, NetworkID: id, DeviceOwner: network.OwnerDHCP,
		Binding: network.Binding{Host: host, NetNS: network.DHCPNetNS + id, Plugged: true}}
	for _, s := range f.state.Subnets {
		switch {
		case s.NetworkID != id || !s.ServesDHCP():
		case slices.Contains(f.full, s.ID):
			done.Full = append(done.Full, s.ID)
		default:
			port.FixedIPs = append(port.FixedIPs, network.FixedIP{SubnetID: s.ID})
		}
	}
	f.state.Ports = slices.DeleteFunc(f.state.Ports, func(p *network.Port) bool { return p.ID == port.ID })
	if len(port.FixedIPs) > 0 {
		f.state.Ports = append(f.state.Ports, port)
	}
	return done, nil
}

func (f *fakeHosts) HostState(_ context.Context, _ string, known *network.HostState) (*network.HostState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reads++; known == nil {
		f.anew++
	}
	state := f.state
	state.Ports = nil
	for _, p := range f.state.Ports {
		c := *p
		state.Ports = append(state.Ports, &c)
	}
	return &state, nil
}

func (f *fakeHosts) NotePorts(_ context.Context, reasons map[string]string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, reasons)
	for _, p := range f.state.Ports {
		if reason, ok := reasons[p.ID]; ok {
			p.Binding.Reason = reason
		}
	}
	return nil
}

// noted is what was noted so far.
func (f *fakeHosts) noted() []map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.notes)
}

// counted is how often the state was read, and how often the host was seen.
func (f *fakeHosts) counted() (reads, beats int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads, f.beats
}

// change changes the state, as this server does or, without a hint, as another.
func (f *fakeHosts) change(hint bool, fn func()) {
	f.mu.Lock()
	fn()
	f.version++
	f.mu.Unlock()
	if hint {
		f.hints(store.Hint{Network: true})
	}
}

// fakeHostEngine is a HostEngine that notes what it is given.
type fakeHostEngine struct {
	mu      sync.Mutex
	plans   []*enginepb.HostPlan
	reasons map[string]string
	fails   error
	slow    time.Duration
	changed func()
}

func (e *fakeHostEngine) ApplyHost(_ context.Context, plan *enginepb.HostPlan) (map[string]string, error) {
	time.Sleep(e.slow)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fails != nil {
		return nil, e.fails
	}
	e.plans = append(e.plans, plan)
	return maps.Clone(e.reasons), nil
}

func (e *fakeHostEngine) WatchHost(ctx context.Context, changed func()) error {
	e.mu.Lock()
	e.changed = changed
	e.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (e *fakeHostEngine) set(fails error, reasons map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fails, e.reasons = fails, reasons
}

// applied is how many plans came since the last call.
func (e *fakeHostEngine) applied() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.plans)
	e.plans = nil
	return n
}

type hostTest struct {
	*testing.T
	store  *fakeHosts
	engine *fakeHostEngine
	log    *bytes.Buffer
}

// hosting runs fn beside a HostNetwork of the host "h", in a time of the test's own.
func hosting(t *testing.T, fn func(h *hostTest)) {
	synctest.Test(t, func(t *testing.T) {
		h := &hostTest{T: t, store: &fakeHosts{state: network.HostState{Host: "h"}}, engine: &fakeHostEngine{}, log: &bytes.Buffer{}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		n := NewHostNetwork(HostNetworkConfig{Store: h.store, Engine: h.engine, Host: network.Host{Name: "h"}, Log: slog.New(slog.NewTextHandler(h.log, nil))})
		go func() { done <- n.Run(ctx) }()
		synctest.Wait()
		if _, beats := h.store.counted(); h.engine.applied() != 1 || beats != 1 {
			t.Error("at the start the host does not report itself and have its plan made")
		}
		time.Sleep(time.Second) // it rests
		fn(h)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// expect asks how many plans came within a span.
func (h *hostTest) expect(what string, within time.Duration, want int) {
	h.Helper()
	time.Sleep(within)
	synctest.Wait()
	if got := h.engine.applied(); got != want {
		h.Errorf("%s: %d plans came, want %d", what, got, want)
	}
}

func (h *hostTest) router(id string) *network.Router {
	return &network.Router{ID: id, Host: "h", AdminStateUp: true}
}

func TestHostNetworkFollows(t *testing.T) {
	hosting(t, func(h *hostTest) {
		h.store.hints(store.Hint{Network: true})
		h.expect("a hint of nothing new", 500*time.Millisecond, 0)
		h.store.change(true, func() { h.store.state.Peers = []*network.Host{{Name: "p", TunnelIP: "192.0.2.9"}} })
		h.expect("a peer", 0, 1)
		h.store.change(true, func() { h.store.state.Routers = []*network.Router{h.router("r1")} })
		h.expect("a router", 100*time.Millisecond, 1)
		time.Sleep(4 * time.Second)
		h.store.change(false, func() { h.store.state.Routers = append(h.store.state.Routers, h.router("r2")) })
		h.expect("another server's router", 4*time.Second, 1)
		h.engine.changed()
		h.expect("something broke", 100*time.Millisecond, 1)
		h.expect("nothing happens", 70*time.Second, 2) // every 27 to 33 s
		if _, beats := h.store.counted(); beats < 7 {
			t.Errorf("%d heartbeats in more than a minute", beats)
		}
	})
}

// TestHostNetworkReadsWhatChanged asks that a hint of what was read already costs no reading, and that now and then all is read anew.
func TestHostNetworkReadsWhatChanged(t *testing.T) {
	hosting(t, func(h *hostTest) {
		reads := func(what string, within time.Duration, want, anew int) {
			t.Helper()
			time.Sleep(within)
			synctest.Wait()
			h.store.mu.Lock()
			defer h.store.mu.Unlock()
			if h.store.reads != want || h.store.anew != anew {
				t.Errorf("%s: the state was read %d times, %d of them anew, want %d and %d", what, h.store.reads, h.store.anew, want, anew)
			}
			h.store.reads, h.store.anew = 0, 0
		}
		reads("the start", 0, 1, 1)
		h.store.change(true, func() { h.store.state.Routers = []*network.Router{h.router("r")} })
		reads("a router", 100*time.Millisecond, 1, 0)
		h.store.hints(store.Hint{PortID: "p"})
		reads("a hint of nothing new", 100*time.Millisecond, 0, 0)
		h.engine.changed()
		reads("something broke", 100*time.Millisecond, 1, 1)
		reads("nothing happens", 34*time.Second, 1, 1)
		h.engine.set(nil, map[string]string{"r": "no such link"})
		h.engine.changed()
		time.Sleep(100 * time.Millisecond)
		reads("something fails", 0, 1, 1)
		h.store.hints(store.Hint{PortID: "p"})
		reads("a hint where something fails", 100*time.Millisecond, 1, 0)
	})
}

func TestHostNetworkGathers(t *testing.T) {
	hosting(t, func(h *hostTest) {
		h.engine.slow = 200 * time.Millisecond
		before, _ := h.store.counted()
		for i := range 100 {
			h.store.change(true, func() { h.store.state.Routers = append(h.store.state.Routers, h.router(fmt.Sprint("r", i))) })
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if reads, _ := h.store.counted(); reads-before > 4 {
			t.Errorf("100 changes in a second were read %d times", reads-before)
		}
		h.engine.mu.Lock()
		defer h.engine.mu.Unlock()
		if last := h.engine.plans[len(h.engine.plans)-1]; len(last.Routers) != 100 {
			t.Errorf("the last plan has %d routers, want 100", len(last.Routers))
		}
	})
}

func TestHostNetworkWithoutEngine(t *testing.T) {
	hosting(t, func(h *hostTest) {
		h.engine.set(errors.New("no engine answers"), nil)
		h.store.change(true, func() { h.store.state.Routers = []*network.Router{h.router("r")} })
		h.expect("no engine", 2*time.Minute, 0)
		if n := strings.Count(h.log.String(), "no engine answers"); n != 1 {
			t.Errorf("the same error is logged %d times:\n%s", n, h.log)
		}
		h.engine.set(nil, nil)
		h.engine.changed() // its watch stands
		h.expect("the engine is back", 100*time.Millisecond, 1)
	})
}

func TestHostNetworkTellsOfFailures(t *testing.T) {
	hosting(t, func(h *hostTest) {
		plugged := func(id, owner, device string) *network.Port {
			return &network.Port{ID: id, NetworkID: "n", DeviceOwner: owner, DeviceID: device, Binding: network.Binding{Host: "h", Plugged: true}}
		}
		away := plugged("waiting", network.OwnerRouterInterface, "r")
		away.Binding.Plugged = false
		elsewhere := plugged("elsewhere", "", "") // in a network that gets leases from here
		elsewhere.Binding.Host, elsewhere.Binding.Reason = "other", "its own host says why"
		h.engine.set(nil, map[string]string{"r": "no such link", "n": "dnsmasq is missing", "guarded": "no br_netfilter", "": "all is lost"})
		h.store.change(true, func() {
			h.store.state.Routers = []*network.Router{h.router("r")}
			h.store.state.Ports = []*network.Port{
				plugged("qr", network.OwnerRouterInterface, "r"), plugged("qg", network.OwnerRouterGateway, "r"), away,
				plugged("dhcp", network.OwnerDHCP, "dhcp-n"), plugged("guarded", "", ""), plugged("other", "", ""), elsewhere,
			}
		})
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if notes := h.store.noted(); len(notes) > 0 {
			t.Errorf("what fails once is told at once: %v", notes)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want := []map[string]string{{"qr": "no such link", "qg": "no such link", "dhcp": "dnsmasq is missing", "guarded": "no br_netfilter"}}
		if diff := cmp.Diff(want, h.store.noted()); diff != "" {
			t.Errorf("noted (-want +got):\n%s", diff)
		}
		if n := strings.Count(h.log.String(), "could not make"); n != 4 {
			t.Errorf("%d failures are logged, want each once:\n%s", n, h.log)
		}
		h.engine.set(nil, nil)
		h.engine.changed()
		time.Sleep(time.Second)
		synctest.Wait()
		want = append(want, map[string]string{"qr": "", "qg": "", "dhcp": "", "guarded": ""})
		if diff := cmp.Diff(want, h.store.noted()); diff != "" {
			t.Errorf("noted once all is well (-want +got):\n%s", diff)
		}
	})
}

func TestHostNetworkKeepsDHCP(t *testing.T) {
	hosting(t, func(h *hostTest) {
		subnet := func(id, networkID string, serve bool) *network.Subnet {
			return &network.Subnet{ID: id, NetworkID: networkID, CIDR: netip.MustParsePrefix("10.0.0.0/24"), EnableDHCP: serve}
		}
		kept := func(what string, within time.Duration, want ...string) {
			t.Helper()
			time.Sleep(within)
			synctest.Wait()
			h.store.mu.Lock()
			defer h.store.mu.Unlock()
			if !slices.Equal(h.store.kept, want) {
				t.Errorf("%s: the DHCP ports of %v were kept, want %v", what, h.store.kept, want)
			}
			h.store.kept = nil
		}
		h.store.change(true, func() {
			h.store.unclaimed = []string{"broken", "n"}
			h.store.state.Networks = []*network.Network{{ID: "n", Host: "h"}, {ID: "elsewhere", Host: "other"}}
			h.store.state.Subnets = []*network.Subnet{subnet("s", "n", true), subnet("e", "elsewhere", true)}
			h.store.state.Ports = []*network.Port{{ID: "guest", NetworkID: "n"}, {ID: "other", NetworkID: "elsewhere"}}
		})
		kept("two that nobody has", 100*time.Millisecond, "broken", "n")
		h.store.change(true, func() {
			h.store.state.Subnets = append(h.store.state.Subnets, subnet("more", "n", true))
			h.store.full = []string{"more"}
		})
		kept("a subnet more", time.Second, "n")
		h.store.hints(store.Hint{Network: true})
		kept("a hint, with the subnet full", time.Second)
		kept("now and then all the same", 31*time.Second, "n")
		if n := strings.Count(h.log.String(), "none is free"); n == 0 {
			t.Errorf("that a subnet is full is not logged:\n%s", h.log)
		}
		h.store.change(true, func() { h.store.full = nil })
		kept("an address is free", 40*time.Second, "n")
		h.store.change(true, func() {
			h.store.state.Subnets = []*network.Subnet{subnet("s", "n", false), subnet("more", "n", false), subnet("e", "elsewhere", true)}
		})
		kept("DHCP is switched off", time.Second, "n")
		kept("nothing is left to do", time.Minute)
	})
}
