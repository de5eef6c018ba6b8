package engine

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// failOver asks for a failover, as the API does: the generation of the change is that of the failover.
func (b *testBalancer) failOver() {
	b.Progress.Generation++
	b.FailedOver = b.Progress.Generation
}

// TestFailover has users ask for a fresh process while requests come: none fails, and who asked once gets one.
func TestFailover(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member(), w.member())
	b.mustApply(methodStart)
	stops := []func() int{w.load(b.url(), true), w.load(b.url(), false)}
	for range 3 {
		before := b.pid()
		b.failOver()
		b.want(b.again(), methodReload)
		after := b.pid()
		if after == before {
			t.Errorf("process %d took over from itself", before)
		}
		b.want(b.again(), methodNone)
		b.mustApply(methodNone) // a change of a name, long after
		b.pool.Members[0].Weight = int(b.Progress.Generation)
		b.mustApply(methodRuntime)
		if o := b.observe(); o.Drifted || !o.Running {
			t.Errorf("after a failover: %v", o)
		}
		if pid := b.pid(); pid != after {
			t.Errorf("process %d was replaced by %d without a failover", after, pid)
		}
	}
	w.stop()
	w.start()
	before := b.pid()
	b.Epoch++
	b.want(b.again(), methodNone) // as after a restart of engine and server
	if pid := b.pid(); pid != before {
		t.Errorf("process %d was replaced by %d at a restart", before, pid)
	}
	for _, stop := range stops {
		if n := stop(); n < 100 {
			t.Errorf("only %d requests", n)
		}
	}
}

// TestFailoverMends has a failover asked for because the namespace is broken.
func TestFailoverMends(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	namespace, _ := w.plug()
	client := httpClient(t, namespace, false)
	w.answers(client, b.url(), 3)
	if out, err := exec.Command("ip", "netns", "del", namespaceName(b.ID)).CombinedOutput(); err != nil {
		t.Fatalf("ip netns del: %v %s", err, out)
	}
	b.failOver()
	b.want(b.again(), methodStart, methodReload)
	w.answers(client, b.url(), 3)
	b.want(b.again(), methodNone)
}

// TestResize changes the flavor under load: one process takes over, with another bound.
func TestResize(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	stop := w.load(b.url(), false)
	for _, n := range []int{100, 150} {
		b.Flavor = map[string]any{haproxy.FlavorTopology: "SINGLE", haproxy.FlavorMaxconn: float64(n)}
		b.mustApply(methodReload)
		answer, err := askIn(b.runDir(), "show info")
		if err != nil {
			t.Fatal(err)
		}
		if line := fmt.Sprintf("\nMaxconn: %d\n", n); !strings.Contains(string(answer), line) {
			t.Errorf("HAProxy does not say %q", line)
		}
	}
	stop()
}

// TestFailoverBesideARefusal has a failover asked for while HAProxy refuses an object: the rest gets its fresh process.
func TestFailoverBesideARefusal(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	bad := b.listen(81)
	spoil := func(s *enginepb.Spec) { addLine(section(s, "frontend "+bad.ID), "mode no-such-mode") }
	before := b.pid()
	b.failOver()
	for i, method := range []string{methodReload, methodNone} {
		if reply := b.applySpec(spoil); len(reply.Failures) != 1 || reply.Method != method {
			t.Errorf("Apply %d = %v, want %s", i, reply, method)
		}
	}
	if b.pid() == before {
		t.Error("no fresh process")
	}
}
