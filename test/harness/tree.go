package harness

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
)

// Tree says what BuildTree makes. Zeroes get the defaults that stand beside them.
type Tree struct {
	VIP      string // any address
	Port     int    // 80
	Protocol string // HTTP
	Members  []*Web
	Monitor  bool // an HTTP one that asks for /healthy every second, and gives up after a second and two failures
}

// LB is what BuildTree made.
type LB struct {
	ID         string
	VIP        string // its address
	Address    string // its address with the listener's port
	ListenerID string
	PoolID     string
	MonitorID  string // "" when there is none
	MemberIDs  []string
}

// BuildTree makes a load balancer, a listener, a pool, its members and its monitor, one call after the other, waiting for
// none of them. The test fails when one is refused.
func (c *Cloud) BuildTree(t testing.TB, n *Net, tree Tree) *LB {
	t.Helper()
	lb, err := c.TryTree(t, n, tree)
	if err != nil {
		t.Fatal(err)
	}
	return lb
}

// TryTree is BuildTree that gives an error.
func (c *Cloud) TryTree(t testing.TB, n *Net, tree Tree) (*LB, error) {
	if tree.Port == 0 {
		tree.Port = 80
	}
	if tree.Protocol == "" {
		tree.Protocol = "HTTP"
	}
	ctx, api := t.Context(), c.LoadBalancer
	made, err := loadbalancers.Create(ctx, api, loadbalancers.CreateOpts{Name: "lb", VipSubnetID: n.SubnetID, VipAddress: tree.VIP}).Extract()
	if err != nil {
		return nil, fmt.Errorf("create the load balancer: %w", err)
	}
	lb := &LB{ID: made.ID, VIP: made.VipAddress, Address: JoinPort(made.VipAddress, tree.Port)}
	listener, err := listeners.Create(ctx, api, listeners.CreateOpts{
		Name: "listener", LoadbalancerID: lb.ID, Protocol: listeners.Protocol(tree.Protocol), ProtocolPort: tree.Port,
	}).Extract()
	if err != nil {
		return lb, fmt.Errorf("create the listener: %w", err)
	}
	lb.ListenerID = listener.ID
	pool, err := pools.Create(ctx, api, pools.CreateOpts{
		Name: "pool", ListenerID: lb.ListenerID, Protocol: pools.Protocol(tree.Protocol), LBMethod: pools.LBMethodRoundRobin,
	}).Extract()
	if err != nil {
		return lb, fmt.Errorf("create the pool: %w", err)
	}
	lb.PoolID = pool.ID
	for _, web := range tree.Members {
		id, err := c.TryMember(t, lb, n, web)
		if err != nil {
			return lb, err
		}
		lb.MemberIDs = append(lb.MemberIDs, id)
	}
	if !tree.Monitor {
		return lb, nil
	}
	lb.MonitorID, err = c.TryMonitor(t, lb)
	return lb, err
}

// TryMember adds a member to the pool of a tree.
func (c *Cloud) TryMember(t testing.TB, lb *LB, n *Net, web *Web) (string, error) {
	m, err := pools.CreateMember(t.Context(), c.LoadBalancer, lb.PoolID, pools.CreateMemberOpts{
		Name: web.Name, Address: web.Node.Address, ProtocolPort: web.Port, SubnetID: n.SubnetID,
	}).Extract()
	if err != nil {
		return "", fmt.Errorf("create member %s: %w", web.Name, err)
	}
	return m.ID, nil
}

// TryMonitor makes the monitor of a tree.
func (c *Cloud) TryMonitor(t testing.TB, lb *LB) (string, error) {
	m, err := monitors.Create(t.Context(), c.LoadBalancer, monitors.CreateOpts{
		Name: "monitor", PoolID: lb.PoolID, Type: "HTTP", Delay: 1, Timeout: 1, MaxRetries: 1, MaxRetriesDown: 2,
		URLPath: "/healthy", HTTPMethod: "GET", ExpectedCodes: "200",
	}).Extract()
	if err != nil {
		return "", fmt.Errorf("create the monitor: %w", err)
	}
	return m.ID, nil
}

// JoinPort makes an address with a port.
func JoinPort(ip string, port int) string {
	if slices.Contains([]byte(ip), ':') {
		return fmt.Sprintf("[%s]:%d", ip, port)
	}
	return fmt.Sprintf("%s:%d", ip, port)
}

// Status is what GET …/status says of one object.
type Status struct {
	Name         string
	Provisioning string
	Operating    string // "" where the API gives none
}

// Statuses returns those of a whole tree, by the objects' ids.
func (c *Cloud) Statuses(t testing.TB, id string) (map[string]Status, error) {
	var body struct {
		Statuses struct {
			LoadBalancer map[string]any `json:"loadbalancer"`
		} `json:"statuses"`
	}
	result := loadbalancers.GetStatuses(t.Context(), c.LoadBalancer, id)
	if result.Err != nil {
		return nil, result.Err
	}
	if err := result.ExtractInto(&body); err != nil {
		return nil, err
	}
	found := map[string]Status{}
	collect(body.Statuses.LoadBalancer, found)
	return found, nil
}

// collect finds everything that has a status in a tree of JSON.
func collect(v any, into map[string]Status) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collect(e, into)
		}
	case map[string]any:
		text := func(key string) string { s, _ := v[key].(string); return s }
		if text("id") != "" {
			name := text("name")
			if name == "" {
				name = text("type")
			}
			into[text("id")] = Status{name, text("provisioning_status"), text("operating_status")}
		}
		for _, e := range v {
			collect(e, into)
		}
	}
}

// WaitActive waits until everything of a load balancer is ACTIVE.
func (c *Cloud) WaitActive(t testing.TB, id string) {
	t.Helper()
	Eventually(t, 30*time.Second, func() error {
		all, err := c.Statuses(t, id)
		for _, object := range slices.Sorted(maps.Keys(all)) {
			if s := all[object]; err == nil && s.Provisioning != "ACTIVE" {
				err = fmt.Errorf("%s %s is %s", s.Name, object, s.Provisioning)
			}
		}
		return err
	})
}

// WaitOperating waits until an object of a load balancer has an operating status.
func (c *Cloud) WaitOperating(t testing.TB, loadBalancerID, objectID, want string) {
	t.Helper()
	Eventually(t, 30*time.Second, func() error {
		all, err := c.Statuses(t, loadBalancerID)
		if s := all[objectID]; err == nil && s.Operating != want {
			err = fmt.Errorf("%s %s is %s, want %s", s.Name, objectID, s.Operating, want)
		}
		return err
	})
}

// Delete deletes a load balancer with everything in it and waits until it is gone.
func (c *Cloud) Delete(t testing.TB, id string) {
	t.Helper()
	err := loadbalancers.Delete(t.Context(), c.LoadBalancer, id, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr()
	if err != nil {
		t.Fatalf("delete load balancer %s: %v", id, err)
	}
	c.WaitGone(t, id)
}

// WaitGone waits until a load balancer is gone.
func (c *Cloud) WaitGone(t testing.TB, id string) {
	t.Helper()
	Eventually(t, 30*time.Second, func() error {
		lb, err := loadbalancers.Get(t.Context(), c.LoadBalancer, id).Extract()
		if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("load balancer %s is %s", id, lb.ProvisioningStatus)
		}
		return err
	})
}

// Eventually tries something until it gives no error, and fails the test with its last one when that takes too long.
func Eventually(t testing.TB, bound time.Duration, holds func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(bound); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = holds(); err == nil {
			return
		}
	}
	t.Fatalf("still so after %v: %v", bound, err)
}

// Reason returns the status_reason of an object, by the path of its resource: "listeners", id.
func (c *Cloud) Reason(t testing.TB, path ...string) (string, error) {
	var body map[string]struct {
		Reason string `json:"status_reason"`
	}
	url := c.LoadBalancer.ServiceURL(append([]string{"lbaas"}, path...)...) + "?fields=status_reason"
	resp, err := c.LoadBalancer.Get(t.Context(), url, &body, nil)
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	for _, object := range body {
		return object.Reason, nil
	}
	return "", fmt.Errorf("%s has no object", url)
}
