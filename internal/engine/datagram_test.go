package engine

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
	"plimsoll/lbaas"
)

// listenDatagrams adds a listener of UDP, on port 53, with a pool of its own of these members.
func (b *testBalancer) listenDatagrams(members ...*member) *lbaas.Listener {
	pool := &lbaas.Pool{Object: object(), LoadBalancerID: b.ID, Protocol: lbaas.UDP, Algorithm: lbaas.RoundRobin}
	for _, m := range members {
		copied := *m.Member
		copied.Object, copied.PoolID, copied.ProtocolPort = object(), pool.ID, 5353
		pool.Members = append(pool.Members, &copied)
	}
	b.Pools = append(b.Pools, pool)
	l := b.listen(53)
	l.Protocol, l.DefaultPoolID = lbaas.UDP, pool.ID
	return l
}

// datagramMember answers datagrams with its name.
func (w *world) datagramMember() *member {
	w.t.Helper()
	m, namespace := w.deadMember()
	var conn net.PacketConn
	err := linux.Within(namespace, func() (err error) {
		conn, err = net.ListenPacket("udp", net.JoinHostPort(m.Address.String(), "5353"))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 100)
		for {
			_, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(m.Name), from)
		}
	}()
	w.t.Cleanup(func() { _ = conn.Close(); <-done })
	return m
}

// askDatagram asks in a flow of its own.
func (b *testBalancer) askDatagram(namespace string) (string, error) {
	var conn net.Conn
	err := linux.Within(namespace, func() (err error) {
		conn, err = net.Dial("udp", net.JoinHostPort(b.VIPAddress.String(), "53"))
		return err
	})
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("?")); err != nil {
		return "", err
	}
	buffer := make([]byte, 100)
	n, err := conn.Read(buffer)
	return string(buffer[:n]), err
}

func inNamespace(t *testing.T, b *testBalancer, command ...string) {
	t.Helper()
	args := append([]string{"netns", "exec", namespaceName(b.ID)}, command...)
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

// TestDatagrams applies a listener of UDP beside one of HTTP: a change of it needs no reload, damage is drift and is mended, figures go on, and a
// new engine knows all of it.
func TestDatagrams(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	m := w.datagramMember()
	l := b.listenDatagrams(m)
	b.mustApply(methodStart)
	client, _ := w.plug()
	answered := func(n int64) {
		t.Helper()
		if name, err := b.askDatagram(client); err != nil || name != m.Name {
			t.Errorf("%q answers, %v; want %s", name, err, m.Name)
		}
		o := b.observe()
		if o.Drifted || !o.Running {
			t.Errorf("drift: %s", o.Reason)
		}
		for _, f := range o.Frontends {
			if f.Name == l.ID && (f.TotalSessions != n || f.Status != "OPEN" || f.BytesIn != 29*n) {
				t.Errorf("after %d flows: %v", n, f)
			}
		}
	}
	answered(1)
	b.want(b.again(), methodNone)
	b.Pools[1].Members[0].Weight = 2
	b.mustApply(methodNone) // alone it has every slot, whatever its weight
	b.Pools[1].SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistSourceIP}
	b.mustApply(methodRuntime)
	answered(2)
	for i, damage := range [][]string{
		{"nft", "flush", "ruleset"}, {"nft", "flush", "chain", "inet", "plimsoll", "forward"},
		{"nft", "add", "chain", "inet", "plimsoll", "more"}, {"sysctl", "-qw", "net.ipv4.ip_forward=0"},
	} {
		inNamespace(t, b, damage...)
		if o := b.observe(); !o.Drifted {
			t.Errorf("%v is no drift", damage)
		}
		b.again()
		answered(int64(3 + i))
	}
	w.stop()
	w.start()
	answered(7)
	b.want(b.again(), methodNone)
	for _, s := range b.observe().Servers {
		if s.Backend == b.Pools[1].ID+":"+l.ID && s.Status != "no check" {
			t.Errorf("member %s is %s", s.Name, s.Status)
		}
	}
}

// TestDatagramsGo takes the last listener of UDP away: nothing is forwarded any more, and no table is left.
func TestDatagramsGo(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.listenDatagrams(w.datagramMember())
	b.mustApply(methodStart)
	client, _ := w.plug()
	if _, err := b.askDatagram(client); err != nil {
		t.Error(err)
	}
	b.Listeners = b.Listeners[:1]
	b.mustApply(methodRuntime)
	if name, err := b.askDatagram(client); err == nil {
		t.Errorf("%s answers", name)
	}
	d, err := linux.ReadDatagrams(namespaceName(b.ID), 0)
	if err != nil || !d.State.None() || d.Forwards || len(d.Counters) > 0 {
		t.Errorf("left: %+v, %v", d, err)
	}
}

// TestDatagramsOff switches a listener off: what its table counted is stored before it goes, since nobody could count it again.
func TestDatagramsOff(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	l := b.listenDatagrams(w.datagramMember())
	b.mustApply(methodStart)
	client, _ := w.plug()
	if _, err := b.askDatagram(client); err != nil {
		t.Fatal(err)
	}
	l.AdminStateUp = false
	b.mustApply(methodRuntime)
	if got := readCounters(b.runDir()).Datagrams[l.ID]; got.Flows != 1 || got.In == 0 || got.Out == 0 {
		t.Errorf("%+v is stored of a listener that had a flow", got)
	}
	l.AdminStateUp = true
	b.mustApply(methodRuntime)
	if got := frontendOf(b.observe(), l.ID); got.GetTotalSessions() != 1 {
		t.Errorf("a listener that was off for a while had a flow, and reports %v", got)
	}
}

func frontendOf(o *enginepb.Observation, listener string) *enginepb.Frontend {
	for _, f := range o.Frontends {
		if f.Name == listener {
			return f
		}
	}
	return nil
}

// TestActiveFlows counts no flows again while that would take more than a twenty-fifth of the time.
func TestActiveFlows(t *testing.T) {
	b := &balancer{id: "no such namespace"}
	for _, test := range []struct {
		ago, took time.Duration
		want      int64
	}{{time.Second, 50 * time.Millisecond, 7}, {time.Second, 30 * time.Millisecond, 0}, {2 * time.Minute, time.Hour, 0}} {
		b.flows = flowCount{active: map[string]int64{"l": 7}, at: time.Now().Add(-test.ago), took: test.took}
		if got := b.activeFlows(nil)["l"]; got != test.want {
			t.Errorf("%v after a count that took %v there are %d flows, want %d", test.ago, test.took, got, test.want)
		}
	}
}

// TestTableSeen has a table read again when what was wanted of it is not what is wanted now.
func TestTableSeen(t *testing.T) {
	spec, other := &enginepb.Spec{}, &enginepb.Spec{}
	seen := tableSeen{spec: spec, down: map[string]bool{"a": true}, generation: 3}
	for _, test := range []struct {
		name string
		spec *enginepb.Spec
		down map[string]bool
		want uint32
	}{
		{"another Spec", other, map[string]bool{"a": true}, 0},
		{"another member is down", spec, map[string]bool{"b": true}, 0},
		{"the same", spec, map[string]bool{"a": true}, 3},
	} {
		if got := seen.by(test.spec, test.down); got != test.want {
			t.Errorf("%s: generation %d, want %d", test.name, got, test.want)
		}
	}
	if got := (tableSeen{}).by(spec, nil); got != 0 {
		t.Errorf("nothing was seen: generation %d", got)
	}
}

// TestDatagramsRefused wants Specs refused of which no table can be made.
func TestDatagramsRefused(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf()
	b.listenDatagrams()
	for _, test := range []struct {
		name string
		set  func(d *enginepb.Datagram)
	}{
		{"is no UUID", func(d *enginepb.Datagram) { d.ListenerId = "x; flush ruleset" }},
		{"is no UUID", func(d *enginepb.Datagram) { d.PoolId = "x" }},
		{"is no UUID", func(d *enginepb.Datagram) { d.Targets = []*enginepb.Target{{MemberId: "x"}} }},
		{"is no address", func(d *enginepb.Datagram) { d.Targets = []*enginepb.Target{{MemberId: uuid.NewString(), Address: "x"}} }},
		{"is no protocol", func(d *enginepb.Datagram) { d.Protocol = "tcp" }},
	} {
		spec := b.spec()
		test.set(spec.Datagrams[0])
		_, err := w.client.Apply(t.Context(), &enginepb.ApplyRequest{Spec: spec})
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), test.name) {
			t.Errorf("%v, want that something %s", err, test.name)
		}
	}
}
