package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"

	"plimsoll/test/harness"
)

const (
	trafficRounds = 17
	trafficSpan   = time.Second // of each run of a client
)

// way is one way from the client to a member.
type way struct {
	name, address string
	process       harness.Process // what stands between; PID 0 is nothing
	rates         []float64       // requests per second, by round
	cost          []float64       // processor time of the process per request, in microseconds, by round
	p50, p99      sample
}

// traffic is what clients do, and the client that does it for a while. They are compared one after the other.
type traffic struct {
	name string
	load func(b *testing.B, address string) result
}

// BenchmarkTraffic compares HTTP through a load balancer with HTTP through a HAProxy that is configured by hand, and with
// HTTP to a member itself. Each of them is a namespace with one link to the same bridge, and the runs take turns.
func BenchmarkTraffic(b *testing.B) {
	s := newSite(b, 0)
	manyPorts(b, s.client)
	members := s.members(b)
	hand := s.byHand(b, "haproxy.cfg", 80, members, "")
	lb := s.balanced(b, object{"protocol": "HTTP"}, 80, members)
	direct := way{name: "direct", address: members[0].Address + ":8080"}
	s.contest(b, s.overHTTP("http"), lb, hand, direct)
}

// BenchmarkTCP compares HTTP through a listener of TCP with HTTP through a HAProxy by hand in mode tcp.
func BenchmarkTCP(b *testing.B) {
	s := newSite(b, 0)
	manyPorts(b, s.client)
	members := s.members(b)
	hand := s.byHand(b, "tcp.cfg", 81, members, "")
	lb := s.balanced(b, object{"protocol": "TCP"}, 81, members)
	s.contest(b, s.overHTTP("http"), lb, hand)
}

// BenchmarkTLS compares a listener that ends TLS with a HAProxy by hand that does, with the same certificate (ECDSA, P-256): on
// connections that are kept, and with a connection per request, by full handshakes and by resumed sessions.
func BenchmarkTLS(b *testing.B) {
	s := newSite(b, 0)
	manyPorts(b, s.client)
	bundle := harness.NewAuthority(b, "authority").Issue("www.example.com").Bundle()
	file := filepath.Join(b.TempDir(), "certificate.pem")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		b.Fatal(err)
	}
	ref := s.StoreText(b, "www", secrets.OpaqueSecret, bundle)
	members := s.members(b)
	hand := s.byHand(b, "tls.cfg", 443, members, file)
	lb := s.balanced(b, object{"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": ref}, 443, members)
	s.contest(b, []traffic{
		s.overHTTP("https")[0],
		{"full-handshakes", func(b *testing.B, address string) result { return s.shakeHands(b, address, false) }},
		{"resumed-handshakes", func(b *testing.B, address string) result { return s.shakeHands(b, address, true) }},
	}, lb, hand)
}

// overHTTP is what wrk can do.
func (s *site) overHTTP(scheme string) []traffic {
	return []traffic{
		{"keep-alive", func(b *testing.B, address string) result {
			return wrk(b, s.client, scheme+"://"+address+"/", true, trafficSpan)
		}},
		{"connection-per-request", func(b *testing.B, address string) result {
			return wrk(b, s.client, scheme+"://"+address+"/", false, trafficSpan)
		}},
	}
}

// contest lets the ways race with each kind of traffic, and reports them and the ratios of the first to the others.
func (s *site) contest(b *testing.B, kinds []traffic, lb way, others ...way) {
	for _, kind := range kinds {
		first := lb
		ways := []*way{&first}
		for _, other := range others {
			ways = append(ways, &other)
		}
		race(b, ways, kind)
		for _, w := range ways {
			b.Run(kind.name+"/"+w.name, func(b *testing.B) { w.report(b) })
		}
		b.Run(kind.name+"/ratios", func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			for _, w := range ways[1:] {
				b.ReportMetric(median(first.rates)/median(w.rates), "of-"+w.name)
				b.ReportMetric(median(quotients(first.rates, w.rates)), "of-"+w.name+"-by-round")
			}
			hand := ways[1]
			b.ReportMetric(median(first.cost)/median(hand.cost), "cost-of-by-hand")
			b.ReportMetric(ms(first.p99.at(0.5))/ms(hand.p99.at(0.5)), "p99-of-by-hand")
		})
	}
}

func quotients(a, b []float64) (q []float64) {
	for i := range a {
		q = append(q, a[i]/b[i])
	}
	return q
}

// members starts two web servers.
func (s *site) members(b *testing.B) []*harness.Node {
	nodes := []*harness.Node{s.Plug(b, s.net), s.Plug(b, s.net)}
	for _, n := range nodes {
		runIn(b, n, nil, "haproxy", "-db", "-f", configuration(b, "member.cfg"))
		listens(b, n, 8080)
	}
	return nodes
}

// byHand starts a HAProxy that a person configured before the members.
func (s *site) byHand(b *testing.B, file string, port int, members []*harness.Node, certificate string) way {
	node := s.Plug(b, s.net)
	w := way{name: "by-hand", address: harness.JoinPort(node.Address, port)}
	w.process = runIn(b, node, handVariables(members[0].Address, members[1].Address, certificate), "haproxy", "-db", "-f", configuration(b, file))
	listens(b, node, port)
	return w
}

// handVariables are what the configurations of this folder leave open.
func handVariables(member1, member2, certificate string) []string {
	return []string{"MEMBER1=" + member1, "MEMBER2=" + member2, "CERTIFICATE=" + certificate}
}

// balanced makes a load balancer with a listener before the members, and waits until it is there.
func (s *site) balanced(b *testing.B, listener object, port int, nodes []*harness.Node) way {
	var members []object
	for _, n := range nodes {
		members = append(members, member(s.net, &harness.Web{Node: n, Name: "member", Port: 8080}))
	}
	protocol := "HTTP"
	if listener["protocol"] == "TCP" {
		protocol = "TCP"
	}
	listener["protocol_port"] = port
	listener["default_pool"] = object{"name": "pool", "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", "members": members}
	made, _ := s.create(b, object{"name": "lb", "vip_subnet_id": s.net.SubnetID, "listeners": []object{listener}})
	if err := s.api.active(b.Context(), made.ID); err != nil {
		b.Fatal(err)
	}
	w := way{name: "load-balancer", address: harness.JoinPort(made.VIPAddress, port)}
	for _, p := range s.HAProxies() {
		w.process = p
	}
	return w
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
func race(b *testing.B, ways []*way, kind traffic) {
	for _, w := range ways {
		kind.load(b, w.address) // to warm up
	}
	for round := range trafficRounds {
		for i := range ways {
			w := ways[(round+i)%len(ways)]
			before := busy(w.process)
			r := kind.load(b, w.address)
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
	certificate := filepath.Join(t.TempDir(), "certificate.pem")
	if err := os.WriteFile(certificate, harness.NewAuthority(t, "authority").Issue("www.example.com").Bundle(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"haproxy.cfg", "tcp.cfg", "tls.cfg", "member.cfg"} {
		cmd := exec.CommandContext(context.Background(), "haproxy", "-c", "-f", name)
		cmd.Env = append(cmd.Environ(), handVariables("127.0.0.1", "127.0.0.1", certificate)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("haproxy -c -f %s: %v\n%s", name, err, out)
		}
	}
}
