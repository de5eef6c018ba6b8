package store_test

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

var prefixes = cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})

func addGroup(t *testing.T, s *store.Store, projectID, name string) *network.SecurityGroup {
	t.Helper()
	g := &network.SecurityGroup{ProjectID: projectID, Name: name}
	if err := s.CreateSecurityGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	return g
}

func addRule(t *testing.T, s *store.Store, r *network.SecurityGroupRule) *network.SecurityGroupRule {
	t.Helper()
	if err := s.CreateSecurityGroupRules(t.Context(), []*network.SecurityGroupRule{r}); err != nil {
		t.Fatal(err)
	}
	return r
}

// shape is what a rule says without its ids and times.
func shape(rules []*network.SecurityGroupRule) (all []string) {
	for _, r := range rules {
		all = append(all, r.Direction+" "+r.EtherType+" of "+r.RemoteGroupID)
	}
	return all
}

func TestSecurityGroupRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		g := &network.SecurityGroup{ProjectID: "p", Name: "a 'quoted' \"name\" \\ % ü", Description: "d", Tags: []string{"a", "b,c"}}
		if err := s.CreateSecurityGroup(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"egress IPv4 of ", "egress IPv6 of "}, shape(g.Rules)); diff != "" {
			t.Errorf("rules of a new group (-want +got):\n%s", diff)
		}
		r := addRule(t, s, &network.SecurityGroupRule{
			ProjectID: "p", GroupID: g.ID, Description: "d", Direction: network.Ingress, EtherType: network.IPv4, Protocol: "tcp",
			PortMin: ptr(1), PortMax: ptr(2), RemotePrefix: netip.MustParsePrefix("10.0.0.7/24"),
		})
		other := addRule(t, s, &network.SecurityGroupRule{ProjectID: "q", GroupID: g.ID, Direction: network.Ingress, EtherType: network.IPv4, RemoteGroupID: g.ID})
		want := append(slices.Clone(g.Rules), r, other)
		got, err := s.SecurityGroup(t.Context(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Rules, prefixes); diff != "" {
			t.Errorf("rules (-want +got):\n%s", diff)
		}
		same := cmpopts.IgnoreFields(network.SecurityGroup{}, "Rules", "Revision", "UpdatedAt")
		if diff := cmp.Diff(g, got, same, prefixes); diff != "" || got.Revision != 3 {
			t.Errorf("a group comes back in revision %d (-want +got):\n%s", got.Revision, diff)
		}
	})
}

func TestSecurityGroupChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		g := addGroup(t, s, "p", "web")
		after, err := s.UpdateSecurityGroup(ctx, g.ID, func(g *network.SecurityGroup) error { g.Name, g.Tags = "new", []string{"x"}; return nil })
		if err != nil || after.Name != "new" || after.Revision != 2 {
			t.Errorf("a new name: %+v, %v", after, err)
		}
		r, err := s.UpdateSecurityGroupRule(ctx, g.Rules[0].ID, func(r *network.SecurityGroupRule) error { r.Description = "why"; return nil })
		if err != nil || r.Description != "why" || r.Revision != 2 {
			t.Errorf("a description: %+v, %v", r, err)
		}
		if found, err := s.SecurityGroupRule(ctx, r.ID); err != nil || cmp.Diff(r, found, prefixes) != "" {
			t.Errorf("a rule comes back otherwise: %+v, %v", found, err)
		}
		if err := s.DeleteSecurityGroupRule(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		wantType(t, "a rule again", s.DeleteSecurityGroupRule(ctx, r.ID), "SecurityGroupRuleNotFound")
		_, err = s.UpdateSecurityGroupRule(ctx, r.ID, func(*network.SecurityGroupRule) error { return nil })
		wantType(t, "a rule that is gone", err, "SecurityGroupRuleNotFound")
		if err := s.DeleteSecurityGroup(ctx, g.ID); err != nil {
			t.Fatal(err)
		}
		wantType(t, "a group again", s.DeleteSecurityGroup(ctx, g.ID), "SecurityGroupNotFound")
		_, err = s.UpdateSecurityGroup(ctx, g.ID, func(*network.SecurityGroup) error { return nil })
		wantType(t, "a group that is gone", err, "SecurityGroupNotFound")
		if left, err := s.SecurityGroupRules(ctx, store.Query{}); err != nil || len(left) > 0 {
			t.Errorf("rules of a group that is gone: %v, %v", left, err)
		}
	})
}

// TestDefaultGroupOnce has many ask for a project's default group at once.
func TestDefaultGroupOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ids := make([]string, 8)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				var err error
				if ids[i], err = s.DefaultSecurityGroup(t.Context(), "p"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		all, err := s.SecurityGroups(t.Context(), store.Query{})
		if err != nil || len(all) != 1 {
			t.Fatalf("%d groups, %v", len(all), err)
		}
		g := all[0]
		if i := slices.IndexFunc(ids, func(id string) bool { return id != g.ID }); i >= 0 || !g.Default || g.Name != "default" {
			t.Errorf("default groups: %v of %+v", ids, g)
		}
		want := []string{"ingress IPv4 of " + g.ID, "egress IPv4 of ", "ingress IPv6 of " + g.ID, "egress IPv6 of "}
		if diff := cmp.Diff(want, shape(g.Rules)); diff != "" {
			t.Errorf("rules of a default group (-want +got):\n%s", diff)
		}
	})
}

func TestRuleTwice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		g, other := addGroup(t, s, "p", "web"), addGroup(t, s, "p", "db")
		rule := func(groupID, protocol string) *network.SecurityGroupRule {
			return &network.SecurityGroupRule{ProjectID: "p", GroupID: groupID, Direction: network.Ingress, EtherType: network.IPv4, Protocol: protocol}
		}
		first := addRule(t, s, rule(g.ID, "tcp"))
		create := func(list ...*network.SecurityGroupRule) error { return s.CreateSecurityGroupRules(ctx, list) }
		err := create(rule(g.ID, "udp"), rule(g.ID, "6"))
		wantType(t, "one that is there", err, "SecurityGroupRuleExists")
		if known := (*lbaas.Error)(nil); errors.As(err, &known) && known.Text != "Security group rule already exists. Rule id is "+first.ID+"." {
			t.Errorf("the text is %q", known.Text)
		}
		wantType(t, "two alike", create(rule(g.ID, "udp"), rule(g.ID, "17")), "DuplicateSecurityGroupRuleInPost")
		wantType(t, "two groups", create(rule(g.ID, "udp"), rule(other.ID, "udp")), "SecurityGroupNotSingleGroupRules")
		wantType(t, "nobody's group", create(rule("none", "udp")), "SecurityGroupNotFound")
		remote := rule(g.ID, "udp")
		remote.RemoteGroupID = "none"
		wantType(t, "of nobody", create(remote), "SecurityGroupNotFound")
		if got, err := s.SecurityGroup(ctx, g.ID); err != nil || len(got.Rules) != 3 {
			t.Errorf("what was refused left %d rules, %v", len(got.Rules), err)
		}
		var wg sync.WaitGroup
		kept := make([]error, 4)
		for i := range kept {
			wg.Go(func() { kept[i] = create(rule(other.ID, "sctp")) })
		}
		wg.Wait()
		if n := len(slices.DeleteFunc(kept, func(err error) bool { return err != nil })); n != 1 {
			t.Errorf("of four rules alike at once %d were kept", n)
		}
	})
}

// TestGroupInUse deletes a group with a port in it, and one that a rule names.
func TestGroupInUse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		web, db := addGroup(t, s, "p", "web"), addGroup(t, s, "p", "db")
		addRule(t, s, &network.SecurityGroupRule{ProjectID: "p", GroupID: db.ID, Direction: network.Ingress, EtherType: network.IPv4, RemoteGroupID: web.ID})
		p := addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p", PortSecurity: true, SecurityGroupIDs: []string{db.ID, web.ID}})
		wantType(t, "a group with a port", s.DeleteSecurityGroup(ctx, web.ID), "SecurityGroupInUse")
		if got, err := s.Port(ctx, p.ID); err != nil || !slices.Equal(got.SecurityGroupIDs, []string{db.ID, web.ID}) {
			t.Errorf("the port is in %v, %v", got.SecurityGroupIDs, err)
		}
		if _, err := s.UpdatePort(ctx, p.ID, func(p *network.Port) error { p.SecurityGroupIDs = []string{db.ID}; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteSecurityGroup(ctx, web.ID); err != nil {
			t.Fatal(err)
		}
		if got, err := s.SecurityGroup(ctx, db.ID); err != nil || len(got.Rules) != 2 {
			t.Errorf("the rule that named the group stayed: %v, %v", shape(got.Rules), err)
		}
		_, err := s.UpdatePort(ctx, p.ID, func(p *network.Port) error { p.SecurityGroupIDs = []string{db.ID, web.ID}; return nil })
		wantType(t, "into a group that is gone", err, "SecurityGroupNotFound")
		if err := s.DeletePort(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteSecurityGroup(ctx, db.ID); err != nil {
			t.Error(err)
		}
	})
}

// TestGroupOrPort puts ports into a group that is deleted at the same time: either the port is not made, or the group stays.
func TestGroupOrPort(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		for range 5 {
			g := addGroup(t, s, "p", "web")
			p := &network.Port{NetworkID: l.ID, ProjectID: "p", PortSecurity: true, SecurityGroupIDs: []string{g.ID}}
			var wg sync.WaitGroup
			var made, gone error
			wg.Go(func() { made = s.CreatePort(ctx, p) })
			wg.Go(func() { gone = s.DeleteSecurityGroup(ctx, g.ID) })
			wg.Wait()
			if (made == nil) == (gone == nil) {
				t.Errorf("the port: %v; the group: %v", made, gone)
			}
		}
	})
}

// TestMembers reads whose addresses a rule means that names a group.
func TestMembers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		web, db := addGroup(t, s, "p", "web"), addGroup(t, s, "p", "db")
		addRule(t, s, &network.SecurityGroupRule{ProjectID: "p", GroupID: db.ID, Direction: network.Ingress, EtherType: network.IPv4, RemoteGroupID: web.ID})
		here := network.Binding{Host: "h", NetNS: "ns"}
		addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p", PortSecurity: true, SecurityGroupIDs: []string{db.ID}, Binding: here})
		pair := network.AddressPair{Address: netip.MustParsePrefix("10.9.0.0/16")}
		far := addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p", PortSecurity: true, SecurityGroupIDs: []string{web.ID},
			FixedIPs: []network.FixedIP{fixed(l.subnet, "10.0.0.9")}, AddressPairs: []network.AddressPair{pair}})
		state, err := s.HostState(ctx, "h", nil)
		if err != nil {
			t.Fatal(err)
		}
		pair.MAC = far.MAC
		want := map[string][]network.AddressPair{web.ID: {{Address: netip.MustParsePrefix("10.0.0.9/32"), MAC: far.MAC}, pair}}
		if diff := cmp.Diff(want, state.Members, prefixes); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
		if err := s.DeletePort(ctx, far.ID); err != nil {
			t.Fatal(err)
		}
		if state, err = s.HostState(ctx, "h", nil); err != nil || len(state.Members[web.ID]) > 0 {
			t.Errorf("members of a group without ports: %v, %v", state.Members, err)
		}
	})
}

// TestVIPGroups sets the groups of a VIP port: its load balancer says the same.
func TestVIPGroups(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		s.SetVIPGroups(func(provider string) bool { return provider != "apart" })
		l := newLAN(t, s, "10.0.0.0/24")
		g := addGroup(t, s, "p", "lb-sec")
		for provider, want := range map[string][]string{"haproxy": {g.ID}, "apart": nil} {
			p := addPort(t, s, &network.Port{NetworkID: l.ID, ProjectID: "p", PortSecurity: true, DeviceOwner: network.OwnerLoadBalancer})
			lb := &lbaas.LoadBalancer{Object: lbaas.Object{ProjectID: "p"}, Provider: provider, VIPPortID: p.ID}
			if err := s.CreateLoadBalancer(ctx, lb); err != nil {
				t.Fatal(err)
			}
			for _, ids := range [][]string{{g.ID}, nil} {
				if _, err := s.UpdatePort(ctx, p.ID, func(p *network.Port) error { p.SecurityGroupIDs = ids; return nil }); err != nil {
					t.Fatal(err)
				}
				got, err := s.LoadBalancer(ctx, lb.ID)
				if err != nil {
					t.Fatal(err)
				}
				if ids == nil {
					want = nil
				}
				if !slices.Equal(got.VIPSecurityGroupIDs, want) {
					t.Errorf("%s: vip_sg_ids is %v, want %v", provider, got.VIPSecurityGroupIDs, want)
				}
			}
		}
	})
}

// TestGroupHints tells those who listen of changes of what ports may be passed by, and of nothing that was refused.
func TestGroupHints(t *testing.T) {
	s := storetest.Open(t, store.SQLite)
	ctx := t.Context()
	hints := make(chan store.Hint, 10)
	defer s.OnHint(func(h store.Hint) { hints <- h })()
	expect := func(what string, want int) {
		t.Helper()
		got := 0
		for len(hints) > 0 {
			if h := <-hints; h.Network {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d hints, want %d", what, got, want)
		}
	}
	g := addGroup(t, s, "p", "web")
	expect("a group that no port is in", 0)
	rule := network.SecurityGroupRule{ProjectID: "p", GroupID: g.ID, Direction: network.Ingress, EtherType: network.IPv4}
	first, second := rule, rule
	addRule(t, s, &first)
	expect("a rule", 1)
	if err := s.CreateSecurityGroupRules(ctx, []*network.SecurityGroupRule{&second}); err == nil {
		t.Error("the same rule again")
	}
	expect("a rule that is refused", 0)
	if err := errors.Join(s.DeleteSecurityGroupRule(ctx, first.ID), s.DeleteSecurityGroup(ctx, g.ID)); err != nil {
		t.Fatal(err)
	}
	expect("a rule and a group away", 2)
}

// TestPortSecurityRoundTrip keeps what guards a port.
func TestPortSecurityRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		l := newLAN(t, s, "10.0.0.0/24")
		want := addPort(t, s, &network.Port{
			NetworkID: l.ID, ProjectID: "p", PortSecurity: true, AddressPairs: []network.AddressPair{{Address: netip.MustParsePrefix("10.0.9.7/24"), MAC: "fa:16:3e:00:00:01"}},
			DHCPOptions: []network.DHCPOption{{Name: "bootfile-name", Value: "a \"b\" ü", IPVersion: 6}},
		})
		got, err := s.Port(ctx, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, prefixes, cmpopts.EquateApproxTime(time.Millisecond)); diff != "" {
			t.Errorf("a port comes back otherwise (-want +got):\n%s", diff)
		}
		_, err = s.UpdatePort(ctx, want.ID, func(p *network.Port) error { p.PortSecurity = false; return nil })
		wantType(t, "pairs without port security", err, "AddressPairAndPortSecurityRequired")
		err = s.CreatePort(ctx, &network.Port{NetworkID: l.ID, SecurityGroupIDs: []string{"g"}})
		wantType(t, "groups without port security", err, "PortSecurityAndIPRequiredForSecurityGroups")
	})
}
