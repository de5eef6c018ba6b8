package haproxy

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// datagramTree has listeners of UDP and SCTP beside one of HTTP.
func datagramTree() *lbaas.LoadBalancer {
	lb := newTree()
	lb.AdditionalVIPs = []lbaas.AdditionalVIP{{Address: netip.MustParseAddr("2001:db8::5")}}
	addListener(lb, 1, lbaas.HTTP, 80, "")
	p := addPool(lb, 1, lbaas.UDP, lbaas.SourceIP)
	seconds := 5
	p.SessionPersistence = &lbaas.SessionPersistence{Type: lbaas.PersistSourceIP, PersistenceTimeout: &seconds, PersistenceGranularity: "255.255.240.0"}
	addMember(p, 2, "2001:db8:1::3", 54).Backup = true
	addMember(p, 1, "10.93.48.3", 53).Weight = 0
	addMember(p, 3, "10.93.48.4", 53).AdminStateUp = false
	l := addListener(lb, 2, lbaas.UDP, 53, p.ID)
	limit := 7
	l.ConnectionLimit, l.AllowedCIDRs, l.TimeoutMemberData = &limit, []string{"192.0.2.0/24"}, 60000
	addListener(lb, 3, lbaas.SCTP, 3868, "").TimeoutClientData = 0
	addListener(lb, 4, lbaas.UDP, 54, "").AdminStateUp = false
	return lb
}

func TestDatagrams(t *testing.T) {
	want := []*enginepb.Datagram{
		{
			ListenerId: uid(1, 2), PoolId: uid(2, 1), Protocol: "udp", Addresses: []string{"10.0.0.5", "2001:db8::5"}, Port: 53,
			Algorithm: "SOURCE_IP", PersistenceSeconds: 5, PersistenceBits4: 20, PersistenceBits6: 128, ConnectionLimit: 7,
			IdleMilliseconds: 60000, AllowedCidrs: []string{"192.0.2.0/24"},
			Targets: []*enginepb.Target{
				{MemberId: uid(3, 1), Address: "10.93.48.3", Port: 53},
				{MemberId: uid(3, 2), Address: "2001:db8:1::3", Port: 54, Weight: 1, Backup: true},
				{MemberId: uid(3, 3), Address: "10.93.48.4", Port: 53, Weight: 1, Disabled: true},
			},
		},
		{ListenerId: uid(1, 3), Protocol: "sctp", Addresses: []string{"10.0.0.5", "2001:db8::5"}, Port: 3868},
	}
	lb := datagramTree()
	spec := Render(lb, testPorts(), nil, Options{})
	if diff := cmp.Diff(want, spec.Datagrams, protocmp.Transform()); diff != "" {
		t.Errorf("datagrams (-want +got):\n%s", diff)
	}
	var frontends []string
	for _, s := range spec.Sections {
		if slices.Contains(s.Objects, uid(1, 1)) || s.Name != "global" && s.Name != "defaults" {
			frontends = append(frontends, s.Name)
		}
	}
	if diff := cmp.Diff([]string{"frontend " + uid(1, 1)}, frontends); diff != "" || len(spec.Servers) > 0 {
		t.Errorf("HAProxy's sections (-want +got), and %d servers:\n%s", len(spec.Servers), diff)
	}
	slices.Reverse(lb.Pools[0].Members)
	if again := Render(lb, testPorts(), nil, Options{}); again.Hash != spec.Hash {
		t.Error("the order of members makes another hash")
	}
	lb.Pools[0].AdminStateUp = false
	for _, target := range Render(lb, testPorts(), nil, Options{}).Datagrams[0].Targets {
		if !target.Disabled {
			t.Errorf("the pool is switched off, and member %s is not", target.MemberId)
		}
	}
	lb.AdminStateUp = false
	if left := Render(lb, testPorts(), nil, Options{}).Datagrams; len(left) > 0 {
		t.Errorf("a load balancer that is switched off forwards %v", left)
	}
}

func TestGranularity(t *testing.T) {
	for _, test := range []struct {
		mask         string
		ok           bool
		bits4, bits6 int32
	}{
		{"bad", false, 32, 128}, {"0.0.0.0", false, 32, 128}, {"255.0.255.0", false, 32, 128}, {"127.0.0.0", false, 32, 128}, {"::1", false, 32, 128},
		{"", true, 32, 128}, {"255.255.255.255", true, 32, 128}, {"255.255.255.0", true, 24, 128}, {"128.0.0.0", true, 1, 128},
		{"ffff:ffff:ffff:ff80::", true, 32, 57}, {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, 32, 128},
	} {
		bits4, bits6 := granularity(test.mask)
		if ok := GranularitySupported(test.mask); ok != test.ok || bits4 != test.bits4 || bits6 != test.bits6 {
			t.Errorf("%q: %t, %d and %d bits; want %t, %d and %d", test.mask, ok, bits4, bits6, test.ok, test.bits4, test.bits6)
		}
	}
}

func TestUnmapped(t *testing.T) {
	lb := datagramTree()
	lb.Pools[0].Members = lb.Pools[0].Members[:1]
	lb.Pools[0].Members[0].Address = netip.MustParseAddr("::ffff:10.93.48.9")
	lb.Listeners[1].AllowedCIDRs = []string{"none", "192.0.2.0/24", "2001:db8::/32", "::ffff:0:0/95", "::ffff:192.0.2.0/120"}
	d := Render(lb, testPorts(), nil, Options{}).Datagrams[0]
	if got, want := d.Targets[0].Address, "10.93.48.9"; got != want {
		t.Errorf("the member's address is %s, want %s", got, want)
	}
	want := []string{"none", "192.0.2.0/24", "2001:db8::/32", "::ffff:0:0/95", "192.0.2.0/24"}
	if diff := cmp.Diff(want, d.AllowedCidrs); diff != "" {
		t.Errorf("allowed_cidrs (-want +got):\n%s", diff)
	}
}
