package bench

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"plimsoll/test/harness"
)

const (
	trafficRounds = 17
	trafficSpan   = time.Second // of each run of wrk
)

// way is one way from the client to a member.
type way struct {
	name, address string
	process       harness.Process // what stands between; PID 0 is nothing
	rates         []float64       // requests per second, by round
	cost          []float64       // processor time of the process per request, in microseconds, by round
	p50, p99      sample
}

// BenchmarkTraffic compares HTTP through a load balancer with HTTP through a HAProxy that is configured by hand, and with
// HTTP to a member itself. Each of them is a namespace with one link to the same bridge, and the runs take turns.
func BenchmarkTraffic(b *testing.B) {
	s := newSite(b, 0)
	manyPorts(b, s.client)
	lb, hand, direct := s.ways(b)
	for _, keep := range []bool{true, false} {
		name := map[bool]string{true: "keep-alive", false: "connection-per-request"}[keep]
		lb, hand, direct := lb, hand, direct
		ways := []*way{&lb, &hand, &direct}
		s.race(b, ways, keep)
		for _, w := range ways {
			b.Run(name+"/"+w.name, func(b *testing.B) { w.report(b) })
		}
		b.Run(name+"/ratios", func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(lb.rates)/median(hand.rates), "of-by-hand")
			b.ReportMetric(median(quotients(lb.rates, hand.rates)), "of-by-hand-by-round")
			b.ReportMetric(median(lb.rates)/median(direct.rates), "of-direct")
			b.ReportMetric(median(lb.cost)/median(hand.cost), "cost-of-by-hand")
		})
	}
}

func quotients(a, b []float64) (q []float64) {
	for i := range a {
		q = append(q, a[i]/b[i])
	}
	return q
}

// ways starts two members and what stands before them: a load balancer, and a HAProxy that is configured by hand. The direct
// way is to the first member.
func (s *site) ways(b *testing.B) (lb, hand, direct way) {
	members := []*harness.Node{s.Plug(b, s.net), s.Plug(b, s.net)}
	var webs []*harness.Web
	for _, n := range members {
		runIn(b, n, nil, "haproxy", "-db", "-f", configuration(b, "member.cfg"))
		listens(b, n, 8080)
		webs = append(webs, &harness.Web{Node: n, Name: "member", Port: 8080})
	}
	node := s.Plug(b, s.net)
	env := []string{"MEMBER1=" + members[0].Address, "MEMBER2=" + members[1].Address}
	hand = way{name: "by-hand", address: node.Address + ":80"}
	hand.process = runIn(b, node, env, "haproxy", "-db", "-f", configuration(b, "haproxy.cfg"))
	listens(b, node, 80)
	made, _ := s.create(b, s.wholeTree(webs...))
	lb = way{name: "load-balancer", address: harness.JoinPort(made.VIPAddress, 80)}
	s.answered(b, lb.address)
	for _, p := range s.HAProxies() {
		lb.process = p
	}
	return lb, hand, way{name: "direct", address: members[0].Address + ":8080"}
}

// manyPorts lets a node open connection after connection: as the kernel is by default, its 28,000 ports all wait for a minute after
// some seconds of a connection per request, and what is measured then is how long it looks for a free one.
func manyPorts(b *testing.B, n *harness.Node) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "ip", "netns", "exec", n.NetNS, "sh", "-c",
		"echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range && echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("give the client ports: %v\n%s", err, out)
	}
}

func configuration(b *testing.B, name string) string {
	b.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// race loads the ways in turns. Each round begins with another one, so that none of them always follows the same.
func (s *site) race(b *testing.B, ways []*way, keep bool) {
	for _, w := range ways {
		wrk(b, s.client, w.address, keep, time.Second) // to warm up
	}
	for round := range trafficRounds {
		for i := range ways {
			w := ways[(round+i)%len(ways)]
			before := busy(w.process)
			r := wrk(b, s.client, w.address, keep, trafficSpan)
			w.cost = append(w.cost, float64((busy(w.process)-before).Microseconds())/float64(r.requests))
			if r.failures != "" {
				b.Errorf("%s: %s", w.name, r.failures)
			}
			w.rates = append(w.rates, r.rate)
			w.p50, w.p99 = append(w.p50, r.p50), append(w.p99, r.p99)
		}
	}
}

func (w *way) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(w.rates), "req/s")
	b.ReportMetric(ms(w.p50.at(0.5)), "p50-ms")
	b.ReportMetric(ms(w.p99.at(0.5)), "p99-ms")
	if w.process.PID != 0 {
		b.ReportMetric(median(w.cost), "cpu-µs/req")
	}
}

// TestConfigurations shows the configurations of this folder to HAProxy.
func TestConfigurations(t *testing.T) {
	for _, name := range []string{"haproxy.cfg", "member.cfg"} {
		cmd := exec.CommandContext(context.Background(), "haproxy", "-c", "-f", name)
		cmd.Env = append(cmd.Environ(), "MEMBER1=127.0.0.1", "MEMBER2=127.0.0.1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("haproxy -c -f %s: %v\n%s", name, err, out)
		}
	}
}
