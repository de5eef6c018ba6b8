package neutronlbaas_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/neutronlbaas"
)

// TestFlavor shows that a flavor of the other face is one here: it picks the provider, and is shown where there is one.
func TestFlavor(t *testing.T) {
	s := newSite(t)
	admin := s.as("admin")
	profile := admin.octavia(http.StatusCreated, http.MethodPost, "/flavorprofiles", "flavorprofile", object{"name": "p", "provider_name": "noop", "flavor_data": "{}"})
	flavor := admin.octavia(http.StatusCreated, http.MethodPost, "/flavors", "flavor", object{"name": "f", "flavor_profile_id": profile["id"], "enabled": false})["id"].(string)
	ask := object{"loadbalancer": object{"vip_subnet_id": s.subnet, "flavor_id": flavor}}
	want := [2]string{"FlavorDisabled", "Flavor is not enabled."}
	if a := s.old(http.MethodPost, "/loadbalancers", ask); a.code != http.StatusServiceUnavailable || a.fault() != want {
		t.Errorf("a flavor that is disabled: %d %s", a.code, a.raw)
	}
	admin.octavia(http.StatusOK, http.MethodPut, "/flavors/"+flavor, "flavor", object{"enabled": true})
	lb := s.must(http.StatusCreated, http.MethodPost, "/loadbalancers", ask)["loadbalancer"].(object)
	if diff := cmp.Diff(object{"flavor_id": flavor, "provider": "noop"}, fields(lb, "flavor_id", "provider")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	alias := s.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": s.subnet, "provider": "nothing.at.ALL"})
	if diff := cmp.Diff(object{"provider": "noop"}, fields(alias, "flavor_id", "provider")); diff != "" {
		t.Errorf("by the provider's alias (-want +got):\n%s", diff)
	}
}

// TestServes tells this API's paths from the network service's others.
func TestServes(t *testing.T) {
	for path, want := range map[string]bool{
		"/": false, "/v2.0": false, "/v2.0/networks": false, "/v2.0/lbaasx": false, "/v2.0/agents": false, "/v2.0/agents/x": false, "/v2.0/agents/x/l3-routers": false,
		"/v2.0/lbaas": true, "/v2.0/lbaas/loadbalancers.json": true, "/v2.0/agents/x/agent-loadbalancers": true, "/v2.0/agents/x/agent-loadbalancers.json": true,
	} {
		if got := neutronlbaas.Serves(path); got != want {
			t.Errorf("Serves(%s) = %v", path, got)
		}
	}
}
