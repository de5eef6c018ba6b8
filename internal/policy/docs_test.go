package policy

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentedFiles takes the files of docs/policy.md at their word.
func TestDocumentedFiles(t *testing.T) {
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]grants{"admin-or-owner": adminOrOwner, "scoped": scopedRoles, "advanced": advanced}
	for i, block := range strings.Split(string(page), "```yaml\n# ")[1:] {
		text, _, _ := strings.Cut(block, "```")
		name, _, _ := strings.Cut(text, "\n")
		e := enforcer(t, Options{File: policyFile(t, "# "+text), EnforceScope: true, EnforceNewDefaults: name == "scoped"})
		for _, w := range e.Warnings() {
			t.Errorf("file %d, %s: %s", i, name, w)
		}
		if want, given := wanted[name]; given {
			wants(t, e, want, false)
		}
		if name == "projects-only" {
			wantsProjects(t, e)
			continue
		}
		delete(wanted, name)
	}
	for name := range wanted {
		t.Errorf("docs/policy.md lacks the file %s", name)
	}
}

// wantsProjects asks whether all is as by default, but for tokens of the system.
func wantsProjects(t *testing.T, e *Enforcer) {
	t.Helper()
	usual := Default()
	for _, rule := range Rules() {
		for scope, actor := range scopes {
			for _, role := range allRoles {
				actor.Roles = []string{role}
				want := scope != "system" && usual.Allowed(&actor, rule, "p")
				if got := e.Allowed(&actor, rule, "p"); got != want {
					t.Errorf("%s of %s, %s: %v, want %v", role, scope, rule, got, want)
				}
			}
		}
	}
}

// TestDocumentedBlocks looks for each building block in the table.
func TestDocumentedBlocks(t *testing.T) {
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if !strings.Contains(string(page), "`"+b.name+"`") {
			t.Errorf("docs/policy.md does not name %s", b.name)
		}
	}
}

// TestOctaviasFiles reads files as Octavia's operators have them: with helpers of their own, folded over lines, and in JSON.
func TestOctaviasFiles(t *testing.T) {
	for name, text := range map[string]string{
		"helpers": `
"boss": "role:admin and system_scope:all"
"context_is_admin": "rule:boss"
"load-balancer:admin": "is_admin:True or
                        rule:boss or
                        role:load-balancer_admin"
"sees": "is_admin:True or (role:reader and system_scope:all) or (role:reader and project_id:%(project_id)s)"
"load-balancer:read": "rule:sees"
"load-balancer:read-quota": "rule:sees"
"load-balancer:read-global": "is_admin:True or role:reader and system_scope:all"
"load-balancer:read-quota-global": "is_admin:True or role:reader and system_scope:all"
"load-balancer:write": "is_admin:True or role:member and project_id:%(project_id)s"
"load-balancer:write-quota": "is_admin:True"
`,
		"lists": `{
	"context_is_admin": [["role:admin", "system_scope:all"]],
	"load-balancer:admin": [["is_admin:True"], ["role:load-balancer_admin"]],
	"load-balancer:read": [["is_admin:True"], ["role:reader", "system_scope:all"], ["role:reader", "project_id:%(project_id)s"]],
	"load-balancer:read-quota": "rule:load-balancer:read",
	"load-balancer:read-global": [["is_admin:True"], ["role:reader", "system_scope:all"]],
	"load-balancer:read-quota-global": "rule:load-balancer:read-global",
	"load-balancer:write": [["is_admin:True"], ["role:member", "tenant_id:%(project_id)s"]],
	"load-balancer:write-quota": ["is_admin:True"]
}`,
	} {
		e := enforcer(t, Options{File: policyFile(t, text), EnforceScope: true, EnforceNewDefaults: true})
		if w := e.Warnings(); len(w) > 0 {
			t.Errorf("%s: %q", name, w)
		}
		wants(t, e, scopedRoles, false)
	}
}
