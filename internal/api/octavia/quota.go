package octavia

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// quotaAttributes are the attributes of the nouns that quotas bound. Two have a second spelling, which clients had before it was
// corrected; it stands first, so that the correct one wins.
var quotaAttributes = []struct {
	name string
	noun lbaas.Noun
}{
	{"load_balancer", lbaas.NounLoadBalancer}, {"loadbalancer", lbaas.NounLoadBalancer},
	{"health_monitor", lbaas.NounHealthMonitor}, {"healthmonitor", lbaas.NounHealthMonitor},
	{"listener", lbaas.NounListener}, {"pool", lbaas.NounPool}, {"member", lbaas.NounMember},
	{"l7policy", lbaas.NounL7Policy}, {"l7rule", lbaas.NounL7Rule},
}

// readQuota reads a project's limits; null brings the default back.
func readQuota(f *form, q *lbaas.Quota) {
	for _, a := range quotaAttributes {
		f.note(a.name, schema{Type: "integer"})
		raw, given := f.value(a.name)
		switch n, ok := parseInteger(raw); {
		case !given:
		case raw == nil:
			delete(q.Limits, a.noun)
		case !ok:
			f.refuse(a.name, raw, "Value should be integer")
		default:
			f.check(lbaas.Between(a.name, n, lbaas.Unlimited, lbaas.MaxQuota))
			q.Limits[a.noun] = n
		}
	}
}

// quotaJSON has the two spellings that the API has had.
type quotaJSON struct {
	LoadBalancer   int        `json:"loadbalancer"`
	LoadBalancer2  int        `json:"load_balancer"`
	Listener       int        `json:"listener"`
	Pool           int        `json:"pool"`
	HealthMonitor  int        `json:"healthmonitor"`
	HealthMonitor2 int        `json:"health_monitor"`
	Member         int        `json:"member"`
	L7Policy       int        `json:"l7policy"`
	L7Rule         int        `json:"l7rule"`
	ProjectID      string     `json:"project_id,omitempty"` // the defaults have none
	TenantID       string     `json:"tenant_id,omitempty"`
	Usage          *usageJSON `json:"usage,omitempty"` // an extension: only where it was asked for
}

// usageJSON is how much a project has of what its quota bounds.
type usageJSON struct {
	LoadBalancer  int `json:"loadbalancer"`
	Listener      int `json:"listener"`
	Pool          int `json:"pool"`
	HealthMonitor int `json:"healthmonitor"`
	Member        int `json:"member"`
	L7Policy      int `json:"l7policy"`
	L7Rule        int `json:"l7rule"`
}

// quotaOf shows the limits that hold for a project.
func (a *API) quotaOf(q *lbaas.Quota, _ view) quotaJSON {
	defaults := a.Store.QuotaDefaults()
	limit := func(noun lbaas.Noun) int { return q.Limit(noun, defaults) }
	j := quotaJSON{
		LoadBalancer: limit(lbaas.NounLoadBalancer), LoadBalancer2: limit(lbaas.NounLoadBalancer),
		Listener: limit(lbaas.NounListener), Pool: limit(lbaas.NounPool),
		HealthMonitor: limit(lbaas.NounHealthMonitor), HealthMonitor2: limit(lbaas.NounHealthMonitor),
		Member: limit(lbaas.NounMember), L7Policy: limit(lbaas.NounL7Policy), L7Rule: limit(lbaas.NounL7Rule),
		ProjectID: q.ProjectID, TenantID: q.ProjectID,
	}
	if u := q.Usage; u != nil {
		j.Usage = &usageJSON{
			LoadBalancer: u[lbaas.NounLoadBalancer], Listener: u[lbaas.NounListener], Pool: u[lbaas.NounPool],
			HealthMonitor: u[lbaas.NounHealthMonitor], Member: u[lbaas.NounMember],
			L7Policy: u[lbaas.NounL7Policy], L7Rule: u[lbaas.NounL7Rule],
		}
	}
	return j
}

// usageArgument asks for how much a project has, as the extension's name does in the header. Quotas know no "fields".
const usageArgument = "usage"

// withUsage counts what the projects have, where the request asks for it.
func (a *API) withUsage(ctx context.Context, r *request, quotas ...*lbaas.Quota) error {
	if !loose(r.Query.Get(usageArgument)) && !extended(r.Request, extensionQuotaUsage) {
		return nil
	}
	projects := make([]string, len(quotas))
	for i, q := range quotas {
		projects[i] = q.ProjectID
	}
	usage, err := a.Store.QuotaUsage(ctx, projects)
	if err != nil {
		return err
	}
	for _, q := range quotas {
		q.Usage = usage[q.ProjectID]
	}
	return nil
}

// listQuotas answers the quotas of projects that were given one, or that have a load balancer.
func (a *API) listQuotas(ctx context.Context, r *request) (web.Reply, error) {
	q, err := readQuery(without(r.Query, usageArgument), a.MaxPage)
	if err != nil {
		return web.Reply{}, err
	}
	if err := r.scope(&q); err != nil {
		return web.Reply{}, err
	}
	rows := func(ctx context.Context, q store.Query) ([]*lbaas.Quota, error) {
		quotas, err := a.Store.Quotas(ctx, q)
		if err != nil {
			return nil, err
		}
		return quotas, a.withUsage(ctx, r, quotas...)
	}
	whole := *r.Request
	whole.Query = without(r.Query, "fields")
	all := *r
	all.Request = &whole
	marker := func(q *lbaas.Quota) string { return q.ProjectID }
	return listOf(ctx, &all, "quotas", "quotas_links", q, rows, marker, a.quotaOf)
}

// without are the query's arguments but one.
func without(query url.Values, argument string) url.Values {
	rest := maps.Clone(query)
	delete(rest, argument)
	return rest
}

// defaultsPath stands for a project in a path that clients use for the defaults, which are nobody's: the token's own project counts.
const defaultsPath = "defaults"

// showQuota answers a project's quota.
func (a *API) showQuota(ctx context.Context, r *request) (web.Reply, error) {
	project := r.PathValue("project")
	if project == defaultsPath {
		if err := r.may("quota:get_defaults", r.Actor.ProjectID); err != nil {
			return web.Reply{}, err
		}
		return reply(http.StatusOK, "quota", a.quotaOf(&lbaas.Quota{}, view{}))
	}
	if err := r.allow(project); err != nil {
		return web.Reply{}, err
	}
	q := &lbaas.Quota{ProjectID: project}
	if isProject(project) {
		var err error
		if q, err = a.Store.Quota(ctx, project); err != nil {
			return web.Reply{}, err
		}
	}
	if err := a.withUsage(ctx, r, q); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "quota", a.quotaOf(q, view{}))
}

// isProject tells whether a project can have that id, and the database be asked for it.
func isProject(id string) bool {
	return clean(id) && lbaas.Within("project_id", id, maxProject) == nil && id != defaultsPath
}

// maxProject is the most characters that a project's id has.
const maxProject = 36

// showDefaultQuota answers the quota of a project that was given none.
func (a *API) showDefaultQuota(_ context.Context, r *request) (web.Reply, error) {
	project := r.PathValue("project")
	if err := r.allow(project); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "quota", a.quotaOf(&lbaas.Quota{ProjectID: project}, view{}))
}

func (a *API) updateQuota(ctx context.Context, r *request) (web.Reply, error) {
	project := r.PathValue("project")
	if err := r.allow(project); err != nil {
		return web.Reply{}, err
	}
	f, err := readForm(r, "quotas", "quota", false)
	if err != nil {
		return web.Reply{}, err
	}
	if readQuota(f, &lbaas.Quota{Limits: map[lbaas.Noun]int{}}); f.done() != nil {
		return web.Reply{}, f.done()
	}
	if !isProject(project) {
		return web.Reply{}, lbaas.InvalidField("project_id", project, "Value should be a project's id")
	}
	q, err := a.Store.PutQuota(ctx, project, func(q *lbaas.Quota) error {
		readQuota(f, q)
		return nil
	})
	if err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusAccepted, "quota", a.quotaOf(q, view{}))
}

func (a *API) deleteQuota(ctx context.Context, r *request) (web.Reply, error) {
	project := r.PathValue("project")
	if err := r.allow(project); err != nil {
		return web.Reply{}, err
	}
	if !isProject(project) {
		return web.Reply{}, lbaas.Missing("Quotas", project)
	}
	if err := a.Store.DeleteQuota(ctx, project); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{Status: http.StatusAccepted}, nil
}
