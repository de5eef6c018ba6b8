package reconcile

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider"
	"plimsoll/lbaas"
)

// TestSteps tells of everything that was done, and shows what the loop has before it.
func TestSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Step
		var loop *Loop
		b := start(t, func(b *bench, c *Config) {
			c.Stepped = func(s Step) {
				if s.Took < 0 {
					t.Errorf("took %v", s.Took)
				}
				if got := loop.State(); got.Working != 1 || got.Leases != 1 {
					t.Errorf("at work: %+v", got)
				}
				s.Took = 0
				told = append(told, s)
			}
			b.provider.result = []provider.Result{{Method: "start", Failures: map[string]provider.Failure{"l1": {Permanent: true}}}, {Method: "runtime"}}
			loop = New(*c)
		}, func(_ *bench, c *Config) { c.AuditEvery = time.Hour })
		b.end()
		b.run(loop)
		defer b.end()
		b.store.create("lb")
		synctest.Wait()
		b.store.change("lb", func(*lbaas.LoadBalancer) {})
		synctest.Wait()
		b.provider.script(errors.New("busy"))
		b.store.change("lb", func(lb *lbaas.LoadBalancer) { lb.Progress.Deleted = true })
		synctest.Wait()
		if diff := cmp.Diff(State{Pausing: 1, Leases: 1}, loop.State()); diff != "" {
			t.Errorf("after a failure (-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		b.is("lb", "DELETED")
		want := []Step{
			{"fake", "start", "incomplete", 0}, {"fake", "runtime", "done", 0}, {"fake", "remove", "failed", 0}, {"fake", "remove", "done", 0},
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}
