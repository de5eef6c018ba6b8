package octavia

import (
	"context"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
)

// The catalog is what operators offer: providers, flavors, availability zones and their profiles. None of it is a project's, so that
// the policy is asked of the token's own, before anything is looked for.

// catalog is a handler of the catalog, for those who may do what the route does.
func catalog(h handler) handler {
	return func(ctx context.Context, r *request) (web.Reply, error) {
		if err := r.allow(r.Actor.ProjectID); err != nil {
			return web.Reply{}, err
		}
		return h(ctx, r)
	}
}

// catalogLister answers the list of a noun of the catalog. The key is the attribute that paths name it by.
func catalogLister[T, J any](
	a *API, plural, linksKey string, rows func(context.Context, store.Query) ([]T, error), key func(T) string, show func(T, view) J,
) handler {
	return catalog(func(ctx context.Context, r *request) (web.Reply, error) {
		q, err := readQuery(r.Query, a.MaxPage)
		if err != nil {
			return web.Reply{}, err
		}
		return listOf(ctx, r, plural, linksKey, q, rows, key, show)
	})
}
