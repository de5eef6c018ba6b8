package engine

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// TestNeeded counts how long a leaving port is needed.
func TestNeeded(t *testing.T) {
	spec := &enginepb.Spec{HardStopAfterSeconds: 60, Ports: []*enginepb.Port{{Id: "wanted"}, {Id: "old", Leaving: true}, {Id: "new", Leaving: true}}}
	longAgo := time.Now().Add(-time.Minute - time.Second)
	for _, test := range []struct {
		name string
		b    balancer
		want []string
	}{
		{"idle", balancer{}, nil},
		{"a server to be deleted", balancer{removals: []haproxy.Step{{}}}, []string{"old", "new"}},
		{"a replaced process", balancer{draining: []*process{{}}}, []string{"old", "new"}},
		{"longer than the hard stop", balancer{removals: []haproxy.Step{{}}, leaving: map[string]time.Time{"old": longAgo, "wanted": longAgo}}, []string{"new"}},
	} {
		if diff := cmp.Diff(test.want, test.b.needed(spec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestLeavingPort has a request outlive its member's removal, and the engine's restart: the leaving port is needed until then.
func TestLeavingPort(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	namespace, _ := w.plug()
	answered := make(chan error, 1)
	go func() {
		_, err := get(httpClient(t, namespace, false), b.url()+"slow")
		answered <- err
	}()
	eventually(t, "the request", func() bool { return b.observe().Frontends[0].CurrentSessions == 1 })

	leaving := w.portAt("10.78.0.5/24")
	leaving.NetworkId, leaving.Leaving = uuid.NewString(), true
	b.pool.Members = nil
	b.Progress.Generation++
	spec := b.spec()
	spec.Ports = append(spec.Ports, leaving)
	reply, err := w.client.Apply(t.Context(), &enginepb.ApplyRequest{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{leaving.Id}, reply.NeededPortIds); diff != "" || len(reply.Failures) > 0 {
		t.Errorf("needed ports (-want +got):\n%s\nfailures %v", diff, reply.Failures)
	}
	w.stop()
	w.start()
	if o := b.observe(); o.Drifted || len(answered) > 0 {
		t.Errorf("drifted while the request is served: %s", o.Reason)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := w.client.Watch(ctx, &enginepb.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for id := ""; id == ""; { // the first says that the watch stands
		event, err := events.Recv()
		if err != nil {
			t.Fatal(err)
		}
		id = event.LoadBalancerId
	}
	if err := <-answered; err != nil {
		t.Errorf("the request: %v", err)
	}
	if want := "port " + leaving.Id + " is not needed any more"; b.observe().Reason != want {
		t.Errorf("reason %q, want %q", b.observe().Reason, want)
	}
	b.mustApply(methodNone)
	if o := b.observe(); o.Drifted {
		t.Errorf("drifted without the port: %s", o.Reason)
	}
}
