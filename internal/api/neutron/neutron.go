// Package neutron is the network service's API: Neutron v2.0 over networks, subnets, ports, routers, floating IPs, security groups, quotas,
// agents, and the flavors of load balancers. Names, texts and codes are Neutron's, since it is Neutron's clients who read them. What it does not offer it does not list as an extension, and
// refuses by name.
package neutron

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"

	"plimsoll/internal/identity"
	"plimsoll/internal/provider"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

// Config is what the API needs.
type Config struct {
	Store *store.Store
	Auth  web.Authenticator
	// Providers are those of load balancers, which flavors and the list of service providers name.
	Providers       []provider.Face
	DefaultProvider string
	// NoSecurityGroups switches security groups off: new networks and ports are open, and there is no API for groups.
	NoSecurityGroups bool
	// Host is where the routers run that this process makes; the name by which the host's engine is known.
	Host string
	Log  *slog.Logger
}

type service struct {
	store           *store.Store
	providers       []provider.Face
	defaultProvider string
	groups          bool // security groups are switched on
	host            string
}

// New returns the API. It serves paths from "/" and "/v2.0" on; links are written with whatever the client put before them.
func New(c Config) http.Handler {
	s := &service{store: c.Store, providers: c.Providers, defaultProvider: c.DefaultProvider, groups: !c.NoSecurityGroups, host: c.Host}
	api := &web.API{Name: "neutron", Routes: s.routes(), Fault: fault, Auth: c.Auth, Log: c.Log}
	return api.Handler()
}

// resource is one noun of the API: what it is called, which attributes it has, and what is done with it.
type resource struct {
	name     string // "network"
	plural   string
	path     string // how paths name it; "" is the plural
	spec     spec
	filters  []string // what lists are filtered by beside the attributes
	list     func(ctx context.Context, a *identity.Actor, q store.Query) ([]view, error)
	show     func(ctx context.Context, a *identity.Actor, id string) (view, error)
	create   func(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error)
	update   func(ctx context.Context, a *identity.Actor, id string, b *body) (view, error)
	remove   func(ctx context.Context, a *identity.Actor, id string) error
	retag    func(ctx context.Context, a *identity.Actor, id string, fn func(tags []string) ([]string, error)) ([]string, error)
	notFound func(id string) error
}

func (s *service) resources() []*resource {
	list := []*resource{s.networks(), s.subnets(), s.ports(), s.routers(), s.floatingIPs(), s.flavors(), s.serviceProfiles()}
	if s.groups {
		list = append(list, s.securityGroups(), s.securityRules())
	}
	return list
}

func (s *service) routes() []web.Route {
	routes := []web.Route{
		{Method: "GET", Path: "/{$}", Open: true, Handle: versions},
		{Method: "GET", Path: "/v2.0", Open: true, Handle: s.index},
		{Method: "GET", Path: "/v2.0/extensions", Rule: "get_extension", Handle: s.listExtensions},
		{Method: "GET", Path: "/v2.0/extensions/{alias}", Rule: "get_extension", Handle: s.showExtension},
		{Method: "GET", Path: "/v2.0/service-providers", Rule: "get_service_provider", Handle: s.listServiceProviders},
	}
	routes = append(routes, s.flavorRoutes()...)
	routes = append(routes, s.quotaRoutes()...)
	routes = append(routes, s.routerRoutes()...)
	routes = append(routes, s.agentRoutes()...)
	for _, r := range s.resources() {
		routes = append(routes, r.routes()...)
	}
	return routes
}

func (r *resource) routes() []web.Route {
	all := "/v2.0/" + cmp.Or(r.path, r.plural)
	one := all + "/{id}"
	routes := []web.Route{
		{Method: "GET", Path: all, Rule: "get_" + r.name, Handle: r.handleList},
		{Method: "POST", Path: all, Rule: "create_" + r.name, Handle: r.handleCreate},
		{Method: "GET", Path: one, Rule: "get_" + r.name, Handle: r.handleShow},
		{Method: "PUT", Path: one, Rule: "update_" + r.name, Handle: r.handleUpdate},
		{Method: "DELETE", Path: one, Rule: "delete_" + r.name, Handle: r.handleDelete},
	}
	if r.retag == nil {
		return routes
	}
	return append(routes, []web.Route{
		{Method: "GET", Path: one + "/tags", Rule: "get_" + r.plural + "_tags", Handle: r.handleTags},
		{Method: "PUT", Path: one + "/tags", Rule: "update_" + r.plural + "_tags", Handle: r.handleSetTags},
		{Method: "DELETE", Path: one + "/tags", Rule: "delete_" + r.plural + "_tags", Handle: r.handleClearTags},
		{Method: "GET", Path: one + "/tags/{tag}", Rule: "get_" + r.plural + "_tags", Handle: r.handleHasTag},
		{Method: "PUT", Path: one + "/tags/{tag}", Rule: "update_" + r.plural + "_tags", Handle: r.handleAddTag},
		{Method: "DELETE", Path: one + "/tags/{tag}", Rule: "delete_" + r.plural + "_tags", Handle: r.handleRemoveTag},
	}...)
}

func (r *resource) handleList(ctx context.Context, req *web.Request) (web.Reply, error) {
	if err := mayRead(req.Actor, "get_"+r.name); err != nil {
		return web.Reply{}, err
	}
	l, err := r.parseList(req)
	if err != nil {
		return web.Reply{}, err
	}
	if l.query.Marker != "" {
		if _, err := r.see(ctx, req.Actor, l.query.Marker); err != nil {
			return web.Reply{}, err
		}
	}
	items, err := r.list(ctx, req.Actor, l.query)
	if err != nil {
		return web.Reply{}, r.queryFault(err, l)
	}
	answer := map[string]any{r.plural: l.narrow(items)}
	if links := l.links(req, items); links != nil {
		answer[r.plural+"_links"] = links
	}
	return web.Reply{Status: http.StatusOK, Body: answer}, nil
}

func (r *resource) handleShow(ctx context.Context, req *web.Request) (web.Reply, error) {
	if err := mayRead(req.Actor, "get_"+r.name); err != nil {
		return web.Reply{}, err
	}
	v, err := r.see(ctx, req.Actor, req.PathValue("id"))
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{r.name: v.only(req.Query["fields"])}}, nil
}

func (r *resource) handleCreate(ctx context.Context, req *web.Request) (web.Reply, error) {
	bodies, bulk, err := r.readCreate(req)
	if err != nil {
		return web.Reply{}, err
	}
	if err := mayWrite(req.Actor, "create_"+r.name); err != nil {
		return web.Reply{}, err
	}
	made, err := r.create(ctx, req.Actor, bodies)
	if err != nil {
		return web.Reply{}, err
	}
	if bulk {
		return web.Reply{Status: http.StatusCreated, Body: map[string]any{r.plural: made}}, nil
	}
	return web.Reply{Status: http.StatusCreated, Body: map[string]any{r.name: made[0]}}, nil
}

func (r *resource) handleUpdate(ctx context.Context, req *web.Request) (web.Reply, error) {
	b, err := r.readUpdate(req)
	if err != nil {
		return web.Reply{}, err
	}
	id := req.PathValue("id")
	if err := r.mayChange(ctx, req.Actor, id, "update_"+r.name); err != nil {
		return web.Reply{}, err
	}
	if ctx, err = r.asRevised(ctx, req); err != nil {
		return web.Reply{}, err
	}
	v, err := r.update(ctx, req.Actor, id, b)
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{r.name: v}}, nil
}

func (r *resource) handleDelete(ctx context.Context, req *web.Request) (web.Reply, error) {
	id := req.PathValue("id")
	if err := r.mayChange(ctx, req.Actor, id, "delete_"+r.name); err != nil {
		return web.Reply{}, err
	}
	ctx, err := r.asRevised(ctx, req)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.remove(ctx, req.Actor, id); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

// mayChange lets those change an object who may write and who see it; whether it is theirs, the noun says.
func (r *resource) mayChange(ctx context.Context, a *identity.Actor, id, rule string) error {
	if err := mayRead(a, rule); err != nil {
		return err
	}
	if _, err := r.see(ctx, a, id); err != nil {
		return err
	}
	return mayWrite(a, rule)
}

// see is show for an id as a client wrote it.
func (r *resource) see(ctx context.Context, a *identity.Actor, id string) (view, error) {
	if !isUUID(id) {
		return nil, r.notFound(shownPath(id))
	}
	return r.show(ctx, a, id)
}
