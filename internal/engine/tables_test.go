package engine

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

// TestGuardsTouched wants an engine to look at its guards when it begins to watch, then whenever another program changes them, and not
// when it changes them itself.
func TestGuardsTouched(t *testing.T) {
	w := newWorld(t)
	outside, inside := w.station(false), w.station(true)
	watching, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- watching.watchTables(ctx) }()
	touched := func(want string) {
		t.Helper()
		for end := time.After(10 * time.Second); ; {
			select {
			case got := <-watching.touched:
				if got == want {
					return
				}
				if got != "" { // events of the whole machine may be lost
					t.Errorf("the guards are looked at because of %q, want %q", got, want)
				}
			case <-end:
				t.Fatalf("the guards are not looked at because of %q", want)
			}
		}
	}
	touched("")
	group := groupOfWeb()
	plan := &enginepb.HostPlan{Guards: []*enginepb.Guard{inside.guard(group.Id)}, Groups: []*enginepb.Group{group}}
	for range 2 {
		if failures := w.applyGuarding(plan); len(failures) > 0 {
			t.Fatalf("failures: %v", failures)
		}
		group.Rules[1].PortMax++
	}
	run(t, "nft", "delete", "table", "inet", linux.GuardTable(w.config.Instance))
	touched("nft")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("watchTables: %v", err)
	}
	outside.reach(inside, true) // who runs has mended it, or will
}

// TestGuardsMended has all tables of a host go, again and again, as a restart of nftables.service does: what its guards let through and drop
// is what it was.
func TestGuardsMended(t *testing.T) {
	t.Parallel()
	host := newHosts(t, 1)[0]
	network := uuid.NewString()
	server, client := host.remote(network, 11, "10.9.0.1/24"), host.remote(network, 11, "10.9.0.2/24")
	server.port.Guarded = true
	server.plug(server.name)
	server.listen("10.9.0.1:80", "let in")
	server.listen("10.9.0.1:99", "kept out")
	group := groupOfWeb()
	host.apply(&enginepb.HostPlan{Groups: []*enginepb.Group{group}, Guards: []*enginepb.Guard{{PortId: server.port.Id, NetworkId: network,
		GroupIds: []string{group.Id}, Pairs: []*enginepb.AddressPair{{Mac: server.port.Mac, Address: "10.9.0.1/32"}}}}})
	tables := func() string { return run(t, "ip", "netns", "exec", host.netns, "nft", "list", "ruleset") }
	guards := strings.Count(tables(), "table ")
	for range 3 {
		run(t, "ip", "netns", "exec", host.netns, "nft", "flush", "ruleset")
		eventually(t, "the tables", func() bool { return strings.Count(tables(), "table ") == guards })
		if got := client.ask("10.9.0.1:80"); got != "let in" {
			t.Errorf("mended, %q answers", got)
		}
		err := client.within(func() error {
			_, err := net.DialTimeout("tcp", "10.9.0.1:99", 250*time.Millisecond)
			return err
		})
		if err == nil {
			t.Error("mended, it lets in what it shall not")
		}
	}
}

// TestRouterMended has a router's table go: it is mended long before anybody looks at everything.
func TestRouterMended(t *testing.T) {
	w := newWorld(t)
	r := newRouted(t, w)
	r.hears(upstream, floatingA, upstream+" asks "+stationA)
	run(t, "ip", "netns", "exec", r.netns(), "nft", "flush", "ruleset")
	eventually(t, "the router's table", func() bool {
		return strings.Contains(run(t, "ip", "netns", "exec", r.netns(), "nft", "list", "ruleset"), floatingA)
	})
	r.hears(upstream, floatingA, upstream+" asks "+stationA)
}

// TestDatagramsTouched wants a load balancer whose table somebody changed to be reported at once.
func TestDatagramsTouched(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.listenDatagrams(w.datagramMember())
	b.mustApply(methodStart)
	events := watchEvents(t, w)
	inNamespace(t, b, "nft", "flush", "ruleset")
	waitEvent(t, events, b.ID)
	if o := b.observe(); !o.Drifted {
		t.Error("it has not drifted")
	}
}
