package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plimsoll/internal/config"
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/provider"
	haproxyprovider "plimsoll/internal/provider/haproxy"
	"plimsoll/internal/provider/noop"
	"plimsoll/internal/statedir"
	"plimsoll/lbaas"
)

// workshop is what providers are made with.
type workshop struct {
	engine   enginepb.EngineClient
	networks haproxyprovider.Networks
	secrets  haproxyprovider.Secrets
	host     string
	haproxy  haproxy.Options
	dir      *statedir.Dir
}

// driver is a provider that this program has.
type driver struct {
	face func() provider.Face
	open func(workshop) provider.Provider
}

// drivers are all the providers that this program has, by their own names.
func drivers() map[string]driver {
	return map[string]driver{
		haproxyprovider.Name: {haproxyprovider.Face, func(w workshop) provider.Provider {
			return haproxyprovider.New(w.engine, w.networks, w.secrets, haproxyprovider.Options{Options: w.haproxy, Host: w.host})
		}},
		noop.Name: {noop.Face, func(w workshop) provider.Provider { return noop.New(w.dir.Folder(noop.Folder)) }},
	}
}

// enabledProviders are the providers that the configuration enables.
type enabledProviders struct {
	providers map[string]provider.Provider
	faces     []provider.Face
	byDefault string
}

// statsTime bounds how long a request for counters waits for the data plane, before it gets what was last observed.
const statsTime = 2 * time.Second

// stats asks the data plane for the counters of a load balancer's listeners.
func (e enabledProviders) stats(ctx context.Context, lb *lbaas.LoadBalancer) (map[string]lbaas.Statistics, error) {
	p := e.providers[lb.Provider]
	if p == nil {
		return nil, fmt.Errorf("provider %s is not enabled", lb.Provider)
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
		own, d, err := findDriver(driverName)
		if err != nil {
			return fmt.Errorf("provider %s: %w", name, err)
		}
		if opened[own] == nil {
			opened[own] = d.open(w)
		}
		face := d.face()
		face.Name = name
		if description != "" {
			face.Capabilities.Description = description
		}
		e.providers[name] = opened[own]
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
