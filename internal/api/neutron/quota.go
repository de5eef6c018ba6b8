package neutron

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"

	"plimsoll/internal/network"
	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// balancerQuotas are the names that neutron-lbaas gave the quotas of load balancers; they are one with those of the load-balancer
// API.
func balancerQuotas() map[string]lbaas.Noun {
	return map[string]lbaas.Noun{
		"loadbalancer": lbaas.NounLoadBalancer, "listener": lbaas.NounListener, "pool": lbaas.NounPool, "member": lbaas.NounMember,
		"healthmonitor": lbaas.NounHealthMonitor, "l7policy": lbaas.NounL7Policy,
	}
}

func (s *service) quotaRoutes() []web.Route {
	const one = "/v2.0/quotas/{project}"
	return []web.Route{
		{Method: "GET", Path: "/v2.0/quotas", Rule: "get_quota", Handle: s.listQuotas},
		{Method: "GET", Path: one, Rule: "get_quota", Handle: s.showQuota},
		{Method: "GET", Path: one + "/default", Rule: "get_quota", Handle: s.showDefaultQuota},
		{Method: "GET", Path: one + "/details", Rule: "get_quota", Handle: s.showUsage},
		{Method: "PUT", Path: one, Rule: "update_quota", Handle: s.putQuota},
		{Method: "DELETE", Path: one, Rule: "delete_quota", Handle: s.deleteQuota},
	}
}

// ownProject tells a client what its token's project is: old ones ask that before anything else.
func ownProject(r *web.Request, noun string) web.Reply {
	return web.Reply{Status: http.StatusOK, Body: map[string]any{noun: view{noun + "_id": r.Actor.ProjectID}}}
}

// adminRequired is Neutron's answer to those who ask for others' quotas.
func adminRequired(reason string) error {
	return &lbaas.Error{Kind: lbaas.Forbidden, Type: "AdminRequired", Text: "User does not have admin privileges: " + reason}
}

// quotaProject is the project of the path, which the actor may ask about.
func quotaProject(r *web.Request) (string, error) {
	project := r.PathValue("project")
	if err := mayRead(r.Actor, "get_quota"); err != nil {
		return "", err
	}
	if !owns(r.Actor, project) {
		return "", adminRequired("Only admin is authorized to access quotas for another tenant.")
	}
	if !clean(project) || len(project) > maxProject {
		return "", badRequest("'%s' is not the id of a project", shownPath(project))
	}
	return project, nil
}

// limits are both kinds of quotas of a project, its own or by default.
func (s *service) limits(q *network.Quota, b *lbaas.Quota) view {
	v := view{}
	for _, resource := range network.QuotaResources() {
		v[resource] = q.Limit(resource, s.store.NetworkQuotaDefaults())
	}
	for name, noun := range balancerQuotas() {
		v[name] = b.Limit(noun, s.store.QuotaDefaults())
	}
	return v
}

func (s *service) quotaOf(ctx context.Context, project string) (view, error) {
	q, err := s.store.NetworkQuota(ctx, project)
	if err != nil {
		return nil, err
	}
	b, err := s.store.Quota(ctx, project)
	if err != nil {
		return nil, err
	}
	return s.limits(q, b), nil
}

func quotaReply(v view) web.Reply {
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"quota": v}}
}

// showQuota answers a project's limits. "tenant" and "project" are no ids: who asks for them asks for its own.
func (s *service) showQuota(ctx context.Context, r *web.Request) (web.Reply, error) {
	if noun := r.PathValue("project"); noun == "tenant" || noun == "project" {
		return ownProject(r, noun), nil
	}
	project, err := quotaProject(r)
	if err != nil {
		return web.Reply{}, err
	}
	v, err := s.quotaOf(ctx, project)
	return quotaReply(v), err
}

func (s *service) showDefaultQuota(_ context.Context, r *web.Request) (web.Reply, error) {
	if _, err := quotaProject(r); err != nil {
		return web.Reply{}, err
	}
	return quotaReply(s.limits(&network.Quota{}, &lbaas.Quota{})), nil
}

// showUsage answers how much a project has of what its quotas bound.
func (s *service) showUsage(ctx context.Context, r *web.Request) (web.Reply, error) {
	project, err := quotaProject(r)
	if err != nil {
		return web.Reply{}, err
	}
	limits, err := s.quotaOf(ctx, project)
	if err != nil {
		return web.Reply{}, err
	}
	used, err := s.used(ctx, project)
	if err != nil {
		return web.Reply{}, err
	}
	v := view{}
	for name, most := range limits {
		v[name] = view{"limit": most, "used": used[name], "reserved": 0}
	}
	return quotaReply(v), nil
}

func (s *service) used(ctx context.Context, project string) (map[string]int, error) {
	used, err := s.store.NetworkUsage(ctx, project)
	if err != nil {
		return nil, err
	}
	balancers, err := s.store.QuotaUsage(ctx, []string{project})
	if err != nil {
		return nil, err
	}
	for name, noun := range balancerQuotas() {
		used[name] = balancers[project][noun]
	}
	return used, nil
}

// listQuotas answers the quotas of the projects that have some of their own, of either kind.
func (s *service) listQuotas(ctx context.Context, r *web.Request) (web.Reply, error) {
	if !r.Actor.Admin() {
		return web.Reply{}, adminRequired("Only admin can view or configure quota.")
	}
	projects, err := s.withQuotas(ctx)
	if err != nil {
		return web.Reply{}, err
	}
	all := []view{}
	for _, project := range projects {
		v, err := s.quotaOf(ctx, project)
		if err != nil {
			return web.Reply{}, err
		}
		v["project_id"], v["tenant_id"] = project, project
		all = append(all, v)
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"quotas": all}}, nil
}

// withQuotas are the projects that have quotas of their own.
func (s *service) withQuotas(ctx context.Context) ([]string, error) {
	own, err := s.store.NetworkQuotas(ctx)
	if err != nil {
		return nil, err
	}
	balancers, err := s.store.Quotas(ctx, store.Query{}) // those that only have a load balancer are among them
	if err != nil {
		return nil, err
	}
	var projects []string
	for _, q := range own {
		projects = append(projects, q.ProjectID)
	}
	for _, q := range balancers {
		if len(q.Limits) > 0 {
			projects = append(projects, q.ProjectID)
		}
	}
	slices.Sort(projects)
	return slices.Compact(projects), nil
}

// wantedQuota is what a request says of quotas.
type wantedQuota struct {
	network   map[string]int
	balancers map[lbaas.Noun]int
}

func (s *service) putQuota(ctx context.Context, r *web.Request) (web.Reply, error) {
	project, err := s.quotaToChange(r)
	if err != nil {
		return web.Reply{}, err
	}
	w, err := s.readQuota(ctx, r, project)
	if err != nil {
		return web.Reply{}, err
	}
	if err := s.keepQuota(ctx, project, w); err != nil {
		return web.Reply{}, err
	}
	v, err := s.quotaOf(ctx, project)
	return quotaReply(v), err
}

func (s *service) quotaToChange(r *web.Request) (string, error) {
	if !r.Actor.Admin() {
		return "", adminRequired("Only admin can view or configure quota.")
	}
	return quotaProject(r)
}

// keepQuota keeps a project's own limits. Those that a request does not name stay.
func (s *service) keepQuota(ctx context.Context, project string, w *wantedQuota) error {
	if len(w.balancers) > 0 {
		_, err := s.store.PutQuota(ctx, project, func(q *lbaas.Quota) error { maps.Copy(q.Limits, w.balancers); return nil })
		if err != nil {
			return err
		}
	}
	_, err := s.store.PutNetworkQuota(ctx, project, func(q *network.Quota) error { maps.Copy(q.Limits, w.network); return nil })
	return err
}

// readQuota reads the limits of a request. With check_limit those are refused that the project has more of.
func (s *service) readQuota(ctx context.Context, r *web.Request, project string) (*wantedQuota, error) {
	o, err := readObject(r)
	if err != nil {
		return nil, err
	}
	inner, err := object(o["quota"])
	if err != nil {
		return nil, badRequest("Unable to find 'quota' in request body")
	}
	b := &body{Object: inner}
	force, check := false, false
	b.boolean("force", &force)
	b.boolean("check_limit", &check)
	limits := map[string]int{}
	for _, name := range b.names() {
		if name != "force" && name != "check_limit" && name != "tenant_id" && name != "project_id" {
			limits[name] = b.limit(name)
		}
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	if check && !force {
		if err := s.withinUsage(ctx, project, limits); err != nil {
			return nil, err
		}
	}
	return sortQuota(limits), nil
}

// limit reads one limit.
func (b *body) limit(name string) int {
	text := shown(b.Object[name])
	n, err := strconv.ParseFloat(text, 64)
	_, known := balancerQuotas()[name]
	switch {
	case !known && !slices.Contains(network.QuotaResources(), name):
		b.fail(badRequest("Unrecognized attribute(s) '%s'", name))
	case err != nil || n != math.Trunc(n):
		b.fail(network.InvalidInput("'%s' is not an integer", text))
	case n < lbaas.Unlimited:
		b.fail(invalid(name, "'%s' is too small - must be at least '%d'", text, lbaas.Unlimited))
	case n > lbaas.MaxQuota:
		b.fail(invalid(name, "'%s' is too large - must be no larger than '%d'", text, lbaas.MaxQuota))
	default:
		return int(n)
	}
	return lbaas.Unlimited
}

func (s *service) withinUsage(ctx context.Context, project string, limits map[string]int) error {
	used, err := s.used(ctx, project)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		if limits[name] != lbaas.Unlimited && used[name] > limits[name] {
			return &lbaas.Error{Kind: lbaas.Conflict, Type: "InvalidQuotaValue",
				Text: "Change would make usage less than 0 for the following resources: ['" + name + "']."}
		}
	}
	return nil
}

func sortQuota(limits map[string]int) *wantedQuota {
	w := &wantedQuota{network: map[string]int{}, balancers: map[lbaas.Noun]int{}}
	for name, n := range limits {
		if noun, ok := balancerQuotas()[name]; ok {
			w.balancers[noun] = n
		} else {
			w.network[name] = n
		}
	}
	return w
}

// deleteQuota gives a project the deployment's limits again, of both kinds.
func (s *service) deleteQuota(ctx context.Context, r *web.Request) (web.Reply, error) {
	project, err := s.quotaToChange(r)
	if err != nil {
		return web.Reply{}, err
	}
	had, err := s.store.DeleteNetworkQuota(ctx, project)
	if err != nil {
		return web.Reply{}, err
	}
	hadMore, err := s.forgetBalancers(ctx, project)
	if err != nil {
		return web.Reply{}, err
	}
	if !had && !hadMore {
		return web.Reply{}, &lbaas.Error{Kind: lbaas.NotFound, Type: "TenantQuotaNotFound",
			Text: "Quota for tenant " + project + " could not be found."}
	}
	return web.Reply{Status: http.StatusNoContent}, nil
}

func (s *service) forgetBalancers(ctx context.Context, project string) (had bool, err error) {
	switch err := s.store.DeleteQuota(ctx, project); {
	case err == nil:
		return true, nil
	case errors.Is(err, lbaas.NotFound):
		return false, nil
	default:
		return false, err
	}
}
