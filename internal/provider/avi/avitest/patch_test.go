package avitest

import (
	"net/http"
	"testing"
)

func serverAt(addr string, port int, more js) js {
	s := js{"ip": js{"addr": addr, "type": "V4"}, "port": port}
	for k, v := range more {
		s[k] = v
	}
	return s
}

// TestPatch: lists by key, all else by value.
func TestPatch(t *testing.T) {
	b := newBench(t, modelOptions{})
	one, two := b.make("healthmonitor", js{"name": "one", "type": "HEALTH_MONITOR_PING"}), b.make("healthmonitor", js{"name": "two", "type": "HEALTH_MONITOR_PING"})
	p := "pool/" + uuidIn(b.pool("p", js{"servers": []any{serverAt("10.0.0.1", 80, js{"description": "x"}), serverAt("10.0.0.2", 80, nil)}}))
	servers := func(o js) (out []js) {
		list, _ := o["servers"].([]any)
		for _, e := range list {
			s := e.(map[string]any)
			out = append(out, js{"addr": s["ip"].(map[string]any)["addr"], "port": s["port"], "ratio": s["ratio"], "description": s["description"]})
		}
		return out
	}
	is := func(addr string, port, ratio float64, description any) js {
		return js{"addr": addr, "port": port, "ratio": ratio, "description": description}
	}
	for _, step := range []struct {
		name string
		body js
		want []js
	}{
		{"add another", js{"add": js{"servers": []any{serverAt("10.0.0.1", 81, nil)}}}, []js{is("10.0.0.1", 80, 1, "x"), is("10.0.0.2", 80, 1, nil), is("10.0.0.1", 81, 1, nil)}},
		{"add the same", js{"add": js{"servers": []any{serverAt("10.0.0.1", 80, js{"ratio": 5})}}}, []js{is("10.0.0.1", 80, 5, nil), is("10.0.0.2", 80, 1, nil), is("10.0.0.1", 81, 1, nil)}},
		{"delete one", js{"delete": js{"servers": []any{serverAt("10.0.0.2", 80, nil)}}}, []js{is("10.0.0.1", 80, 5, nil), is("10.0.0.1", 81, 1, nil)}},
		{"delete what is not there", js{"delete": js{"servers": []any{serverAt("10.0.0.7", 80, nil)}}}, []js{is("10.0.0.1", 80, 5, nil), is("10.0.0.1", 81, 1, nil)}},
		{"delete and add", js{"delete": js{"servers": []any{serverAt("10.0.0.1", 81, nil)}}, "add": js{"servers": []any{serverAt("10.0.0.3", 80, nil)}}}, []js{is("10.0.0.1", 80, 5, nil), is("10.0.0.3", 80, 1, nil)}},
		{"replace", js{"replace": js{"servers": []any{serverAt("10.0.0.4", 80, nil)}}}, []js{is("10.0.0.4", 80, 1, nil)}},
		{"replace by none", js{"replace": js{"servers": []any{}}}, nil},
	} {
		got := b.must(http.StatusOK, http.MethodPatch, p, "", step.body)
		want(t, step.name, step.want, servers(got))
	}
	b.must(http.StatusOK, http.MethodPatch, p, "", js{"add": js{"health_monitor_refs": []any{one}, "description": "y", "inline_health_monitor": false}})
	b.must(http.StatusOK, http.MethodPatch, p, "", js{"add": js{"health_monitor_refs": []any{one, two}}})
	got := b.must(http.StatusOK, http.MethodPatch, p, "", js{"delete": js{"health_monitor_refs": []any{one, "/api/healthmonitor/gone"}, "inline_health_monitor": false}})
	want(t, "monitors", any([]any{testBase + two + "#two"}), got["health_monitor_refs"])
	if got["description"] != "y" || got["inline_health_monitor"] != true {
		t.Errorf("is now %v", got)
	}
	got = b.must(http.StatusOK, http.MethodPatch, p, "", js{"delete": js{"description": "whatever"}})
	if got["description"] != nil {
		t.Errorf("description is %v", got["description"])
	}
}

// TestPatchesWithOddKeys change nothing but what they name, and never make two of a kind.
func TestPatchesWithOddKeys(t *testing.T) {
	b := newBench(t, modelOptions{})
	p := "pool/" + uuidIn(b.pool("p", js{"servers": []any{serverAt("10.0.0.1", 80, nil), js{"ip": js{"addr": "fd00::1", "type": "V6"}, "port": 80}}}))
	before := b.must(http.StatusOK, http.MethodGet, p, "", nil)["servers"]
	for _, unkeyed := range []js{{}, {"port": 80}, {"ip": js{"addr": "10.0.0.1", "type": "V4"}}, {"ip": js{"addr": "10.0.0.1", "type": "DNS"}, "port": 80}} {
		got := b.must(http.StatusOK, http.MethodPatch, p, "", js{"delete": js{"servers": []any{unkeyed}}})
		want(t, "servers", before, got["servers"])
	}
	twice := []any{serverAt("10.0.0.2", 80, nil), serverAt("10.0.0.2", 80, js{"ratio": 3})}
	if got := b.must(http.StatusOK, http.MethodPatch, p, "", js{"add": js{"servers": twice}})["servers"].([]any); len(got) != 3 || got[2].(js)["ratio"] != 3. {
		t.Errorf("of two alike the last one counts, but there is %v", got)
	}
	for _, alike := range []js{{"ip": js{"addr": "fd00:0::1", "type": "V6"}, "port": 80}, {"ip": js{"addr": "10.0.0.1", "type": "DNS"}, "port": 80}} {
		b.refuses(http.StatusBadRequest, "duplicate server", http.MethodPatch, p, js{"add": js{"servers": []any{alike}}})
	}
	b.refuses(http.StatusBadRequest, "Expected an object", http.MethodPatch, p, js{"delete": js{"servers": []any{7}}})
	b.refuses(http.StatusBadRequest, "is no reference", http.MethodPatch, p, js{"add": js{"health_monitor_refs": []any{"/api/" + p}}})
	vip := "vsvip/" + uuidIn(b.vsvip("v"))
	b.refuses(http.StatusBadRequest, "vip", http.MethodPatch, vip, js{"delete": js{"vip": []any{js{"vip_id": "0"}}}})
}

// TestBadPatches are refused.
func TestBadPatches(t *testing.T) {
	b := newBench(t, modelOptions{})
	p := "pool/" + uuidIn(b.pool("p"))
	for name, bad := range map[string]struct {
		words string
		body  any
	}{
		"nothing":          {"PATCH needs", js{}},
		"no verb":          {"does not know", js{"name": "x"}},
		"no object":        {"Expected an object", js{"add": "x"}},
		"unknown field":    {"no field named", js{"add": js{"nothing": 1}}},
		"deletes unknown":  {"no field named", js{"delete": js{"nothing": 1}}},
		"wrong type":       {"Expected a list", js{"add": js{"servers": js{}}}},
		"deletes no list":  {"Expected a list", js{"delete": js{"servers": js{}}}},
		"out of range":     {"allowed range", js{"add": js{"servers": []any{serverAt("10.0.0.1", 80, js{"ratio": 100})}}}},
		"dangling":         {"not found", js{"add": js{"health_monitor_refs": []any{"/api/healthmonitor/x"}}}},
		"what is required": {"required", js{"delete": js{"name": "p"}}},
		"later version":    {"introduced in later versions", js{"add": js{"enable_http2": true}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := *b
			c.t = t
			c.refuses(http.StatusBadRequest, bad.words, http.MethodPatch, p, bad.body)
		})
	}
}
