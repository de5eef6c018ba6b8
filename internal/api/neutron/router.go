package neutron

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

func routerSpec() spec {
	return spec{
		"id": readOnly, "status": readOnly, "tags": readOnly, "revision_number": readOnly, "created_at": readOnly, "updated_at": readOnly,
		"availability_zones": readOnly,
		"project_id":         postOnly, "tenant_id": postOnly, "availability_zone_hints": postOnly, "flavor_id": postOnly,
		"name": postAndPut, "description": postAndPut, "admin_state_up": postAndPut, "external_gateway_info": postAndPut,
		"routes": postAndPut, "distributed": postAndPut, "ha": postAndPut,
	}
}

func (s *service) routers() *resource {
	return &resource{
		name: "router", plural: "routers", spec: routerSpec(), notFound: func(id string) error { return network.RouterNotFound(id) },
		list: s.listRouters, show: s.showRouter, create: s.createRouters, update: s.updateRouter, remove: s.deleteRouter,
		retag: s.retagRouter,
	}
}

// routerRoutes are what is done with routers beside the usual.
func (s *service) routerRoutes() []web.Route {
	const one = "/v2.0/routers/{id}/"
	return []web.Route{
		{Method: "PUT", Path: one + "add_router_interface", Rule: "add_router_interface", Handle: s.handleAddInterface},
		{Method: "PUT", Path: one + "remove_router_interface", Rule: "remove_router_interface", Handle: s.handleRemoveInterface},
		{Method: "PUT", Path: one + "add_extraroutes", Rule: "add_extraroutes", Handle: s.handleAddRoutes},
		{Method: "PUT", Path: one + "remove_extraroutes", Rule: "remove_extraroutes", Handle: s.handleRemoveRoutes},
	}
}

func routerView(a *identity.Actor, r *network.Router) view {
	v := view{
		"id": r.ID, "project_id": r.ProjectID, "tenant_id": r.ProjectID, "name": r.Name, "description": r.Description,
		"admin_state_up": r.AdminStateUp, "status": "ACTIVE", "external_gateway_info": gatewayView(&r.Gateway), "routes": routesView(r.Routes),
		"availability_zones": []string{}, "availability_zone_hints": []string{}, "flavor_id": nil,
		"tags": listed(r.Tags), "revision_number": r.Revision, "created_at": moment(r.CreatedAt), "updated_at": moment(r.UpdatedAt),
	}
	if a.Admin() {
		v["distributed"], v["ha"] = false, false
	}
	return v
}

func routesView(routes []network.Route) []routeJSON {
	list := make([]routeJSON, 0, len(routes))
	for _, r := range routes {
		list = append(list, routeJSON{r.Destination.String(), r.NextHop.String()})
	}
	return list
}

func gatewayView(g *network.Gateway) any {
	if g.NetworkID == "" {
		return nil
	}
	return map[string]any{"network_id": g.NetworkID, "enable_snat": g.EnableSNAT, "external_fixed_ips": fixedView(g.FixedIPs)}
}

func fixedView(fixed []network.FixedIP) []fixedJSON {
	list := make([]fixedJSON, 0, len(fixed))
	for _, f := range fixed {
		list = append(list, fixedJSON{f.SubnetID, f.Address.String()})
	}
	return list
}

func (s *service) listRouters(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error) {
	found, err := s.store.Routers(ctx, visible(a, q))
	if err != nil {
		return nil, err
	}
	return viewsOf(found, func(r *network.Router) view { return routerView(a, r) }), nil
}

func (s *service) showRouter(ctx context.Context, a *identity.Actor, id string) (view, error) {
	r, err := s.routerSeen(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return routerView(a, r), nil
}

// routerSeen reads a router that the actor may know of: its own ones.
func (s *service) routerSeen(ctx context.Context, a *identity.Actor, id string) (*network.Router, error) {
	r, err := s.store.Router(ctx, id)
	if err != nil {
		return nil, err
	}
	if !owns(a, r.ProjectID) {
		return nil, network.RouterNotFound(id)
	}
	return r, nil
}

func (s *service) createRouters(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	var made []*network.Router
	for _, b := range bodies {
		r, err := s.newRouter(ctx, a, b)
		if err == nil {
			err = s.store.CreateRouter(ctx, r)
		}
		if err != nil {
			return nil, undo(ctx, err, made, func(r *network.Router) string { return r.ID }, s.store.DeleteRouter)
		}
		made = append(made, r)
	}
	return viewsOf(made, func(r *network.Router) view { return routerView(a, r) }), nil
}

func (s *service) newRouter(ctx context.Context, a *identity.Actor, b *body) (*network.Router, error) {
	r := &network.Router{ProjectID: b.owner(a), AdminStateUp: true, Host: s.host}
	b.nothing("availability_zone_hints")
	b.nothing("flavor_id")
	change, err := s.readRouter(ctx, a, b, "create_router")
	if err != nil {
		return nil, err
	}
	change(r)
	return r, nil
}

// readRouter reads the attributes that a request carries, and returns what makes them a router's.
func (s *service) readRouter(ctx context.Context, a *identity.Actor, b *body, rule string) (func(*network.Router), error) {
	if err := b.adminOnly(a, rule, "distributed", "ha"); err != nil {
		return nil, err
	}
	b.never("distributed")
	b.never("ha")
	readPlain(b, &network.Router{}) // what is wrong is said before the gateway is looked for
	gateway, err := s.readGateway(ctx, a, b, rule)
	if err != nil {
		return nil, err
	}
	return func(r *network.Router) {
		readPlain(b, r)
		if gateway != nil {
			r.Gateway = *gateway
		}
	}, b.err()
}

func readPlain(b *body, r *network.Router) {
	b.text("name", &r.Name, 255)
	b.text("description", &r.Description, 255)
	b.boolean("admin_state_up", &r.AdminStateUp)
	if routes, given := b.routeList("routes"); given {
		r.Routes = routes
	}
}

// readGateway reads the gateway that a router is to have; nil where the request says nothing of it.
func (s *service) readGateway(ctx context.Context, a *identity.Actor, b *body, rule string) (*network.Gateway, error) {
	const name = "external_gateway_info"
	if b.err() != nil || !b.has(name) {
		return nil, b.err()
	}
	o, err := object(b.Object[name])
	if b.isNull(name) || err == nil && len(o) == 0 {
		return &network.Gateway{}, nil
	}
	if err != nil {
		return nil, invalid(name, "'%s' is not a dictionary", shown(b.Object[name]))
	}
	inner := &body{Object: o}
	for _, key := range inner.names() {
		switch key {
		case "network_id":
		case "enable_snat", "external_fixed_ips":
			if !a.Admin() {
				return nil, disallowed(rule, rule+":"+name, rule+":"+name+":"+key)
			}
		default:
			return nil, invalid(name, "Unexpected keys supplied: %s", key)
		}
	}
	if !inner.given("network_id") {
		return nil, invalid(name, "Validation of dictionary's keys failed. Expected keys: {'network_id'} Provided keys: %s", quotedList(inner.names()))
	}
	g := &network.Gateway{EnableSNAT: true}
	inner.uuid("network_id", &g.NetworkID)
	inner.boolean("enable_snat", &g.EnableSNAT)
	inner.externalIPs(g)
	if err := inner.err(); err != nil {
		return nil, err
	}
	_, err = s.networkSeen(ctx, a, g.NetworkID)
	return g, err
}

func (b *body) externalIPs(g *network.Gateway) {
	p := &network.Port{}
	fixed := &body{Object: web.Object{}}
	if raw, ok := b.Object["external_fixed_ips"]; ok {
		fixed.Object["fixed_ips"] = raw
	}
	fixed.fixedIPs(p)
	if err := fixed.err(); err != nil {
		b.fail(err)
	}
	if len(p.FixedIPs) > 0 {
		g.FixedIPs = p.FixedIPs
	}
}

// routeList reads a list of routes, and tells whether there is one.
func (b *body) routeList(name string) ([]network.Route, bool) {
	if !b.has(name) {
		return nil, false
	}
	list := []network.Route{}
	for _, raw := range b.items(name, "hostroute") {
		r, err := parseRoute(raw)
		if err != nil {
			b.fail(invalid(name, "Invalid data format for hostroute: '%s'", shown(raw)))
			return nil, false
		}
		if slices.Contains(list, r) {
			b.fail(invalid(name, "Duplicate hostroute '%s'", shown(raw)))
			return nil, false
		}
		list = append(list, r)
	}
	return list, true
}

func (s *service) updateRouter(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	change, err := s.readRouter(ctx, a, b, "update_router")
	if err != nil {
		return nil, err
	}
	return s.changeRouter(ctx, a, id, func(r *network.Router) error { change(r); return nil })
}

func (s *service) changeRouter(ctx context.Context, a *identity.Actor, id string, fn func(*network.Router) error) (view, error) {
	r, err := s.store.UpdateRouter(ctx, id, fn)
	if err != nil {
		return nil, err
	}
	return routerView(a, r), nil
}

func (s *service) retagRouter(ctx context.Context, a *identity.Actor, id string, fn func([]string) ([]string, error)) ([]string, error) {
	v, err := s.changeRouter(ctx, a, id, func(r *network.Router) (err error) {
		r.Tags, err = fn(r.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v["tags"].([]string), nil
}

func (s *service) deleteRouter(ctx context.Context, _ *identity.Actor, id string) error {
	return s.store.DeleteRouter(ctx, id)
}

func (s *service) handleAddRoutes(ctx context.Context, req *web.Request) (web.Reply, error) {
	return s.changeRoutes(ctx, req, "add_extraroutes", func(have, named []network.Route) []network.Route {
		for _, r := range named {
			if !slices.Contains(have, r) {
				have = append(have, r)
			}
		}
		return have
	})
}

func (s *service) handleRemoveRoutes(ctx context.Context, req *web.Request) (web.Reply, error) {
	return s.changeRoutes(ctx, req, "remove_extraroutes", func(have, named []network.Route) []network.Route {
		return slices.DeleteFunc(have, func(r network.Route) bool { return slices.Contains(named, r) })
	})
}

// changeRoutes changes some of a router's extra routes and leaves the others.
func (s *service) changeRoutes(ctx context.Context, req *web.Request, rule string, fn func(have, named []network.Route) []network.Route) (web.Reply, error) {
	r, id := s.routers(), req.PathValue("id")
	o, err := readObject(req)
	if err != nil {
		return web.Reply{}, err
	}
	b, err := r.readOne(o)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.mayChange(ctx, req.Actor, id, rule); err != nil {
		return web.Reply{}, err
	}
	named, given := b.routeList("routes")
	if err := b.err(); err != nil {
		return web.Reply{}, err
	}
	if !given || len(b.Object) != 1 {
		return web.Reply{}, badRequest("Invalid %s body: 'routes' is what it has to hold", rule)
	}
	if ctx, err = r.asRevised(ctx, req); err != nil {
		return web.Reply{}, err
	}
	v, err := s.changeRouter(ctx, req.Actor, id, func(r *network.Router) error {
		r.Routes = fn(r.Routes, named)
		return nil
	})
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{r.name: v}}, nil
}

func quotedList(names []string) string {
	text, err := json.Marshal(names)
	if err != nil {
		return ""
	}
	return string(text)
}
