package policy

import (
	"strings"
	"testing"

	"plimsoll/internal/identity"
)

// TestAllowed asks every rule for every role, in the object's project, in another one, and in the whole system.
func TestAllowed(t *testing.T) {
	const own, other, system = 1, 2, 4
	// what each role may, by building block: bits of own, other, system
	table := map[string]map[block]int{
		"admin": everything(own | other | system),
		"member": {
			read: own, readOrService: own, write: own, readQuota: own,
		},
		"reader": {
			read: own | system, readOrService: own | system, readGlobal: system, readQuota: own | system, readQuotaGlobal: system,
		},
		"load-balancer_admin":  everything(own | other | system),
		"load-balancer_member": {read: own, readOrService: own, write: own, readQuota: own},
		"load-balancer_observer": {
			read: own, readOrService: own, readQuota: own,
		},
		"load-balancer_global_observer": {
			read: own | other | system, readOrService: own | other | system, readGlobal: own | other | system,
			readQuota: own | other | system, readQuotaGlobal: own | other | system,
		},
		"load-balancer_quota_admin": {
			readQuota: own | other | system, readQuotaGlobal: own | other | system, writeQuota: own | other | system,
		},
		"service": {readOrService: own | other | system},
		"":        {},
	}
	scopes := map[int]*identity.Actor{
		own: {ProjectID: "p"}, other: {ProjectID: "q"}, system: {System: true},
	}
	for role, may := range table {
		for scope, actor := range scopes {
			a := *actor
			a.Roles = []string{role}
			for _, rule := range Rules() {
				want := may[rules[rule]]&scope != 0
				if got := allowed(&a, rule, "p"); got != want {
					t.Errorf("Allowed(%q of project %q, system %v, %s) = %v, want %v", role, a.ProjectID, a.System, rule, got, want)
				}
			}
		}
	}
}

func everything(scopes int) map[block]int {
	all := map[block]int{}
	for b := read; b <= readOrService; b++ {
		all[b] = scopes
	}
	return all
}

func TestAllowedRefuses(t *testing.T) {
	admin := &identity.Actor{Roles: []string{"admin"}}
	if allowed(admin, Prefix+"loadbalancer:explode", "p") {
		t.Error("an unknown rule is allowed")
	}
	if allowed(nil, Prefix+"loadbalancer:get_one", "p") {
		t.Error("nobody is allowed")
	}
	if allowed(&identity.Actor{Roles: []string{"member"}}, Prefix+"loadbalancer:post", "") {
		t.Error("a token without a project owns what belongs to nobody")
	}
}

func TestRulesHaveThePrefix(t *testing.T) {
	for _, name := range Rules() {
		if !strings.HasPrefix(name, Prefix) {
			t.Errorf("rule %s lacks the prefix", name)
		}
	}
}
