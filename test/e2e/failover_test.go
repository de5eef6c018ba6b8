package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/amphorae"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/flavorprofiles"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"

	"plimsoll/test/harness"
)

// amphora is the load balancer's only one.
func (s *site) amphora(t *testing.T) amphorae.Amphora {
	t.Helper()
	pages, err := amphorae.List(s.LoadBalancer, amphorae.ListOpts{LoadbalancerID: s.lb.ID}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := amphorae.ExtractAmphorae(pages)
	if err != nil || len(all) != 1 {
		t.Fatalf("amphorae %+v, %v; want one", all, err)
	}
	return all[0]
}

func (s *site) pids() []int {
	var pids []int
	for _, p := range s.HAProxies() {
		pids = append(pids, p.PID)
	}
	slices.Sort(pids)
	return pids
}

// onlyOne waits until the replaced process of a load balancer has ended, and returns the one that serves.
func (s *site) onlyOne(t *testing.T) (pid int) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, func() error {
		pids := s.pids()
		if len(pids) != 1 {
			return fmt.Errorf("processes %v, want one", pids)
		}
		pid = pids[0]
		return nil
	})
	return pid
}

// TestFailover has users ask for a failover under load, by the load balancer and by its amphora: each time a fresh process takes
// over, no request fails, and neither later changes nor a restart of the server do it again.
func TestFailover(t *testing.T) {
	s := newSite(t, 2, harness.Tree{Monitor: true})
	one := s.amphora(t)
	want := amphorae.Amphora{
		ID: one.ID, LoadbalancerID: s.lb.ID, ComputeID: one.ComputeID, HAIP: s.lb.VIP, VRRPIP: s.lb.VIP, HAPortID: one.HAPortID,
		VRRPPortID: one.HAPortID, Role: "STANDALONE", Status: "ALLOCATED", CreatedAt: one.CreatedAt, UpdatedAt: one.UpdatedAt,
	}
	if diff := cmp.Diff(want, one); diff != "" || one.ComputeID == "" || one.HAPortID == "" {
		t.Errorf("amphora (-want +got):\n%s", diff)
	}
	first := s.onlyOne(t)
	known := []int{first}
	fresh := func(t *testing.T) {
		t.Helper()
		s.WaitActive(t, s.lb.ID)
		now := s.pids()
		if !slices.ContainsFunc(now, func(pid int) bool { return !slices.Contains(known, pid) }) {
			t.Errorf("no fresh process took over: %v are all known", now)
		}
		known = append(known, now...)
	}
	l := underLoad(t, s)
	l.does(t, "failover of the load balancer", func(t *testing.T) {
		if err := loadbalancers.Failover(t.Context(), s.LoadBalancer, s.lb.ID).ExtractErr(); err != nil {
			t.Fatal(err)
		}
		fresh(t)
	})
	l.does(t, "failover of the amphora", func(t *testing.T) {
		if err := amphorae.Failover(t.Context(), s.LoadBalancer, one.ID).ExtractErr(); err != nil {
			t.Fatal(err)
		}
		fresh(t)
	})
	l.does(t, "resize", func(t *testing.T) { s.resize(t) })
	l.end(t)
	serving := s.onlyOne(t)
	if serving == first {
		t.Errorf("process %d still serves", first)
	}
	s.Stop(t)
	s.Start(t)
	name := "after a restart"
	if _, err := loadbalancers.Update(t.Context(), s.LoadBalancer, s.lb.ID, loadbalancers.UpdateOpts{Name: &name}).Extract(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	s.answers(t)
	if pid := s.onlyOne(t); pid != serving {
		t.Errorf("process %d was replaced by %d at a restart", serving, pid)
	}
	if again := s.amphora(t); again.ID != one.ID {
		t.Errorf("the amphora's id became %s from %s", again.ID, one.ID)
	}
}

// resize makes a flavor with fewer connections and has the load balancer have it.
func (s *site) resize(t *testing.T) {
	t.Helper()
	profile, err := flavorprofiles.Create(t.Context(), s.LoadBalancer, flavorprofiles.CreateOpts{
		Name: "small", ProviderName: "haproxy", FlavorData: `{"maxconn": 500, "loadbalancer_topology": "SINGLE"}`,
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	flavor, err := flavors.Create(t.Context(), s.LoadBalancer, flavors.CreateOpts{
		Name: "small", FlavorProfileId: profile.ID, Enabled: true,
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	path := s.LoadBalancer.ServiceURL("lbaas", "loadbalancers", s.lb.ID, "resize")
	body := map[string]any{"new_flavor_id": flavor.ID}
	if _, err := s.LoadBalancer.Put(t.Context(), path, body, nil, nil); err != nil { //nolint:bodyclose // gophercloud closes it
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	if conf := s.configuration(t); !strings.Contains(conf, "    maxconn 500\n") {
		t.Errorf("the configuration does not say maxconn 500:\n%s", conf)
	}
}
