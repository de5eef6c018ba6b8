// Package avi is the provider that makes load balancers on an Avi Vantage Controller, over its REST API.
package avi

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"plimsoll/internal/keymanager"
	"plimsoll/internal/network"
	"plimsoll/internal/provider"
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
	PortWait     time.Duration

	Secrets  Secrets
	Networks Networks
	// ProjectName names a project, for tenants that are made.
	ProjectName func(ctx context.Context, projectID string) (string, error)
	Log         *slog.Logger
}

// Tenants says in which of the controller's tenants load balancers are made.
type Tenants struct {
	Single string // the name of the one tenant of all; "" is one for each project: tenant-<project id>
	Create bool   // make those that are not there
}

// Secrets reads what listeners and pools refer to. An error that is keymanager.Told is for the user to do something about.
type Secrets interface {
	Material(ctx context.Context, projectID, ref string, use keymanager.Use) (*keymanager.Material, error)
}

// Networks is what the provider needs of the network service. Objects that are not there are lbaas.NotFound.
type Networks interface {
	Subnet(ctx context.Context, id string) (*network.Subnet, error)
	Ports(ctx context.Context, q store.Query) ([]*network.Port, error)
}

// Provider makes load balancers on one controller, or cluster. It implements provider.Provider.
type Provider struct {
	cfg Config
	ctl *controller.Client
}

// New returns a provider. It does not connect before there is something to do.
func New(cfg Config) (*Provider, error) {
	ctl, err := controller.New(cfg.Controller)
	if err != nil {
		return nil, err
	}
	return &Provider{cfg: cfg, ctl: ctl}, nil
}

// Apply makes the controller's objects what the tree wants.
func (p *Provider) Apply(ctx context.Context, lb *lbaas.LoadBalancer) (provider.Result, error) {
	return provider.Result{}, errors.ErrUnsupported
}

// Remove deletes the objects.
func (p *Provider) Remove(ctx context.Context, lb *lbaas.LoadBalancer) error {
	return errors.ErrUnsupported
}
