package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/linux"
	"plimsoll/internal/network"
)

// routerTable is the table of addresses that a router last got, and the generation at which its namespace's kernel has it.
type routerTable struct {
	message    *enginepb.Router
	generation uint32
}

// stopped is what a router counts as that nothing is done for, although ports are in its namespace still.
var stopped proto.Message = &enginepb.Router{}

// applyRouters makes the routers what the plan says, and stops those that it does not name: their namespaces go with the last port.
func (e *Engine) applyRouters(ctx context.Context, plan *enginepb.HostPlan) []*enginepb.HostFailure {
	var failures []*enginepb.HostFailure
	fail := func(id string, err error) {
		if err != nil {
			failures = append(failures, &enginepb.HostFailure{ObjectId: id, Reason: err.Error()})
		}
	}
	wanted := map[string]bool{}
	for _, r := range plan.Routers {
		wanted[r.Id] = true
		if !e.begin(kindRouter, r.Id, r) {
			continue
		}
		err := ctx.Err()
		if err == nil {
			err = e.applyRouter(ctx, r)
		}
		if err == nil {
			e.settle(kindRouter, r.Id, r)
		}
		fail(r.Id, err)
	}
	for _, id := range e.strayRouters(wanted) {
		if err := e.stopRouter(id); err != nil {
			e.unsettle(kindRouter, id)
			fail(id, err)
		}
	}
	return failures
}

// applyRouter makes one router what its message says. What it cannot advertise keeps nothing from being forwarded.
func (e *Engine) applyRouter(ctx context.Context, r *enginepb.Router) error {
	want, err := parseRouter(r)
	if err != nil {
		return err
	}
	known := uint32(0)
	if was := e.routers[r.Id]; proto.Equal(was.message, r) {
		known = was.generation
	}
	delete(e.routers, r.Id)
	generation, err := e.ensureRouter(r.Id, want, known)
	if err != nil {
		return err
	}
	e.routers[r.Id] = routerTable{r, generation}
	conf, err := advertisingConf(r)
	return errors.Join(err, e.advertise(ctx, r.Id, conf))
}

// ensureRouter keeps plugs away: one that goes must not take the namespace with it now.
func (e *Engine) ensureRouter(id string, want linux.Router, known uint32) (uint32, error) {
	e.plugging.Lock()
	defer e.plugging.Unlock()
	return e.host.EnsureRouter(network.RouterNetNS+id, want, known)
}

// strayRouters are the ids of routers that are there and not wanted.
func (e *Engine) strayRouters(wanted map[string]bool) []string {
	var ids []string
	for _, name := range linux.NamespacesNamed(network.RouterNetNS) {
		ids = append(ids, strings.TrimPrefix(name, network.RouterNetNS))
	}
	names, err := e.dnsmasqNames(advertiser(""))
	if err != nil {
		e.log.Warn("dnsmasq processes not found", "err", err)
	}
	for _, name := range names {
		ids = append(ids, strings.TrimPrefix(name, advertiser("")))
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool {
		return wanted[id] || checkID("router", id) != nil || !e.begin(kindRouter, id, stopped)
	})
}

// stopRouter takes away what applyRouter made of a router that is not wanted, and its namespace when no port is in it.
func (e *Engine) stopRouter(id string) error {
	delete(e.routers, id)
	netns := network.RouterNetNS + id
	if err := errors.Join(e.endDnsmasq(advertiser(id)), e.host.StopRouter(netns)); err != nil {
		return err
	}
	e.plugging.Lock()
	defer e.plugging.Unlock()
	if e.plugUses(netns, "") {
		e.settle(kindRouter, id, stopped)
		return nil
	}
	err := e.host.RemoveNamespace(netns)
	if errors.Is(err, linux.ErrForeign) { // another instance may have many
		e.settle(kindRouter, id, stopped)
		return nil
	}
	e.unsettle(kindRouter, id)
	return err
}

// parseRouter refuses what no kernel could be given.
func parseRouter(r *enginepb.Router) (linux.Router, error) {
	want := linux.Router{Floating: map[netip.Addr]netip.Addr{}, Advertises: len(r.Advertisements) > 0}
	for _, id := range r.InternalPortIds {
		want.Internal = append(want.Internal, internalLink(id))
	}
	if r.ExternalPortId != "" {
		want.External = linux.Port{ID: r.ExternalPortId, Link: "qg-"}.LinkName()
	}
	var err error
	if r.Snat4 != "" {
		if want.SNAT, err = parse4(r.Snat4); err != nil {
			return want, err
		}
	}
	for _, f := range r.Floatings {
		address, err := parse4(f.GetAddress())
		if err != nil {
			return want, err
		}
		if _, twice := want.Floating[address]; twice {
			return want, fmt.Errorf("floating address %s is there twice", address)
		}
		if want.Floating[address], err = parse4(f.GetFixed()); err != nil {
			return want, err
		}
	}
	if (want.SNAT.IsValid() || len(want.Floating) > 0) && want.External == "" {
		return want, errors.New("addresses are translated without a gateway")
	}
	want.Routes, err = parseExtraRoutes(r.Routes)
	return want, err
}

// internalLink is the name of a router's link of a port.
func internalLink(portID string) string { return linux.Port{ID: portID, Link: "qr-"}.LinkName() }

func parse4(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() || a.IsUnspecified() {
		return a, fmt.Errorf("%q is no IPv4 address of a station", text)
	}
	return a, nil
}

func parseExtraRoutes(routes []*enginepb.Route) ([]linux.Route, error) {
	var all []linux.Route
	for _, r := range routes {
		dst, err := netip.ParsePrefix(r.GetDestination())
		if err != nil {
			return nil, err
		}
		hop, err := netip.ParseAddr(r.GetNextHop())
		if err != nil || hop.Zone() != "" || hop.Is4In6() || hop.BitLen() != dst.Addr().BitLen() {
			return nil, fmt.Errorf("the route to %s cannot lead by %q", dst, r.GetNextHop())
		}
		all = append(all, linux.Route{Destination: dst, NextHop: hop})
	}
	return all, nil
}
