package policy

import "slices"

// standard is a rule of ours as it is without an operator's.
type standard struct {
	name string
	text string // for Keystone's default roles: admin, member, reader
	// legacy is the rule for Octavia's own roles, load-balancer_*, which holds as well unless the new defaults are
	// enforced; "" where it never was another.
	legacy string
}

// blocks are the rules that others are built of. All but system-reader are Octavia's, by its names.
var blocks = []standard{
	{"context_is_admin", "role:admin", "role:admin or role:load-balancer_admin"},
	{"project-member", "role:member and project_id:%(project_id)s", ""},
	{"project-reader", "role:reader and project_id:%(project_id)s", ""},
	{"system-reader", "role:reader and system_scope:all", ""},
	{"load-balancer:owner", "project_id:%(project_id)s", ""},
	{"load-balancer:admin", "is_admin:True or role:admin", "is_admin:True or role:admin or role:load-balancer_admin"},
	{"load-balancer:global_observer", "role:admin or rule:system-reader", "role:load-balancer_global_observer"},
	{"load-balancer:member_and_owner", "rule:project-member", "role:load-balancer_member and rule:load-balancer:owner"},
	{"load-balancer:observer_and_owner", "rule:project-reader", "role:load-balancer_observer and rule:load-balancer:owner"},
	{"load-balancer:quota-admin", "role:admin", "role:load-balancer_quota_admin"},
	{"load-balancer:read", anyRule("observer_and_owner", "global_observer", "member_and_owner", "admin"), ""},
	{"load-balancer:read-global", anyRule("global_observer", "admin"), ""},
	{"load-balancer:write", anyRule("member_and_owner", "admin"), ""},
	{"load-balancer:read-quota", anyRule("observer_and_owner", "global_observer", "member_and_owner", "quota-admin", "admin"), ""},
	{"load-balancer:read-quota-global", anyRule("global_observer", "quota-admin", "admin"), ""},
	{"load-balancer:write-quota", anyRule("quota-admin", "admin"), ""},
}

func anyRule(names ...string) string {
	args := make([]*expr, len(names))
	for i, name := range names {
		args[i] = &expr{op: atom, kind: "rule", match: "load-balancer:" + name}
	}
	return join(or, args).String()
}

// actions are the rules that the API asks for, by the block that each is: section 3 of the API's description.
var actions = []struct {
	text  string
	names []string
}{
	{"rule:load-balancer:read", []string{
		"loadbalancer:get_all", "loadbalancer:get_one", "loadbalancer:get_stats", "loadbalancer:get_status",
		"listener:get_all", "listener:get_one", "listener:get_stats",
		"pool:get_all", "pool:get_one", "member:get_one", "healthmonitor:get_all", "healthmonitor:get_one",
		"l7policy:get_all", "l7policy:get_one", "l7rule:get_all", "l7rule:get_one",
		"ratelimitpolicy:get_all", "ratelimitpolicy:get_one", "ratelimitrule:get_all", "ratelimitrule:get_one",
		"provider:get_all", "flavor:get_all", "flavor:get_one",
		"availability-zone:get_all", "availability-zone:get_one",
	}},
	// Aodh, which scales by what it finds in a pool, has the role service only.
	{"rule:load-balancer:read or role:service", []string{"member:get_all"}},
	{"rule:load-balancer:read-global", []string{
		"loadbalancer:get_all-global", "listener:get_all-global", "pool:get_all-global",
		"healthmonitor:get_all-global", "l7policy:get_all-global", "ratelimitpolicy:get_all-global",
	}},
	{"rule:load-balancer:write", []string{
		"loadbalancer:post", "loadbalancer:post:vip_sg_ids", "loadbalancer:put", "loadbalancer:put:vip_sg_ids", "loadbalancer:put_resize", "loadbalancer:delete",
		"listener:post", "listener:put", "listener:delete", "pool:post", "pool:put", "pool:delete",
		"member:post", "member:put", "member:delete", "healthmonitor:post", "healthmonitor:put", "healthmonitor:delete",
		"l7policy:post", "l7policy:put", "l7policy:delete", "l7rule:post", "l7rule:put", "l7rule:delete",
		"ratelimitpolicy:post", "ratelimitpolicy:put", "ratelimitpolicy:delete",
		"ratelimitrule:post", "ratelimitrule:put", "ratelimitrule:delete",
	}},
	{"rule:load-balancer:read-quota", []string{"quota:get_all", "quota:get_one", "quota:get_defaults"}},
	{"rule:load-balancer:read-quota-global", []string{"quota:get_all-global"}},
	{"rule:load-balancer:write-quota", []string{"quota:put", "quota:delete"}},
	{"rule:load-balancer:admin", []string{
		"loadbalancer:put_failover", "provider-flavor:get_all", "provider-availability-zone:get_all",
		"flavor:post", "flavor:put", "flavor:delete",
		"flavor-profile:get_all", "flavor-profile:get_one", "flavor-profile:post", "flavor-profile:put", "flavor-profile:delete",
		"availability-zone:post", "availability-zone:put", "availability-zone:delete",
		"availability-zone-profile:get_all", "availability-zone-profile:get_one", "availability-zone-profile:post",
		"availability-zone-profile:put", "availability-zone-profile:delete",
		"amphora:get_all", "amphora:get_one", "amphora:delete", "amphora:put_config", "amphora:put_failover", "amphora:get_stats",
	}},
}

// Rules returns the names of all rules that the API asks for.
func Rules() []string {
	var names []string
	for _, group := range actions {
		for _, name := range group.names {
			names = append(names, Prefix+name)
		}
	}
	slices.Sort(names)
	return names
}

// standards are all rules of ours: the blocks in their order, then the API's by name.
func standards() []standard {
	all := slices.Clone(blocks)
	for _, group := range actions {
		for _, name := range group.names {
			all = append(all, standard{Prefix + name, group.text, ""})
		}
	}
	slices.SortFunc(all[len(blocks):], byName)
	return all
}
