package engine

import (
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

// station is a plugged port; it answers on TCP port 80 with what it is sent.
type station struct {
	w         *world
	port      *enginepb.Port
	namespace string
	address   netip.Addr
}

func (w *world) station(guarded bool) *station {
	w.t.Helper()
	p := w.port()
	p.Guarded = guarded
	s := &station{w, p, "plmtest-" + uuid.NewString(), netip.MustParsePrefix(p.Addresses[0]).Addr()}
	if _, err := w.client.Plug(w.t.Context(), &enginepb.PlugRequest{Port: p, Netns: s.namespace}); err != nil {
		w.t.Fatal(err)
	}
	s.echo()
	return s
}

// echo serves until the test ends.
func (s *station) echo() {
	var l net.Listener
	err := linux.Within(s.namespace, func() (err error) { l, err = net.Listen("tcp", ":80"); return err })
	if err != nil {
		s.w.t.Fatal(err)
	}
	done := make(chan struct{})
	s.w.t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			s.w.t.Cleanup(func() { _ = c.Close() })
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
}

// dial connects to another station's port 80.
func (s *station) dial(to *station, wait time.Duration) (conn net.Conn, err error) {
	err = linux.Within(s.namespace, func() error {
		conn, err = net.DialTimeout("tcp", netip.AddrPortFrom(to.address, 80).String(), wait)
		return err
	})
	return conn, err
}

// reach wants a new connection to be made, or not.
func (s *station) reach(to *station, want bool) {
	s.w.t.Helper()
	wait := 10 * time.Second
	if !want {
		wait = 250 * time.Millisecond
	}
	conn, err := s.dial(to, wait)
	if (err == nil) != want {
		s.w.t.Errorf("%s connects to %s: %v, want that: %t", s.address, to.address, err, want)
	}
	if err == nil {
		_ = conn.Close()
	}
}

func (s *station) guard(groups ...string) *enginepb.Guard {
	return &enginepb.Guard{PortId: s.port.Id, NetworkId: s.port.NetworkId, GroupIds: groups,
		Pairs: []*enginepb.AddressPair{{Mac: s.port.Mac, Address: s.address.String() + "/32"}}}
}

// groupOfWeb lets everything out, and TCP port 80 in.
func groupOfWeb() *enginepb.Group {
	return &enginepb.Group{Id: uuid.NewString(), Rules: []*enginepb.GuardRule{
		{Egress: true, Protocol: -1, PortMin: -1, PortMax: -1}, {Protocol: 6, PortMin: 80, PortMax: 80}}}
}

func (w *world) applyGuarding(plan *enginepb.HostPlan) []*enginepb.HostFailure {
	w.t.Helper()
	reply, err := w.client.ApplyHost(w.t.Context(), plan)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply.Failures
}

// TestGuardedPlug wants a guarded port to be closed until a plan says what may pass, also while no engine runs and after a restart.
func TestGuardedPlug(t *testing.T) {
	w := newWorld(t)
	outside, inside := w.station(false), w.station(true)
	outside.reach(inside, false)
	inside.reach(outside, false)
	group := groupOfWeb()
	plan := &enginepb.HostPlan{Guards: []*enginepb.Guard{inside.guard(group.Id)}, Groups: []*enginepb.Group{group}}
	if failures := w.applyGuarding(plan); len(failures) > 0 {
		t.Fatalf("failures: %v", failures)
	}
	conn, err := outside.dial(inside, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	w.stop()
	outside.reach(inside, true)
	table := linux.GuardTable(w.config.Instance)
	run(t, "nft", "delete", "table", "inet", table)
	w.start()
	run(t, "nft", "list", "table", "inet", table) // it is there before the engine answers anybody
	outside.reach(inside, true)
	if failures := w.applyGuarding(plan); len(failures) > 0 {
		t.Fatalf("failures: %v", failures)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte{1}); err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
		if err != nil {
			t.Errorf("the connection does not go on: %v", err)
		}
	}
	w.applyGuarding(&enginepb.HostPlan{})
	outside.reach(inside, false)
	if _, err := w.client.Unplug(t.Context(), &enginepb.UnplugRequest{PortId: inside.port.Id}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("nft", "list", "tables").CombinedOutput()
	if err != nil || strings.Contains(string(out), w.config.Instance) {
		t.Errorf("when no port is guarded, there are tables: %v: %s", err, out)
	}
}

// TestGuardFailures wants a guard that cannot be made to be named and to stay closed, and others to be made.
func TestGuardFailures(t *testing.T) {
	w := newWorld(t)
	outside, good, bad := w.station(false), w.station(true), w.station(true)
	group, spoiled := groupOfWeb(), groupOfWeb()
	spoiled.Rules[1].PortMax = 70000
	failures := w.applyGuarding(&enginepb.HostPlan{Guards: []*enginepb.Guard{bad.guard(group.Id, spoiled.Id), good.guard(group.Id)},
		Groups: []*enginepb.Group{group, spoiled}})
	got := map[string]bool{}
	for _, f := range failures {
		got[f.ObjectId] = true
	}
	if diff := cmp.Diff(map[string]bool{bad.port.Id: true, spoiled.Id: true}, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	outside.reach(good, true)
	outside.reach(bad, false)
}

// TestGuardedLeases has a client of DHCP behind a guard that lets nothing else through get its leases.
func TestGuardedLeases(t *testing.T) {
	t.Parallel()
	w := newDHCPWorld(t)
	w.plugServer()
	g := w.guest("10.77.0.6", "fd77::6")
	g.Guarded = true
	if _, err := w.client.Plug(t.Context(), &enginepb.PlugRequest{Port: g.Port, Netns: g.netns}); err != nil {
		t.Fatal(err)
	}
	w.plan.Guards = []*enginepb.Guard{{PortId: g.Id, NetworkId: g.NetworkId, Pairs: []*enginepb.AddressPair{
		{Mac: g.Mac, Address: "10.77.0.6/32"}, {Mac: g.Mac, Address: "fd77::6/128"}}}}
	w.apply()
	want := map[string]string{"ip_address": "10.77.0.6"}
	if diff := cmp.Diff(want, these(w.lease(g, "-4"), "ip_address")); diff != "" {
		t.Errorf("a lease of IPv4 (-want +got):\n%s", diff)
	}
	want = map[string]string{"ip6_address": "fd77::6"}
	if diff := cmp.Diff(want, these(w.lease(g, "-6"), "ip6_address")); diff != "" {
		t.Errorf("a lease of IPv6 (-want +got):\n%s", diff)
	}
}

// TestGuardsAcrossHosts has a group let in its own members wherever they are, through a tunnel, and nobody else.
func TestGuardsAcrossHosts(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	id, group := uuid.NewString(), uuid.NewString()
	guarded := func(host int, address string) remote {
		r := hosts[host].remote(id, 11, address)
		r.port.Guarded = true
		r.plug(r.name)
		return r
	}
	server, friend, stranger := guarded(0, "10.9.0.1/24"), guarded(1, "10.9.0.2/24"), guarded(1, "10.9.0.3/24")
	server.listen("10.9.0.1:7000", "server")
	everyone := &enginepb.Group{Id: uuid.NewString(), Rules: []*enginepb.GuardRule{{Egress: true, Protocol: -1, PortMin: -1, PortMax: -1}}}
	friends := &enginepb.Group{Id: group, Members: []string{"10.9.0.1/32", "10.9.0.2/32"}, Rules: []*enginepb.GuardRule{
		{Protocol: 6, PortMin: 7000, PortMax: 7000, RemoteGroupId: group}}}
	guard := func(r remote, groups ...string) *enginepb.Guard {
		address, _, _ := strings.Cut(r.port.Addresses[0], "/")
		return &enginepb.Guard{PortId: r.port.Id, NetworkId: id, GroupIds: append(groups, everyone.Id),
			Pairs: []*enginepb.AddressPair{{Mac: r.port.Mac, Address: address + "/32"}}}
	}
	groups := []*enginepb.Group{everyone, friends}
	hosts[0].apply(&enginepb.HostPlan{TunnelPeers: []string{hosts[1].address}, Groups: groups, Guards: []*enginepb.Guard{guard(server, group)}})
	hosts[1].apply(&enginepb.HostPlan{TunnelPeers: []string{hosts[0].address}, Groups: groups,
		Guards: []*enginepb.Guard{guard(friend, group), guard(stranger)}})
	if got := friend.ask("10.9.0.1:7000"); got != "server" {
		t.Errorf("a member asks: %q answers", got)
	}
	err := stranger.within(func() error {
		_, err := net.DialTimeout("tcp", "10.9.0.1:7000", 250*time.Millisecond)
		return err
	})
	if err == nil {
		t.Error("a stranger connects")
	}
}
