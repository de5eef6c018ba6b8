package linux

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/datagram"
	"plimsoll/internal/engine/enginepb"
)

// datagramNamespace makes a namespace for a test.
func datagramNamespace(t *testing.T) string {
	t.Helper()
	return ensureNamespace(t, testHost(t))
}

// none starts counters at nothing.
func none(string) datagram.Counter { return datagram.Counter{} }

// carry brings a namespace to a plan and checks that it is there.
func carry(namespace string, listeners []*enginepb.Datagram, down map[string]bool) error {
	before, err := ReadDatagrams(namespace, 0)
	if err != nil {
		return err
	}
	wanted := datagram.Plan(listeners, down)
	if err := ChangeDatagrams(namespace, datagram.Diff(*before.State, wanted), none); err != nil {
		return err
	}
	after, err := ReadDatagrams(namespace, 0)
	if err != nil {
		return err
	}
	if left := datagram.Diff(*after.State, wanted); len(left) > 0 {
		return fmt.Errorf("%d changes are left, the first: %+v", len(left), left[0])
	}
	return nil
}

func testDatagram(protocol string, port int32, targets ...*enginepb.Target) *enginepb.Datagram {
	return &enginepb.Datagram{ListenerId: fmt.Sprintf("l-%s-%d", protocol, port), PoolId: "pool", Protocol: protocol, Port: port,
		Addresses: []string{"10.0.0.5", "2001:db8::5"}, Algorithm: datagram.RoundRobin, Targets: targets}
}

// everyStatement is a listener whose table has every kind of statement.
func everyStatement() []*enginepb.Datagram {
	targets := []*enginepb.Target{
		{MemberId: "a", Address: "10.0.1.1", Port: 53, Weight: 3}, {MemberId: "b", Address: "10.0.1.2", Port: 53, Weight: 1},
		{MemberId: "c", Address: "2001:db8:1::1", Port: 53, Weight: 3}, {MemberId: "d", Address: "2001:db8:1::2", Port: 53, Weight: 1},
	}
	turns, hash, ports := testDatagram(datagram.UDP, 53, targets...), testDatagram(datagram.SCTP, 54, targets...), testDatagram(datagram.UDP, 55, targets...)
	turns.PersistenceSeconds, turns.PersistenceBits4, turns.PersistenceBits6, turns.ConnectionLimit = 60, 20, 52, 10
	turns.AllowedCidrs = []string{"10.0.0.0/9", "2001:db8::/33"}
	hash.Algorithm, ports.Algorithm = datagram.SourceIP, datagram.SourceIPPort
	return []*enginepb.Datagram{turns, hash, ports}
}

// TestSameAsNft has nft(8) make a table from a plan's text and the library make it from the same plan: the kernel then lists the same rules.
func TestSameAsNft(t *testing.T) {
	ours, theirs := datagramNamespace(t), datagramNamespace(t)
	listeners := everyStatement()
	if err := carry(ours, listeners, nil); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", theirs, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(datagram.Plan(listeners, nil).String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	if diff := cmp.Diff(bytecode(t, theirs), bytecode(t, ours)); diff != "" {
		t.Errorf("rules (-nft +library):\n%s", diff)
	}
}

// bytecode are the rules of a namespace as the kernel's machine runs them.
func bytecode(t *testing.T, namespace string) string {
	t.Helper()
	out, err := exec.Command("ip", "netns", "exec", namespace, "nft", "--debug=netlink", "list", "table", "inet", datagram.TableName).CombinedOutput()
	if err != nil {
		t.Fatalf("nft list: %v\n%s", err, out)
	}
	var rules []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(strings.TrimSpace(line), "[ ") {
			rules = append(rules, line)
		}
	}
	return strings.Join(rules, "")
}

// TestAnyToAny takes a kernel from any plan to any other: each is taken, and is there then.
func TestAnyToAny(t *testing.T) {
	namespace := datagramNamespace(t)
	rapid.Check(t, func(t *rapid.T) {
		listeners, down := randomListeners(t)
		if err := datagram.Check(listeners); err != nil {
			t.Fatal(err)
		}
		if err := carry(namespace, listeners, down); err != nil {
			t.Fatal(err)
		}
	})
	if err := carry(namespace, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func randomListeners(t *rapid.T) (listeners []*enginepb.Datagram, down map[string]bool) {
	down = map[string]bool{}
	for i := range rapid.IntRange(0, 3).Draw(t, "listeners") {
		d := testDatagram(rapid.SampledFrom([]string{datagram.UDP, datagram.SCTP}).Draw(t, "protocol"), int32(53+i))
		d.Algorithm = rapid.SampledFrom([]string{datagram.RoundRobin, datagram.SourceIP, datagram.SourceIPPort}).Draw(t, "algorithm")
		d.Addresses = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"10.0.0.5", "2001:db8::5", "10.0.0.6"}), rapid.ID).Draw(t, "vips")
		d.PersistenceSeconds = rapid.SampledFrom([]int32{0, 1, 360}).Draw(t, "persistence")
		d.PersistenceBits4 = rapid.Int32Range(0, 32).Draw(t, "bits4")
		d.PersistenceBits6 = rapid.Int32Range(0, 128).Draw(t, "bits6")
		d.ConnectionLimit = rapid.Int32Range(0, 2).Draw(t, "limit")
		d.AllowedCidrs = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "10.0.0.1/32"}), rapid.ID).Draw(t, "cidrs")
		for m := range rapid.IntRange(0, 6).Draw(t, "members") {
			id := fmt.Sprintf("m%d", m)
			d.Targets = append(d.Targets, &enginepb.Target{MemberId: id, Port: int32(1 + m), Weight: rapid.Int32Range(0, 256).Draw(t, "weight"),
				Address: rapid.SampledFrom([]string{"10.0.1.1", "10.0.1.2", "2001:db8:1::1"}).Draw(t, "address"),
				Backup:  rapid.Bool().Draw(t, "backup"), Disabled: rapid.Bool().Draw(t, "disabled")})
			down[id] = rapid.Bool().Draw(t, "down")
		}
		listeners = append(listeners, d)
	}
	return listeners, down
}

// TestChangeDatagramsFails wants nothing changed when one change is refused.
func TestChangeDatagramsFails(t *testing.T) {
	namespace := datagramNamespace(t)
	if err := carry(namespace, everyStatement(), nil); err != nil {
		t.Fatal(err)
	}
	before, err := ReadDatagrams(namespace, 0)
	if err != nil {
		t.Fatal(err)
	}
	changes := []datagram.Change{
		{Op: datagram.FlushChain, Name: "prerouting"},
		{Op: datagram.AddRule, Name: "prerouting", Rule: datagram.Rule{datagram.Verdict{Word: "goto", Chain: "nowhere"}}},
	}
	if err := ChangeDatagrams(namespace, changes, none); err == nil {
		t.Fatal("the kernel goes to a chain that is not there")
	}
	after, err := ReadDatagrams(namespace, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.State, after.State); diff != "" {
		t.Errorf("state (-before +after):\n%s", diff)
	}
	if again, err := ReadDatagrams(namespace, after.Generation); err != nil || again.State != nil {
		t.Errorf("the state of generation %d is read again: %v", after.Generation, err)
	}
}

// TestCountersGoOn wants counters that are made to begin with what they are given.
func TestCountersGoOn(t *testing.T) {
	namespace := datagramNamespace(t)
	wanted := datagram.Plan(everyStatement(), nil)
	start := func(name string) datagram.Counter { return datagram.Counter{Packets: int64(len(name)), Bytes: 7} }
	if err := ChangeDatagrams(namespace, datagram.Diff(datagram.State{}, wanted), start); err != nil {
		t.Fatal(err)
	}
	d, err := ReadDatagrams(namespace, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(wanted.Counters)), slices.Sorted(maps.Keys(d.Counters))); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	for name, c := range d.Counters {
		if c != start(name) {
			t.Errorf("counter %s begins with %v", name, c)
		}
	}
}
