package avi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/test/harness"
)

// quiet looks at what there is so rarely that only changes cause requests.
const quiet = "vrf_context_per_subnet=True\n[reconcile]\naudit_interval = 3600\n"

// stepwise makes a load balancer as the documents' session does, each step only when the one before is done, and takes it away again.
type stepwise struct {
	*world
	cloud *harness.Cloud
	net   *harness.Net

	lb, listener, pool, monitor string
	members                     []string
}

func newStepwise(t testing.TB) *stepwise {
	w := newWorld(t, avitest.Options{}, creating+quiet)
	c := w.Demo(t)
	s := &stepwise{world: w, cloud: c, net: c.CreateNetwork(t, "data4snw", "10.0.3.0/24")}
	first := build(t, c, c.CreateNetwork(t, "other", "10.1.0.0/24"), "avi_adc", "other") // logs in, and makes the tenant
	c.WaitActive(t, first.ID)
	return s
}

// step is one change, and how many requests the driver of neutron-lbaas made for it.
type step struct {
	name     string
	original int
	does     func(*stepwise, testing.TB) error
}

// steps are those of the documents' session. The numbers count the traces of the original driver, run against a stand-in.
func steps() []step {
	return []step{
		{"load balancer create", 3, (*stepwise).createLoadBalancer},
		{"listener create", 6, (*stepwise).createListener},
		{"pool create", 4, (*stepwise).createPool},
		{"member create", 1, (*stepwise).createMember},
		{"second member create", 1, (*stepwise).createMember},
		{"monitor create", 3, (*stepwise).createMonitor},
		{"monitor update", 3, (*stepwise).updateMonitor},
		{"pool update", 3, (*stepwise).updatePool},
		{"listener update", 6, (*stepwise).updateListener},
		{"member delete", 1, (*stepwise).deleteMember},
		{"monitor delete", 2, (*stepwise).deleteMonitor},
		{"pool delete", 3, (*stepwise).deletePool},
		{"listener delete", 2, (*stepwise).deleteListener},
		{"load balancer delete", 1, (*stepwise).deleteLoadBalancer},
	}
}

func (s *stepwise) createLoadBalancer(t testing.TB) error {
	lb, err := loadbalancers.Create(t.Context(), s.cloud.LoadBalancer, loadbalancers.CreateOpts{Name: "demo-lb", VipSubnetID: s.net.SubnetID}).Extract()
	if err == nil {
		s.lb = lb.ID
	}
	return err
}

func (s *stepwise) createListener(t testing.TB) error {
	l, err := listeners.Create(t.Context(), s.cloud.LoadBalancer, listeners.CreateOpts{LoadbalancerID: s.lb, Name: "demolb-listener", Protocol: "HTTP", ProtocolPort: 80}).Extract()
	if err == nil {
		s.listener = l.ID
	}
	return err
}

func (s *stepwise) createPool(t testing.TB) error {
	p, err := pools.Create(t.Context(), s.cloud.LoadBalancer, pools.CreateOpts{ListenerID: s.listener, Name: "demo-pool", Protocol: "HTTP", LBMethod: "ROUND_ROBIN"}).Extract()
	if err == nil {
		s.pool = p.ID
	}
	return err
}

func (s *stepwise) createMember(t testing.TB) error {
	m, err := pools.CreateMember(t.Context(), s.cloud.LoadBalancer, s.pool, pools.CreateMemberOpts{
		Address: fmt.Sprintf("10.0.3.%d", 200+len(s.members)), ProtocolPort: 8080, SubnetID: s.net.SubnetID,
	}).Extract()
	if err == nil {
		s.members = append(s.members, m.ID)
	}
	return err
}

func (s *stepwise) createMonitor(t testing.TB) error {
	m, err := monitors.Create(t.Context(), s.cloud.LoadBalancer, monitors.CreateOpts{PoolID: s.pool, Type: "HTTP", Delay: 5, Timeout: 2, MaxRetries: 3}).Extract()
	if err == nil {
		s.monitor = m.ID
	}
	return err
}

func (s *stepwise) updateMonitor(t testing.TB) error {
	_, err := monitors.Update(t.Context(), s.cloud.LoadBalancer, s.monitor, monitors.UpdateOpts{Delay: 7}).Extract()
	return err
}

func (s *stepwise) updatePool(t testing.TB) error {
	_, err := pools.Update(t.Context(), s.cloud.LoadBalancer, s.pool, pools.UpdateOpts{LBMethod: "LEAST_CONNECTIONS"}).Extract()
	return err
}

func (s *stepwise) updateListener(t testing.TB) error {
	limit := 100
	_, err := listeners.Update(t.Context(), s.cloud.LoadBalancer, s.listener, listeners.UpdateOpts{ConnLimit: &limit}).Extract()
	return err
}

func (s *stepwise) deleteMember(t testing.TB) error {
	return pools.DeleteMember(t.Context(), s.cloud.LoadBalancer, s.pool, s.members[0]).ExtractErr()
}

func (s *stepwise) deleteMonitor(t testing.TB) error {
	return monitors.Delete(t.Context(), s.cloud.LoadBalancer, s.monitor).ExtractErr()
}

func (s *stepwise) deletePool(t testing.TB) error {
	return pools.Delete(t.Context(), s.cloud.LoadBalancer, s.pool).ExtractErr()
}

func (s *stepwise) deleteListener(t testing.TB) error {
	return listeners.Delete(t.Context(), s.cloud.LoadBalancer, s.listener).ExtractErr()
}

func (s *stepwise) deleteLoadBalancer(t testing.TB) error {
	return loadbalancers.Delete(t.Context(), s.cloud.LoadBalancer, s.lb, nil).ExtractErr()
}

// take does a step, waits until it is done, and returns the requests that it cost.
func (s *stepwise) take(t testing.TB, st step) []avitest.Call {
	t.Helper()
	s.emulator.ResetCalls()
	if err := st.does(s, t); err != nil {
		t.Fatalf("%s: %v", st.name, err)
	}
	if strings.HasPrefix(st.name, "load balancer delete") {
		s.cloud.WaitGone(t, s.lb)
	} else {
		s.cloud.WaitActive(t, s.lb)
	}
	return slices.DeleteFunc(s.emulator.Calls(), looking)
}

// looking tells whether a request is for statuses and statistics, for which the original driver never asked.
func looking(c avitest.Call) bool {
	return strings.Contains(c.Path, "-inventory") || strings.Contains(c.Path, "/analytics/") || strings.Contains(c.Path, "/runtime") ||
		c.Method == http.MethodGet && c.Tenant == "*"
}

// TestRequests counts what the documents' session costs the controller: no step more than with the original driver, where
// that did not leave something undone.
func TestRequests(t *testing.T) {
	t.Parallel()
	s := newStepwise(t)
	ours, theirs := 0, 0
	for _, st := range steps() {
		calls := s.take(t, st)
		t.Logf("%-22s %d requests, the original %d: %v", st.name, len(calls), st.original, calls)
		ours, theirs = ours+len(calls), theirs+st.original
	}
	t.Logf("%-22s %d requests, the original %d", "all", ours, theirs)
	if ours > theirs {
		t.Errorf("the session costs %d requests, the original driver %d", ours, theirs)
	}
}

// BenchmarkConverge has load balancers made at the same time, each with a listener, a pool and two members.
func BenchmarkConverge(b *testing.B) {
	for b.Loop() {
		converge(b, 100)
	}
}

// converge makes load balancers and waits until the controller has them all. Every request takes the controller a while.
func converge(b *testing.B, count int) {
	b.StopTimer()
	w := newWorld(b, avitest.Options{}, creating+quiet)
	c := w.Demo(b)
	n := c.CreateNetwork(b, "web", "10.1.0.0/20")
	const pause = 20 * time.Millisecond
	w.emulator.Inject(avitest.Fault{Kind: avitest.Slow, Times: -1, Delay: pause})
	b.StartTimer()
	begun := time.Now()
	var makers sync.WaitGroup
	lbs := make([]string, count)
	for maker := range 4 {
		makers.Go(func() {
			for i := maker; i < count; i += 4 {
				lbs[i] = build(b, c, n, "avi_adc", fmt.Sprintf("lb-%d", i)).ID
			}
		})
	}
	makers.Wait()
	for _, id := range lbs {
		c.WaitActive(b, id)
	}
	b.ReportMetric(time.Since(begun).Seconds(), "s/converged")
	b.ReportMetric(float64(len(w.emulator.Calls()))/float64(count), "requests/lb")
	b.ReportMetric(float64(w.emulator.MaxConnections()), "connections")
	b.ReportMetric(float64(w.emulator.Logins()), "logins")
}
