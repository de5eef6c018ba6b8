package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
)

func TestApplyServes(t *testing.T) {
	w := newWorld(t)
	m1, m2 := w.member(), w.member()
	b := w.balancerOf(m1, m2)
	b.mustApply(methodStart)
	namespace, _ := w.plug()
	got := w.answers(httpClient(t, namespace, false), b.url(), 20)
	if diff := cmp.Diff(map[string]int{m1.Name: 10, m2.Name: 10}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	pid := b.pid()
	b.want(b.again(), methodNone)
	b.mustApply(methodNone)
	if b.pid() != pid {
		t.Error("HAProxy was replaced though nothing changed")
	}
	o := b.observe()
	if !o.Running || o.Drifted || o.Reason != "" || o.Generation != 2 {
		t.Errorf("Observe = %v", o)
	}
	if f := frontend(o, b); f.TotalSessions != 20 || f.Status != "OPEN" || f.BytesOut == 0 {
		t.Errorf("frontend = %v", f)
	}
}

func TestMembersChangeUnderLoad(t *testing.T) {
	for _, keepAlive := range []bool{false, true} {
		t.Run(fmt.Sprintf("keepAlive=%v", keepAlive), func(t *testing.T) {
			w := newWorld(t)
			m1, m2, m3 := w.member(), w.member(), w.member()
			b := w.balancerOf(m1, m2)
			b.mustApply(methodStart)
			pid, stop := b.pid(), w.load(b.url(), keepAlive)
			for i := range 10 {
				b.add(m3)
				b.mustApply(methodRuntime)
				m1.Weight = 1 + i%3
				m2.Weight = 3 + i
				b.mustApply(methodRuntime)
				b.pool.Members = b.pool.Members[:2]
				b.mustApply(methodRuntime)
				m2.AdminStateUp = i%2 == 0
				b.apply()
			}
			if n := stop(); n < 50 {
				t.Errorf("only %d requests", n)
			}
			if b.pid() != pid {
				t.Error("HAProxy was replaced")
			}
			eventually(t, "the removed server to be deleted", func() bool { return len(b.observe().Servers) == 2 })
			if o := b.observe(); o.Drifted {
				t.Errorf("drifted: %s", o.Reason)
			}
		})
	}
}

func TestReloadsUnderLoad(t *testing.T) {
	for _, keepAlive := range []bool{false, true} {
		t.Run(fmt.Sprintf("keepAlive=%v", keepAlive), func(t *testing.T) {
			w := newWorld(t)
			b := w.balancerOf(w.member(), w.member())
			b.mustApply(methodStart)
			stop := w.load(b.url(), keepAlive)
			for i := range 20 {
				b.listen(8000 + i)
				b.mustApply(methodReload)
			}
			sent := stop()
			if total := frontend(b.observe(), b).TotalSessions; !keepAlive && total != int64(sent) || total == 0 {
				t.Errorf("%d sessions counted over 20 reloads, %d requests sent", total, sent)
			}
			eventually(t, "old processes to end", func() bool { return len(processesOf(t, b)) == 1 })
		})
	}
}

// frontend is of the first listener.
func frontend(o *enginepb.Observation, b *testBalancer) *enginepb.Frontend {
	for _, f := range o.GetFrontends() {
		if f.Name == b.Listeners[0].ID {
			return f
		}
	}
	return &enginepb.Frontend{}
}

func processesOf(t *testing.T, b *testBalancer) []int {
	t.Helper()
	all, err := findProcesses()
	if err != nil {
		t.Fatal(err)
	}
	return all[filepath.Join(b.runDir(), "haproxy.conf")]
}

// watchEvents passes on the ids that Watch sends.
func watchEvents(t *testing.T, w *world) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	stream, err := w.client.Watch(ctx, &enginepb.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := stream.Recv(); err != nil || first.LoadBalancerId != "" {
		t.Fatalf("first event = %v, %v", first, err)
	}
	events := make(chan string, 100)
	go func() {
		for {
			event, err := stream.Recv()
			if err != nil {
				return
			}
			events <- event.LoadBalancerId
		}
	}()
	return events
}

func waitEvent(t *testing.T, events <-chan string, id string) {
	t.Helper()
	eventually(t, "an event", func() bool {
		select {
		case got := <-events:
			return got == id
		default:
			return false
		}
	})
}

func TestKilledHAProxyComesBack(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	events := watchEvents(t, w)
	namespace, _ := w.plug()
	c := httpClient(t, namespace, false)
	w.answers(c, b.url(), 5)
	b.observe()
	pid := b.pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, events, b.ID)
	if o := b.observe(); o.Running || !o.Drifted || frontend(o, b).TotalSessions != 5 {
		t.Errorf("Observe after the kill = %v", o)
	}
	b.want(b.again(), methodStart)
	w.answers(c, b.url(), 5)
	if o := b.observe(); !o.Running || o.Drifted || frontend(o, b).TotalSessions != 10 {
		t.Errorf("Observe after the Apply = %v", o)
	}
}

func TestNamespaceRemovedBehindTheBack(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	events := watchEvents(t, w)
	if out, err := exec.Command("ip", "netns", "del", namespaceName(b.ID)).CombinedOutput(); err != nil {
		t.Fatalf("ip netns del: %v: %s", err, out)
	}
	waitEvent(t, events, b.ID)
	if o := b.observe(); !o.Drifted {
		t.Errorf("Observe = %v", o)
	}
	b.want(b.again(), methodStart)
	namespace, _ := w.plug()
	w.answers(httpClient(t, namespace, false), b.url(), 5)
	if o := b.observe(); o.Drifted {
		t.Errorf("drifted: %s", o.Reason)
	}
	if n := processesOf(t, b); len(n) != 1 {
		t.Errorf("%d processes", len(n))
	}
}

func TestDriftIsMended(t *testing.T) {
	breaks := map[string]func(t *testing.T, b *testBalancer){
		"link removed": func(t *testing.T, b *testBalancer) {
			run(t, "ip", "link", "del", linux.HostName(b.port.Id))
		},
		"link down": func(t *testing.T, b *testBalancer) {
			run(t, "ip", "-n", namespaceName(b.ID), "link", "set", linux.TapName(b.port.Id), "down")
		},
		"address removed": func(t *testing.T, b *testBalancer) {
			run(t, "ip", "-n", namespaceName(b.ID), "addr", "flush", "dev", linux.TapName(b.port.Id))
		},
		"server switched off": func(t *testing.T, b *testBalancer) {
			b.tell(t, "disable server "+b.pool.ID+":"+b.Listeners[0].ID+"/"+b.pool.Members[0].ID)
		},
		"weight changed": func(t *testing.T, b *testBalancer) {
			b.tell(t, "set server "+b.pool.ID+":"+b.Listeners[0].ID+"/"+b.pool.Members[0].ID+" weight 77")
		},
	}
	for name, spoil := range breaks {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.balancerOf(w.member())
			b.mustApply(methodStart)
			pid := b.pid()
			spoil(t, b)
			if o := b.observe(); !o.Drifted || o.Reason == "" {
				t.Errorf("Observe = %v", o)
			}
			b.want(b.again(), methodNone, methodRuntime)
			if o := b.observe(); o.Drifted {
				t.Errorf("still drifted: %s", o.Reason)
			}
			namespace, _ := w.plug()
			w.answers(httpClient(t, namespace, false), b.url(), 5)
			if b.pid() != pid {
				t.Error("HAProxy was replaced")
			}
		})
	}
}

func (b *testBalancer) tell(t *testing.T, command string) {
	t.Helper()
	answer, err := askIn(b.runDir(), command)
	if err != nil || strings.TrimSpace(string(answer)) != "" {
		t.Fatalf("%s: %v %s", command, err, answer)
	}
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

func TestEngineRestartAdopts(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	stop := w.load(b.url(), true)
	pid := b.pid()
	before := frontend(b.observe(), b)
	w.stop()
	w.start()
	o := b.observe()
	if o == nil || !o.Running || o.Drifted || frontend(o, b).BytesOut < before.BytesOut {
		t.Fatalf("Observe after the restart = %v", o)
	}
	b.want(b.again(), methodNone)
	if b.pid() != pid {
		t.Error("HAProxy was replaced")
	}
	stop()
	events := watchEvents(t, w)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, events, b.ID)
}

// TestStrayIsFound shows that a HAProxy that an engine started just before it was killed is neither left running beside
// the next nor stops serving at once.
func TestStrayIsFound(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	stop := w.load(b.url(), false)
	dir, old := b.runDir(), b.pid()
	run(t, "ip", "netns", "exec", namespaceName(b.ID), "sh", "-c", "cd "+dir+" && exec haproxy -D -f haproxy.conf -p haproxy.pid -L "+dir+
		" -x haproxy_stats.sock -sf "+fmt.Sprint(old))
	eventually(t, "the stray", func() bool { return b.pid() != old })
	b.want(b.again(), methodReload)
	eventually(t, "one process", func() bool { return len(processesOf(t, b)) == 1 })
	stop()
	if o := b.observe(); !o.Running || o.Drifted {
		t.Errorf("Observe = %v", o)
	}
}

// TestCrashLeavesRecord shows that ports of which only the record knows are removed, with a bridge that was never stamped.
func TestCrashLeavesRecord(t *testing.T) {
	w := newWorld(t)
	before := listing(t, w)
	b := w.balancerOf()
	b.Progress.Generation++
	w.stop()
	if err := os.Mkdir(b.runDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	r := record{Epoch: 1, Generation: 1, Ports: portRefs([]*enginepb.Port{b.port})}
	if err := r.write(b.runDir()); err != nil {
		t.Fatal(err)
	}
	bridge := linux.BridgeName(w.network)
	run(t, "ip", "link", "add", bridge, "type", "bridge")
	w.start()
	b.remove()
	if diff := cmp.Diff(before, listing(t, w)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	if err := exec.Command("ip", "link", "show", bridge).Run(); err == nil {
		t.Error("the bridge is left")
		run(t, "ip", "link", "del", bridge)
	}
}

func TestSameAddressesSideBySide(t *testing.T) {
	names := map[string]bool{}
	for range 2 {
		w := newWorld(t)
		m := w.member()
		m.Name = w.config.Instance
		b := w.balancerOf(m)
		b.mustApply(methodStart)
		namespace, _ := w.plug()
		got := w.answers(httpClient(t, namespace, false), b.url(), 10)
		if diff := cmp.Diff(map[string]int{m.Name: 10}, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		names[b.VIPAddress.String()] = true
	}
	if len(names) != 1 {
		t.Errorf("the two use different addresses: %v", names)
	}
}

// listing is what the host has, as far as an engine could have made it.
func listing(t *testing.T, w *world) string {
	t.Helper()
	var ours []string
	for line := range strings.Lines(run(t, "ip", "-o", "link")) {
		if strings.Contains(line, w.config.Instance) {
			ours = append(ours, strings.Fields(line)[1])
		}
	}
	for _, dir := range []string{"lbaas/v2", "plugs"} {
		entries, err := os.ReadDir(filepath.Join(w.dir, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			ours = append(ours, e.Name())
		}
	}
	h, err := linux.Open(w.config.Instance)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	names, err := h.Namespaces()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(ours, names...), "\n")
}

func TestRemoveLeavesNothing(t *testing.T) {
	w := newWorld(t)
	before := listing(t, w)
	b := w.balancerOf()
	b.mustApply(methodStart)
	pid := b.pid()
	b.Progress.Generation++
	for range 3 {
		b.remove()
	}
	if diff := cmp.Diff(before, listing(t, w)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	if _, err := openProcess(pid, filepath.Join(b.runDir(), "haproxy.conf")); err == nil {
		t.Error("HAProxy still runs")
	}
	if o := b.observe(); o != nil {
		t.Errorf("Observe = %v", o)
	}
	b.Progress.Generation--
	_, err := w.client.Apply(t.Context(), &enginepb.ApplyRequest{Spec: b.spec()})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("late Apply = %v, want FailedPrecondition", err)
	}
	if diff := cmp.Diff(before, listing(t, w)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

func TestOlderIsRefused(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf()
	b.Epoch, b.Progress.Generation = 3, 7
	b.mustApply(methodStart) // 3, 8
	w.stop()
	w.start()
	for _, old := range []struct{ epoch, generation int64 }{{3, 7}, {2, 9}} {
		spec := b.spec()
		spec.Epoch, spec.Generation = old.epoch, old.generation
		if _, err := w.client.Apply(t.Context(), &enginepb.ApplyRequest{Spec: spec}); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("Apply of %v = %v, want FailedPrecondition", old, err)
		}
		request := &enginepb.RemoveRequest{LoadBalancerId: b.ID, Epoch: old.epoch, Generation: old.generation}
		if _, err := w.client.Remove(t.Context(), request); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("Remove of %v = %v, want FailedPrecondition", old, err)
		}
	}
	b.Epoch, b.Progress.Generation = 4, 0
	b.mustApply(methodNone)
}
