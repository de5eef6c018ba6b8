package linux

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"plimsoll/internal/guard"
)

// withoutBridgeFilter runs fn as on a kernel that has no br_netfilter: in a thread that does not see its settings.
func withoutBridgeFilter(t *testing.T, fn func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
		}
		if err == nil {
			err = unix.Mount("none", bridgeSettings, "tmpfs", 0, "")
		}
		if err == nil {
			fn()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestGuardWithoutBridgeFilter wants guarded ports to stay closed, or to be closed again, where the kernel does not show the packets of bridges,
// and others to be left alone.
func TestGuardWithoutBridgeFilter(t *testing.T) {
	y := newYard(t)
	outside, one, friend := y.station(1, false), y.station(2, true, "all"), y.station(3, false)
	y.groups = []guard.Group{{ID: "all", Rules: append(egress(), ingress(false, -1, -1, -1))}}
	late := one.port
	late.ID = strings.Replace(late.ID, late.ID[:8], "0badcafe", 1)
	space := ensureNamespace(t, y.h)
	withoutBridgeFilter(t, func() {
		if err := y.h.SetGuards(y.ports, y.groups); !errors.Is(err, ErrNoBridgeFilter) {
			t.Errorf("SetGuards: %v", err)
		}
		if _, err := y.h.EnsurePort(space, late); !errors.Is(err, ErrNoBridgeFilter) {
			t.Errorf("EnsurePort: %v", err)
		}
		if err := TryGuards(); err != nil && !errors.Is(err, ErrNoBridgeFilter) {
			t.Errorf("TryGuards: %v", err)
		}
	})
	outside.reach(one, false, web, echo)
	outside.reach(friend, true, web)
	if link, err := y.h.links.LinkByName(HostName(late.ID)); err != nil || link.Attrs().MasterIndex != 0 {
		t.Errorf("the link that could not be guarded joined its bridge: %v", err)
	}
	y.apply()
	outside.reach(one, true, web, echo)
	withoutBridgeFilter(t, func() {
		if _, err := y.h.AuditGuards(); !errors.Is(err, ErrNoBridgeFilter) {
			t.Errorf("AuditGuards: %v", err)
		}
	})
	outside.reach(one, false, web, echo)
}

// life is what a test does with ports, in any order.
type life struct {
	t       *testing.T
	y       *yard
	random  *rand.Rand
	spaces  []string
	ports   []Port
	plugged []bool
	planned []bool
}

// TestGuardsInAnyOrder plugs, unplugs, guards and trusts ports, applies plans that name them or not, forgets all that is known, as a restart
// does, and deletes tables, in any order. No guarded port is ever open without a plan, and no other is kept closed.
func TestGuardsInAnyOrder(t *testing.T) {
	for seed := range uint64(4) {
		y := newYard(t)
		l := &life{t: t, y: y, random: rand.New(rand.NewPCG(seed, 1)), plugged: make([]bool, 3), planned: make([]bool, 3)}
		for range l.plugged {
			p := testPort()
			p.NetworkID = y.network
			l.spaces, l.ports = append(l.spaces, ensureNamespace(t, y.h)), append(l.ports, p)
		}
		for step := range 25 {
			what := l.step()
			if wrong := l.wrong(); wrong != "" {
				t.Fatalf("seed %d, step %d, %s: %s", seed, step, what, wrong)
			}
		}
	}
}

func (l *life) step() (what string) {
	i := l.random.IntN(len(l.ports))
	var err error
	switch l.random.IntN(7) {
	case 0, 1:
		l.ports[i].Guarded = l.random.IntN(3) > 0
		what = fmt.Sprintf("plug %d, guarded %t", i, l.ports[i].Guarded)
		_, err = l.y.h.EnsurePort(l.spaces[i], l.ports[i])
		l.plugged[i] = true
	case 2:
		what = fmt.Sprintf("unplug %d", i)
		err = l.y.h.RemovePort(l.ports[i].ID)
		l.plugged[i] = false
	case 3, 4:
		l.planned[i] = !l.planned[i]
		what = fmt.Sprintf("plan %v", l.planned)
		err = l.apply()
	case 5:
		what = "restart"
		l.y.h.guards.mu.Lock()
		g := &l.y.h.guards
		g.state, g.wanted, g.planned, g.filtered, g.trusted, g.generation = nil, guard.Wanted{}, false, nil, nil, 0
		l.y.h.guards.mu.Unlock()
		err = errors.Join(l.replug(), l.apply())
	case 6:
		what = "delete a table"
		family := []string{"inet", "bridge"}[l.random.IntN(2)]
		_ = exec.Command("nft", "delete", "table", family, l.y.h.guardTable()).Run() // there may be none
		_, err = l.y.h.AuditGuards()
		err = errors.Join(err, l.replug())
	}
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
	return what
}

// replug mends all ports, as the engine does from time to time.
func (l *life) replug() error {
	var failed []error
	for i, p := range l.ports {
		if l.plugged[i] {
			_, err := l.y.h.EnsurePort(l.spaces[i], p)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (l *life) apply() error {
	var ports []guard.Port
	for i, p := range l.ports {
		if l.planned[i] {
			ports = append(ports, guard.Port{ID: p.ID, Link: HostName(p.ID), Bridge: BridgeName(p.NetworkID), Groups: []string{"g"},
				Pairs: own(guard.MAC(p.MAC), "10.9.0.5/32")})
		}
	}
	return l.y.h.SetGuards(ports, []guard.Group{{ID: "g"}})
}

// wrong tells what is guarded otherwise than it is to be.
func (l *life) wrong() string {
	state, err := readGuards(l.y.h.guardTable())
	if err != nil {
		return err.Error()
	}
	for i, p := range l.ports {
		is, closed := state.Guards(HostName(p.ID))
		switch {
		case l.plugged[i] && p.Guarded && !is:
			return fmt.Sprintf("port %d is open", i)
		case l.plugged[i] && p.Guarded && closed != !l.planned[i]:
			return fmt.Sprintf("port %d is closed: %t", i, closed)
		case !p.Guarded && closed, !l.planned[i] && !l.plugged[i] && is:
			return fmt.Sprintf("port %d is guarded by nobody's will, closed: %t", i, closed)
		case l.plugged[i] && p.Guarded && !closed && state.Zone(BridgeName(p.NetworkID)) == 0:
			return fmt.Sprintf("the bridge of port %d has no zone", i)
		}
	}
	return ""
}

// TestGuardAuditAfterRemoval wants nothing to be mended after a port was unplugged that the plan names still: nobody else has changed anything.
func TestGuardAuditAfterRemoval(t *testing.T) {
	y := newYard(t)
	one, two := y.station(1, true, "g"), y.station(2, true, "g")
	y.groups = []guard.Group{{ID: "g", Rules: append(egress(), ingress(false, -1, -1, -1))}}
	y.apply()
	for _, s := range []*station{one, two} {
		if err := y.h.RemovePort(s.port.ID); err != nil {
			t.Fatal(err)
		}
		if n, err := y.h.AuditGuards(); n != 0 || err != nil {
			t.Errorf("AuditGuards = %d, %v", n, err)
		}
	}
	if _, err := y.h.EnsurePort(one.namespace, one.port); err != nil {
		t.Fatal(err)
	}
	if guarded, closed := y.h.guards.state.Guards(HostName(one.port.ID)); !guarded || closed {
		t.Errorf("plugged again, it is guarded %t, closed %t", guarded, closed)
	}
	y.ports = nil
	y.apply()
	if err := y.h.RemovePort(one.port.ID); err != nil {
		t.Fatal(err)
	}
	if state, err := readGuards(y.h.guardTable()); err != nil || len(state) > 0 {
		t.Errorf("left: %v, %v", state, err)
	}
}
