package octavia

import (
	"net/http"

	"plimsoll/lbaas"
)

// documents says what each route of the table is for, by its method and path. A test keeps the two tables in step.
func (a *API) documents() map[string]document {
	all := map[string]document{}
	for _, some := range []map[string]document{
		loadBalancerDocuments(), listenerDocuments(), poolDocuments(), memberDocuments(), healthMonitorDocuments(),
		l7Documents(), rateLimitDocuments(), quotaDocuments(), providerDocuments(), flavorDocuments(), zoneDocuments(), amphoraDocuments(),
	} {
		for route, d := range some {
			all[route] = d
		}
	}
	return all
}

func loadBalancerDocuments() map[string]document {
	stats := answerOf[statsJSON]("stats")
	status := enveloped("statuses", answerOf[loadBalancerStatusJSON]("loadbalancer"))
	return map[string]document{
		"GET /loadbalancers": {summary: "List load balancers", status: http.StatusOK, list: true,
			answer: listOfAnswers[flatLoadBalancerJSON]("loadbalancers", "loadbalancers_links")},
		"POST /loadbalancers": {summary: "Create a load balancer, with its whole tree if need be", status: http.StatusCreated,
			request: bodyOf("load_balancer", "loadbalancer", true, describeNewTree), answer: answerOf[fullLoadBalancerJSON]("loadbalancer")},
		"GET /loadbalancers/{id}": {summary: "Show a load balancer", status: http.StatusOK, fields: true,
			answer: answerOf[flatLoadBalancerJSON]("loadbalancer")},
		"PUT /loadbalancers/{id}": {summary: "Change a load balancer", status: http.StatusOK,
			request: bodyOf("load_balancer", "loadbalancer", false, func(f *form) { readLoadBalancer(f, lbaas.NewLoadBalancer()) }),
			answer:  answerOf[flatLoadBalancerJSON]("loadbalancer")},
		"DELETE /loadbalancers/{id}":       {summary: "Delete a load balancer, with cascade its whole tree", status: http.StatusNoContent},
		"GET /loadbalancers/{id}/stats":    {summary: "Show a load balancer's counters", status: http.StatusOK, answer: stats},
		"GET /loadbalancers/{id}/status":   {summary: "Show the statuses of a load balancer's tree", status: http.StatusOK, answer: status},
		"GET /loadbalancers/{id}/statuses": {summary: "Show the statuses of a load balancer's tree", status: http.StatusOK, answer: status},
		"PUT /loadbalancers/{id}/failover": {summary: "Make the instances of a load balancer anew", status: http.StatusAccepted},
		"PUT /loadbalancers/{id}/resize": {summary: "Give a load balancer another flavor", status: http.StatusAccepted,
			request: requestSchema("resize", false, func(f *form) { readNewFlavor(f, new(string)) })},
	}
}

// describeNewTree reads what a POST of a load balancer reads.
func describeNewTree(f *form) {
	t := newTree{form: f, lb: lbaas.NewLoadBalancer()}
	_ = t.read() // the form notes what is read; there is nothing to refuse
}

func listenerDocuments() map[string]document {
	return map[string]document{
		"GET /listeners": {summary: "List listeners", status: http.StatusOK, list: true,
			answer: listOfAnswers[flatListenerJSON]("listeners", "listeners_links")},
		"POST /listeners": {summary: "Create a listener", status: http.StatusCreated,
			request: bodyOf("listener_", "listener", true, func(f *form) { readNewListener(f, lbaas.NewListener()) }),
			answer:  answerOf[flatListenerJSON]("listener")},
		"GET /listeners/{id}": {summary: "Show a listener", status: http.StatusOK, fields: true, answer: answerOf[flatListenerJSON]("listener")},
		"PUT /listeners/{id}": {summary: "Change a listener", status: http.StatusOK,
			request: bodyOf("listener_", "listener", false, func(f *form) { readListener(f, lbaas.NewListener()) }),
			answer:  answerOf[flatListenerJSON]("listener")},
		"DELETE /listeners/{id}":    {summary: "Delete a listener", status: http.StatusNoContent},
		"GET /listeners/{id}/stats": {summary: "Show a listener's counters", status: http.StatusOK, answer: answerOf[statsJSON]("stats")},
	}
}

func poolDocuments() map[string]document {
	return map[string]document{
		"GET /pools": {summary: "List pools", status: http.StatusOK, list: true,
			answer: listOfAnswers[flatPoolJSON]("pools", "pools_links")},
		"POST /pools": {summary: "Create a pool", status: http.StatusCreated,
			request: bodyOf("pool_", "pool", true, func(f *form) { readNewPool(f, lbaas.NewPool(), new(string)) }),
			answer:  answerOf[flatPoolJSON]("pool")},
		"GET /pools/{id}": {summary: "Show a pool", status: http.StatusOK, fields: true, answer: answerOf[flatPoolJSON]("pool")},
		"PUT /pools/{id}": {summary: "Change a pool", status: http.StatusOK,
			request: bodyOf("pool_", "pool", false, func(f *form) { readPool(f, lbaas.NewPool()) }),
			answer:  answerOf[flatPoolJSON]("pool")},
		"DELETE /pools/{id}": {summary: "Delete a pool with its members and its health monitor", status: http.StatusNoContent},
	}
}

func memberDocuments() map[string]document {
	batch := enveloped("members", &schema{Type: "array", Items: requestSchema("members_.members", true, func(f *form) { readMember(f, lbaas.NewMember()) })})
	return map[string]document{
		"GET /pools/{pool}/members": {summary: "List the members of a pool", status: http.StatusOK, list: true,
			answer: listOfAnswers[memberJSON]("members", "members_links")},
		"POST /pools/{pool}/members": {summary: "Add a member to a pool", status: http.StatusCreated,
			request: bodyOf("member_", "member", true, func(f *form) { readMember(f, lbaas.NewMember()) }), answer: answerOf[memberJSON]("member")},
		"PUT /pools/{pool}/members": {summary: "Make these the members of a pool", status: http.StatusAccepted, request: batch},
		"GET /pools/{pool}/members/{id}": {summary: "Show a member", status: http.StatusOK, fields: true,
			answer: answerOf[memberJSON]("member")},
		"PUT /pools/{pool}/members/{id}": {summary: "Change a member", status: http.StatusOK,
			request: bodyOf("member_", "member", false, func(f *form) { readMember(f, lbaas.NewMember()) }), answer: answerOf[memberJSON]("member")},
		"DELETE /pools/{pool}/members/{id}": {summary: "Take a member out of a pool", status: http.StatusNoContent},
	}
}

func healthMonitorDocuments() map[string]document {
	return map[string]document{
		"GET /healthmonitors": {summary: "List health monitors", status: http.StatusOK, list: true,
			answer: listOfAnswers[healthMonitorJSON]("healthmonitors", "healthmonitors_links")},
		"POST /healthmonitors": {summary: "Create a health monitor", status: http.StatusCreated,
			request: bodyOf("health_monitor_", "healthmonitor", true, func(f *form) { readNewHealthMonitor(f, lbaas.NewHealthMonitor()) }),
			answer:  answerOf[healthMonitorJSON]("healthmonitor")},
		"GET /healthmonitors/{id}": {summary: "Show a health monitor", status: http.StatusOK, fields: true,
			answer: answerOf[healthMonitorJSON]("healthmonitor")},
		"PUT /healthmonitors/{id}": {summary: "Change a health monitor", status: http.StatusOK,
			request: bodyOf("health_monitor_", "healthmonitor", false, func(f *form) { readHealthMonitor(f, lbaas.NewHealthMonitor()) }),
			answer:  answerOf[healthMonitorJSON]("healthmonitor")},
		"DELETE /healthmonitors/{id}": {summary: "Delete a health monitor", status: http.StatusNoContent},
	}
}

func l7Documents() map[string]document {
	policy, rule := answerOf[flatL7PolicyJSON]("l7policy"), answerOf[l7RuleJSON]("rule")
	readPolicy := func(f *form) { readL7Policy(f, lbaas.NewL7Policy()) }
	readRule := func(f *form) { readL7Rule(f, lbaas.NewL7Rule()) }
	return map[string]document{
		"GET /l7policies": {summary: "List L7 policies", status: http.StatusOK, list: true,
			answer: listOfAnswers[flatL7PolicyJSON]("l7policies", "l7policies_links")},
		"POST /l7policies": {summary: "Create an L7 policy", status: http.StatusCreated, answer: policy,
			request: bodyOf("l7policy_", "l7policy", true, readPolicy)},
		"GET /l7policies/{id}": {summary: "Show an L7 policy", status: http.StatusOK, fields: true, answer: policy},
		"PUT /l7policies/{id}": {summary: "Change an L7 policy", status: http.StatusOK, answer: policy,
			request: bodyOf("l7policy_", "l7policy", false, readPolicy)},
		"DELETE /l7policies/{id}": {summary: "Delete an L7 policy with its rules", status: http.StatusNoContent},
		"GET /l7policies/{policy}/rules": {summary: "List the rules of an L7 policy", status: http.StatusOK, list: true,
			answer: listOfAnswers[l7RuleJSON]("rules", "rules_links")},
		"POST /l7policies/{policy}/rules": {summary: "Add a rule to an L7 policy", status: http.StatusCreated, answer: rule,
			request: bodyOf("rule_", "rule", true, readRule)},
		"GET /l7policies/{policy}/rules/{id}": {summary: "Show a rule of an L7 policy", status: http.StatusOK, fields: true, answer: rule},
		"PUT /l7policies/{policy}/rules/{id}": {summary: "Change a rule of an L7 policy", status: http.StatusOK, answer: rule,
			request: bodyOf("l7rule_", "rule", false, readRule)},
		"DELETE /l7policies/{policy}/rules/{id}": {summary: "Take a rule out of an L7 policy", status: http.StatusNoContent},
	}
}

func rateLimitDocuments() map[string]document {
	policy, rule := answerOf[rateLimitPolicyJSON]("ratelimitpolicy"), answerOf[rateLimitRuleJSON]("rule")
	readPolicy := func(f *form) { readRateLimitPolicy(f, lbaas.NewRateLimitPolicy()) }
	readRule := func(f *form) { readRateLimitRule(f, lbaas.NewRateLimitRule()) }
	readNewRule := func(f *form) { readNewRateLimitRule(f, lbaas.NewRateLimitRule(), new(string)) }
	return map[string]document{
		"GET /ratelimitpolicies": {summary: "List rate-limit policies", status: http.StatusOK, list: true,
			answer: listOfAnswers[rateLimitPolicyJSON]("ratelimitpolicies", "ratelimitpolicies_links")},
		"POST /ratelimitpolicies": {summary: "Create a rate-limit policy", status: http.StatusCreated, answer: policy,
			request: bodyOf("ratelimitpolicy_", "ratelimitpolicy", true, readPolicy)},
		"GET /ratelimitpolicies/{id}": {summary: "Show a rate-limit policy", status: http.StatusOK, fields: true, answer: policy},
		"PUT /ratelimitpolicies/{id}": {summary: "Change a rate-limit policy", status: http.StatusOK, answer: policy,
			request: bodyOf("ratelimitpolicy_", "ratelimitpolicy", false, readPolicy)},
		"DELETE /ratelimitpolicies/{id}": {summary: "Delete a rate-limit policy with its rules", status: http.StatusNoContent},
		"GET /ratelimitpolicies/{policy}/rules": {summary: "List the rules of a rate-limit policy", status: http.StatusOK, list: true,
			answer: listOfAnswers[rateLimitRuleJSON]("rules", "rules_links")},
		"POST /ratelimitpolicies/{policy}/rules": {summary: "Add a rule to a rate-limit policy", status: http.StatusCreated, answer: rule,
			request: bodyOf("rule_", "rule", true, readNewRule)},
		"GET /ratelimitpolicies/{policy}/rules/{id}": {summary: "Show a rule of a rate-limit policy", status: http.StatusOK,
			fields: true, answer: rule},
		"PUT /ratelimitpolicies/{policy}/rules/{id}": {summary: "Change a rule of a rate-limit policy", status: http.StatusOK, answer: rule,
			request: bodyOf("rule_", "rule", false, readRule)},
		"DELETE /ratelimitpolicies/{policy}/rules/{id}": {summary: "Take a rule out of a rate-limit policy", status: http.StatusNoContent},
	}
}

func quotaDocuments() map[string]document {
	one := answerOf[quotaJSON]("quota")
	return map[string]document{
		"GET /quotas": {summary: "List the quotas that projects were given", status: http.StatusOK, list: true,
			answer: listOfAnswers[quotaJSON]("quotas", "quotas_links")},
		"GET /quotas/{project}":         {summary: "Show a project's quota; that of defaults is the deployment's", status: http.StatusOK, answer: one},
		"GET /quotas/{project}/default": {summary: "Show the default quota", status: http.StatusOK, answer: one},
		"PUT /quotas/{project}": {summary: "Give a project a quota", status: http.StatusAccepted, answer: one,
			request: bodyOf("quotas", "quota", false, func(f *form) { readQuota(f, &lbaas.Quota{}) })},
		"DELETE /quotas/{project}": {summary: "Give a project the default quota again", status: http.StatusAccepted},
	}
}

func providerDocuments() map[string]document {
	return map[string]document{
		"GET /providers": {summary: "List the providers", status: http.StatusOK, fields: true,
			answer: listOfAnswers[providerJSON]("providers", "")},
		"GET /providers/{name}/flavor_capabilities": {summary: "List what flavor profiles of a provider may say", status: http.StatusOK,
			fields: true, answer: listOfAnswers[providerJSON]("flavor_capabilities", "")},
		"GET /providers/{name}/availability_zone_capabilities": {summary: "List what availability zone profiles of a provider may say",
			status: http.StatusOK, fields: true, answer: listOfAnswers[providerJSON]("availability_zone_capabilities", "")},
		"GET /extensions": {summary: "List what this API has beyond Octavia's", status: http.StatusOK,
			answer: listOfAnswers[extensionJSON]("extensions", "")},
	}
}

func flavorDocuments() map[string]document {
	flavor, profile := answerOf[flavorJSON]("flavor"), answerOf[flavorProfileJSON]("flavorprofile")
	readOne := func(f *form) { readFlavor(f, &lbaas.Flavor{}) }
	readProfile := func(f *form) { readFlavorProfile(f, &lbaas.FlavorProfile{}) }
	return map[string]document{
		"GET /flavors": {summary: "List flavors", status: http.StatusOK, list: true,
			answer: listOfAnswers[flavorJSON]("flavors", "flavors_links")},
		"POST /flavors": {summary: "Create a flavor", status: http.StatusCreated, answer: flavor,
			request: bodyOf("flavor_", "flavor", true, readOne)},
		"GET /flavors/{id}": {summary: "Show a flavor", status: http.StatusOK, fields: true, answer: flavor},
		"PUT /flavors/{id}": {summary: "Change a flavor", status: http.StatusOK, answer: flavor,
			request: bodyOf("flavor_", "flavor", false, readOne)},
		"DELETE /flavors/{id}": {summary: "Delete a flavor that no load balancer has", status: http.StatusNoContent},
		"GET /flavorprofiles": {summary: "List flavor profiles", status: http.StatusOK, list: true,
			answer: listOfAnswers[flavorProfileJSON]("flavorprofiles", "flavorprofile_links")},
		"POST /flavorprofiles": {summary: "Create a flavor profile", status: http.StatusCreated, answer: profile,
			request: bodyOf("flavor_profile_", "flavorprofile", true, readProfile)},
		"GET /flavorprofiles/{id}": {summary: "Show a flavor profile", status: http.StatusOK, fields: true, answer: profile},
		"PUT /flavorprofiles/{id}": {summary: "Change a flavor profile", status: http.StatusOK, answer: profile,
			request: bodyOf("flavor_profile_", "flavorprofile", false, readProfile)},
		"DELETE /flavorprofiles/{id}": {summary: "Delete a flavor profile that no flavor uses", status: http.StatusNoContent},
	}
}

func zoneDocuments() map[string]document {
	zone, profile := answerOf[zoneJSON]("availability_zone"), answerOf[zoneProfileJSON]("availability_zone_profile")
	readOne := func(f *form) { readZone(f, &lbaas.AvailabilityZone{}) }
	readProfile := func(f *form) { readZoneProfile(f, &lbaas.AvailabilityZoneProfile{}) }
	return map[string]document{
		"GET /availabilityzones": {summary: "List availability zones", status: http.StatusOK, list: true,
			answer: listOfAnswers[zoneJSON]("availability_zones", "availability_zones_links")},
		"POST /availabilityzones": {summary: "Create an availability zone", status: http.StatusCreated, answer: zone,
			request: bodyOf("availability_zone_", "availability_zone", true, readOne)},
		"GET /availabilityzones/{name}": {summary: "Show an availability zone", status: http.StatusOK, fields: true, answer: zone},
		"PUT /availabilityzones/{name}": {summary: "Change an availability zone", status: http.StatusOK, answer: zone,
			request: bodyOf("availability_zone_", "availability_zone", false, readOne)},
		"DELETE /availabilityzones/{name}": {summary: "Delete an availability zone that no load balancer is in", status: http.StatusNoContent},
		"GET /availabilityzoneprofiles": {summary: "List availability zone profiles", status: http.StatusOK, list: true,
			answer: listOfAnswers[zoneProfileJSON]("availability_zone_profiles", "availability_zone_profile_links")},
		"POST /availabilityzoneprofiles": {summary: "Create an availability zone profile", status: http.StatusCreated, answer: profile,
			request: bodyOf("availability_zone_profile_", "availability_zone_profile", true, readProfile)},
		"GET /availabilityzoneprofiles/{id}": {summary: "Show an availability zone profile", status: http.StatusOK, fields: true, answer: profile},
		"PUT /availabilityzoneprofiles/{id}": {summary: "Change an availability zone profile", status: http.StatusOK, answer: profile,
			request: bodyOf("availability_zone_profile_", "availability_zone_profile", false, readProfile)},
		"DELETE /availabilityzoneprofiles/{id}": {summary: "Delete an availability zone profile that no zone uses", status: http.StatusNoContent},
	}
}

func amphoraDocuments() map[string]document {
	return map[string]document{
		"GET /amphorae": {summary: "List the instances of load balancers", status: http.StatusOK, list: true,
			answer: listOfAnswers[amphoraJSON]("amphorae", "amphorae_links")},
		"GET /amphorae/{id}":    {summary: "Show an instance", status: http.StatusOK, fields: true, answer: answerOf[amphoraJSON]("amphora")},
		"DELETE /amphorae/{id}": {summary: "Forget an instance that is in ERROR", status: http.StatusNoContent},
		"GET /amphorae/{id}/stats": {summary: "Show an instance's counters, by listener", status: http.StatusOK,
			answer: listOfAnswers[amphoraStatsJSON]("amphora_stats", "")},
		"PUT /amphorae/{id}/config":   {summary: "Give an instance its configuration again", status: http.StatusAccepted},
		"PUT /amphorae/{id}/failover": {summary: "Make an instance anew", status: http.StatusAccepted},
	}
}
