package neutron

import (
	"context"
	"net/http"
	"slices"

	"plimsoll/internal/network"
	"plimsoll/internal/web"
)

// listServiceProviders answers which providers there are. There is no list in the store, so that filters are applied here.
func (s *service) listServiceProviders(_ context.Context, req *web.Request) (web.Reply, error) {
	if err := mayRead(req.Actor, "get_service_provider"); err != nil {
		return web.Reply{}, err
	}
	found, q := []view{}, req.Query
	if err := checkFilter("default", q["default"]); err != nil {
		return web.Reply{}, err
	}
	for _, f := range s.providers {
		isDefault := f.Name == s.defaultProvider
		if asked(q["service_type"], network.ServiceTypeLoadBalancer) && asked(q["name"], f.Name) && (len(q["default"]) == 0 || isTrue(q.Get("default")) == isDefault) {
			v := view{"service_type": network.ServiceTypeLoadBalancer, "name": f.Name, "default": isDefault}
			found = append(found, v.only(q["fields"]))
		}
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"service_providers": found}}, nil
}

// asked tells whether a filter lets a value through; an empty one lets all.
func asked(values []string, value string) bool {
	return len(values) == 0 || slices.Contains(values, value)
}

func isTrue(text string) bool {
	v, err := network.ParseBoolean(text)
	return v && err == nil
}
