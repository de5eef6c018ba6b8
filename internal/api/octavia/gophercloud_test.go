package octavia_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/apiversions"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/l7policies"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/providers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/quotas"
)

// client is gophercloud, as Terraform and Kubernetes use it.
func (c *cloud) client() *gophercloud.ServiceClient {
	return &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{TokenID: c.token, HTTPClient: http.Client{}},
		Endpoint:       c.server.URL + "/load-balancer/",
		ResourceBase:   c.server.URL + "/load-balancer/v2.0/",
		Type:           "load-balancer",
	}
}

func ptr[T any](v T) *T { return &v }

// check ends the test on an error, and else passes a value on.
func check[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestGophercloudLoadBalancer(t *testing.T) {
	c := newCloud(t)
	ctx, client := t.Context(), c.client()
	lb := check[*loadbalancers.LoadBalancer](t)(loadbalancers.Create(ctx, client, loadbalancers.CreateOpts{
		Name: "lb", Description: "d", VipSubnetID: c.subnet.ID, AdminStateUp: ptr(true), Tags: []string{"t"},
		Listeners: []listeners.CreateOpts{{Protocol: "HTTP", ProtocolPort: 80, Name: "l", DefaultPool: &pools.CreateOpts{
			Name: "p", Protocol: "HTTP", LBMethod: "ROUND_ROBIN",
			Members: []pools.CreateMemberOpts{{Address: "10.0.0.9", ProtocolPort: 80}},
			Monitor: monitors.CreateOpts{Type: "HTTP", Delay: 5, Timeout: 3, MaxRetries: 2},
		}}},
	}).Extract())
	if len(lb.Listeners) != 1 || len(lb.Pools) != 1 || len(lb.Pools[0].Members) != 1 || lb.Pools[0].Monitor.Type != "HTTP" || lb.CreatedAt.IsZero() {
		t.Errorf("created %+v", lb)
	}
	got := check[*loadbalancers.LoadBalancer](t)(loadbalancers.Get(ctx, client, lb.ID).Extract())
	if got.Name != "lb" || got.VipAddress == "" || got.ProvisioningStatus != "PENDING_CREATE" || !cmp.Equal(got.Tags, []string{"t"}) {
		t.Errorf("got %+v", got)
	}
	got = check[*loadbalancers.LoadBalancer](t)(loadbalancers.Update(ctx, client, lb.ID, loadbalancers.UpdateOpts{Name: ptr("x")}).Extract())
	if got.Name != "x" {
		t.Errorf("updated %+v", got)
	}
	pages, err := loadbalancers.List(client, loadbalancers.ListOpts{Name: "x", Limit: 1, Tags: []string{"t"}}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := check[[]loadbalancers.LoadBalancer](t)(loadbalancers.ExtractLoadBalancers(pages)); len(all) != 1 || all[0].ID != lb.ID {
		t.Errorf("listed %+v", all)
	}
	tree := check[*loadbalancers.StatusTree](t)(loadbalancers.GetStatuses(ctx, client, lb.ID).Extract())
	if len(tree.Loadbalancer.Listeners) != 1 || tree.Loadbalancer.Listeners[0].Pools[0].Members[0].Address != "10.0.0.9" {
		t.Errorf("status tree %+v", tree.Loadbalancer)
	}
	check[*loadbalancers.Stats](t)(loadbalancers.GetStats(ctx, client, lb.ID).Extract())
	if err := loadbalancers.Delete(ctx, client, lb.ID, nil).ExtractErr(); !gophercloud.ResponseCodeIs(err, 400) {
		t.Errorf("delete without cascade: %v", err)
	}
	if err := loadbalancers.Delete(ctx, client, lb.ID, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr(); err != nil {
		t.Error(err)
	}
	c.achieve()
	if _, err := loadbalancers.Get(ctx, client, lb.ID).Extract(); !gophercloud.ResponseCodeIs(err, 404) {
		t.Errorf("after the delete: %v", err)
	}
}

func TestGophercloudListener(t *testing.T) {
	c := newCloud(t)
	ctx, client, lb := t.Context(), c.client(), c.loadBalancer()
	l := check[*listeners.Listener](t)(listeners.Create(ctx, client, listeners.CreateOpts{
		LoadbalancerID: lb, Protocol: "HTTP", ProtocolPort: 80, Name: "l", ConnLimit: ptr(7), InsertHeaders: map[string]string{"X-Forwarded-For": "true"},
		TimeoutClientData: ptr(1), AllowedCIDRs: []string{"10.0.0.0/8"}, Tags: []string{"t"},
	}).Extract())
	if l.ConnLimit != 7 || l.TimeoutClientData != 1 || l.Loadbalancers[0].ID != lb || !cmp.Equal(l.AllowedCIDRs, []string{"10.0.0.0/8"}) {
		t.Errorf("created %+v", l)
	}
	l = check[*listeners.Listener](t)(listeners.Update(ctx, client, l.ID, listeners.UpdateOpts{Name: ptr("x"), AllowedCIDRs: &[]string{}}).Extract())
	if l.Name != "x" || l.AllowedCIDRs != nil {
		t.Errorf("updated %+v", l)
	}
	pages, err := listeners.List(client, listeners.ListOpts{LoadbalancerID: lb, ProtocolPort: 80}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := check[[]listeners.Listener](t)(listeners.ExtractListeners(pages)); len(all) != 1 || all[0].ID != l.ID {
		t.Errorf("listed %+v", all)
	}
	check[*listeners.Stats](t)(listeners.GetStats(ctx, client, l.ID).Extract())
	if err := listeners.Delete(ctx, client, l.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
}

func TestGophercloudPool(t *testing.T) {
	c := newCloud(t)
	ctx, client, lb := t.Context(), c.client(), c.loadBalancer()
	p := check[*pools.Pool](t)(pools.Create(ctx, client, pools.CreateOpts{
		LoadbalancerID: lb, Protocol: "HTTP", LBMethod: "ROUND_ROBIN", Name: "p",
	}).Extract())
	p = check[*pools.Pool](t)(pools.Update(ctx, client, p.ID, pools.UpdateOpts{LBMethod: "LEAST_CONNECTIONS"}).Extract())
	if p.LBMethod != "LEAST_CONNECTIONS" || p.Loadbalancers[0].ID != lb || p.MonitorID != "" {
		t.Errorf("updated %+v", p)
	}
	m := check[*pools.Member](t)(pools.CreateMember(ctx, client, p.ID, pools.CreateMemberOpts{
		Address: "10.0.0.9", ProtocolPort: 80, Weight: ptr(0), SubnetID: c.subnet.ID, Backup: ptr(true), MonitorPort: ptr(81),
	}).Extract())
	if m.Weight != 0 || !m.Backup || m.MonitorPort != 81 || m.SubnetID != c.subnet.ID {
		t.Errorf("created %+v", m)
	}
	m = check[*pools.Member](t)(pools.UpdateMember(ctx, client, p.ID, m.ID, pools.UpdateMemberOpts{Weight: ptr(5)}).Extract())
	if m.Weight != 5 {
		t.Errorf("updated %+v", m)
	}
	check[*pools.Member](t)(pools.GetMember(ctx, client, p.ID, m.ID).Extract())
	err := pools.BatchUpdateMembers(ctx, client, p.ID, []pools.BatchUpdateMemberOpts{
		{Address: "10.0.0.9", ProtocolPort: 80, Weight: ptr(6)}, {Address: "10.0.0.10", ProtocolPort: 80},
	}).ExtractErr()
	if err != nil {
		t.Error(err)
	}
	pages, err := pools.ListMembers(client, p.ID, nil).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := check[[]pools.Member](t)(pools.ExtractMembers(pages)); len(all) != 2 || all[0].ID != m.ID || all[0].Weight != 6 {
		t.Errorf("listed %+v", all)
	}
	if err := pools.DeleteMember(ctx, client, p.ID, m.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
	listed, err := pools.List(client, pools.ListOpts{LoadbalancerID: lb}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := check[[]pools.Pool](t)(pools.ExtractPools(listed)); len(all) != 1 {
		t.Errorf("listed %+v", all)
	}
	if err := pools.Delete(ctx, client, p.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
}

func TestGophercloudMonitor(t *testing.T) {
	c := newCloud(t)
	ctx, client := t.Context(), c.client()
	p := c.pool(c.loadBalancer())
	h := check[*monitors.Monitor](t)(monitors.Create(ctx, client, monitors.CreateOpts{
		PoolID: p, Type: "HTTP", Delay: 5, Timeout: 3, MaxRetries: 2, MaxRetriesDown: 4, URLPath: "/x", ExpectedCodes: "200-204",
		HTTPVersion: "1.1", DomainName: "a.example",
	}).Extract())
	if h.MaxRetriesDown != 4 || h.HTTPMethod != "GET" || h.HTTPVersion != "1.1" || h.Pools[0].ID != p {
		t.Errorf("created %+v", h)
	}
	h = check[*monitors.Monitor](t)(monitors.Update(ctx, client, h.ID, monitors.UpdateOpts{Delay: 7}).Extract())
	if h.Delay != 7 || h.URLPath != "/x" {
		t.Errorf("updated %+v", h)
	}
	pages, err := monitors.List(client, monitors.ListOpts{PoolID: p}).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := check[[]monitors.Monitor](t)(monitors.ExtractMonitors(pages)); len(all) != 1 || all[0].ID != h.ID {
		t.Errorf("listed %+v", all)
	}
	if err := monitors.Delete(ctx, client, h.ID).ExtractErr(); err != nil {
		t.Error(err)
	}
}

func TestGophercloudRest(t *testing.T) {
	c := newCloud(t)
	ctx, client := t.Context(), c.client()
	pages, err := apiversions.List(client).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := check[[]apiversions.APIVersion](t)(apiversions.ExtractAPIVersions(pages)); len(all) != 31 || all[30].ID != "v2.30" {
		t.Errorf("versions %+v", all)
	}
	listed, err := providers.List(client, nil).AllPages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all := check[[]providers.Provider](t)(providers.ExtractProviders(listed)); len(all) != 1 || all[0].Name != "haproxy" {
		t.Errorf("providers %+v", all)
	}
	if q := check[*quotas.Quota](t)(quotas.Get(ctx, client, mine).Extract()); q.Loadbalancer != -1 || q.L7Rule != -1 {
		t.Errorf("quota %+v", q)
	}
	if pages, err := l7policies.List(client, l7policies.ListOpts{}).AllPages(ctx); err != nil {
		t.Error(err)
	} else if empty, err := pages.IsEmpty(); !empty || err != nil {
		t.Error(empty, err)
	}
	if _, err := flavors.List(client, nil).AllPages(ctx); err != nil {
		t.Error(err)
	}
}
