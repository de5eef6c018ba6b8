package neutron_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/neutron"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

const (
	nobodysID = "11111111-2222-3333-4444-555555555555"
	aviDriver = "avi_lbaasv2.avi_driver.AviDriver"
)

// newFlavorFixture is the API with two providers of one driver, one that knows no flavors, and one whose controller is away.
func newFlavorFixture(t *testing.T) *fixture {
	t.Helper()
	check := func(_ context.Context, data map[string]any) error {
		for key := range data {
			if key != "se_group_ref" {
				return lbaas.Errorf(lbaas.Unsupported, "The key %s is not known.", key)
			}
		}
		return nil
	}
	away := func(context.Context, map[string]any) error { return errors.New("no answer") }
	s := storetest.Open(t, store.SQLite)
	handler := neutron.New(neutron.Config{
		Store: s, Auth: people(), Log: slog.New(slog.DiscardHandler), DefaultProvider: "avi_two",
		Providers: []provider.Face{
			{Name: "avi_one", Driver: aviDriver, Aliases: []string{aviDriver}, CheckFlavor: check},
			{Name: "avi_two", Driver: "avi", Aliases: []string{aviDriver}, CheckFlavor: check},
			{Name: "bare", Aliases: []string{"a.b.Bare"}},
			{Name: "away", CheckFlavor: away},
		},
	})
	server := httptest.NewServer(http.StripPrefix("/networking", handler))
	t.Cleanup(server.Close)
	return &fixture{t, server.URL + "/networking", s}
}

func (f *fixture) flavor(attributes object) string {
	f.t.Helper()
	attributes["service_type"] = "LOADBALANCERV2"
	return f.add("admin", "flavor", attributes)["id"].(string)
}

func (f *fixture) profile(attributes object) string {
	f.t.Helper()
	return f.add("admin", "service_profile", attributes)["id"].(string)
}

func (f *fixture) associate(flavor, profile string) {
	f.t.Helper()
	got := f.want(201, "admin", "POST", "/v2.0/flavors/"+flavor+"/service_profiles", object{"service_profile": object{"id": profile}})
	if diff := cmp.Diff(object{"service_profile": object{"id": profile}}, got); diff != "" {
		f.t.Errorf("the answer to an association (-want +got):\n%s", diff)
	}
}

func TestFlavors(t *testing.T) {
	f := newFlavorFixture(t)
	got := f.add("admin", "flavor", object{"name": "SEG1", "service_type": "LOADBALANCERV2"})
	id := got["id"].(string)
	want := object{"id": id, "name": "SEG1", "description": "", "service_type": "LOADBALANCERV2", "enabled": true, "service_profiles": []any{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a new flavor (-want +got):\n%s", diff)
	}
	twin := f.flavor(object{"name": "SEG1", "description": nil, "enabled": "False", "service_profiles": []any{nobodysID}, "tenant_id": "x"})
	other := f.flavor(object{"description": "ünïcode", "enabled": "1"})
	if got := f.names("alice", "flavors", "name=SEG1&service_type=LOADBALANCERV2&sort_key=enabled&sort_dir=asc&fields=name"); len(got) != 2 {
		t.Errorf("flavors of one name: %v", got)
	}
	for query, want := range map[string]int{"enabled=False": 1, "id=" + other: 1, "service_type=VPN": 0, "limit=2": 2, "limit=2&marker=" + twin: 1, "name=": 1} {
		if got := f.names("alice", "flavors", query); len(got) != want {
			t.Errorf("flavors?%s: %v, want %d", query, got, want)
		}
	}
	one, two := f.profile(object{"driver": aviDriver}), f.profile(object{"metainfo": "words"})
	f.associate(id, one)
	f.associate(id, two)
	got = f.want(200, "admin", "PUT", "/v2.0/flavors/"+id, object{"flavor": object{"name": "SEG2", "description": "d", "enabled": "False"}})
	want = object{"flavor": object{"id": id, "name": "SEG2", "description": "d", "service_type": "LOADBALANCERV2", "enabled": false, "service_profiles": []any{one, two}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a changed flavor (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, f.want(200, "alice", "GET", "/v2.0/flavors/"+id, nil)); diff != "" {
		t.Errorf("a flavor that is read (-want +got):\n%s", diff)
	}
	f.want(204, "admin", "DELETE", "/v2.0/flavors/"+id+"/service_profiles/"+one, nil)
	if diff := cmp.Diff(object{"flavor": object{"service_profiles": []any{two}}}, f.want(200, "alice", "GET", "/v2.0/flavors/"+id+"?fields=service_profiles", nil)); diff != "" {
		t.Errorf("without its first profile (-want +got):\n%s", diff)
	}
	f.want(204, "admin", "DELETE", "/v2.0/flavors/"+id, nil)
	f.want(204, "admin", "DELETE", "/v2.0/service_profiles/"+two, nil)
}

func TestServiceProfiles(t *testing.T) {
	f := newFlavorFixture(t)
	const meta = "{'se_group_ref': '/api/serviceenginegroup?name=se-group-1'}"
	got := f.add("admin", "service_profile", object{"driver": aviDriver, "metainfo": meta})
	id := got["id"].(string)
	want := object{"id": id, "description": "", "driver": aviDriver, "metainfo": meta, "enabled": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a new profile (-want +got):\n%s", diff)
	}
	p, err := f.store.FlavorProfile(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	same := &lbaas.FlavorProfile{ID: id, Provider: "avi_two", Data: `{"se_group_ref":"/api/serviceenginegroup?name=se-group-1"}`}
	if diff := cmp.Diff(same, p); diff != "" {
		t.Errorf("what Octavia has of it (-want +got):\n%s", diff)
	}
	got = f.want(200, "admin", "PUT", "/v2.0/service_profiles/"+id, object{"service_profile": object{"driver": "avi_one", "metainfo": "words", "enabled": "False", "description": "d"}})
	want = object{"id": id, "description": "d", "driver": "avi_one", "metainfo": "words", "enabled": false}
	if diff := cmp.Diff(object{"service_profile": want}, got); diff != "" {
		t.Errorf("a changed profile (-want +got):\n%s", diff)
	}
	if got := f.want(200, "admin", "GET", "/v2.0/service_profiles?driver=avi_one&enabled=false&fields=id", nil); len(got["service_profiles"].([]any)) != 1 {
		t.Errorf("profiles by driver: %v", got)
	}
	if got := f.want(200, "alice", "GET", "/v2.0/service_profiles", nil); len(got["service_profiles"].([]any)) != 0 {
		t.Errorf("alice sees %v", got)
	}
	old := &lbaas.FlavorProfile{Name: "octavia's", Provider: "bare", Data: `{"a":1}`}
	if err := f.store.CreateFlavorProfile(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	got = f.want(200, "admin", "GET", "/v2.0/service_profiles/"+old.ID, nil)
	want = object{"id": old.ID, "description": "", "driver": "bare", "metainfo": `{"a":1}`, "enabled": true}
	if diff := cmp.Diff(object{"service_profile": want}, got); diff != "" {
		t.Errorf("Octavia's profile (-want +got):\n%s", diff)
	}
	f.want(204, "admin", "DELETE", "/v2.0/service_profiles/"+id, nil)
}

func TestFlavorRefusals(t *testing.T) {
	f := newFlavorFixture(t)
	flavor, used := f.flavor(object{"name": "f"}), f.flavor(object{"name": "used"})
	off, wordless, bound := f.profile(object{"driver": "bare", "enabled": false}), f.profile(object{"metainfo": "{}"}), f.profile(object{"driver": "avi_one"})
	disabled, driverless := f.flavor(object{"name": "disabled"}), f.flavor(object{"name": "driverless"})
	f.associate(disabled, off)
	f.associate(driverless, wordless)
	f.associate(used, bound)
	if err := f.store.CreateLoadBalancer(t.Context(), &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p"}, Provider: "avi_one", FlavorID: used}); err != nil {
		t.Fatal(err)
	}
	flavors, profiles := "/v2.0/flavors", "/v2.0/service_profiles"
	of := func(attributes object) object { return object{"flavor": attributes} }
	sp := func(attributes object) object { return object{"service_profile": attributes} }
	long := strings.Repeat("x", 4097)
	for _, test := range []struct {
		who, method, path string
		body              any
		want              refusal
	}{
		{"admin", "POST", flavors, of(object{"name": "x"}), refusal{400, "HTTPBadRequest", "Failed to parse request. Required attribute 'service_type' not specified"}},
		{"admin", "POST", flavors, of(object{"service_type": "VPN"}), refusal{400, "InvalidServiceType", "Invalid service type: VPN."}},
		{"admin", "POST", flavors, of(object{"service_type": 1}), refusal{400, "HTTPBadRequest", "Invalid input for service_type. Reason: '1' is not a valid string."}},
		{"admin", "POST", flavors, of(object{"service_type": "LOADBALANCERV2", "name": nil}), refusal{400, "HTTPBadRequest", "Invalid input for name. Reason: 'None' is not a valid string."}},
		{"admin", "POST", flavors, of(object{"service_type": "LOADBALANCERV2", "enabled": "maybe"}), refusal{400, "InvalidInput", "Invalid input for operation: 'maybe' cannot be converted to boolean."}},
		{"admin", "POST", flavors, of(object{"service_type": "LOADBALANCERV2", "size": 1}), refusal{400, "HTTPBadRequest", "Unrecognized attribute(s) 'size'"}},
		{"admin", "PUT", flavors + "/" + flavor, of(object{"service_type": "LOADBALANCERV2"}), refusal{400, "HTTPBadRequest", "Cannot update read-only attribute service_type"}},
		{"admin", "PUT", flavors + "/" + nobodysID, of(object{}), refusal{404, "FlavorNotFound", "Flavor " + nobodysID + " could not be found."}},
		{"admin", "GET", flavors + "/x", nil, refusal{404, "FlavorNotFound", "Flavor x could not be found."}},
		{"alice", "POST", flavors, of(object{"service_type": "LOADBALANCERV2"}), refusal{403, "PolicyNotAuthorized", "rule:create_flavor is disallowed by policy"}},
		{"alice", "PUT", flavors + "/" + flavor, of(object{}), refusal{403, "PolicyNotAuthorized", "rule:update_flavor is disallowed by policy"}},
		{"alice", "DELETE", flavors + "/" + flavor, nil, refusal{403, "PolicyNotAuthorized", "rule:delete_flavor is disallowed by policy"}},
		{"admin", "DELETE", flavors + "/" + used, nil, refusal{409, "FlavorInUse", "Flavor " + used + " is used by some service instance."}},
		{"admin", "GET", flavors + "?enabled=maybe", nil, refusal{400, "InvalidInput", "Invalid input for operation: 'maybe' cannot be converted to boolean."}},
		{"alice", "GET", "/v2.0/service-providers?default=maybe", nil, refusal{400, "InvalidInput", "Invalid input for operation: 'maybe' cannot be converted to boolean."}},
		{"admin", "GET", flavors + "?size=1", nil, refusal{400, "HTTPBadRequest", "['size'] is invalid attribute for filtering"}},
		{"admin", "GET", flavors + "/" + flavor + "/tags", nil, refusal{404, "HTTPNotFound", "The resource could not be found."}},

		{"admin", "POST", profiles, sp(object{}), refusal{400, "ServiceProfileEmpty", "Service Profile needs either a driver or metainfo."}},
		{"admin", "POST", profiles, sp(object{"driver": "no.such.Driver"}), refusal{404, "ServiceProfileDriverNotFound", "Service Profile driver no.such.Driver could not be found."}},
		{"admin", "POST", profiles, sp(object{"driver": "avi", "metainfo": "{'size': 1}"}), refusal{400, "HTTPBadRequest", "Invalid input for metainfo. Reason: The key size is not known.."}},
		{"admin", "POST", profiles, sp(object{"driver": "a.b.Bare", "metainfo": `{"b":1,"a":1}`}), refusal{400, "HTTPBadRequest", "Invalid input for metainfo. Reason: provider 'bare' knows no 'a', 'b'."}},
		{"admin", "POST", profiles, sp(object{"metainfo": object{}}), refusal{400, "HTTPBadRequest", "Invalid input for metainfo. Reason: '{}' is not a valid string."}},
		{"admin", "POST", profiles, sp(object{"metainfo": long}), refusal{400, "HTTPBadRequest", "Invalid input for metainfo. Reason: '" + long + "' exceeds maximum length of 4096."}},
		{"admin", "POST", profiles, sp(object{"driver": "away", "metainfo": "{'a': 1}"}), refusal{500, "HTTPInternalServerError", "Request Failed: internal server error while processing your request."}},
		{"admin", "PUT", profiles + "/" + off, sp(object{"driver": "avi"}), refusal{409, "ServiceProfileInUse", "Service Profile " + off + " is used by some service instance."}},
		{"admin", "DELETE", profiles + "/" + off, nil, refusal{409, "ServiceProfileInUse", "Service Profile " + off + " is used by some service instance."}},
		{"alice", "POST", profiles, sp(object{"driver": "avi"}), refusal{403, "PolicyNotAuthorized", "rule:create_service_profile is disallowed by policy"}},
		{"alice", "GET", profiles + "/" + off, nil, refusal{404, "ServiceProfileNotFound", "Service Profile " + off + " could not be found."}},
		{"alice", "DELETE", profiles + "/" + off, nil, refusal{404, "ServiceProfileNotFound", "Service Profile " + off + " could not be found."}},

		{"admin", "POST", flavors + "/" + flavor + "/service_profiles", sp(object{}), refusal{400, "HTTPBadRequest", "Failed to parse request. Required attribute 'id' not specified"}},
		{"admin", "POST", flavors + "/" + flavor + "/service_profiles", sp(object{"id": "x"}), refusal{400, "HTTPBadRequest", "Invalid input for id. Reason: 'x' is not a valid UUID."}},
		{"admin", "POST", flavors + "/" + flavor + "/service_profiles", sp(object{"id": nobodysID}), refusal{404, "ServiceProfileNotFound", "Service Profile " + nobodysID + " could not be found."}},
		{"admin", "POST", flavors + "/" + nobodysID + "/service_profiles", sp(object{"id": off}), refusal{404, "FlavorNotFound", "Flavor " + nobodysID + " could not be found."}},
		{"admin", "POST", flavors + "/" + disabled + "/service_profiles", sp(object{"id": off}), refusal{409, "FlavorServiceProfileBindingExists", "Service Profile " + off + " is already associated with flavor " + disabled + "."}},
		{"alice", "POST", flavors + "/" + flavor + "/service_profiles", sp(object{"id": off}), refusal{403, "PolicyNotAuthorized", "rule:create_flavor_service_profile is disallowed by policy"}},
		{"admin", "DELETE", flavors + "/" + flavor + "/service_profiles/" + off, nil, refusal{404, "FlavorServiceProfileBindingNotFound", "Service Profile " + off + " is not associated with flavor " + flavor + "."}},
		{"admin", "DELETE", flavors + "/" + flavor + "/service_profiles/x", nil, refusal{404, "FlavorServiceProfileBindingNotFound", "Service Profile x is not associated with flavor " + flavor + "."}},
		{"admin", "DELETE", flavors + "/" + used + "/service_profiles/" + bound, nil, refusal{409, "FlavorInUse", "Flavor " + used + " is used by some service instance."}},
		{"alice", "GET", flavors + "/" + nobodysID + "/next_providers", nil, refusal{404, "FlavorNotFound", "Flavor " + nobodysID + " could not be found."}},
		{"alice", "GET", flavors + "/" + flavor + "/next_providers", nil, refusal{404, "FlavorServiceProfileBindingNotFound", "Service Profile  is not associated with flavor " + flavor + "."}},
		{"alice", "GET", flavors + "/" + disabled + "/next_providers", nil, refusal{503, "ServiceProfileDisabled", "Service Profile is not enabled."}},
		{"alice", "GET", flavors + "/" + driverless + "/next_providers", nil, refusal{404, "ServiceProfileDriverNotFound", "Service Profile driver  could not be found."}},
	} {
		t.Run(fmt.Sprint(test.who, " ", test.method, " ", test.path, " ", test.want.Text[:min(40, len(test.want.Text))]), func(t *testing.T) {
			if diff := cmp.Diff(test.want, f.refused(test.who, test.method, test.path, test.body)); diff != "" {
				t.Errorf("%s %s %v (-want +got):\n%s", test.method, test.path, test.body, diff)
			}
		})
	}
}

func TestProviders(t *testing.T) {
	f := newFlavorFixture(t)
	provider := func(name string, isDefault bool) any {
		return object{"service_type": "LOADBALANCERV2", "name": name, "default": isDefault}
	}
	for query, want := range map[string][]any{
		"":                                       {provider("avi_one", false), provider("avi_two", true), provider("bare", false), provider("away", false)},
		"?default=True":                          {provider("avi_two", true)},
		"?name=bare&name=away":                   {provider("bare", false), provider("away", false)},
		"?service_type=VPN":                      {},
		"?fields=name&name=bare":                 {object{"name": "bare"}},
		"?service_type=LOADBALANCERV2&default=1": {provider("avi_two", true)},
		"?default=y":                             {provider("avi_two", true)},
	} {
		if diff := cmp.Diff(object{"service_providers": want}, f.want(200, "alice", "GET", "/v2.0/service-providers"+query, nil)); diff != "" {
			t.Errorf("service providers %s (-want +got):\n%s", query, diff)
		}
	}
	id := f.flavor(object{"name": "x", "enabled": "Off"})
	shown := f.want(200, "alice", "GET", "/v2.0/flavors?enabled=no&verbose=True&fields=name", nil) // as neutron flavor-list -D asks
	if diff := cmp.Diff(object{"flavors": []any{object{"name": "x"}}}, shown); diff != "" {
		t.Errorf("flavors that are off (-want +got):\n%s", diff)
	}
	f.associate(id, f.profile(object{"driver": aviDriver}))
	want := object{"next_providers": []any{object{"provider": "avi_two", "driver": aviDriver}}}
	if diff := cmp.Diff(want, f.want(200, "alice", "GET", "/v2.0/flavors/"+id+"/next_providers", nil)); diff != "" {
		t.Errorf("next providers (-want +got):\n%s", diff)
	}
}
