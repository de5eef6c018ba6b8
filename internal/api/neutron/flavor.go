package neutron

import (
	"context"
	"net/http"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

func (s *service) flavors() *resource {
	return &resource{
		name: "flavor", plural: "flavors",
		spec: spec{
			"id": readOnly, "service_type": postOnly, "project_id": postOnly, "tenant_id": postOnly,
			"name": postAndPut, "description": postAndPut, "enabled": postAndPut, "service_profiles": postAndPut,
		},
		notFound: func(id string) error { return network.FlavorNotFound(id) },
		list:     s.listFlavors, show: s.showFlavor, create: s.createFlavors, update: s.updateFlavor, remove: s.deleteFlavor,
	}
}

// flavorRoutes are those below a flavor.
func (s *service) flavorRoutes() []web.Route {
	profiles := "/v2.0/flavors/{id}/service_profiles"
	return []web.Route{
		{Method: "POST", Path: profiles, Rule: "create_flavor_service_profile", Handle: s.associateFlavor},
		{Method: "DELETE", Path: profiles + "/{profile}", Rule: "delete_flavor_service_profile", Handle: s.disassociateFlavor},
		{Method: "GET", Path: "/v2.0/flavors/{id}/next_providers", Rule: "get_flavor", Handle: s.nextProviders},
	}
}

func flavorView(f *network.ServiceFlavor) view {
	return view{
		"id": f.ID, "name": f.Name, "description": f.Description, "service_type": network.ServiceTypeLoadBalancer, "enabled": f.Enabled,
		"service_profiles": listed(f.ProfileIDs),
	}
}

func (s *service) listFlavors(ctx context.Context, _ *identity.Actor, q store.Query) ([]view, error) {
	found, err := s.store.ServiceFlavors(ctx, q)
	if err != nil {
		return nil, err
	}
	return viewsOf(found, flavorView), nil
}

func (s *service) showFlavor(ctx context.Context, _ *identity.Actor, id string) (view, error) {
	f, err := s.store.ServiceFlavor(ctx, id)
	if err != nil {
		return nil, err
	}
	return flavorView(f), nil
}

func (s *service) createFlavors(ctx context.Context, a *identity.Actor, bodies []*body) ([]view, error) {
	if err := adminsOnly(a, "create_flavor"); err != nil {
		return nil, err
	}
	var list []*network.ServiceFlavor
	for _, b := range bodies {
		f := &network.ServiceFlavor{Enabled: true}
		b.required("service_type")
		b.serviceType()
		readFlavor(b, f)
		if b.err() != nil {
			return nil, b.err()
		}
		list = append(list, f)
	}
	if err := s.store.CreateServiceFlavors(ctx, list); err != nil {
		return nil, err
	}
	return viewsOf(list, flavorView), nil
}

// serviceType reads the type of service that a flavor is for, of which there is one.
func (b *body) serviceType() {
	var t string
	b.text("service_type", &t, 255)
	if t != network.ServiceTypeLoadBalancer {
		b.fail(network.InvalidServiceType(t))
	}
}

// readFlavor reads the attributes that a request carries into a flavor. Profiles are associated by requests of their own: here they
// are read and count for nothing, as with Neutron.
func readFlavor(b *body, f *network.ServiceFlavor) {
	b.text("name", &f.Name, 255)
	b.textOrNull("description", &f.Description, 255)
	b.boolean("enabled", &f.Enabled)
	b.items("service_profiles", "service_profiles")
}

func (s *service) updateFlavor(ctx context.Context, a *identity.Actor, id string, b *body) (view, error) {
	if err := adminsOnly(a, "update_flavor"); err != nil {
		return nil, err
	}
	f, err := s.store.UpdateServiceFlavor(ctx, id, func(f *network.ServiceFlavor) error {
		readFlavor(b, f)
		return b.err()
	})
	if err != nil {
		return nil, err
	}
	return flavorView(f), nil
}

func (s *service) deleteFlavor(ctx context.Context, a *identity.Actor, id string) error {
	if err := adminsOnly(a, "delete_flavor"); err != nil {
		return err
	}
	return s.store.DeleteServiceFlavor(ctx, id)
}

// adminsOnly refuses all but admins.
func adminsOnly(a *identity.Actor, rule string) error {
	if !a.Admin() {
		return disallowed(rule)
	}
	return nil
}

// associateFlavor answers with the profile. Neutron writes the flavor's id there, which nobody reads.
func (s *service) associateFlavor(ctx context.Context, req *web.Request) (web.Reply, error) {
	flavorID, err := s.flavorOf(ctx, req, "create_flavor_service_profile")
	if err != nil {
		return web.Reply{}, err
	}
	binding := &resource{name: "service_profile", plural: "service_profiles", spec: spec{"id": postOnly, "project_id": postOnly, "tenant_id": postOnly}}
	bodies, _, err := binding.readCreate(req)
	if err != nil {
		return web.Reply{}, err
	}
	var profileID string
	b := bodies[0]
	b.required("id")
	b.uuid("id", &profileID)
	switch {
	case b.err() != nil:
		return web.Reply{}, b.err()
	case len(bodies) > 1:
		return web.Reply{}, badRequest("Only one service profile may be associated by one request")
	}
	if err := s.store.BindServiceProfile(ctx, flavorID, profileID); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusCreated, Body: map[string]any{"service_profile": view{"id": profileID}}}, nil
}

// flavorOf is the flavor that a path names, for those who may do what the route does.
func (s *service) flavorOf(ctx context.Context, req *web.Request, rule string) (id string, err error) {
	id = req.PathValue("id")
	if err := s.flavors().mayChange(ctx, req.Actor, id, rule); err != nil {
		return "", err
	}
	return id, adminsOnly(req.Actor, rule)
}

func (s *service) disassociateFlavor(ctx context.Context, req *web.Request) (web.Reply, error) {
	flavorID, err := s.flavorOf(ctx, req, "delete_flavor_service_profile")
	if err != nil {
		return web.Reply{}, err
	}
	profileID := req.PathValue("profile")
	if !isUUID(profileID) {
		return web.Reply{}, network.ServiceProfileNotBound(flavorID, shownPath(profileID))
	}
	if err := s.store.UnbindServiceProfile(ctx, flavorID, profileID); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

// nextProviders answers which provider makes the load balancers of a flavor.
func (s *service) nextProviders(ctx context.Context, req *web.Request) (web.Reply, error) {
	if err := mayRead(req.Actor, "get_flavor"); err != nil {
		return web.Reply{}, err
	}
	id := req.PathValue("id")
	if !isUUID(id) {
		return web.Reply{}, network.FlavorNotFound(shownPath(id))
	}
	p, err := s.store.NextServiceProfile(ctx, id)
	if err != nil {
		return web.Reply{}, err
	}
	next := view{"provider": p.Provider, "driver": p.Driver}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"next_providers": []view{next.only(req.Query["fields"])}}}, nil
}
