package octavia_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
)

// serviceFlavor makes a flavor through Neutron's framework.
func (c *cloud) serviceFlavor(name string, profiles ...*network.ServiceProfile) string {
	c.t.Helper()
	ctx := c.t.Context()
	f := &network.ServiceFlavor{Name: name, Enabled: true}
	if err := c.store.CreateServiceFlavors(ctx, []*network.ServiceFlavor{f}); err != nil {
		c.t.Fatal(err)
	}
	if err := c.store.CreateServiceProfiles(ctx, profiles); err != nil {
		c.t.Fatal(err)
	}
	for _, p := range profiles {
		if err := c.store.BindServiceProfile(ctx, f.ID, p.ID); err != nil {
			c.t.Fatal(err)
		}
	}
	return f.ID
}

// TestNeutronsFlavors uses flavors that were made through Neutron's framework.
func TestNeutronsFlavors(t *testing.T) {
	c := newCatalogCloud(t)
	profile := func(provider, metainfo string) *network.ServiceProfile {
		p := &network.ServiceProfile{Driver: "x.y.Z", Provider: provider, Enabled: true}
		p.SetMetainfo(metainfo)
		return p
	}
	off := profile("picky", "")
	off.Enabled = false
	bound := profile("picky", "{'size': 1}")
	good := c.serviceFlavor("twin", bound, profile("noop", ""))
	plain, closed, wordy := c.serviceFlavor("twin", profile("noop", "")), c.serviceFlavor("closed", off), c.serviceFlavor("wordy", profile("noop", "fast"))
	none, without := c.serviceFlavor("none", profile("", "{}")), c.serviceFlavor("without")
	for _, test := range []struct {
		name, flavor string
		code         int
		text         string
	}{
		{"bad without profile", without, 400, "Validation failure: Invalid flavor_id."},
		{"bad disabled profile", closed, 400, "The selected flavor is not allowed in this deployment: " + closed},
		{"bad metainfo", wordy, 400, "fast is not a valid option for flavor_data"},
		{"bad without driver", none, 400, "Validation failure: Invalid flavor_id. The flavor's profile names no provider."},
		{"good", good, 201, "picky"},
		{"plain", plain, 201, "noop"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID, "flavor_id": test.flavor}})
			if test.code != 201 {
				a.fault(t, test.code, test.text)
				return
			}
			if a.code != 201 || a.body["loadbalancer"].(object)["provider"] != test.text {
				t.Errorf("%d %s", a.code, a.raw)
			}
		})
	}
	c.attempts(t, []attempt{
		{"flavor without profile", http.MethodGet, "/flavors/" + without, nil, 404, ""},
		{"change it", http.MethodPut, "/flavors/" + without, object{"flavor": object{"name": "x"}}, 404, ""},
		{"delete it", http.MethodDelete, "/flavors/" + without, nil, 404, ""},
		{"taken name", http.MethodPost, "/flavors", object{"flavor": object{"name": "twin", "flavor_profile_id": bound.ID}}, 409, "A flavor of twin already exists."},
		{"flavor in use", http.MethodDelete, "/flavors/" + good, nil, 409, "Flavor " + good + " is in use and cannot be modified."},
		{"profile in use", http.MethodPut, "/flavorprofiles/" + bound.ID, object{"flavorprofile": object{"flavor_data": "{}"}}, 409, "Flavor profile " + bound.ID + " is in use and cannot be modified."},
	})
	want := object{"id": bound.ID, "name": "", "provider_name": "picky", "flavor_data": `{"size":1}`}
	if diff := cmp.Diff(want, c.show("/flavorprofiles/"+bound.ID, "flavorprofile")); diff != "" {
		t.Errorf("the profile (-want +got):\n%s", diff)
	}
	want = object{"id": good, "name": "twin", "description": "", "enabled": true, "flavor_profile_id": bound.ID}
	if diff := cmp.Diff(want, c.show("/flavors/"+good, "flavor")); diff != "" {
		t.Errorf("the flavor (-want +got):\n%s", diff)
	}
}
