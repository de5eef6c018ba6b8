package octavia

import (
	"context"
	"net/http"

	"plimsoll/internal/web"
)

// Extensions are what this API has beyond Octavia's. None of it shows unless it is asked for.

// The aliases of extensions that requests name.
const (
	extensionStatusReason = "status_reason"
	extensionQuotaUsage   = "quota_usage"
	extensionRateLimits   = "rate_limit_policies"
	extensionAccessLog    = "access_log"
)

type extensionJSON struct {
	Alias       string `json:"alias"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// extensions has a line for each.
func extensions() []extensionJSON {
	return []extensionJSON{
		{extensionStatusReason, "Status reason", "Why an object is in ERROR, or still pending; else what users should know of it: that a " +
			"certificate expires, what the provider makes otherwise than it is written. Ask for it with fields=status_reason or " +
			"with the header " + extensionsHeader + ": status_reason."},
		{extensionQuotaUsage, "Quota usage", "How much a project has of what its quota bounds. Ask for it with usage=true or with the " +
			"header " + extensionsHeader + ": quota_usage."},
		{extensionRateLimits, "Rate limits", "Limits of what each client of a listener may send: /ratelimitpolicies and " +
			"/ratelimitpolicies/{id}/rules. Listeners name theirs with fields=rate_limit_policies or with the header " +
			extensionsHeader + ": rate_limit_policies."},
		{extensionAccessLog, "Access logs", "Whether the data plane notes every request or connection of a load balancer. POST and PUT of " +
			"load balancers take it; ask for it with fields=access_log or with the header " + extensionsHeader + ": access_log."},
		{"resize", "Resize", `Another flavor for a load balancer: PUT /loadbalancers/{id}/resize with {"new_flavor_id": "…"}.`},
	}
}

func (a *API) listExtensions(context.Context, *request) (web.Reply, error) {
	return reply(http.StatusOK, "extensions", extensions())
}
