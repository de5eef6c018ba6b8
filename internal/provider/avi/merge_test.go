package avi

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// decode reads JSON as the client does.
func decode(t interface{ Fatal(...any) }, text string) controller.Object {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var o controller.Object
	if err := d.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// asJSON is an object as it goes over the wire.
func asJSON(t interface{ Fatal(...any) }, v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMerge(t *testing.T) {
	m := mark{"lb", stamp{2, 7}}
	const marked = `"description": "plimsoll lb 2.7"`
	for _, test := range []struct {
		name   string
		kind   string
		known  string
		wanted controller.Object
		merged string
		diff   []string
	}{
		{
			"bad: a text where an object is wanted", translate.Pool, `{"a": "text"}`, controller.Object{"a": map[string]any{"b": int64(1)}},
			`{"a": {"b": 1}, ` + marked + `}`, []string{"a.b"},
		},
		{
			"bad: an object where a list is wanted", translate.Pool, `{"servers": {"ip": 1}}`, controller.Object{"servers": []any{}},
			`{"servers": [], ` + marked + `}`, nil,
		},
		{
			"what is not ours stays", translate.Pool, `{"name": "p", "graceful_disable_timeout": 5, "fail_action": {"type": "X"}}`,
			controller.Object{"name": "q"}, `{"name": "q", "graceful_disable_timeout": 5, "fail_action": {"type": "X"}, ` + marked + `}`, []string{"name"},
		},
		{
			"inside of objects, too", translate.Monitor, `{"http_monitor": {"http_request": "GET /", "exact_http_request": true}, "monitor_port": 99}`,
			controller.Object{"http_monitor": map[string]any{"http_request": "GET /x"}},
			`{"http_monitor": {"http_request": "GET /x", "exact_http_request": true}, "monitor_port": 99, ` + marked + `}`, []string{"http_monitor.http_request"},
		},
		{
			"nil is not set", translate.VirtualService, `{"pool_ref": "https://c/api/pool/pool-1#p"}`, controller.Object{"pool_ref": nil},
			`{` + marked + `}`, []string{"pool_ref"},
		},
		{
			"nothing is not set either", translate.Pool, `{"a": null, "b": [], "c": false, "d": 0, "e": "", "f": {}}`,
			controller.Object{"a": nil, "b": nil, "c": nil, "d": nil, "e": nil, "f": nil, "g": nil, "h": false, "i": int64(0), "j": ""},
			`{"h": false, "i": 0, "j": "", ` + marked + `}`, nil,
		},
		{
			"numbers", translate.Pool, `{"a": 1, "b": 2.0, "c": 3, "d": 3}`,
			controller.Object{"a": int64(1), "b": 2, "c": int64(4), "d": "3"}, `{"a": 1, "b": 2.0, "c": 4, "d": "3", ` + marked + `}`, []string{"c", "d"},
		},
		{
			"references", translate.Pool,
			`{"a_ref": "https://c:9/api/pool/pool-1#x", "b_ref": "https://c/api/cloud/cloud-7#Default-Cloud", "c_ref": "https://c/api/pool/pool-1#x", "d_ref": "https://c/api/cloud/cloud-7"}`,
			controller.Object{"a_ref": "/api/pool/pool-1", "b_ref": "/api/cloud?name=Default-Cloud", "c_ref": "/api/pool/pool-2", "d_ref": "/api/cloud?name=Default-Cloud"},
			`{"a_ref": "https://c:9/api/pool/pool-1#x", "b_ref": "https://c/api/cloud/cloud-7#Default-Cloud", "c_ref": "/api/pool/pool-2", "d_ref": "/api/cloud?name=Default-Cloud", ` + marked + `}`,
			[]string{"c_ref", "d_ref"},
		},
		{
			"lists of references", translate.Pool, `{"health_monitor_refs": ["https://c/api/healthmonitor/healthmonitor-2#b", "https://c/api/healthmonitor/healthmonitor-1#a"]}`,
			controller.Object{"health_monitor_refs": []any{"/api/healthmonitor/healthmonitor-1", "/api/healthmonitor/healthmonitor-2"}},
			`{"health_monitor_refs": ["https://c/api/healthmonitor/healthmonitor-1#a", "https://c/api/healthmonitor/healthmonitor-2#b"], ` + marked + `}`, nil,
		},
		{
			"servers by id, then by address and port", translate.Pool,
			`{"servers": [{"ip": {"addr": "10.0.0.2", "type": "V4"}, "port": 80, "external_uuid": "gone", "description": "theirs"},
			  {"ip": {"addr": "10.0.0.1", "type": "V4"}, "port": 80, "external_uuid": "a", "ratio": 1, "rewrite_host_header": true},
			  {"ip": {"addr": "10.0.0.9", "type": "V4"}, "port": 80, "external_uuid": "z"}]}`,
			controller.Object{"servers": []any{
				map[string]any{"ip": map[string]any{"addr": "10.0.0.1", "type": "V4"}, "port": int64(80), "external_uuid": "a", "ratio": int64(3)},
				map[string]any{"ip": map[string]any{"addr": "10.0.0.2", "type": "V4"}, "port": int64(80), "external_uuid": "b"},
				map[string]any{"ip": map[string]any{"addr": "10.0.0.3", "type": "V4"}, "port": int64(80), "external_uuid": "c"},
			}},
			`{"servers": [{"ip": {"addr": "10.0.0.1", "type": "V4"}, "port": 80, "external_uuid": "a", "ratio": 3, "rewrite_host_header": true},
			  {"ip": {"addr": "10.0.0.2", "type": "V4"}, "port": 80, "external_uuid": "b", "description": "theirs"},
			  {"ip": {"addr": "10.0.0.3", "type": "V4"}, "port": 80, "external_uuid": "c"}], ` + marked + `}`,
			[]string{"servers[10.0.0.1:80].ratio", "servers[10.0.0.2:80].external_uuid", "servers[10.0.0.3:80]", "servers"},
		},
		{
			"services by port", translate.VirtualService, `{"services": [{"port": 80, "port_range_end": 80, "enable_http2": true}]}`,
			controller.Object{"services": []any{map[string]any{"port": int64(80), "enable_ssl": true}}},
			`{"services": [{"port": 80, "port_range_end": 80, "enable_http2": true, "enable_ssl": true}], ` + marked + `}`, []string{"services[80].enable_ssl"},
		},
		{
			"others' policy sets stay", translate.VirtualService,
			`{"http_policies": [{"index": 1, "http_policy_set_ref": "https://c/api/httppolicyset/httppolicyset-theirs#t"}]}`,
			controller.Object{"http_policies": []any{map[string]any{"index": int64(1), "http_policy_set_ref": "/api/httppolicyset/httppolicyset-o"}}},
			`{"http_policies": [{"index": 1, "http_policy_set_ref": "https://c/api/httppolicyset/httppolicyset-theirs#t"},
			  {"index": 2, "http_policy_set_ref": "/api/httppolicyset/httppolicyset-o"}], ` + marked + `}`, []string{"http_policies"},
		},
		{
			"ours goes from among them", translate.VirtualService,
			`{"http_policies": [{"index": 1, "http_policy_set_ref": "https://c/api/httppolicyset/httppolicyset-theirs#t"},
			  {"index": 2, "http_policy_set_ref": "https://c/api/httppolicyset/httppolicyset-o#o"}]}`,
			controller.Object{"http_policies": []any{}},
			`{"http_policies": [{"index": 1, "http_policy_set_ref": "https://c/api/httppolicyset/httppolicyset-theirs#t"}], ` + marked + `}`, []string{"http_policies"},
		},
		{
			"ours keeps its index", translate.VirtualService,
			`{"http_policies": [{"index": 7, "http_policy_set_ref": "https://c/api/httppolicyset/httppolicyset-o#o"}]}`,
			controller.Object{"http_policies": []any{map[string]any{"index": int64(1), "http_policy_set_ref": "/api/httppolicyset/httppolicyset-o"}}},
			`{"http_policies": [{"index": 7, "http_policy_set_ref": "https://c/api/httppolicyset/httppolicyset-o#o"}], ` + marked + `}`, nil,
		},
		{
			"the alias is a name", translate.Pool, `{"name": "p-2", "description": "text\nplimsoll lb 1.1"}`, controller.Object{"name": "p", "description": "text"},
			`{"name": "p-2", "description": "text\nplimsoll lb 2.7"}`, nil,
		},
		{
			"a description", translate.Pool, `{"description": "old\ntext\nplimsoll lb 1.1"}`, controller.Object{"description": "new"},
			`{"description": "new\nplimsoll lb 2.7"}`, []string{"description"},
		},
		{
			"a certificate is replaced as a whole", translate.Certificate,
			`{"certificate": {"certificate": "A", "subject": {"common_name": "a"}}, "created_by": "plimsoll lb 1.1"}`,
			controller.Object{"certificate": map[string]any{"certificate": "B"}},
			`{"certificate": {"certificate": "B"}, "key": "secret", "created_by": "plimsoll lb 2.7"}`, []string{"certificate.certificate"},
		},
		{
			"addresses", translate.VsVip, `{"vip": [{"vip_id": "0", "ip6_address": {"addr": "2001:DB8:0::1", "type": "V6"}, "prefix_length": 32}]}`,
			controller.Object{"vip": []any{map[string]any{"vip_id": "0", "ip6_address": map[string]any{"addr": "2001:db8::1", "type": "V6"}}}},
			`{"vip": [{"vip_id": "0", "ip6_address": {"addr": "2001:DB8:0::1", "type": "V6"}, "prefix_length": 32}], "vsvip_cloud_config_cksum": "plimsoll lb 2.7"}`, nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			wanted := translate.Object{Kind: test.kind, UUID: test.kind + "-o", Alias: "p-2", Owned: test.wanted}
			if test.kind == translate.Certificate {
				wanted.WriteOnly = controller.Object{"key": "secret"}
			}
			known := decode(t, test.known)
			before := asJSON(t, known)
			got := merge(known, wanted, m)
			if diff := cmp.Diff(asJSON(t, decode(t, test.merged)), asJSON(t, got)); diff != "" {
				t.Errorf("merge (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.diff, differs(known, wanted)); diff != "" {
				t.Errorf("differs (-want +got):\n%s", diff)
			}
			if after := asJSON(t, known); after != before {
				t.Errorf("merge changed what it was given: %s", after)
			}
		})
	}
}

// object draws objects with the fields that our kinds have, and with some that are nobody's.
func object(t *rapid.T, label string, theirs bool) controller.Object {
	o := controller.Object{}
	set := func(field string, v any) {
		if rapid.Bool().Draw(t, label+" has "+field) {
			o[field] = v
		}
	}
	text := rapid.SampledFrom([]string{"", "a", "b", "line\nline"})
	set("name", rapid.SampledFrom([]string{"n", "m"}).Draw(t, label+" name"))
	set("description", text.Draw(t, label+" description"))
	set("enabled", rapid.Bool().Draw(t, label+" enabled"))
	set("pool_ref", rapid.SampledFrom([]any{nil, "/api/pool/pool-1", "/api/pool/pool-2", "/api/pool?name=x"}).Draw(t, label+" pool"))
	set("health_monitor_refs", refs(t, label+" monitors"))
	set("performance_limits", map[string]any{"max": rapid.Int64Range(0, 3).Draw(t, label+" limit")})
	set(servers, someServers(t, label, theirs))
	set(httpPolicies, policies(t, label, theirs))
	if theirs {
		o["graceful_disable_timeout"] = rapid.Int64Range(0, 9).Draw(t, label+" timeout")
		o["_last_modified"] = "1"
	}
	return o
}

func refs(t *rapid.T, label string) []any {
	list := []any{}
	for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "3"}), 0, 3, rapid.ID[string]).Draw(t, label) {
		list = append(list, "/api/healthmonitor/healthmonitor-"+n)
	}
	return list
}

func someServers(t *rapid.T, label string, theirs bool) []any {
	list := []any{}
	for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "3", "4"}), 0, 4, rapid.ID[string]).Draw(t, label+" servers") {
		s := map[string]any{
			"ip": map[string]any{"addr": "10.0.0." + n, "type": "V4"}, "port": int64(80),
			"external_uuid": rapid.SampledFrom([]string{"", "m" + n, "x" + n}).Draw(t, label+" member"), "ratio": rapid.Int64Range(1, 3).Draw(t, label+" ratio"),
		}
		if theirs {
			s["rewrite_host_header"] = "theirs " + n
		}
		list = append(list, s)
	}
	return list
}

func policies(t *rapid.T, label string, theirs bool) []any {
	list := []any{}
	if theirs {
		for _, i := range rapid.SliceOfNDistinct(rapid.Int64Range(1, 4), 0, 3, rapid.ID[int64]).Draw(t, label+" indexes") {
			list = append(list, map[string]any{"index": i, policySetRef: "/api/httppolicyset/httppolicyset-theirs"})
		}
	}
	if rapid.Bool().Draw(t, label+" has our policies") {
		list = append(list, map[string]any{"index": int64(len(list)) + 5, policySetRef: "/api/httppolicyset/httppolicyset-o"})
	}
	return list
}

// TestMergeProperties: what was merged is as wanted and merges to itself; of others' fields and list entries none is lost.
func TestMergeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{translate.VirtualService, translate.Pool}).Draw(t, "kind")
		known := decode(t, asJSON(t, object(t, "known", true)))
		wanted := translate.Object{Kind: kind, UUID: kind + "-o", Owned: object(t, "wanted", false)}
		if kind == translate.Pool {
			delete(wanted.Owned, httpPolicies)
		}
		m := mark{"lb", stamp{1, 2}}
		merged := decode(t, asJSON(t, merge(known, wanted, m)))
		if diff := differs(merged, wanted); len(diff) > 0 {
			t.Fatalf("merged differs in %v:\n%s", diff, asJSON(t, merged))
		}
		if diff := cmp.Diff(asJSON(t, merged), asJSON(t, merge(merged, wanted, m))); diff != "" {
			t.Fatalf("merged again (-once +twice):\n%s", diff)
		}
		if is, ok := markOf(kind, merged); !ok || is != m {
			t.Fatalf("mark %v", is)
		}
		keepsTheirs(t, known, merged, wanted)
	})
}

func keepsTheirs(t *rapid.T, known, merged controller.Object, wanted translate.Object) {
	for field, v := range known {
		if _, ours := wanted.Owned[field]; !ours && field != description && asJSON(t, v) != asJSON(t, merged[field]) {
			t.Fatalf("%s was %s and is %s", field, asJSON(t, v), asJSON(t, merged[field]))
		}
	}
	if _, ours := wanted.Owned[httpPolicies]; ours && theirPolicies(known) != theirPolicies(merged) {
		t.Fatalf("of %d policy sets %d are left", theirPolicies(known), theirPolicies(merged))
	}
	is, _ := known[servers].([]any)
	now, _ := merged[servers].([]any)
	for _, s := range now {
		m := s.(map[string]any)
		at := slices.IndexFunc(is, func(k any) bool {
			return serverAt(k.(map[string]any)) == serverAt(m) && k.(map[string]any)["external_uuid"] == m["external_uuid"]
		})
		if at >= 0 && m["external_uuid"] != "" && is[at].(map[string]any)["rewrite_host_header"] != m["rewrite_host_header"] {
			t.Fatalf("server %v lost what others wrote", m)
		}
	}
}

func theirPolicies(o controller.Object) int {
	n := 0
	list, _ := o[httpPolicies].([]any)
	for _, e := range list {
		if refID(e.(map[string]any)[policySetRef]) == "httppolicyset-theirs" {
			n++
		}
	}
	return n
}

func TestMark(t *testing.T) {
	for _, test := range []struct {
		text     string
		mark     mark
		ok       bool
		unmarked string
	}{
		{"bad plimsoll lb 1.2", mark{}, false, "bad plimsoll lb 1.2"},
		{"plimsoll lb 1", mark{}, false, "plimsoll lb 1"},
		{"plimsoll lb 1.2.3", mark{}, false, "plimsoll lb 1.2.3"},
		{"plimsoll lb -1.2", mark{}, false, "plimsoll lb -1.2"},
		{"plimsoll lb 01.2", mark{}, false, "plimsoll lb 01.2"},
		{"plimsoll  1.2", mark{}, false, "plimsoll  1.2"},
		{"plimsoll lb 1.2\nmore", mark{}, false, "plimsoll lb 1.2\nmore"},
		{"", mark{}, false, ""},
		{"plimsoll lb 1.2", mark{"lb", stamp{1, 2}}, true, ""},
		{"two\nlines\nplimsoll lb 0.12", mark{"lb", stamp{0, 12}}, true, "two\nlines"},
	} {
		m, ok := markOf(translate.Pool, controller.Object{description: test.text})
		if ok != test.ok || ok && m != test.mark || unmarked(test.text) != test.unmarked {
			t.Errorf("%q: mark %v, %v; unmarked %q", test.text, m, ok, unmarked(test.text))
		}
	}
}

func FuzzMark(f *testing.F) {
	f.Add("text\nplimsoll lb 1.2")
	f.Fuzz(func(t *testing.T, text string) {
		o := controller.Object{description: text}
		want := mark{"lb", stamp{3, 4}}
		want.put(translate.Pool, o)
		marked, _ := o[description].(string)
		if m, ok := markOf(translate.Pool, o); !ok || m != want {
			t.Fatalf("%q has mark %v, %v", marked, m, ok)
		}
		want.put(translate.Pool, o)
		if o[description] != marked {
			t.Fatalf("marked twice: %q", o[description])
		}
	})
}

// TestPartOfAnotherType has a token of a URI become one of another type: nothing is left of what that says. Of an object as a whole
// that only changes its type, users' fields stay.
func TestPartOfAnotherType(t *testing.T) {
	token := func(fields map[string]any) controller.Object {
		return controller.Object{"name": "n", "http_request_policy": map[string]any{"tokens": []any{fields}}}
	}
	text := map[string]any{"type": "URI_TOKEN_TYPE_STRING", "str_value": "a"}
	path := map[string]any{"type": "URI_TOKEN_TYPE_PATH", "start_index": int64(0), "end_index": int64(65535)}
	for _, way := range [][2]map[string]any{{text, path}, {path, text}} {
		got := merge(token(way[0]), translate.Object{Kind: translate.PolicySet, Owned: token(way[1])}, mark{})
		if diff := cmp.Diff(way[1], within(got, "http_request_policy", "tokens", 0)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	known := controller.Object{"name": "n", "type": "VS_TYPE_NORMAL", "weight": 7}
	got := merge(known, translate.Object{Kind: translate.VirtualService, Owned: controller.Object{"name": "n", "type": "VS_TYPE_VH_PARENT"}}, mark{})
	if got["weight"] != 7 || got["type"] != "VS_TYPE_VH_PARENT" {
		t.Errorf("a virtual service becomes %v", got)
	}
}

// FuzzMerge has a controller answer anything: what is merged into it is as wanted, and stays so.
func FuzzMerge(f *testing.F) {
	f.Add(`{"name": "p", "servers": [{"ip": {"addr": "10.0.0.1"}, "port": 80}, 7, null], "http_policies": [[], {"index": "x"}]}`)
	f.Add(`{"servers": {"a": 1}, "health_monitor_refs": "text", "http_policies": null, "vip": [{"vip_id": 0}], "ca_certs": [{"ca_ref": 5}], "created_by": "plimsoll x 1.1"}`)
	server := map[string]any{"ip": map[string]any{"addr": "10.0.0.1", "type": "V4"}, "port": int64(80), "external_uuid": "a"}
	f.Fuzz(func(t *testing.T, text string) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var known controller.Object
		if d.Decode(&known) != nil {
			return
		}
		for _, kind := range kinds {
			wanted := translate.Object{Kind: kind, UUID: kind + "-o", Alias: "alias", Owned: controller.Object{
				"name": "name", servers: []any{server}, "health_monitor_refs": []any{"/api/healthmonitor/healthmonitor-1"}, "pool_ref": nil,
				httpPolicies: []any{map[string]any{"index": int64(1), policySetRef: "/api/httppolicyset/httppolicyset-o"}},
				"vip":        []any{map[string]any{"vip_id": "0", "enabled": true}}, "ca_certs": []any{map[string]any{caRef: "/api/sslkeyandcertificate/c-1"}},
				"services": []any{map[string]any{"port": int64(80)}}, "rules": []any{map[string]any{"index": int64(1), "name": "r"}},
				placementNetworks: []any{map[string]any{"network_ref": "/api/network/network-1"}}, "enabled": false,
			}}
			merged := decode(t, asJSON(t, merge(known, wanted, mark{"lb", stamp{1, 2}})))
			if diff := differs(merged, wanted); len(diff) > 0 {
				t.Fatalf("%s: merged differs in %v:\n%s", kind, diff, asJSON(t, merged))
			}
			learn(known, merged)
			learn(merged, known)
		}
	})
}

// TestPathsAreForLogs: what differs is named in words that a log has room for.
func TestPathsAreForLogs(t *testing.T) {
	text := "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
	w := translate.Object{Kind: translate.PKIProfile, Owned: map[string]any{"ca_certs": []any{map[string]any{certificateText: text}}}}
	if diff := cmp.Diff([]string{"ca_certs[0]"}, differs(controller.Object{}, w)); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}
