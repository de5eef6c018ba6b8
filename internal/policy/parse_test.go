package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plimsoll/internal/identity"
)

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		" ":                                  "the rule is blank",
		"()":                                 `")" stands where a check should`,
		"and":                                `"and" stands where a check should`,
		"role:a or":                          "it ends where a check should stand",
		"role:a and or role:b":               `"or" stands where a check should`,
		"role:a role:b":                      `"role:b" stands where "and", "or" or the end should`,
		"role:a not role:b":                  `"not" stands where "and", "or" or the end should`,
		"not":                                "it ends where a check should stand",
		"(role:a":                            "a parenthesis is not closed",
		"(role:a role:b)":                    `"role:b" stands where "and", "or" or ")" should`,
		"role:a)":                            `")" stands where "and", "or" or the end should`,
		"not(role:a)":                        `"not(role" is neither the name of an attribute nor a literal`,
		"member":                             `"member" is no check`,
		"'role:a'":                           `"'role" is neither`,
		`"rule"`:                             "is no check",
		"'a':'a'":                            "must not be in quotation marks",
		`role:a or ("a":"b")`:                "must not be in quotation marks",
		"role:":                              "has nothing after the colon",
		":a":                                 `"" is neither`,
		"http://example.com/%(name)s":        "another server is not asked",
		"https://example.com":                "another server is not asked",
		"project_id:%(project_id)":           `"%" must begin`,
		"project_id:%(project_id)d":          `"%" must begin`,
		"project_id:%project_id":             `"%" must begin`,
		"project_id:%()s":                    `"%" must begin`,
		"role:a%":                            `"%" must begin`,
		"1.5:%(project_id)s":                 "is neither",
		`'it\'s':%(project_id)s`:             "is neither",
		strings.Repeat("not ", 70) + "@":     "nests deeper",
		strings.Repeat("( ", 1000) + "@":     "nests deeper",
		"role:a or (role:b and (role:c))) (": "stands where",
	} {
		if e, err := parseText(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bad %q: %v, %v, want %q", text, e, err, want)
		}
	}
	for _, lists := range [][][]string{
		{{"role:a or role:b"}}, {{"(role:a)"}}, {{"not role:a"}}, {{""}}, {{"role:a", "member"}}, {{"role:a)"}}, {{"and"}}, {{"'a':'a'"}},
	} {
		if e, err := parseList(lists); err == nil {
			t.Errorf("bad %q: %v", lists, e)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "@",
		"@":                                      "@",
		"!":                                      "!",
		"role:a":                                 "role:a",
		"  role:a\n\tOR role:b ":                 "role:a or role:b",
		"((role:a))":                             "role:a",
		"( ( role:a ) )":                         "role:a",
		"role:a or role:b and role:c":            "role:a or role:b and role:c",
		"role:a and role:b or role:c and role:d": "role:a and role:b or role:c and role:d",
		"(role:a or role:b) and role:c":          "(role:a or role:b) and role:c",
		"role:a or (role:b or role:c)":           "role:a or role:b or role:c",
		"(role:a and role:b) and (role:c)":       "role:a and role:b and role:c",
		"not role:a and role:b":                  "not role:a and role:b",
		"not (role:a and role:b)":                "not (role:a and role:b)",
		"not not role:a":                         "not not role:a",
		"role:a and not (role:b or not role:c)":  "role:a and not (role:b or not role:c)",
		"rule:load-balancer:read":                "rule:load-balancer:read",
		"(project_id:%(project_id)s)":            "project_id:%(project_id)s",
		"'Member':%(role.name)s":                 "'Member':%(role.name)s",
		"True:%(enabled)s or -1:%(n)s or None:%(x)s": "True:%(enabled)s or -1:%(n)s or None:%(x)s",
		"role:100%%": "role:100%%",
	} {
		if e, err := parseText(text); err != nil || e.String() != want {
			t.Errorf("parse %q: %v, %v, want %q", text, e, err, want)
		}
	}
	for want, lists := range map[string][][]string{
		"@":                            {},
		"!":                            {{}},
		"role:a":                       {{"role:a"}, {}},
		"role:a and role:b or role:c":  {{"role:a", "role:b"}, {"role:c"}},
		"rule:x or is_admin:True or !": {{"rule:x"}, {"is_admin:True"}, {"!"}},
		"project_id:%(project_id)s":    {{"project_id:%(project_id)s"}},
	} {
		if e, err := parseList(lists); err != nil || e.String() != want {
			t.Errorf("parse %q: %v, %v, want %q", lists, e, err, want)
		}
	}
}

// TestCheck asks rules of a file that are in the language's corners.
func TestCheck(t *testing.T) {
	member := identity.Actor{
		UserID: "u", UserName: "ada", UserDomainID: "ud", ProjectID: "p", ProjectName: "web", ProjectDomainID: "pd", Roles: []string{"Member", "p-boss"},
	}
	system := identity.Actor{UserID: "s", System: true, Roles: []string{"reader"}}
	everybody := []string{"member", "foreign", "system"}
	for _, test := range []struct {
		check string
		want  []string // of member of the project, member of another, and a reader of the system
	}{
		{"rule:nowhere", nil},
		{"not rule:nowhere", everybody},
		{"color:blue", nil},
		{"token.project.id:%(project_id)s", nil},
		{"user_id:%(user_id)s", nil}, // what a request is about has a project only, as with Octavia
		{"project_id:%(tenant_id)s", nil},
		{"", everybody},
		{"@", everybody},
		{"!", nil},
		{"not !", everybody},
		{"role:member", []string{"member", "foreign"}},
		{"role:MEMBER", []string{"member", "foreign"}},
		{"role:mem", nil},
		{"role:%(project_id)s-boss", []string{"member", "foreign"}},
		{"roles:Member", []string{"member", "foreign"}},
		{"roles:member", nil},
		{"not roles:Member", []string{"system"}},
		{"roles:%(project_id)s-boss", []string{"member", "foreign"}},
		{"project_id:%(project_id)s", []string{"member"}},
		{"tenant:%(project_id)s or tenant_id:nope", []string{"member"}},
		{"project_id:q", []string{"foreign"}},
		{"project_id:%(project_id)sx", nil},
		{"'p':%(project_id)s", everybody},
		{"'q':%(project_id)s", nil},
		{`"q":q`, everybody},
		{"'px':%(project_id)sx", everybody},
		{"True:True", everybody},
		{"system_scope:all", []string{"system"}},
		{"system_scope:None", []string{"member", "foreign"}},
		{"project_id:None", []string{"system"}},
		{"user_id:u and user:u and user_name:ada", []string{"member", "foreign"}},
		{"user_domain_id:ud and user_domain:ud and project_domain_id:pd and project_domain:pd and project_name:web", []string{"member", "foreign"}},
		{"domain_id:None and domain:None and is_admin_project:True", everybody},
		{"is_admin:True", []string{"system"}},
		{"is_admin:False", []string{"member", "foreign"}},
		{"rule:context_is_admin", []string{"system"}},
	} {
		e := enforcer(t, Options{File: policyFile(t, fmt.Sprintf("context_is_admin: role:reader\nload-balancer:read: %q\n", test.check))})
		foreign := member
		foreign.ProjectID = "q"
		var got []string
		for i, actor := range []identity.Actor{member, foreign, system} {
			if e.Allowed(&actor, Prefix+"pool:get_one", "p") {
				got = append(got, everybody[i])
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.check, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", " ", "@", "!", "role:a and not (role:b or @)", "project_id:%(project_id)s", "'a':%(b)s or rule:c:d", "((role:a)", "not not !", "AND", "a:%%",
	} {
		f.Add(text)
	}
	for _, d := range standards() {
		f.Add(d.text)
		f.Add(d.legacy)
	}
	actors := []*identity.Actor{
		{}, {ProjectID: "p", Roles: []string{"a", "b"}}, {ProjectID: "p", Roles: []string{"admin"}}, {System: true, Roles: []string{"reader"}},
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseText(text)
		if err != nil {
			return
		}
		again, err := parseText(e.String())
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, e, err)
		}
		if diff := cmp.Diff(e, again, cmp.AllowUnexported(expr{})); diff != "" {
			t.Fatalf("%q prints as %q, which means another thing:\n%s", text, e, diff)
		}
		set, err := combine(settings{fallback: "default"}, map[string]written{"x": {e, "x:1"}})
		if err != nil {
			if !strings.Contains(err.Error(), "leads back to itself") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, r := range set.rules {
			for _, a := range actors {
				r.Allows(a, "p")
			}
		}
	})
}
