package octavia_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestWhoMay asks for every noun who may see and change it, by HTTP; internal/policy tests every rule.
func TestWhoMay(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	l, p := c.listener(lb, 80), c.pool(lb)
	m := c.make("/pools/"+p+"/members", "member", object{"address": "10.0.0.50", "protocol_port": 80})["id"].(string)
	h := c.make("/healthmonitors", "healthmonitor", object{"pool_id": p, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2})["id"].(string)
	objects := map[string]string{
		"/loadbalancers/" + lb: "loadbalancer", "/listeners/" + l: "listener", "/pools/" + p: "pool",
		"/pools/" + p + "/members/" + m: "member", "/healthmonitors/" + h: "healthmonitor",
	}
	reads := map[string]int{"member": 200, "reader": 200, "admin": 200, "system": 200, "stranger": 403, "nobody": 403, "unscoped": 403}
	writes := map[string]int{"member": 200, "reader": 403, "admin": 200, "system": 403, "stranger": 403, "nobody": 403, "unscoped": 403}
	for path, key := range objects {
		for who, want := range reads {
			if a := c.as(who).do(http.MethodGet, root+path, nil); a.code != want || want == 403 && strings.Contains(a.raw, lb) {
				t.Errorf("%s GET %s: %d %s, want %d", who, path, a.code, a.raw, want)
			}
		}
		for who, want := range writes {
			if a := c.as(who).do(http.MethodPut, root+path, object{key: object{"name": "x"}}); a.code != want {
				t.Errorf("%s PUT %s: %d %s, want %d", who, path, a.code, a.raw, want)
			}
			if want == 403 {
				if a := c.as(who).do(http.MethodDelete, root+path, nil); a.code != want {
					t.Errorf("%s DELETE %s: %d %s", who, path, a.code, a.raw)
				}
			}
		}
	}
	for _, path := range []string{"/loadbalancers/" + lb + "/stats", "/loadbalancers/" + lb + "/status", "/loadbalancers/" + lb + "/statuses", "/listeners/" + l + "/stats", "/pools/" + p + "/members"} {
		for who, want := range reads {
			if a := c.as(who).do(http.MethodGet, root+path, nil); a.code != want {
				t.Errorf("%s GET %s: %d %s, want %d", who, path, a.code, a.raw, want)
			}
		}
	}
	creates := map[string]object{
		"/loadbalancers":           {"loadbalancer": object{"vip_subnet_id": c.subnet.ID, "project_id": mine}},
		"/listeners":               {"listener": object{"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 99}},
		"/pools":                   {"pool": object{"loadbalancer_id": lb, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}},
		"/pools/" + p + "/members": {"member": object{"address": "10.0.0.51", "protocol_port": 80}},
		"/healthmonitors":          {"healthmonitor": object{"pool_id": p, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2}},
	}
	for path, body := range creates {
		for _, who := range []string{"reader", "system", "stranger", "nobody", "unscoped"} {
			c.as(who).do(http.MethodPost, root+path, body).fault(t, 403, "Policy does not allow this request to be performed.")
		}
	}
	batch := object{"members": []object{}}
	c.as("reader").do(http.MethodPut, root+"/pools/"+p+"/members", batch).fault(t, 403, "Policy does not allow this request to be performed.")
}

func TestListsShowOwnProject(t *testing.T) {
	c := newCloud(t)
	c.loadBalancer()
	other := c.as("stranger")
	otherID := other.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.private.ID})["id"].(string)
	counts := map[string]int{"member": 1, "reader": 1, "stranger": 1, "admin": 2, "system": 2}
	for who, want := range counts {
		got := c.as(who).must(200, "GET", "/loadbalancers", nil).body["loadbalancers"].([]any)
		if len(got) != want {
			t.Errorf("%s sees %d load balancers, want %d", who, len(got), want)
		}
	}
	for _, who := range []string{"nobody", "unscoped"} {
		c.as(who).do(http.MethodGet, root+"/loadbalancers", nil).fault(t, 403, "Policy does not allow this request to be performed.")
	}
	c.do(http.MethodGet, root+"/loadbalancers?project_id="+foreign, nil).fault(t, 403, "Policy does not allow this request to be performed.")
	for _, who := range []string{"admin", "system", "stranger"} {
		got := c.as(who).must(200, "GET", "/loadbalancers?project_id="+foreign, nil).body["loadbalancers"].([]any)
		if len(got) != 1 || got[0].(object)["id"] != otherID {
			t.Errorf("%s sees %v of the foreign project", who, got)
		}
	}
	c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID, "project_id": foreign}}).
		fault(t, 403, "Policy does not allow this request to be performed.")
	got := c.as("admin").make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.private.ID, "tenant_id": foreign})
	if got["project_id"] != foreign || got["tenant_id"] != foreign {
		t.Errorf("an admin makes one for %v", got["project_id"])
	}
}

// TestWhoMayCatalog asks who may see and change what operators offer, and who may do what only operators do.
func TestWhoMayCatalog(t *testing.T) {
	c := newCatalogCloud(t)
	lb, amphora, _ := c.amphorae()
	profile, zoneProfile := c.flavorProfile("noop", "{}"), c.zoneProfile("noop", "{}")
	flavor, zone := c.flavor("noop", "{}"), c.zone("noop", "{}")
	c.putQuota(t, foreign, object{"pool": 1})
	own := c.as("member").make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "provider": "noop"})["id"].(string)
	everyone := []string{"member", "reader", "admin", "system", "stranger", "nobody", "unscoped"}
	admin, ofProject, ofQuota := []string{"admin"}, []string{"member", "admin"}, []string{"member", "reader", "admin", "system"}
	read := []string{"member", "reader", "admin", "system", "stranger"}
	body := func(key string, o object) object { return object{key: o} }
	newProfile := func(data string) object { return object{"name": "p", "provider_name": "noop", data: "{}"} }
	for _, tc := range []struct {
		method, path string
		body         any
		code         int
		may          []string
	}{
		{"GET", root + "/flavors", nil, 200, read},
		{"GET", root + "/flavors/" + flavor, nil, 200, read},
		{"GET", root + "/flavors/" + nobodysID, nil, 404, read}, // who may not look does not learn that it is not there
		{"POST", root + "/flavors", body("flavor", object{"name": "n", "flavor_profile_id": profile}), 201, admin},
		{"PUT", root + "/flavors/" + flavor, body("flavor", object{}), 200, admin},
		{"DELETE", root + "/flavors/" + flavor, nil, 204, admin},
		{"GET", root + "/flavorprofiles", nil, 200, admin},
		{"GET", root + "/flavorprofiles/" + profile, nil, 200, admin},
		{"POST", root + "/flavorprofiles", body("flavorprofile", newProfile("flavor_data")), 201, admin},
		{"PUT", root + "/flavorprofiles/" + profile, body("flavorprofile", object{}), 200, admin},
		{"DELETE", root + "/flavorprofiles/" + c.flavorProfile("noop", "{}"), nil, 204, admin},
		{"GET", root + "/availabilityzones", nil, 200, read},
		{"GET", root + "/availabilityzones/" + zone, nil, 200, read},
		{"POST", root + "/availabilityzones", body("availability_zone", object{"name": "n", "availability_zone_profile_id": zoneProfile}), 201, admin},
		{"PUT", root + "/availabilityzones/" + zone, body("availability_zone", object{}), 200, admin},
		{"DELETE", root + "/availabilityzones/" + zone, nil, 204, admin},
		{"GET", root + "/availabilityzoneprofiles", nil, 200, admin},
		{"GET", root + "/availabilityzoneprofiles/" + zoneProfile, nil, 200, admin},
		{"POST", root + "/availabilityzoneprofiles", body("availability_zone_profile", newProfile("availability_zone_data")), 201, admin},
		{"PUT", root + "/availabilityzoneprofiles/" + zoneProfile, body("availability_zone_profile", object{}), 200, admin},
		{"DELETE", root + "/availabilityzoneprofiles/" + c.zoneProfile("noop", "{}"), nil, 204, admin},
		{"GET", root + "/providers", nil, 200, read},
		{"GET", root + "/providers/noop/flavor_capabilities", nil, 200, admin},
		{"GET", root + "/providers/noop/availability_zone_capabilities", nil, 200, admin},
		{"GET", root + "/quotas", nil, 200, read},
		{"GET", root + "/quotas/defaults", nil, 200, read},
		{"GET", root + "/quotas/" + mine, nil, 200, ofQuota},
		{"GET", root + "/quotas/" + mine + "?usage=true", nil, 200, ofQuota},
		{"GET", root + "/quotas/" + mine + "/default", nil, 200, ofQuota},
		{"PUT", root + "/quotas/" + mine, body("quota", object{"pool": 1}), 202, admin},
		{"DELETE", root + "/quotas/" + mine, nil, 202, admin},
		{"PUT", root + "/loadbalancers/" + own + "/resize", object{"new_flavor_id": c.flavor("noop", "{}")}, 202, ofProject},
		{"PUT", root + "/loadbalancers/" + own + "/failover", nil, 202, admin},
		{"GET", amphoraRoot, nil, 200, admin},
		{"GET", amphoraRoot + "/" + amphora, nil, 200, admin},
		{"GET", amphoraRoot + "/" + amphora + "/stats", nil, 404, admin},
		{"PUT", amphoraRoot + "/" + amphora + "/config", nil, 202, admin},
		{"PUT", amphoraRoot + "/" + amphora + "/failover", nil, 202, admin},
		{"DELETE", amphoraRoot + "/" + amphora, nil, 409, admin},
		{"GET", root + "/extensions", nil, 200, everyone},
	} {
		for _, who := range everyone {
			if slices.Contains(tc.may, who) {
				continue
			}
			if a := c.as(who).do(tc.method, tc.path, tc.body); a.code != 403 || strings.Contains(a.raw, lb) {
				t.Errorf("%s %s %s: %d %s, want 403", who, tc.method, tc.path, a.code, a.raw)
			}
		}
		for _, who := range tc.may { // last, since a DELETE that is allowed takes it away
			if a := c.as(who).do(tc.method, tc.path, tc.body); a.code != tc.code {
				t.Errorf("%s %s %s: %d %s, want %d", who, tc.method, tc.path, a.code, a.raw, tc.code)
			}
		}
	}
	a := c.as("stranger").do(http.MethodGet, root+"/quotas/defaults", nil)
	if a.code != 200 || a.body["quota"].(object)["usage"] != nil {
		t.Errorf("the defaults: %d %s", a.code, a.raw)
	}
}
