package octavia_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/provider/noop"
	"plimsoll/lbaas"
)

const (
	nilID      = "00000000-0000-0000-0000-000000000000"
	nobodysID  = "11111111-2222-4333-8444-555555555555"
	noFlavors  = "Provider 'bare' does not support a requested action: This provider does not support validating flavors."
	noZones    = "Provider 'bare' does not support a requested action: This provider does not support validating availability zones."
	notAllowed = "Policy does not allow this request to be performed."
)

// picky is a provider that takes no data but {"size": …}, and cannot be asked about {"boom": …}.
func picky() provider.Face {
	check := func(_ context.Context, data map[string]any) error {
		for key := range data {
			switch key {
			case "size", "valid_vip_networks":
			case "boom":
				return errors.New("connection refused by 10.1.2.3")
			default:
				return lbaas.Errorf(lbaas.Unsupported, "Provider 'picky' does not support a requested option: %s", key)
			}
		}
		return nil
	}
	return provider.Face{
		Name: "picky", Aliases: []string{"fussy"}, CheckFlavor: check, CheckZone: check,
		Capabilities: provider.Capabilities{
			FlavorKeys: []provider.Key{{Name: "size", Description: "How large."}, {Name: "color", Description: "Which color."}},
		},
	}
}

// newCatalogCloud is a cloud with the providers haproxy, noop, picky, and bare, which has nothing, for an admin.
func newCatalogCloud(t testing.TB) *cloud {
	t.Helper()
	c := newCloud(t)
	c.serve(c.catalogConfig())
	return c.as("admin")
}

func (c *cloud) catalogConfig() octavia.Config {
	return octavia.Config{
		Store: c.store, Networks: c.store, Auth: everybody(), Host: "host-1",
		Providers: []provider.Face{haproxy.Face(), noop.Face(), picky(), {Name: "bare"}},
	}
}

// flavor makes a flavor of a provider and returns its id.
func (c *cloud) flavor(provider, data string) string {
	c.t.Helper()
	return c.make("/flavors", "flavor", object{"name": uuid.NewString(), "flavor_profile_id": c.flavorProfile(provider, data)})["id"].(string)
}

func (c *cloud) flavorProfile(provider, data string) string {
	c.t.Helper()
	return c.make("/flavorprofiles", "flavorprofile", object{"name": "p", "provider_name": provider, "flavor_data": data})["id"].(string)
}

// zone makes an availability zone of a provider and returns its name.
func (c *cloud) zone(provider, data string) string {
	c.t.Helper()
	return c.make("/availabilityzones", "availability_zone",
		object{"name": uuid.NewString(), "availability_zone_profile_id": c.zoneProfile(provider, data)})["name"].(string)
}

func (c *cloud) zoneProfile(provider, data string) string {
	c.t.Helper()
	return c.make("/availabilityzoneprofiles", "availability_zone_profile",
		object{"name": "p", "provider_name": provider, "availability_zone_data": data})["id"].(string)
}

// attempt is a request and the fault that answers it, or a code where the text is "".
type attempt struct {
	name, method, path string
	body               any
	code               int
	text               string
}

func (c *cloud) attempts(t *testing.T, list []attempt) {
	for _, a := range list {
		t.Run(a.name, func(t *testing.T) {
			got := c.do(a.method, root+a.path, a.body)
			if a.text != "" {
				got.fault(t, a.code, a.text)
			} else if got.code != a.code {
				t.Errorf("%s %s: %d %s, want %d", a.method, a.path, got.code, got.raw, a.code)
			}
		})
	}
}

// enabledSamples are those of an attribute that is on unless a request says otherwise.
func enabledSamples() []sample {
	return []sample{
		{"enabled", `"maybe"`, nil, invalid("enabled", "maybe", notBoolean)},
		{"enabled", `null`, nil, "None is not a valid option for enabled"},
		{"enabled", `false`, false, ""},
		{"enabled", `"off"`, false, ""},
		{"enabled", `"Yes"`, true, ""},
	}
}

// nameSamples are those of a name that must be there.
func nameSamples() []sample {
	all := slices.DeleteFunc(commonSamples(), func(s sample) bool { return s.attribute != "name" })
	return slices.DeleteFunc(all, func(s sample) bool { return s.value == "null" })
}

func TestFlavorAttributes(t *testing.T) {
	c := newCatalogCloud(t)
	profile := c.flavorProfile("noop", "{}")
	n := noun{collection: "/flavors", key: "flavor", base: object{"name": "small", "flavor_profile_id": profile}}
	samples := slices.Concat(nameSamples(), described(), enabledSamples())
	n.creates(t, c, append(samples,
		sample{"flavor_profile_id", `"x"`, nil, invalid("flavor_profile_id", "x", notUUID)},
		sample{"flavor_profile_id", `7`, nil, invalid("flavor_profile_id", "7", notUUID)},
		sample{"flavor_profile_id", `"` + strings.ToUpper(profile) + `"`, profile, ""},
	))
	n.updates(t, c, nil, append(samples, sample{"name", `null`, nil, "None is not a valid option for name"}))
	n.required(t, c, "name", "flavor_profile_id")
	n.readOnly(t, c, "flavor_.flavor", "flavor_profile_id")

	made := c.make("/flavors", "flavor", n.base)
	want := object{"id": made["id"], "name": "small", "description": "", "enabled": true, "flavor_profile_id": profile}
	for _, got := range []object{made, c.show(n.path(made), "flavor"), c.put(n.path(made), "flavor", object{})} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("flavor (-want +got):\n%s", diff)
		}
	}
}

func TestFlavorFaults(t *testing.T) {
	c := newCatalogCloud(t)
	profile := c.flavorProfile("noop", "{}")
	used, free := c.flavor("noop", "{}"), c.flavor("noop", "{}")
	c.put("/flavors/"+used, "flavor", object{"name": "taken"})
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "flavor_id": used})["id"].(string)
	one := object{"flavor": object{}}
	c.attempts(t, []attempt{
		{"bad body", "POST", "/flavors", "{", 400, "Request is not in valid JSON format"},
		{"bad: no body", "POST", "/flavors", nil, 400, `Missing argument: "flavor_"`},
		{"bad: no envelope", "POST", "/flavors", object{}, 400, `Missing argument: "flavor_.flavor"`},
		{"bad attribute", "POST", "/flavors", object{"flavor": object{"id": "x"}}, 400, "Unknown attribute for argument flavor_.flavor: id"},
		{"unknown profile", "POST", "/flavors", object{"flavor": object{"name": "n", "flavor_profile_id": nobodysID}}, 404, "Flavor Profile " + nobodysID + " not found."},
		{"taken name", "POST", "/flavors", object{"flavor": object{"name": "taken", "flavor_profile_id": profile}}, 409, "A flavor of taken already exists."},
		{"taken name in PUT", "PUT", "/flavors/" + free, object{"flavor": object{"name": "taken"}}, 409, "A flavor of taken already exists."},
		{"own name in PUT", "PUT", "/flavors/" + used, object{"flavor": object{"name": "taken"}}, 200, ""},
		{"unknown", "GET", "/flavors/" + nobodysID, nil, 404, "Flavor " + nobodysID + " not found."},
		{"unknown in PUT", "PUT", "/flavors/" + nobodysID, one, 404, "Flavor " + nobodysID + " not found."},
		{"unknown in DELETE", "DELETE", "/flavors/" + nobodysID, nil, 404, "Flavor " + nobodysID + " not found."},
		{"nil", "GET", "/flavors/" + nilID, nil, 404, "Flavor " + nilID + " not found."},
		{"nil in PUT", "PUT", "/flavors/" + nilID, one, 404, "Flavor " + nilID + " not found."},
		{"nil in DELETE", "DELETE", "/flavors/" + nilID, nil, 404, "Flavor " + nilID + " not found."},
		{"used", "DELETE", "/flavors/" + used, nil, 409, "Flavor " + used + " is in use and cannot be modified."},
		{"used can change", "PUT", "/flavors/" + used, object{"flavor": object{"enabled": false, "description": "d"}}, 200, ""},
		{"bad PUT of all", "PUT", "/flavors", one, 400, `Missing argument: "id"`},
		{"bad DELETE of all", "DELETE", "/flavors", nil, 400, `Missing argument: "flavor_id"`},
		{"free", "DELETE", "/flavors/" + free, nil, 204, ""},
		{"gone", "DELETE", "/flavors/" + free, nil, 404, "Flavor " + free + " not found."},
	})
	c.must(204, "DELETE", "/loadbalancers/"+lb, nil)
	c.must(204, "DELETE", "/flavors/"+used, nil) // what is wanted deleted uses nothing
}

func TestFlavorProfileAttributes(t *testing.T) {
	c := newCatalogCloud(t)
	n := noun{collection: "/flavorprofiles", key: "flavorprofile",
		base: object{"name": "p", "provider_name": "noop", "flavor_data": "{}"}}
	samples := append(nameSamples(), dataSamples("flavor_data")...)
	n.creates(t, c, samples)
	n.updates(t, c, nil, append(samples,
		sample{"name", `null`, nil, "None is not a valid option for name"},
		sample{"provider_name", `null`, nil, "None is not a valid option for provider_name"},
		sample{"flavor_data", `null`, nil, "None is not a valid option for flavor_data"},
	))
	n.required(t, c, "name", "provider_name", "flavor_data")
	n.readOnly(t, c, "flavor_profile_.flavorprofile", "description", "enabled")

	made := c.make("/flavorprofiles", "flavorprofile", n.base)
	want := object{"id": made["id"], "name": "p", "provider_name": "noop", "flavor_data": "{}"}
	for _, got := range []object{made, c.show(n.path(made), n.key), c.put(n.path(made), n.key, object{})} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("profile (-want +got):\n%s", diff)
		}
	}
}

// dataSamples are those of a profile's provider and data. Faults of other codes than 400 are in tests of their own.
func dataSamples(attribute string) []sample {
	long := `{"a":"` + strings.Repeat("x", 4096-8) + `"}`
	quoted := func(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }
	return []sample{
		{attribute, `7`, nil, invalid(attribute, "7", notString)},
		{attribute, `{"a":1}`, nil, invalid(attribute, `{"a":1}`, notString)},
		{attribute, `""`, nil, " is not a valid option for " + attribute},
		{attribute, `"a"`, nil, "a is not a valid option for " + attribute},
		{attribute, `"{"`, nil, "{ is not a valid option for " + attribute},
		{attribute, `"{} {}"`, nil, "{} {} is not a valid option for " + attribute},
		{attribute, `"[]"`, nil, "[] is not a valid option for " + attribute},
		{attribute, `"null"`, nil, "null is not a valid option for " + attribute},
		{attribute, quoted(long + " "), nil, invalid(attribute, long+" ", "Value should have a maximum character requirement of 4096")},
		{attribute, quoted(long), long, ""},
		{attribute, quoted(` {"b": [1, null, {"c": true}]} `), ` {"b": [1, null, {"c": true}]} `, ""},
		{"provider_name", `7`, nil, invalid("provider_name", "7", notString)},
		{"provider_name", `"` + strings.Repeat("p", 256) + `"`, nil, invalid("provider_name", strings.Repeat("p", 256), tooLong)},
		{"provider_name", `"avi"`, nil, "Provider 'avi' is not enabled."},
		{"provider_name", `""`, nil, "Provider '' is not enabled."},
		{"provider_name", `"noop_driver"`, "noop_driver", ""},
	}
}

func TestFlavorProfileFaults(t *testing.T) {
	c := newCatalogCloud(t)
	profile := func(provider, data string) object {
		return object{"flavorprofile": object{"name": "p", "provider_name": provider, "flavor_data": data}}
	}
	put := func(attributes object) object { return object{"flavorprofile": attributes} }
	used, free := c.flavorProfile("picky", `{"size":1}`), c.flavorProfile("picky", `{}`)
	f := c.make("/flavors", "flavor", object{"name": "f", "flavor_profile_id": used})["id"].(string)
	const color = "Provider 'picky' does not support a requested option: color"
	const boom = "Provider 'picky' reports error: it could not be asked. Its request id is in the header x-openstack-request-id."
	inUse := "Flavor profile " + used + " is in use and cannot be modified."
	c.attempts(t, []attempt{
		{"no flavors", "POST", "/flavorprofiles", profile("bare", "{}"), 501, noFlavors},
		{"refused", "POST", "/flavorprofiles", profile("picky", `{"color":"red"}`), 501, color},
		{"cannot be asked", "POST", "/flavorprofiles", profile("fussy", `{"boom":1}`), 500, boom},
		{"bad data comes first", "POST", "/flavorprofiles", profile("avi", `x`), 400, "x is not a valid option for flavor_data"},
		{"refused in PUT", "PUT", "/flavorprofiles/" + free, put(object{"flavor_data": `{"color":1}`}), 501, color},
		{"refused by another provider", "PUT", "/flavorprofiles/" + free, put(object{"provider_name": "bare"}), 501, noFlavors},
		{"another provider", "PUT", "/flavorprofiles/" + free, put(object{"provider_name": "noop", "flavor_data": `{"color":1}`}), 200, ""},
		{"refused with the data that are there", "PUT", "/flavorprofiles/" + free, put(object{"provider_name": "picky"}), 501, color},
		{"used: data", "PUT", "/flavorprofiles/" + used, put(object{"flavor_data": `{"size":2}`}), 409, inUse},
		{"used: provider", "PUT", "/flavorprofiles/" + used, put(object{"provider_name": "noop"}), 409, inUse},
		{"used: name", "PUT", "/flavorprofiles/" + used, put(object{"name": "q"}), 200, ""},
		{"used: the same data", "PUT", "/flavorprofiles/" + used, put(object{"flavor_data": `{"size":1}`, "provider_name": "picky"}), 200, ""},
		{"used: nothing", "PUT", "/flavorprofiles/" + used, put(object{}), 200, ""},
		{"used: DELETE", "DELETE", "/flavorprofiles/" + used, nil, 409, inUse},
		{"unknown", "GET", "/flavorprofiles/" + nobodysID, nil, 404, "Flavor Profile " + nobodysID + " not found."},
		{"unknown in PUT", "PUT", "/flavorprofiles/" + nobodysID, put(object{}), 404, "Flavor Profile " + nobodysID + " not found."},
		{"unknown in DELETE", "DELETE", "/flavorprofiles/" + nobodysID, nil, 404, "Flavor profile " + nobodysID + " not found."},
		{"nil", "GET", "/flavorprofiles/" + nilID, nil, 404, "Flavor profile " + nilID + " not found."},
		{"nil in PUT", "PUT", "/flavorprofiles/" + nilID, put(object{}), 404, "Flavor profile " + nilID + " not found."},
		{"nil in DELETE", "DELETE", "/flavorprofiles/" + nilID, nil, 404, "Flavor profile " + nilID + " not found."},
		{"free", "DELETE", "/flavorprofiles/" + free, nil, 204, ""},
		{"the flavor", "DELETE", "/flavors/" + f, nil, 204, ""},
		{"used no more: data", "PUT", "/flavorprofiles/" + used, put(object{"flavor_data": `{"size":2}`}), 200, ""},
		{"used no more", "DELETE", "/flavorprofiles/" + used, nil, 204, ""},
	})
}

func TestZoneAttributes(t *testing.T) {
	c := newCatalogCloud(t)
	profile := c.zoneProfile("noop", "{}")
	n := noun{collection: "/availabilityzones", key: "availability_zone",
		base: object{"name": "here", "availability_zone_profile_id": profile}}
	samples := slices.Concat(described(), enabledSamples())
	long := strings.Repeat("é", 255)
	n.creates(t, c, append(samples,
		sample{"name", `7`, nil, invalid("name", "7", notString)},
		sample{"name", `""`, nil, invalid("name", "", notEmpty)},
		sample{"name", `"` + long + `x"`, nil, invalid("name", long+"x", tooLong)},
		sample{"name", `"a\u0000b"`, nil, invalid("name", "a\x00b", "Value should not contain a NUL character")},
		sample{"name", `"a/b"`, nil, invalid("name", "a/b", "Value should be able to stand in a path")},
		sample{"name", `"a.json"`, nil, invalid("name", "a.json", "Value should be able to stand in a path")},
		sample{"name", `".."`, nil, invalid("name", "..", "Value should be able to stand in a path")},
		sample{"availability_zone_profile_id", `"x"`, nil, invalid("availability_zone_profile_id", "x", notUUID)},
	))
	n.updates(t, c, nil, samples)
	n.required(t, c, "name", "availability_zone_profile_id")
	n.readOnly(t, c, "availability_zone_.availability_zone", "name", "availability_zone_profile_id")

	made := c.make(n.collection, n.key, n.base)
	want := object{"name": "here", "description": "", "enabled": true, "availability_zone_profile_id": profile}
	for _, got := range []object{made, c.show(n.path(made), n.key), c.put(n.path(made), n.key, object{})} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("zone (-want +got):\n%s", diff)
		}
	}
	for _, name := range []string{long, "a b", "ü", "50%", "?q#f", ".a"} {
		c.make(n.collection, n.key, object{"name": name, "availability_zone_profile_id": profile})
		path := n.collection + "/" + escape(name)
		if got := c.show(path, n.key)["name"]; got != name {
			t.Errorf("GET %s shows %v", path, got)
		}
		c.must(204, "DELETE", path, nil)
	}
}

func escape(name string) string {
	return strings.NewReplacer("%", "%25", " ", "%20", "?", "%3F", "#", "%23").Replace(name)
}

func TestZoneFaults(t *testing.T) {
	c := newCatalogCloud(t)
	profile := c.zoneProfile("noop", "{}")
	used, free := c.zone("noop", "{}"), c.zone("noop", "{}")
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "provider": "noop", "availability_zone": used})["id"].(string)
	one := object{"availability_zone": object{}}
	zone := func(name, profile string) object {
		return object{"availability_zone": object{"name": name, "availability_zone_profile_id": profile}}
	}
	const noun = "Availability Zone "
	tooLong := strings.Repeat("x", 256)
	c.attempts(t, []attempt{
		{"bad: no envelope", "POST", "/availabilityzones", object{}, 400, `Missing argument: "availability_zone_.availability_zone"`},
		{"unknown profile", "POST", "/availabilityzones", zone("n", nobodysID), 404, "Availability Zone Profile " + nobodysID + " not found."},
		{"taken name", "POST", "/availabilityzones", zone(used, profile), 409, "A availability zone of " + used + " already exists."},
		{"nobody's name", "POST", "/availabilityzones", zone(nilID, profile), 409, "A availability zone of " + nilID + " already exists."},
		{"bad PUT of all", "PUT", "/availabilityzones", one, 400, `Missing argument: "name"`},
		{"bad DELETE of all", "DELETE", "/availabilityzones/", nil, 400, `Missing argument: "availability_zone_name"`},
		{"unknown", "GET", "/availabilityzones/nowhere", nil, 404, noun + "nowhere not found."},
		{"unknown: too long", "GET", "/availabilityzones/" + tooLong, nil, 404, noun + tooLong + " not found."},
		{"unknown: NUL", "GET", "/availabilityzones/a%00%ff", nil, 404, noun + "a\x00? not found."},
		{"unknown in PUT", "PUT", "/availabilityzones/nowhere", one, 404, noun + "nowhere not found."},
		{"unknown in DELETE", "DELETE", "/availabilityzones/nowhere", nil, 404, noun + "nowhere not found."},
		{"nil", "GET", "/availabilityzones/" + nilID, nil, 404, noun + nilID + " not found."},
		{"nil in DELETE", "DELETE", "/availabilityzones/" + nilID, nil, 404, noun + nilID + " not found."},
		{"used", "DELETE", "/availabilityzones/" + used, nil, 409, noun + used + " is in use and cannot be modified."},
		{"used can change", "PUT", "/availabilityzones/" + used, object{"availability_zone": object{"enabled": false}}, 200, ""},
		{"free", "DELETE", "/availabilityzones/" + free, nil, 204, ""},
		{"gone", "GET", "/availabilityzones/" + free, nil, 404, noun + free + " not found."},
	})
	c.must(204, "DELETE", "/loadbalancers/"+lb, nil)
	c.must(204, "DELETE", "/availabilityzones/"+used, nil)
}

func TestZoneProfileAttributes(t *testing.T) {
	c := newCatalogCloud(t)
	const data = "availability_zone_data"
	n := noun{collection: "/availabilityzoneprofiles", key: "availability_zone_profile",
		base: object{"name": "p", "provider_name": "noop", data: "{}"}}
	samples := append(nameSamples(), dataSamples(data)...)
	n.creates(t, c, samples)
	n.updates(t, c, nil, append(samples,
		sample{"name", `null`, nil, "None is not a valid option for name"},
		sample{"provider_name", `null`, nil, "None is not a valid option for provider_name"},
		sample{data, `null`, nil, "None is not a valid option for " + data},
	))
	n.required(t, c, "name", "provider_name", data)
	n.readOnly(t, c, "availability_zone_profile_.availability_zone_profile", "description", "enabled")

	made := c.make(n.collection, n.key, n.base)
	want := object{"id": made["id"], "name": "p", "provider_name": "noop", data: "{}"}
	for _, got := range []object{made, c.show(n.path(made), n.key), c.put(n.path(made), n.key, object{})} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("profile (-want +got):\n%s", diff)
		}
	}
}

func TestZoneProfileFaults(t *testing.T) {
	c := newCatalogCloud(t)
	profile := func(provider, data string) object {
		return object{"availability_zone_profile": object{"name": "p", "provider_name": provider, "availability_zone_data": data}}
	}
	put := func(attributes object) object { return object{"availability_zone_profile": attributes} }
	used, free := c.zoneProfile("picky", `{"size":1}`), c.zoneProfile("picky", `{}`)
	c.make("/availabilityzones", "availability_zone", object{"name": "z", "availability_zone_profile_id": used})
	const color = "Provider 'picky' does not support a requested option: color"
	const noun = "Availability Zone Profile "
	const path = "/availabilityzoneprofiles"
	inUse := noun + used + " is in use and cannot be modified."
	c.attempts(t, []attempt{
		{"no zones", "POST", path, profile("bare", "{}"), 501, noZones},
		{"refused", "POST", path, profile("picky", `{"color":"red"}`), 501, color},
		{"refused in PUT", "PUT", path + "/" + free, put(object{"availability_zone_data": `{"color":1}`}), 501, color},
		{"refused by another provider", "PUT", path + "/" + free, put(object{"provider_name": "bare"}), 501, noZones},
		{"used: data", "PUT", path + "/" + used, put(object{"availability_zone_data": `{"size":2}`}), 409, inUse},
		{"used: provider", "PUT", path + "/" + used, put(object{"provider_name": "noop"}), 409, inUse},
		{"used: name", "PUT", path + "/" + used, put(object{"name": "q"}), 200, ""},
		{"used: DELETE", "DELETE", path + "/" + used, nil, 409, inUse},
		{"unknown", "GET", path + "/" + nobodysID, nil, 404, noun + nobodysID + " not found."},
		{"unknown in PUT", "PUT", path + "/" + nobodysID, put(object{}), 404, noun + nobodysID + " not found."},
		{"unknown in DELETE", "DELETE", path + "/" + nobodysID, nil, 404, noun + nobodysID + " not found."},
		{"nil", "GET", path + "/" + nilID, nil, 404, noun + nilID + " not found."},
		{"free", "DELETE", path + "/" + free, nil, 204, ""},
		{"the zone", "DELETE", "/availabilityzones/z", nil, 204, ""},
		{"used no more", "DELETE", path + "/" + used, nil, 204, ""},
	})
}

// TestCatalogLists asks every list of the catalog for its keys, pages, orders, filters and fields.
func TestCatalogLists(t *testing.T) {
	c := newCatalogCloud(t)
	var profiles, zoneProfiles []string
	for _, name := range []string{"a", "b", "c"} {
		profiles = append(profiles, c.make("/flavorprofiles", "flavorprofile", object{"name": name, "provider_name": "noop", "flavor_data": "{}"})["id"].(string))
		zoneProfiles = append(zoneProfiles, c.make("/availabilityzoneprofiles", "availability_zone_profile",
			object{"name": name, "provider_name": "noop", "availability_zone_data": "{}"})["id"].(string))
		c.make("/flavors", "flavor", object{"name": name, "enabled": name != "b", "flavor_profile_id": profiles[0]})
		c.make("/availabilityzones", "availability_zone", object{"name": name, "enabled": name != "b", "availability_zone_profile_id": zoneProfiles[0]})
	}
	for _, l := range []struct{ path, plural, links, key, filter string }{
		{"/flavors", "flavors", "flavors_links", "id", "flavor_profile_id=" + profiles[0] + "&enabled=true"},
		{"/flavorprofiles", "flavorprofiles", "flavorprofile_links", "id", "provider_name=noop"},
		{"/availabilityzones", "availability_zones", "availability_zones_links", "name", "enabled=True"},
		{"/availabilityzoneprofiles", "availability_zone_profiles", "availability_zone_profile_links", "id", "provider_name=noop"},
	} {
		t.Run(l.plural, func(t *testing.T) {
			names := func(query string) string {
				body := c.must(200, "GET", l.path+query, nil).body
				if len(body) != 2 || body[l.links] == nil {
					t.Fatalf("GET %s%s has %v", l.path, query, body)
				}
				var out string
				for _, one := range body[l.plural].([]any) {
					out += one.(object)["name"].(string)
				}
				return out
			}
			for query, want := range map[string]string{
				"": "abc", "?sort=name:desc": "cba", "?sort_key=name&sort_dir=desc": "cba", "?limit=2": "ab", "?name=b": "b", "?name=x": "",
				"?fields=name&fields=id": "abc", "?sort=name:desc&limit=1": "c",
			} {
				if got := names(query); got != want {
					t.Errorf("GET %s%s: %q, want %q", l.path, query, got, want)
				}
			}
			if got := names("?" + l.filter); !strings.Contains(got, "a") || !strings.Contains(got, "c") {
				t.Errorf("GET %s?%s: %q", l.path, l.filter, got)
			}
			c.pages(t, l.path+"?limit=1&sort=name:desc&fields="+l.key+"&fields=name", l.plural, l.links, "c", "b", "a")
			bad := []string{"?project_id=x", "?nonsense=1", "?tenant_id=x", "?name=a&name=b", "?created_at=2020-01-01T00:00:00"}
			if l.key != "id" {
				bad = append(bad, "?id=a")
				c.do(http.MethodGet, root+l.path+"?sort=id", nil).fault(t, 400, "Supplied sort key 'id' is not valid.")
			}
			for _, bad := range bad {
				c.do(http.MethodGet, root+l.path+bad, nil).fault(t, 400, "One or more arguments are either duplicate or invalid")
			}
			c.do(http.MethodGet, root+l.path+"?sort=color", nil).fault(t, 400, "Supplied sort key 'color' is not valid.")
			c.do(http.MethodGet, root+l.path+"?sort=created_at", nil).fault(t, 400, "Supplied sort key 'created_at' is not valid.")
			c.do(http.MethodGet, root+l.path+"?marker=nothing", nil).fault(t, 400, "Supplied pagination marker 'nothing' is not valid.")
			c.do(http.MethodGet, root+l.path+"?limit=x", nil).fault(t, 400, "Supplied pagination limit 'x' is not valid.")
		})
	}
	one := c.must(200, "GET", "/availabilityzones/a?fields=name", nil).raw
	if one != `{"availability_zone":{"name":"a"}}` {
		t.Errorf("GET one with fields: %s", one)
	}
}

// pages follows the next links, each of which leads to one row.
func (c *cloud) pages(t *testing.T, path, plural, links string, names ...string) {
	t.Helper()
	next := c.server.URL + root + path
	for i, name := range names {
		a := c.do(http.MethodGet, next, nil)
		rows, _ := a.body[plural].([]any)
		if len(rows) != 1 || rows[0].(object)["name"] != name {
			t.Fatalf("page %d at %s: %d %s", i, next, a.code, a.raw)
		}
		next = ""
		for _, l := range a.body[links].([]any) {
			if l.(object)["rel"] == "next" {
				next = l.(object)["href"].(string)
			}
		}
		if next == "" {
			t.Fatalf("page %d has no next: %s", i, a.raw)
		}
	}
	if a := c.do(http.MethodGet, next, nil); a.code != 200 || len(a.body[plural].([]any)) != 0 {
		t.Errorf("behind the last page: %d %s", a.code, a.raw)
	}
}

// TestProfileChangedMeanwhile shows that what is written is what the provider has judged.
func TestProfileChangedMeanwhile(t *testing.T) {
	c := newCatalogCloud(t)
	profile, zoneProfile := c.flavorProfile("noop", "{}"), c.zoneProfile("noop", "{}")
	other := func(context.Context, map[string]any) error {
		_, err := c.store.UpdateFlavorProfile(t.Context(), profile, func(p *lbaas.FlavorProfile) error { p.Data = `{"other":1}`; return nil })
		return err
	}
	otherZone := func(context.Context, map[string]any) error {
		_, err := c.store.UpdateAvailabilityZoneProfile(t.Context(), zoneProfile,
			func(p *lbaas.AvailabilityZoneProfile) error { p.Data = `{"other":1}`; return nil })
		return err
	}
	config := c.catalogConfig()
	config.Providers = append(config.Providers, provider.Face{Name: "slow", CheckFlavor: other, CheckZone: otherZone})
	c.serve(config)
	c.attempts(t, []attempt{
		{"flavor profile", "PUT", "/flavorprofiles/" + profile, object{"flavorprofile": object{"provider_name": "slow"}}, 409,
			"Flavor profile " + profile + " was changed by another request. Please try again."},
		{"zone profile", "PUT", "/availabilityzoneprofiles/" + zoneProfile, object{"availability_zone_profile": object{"provider_name": "slow"}}, 409,
			"Availability Zone Profile " + zoneProfile + " was changed by another request. Please try again."},
	})
	if got := c.show("/flavorprofiles/"+profile, "flavorprofile"); got["provider_name"] != "noop" || got["flavor_data"] != `{"other":1}` {
		t.Errorf("profile %v", got)
	}
}
