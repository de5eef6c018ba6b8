package haproxy

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/providertest"
	"plimsoll/lbaas"
)

func TestContract(t *testing.T) {
	providertest.Run(t, func(*testing.T) providertest.Fixture { return newWorld() })
}

// TestAmphorae shows the process that serves a load balancer: it is the same one whatever is changed.
func TestAmphorae(t *testing.T) {
	w := newWorld()
	lb, other := w.Tree(t), w.Tree(t)
	amphorae := func(lb *lbaas.LoadBalancer) []lbaas.Amphora {
		t.Helper()
		result, err := w.provider.Apply(t.Context(), lb)
		if err != nil || len(result.Amphorae) != 1 {
			t.Fatalf("Apply gives %+v, %v", result, err)
		}
		return result.Amphorae
	}
	first := amphorae(lb)
	want := []lbaas.Amphora{{
		ID: first[0].ID, LoadBalancerID: lb.ID, ProjectID: lb.ProjectID, ComputeID: "host1", HAIP: lb.VIPAddress, VRRPIP: lb.VIPAddress,
		HAPortID: lb.VIPPortID, VRRPPortID: lb.VIPPortID, Role: "STANDALONE", Status: "ALLOCATED",
	}}
	lb.Progress.Generation++
	lb.FailedOver, lb.Name = lb.Progress.Generation, "new"
	if diff := cmp.Diff(want, amphorae(lb), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("amphorae (-want +got):\n%s", diff)
	}
	id, err := uuid.Parse(first[0].ID)
	if err != nil || id.Version() != 5 || first[0].ID == amphorae(other)[0].ID {
		t.Errorf("id %s, %v", first[0].ID, err)
	}
}

// failuresOf applies lb.
func (w *world) failuresOf(t *testing.T, lb *lbaas.LoadBalancer) map[string]provider.Failure {
	t.Helper()
	result, err := w.provider.Apply(t.Context(), lb)
	if err != nil {
		t.Fatal(err)
	}
	return result.Failures
}

// TestUnreachable has subnets that cannot be joined: their members fail, the others are served.
func TestUnreachable(t *testing.T) {
	cases := []struct {
		name   string
		subnet func(w *world) string
		reason string
	}{
		{"no such subnet", func(*world) string { return uuid.Nil.String() }, "could not be found"},
		{"full", func(w *world) string {
			s := w.networks.addSubnet("10.1.0.0/30")
			w.networks.full[s.ID] = true
			return s.ID
		}, "No more IP addresses"},
		{"the VIP's addresses", func(w *world) string { return w.networks.addSubnet("10.0.0.128/25").ID }, "overlaps with another subnet of this load balancer (10.0.0.0/24)"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			lb := w.Tree(t)
			bad := lb.Pools[0].Members[2]
			bad.SubnetID = test.subnet(w)
			for range 2 {
				failures := w.failuresOf(t, lb)
				if len(failures) != 1 || failures[bad.ID].Permanent || !strings.Contains(failures[bad.ID].Reason, test.reason) {
					t.Errorf("failures %+v, want one with %q", failures, test.reason)
				}
				rest := providertest.Clone(lb)
				rest.Pools[0].Members = rest.Pools[0].Members[:2]
				w.Check(t, rest)
			}
			bad.SubnetID = w.members.ID
			if failures := w.failuresOf(t, lb); len(failures) > 0 {
				t.Errorf("it does not heal: %v", failures)
			}
			w.Check(t, lb)
		})
	}
}

// TestSurplusPorts shows that ports go when nothing uses them any more, after the engine let go of them.
func TestSurplusPorts(t *testing.T) {
	w := newWorld()
	lb := w.Tree(t)
	w.failuresOf(t, lb)
	if got := len(w.portsOf(lb)); got != 1 {
		t.Fatalf("%d member ports, want 1", got)
	}
	twin := *w.portsOf(lb)[0]
	twin.ID = uuid.NewString()
	w.networks.ports = append(w.networks.ports, &twin) // made by two who did not know of each other
	w.failuresOf(t, lb)
	w.Check(t, lb)

	for _, p := range w.networks.ports {
		p.Name = "octavia-lb-member-" + lb.ID + " is what its user called it"
	}
	lb.Progress.Generation++
	w.failuresOf(t, lb)
	w.Check(t, lb)
	if n := len(w.networks.ports); n != 2 {
		t.Errorf("%d ports after they were renamed, want the VIP's and one for the members", n)
	}

	lb.Progress.Generation++
	lb.Pools[0].Members = lb.Pools[0].Members[:1]
	w.failuresOf(t, lb)
	if got := len(w.portsOf(lb)); got != 0 {
		t.Errorf("%d member ports, want none", got)
	}
}

// TestNeededPort has connections outlive their subnet's last member: the port stays until they have ended.
func TestNeededPort(t *testing.T) {
	setUp := func(t *testing.T) (*world, *lbaas.LoadBalancer, *lbaas.LoadBalancer, string) {
		w := newWorld()
		toMembers := network.Route{Destination: w.members.CIDR, NextHop: netip.MustParseAddr("10.0.0.3")}
		w.vip.HostRoutes = []network.Route{toMembers, {Destination: netip.MustParsePrefix("192.0.2.0/24"), NextHop: netip.MustParseAddr("10.0.0.2")}}
		w.members.HostRoutes = []network.Route{{Destination: netip.MustParsePrefix("192.0.2.0/24"), NextHop: netip.MustParseAddr("10.93.48.2")}}
		lb := w.Tree(t)
		w.failuresOf(t, lb)
		w.engine.busy = true
		less := providertest.Clone(lb)
		less.Progress.Generation++
		less.Pools[0].Members = less.Pools[0].Members[:1]
		w.failuresOf(t, less)
		return w, lb, less, w.portsOf(lb)[0].ID
	}
	t.Run("until they end", func(t *testing.T) {
		w, _, lb, port := setUp(t)
		for range 2 {
			w.plugged(t, lb, []string{"192.0.2.0/24 0.0.0.0/0", "leaving"})
			w.drifted(t, lb, false)
			w.failuresOf(t, lb)
		}
		w.engine.busy = false
		w.drifted(t, lb, true)
		w.failuresOf(t, lb)
		w.plugged(t, lb, []string{"10.93.48.0/24 192.0.2.0/24 0.0.0.0/0"})
		w.drifted(t, lb, false)
		if _, err := w.networks.PortPlan(t.Context(), port); !errors.Is(err, lbaas.NotFound) {
			t.Errorf("the port is there: %v", err)
		}
	})
	t.Run("until a member comes back", func(t *testing.T) {
		w, lb, _, port := setUp(t)
		lb.Progress.Generation += 2
		w.failuresOf(t, lb)
		w.plugged(t, lb, []string{"192.0.2.0/24 0.0.0.0/0", ""})
		if ports := w.portsOf(lb); len(ports) != 1 || ports[0].ID != port {
			t.Errorf("ports %v, want %s", ports, port)
		}
		w.Check(t, lb)
	})
	t.Run("until another subnet overlaps", func(t *testing.T) {
		w, _, lb, port := setUp(t)
		lb.Progress.Generation++
		lb.Pools[0].Members[0].SubnetID = w.networks.addSubnet("10.93.48.0/25").ID
		if failures := w.failuresOf(t, lb); len(failures) > 0 {
			t.Errorf("failures %v", failures)
		}
		if w.engine.uses(port) || len(w.portsOf(lb)) != 1 {
			t.Error("the port is there")
		}
	})
	t.Run("until the load balancer is removed", func(t *testing.T) {
		w, _, lb, _ := setUp(t)
		if err := w.provider.Remove(t.Context(), lb); err != nil {
			t.Fatal(err)
		}
		w.CheckGone(t, lb)
	})
}

// plugged wants the engine to have ports with these destinations, or leaving.
func (w *world) plugged(t *testing.T, lb *lbaas.LoadBalancer, want []string) {
	t.Helper()
	var got []string
	for _, p := range w.engine.taken[lb.ID].Ports {
		var what []string
		for _, r := range p.Routes {
			what = append(what, r.Destination)
		}
		if p.Leaving {
			what = append(what, "leaving")
		}
		got = append(got, strings.Join(what, " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func (w *world) drifted(t *testing.T, lb *lbaas.LoadBalancer, want bool) {
	t.Helper()
	seen, err := w.provider.Observe(t.Context(), []*lbaas.LoadBalancer{lb})
	if err != nil || seen[lb.ID].Drifted != want {
		t.Errorf("drifted %v, want %v; %v", seen[lb.ID].Drifted, want, err)
	}
}

// TestPorts shows what the engine is told of the networks.
func TestPorts(t *testing.T) {
	w := newWorld()
	route := func(to, by string) network.Route {
		return network.Route{Destination: netip.MustParsePrefix(to), NextHop: netip.MustParseAddr(by)}
	}
	w.vip.HostRoutes = []network.Route{route("192.0.2.0/24", "10.0.0.2"), route(w.members.CIDR.String(), "10.0.0.3")}
	w.members.HostRoutes = []network.Route{
		route("0.0.0.0/0", "10.93.48.2"), route("192.0.2.0/24", "10.93.48.3"), route("198.51.100.0/24", "10.93.48.4"),
	}
	lb := w.Tree(t)
	w.failuresOf(t, lb)
	got := w.engine.done[lb.ID].Ports
	for _, p := range got {
		p.Id, p.Mac = "", ""
	}
	want := []*enginepb.Port{
		{NetworkId: w.vip.NetworkID, Mtu: 1450, Addresses: []string{lb.VIPAddress.String() + "/24"}, Routes: []*enginepb.Route{
			{Destination: "192.0.2.0/24", NextHop: "10.0.0.2"}, {Destination: "0.0.0.0/0", NextHop: "10.0.0.1"},
		}},
		{NetworkId: w.members.NetworkID, Mtu: 1450, Addresses: []string{"10.93.48.11/24"}, Routes: []*enginepb.Route{
			{Destination: "198.51.100.0/24", NextHop: "10.93.48.4"},
		}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

// TestVIPPorts gives the VIP's port an address of the other family, and one in another subnet: there is a way out for each family,
// and members in the subnets of VIPs need no port.
func TestVIPPorts(t *testing.T) {
	w := newWorld()
	lb := w.Tree(t)
	vip, members := w.networks.ports[0], lb.Pools[0].Members
	six, four := w.networks.addSubnet("2001:db8::/64"), w.networks.addSubnet("10.0.1.0/24")
	for i, subnet := range []*network.Subnet{six, four} {
		address := subnet.CIDR.Addr().Next().Next()
		vip.FixedIPs = append(vip.FixedIPs, network.FixedIP{SubnetID: subnet.ID, Address: address})
		lb.AdditionalVIPs = append(lb.AdditionalVIPs, lbaas.AdditionalVIP{SubnetID: subnet.ID, Address: address, PortID: vip.ID})
		members[i].SubnetID, members[i].Address = subnet.ID, address.Next()
	}
	members[2].SubnetID = ""
	if failures := w.failuresOf(t, lb); len(failures) > 0 {
		t.Errorf("failures %v", failures)
	}
	want := []*enginepb.Port{{Id: vip.ID, Mac: vip.MAC, NetworkId: w.vip.NetworkID, Mtu: 1450,
		Addresses: []string{lb.VIPAddress.String() + "/24", "2001:db8::2/64", "10.0.1.2/24"},
		Routes:    []*enginepb.Route{{Destination: "0.0.0.0/0", NextHop: "10.0.0.1"}, {Destination: "::/0", NextHop: "2001:db8::1"}},
	}}
	if diff := cmp.Diff(want, w.engine.done[lb.ID].Ports, protocmp.Transform()); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	w.Check(t, lb)
}

func TestNoEngine(t *testing.T) {
	w := newWorld()
	lb := w.Tree(t)
	w.engine.broken = status.Error(codes.Unavailable, "connection refused")
	_, apply := w.provider.Apply(t.Context(), lb)
	_, observe := w.provider.Observe(t.Context(), []*lbaas.LoadBalancer{lb})
	for name, err := range map[string]error{
		"Apply": apply, "Observe": observe, "Remove": w.provider.Remove(t.Context(), lb),
		"Watch": w.provider.Watch(t.Context(), func(string) {}),
	} {
		if !errors.Is(err, lbaas.Unavailable) {
			t.Errorf("%s: %v is not Unavailable", name, err)
		}
		if want := "The engine of host host1 does not answer: start it with"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s…", name, err, want)
		}
	}
	w.engine.broken = status.Error(codes.Internal, "oops")
	if _, err := w.provider.Apply(t.Context(), lb); err == nil || errors.Is(err, lbaas.Unavailable) {
		t.Errorf("Apply: %v", err)
	}
}

func TestWatch(t *testing.T) {
	w := newWorld()
	w.engine.events = []string{"a", "b"}
	var got []string
	err := w.provider.Watch(t.Context(), func(id string) { got = append(got, id) })
	if diff := cmp.Diff([]string{"", "a", "b"}, got); diff != "" || err == nil {
		t.Errorf("events (-want +got):\n%s\nerror %v", diff, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.provider.Watch(ctx, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestObserveOnce(t *testing.T) {
	w := newWorld()
	lbs := []*lbaas.LoadBalancer{w.Tree(t), w.Tree(t), w.Tree(t)}
	if _, err := w.provider.Observe(t.Context(), lbs); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"observe"}, w.engine.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestReported translates every word that HAProxy has.
func TestReported(t *testing.T) {
	words := map[string]lbaas.OperatingStatus{
		"UP": lbaas.Online, "UP 1/3": lbaas.Online, "NOLB": lbaas.Online, "DOWN": lbaas.Broken, "DOWN 1/2": lbaas.Broken,
		"DRAIN": lbaas.Draining, "MAINT": lbaas.Offline, "MAINT (via a:b/c)": lbaas.Offline, "no check": lbaas.NoMonitor,
	}
	o := &enginepb.Observation{Running: true, Frontends: []*enginepb.Frontend{
		{Name: "open", Status: "OPEN"}, {Name: "full", Status: "FULL"}, {Name: "stopped", Status: "STOP"},
	}}
	for word := range words {
		o.Servers = append(o.Servers, &enginepb.ServerState{Name: word, Status: word})
	}
	o.Servers = append(o.Servers, &enginepb.ServerState{Name: "unheard of", Status: "WHAT"})
	want := lbaas.Reported{Members: words, Listeners: map[string]lbaas.OperatingStatus{"open": lbaas.Online, "full": lbaas.Degraded}}
	if diff := cmp.Diff(want, reported(o)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	o.Running = false
	if got := reported(o); len(got.Listeners)+len(got.Members) > 0 {
		t.Errorf("a HAProxy that does not run reports %+v", got)
	}
}
