package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/providertest"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// A fakeEngine is an engine in memory that is as strict as the real one: it checks Specs, refuses old ones and keeps
// refused objects in their last good form. It has no network and no HAProxy.
type fakeEngine struct {
	enginepb.EngineClient // what is not below is not called

	mu     sync.Mutex
	taken  map[string]*enginepb.Spec // by load balancer, as wanted
	done   map[string]*enginepb.Spec // as achieved; absent when lost
	refuse string                    // the name of an object
	broken error                     // what every call is answered with
	busy   bool                      // connections need the leaving ports
	calls  []string
	events []string
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{taken: map[string]*enginepb.Spec{}, done: map[string]*enginepb.Spec{}}
}

// call counts a call. It returns what stands in its way.
func (e *fakeEngine) call(name, id string, epoch, generation int64) error {
	e.calls = append(e.calls, name)
	if e.broken != nil {
		return e.broken
	}
	last := e.taken[id]
	if last != nil && (epoch < last.Epoch || epoch == last.Epoch && generation < last.Generation) {
		return status.Error(codes.FailedPrecondition, "older than what was taken")
	}
	return nil
}

func (e *fakeEngine) Apply(_ context.Context, r *enginepb.ApplyRequest, _ ...grpc.CallOption) (*enginepb.ApplyReply, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	spec := proto.CloneOf(r.Spec)
	if err := e.call("apply", spec.LoadBalancerId, spec.Epoch, spec.Generation); err != nil {
		return nil, err
	}
	good, asked := e.done[spec.LoadBalancerId], spec
	if len(spec.HeldObjects) > 0 {
		spec, _ = haproxy.Retreat(spec, good, spec.HeldObjects)
	}
	if err := checkSpec(spec); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	e.taken[spec.LoadBalancerId] = asked
	reply := &enginepb.ApplyReply{Method: "reload"}
	if good != nil && haproxy.Diff(good, spec).Empty() {
		reply.Method = "none"
	}
	blamed := named(spec, e.refuse)
	if len(blamed) > 0 {
		spec, _ = haproxy.Retreat(spec, good, blamed)
		reply.Failures = []*enginepb.Failure{{ObjectId: blamed[0], Permanent: true, Reason: "HAProxy refuses it"}}
	}
	e.done[spec.LoadBalancerId] = spec
	if e.busy {
		reply.NeededPortIds = leaving(spec)
	}
	return reply, nil
}

func (e *fakeEngine) Remove(_ context.Context, r *enginepb.RemoveRequest, _ ...grpc.CallOption) (*enginepb.RemoveReply, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.call("remove", r.LoadBalancerId, r.Epoch, r.Generation); err != nil {
		return nil, err
	}
	delete(e.taken, r.LoadBalancerId)
	delete(e.done, r.LoadBalancerId)
	return &enginepb.RemoveReply{}, nil
}

func (e *fakeEngine) Observe(_ context.Context, r *enginepb.ObserveRequest, _ ...grpc.CallOption) (*enginepb.ObserveReply, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.call("observe", "", 0, 0); err != nil {
		return nil, err
	}
	reply := &enginepb.ObserveReply{Observations: []*enginepb.Observation{{LoadBalancerId: "another's"}}}
	for _, id := range r.LoadBalancerIds {
		if spec := e.taken[id]; spec != nil {
			reply.Observations = append(reply.Observations, e.observation(spec))
		}
	}
	return reply, nil
}

func (e *fakeEngine) observation(spec *enginepb.Spec) *enginepb.Observation {
	o := &enginepb.Observation{LoadBalancerId: spec.LoadBalancerId, Epoch: spec.Epoch, Generation: spec.Generation}
	done := e.done[spec.LoadBalancerId]
	if done == nil {
		return o
	}
	o.Running, o.Drifted = true, !e.busy && len(leaving(spec)) > 0
	for _, s := range done.Sections {
		if name, ok := strings.CutPrefix(s.Name, "frontend "); ok {
			o.Frontends = append(o.Frontends, &enginepb.Frontend{Name: name, Status: "OPEN"})
		}
	}
	for _, s := range done.Servers {
		o.Servers = append(o.Servers, &enginepb.ServerState{Backend: s.Backend, Name: s.Name, Status: "no check"})
	}
	return o
}

func (e *fakeEngine) Watch(ctx context.Context, _ *enginepb.WatchRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[enginepb.WatchEvent], error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken != nil {
		return nil, e.broken
	}
	return &fakeStream{ctx: ctx, events: append([]string{""}, e.events...)}, nil
}

type fakeStream struct {
	grpc.ClientStream
	ctx    context.Context
	events []string
}

func (s *fakeStream) Recv() (*enginepb.WatchEvent, error) {
	if s.ctx.Err() != nil {
		return nil, status.FromContextError(s.ctx.Err()).Err()
	}
	if len(s.events) == 0 {
		return nil, io.EOF
	}
	id := s.events[0]
	s.events = s.events[1:]
	return &enginepb.WatchEvent{LoadBalancerId: id}, nil
}

// leaving are the leaving ports of a Spec.
func leaving(spec *enginepb.Spec) []string {
	var ids []string
	for _, p := range spec.Ports {
		if p.Leaving {
			ids = append(ids, p.Id)
		}
	}
	return ids
}

// uses tells whether a port is plugged.
func (e *fakeEngine) uses(portID string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, spec := range e.taken {
		if slices.ContainsFunc(spec.Ports, func(p *enginepb.Port) bool { return p.Id == portID }) {
			return true
		}
	}
	return false
}

// checkSpec is what an engine may rely on.
func checkSpec(spec *enginepb.Spec) error {
	if spec.LoadBalancerId == "" || spec.Hash == "" || len(spec.Ports) == 0 || spec.HardStopAfterSeconds <= 0 {
		return errors.New("incomplete")
	}
	names := map[string]bool{}
	for _, s := range spec.Sections {
		if names[s.Name] || len(s.Objects) == 0 || len(s.Lines) != len(s.Owners) {
			return fmt.Errorf("section %q is there twice, or nobody's", s.Name)
		}
		names[s.Name] = true
	}
	for _, s := range spec.Servers {
		if key := s.Backend + "/" + s.Name; !names["backend "+s.Backend] || names[key] {
			return fmt.Errorf("server %s has no backend, or is there twice", key)
		}
		names[s.Backend+"/"+s.Name] = true
	}
	for _, p := range spec.Ports {
		if names[p.Id] || len(p.Addresses) == 0 || p.Mac == "" {
			return fmt.Errorf("port %q is there twice, or incomplete", p.Id)
		}
		names[p.Id] = true
	}
	return nil
}

// named are the objects of that name, by the comments.
func named(spec *enginepb.Spec, name string) []string {
	var ids []string
	if name == "" {
		return nil
	}
	for _, s := range spec.Sections {
		if len(s.Lines) > 0 && strings.HasSuffix(s.Lines[0], haproxy.Comment(name)) {
			ids = append(ids, s.Objects[0])
		}
	}
	for _, s := range spec.Servers {
		if s.Comment == name {
			ids = append(ids, s.Name)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// fakeNetworks are networks in memory. They refuse to delete a port that the engine still has.
type fakeNetworks struct {
	engine *fakeEngine

	mu      sync.Mutex
	subnets map[string]*network.Subnet
	ports   []*network.Port
	full    map[string]bool // subnets without a free address
}

func (n *fakeNetworks) Subnet(_ context.Context, id string) (*network.Subnet, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.subnets[id]; s != nil {
		return s, nil
	}
	return nil, lbaas.Errorf(lbaas.NotFound, "Subnet %s could not be found.", id)
}

func (n *fakeNetworks) Ports(_ context.Context, q store.Query) ([]*network.Port, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found []*network.Port
	for _, p := range n.ports {
		has := map[string]string{"device_owner": p.DeviceOwner, "device_id": p.DeviceID, "name": p.Name}
		if !slices.ContainsFunc(q.Filters, func(f store.Filter) bool { return !slices.Contains(f.Values, has[f.Attribute]) }) {
			found = append(found, p)
		}
	}
	return found, nil
}

func (n *fakeNetworks) PortPlan(_ context.Context, id string) (*network.PortPlan, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.ports {
		if p.ID != id {
			continue
		}
		var subnets []*network.Subnet
		for _, f := range p.FixedIPs {
			subnets = append(subnets, n.subnets[f.SubnetID])
		}
		return network.PlanPort(p, &network.Network{ID: p.NetworkID, MTU: 1450}, subnets), nil
	}
	return nil, lbaas.Errorf(lbaas.NotFound, "Port %s could not be found.", id)
}

func (n *fakeNetworks) CreatePort(_ context.Context, p *network.Port) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(p.FixedIPs) != 1 {
		return errors.New("a port of one address, please")
	}
	s := n.subnets[p.FixedIPs[0].SubnetID]
	if s == nil || s.NetworkID != p.NetworkID {
		return errors.New("no such subnet in that network")
	}
	if n.full[s.ID] {
		return lbaas.Errorf(lbaas.Conflict, "No more IP addresses available on network %s.", s.NetworkID)
	}
	p.ID = uuid.NewString()
	p.MAC = fmt.Sprintf("fa:16:3e:00:00:%02x", len(n.ports))
	address := s.CIDR.Addr()
	for range len(n.ports) + 10 {
		address = address.Next()
	}
	p.FixedIPs[0].Address = address
	n.ports = append(n.ports, p)
	return nil
}

func (n *fakeNetworks) DeletePort(_ context.Context, id string) error {
	if n.engine.uses(id) {
		return fmt.Errorf("port %s is plugged", id)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.ports, func(p *network.Port) bool { return p.ID == id })
	if i < 0 {
		return lbaas.Errorf(lbaas.NotFound, "Port %s could not be found.", id)
	}
	n.ports = slices.Delete(n.ports, i, i+1)
	return nil
}

// addSubnet adds a network with one subnet.
func (n *fakeNetworks) addSubnet(cidr string) *network.Subnet {
	prefix := netip.MustParsePrefix(cidr)
	s := &network.Subnet{ID: uuid.NewString(), NetworkID: uuid.NewString(), CIDR: prefix, Gateway: prefix.Addr().Next()}
	n.subnets[s.ID] = s
	return s
}

// world is the provider among fakes. It is the fixture of the suite.
type world struct {
	engine   *fakeEngine
	networks *fakeNetworks
	provider *Provider
	vip      *network.Subnet
	members  *network.Subnet
}

func newWorld() *world {
	w := &world{engine: newFakeEngine()}
	w.networks = &fakeNetworks{engine: w.engine, subnets: map[string]*network.Subnet{}, full: map[string]bool{}}
	w.vip, w.members = w.networks.addSubnet("10.0.0.0/24"), w.networks.addSubnet("10.93.48.0/24")
	opts := Options{Options: haproxy.Options{StateDir: "/var/lib/plimsoll"}, Host: "host1"}
	w.provider = New(w.engine, w.networks, nil, opts)
	return w
}

var _ providertest.Fixture = (*world)(nil)

func (w *world) Provider() provider.Provider { return w.provider }

func (w *world) Tree(t *testing.T) *lbaas.LoadBalancer {
	named := func(name string) lbaas.Object {
		return lbaas.Object{ID: uuid.NewString(), ProjectID: "project", Name: name, AdminStateUp: true}
	}
	lb := lbaas.NewLoadBalancer()
	lb.Object, lb.VIPSubnetID, lb.VIPNetworkID = named("web"), w.vip.ID, w.vip.NetworkID
	lb.Progress.Generation, lb.Epoch = 1, 1
	port := &network.Port{NetworkID: w.vip.NetworkID, Name: "octavia-lb-" + lb.ID, DeviceOwner: network.OwnerLoadBalancer,
		DeviceID: "lb-" + lb.ID, FixedIPs: []network.FixedIP{{SubnetID: w.vip.ID}}}
	if err := w.networks.CreatePort(t.Context(), port); err != nil {
		t.Fatal(err)
	}
	lb.VIPPortID, lb.VIPAddress = port.ID, port.FixedIPs[0].Address

	p := lbaas.NewPool()
	p.Object, p.Protocol, p.Algorithm = named("pool"), lbaas.HTTP, lbaas.RoundRobin
	address := w.members.CIDR.Addr()
	for i := range 3 {
		m := lbaas.NewMember()
		address = address.Next()
		m.Object, m.Address, m.ProtocolPort, m.Number, m.SubnetID = named(fmt.Sprintf("member %d", i)), address, 80, i+1, w.members.ID
		p.Members = append(p.Members, m)
	}
	p.Members[0].SubnetID = "" // by the VIP's subnet
	l := lbaas.NewListener()
	l.Object, l.Protocol, l.ProtocolPort, l.DefaultPoolID = named("listener"), lbaas.HTTP, 80, p.ID
	lb.Pools, lb.Listeners = []*lbaas.Pool{p}, []*lbaas.Listener{l}
	return lb
}

// Check wants the engine to have what Render says of lb, and one port for each subnet.
func (w *world) Check(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	done := w.engine.done[lb.ID]
	if done == nil {
		t.Fatal("the engine has nothing")
	}
	want := haproxy.Render(lb, done.Ports, nil, w.provider.opts.Options)
	if plan := haproxy.Diff(done, want); !plan.Empty() {
		t.Errorf("the engine has something else: %+v", plan)
	}
	ports := []string{lb.VIPPortID}
	for _, p := range w.portsOf(lb) {
		ports = append(ports, p.ID)
	}
	var plugged []string
	for _, p := range done.Ports {
		plugged = append(plugged, p.Id)
	}
	if !slices.Equal(ports, plugged) || len(ports) > 2 {
		t.Errorf("ports %v, plugged %v", ports, plugged)
	}
}

func (w *world) CheckGone(t *testing.T, lb *lbaas.LoadBalancer) {
	t.Helper()
	if w.engine.taken[lb.ID] != nil {
		t.Error("the engine still has it")
	}
	if ports := w.portsOf(lb); len(ports) > 0 {
		t.Errorf("%d ports are left", len(ports))
	}
	if _, err := w.networks.PortPlan(t.Context(), lb.VIPPortID); err != nil {
		t.Errorf("the VIP's port is gone, too: %v", err)
	}
}

func (w *world) portsOf(lb *lbaas.LoadBalancer) []*network.Port {
	ports, _ := w.provider.memberPorts(context.Background(), lb)
	return ports
}

func (w *world) Lose(_ *testing.T, lb *lbaas.LoadBalancer) {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	delete(w.engine.done, lb.ID)
}

func (w *world) Refuse(_ *testing.T, name string) bool {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	w.engine.refuse = name
	return true
}
