package octavia_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plimsoll/lbaas"
)

const amphoraRoot = "/v2/octavia/amphorae"

// amphorae makes two amphorae of a new load balancer, the second of which is broken.
func (c *cloud) amphorae() (lb, good, bad string) {
	c.t.Helper()
	lb = c.make("/loadbalancers", "loadbalancer", object{"vip_subnet_id": c.subnet.ID, "provider": "noop"})["id"].(string)
	good, bad = "aaaaaaaa-2222-4333-8444-555555555555", "bbbbbbbb-2222-4333-8444-555555555555"
	c.report(lb, []lbaas.Amphora{
		{
			ID: good, ComputeID: "host-1", LBNetworkIP: netip.MustParseAddr("192.0.2.1"), VRRPIP: netip.MustParseAddr("10.0.0.3"),
			HAIP: netip.MustParseAddr("10.0.0.4"), VRRPPortID: "v", HAPortID: "h",
			CertExpiration: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), CertBusy: true, Role: lbaas.RoleMaster,
			Status: lbaas.AmphoraAllocated, VRRPInterface: "eth1", VRRPID: 1, VRRPPriority: 100, CachedZone: "z",
			ImageID: "i", ComputeFlavor: "f",
		},
		{ID: bad, Status: lbaas.AmphoraError, Role: lbaas.RoleBackup},
	})
	return lb, good, bad
}

// report has the loop write what a load balancer consists of.
func (c *cloud) report(id string, amphorae []lbaas.Amphora) {
	c.t.Helper()
	ctx := c.t.Context()
	names, err := c.store.LeaseNames(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	lb, err := c.store.Tree(ctx, id)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range names {
		lease, ok, err := c.store.AcquireLease(ctx, name, "test", 60e9)
		if err != nil || !ok {
			c.t.Fatal(ok, err)
		}
		if err := c.store.Achieved(ctx, lease, id, lb.Progress.Generation, nil, amphorae); err != nil {
			c.t.Fatal(err)
		}
	}
}

func TestAmphorae(t *testing.T) {
	c := newCatalogCloud(t)
	lb, good, bad := c.amphorae()
	got := c.do(http.MethodGet, amphoraRoot+"/"+good, nil).body["amphora"].(object)
	for _, vary := range []string{"created_at", "updated_at"} {
		if _, given := got[vary]; !given {
			t.Errorf("no %s in %v", vary, got)
		}
		delete(got, vary)
	}
	want := object{
		"id": good, "loadbalancer_id": lb, "compute_id": "host-1", "lb_network_ip": "192.0.2.1", "vrrp_ip": "10.0.0.3", "ha_ip": "10.0.0.4",
		"vrrp_port_id": "v", "ha_port_id": "h", "cert_expiration": "2030-01-02T03:04:05", "cert_busy": true, "role": "MASTER",
		"status": "ALLOCATED", "vrrp_interface": "eth1", "vrrp_id": 1.0, "vrrp_priority": 100.0, "cached_zone": "z", "image_id": "i", "compute_flavor": "f",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("amphora (-want +got):\n%s", diff)
	}
	got = c.do(http.MethodGet, "/v2.0/octavia/amphorae/"+bad+"?fields=id&fields=vrrp_ip&fields=vrrp_id&fields=cert_busy", nil).body["amphora"].(object)
	if diff := cmp.Diff(object{"id": bad, "vrrp_ip": nil, "vrrp_id": nil, "cert_busy": false}, got); diff != "" {
		t.Errorf("amphora (-want +got):\n%s", diff)
	}
}

func TestAmphoraLists(t *testing.T) {
	c := newCatalogCloud(t)
	lb, good, bad := c.amphorae()
	owner := c.show("/loadbalancers/"+lb, "loadbalancer")["project_id"].(string)
	for query, want := range map[string]string{
		"?sort=id": good + bad, "?sort=id:desc": bad + good, "?loadbalancer_id=" + lb + "&sort=id": good + bad, "?role=MASTER": good,
		"?status=ERROR": bad, "?project_id=" + owner + "&limit=1&sort=id": good, "?project_id=" + foreign: "", "?vrrp_ip=10.0.0.3": good,
		"?cert_busy=yes": good, "?compute_id=host-1": good, "?sort=id&marker=" + good: bad,
	} {
		a := c.do(http.MethodGet, amphoraRoot+query, nil)
		var ids string
		for _, one := range a.body["amphorae"].([]any) {
			ids += one.(object)["id"].(string)
		}
		if ids != want || a.body["amphorae_links"] == nil || len(a.body) != 2 {
			t.Errorf("GET %s: %s, want %s", query, ids, want)
		}
	}
	c.do(http.MethodGet, amphoraRoot+"?color=x", nil).fault(t, 400, "One or more arguments are either duplicate or invalid")
}

func TestAmphoraActions(t *testing.T) {
	c := newCatalogCloud(t)
	lb, good, bad := c.amphorae()
	status := func() any { return c.show("/loadbalancers/"+lb, "loadbalancer")["provisioning_status"] }
	if status() != "ACTIVE" {
		t.Fatalf("the load balancer is %v", status())
	}
	for _, path := range []string{"", "/config", "/failover"} {
		method := http.MethodPut
		if path == "" {
			method = http.MethodDelete
		}
		c.do(method, amphoraRoot+"/"+nobodysID+path, nil).fault(t, 404, "Amphora "+nobodysID+" not found.")
	}
	c.do(http.MethodDelete, amphoraRoot, nil).fault(t, 400, `Missing argument: "id"`)
	c.do(http.MethodGet, amphoraRoot+"/"+nobodysID, nil).fault(t, 404, "Amphora "+nobodysID+" not found.")
	c.do(http.MethodDelete, amphoraRoot+"/"+good, nil).fault(t, 409, "amphora "+good+" is immutable and cannot be updated.")
	for _, action := range []string{"/config", "/failover"} {
		a := c.do(http.MethodPut, amphoraRoot+"/"+good+action, nil)
		if a.code != http.StatusAccepted || a.raw != "" || status() != "PENDING_UPDATE" {
			t.Errorf("%s: %d %s, and the load balancer is %v", action, a.code, a.raw, status())
		}
		c.achieve()
	}
	if a := c.do(http.MethodDelete, amphoraRoot+"/"+bad, nil); a.code != http.StatusNoContent {
		t.Errorf("DELETE of one in ERROR: %d %s", a.code, a.raw)
	}
	c.do(http.MethodGet, amphoraRoot+"/"+bad, nil).fault(t, 404, "Amphora "+bad+" not found.")
	c.must(204, "DELETE", "/loadbalancers/"+lb, nil)
	c.do(http.MethodPut, amphoraRoot+"/"+good+"/failover", nil).fault(t, 409, "Invalid state PENDING_DELETE of loadbalancer resource "+lb)
	c.do(http.MethodPut, amphoraRoot+"/"+good+"/config", nil).fault(t, 409, "Load Balancer "+lb+" is immutable and cannot be updated.")
}

func TestAmphoraStats(t *testing.T) {
	c := newCatalogCloud(t)
	lb, good, _ := c.amphorae()
	for _, id := range []string{nobodysID, good} {
		c.do(http.MethodGet, amphoraRoot+"/"+id+"/stats", nil).fault(t, 404, "Amphora stats for "+id+" not found.")
	}
	l := c.listener(lb, 80)
	c.achieve()
	config := c.catalogConfig()
	config.Stats = func(context.Context, *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error) {
		return map[string]lbaas.Statistics{l: {BytesIn: 1, BytesOut: 2, ActiveConnections: 3, TotalConnections: 4, RequestErrors: 5}}, nil
	}
	c.serve(config)
	want := `{"amphora_stats":[{"id":"` + good + `","loadbalancer_id":"` + lb + `","listener_id":"` + l +
		`","bytes_in":1,"bytes_out":2,"active_connections":3,"total_connections":4,"request_errors":5}]}`
	if a := c.do(http.MethodGet, amphoraRoot+"/"+good+"/stats", nil); a.code != 200 || strings.TrimSpace(a.raw) != want {
		t.Errorf("stats: %d %s", a.code, a.raw)
	}
}
