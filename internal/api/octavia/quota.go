package octavia

import (
	"context"
	"net/http"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// unlimited is the quota of everything: there are no quotas to set.
const unlimited = -1

// quotaJSON has the two spellings that the API has had.
type quotaJSON struct {
	LoadBalancer   int    `json:"loadbalancer"`
	LoadBalancer2  int    `json:"load_balancer"`
	Listener       int    `json:"listener"`
	Pool           int    `json:"pool"`
	HealthMonitor  int    `json:"healthmonitor"`
	HealthMonitor2 int    `json:"health_monitor"`
	Member         int    `json:"member"`
	L7Policy       int    `json:"l7policy"`
	L7Rule         int    `json:"l7rule"`
	ProjectID      string `json:"project_id,omitempty"`
	TenantID       string `json:"tenant_id,omitempty"`
}

func noQuota(projectID string) quotaJSON {
	return quotaJSON{
		unlimited, unlimited, unlimited, unlimited, unlimited, unlimited, unlimited, unlimited, unlimited, projectID, projectID,
	}
}

// listQuotas answers the projects that were given a quota: none.
func (a *API) listQuotas(_ context.Context, r *request) (web.Reply, error) {
	if !r.allowed("quota:get_all-global", "") {
		if err := r.allow(r.Actor.ProjectID); err != nil {
			return web.Reply{}, err
		}
	}
	return web.Reply{Status: http.StatusOK, Body: map[string]any{"quotas": []quotaJSON{}, "quotas_links": []link{}}}, nil
}

// showQuota answers a project's quota. /quotas/defaults is a spelling that clients use for the defaults, which anybody
// may know.
func (a *API) showQuota(_ context.Context, r *request) (web.Reply, error) {
	project := r.PathValue("project")
	if project == "defaults" {
		return reply(http.StatusOK, "quota", noQuota(""))
	}
	if err := r.allow(project); err != nil {
		return web.Reply{}, err
	}
	return reply(http.StatusOK, "quota", noQuota(project))
}

func (a *API) updateQuota(_ context.Context, r *request) (web.Reply, error) {
	if err := r.allow(r.PathValue("project")); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{}, lbaas.Errorf(lbaas.Unsupported, "Quotas cannot be set in this deployment: everything is unlimited.")
}

func (a *API) deleteQuota(_ context.Context, r *request) (web.Reply, error) {
	if err := r.allow(r.PathValue("project")); err != nil {
		return web.Reply{}, err
	}
	return web.Reply{}, lbaas.Errorf(lbaas.NotFound, "Quotas %s not found.", r.PathValue("project"))
}
