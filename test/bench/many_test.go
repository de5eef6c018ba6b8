package bench

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"
	"github.com/vishvananda/netns"
	"golang.org/x/sync/errgroup"

	"plimsoll/test/harness"
)

// manyLoadBalancers are made unless PLIMSOLL_BENCH_LOADBALANCERS gives another number.
const manyLoadBalancers = 100

// BenchmarkMany makes many load balancers on one host, one after the other, and measures what each costs, in time, processor time and
// memory, and what all cost at rest; how long it takes until all are as they should be after everything of the control plane was
// killed, and after the data plane was killed and taken away as well, as when the host starts again; and until all are deleted.
// Of each ten one has a listener that ends TLS besides, and one a listener of UDP.
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
	identity := harness.NewAuthority(b, "authority").Issue("www.example.com")
	m := many{site: s, certificate: s.StoreText(b, "www", secrets.OpaqueSecret, identity.Bundle())}
	m.datagrams = s.webs[0].Node.ServeDatagrams(b, 5353, "m")
	var tenths []grown
	for range 10 {
		tenths = append(tenths, m.grow(b, n/10))
	}
	name := func(what string) string { return fmt.Sprintf("n=%d/%s", n, what) }
	b.Run(name("create-first-tenth"), func(b *testing.B) { tenths[0].report(b) })
	b.Run(name("create-last-tenth"), func(b *testing.B) { tenths[9].report(b) })
	b.Run(name("answer"), func(b *testing.B) { m.answer(b) })
	b.Run(name("memory"), func(b *testing.B) { s.memory(b) })
	b.Run(name("at-rest"), func(b *testing.B) { m.rest(b) })
	b.Run(name("control-plane-restart"), func(b *testing.B) { m.measure(b, m.restart) })
	b.Run(name("host-restart"), func(b *testing.B) { m.measure(b, m.rebuild) })
	b.Run(name("answer-after"), func(b *testing.B) { m.answer(b) })
	b.Run(name("memory-after"), func(b *testing.B) { s.memory(b) })
	b.Run(name("delete"), func(b *testing.B) { m.measure(b, m.deleteAll) })
	b.Run(name("memory-after-delete"), func(b *testing.B) { s.memory(b) })
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
	certificate string // its reference
	datagrams   *harness.Datagrams
	all         []oneOfMany
}

// oneOfMany is a load balancer with an HTTP listener, and with one of TLS or UDP where it says so.
type oneOfMany struct {
	created
	tls, udp bool
}

// grown is what some more load balancers took.
type grown struct {
	took sample
	cpu  time.Duration // of the control plane, for each
}

func (g grown) report(b *testing.B) {
	b.Helper()
	g.took.report(b)
	b.ReportMetric(ms(g.cpu), "control-plane-cpu-ms")
}

// grow makes n more load balancers, one after the other.
func (m *many) grow(b *testing.B, n int) (g grown) {
	before := m.controlPlane(b)
	for range n {
		lb := oneOfMany{tls: len(m.all)%10 == 3, udp: len(m.all)%10 == 7}
		var sent time.Time
		lb.created, sent = m.site.create(b, m.tree(lb))
		if err := m.api.active(b.Context(), lb.ID); err != nil {
			b.Fatal(err)
		}
		m.all, g.took = append(m.all, lb), append(g.took, time.Since(sent))
	}
	g.cpu = (m.controlPlane(b) - before) / time.Duration(n)
	return g
}

// tree is the body of a load balancer.
func (m *many) tree(lb oneOfMany) object {
	body := m.wholeTree(m.webs[0])
	all := body["listeners"].([]object)
	if lb.tls {
		all = append(all, object{
			"name": "tls", "protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": m.certificate,
			"default_pool": object{"name": "tls", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": []object{member(m.net, m.webs[0])}},
		})
	}
	if lb.udp {
		all = append(all, object{
			"name": "udp", "protocol": "UDP", "protocol_port": 53,
			"default_pool": object{"name": "udp", "protocol": "UDP", "lb_algorithm": "ROUND_ROBIN", "members": []object{
				{"address": m.datagrams.Node.Address, "protocol_port": m.datagrams.Port, "subnet_id": m.net.SubnetID},
			}},
		})
	}
	body["listeners"] = all
	return body
}

// controlPlane is the processor time that server and engine have used so far.
func (m *many) controlPlane(b *testing.B) time.Duration {
	return spent(m.serving(b)) + spent(m.Engines()...)
}

// rest measures what everything costs while nobody asks for anything, in thousandths of a processor.
func (m *many) rest(b *testing.B) {
	const span = 20 * time.Second
	serve, engines, haproxies := m.serving(b), m.Engines(), m.HAProxies()
	used := func() map[string]time.Duration {
		proxies := time.Duration(0)
		for _, p := range haproxies { // too little for hundredths of a second of each
			proxies += busy(p)
		}
		return map[string]time.Duration{"serve": spent(serve), "engine": spent(engines...), "haproxies": proxies}
	}
	time.Sleep(5 * time.Second) // what was done before ends
	before, start := used(), time.Now()
	time.Sleep(span)
	b.ReportMetric(0, "ns/op")
	for name, now := range used() {
		b.ReportMetric(1000*float64(now-before[name])/float64(time.Since(start)), name+"-mCPU")
	}
}

func (m *many) measure(b *testing.B, what func(b *testing.B)) {
	start := time.Now()
	what(b)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(time.Since(start).Seconds(), "s")
}

// answer has every listener of every load balancer answer, and reports how long the HTTP ones took.
func (m *many) answer(b *testing.B) {
	var took sample
	for _, lb := range m.all {
		start := time.Now()
		took = append(took, m.answered(b, harness.JoinPort(lb.VIPAddress, 80)).Sub(start))
		if lb.tls {
			m.answersTLS(b, harness.JoinPort(lb.VIPAddress, 443))
		}
		if lb.udp {
			harness.Eventually(b, 10*time.Second, func() error {
				_, err := m.client.AskOnce(b, harness.JoinPort(lb.VIPAddress, 53))
				return err
			})
		}
	}
	took.report(b)
}

func (m *many) answersTLS(b *testing.B, address string) {
	config := &tls.Config{ServerName: "www.example.com", InsecureSkipVerify: true} //nolint:gosec // that it answers is asked
	var once handshakes
	once.once(func() (net.Conn, error) { return m.client.Dial(b.Context(), "tcp", address) }, config)
	if once.failed > 0 {
		b.Errorf("%s: %v", address, once.err)
	}
}

// deleteAll deletes all load balancers, some at a time, and waits until nothing of them is left on the host.
func (m *many) deleteAll(b *testing.B) {
	m.each(b, func(lb oneOfMany) error {
		_, err := m.api.call(b.Context(), http.MethodDelete, "/loadbalancers/"+lb.ID+"?cascade=true", nil)
		return err
	})
	harness.Eventually(b, 5*time.Minute, func() error {
		if left := m.HAProxies(); len(left) > 0 {
			return fmt.Errorf("%d HAProxy processes are left", len(left))
		}
		return nil
	})
	for _, lb := range m.all {
		m.WaitGone(b, lb.ID)
	}
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
	m.each(b, func(lb oneOfMany) error {
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
func (m *many) each(b *testing.B, do func(oneOfMany) error) {
	var group errgroup.Group
	group.SetLimit(8)
	for _, lb := range m.all {
		group.Go(func() error { return do(lb) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}
