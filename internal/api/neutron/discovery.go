package neutron

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"plimsoll/internal/web"
)

func versions(_ context.Context, r *web.Request) (web.Reply, error) {
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"versions": []any{map[string]any{
		"id": "v2.0", "status": "CURRENT",
		"links": []any{map[string]any{"rel": "self", "href": strings.TrimSuffix(here(r), "/") + "/v2.0/"}},
	}}}}, nil
}

// index lists the resources, as Neutron does under a version.
func (s *service) index(_ context.Context, r *web.Request) (web.Reply, error) {
	base := strings.TrimSuffix(here(r), "/")
	found := []any{resourceLink(base, "extension", "extensions")}
	for _, res := range s.resources() {
		found = append(found, resourceLink(base, res.name, cmp.Or(res.path, res.plural)))
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"resources": found}}, nil
}

func resourceLink(base, name, collection string) any {
	return map[string]any{"name": name, "collection": collection,
		"links": []any{map[string]any{"rel": "self", "href": base + "/" + collection}}}
}
