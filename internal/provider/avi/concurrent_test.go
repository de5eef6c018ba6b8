package avi

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/lbaas"
)

// TestManyAtOnce has 32 load balancers made, changed and removed at the same time in one subnet's VRF context, while each is observed:
// one log-in, few connections, no update lost, and nothing left.
func TestManyAtOnce(t *testing.T) {
	w := worldOf(t, avitest.Options{}, func(c *Config) { c.VRFPerSubnet, c.Controller.Connections, c.PollEvery, c.AuditEvery = true, 4, 0, 0 })
	w.server.ResetCalls()
	lbs := make([]*lbaas.LoadBalancer, 32)
	for i := range lbs {
		lbs[i] = w.Tree(t)
	}
	all := func(step func(i int, lb *lbaas.LoadBalancer) error) {
		t.Helper()
		var group sync.WaitGroup
		for i, lb := range lbs {
			group.Go(func() {
				if err := step(i, lb); err != nil {
					t.Errorf("load balancer %d: %v", i, err)
				}
			})
		}
		group.Wait()
	}
	apply := func(_ int, lb *lbaas.LoadBalancer) error {
		result, err := w.provider.Apply(t.Context(), lb)
		if diff := cmp.Diff(0, len(result.Failures)); err == nil && diff != "" {
			t.Errorf("failures %v", result.Failures)
		}
		return err
	}
	all(apply)
	for i, lb := range lbs {
		lbs[i] = next(lb, func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].Weight = i + 20 })
	}
	all(func(i int, lb *lbaas.LoadBalancer) error {
		if _, err := w.provider.Observe(t.Context(), lbs[i:i+1]); err != nil {
			return err
		}
		return apply(i, lb)
	})
	for _, lb := range lbs {
		if diff := cmp.Diff(wantFaces(lb), w.faces(lb), cmp.AllowUnexported(face{})); diff != "" {
			t.Errorf("on the controller (-want +got):\n%s", diff)
		}
	}
	if logins, connections := w.server.Logins(), w.server.MaxConnections(); logins != 1 || connections > 4 {
		t.Errorf("%d log-ins, %d connections", logins, connections)
	}
	all(func(_ int, lb *lbaas.LoadBalancer) error { return w.provider.Remove(t.Context(), lb) })
	for uuid := range w.picture(projectTenant) {
		t.Errorf("%s is left", uuid)
	}
}
