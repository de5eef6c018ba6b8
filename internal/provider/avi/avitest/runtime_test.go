package avitest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The objects of one virtual service, "web", with a pool of two servers, and of another pool that a policy set switches to.
const (
	vsWeb      = "virtualservice-42aa799f-2cfe-48b2-9fa9-198936b1906f"
	poolWeb    = "pool-796ac906-265d-597e-bd51-f19cf5a659f0"
	poolOther  = "pool-9dcd2f37-cbde-5e32-8c8f-0b8181275630"
	poolUnused = "pool-00000000-0000-4000-8000-000000000003"
	vipWeb     = "vsvip-e29a4da7-f9cc-4c73-91ca-a02bca3d5a89"
	policyWeb  = "httppolicyset-42aa799f-2cfe-48b2-9fa9-198936b1906f"
	subnetWeb  = "a051f4a6-eddd-41c0-bb0f-adb4e2b5f325"
)

func address(ip string) map[string]any { return map[string]any{"addr": ip, "type": "V4"} }

// makeWeb makes them.
func makeWeb(u *user) {
	u.make("vsvip", vipWeb, map[string]any{
		"name": "vsvip-demo", "vip": []any{map[string]any{"ip_address": address("10.0.3.3"), "subnet_uuid": subnetWeb}},
	})
	servers := []any{map[string]any{"ip": address("10.0.3.10"), "port": 8080}, map[string]any{"ip": address("10.0.3.11"), "port": 8080}}
	u.make("pool", poolWeb, map[string]any{"name": "pool-web", "servers": servers})
	u.make("pool", poolOther, map[string]any{"name": "pool-other", "servers": servers[:1]})
	u.make("pool", poolUnused, map[string]any{"name": "pool-unused", "servers": servers[:1]})
	u.make("httppolicyset", policyWeb, map[string]any{"name": "policy-web", "http_request_policy": map[string]any{"rules": []any{map[string]any{
		"index": 1, "name": "one", "enable": true,
		"match":            map[string]any{"path": map[string]any{"match_criteria": "BEGINS_WITH", "match_str": []any{"/other"}}},
		"switching_action": map[string]any{"action": "HTTP_SWITCHING_SELECT_POOL", "pool_ref": "/api/pool/" + poolOther},
	}}}})
	u.make("virtualservice", vsWeb, map[string]any{
		"name": "demo:web", "vsvip_ref": "/api/vsvip/" + vipWeb, "services": []any{map[string]any{"port": 80}},
		"pool_ref": "/api/pool/" + poolWeb, "http_policies": []any{map[string]any{"index": 11, "http_policy_set_ref": "/api/httppolicyset/" + policyWeb}},
	})
}

// states reads an inventory: the state of each object by name.
func states(u *user, kind string) map[string]string {
	u.t.Helper()
	found := map[string]string{}
	for _, row := range objectsIn(u.must(http.MethodGet, "/api/"+kind+"-inventory?page_size=200", nil), "results") {
		config, _ := row["config"].(map[string]any)
		found[text(config, "name")] = stateIn(row)
	}
	return found
}

func stateIn(row map[string]any) string {
	runtime, _ := row["runtime"].(map[string]any)
	status, _ := runtime["oper_status"].(map[string]any)
	return text(status, "state")
}

func TestPlacementWalks(t *testing.T) {
	c := newClock()
	s := Start(t, Options{Now: c.Now, Placement: 4 * time.Second})
	u := loggedIn(t, s)
	makeWeb(u)
	var got []string
	for range 5 {
		got = append(got, states(u, "virtualservice")["demo:web"])
		c.add(time.Second)
	}
	if diff := cmp.Diff([]string{OperCreating, OperInitializing, OperResources, OperSEProcessing, OperUp}, got); diff != "" {
		t.Errorf("states of a new virtual service (-want +got):\n%s", diff)
	}
}

func TestInventoriesTellStates(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	makeWeb(u)
	for _, step := range []struct {
		name      string
		do        func()
		vs, pools map[string]string
	}{
		{"made", func() {}, map[string]string{"demo:web": OperUp}, map[string]string{"pool-web": OperUp, "pool-other": OperUp, "pool-unused": OperUnused}},
		{
			"one server down", func() { s.SetServer(poolWeb, "10.0.3.10:8080", OperDown) },
			map[string]string{"demo:web": OperUp}, map[string]string{"pool-web": OperUp, "pool-other": OperUp, "pool-unused": OperUnused},
		},
		{
			"all down", func() { s.SetServer(poolWeb, "10.0.3.11:8080", OperDown) },
			map[string]string{"demo:web": OperDown}, map[string]string{"pool-web": OperDown, "pool-other": OperUp, "pool-unused": OperUnused},
		},
		{
			"set by hand", func() { s.SetVS(vsWeb, "OPER_FAILED") },
			map[string]string{"demo:web": "OPER_FAILED"}, map[string]string{"pool-web": OperDown, "pool-other": OperUp, "pool-unused": OperUnused},
		},
		{
			"disabled", func() {
				s.SetVS(vsWeb, "")
				u.must(http.MethodPatch, "/api/virtualservice/"+vsWeb, map[string]any{"replace": map[string]any{"enabled": false}})
				u.must(http.MethodPatch, "/api/pool/"+poolOther, map[string]any{"replace": map[string]any{"enabled": false}})
			},
			map[string]string{"demo:web": OperDisabled}, map[string]string{"pool-web": OperDown, "pool-other": OperDisabled, "pool-unused": OperUnused},
		},
	} {
		step.do()
		if diff := cmp.Diff(step.vs, states(u, "virtualservice")); diff != "" {
			t.Errorf("%s: virtual services (-want +got):\n%s", step.name, diff)
		}
		if diff := cmp.Diff(step.pools, states(u, "pool")); diff != "" {
			t.Errorf("%s: pools (-want +got):\n%s", step.name, diff)
		}
	}
}

// fields are the names in an object, sorted.
func fields(o any) []string {
	object, _ := o.(map[string]any)
	return slices.Sorted(maps.Keys(object))
}

// TestInventoryOfVirtualServices has the fields that clients of the vendor's read; vip_summary is a list.
func TestInventoryOfVirtualServices(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	makeWeb(u)
	row := u.must(http.MethodGet, "/api/virtualservice-inventory/"+vsWeb, nil)
	want(t, "fields", []string{"alert", "config", "health_score", "metrics", "poolgroups", "pools", "runtime", "url", "uuid"}, fields(row))
	runtime, _ := row["runtime"].(map[string]any)
	want(t, "runtime", []string{"oper_status", "percent_ses_up", "vip_summary"}, fields(runtime))
	want(t, "oper_status", []string{"last_changed_time", "reason_code", "reason_code_string", "state"}, fields(runtime["oper_status"]))
	want(t, "health_score", []string{"anomaly_penalty", "health_score", "performance_score", "resources_penalty", "security_penalty"}, fields(row["health_score"]))
	vips := objectsIn(runtime, "vip_summary")
	if len(vips) != 1 || vips[0]["vip_id"] != "0" || vips[0]["num_se_assigned"] != 1.0 || vips[0]["num_se_requested"] != 1.0 || vips[0]["percent_ses_up"] != 100.0 {
		t.Errorf("vip_summary is %v", runtime["vip_summary"])
	}
	pools := []any{s.URL + "/api/pool/" + poolWeb + "#pool-web", s.URL + "/api/pool/" + poolOther + "#pool-other"}
	want(t, "pools", any(pools), row["pools"])
	s.SetVS(vsWeb, OperDown)
	want(t, "state", OperDown, stateIn(u.must(http.MethodGet, "/api/virtualservice-inventory/"+vsWeb, nil)))
}

func TestPoolRuntimeCountsServers(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	makeWeb(u)
	s.SetServer(poolWeb, "10.0.3.10:8080", OperDown)
	runtime := u.must(http.MethodGet, "/api/pool/"+poolWeb+"/runtime/", nil)
	delete(runtime, "oper_status")
	want := map[string]any{
		"num_servers": 2.0, "num_servers_enabled": 2.0, "num_servers_up": 1.0, "percent_servers_up_total": 50.0, "percent_servers_up_enabled": 50.0,
	}
	if diff := cmp.Diff(want, runtime); diff != "" {
		t.Errorf("runtime of a pool (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	for _, row := range objectsIn(u.must(http.MethodGet, "/api/pool-inventory/"+poolWeb+"/server?page_size=200", nil), "results") {
		config, _ := row["config"].(map[string]any)
		got[nameOfServer(nil, config)] = stateIn(row)
	}
	if diff := cmp.Diff(map[string]string{"10.0.3.10:8080": OperDown, "10.0.3.11:8080": OperUp}, got); diff != "" {
		t.Errorf("inventory of servers (-want +got):\n%s", diff)
	}
	if got := stateIn(u.must(http.MethodGet, "/api/pool-inventory/"+poolWeb+"/server/10.0.3.10:8080", nil)); got != OperDown {
		t.Errorf("the inventory of one server tells %s", got)
	}
	if got := u.do(http.MethodGet, "/api/pool-inventory/"+poolWeb+"/server/10.0.3.99:8080", nil); got.status != http.StatusNotFound {
		t.Errorf("the inventory of a server that is not there answers %d", got.status)
	}
	list := u.do(http.MethodGet, "/api/pool/"+poolWeb+"/runtime/server/", nil)
	if list.status != http.StatusOK || list.text[0] != '[' {
		t.Errorf("the servers' runtime is %d %s", list.status, list.text)
	}
	if got := u.do(http.MethodGet, "/api/pool/pool-none/runtime/", nil); got.status != http.StatusNotFound {
		t.Errorf("the runtime of a pool that is not there answers %d", got.status)
	}
}

func TestInventoryHasPages(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	for i := range 5 {
		u.make("pool", fmt.Sprintf("pool-%d", i), map[string]any{"name": fmt.Sprintf("p%d", i)})
	}
	var got []string
	next := s.URL + "/api/pool-inventory?page_size=2"
	for next != "" {
		page := u.must(http.MethodGet, next[len(s.URL):], nil)
		for _, row := range objectsIn(page, "results") {
			got = append(got, text(row, "uuid"))
		}
		next = text(page, "next")
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"pool-0", "pool-1", "pool-2", "pool-3", "pool-4"}, got); diff != "" {
		t.Errorf("all pages (-want +got):\n%s", diff)
	}
}

func TestMetricsCollection(t *testing.T) {
	s := Start(t, Options{})
	u := loggedIn(t, s)
	makeWeb(u)
	s.SetMetrics(vsWeb, map[string]float64{"l4_client.max_open_conns": 7})
	ask := func(body map[string]any) told {
		return u.do(http.MethodPost, "/api/analytics/metrics/collection?pad_missing_data=false", map[string]any{"metric_requests": []any{body}})
	}
	for name, body := range map[string]map[string]any{
		"bad metric": {"id": "a", "entity_uuid": "*", "metric_id": "l4_client.nonesuch"},
		"bad step":   {"id": "a", "entity_uuid": "*", "metric_id": "l4_client.max_open_conns", "step": 7},
		"bad id":     {"entity_uuid": "*", "metric_id": "l4_client.max_open_conns"},
	} {
		if got := ask(body); got.status != http.StatusBadRequest {
			t.Errorf("%s: answers %d %s", name, got.status, got.text)
		}
	}
	for _, entities := range []string{"*", vsWeb, vsWeb + ",virtualservice-none"} {
		got := ask(map[string]any{"id": "all", "step": 300, "limit": 1, "entity_uuid": entities, "metric_id": "l4_client.max_open_conns,l4_client.sum_finished_conns"})
		if diff := cmp.Diff(map[string]float64{"l4_client.max_open_conns": 7, "l4_client.sum_finished_conns": 0}, measured(got.body, "all", vsWeb)); diff != "" {
			t.Errorf("metrics of %s (-want +got):\n%s", entities, diff)
		}
	}
	one := u.must(http.MethodGet, "/api/analytics/metrics/virtualservice/"+vsWeb+"?metric_id=l4_client.max_open_conns", nil)
	if one["metric_entity"] != "VSERVER_METRICS_ENTITY" || len(objectsIn(one, "series")) != 1 {
		t.Errorf("metrics of one are %v", one)
	}
}

func measured(body map[string]any, id, uuid string) map[string]float64 {
	series, _ := body["series"].(map[string]any)
	entities, _ := series[id].(map[string]any)
	found := map[string]float64{}
	for _, one := range objectsIn(entities, uuid) {
		header, _ := one["header"].(map[string]any)
		value, _ := objectsIn(one, "data")[0]["value"].(float64)
		found[text(header, "name")] = value
	}
	return found
}

// network is a network service that has ports, or fails.
type network struct {
	ports map[string]string // subnets, by id
	made  int
	fail  bool
}

func (n *network) CreatePort(_ context.Context, _, subnetID, _ string) (string, error) {
	if n.fail {
		return "", errors.New("the network service does not answer")
	}
	n.made++
	id := fmt.Sprintf("port-%d", n.made)
	n.ports[id] = subnetID
	return id, nil
}

func (n *network) DeletePort(_ context.Context, id string) error {
	delete(n.ports, id)
	return nil
}

func TestPortsLingerUntilGarbageCollection(t *testing.T) {
	c := newClock()
	n := &network{ports: map[string]string{}}
	s := Start(t, Options{Now: c.Now, Ports: n, PortDelay: 10 * time.Minute})
	u := loggedIn(t, s)
	has := func(when string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, n.ports); diff != "" {
			t.Errorf("ports %s (-want +got):\n%s", when, diff)
		}
	}
	n.fail = true
	makeWeb(u)
	has("while the network service is down", map[string]string{})
	n.fail = false
	if err := s.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	has("once it is back", map[string]string{"port-1": subnetWeb})
	deleteWeb := func() { u.must(http.MethodDelete, "/api/virtualservice/"+vsWeb, nil) }
	deleteWeb()
	c.add(9 * time.Minute)
	if err := s.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	has("before garbage collection", map[string]string{"port-1": subnetWeb})
	cloud := text(objectsIn(u.must(http.MethodGet, "/api/cloud?name=Default-Cloud", nil), "results")[0], "uuid")
	for range 3 {
		has("while garbage collection is forced", map[string]string{"port-1": subnetWeb})
		u.must(http.MethodPut, "/api/cloud/"+cloud+"/gc?force=True", map[string]any{})
	}
	has("after it was forced three times", map[string]string{})
	if diff := cmp.Diff([]string(nil), s.DataPorts()); diff != "" {
		t.Errorf("data ports (-want +got):\n%s", diff)
	}
}

func TestPortsGoAfterAWhile(t *testing.T) {
	c := newClock()
	n := &network{ports: map[string]string{}}
	s := Start(t, Options{Now: c.Now, Ports: n, PortDelay: 10 * time.Minute})
	u := loggedIn(t, s)
	makeWeb(u)
	u.must(http.MethodDelete, "/api/virtualservice/"+vsWeb, nil)
	c.add(10 * time.Minute)
	if err := s.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(n.ports) > 0 {
		t.Errorf("after its time there is %v", n.ports)
	}
}

func TestPortsGoAtOnce(t *testing.T) {
	n := &network{ports: map[string]string{}}
	s := Start(t, Options{Ports: n, PortDelay: -1})
	u := loggedIn(t, s)
	makeWeb(u)
	if len(n.ports) != 1 {
		t.Errorf("there is %v", n.ports)
	}
	u.must(http.MethodDelete, "/api/virtualservice/"+vsWeb, nil)
	if len(n.ports) > 0 {
		t.Errorf("without a virtual service there is %v", n.ports)
	}
}
