package octavia

import (
	"encoding/json"
	"testing"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// FuzzCatalogForms is FuzzForms for what stands beside the trees.
func FuzzCatalogForms(f *testing.F) {
	f.Add([]byte(`{"name":"x","description":null,"enabled":"off","flavor_profile_id":"6D425A5E-429F-4848-B240-AB31C6D211E4"}`))
	f.Add([]byte(`{"name":"","provider_name":"noop","flavor_data":"{\"a\":[1]}","availability_zone_data":"[]"}`))
	f.Add([]byte(`{"load_balancer":1,"loadbalancer":null,"health_monitor":"-1","pool":2000000001,"listener":1e3,"l7rule":[]}`))
	f.Add([]byte(`{"new_flavor_id":"x","name":"a\u0000b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		given, err := web.ParseObject(data)
		if err != nil {
			return
		}
		for _, create := range []bool{true, false} {
			for noun, read := range catalogReaders {
				tryCatalogForm(t, noun, newForm("arg", given, create), read)
			}
		}
	})
}

// catalogReaders read a noun and return it with what bounds it, and how it is shown.
var catalogReaders = map[string]func(f *form) (validate func() error, shown any){
	"flavor": func(f *form) (func() error, any) {
		var x lbaas.Flavor
		readFlavor(f, &x)
		return x.Validate, flavorOf(&x, view{})
	},
	"flavor profile": func(f *form) (func() error, any) {
		var x lbaas.FlavorProfile
		readFlavorProfile(f, &x)
		return x.Validate, flavorProfileOf(&x, view{})
	},
	"zone": func(f *form) (func() error, any) {
		var x lbaas.AvailabilityZone
		readZone(f, &x)
		return x.Validate, zoneOf(&x, view{})
	},
	"zone profile": func(f *form) (func() error, any) {
		var x lbaas.AvailabilityZoneProfile
		readZoneProfile(f, &x)
		return x.Validate, zoneProfileOf(&x, view{})
	},
	"quota": func(f *form) (func() error, any) {
		q := lbaas.Quota{Limits: map[lbaas.Noun]int{}}
		readQuota(f, &q)
		return func() error {
			for _, n := range q.Limits {
				if err := lbaas.Between("quota", n, lbaas.Unlimited, lbaas.MaxQuota); err != nil {
					return err
				}
			}
			return nil
		}, q
	},
	"resize": func(f *form) (func() error, any) {
		var id string
		readNewFlavor(f, &id)
		return func() error { return nil }, id
	},
}

// tryCatalogForm shows that all errors are the user's, and that what is taken is within its bounds and has JSON.
func tryCatalogForm(t *testing.T, noun string, f *form, read func(f *form) (func() error, any)) {
	t.Helper()
	validate, shown := read(f)
	if err := f.done(); err != nil {
		userError(t, noun, err)
		return
	}
	if err := validate(); err != nil {
		t.Errorf("%s is taken against its bounds: %v", noun, err)
	}
	if _, err := json.Marshal(shown); err != nil {
		t.Errorf("%s has no JSON: %v", noun, err)
	}
}

// FuzzProfileData feeds anything to the reader of profiles' data: it is an object, or the error is the user's.
func FuzzProfileData(f *testing.F) {
	for _, text := range []string{"", "{}", "null", "[]", `{"a":1}`, `{"a":{"b":[null,true]}} `, `{"a":1}{}`, `{"a":1e999}`, "\x00", "{\"\xff\":1}", "{'a': ['b', True, None, 1.5]}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := lbaas.JSONOfPython(text)
		if json.Valid([]byte(text)) && read != text {
			t.Errorf("JSON %q becomes %q", text, read)
		}
		data, err := parseData("flavor_data", read)
		if err != nil {
			userError(t, "data", err)
			return
		}
		if data == nil || !json.Valid([]byte(read)) {
			t.Errorf("%q gives %v", text, data)
		}
		topology(data) // which anything may be
	})
}
