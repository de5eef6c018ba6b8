package engine

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	haproxyprovider "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/provider/providertest"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// TestProvider shows that the provider haproxy keeps its contract with a real engine and real traffic.
func TestProvider(t *testing.T) {
	providertest.Run(t, func(t *testing.T) providertest.Fixture {
		w := newWorld(t)
		f := &fixture{world: w, plans: map[string]*network.PortPlan{}, names: map[string]string{}}
		f.options = haproxyprovider.Options{Host: "here",
			Options: haproxy.Options{StateDir: w.dir, User: "haproxy", Group: "haproxy", FDLimit: 4000}}
		f.provider = haproxyprovider.New(&refusing{EngineClient: w.client, fixture: f}, f, nil, f.options)
		f.asker, _ = w.plug()
		return f
	})
}

// fixture is the engine's world as the provider's data plane. It stands in for the network service: all is on one network.
type fixture struct {
	*world
	provider provider.Provider
	options  haproxyprovider.Options
	plans    map[string]*network.PortPlan
	names    map[string]string // of objects, by id
	refused  string
	asker    string // the client's namespace
}

func (f *fixture) Provider() provider.Provider { return f.provider }

func (f *fixture) Tree(*testing.T) *lbaas.LoadBalancer {
	b := f.balancerOf(f.member(), f.member(), f.member())
	lb := b.LoadBalancer
	lb.Progress.Generation = 1
	lb.VIPSubnetID, lb.VIPNetworkID, lb.Provider = f.network, f.network, "haproxy"
	f.plans[lb.VIPPortID] = &network.PortPlan{PortID: b.port.Id, NetworkID: b.port.NetworkId, MAC: b.port.Mac,
		MTU: int(b.port.Mtu), Addresses: []netip.Prefix{netip.MustParsePrefix(b.port.Addresses[0])}}
	for i, p := range lb.Parts() {
		if p.Base().Name == "" {
			p.Base().Name = fmt.Sprintf("object %d of %s", i, lb.ID)
		}
		f.names[p.Base().ID] = p.Base().Name
	}
	return lb
}

// Check compares what HAProxy reports, and then who answers.
func (f *fixture) Check(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	want := haproxy.Render(lb, []*enginepb.Port{{}}, nil, f.options.Options)
	eventually(t, "the servers as wanted", func() bool { return f.servers(lb) == serverList(want) })
	if diff := cmp.Diff(serverList(want), f.servers(lb)); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	c := httpClient(t, f.asker, false)
	for _, l := range lb.Listeners {
		url := fmt.Sprintf("http://%s:%d/", lb.VIPAddress, l.ProtocolPort)
		able := rotation(lb, l)
		if len(able) > 0 {
			for name := range f.answers(c, url, 4*len(able)) {
				if !slices.Contains(able, name) {
					t.Errorf("%s answers on port %d, want one of %v", name, l.ProtocolPort, able)
				}
			}
		} else if body, err := get(c, url); err == nil {
			t.Errorf("%s answers on port %d, want nobody", body, l.ProtocolPort)
		}
	}
}

// rotation names the members that may answer for a listener: by address, for names change.
func rotation(lb *lbaas.LoadBalancer, l *lbaas.Listener) []string {
	pool := lb.Pool(l.DefaultPoolID)
	if pool == nil || !lb.AdminStateUp || !l.AdminStateUp || !pool.AdminStateUp {
		return nil
	}
	var able []string
	for _, m := range pool.Members {
		if m.AdminStateUp && m.Weight > 0 {
			able = append(able, m.Address.String())
		}
	}
	return able
}

// serverList writes the servers of a Spec down, a line each, in order.
func serverList(spec *enginepb.Spec) string {
	var lines []string
	for _, s := range spec.Servers {
		lines = append(lines, fmt.Sprintf("%s/%s %s:%d weight %d off %v\n", s.Backend, s.Name, s.Address, s.Port, s.Weight, s.Disabled))
	}
	slices.Sort(lines)
	return fmt.Sprint(lines)
}

// servers are as HAProxy reports them, but for those that only wait for their removal.
func (f *fixture) servers(lb *lbaas.LoadBalancer) string {
	answer, err := askIn(f.runDir(lb), "show servers state")
	if err != nil {
		return err.Error()
	}
	states, err := haproxy.ParseServersState(answer)
	if err != nil {
		return err.Error()
	}
	wanted := haproxy.Render(lb, []*enginepb.Port{{}}, nil, f.options.Options)
	spec := haproxy.Running(wanted, states)
	spec.Servers = slices.DeleteFunc(spec.Servers, func(s *enginepb.Server) bool {
		return s.Disabled && !slices.ContainsFunc(wanted.Servers, func(w *enginepb.Server) bool { return w.Name == s.Name && w.Backend == s.Backend })
	})
	return serverList(spec)
}

func (f *fixture) runDir(lb *lbaas.LoadBalancer) string { return f.options.RunDir(lb.ID) }

func (f *fixture) CheckGone(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	if linux.HasNamespace(namespaceName(lb.ID)) {
		t.Error("the namespace is there")
	}
	if _, err := os.Stat(f.runDir(lb)); err == nil {
		t.Error("the run directory is there")
	}
	if out, err := exec.Command("ip", "link", "show", linux.HostName(lb.VIPPortID)).CombinedOutput(); err == nil {
		t.Errorf("the VIP's link is there: %s", out)
	}
	if pids := processesOf(t, &testBalancer{LoadBalancer: lb, w: f.world}); len(pids) > 0 {
		t.Errorf("HAProxy runs: %v", pids)
	}
}

// Lose kills HAProxy and removes its namespace and its files.
func (f *fixture) Lose(t *testing.T, lb *lbaas.LoadBalancer) {
	for _, pid := range processesOf(t, &testBalancer{LoadBalancer: lb, w: f.world}) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "ip", "netns", "del", namespaceName(lb.ID))
	if err := os.RemoveAll(f.runDir(lb)); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) Refuse(_ *testing.T, name string) bool {
	f.refused = name
	return true
}

// refusing spoils what renders the refused object, on its way to the engine.
type refusing struct {
	enginepb.EngineClient
	*fixture
}

func (r *refusing) Apply(ctx context.Context, req *enginepb.ApplyRequest, opts ...grpc.CallOption) (*enginepb.ApplyReply, error) {
	for _, s := range req.Spec.Servers {
		if r.refused != "" && r.names[s.Name] == r.refused {
			s.Options = append(s.Options, "verify refuse-this")
		}
	}
	for _, s := range req.Spec.Sections {
		if r.refused != "" && r.names[s.Objects[0]] == r.refused {
			addLine(s, "mode refuse-this")
		}
	}
	return r.EngineClient.Apply(ctx, req, opts...)
}

// The methods below are the network service's.

func (f *fixture) Subnet(_ context.Context, id string) (*network.Subnet, error) {
	return nil, lbaas.Missing("Subnet", id)
}

func (f *fixture) Ports(context.Context, store.Query) ([]*network.Port, error) { return nil, nil }

func (f *fixture) PortPlan(_ context.Context, id string) (*network.PortPlan, error) {
	if p := f.plans[id]; p != nil {
		return p, nil
	}
	return nil, lbaas.Missing("Port", id)
}

func (f *fixture) CreatePort(_ context.Context, p *network.Port) error {
	p.ID = uuid.NewString()
	return nil
}

func (f *fixture) DeletePort(context.Context, string) error { return nil }
