// Package avi is the provider that makes load balancers on an Avi Vantage Controller, over its REST API.
package avi

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"plimsoll/internal/network"
	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// Config is what a Provider needs.
type Config struct {
	Name       string // of the provider, for messages and logs: "avi_adc"
	Controller controller.Config
	Cloud      string // the name of the cloud; "" is Default-Cloud

	Tenants      Tenants
	VRFPerSubnet bool // where the flavor says nothing
	Placement    bool // pools name the networks of their members (use_placement_network_for_pool)
	// PortWait is how long a removal waits for the ports of service engines to go: 0 is 30 s, below 0 not at all.
	PortWait time.Duration

	Secrets  Secrets
	Networks Networks
	// NetworkTypes are the types of network that the network service makes, in Neutron's words: "vxlan". None is that nobody knows.
	NetworkTypes []string
	// ProjectName names a project, for tenants that are made.
	ProjectName func(ctx context.Context, projectID string) (string, error)
	Log         *slog.Logger

	// Statistics is what was last told of the counters of a load balancer's listeners, by whatever process. Nil is that nobody knows:
	// they then begin with what the controller counts itself.
	Statistics func(ctx context.Context, loadBalancerID string) (map[string]lbaas.Statistics, error)
	PollEvery  time.Duration // 3 s: how old statuses may be
	AuditEvery time.Duration // 30 s: how old may be what objects are compared with, and what counters are made of
}

// Tenants says in which of the controller's tenants load balancers are made.
type Tenants struct {
	Single string // the name of the one tenant of all; "" is one for each project: tenant-<project id>
	Create bool   // make those that are not there
}

// Networks is what the provider needs of the network service. Objects that are not there are lbaas.NotFound.
type Networks interface {
	Subnet(ctx context.Context, id string) (*network.Subnet, error)
	Ports(ctx context.Context, q store.Query) ([]*network.Port, error)
}

// Provider makes load balancers on one controller, or cluster. It implements provider.Provider.
type Provider struct {
	cfg     Config
	ctl     *controller.Client
	secrets Secrets

	locks  locks // of load balancers by id, and of what they share
	memory memories
	uses   uses
	now    func() time.Time

	watcher *watcher // of what the controller says of load balancers
	tallies tallies
}

// New returns a provider. It does not connect before there is something to do.
func New(cfg Config) (*Provider, error) {
	ctl, err := controller.New(cfg.Controller)
	if err != nil {
		return nil, err
	}
	p := &Provider{cfg: cfg, ctl: ctl, secrets: cfg.Secrets, now: time.Now, watcher: newWatcher()}
	if p.secrets == nil {
		p.secrets = noSecrets{}
	}
	return p, nil
}

// Close ends the session with the controller.
func (p *Provider) Close() error {
	p.watcher.close()
	return p.ctl.Close()
}

// cloud is the name of the cloud that load balancers are made in.
func (p *Provider) cloud() string { return cmp.Or(p.cfg.Cloud, "Default-Cloud") }

func (p *Provider) log() *slog.Logger {
	if p.cfg.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return p.cfg.Log
}
