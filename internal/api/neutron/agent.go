package neutron

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// A host that runs an engine is three agents to Neutron's clients, one for each of the services that the engine has for them. They
// are one program: what is switched off for one is switched off for all three.

// The types of agents, as Neutron calls them.
const (
	agentLoadBalancer = "Loadbalancerv2 agent"
	agentL3           = "L3 agent"
	agentDHCP         = "DHCP agent"
)

func (s *service) agents() *resource {
	return &resource{
		name: "agent", plural: "agents",
		spec: spec{
			"id": readOnly, "agent_type": readOnly, "binary": readOnly, "topic": readOnly, "host": readOnly, "availability_zone": readOnly,
			"description": readOnly, "alive": readOnly, "created_at": readOnly, "started_at": readOnly, "heartbeat_timestamp": readOnly,
			"configurations": readOnly, "admin_state_up": postAndPut,
		},
		list: s.listAgents, show: s.showAgent, update: s.updateAgent, remove: s.deleteAgent,
		notFound: func(id string) error { return agentNotFound(id) },
	}
}

// agentRoutes are those of agents: nobody makes one, for a host is there when it has reported itself.
func (s *service) agentRoutes() []web.Route {
	r := s.agents()
	return []web.Route{
		{Method: "GET", Path: "/v2.0/agents", Rule: "get_agent", Handle: r.handleList},
		{Method: "GET", Path: "/v2.0/agents/{id}", Rule: "get_agent", Handle: r.handleShow},
		{Method: "PUT", Path: "/v2.0/agents/{id}", Rule: "update_agent", Handle: r.handleUpdate},
		{Method: "DELETE", Path: "/v2.0/agents/{id}", Rule: "delete_agent", Handle: r.handleDelete},
		{Method: "GET", Path: "/v2.0/agents/{id}/dhcp-networks", Rule: "get_dhcp-networks", Handle: s.networksOnAgent},
		{Method: "GET", Path: "/v2.0/agents/{id}/l3-routers", Rule: "get_l3-routers", Handle: s.routersOnAgent},
		{Method: "GET", Path: "/v2.0/networks/{id}/dhcp-agents", Rule: "get_dhcp-agents", Handle: s.agentOf("get_dhcp-agents", agentDHCP, s.hostOfNetwork)},
		{Method: "GET", Path: "/v2.0/routers/{id}/l3-agents", Rule: "get_l3-agents", Handle: s.agentOf("get_l3-agents", agentL3, s.hostOfRouter)},
	}
}

func (s *service) hostOfNetwork(ctx context.Context, id string) (string, error) {
	n, err := s.store.Network(ctx, shownPath(id))
	if err != nil {
		return "", err
	}
	return n.Host, nil
}

func (s *service) hostOfRouter(ctx context.Context, id string) (string, error) {
	r, err := s.store.Router(ctx, shownPath(id))
	if err != nil {
		return "", err
	}
	return r.Host, nil
}

func agentNotFound(id string) *lbaas.Error {
	return &lbaas.Error{Kind: lbaas.NotFound, Type: "AgentNotFound", Text: "Agent " + id + " could not be found."}
}

// agentID is the id of one of a host's agents. That of the one for load balancers is the host's own.
func agentID(h *network.Host, kind string) string {
	host, err := uuid.Parse(h.ID)
	if kind == agentLoadBalancer || err != nil {
		return h.ID
	}
	return uuid.NewSHA1(host, []byte(kind)).String()
}

// agentViews are the agents of a host, with what is on it.
func (s *service) agentViews(h *network.Host, load store.HostLoad) []view {
	drivers := []string{}
	for _, f := range s.providers {
		if f.OnHost {
			drivers = append(drivers, strings.ToLower(f.Name))
		}
	}
	return []view{
		agentView(h, agentLoadBalancer, "neutron-lbaasv2-agent", "n-lbaasv2_agent",
			view{"device_drivers": drivers, "instances": load.LoadBalancers}),
		agentView(h, agentL3, "neutron-l3-agent", "l3_agent", view{"agent_mode": "legacy", "routers": load.Routers}),
		agentView(h, agentDHCP, "neutron-dhcp-agent", "dhcp_agent", view{"dhcp_driver": "dnsmasq", "networks": load.Networks}),
	}
}

func agentView(h *network.Host, kind, binary, topic string, configurations view) view {
	const layout = "2006-01-02 15:04:05" // agents' times are written otherwise than others'
	when := func(t time.Time) string { return t.UTC().Format(layout) }
	return view{
		"id": agentID(h, kind), "agent_type": kind, "binary": binary, "topic": topic, "host": h.Name, "alive": h.Alive,
		"admin_state_up": h.AdminStateUp, "description": nil, "availability_zone": nil, "configurations": configurations,
		"created_at": when(h.CreatedAt), "started_at": when(h.CreatedAt), "heartbeat_timestamp": when(h.SeenAt),
	}
}

// allAgents are the agents that the actor may see: only admins look at hosts.
func (s *service) allAgents(ctx context.Context, a *identity.Actor) ([]view, error) {
	if !a.Admin() {
		return nil, nil
	}
	hosts, err := s.store.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	loads, err := s.store.HostLoads(ctx)
	if err != nil {
		return nil, err
	}
	var all []view
	for _, h := range hosts {
		all = append(all, s.agentViews(h, loads[h.Name])...)
	}
	return all, nil
}

func (s *service) listAgents(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	all, err := s.allAgents(ctx, a)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(v view) bool { return !v.matches(q.Filters) })
	sortViews(all, q)
	return pageOf(all, q), nil
}

func (s *service) showAgent(ctx context.Context, a *identity.Actor, id string) (view, error) {
	all, err := s.allAgents(ctx, a)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(v view) bool { return v["id"] == id })
	if i < 0 {
		return nil, agentNotFound(id)
	}
	return all[i], nil
}

func (s *service) updateAgent(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	was, err := s.showAgent(ctx, a, id)
	if err != nil {
		return nil, err
	}
	up := was["admin_state_up"].(bool)
	b.boolean("admin_state_up", &up)
	if err := b.err(); err != nil {
		return nil, err
	}
	if err := s.store.SetHostAdminState(ctx, was["host"].(string), up); err != nil {
		return nil, err
	}
	return s.showAgent(ctx, a, id)
}

// deleteAgent forgets the host of an agent, and so its other agents as well.
func (s *service) deleteAgent(ctx context.Context, a *identity.Actor, id string) error {
	was, err := s.showAgent(ctx, a, id)
	if err != nil {
		return err
	}
	return s.store.DeleteHost(ctx, was["host"].(string))
}

// matches tells whether an object that is in no table is what filters ask for.
func (v view) matches(filters []store.Filter) bool {
	return !slices.ContainsFunc(filters, func(f store.Filter) bool {
		have := fmt.Sprint(v[f.Attribute])
		if v[f.Attribute] == nil {
			have = ""
		}
		return !slices.ContainsFunc(f.Values, func(want string) bool {
			if is, ok := v[f.Attribute].(bool); ok {
				return isTrue(want) == is
			}
			return strings.EqualFold(want, have)
		})
	})
}

// sortViews sorts objects that are in no table as a query asks, and else as they came.
func sortViews(all []view, q store.Query) {
	slices.SortStableFunc(all, func(a, b view) int {
		for _, o := range q.Sort {
			c := strings.Compare(fmt.Sprint(a[o.Attribute]), fmt.Sprint(b[o.Attribute]))
			if o.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

// pageOf is the page of a list that a query asks for.
func pageOf(all []view, q store.Query) []view {
	if q.Limit == 0 {
		return all
	}
	at := slices.IndexFunc(all, func(v view) bool { return v["id"] == q.Marker })
	if !q.Reverse {
		rest := all[at+1:]
		return rest[:min(q.Limit, len(rest))]
	}
	if at < 0 {
		at = len(all)
	}
	return all[max(0, at-q.Limit):at]
}

// hostOfAgent is the host of an agent of that kind.
func (s *service) hostOfAgent(ctx context.Context, req *web.Request, kind string) (*network.Host, error) {
	id := shownPath(req.PathValue("id"))
	if !req.Actor.Admin() {
		return nil, agentNotFound(id) // who may not look at hosts is told no more of one that is there
	}
	hosts, err := s.store.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(hosts, func(h *network.Host) bool { return agentID(h, kind) == id })
	if i < 0 {
		return nil, agentNotFound(id)
	}
	return hosts[i], nil
}

// networksOnAgent lists the networks that a DHCP agent serves.
func (s *service) networksOnAgent(ctx context.Context, req *web.Request) (web.Reply, error) {
	h, err := s.hostOfAgent(ctx, req, agentDHCP)
	if err != nil {
		return web.Reply{}, err
	}
	all, err := s.store.Networks(ctx, store.Query{})
	if err != nil {
		return web.Reply{}, err
	}
	on := []view{}
	for _, n := range all {
		if n.Host == h.Name {
			on = append(on, networkView(req.Actor, n).only(req.Query["fields"]))
		}
	}
	return web.Reply{Status: http.StatusOK, Body: view{"networks": on}}, nil
}

// routersOnAgent lists the routers of an L3 agent.
func (s *service) routersOnAgent(ctx context.Context, req *web.Request) (web.Reply, error) {
	h, err := s.hostOfAgent(ctx, req, agentL3)
	if err != nil {
		return web.Reply{}, err
	}
	all, err := s.store.Routers(ctx, store.Query{})
	if err != nil {
		return web.Reply{}, err
	}
	on := []view{}
	for _, r := range all {
		if r.Host == h.Name {
			on = append(on, routerView(req.Actor, r).only(req.Query["fields"]))
		}
	}
	return web.Reply{Status: http.StatusOK, Body: view{"routers": on}}, nil
}

// agentOf answers the agent of a kind that an object has: of a network the one for DHCP, of a router the one that forwards.
func (s *service) agentOf(rule, kind string, hostOf func(ctx context.Context, id string) (string, error)) func(context.Context, *web.Request) (web.Reply, error) {
	return func(ctx context.Context, req *web.Request) (web.Reply, error) {
		if !req.Actor.Admin() {
			return web.Reply{}, disallowed(rule)
		}
		host, err := hostOf(ctx, req.PathValue("id"))
		if err != nil {
			return web.Reply{}, err
		}
		all, err := s.allAgents(ctx, req.Actor)
		if err != nil {
			return web.Reply{}, err
		}
		all = slices.DeleteFunc(all, func(v view) bool { return v["agent_type"] != kind || v["host"] != host })
		return web.Reply{Status: http.StatusOK, Body: view{"agents": listed(all)}}, nil
	}
}
