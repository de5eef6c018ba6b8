package keystone

import (
	"context"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// There are no groups. The lists are empty rather than missing, since clients ask for them on the way to something
// else.

func (s *Service) listGroups(_ context.Context, r *web.Request) (web.Reply, error) {
	return s.list(r, "groups", 0, nil), nil
}

func (s *Service) userGroups(_ context.Context, r *web.Request) (web.Reply, error) {
	return s.list(r, "groups", 0, nil), nil
}

func (s *Service) showGroup(_ context.Context, r *web.Request) (web.Reply, error) {
	return web.Reply{}, lbaas.Errorf(lbaas.NotFound, "Could not find group: %s.", r.PathValue("group"))
}

func (s *Service) createGroup(context.Context, *web.Request) (web.Reply, error) {
	return web.Reply{}, lbaas.Errorf(lbaas.Unsupported, "Groups are not supported by this identity service.")
}
