package octavia_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/l7policies"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
)

func TestGophercloudL7Policy(t *testing.T) {
	c := newL7Cloud(t)
	ctx, client := t.Context(), c.client()
	lb := c.loadBalancer()
	l, pool := c.listener(lb, 80), c.pool(lb)
	policy := func(p *l7policies.L7Policy, err error) *l7policies.L7Policy {
		t.Helper()
		return check[*l7policies.L7Policy](t)(p, err)
	}
	p := policy(l7policies.Create(ctx, client, l7policies.CreateOpts{
		ListenerID: l, Name: "p", Action: l7policies.ActionRedirectToURL, RedirectURL: "http://example.com/", RedirectHttpCode: 301, Tags: []string{"t"},
	}).Extract())
	if p.RedirectHttpCode != 301 || p.Position != 1 || p.ListenerID != l {
		t.Errorf("created %+v", p)
	}
	p = policy(l7policies.Update(ctx, client, p.ID, l7policies.UpdateOpts{Action: l7policies.ActionRedirectToPool, RedirectPoolID: &pool}).Extract())
	if p.RedirectPoolID != pool || p.RedirectURL != "" || p.Action != "REDIRECT_TO_POOL" {
		t.Errorf("updated %+v", p)
	}
	rule := check[*l7policies.Rule](t)(l7policies.CreateRule(ctx, client, p.ID, l7policies.CreateRuleOpts{
		RuleType: l7policies.TypeHeader, CompareType: l7policies.CompareTypeRegex, Key: "X-A", Value: "^a+$", Invert: true,
	}).Extract())
	rule = check[*l7policies.Rule](t)(l7policies.UpdateRule(ctx, client, p.ID, rule.ID, l7policies.UpdateRuleOpts{Value: "b"}).Extract())
	if rule.Value != "b" || !rule.Invert || rule.Key != "X-A" {
		t.Errorf("updated %+v", rule)
	}
	pages, err := l7policies.ListRules(client, p.ID, l7policies.ListRulesOpts{RuleType: l7policies.TypeHeader}).AllPages(ctx)
	if all := check[[]l7policies.Rule](t)(l7policies.ExtractRules(pages)); err != nil || len(all) != 1 || all[0].ID != rule.ID {
		t.Errorf("listed %+v, %v", all, err)
	}
	pages, err = l7policies.List(client, l7policies.ListOpts{RedirectPoolID: pool}).AllPages(ctx)
	if all := check[[]l7policies.L7Policy](t)(l7policies.ExtractL7Policies(pages)); err != nil || len(all) != 1 || len(all[0].Rules) != 1 {
		t.Errorf("listed %+v, %v", all, err)
	}
	if err := l7policies.DeleteRule(ctx, client, p.ID, rule.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
	if err := l7policies.Delete(ctx, client, p.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
}

// TestGophercloudL7Tree makes a whole tree in one call, as gophercloud spells it.
func TestGophercloudL7Tree(t *testing.T) {
	c := newL7Cloud(t)
	lb := check[*loadbalancers.LoadBalancer](t)(loadbalancers.Create(t.Context(), c.client(), loadbalancers.CreateOpts{
		VipSubnetID: c.subnet.ID,
		Listeners: []listeners.CreateOpts{{
			Protocol: "HTTP", ProtocolPort: 80,
			DefaultPool: &pools.CreateOpts{Name: "default", Protocol: "HTTP", LBMethod: "ROUND_ROBIN"},
			L7Policies: []l7policies.CreateOpts{{
				Name: "redirect", Action: l7policies.ActionRedirectToURL, RedirectURL: "http://example.com",
				Rules: []l7policies.CreateRuleOpts{{RuleType: l7policies.TypePath, CompareType: l7policies.CompareTypeRegex, Value: "/images*"}},
			}},
		}},
	}).Extract())
	policy := lb.Listeners[0].L7Policies[0]
	got := []any{policy.Name, policy.Action, policy.Position, len(policy.Rules), policy.Rules[0].Value, len(lb.Pools), lb.Pools[0].Name}
	if diff := cmp.Diff([]any{"redirect", "REDIRECT_TO_URL", int32(1), 1, "/images*", 1, "default"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
