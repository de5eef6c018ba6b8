package store_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// cloud is an external network, an internal one, and a router between them.
type cloud struct {
	*store.Store
	t       *testing.T
	outside lan
	inside  lan
	router  *network.Router
}

func newCloud(t *testing.T, s *store.Store) *cloud {
	t.Helper()
	c := &cloud{Store: s, t: t, outside: newLAN(t, s, "172.24.4.0/24"), inside: newLAN(t, s, "10.0.0.0/24")}
	c.external(c.outside.ID, true)
	c.router = c.newRouter(&network.Router{Gateway: network.Gateway{NetworkID: c.outside.ID, EnableSNAT: true}})
	c.enter(c.router, c.inside.subnet)
	return c
}

func (c *cloud) external(networkID string, is bool) {
	c.t.Helper()
	if _, err := c.UpdateNetwork(c.t.Context(), networkID, func(n *network.Network) error { n.External = is; return nil }); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) newRouter(r *network.Router) *network.Router {
	c.t.Helper()
	r.ProjectID, r.AdminStateUp, r.Host = "p", true, "h"
	if err := c.CreateRouter(c.t.Context(), r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *cloud) enter(r *network.Router, sub *network.Subnet) *network.RouterInterface {
	c.t.Helper()
	i, err := c.AddRouterInterface(c.t.Context(), r.ID, sub.ID, "")
	if err != nil {
		c.t.Fatal(err)
	}
	return i
}

func (c *cloud) port(fixed ...network.FixedIP) *network.Port {
	c.t.Helper()
	return addPort(c.t, c.Store, &network.Port{ProjectID: "p", NetworkID: c.inside.ID, FixedIPs: fixed})
}

func (c *cloud) float(f *network.FloatingIP) *network.FloatingIP {
	c.t.Helper()
	f.ProjectID, f.NetworkID = "p", c.outside.ID
	if err := c.CreateFloatingIP(c.t.Context(), f, ""); err != nil {
		c.t.Fatal(err)
	}
	return f
}

// settle does what the router's host has to do, as Bindings would.
func (c *cloud) settle() {
	c.t.Helper()
	list, err := c.BoundPorts(c.t.Context(), "h")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, p := range list {
		if err := c.BindingObserved(c.t.Context(), p.ID, p.Binding.Generation, ""); err != nil {
			c.t.Fatal(err)
		}
	}
}

func TestRouterRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		c.inside.subnet = addSubnet(t, s, c.inside.ID, "10.1.0.0/24")
		want := c.newRouter(&network.Router{Name: "r", Description: "d", Tags: []string{"a"}, Gateway: network.Gateway{NetworkID: c.outside.ID,
			FixedIPs: []network.FixedIP{fixed(c.outside.subnet, "172.24.4.77")}}})
		got, err := s.Router(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, addresses); diff != "" {
			t.Errorf("a router comes back otherwise (-want +got):\n%s", diff)
		}
		list, err := s.Routers(t.Context(), store.Query{Filters: []store.Filter{{Attribute: "name", Values: []string{"r"}}}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]*network.Router{want}, list, addresses); diff != "" {
			t.Errorf("a router is listed otherwise (-want +got):\n%s", diff)
		}
		port, err := s.Port(t.Context(), want.Gateway.PortID)
		if err != nil {
			t.Fatal(err)
		}
		like := &network.Port{ID: port.ID, NetworkID: c.outside.ID, AdminStateUp: true, FixedIPs: want.Gateway.FixedIPs, DeviceID: want.ID,
			DeviceOwner: "network:router_gateway", Revision: 1, Binding: network.Binding{Host: "h", NetNS: "qrouter-" + want.ID, Generation: 1}}
		if diff := cmp.Diff(like, port, addresses, cmpopts.IgnoreFields(network.Port{}, "MAC", "CreatedAt", "UpdatedAt")); diff != "" {
			t.Errorf("the gateway's port (-want +got):\n%s", diff)
		}
	})
}

func TestFloatingIPRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c := newCloud(t, s)
		p := c.port()
		c.settle()
		want := c.float(&network.FloatingIP{Description: "d", PortID: p.ID, Tags: []string{"b"}, Address: netip.MustParseAddr("172.24.4.99")})
		if want.RouterID != c.router.ID || want.FixedAddress != p.FixedIPs[0].Address {
			t.Errorf("the floating address stands for %s by %s", want.FixedAddress, want.RouterID)
		}
		check := func(status string) {
			t.Helper()
			got, err := s.FloatingIP(t.Context(), want.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, addresses, cmpopts.IgnoreFields(network.FloatingIP{}, "Active")); diff != "" {
				t.Errorf("a floating address comes back otherwise (-want +got):\n%s", diff)
			}
			list, err := s.FloatingIPs(t.Context(), store.Query{Filters: []store.Filter{{Attribute: "status", Values: []string{status}}}})
			if err != nil || len(list) != 1 || list[0].Status() != status || got.Status() != status {
				t.Errorf("the status is %s and %v (%v), want %s", got.Status(), list, err, status)
			}
		}
		check("DOWN") // until the host has it
		plan, err := s.PortPlan(t.Context(), c.router.Gateway.PortID)
		if err != nil {
			t.Fatal(err)
		}
		like := []netip.Prefix{netip.PrefixFrom(c.router.Gateway.FixedIPs[0].Address, 24), netip.MustParsePrefix("172.24.4.99/32")}
		if diff := cmp.Diff(like, plan.Addresses, addresses); diff != "" {
			t.Errorf("the gateway's addresses (-want +got):\n%s", diff)
		}
		c.settle()
		check("ACTIVE")
		if _, err := s.UpdateFloatingIP(t.Context(), want.ID, func(f *network.FloatingIP) error { f.PortID = ""; return nil }); err != nil {
			t.Fatal(err)
		}
		if got, err := s.FloatingIP(t.Context(), want.ID); err != nil || got.RouterID != "" || got.FixedAddress.IsValid() || got.Status() != "DOWN" {
			t.Errorf("a floating address that stands for nothing: %+v %v", got, err)
		}
	})
}
