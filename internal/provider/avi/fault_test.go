package avi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/internal/provider/avi/translate"
)

// picture is all that the controller has in a tenant, without what says when it was written.
func (w *world) picture(tenant string) map[string]string {
	all := map[string]string{}
	for _, kind := range append([]string{translate.VRFContext}, kinds...) {
		for _, o := range w.server.Objects(tenant, kind) {
			for _, field := range []string{"_last_modified", "redis_db", "tls_ticket_key"} { // different each time
				delete(o, field)
			}
			all[textAt(o, "uuid")] = asJSON(w.t, o)
		}
	}
	return all
}

// stage is one step of a saga, and what the controller has after it when nothing goes wrong.
type stage struct {
	name    string
	run     func(p *Provider) error
	calls   []avitest.Call
	picture map[string]string
}

// stages are those of a saga: each chapter, and the end.
func (s *saga) stages(t *testing.T) []*stage {
	var all []*stage
	for chapter := range chapters {
		all = append(all, &stage{name: fmt.Sprintf("chapter %d", chapter), run: func(p *Provider) error {
			result, err := p.Apply(t.Context(), s.tree(chapter))
			if err == nil && len(result.Failures) > 0 {
				err = fmt.Errorf("failures %v", result.Failures)
			}
			return err
		}})
	}
	last := s.tree(chapters - 1)
	last.Progress.Generation++
	return append(all, &stage{name: "the end", run: func(p *Provider) error { return p.Remove(t.Context(), last) }})
}

// mishap is a fault that every so manieth request of a saga meets.
type mishap struct {
	name   string
	kind   avitest.Kind
	stride int
	crash  bool // another process goes on
}

// mishaps are those that are tried. A lost answer leaves most behind: each request meets it. Where nothing was done, every so manieth
// request tells as much.
var mishaps = []mishap{
	{"lost answer", avitest.CutAfterWrite, 1, false},
	{"lost answer and crash", avitest.CutAfterWrite, 7, true},
	{"cut connection", avitest.CutBefore, 7, false},
	{"torn answer", avitest.CutWithin, 11, false},
	{"error", avitest.ServerError, 6, false},
	{"not ready", avitest.Unavailable, 13, false},
	{"stale", avitest.Stale, 3, false},
	{"session over", avitest.Unauthorized, 13, false},
	{"session switched", avitest.SwitchSession, 13, false},
}

// TestSingleFaults meets a fault at each request of each step of a load balancer's life. The step is done again where it says that it did
// not come to its end; then all is as if nothing had happened: nothing twice, nothing orphaned.
func TestSingleFaults(t *testing.T) {
	s := newSaga(t)
	stages := s.stages(t)
	t.Run("none", func(t *testing.T) { s.cleanly(t, stages) })
	for _, m := range mishaps {
		t.Run(m.name, func(t *testing.T) {
			w, change := s.world(t)
			for n := 0; n < m.most(stages); n += m.stride {
				w.provider = w.open(change)
				for _, stage := range stages {
					w.mishap(t, m, stage, n, change)
				}
			}
		})
	}
}

// world is one that the saga plays in: a project whose subnets have VRF contexts of their own.
func (s *saga) world(t *testing.T) (*world, func(*Config)) {
	change := func(c *Config) { c.Secrets, c.VRFPerSubnet, c.Controller.Probe = s.secrets, true, time.Nanosecond }
	return worldOf(t, avitest.Options{}, change), change
}

// cleanly plays the stages without any fault and notes what comes of each.
func (s *saga) cleanly(t *testing.T, stages []*stage) {
	w, _ := s.world(t)
	empty := w.picture(projectTenant)
	for _, stage := range stages {
		w.server.ResetCalls()
		if err := stage.run(w.provider); err != nil {
			t.Fatalf("%s: %v", stage.name, err)
		}
		stage.calls, stage.picture = w.server.Calls(), w.picture(projectTenant)
		t.Logf("%s: %d requests, %d objects", stage.name, len(stage.calls), len(stage.picture))
	}
	if diff := cmp.Diff(empty, w.picture(projectTenant)); diff != "" {
		t.Errorf("left in the end:\n%s", diff)
	}
}

// meets are the calls of a stage that the fault may meet.
func (m mishap) meets(stage *stage) []avitest.Call {
	return slices.DeleteFunc(slices.Clone(stage.calls), func(c avitest.Call) bool { return !m.at(c.Method) })
}

// at tells whether the fault makes sense: only what changes an object can be stale, and only the answer to a write be lost with it done.
func (m mishap) at(method string) bool {
	switch m.kind {
	case avitest.Stale:
		return method == http.MethodPut
	case avitest.CutAfterWrite:
		return method != http.MethodGet
	}
	return true
}

// most is how many calls the longest of the stages has for the fault to meet.
func (m mishap) most(stages []*stage) int {
	most := 0
	for _, s := range stages {
		most = max(most, len(m.meets(s)))
	}
	return most
}

// fault is the mishap at the nth call that it may meet.
func (m mishap) fault(n int) avitest.Fault {
	return avitest.Fault{Skip: n, Kind: m.kind, Match: func(method, path string, _ map[string]any) bool {
		return strings.HasPrefix(path, "/api/") && m.at(method)
	}}
}

// mishap plays a stage with a fault at its nth request, if it has so many.
func (w *world) mishap(t *testing.T, m mishap, stage *stage, n int, change func(*Config)) {
	t.Helper()
	calls := m.meets(stage)
	if n >= len(calls) {
		if err := stage.run(w.provider); err != nil {
			t.Fatalf("%s without a fault: %v", stage.name, err)
		}
		return
	}
	in := w.server.Inject(m.fault(n))
	w.again(t, stage, func() {
		if m.crash {
			w.provider = w.open(change)
		}
	})
	if in.Hits() != 1 {
		t.Errorf("%s: %d requests failed", stage.name, in.Hits())
	}
	w.server.ClearFaults()
	if diff := cmp.Diff(stage.picture, w.picture(projectTenant)); diff != "" {
		t.Fatalf("%s with a fault at %s (-without +with):\n%s", stage.name, calls[n], diff)
	}
}

// again runs a stage until it comes to its end, which may take one more try only.
func (w *world) again(t *testing.T, stage *stage, between func()) {
	t.Helper()
	err := stage.run(w.provider)
	if err == nil {
		return
	}
	between()
	if next := stage.run(w.provider); next != nil {
		t.Fatalf("%s: %v, and then again: %v", stage.name, err, next)
	}
}

// TestUnchanged: what is as it is wanted costs no write, and nothing at all while it is remembered.
func TestUnchanged(t *testing.T) {
	s := newSaga(t)
	w := worldOf(t, avitest.Options{}, nil)
	w.provider = w.open(func(c *Config) { c.Secrets, c.VRFPerSubnet = s.secrets, true })
	lb := s.tree(1)
	for _, step := range []struct {
		name  string
		next  int64 // generations
		other bool  // process
	}{{"first", 0, false}, {"same tree again", 0, false}, {"same in the next generation", 1, false}, {"of another process", 1, true}} {
		lb.Progress.Generation += step.next
		if step.other {
			w.provider = w.open(func(c *Config) { c.Secrets, c.VRFPerSubnet = s.secrets, true })
		}
		w.server.ResetCalls()
		result, err := w.provider.Apply(t.Context(), lb)
		if err != nil || len(result.Failures) > 0 {
			t.Fatal(step.name, err, result.Failures)
		}
		reads, writes := 0, 0
		for _, c := range w.server.Calls() {
			if c.Method == http.MethodGet {
				reads++
			} else {
				writes++
			}
		}
		if step.name != "first" && (writes > 0 || result.Method != "unchanged") {
			t.Errorf("%s: %d writes, %s: %s", step.name, writes, result.Method, lines(w.server.Calls()))
		}
		if step.next == 1 && !step.other && reads > 0 {
			t.Errorf("%s: %d reads", step.name, reads)
		}
	}
}

func lines(calls []avitest.Call) string {
	var all []string
	for _, c := range calls {
		all = append(all, c.String())
	}
	return "\n" + strings.Join(all, "\n")
}
