package engine

import (
	"net/netip"
	"syscall"
	"testing"

	"plimsoll/internal/linux"
	"plimsoll/lbaas"
)

// pinged gives the pool a PING monitor of one second, one success and one failure.
func (b *testBalancer) pinged() {
	b.monitor()
	b.pool.HealthMonitor.Type = lbaas.MonitorPing
	b.pool.HealthMonitor.HTTPMethod, b.pool.HealthMonitor.URLPath, b.pool.HealthMonitor.ExpectedCodes = "", "", ""
}

// absent is a member at an address that nobody has.
func (w *world) absent() *member {
	addr := netip.MustParsePrefix(w.port().Addresses[0]).Addr()
	m := &member{Member: &lbaas.Member{Object: object(), Address: addr, ProtocolPort: 80, Weight: 1, Number: int(w.next)}}
	m.Name = "absent"
	return m
}

// TestPingDecides has the engine check a pool by PING: a member that does not answer leaves the rotation of all the pool's copies, also of
// one that a reload makes, stays out over a restart of the engine and of HAProxy, and is up again once nobody checks it.
func TestPingDecides(t *testing.T) {
	w := newWorld(t)
	here, absent := w.member(), w.absent()
	b := w.balancerOf(here, absent)
	b.pinged()
	b.mustApply(methodStart)
	events := watchEvents(t, w)
	down := func() bool { return serverStatus(b.observe(), absent.ID) == "DOWN" }
	eventually(t, "the absent member to be down", down)
	waitEvent(t, events, b.ID)
	if s := serverStatus(b.observe(), here.ID); s != "UP" {
		t.Errorf("the member that answers is %s", s)
	}
	for m, want := range map[*member]bool{here: false, absent: true} { // by which UDP-CONNECT knows that no host is there
		if got, err := linux.Unanswered(namespaceName(b.ID), m.Address); err != nil || got != want {
			t.Errorf("%s has not answered: %v, %v; want %v", m.Name, got, err, want)
		}
	}
	client, _ := w.plug()
	w.answers(httpClient(t, client, false), b.url(), 10)
	b.listen(81)
	b.mustApply(methodReload)
	w.answers(httpClient(t, client, false), b.url()[:len(b.url())-1]+":81/", 10)
	w.stop()
	w.start()
	if !down() {
		t.Error("it is not down right after the engine has started again")
	}
	if err := syscall.Kill(b.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "HAProxy to end", func() bool { return !b.observe().Running })
	b.mustApply(methodStart)
	if !down() {
		t.Error("it is not down right after HAProxy was started")
	}
	w.answers(httpClient(t, client, false), b.url(), 10)
	if o := b.observe(); o.Drifted {
		t.Errorf("drifted: %s", o.Reason)
	}
	b.want(b.again(), methodNone)

	// What HAProxy finds the engine goes on with, and the other way round: nobody is asked in vain by a client.
	pool, delay := b.pool.HealthMonitor, 3600
	b.monitor()
	b.pool.HealthMonitor.Type, b.pool.HealthMonitor.Delay = lbaas.MonitorTCP, delay
	b.mustApply(methodReload)
	if !down() {
		t.Error("it is not down right after HAProxy checks it")
	}
	pool.Delay = delay
	b.pool.HealthMonitor = pool
	b.mustApply(methodReload)
	if !down() {
		t.Error("it is not down right after the engine checks it again")
	}
	w.answers(httpClient(t, client, false), b.url(), 10)

	b.pool.HealthMonitor = nil
	b.mustApply(methodNone)
	if s := serverStatus(b.observe(), absent.ID); s != "no check" {
		t.Errorf("without a monitor the absent member is %q", s)
	}
}
