package octavia_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

// TestPythonFlavorData writes data of flavors as the documents of neutron-lbaas' drivers do. What is kept, judged and shown is JSON.
func TestPythonFlavorData(t *testing.T) {
	c := newCatalogCloud(t)
	for text, want := range map[string]string{
		"{'vrf_context_per_subnet': 'True'}":          `{"vrf_context_per_subnet":"True"}`,
		"{'ref': '/api/x?a=<b>&c', \"n\": [1, None]}": `{"n":[1,null],"ref":"/api/x?a=<b>&c"}`,
		`{"a":  1}`: `{"a":  1}`,
	} {
		id := c.flavorProfile("noop", text)
		if got := c.show("/flavorprofiles/"+id, "flavorprofile")["flavor_data"]; got != want {
			t.Errorf("%s: %v", text, got)
		}
		c.put("/flavorprofiles/"+id, "flavorprofile", object{"flavor_data": "{}"})
		if got := c.put("/flavorprofiles/"+id, "flavorprofile", object{"flavor_data": text})["flavor_data"]; got != want {
			t.Errorf("PUT of %s: %v", text, got)
		}
		flavor := c.make("/flavors", "flavor", object{"name": text, "flavor_profile_id": id})["id"]
		lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "flavor_id": flavor, "provider": "noop"})["id"].(string)
		if tree, err := c.store.Tree(t.Context(), lb); err != nil || tree.Flavor == nil {
			t.Errorf("%s: the provider is given %v, %v", text, tree, err)
		}
	}
}

// TestBadPythonFlavorData shows that what is neither is refused as Octavia does.
func TestBadPythonFlavorData(t *testing.T) {
	c := newCatalogCloud(t)
	long := "{'a': '" + strings.Repeat("x", lbaas.MaxProfileData) + "'}"
	grows := "{'a': '" + strings.Repeat("\x01", lbaas.MaxProfileData-9) + "'}"
	for text, want := range map[string]string{
		"{'a': b}":      "{'a': b} is not a valid option for flavor_data",
		"['a']":         "['a'] is not a valid option for flavor_data",
		"{'a': 1} or x": "{'a': 1} or x is not a valid option for flavor_data",
		long:            "Value should have a maximum character requirement of 4096",
		grows:           "Value should have a maximum character requirement of 4096",
	} {
		a := c.do("POST", root+"/flavorprofiles", object{"flavorprofile": object{"name": "p", "provider_name": "noop", "flavor_data": text}})
		fault, _ := a.body["faultstring"].(string)
		if !cmp.Equal(400, a.code) || !strings.HasSuffix(fault, want) {
			t.Errorf("%.40q: %d %.200s", text, a.code, fault)
		}
	}
}
