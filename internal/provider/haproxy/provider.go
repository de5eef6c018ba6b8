// Package haproxy is the provider that serves load balancers with HAProxy on this host. It plugs each into its
// networks, renders its configuration and hands both to the host's engine, which carries them out.
package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// Networks is what the provider needs of the network service. Objects that are not there are lbaas.NotFound.
type Networks interface {
	Subnet(ctx context.Context, id string) (*network.Subnet, error)
	Ports(ctx context.Context, q store.Query) ([]*network.Port, error)
	PortPlan(ctx context.Context, portID string) (*network.PortPlan, error)
	CreatePort(ctx context.Context, p *network.Port) error
	DeletePort(ctx context.Context, id string) error
}

// Options are what the provider knows of its host.
type Options struct {
	haproxy.Options
	Host string // its name, for messages
}

// Provider serves load balancers with HAProxy. It implements provider.Provider and provider.Watcher.
type Provider struct {
	engine   enginepb.EngineClient
	networks Networks
	secrets  Secrets
	opts     Options
	locks    locks
}

// New returns a provider that works through an engine. Where secrets is nil there are none.
func New(engine enginepb.EngineClient, networks Networks, secrets Secrets, opts Options) *Provider {
	if secrets == nil {
		secrets = noSecrets{}
	}
	return &Provider{engine: engine, networks: networks, secrets: secrets, opts: opts}
}

// Apply ensures the load balancer's ports, has the engine make the data plane as wanted, and then frees the ports that
// it no longer uses. One that connections still need is kept: when they have ended the engine reports a drift, and the next
// Apply frees it.
func (p *Provider) Apply(ctx context.Context, lb *lbaas.LoadBalancer) (provider.Result, error) {
	defer p.locks.lock(lb.ID)()
	plan, err := p.plug(ctx, lb)
	if err != nil {
		return provider.Result{}, err
	}
	if err := p.gather(ctx, plan.served, plan); err != nil {
		return provider.Result{}, err
	}
	reply, err := p.apply(ctx, plan)
	if err != nil {
		return provider.Result{}, err
	}
	if err := p.free(ctx, plan.surplus); err != nil {
		return provider.Result{}, err
	}
	return provider.Result{Failures: failures(plan.failures, reply), Method: reply.Method, Amphorae: p.amphorae(lb)}, nil
}

// apply has the engine carry out a plan, and then again without the leaving ports that it says it does not need.
func (p *Provider) apply(ctx context.Context, plan *plan) (*enginepb.ApplyReply, error) {
	method := ""
	for {
		spec := haproxy.Render(plan.served, preferLinks(plan.ports), plan.secrets, p.opts.Options)
		spec.HeldObjects = plan.held
		reply, err := p.engine.Apply(ctx, &enginepb.ApplyRequest{Spec: spec})
		if err != nil {
			return nil, p.explain(err)
		}
		if method == "" {
			method = reply.Method
		}
		if !plan.drop(reply.NeededPortIds) {
			reply.Method = method
			return reply, nil
		}
	}
}

// amphorae are the one process that serves a load balancer, which has the same id for as long as the load balancer lives.
func (p *Provider) amphorae(lb *lbaas.LoadBalancer) []lbaas.Amphora {
	return []lbaas.Amphora{{
		ID:             uuid.NewSHA1(uuid.NameSpaceOID, []byte("haproxy "+lb.ID)).String(),
		LoadBalancerID: lb.ID,
		ProjectID:      lb.ProjectID,
		ComputeID:      p.opts.Host,
		HAIP:           lb.VIPAddress,
		VRRPIP:         lb.VIPAddress,
		HAPortID:       lb.VIPPortID,
		VRRPPortID:     lb.VIPPortID,
		Role:           lbaas.RoleStandalone,
		Status:         lbaas.AmphoraAllocated,
	}}
}

func failures(own map[string]provider.Failure, reply *enginepb.ApplyReply) map[string]provider.Failure {
	all := map[string]provider.Failure{}
	for _, f := range reply.Failures {
		all[f.ObjectId] = provider.Failure{Permanent: f.Permanent, Reason: f.Reason}
	}
	for id, f := range own {
		all[id] = f
	}
	return all
}

// Remove takes the load balancer off the host and frees the ports that Apply made. The VIP's port is not among them.
func (p *Provider) Remove(ctx context.Context, lb *lbaas.LoadBalancer) error {
	defer p.locks.lock(lb.ID)()
	_, err := p.engine.Remove(ctx, &enginepb.RemoveRequest{
		LoadBalancerId: lb.ID, Epoch: lb.Epoch, Generation: lb.Progress.Generation,
	})
	if err != nil {
		return p.explain(err)
	}
	ports, err := p.memberPorts(ctx, lb)
	if err != nil {
		return err
	}
	return p.free(ctx, ports)
}

// Watch calls changed with the id of each load balancer whose data plane changed by itself. When it begins to watch
// it calls changed with "": anything may have changed before.
func (p *Provider) Watch(ctx context.Context, changed func(loadBalancerID string)) error {
	stream, err := p.engine.Watch(ctx, &enginepb.WatchRequest{})
	if err != nil {
		return p.explain(err)
	}
	for {
		event, err := stream.Recv()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return fmt.Errorf("watch the engine of host %s: it ended the watch", p.opts.Host)
		case err != nil:
			return p.explain(err)
		}
		if !event.Host {
			changed(event.LoadBalancerId)
		}
	}
}

// explain says what an operator can do about an engine that gave an error.
func (p *Provider) explain(err error) error {
	switch status.Code(err) {
	case codes.Unavailable:
		return &engineError{err: err, told: lbaas.Errorf(lbaas.Unavailable,
			"The engine of host %s does not answer: start it with `plimsoll engine --state-dir %s` as root, or restart `plimsoll serve` as root.",
			p.opts.Host, p.opts.StateDir)}
	case codes.FailedPrecondition:
		return fmt.Errorf("the engine of host %s refuses: %w", p.opts.Host, err)
	}
	return fmt.Errorf("engine of host %s: %w", p.opts.Host, err)
}

// An engineError has words for users and the cause for the log.
type engineError struct {
	err  error
	told *lbaas.Error
}

func (e *engineError) Error() string { return fmt.Sprintf("%s (%s)", e.told.Text, e.err) }

func (e *engineError) Unwrap() []error { return []error{e.told, e.err} }

// locks let one call at a time work on a load balancer's ports, which are listed first and then made.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	sync.Mutex
	users int
}

// lock waits for its turn and returns what ends it.
func (l *locks) lock(id string) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*lock{}
	}
	k := l.held[id]
	if k == nil {
		k = &lock{}
		l.held[id] = k
	}
	k.users++
	l.mu.Unlock()
	k.Lock()
	return func() {
		k.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, id)
		}
	}
}
