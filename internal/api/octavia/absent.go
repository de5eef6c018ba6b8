package octavia

import (
	"context"
	"net/http"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// What the API has and this deployment lacks: there are no L7 policies. Lists
// of them are truly empty, one of them is truly not found, and to make one is refused in so many words.

// absent is a noun of which there is none.
type absent struct {
	path, plural, links string
	noun                string // as faults spell it
	rules               string // the policy rules' noun
	global              bool   // lists go over projects
}

func absents() []absent {
	return []absent{
		{path: "/l7policies", plural: "l7policies", links: "l7policies_links", noun: "L7 Policy", rules: "l7policy", global: true},
	}
}

func (a *API) absentRows() []row {
	var rows []row
	for _, n := range absents() {
		one := n.path + "/{id}"
		rows = append(rows,
			row{http.MethodGet, n.path, n.rules + ":get_all", nil, n.list},
			row{http.MethodPost, n.path, n.rules + ":post", nil, a.refuse(n)},
			row{http.MethodGet, one, n.rules + ":get_one", nil, n.missing},
			row{http.MethodPut, one, n.rules + ":put", nil, n.missing},
			row{http.MethodDelete, one, n.rules + ":delete", nil, n.missing})
	}
	policy := absent{noun: "L7 Policy"}
	for _, path := range []string{"/l7policies/{id}/rules", "/l7policies/{id}/rules/{rule}"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			rows = append(rows, row{method, path, "", nil, policy.missing})
		}
	}
	return rows
}

func (n absent) list(_ context.Context, r *request) (web.Reply, error) {
	if n.global {
		q, err := readQuery(r.Query, 1)
		if err != nil {
			return web.Reply{}, err
		}
		if err := r.scope(&q); err != nil {
			return web.Reply{}, err
		}
	} else if err := r.allow(r.Actor.ProjectID); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{n.plural: []ref{}, n.links: []link{}}}, nil
}

// missing answers what names one of them. Octavia finds an object before it looks at who asks, but for flavors, zones
// and their profiles.
func (n absent) missing(_ context.Context, r *request) (web.Reply, error) {
	if !n.global && r.rule != "" {
		if err := r.allow(r.Actor.ProjectID); err != nil {
			return web.Reply{}, err
		}
	}
	id, err := r.id("id", lbaas.Noun(n.noun))
	if err != nil {
		return web.Reply{}, err
	}
	return web.Reply{}, lbaas.Missing(lbaas.Noun(n.noun), id)
}

// refuse answers a POST: nobody may who may not, and nobody can who may.
func (a *API) refuse(n absent) handler {
	return func(_ context.Context, r *request) (web.Reply, error) {
		if err := r.allow(r.Actor.ProjectID); err != nil {
			return web.Reply{}, err
		}
		return web.Reply{}, notImplemented(a.DefaultProvider, "create "+n.noun)
	}
}
