package octavia

import (
	"context"
	"slices"
	"strings"

	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/lbaas"
)

// change runs fn on the load balancer's tree in one transaction, which comes to nothing where fn brings in what the provider
// does not support. What was there before does not count: a change must be able to take it away. fn may be run more than
// once.
func (a *API) change(ctx context.Context, id string, fn func(c *store.Change) error) error {
	return a.Store.ChangeLoadBalancer(ctx, id, func(c *store.Change) error {
		before := a.lacking(c.LB)
		if err := looked(ctx, c); err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
		return a.supported(c.LB, before)
	})
}

// first returns the first error of checks that have no effects.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// supported is the provider's word on the tree, but for options that it lacked before.
func (a *API) supported(lb *lbaas.LoadBalancer, before []provider.OptionError) error {
	var names []string
	for _, o := range a.lacking(lb) {
		if !slices.Contains(before, o) {
			names = append(names, o.Option)
		}
	}
	if names == nil {
		return nil
	}
	return unsupportedOption(lb.Provider, strings.Join(names, ", "))
}

// lacking are the options of the tree that its provider does not support.
func (a *API) lacking(lb *lbaas.LoadBalancer) []provider.OptionError {
	face := a.face(lb.Provider)
	if face == nil || face.Unsupported == nil {
		return nil
	}
	return face.Unsupported(lb)
}

func unsupportedOption(provider, option string) error {
	return lbaas.Errorf(lbaas.Unsupported, "Provider '%s' does not support a requested option: %s", provider, option)
}

// face returns the provider of that name or alias, or nil.
func (a *API) face(name string) *provider.Face {
	for i, f := range a.Providers {
		if f.Name == name || slices.Contains(f.Aliases, name) {
			return &a.Providers[i]
		}
	}
	return nil
}

func immutable(noun lbaas.Noun, id string) error {
	return lbaas.Errorf(lbaas.Immutable, "%s %s is immutable and cannot be updated.", noun, id)
}

// users returns the listeners that use a pool, as parts to touch.
func users(lb *lbaas.LoadBalancer, poolID string) []lbaas.Part {
	var parts []lbaas.Part
	for _, l := range lb.ListenersOf(poolID) {
		parts = append(parts, l)
	}
	return parts
}
