package clients

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/apiversions"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
)

// kubernetes does what cloud-provider-openstack does for a Service of type LoadBalancer with two ports: it asks what the API
// can, makes everything in one call, keeps members and addresses up to date, and takes everything away in one call.
func (s *site) kubernetes(t *testing.T) {
	ctx, api := t.Context(), s.LoadBalancer
	versions := all(t, apiversions.List(api), apiversions.ExtractAPIVersions)
	if last := versions[len(versions)-1]; last != (apiversions.APIVersion{ID: "v2.30", Status: "CURRENT"}) {
		t.Errorf("the last version is %+v", last)
	}
	name := "kube_service_cluster_default_web"
	if there := s.serviceLBs(t, name); len(there) != 0 {
		t.Fatalf("load balancers %+v", there)
	}
	lb := ok[*loadbalancers.LoadBalancer](t)(loadbalancers.Create(ctx, api, loadbalancers.CreateOpts{
		Name: name, Description: "Kubernetes external service default/web", VipSubnetID: s.net.SubnetID, Tags: []string{name},
		Listeners: []listeners.CreateOpts{s.servicePort(listeners.ProtocolTCP, 80, pools.ProtocolPROXY, monitors.TypeTCP),
			s.servicePort(listeners.ProtocolUDP, 53, pools.ProtocolUDP, monitors.TypeHTTP)},
	}).Extract())
	s.poll(t, lb.ID)
	if there := s.serviceLBs(t, name); len(there) != 1 || there[0].ID != lb.ID {
		t.Errorf("load balancers %+v", there)
	}
	for _, l := range all(t, listeners.List(api, listeners.ListOpts{LoadbalancerID: lb.ID}), listeners.ExtractListeners) {
		s.keepUpToDate(t, lb.ID, l)
	}
	done(t, loadbalancers.Delete(ctx, api, lb.ID, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr())
	s.WaitGone(t, lb.ID)
}

// serviceLBs looks for the load balancer of a service.
func (s *site) serviceLBs(t *testing.T, name string) []loadbalancers.LoadBalancer {
	return all(t, loadbalancers.List(s.LoadBalancer, loadbalancers.ListOpts{Name: name}), loadbalancers.ExtractLoadBalancers)
}

// servicePort is a port of the service, with nodes that a health check watches at a port of their own.
func (s *site) servicePort(protocol listeners.Protocol, port int, pool pools.Protocol, check string) listeners.CreateOpts {
	monitor := monitors.CreateOpts{Name: "monitor", Type: check, Delay: 10, Timeout: 5, MaxRetries: 2, MaxRetriesDown: 3}
	if check == monitors.TypeHTTP {
		monitor.URLPath, monitor.HTTPMethod, monitor.ExpectedCodes = "/healthz", "GET", "200"
	}
	return listeners.CreateOpts{
		Name: fmt.Sprintf("listener_%d", port), Protocol: protocol, ProtocolPort: port, ConnLimit: ptr(-1), Tags: []string{"kube"},
		AllowedCIDRs: []string{"0.0.0.0/0"},
		DefaultPool: &pools.CreateOpts{
			Name: fmt.Sprintf("pool_%d", port), Protocol: pool, LBMethod: pools.LBMethodRoundRobin, Monitor: monitor,
			Members: []pools.CreateMemberOpts{
				{Address: "192.0.2.1", ProtocolPort: 30000 + port, Name: "node-1", SubnetID: s.net.SubnetID, MonitorPort: ptr(10256)},
			},
		},
	}
}

// poll waits as cloud-provider-openstack does: a second, and then longer and longer.
func (s *site) poll(t *testing.T, id string) {
	t.Helper()
	wait := time.Second
	for range 23 {
		lb := ok[*loadbalancers.LoadBalancer](t)(loadbalancers.Get(t.Context(), s.LoadBalancer, id).Extract())
		switch lb.ProvisioningStatus {
		case "ACTIVE":
			return
		case "ERROR":
			t.Fatalf("load balancer %s is in ERROR", id)
		}
		time.Sleep(wait)
		wait = wait * 6 / 5
	}
	t.Fatalf("load balancer %s does not become ACTIVE", id)
}

// keepUpToDate is what happens at a listener when a node comes, the service's source ranges change and its checks become faster.
func (s *site) keepUpToDate(t *testing.T, lb string, l listeners.Listener) {
	ctx, api := t.Context(), s.LoadBalancer
	there := all(t, pools.List(api, pools.ListOpts{LoadbalancerID: lb}), pools.ExtractPools)
	i := slices.IndexFunc(there, func(p pools.Pool) bool { return len(p.Listeners) == 1 && p.Listeners[0].ID == l.ID })
	if i < 0 {
		t.Fatalf("no pool of listener %s in %+v", l.ID, there)
	}
	p := there[i]
	port := 30000 + l.ProtocolPort
	done(t, pools.BatchUpdateMembers(ctx, api, p.ID, []pools.BatchUpdateMemberOpts{
		{Address: "192.0.2.1", ProtocolPort: port, Name: ptr("node-1"), SubnetID: &s.net.SubnetID, MonitorPort: ptr(10256)},
		{Address: "192.0.2.2", ProtocolPort: port, Name: ptr("node-2"), SubnetID: &s.net.SubnetID, MonitorPort: ptr(10256)},
	}).ExtractErr())
	s.poll(t, lb)
	members := all(t, pools.ListMembers(api, p.ID, pools.ListMembersOpts{}), pools.ExtractMembers)
	if len(members) != 2 || members[0].ID != p.Members[0].ID || members[1].Name != "node-2" {
		t.Errorf("members %+v", members)
	}
	updated := ok[*listeners.Listener](t)(listeners.Update(ctx, api, l.ID, listeners.UpdateOpts{
		AllowedCIDRs: &[]string{"198.51.100.0/24"}, TimeoutClientData: ptr(50000), Tags: &[]string{"kube", "kube2"},
	}).Extract())
	same(t, "source ranges", []string{"198.51.100.0/24"}, updated.AllowedCIDRs)
	s.poll(t, lb)
	h := ok[*monitors.Monitor](t)(monitors.Update(ctx, api, p.MonitorID, monitors.UpdateOpts{Delay: 5, Timeout: 3, MaxRetries: 1}).Extract())
	same(t, "delay", 5, h.Delay)
	s.poll(t, lb)
	_, err := listeners.Create(ctx, api, listeners.CreateOpts{LoadbalancerID: lb, Protocol: listeners.Protocol(l.Protocol), ProtocolPort: l.ProtocolPort}).Extract()
	if !gophercloud.ResponseCodeIs(err, 409) {
		t.Errorf("another service's listener at the same port: %v", err)
	}
}
