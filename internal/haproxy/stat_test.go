package haproxy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
)

const statText = `# pxname,svname,qcur,scur,slim,stot,bin,bout,ereq,status,last_chk,
full,FRONTEND,,3,3,40,100,200,3,OPEN,,
stopped,FRONTEND,,3,3,40,100,200,3,STOP,,
f1,FRONTEND,,2,3,40,100,200,3,OPEN,,
p:f1,m1,0,1,,38,90,180,,UP 1/3,"said ""no"", twice",
p:f1,BACKEND,0,1,1,38,90,180,,UP,,

`

func TestParseStat(t *testing.T) {
	for _, bad := range []string{"", "pxname,svname\n", "# pxname,svname\nf1,FRONTEND\n", "# \n",
		"# pxname,svname,status,bin,bout,scur,slim,stot,ereq\na,b,c,x,,,,,\n", "# pxname,svname,status,bin,bout,scur,slim,stot,ereq\na,b\n",
		"# pxname,svname,status,bin,bout,scur,stot,ereq\n"} {
		if got, err := ParseStat([]byte(bad)); err == nil {
			t.Errorf("ParseStat(%q) = %v", bad, got)
		}
	}
	stats, err := ParseStat([]byte(statText))
	if err != nil {
		t.Fatal(err)
	}
	of := func(name, status string, current int64) *enginepb.Frontend {
		return &enginepb.Frontend{Name: name, Status: status, BytesIn: 100, BytesOut: 200, CurrentSessions: current, TotalSessions: 40, RequestErrors: 3}
	}
	wantFrontends := []*enginepb.Frontend{of("full", "FULL", 3), of("stopped", "STOP", 3), of("f1", "OPEN", 2)}
	if diff := cmp.Diff(wantFrontends, Frontends(stats), protocmp.Transform()); diff != "" {
		t.Errorf("frontends (-want +got):\n%s", diff)
	}
	wantServers := []*enginepb.ServerState{{Backend: "p:f1", Name: "m1", Status: "UP 1/3"}}
	if diff := cmp.Diff(wantServers, Servers(stats), protocmp.Transform()); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
}

func TestParseInfo(t *testing.T) {
	for _, bad := range []string{"", "Pid: x\nCurrConns: 1\n", "Pid: 1\n"} {
		if got, err := ParseInfo([]byte(bad)); err == nil {
			t.Errorf("ParseInfo(%q) = %v", bad, got)
		}
	}
	got, err := ParseInfo([]byte("Name: HAProxy\nVersion: 2.6.12-1\nPid: 77\nCurrConns: 3\nStopping: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Info{PID: 77, Version: "2.6.12-1", Stopping: true, Connections: 3}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAnswers reads what a real HAProxy says.
func TestAnswers(t *testing.T) {
	opts := testOptions(t)
	lb := liveTree(t, 102)
	p := start(t, opts, Render(lb, nil, nil, opts), nil)
	info, err := ParseInfo(p.must("show info"))
	if err != nil {
		t.Fatal(err)
	}
	if info.PID != p.cmd.Process.Pid || info.Version == "" || info.Stopping {
		t.Errorf("info %+v of process %d", info, p.cmd.Process.Pid)
	}
	stats, err := ParseStat(p.must("show stat"))
	if err != nil {
		t.Fatal(err)
	}
	want := []*enginepb.Frontend{{Name: lb.Listeners[0].ID, Status: "OPEN"}}
	if diff := cmp.Diff(want, Frontends(stats), protocmp.Transform()); diff != "" {
		t.Errorf("frontends (-want +got):\n%s", diff)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add(statText)
	f.Fuzz(func(t *testing.T, text string) {
		if stats, err := ParseStat([]byte(text)); err != nil && stats != nil {
			t.Errorf("stats with error %v", err)
		}
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add("Pid: 1\nCurrConns: 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		if info, err := ParseInfo([]byte(text)); err != nil && info != (Info{}) {
			t.Errorf("info with error %v", err)
		}
	})
}
