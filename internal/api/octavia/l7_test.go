package octavia_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// positions are the names of a listener's policies in the order of the listener's own list, with the positions that they show.
func (c *cloud) positions(listener string) []string {
	c.t.Helper()
	var out []string
	for _, ref := range c.show("/listeners/"+listener, "listener")["l7policies"].([]any) {
		p := c.show("/l7policies/"+ref.(object)["id"].(string), "l7policy")
		out = append(out, fmt.Sprintf("%v%v", p["name"], p["position"]))
	}
	return out
}

func TestL7Positions(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l, other := c.listener(lb, 80), c.listener(lb, 81)
	ids := map[string]string{}
	expect := func(what string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, c.positions(l)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	add := func(name string, more ...object) { ids[name] = c.l7Policy(l, append(more, object{"name": name})...) }
	move := func(name string, position any) object {
		t.Helper()
		return c.put("/l7policies/"+ids[name], "l7policy", object{"position": position})
	}
	c.l7Policy(other, object{"name": "elsewhere"})
	add("a")
	add("b", object{"position": 2147483647})
	expect("appended", "a1", "b2")
	add("c", object{"position": 1})
	expect("in front", "c1", "a2", "b3")
	add("d", object{"position": 3})
	expect("between", "c1", "a2", "d3", "b4")
	if got := move("c", 4)["position"]; got != 4.0 {
		t.Errorf("moved to 4 it is at %v", got)
	}
	expect("to the end", "a1", "d2", "b3", "c4")
	if got := move("a", 99)["position"]; got != 4.0 {
		t.Errorf("moved beyond the end it is at %v", got)
	}
	expect("beyond the end", "d1", "b2", "c3", "a4")
	move("a", 2)
	expect("forward", "d1", "a2", "b3", "c4")
	move("a", 2)
	move("b", nil)
	expect("not at all", "d1", "a2", "b3", "c4")
	c.must(204, "DELETE", "/l7policies/"+ids["a"], nil)
	c.achieve()
	expect("with one deleted", "d1", "b2", "c3")
	add("e", object{"position": 2})
	expect("another in its place", "d1", "e2", "b3", "c4")
}

// settled makes everything true and returns what is pending after a request, by name.
func (c *cloud) pendingAfter(paths map[string][2]string, request func()) []string {
	c.t.Helper()
	c.achieve()
	request()
	var pending []string
	for name, at := range paths {
		if got := c.show(at[0], at[1])["provisioning_status"]; got != "ACTIVE" {
			pending = append(pending, fmt.Sprintf("%s %v", name, got))
		}
	}
	slices.Sort(pending)
	return pending
}

// TestL7Touches shows what a change of a policy or a rule makes pending.
func TestL7Touches(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l, bystander, p, q := c.listener(lb, 80), c.listener(lb, 81), c.pool(lb), c.pool(lb)
	policy := c.l7Policy(l, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": p})
	second := c.l7Policy(l)
	rule := c.l7Rule(policy)
	paths := map[string][2]string{
		"lb": {"/loadbalancers/" + lb, "loadbalancer"}, "listener": {"/listeners/" + l, "listener"}, "bystander": {"/listeners/" + bystander, "listener"},
		"p": {"/pools/" + p, "pool"}, "q": {"/pools/" + q, "pool"}, "policy": {"/l7policies/" + policy, "l7policy"}, "second": {"/l7policies/" + second, "l7policy"},
		"rule": {"/l7policies/" + policy + "/rules/" + rule, "rule"},
	}
	const above = "lb PENDING_UPDATE"
	steps := []struct {
		name    string
		request func()
		want    []string
	}{
		{"a new rule", func() { c.l7Rule(policy) }, []string{above, "listener PENDING_UPDATE", "p PENDING_UPDATE", "policy PENDING_UPDATE"}},
		{"a rule", func() { c.put(paths["rule"][0], "rule", object{"value": "/b"}) }, []string{above, "listener PENDING_UPDATE", "p PENDING_UPDATE", "policy PENDING_UPDATE", "rule PENDING_UPDATE"}},
		{"a policy", func() { c.put("/l7policies/"+second, "l7policy", object{"name": "x"}) }, []string{above, "listener PENDING_UPDATE", "second PENDING_UPDATE"}},
		{"another pool", func() { c.put("/l7policies/"+policy, "l7policy", object{"redirect_pool_id": q}) }, []string{above, "listener PENDING_UPDATE", "p PENDING_UPDATE", "policy PENDING_UPDATE", "q PENDING_UPDATE"}},
		{"another place", func() { c.put("/l7policies/"+second, "l7policy", object{"position": 1}) }, []string{above, "listener PENDING_UPDATE", "policy PENDING_UPDATE", "second PENDING_UPDATE"}},
		{"a member of its pool", func() { c.make("/pools/"+q+"/members", "member", object{"address": "10.0.0.9", "protocol_port": 80}) }, []string{above, "listener PENDING_UPDATE", "q PENDING_UPDATE"}},
		{"no rule", func() { c.must(204, "DELETE", paths["rule"][0], nil) }, []string{above, "listener PENDING_UPDATE", "policy PENDING_UPDATE", "q PENDING_UPDATE", "rule PENDING_DELETE"}},
	}
	for _, step := range steps {
		if diff := cmp.Diff(step.want, c.pendingAfter(paths, step.request)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	delete(paths, "rule")
	got := c.pendingAfter(paths, func() { c.must(204, "DELETE", "/l7policies/"+policy, nil) })
	want := []string{above, "listener PENDING_UPDATE", "policy PENDING_DELETE", "q PENDING_UPDATE"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("no policy (-want +got):\n%s", diff)
	}
	c.do("PUT", root+"/l7policies/"+policy, object{"l7policy": object{"name": "x"}}).fault(t, 409, "L7 Policy "+policy+" is immutable and cannot be updated.")
	c.do("POST", root+"/l7policies/"+policy+"/rules", object{"rule": object{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}}).
		fault(t, 409, "L7Policy "+policy+" is immutable and cannot be updated.")
}

// TestPoolsOfL7Policies shows who uses a pool: those whose enabled policy with a rule redirects to it.
func TestPoolsOfL7Policies(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l, p := c.listener(lb, 80), c.pool(lb)
	policy := c.l7Policy(l, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": p})
	users := func() int { t.Helper(); return len(c.show("/pools/"+p, "pool")["listeners"].([]any)) }
	inTree := func() int {
		t.Helper()
		tree := c.show("/loadbalancers/"+lb+"/status", "statuses")["loadbalancer"].(object)
		return len(tree["listeners"].([]any)[0].(object)["pools"].([]any))
	}
	steps := []struct {
		name    string
		request func()
		want    int
	}{
		{"without rules", func() {}, 0},
		{"with a rule", func() { c.l7Rule(policy) }, 1},
		{"disabled", func() { c.put("/l7policies/"+policy, "l7policy", object{"admin_state_up": false}) }, 0},
		{"enabled", func() { c.put("/l7policies/"+policy, "l7policy", object{"admin_state_up": true}) }, 1},
		{"default pool too", func() { c.put("/listeners/"+l, "listener", object{"default_pool_id": p}) }, 1},
	}
	for _, step := range steps {
		step.request()
		if got, tree := users(), inTree(); got != step.want || tree != step.want {
			t.Errorf("%s: %d listeners use the pool, %d pools in the tree, want %d", step.name, got, tree, step.want)
		}
	}
	c.do("DELETE", root+"/pools/"+p, nil).fault(t, 409, "Pool "+p+" is in use by L7 policy "+policy)
	c.must(204, "DELETE", "/l7policies/"+policy, nil)
	c.must(204, "DELETE", "/pools/"+p, nil)
}

// TestL7GoesWithListener shows that policies and rules go with their listener.
func TestL7GoesWithListener(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l, p := c.listener(lb, 80), c.pool(lb)
	policy := c.l7Policy(l, object{"action": "REDIRECT_TO_POOL", "redirect_pool_id": p})
	rule := c.l7Rule(policy)
	c.must(204, "DELETE", "/listeners/"+l, nil)
	for path, key := range map[string]string{"/l7policies/" + policy: "l7policy", "/l7policies/" + policy + "/rules/" + rule: "rule"} {
		if got := c.show(path, key)["provisioning_status"]; got != "PENDING_DELETE" {
			t.Errorf("%s is %v", path, got)
		}
	}
	c.do("POST", root+"/l7policies", object{"l7policy": object{"listener_id": l, "action": "REJECT"}}).fault(t, 409, "Listener "+l+" is immutable and cannot be updated.")
	c.must(204, "DELETE", "/pools/"+p, nil)
	c.achieve()
	c.do("GET", root+"/l7policies/"+policy, nil).fault(t, 404, "L7 Policy "+policy+" not found.")
	c.do("GET", root+"/l7policies/"+policy+"/rules/"+rule, nil).fault(t, 404, "L7Policy "+policy+" not found.")
}

// TestL7StatusTree shows policies and rules in the status tree.
func TestL7StatusTree(t *testing.T) {
	c := newL7Cloud(t)
	lb := c.loadBalancer()
	l, p := c.listener(lb, 80), c.pool(lb)
	c.pool(lb) // nobody's
	policy := c.l7Policy(l, object{"name": "n", "action": "REDIRECT_TO_POOL", "redirect_pool_id": p})
	rule := c.l7Rule(policy)
	c.achieve()
	tree := c.show("/loadbalancers/"+lb+"/status", "statuses")["loadbalancer"].(object)
	status := func(id, name string) object {
		return object{"id": id, "name": name, "provisioning_status": "ACTIVE", "operating_status": "OFFLINE"}
	}
	pool := with(status(p, ""), object{"health_monitor": nil, "healthmonitor": nil, "members": []any{}})
	ruleStatus := with(status(rule, ""), object{"type": "PATH"})
	delete(ruleStatus, "name")
	want := with(status(l, ""), object{
		"pools":      []any{pool},
		"l7policies": []any{with(status(policy, "n"), object{"action": "REDIRECT_TO_POOL", "rules": []any{ruleStatus}})},
	})
	ignoreOperating(tree["listeners"].([]any)[0])
	ignoreOperating(want)
	if diff := cmp.Diff(want, tree["listeners"].([]any)[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(tree) != 5 {
		t.Errorf("the tree has %d keys", len(tree))
	}
}

// ignoreOperating makes all operating statuses of a tree the same: they are the store's to decide.
func ignoreOperating(tree any) {
	switch v := tree.(type) {
	case object:
		for key, below := range v {
			if key == "operating_status" {
				v[key] = "any"
			}
			ignoreOperating(below)
		}
	case []any:
		for _, below := range v {
			ignoreOperating(below)
		}
	}
}

// TestL7UnsupportedByProvider shows the fault of a provider that lacks some L7 policies and rate limits.
func TestL7UnsupportedByProvider(t *testing.T) {
	c := newCloud(t)
	lb := c.loadBalancer()
	l := c.listener(lb, 80)
	const not = "Provider 'haproxy' does not support a requested option: "
	tcp := c.make("/listeners", "listener", object{"loadbalancer_id": lb, "protocol": "TCP", "protocol_port": 81})
	c.do(http.MethodPost, root+"/l7policies", object{"l7policy": object{"listener_id": tcp["id"], "action": "REJECT"}}).
		fault(t, 501, not+"L7 policies of a listener of protocol TCP")
	c.do(http.MethodPost, root+"/ratelimitpolicies", object{"ratelimitpolicy": object{"listener_id": l, "action": "QUEUE"}}).fault(t, 501, not+"rate limit policy action QUEUE")
	for _, path := range []string{"/l7policies", "/ratelimitpolicies"} {
		if got := c.must(200, "GET", path, nil).body[path[1:]].([]any); len(got) != 0 {
			t.Errorf("GET %s: %v", path, got)
		}
	}
}

// TestWhoMayL7 asks who may see and change policies and rules.
func TestWhoMayL7(t *testing.T) {
	c := newL7Cloud(t)
	l := c.listener(c.loadBalancer(), 80)
	p, rl := c.l7Policy(l), c.rateLimitPolicy(l)
	r, rr := c.l7Rule(p), c.rateLimitRule(rl)
	objects := map[string]string{
		"/l7policies/" + p: "l7policy", "/l7policies/" + p + "/rules/" + r: "rule",
		"/ratelimitpolicies/" + rl: "ratelimitpolicy", "/ratelimitpolicies/" + rl + "/rules/" + rr: "rule",
	}
	reads := map[string]int{"member": 200, "reader": 200, "admin": 200, "system": 200, "stranger": 403, "nobody": 403, "unscoped": 403}
	for path, key := range objects {
		for who, want := range reads {
			if a := c.as(who).do(http.MethodGet, root+path, nil); a.code != want {
				t.Errorf("%s GET %s: %d %s, want %d", who, path, a.code, a.raw, want)
			}
		}
		for _, who := range []string{"reader", "system", "stranger", "nobody", "unscoped"} {
			c.as(who).do(http.MethodPut, root+path, object{key: object{"tags": []string{}}}).fault(t, 403, notAllowed)
			c.as(who).do(http.MethodDelete, root+path, nil).fault(t, 403, notAllowed)
		}
		if a := c.as("admin").do(http.MethodPut, root+path, object{key: object{"tags": []string{}}}); a.code != 200 {
			t.Errorf("admin PUT %s: %d %s", path, a.code, a.raw)
		}
	}
	creates := map[string]object{
		"/l7policies":                         {"l7policy": object{"listener_id": l, "action": "REJECT"}},
		"/l7policies/" + p + "/rules":         {"rule": object{"type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}},
		"/ratelimitpolicies":                  {"ratelimitpolicy": object{"listener_id": l, "action": "DENY"}},
		"/ratelimitpolicies/" + rl + "/rules": {"rule": object{"metric": "REQUESTS", "threshold": 1}},
	}
	for path, body := range creates {
		for _, who := range []string{"reader", "system", "stranger", "nobody", "unscoped"} {
			c.as(who).do(http.MethodPost, root+path, body).fault(t, 403, notAllowed)
		}
	}
	for _, path := range []string{"/l7policies", "/ratelimitpolicies"} {
		for who, want := range map[string]int{"member": 1, "stranger": 0, "admin": 1, "system": 1} {
			if got := c.as(who).must(200, "GET", path, nil).body[path[1:]].([]any); len(got) != want {
				t.Errorf("%s GET %s: %d, want %d", who, path, len(got), want)
			}
		}
	}
}
