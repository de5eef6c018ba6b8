package octavia_test

import (
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/amphorae"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/flavorprofiles"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/quotas"
)

func TestGophercloudFlavors(t *testing.T) {
	c := newCatalogCloud(t)
	ctx, client := t.Context(), c.client()
	profile := check[*flavorprofiles.FlavorProfile](t)(flavorprofiles.Create(ctx, client, flavorprofiles.CreateOpts{
		Name: "p", ProviderName: "noop", FlavorData: `{"loadbalancer_topology":"SINGLE"}`,
	}).Extract())
	profile = check[*flavorprofiles.FlavorProfile](t)(flavorprofiles.Update(ctx, client, profile.ID, flavorprofiles.UpdateOpts{Name: "q"}).Extract())
	if profile.Name != "q" || profile.ProviderName != "noop" || profile.FlavorData != `{"loadbalancer_topology":"SINGLE"}` {
		t.Errorf("profile %+v", profile)
	}
	flavor := check[*flavors.Flavor](t)(flavors.Create(ctx, client, flavors.CreateOpts{Name: "f", FlavorProfileId: profile.ID, Enabled: true}).Extract())
	flavor = check[*flavors.Flavor](t)(flavors.Update(ctx, client, flavor.ID, flavors.UpdateOpts{Description: "d"}).Extract())
	if got := check[*flavors.Flavor](t)(flavors.Get(ctx, client, flavor.ID).Extract()); *got != *flavor || got.Description != "d" || !got.Enabled {
		t.Errorf("flavor %+v, then %+v", flavor, got)
	}
	for i, profiles := range []func() (int, error){
		func() (int, error) {
			pages, err := flavors.List(client, flavors.ListOpts{}).AllPages(ctx)
			if err != nil {
				return 0, err
			}
			all, err := flavors.ExtractFlavors(pages)
			return len(all), err
		},
		func() (int, error) {
			pages, err := flavorprofiles.List(client, flavorprofiles.ListOpts{}).AllPages(ctx)
			if err != nil {
				return 0, err
			}
			all, err := flavorprofiles.ExtractFlavorProfiles(pages)
			return len(all), err
		},
	} {
		if n, err := profiles(); n != 1 || err != nil {
			t.Errorf("list %d has %d: %v", i, n, err)
		}
	}
	lb := check[*loadbalancers.LoadBalancer](t)(loadbalancers.Create(ctx, client, loadbalancers.CreateOpts{VipSubnetID: c.subnet.ID, FlavorID: flavor.ID}).Extract())
	if lb.FlavorID != flavor.ID || lb.Provider != "noop" {
		t.Errorf("load balancer %+v", lb)
	}
	if err := loadbalancers.Failover(ctx, client, lb.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
	if err := loadbalancers.Delete(ctx, client, lb.ID, nil).ExtractErr(); err != nil {
		t.Error(err)
	}
	if err := flavors.Delete(ctx, client, flavor.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
	if err := flavorprofiles.Delete(ctx, client, profile.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
}

func TestGophercloudQuotas(t *testing.T) {
	c := newCatalogCloud(t)
	ctx, client := t.Context(), c.client()
	put := check[*quotas.Quota](t)(quotas.Update(ctx, client, mine, quotas.UpdateOpts{Loadbalancer: ptr(3), Healthmonitor: ptr(0), L7Rule: ptr(7)}).Extract())
	want := quotas.Quota{Loadbalancer: 3, Listener: -1, Member: -1, Pool: -1, Healthmonitor: 0, L7Policy: -1, L7Rule: 7}
	if got := check[*quotas.Quota](t)(quotas.Get(ctx, client, mine).Extract()); *put != want || *got != want {
		t.Errorf("quota %+v, then %+v", put, got)
	}
}

func TestGophercloudAmphorae(t *testing.T) {
	c := newCatalogCloud(t)
	ctx, client := t.Context(), c.client()
	lb, good, _ := c.amphorae()
	pages, err := amphorae.List(client, amphorae.ListOpts{LoadbalancerID: lb, Role: "MASTER"}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	all := check[[]amphorae.Amphora](t)(amphorae.ExtractAmphorae(pages))
	one := check[*amphorae.Amphora](t)(amphorae.Get(ctx, client, good).Extract())
	if len(all) != 1 || all[0] != *one || one.Status != "ALLOCATED" || one.CertExpiration.IsZero() || one.CreatedAt.IsZero() {
		t.Errorf("listed %+v, got %+v", all, one)
	}
	if err := amphorae.Failover(ctx, client, good).ExtractErr(); err != nil {
		t.Error(err)
	}
}
