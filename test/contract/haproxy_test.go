package contract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine"
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	haproxyprovider "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/provider/providertest"
	"plimsoll/internal/store"
	"plimsoll/internal/store/storetest"
	"plimsoll/lbaas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHAProxy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	providertest.Run(t, func(t *testing.T) providertest.Fixture { return newHost(t) })
}

// host is the haproxy provider with a real store of networks and a real engine: namespaces, links and processes.
type host struct {
	store    *store.Store
	engine   *refuser
	options  haproxy.Options
	provider *haproxyprovider.Provider
	vip      *network.Subnet
	members  *network.Subnet
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{store: storetest.Open(t, store.SQLite), options: haproxy.Options{StateDir: t.TempDir(), User: "nobody", Group: "nogroup", FDLimit: 2000}}
	h.engine = &refuser{EngineClient: startEngine(t, h.options.StateDir)}
	h.provider = haproxyprovider.New(h.engine, h.store, nil, haproxyprovider.Options{Options: h.options, Host: "here"})
	h.vip, h.members = h.subnet(t, "10.0.0.0/24"), h.subnet(t, "10.93.48.0/24")
	return h
}

// startEngine runs an engine for the time of the test. What it made is purged at the end.
func startEngine(t *testing.T, stateDir string) enginepb.EngineClient {
	t.Helper()
	e, err := engine.New(engine.Config{
		StateDir: stateDir, Instance: uuid.NewString(), Host: "here", Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(stateDir, "engine.sock")
	l, err := engine.Listen(socket, 0)
	if err != nil {
		t.Fatal(err)
	}
	client, conn, err := engine.Dial(socket, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, l) }()
	t.Cleanup(func() {
		_ = conn.Close()
		cancel()
		if err := errors.Join(<-ended, e.Purge(context.Background())); err != nil {
			t.Errorf("end the engine: %v", err)
		}
		e.Close()
	})
	return client
}

func (h *host) subnet(t *testing.T, cidr string) *network.Subnet {
	t.Helper()
	n := &network.Network{ID: uuid.NewString(), ProjectID: "project", Name: cidr, AdminStateUp: true, MTU: 1450}
	if err := h.store.CreateNetwork(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	prefix := netip.MustParsePrefix(cidr)
	first := prefix.Addr().Next()
	s := &network.Subnet{
		ID: uuid.NewString(), ProjectID: "project", NetworkID: n.ID, CIDR: prefix, Gateway: first,
		AllocationPools: []network.Range{{Start: netip.MustParseAddr(strings.TrimSuffix(prefix.Addr().String(), "0") + "100"),
			End: netip.MustParseAddr(strings.TrimSuffix(prefix.Addr().String(), "0") + "200")}},
	}
	if err := h.store.CreateSubnet(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Provider returns the provider.
func (h *host) Provider() provider.Provider { return h.provider }

// Tree makes a load balancer of which no member is checked: nobody has to answer for them.
func (h *host) Tree(t *testing.T) *lbaas.LoadBalancer {
	t.Helper()
	object := func(name string) lbaas.Object {
		return lbaas.Object{ID: uuid.NewString(), ProjectID: "project", Name: name, AdminStateUp: true}
	}
	lb := lbaas.NewLoadBalancer()
	lb.Object, lb.VIPSubnetID, lb.VIPNetworkID = object("web"), h.vip.ID, h.vip.NetworkID
	lb.Progress.Generation, lb.Epoch = 1, 1
	port := &network.Port{
		ProjectID: "project", NetworkID: h.vip.NetworkID, Name: "octavia-lb-" + lb.ID, AdminStateUp: true,
		DeviceOwner: network.OwnerLoadBalancer, DeviceID: "lb-" + lb.ID, FixedIPs: []network.FixedIP{{SubnetID: h.vip.ID}},
	}
	if err := h.store.CreatePort(t.Context(), port); err != nil {
		t.Fatal(err)
	}
	lb.VIPPortID, lb.VIPAddress = port.ID, port.FixedIPs[0].Address

	p := lbaas.NewPool()
	p.Object, p.Protocol, p.Algorithm = object("pool"), lbaas.HTTP, lbaas.RoundRobin
	address := h.members.CIDR.Addr()
	for i := range 3 {
		address = address.Next()
		m := lbaas.NewMember()
		m.Object, m.Address, m.ProtocolPort, m.Number, m.SubnetID = object(fmt.Sprintf("member %d", i)), address, 80, i+1, h.members.ID
		p.Members = append(p.Members, m)
	}
	l := lbaas.NewListener()
	l.Object, l.Protocol, l.ProtocolPort, l.DefaultPoolID = object("listener"), lbaas.HTTP, 80, p.ID
	lb.Pools, lb.Listeners = []*lbaas.Pool{p}, []*lbaas.Listener{l}
	return lb
}

// Check wants HAProxy to run what Render says of lb, by its file and by its own word, and its ports to be plugged.
func (h *host) Check(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	eventually(t, func() error { return h.check(t.Context(), lb) })
}

func (h *host) check(ctx context.Context, lb *lbaas.LoadBalancer) error {
	reply, err := h.engine.Observe(ctx, &enginepb.ObserveRequest{LoadBalancerIds: []string{lb.ID}})
	if err != nil {
		return err
	}
	if len(reply.Observations) == 1 && strings.HasSuffix(reply.Observations[0].Reason, "is not needed any more") {
		if _, err := h.provider.Apply(ctx, lb); err != nil { // as the loop does
			return err
		}
		return errors.New("a port was kept for connections")
	}
	if len(reply.Observations) != 1 || reply.Observations[0].Drifted || !reply.Observations[0].Running {
		return fmt.Errorf("the engine reports %v", reply.Observations)
	}
	want := haproxy.Render(lb, nil, nil, h.options)
	text, _ := haproxy.File(want)
	file, err := os.ReadFile(filepath.Join(h.options.RunDir(lb.ID), haproxy.ConfigFile))
	if err != nil {
		return err
	}
	if got := plain(string(file)); got != plain(string(text)) {
		return fmt.Errorf("haproxy.conf is\n%s\nwant\n%s", got, plain(string(text)))
	}
	answer, err := ask(filepath.Join(h.options.RunDir(lb.ID), haproxy.SocketFile), "show servers state")
	if err != nil {
		return err
	}
	states, err := haproxy.ParseServersState(answer)
	if err != nil {
		return err
	}
	if plan := haproxy.Diff(haproxy.Running(want, states), want); !plan.Empty() {
		return fmt.Errorf("HAProxy is not as wanted: %+v", plan)
	}
	return h.plugged(ctx, lb)
}

// plain is a configuration without what tests refuse on purpose, and without comments.
func plain(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.Join(lines, "\n")
}

// plugged wants the links of the VIP's port and of one port for each further subnet.
func (h *host) plugged(ctx context.Context, lb *lbaas.LoadBalancer) error {
	ports, err := h.ports(ctx, lb)
	if err != nil {
		return err
	}
	want := 1
	for _, p := range lb.Pools {
		if len(p.Members) > 0 {
			want = 2
		}
	}
	if len(ports) != want {
		return fmt.Errorf("%d ports, want %d", len(ports), want)
	}
	for _, p := range ports {
		if _, err := net.InterfaceByName("plm" + p.ID[:11]); err != nil {
			return fmt.Errorf("port %s: %w", p.Name, err)
		}
	}
	return nil
}

// ports are all ports of a load balancer.
func (h *host) ports(ctx context.Context, lb *lbaas.LoadBalancer) ([]*network.Port, error) {
	return h.store.Ports(ctx, store.Query{Filters: []store.Filter{{Attribute: "device_id", Values: []string{"lb-" + lb.ID}}}})
}

// CheckGone wants nothing on the host, and no port but the VIP's, which is not the provider's.
func (h *host) CheckGone(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	ports, err := h.ports(t.Context(), lb)
	if err != nil {
		t.Fatal(err)
	}
	if len(ports) != 1 || ports[0].ID != lb.VIPPortID {
		t.Errorf("%d ports are left", len(ports))
	}
	for _, path := range []string{h.options.RunDir(lb.ID), "/run/netns/qlbaas-" + lb.ID, "/sys/class/net/plm" + lb.VIPPortID[:11]} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left (%v)", path, err)
		}
	}
}

// Lose kills HAProxy and removes its files and its namespace, and with that the links.
func (h *host) Lose(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	answer, err := ask(filepath.Join(h.options.RunDir(lb.ID), haproxy.SocketFile), "show info")
	if err != nil {
		t.Fatal(err)
	}
	info, err := haproxy.ParseInfo(answer)
	if err != nil {
		t.Fatal(err)
	}
	namespace := "/run/netns/qlbaas-" + lb.ID
	err = errors.Join(unix.Kill(info.PID, unix.SIGKILL), os.RemoveAll(h.options.RunDir(lb.ID)),
		unix.Unmount(namespace, unix.MNT_DETACH), os.Remove(namespace))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { // its link ends with it
		if _, err := net.InterfaceByName("plm" + lb.VIPPortID[:11]); err == nil {
			return errors.New("the namespace is still there")
		}
		return nil
	})
}

// eventually tries until fn gives no error, for at most ten seconds.
func eventually(t *testing.T, fn func() error) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := fn()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// Refuse has HAProxy refuse an object.
func (h *host) Refuse(_ *testing.T, name string) bool {
	h.engine.refuse(name)
	return true
}

// refuser is an engine's client that puts an option into Specs which HAProxy refuses.
type refuser struct {
	enginepb.EngineClient
	mu   sync.Mutex
	name string
}

func (r *refuser) refuse(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.name = name
}

// Apply spoils the object of the name.
func (r *refuser) Apply(ctx context.Context, req *enginepb.ApplyRequest, opts ...grpc.CallOption) (*enginepb.ApplyReply, error) {
	r.mu.Lock()
	name := r.name
	r.mu.Unlock()
	spec := proto.CloneOf(req.Spec)
	for _, s := range spec.Servers {
		if name != "" && s.Comment == name {
			s.Options = append(s.Options, "verify refuse-this-on-purpose")
			spec.Hash += " spoilt"
		}
	}
	return r.EngineClient.Apply(ctx, &enginepb.ApplyRequest{Spec: spec}, opts...)
}

// ask gives HAProxy one command.
func ask(socket, command string) ([]byte, error) {
	dir, name := filepath.Split(socket)
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	// The path may be longer than a socket's address can be.
	c, err := net.DialTimeout("unix", fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name), time.Second)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, command+"\n"); err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}
