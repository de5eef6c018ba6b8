package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/identity"
)

// names says which building block each rule of the API is: section 3 of the API's description, line by line.
const names = `
loadbalancer get_all=read get_all-global=read-global post=write post:vip_sg_ids=write get_one=read put=write put:vip_sg_ids=write delete=write
loadbalancer get_stats=read get_status=read put_failover=admin put_resize=write
listener get_all=read get_all-global=read-global post=write get_one=read put=write delete=write get_stats=read
pool get_all=read get_all-global=read-global post=write get_one=read put=write delete=write
member get_all=read+service post=write get_one=read put=write delete=write
healthmonitor get_all=read get_all-global=read-global post=write get_one=read put=write delete=write
l7policy get_all=read get_all-global=read-global post=write get_one=read put=write delete=write
l7rule get_all=read post=write get_one=read put=write delete=write
ratelimitpolicy get_all=read get_all-global=read-global post=write get_one=read put=write delete=write
ratelimitrule get_all=read post=write get_one=read put=write delete=write
quota get_all=read-quota get_all-global=read-quota-global get_one=read-quota get_defaults=read-quota put=write-quota delete=write-quota
provider get_all=read
provider-flavor get_all=admin
provider-availability-zone get_all=admin
flavor get_all=read get_one=read post=admin put=admin delete=admin
flavor-profile get_all=admin get_one=admin post=admin put=admin delete=admin
availability-zone get_all=read get_one=read post=admin put=admin delete=admin
availability-zone-profile get_all=admin get_one=admin post=admin put=admin delete=admin
amphora get_all=admin get_one=admin delete=admin put_config=admin put_failover=admin get_stats=admin
`

// Who may do what, by block. "x" is whoever has the role x, "x+own" whoever has it in the object's project, "x+system" whoever
// has it in the system, and "+own" everybody in the project.
type grants map[string]string

var (
	defaultRoles = grants{
		"read":              "reader+own member+own admin reader+system",
		"read-global":       "admin reader+system",
		"write":             "member+own admin",
		"read-quota":        "reader+own member+own admin reader+system",
		"read-quota-global": "admin reader+system",
		"write-quota":       "admin",
		"admin":             "admin",
	}
	advanced = grants{
		"read":              "load-balancer_observer+own load-balancer_global_observer load-balancer_member+own load-balancer_admin admin",
		"read-global":       "load-balancer_global_observer load-balancer_admin admin",
		"write":             "load-balancer_member+own load-balancer_admin admin",
		"read-quota":        "load-balancer_observer+own load-balancer_global_observer load-balancer_member+own load-balancer_quota_admin load-balancer_admin admin",
		"read-quota-global": "load-balancer_global_observer load-balancer_quota_admin load-balancer_admin admin",
		"write-quota":       "load-balancer_quota_admin load-balancer_admin admin",
		"admin":             "load-balancer_admin admin",
	}
	adminOrOwner = grants{
		"read":              "admin load-balancer_admin +own",
		"read-global":       "admin load-balancer_admin",
		"write":             "admin load-balancer_admin +own",
		"read-quota":        "admin load-balancer_admin +own",
		"read-quota-global": "admin load-balancer_admin",
		"write-quota":       "admin load-balancer_admin",
		"admin":             "admin load-balancer_admin",
	}
	scopedRoles = grants{
		"read":              "admin+system reader+system reader+own",
		"read-global":       "admin+system reader+system",
		"write":             "admin+system member+own",
		"read-quota":        "admin+system reader+system reader+own",
		"read-quota-global": "admin+system reader+system",
		"write-quota":       "admin+system",
		"admin":             "admin+system load-balancer_admin",
	}
)

// both is what holds where either does.
func both(a, b grants) grants {
	sum := grants{}
	for block := range a {
		sum[block] = a[block] + " " + b[block]
	}
	return sum
}

// blockOf reads names.
func blockOf(t *testing.T) map[string]string {
	t.Helper()
	rules := map[string]string{}
	for line := range strings.Lines(names) {
		fields := strings.Fields(line)
		for i := 1; i < len(fields); i++ {
			action, block, found := strings.Cut(fields[i], "=")
			if !found {
				t.Fatalf("names: %q", fields[i])
			}
			rules[Prefix+fields[0]+":"+action] = block
		}
	}
	return rules
}

// has tells whether a list of grants covers an actor of one role.
func has(list, role, scope string) bool {
	return slices.ContainsFunc(strings.Fields(list), func(grant string) bool {
		wanted, where, _ := strings.Cut(grant, "+")
		return (wanted == "" || wanted == role) && (where == "" || where == scope)
	})
}

var (
	allRoles = []string{
		"admin", "member", "reader", "service", "load-balancer_member", "load-balancer_observer", "load-balancer_global_observer",
		"load-balancer_quota_admin", "load-balancer_admin", "somebody", "",
	}
	scopes = map[string]identity.Actor{
		"own": {ProjectID: "p"}, "foreign": {ProjectID: "q"}, "system": {System: true}, "domain": {DomainID: "p"}, "unscoped": {},
	}
)

// wants asks every rule for every role in every scope.
func wants(t *testing.T, e *Enforcer, want grants, domains bool) {
	t.Helper()
	for rule, block := range blockOf(t) {
		list := want[strings.TrimSuffix(block, "+service")]
		if strings.HasSuffix(block, "+service") {
			list += " service"
		}
		for scope, actor := range scopes {
			for _, role := range allRoles {
				actor.Roles = []string{"other", role}
				want := has(list, role, scope) && (domains || scope != "domain")
				if got := e.Allowed(&actor, rule, "p"); got != want {
					t.Errorf("%s of %s, %s: %v, want %v", role, scope, rule, got, want)
				}
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	wants(t, Default(), both(defaultRoles, advanced), false)
	wants(t, enforcer(t, Options{EnforceScope: true, EnforceNewDefaults: true}), defaultRoles, false)
	wants(t, enforcer(t, Options{}), both(defaultRoles, advanced), true)
}

func TestRulesAreThoseOfTheReference(t *testing.T) {
	want := []string{}
	for name := range blockOf(t) {
		want = append(want, name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, Rules()); diff != "" {
		t.Errorf("Rules() (-want +got):\n%s", diff)
	}
	if w := Default().Warnings(); len(w) > 0 {
		t.Errorf("the built-in rules: %q", w)
	}
}

func TestAllowedRefuses(t *testing.T) {
	e := Default()
	admin := &identity.Actor{Roles: []string{"admin"}}
	for _, rule := range []string{"", "loadbalancer:get_one", Prefix + "loadbalancer:explode", Prefix + "member:get_all-global", "default"} {
		if e.Allowed(admin, rule, "p") {
			t.Errorf("the unknown rule %q is allowed", rule)
		}
	}
	if e.Allowed(nil, Prefix+"loadbalancer:get_one", "p") {
		t.Error("nobody is allowed")
	}
	if e.Allowed(&identity.Actor{Roles: []string{"member"}}, Prefix+"loadbalancer:post", "") {
		t.Error("a token without a project owns what belongs to nobody")
	}
}

// TestRules shows where rules come from.
func TestRules(t *testing.T) {
	file := policyFile(t, "\"load-balancer:write\": \"rule:boss\"\nboss: role:boss and rule:load-balancer:owner\n")
	got := map[string]Rule{}
	for _, r := range enforcer(t, Options{File: file}).Rules() {
		r.check = nil
		got[r.Name] = r
	}
	for _, want := range []Rule{
		{Name: "load-balancer:write", Check: "rule:boss", From: file + ":1", Default: "rule:load-balancer:member_and_owner or rule:load-balancer:admin"},
		{Name: "boss", Check: "role:boss and rule:load-balancer:owner", From: file + ":2"},
		{Name: Prefix + "pool:put", Check: "rule:load-balancer:write", From: Builtin},
		{
			Name: "load-balancer:member_and_owner", From: Builtin,
			Check: "rule:project-member or role:load-balancer_member and rule:load-balancer:owner",
		},
	} {
		if diff := cmp.Diff(want, got[want.Name], cmp.AllowUnexported(Rule{}), cmp.FilterPath(func(p cmp.Path) bool {
			return p.String() == "check"
		}, cmp.Ignore())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Name, diff)
		}
	}
}

func BenchmarkAllowed(b *testing.B) {
	e, err := New(Options{File: "/does/not/exist", Dirs: []string{"/does/not/exist/either"}, EnforceScope: true})
	if err != nil {
		b.Fatal(err)
	}
	for name, actor := range map[string]*identity.Actor{
		"admin":   {ProjectID: "p", Roles: []string{"admin", "manager", "member", "reader"}},
		"member":  {ProjectID: "p", Roles: []string{"member", "reader"}},
		"refused": {ProjectID: "q", Roles: []string{"member", "reader", "load-balancer_member"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Allowed(actor, Prefix+"loadbalancer:put", "p")
			}
		})
	}
}

func TestAllowedAllocatesNothing(t *testing.T) {
	e := enforcer(t, Options{File: "/does/not/exist"})
	actor := &identity.Actor{ProjectID: "q", Roles: []string{"member", "reader", "load-balancer_member"}}
	if n := testing.AllocsPerRun(100, func() { e.Allowed(actor, Prefix+"loadbalancer:put", "p") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
