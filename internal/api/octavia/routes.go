package octavia

import (
	"context"
	"net/http"
	"strings"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// row is one line of the table below: a method and a path under the API's root, the policy rule (without its prefix), the query
// arguments beside those of lists (all that are known, where the method is not GET), and the handler.
type row struct {
	method, path, rule string
	arguments          []string
	handle             handler
}

// roots are the paths under which the whole API is served: v2 and v2.0 are the same for the life of v2, and "lbaas" may
// be left out.
var roots = []string{"/v2/lbaas", "/v2.0/lbaas", "/v2", "/v2.0"}

// table is the whole API.
func (a *API) table() []row {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	return []row{
		{get, "/loadbalancers", "loadbalancer:get_all", nil, lister(a, "loadbalancers", a.Store.LoadBalancers, loadBalancerOf)},
		{post, "/loadbalancers", "loadbalancer:post", nil, a.createLoadBalancer},
		{get, "/loadbalancers/{id}", "loadbalancer:get_one", nil, a.showLoadBalancer},
		{put, "/loadbalancers/{id}", "loadbalancer:put", nil, a.updateLoadBalancer},
		{del, "/loadbalancers/{id}", "loadbalancer:delete", []string{"cascade"}, a.deleteLoadBalancer},
		{get, "/loadbalancers/{id}/stats", "loadbalancer:get_stats", nil, a.loadBalancerStats},
		{get, "/loadbalancers/{id}/status", "loadbalancer:get_status", nil, a.loadBalancerStatus},
		{get, "/loadbalancers/{id}/statuses", "loadbalancer:get_status", nil, a.loadBalancerStatus},
		{put, "/loadbalancers/{id}/failover", "loadbalancer:put_failover", nil, a.failover},
		{put, "/loadbalancers/{id}/resize", "loadbalancer:put_resize", nil, a.resize},

		{get, "/listeners", "listener:get_all", nil, lister(a, "listeners", a.Store.Listeners, listenerOf)},
		{post, "/listeners", "listener:post", nil, a.createListener},
		{get, "/listeners/{id}", "listener:get_one", nil, a.showListener},
		{put, "/listeners/{id}", "listener:put", nil, a.updateListener},
		{del, "/listeners/{id}", "listener:delete", nil, a.deleteListener},
		{get, "/listeners/{id}/stats", "listener:get_stats", nil, a.listenerStats},

		{get, "/pools", "pool:get_all", nil, lister(a, "pools", a.Store.Pools, poolOf)},
		{post, "/pools", "pool:post", nil, a.createPool},
		{get, "/pools/{id}", "pool:get_one", nil, a.showPool},
		{put, "/pools/{id}", "pool:put", nil, a.updatePool},
		{del, "/pools/{id}", "pool:delete", nil, a.deletePool},

		{get, "/pools/{pool}/members", "member:get_all", nil, a.listMembers},
		{post, "/pools/{pool}/members", "member:post", nil, a.createMember},
		{put, "/pools/{pool}/members", "member:post", []string{"additive_only"}, a.replaceMembers},
		{get, "/pools/{pool}/members/{id}", "member:get_one", nil, a.showMember},
		{put, "/pools/{pool}/members/{id}", "member:put", nil, a.updateMember},
		{del, "/pools/{pool}/members/{id}", "member:delete", nil, a.deleteMember},

		{get, "/healthmonitors", "healthmonitor:get_all", nil, lister(a, "healthmonitors", a.Store.HealthMonitors, healthMonitorOf)},
		{post, "/healthmonitors", "healthmonitor:post", nil, a.createHealthMonitor},
		{get, "/healthmonitors/{id}", "healthmonitor:get_one", nil, a.showHealthMonitor},
		{put, "/healthmonitors/{id}", "healthmonitor:put", nil, a.updateHealthMonitor},
		{del, "/healthmonitors/{id}", "healthmonitor:delete", nil, a.deleteHealthMonitor},

		{get, "/l7policies", "l7policy:get_all", nil, lister(a, "l7policies", a.Store.L7Policies, l7PolicyOf)},
		{post, "/l7policies", "l7policy:post", nil, a.createL7Policy},
		{get, "/l7policies/{id}", "l7policy:get_one", nil, a.showL7Policy},
		{put, "/l7policies/{id}", "l7policy:put", nil, a.updateL7Policy},
		{del, "/l7policies/{id}", "l7policy:delete", nil, a.deleteL7Policy},

		{get, "/l7policies/{policy}/rules", "l7rule:get_all", nil, a.listL7Rules},
		{post, "/l7policies/{policy}/rules", "l7rule:post", nil, a.createL7Rule},
		{get, "/l7policies/{policy}/rules/{id}", "l7rule:get_one", nil, a.showL7Rule},
		{put, "/l7policies/{policy}/rules/{id}", "l7rule:put", nil, a.updateL7Rule},
		{del, "/l7policies/{policy}/rules/{id}", "l7rule:delete", nil, a.deleteL7Rule},

		{get, "/ratelimitpolicies", "ratelimitpolicy:get_all", nil, lister(a, "ratelimitpolicies", a.Store.RateLimitPolicies, rateLimitPolicyOf)},
		{post, "/ratelimitpolicies", "ratelimitpolicy:post", nil, a.createRateLimitPolicy},
		{get, "/ratelimitpolicies/{id}", "ratelimitpolicy:get_one", nil, a.showRateLimitPolicy},
		{put, "/ratelimitpolicies/{id}", "ratelimitpolicy:put", nil, a.updateRateLimitPolicy},
		{del, "/ratelimitpolicies/{id}", "ratelimitpolicy:delete", nil, a.deleteRateLimitPolicy},

		{get, "/ratelimitpolicies/{policy}/rules", "ratelimitrule:get_all", nil, a.listRateLimitRules},
		{post, "/ratelimitpolicies/{policy}/rules", "ratelimitrule:post", nil, a.createRateLimitRule},
		{get, "/ratelimitpolicies/{policy}/rules/{id}", "ratelimitrule:get_one", nil, a.showRateLimitRule},
		{put, "/ratelimitpolicies/{policy}/rules/{id}", "ratelimitrule:put", nil, a.updateRateLimitRule},
		{del, "/ratelimitpolicies/{policy}/rules/{id}", "ratelimitrule:delete", nil, a.deleteRateLimitRule},

		{get, "/providers", "provider:get_all", nil, catalog(a.listProviders)},
		{get, "/providers/{name}", "provider:get_all", nil, notAllowed},
		{get, "/providers/{name}/flavor_capabilities", "provider-flavor:get_all", nil, catalog(a.flavorCapabilities)},
		{get, "/providers/{name}/availability_zone_capabilities", "provider-availability-zone:get_all", nil, catalog(a.zoneCapabilities)},

		{get, "/quotas", "quota:get_all", []string{usageArgument}, a.listQuotas},
		{get, "/quotas/{project}", "quota:get_one", []string{usageArgument}, a.showQuota},
		{get, "/quotas/{project}/default", "quota:get_defaults", nil, a.showDefaultQuota},
		{put, "/quotas/{project}", "quota:put", nil, a.updateQuota},
		{del, "/quotas/{project}", "quota:delete", nil, a.deleteQuota},

		{get, "/flavors", "flavor:get_all", nil, catalogLister(a, "flavors", "flavors_links", a.Store.Flavors,
			func(f *lbaas.Flavor) string { return f.ID }, flavorOf)},
		{post, "/flavors", "flavor:post", nil, catalog(a.createFlavor)},
		{get, "/flavors/{id}", "flavor:get_one", nil, catalog(a.showFlavor)},
		{put, "/flavors/{id}", "flavor:put", nil, catalog(a.updateFlavor)},
		{del, "/flavors/{id}", "flavor:delete", nil, catalog(a.deleteFlavor)},

		{get, "/flavorprofiles", "flavor-profile:get_all", nil, catalogLister(a, "flavorprofiles", "flavorprofile_links",
			a.Store.FlavorProfiles, func(p *lbaas.FlavorProfile) string { return p.ID }, flavorProfileOf)},
		{post, "/flavorprofiles", "flavor-profile:post", nil, catalog(a.createFlavorProfile)},
		{get, "/flavorprofiles/{id}", "flavor-profile:get_one", nil, catalog(a.showFlavorProfile)},
		{put, "/flavorprofiles/{id}", "flavor-profile:put", nil, catalog(a.updateFlavorProfile)},
		{del, "/flavorprofiles/{id}", "flavor-profile:delete", nil, catalog(a.deleteFlavorProfile)},

		{get, "/availabilityzones", "availability-zone:get_all", nil, catalogLister(a, "availability_zones", "availability_zones_links",
			a.Store.AvailabilityZones, func(z *lbaas.AvailabilityZone) string { return z.Name }, zoneOf)},
		{post, "/availabilityzones", "availability-zone:post", nil, catalog(a.createZone)},
		{get, "/availabilityzones/{name}", "availability-zone:get_one", nil, catalog(a.showZone)},
		{put, "/availabilityzones/{name}", "availability-zone:put", nil, catalog(a.updateZone)},
		{del, "/availabilityzones/{name}", "availability-zone:delete", nil, catalog(a.deleteZone)},

		{get, "/availabilityzoneprofiles", "availability-zone-profile:get_all", nil, catalogLister(a, "availability_zone_profiles",
			"availability_zone_profile_links", a.Store.AvailabilityZoneProfiles,
			func(p *lbaas.AvailabilityZoneProfile) string { return p.ID }, zoneProfileOf)},
		{post, "/availabilityzoneprofiles", "availability-zone-profile:post", nil, catalog(a.createZoneProfile)},
		{get, "/availabilityzoneprofiles/{id}", "availability-zone-profile:get_one", nil, catalog(a.showZoneProfile)},
		{put, "/availabilityzoneprofiles/{id}", "availability-zone-profile:put", nil, catalog(a.updateZoneProfile)},
		{del, "/availabilityzoneprofiles/{id}", "availability-zone-profile:delete", nil, catalog(a.deleteZoneProfile)},

		{get, "/extensions", "", nil, a.listExtensions},
	}
}

// amphoraRows is what stands below /v2/octavia.
func (a *API) amphoraRows() []row {
	const get, put, del = http.MethodGet, http.MethodPut, http.MethodDelete
	return []row{
		{get, "/amphorae", "amphora:get_all", nil, catalogLister(a, "amphorae", "amphorae_links", a.Store.Amphorae,
			func(a *lbaas.Amphora) string { return a.ID }, amphoraOf)},
		{get, "/amphorae/{id}", "amphora:get_one", nil, a.showAmphora},
		{del, "/amphorae/{id}", "amphora:delete", nil, a.deleteAmphora},
		{get, "/amphorae/{id}/stats", "amphora:get_stats", nil, a.amphoraStats},
		{put, "/amphorae/{id}/config", "amphora:put_config", nil, a.configureAmphora},
		{put, "/amphorae/{id}/failover", "amphora:put_failover", nil, a.failOverAmphora},
	}
}

func (a *API) routes() []web.Route {
	routes := []web.Route{
		{Method: http.MethodGet, Path: "/{$}", Open: true, Handle: a.handle("", nil, a.versions)},
		{Method: http.MethodGet, Path: strings.TrimSuffix(openAPIPath, ".json"), Open: true, Handle: a.handle("", nil, a.describe)},
		{Method: http.MethodGet, Path: healthPath, Open: true, Handle: noHealth}, // whoever mounts the API may answer before it
		{Method: http.MethodHead, Path: healthPath, Open: true, Handle: noHealth},
	}
	rows := a.table()
	for _, root := range roots {
		routes = append(routes, web.Route{Method: http.MethodGet, Path: root, Handle: a.handle("", nil, a.version)})
		for _, row := range rows {
			routes = append(routes, route(a, root, row))
		}
		for _, row := range wholeCollections() {
			routes = append(routes, route(a, root, row))
		}
	}
	for _, root := range []string{"/v2/octavia", "/v2.0/octavia"} {
		routes = append(routes, web.Route{Method: http.MethodGet, Path: root, Handle: a.handle("", nil, a.version)})
		for _, row := range append(a.amphoraRows(), row{http.MethodDelete, "/amphorae", "", nil, missing("id")}) {
			routes = append(routes, route(a, root, row))
		}
	}
	return routes
}

func route(a *API, root string, r row) web.Route {
	return web.Route{Method: r.method, Path: root + r.path, Rule: r.rule, Handle: a.handle(r.rule, r.arguments, r.handle)}
}

// healthPath answers 404 here, and 405 to other methods: it is not the API's.
const healthPath = "/healthcheck"

func noHealth(context.Context, *web.Request) (web.Reply, error) { return web.Reply{}, web.NoSuchPath }

// notAllowed is for a path that only has others below it.
func notAllowed(context.Context, *request) (web.Reply, error) {
	return web.Reply{}, web.MethodNotAllowed
}

// wholeCollections are the answers to a PUT or a DELETE of a whole collection: Octavia misses the argument that would name one
// of it.
func wholeCollections() []row {
	var rows []row
	for _, c := range []struct{ path, put, del string }{
		{"/loadbalancers", "id", "id"}, {"/listeners", "id", "id"}, {"/pools", "id", "id"}, {"/pools/{pool}/members", "", "id"},
		{"/healthmonitors", "id", "id"}, {"/l7policies", "id", "id"}, {"/l7policies/{policy}/rules", "id", "id"},
		{"/ratelimitpolicies", "id", "id"}, {"/ratelimitpolicies/{policy}/rules", "id", "id"},
		{"/flavors", "id", "flavor_id"}, {"/flavorprofiles", "id", "flavor_profile_id"},
		{"/availabilityzones", "name", "availability_zone_name"},
		{"/availabilityzoneprofiles", "id", "availability_zone_profile_id"}, {"/quotas", "project_id", "project_id"},
	} {
		if c.put != "" { // a PUT of all members is the batch
			rows = append(rows, row{http.MethodPut, c.path, "", nil, missing(c.put)})
		}
		rows = append(rows, row{http.MethodDelete, c.path, "", nil, missing(c.del)})
	}
	return rows
}

func missing(argument string) handler {
	return func(context.Context, *request) (web.Reply, error) {
		return web.Reply{}, lbaas.Errorf(lbaas.Invalid, `Missing argument: "%s"`, argument)
	}
}
