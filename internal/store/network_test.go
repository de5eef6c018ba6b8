package store

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"

	"plimsoll/internal/network"
)

func TestNetworkSmoke(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:///"+filepath.Join(t.TempDir(), "x.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := &network.Network{Name: "a", ProjectID: "p", AdminStateUp: true, Tags: []string{"x"}}
	if err := s.CreateNetwork(ctx, n); err != nil {
		t.Fatal(err)
	}
	sub := &network.Subnet{NetworkID: n.ID, ProjectID: "p", CIDR: netip.MustParsePrefix("10.0.0.0/29"), Gateway: netip.MustParseAddr("10.0.0.1"), EnableDHCP: true}
	if err := s.CreateSubnet(ctx, sub); err != nil {
		t.Fatal(err)
	}
	p := &network.Port{NetworkID: n.ID, ProjectID: "p", AdminStateUp: true, Binding: network.Binding{Host: "h", NetNS: "ns"}}
	if err := s.CreatePort(ctx, p); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", p)
	if p, err = s.UpdatePort(ctx, p.ID, func(p *network.Port) error { p.Name = "new"; p.FixedIPs = append(p.FixedIPs, network.FixedIP{SubnetID: sub.ID}); return nil }); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", p)
	bp, err := s.BoundPorts(ctx, "h")
	t.Log(bp, err, bp[0])
	if err := s.BindingObserved(ctx, p.ID, bp[0].Binding.Generation, ""); err != nil {
		t.Fatal(err)
	}
	l, err := s.Ports(ctx, Query{Filters: []Filter{{"status", []string{"ACTIVE"}}, {network.FixedIPs, []string{"subnet_id=" + sub.ID, "ip_address_substr=10.0"}}, {network.VisibleTo, []string{"p"}}}})
	t.Log(len(l), err)
	plan, err := s.PortPlan(ctx, p.ID)
	t.Logf("%+v %v", plan, err)
	ns, err := s.Networks(ctx, Query{Tags: Tags{All: []string{"x"}}, Filters: []Filter{{network.VisibleTo, []string{"p"}}}})
	t.Logf("%+v %v", ns[0], err)
	if err := s.DeletePort(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	bp, err = s.BoundPorts(ctx, "h")
	t.Logf("%v %+v", err, bp[0])
	t.Log(s.BindingObserved(ctx, p.ID, bp[0].Binding.Generation, ""))
	bp, err = s.BoundPorts(ctx, "h")
	t.Log(bp, err)
	t.Log(s.DeleteSubnet(ctx, sub.ID), s.DeleteNetwork(ctx, n.ID))
}
