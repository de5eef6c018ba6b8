package keystone

import (
	"context"
	"net/http"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// catalog lists where every service is, as tokens carry it.
func (s *Service) catalog(r *web.Request) []any {
	list := []any{}
	for _, e := range s.endpoints {
		var endpoints []any
		for _, iface := range identity.Interfaces() {
			endpoints = append(endpoints, map[string]any{
				"id": e.EndpointID(s.region, iface), "interface": iface, "region": s.region, "region_id": s.region,
				"url": e.URL(s.host(r)),
			})
		}
		list = append(list, map[string]any{"id": e.ServiceID(), "type": e.Type, "name": e.Name, "endpoints": endpoints})
	}
	return list
}

func (s *Service) showCatalog(_ context.Context, r *web.Request) (web.Reply, error) {
	if a := r.Actor; a.ProjectID == "" && a.DomainID == "" && !a.System {
		return web.Reply{}, lbaas.Errorf(lbaas.Forbidden, "You are not authorized to perform the requested action: "+
			"A scoped token is required to produce a service catalog.")
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{
		"catalog": s.catalog(r), "links": s.self(r, "/v3/auth/catalog"),
	}}, nil
}

func (s *Service) services(r *web.Request) (all []map[string]any) {
	for _, e := range s.endpoints {
		all = append(all, map[string]any{
			"id": e.ServiceID(), "type": e.Type, "name": e.Name, "enabled": true, "description": "",
			"links": s.self(r, "/v3/services/"+e.ServiceID()),
		})
	}
	return all
}

func (s *Service) allEndpoints(r *web.Request) (all []map[string]any) {
	for _, e := range s.endpoints {
		for _, iface := range identity.Interfaces() {
			id := e.EndpointID(s.region, iface)
			all = append(all, map[string]any{
				"id": id, "interface": iface, "region": s.region, "region_id": s.region, "service_id": e.ServiceID(),
				"url": e.URL(s.host(r)), "enabled": true, "links": s.self(r, "/v3/endpoints/"+id),
			})
		}
	}
	return all
}

func (s *Service) regions(r *web.Request) []map[string]any {
	return []map[string]any{{
		"id": s.region, "description": "", "parent_region_id": nil, "links": s.self(r, "/v3/regions/"+s.region),
	}}
}

// fixed lists what does not lie in the store, by the filters given.
func (s *Service) fixed(r *web.Request, key string, all []map[string]any, filters ...string) (web.Reply, error) {
	var kept []map[string]any
	for _, object := range all {
		if matches(r, object, filters) {
			kept = append(kept, object)
		}
	}
	return s.list(r, key, 0, kept), nil
}

func matches(r *web.Request, object map[string]any, filters []string) bool {
	for _, name := range filters {
		if want := r.Query.Get(name); want != "" && object[name] != want {
			return false
		}
	}
	return true
}

func one(key, id string, all []map[string]any) (web.Reply, error) {
	for _, object := range all {
		if object["id"] == id {
			return resource(http.StatusOK, key, object), nil
		}
	}
	return web.Reply{}, lbaas.Errorf(lbaas.NotFound, "Could not find %s: %s.", key, id)
}

func (s *Service) listServices(_ context.Context, r *web.Request) (web.Reply, error) {
	return s.fixed(r, "services", s.services(r), "name", "type")
}

func (s *Service) showService(_ context.Context, r *web.Request) (web.Reply, error) {
	return one("service", r.PathValue("service"), s.services(r))
}

func (s *Service) listEndpoints(_ context.Context, r *web.Request) (web.Reply, error) {
	return s.fixed(r, "endpoints", s.allEndpoints(r), "interface", "service_id", "region_id")
}

func (s *Service) showEndpoint(_ context.Context, r *web.Request) (web.Reply, error) {
	return one("endpoint", r.PathValue("endpoint"), s.allEndpoints(r))
}

func (s *Service) listRegions(_ context.Context, r *web.Request) (web.Reply, error) {
	return s.fixed(r, "regions", s.regions(r))
}

func (s *Service) showRegion(_ context.Context, r *web.Request) (web.Reply, error) {
	return one("region", r.PathValue("region"), s.regions(r))
}
