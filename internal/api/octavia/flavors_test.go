package octavia_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/provider"
)

func TestLoadBalancerOfFlavor(t *testing.T) {
	c := newCatalogCloud(t)
	off := func(path, key string) {
		c.put(path, key, object{"enabled": false})
	}
	noopFlavor, pickyFlavor := c.flavor("noop", `{"loadbalancer_topology":"SINGLE"}`), c.flavor("picky", `{"size":1}`)
	fussy, disabled := c.flavor("fussy", `{}`), c.flavor("noop", `{}`)
	off("/flavors/"+disabled, "flavor")
	noopZone, pickyZone, closed := c.zone("noop", `{"compute_zone":"a"}`), c.zone("picky", `{"size":1}`), c.zone("noop", `{}`)
	off("/availabilityzones/"+closed, "availability_zone")
	elsewhere := c.zone("noop", `{"valid_vip_networks":["`+nobodysID+`"]}`)
	here := c.zone("noop", `{"valid_vip_networks":["`+nobodysID+`","`+c.network.ID+`"]}`)
	const (
		notFlavor = "Validation failure: Invalid flavor_id."
		notZone   = "Validation failure: Invalid availability zone."
	)
	mismatch := func(flavor, provider string) string {
		return "Flavor '" + flavor + "' is not compatible with provider '" + provider + "'"
	}
	for _, tc := range []struct {
		name string
		body object
		code int
		text string // the fault, or the provider
	}{
		{"unknown flavor", object{"flavor_id": nobodysID}, 400, notFlavor},
		{"nil flavor", object{"flavor_id": nilID}, 400, notFlavor},
		{"null flavor", object{"flavor_id": nil}, 400, notFlavor},
		{"bad flavor", object{"flavor_id": "x"}, 400, invalid("flavor_id", "x", notUUID)},
		{"disabled flavor", object{"flavor_id": disabled}, 400, "The selected flavor is not allowed in this deployment: " + disabled},
		{"unknown zone", object{"availability_zone": "nowhere"}, 400, notZone},
		{"nil zone", object{"availability_zone": nilID}, 400, notZone},
		{"null zone", object{"availability_zone": nil}, 400, notZone},
		{"empty zone", object{"availability_zone": ""}, 400, notZone},
		{"disabled zone", object{"availability_zone": closed}, 400, "The selected availability_zone is not allowed in this deployment: " + closed},
		{"mismatch", object{"flavor_id": noopFlavor, "provider": "haproxy"}, 400, mismatch(noopFlavor, "haproxy")},
		{"mismatch by alias", object{"flavor_id": fussy, "provider": "picky"}, 400, mismatch(fussy, "picky")},
		{"mismatch of a provider that is not there", object{"flavor_id": noopFlavor, "provider": "avi"}, 400, mismatch(noopFlavor, "avi")},
		{"unknown provider", object{"provider": "avi"}, 400, "Provider 'avi' is not enabled."},
		{"VIP before flavor", object{"flavor_id": nobodysID, "vip_subnet_id": nobodysID}, 400, "Subnet " + nobodysID + " not found."},
		{"flavor before zone", object{"flavor_id": nobodysID, "availability_zone": "nowhere"}, 400, notFlavor},
		{"zone before provider", object{"provider": "avi", "availability_zone": "nowhere"}, 400, notZone},
		{"zone's data and provider", object{"provider": "bare", "availability_zone": noopZone}, 501, noZones},
		{"zone's data and another", object{"provider": "picky", "availability_zone": noopZone}, 501, "Provider 'picky' does not support a requested option: compute_zone"},
		{"zone without the network", object{"provider": "noop", "availability_zone": elsewhere}, 400, "Validation failure: Supplied VIP network_id is not allowed by the configuration of this deployment."},
		{"nothing", object{}, 201, "haproxy"},
		{"null provider", object{"provider": nil}, 201, "haproxy"},
		{"flavor", object{"flavor_id": noopFlavor}, 201, "noop"},
		{"flavor and provider", object{"flavor_id": pickyFlavor, "provider": "picky"}, 201, "picky"},
		{"flavor of an alias", object{"flavor_id": fussy}, 201, "picky"},
		{"flavor and alias", object{"flavor_id": fussy, "provider": "fussy"}, 201, "picky"},
		{"zone", object{"provider": "noop", "availability_zone": noopZone}, 201, "noop"},
		{"zone with the network", object{"provider": "noop", "availability_zone": here}, 201, "noop"},
		{"both", object{"flavor_id": pickyFlavor, "availability_zone": pickyZone}, 201, "picky"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := object{"vip_subnet_id": c.subnet.ID}
			for k, v := range tc.body {
				body[k] = v
			}
			a := c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": body})
			if tc.code != 201 {
				a.fault(t, tc.code, tc.text)
				return
			}
			if a.code != 201 {
				t.Fatalf("%d %s", a.code, a.raw)
			}
			made := a.body["loadbalancer"].(object)
			got := c.show("/loadbalancers/"+made["id"].(string), "loadbalancer")
			for _, shown := range []object{made, got} {
				want := object{"provider": tc.text, "flavor_id": tc.body["flavor_id"], "availability_zone": tc.body["availability_zone"], "vip_vnic_type": "normal"}
				for k, v := range want {
					if diff := cmp.Diff(v, shown[k]); diff != "" {
						t.Errorf("%s (-want +got):\n%s", k, diff)
					}
				}
			}
		})
	}
}

func TestSRIOV(t *testing.T) {
	c := newCatalogCloud(t)
	create := func(flavor string, body object) object {
		t.Helper()
		body["vip_subnet_id"], body["flavor_id"] = c.subnet.ID, flavor
		return c.make("/loadbalancers", "loadbalancer", body)
	}
	direct, members := c.flavor("noop", `{"sriov_vip":true}`), c.flavor("noop", `{"allow_member_sriov":true}`)
	if got := create(direct, object{}); got["vip_vnic_type"] != "direct" || c.show("/loadbalancers/"+got["id"].(string), "loadbalancer")["vip_vnic_type"] != "direct" {
		t.Errorf("vip_vnic_type is %v", got["vip_vnic_type"])
	}
	const refused = "The load balancer flavor does not allow SR-IOV member ports."
	member := func(address string) object {
		return object{"address": address, "protocol_port": 80, "request_sriov": true}
	}
	for flavor, want := range map[string]string{direct: "", members: "direct"} {
		p := c.pool(create(flavor, object{})["id"].(string))
		one := c.do(http.MethodPost, root+"/pools/"+p+"/members", object{"member": member("10.0.0.60")})
		batch := c.do(http.MethodPut, root+"/pools/"+p+"/members?additive_only=true", object{"members": []object{member("10.0.0.61")}})
		whole := c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": object{"vip_subnet_id": c.subnet.ID, "flavor_id": flavor,
			"pools": []object{{"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "members": []object{member("10.0.0.62")}}}}})
		if want == "" {
			for _, a := range []answer{one, batch, whole} {
				a.fault(t, 400, refused)
			}
			continue
		}
		if one.code != 201 || batch.code != 202 || whole.code != 201 || one.body["member"].(object)["vnic_type"] != want {
			t.Errorf("%s\n%s\n%s", one.raw, batch.raw, whole.raw)
		}
		for _, m := range c.must(200, "GET", "/pools/"+p+"/members", nil).body["members"].([]any) {
			if m.(object)["vnic_type"] != want {
				t.Errorf("member %v", m)
			}
		}
	}
}

func TestResize(t *testing.T) {
	c := newCatalogCloud(t)
	single, small, standby := c.flavor("noop", `{"loadbalancer_topology":"SINGLE"}`), c.flavor("noop", `{}`), c.flavor("noop", `{"loadbalancer_topology":"ACTIVE_STANDBY"}`)
	disabled, other, alias := c.flavor("noop", `{}`), c.flavor("picky", `{}`), c.flavor("noop_driver", `{}`)
	c.put("/flavors/"+disabled, "flavor", object{"enabled": false})
	direct, odd := c.flavor("noop", `{"sriov_vip":true}`), c.flavor("noop", `{"loadbalancer_topology":[1,{}]}`)
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "flavor_id": single})["id"].(string)
	plain := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID})["id"].(string)
	gone := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID})["id"].(string)
	c.achieve()
	c.must(204, "DELETE", "/loadbalancers/"+gone, nil)
	path := "/loadbalancers/" + lb + "/resize"
	to := func(id any) object { return object{"new_flavor_id": id} }
	c.attempts(t, []attempt{
		{"bad: no body", "PUT", path, nil, 400, `Missing argument: "resize"`},
		{"bad JSON", "PUT", path, "{", 400, "Request is not in valid JSON format"},
		{"bad: an array", "PUT", path, "[]", 400, invalid("resize", "[]", "Value should be object")},
		{"bad: nothing", "PUT", path, "{}", 400, invalid("new_flavor_id", "None", missing)},
		{"bad: null", "PUT", path, to(nil), 400, invalid("new_flavor_id", "None", missing)},
		{"bad: no UUID", "PUT", path, to("x"), 400, invalid("new_flavor_id", "x", notUUID)},
		{"bad attribute", "PUT", path, object{"flavor_id": small}, 400, "Unknown attribute for argument resize: flavor_id"},
		{"bad argument", "PUT", path + "?force=1", to(small), 400, `Unknown argument: "force"`},
		{"bad method", "GET", path, nil, 405, "The method is not allowed for this resource."},
		{"unknown", "PUT", "/loadbalancers/" + nobodysID + "/resize", to(small), 404, "Load Balancer " + nobodysID + " not found."},
		{"going away", "PUT", "/loadbalancers/" + gone + "/resize", to(small), 409, "Invalid state PENDING_DELETE of loadbalancer resource " + gone},
		{"unknown flavor", "PUT", path, to(nobodysID), 400, "Validation failure: Invalid new_flavor_id."},
		{"nil flavor", "PUT", path, to(nilID), 400, "Validation failure: Invalid new_flavor_id."},
		{"disabled flavor", "PUT", path, to(disabled), 400, "The selected flavor is not allowed in this deployment: " + disabled},
		{"another provider", "PUT", path, to(other), 400, "Flavor '" + other + "' is not compatible with provider 'noop'"},
		{"another topology", "PUT", path, to(standby), 400, "Validation failure: A load balancer of the topology SINGLE cannot be resized to a flavor of the topology ACTIVE_STANDBY."},
		{"odd topology", "PUT", path, to(odd), 400, "Validation failure: A load balancer of the topology SINGLE cannot be resized to a flavor of the topology [1 map[]]."},
		{"another port", "PUT", path, to(direct), 400, "Validation failure: A load balancer cannot be resized to a flavor with another sriov_vip."},
		{"no flavors", "PUT", "/loadbalancers/" + plain + "/resize", to(small), 400, "Flavor '" + small + "' is not compatible with provider 'haproxy'"},
	})
	before := c.show("/loadbalancers/"+lb, "loadbalancer")
	if before["provisioning_status"] != "ACTIVE" || before["flavor_id"] != single {
		t.Errorf("what was refused left %v", before)
	}
	if a := c.must(202, "PUT", path, to(single)); a.raw != "" {
		t.Errorf("resize answers %s", a.raw)
	}
	if diff := cmp.Diff(before, c.show("/loadbalancers/"+lb, "loadbalancer")); diff != "" {
		t.Errorf("the same flavor changes (-before +after):\n%s", diff)
	}
	for _, flavor := range []string{small, alias, single} {
		c.must(202, "PUT", path, to(flavor))
		if got := c.show("/loadbalancers/"+lb, "loadbalancer"); got["flavor_id"] != flavor || got["provisioning_status"] != "PENDING_UPDATE" {
			t.Errorf("resized to %s: %v", flavor, got)
		}
	}
	tree, err := c.store.Tree(t.Context(), lb)
	if err != nil || tree.Flavor["loadbalancer_topology"] != "SINGLE" {
		t.Errorf("the tree has the flavor %v, %v", tree.Flavor, err)
	}
}

func TestFailover(t *testing.T) {
	c := newCatalogCloud(t)
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "provider": "noop"})["id"].(string)
	host := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "provider": "bare"})["id"].(string)
	gone := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "provider": "noop"})["id"].(string)
	c.achieve()
	c.must(204, "DELETE", "/loadbalancers/"+gone, nil)
	failedOver := func() (at, generation int64) {
		t.Helper()
		tree, err := c.store.Tree(t.Context(), lb)
		if err != nil {
			t.Fatal(err)
		}
		return tree.FailedOver, tree.Progress.Generation
	}
	c.attempts(t, []attempt{
		{"bad argument", "PUT", "/loadbalancers/" + lb + "/failover?x=1", nil, 400, `Unknown argument: "x"`},
		{"unknown", "PUT", "/loadbalancers/" + nobodysID + "/failover", nil, 404, "Load Balancer " + nobodysID + " not found."},
		{"going away", "PUT", "/loadbalancers/" + gone + "/failover", nil, 409, "Invalid state PENDING_DELETE of loadbalancer resource " + gone},
		{"no instances", "PUT", "/loadbalancers/" + host + "/failover", nil, 501,
			"Provider 'bare' does not support a requested action: This provider does not support failing over load balancers."},
	})
	if at, _ := failedOver(); at != 0 {
		t.Errorf("failed over at %d", at)
	}
	for range 2 { // also while it is pending
		if a := c.must(202, "PUT", "/loadbalancers/"+lb+"/failover", nil); a.raw != "" {
			t.Errorf("failover answers %s", a.raw)
		}
		if at, generation := failedOver(); at != generation {
			t.Errorf("failed over at %d of %d", at, generation)
		}
		if got := c.show("/loadbalancers/"+lb, "loadbalancer")["provisioning_status"]; got != "PENDING_UPDATE" {
			t.Errorf("the load balancer is %v", got)
		}
	}
}

func TestCapabilities(t *testing.T) {
	c := newCatalogCloud(t)
	for path, want := range map[string]string{
		"/providers/picky/flavor_capabilities":                                         `{"flavor_capabilities":[{"name":"size","description":"How large."},{"name":"color","description":"Which color."}]}`,
		"/providers/fussy/flavor_capabilities?name=size":                               `{"flavor_capabilities":[{"name":"size","description":"How large."}]}`,
		"/providers/picky/flavor_capabilities?description=Which%20color.":              `{"flavor_capabilities":[{"name":"color","description":"Which color."}]}`,
		"/providers/picky/flavor_capabilities?description=Which%20color.&name=x":       `{"flavor_capabilities":[]}`,
		"/providers/picky/flavor_capabilities?fields=name&limit=1&nonsense=7":          `{"flavor_capabilities":[{"name":"size"},{"name":"color"}]}`,
		"/providers/haproxy/availability_zone_capabilities":                            `{"availability_zone_capabilities":[]}`,
		"/providers/noop/availability_zone_capabilities?name=compute_zone&fields=name": `{"availability_zone_capabilities":[{"name":"compute_zone"}]}`,
	} {
		if a := c.do(http.MethodGet, root+path, nil); a.code != 200 || a.raw != want {
			t.Errorf("GET %s: %d %s", path, a.code, a.raw)
		}
	}
	const flavors = "This provider does not support getting the supported flavor metadata."
	const zones = "This provider does not support getting the supported availability zone metadata."
	c.attempts(t, []attempt{
		{"unknown", "GET", "/providers/avi/flavor_capabilities", nil, 400, "Provider 'avi' is not enabled."},
		{"unknown of zones", "GET", "/providers/avi/availability_zone_capabilities", nil, 400, "Provider 'avi' is not enabled."},
		{"none", "GET", "/providers/bare/flavor_capabilities", nil, 501, "Provider 'bare' does not support a requested action: " + flavors},
		{"none of zones", "GET", "/providers/picky/availability_zone_capabilities", nil, 501, "Provider 'picky' does not support a requested action: " + zones},
		{"bad method", "POST", "/providers/picky/flavor_capabilities", nil, 405, "The method is not allowed for this resource."},
	})
}

func TestExtensions(t *testing.T) {
	c := newCloud(t)
	var aliases []string
	for _, e := range c.must(200, "GET", "/extensions", nil).body["extensions"].([]any) {
		e := e.(object)
		if e["name"] == "" || e["description"] == "" || len(e) != 3 {
			t.Errorf("extension %v", e)
		}
		aliases = append(aliases, e["alias"].(string))
	}
	for _, want := range []string{"status_reason", "quota_usage", "resize", "access_log"} {
		if !slices.Contains(aliases, want) {
			t.Errorf("extensions are %v, without %s", aliases, want)
		}
	}
}

// TestTreeOfFlavor shows that a tree that is read whole carries what its flavor and its zone say.
func TestTreeOfFlavor(t *testing.T) {
	c := newCatalogCloud(t)
	id := c.make("/loadbalancers", "loadbalancer", object{
		"vip_subnet_id": c.subnet.ID, "flavor_id": c.flavor("noop", `{"a":[1]}`), "availability_zone": c.zone("noop", `{"b":"c"}`),
	})["id"].(string)
	tree, err := c.store.Tree(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := []object{tree.Flavor, tree.Zone}
	if diff := cmp.Diff([]object{{"a": []any{1.0}}, {"b": "c"}}, got); diff != "" {
		t.Errorf("Tree (-want +got):\n%s", diff)
	}
}

// TestVanishedMeanwhile takes a flavor and an availability zone away while the provider judges what they say: then they are as good as
// unknown, in a POST and in a resize, and nothing is left of the attempt.
func TestVanishedMeanwhile(t *testing.T) {
	c := newCatalogCloud(t)
	var flavor, zone string
	config := c.catalogConfig()
	config.Providers = append(config.Providers, provider.Face{
		Name:        "slow",
		CheckFlavor: func(ctx context.Context, _ map[string]any) error { return c.store.DeleteFlavor(ctx, flavor) },
		CheckZone:   func(ctx context.Context, _ map[string]any) error { return c.store.DeleteAvailabilityZone(ctx, zone) },
	})
	quick := c.catalogConfig()
	quick.Providers = append(quick.Providers, provider.Face{
		Name:        "slow",
		CheckFlavor: func(context.Context, map[string]any) error { return nil }, CheckZone: func(context.Context, map[string]any) error { return nil },
	})
	c.serve(quick)
	flavor, zone = c.flavor("slow", `{"a":1}`), c.zone("slow", `{"a":1}`)
	other := c.flavor("slow", `{"a":1}`)
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "provider": "slow"})["id"].(string)
	c.serve(config)
	ports := c.ports()
	post := func(body object) answer {
		return c.do("POST", root+"/loadbalancers", object{"loadbalancer": more(object{"vip_subnet_id": c.subnet.ID, "provider": "slow"}, body)})
	}
	post(object{"flavor_id": flavor}).fault(t, 400, "Validation failure: Invalid flavor_id.")
	post(object{"availability_zone": zone}).fault(t, 400, "Validation failure: Invalid availability zone.")
	flavor = other
	c.do("PUT", root+"/loadbalancers/"+lb+"/resize", object{"new_flavor_id": other}).fault(t, 400, "Validation failure: Invalid new_flavor_id.")
	if got := c.show("/loadbalancers/"+lb, "loadbalancer"); got["flavor_id"] != nil || c.ports() != ports {
		t.Errorf("the load balancer has the flavor %v, and there are %d ports, of %d", got["flavor_id"], c.ports(), ports)
	}
}
