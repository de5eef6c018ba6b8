package neutronlbaas

import (
	"context"
	"net/http"
	"strings"
	"time"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// Each host that runs an engine is an agent to clients of old, and has the host's id. Only admins look at agents.

// hostingAgent answers the agent that has a load balancer; null where none has it for itself.
func (a *api) hostingAgent(ctx context.Context, req *web.Request) (web.Reply, error) {
	lb, err := a.loadBalancers().find(ctx, req)
	if err != nil {
		return web.Reply{}, err
	}
	if !req.Actor.Admin() {
		return web.Reply{}, disallowed("get_loadbalancer-hosting-agent")
	}
	hosts, err := a.Store.Hosts(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	loads, err := a.Store.HostLoads(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	for _, h := range hosts {
		if h.Name == lb.Host {
			return web.Reply{Status: http.StatusOK, Body: view{"agent": a.agentView(h, loads[h.Name].LoadBalancers)}}, nil
		}
	}
	return web.Reply{Status: http.StatusOK, Body: web.Raw{Type: "application/json", Data: []byte("null")}}, nil
}

// loadBalancersOnAgent lists those of a host; of an agent that is not there, none.
func (a *api) loadBalancersOnAgent(ctx context.Context, req *web.Request) (web.Reply, error) {
	if !req.Actor.Admin() {
		return web.Reply{}, disallowed("get_agent-loadbalancers")
	}
	hosts, err := a.Store.Hosts(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	items := []view{}
	for _, h := range hosts {
		if h.ID != req.PathValue("id") {
			continue
		}
		on, err := a.loadBalancersOf(ctx, h)
		if err != nil {
			return web.Reply{}, err
		}
		for _, lb := range on {
			items = append(items, loadBalancerView(lb).only(req.Query["fields"]))
		}
	}
	return web.Reply{Status: http.StatusOK, Body: view{"loadbalancers": items}}, nil
}

// loadBalancersOf are the load balancers that are bound to a host.
func (a *api) loadBalancersOf(ctx context.Context, h *network.Host) ([]*lbaas.LoadBalancer, error) {
	all, err := a.Store.LoadBalancers(ctx, store.Query{})
	if err != nil {
		return nil, err
	}
	var on []*lbaas.LoadBalancer
	for _, lb := range all {
		if lb.Host == h.Name {
			on = append(on, lb)
		}
	}
	return on, nil
}

// agentView is a host as Neutron shows an agent. instances is how many load balancers it has.
func (a *api) agentView(h *network.Host, instances int) view {
	drivers := []string{}
	for _, f := range a.Providers {
		if f.OnHost {
			drivers = append(drivers, strings.ToLower(f.Name))
		}
	}
	const layout = "2006-01-02 15:04:05"
	when := func(t time.Time) string { return t.UTC().Format(layout) }
	return view{
		"id": h.ID, "host": h.Name, "agent_type": "Loadbalancerv2 agent", "binary": "neutron-lbaasv2-agent", "topic": "n-lbaasv2_agent",
		"alive": h.Alive, "admin_state_up": h.AdminStateUp, "description": nil, "availability_zone": nil,
		"created_at": when(h.CreatedAt), "started_at": when(h.CreatedAt), "heartbeat_timestamp": when(h.SeenAt),
		"configurations": view{"device_drivers": drivers, "instances": instances},
	}
}
