package octavia_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	haproxy "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/provider/noop"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/internal/web/webtest"
	"plimsoll/lbaas"
)

// sandbox is a cloud with one object of each noun, whose provider takes every option, for an actor who may do everything. What a
// request has changed there can be seen and taken back.
type sandbox struct {
	*cloud
	image *storetest.Image
	ids   map[string]string // of what the parameters of paths stand for, by the words before them: "pools/members"
	free  map[string]string // of objects that nothing relies on
}

// omnipotent is an admin whose own project is that of the tests' users.
func omnipotent() webtest.Actors {
	return webtest.Actors{"admin": {UserID: "u", ProjectID: mine, Roles: []string{"admin", "member", "reader"}}}
}

func newSandbox(t testing.TB) *sandbox {
	t.Helper()
	connection := storetest.Connection(t, store.SQLite)
	w := &sandbox{cloud: &cloud{t: t, store: storetest.Reopen(t, connection), token: "admin"}}
	w.network, w.subnet = w.makeNetwork(mine, "10.0.0.0/24")
	w.six = w.makeSubnet(mine, w.network.ID, "2001:db8::/64")
	w.serve(octavia.Config{
		Store: w.store, Networks: &knownNetworks{Store: w.store, set: map[string]network.Port{}}, Auth: omnipotent(),
		Providers:       []provider.Face{noop.Face(), haproxy.Face()},
		DefaultProvider: noop.Name, Host: "host-1", Certificates: octavia.AnyCertificate{},
	})
	w.populate()
	w.image = storetest.TakeImage(t, connection)
	return w
}

// populate makes one object of each noun, and achieves them.
func (w *sandbox) populate() {
	w.ids, w.free = map[string]string{"quotas": foreign, "providers": noop.Name}, map[string]string{}
	profile := w.named("flavorprofiles", "/flavorprofiles", "flavorprofile")
	w.ids["flavors"] = w.make("/flavors", "flavor", object{"name": "f", "flavor_profile_id": profile})["id"].(string)
	w.free["flavor"] = w.make("/flavors", "flavor", object{"name": "free", "flavor_profile_id": profile})["id"].(string)
	zones := w.named("availabilityzoneprofiles", "/availabilityzoneprofiles", "availability_zone_profile")
	w.ids["availabilityzones"] = w.make("/availabilityzones", "availability_zone",
		object{"name": "z", "availability_zone_profile_id": zones})["name"].(string)
	lb := w.named("loadbalancers", "/loadbalancers", "loadbalancer")
	w.ids["listeners"] = w.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "TERMINATED_HTTPS", "protocol_port": 443,
		"default_tls_container_ref": "a"})["id"].(string)
	w.free["listener"] = w.listener(lb, 80)
	w.named("pools", "/pools", "pool")
	w.free["pool"] = w.pool(lb)
	w.named("healthmonitors", "/healthmonitors", "healthmonitor")
	w.named("pools/members", "/pools/"+w.ids["pools"]+"/members", "member")
	w.named("l7policies", "/l7policies", "l7policy")
	w.named("l7policies/rules", "/l7policies/"+w.ids["l7policies"]+"/rules", "rule")
	w.named("ratelimitpolicies", "/ratelimitpolicies", "ratelimitpolicy")
	w.named("ratelimitpolicies/rules", "/ratelimitpolicies/"+w.ids["ratelimitpolicies"]+"/rules", "rule")
	w.free["port"] = w.port()
	w.ids["amphorae"] = w.amphora(lb)
	w.achieve()
}

// named makes the object of a collection and keeps its id.
func (w *sandbox) named(words, path, key string) string {
	w.ids[words] = w.make(path, key, w.good("POST", w.template(path))[key].(object))["id"].(string)
	return w.ids[words]
}

func (w *sandbox) amphora(lb string) string {
	const id = "c0000000-0000-4000-8000-000000000001"
	all := []lbaas.Amphora{{ID: id, LoadBalancerID: lb, ProjectID: mine, Status: "ALLOCATED", Role: "STANDALONE"}}
	lease, ok, err := w.store.AcquireLease(w.t.Context(), w.leaseName(lb), "test", 60e9)
	if err == nil && ok {
		err = w.store.Achieved(w.t.Context(), lease, lb, 0, nil, all)
	}
	if err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	return id
}

func (w *sandbox) leaseName(lb string) string {
	tree, err := w.store.Tree(w.t.Context(), lb)
	if err != nil {
		w.t.Fatal(err)
	}
	return store.LeaseName(tree)
}

// port makes a port that a VIP can have.
func (w *sandbox) port() string {
	p := &network.Port{ProjectID: mine, NetworkID: w.network.ID, AdminStateUp: true, FixedIPs: []network.FixedIP{{SubnetID: w.subnet.ID}, {SubnetID: w.six.ID}}}
	if err := w.store.CreatePort(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	return p.ID
}

// good is a body that a route takes; nil for one that takes none.
func (w *sandbox) good(method, template string) object {
	body := w.goodBodies()[method+" "+template]
	var copied object
	data, err := json.Marshal(body)
	if err == nil {
		err = json.Unmarshal(data, &copied)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return copied
}

// goodBodies are bodies that the routes take, by method and path as the OpenAPI document has it.
func (w *sandbox) goodBodies() map[string]object {
	const lbaas = "/v2/lbaas"
	name := object{"name": "new"}
	return map[string]object{
		"POST " + lbaas + "/loadbalancers":                        {"loadbalancer": w.tree()},
		"PUT " + lbaas + "/loadbalancers/{id}":                    {"loadbalancer": name},
		"PUT " + lbaas + "/loadbalancers/{id}/resize":             {"new_flavor_id": w.ids["flavors"]},
		"POST " + lbaas + "/listeners":                            {"listener": object{"loadbalancer_id": w.ids["loadbalancers"], "protocol": "HTTP", "protocol_port": 8080}},
		"PUT " + lbaas + "/listeners/{id}":                        {"listener": name},
		"POST " + lbaas + "/pools":                                {"pool": object{"loadbalancer_id": w.ids["loadbalancers"], "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}},
		"PUT " + lbaas + "/pools/{id}":                            {"pool": name},
		"POST " + lbaas + "/pools/{pool}/members":                 {"member": object{"address": w.address(), "protocol_port": 80}},
		"PUT " + lbaas + "/pools/{pool}/members/{id}":             {"member": name},
		"PUT " + lbaas + "/pools/{pool}/members":                  {"members": []object{{"address": "10.0.0.78", "protocol_port": 80}, {"address": "10.0.0.76", "protocol_port": 80}}},
		"POST " + lbaas + "/healthmonitors":                       {"healthmonitor": object{"pool_id": w.monitored(), "type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2}},
		"PUT " + lbaas + "/healthmonitors/{id}":                   {"healthmonitor": name},
		"POST " + lbaas + "/l7policies":                           {"l7policy": object{"listener_id": w.ids["listeners"], "action": "REJECT"}},
		"PUT " + lbaas + "/l7policies/{id}":                       {"l7policy": name},
		"POST " + lbaas + "/l7policies/{policy}/rules":            {"rule": object{"type": "HEADER", "compare_type": "STARTS_WITH", "key": "k", "value": "/a"}},
		"PUT " + lbaas + "/l7policies/{policy}/rules/{id}":        {"rule": object{"value": "/b"}},
		"POST " + lbaas + "/ratelimitpolicies":                    {"ratelimitpolicy": object{"listener_id": w.ids["listeners"], "action": "DENY"}},
		"PUT " + lbaas + "/ratelimitpolicies/{id}":                {"ratelimitpolicy": name},
		"POST " + lbaas + "/ratelimitpolicies/{policy}/rules":     {"rule": object{"metric": "REQUESTS", "threshold": 5}},
		"PUT " + lbaas + "/ratelimitpolicies/{policy}/rules/{id}": {"rule": name},
		"PUT " + lbaas + "/quotas/{project}":                      {"quota": object{"listener": 5}},
		"POST " + lbaas + "/flavors":                              {"flavor": object{"name": "another", "flavor_profile_id": w.ids["flavorprofiles"]}},
		"PUT " + lbaas + "/flavors/{id}":                          {"flavor": name},
		"POST " + lbaas + "/flavorprofiles":                       {"flavorprofile": object{"name": "p", "provider_name": "noop", "flavor_data": "{}"}},
		"PUT " + lbaas + "/flavorprofiles/{id}":                   {"flavorprofile": name},
		"POST " + lbaas + "/availabilityzones":                    {"availability_zone": object{"name": "another", "availability_zone_profile_id": w.ids["availabilityzoneprofiles"]}},
		"PUT " + lbaas + "/availabilityzones/{name}":              {"availability_zone": object{"description": "new"}},
		"POST " + lbaas + "/availabilityzoneprofiles":             {"availability_zone_profile": object{"name": "p", "provider_name": "noop", "availability_zone_data": "{}"}},
		"PUT " + lbaas + "/availabilityzoneprofiles/{id}":         {"availability_zone_profile": name},
		"PUT " + lbaas + "/loadbalancers/{id}/failover":           nil,
		"PUT /v2/octavia/amphorae/{id}/config":                    nil,
		"PUT /v2/octavia/amphorae/{id}/failover":                  nil,
	}
}

// monitored is the pool that a health monitor is made for: one that has none.
func (w *sandbox) monitored() string {
	if w.ids["healthmonitors"] == "" {
		return w.ids["pools"]
	}
	return w.free["pool"]
}

// address is that of a new member: the pool's first one has another.
func (w *sandbox) address() string {
	if w.ids["pools/members"] == "" {
		return "10.0.0.76"
	}
	return "10.0.0.77"
}

// tree is a load balancer with everything in it that a POST may have.
func (w *sandbox) tree() object {
	if w.ids["flavors"] == "" || w.ids["loadbalancers"] == "" {
		return object{"vip_subnet_id": w.subnet.ID}
	}
	pool := func(name string) object {
		return object{
			"name": name, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
			"session_persistence": object{"type": "APP_COOKIE", "cookie_name": "c"},
			"healthmonitor":       object{"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2},
			"members":             []object{{"address": "10.0.0.77", "protocol_port": 80}},
		}
	}
	return object{
		"vip_subnet_id": w.subnet.ID, "flavor_id": w.ids["flavors"], "availability_zone": w.ids["availabilityzones"],
		"additional_vips": []object{{"subnet_id": w.six.ID}},
		"pools":           []object{pool("a")},
		"listeners": []object{{
			"protocol": "TERMINATED_HTTPS", "protocol_port": 443, "default_tls_container_ref": "a", "default_pool": pool("b"),
			"l7policies": []object{{
				"action": "REDIRECT_TO_POOL", "redirect_pool": pool("c"),
				"rules": []object{{"type": "PATH", "compare_type": "STARTS_WITH", "value": "/a"}},
			}},
		}},
	}
}

// template is a path of a sandbox's object as the OpenAPI document has it.
func (w *sandbox) template(path string) string {
	parameters := map[string]string{"pools": "{pool}", "l7policies": "{policy}", "ratelimitpolicies": "{policy}"}
	parts := strings.Split(path, "/")
	if len(parts) == 4 {
		parts[2] = parameters[parts[1]]
	}
	return root + strings.Join(parts, "/")
}

// path fills the parameters of a template in.
func (w *sandbox) path(t testing.TB, template string) string {
	t.Helper()
	var words []string
	parts := strings.Split(template, "/")
	for i, part := range parts {
		switch {
		case i < 3: // "", "v2", "lbaas"
		case !strings.HasPrefix(part, "{"):
			words = append(words, part)
		default:
			id, ok := w.ids[strings.Join(words, "/")]
			if !ok {
				t.Fatalf("%s: the sandbox has no %s", template, strings.Join(words, "/"))
			}
			parts[i] = id
		}
	}
	return strings.Join(parts, "/")
}

// route is one that takes a body, or might.
type route struct {
	method, template, path string
	schema                 object // of the body; nil: it reads none
}

func (r route) String() string { return r.method + " " + strings.TrimPrefix(r.template, root) }

// routes are all routes of some methods that the server's OpenAPI document has, in an order that is always the same.
func (w *sandbox) routes(t testing.TB, methods ...string) []route {
	t.Helper()
	var all []route
	for template, operations := range at(w.do(http.MethodGet, "/load-balancer/openapi.json", nil).body, "paths") {
		for method, operation := range operations.(object) {
			if method = strings.ToUpper(method); slices.Contains(methods, method) {
				schema := at(operation.(object), "requestBody", "content", "application/json", "schema")
				all = append(all, route{method, template, w.path(t, template), schema})
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("the OpenAPI document has no such routes")
	}
	slices.SortFunc(all, func(a, b route) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// send sends a request to the handler itself, without a network between.
func (w *sandbox) send(method, path, body string, headers ...string) answer {
	at, err := url.Parse(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.sendTo(at, method, body, headers...)
}

func (w *sandbox) sendTo(at *url.URL, method, body string, headers ...string) answer {
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.URL, r.RequestURI = at, at.RequestURI()
	r.Header.Set("X-Auth-Token", w.token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.server.Config.Handler.ServeHTTP(rec, r)
	a := answer{code: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.body)
	return a
}

// judge looks at what a request was answered and at what it did, and takes it back: a fault is the user's and has changed
// nothing; what was accepted has changed something, unless it need not.
func (w *sandbox) judge(t testing.TB, what string, a answer, mayChangeNothing bool) {
	t.Helper()
	diff := w.image.Diff(t)
	if diff != "" {
		defer w.image.Restore(t)
	}
	switch {
	case a.code >= http.StatusInternalServerError && a.code != http.StatusNotImplemented:
		t.Errorf("%s: %d %s", what, a.code, a.raw)
	case a.code >= http.StatusBadRequest && diff != "":
		t.Errorf("%s was refused, %d %s, and has changed\n%s", what, a.code, a.raw, diff)
	case a.code >= http.StatusBadRequest && (a.body["code"] != float64(a.code) || a.body["faultstring"] == ""):
		t.Errorf("%s: the fault %d has the form %s", what, a.code, a.raw)
	case a.code < http.StatusBadRequest && diff == "" && !mayChangeNothing:
		t.Errorf("%s was accepted, %d %s, and has changed nothing", what, a.code, a.raw)
	}
}

// what names a request in the message of a test that fails.
func what(r route, body string) string {
	if len(body) > 600 {
		body = fmt.Sprintf("%.600s… (%d bytes)", body, len(body))
	}
	return fmt.Sprintf("%s with %q", r, body)
}
