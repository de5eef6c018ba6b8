package reconcile

import (
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
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
)

// fakeBindings is a BindingStore in memory.
type fakeBindings struct {
	mu    sync.Mutex
	ports map[string]*network.Port
	hints func(store.Hint)
}

// bind writes a binding as the API does. A host that has to unplug the port goes on seeing it, unbound.
func (s *fakeBindings) bind(id, host, netns string) {
	s.mu.Lock()
	p := s.ports[id]
	if p == nil {
		p = &network.Port{ID: id}
		s.ports[id] = p
	}
	p.Binding = network.Binding{Host: host, NetNS: netns, Generation: p.Binding.Generation + 1, Observed: p.Binding.Observed}
	hints := s.hints
	s.mu.Unlock()
	hints(store.Hint{PortID: id})
}

func (s *fakeBindings) drop(id string) {
	s.mu.Lock()
	s.ports[id].DeviceID = "deleted"
	s.mu.Unlock()
	s.bind(id, "", "")
}

func (s *fakeBindings) binding(id string) network.Binding {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ports[id] == nil {
		return network.Binding{}
	}
	return s.ports[id].Binding
}

func (s *fakeBindings) OnHint(fn func(store.Hint)) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hints = fn
	return func() {}
}

func (s *fakeBindings) PortPlan(ctx context.Context, id string) (*network.PortPlan, error) {
	return &network.PortPlan{PortID: id}, nil
}

func (s *fakeBindings) BoundPorts(ctx context.Context, host string) ([]*network.Port, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bound []*network.Port
	for _, p := range s.ports {
		b := p.Binding
		if b.Host == host || b.Host == "" && b.Observed < b.Generation {
			c := *p
			bound = append(bound, &c)
		}
	}
	return bound, nil
}

func (s *fakeBindings) DuePorts(ctx context.Context, host string) ([]*network.Port, error) {
	bound, err := s.BoundPorts(ctx, host)
	return slices.DeleteFunc(bound, func(p *network.Port) bool { return p.Binding.Observed == p.Binding.Generation }), err
}

func (s *fakeBindings) BindingObserved(ctx context.Context, id string, g int64, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.ports[id]
	if p == nil || p.Binding.Generation != g {
		return nil
	}
	p.Binding.Reason, p.Binding.Observed = reason, min(p.Binding.Observed, g-1)
	if reason == "" {
		p.Binding.Observed = g
	}
	if reason == "" && p.DeviceID == "deleted" {
		delete(s.ports, id)
	}
	return nil
}

// fakePlugger is a host in memory.
type fakePlugger struct {
	mu      sync.Mutex
	plugged map[string]string
	fail    error
	refuse  error     // of Plug only
	changed chan bool // false ends the watch
}

func (p *fakePlugger) Plug(ctx context.Context, plan *network.PortPlan, netns string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := errors.Join(p.fail, p.refuse)
	if err == nil {
		p.plugged[plan.PortID] = netns
	}
	return err
}

func (p *fakePlugger) Unplug(ctx context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail == nil {
		delete(p.plugged, id)
	}
	return p.fail
}

func (p *fakePlugger) Plugged(ctx context.Context) (map[string]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.plugged), p.fail
}

func (p *fakePlugger) Watch(ctx context.Context, changed func()) error {
	changed()
	for {
		select {
		case <-ctx.Done():
			return nil
		case up := <-p.changed:
			if !up {
				return errors.New("connection lost")
			}
			changed()
		}
	}
}

func (p *fakePlugger) set(plugged map[string]string, fail error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plugged, p.fail = plugged, fail
}

func TestBindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeBindings{ports: map[string]*network.Port{}}
		p := &fakePlugger{plugged: map[string]string{"stale": "old"}, changed: make(chan bool)}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		b := NewBindings(BindingsConfig{Store: s, Plugger: p, Host: "h", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		go func() { ended <- b.Run(ctx) }()
		is := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			p.mu.Lock()
			for id, netns := range p.plugged {
				got = append(got, fmt.Sprint(id, "=", netns))
			}
			p.mu.Unlock()
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		is("what is bound to nothing is unplugged at the start")
		s.bind("a", "h", "one")
		s.bind("vip", "h", "")
		is("plugged at once", "a=one")
		if got, want := s.binding("a"), (network.Binding{Host: "h", NetNS: "one", Generation: 1, Observed: 1}); got != want {
			t.Errorf("binding %+v, want %+v", got, want)
		}
		s.bind("a", "h", "three")
		is("moved", "a=three")

		p.set(map[string]string{}, nil)
		p.changed <- false // the engine restarted
		time.Sleep(time.Second)
		is("replayed after the watch came back", "a=three")
		p.set(map[string]string{"a": "one", "x": "y"}, nil)
		time.Sleep(time.Minute)
		is("the audit finds the rest", "a=three")

		p.set(map[string]string{"a": "three"}, errors.New("no such bridge"))
		s.bind("a", "h", "four")
		is("kept while it fails", "a=three")
		if got := s.binding("a"); got.Observed != 2 || got.Reason == "" {
			t.Errorf("binding %+v, want a reason", got)
		}
		p.set(map[string]string{"a": "three"}, nil)
		time.Sleep(20 * time.Second)
		is("retried", "a=four")

		refuse := func(err error) { p.mu.Lock(); defer p.mu.Unlock(); p.refuse = err }
		refuse(errors.New("no such device"))
		p.set(map[string]string{}, nil)
		time.Sleep(time.Minute)
		if got := s.binding("a"); got.Observed != 2 || !strings.Contains(got.Reason, "no such device") {
			t.Errorf("plugged no more: binding %+v, want that and a reason", got)
		}
		refuse(nil)
		time.Sleep(20 * time.Second)
		is("plugged as before", "a=four")
		if got := s.binding("a"); got.Observed != 3 || got.Reason != "" {
			t.Errorf("plugged as before: binding %+v, want it observed and no reason", got)
		}

		s.bind("a", "", "")
		is("unplugged")
		if got := s.binding("a"); got.Observed != got.Generation {
			t.Errorf("binding %+v, want it observed", got)
		}
		s.bind("a", "h", "five")
		is("plugged again", "a=five")
		s.drop("a")
		is("a deleted port")
		if got := s.binding("a"); got != (network.Binding{}) {
			t.Errorf("the deleted port is still there: %+v", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestPortMessage(t *testing.T) {
	got := portMessage(&network.PortPlan{
		PortID: "p", NetworkID: "n", MAC: "fa:16:3e:00:00:01", MTU: 1450,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/26"), netip.MustParsePrefix("fd00::5/64")},
		Gateways:  []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
		Routes:    []network.Route{{Destination: netip.MustParsePrefix("192.0.2.0/24"), NextHop: netip.MustParseAddr("10.0.0.9")}},
	})
	want := &enginepb.Port{
		Id: "p", NetworkId: "n", Mac: "fa:16:3e:00:00:01", Mtu: 1450, Addresses: []string{"10.0.0.5/26", "fd00::5/64"},
		Routes: []*enginepb.Route{
			{Destination: "0.0.0.0/0", NextHop: "10.0.0.1"}, {Destination: "::/0", NextHop: "fd00::1"},
			{Destination: "192.0.2.0/24", NextHop: "10.0.0.9"},
		},
	}
	if diff := cmp.Diff(proto.Message(want), proto.Message(got), protocmp.Transform()); diff != "" {
		t.Errorf("portMessage (-want +got):\n%s", diff)
	}
}
