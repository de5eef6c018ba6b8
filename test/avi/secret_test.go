package avi

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/l7policies"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/test/harness"
)

// certificates are the fingerprints of the certificates of a tenant that Plimsoll brought.
func (w *world) certificates(c *harness.Cloud) map[string]bool {
	all := map[string]bool{}
	for _, o := range w.emulator.Objects(tenant(c.ProjectID), "sslkeyandcertificate") {
		if about, ok := o["certificate"].(map[string]any); ok {
			all[fmt.Sprint(about["fingerprint"])] = true
		}
	}
	return all
}

// TestRenewal gives a secret another payload: the controller has the new certificate, and no other.
func TestRenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating)
	c := w.Demo(t)
	ca := harness.NewAuthority(t, "Demo CA")
	ref := c.StoreSecret(t, "web", ca.Issue("www.example.com").Bundle())
	n := c.CreateNetwork(t, "web", "10.1.0.0/24")
	lb, err := loadbalancers.Create(t.Context(), c.LoadBalancer, loadbalancers.CreateOpts{
		Name: "web", VipSubnetID: n.SubnetID,
		Listeners: []listeners.CreateOpts{{Name: "tls", Protocol: "TERMINATED_HTTPS", ProtocolPort: 443, DefaultTlsContainerRef: ref}},
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	c.WaitActive(t, lb.ID)
	before := w.certificates(c)
	if len(before) != 1 {
		t.Fatalf("the controller has the certificates %v", before)
	}
	id := ref[len(ref)-36:]
	opts := secrets.UpdateOpts{Payload: string(ca.Issue("www.example.com").Bundle()), ContentType: "text/plain"}
	if err := secrets.Update(t.Context(), c.KeyManager, id, opts).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 30*time.Second, func() error {
		now := w.certificates(c)
		for fingerprint := range now {
			if len(now) == 1 && !before[fingerprint] {
				return nil
			}
		}
		return fmt.Errorf("the controller has %v, and had %v", now, before)
	})
	c.WaitActive(t, lb.ID)
	c.Delete(t, lb.ID)
	if left := w.certificates(c); len(left) > 0 {
		t.Errorf("certificates are left: %v", left)
	}
}

// TestPolicies makes an L7 policy, and a monitor that Avi checks otherwise than it is written.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, avitest.Options{}, creating)
	c := w.Demo(t)
	lb := build(t, c, c.CreateNetwork(t, "web", "10.1.0.0/24"), "", "web")
	listener := lb.Listeners[0].ID
	p, err := l7policies.Create(t.Context(), c.LoadBalancer, l7policies.CreateOpts{
		ListenerID: listener, Action: l7policies.ActionRedirectToURL, RedirectURL: "https://www.example.com/", RedirectHttpCode: http.StatusMovedPermanently,
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	rule := l7policies.CreateRuleOpts{RuleType: l7policies.TypePath, CompareType: l7policies.CompareTypeStartWith, Value: "/old"}
	if _, err := l7policies.CreateRule(t.Context(), c.LoadBalancer, p.ID, rule).Extract(); err != nil {
		t.Fatal(err)
	}
	m, err := monitors.Create(t.Context(), c.LoadBalancer, monitors.CreateOpts{
		PoolID: lb.Pools[0].ID, Type: "HTTP", Delay: 5, Timeout: 2, MaxRetries: 3, ExpectedCodes: "200,404",
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	c.WaitActive(t, lb.ID)
	o := w.emulator.Object("httppolicyset", "httppolicyset-"+listener)
	if text := fmt.Sprint(o); o == nil || !contains(text, "/old", "BEGINS_WITH", "www.example.com", "_301") {
		t.Errorf("the policy set is %v", o)
	}
	if reason, err := c.Reason(t, "healthmonitors", m.ID); err != nil || !contains(reason, "2XX", "4XX") {
		t.Errorf("the monitor's reason is %q, %v", reason, err)
	}
	if err := l7policies.Delete(t.Context(), c.LoadBalancer, p.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	c.WaitActive(t, lb.ID)
	if o := w.emulator.Object("httppolicyset", "httppolicyset-"+listener); o != nil {
		t.Errorf("a policy set is left: %v", o)
	}
}
