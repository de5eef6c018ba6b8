package neutronlbaas_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
)

// TestAgents shows each host as an agent, with what is bound to it.
func TestAgents(t *testing.T) {
	s := newSite(t).as("admin")
	for _, name := range []string{"host-1", "host-2"} {
		if err := s.store.HostSeen(t.Context(), &network.Host{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	here := s.as("member").make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet})
	everywhere := s.as("member").make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet, "provider": "noop"})["id"].(string)
	agent := s.must(http.StatusOK, http.MethodGet, "/loadbalancers/"+here["id"].(string)+"/loadbalancer-hosting-agent.json", nil)["agent"].(object)
	want := object{
		"host": "host-1", "agent_type": "Loadbalancerv2 agent", "binary": "neutron-lbaasv2-agent", "alive": true, "admin_state_up": true,
		"configurations": object{"device_drivers": []any{"haproxy"}, "instances": 1.0},
	}
	if diff := cmp.Diff(want, fields(agent, slices.Collect(maps.Keys(want))...)); diff != "" {
		t.Errorf("agent (-want +got):\n%s", diff)
	}
	if a := s.old(http.MethodGet, "/loadbalancers/"+everywhere+"/loadbalancer-hosting-agent", nil); a.code != http.StatusOK || a.raw != "null" {
		t.Errorf("the agent of what is bound to no host: %d %s", a.code, a.raw)
	}
	list := s.do(http.MethodGet, "/networking/v2.0/agents/"+agent["id"].(string)+"/agent-loadbalancers.json", nil)
	if diff := cmp.Diff(object{"loadbalancers": []any{here}}, list.body); diff != "" {
		t.Errorf("load balancers (-want +got):\n%s", diff)
	}
	none := s.do(http.MethodGet, "/networking/v2.0/agents/"+everywhere+"/agent-loadbalancers", nil)
	if diff := cmp.Diff(object{"loadbalancers": []any{}}, none.body); diff != "" {
		t.Errorf("load balancers of no agent (-want +got):\n%s", diff)
	}
	if a := s.as("member").do(http.MethodGet, "/networking/v2.0/agents/"+agent["id"].(string)+"/agent-loadbalancers", nil); a.code != http.StatusForbidden {
		t.Errorf("a member sees %d %s", a.code, a.raw)
	}
}

// TestCounters shows that stats are the four of old.
func TestCounters(t *testing.T) {
	s := newSite(t)
	lb := s.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet})["id"].(string)
	want := object{"stats": object{"bytes_in": 0.0, "bytes_out": 0.0, "active_connections": 0.0, "total_connections": 0.0}}
	if diff := cmp.Diff(want, s.must(http.StatusOK, http.MethodGet, "/loadbalancers/"+lb+"/stats", nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	statuses := s.must(http.StatusOK, http.MethodGet, "/loadbalancers/"+lb+"/statuses.json", nil)["statuses"].(object)["loadbalancer"].(object)
	if statuses["id"] != lb || statuses["operating_status"] != "DEGRADED" {
		t.Errorf("statuses are %v", statuses)
	}
}
