package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"plimsoll/internal/api/barbican"
	"plimsoll/internal/config"
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/provider"
	"plimsoll/internal/provider/avi"
	haproxyprovider "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/provider/noop"
	"plimsoll/internal/statedir"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// workshop is what providers are made with.
type workshop struct {
	engine   enginepb.EngineClient
	networks *store.Store
	secrets  *barbican.Service
	projects func(ctx context.Context, id string) (name string, err error)
	config   config.Config
	haproxy  haproxy.Options
	dir      *statedir.Dir
	log      *slog.Logger
}

// driver is a provider that this program has.
type driver struct {
	face func() provider.Face
	open func(w workshop, name string) (provider.Provider, error)
	// each opens a provider of its own for every name that leads to the driver. Without it they share one.
	each bool
}

// drivers are all the providers that this program has, by their own names.
func drivers() map[string]driver {
	return map[string]driver{
		avi.Driver:           {face: avi.Face, open: openAvi, each: true},
		haproxyprovider.Name: {face: haproxyprovider.Face, open: openHAProxy},
		noop.Name:            {face: noop.Face, open: openNoop},
	}
}

func openHAProxy(w workshop, _ string) (provider.Provider, error) {
	return haproxyprovider.New(w.engine, w.networks, w.secrets, haproxyprovider.Options{Options: w.haproxy, Host: w.config.Host}), nil
}

func openNoop(w workshop, _ string) (provider.Provider, error) {
	return noop.New(w.dir.Folder(noop.Folder)), nil
}

// faced is a provider that has a face of its own, beside that of its driver.
type faced interface{ Face() provider.Face }

// enabledProviders are the providers that the configuration enables.
type enabledProviders struct {
	providers map[string]provider.Provider
	faces     []provider.Face
	byDefault string
}

// closeTime bounds how long the end of a server waits for providers to say goodbye.
const closeTime = 400 * time.Millisecond

// close ends what providers have with others, all at the same time.
func (e enabledProviders) close() error {
	var g errgroup.Group
	for _, p := range e.providers {
		if c, ok := p.(io.Closer); ok {
			g.Go(c.Close)
		}
	}
	return waitFor(g.Wait, closeTime)
}

// statsTime bounds how long a request for counters waits for the data plane, before it gets what was last observed.
const statsTime = 2 * time.Second

// stats asks the data plane for the counters of a load balancer's listeners. None are given of a data plane that is not to be asked:
// what was last observed is as good.
func (e enabledProviders) stats(ctx context.Context, lb *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error) {
	p := e.providers[lb.Provider]
	if p == nil {
		return nil, fmt.Errorf("provider %s is not enabled", lb.Provider)
	}
	if s, ok := p.(provider.Sampled); ok && s.Sampled() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	seen, err := p.Observe(ctx, []*lbaas.LoadBalancer{lb})
	if err != nil {
		return nil, err
	}
	return seen[lb.ID].Statistics, nil
}

// enable opens the providers that the configuration names: the union of [service_providers] and
// enabled_provider_drivers. The default is the one that is marked so, else default_provider_driver.
func enable(c config.Config, w workshop) (enabledProviders, error) {
	e := enabledProviders{providers: map[string]provider.Provider{}, byDefault: c.API.DefaultProvider}
	opened := map[string]provider.Provider{}
	add := func(name, driverName, description string) error {
		p, face, err := open(w, opened, name, driverName)
		if err != nil {
			return fmt.Errorf("provider %s: %w", name, err)
		}
		face.Name, face.Driver = name, driverName
		if description != "" {
			face.Capabilities.Description = description
		}
		e.providers[name] = p
		e.faces = append(e.faces, face)
		return nil
	}
	for _, p := range c.Providers {
		if err := add(p.Name, p.Driver, ""); err != nil {
			return e, err
		}
		if p.Default {
			e.byDefault = p.Name
		}
	}
	for _, p := range c.API.EnabledProviders {
		if e.providers[p.Name] != nil {
			continue
		}
		if err := add(p.Name, p.Name, p.Description); err != nil {
			return e, err
		}
	}
	if e.providers[e.byDefault] == nil {
		return e, fmt.Errorf("the default provider %q is not enabled: enabled are %s", e.byDefault,
			strings.Join(slices.Sorted(maps.Keys(e.providers)), ", "))
	}
	return e, nil
}

// open returns the provider of a name, which may be one that was opened for another.
func open(w workshop, opened map[string]provider.Provider, name, driverName string) (provider.Provider, provider.Face, error) {
	own, d, err := findDriver(driverName)
	if err != nil {
		return nil, provider.Face{}, err
	}
	if d.each {
		own += " " + name
	}
	if opened[own] == nil {
		if opened[own], err = d.open(w, name); err != nil {
			return nil, provider.Face{}, err
		}
	}
	if p, ok := opened[own].(faced); ok {
		return opened[own], p.Face(), nil
	}
	return opened[own], d.face(), nil
}

// findDriver finds a driver by its own name or by an alias: the path of the driver that a line of neutron_lbaas.conf was
// written for.
func findDriver(name string) (string, driver, error) {
	all := drivers()
	for _, own := range slices.Sorted(maps.Keys(all)) {
		if name == own || slices.Contains(all[own].face().Aliases, name) {
			return own, all[own], nil
		}
	}
	return "", driver{}, fmt.Errorf("there is no driver %q: this build has %s", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
}

// vipGroups tells whether load balancers of a provider may have security groups of their VIP port.
func (e enabledProviders) vipGroups(name string) bool {
	for _, face := range e.faces {
		if face.Name == name && face.Unsupported != nil {
			return len(face.Unsupported(&lbaas.LoadBalancer{VIPSecurityGroupIDs: []string{"any"}})) == 0
		}
	}
	return true
}
