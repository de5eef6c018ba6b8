package store_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
)

// seen is what a host sees of a port: "plug", "unplug" or "", and whether it is done.
func seen(t *testing.T, s *store.Store, host, id string) (what string, generation int64) {
	t.Helper()
	list, err := s.BoundPorts(t.Context(), host)
	due, dueErr := s.DuePorts(t.Context(), host)
	idle := slices.DeleteFunc(slices.Clone(list), func(p *network.Port) bool { return p.Binding.Observed != p.Binding.Generation })
	if len(due)+len(idle) != len(list) || dueErr != nil {
		t.Errorf("of %d bound ports %d are due and %d are not, %v", len(list), len(due), len(idle), dueErr)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		switch {
		case p.ID != id:
		case p.Binding.Host == "" && p.Binding.Observed < p.Binding.Generation:
			return "unplug", p.Binding.Generation
		case p.Binding.Host == host && p.Binding.Observed < p.Binding.Generation:
			return "plug", p.Binding.Generation
		case p.Binding.Host == host:
			return "plugged", p.Binding.Generation
		default:
			t.Fatalf("%s sees the port as %+v", host, p.Binding)
		}
	}
	return "", 0
}

func TestBindingLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		var hints []string
		defer s.OnHint(func(h store.Hint) {
			if h.PortID != "" {
				hints = append(hints, h.PortID)
			}
		})()
		l := newLAN(t, s, "10.0.0.0/24")
		p := addPort(t, s, &network.Port{NetworkID: l.ID})

		status := func(want string) {
			t.Helper()
			got, err := s.Port(ctx, p.ID)
			if err != nil || got.Status() != want {
				t.Errorf("the port's status is %s (%v), want %s", got.Status(), err, want)
			}
		}
		change := func(fn func(*network.Port)) {
			t.Helper()
			hints = nil
			if _, err := s.UpdatePort(ctx, p.ID, func(p *network.Port) error { fn(p); return nil }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{p.ID}, hints); diff != "" {
				t.Errorf("hints of a change of a binding (-want +got):\n%s", diff)
			}
		}
		does := func(host, want string, reason string) {
			t.Helper()
			what, generation := seen(t, s, host, p.ID)
			if what != want {
				t.Fatalf("host %s has to %q, want %q", host, what, want)
			}
			if want == "" {
				return
			}
			if err := s.BindingObserved(ctx, p.ID, generation-1, ""); err != nil { // an old answer changes nothing
				t.Fatal(err)
			}
			if again, _ := seen(t, s, host, p.ID); again != want {
				t.Fatalf("an old answer made %q out of %q", again, want)
			}
			if err := s.BindingObserved(ctx, p.ID, generation, reason); err != nil {
				t.Fatal(err)
			}
		}

		does("h", "", "")
		change(func(p *network.Port) { p.Binding = network.Binding{Host: "h", NetNS: "ns"} })
		status("DOWN")
		does("h", "plug", "no such device")
		status("DOWN")
		if got, _ := s.Port(ctx, p.ID); got.Binding.Reason != "no such device" {
			t.Errorf("the reason is %q", got.Binding.Reason)
		}
		does("h", "plug", "")
		status("ACTIVE")
		does("h", "plugged", "")

		change(func(p *network.Port) { p.FixedIPs = []network.FixedIP{fixed(nil, "10.0.0.99")} }) // beyond what is drawn first
		does("h", "plug", "")
		if _, err := s.UpdateSubnet(ctx, l.subnet.ID, func(sub *network.Subnet) error { sub.Gateway = netip.Addr{}; return nil }); err != nil {
			t.Fatal(err)
		}
		status("DOWN")
		does("h", "plug", "")
		setNetwork := func(fn func(*network.Network)) {
			t.Helper()
			if _, err := s.UpdateNetwork(ctx, l.ID, func(n *network.Network) error { fn(n); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		setNetwork(func(n *network.Network) { n.Name = "renamed" })
		status("ACTIVE")
		setNetwork(func(n *network.Network) { n.MTU = 9000 })
		does("h", "plug", "")
		setNetwork(func(n *network.Network) { n.AdminStateUp = false })
		does("h", "unplug", "")
		status("DOWN")
		setNetwork(func(n *network.Network) { n.AdminStateUp = true })
		does("h", "plug", "")
		change(func(p *network.Port) { p.AdminStateUp = false })
		does("h", "unplug", "")
		does("h", "", "")
		change(func(p *network.Port) { p.AdminStateUp = true })
		does("h", "plug", "")

		change(func(p *network.Port) { p.Binding.Host = "other" })
		does("other", "", "")
		hints = nil
		does("h", "unplug", "")
		if len(hints) == 0 {
			t.Error("the other host is not told that it is its turn")
		}
		does("h", "", "")
		does("other", "plug", "")
		status("ACTIVE")
		change(func(p *network.Port) { p.Binding = network.Binding{} })
		status("DOWN")
		does("other", "unplug", "")
		does("other", "", "")
		status("DOWN")
	})
}

// TestHostSaysTwiceThatItUnplugged has a host say it again, for it did not hear that the first time was noted: the port's next host has it to
// plug still.
func TestHostSaysTwiceThatItUnplugged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/24")
		p := addPort(t, s, &network.Port{NetworkID: l.ID, Binding: network.Binding{Host: "h", NetNS: "ns"}})
		if _, err := s.UpdatePort(t.Context(), p.ID, func(p *network.Port) error { p.Binding.Host = "other"; return nil }); err != nil {
			t.Fatal(err)
		}
		_, generation := seen(t, s, "h", p.ID)
		for range 2 {
			if err := s.BindingObserved(t.Context(), p.ID, generation, ""); err != nil {
				t.Fatal(err)
			}
		}
		if what, _ := seen(t, s, "other", p.ID); what != "plug" {
			t.Errorf("the other host has to %q, want plug", what)
		}
	})
}

// TestHostNotesDuringAChange has a host say that a port is plugged while a user renames it: both stay true.
func TestHostNotesDuringAChange(t *testing.T) {
	for _, engine := range []store.Engine{store.PostgreSQL, store.MariaDB} { // SQLite has one writer at a time
		t.Run(string(engine), func(t *testing.T) {
			s := storetest.Open(t, engine)
			l := newLAN(t, s, "10.0.0.0/24")
			p := addPort(t, s, &network.Port{NetworkID: l.ID, Binding: network.Binding{Host: "h", NetNS: "n"}})
			_, err := s.UpdatePort(t.Context(), p.ID, func(p *network.Port) error {
				p.Name = "new"
				return s.BindingObserved(t.Context(), p.ID, p.Binding.Generation, "")
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Port(t.Context(), p.ID); err != nil || got.Name != "new" || got.Status() != "ACTIVE" {
				t.Errorf("the port is %q and %s (%v), want new and ACTIVE", got.Name, got.Status(), err)
			}
		})
	}
}

func TestDeletedPortWaitsForItsHost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		ips := []network.FixedIP{fixed(nil, "10.0.0.9")}
		p := addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: ips, Binding: network.Binding{Host: "h", NetNS: "ns"}})
		if err := s.DeletePort(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
		wantType(t, "deleted twice", s.DeletePort(ctx, p.ID), "PortNotFound")
		_, err := s.Port(ctx, p.ID)
		wantType(t, "shown", err, "PortNotFound")
		if list, err := s.Ports(ctx, store.Query{}); err != nil || len(list) > 0 {
			t.Errorf("a deleted port is listed: %v %v", list, err)
		}
		again := []*network.Port{{NetworkID: l.ID, FixedIPs: ips}, {NetworkID: l.ID, MAC: p.MAC, FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.5")}}}
		made := make(chan error, len(again))
		for _, p := range again { // they wait for its address, and for its MAC
			go func() { made <- s.CreatePort(ctx, p) }()
		}
		what, generation := seen(t, s, "h", p.ID)
		if what != "unplug" {
			t.Fatalf("its host has to %q", what)
		}
		if err := s.BindingObserved(ctx, p.ID, generation, "busy"); err != nil {
			t.Fatal(err)
		}
		if what, _ := seen(t, s, "h", p.ID); what != "unplug" {
			t.Fatalf("after a failure its host has to %q", what)
		}
		if list, err := s.Ports(ctx, store.Query{}); err != nil || len(list) > 0 {
			t.Errorf("a port has what a deleted one is plugged with: %v %v", list, err)
		}
		if err := s.BindingObserved(ctx, p.ID, generation, ""); err != nil {
			t.Fatal(err)
		}
		if what, _ := seen(t, s, "h", p.ID); what != "" {
			t.Errorf("a port that is gone is still to be %s", what)
		}
		for range again {
			if err := <-made; err != nil {
				t.Errorf("a port with what a deleted one had: %v", err)
			}
		}
	})
}

// TestNetworkGoesBeforeItsDeletedPort deletes everything while the host still has to unplug.
func TestNetworkGoesBeforeItsDeletedPort(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		p := addPort(t, s, &network.Port{NetworkID: l.ID, Binding: network.Binding{Host: "h", NetNS: "ns"}})
		for _, err := range []error{s.DeletePort(ctx, p.ID), s.DeleteSubnet(ctx, l.subnet.ID), s.DeleteNetwork(ctx, l.ID)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		what, generation := seen(t, s, "h", p.ID)
		if what != "unplug" {
			t.Fatalf("the host has to %q", what)
		}
		if err := s.BindingObserved(ctx, p.ID, generation, ""); err != nil {
			t.Fatal(err)
		}
		if list, err := s.BoundPorts(ctx, "h"); err != nil || len(list) > 0 {
			t.Errorf("ports are left: %v %v", list, err)
		}
	})
}

func TestPortPlan(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		l := newLAN(t, s, "10.0.0.0/24")
		p := addPort(t, s, &network.Port{NetworkID: l.ID, FixedIPs: []network.FixedIP{fixed(nil, "10.0.0.9")}})
		plan, err := s.PortPlan(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := &network.PortPlan{PortID: p.ID, NetworkID: l.ID, Segment: network.Segment{Type: network.TypeLocal}, MAC: p.MAC, MTU: 1500,
			Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.9/24")}, Gateways: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
		if diff := cmp.Diff(want, plan, addresses); diff != "" {
			t.Errorf("the plan (-want +got):\n%s", diff)
		}
	})
}
