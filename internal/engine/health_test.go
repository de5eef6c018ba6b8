package engine

import (
	"testing"

	"plimsoll/internal/engine/enginepb"
)

// serverStatus is what Observe says of a member.
func serverStatus(o *enginepb.Observation, member string) string {
	for _, s := range o.GetServers() {
		if s.Name == member {
			return turn(s.Status)
		}
	}
	return ""
}

func TestHealthIsWatched(t *testing.T) {
	w := newWorld(t)
	dead, namespace := w.deadMember()
	dead.Name = "risen"
	b := w.balancerOf(w.member(), dead)
	b.monitor()
	b.mustApply(methodStart)
	events := watchEvents(t, w)
	eventually(t, "the member without a server to be down", func() bool { return serverStatus(b.observe(), dead.ID) == "DOWN" })
	// Its state is handed over: no client is sent to it after a reload.
	b.listen(81)
	b.mustApply(methodReload)
	if s := serverStatus(b.observe(), dead.ID); s != "DOWN" {
		t.Errorf("right after a reload it is %q, want DOWN", s)
	}
	client, _ := w.plug()
	w.answers(httpClient(t, client, false), b.url(), 20)
	for len(events) > 0 {
		<-events
	}
	dead.serve(t, namespace)
	waitEvent(t, events, b.ID)
	eventually(t, "it to be up", func() bool { return serverStatus(b.observe(), dead.ID) == "UP" })
	if got := w.answers(httpClient(t, client, false), b.url(), 20); got["risen"] == 0 {
		t.Errorf("answers = %v", got)
	}
	b.want(b.again(), methodNone)
}

// TestCheckedMemberIsAdded shows that a member that is added at run time is checked as one of the file is.
func TestCheckedMemberIsAdded(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.monitor()
	b.mustApply(methodStart)
	m := w.member()
	b.add(m)
	b.mustApply(methodRuntime)
	eventually(t, "it to be up", func() bool { return serverStatus(b.observe(), m.ID) == "UP" })
	if err := m.server.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to be down", func() bool { return serverStatus(b.observe(), m.ID) == "DOWN" })
}
