package store_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// TestLoadBalancersFollowTheirNetworks changes what a load balancer's ports are plugged with: that load balancer is applied
// again, and no other.
func TestLoadBalancersFollowTheirNetworks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l, other := newLAN(t, s, "10.0.0.0/24"), newLAN(t, s, "10.1.0.0/24")
		second := addSubnet(t, s, l.ID, "10.2.0.0/24")
		lb, bystander := create(t, s, fullTree()), create(t, s, bareTree())
		p := addPort(t, s, &network.Port{NetworkID: l.ID, DeviceOwner: "Octavia", DeviceID: "lb-" + lb.ID,
			FixedIPs: []network.FixedIP{{SubnetID: l.subnet.ID}}})
		addPort(t, s, &network.Port{NetworkID: other.ID, DeviceOwner: "Octavia", DeviceID: "lb-" + bystander.ID})
		addPort(t, s, &network.Port{NetworkID: l.ID, DeviceOwner: "compute:nova", DeviceID: "lb-" + bystander.ID})
		achieve(t, s, bystander)

		subnet := func(id string, fn func(*network.Subnet)) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := s.UpdateSubnet(ctx, id, func(sub *network.Subnet) error { fn(sub); return nil })
				return err
			}
		}
		lan := func(fn func(*network.Network)) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := s.UpdateNetwork(ctx, l.ID, func(n *network.Network) error { fn(n); return nil })
				return err
			}
		}
		port := func(fn func(*network.Port)) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := s.UpdatePort(ctx, p.ID, func(p *network.Port) error { fn(p); return nil })
				return err
			}
		}
		route := network.Route{Destination: netip.MustParsePrefix("192.0.2.0/24"), NextHop: netip.MustParseAddr("10.0.0.7")}
		for _, c := range []struct {
			name   string
			change func(context.Context) error
			want   []store.Hint
		}{
			{"the subnet's name", subnet(l.subnet.ID, func(s *network.Subnet) { s.Name = "new" }), nil},
			{"another subnet's gateway", subnet(second.ID, func(s *network.Subnet) { s.Gateway = netip.Addr{} }), []store.Hint{{Network: true}}},
			{"the network's name", lan(func(n *network.Network) { n.Name = "new" }), nil},
			{"the port's name", port(func(p *network.Port) { p.Name = "new" }), nil},
			{"the gateway", subnet(l.subnet.ID, func(s *network.Subnet) { s.Gateway = netip.Addr{} }), []store.Hint{{LoadBalancerID: lb.ID}, {Network: true}}},
			{"the routes", subnet(l.subnet.ID, func(s *network.Subnet) { s.HostRoutes = []network.Route{route} }),
				[]store.Hint{{LoadBalancerID: lb.ID}, {Network: true}}},
			{"the MTU", lan(func(n *network.Network) { n.MTU = 1400 }), []store.Hint{{LoadBalancerID: lb.ID}, {Network: true}}},
			{"the address", port(func(p *network.Port) { p.FixedIPs = []network.FixedIP{fixed(l.subnet, "10.0.0.99")} }),
				[]store.Hint{{LoadBalancerID: lb.ID}, {PortID: p.ID}, {Network: true}}},
		} {
			achieve(t, s, lb)
			var hints []store.Hint
			stop := s.OnHint(func(h store.Hint) { hints = append(hints, h) })
			if err := c.change(t.Context()); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			stop()
			if diff := cmp.Diff(c.want, hints); diff != "" {
				t.Errorf("hints after a change of %s (-want +got):\n%s", c.name, diff)
			}
			pending, err := s.Pending(t.Context(), store.LeaseName(lb), 0)
			if err != nil || (len(pending) > 0) != slices.Contains(c.want, store.Hint{LoadBalancerID: lb.ID}) {
				t.Errorf("after a change of %s, pending are %v (%v)", c.name, pending, err)
			}
		}
		if left, err := s.Pending(t.Context(), store.LeaseName(bystander), 0); err != nil || len(left) > 0 {
			t.Errorf("the load balancer of another network is pending: %v %v", left, err)
		}
	})
}
