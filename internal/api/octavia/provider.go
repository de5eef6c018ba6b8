package octavia

import (
	"context"
	"net/http"

	"plimsoll/internal/provider"
	"plimsoll/internal/web"
)

type providerJSON struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

func (a *API) listProviders(_ context.Context, r *request) (web.Reply, error) {
	v, out := viewOf(r.Request), []any{}
	for _, f := range a.Providers {
		out = append(out, v.of(providerJSON{f.Name, f.Capabilities.Description}))
	}
	return reply(http.StatusOK, "providers", out)
}

// The ways in which Octavia's providers say that there is nothing that profiles could say.
const (
	noFlavorKeys = "This provider does not support getting the supported flavor metadata."
	noZoneKeys   = "This provider does not support getting the supported availability zone metadata."
)

// flavorCapabilities answers what the data of a provider's flavor profiles may say.
func (a *API) flavorCapabilities(_ context.Context, r *request) (web.Reply, error) {
	return a.capabilities(r, "flavor_capabilities", noFlavorKeys, func(c provider.Capabilities) []provider.Key { return c.FlavorKeys })
}

// zoneCapabilities answers what the data of a provider's availability zone profiles may say.
func (a *API) zoneCapabilities(_ context.Context, r *request) (web.Reply, error) {
	return a.capabilities(r, "availability_zone_capabilities", noZoneKeys, func(c provider.Capabilities) []provider.Key { return c.ZoneKeys })
}

func (a *API) capabilities(r *request, plural, none string, of func(provider.Capabilities) []provider.Key) (web.Reply, error) {
	face, err := a.enabled(r.PathValue("name"))
	if err != nil {
		return web.Reply{}, err
	}
	keys := of(face.Capabilities)
	if keys == nil {
		return web.Reply{}, notImplemented(face.Name, none)
	}
	name, description := r.Query.Get("name"), r.Query.Get("description")
	v, out := viewOf(r.Request), []any{}
	for _, k := range keys {
		if (name == "" || name == k.Name) && (description == "" || description == k.Description) {
			out = append(out, v.of(providerJSON(k)))
		}
	}
	return reply(http.StatusOK, plural, out)
}
