package neutronlbaas

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

// part is an object of a tree that is ACTIVE.
func part(id string, operating lbaas.OperatingStatus, up bool) lbaas.Object {
	return lbaas.Object{ID: id, Name: "n" + id, AdminStateUp: up, Operating: operating, Progress: lbaas.Progress{Generation: 1, Observed: 1}}
}

// statusSample is a load balancer with one of everything, of which a test changes something.
func statusSample() *lbaas.LoadBalancer {
	pool := &lbaas.Pool{
		Object:        part("p", lbaas.Online, true),
		Members:       []*lbaas.Member{{Object: part("m", lbaas.NoMonitor, true), Address: netip.MustParseAddr("10.0.0.1"), ProtocolPort: 80}},
		HealthMonitor: &lbaas.HealthMonitor{Object: part("h", lbaas.Online, true), Type: lbaas.MonitorTCP},
	}
	listener := &lbaas.Listener{Object: part("l", lbaas.Online, true), DefaultPoolID: "p", L7Policies: []*lbaas.L7Policy{{
		Object: part("y", lbaas.Offline, true), Action: lbaas.Reject,
		Rules: []*lbaas.L7Rule{{Object: part("r", lbaas.Offline, true), Type: lbaas.RulePath}},
	}}}
	return &lbaas.LoadBalancer{Object: part("lb", lbaas.Online, true), Listeners: []*lbaas.Listener{listener}, Pools: []*lbaas.Pool{
		pool, {Object: part("q", lbaas.Online, true)},
	}}
}

// TestStatusTree shows the form of the tree, and what goes wrong where.
func TestStatusTree(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*lbaas.LoadBalancer)
		want   string // the operating statuses, by id; policies, rules and monitors have none of their own
	}{
		{"all is well", func(*lbaas.LoadBalancer) {}, `{"lb":"ONLINE","l":"ONLINE","p":"ONLINE","m":"NO_MONITOR","q":"ONLINE"}`},
		{"a member is down", func(lb *lbaas.LoadBalancer) { lb.Pools[0].Members[0].Operating = lbaas.Broken },
			`{"lb":"DEGRADED","l":"DEGRADED","p":"DEGRADED","m":"ERROR","q":"ONLINE"}`},
		{"a pool without a listener is down", func(lb *lbaas.LoadBalancer) { lb.Pools[1].Operating = lbaas.Offline },
			`{"lb":"DEGRADED","l":"ONLINE","p":"ONLINE","m":"NO_MONITOR","q":"OFFLINE"}`},
		{"a rule failed", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].L7Policies[0].Rules[0].Progress.Failed = true },
			`{"lb":"DEGRADED","l":"DEGRADED","y":"DEGRADED","p":"ONLINE","m":"NO_MONITOR","q":"ONLINE"}`},
		{"a monitor failed", func(lb *lbaas.LoadBalancer) { lb.Pools[0].HealthMonitor.Progress.Failed = true },
			`{"lb":"DEGRADED","l":"DEGRADED","p":"DEGRADED","m":"NO_MONITOR","q":"ONLINE"}`},
		{"a member that is off is down", func(lb *lbaas.LoadBalancer) {
			lb.Pools[0].Members[0].Operating, lb.Pools[0].Members[0].AdminStateUp = lbaas.Offline, false
		}, `{"lb":"ONLINE","l":"ONLINE","p":"ONLINE","m":"DISABLED","q":"ONLINE"}`},
		{"a listener is off", func(lb *lbaas.LoadBalancer) { lb.Listeners[0].AdminStateUp = false },
			`{"lb":"ONLINE","l":"DISABLED","p":"ONLINE","m":"NO_MONITOR","q":"ONLINE"}`},
		{"all is off", func(lb *lbaas.LoadBalancer) { lb.AdminStateUp = false }, `{"lb":"DISABLED","l":"DISABLED","p":"DISABLED","m":"DISABLED"}`},
		{"the load balancer is offline", func(lb *lbaas.LoadBalancer) { lb.Operating = lbaas.Offline },
			`{"lb":"DEGRADED","l":"ONLINE","p":"ONLINE","m":"NO_MONITOR","q":"ONLINE"}`},
	} {
		lb := statusSample()
		test.change(lb)
		data, err := json.Marshal(statusTree(lb))
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		got, want := map[string]string{}, map[string]string{}
		if json.Unmarshal(data, &tree) != nil || json.Unmarshal([]byte(test.want), &want) != nil {
			t.Fatalf("%s: %s", test.name, data)
		}
		operating(tree, got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// operating collects the operating statuses of a tree by id. Of what stands in it twice it is the last.
func operating(v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		if status, ok := v["operating_status"].(string); ok {
			into[v["id"].(string)] = status
		}
		for _, key := range sortedKeys(v) {
			operating(v[key], into)
		}
	case []any:
		for _, item := range v {
			operating(item, into)
		}
	}
}

// TestStatusForm holds the whole answer.
func TestStatusForm(t *testing.T) {
	lb := statusSample()
	member := view{"id": "m", "name": "nm", "provisioning_status": lbaas.Active, "operating_status": lbaas.NoMonitor, "address": "10.0.0.1", "protocol_port": 80}
	pool := view{
		"id": "p", "name": "np", "provisioning_status": lbaas.Active, "operating_status": lbaas.Online, "members": []view{member},
		"healthmonitor": view{"id": "h", "name": "nh", "provisioning_status": lbaas.Active, "type": lbaas.MonitorTCP},
	}
	want := view{
		"id": "lb", "name": "nlb", "provisioning_status": lbaas.Active, "operating_status": lbaas.Online,
		"listeners": []view{{
			"id": "l", "name": "nl", "provisioning_status": lbaas.Active, "operating_status": lbaas.Online, "pools": []view{pool},
			"l7policies": []view{{
				"id": "y", "name": "ny", "provisioning_status": lbaas.Active, "action": lbaas.Reject,
				"rules": []view{{"id": "r", "provisioning_status": lbaas.Active, "type": lbaas.RulePath}},
			}},
		}},
		"pools": []view{pool, {
			"id": "q", "name": "nq", "provisioning_status": lbaas.Active, "operating_status": lbaas.Online, "members": []view{}, "healthmonitor": view{},
		}},
	}
	if diff := cmp.Diff(want, statusTree(lb)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	lb.Listeners[0].L7Policies[0].AdminStateUp = false
	policy := statusTree(lb)["listeners"].([]view)[0]["l7policies"].([]view)[0]
	if _, shown := policy["action"]; shown {
		t.Errorf("a policy that is off is shown as %v", policy)
	}
}
