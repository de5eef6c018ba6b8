package octavia

import (
	"context"
	"net/http"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

type providerJSON struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

func (a *API) listProviders(_ context.Context, r *request) (web.Reply, error) {
	if err := r.allow(r.Actor.ProjectID); err != nil {
		return web.Reply{}, err
	}
	v, out := viewOf(r.Request), []any{}
	for _, f := range a.Providers {
		out = append(out, v.of(providerJSON{f.Name, f.Capabilities.Description}))
	}
	return reply(http.StatusOK, "providers", out)
}

// capabilities answers what flavors or availability zones of a provider may say: none of ours takes any.
func (a *API) capabilities(of string) handler {
	return func(_ context.Context, r *request) (web.Reply, error) {
		if err := r.allow(r.Actor.ProjectID); err != nil {
			return web.Reply{}, err
		}
		face := a.face(r.PathValue("name"))
		if face == nil {
			return web.Reply{}, lbaas.Errorf(lbaas.Invalid, "Provider '%s' is not enabled.", r.PathValue("name"))
		}
		return web.Reply{}, notImplemented(face.Name, of+" capabilities")
	}
}

// listExtensions names what this API has beyond Octavia's. None of it shows unless it is asked for.
func (a *API) listExtensions(context.Context, *request) (web.Reply, error) {
	return reply(http.StatusOK, "extensions", []map[string]any{{
		"alias": "status_reason", "name": "Status reason",
		"description": "Why an object is in ERROR, or still pending. Ask for it with fields=status_reason or with the header " +
			extensionsHeader + ": status_reason.",
	}})
}
