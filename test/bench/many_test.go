package bench

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sync/errgroup"

	"plimsoll/test/harness"
)

// manyLoadBalancers are made unless PLIMSOLL_BENCH_LOADBALANCERS gives another number.
const manyLoadBalancers = 100

// BenchmarkMany makes many load balancers on one host, one after the other, and measures what each costs, in time and memory,
// and how long it takes until all are as they should be after everything of the control plane was killed, and after
// the data plane was killed and taken away as well, as when the host starts again.
func BenchmarkMany(b *testing.B) {
	n := manyLoadBalancers
	if text := os.Getenv("PLIMSOLL_BENCH_LOADBALANCERS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 10 || n > 1000 {
			b.Fatalf("PLIMSOLL_BENCH_LOADBALANCERS=%s: want a number from 10 to 1000", text)
		}
	}
	if n > 200 {
		roomForNeighbours(b)
	}
	s := newSite(b, 1)
	m := many{site: s}
	m.create(b, n)
	name := func(what string) string { return fmt.Sprintf("n=%d/%s", n, what) }
	b.Run(name("create-first-tenth"), func(b *testing.B) { m.took[:n/10].report(b) })
	b.Run(name("create-last-tenth"), func(b *testing.B) { m.took[n-n/10:].report(b) })
	b.Run(name("answer"), func(b *testing.B) { m.answer(b) })
	b.Run(name("memory"), func(b *testing.B) { s.memory(b) })
	b.Run(name("control-plane-restart"), func(b *testing.B) { m.measure(b, m.restart) })
	b.Run(name("host-restart"), func(b *testing.B) { m.measure(b, m.rebuild) })
	b.Run(name("memory-after"), func(b *testing.B) { s.memory(b) })
}

// roomForNeighbours makes the kernel's neighbour tables larger until the benchmark ends. All namespaces of the host share them; with
// the kernel's 1,024 entries packets wait for seconds once some hundred load balancers each know a client and a member.
func roomForNeighbours(b *testing.B) {
	b.Helper()
	for _, family := range []string{"ipv4", "ipv6"} {
		for i, entries := range []string{"4096", "8192", "16384"} {
			path := fmt.Sprintf("/proc/sys/net/%s/neigh/default/gc_thresh%d", family, i+1)
			before, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(entries), 0o644); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = os.WriteFile(path, before, 0o644) })
		}
	}
}

type many struct {
	*site
	all  []created
	took sample // to make each
}

func (m *many) create(b *testing.B, n int) {
	for range n {
		lb, sent := m.site.create(b, m.wholeTree(m.webs[0]))
		if err := m.api.active(b.Context(), lb.ID); err != nil {
			b.Fatal(err)
		}
		m.all, m.took = append(m.all, lb), append(m.took, time.Since(sent))
	}
}

func (m *many) measure(b *testing.B, what func(b *testing.B)) {
	start := time.Now()
	what(b)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(time.Since(start).Seconds(), "s")
}

// answer has every load balancer answer.
func (m *many) answer(b *testing.B) {
	var took sample
	for _, lb := range m.all {
		start := time.Now()
		took = append(took, m.answered(b, harness.JoinPort(lb.VIPAddress, 80)).Sub(start))
	}
	took.report(b)
}

// killAll kills the control plane: the server, the engine and its supervisor.
func (m *many) killAll(b *testing.B) {
	m.Kill(b)
	for _, p := range m.Engines() {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	harness.Eventually(b, 5*time.Second, func() error {
		if left := m.Engines(); len(left) > 0 {
			return fmt.Errorf("engine still there: %v", left)
		}
		return nil
	})
}

// restart kills the control plane, starts it, changes every load balancer, and waits until all are ACTIVE.
func (m *many) restart(b *testing.B) {
	m.killAll(b)
	m.Start(b)
	m.each(b, func(lb created) error {
		if _, err := m.api.call(b.Context(), http.MethodPut, "/pools/"+lb.Pools[0].ID, object{"pool": object{"description": "changed"}}); err != nil {
			return err
		}
		return m.api.active(b.Context(), lb.ID)
	})
}

// rebuild kills the data plane, too, and removes its namespaces; then it starts the server and waits until all answer.
func (m *many) rebuild(b *testing.B) {
	m.killAll(b)
	for _, p := range m.HAProxies() {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	for _, lb := range m.all {
		if err := netns.DeleteNamed("qlbaas-" + lb.ID); err != nil {
			b.Fatalf("remove the namespace of %s (%s): %v", lb.ID, filepath.Base(m.StateDir), err)
		}
	}
	start := time.Now()
	m.Start(b)
	for _, lb := range m.all {
		m.answeredWithin(b, harness.JoinPort(lb.VIPAddress, 80), 3*time.Minute)
	}
	b.ReportMetric(time.Since(start).Seconds(), "s-from-start")
}

// each does something for every load balancer, some at a time.
func (m *many) each(b *testing.B, do func(created) error) {
	var group errgroup.Group
	group.SetLimit(8)
	for _, lb := range m.all {
		group.Go(func() error { return do(lb) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}
