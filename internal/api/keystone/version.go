package keystone

import (
	"context"
	"net/http"

	"plimsoll/internal/web"
)

// versions answers the API's root.
func (s *Service) versions(_ context.Context, r *web.Request) (web.Reply, error) {
	values := []any{s.versionBody(r)}
	return web.Reply{
		Status: http.StatusMultipleChoices,
		Body:   map[string]any{"versions": map[string]any{"values": values}},
		Header: http.Header{"Location": {s.base(r) + "/v3/"}},
	}, nil
}

func (s *Service) version(_ context.Context, r *web.Request) (web.Reply, error) {
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"version": s.versionBody(r)}}, nil
}

func (s *Service) versionBody(r *web.Request) map[string]any {
	return map[string]any{
		"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
		"links": []any{map[string]any{"rel": "self", "href": s.base(r) + "/v3/"}},
		"media-types": []any{map[string]any{
			"base": "application/json", "type": "application/vnd.openstack.identity-v3+json",
		}},
	}
}
