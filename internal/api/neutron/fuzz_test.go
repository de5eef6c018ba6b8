package neutron_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/api/neutron"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// fuzzedNouns are those of which lists, and single objects, are asked for in any way.
var fuzzedNouns = []string{"networks", "subnets", "ports", "flavors", "service_profiles"}

// FuzzBodies sends anything as the body of a request: the answer is never an internal error, and always JSON.
func FuzzBodies(f *testing.F) {
	const lan = "11111111-1111-1111-1111-111111111111"
	for _, seed := range []string{
		`{"network":{"name":"x","admin_state_up":"1","mtu":1e3,"tenant_id":"q"}}`, `{"networks":[{"name":"x"},{"network":{}}]}`, `{"network":null}`,
		`{"subnet":{"network_id":"` + lan + `","ip_version":6,"cidr":"2001:db8::/64","ipv6_ra_mode":"slaac","allocation_pools":[{"start":"::1","end":"::2"}]}}`,
		`{"subnet":{"network_id":"` + lan + `","ip_version":4,"cidr":"10.0.0.0/8","host_routes":[{"destination":"0.0.0.0/0","nexthop":"10.0.0.9"}]}}`,
		`{"port":{"network_id":"` + lan + `","fixed_ips":[{"ip_address":"10.0.0.5"},{}],"mac_address":"fa:16:3e:00:00:01","binding:profile":{"netns":"x"}}}`,
		`{"port":{"fixed_ips":null,"device_id":null,"binding:profile":"","security_groups":[]}}`, `{"tags":["a",null]}`, `[]`, ``, `{"network":{"name":"\ud800"}}`,
	} {
		f.Add(seed, "networks", "POST")
		f.Add(seed, "subnets", "POST")
		f.Add(seed, "ports", "PUT")
	}
	for _, seed := range []string{`{"flavor":{"name":"x","service_type":"LOADBALANCERV2","enabled":"False","service_profiles":[1]}}`, `{"flavor":{"service_type":null}}`} {
		f.Add(seed, "flavors", "POST")
	}
	for _, seed := range []string{`{"service_profile":{"driver":"","metainfo":"{'a': u'b'}","enabled":0}}`, `{"service_profile":{"metainfo":"{'a'"}}`, `{"service_profile":{"driver":"x"}}`} {
		f.Add(seed, "service_profiles", "POST")
	}
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, body, plural, method string) {
		path := map[string]string{"POST": "/v2.0/" + plural, "PUT": "/v2.0/" + plural + "/" + lan}[method]
		if path == "" || !slices.Contains(fuzzedNouns, plural) {
			return
		}
		ask(t, handler, httptest.NewRequest(method, path, strings.NewReader(body)))
		ask(t, handler, httptest.NewRequest(http.MethodPut, "/v2.0/"+plural+"/"+lan+"/tags", strings.NewReader(body)))
	})
}

// FuzzQueries sends anything as the query of a list.
func FuzzQueries(f *testing.F) {
	for _, seed := range []string{"limit=1&marker=x", "sort_key=name&sort_dir=desc", "fields=id&fields=", "fixed_ips=ip_address%3D10.0.0.1", "tags=a,,b&not-tags-any=",
		"mtu=1&created_at=2026", "name=%00", "name=%ff", "page_reverse=true&limit=2", "status=%27", "a;b", "%zz"} {
		f.Add(seed)
	}
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, query string) {
		for _, plural := range fuzzedNouns {
			r := httptest.NewRequest(http.MethodGet, "/v2.0/"+plural, nil)
			r.URL = &url.URL{Path: r.URL.Path, RawQuery: query}
			ask(t, handler, r)
		}
	})
}

// TestOddInput asks every database what it could choke on.
func TestOddInput(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		handler := served(s)
		for _, odd := range []string{"%00", "%ff", "%27", "%5c", "%25", "%f0%9f%a6%86", "a%00b", strings.Repeat("x", 3000)} {
			for _, path := range []string{"networks/" + odd, "ports/" + odd + "/tags", "networks/11111111-1111-1111-1111-111111111111/tags/" + odd,
				"ports?name=" + odd, "ports?" + odd + "=1", "subnets?tags=" + odd, "ports?fixed_ips=ip_address_substr=" + odd, "networks?mtu=" + odd,
				"networks?limit=1&marker=" + odd, "ports?fixed_ips=" + odd, "networks?created_at=" + odd} {
				ask(t, handler, httptest.NewRequest(http.MethodGet, "/v2.0/"+path, nil))
			}
		}
	})
}

func fuzzed(f *testing.F) http.Handler { return served(storetest.Open(f, store.SQLite)) }

func served(s *store.Store) http.Handler {
	return neutron.New(neutron.Config{Store: s, Auth: people(), Log: slog.New(slog.DiscardHandler)})
}

func ask(t *testing.T, handler http.Handler, r *http.Request) {
	t.Helper()
	r.Header.Set("X-Auth-Token", "admin")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code >= 500 || w.Code < 200 || w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
		t.Errorf("%s %s?%s answers %d %s", r.Method, r.URL.Path, r.URL.RawQuery, w.Code, w.Body)
	}
}
