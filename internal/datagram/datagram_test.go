package datagram

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/engine/enginepb"
)

func TestCheck(t *testing.T) {
	good := func() *enginepb.Datagram { return udp(1, member(1, "10.93.48.3", 1), member(2, "2001:db8::3", 256)) }
	tests := []struct {
		name string
		set  func(d *enginepb.Datagram)
		want string // "" is no error
	}{
		{"bad protocol", func(d *enginepb.Datagram) { d.Protocol = "tcp" }, `"tcp" is no protocol of datagrams`},
		{"bad port", func(d *enginepb.Datagram) { d.Port = 0 }, "0 is no port"},
		{"bad persistence", func(d *enginepb.Datagram) { d.PersistenceSeconds = -1 }, "a negative bound"},
		{"bad limit", func(d *enginepb.Datagram) { d.ConnectionLimit = -1 }, "a negative bound"},
		{"bad idle time", func(d *enginepb.Datagram) { d.IdleMilliseconds = -1 }, "a negative bound"},
		{"bad bits", func(d *enginepb.Datagram) { d.PersistenceBits4 = 33 }, "33 and 0 are no numbers of bits of addresses"},
		{"bad bits of IPv6", func(d *enginepb.Datagram) { d.PersistenceBits6 = 129 }, "0 and 129 are no numbers of bits of addresses"},
		{"bad VIP", func(d *enginepb.Datagram) { d.Addresses = []string{"example.com"} }, `"example.com" is no address`},
		{"bad VIP: zone", func(d *enginepb.Datagram) { d.Addresses = []string{"fe80::1%eth0"} }, `"fe80::1%eth0" is no address`},
		{"bad VIP: mapped", func(d *enginepb.Datagram) { d.Addresses = []string{"::ffff:10.0.0.1"} }, `"::ffff:10.0.0.1" is no address`},
		{"bad range", func(d *enginepb.Datagram) { d.AllowedCidrs = []string{"10.0.0.1"} }, "no '/'"},
		{"bad mapped range", func(d *enginepb.Datagram) { d.AllowedCidrs = []string{"::ffff:10.0.0.0/104"} }, "is no range of addresses"},
		{"bad member", func(d *enginepb.Datagram) { d.Targets[0].Address = "" }, `member ` + uid(3, 1) + `: "" is no address`},
		{"bad member port", func(d *enginepb.Datagram) { d.Targets[0].Port = 65536 }, "65536 is no port"},
		{"bad weight", func(d *enginepb.Datagram) { d.Targets[0].Weight = 257 }, "a weight of 257"},
		{"bad members: twice", func(d *enginepb.Datagram) { d.Targets[1].MemberId = d.Targets[0].MemberId }, "is there twice"},
		{"an ordinary one", func(*enginepb.Datagram) {}, ""},
		{"no pool", func(d *enginepb.Datagram) { d.PoolId, d.Targets = "", nil }, ""},
	}
	for _, test := range tests {
		d := good()
		test.set(d)
		if err := Check([]*enginepb.Datagram{d}); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	same, other := udp(1), udp(2)
	other.Port = same.Port
	for name, listeners := range map[string][]*enginepb.Datagram{"listener": {same, same}, "port": {same, other}} {
		if err := Check(listeners); err == nil || !strings.Contains(err.Error(), "is there twice") {
			t.Errorf("the same %s twice: %v", name, err)
		}
	}
	other.Protocol = SCTP
	if err := Check([]*enginepb.Datagram{same, other}); err != nil {
		t.Errorf("a port of UDP and the same of SCTP: %v", err)
	}
}

// TestCheckSize has Specs that are small to write down and large to carry out.
func TestCheckSize(t *testing.T) {
	many := func(listeners, members int) (all []*enginepb.Datagram) {
		for i := range listeners {
			d := udp(i + 1)
			d.Port, d.Algorithm = int32(i+1), SourceIP
			for m := range members {
				d.Targets = append(d.Targets, member(m+1, "10.93.48.3", 1))
			}
			all = append(all, d)
		}
		return all
	}
	for _, test := range []struct {
		listeners, members int
		taken              bool
	}{{1000, 1, false}, {1, 70000, false}, {200, 10, true}, {1, 5000, true}, {1000, 0, true}} {
		if err := Check(many(test.listeners, test.members)); (err == nil) != test.taken {
			t.Errorf("%d listeners of %d members: %v", test.listeners, test.members, err)
		}
	}
	ranges := udp(1)
	ranges.AllowedCidrs = slices.Repeat([]string{"192.0.2.0/24"}, mostRules)
	if err := Check([]*enginepb.Datagram{ranges}); err == nil {
		t.Errorf("%d ranges are taken", mostRules)
	}
}

func TestStale(t *testing.T) {
	off, draining := member(3, "10.93.48.5", 1), member(2, "10.93.48.4", 0)
	off.Disabled = true
	d := udp(1, member(1, "10.93.48.3", 1), draining, off)
	d.AllowedCidrs = []string{"192.0.2.0/24"}
	listeners := []*enginepb.Datagram{d}
	flow := func(from, to, member string) Tracked {
		return Tracked{UDP, netip.MustParseAddrPort(from), netip.MustParseAddrPort(to), netip.MustParseAddrPort(member)}
	}
	const client, vip = "192.0.2.9:4000", "10.0.0.5:53"
	tests := []struct {
		name string
		flow Tracked
		want bool
	}{
		{"of a member", flow(client, vip, "10.93.48.3:5353"), false},
		{"of a draining member", flow(client, vip, "10.93.48.4:5353"), false},
		{"of a disabled member", flow(client, vip, "10.93.48.5:5353"), true},
		{"of a member that is gone", flow(client, vip, "10.93.48.9:5353"), true},
		{"of a member's other port", flow(client, vip, "10.93.48.3:5354"), true},
		{"of a client that is not admitted", flow("198.51.100.9:4000", vip, "10.93.48.3:5353"), true},
		{"older than its listener", flow(client, vip, vip), true},
		{"of a listener that is gone", flow(client, "10.0.0.5:54", "10.93.48.3:5353"), true},
		{"to another address", flow(client, "10.0.0.6:53", "10.93.48.3:5353"), true},
		{"the namespace's own", flow("10.0.0.5:4000", "10.93.48.3:5353", "10.93.48.3:5353"), false},
		{"of another protocol", Tracked{}, false},
	}
	for _, test := range tests {
		if got := Stale(listeners, nil, test.flow); got != test.want {
			t.Errorf("a flow %s: stale is %t", test.name, got)
		}
	}
	if !Stale(listeners, map[string]bool{uid(3, 1): true}, tests[0].flow) {
		t.Error("a flow of a dead member is not stale")
	}
	if diff := cmp.Diff(map[string]int64{d.ListenerId: 2}, Translations(listeners, []Tracked{tests[0].flow, tests[2].flow, tests[6].flow, {}})); diff != "" {
		t.Errorf("Translations (-want +got):\n%s", diff)
	}
}

func TestStatuses(t *testing.T) {
	off := member(4, "10.93.48.6", 1)
	off.Disabled = true
	d := udp(1, member(1, "10.93.48.3", 1), member(2, "10.93.48.4", 0), member(3, "10.93.48.5", 0), off, member(5, "10.93.48.7", 1))
	down := map[string]bool{uid(3, 3): true}
	backend := uid(2, 1) + ":" + uid(1, 1)
	checked := func(b, m string) bool { return b == backend && m != uid(3, 5) }
	got := map[string]string{}
	for _, s := range Statuses([]*enginepb.Datagram{d}, down, checked) {
		if s.Backend != backend {
			t.Errorf("backend %s", s.Backend)
		}
		got[s.Name] = s.Status
	}
	want := map[string]string{uid(3, 1): "UP", uid(3, 2): "DRAIN", uid(3, 3): "DOWN", uid(3, 4): "MAINT", uid(3, 5): "no check"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Statuses (-want +got):\n%s", diff)
	}
}

func TestCounts(t *testing.T) {
	d := udp(1)
	counted := Counted{In: 1, Out: 2, Flows: 3}
	counters := map[string]Counter{}
	for _, name := range Plan([]*enginepb.Datagram{d}, nil).Counters {
		counters[name] = Start(map[string]Counted{"another": {}, d.ListenerId: counted}, name)
	}
	if diff := cmp.Diff(map[string]Counted{d.ListenerId: counted}, Counts([]*enginepb.Datagram{d}, counters)); diff != "" {
		t.Errorf("Counts of what counters start with (-want +got):\n%s", diff)
	}
	if c := Start(nil, "in-"+d.ListenerId); c != (Counter{}) {
		t.Errorf("a new counter starts with %v", c)
	}
}

func TestIdle(t *testing.T) {
	short, long, forever, other := udp(1), udp(2), udp(3), sctp()
	short.IdleMilliseconds, long.IdleMilliseconds, forever.IdleMilliseconds, other.IdleMilliseconds = 1, 1001, 0, 9000
	for _, test := range []struct {
		listeners []*enginepb.Datagram
		want      int
	}{
		{nil, 0}, {[]*enginepb.Datagram{other}, 0}, {[]*enginepb.Datagram{short}, 1}, {[]*enginepb.Datagram{short, other, long}, 2},
		{[]*enginepb.Datagram{short, forever}, 0},
	} {
		if got := Idle(test.listeners, UDP); got != test.want {
			t.Errorf("Idle(%v) = %d, want %d", test.listeners, got, test.want)
		}
	}
}
