package haproxy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// testDir are options for configurations that no process gets.
var testDir = Options{StateDir: "/var/lib/plimsoll"}

const alerts = `[NOTICE]   (7211) : haproxy version is 2.6.12-1+deb12u4
[WARNING]  (7211) : config : missing timeouts for frontend 'f'.
[ALERT]    (7211) : config : parsing [/run/dir:1/haproxy.conf:19] : unknown keyword 'X' in 'backend' section
[ALERT]    (6775) : config : [/x/haproxy.conf:36] : 'server a/b' : 'addr' : invalid address: '2001:db8:2:'.
[ALERT]    (1) : Starting frontend 00000001-0000-4000-8000-000000000001: cannot bind socket
[ALERT]    (6775) : config : Error(s) found in configuration file : /x/haproxy.conf
[ALERT]    (6775) : config : Fatal errors found in configuration.
`

func TestParseAlerts(t *testing.T) {
	want := []Alert{
		{Line: 19, Text: "unknown keyword 'X' in 'backend' section"},
		{Line: 36, Text: "'server a/b' : 'addr' : invalid address: '2001:db8:2:'."},
		{Text: "Starting frontend 00000001-0000-4000-8000-000000000001: cannot bind socket"},
	}
	if diff := cmp.Diff(want, ParseAlerts([]byte(alerts))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseAlerts(f *testing.F) {
	f.Add(alerts)
	_, lines := File(Render(simpleTree(), nil, nil, testDir))
	f.Fuzz(func(t *testing.T, text string) {
		alerts := ParseAlerts([]byte(text))
		if blamed := Blame(alerts, lines); len(blamed) > len(alerts) {
			t.Errorf("%d alerts blame %v", len(alerts), blamed)
		}
	})
}

// broken makes HAProxy refuse one object of a Spec.
func broken(spec *enginepb.Spec, id string) {
	for _, s := range spec.Servers {
		if s.Name == id {
			s.Options = append(s.Options, refusedOption)
		}
	}
	for _, s := range spec.Sections {
		if s.Objects[0] == id {
			s.Lines, s.Owners = append(s.Lines, refusedLine), append(s.Owners, "")
		}
		if len(s.Objects) > 1 && s.Objects[1] == id {
			s.Lines, s.Owners = append(s.Lines, refusedLine), append(s.Owners, id)
		}
	}
}

// retreatTree has two listeners with a pool each; the pools' members and one's monitor are the good neighbours.
func retreatTree() *lbaas.LoadBalancer {
	lb := simpleTree()
	addMonitor(lb.Pools[0], lbaas.MonitorTCP)
	q := addPool(lb, 2, lbaas.TCP, lbaas.SourceIP)
	addMember(q, 3, "10.93.48.5", 80)
	addListener(lb, 2, lbaas.TCP, 81, q.ID)
	return lb
}

// TestRetreat has a real HAProxy refuse one object of a tree, and shows who is blamed and what is left.
func TestRetreat(t *testing.T) {
	cases := []struct {
		name   string
		bad    string
		before edit // what was good; nil is nothing yet
		want   edit // the tree as which the rest is left
		held   []string
	}{
		{name: "new member", bad: uid(3, 2), want: drop(1)},
		{name: "old member", bad: uid(3, 2), before: member(1, func(m *lbaas.Member) { m.Backup = true }),
			want: member(1, func(m *lbaas.Member) { m.Backup = true })},
		{name: "new listener", bad: uid(1, 2), want: func(lb *lbaas.LoadBalancer) { lb.Listeners = lb.Listeners[:1] }},
		{name: "old listener", bad: uid(1, 2), before: func(lb *lbaas.LoadBalancer) { lb.Listeners[1].ProtocolPort = 99 },
			want: func(lb *lbaas.LoadBalancer) { lb.Listeners[1].ProtocolPort = 99 }},
		{name: "new pool", bad: uid(2, 2), held: []string{uid(1, 2), uid(3, 3)},
			want: func(lb *lbaas.LoadBalancer) { lb.Listeners[1].DefaultPoolID = "" }},
		{name: "old pool", bad: uid(2, 1), before: pool(func(p *lbaas.Pool) { p.Algorithm = lbaas.SourceIP; p.Members = p.Members[:1] }),
			want: pool(func(p *lbaas.Pool) { p.Algorithm = lbaas.SourceIP })},
		{name: "old pool, with a change of all else", bad: uid(2, 1), held: []string{uid(4, 1)},
			before: pool(func(p *lbaas.Pool) {
				p.Algorithm, p.HealthMonitor.Delay, p.Members[1].Weight = lbaas.SourceIP, 9, 7
				addMember(p, 9, "10.93.48.9", 80) // deleted since
			}),
			want: pool(func(p *lbaas.Pool) { p.Algorithm, p.HealthMonitor.Delay = lbaas.SourceIP, 9 })},
		{name: "new pool of an old listener", bad: uid(2, 2), held: []string{uid(1, 2), uid(3, 3)},
			before: func(lb *lbaas.LoadBalancer) { lb.Listeners[1].DefaultPoolID = uid(2, 1) },
			want:   func(lb *lbaas.LoadBalancer) { lb.Listeners[1].DefaultPoolID = uid(2, 1) }},
		{name: "new monitor", bad: uid(4, 1), before: pool(func(p *lbaas.Pool) { p.HealthMonitor = nil }),
			want: pool(func(p *lbaas.Pool) { p.HealthMonitor = nil })},
		{name: "old monitor, beside other changes", bad: uid(4, 1),
			before: pool(func(p *lbaas.Pool) {
				p.HealthMonitor.Delay, p.Algorithm, p.Members = 9, lbaas.SourceIP, p.Members[:1]
			}),
			want: pool(func(p *lbaas.Pool) { p.HealthMonitor.Delay = 9 })},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			lb := retreatTree()
			wanted := Render(lb, nil, nil, testDir)
			broken(wanted, test.bad)
			text, lines := File(wanted)
			output, err := accepted(t, text)
			if err == nil {
				t.Fatal("HAProxy takes it")
			}
			blamed := Blame(ParseAlerts(output), lines)
			if diff := cmp.Diff([]string{test.bad}, blamed); diff != "" {
				t.Fatalf("blamed (-want +got):\n%s\n%s", diff, output)
			}
			var good *enginepb.Spec
			if test.before != nil {
				before := clone(lb)
				test.before(before)
				good = Render(before, nil, nil, testDir)
			}

			left, held := Retreat(wanted, good, blamed)
			test.want(lb)
			if plan := Diff(left, bare(Render(lb, nil, nil, testDir), test.bad, good)); !plan.Empty() {
				t.Errorf("left is not as wanted: %+v", plan)
			}
			if diff := cmp.Diff(test.held, held); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
			text, _ = File(left)
			if output, err := accepted(t, text); err != nil {
				t.Errorf("HAProxy refuses what is left: %s", output)
			}
		})
	}
}

// bare keeps the backend of a refused listener that never was: nothing uses it.
func bare(spec *enginepb.Spec, bad string, good *enginepb.Spec) *enginepb.Spec {
	if bad != uid(1, 2) || good != nil {
		return spec
	}
	full := Render(retreatTree(), nil, nil, testDir)
	spec.Sections = append(spec.Sections, find(full, "backend "+uid(2, 2)+":"+uid(1, 2)))
	spec.Servers = append(spec.Servers, full.Servers[2])
	return spec
}

// TestRetreatShared refuses the pool that a new listener shares with an old one: the old one goes on.
func TestRetreatShared(t *testing.T) {
	lb := sharedTree()
	before := clone(lb)
	before.Listeners = before.Listeners[1:] // the older, which checks
	good := Render(before, nil, nil, testDir)
	wanted := Render(lb, nil, nil, testDir)
	broken(wanted, uid(2, 1))
	left, held := Retreat(wanted, good, []string{uid(2, 1)})
	want := clone(before)
	addListener(want, 2, lbaas.TCP, 8080, "")
	if plan := Diff(left, Render(want, nil, nil, testDir)); !plan.Empty() {
		t.Errorf("left is not as wanted: %+v", plan)
	}
	if diff := cmp.Diff([]string{uid(1, 2)}, held); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
}

// TestRetreatSharedMonitor refuses the new monitor of a pool that two listeners share: nobody follows servers without a check.
func TestRetreatSharedMonitor(t *testing.T) {
	lb := sharedTree()
	lb.Pools[0].Members[1].MonitorPort = 0
	wanted := Render(lb, nil, nil, testDir)
	lb.Pools[0].HealthMonitor = nil
	good := Render(lb, nil, nil, testDir)
	left, held := Retreat(wanted, good, []string{uid(4, 1)})
	if plan := Diff(left, good); !plan.Empty() {
		t.Errorf("left is not as it was: %+v", plan)
	}
	if held != nil {
		t.Errorf("held %v", held)
	}
	text, _ := File(left)
	if output, err := accepted(t, text); err != nil {
		t.Errorf("HAProxy refuses what is left: %s", output)
	}
}

// TestRetreatChangesNothing shows that its arguments stay as they are.
func TestRetreatChangesNothing(t *testing.T) {
	wanted, good := Render(retreatTree(), nil, nil, testDir), Render(simpleTree(), nil, nil, testDir)
	Retreat(wanted, good, []string{uid(2, 2), uid(3, 1), uid(4, 1)})
	if diff := cmp.Diff(Render(retreatTree(), nil, nil, testDir), wanted, protocmp.Transform()); diff != "" {
		t.Errorf("wanted changed:\n%s", diff)
	}
	if diff := cmp.Diff(Render(simpleTree(), nil, nil, testDir), good, protocmp.Transform()); diff != "" {
		t.Errorf("good changed:\n%s", diff)
	}
}
