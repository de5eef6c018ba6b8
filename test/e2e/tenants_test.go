package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"

	"plimsoll/test/harness"
)

// TestTenantsDoNotMeet gives two tenants the same CIDR, the same VIP and the same member addresses.
func TestTenantsDoNotMeet(t *testing.T) {
	server := harness.Start(t)
	var sites []*site
	for _, tenant := range []string{"red", "blue"} {
		s := &site{Server: server, Cloud: server.Tenant(t, tenant)}
		s.net = s.CreateNetwork(t, "web", "10.1.0.0/24")
		s.client = s.Plug(t, s.net, "10.1.0.50")
		for _, address := range []string{"10.1.0.11", "10.1.0.12"} {
			s.webs = append(s.webs, s.Plug(t, s.net, address).Serve(t, 8080, tenant+" "+address))
		}
		s.lb = s.BuildTree(t, s.net, harness.Tree{VIP: "10.1.0.100", Members: s.webs, Monitor: true})
		sites = append(sites, s)
	}
	for _, s := range sites {
		s.WaitActive(t, s.lb.ID)
		s.answers(t)
	}
	for range 20 {
		for i, s := range sites {
			name, err := s.client.Get("10.1.0.100:80")
			if want := []string{"red", "blue"}[i]; err != nil || name[:len(want)] != want {
				t.Errorf("the client of %s got %q, %v", want, name, err)
			}
		}
	}
	_, err := loadbalancers.Get(t.Context(), sites[0].LoadBalancer, sites[1].lb.ID).Extract()
	if !gophercloud.ResponseCodeIs(err, http.StatusForbidden) && !gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		t.Errorf("a tenant sees another's load balancer: %v", err)
	}
	// What happens to one tenant is nothing to the other.
	for _, w := range sites[0].webs {
		w.Stop()
	}
	sites[0].WaitOperating(t, sites[0].lb.ID, sites[0].lb.PoolID, "ERROR")
	sites[1].WaitOperating(t, sites[1].lb.ID, sites[1].lb.PoolID, "ONLINE")
	sites[0].Delete(t, sites[0].lb.ID)
	time.Sleep(100 * time.Millisecond)
	if _, err := sites[1].client.Get("10.1.0.100:80"); err != nil {
		t.Errorf("after the other tenant's deletion: %v", err)
	}
}
