package clients

import (
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/amphorae"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/flavorprofiles"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/providers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/quotas"
)

// operator is what gophercloud has for administrators: providers, flavors, amphorae, failovers and quotas.
func (s *site) operator(t *testing.T) {
	api := s.Server.Admin(t).LoadBalancer
	s.providers(t, api)
	f := &terraform{site: s, t: t, api: api}
	profile, flavor := f.createFlavor()
	f.lb = ok[*loadbalancers.LoadBalancer](t)(loadbalancers.Create(t.Context(), api, loadbalancers.CreateOpts{
		Name: "operator", VipNetworkID: s.net.ID, FlavorID: flavor.ID, ProjectID: s.ProjectID,
	}).Extract())
	lb := active(f, f.getLoadBalancer, lbStatus)
	same(t, "provider of the flavor", "haproxy", lb.Provider)
	same(t, "project", s.ProjectID, lb.ProjectID)
	f.amphorae()
	done(t, loadbalancers.Failover(t.Context(), api, f.lb.ID).ExtractErr())
	active(f, f.getLoadBalancer, lbStatus)
	s.quotas(t, api)
	done(t, loadbalancers.Delete(t.Context(), api, f.lb.ID, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr())
	gone(f, f.getLoadBalancer)
	done(t, flavors.Delete(t.Context(), api, flavor.ID).ExtractErr())
	done(t, flavorprofiles.Delete(t.Context(), api, profile.ID).ExtractErr())
}

func (s *site) providers(t *testing.T, api *gophercloud.ServiceClient) {
	same(t, "providers", []providers.Provider{
		{Name: "haproxy", Description: "HAProxy in namespaces."}, {Name: "noop", Description: "Makes nothing."},
	}, all(t, providers.List(api, nil), providers.ExtractProviders))
	can := ok[[]providers.Capability](t)(providers.ListFlavorCapabilities(t.Context(), api, "haproxy", nil).Extract())
	if len(can) != 2 || can[0].Name != "loadbalancer_topology" || can[1].Name != "maxconn" || can[1].Description == "" {
		t.Errorf("flavor capabilities %+v", can)
	}
	can = ok[[]providers.Capability](t)(providers.ListAvailabilityZoneCapabilities(t.Context(), api, "noop",
		providers.ListAvailabilityZoneCapabilitiesOpts{Fields: []string{"name"}}).Extract())
	if len(can) != 4 || can[0] != (providers.Capability{Name: "compute_zone"}) {
		t.Errorf("zone capabilities %+v", can)
	}
}

func (f *terraform) createFlavor() (*flavorprofiles.FlavorProfile, *flavors.Flavor) {
	t, ctx := f.t, f.t.Context()
	profile := ok[*flavorprofiles.FlavorProfile](t)(flavorprofiles.Create(ctx, f.api, flavorprofiles.CreateOpts{
		Name: "operator", ProviderName: "haproxy", FlavorData: `{"maxconn": 100}`,
	}).Extract())
	ok[*flavorprofiles.FlavorProfile](t)(flavorprofiles.Update(ctx, f.api, profile.ID, flavorprofiles.UpdateOpts{FlavorData: `{"maxconn": 200}`}).Extract())
	profile = ok[*flavorprofiles.FlavorProfile](t)(flavorprofiles.Get(ctx, f.api, profile.ID).Extract())
	same(t, "flavor profile", &flavorprofiles.FlavorProfile{
		ID: profile.ID, Name: "operator", ProviderName: "haproxy", FlavorData: `{"maxconn": 200}`,
	}, profile)
	same(t, "flavor profiles", []flavorprofiles.FlavorProfile{*profile},
		all(t, flavorprofiles.List(f.api, flavorprofiles.ListOpts{Name: "operator", ProviderName: "haproxy"}), flavorprofiles.ExtractFlavorProfiles))
	flavor := ok[*flavors.Flavor](t)(flavors.Create(ctx, f.api, flavors.CreateOpts{Name: "operator", FlavorProfileId: profile.ID, Enabled: true}).Extract())
	ok[*flavors.Flavor](t)(flavors.Update(ctx, f.api, flavor.ID, flavors.UpdateOpts{Description: "d", Enabled: true}).Extract())
	flavor = ok[*flavors.Flavor](t)(flavors.Get(ctx, f.api, flavor.ID).Extract())
	same(t, "flavor", &flavors.Flavor{ID: flavor.ID, Name: "operator", Description: "d", Enabled: true, FlavorProfileId: profile.ID}, flavor)
	same(t, "flavors", []flavors.Flavor{*flavor}, all(t, flavors.List(f.api, flavors.ListOpts{FlavorProfileID: profile.ID, Enabled: ptr(true)}), flavors.ExtractFlavors))
	return profile, flavor
}

func (f *terraform) amphorae() {
	t, ctx := f.t, f.t.Context()
	listed := all(t, amphorae.List(f.api, amphorae.ListOpts{LoadbalancerID: f.lb.ID, Role: "STANDALONE", Status: "ALLOCATED"}), amphorae.ExtractAmphorae)
	if len(listed) != 1 {
		t.Fatalf("amphorae %+v", listed)
	}
	one := ok[*amphorae.Amphora](t)(amphorae.Get(ctx, f.api, listed[0].ID).Extract())
	same(t, "amphora", &listed[0], one)
	if one.HAIP != f.lb.VipAddress || one.HAPortID != f.lb.VipPortID || one.CreatedAt.IsZero() {
		t.Errorf("amphora %+v", one)
	}
	done(t, amphorae.Failover(ctx, f.api, one.ID).ExtractErr())
	active(f, f.getLoadBalancer, lbStatus)
}

func (s *site) quotas(t *testing.T, api *gophercloud.ServiceClient) {
	ctx := t.Context()
	want := &quotas.Quota{Loadbalancer: 1, Listener: 2, Member: -1, Pool: 3, Healthmonitor: 4, L7Policy: 5, L7Rule: 6}
	put := ok[*quotas.Quota](t)(quotas.Update(ctx, api, s.ProjectID, quotas.UpdateOpts{
		Loadbalancer: ptr(1), Listener: ptr(2), Pool: ptr(3), Healthmonitor: ptr(4), L7Policy: ptr(5), L7Rule: ptr(6),
	}).Extract())
	same(t, "quota", want, put)
	same(t, "quota", want, ok[*quotas.Quota](t)(quotas.Get(ctx, api, s.ProjectID).Extract()))
	_, err := loadbalancers.Create(ctx, s.LoadBalancer, loadbalancers.CreateOpts{VipSubnetID: s.net.SubnetID}).Extract()
	if !gophercloud.ResponseCodeIs(err, 403) {
		t.Errorf("a second load balancer: %v", err)
	}
	done(t, quotas.Delete(ctx, api, s.ProjectID).ExtractErr())
	if q := ok[*quotas.Quota](t)(quotas.Get(ctx, api, s.ProjectID).Extract()); q.Loadbalancer != -1 {
		t.Errorf("quota after the delete %+v", q)
	}
}
