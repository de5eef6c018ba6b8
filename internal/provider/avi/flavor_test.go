package avi

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

func TestParseFlavorRefuses(t *testing.T) {
	for _, test := range []struct {
		name, data string
		kind       lbaas.Kind
		says       string
	}{
		{"bad key", `{"segroup": "x"}`, lbaas.Unsupported, "key 'segroup' is not known"},
		{"bad key without a value", `{"loadbalancer_topology": null}`, lbaas.Unsupported, "key 'loadbalancer_topology' is not known"},
		{"bad type of a reference", `{"se_group_ref": 7}`, lbaas.Invalid, "se_group_ref is not valid: 7."},
		{"bad empty reference", `{"se_group_ref": ""}`, lbaas.Invalid, `se_group_ref is not valid: "".`},
		{"bad name alone", `{"se_group_ref": "se-group-1"}`, lbaas.Invalid, "/api/serviceenginegroup?name=NAME"},
		{"bad kind", `{"se_group_ref": "/api/vrfcontext?name=a"}`, lbaas.Invalid, `kind "vrfcontext"`},
		{"bad empty name", `{"vrf_ref": "/api/vrfcontext?name="}`, lbaas.Invalid, "vrf_ref is not valid"},
		{"bad name and uuid", `{"vrf_ref": "/api/vrfcontext/vrfcontext-1?name=a"}`, lbaas.Invalid, "vrf_ref is not valid"},
		{"bad path", `{"vrf_ref": "/api/vrfcontext/a/b"}`, lbaas.Invalid, "vrf_ref is not valid"},
		{"bad URL", `{"vrf_ref": "http://[/api/vrfcontext"}`, lbaas.Invalid, "vrf_ref is not valid"},
		{"bad length", `{"vrf_ref": "/api/vrfcontext?name=` + strings.Repeat("x", 2000) + `"}`, lbaas.Invalid, "vrf_ref is not valid"},
		{"bad two spellings", `{"vrf_ref": "/api/vrfcontext?name=a", "vrf_context_ref": "/api/vrfcontext?name=b"}`, lbaas.Invalid, "two spellings"},
		{"bad boolean", `{"vrf_context_per_subnet": "maybe"}`, lbaas.Invalid, "true or false"},
		{"bad empty boolean", `{"vrf_context_per_subnet": ""}`, lbaas.Invalid, "true or false"},
		{"bad number", `{"vrf_context_per_subnet": 1}`, lbaas.Invalid, "true or false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseFlavor(flavorData(t, test.data))
			if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) || len(err.Error()) > 400 {
				t.Errorf("ParseFlavor(%.100s) = %v, want %s that says %q", test.data, err, test.kind, test.says)
			}
		})
	}
}

func TestParseFlavor(t *testing.T) {
	on, off := true, false
	for _, test := range []struct {
		data string
		want Flavor
	}{
		{`{}`, Flavor{}},
		{`{"se_group_ref": null, "vrf_context_per_subnet": null}`, Flavor{}},
		{`{"se_group_ref": "/api/serviceenginegroup?name=se-group-1"}`, Flavor{SEGroup: "/api/serviceenginegroup?name=se-group-1"}},
		{`{"se_group_ref": "/api/serviceenginegroup/?name=se group&cloud=C"}`, Flavor{SEGroup: "/api/serviceenginegroup?name=se+group"}},
		{`{"se_group_ref": "https://10.140.6.31/api/serviceenginegroup/serviceenginegroup-1#fast"}`,
			Flavor{SEGroup: "/api/serviceenginegroup/serviceenginegroup-1"}},
		{`{"se_group_ref": "api/serviceenginegroup/serviceenginegroup-1/"}`, Flavor{SEGroup: "/api/serviceenginegroup/serviceenginegroup-1"}},
		{`{"vrf_ref": "vrfcontext-6907ad2f-7160-4a1c-8815-ec3dbc409556"}`,
			Flavor{VRF: "/api/vrfcontext/vrfcontext-6907ad2f-7160-4a1c-8815-ec3dbc409556"}},
		{`{"vrf_context_ref": "/api/vrfcontext?name=red", "vrf_ref": "/api/vrfcontext/?name=red"}`, Flavor{VRF: "/api/vrfcontext?name=red"}},
		{`{"vrf_context_per_subnet": true}`, Flavor{VRFPerSubnet: &on}},
		{`{"vrf_context_per_subnet": "True"}`, Flavor{VRFPerSubnet: &on}},
		{`{"vrf_context_per_subnet": "1"}`, Flavor{VRFPerSubnet: &on}},
		{`{"vrf_context_per_subnet": false}`, Flavor{VRFPerSubnet: &off}},
		{`{"vrf_context_per_subnet": "False"}`, Flavor{VRFPerSubnet: &off}},
		{`{"vrf_context_per_subnet": " no "}`, Flavor{VRFPerSubnet: &off}},
	} {
		got, err := ParseFlavor(flavorData(t, test.data))
		if err != nil {
			t.Errorf("ParseFlavor(%s): %v", test.data, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ParseFlavor(%s) (-want +got):\n%s", test.data, diff)
		}
	}
}

func flavorData(t *testing.T, text string) map[string]any {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzFlavorRef shows that what is read as a reference is read as the same again.
func FuzzFlavorRef(f *testing.F) {
	for _, seed := range []string{
		"/api/vrfcontext?name=a b", "vrfcontext-1", "https://c/api/vrfcontext/vrfcontext-1#x", "/api/vrfcontext/%2F", "", "?#/", "/api/vrfcontext/?name=%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, why := flavorRef(kindVRF, text)
		if (ref == "") == (why == "") {
			t.Fatalf("flavorRef(%q) = %q, %q", text, ref, why)
		}
		if ref == "" || len(ref) > maxFlavorRef {
			return
		}
		if again, why := flavorRef(kindVRF, ref); again != ref {
			t.Errorf("flavorRef(%q) = %q, which reads as %q: %s", text, ref, again, why)
		}
	})
}
