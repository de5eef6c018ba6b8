package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/l7policies"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"plimsoll/test/harness"
)

// rehearsal is a server whose default provider makes nothing.
func rehearsal(t *testing.T) *site {
	t.Helper()
	s := &site{Server: harness.Start(t, harness.Config(
		"[api_settings]\nenabled_provider_drivers = haproxy, noop: for rehearsals\ndefault_provider_driver = noop\n"))}
	s.Cloud = s.Admin(t)
	s.net = s.CreateNetwork(t, "web", "10.1.0.0/24")
	return s
}

// kept is what the provider was given of a load balancer.
func (s *site) kept(id string) (kept struct {
	Epoch        int64 `json:"epoch"`
	Generation   int64 `json:"generation"`
	LoadBalancer struct {
		FailedOver int64
		Listeners  []struct {
			Protocol   string
			L7Policies []struct{ Action string }
		}
	} `json:"load_balancer"`
}, err error) {
	text, err := os.ReadFile(filepath.Join(s.StateDir, "noop", id+".json"))
	if err != nil {
		return kept, err
	}
	return kept, json.Unmarshal(text, &kept)
}

// TestNoop has a load balancer with options that no other provider has, of which nothing is made.
func TestNoop(t *testing.T) {
	s := rehearsal(t)
	ctx, api := t.Context(), s.LoadBalancer
	lb, err := loadbalancers.Create(ctx, api, loadbalancers.CreateOpts{
		Name: "rehearsal", VipSubnetID: s.net.SubnetID,
		Listeners: []listeners.CreateOpts{
			{Name: "http", Protocol: "HTTP", ProtocolPort: 80, L7Policies: []l7policies.CreateOpts{{Action: "REJECT"}}},
			{Name: "udp", Protocol: "UDP", ProtocolPort: 53, DefaultPool: &pools.CreateOpts{
				Name: "udp", Protocol: "UDP", LBMethod: "SOURCE_IP_PORT",
				Members: []pools.CreateMemberOpts{{Address: "10.1.0.99", ProtocolPort: 53}},
				Monitor: monitors.CreateOpts{Type: "UDP-CONNECT", Delay: 5, Timeout: 3, MaxRetries: 2},
			}},
		},
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, lb.ID)
	for id, status := range mustStatuses(t, s, lb.ID) {
		if status.Operating != "ONLINE" {
			t.Errorf("%s is %s", id, status.Operating)
		}
	}
	kept, err := s.kept(lb.ID)
	if err != nil || kept.Epoch == 0 || kept.Generation == 0 || len(kept.LoadBalancer.Listeners) != 2 {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	if err := loadbalancers.Failover(ctx, api, lb.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, lb.ID)
	if after, err := s.kept(lb.ID); err != nil || after.LoadBalancer.FailedOver <= kept.Generation {
		t.Errorf("after a failover %+v, %v", after, err)
	}
	s.Stop(t)
	s.Start(t)
	if all := s.HAProxies(); len(all) > 0 {
		t.Errorf("HAProxy runs: %v", all)
	}
	s.Delete(t, lb.ID)
	s.WaitGone(t, lb.ID)
	harness.Eventually(t, 5*time.Second, func() error {
		if _, err := s.kept(lb.ID); !errors.Is(err, fs.ErrNotExist) {
			return errors.New("the file is still there")
		}
		return nil
	})
}

func mustStatuses(t *testing.T, s *site, id string) map[string]harness.Status {
	t.Helper()
	all, err := s.Statuses(t, id)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
