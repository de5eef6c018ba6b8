package octavia_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/api/octavia"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/haproxy"
	"plimsoll/lbaas"
)

// remarking is a provider that has something to say of each part that has an even port, or none.
func remarking() provider.Face {
	return provider.Face{Name: "remarking", Remark: func(p lbaas.Part) string {
		if m, ok := p.(*lbaas.Member); ok && m.ProtocolPort%2 == 1 {
			return ""
		}
		return "this " + string(p.Noun()) + " is made otherwise"
	}}
}

// branch makes a tree and returns the paths of one object of each noun, by noun.
func (c *cloud) branch(named string) map[string]string {
	c.t.Helper()
	lb := c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "provider": named})["id"].(string)
	l := c.listener(lb, 80)
	p := c.make("/pools", "pool", object{"loadbalancer_id": lb, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})["id"].(string)
	m := c.make("/pools/"+p+"/members", "member", object{"address": "10.0.0.50", "protocol_port": 80})["id"].(string)
	h := c.make("/healthmonitors", "healthmonitor", object{"pool_id": p, "type": "TCP", "delay": 5, "timeout": 5, "max_retries": 2})["id"].(string)
	policy := c.l7Policy(l)
	limit := c.rateLimitPolicy(l)
	return map[string]string{
		"loadbalancer": "/loadbalancers/" + lb, "listener": "/listeners/" + l, "pool": "/pools/" + p, "member": "/pools/" + p + "/members/" + m,
		"healthmonitor": "/healthmonitors/" + h, "l7policy": "/l7policies/" + policy, "ratelimitpolicy": "/ratelimitpolicies/" + limit,
	}
}

// TestRemark shows what status_reason says of objects that their provider makes otherwise than they are written.
func TestRemark(t *testing.T) {
	c := newCloud(t)
	c.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), Providers: []provider.Face{haproxy.Face(), remarking()}, Host: "h"})
	nouns := map[string]lbaas.Noun{
		"loadbalancer": lbaas.NounLoadBalancer, "listener": lbaas.NounListener, "pool": lbaas.NounPool, "member": lbaas.NounMember,
		"healthmonitor": lbaas.NounHealthMonitor, "l7policy": lbaas.NounL7Policy, "ratelimitpolicy": lbaas.NounRateLimitPolicy,
	}
	for _, named := range []string{"remarking", "haproxy"} {
		for key, path := range c.branch(named) {
			want := object{"status_reason": ""}
			if named == "remarking" {
				want["status_reason"] = "this " + string(nouns[key]) + " is made otherwise"
			}
			if diff := cmp.Diff(want, c.show(path+"?fields=status_reason", key)); diff != "" {
				t.Errorf("%s: GET %s (-want +got):\n%s", named, path, diff)
			}
			if _, given := c.show(path, key)["status_reason"]; given {
				t.Errorf("%s: GET %s has a reason without being asked for it", named, path)
			}
		}
	}
}

// TestRemarkInLists shows the same in lists, where load balancers of several providers stand side by side.
func TestRemarkInLists(t *testing.T) {
	c := newCloud(t)
	c.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), Providers: []provider.Face{haproxy.Face(), remarking()}, Host: "h"})
	c.branch("haproxy")
	members := c.branch("remarking")["member"]
	pool := members[:len(members)-len("/")-36]
	c.make(pool, "member", object{"address": "10.0.0.51", "protocol_port": 81})
	lists := map[string][]string{
		"/listeners?sort=created_at&": {"", "this Listener is made otherwise"},
		pool + "?sort=created_at&":    {"this Member is made otherwise", ""},
	}
	for path, want := range lists {
		key := "listeners"
		if path != "/listeners?sort=created_at&" {
			key = "members"
		}
		var got []string
		for _, one := range c.must(http.StatusOK, "GET", path+"fields=status_reason", nil).body[key].([]any) {
			got = append(got, one.(object)["status_reason"].(string))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
}

// TestReasonBeforeRemark shows that why an object failed is more than how it is made.
func TestReasonBeforeRemark(t *testing.T) {
	c := newCloud(t)
	c.serve(octavia.Config{Store: c.store, Networks: c.store, Auth: everybody(), Providers: []provider.Face{haproxy.Face(), remarking()}, Host: "h"})
	paths := c.branch("remarking")
	h := paths["healthmonitor"][len("/healthmonitors/"):]
	c.fail(paths["loadbalancer"][len("/loadbalancers/"):], h, "the controller refuses it")
	if got := c.show(paths["healthmonitor"]+"?fields=status_reason", "healthmonitor")["status_reason"]; got != "the controller refuses it" {
		t.Errorf("the reason is %q", got)
	}
}

// fail has an object fail, as the loop would.
func (c *cloud) fail(lbID, id, reason string) {
	c.t.Helper()
	ctx := c.t.Context()
	names, err := c.store.LeaseNames(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	lb, err := c.store.Tree(ctx, lbID)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range names {
		lease, ok, err := c.store.AcquireLease(ctx, name, "test", 60e9)
		if err != nil || !ok {
			c.t.Fatal(ok, err)
		}
		failures := map[string]string{id: reason}
		if err := c.store.Achieved(ctx, lease, lbID, lb.Progress.Generation, failures, nil); err != nil {
			c.t.Fatal(err)
		}
	}
}
