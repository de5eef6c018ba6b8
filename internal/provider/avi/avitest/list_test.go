package avitest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestFilters: what a list's query selects.
func TestFilters(t *testing.T) {
	b := newBench(t, modelOptions{})
	monitor := b.make("healthmonitor", js{"name": "m", "type": "HEALTH_MONITOR_PING"})
	alpha := uuidIn(b.pool("alpha", js{"created_by": "plimsoll-1", "health_monitor_refs": []any{monitor}}))
	beta := uuidIn(b.pool("Beta", js{"created_by": "plimsoll-2", "enabled": false}))
	b.pool("gamma one")
	vs := uuidIn(b.vs("v", b.vsvip("i"), 80, js{"pool_ref": "/api/pool/" + beta}))
	for query, expect := range map[string]string{
		"":                              "alpha,Beta,gamma one",
		"name=alpha":                    "alpha",
		"name=beta":                     "",
		"name=gamma%20one":              "gamma one",
		"name.contains=a":               "alpha,Beta,gamma one",
		"name.contains=b":               "",
		"name.icontains=b":              "Beta",
		"name.in=alpha,Beta":            "alpha,Beta",
		"search=ALPHA":                  "alpha",
		"isearch=one":                   "gamma one",
		"created_by=plimsoll-1":         "alpha",
		"created_by=none":               "",
		"enabled=false":                 "Beta",
		"enabled=True":                  "alpha,gamma one",
		"uuid=" + alpha:                 "alpha",
		"uuid.in=" + alpha + "," + beta: "alpha,Beta",
		"cloud_ref.name=Default-Cloud":  "alpha,Beta,gamma one",
		"cloud_ref.name=other":          "",
		"cloud_ref.uuid=" + b.m.cloud:   "alpha,Beta,gamma one",
		"cloud_uuid=" + b.m.cloud:       "alpha,Beta,gamma one",
		"cloud_uuid=other":              "",
		"refers_to=healthmonitor:" + uuidIn(monitor): "alpha",
		"referred_by=virtualservice:" + vs:           "Beta",
		"sort=name":                                  "Beta,alpha,gamma one",
		"sort=-name":                                 "gamma one,alpha,Beta",
		"sort=name&limit_by=2":                       "Beta,alpha",
		"include_name=true&page_size=200":            "alpha,Beta,gamma one",
		"vrf_ref=/api/vrfcontext?name=none":          "",
	} {
		got := b.must(http.StatusOK, http.MethodGet, "pool?"+query, "", nil)
		want(t, query, expect, strings.Join(names(got["results"]), ","))
	}
}

// TestBadQueries are refused: a misspelt filter would select everything.
func TestBadQueries(t *testing.T) {
	b := newBench(t, modelOptions{})
	for query, status := range map[string]int{"page_size=0": 400, "page_size=201": 400, "page_size=x": 400, "page=0": 400, "page=x": 400, "page=2": 404, "title=x": 400} {
		if got, _ := b.ask(http.MethodGet, "pool?"+query, "", nil); got != status {
			t.Errorf("%s answers %d, want %d", query, got, status)
		}
	}
}

// TestFieldsOfAnswers: fields, exclude and skip_default.
func TestFieldsOfAnswers(t *testing.T) {
	b := newBench(t, modelOptions{})
	p := "pool/" + uuidIn(b.pool("p"))
	for _, path := range []string{p + "?fields=name,enabled", "pool?fields=name,enabled"} {
		got := b.must(http.StatusOK, http.MethodGet, path, "", nil)
		if list, ok := got["results"].([]any); ok {
			got = list[0].(map[string]any)
		}
		delete(got, "uuid")
		delete(got, "url")
		want(t, path, js{"name": "p", "enabled": true}, got)
	}
	if got := b.must(http.StatusOK, http.MethodGet, p+"?exclude=name", "", nil); got["name"] != nil || got["enabled"] == nil {
		t.Errorf("exclude answers %v", got)
	}
	if got := b.must(http.StatusOK, http.MethodGet, p+"?skip_default=true", "", nil); got["enabled"] != nil || got["name"] != "p" {
		t.Errorf("skip_default answers %v", got)
	}
}

// FuzzDo: no request may break the model, nor its index of references.
func FuzzDo(f *testing.F) {
	f.Add("POST", "pool", "", "", "", `{"name":"p","servers":[{"ip":{"addr":"10.0.0.1","type":"V4"}}]}`)
	f.Add("PUT", "pool", "pool-1", "", "", `{"name":"p","health_monitor_refs":["/api/healthmonitor?name=System-HTTP"]}`)
	f.Add("PATCH", "pool", "pool-1", "", "", `{"add":{"servers":[{"ip":{"addr":"10.0.0.1","type":"V4"}}]},"delete":{"servers":[{}]},"replace":{"servers":null}}`)
	f.Add("POST", "virtualservice", "", "", "18.2.6", `{"name":"v","vip":[{"ip_address":{"addr":"10.0.0.1","type":"V4"}}],"services":[{"port":80}],"http_policies":[{"index":1}]}`)
	f.Add("POST", "httppolicyset", "", "", "", `{"name":"s","http_request_policy":{"rules":[{"index":0,"name":"r","match":{"path":{"match_criteria":"EQUALS"}}}]}}`)
	f.Add("POST", "sslkeyandcertificate", "", "", "", `{"name":"c","key":"-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----\n","certificate":{"certificate":"x"}}`)
	f.Add("GET", "pool", "", "name.in=a&sort=-name&page=1&refers_to=pool:x&cloud_ref.name=x", "18_2_6", "")
	f.Fuzz(func(t *testing.T, method, kind, uuid, query, version, body string) {
		m, err := newModel(modelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		m.do(call{Method: "POST", Kind: "pool", Slug: "pool-1", Version: "18.2.6", Body: []byte(`{"name":"pool"}`)})
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if a := m.do(call{Method: method, Kind: kind, UUID: uuid, Query: q, Version: version, Body: []byte(body), Base: testBase}); a.Status >= 500 || a.Status < 200 {
			t.Errorf("answers %d %s", a.Status, a.Body)
		}
		for ref, by := range m.referrers {
			for user := range by {
				if m.objects[kindOf(user)][uuidOf(user)] == nil || m.objects[kindOf(ref)][uuidOf(ref)] == nil {
					t.Errorf("the index says that %s refers to %s", user, ref)
				}
			}
		}
	})
}
