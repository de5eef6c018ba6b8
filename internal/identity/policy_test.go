package identity

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every rule is asked about by each of these actors, of something of their own (or of their project or domain) and of
// something foreign.
var actors = map[string]*Actor{
	"admin":         {UserID: "alice", ProjectID: "web", ProjectDomainID: "d", Roles: []string{"admin", "member", "reader"}},
	"system reader": {UserID: "alice", System: true, Roles: []string{"reader"}},
	"reader":        {UserID: "alice", ProjectID: "web", ProjectDomainID: "d", Roles: []string{"reader"}},
	"member":        {UserID: "alice", ProjectID: "web", ProjectDomainID: "d", Roles: []string{"member", "reader"}},
	"service":       {UserID: "alice", ProjectID: "web", ProjectDomainID: "d", Roles: []string{"service"}},
	"restricted":    {UserID: "alice", ProjectID: "web", ProjectDomainID: "d", Roles: []string{"admin", "member"}, Restricted: true},
	"unscoped":      {UserID: "alice"},
}

func TestRules(t *testing.T) {
	own, foreign := Target{"alice", "web", "d"}, Target{"bob", "db", "e"}
	everybody := []string{"admin", "member", "reader", "restricted", "service", "system reader", "unscoped"}
	admins, readers := []string{"admin", "restricted"}, []string{"admin", "restricted", "system reader"}
	scoped := []string{"admin", "member", "reader", "restricted", "service", "system reader"}
	type who struct{ Own, Foreign []string }
	want := map[string]who{
		"get_auth_catalog": {everybody, everybody}, "get_auth_projects": {everybody, everybody},
		"get_auth_domains": {everybody, everybody}, "get_auth_system": {everybody, everybody},
		"list_regions": {everybody, everybody}, "get_region": {everybody, everybody},
		"get_user": {everybody, readers}, "list_user_projects": {everybody, readers}, "list_groups_for_user": {everybody, readers},
		"list_application_credentials": {everybody, readers}, "get_application_credential": {everybody, readers},
		"create_application_credential": {[]string{"admin", "member", "reader", "service", "system reader", "unscoped"}, nil},
		"delete_application_credential": {[]string{"admin", "member", "reader", "service", "system reader", "unscoped"}, []string{"admin"}},
		"get_project":                   {scoped, readers}, "get_domain": {scoped, readers},
		"validate_token": {everybody, []string{"admin", "restricted", "service"}},
		"revoke_token":   {everybody, admins},
	}
	for _, noun := range []string{"domain", "project", "user", "role"} {
		for _, verb := range []string{"create", "update", "delete"} {
			want[verb+"_"+noun] = who{admins, admins}
		}
		want["list_"+noun+"s"] = who{readers, readers}
	}
	for _, rule := range []string{"create_group", "create_grant", "revoke_grant"} {
		want[rule] = who{admins, admins}
	}
	for _, rule := range []string{
		"get_role", "list_groups", "list_implied_roles", "list_role_inferences", "list_role_assignments", "check_grant", "list_grants",
		"list_services", "get_service", "list_endpoints", "get_endpoint",
	} {
		want[rule] = who{readers, readers}
	}
	got := map[string]who{}
	for rule := range rules {
		got[strings.TrimPrefix(rule, "identity:")] = who{allowed(rule, own), allowed(rule, foreign)}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who may (-want +got):\n%s", diff)
	}
	if names := allowed("identity:no_such_rule", own); names != nil {
		t.Errorf("an unknown rule allows %v", names)
	}
}

func allowed(rule string, target Target) (names []string) {
	for name, actor := range actors {
		if Allowed(actor, rule, target) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
