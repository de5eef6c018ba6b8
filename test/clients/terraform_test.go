package clients

import (
	"net/http"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/l7policies"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
)

// terraform is what the Terraform provider does with one load balancer: after each change it polls until the load balancer,
// and then the object, is ACTIVE, and after a delete until the object is missing.
type terraform struct {
	*site
	t   *testing.T
	api *gophercloud.ServiceClient
	lb  *loadbalancers.LoadBalancer
}

// terraform makes a tree of everything object by object, and takes it apart in the same way.
func (s *site) terraform(t *testing.T) {
	f := &terraform{site: s, t: t, api: s.LoadBalancer}
	f.createLoadBalancer()
	l := f.createListener()
	p := f.createPool(l)
	m := f.createMembers(p)
	h := f.createMonitor(p)
	policy := f.createL7Policy(l, p)
	rule := f.createL7Rule(policy)
	f.look(l, p, h, policy, rule)
	f.deleteAll(l, p, m, h, policy, rule)
}

func (f *terraform) getLoadBalancer() (*loadbalancers.LoadBalancer, error) {
	return loadbalancers.Get(f.t.Context(), f.api, f.lb.ID).Extract()
}

func lbStatus(lb *loadbalancers.LoadBalancer) string { return lb.ProvisioningStatus }

func (f *terraform) createLoadBalancer() {
	const vip = "10.1.0.40"
	t, ctx := f.t, f.t.Context()
	f.lb = ok[*loadbalancers.LoadBalancer](t)(loadbalancers.Create(ctx, f.api, loadbalancers.CreateOpts{
		Name: "tf", Description: "d", VipSubnetID: f.net.SubnetID, VipAddress: vip, Provider: "noop", Tags: []string{"blue"},
		AdditionalVips: []loadbalancers.AdditionalVip{{SubnetID: f.second}},
	}).Extract())
	same(t, "status of what is new", "PENDING_CREATE", f.lb.ProvisioningStatus)
	ok[*loadbalancers.LoadBalancer](t)(loadbalancers.Update(ctx, f.api, f.lb.ID, loadbalancers.UpdateOpts{
		Name: ptr("tf2"), AdminStateUp: ptr(false), Tags: &[]string{"green"},
	}).Extract())
	lb := active(f, f.getLoadBalancer, lbStatus)
	if len(lb.AdditionalVips) != 1 || lb.AdditionalVips[0].IPAddress == "" || lb.VipPortID == "" || lb.UpdatedAt.Before(lb.CreatedAt) {
		t.Errorf("load balancer %+v", lb)
	}
	same(t, "load balancer", &loadbalancers.LoadBalancer{
		ID: f.lb.ID, Name: "tf2", Description: "d", ProjectID: f.ProjectID, ProvisioningStatus: "ACTIVE", OperatingStatus: lb.OperatingStatus,
		VipAddress: vip, VipSubnetID: f.net.SubnetID, VipNetworkID: f.net.ID, VipPortID: lb.VipPortID, Provider: "noop",
		AdditionalVips: []loadbalancers.AdditionalVip{{SubnetID: f.second, IPAddress: lb.AdditionalVips[0].IPAddress}}, Tags: []string{"green"},
		Listeners: []listeners.Listener{}, Pools: []pools.Pool{}, CreatedAt: lb.CreatedAt, UpdatedAt: lb.UpdatedAt,
	}, lb)
	listed := all(t, loadbalancers.List(f.api, loadbalancers.ListOpts{
		Name: "tf2", VipAddress: vip, VipSubnetID: f.net.SubnetID, AdminStateUp: ptr(false), Provider: "noop", Tags: []string{"green"}, TagsNot: []string{"blue"},
		SortKey: "name", SortDir: "desc", Limit: 1,
	}), loadbalancers.ExtractLoadBalancers)
	if len(listed) != 1 || listed[0].ID != f.lb.ID {
		t.Errorf("listed %+v", listed)
	}
}

func (f *terraform) getListener(id string) func() (*listeners.Listener, error) {
	return func() (*listeners.Listener, error) { return listeners.Get(f.t.Context(), f.api, id).Extract() }
}

func listenerStatus(l *listeners.Listener) string { return l.ProvisioningStatus }

func (f *terraform) createListener() *listeners.Listener {
	t, ctx := f.t, f.t.Context()
	l := ok[*listeners.Listener](t)(listeners.Create(ctx, f.api, listeners.CreateOpts{
		LoadbalancerID: f.lb.ID, Protocol: listeners.ProtocolTerminatedHTTPS, ProtocolPort: 443, Name: "tf", ConnLimit: ptr(100),
		DefaultTlsContainerRef: "https://barbican/v1/containers/one", SniContainerRefs: []string{"https://barbican/v1/containers/two"},
		ClientAuthentication: listeners.ClientAuthenticationOptional, ClientCATLSContainerRef: "https://barbican/v1/secrets/ca",
		InsertHeaders: map[string]string{"X-Forwarded-For": "true"}, AllowedCIDRs: []string{"10.0.0.0/8", "fd00::/8"},
		TLSVersions: []listeners.TLSVersion{listeners.TLSVersionTLSv1_3}, ALPNProtocols: []string{"h2"}, TLSCiphers: "ECDHE-RSA-AES128-GCM-SHA256",
		HSTSMaxAge: 100, HSTSPreload: true, TimeoutTCPInspect: ptr(7), Tags: []string{"blue"},
	}).Extract())
	active(f, f.getListener(l.ID), listenerStatus)
	ok[*listeners.Listener](t)(listeners.Update(ctx, f.api, l.ID, listeners.UpdateOpts{
		Description: ptr("d"), TimeoutClientData: ptr(1000), TimeoutMemberConnect: ptr(2000), TimeoutMemberData: ptr(3000), HSTSIncludeSubdomains: ptr(true),
		InsertHeaders: &map[string]string{}, AllowedCIDRs: &[]string{"10.0.0.0/9"},
	}).Extract())
	l = active(f, f.getListener(l.ID), listenerStatus)
	same(t, "listener", &listeners.Listener{
		ID: l.ID, ProjectID: f.ProjectID, Name: "tf", Description: "d", Protocol: "TERMINATED_HTTPS", ProtocolPort: 443, ConnLimit: 100, AdminStateUp: true,
		Loadbalancers: []listeners.LoadBalancerID{{ID: f.lb.ID}}, DefaultTlsContainerRef: "https://barbican/v1/containers/one",
		SniContainerRefs: []string{"https://barbican/v1/containers/two"}, ClientAuthentication: "OPTIONAL", ClientCATLSContainerRef: "https://barbican/v1/secrets/ca",
		TimeoutClientData: 1000, TimeoutMemberConnect: 2000, TimeoutMemberData: 3000, TimeoutTCPInspect: 7, AllowedCIDRs: []string{"10.0.0.0/9"},
		TLSVersions: []string{"TLSv1.3"}, TLSCiphers: "ECDHE-RSA-AES128-GCM-SHA256", ALPNProtocols: []string{"h2"}, HSTSMaxAge: 100,
		HSTSIncludeSubdomains: true, HSTSPreload: true, Tags: []string{"blue"}, L7Policies: []l7policies.L7Policy{}, InsertHeaders: map[string]string{}, ProvisioningStatus: "ACTIVE",
		OperatingStatus: l.OperatingStatus,
	}, l)
	listed := all(t, listeners.List(f.api, listeners.ListOpts{LoadbalancerID: f.lb.ID, TimeoutTCPInspect: ptr(7), Tags: []string{"blue"}}), listeners.ExtractListeners)
	if len(listed) != 1 || listed[0].ID != l.ID {
		t.Errorf("listed %+v", listed)
	}
	return l
}

func (f *terraform) getPool(id string) func() (*pools.Pool, error) {
	return func() (*pools.Pool, error) { return pools.Get(f.t.Context(), f.api, id).Extract() }
}

func poolStatus(p *pools.Pool) string { return p.ProvisioningStatus }

func (f *terraform) createPool(l *listeners.Listener) *pools.Pool {
	t, ctx := f.t, f.t.Context()
	p := ok[*pools.Pool](t)(pools.Create(ctx, f.api, pools.CreateOpts{
		ListenerID: l.ID, LBMethod: pools.LBMethodRoundRobin, Protocol: pools.ProtocolHTTP, Name: "tf",
		Persistence: &pools.SessionPersistence{Type: "APP_COOKIE", CookieName: "c"}, TLSEnabled: true, CATLSContainerRef: "https://barbican/v1/secrets/ca",
		TLSVersions: []pools.TLSVersion{pools.TLSVersionTLSv1_2}, Tags: []string{"blue"},
	}).Extract())
	active(f, f.getPool(p.ID), poolStatus)
	ok[*pools.Pool](t)(pools.Update(ctx, f.api, p.ID, pools.UpdateOpts{
		LBMethod: pools.LBMethodLeastConnections, Persistence: &pools.SessionPersistence{Type: "HTTP_COOKIE"}, ALPNProtocols: &[]string{"http/1.1"},
	}).Extract())
	p = active(f, f.getPool(p.ID), poolStatus)
	same(t, "pool", &pools.Pool{
		ID: p.ID, Name: "tf", ProjectID: f.ProjectID, LBMethod: "LEAST_CONNECTIONS", Protocol: "HTTP", AdminStateUp: true,
		Listeners: []pools.ListenerID{{ID: l.ID}}, Loadbalancers: []pools.LoadBalancerID{{ID: f.lb.ID}}, Members: []pools.Member{},
		Persistence: pools.SessionPersistence{Type: "HTTP_COOKIE"}, TLSEnabled: true, CATLSContainerRef: "https://barbican/v1/secrets/ca",
		TLSVersions: []string{"TLSv1.2"}, TLSCiphers: p.TLSCiphers, ALPNProtocols: []string{"http/1.1"}, Tags: []string{"blue"},
		ProvisioningStatus: "ACTIVE", OperatingStatus: p.OperatingStatus,
	}, p)
	listed := all(t, pools.List(f.api, pools.ListOpts{LoadbalancerID: f.lb.ID, Name: "tf", LBMethod: "LEAST_CONNECTIONS"}), pools.ExtractPools)
	if len(listed) != 1 || listed[0].ID != p.ID {
		t.Errorf("listed %+v", listed)
	}
	return p
}

func (f *terraform) getMember(pool, id string) func() (*pools.Member, error) {
	return func() (*pools.Member, error) { return pools.GetMember(f.t.Context(), f.api, pool, id).Extract() }
}

func memberStatus(m *pools.Member) string { return m.ProvisioningStatus }

// createMembers makes a member, has a batch keep it beside another one, and returns the first.
func (f *terraform) createMembers(p *pools.Pool) *pools.Member {
	t, ctx := f.t, f.t.Context()
	m := ok[*pools.Member](t)(pools.CreateMember(ctx, f.api, p.ID, pools.CreateMemberOpts{
		Address: "192.0.2.1", ProtocolPort: 80, Name: "one", Weight: ptr(0), Backup: ptr(true), MonitorAddress: "192.0.2.101", MonitorPort: ptr(81), SubnetID: f.net.SubnetID,
	}).Extract())
	active(f, f.getMember(p.ID, m.ID), memberStatus)
	ok[*pools.Member](t)(pools.UpdateMember(ctx, f.api, p.ID, m.ID, pools.UpdateMemberOpts{Weight: ptr(3), Name: ptr("uno"), Tags: []string{"blue"}}).Extract())
	m = active(f, f.getMember(p.ID, m.ID), memberStatus)
	same(t, "member", &pools.Member{
		ID: m.ID, Name: "uno", ProjectID: f.ProjectID, Address: "192.0.2.1", ProtocolPort: 80, Weight: 3, AdminStateUp: true, Backup: true,
		MonitorAddress: "192.0.2.101", MonitorPort: 81, SubnetID: f.net.SubnetID, ProvisioningStatus: "ACTIVE", OperatingStatus: m.OperatingStatus,
		CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt, Tags: []string{"blue"},
	}, m)
	done(t, pools.BatchUpdateMembers(ctx, f.api, p.ID, []pools.BatchUpdateMemberOpts{
		{Address: "192.0.2.1", ProtocolPort: 80, Name: ptr("one"), Weight: ptr(9), SubnetID: &f.net.SubnetID},
		{Address: "192.0.2.2", ProtocolPort: 80, Name: ptr("two")},
	}).ExtractErr())
	active(f, f.getMember(p.ID, m.ID), memberStatus)
	listed := all(t, pools.ListMembers(f.api, p.ID, pools.ListMembersOpts{SortKey: "name", Limit: 1}), pools.ExtractMembers)
	if len(listed) != 2 || listed[0].ID != m.ID || listed[0].Weight != 9 || listed[0].Backup || listed[1].Name != "two" || listed[1].Weight != 1 {
		t.Errorf("listed %+v", listed)
	}
	return m
}

func (f *terraform) getMonitor(id string) func() (*monitors.Monitor, error) {
	return func() (*monitors.Monitor, error) { return monitors.Get(f.t.Context(), f.api, id).Extract() }
}

func monitorStatus(h *monitors.Monitor) string { return h.ProvisioningStatus }

func (f *terraform) createMonitor(p *pools.Pool) *monitors.Monitor {
	t, ctx := f.t, f.t.Context()
	h := ok[*monitors.Monitor](t)(monitors.Create(ctx, f.api, monitors.CreateOpts{
		PoolID: p.ID, Type: monitors.TypeHTTP, Delay: 10, Timeout: 5, MaxRetries: 2, URLPath: "/healthy", HTTPMethod: "HEAD", ExpectedCodes: "200-204",
		HTTPVersion: "1.1", DomainName: "www.example.com", Name: "tf",
	}).Extract())
	active(f, f.getMonitor(h.ID), monitorStatus)
	ok[*monitors.Monitor](t)(monitors.Update(ctx, f.api, h.ID, monitors.UpdateOpts{Delay: 20, MaxRetriesDown: 5, Tags: []string{"blue"}}).Extract())
	h = active(f, f.getMonitor(h.ID), monitorStatus)
	same(t, "monitor", &monitors.Monitor{
		ID: h.ID, Name: "tf", ProjectID: f.ProjectID, Type: "HTTP", Delay: 20, Timeout: 5, MaxRetries: 2, MaxRetriesDown: 5, HTTPMethod: "HEAD",
		HTTPVersion: "1.1", URLPath: "/healthy", ExpectedCodes: "200-204", DomainName: "www.example.com", AdminStateUp: true,
		Pools: []monitors.PoolID{{ID: p.ID}}, Tags: []string{"blue"}, ProvisioningStatus: "ACTIVE", OperatingStatus: h.OperatingStatus,
	}, h)
	listed := all(t, monitors.List(f.api, monitors.ListOpts{PoolID: p.ID, Type: "HTTP", Delay: 20}), monitors.ExtractMonitors)
	if len(listed) != 1 || listed[0].ID != h.ID {
		t.Errorf("listed %+v", listed)
	}
	return h
}

func (f *terraform) getL7Policy(id string) func() (*l7policies.L7Policy, error) {
	return func() (*l7policies.L7Policy, error) { return l7policies.Get(f.t.Context(), f.api, id).Extract() }
}

func policyStatus(p *l7policies.L7Policy) string { return p.ProvisioningStatus }

func (f *terraform) createL7Policy(l *listeners.Listener, p *pools.Pool) *l7policies.L7Policy {
	t, ctx := f.t, f.t.Context()
	policy := ok[*l7policies.L7Policy](t)(l7policies.Create(ctx, f.api, l7policies.CreateOpts{
		ListenerID: l.ID, Name: "tf", Action: l7policies.ActionRedirectToURL, RedirectURL: "https://example.com/", RedirectHttpCode: 301,
	}).Extract())
	active(f, f.getL7Policy(policy.ID), policyStatus)
	first := ok[*l7policies.L7Policy](t)(l7policies.Create(ctx, f.api, l7policies.CreateOpts{ListenerID: l.ID, Action: l7policies.ActionReject, Position: 1}).Extract())
	active(f, f.getL7Policy(first.ID), policyStatus)
	ok[*l7policies.L7Policy](t)(l7policies.Update(ctx, f.api, policy.ID, l7policies.UpdateOpts{
		Action: l7policies.ActionRedirectToPool, RedirectPoolID: &p.ID, Description: ptr("d"), Tags: &[]string{"blue"},
	}).Extract())
	policy = active(f, f.getL7Policy(policy.ID), policyStatus)
	same(t, "L7 policy", &l7policies.L7Policy{
		ID: policy.ID, Name: "tf", Description: "d", ProjectID: f.ProjectID, ListenerID: l.ID, Action: "REDIRECT_TO_POOL", RedirectPoolID: p.ID, Position: 2,
		AdminStateUp: true, Rules: []l7policies.Rule{}, Tags: []string{"blue"}, ProvisioningStatus: "ACTIVE", OperatingStatus: policy.OperatingStatus,
	}, policy)
	listed := all(t, l7policies.List(f.api, l7policies.ListOpts{ListenerID: l.ID, SortKey: "position"}), l7policies.ExtractL7Policies)
	if len(listed) != 2 || listed[0].ID != first.ID || listed[1].ID != policy.ID {
		t.Errorf("listed %+v", listed)
	}
	return policy
}

func (f *terraform) getL7Rule(policy, id string) func() (*l7policies.Rule, error) {
	return func() (*l7policies.Rule, error) {
		return l7policies.GetRule(f.t.Context(), f.api, policy, id).Extract()
	}
}

func ruleStatus(r *l7policies.Rule) string { return r.ProvisioningStatus }

func (f *terraform) createL7Rule(policy *l7policies.L7Policy) *l7policies.Rule {
	t, ctx := f.t, f.t.Context()
	rule := ok[*l7policies.Rule](t)(l7policies.CreateRule(ctx, f.api, policy.ID, l7policies.CreateRuleOpts{
		RuleType: l7policies.TypeHeader, CompareType: l7policies.CompareTypeEqual, Key: "X-Colour", Value: "blue", Invert: true,
	}).Extract())
	active(f, f.getL7Rule(policy.ID, rule.ID), ruleStatus)
	ok[*l7policies.Rule](t)(l7policies.UpdateRule(ctx, f.api, policy.ID, rule.ID, l7policies.UpdateRuleOpts{
		CompareType: l7policies.CompareTypeContains, Value: "red", Invert: ptr(false), Tags: &[]string{"blue"},
	}).Extract())
	rule = active(f, f.getL7Rule(policy.ID, rule.ID), ruleStatus)
	same(t, "L7 rule", &l7policies.Rule{
		ID: rule.ID, ProjectID: f.ProjectID, RuleType: "HEADER", CompareType: "CONTAINS", Key: "X-Colour", Value: "red", AdminStateUp: true,
		Tags: []string{"blue"}, ProvisioningStatus: "ACTIVE", OperatingStatus: rule.OperatingStatus,
	}, rule)
	listed := all(t, l7policies.ListRules(f.api, policy.ID, l7policies.ListRulesOpts{RuleType: l7policies.TypeHeader}), l7policies.ExtractRules)
	if len(listed) != 1 || listed[0].ID != rule.ID {
		t.Errorf("listed %+v", listed)
	}
	return rule
}

// look reads the whole tree: the load balancer's ids, its status tree, and its counters.
func (f *terraform) look(l *listeners.Listener, p *pools.Pool, h *monitors.Monitor, policy *l7policies.L7Policy, rule *l7policies.Rule) {
	t, ctx := f.t, f.t.Context()
	lb := active(f, f.getLoadBalancer, lbStatus)
	if len(lb.Listeners) != 1 || lb.Listeners[0].ID != l.ID || len(lb.Pools) != 1 || lb.Pools[0].ID != p.ID {
		t.Errorf("listeners %+v, pools %+v", lb.Listeners, lb.Pools)
	}
	l = ok[*listeners.Listener](t)(f.getListener(l.ID)())
	p = ok[*pools.Pool](t)(f.getPool(p.ID)())
	policy = ok[*l7policies.L7Policy](t)(f.getL7Policy(policy.ID)())
	if l.DefaultPoolID != p.ID || len(l.L7Policies) != 2 || p.MonitorID != h.ID || len(p.Members) != 2 || len(policy.Rules) != 1 || policy.Rules[0].ID != rule.ID {
		t.Errorf("listener %+v, pool %+v, policy %+v", l, p, policy)
	}
	tree := ok[*loadbalancers.StatusTree](t)(loadbalancers.GetStatuses(ctx, f.api, f.lb.ID).Extract()).Loadbalancer
	if len(tree.Listeners) != 1 || len(tree.Listeners[0].Pools) != 1 || len(tree.Listeners[0].Pools[0].Members) != 2 || tree.Listeners[0].Pools[0].Monitor.ID != h.ID {
		t.Errorf("status tree %+v", tree)
	}
	same(t, "counters", &loadbalancers.Stats{}, ok[*loadbalancers.Stats](t)(loadbalancers.GetStats(ctx, f.api, f.lb.ID).Extract()))
	same(t, "counters", &listeners.Stats{}, ok[*listeners.Stats](t)(listeners.GetStats(ctx, f.api, l.ID).Extract()))
}

func (f *terraform) deleteAll(l *listeners.Listener, p *pools.Pool, m *pools.Member, h *monitors.Monitor, policy *l7policies.L7Policy, rule *l7policies.Rule) {
	t, ctx := f.t, f.t.Context()
	err := loadbalancers.Delete(ctx, f.api, f.lb.ID, nil).ExtractErr()
	if !gophercloud.ResponseCodeIs(err, http.StatusBadRequest) {
		t.Errorf("delete with everything in it: %v", err)
	}
	done(t, l7policies.DeleteRule(ctx, f.api, policy.ID, rule.ID).ExtractErr())
	gone(f, f.getL7Rule(policy.ID, rule.ID))
	done(t, l7policies.Delete(ctx, f.api, policy.ID).ExtractErr())
	gone(f, f.getL7Policy(policy.ID))
	done(t, monitors.Delete(ctx, f.api, h.ID).ExtractErr())
	gone(f, f.getMonitor(h.ID))
	done(t, pools.DeleteMember(ctx, f.api, p.ID, m.ID).ExtractErr())
	gone(f, f.getMember(p.ID, m.ID))
	done(t, pools.Delete(ctx, f.api, p.ID).ExtractErr())
	gone(f, f.getPool(p.ID))
	done(t, listeners.Delete(ctx, f.api, l.ID).ExtractErr())
	gone(f, f.getListener(l.ID))
	done(t, loadbalancers.Delete(ctx, f.api, f.lb.ID, nil).ExtractErr())
	gone(f, f.getLoadBalancer)
}
