package neutronlbaas

import (
	"net/http"
	"strings"

	"plimsoll/internal/web"
)

// root is what all paths begin with, but for those of agents.
const root = "/v2.0/lbaas"

// Serves tells whether a path of the network service, without what that is mounted under, is one of this API's.
func Serves(path string) bool {
	if path == root || strings.HasPrefix(path, root+"/") || path == root+".json" {
		return true
	}
	return strings.HasPrefix(path, "/v2.0/agents/") && strings.HasSuffix(strings.TrimSuffix(path, ".json"), "/agent-loadbalancers")
}

// routes is the whole API. Rules are Octavia's, without policy.Prefix.
func (a *api) routes() []web.Route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	lbs, listeners, pools, members := a.loadBalancers(), a.listeners(), a.pools(), a.members()
	monitors, policies, rules := a.healthMonitors(), a.l7Policies(), a.l7Rules()
	rows := []web.Route{
		{Method: get, Path: root + "/loadbalancers", Rule: "loadbalancer:get_all", Handle: lbs.handleList},
		{Method: post, Path: root + "/loadbalancers", Rule: "loadbalancer:post", Handle: lbs.handleCreate},
		{Method: get, Path: root + "/loadbalancers/{id}", Rule: "loadbalancer:get_one", Handle: lbs.handleShow},
		{Method: put, Path: root + "/loadbalancers/{id}", Rule: "loadbalancer:put", Handle: lbs.handleUpdate},
		{Method: del, Path: root + "/loadbalancers/{id}", Rule: "loadbalancer:delete", Handle: lbs.handleDelete},
		{Method: get, Path: root + "/loadbalancers/{id}/stats", Rule: "loadbalancer:get_stats", Handle: a.stats},
		{Method: get, Path: root + "/loadbalancers/{id}/statuses", Rule: "loadbalancer:get_status", Handle: a.statuses},
		{Method: get, Path: root + "/loadbalancers/{id}/loadbalancer-hosting-agent", Rule: "amphora:get_all", Handle: a.hostingAgent},
		{Method: get, Path: "/v2.0/agents/{id}/agent-loadbalancers", Rule: "amphora:get_all", Handle: a.loadBalancersOnAgent},
		{Method: post, Path: root + "/graphs", Rule: "loadbalancer:post", Handle: a.createGraph},

		{Method: get, Path: root + "/listeners", Rule: "listener:get_all", Handle: listeners.handleList},
		{Method: post, Path: root + "/listeners", Rule: "listener:post", Handle: listeners.handleCreate},
		{Method: get, Path: root + "/listeners/{id}", Rule: "listener:get_one", Handle: listeners.handleShow},
		{Method: put, Path: root + "/listeners/{id}", Rule: "listener:put", Handle: listeners.handleUpdate},
		{Method: del, Path: root + "/listeners/{id}", Rule: "listener:delete", Handle: listeners.handleDelete},

		{Method: get, Path: root + "/pools", Rule: "pool:get_all", Handle: pools.handleList},
		{Method: post, Path: root + "/pools", Rule: "pool:post", Handle: pools.handleCreate},
		{Method: get, Path: root + "/pools/{id}", Rule: "pool:get_one", Handle: pools.handleShow},
		{Method: put, Path: root + "/pools/{id}", Rule: "pool:put", Handle: pools.handleUpdate},
		{Method: del, Path: root + "/pools/{id}", Rule: "pool:delete", Handle: pools.handleDelete},

		{Method: get, Path: root + "/pools/{parent}/members", Rule: "member:get_all", Handle: members.handleList},
		{Method: post, Path: root + "/pools/{parent}/members", Rule: "member:post", Handle: members.handleCreate},
		{Method: get, Path: root + "/pools/{parent}/members/{id}", Rule: "member:get_one", Handle: members.handleShow},
		{Method: put, Path: root + "/pools/{parent}/members/{id}", Rule: "member:put", Handle: members.handleUpdate},
		{Method: del, Path: root + "/pools/{parent}/members/{id}", Rule: "member:delete", Handle: members.handleDelete},

		{Method: get, Path: root + "/healthmonitors", Rule: "healthmonitor:get_all", Handle: monitors.handleList},
		{Method: post, Path: root + "/healthmonitors", Rule: "healthmonitor:post", Handle: monitors.handleCreate},
		{Method: get, Path: root + "/healthmonitors/{id}", Rule: "healthmonitor:get_one", Handle: monitors.handleShow},
		{Method: put, Path: root + "/healthmonitors/{id}", Rule: "healthmonitor:put", Handle: monitors.handleUpdate},
		{Method: del, Path: root + "/healthmonitors/{id}", Rule: "healthmonitor:delete", Handle: monitors.handleDelete},

		{Method: get, Path: root + "/l7policies", Rule: "l7policy:get_all", Handle: policies.handleList},
		{Method: post, Path: root + "/l7policies", Rule: "l7policy:post", Handle: policies.handleCreate},
		{Method: get, Path: root + "/l7policies/{id}", Rule: "l7policy:get_one", Handle: policies.handleShow},
		{Method: put, Path: root + "/l7policies/{id}", Rule: "l7policy:put", Handle: policies.handleUpdate},
		{Method: del, Path: root + "/l7policies/{id}", Rule: "l7policy:delete", Handle: policies.handleDelete},

		{Method: get, Path: root + "/l7policies/{parent}/rules", Rule: "l7rule:get_all", Handle: rules.handleList},
		{Method: post, Path: root + "/l7policies/{parent}/rules", Rule: "l7rule:post", Handle: rules.handleCreate},
		{Method: get, Path: root + "/l7policies/{parent}/rules/{id}", Rule: "l7rule:get_one", Handle: rules.handleShow},
		{Method: put, Path: root + "/l7policies/{parent}/rules/{id}", Rule: "l7rule:put", Handle: rules.handleUpdate},
		{Method: del, Path: root + "/l7policies/{parent}/rules/{id}", Rule: "l7rule:delete", Handle: rules.handleDelete},
	}
	return rows
}
