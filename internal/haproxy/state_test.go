package haproxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

const dump = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
3 p:f1 1 m1 127.0.0.1 0 0 3 3 1 8 2 0 6 0 0 1 - 18091 - 0 0 - - 0
4 p:f2 3 m3 ::1 0 7 1 1 1 1 0 0 8 0 0 1 - 18093 - 0 0 - - 0

`

func TestParseServersState(t *testing.T) {
	cases := []struct {
		name, text string
		want       []ServerState
		bad        bool
	}{
		{name: "bad: empty", text: "", bad: true},
		{name: "bad: version", text: "2\n", bad: true},
		{name: "bad: few fields", text: "1\n3 p m\n", bad: true},
		{name: "bad: no number", text: strings.Replace(dump, "18091", "x", 1), bad: true},
		{name: "no servers", text: "1\n# be_id\n"},
		{name: "two", text: dump, want: []ServerState{
			{Backend: "p:f1", Name: "m1", Address: "127.0.0.1", Port: 18091, Admin: 0, Weight: 3},
			{Backend: "p:f2", Name: "m3", Address: "::1", Port: 18093, Admin: 7, Weight: 1},
		}},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseServersState([]byte(test.text))
			if (err != nil) != test.bad {
				t.Fatalf("error %v", err)
			}
			for i := range got {
				got[i].fields = nil
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(ServerState{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseServersState(f *testing.F) {
	f.Add(dump)
	f.Add("1\n")
	f.Fuzz(func(t *testing.T, text string) {
		states, err := ParseServersState([]byte(text))
		if err != nil && states != nil {
			t.Errorf("states with error %v", err)
		}
	})
}

// TestHandOver shows that a new process knows at once what the old one knew of the members' health, and takes
// everything else from its own file.
func TestHandOver(t *testing.T) {
	opts := testOptions(t)
	lb := liveTree(t, 101)
	monitored(lbaas.MonitorTCP)(lb)
	lb.Pools[0].HealthMonitor.Delay = 1
	for i := 4; i <= 8; i++ {
		addMember(lb.Pools[0], i, "127.0.0.1", 1) // nothing listens there
	}
	m := lb.Pools[0].Members
	m[2].AdminStateUp = false
	m[4].AdminStateUp = false
	p := start(t, opts, Render(lb, nil, nil, opts), HandOver(nil, Render(lb, nil, nil, opts)))
	p.picture()
	p.must("set server " + lb.Pools[0].ID + ":" + lb.Listeners[0].ID + "/" + m[0].ID + " weight 77")
	states := p.states()
	p.stop()

	addListener(lb, 2, lbaas.HTTP, 8081, "").CreatedAt = m[0].CreatedAt.Add(-1) // it comes first
	lb.Pools[0].HealthMonitor.Delay = 3600                                      // no check tells the new process anything
	m[0].Weight = 1
	m[2].AdminStateUp = true
	m[5].AdminStateUp = false
	m[6].ProtocolPort = 2
	next := Render(lb, nil, nil, opts)
	p = start(t, opts, next, HandOver(states, next))
	stats, err := ParseStat(p.must("show stat"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range Servers(stats) {
		got[s.Name] = s.Status
	}
	want := map[string]string{
		m[0].ID: "UP", m[1].ID: "UP", m[2].ID: "UP", // the third was in maintenance: it is tried
		m[3].ID: "DOWN", // as it was
		m[4].ID: "MAINT", m[5].ID: "MAINT",
		m[6].ID: "UP", // another port: it is tried
		m[7].ID: "DOWN",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if drift := Diff(Running(next, p.states()), next); !drift.Empty() {
		t.Errorf("not as in the file: %+v", drift)
	}
}

func TestRunning(t *testing.T) {
	lb := simpleTree()
	spec := Render(lb, nil, nil, Options{})
	backend := lb.Pools[0].ID + ":" + lb.Listeners[0].ID
	states := []ServerState{
		{Backend: backend, Name: uid(3, 1), Address: "10.93.48.3", Port: 80, Weight: 5, Admin: adminMaint},
		{Backend: backend, Name: "leftover", Address: "10.93.48.9", Port: 80, Admin: adminMaint},
	}
	got := commandsOf(Diff(Running(spec, states), spec))
	want := []string{
		"set server " + backend + "/" + uid(3, 1) + " weight 1",
		"set server " + backend + "/" + uid(3, 1) + " state ready",
		"add server " + backend + "/" + uid(3, 2) + " 10.93.48.4:80 id 2 weight 1",
		"enable server " + backend + "/" + uid(3, 2),
		"del server " + backend + "/leftover",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
}
