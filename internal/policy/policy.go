// Package policy says who may do what with load balancers: Octavia's rules, by the names that oslo.policy gives them.
// Two sets of roles hold at once, as they do in a deployment that has not enforced the new defaults: Keystone's default
// roles (admin, member, reader) and Octavia's own (load-balancer_*).
package policy

import "plimsoll/internal/identity"

// Prefix begins the name of every rule.
const Prefix = "os_load-balancer_api:"

// The building blocks that the rules point at.
type block int

const (
	read block = iota
	readGlobal
	write
	readQuota
	readQuotaGlobal
	writeQuota
	admin
	readOrService
)

// allowed tells whether the actor may do what the rule names to an object of the project. For lists over all projects
// ("…-global") and for what belongs to nobody, the project does not count. An unknown rule allows nothing.
func allowed(actor *identity.Actor, rule, projectID string) bool {
	b, known := rules[rule]
	if !known || actor == nil {
		return false
	}
	own := projectID != "" && actor.ProjectID == projectID
	if actor.Admin() || actor.Has("load-balancer_admin") {
		return true
	}
	switch b {
	case read:
		return reads(actor, own)
	case readOrService:
		return reads(actor, own) || actor.Has("service")
	case readGlobal:
		return readsAll(actor)
	case write:
		return own && writes(actor)
	case readQuota:
		return reads(actor, own) || actor.Has("load-balancer_quota_admin")
	case readQuotaGlobal:
		return readsAll(actor) || actor.Has("load-balancer_quota_admin")
	case writeQuota:
		return actor.Has("load-balancer_quota_admin")
	}
	return false
}

func reads(a *identity.Actor, own bool) bool {
	return readsAll(a) || own && (writes(a) || a.Has("reader") || a.Has("load-balancer_observer"))
}

// readsAll is Octavia's global observer, and a reader of the whole system.
func readsAll(a *identity.Actor) bool {
	return a.Has("load-balancer_global_observer") || a.System && a.Has("reader")
}

func writes(a *identity.Actor) bool { return a.Has("member") || a.Has("load-balancer_member") }

// Rules returns the names of all rules.
func Rules() []string {
	names := make([]string, 0, len(rules))
	for name := range rules {
		names = append(names, name)
	}
	return names
}

// rules is section 3 of the API's description.
var rules = table(
	map[block][]string{
		read: {
			"loadbalancer:get_all", "loadbalancer:get_one", "loadbalancer:get_stats", "loadbalancer:get_status",
			"listener:get_all", "listener:get_one", "listener:get_stats",
			"pool:get_all", "pool:get_one", "member:get_one", "healthmonitor:get_all", "healthmonitor:get_one",
			"l7policy:get_all", "l7policy:get_one", "l7rule:get_all", "l7rule:get_one",
			"provider:get_all", "flavor:get_all", "flavor:get_one",
			"availability-zone:get_all", "availability-zone:get_one",
		},
		readOrService: {"member:get_all"},
		readGlobal: {
			"loadbalancer:get_all-global", "listener:get_all-global", "pool:get_all-global",
			"healthmonitor:get_all-global", "l7policy:get_all-global",
		},
		write: {
			"loadbalancer:post", "loadbalancer:post:vip_sg_ids", "loadbalancer:put", "loadbalancer:put:vip_sg_ids", "loadbalancer:put_resize", "loadbalancer:delete",
			"listener:post", "listener:put", "listener:delete", "pool:post", "pool:put", "pool:delete",
			"member:post", "member:put", "member:delete", "healthmonitor:post", "healthmonitor:put", "healthmonitor:delete",
			"l7policy:post", "l7policy:put", "l7policy:delete", "l7rule:post", "l7rule:put", "l7rule:delete",
		},
		readQuota:       {"quota:get_all", "quota:get_one", "quota:get_defaults"},
		readQuotaGlobal: {"quota:get_all-global"},
		writeQuota:      {"quota:put", "quota:delete"},
		admin: {
			"loadbalancer:put_failover", "provider-flavor:get_all", "provider-availability-zone:get_all",
			"flavor:post", "flavor:put", "flavor:delete",
			"flavor-profile:get_all", "flavor-profile:get_one", "flavor-profile:post", "flavor-profile:put", "flavor-profile:delete",
			"availability-zone:post", "availability-zone:put", "availability-zone:delete",
			"availability-zone-profile:get_all", "availability-zone-profile:get_one", "availability-zone-profile:post",
			"availability-zone-profile:put", "availability-zone-profile:delete",
			"amphora:get_all", "amphora:get_one", "amphora:delete", "amphora:put_config", "amphora:put_failover", "amphora:get_stats",
		},
	})

func table(blocks map[block][]string) map[string]block {
	rules := map[string]block{}
	for b, names := range blocks {
		for _, name := range names {
			rules[Prefix+name] = b
		}
	}
	return rules
}
