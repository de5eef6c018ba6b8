package e2e

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/internal/linux"
	"plimsoll/test/harness"
)

// organPort is where members answer to their health monitor, apart from the port of their traffic.
const organPort = 9000

// An organ is what a health monitor asks a member for. It can fail while the member goes on to serve, so that traffic shows what the
// monitor decides.
type organ interface {
	start(t *testing.T, n *harness.Node)
	stop(t *testing.T)
}

// httpOrgan answers HTTP, with TLS of a certificate that nobody trusts if it is wanted: 204 to what is asked, else 400.
type httpOrgan struct {
	tls                       bool
	method, path, host, proto string

	server *httptest.Server
	well   atomic.Int64 // answers
	failed atomic.Int64 // answers while it is ill
	ill    atomic.Bool
}

func (o *httpOrgan) start(t *testing.T, n *harness.Node) {
	t.Helper()
	l, err := n.Listen("tcp", harness.JoinPort(n.Address, organPort))
	if err != nil {
		t.Fatal(err)
	}
	o.server = &httptest.Server{Listener: l, Config: &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(o.answer)}}
	if o.tls {
		o.server.StartTLS()
	} else {
		o.server.Start()
	}
}

func (o *httpOrgan) stop(*testing.T) {
	if o.server != nil {
		o.server.CloseClientConnections()
		o.server.Close()
		o.server = nil
	}
}

func (o *httpOrgan) answer(rw http.ResponseWriter, r *http.Request) {
	switch {
	case o.ill.Load():
		o.failed.Add(1)
		rw.WriteHeader(http.StatusServiceUnavailable)
	case o.method != "" && (r.Method != o.method || r.RequestURI != o.path || r.Host != o.host || r.Proto != o.proto):
		rw.WriteHeader(http.StatusBadRequest)
	default:
		o.well.Add(1)
		rw.WriteHeader(http.StatusNoContent)
	}
}

// udpOrgan is an open port.
type udpOrgan struct{ server *harness.Datagrams }

func (o *udpOrgan) start(t *testing.T, n *harness.Node) {
	t.Helper()
	o.server = n.ServeDatagrams(t, organPort, "organ")
}

func (o *udpOrgan) stop(*testing.T) { o.server.Stop() }

// pingOrgan is the host's answer to ICMP echoes.
type pingOrgan struct{ node *harness.Node }

func (o *pingOrgan) start(t *testing.T, n *harness.Node) {
	t.Helper()
	o.node = n
	o.ignore(t, "0")
}

func (o *pingOrgan) stop(t *testing.T) { t.Helper(); o.ignore(t, "1") }

func (o *pingOrgan) ignore(t *testing.T, value string) {
	t.Helper()
	if err := linux.Within(o.node.NetNS, func() error {
		return os.WriteFile("/proc/sys/net/ipv4/icmp_echo_ignore_all", []byte(value), 0o644)
	}); err != nil {
		t.Error(err)
	}
}

// sctpOrgan answers INIT with INIT ACK, as a server of SCTP begins (RFC 9260, section 5.1). The kernel has no SCTP.
type sctpOrgan struct {
	conn net.PacketConn
	done chan struct{}
}

func (o *sctpOrgan) start(t *testing.T, n *harness.Node) {
	t.Helper()
	if err := linux.Within(n.NetNS, func() (err error) {
		o.conn, err = net.ListenPacket("ip4:132", n.Address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	o.done = make(chan struct{})
	go o.answer()
}

func (o *sctpOrgan) stop(*testing.T) {
	if o.conn != nil {
		_ = o.conn.Close()
		<-o.done
		o.conn = nil
	}
}

func (o *sctpOrgan) answer() {
	defer close(o.done)
	in := make([]byte, 1500)
	for {
		n, from, err := o.conn.ReadFrom(in)
		if err != nil {
			return
		}
		if n < 32 || in[12] != 1 || binary.BigEndian.Uint16(in[2:]) != organPort {
			continue
		}
		out := slices.Clone(in[:32])
		copy(out, in[2:4])    // the ports change places
		copy(out[2:], in[:2]) //
		copy(out[4:], in[16:20])
		out[12] = 2
		clear(out[8:12])
		binary.LittleEndian.PutUint32(out[8:], crc32.Checksum(out, crc32.MakeTable(crc32.Castagnoli)))
		_, _ = o.conn.WriteTo(out, from)
	}
}

// TestMonitorTypes has a monitor of every type watch two members, of which one falls ill and gets well again: it is out of the traffic
// meanwhile, and the statuses say so.
func TestMonitorTypes(t *testing.T) {
	s := prepare(t, 0)
	for _, test := range []struct {
		name     string
		protocol string
		monitor  monitors.CreateOpts
		organ    func() organ
	}{
		{"HTTP 1.0", "HTTP", monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "204", URLPath: "/healthy", HTTPVersion: "1.0"},
			func() organ { return &httpOrgan{method: "GET", path: "/healthy", proto: "HTTP/1.0"} }},
		{"HTTP 1.1", "HTTP", monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "200-204", URLPath: "/healthy?a=b", HTTPMethod: "HEAD", HTTPVersion: "1.1", DomainName: "www.example.com"},
			func() organ {
				return &httpOrgan{method: "HEAD", path: "/healthy?a=b", host: "www.example.com", proto: "HTTP/1.1"}
			}},
		{"HTTPS", "TCP", monitors.CreateOpts{Type: "HTTPS", ExpectedCodes: "200, 204"}, func() organ { return &httpOrgan{tls: true} }},
		{"TLS-HELLO", "HTTP", monitors.CreateOpts{Type: "TLS-HELLO"}, func() organ { return &httpOrgan{tls: true} }},
		{"TCP", "TCP", monitors.CreateOpts{Type: "TCP"}, func() organ { return &httpOrgan{} }},
		{"PING", "HTTP", monitors.CreateOpts{Type: "PING"}, func() organ { return &pingOrgan{} }},
		{"UDP-CONNECT", "UDP", monitors.CreateOpts{Type: "UDP-CONNECT", Delay: 3}, func() organ { return &udpOrgan{} }},
		{"TCP of UDP", "UDP", monitors.CreateOpts{Type: "TCP"}, func() organ { return &httpOrgan{} }},
		{"HTTP of UDP", "UDP", monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "204"}, func() organ { return &httpOrgan{} }},
		{"SCTP", "UDP", monitors.CreateOpts{Type: "SCTP"}, func() organ { return &sctpOrgan{} }},
	} {
		p := s.patients(t, test.name, test.protocol, test.monitor, test.organ)
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p.ailing(t)
		})
	}
}

// patients are two members with a monitor.
type patients struct {
	*site
	lb     *harness.LB
	ask    func() (string, error)
	organs [2]organ
	nodes  [2]*harness.Node
}

// patients makes a load balancer whose members serve the protocol's traffic, and have organs.
func (s *site) patients(t *testing.T, name, protocol string, monitor monitors.CreateOpts, grow func() organ) *patients {
	t.Helper()
	p := &patients{site: s}
	ctx, api := t.Context(), s.LoadBalancer
	made, err := loadbalancers.Create(ctx, api, loadbalancers.CreateOpts{Name: name, VipSubnetID: s.net.SubnetID}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	p.lb = &harness.LB{ID: made.ID, VIP: made.VipAddress, Address: harness.JoinPort(made.VipAddress, 80)}
	monitor.Name, monitor.Timeout, monitor.MaxRetries, monitor.MaxRetriesDown = "monitor", 1, 1, 2
	monitor.Delay = max(monitor.Delay, 1)
	port, organs := organPort, p.organs[:]
	opts := pools.CreateOpts{Name: "pool", LoadbalancerID: p.lb.ID, Protocol: pools.Protocol(protocol), LBMethod: pools.LBMethodRoundRobin}
	for i := range organs {
		p.nodes[i], organs[i] = s.Plug(t, s.net), grow()
		serving := p.serve(t, protocol, p.nodes[i], fmt.Sprintf("m%d", i+1))
		organs[i].start(t, p.nodes[i])
		t.Cleanup(func() { organs[i].stop(t) })
		opts.Members = append(opts.Members, pools.CreateMemberOpts{
			Name: fmt.Sprintf("m%d", i+1), Address: p.nodes[i].Address, ProtocolPort: serving, MonitorPort: &port, SubnetID: s.net.SubnetID,
		})
	}
	p.build(t, opts, monitor, protocol)
	return p
}

// serve serves a protocol's traffic at the port that it returns.
func (p *patients) serve(t *testing.T, protocol string, n *harness.Node, name string) int {
	t.Helper()
	if protocol == "UDP" {
		p.ask = func() (string, error) { return p.client.AskOnce(t, p.lb.Address) }
		return n.ServeDatagrams(t, 5353, name).Port
	}
	p.ask = func() (string, error) { return p.client.Get(p.lb.Address) }
	return n.Serve(t, 8080, name).Port
}

// build makes pool, members, monitor and listener.
func (p *patients) build(t *testing.T, opts pools.CreateOpts, monitor monitors.CreateOpts, protocol string) {
	t.Helper()
	ctx, api, members := t.Context(), p.LoadBalancer, opts.Members
	opts.Members = nil
	pool, err := pools.Create(ctx, api, opts).Extract()
	if err != nil {
		t.Fatal(err)
	}
	p.lb.PoolID, monitor.PoolID = pool.ID, pool.ID
	for _, m := range members {
		made, err := pools.CreateMember(ctx, api, pool.ID, m).Extract()
		if err != nil {
			t.Fatal(err)
		}
		p.lb.MemberIDs = append(p.lb.MemberIDs, made.ID)
	}
	h, err := monitors.Create(ctx, api, monitor).Extract()
	if err != nil {
		t.Fatal(err)
	}
	l, err := listeners.Create(ctx, api, listeners.CreateOpts{
		Name: "listener", LoadbalancerID: p.lb.ID, Protocol: listeners.Protocol(protocol), ProtocolPort: 80, DefaultPoolID: pool.ID,
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	p.lb.MonitorID, p.lb.ListenerID = h.ID, l.ID
}

// ailing lets the second member fall ill and get well.
func (p *patients) ailing(t *testing.T) {
	p.WaitActive(t, p.lb.ID)
	for _, id := range []string{p.lb.ID, p.lb.ListenerID, p.lb.PoolID, p.lb.MonitorID, p.lb.MemberIDs[0], p.lb.MemberIDs[1]} {
		p.WaitOperating(t, p.lb.ID, id, "ONLINE")
	}
	p.answerers(t, "m1", "m2")
	p.organs[1].stop(t)
	p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ERROR")
	p.WaitOperating(t, p.lb.ID, p.lb.PoolID, "DEGRADED")
	p.WaitOperating(t, p.lb.ID, p.lb.ID, "DEGRADED")
	p.answerers(t, "m1")
	p.organs[1].start(t, p.nodes[1])
	p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ONLINE")
	p.WaitOperating(t, p.lb.ID, p.lb.ID, "ONLINE")
	p.answerers(t, "m1", "m2")
}

// answerers wants a round of requests answered by exactly the members named.
func (p *patients) answerers(t *testing.T, want ...string) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, func() error {
		names := map[string]bool{}
		for range 16 {
			name, err := p.ask()
			if err != nil {
				return err
			}
			names[name] = true
		}
		for _, name := range want {
			if !names[name] {
				return fmt.Errorf("%s does not answer, but %v", name, names)
			}
		}
		if len(names) != len(want) {
			return fmt.Errorf("%v answer, want %v", names, want)
		}
		return nil
	})
}

// TestRetries counts how often a member that answers with an error was asked before it was taken out, where HAProxy asks and where the
// engine does.
func TestRetries(t *testing.T) {
	s := prepare(t, 0)
	const fall = 4
	var built sync.Mutex
	for _, protocol := range []string{"HTTP", "UDP"} {
		var ill []*httpOrgan
		p := s.patients(t, protocol, protocol, monitors.CreateOpts{Type: "HTTP", ExpectedCodes: "204"}, func() organ {
			built.Lock()
			defer built.Unlock()
			ill = append(ill, &httpOrgan{})
			return ill[len(ill)-1]
		})
		opts := monitors.UpdateOpts{MaxRetries: 3, MaxRetriesDown: fall}
		if err := monitors.Update(t.Context(), s.LoadBalancer, p.lb.MonitorID, opts).Err; err != nil {
			t.Fatal(err)
		}
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			p.WaitActive(t, p.lb.ID)
			p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ONLINE")
			harness.Eventually(t, 10*time.Second, func() error {
				if n := ill[1].well.Load(); n < 2 { // of a member that was never well the first failure is enough
					return fmt.Errorf("it was asked %d times", n)
				}
				return nil
			})
			ill[1].ill.Store(true)
			p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ERROR")
			if n := ill[1].failed.Load(); n < fall {
				t.Errorf("it was taken out after %d failures, want %d", n, fall)
			}
			ill[1].ill.Store(false)
			p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ONLINE")
		})
	}
}

// TestMonitorAddress has the monitor ask another host than the one that serves, and nobody once the monitor is switched off.
func TestMonitorAddress(t *testing.T) {
	s := prepare(t, 0)
	for _, kind := range []string{"PING", "TCP"} {
		guard := s.Plug(t, s.net)
		grow := func() organ { return &httpOrgan{} }
		var watched organ = &httpOrgan{}
		if kind == "PING" {
			grow, watched = func() organ { return &pingOrgan{} }, &pingOrgan{}
		}
		watched.start(t, guard)
		t.Cleanup(func() { watched.stop(t) })
		p := s.patients(t, kind, "HTTP", monitors.CreateOpts{Type: kind}, grow)
		ctx, api := t.Context(), s.LoadBalancer
		if err := pools.UpdateMember(ctx, api, p.lb.PoolID, p.lb.MemberIDs[1], pools.UpdateMemberOpts{MonitorAddress: &guard.Address}).Err; err != nil {
			t.Fatal(err)
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p.WaitActive(t, p.lb.ID)
			p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ONLINE")
			p.organs[1].stop(t) // which nobody asks for
			watched.stop(t)
			p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "ERROR")
			p.answerers(t, "m1")
			off := false
			if err := monitors.Update(ctx, api, p.lb.MonitorID, monitors.UpdateOpts{AdminStateUp: &off}).Err; err != nil {
				t.Fatal(err)
			}
			p.WaitActive(t, p.lb.ID)
			p.WaitOperating(t, p.lb.ID, p.lb.MonitorID, "OFFLINE")
			p.WaitOperating(t, p.lb.ID, p.lb.MemberIDs[1], "NO_MONITOR")
			p.answerers(t, "m1", "m2")
		})
	}
}
