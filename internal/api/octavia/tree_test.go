package octavia_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fullTree(c *cloud) object {
	return object{
		"vip_subnet_id": c.subnet.ID, "name": "web", "tags": []string{"t"},
		"listeners": []object{
			{"protocol": "HTTP", "protocol_port": 80, "name": "http", "default_pool": object{"name": "inner", "protocol": "HTTP", "lb_algorithm": "LEAST_CONNECTIONS"}},
			{"protocol": "TCP", "protocol_port": 81, "name": "tcp", "default_pool": object{"name": "outer"}},
			{"protocol": "TCP", "protocol_port": 82, "name": "bare", "l7policies": []object{}},
		},
		"pools": []object{{
			"name": "outer", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN",
			"healthmonitor": object{"type": "HTTP", "delay": 5, "timeout": 3, "max_retries": 2, "name": "h"},
			"members": []object{
				{"address": "10.0.0.50", "protocol_port": 80, "name": "m1", "subnet_id": c.subnet.ID},
				{"address": "10.0.0.51", "protocol_port": 80, "name": "m2", "weight": 0},
			},
		}},
	}
}

func TestCreateTree(t *testing.T) {
	c := newCloud(t)
	made := c.make("/loadbalancers", "loadbalancer", fullTree(c))
	listeners, pools := made["listeners"].([]any), made["pools"].([]any)
	if len(listeners) != 3 || len(pools) != 2 {
		t.Fatalf("%d listeners, %d pools", len(listeners), len(pools))
	}
	outer, inner := pools[0].(object), pools[1].(object)
	if outer["name"] != "outer" || inner["name"] != "inner" {
		t.Errorf("pools %v and %v", outer["name"], inner["name"])
	}
	var uses []any
	for _, l := range listeners {
		l := l.(object)
		uses = append(uses, l["default_pool_id"])
		if _, given := l["loadbalancers"]; given {
			t.Error("a nested listener names its load balancer")
		}
		got := c.show("/listeners/"+l["id"].(string), "listener")
		delete(got, "loadbalancers")
		if diff := cmp.Diff(l, got); diff != "" {
			t.Errorf("GET listener differs (-POST +GET):\n%s", diff)
		}
	}
	if diff := cmp.Diff([]any{inner["id"], outer["id"], nil}, uses); diff != "" {
		t.Errorf("default pools (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{object{"id": listeners[1].(object)["id"]}}, outer["listeners"]); diff != "" {
		t.Errorf("the pool's listeners (-want +got):\n%s", diff)
	}
	if inner["healthmonitor"] != nil || len(inner["members"].([]any)) != 0 {
		t.Errorf("the inner pool is %v", inner)
	}
	for _, absent := range []string{"loadbalancers", "healthmonitor_id"} {
		if _, given := outer[absent]; given {
			t.Errorf("a nested pool has %s", absent)
		}
	}
	monitor := outer["healthmonitor"].(object)
	got := c.show("/healthmonitors/"+monitor["id"].(string), "healthmonitor")
	delete(got, "pools")
	if diff := cmp.Diff(monitor, got); diff != "" {
		t.Errorf("GET monitor differs (-POST +GET):\n%s", diff)
	}
	for _, m := range outer["members"].([]any) {
		m := m.(object)
		got := c.show("/pools/"+outer["id"].(string)+"/members/"+m["id"].(string), "member")
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("GET member differs (-POST +GET):\n%s", diff)
		}
		if got["operating_status"] != "OFFLINE" || got["provisioning_status"] != "PENDING_CREATE" {
			t.Errorf("a member of a monitored pool is %v %v", got["operating_status"], got["provisioning_status"])
		}
	}
	c.achieve()
	lb := c.show("/loadbalancers/"+made["id"].(string), "loadbalancer")
	if lb["provisioning_status"] != "ACTIVE" || len(lb["listeners"].([]any)) != 3 {
		t.Errorf("the load balancer is %v", lb)
	}
}

func TestCreateTreeFaults(t *testing.T) {
	c := newCloud(t)
	const failure = "Validation failure: "
	listener := func(more object) object {
		l := object{"protocol": "HTTP", "protocol_port": 80}
		for k, v := range more {
			l[k] = v
		}
		return object{"vip_subnet_id": c.subnet.ID, "listeners": []object{l}}
	}
	pool := func(more object) object {
		p := object{"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
		for k, v := range more {
			p[k] = v
		}
		return object{"vip_subnet_id": c.subnet.ID, "pools": []object{p}}
	}
	const unknown = "5e2e5e5e-0000-4000-8000-000000000000"
	const path = "load_balancer.loadbalancer."
	tests := []struct {
		name string
		body object
		code int
		text string
	}{
		{"bad listener attribute", listener(object{"loadbalancer_id": unknown}), 400, "Unknown attribute for argument " + path + "listeners: loadbalancer_id"},
		{"bad listener project", listener(object{"project_id": mine}), 400, "Unknown attribute for argument " + path + "listeners: project_id"},
		{"bad listener port", listener(object{"protocol_port": 0}), 400, invalid("protocol_port", "0", "Value should be greater or equal to 1")},
		{"bad listener pool", listener(object{"default_pool_id": unknown}), 404, "Pool " + unknown + " not found."},
		{"bad pool reference", listener(object{"default_pool": object{"name": "p"}}), 400, failure + "Pool 'p' was referenced but no full definition was found."},
		{"bad pool without name", listener(object{"default_pool": object{"protocol": "HTTP"}}), 400, failure + "Pools must be named when creating a fully populated loadbalancer."},
		{"bad pool: half a definition", listener(object{"default_pool": object{"name": "p", "protocol": "HTTP"}}), 400, failure + "Pool definition for 'p' missing required attribute: lb_algorithm"},
		{"bad pool protocol", listener(object{"default_pool": object{"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}}), 400,
			failure + "The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'."},
		{"bad: L7 policies", listener(object{"protocol": "TCP", "l7policies": []object{{"action": "REJECT"}}}), 501,
			"Provider 'haproxy' does not support a requested option: L7 policies of a listener of protocol TCP"},
		{"bad listeners", object{"vip_subnet_id": c.subnet.ID, "listeners": []any{7}}, 400, invalid("listeners", "7", "Value should be object")},
		{"bad pool attribute", pool(object{"listener_id": unknown}), 400, "Unknown attribute for argument " + path + "pools: listener_id"},
		{"bad pool: no protocol", pool(object{"protocol": nil}), 400, failure + "Pool definition for 'p' missing required attribute: protocol"},
		{"bad pool algorithm", pool(object{"lb_algorithm": "X"}), 400, invalid("lb_algorithm", "X", "Value should be one of: LEAST_CONNECTIONS, ROUND_ROBIN, SOURCE_IP, SOURCE_IP_PORT")},
		{"bad monitor attribute", pool(object{"healthmonitor": object{"pool_id": unknown}}), 400, "Unknown attribute for argument " + path + "pools.healthmonitor: pool_id"},
		{"bad monitor", pool(object{"healthmonitor": object{"type": "TCP", "delay": 1, "timeout": 1}}), 400, invalid("max_retries", "None", missing)},
		{"bad monitor option", pool(object{"healthmonitor": object{"type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1, "url_path": "/"}}), 400, "url_path is not a valid option for health monitors of type TCP"},
		{"bad monitor for protocol", pool(object{"healthmonitor": object{"type": "SCTP", "delay": 1, "timeout": 1, "max_retries": 1}}), 400,
			failure + "The SCTP type is only supported for pools of type UDP/SCTP."},
		{"bad member attribute", pool(object{"members": []object{{"address": "10.0.0.1", "protocol_port": 1, "project_id": mine}}}), 400, "Unknown attribute for argument " + path + "pools.members: project_id"},
		{"bad member subnet", pool(object{"members": []object{{"address": "10.0.0.1", "protocol_port": 1, "subnet_id": c.private.ID}}}), 400, "Subnet " + c.private.ID + " not found."},
		{"bad members", pool(object{"members": []object{{"address": "10.0.0.1", "protocol_port": 1}, {"address": "10.0.0.1", "protocol_port": 1}}}), 409,
			"Another member on this pool is already using ip 10.0.0.1 on protocol_port 1"},
		{"bad names", object{"vip_subnet_id": c.subnet.ID, "pools": []object{{"protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}, {"protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}}}, 400,
			failure + "Pool names must be unique when creating a fully populated loadbalancer."},
		{"bad ports", object{"vip_subnet_id": c.subnet.ID, "listeners": []object{{"protocol": "TCP", "protocol_port": 1}, {"protocol": "HTTP", "protocol_port": 1}}}, 409,
			"Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 1"},
		{"bad: what the provider lacks", pool(object{"protocol": "UDP", "lb_algorithm": "LEAST_CONNECTIONS"}), 501,
			"Provider 'haproxy' does not support a requested option: lb_algorithm LEAST_CONNECTIONS with protocol UDP"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c.do(http.MethodPost, root+"/loadbalancers", object{"loadbalancer": test.body}).fault(t, test.code, test.text)
		})
	}
	if n := c.ports(); n != 0 {
		t.Errorf("refused requests leave %d ports", n)
	}
	if names, _ := c.names("/loadbalancers", "loadbalancers"); names != nil {
		t.Errorf("refused requests leave load balancers %v", names)
	}
}

// TestTreeWithoutWaiting builds and changes a tree with no pause between calls: nothing answers 409.
func TestTreeWithoutWaiting(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	for i := range 3 {
		l := c.listener(lb, 80+i)
		p := c.make("/pools", "pool", object{"listener_id": l, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
		monitor := object{"pool_id": p, "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2}
		h := c.make("/healthmonitors", "healthmonitor", monitor)["id"].(string)
		member := object{"address": "10.0.0.9", "protocol_port": 80}
		m := c.make("/pools/"+p+"/members", "member", member)["id"].(string)
		c.put("/pools/"+p+"/members/"+m, "member", object{"weight": 2})
		c.must(204, "DELETE", "/pools/"+p+"/members/"+m, nil)
		c.make("/pools/"+p+"/members", "member", member)
		c.must(204, "DELETE", "/healthmonitors/"+h, nil)
		c.make("/healthmonitors", "healthmonitor", monitor)
		c.must(204, "DELETE", "/listeners/"+l, nil)
		c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "HTTP", "protocol_port": 80 + i, "default_pool_id": p})
		c.put("/loadbalancers/"+lb, "loadbalancer", object{"name": "x"})
	}
	c.achieve()
	for _, path := range []string{"/listeners", "/pools", "/healthmonitors", "/loadbalancers"} {
		for _, item := range c.must(200, "GET", path, nil).body[path[1:]].([]any) {
			if got := item.(object)["provisioning_status"]; got != "ACTIVE" {
				t.Errorf("%s %v is %v", path, item.(object)["id"], got)
			}
		}
	}
}
