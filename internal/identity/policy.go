package identity

// Target is whom a request is about, as far as a rule asks for it.
type Target struct {
	UserID    string
	ProjectID string
	DomainID  string
}

type check func(a *Actor, t Target) bool

// The rules are Keystone's defaults, by Keystone's names.
var rules = map[string]check{
	"identity:validate_token":        either(adminOrService, self),
	"identity:revoke_token":          either(admin, self),
	"identity:get_auth_catalog":      anybody,
	"identity:get_auth_projects":     anybody,
	"identity:get_auth_domains":      anybody,
	"identity:get_auth_system":       anybody,
	"identity:list_domains":          readsAll,
	"identity:get_domain":            either(readsAll, ownDomain),
	"identity:create_domain":         admin,
	"identity:update_domain":         admin,
	"identity:delete_domain":         admin,
	"identity:list_projects":         readsAll,
	"identity:get_project":           either(readsAll, ownProject),
	"identity:create_project":        admin,
	"identity:update_project":        admin,
	"identity:delete_project":        admin,
	"identity:list_users":            readsAll,
	"identity:get_user":              either(readsAll, self),
	"identity:create_user":           admin,
	"identity:update_user":           admin,
	"identity:delete_user":           admin,
	"identity:list_user_projects":    either(readsAll, self),
	"identity:list_groups_for_user":  either(readsAll, self),
	"identity:list_groups":           readsAll,
	"identity:create_group":          admin,
	"identity:list_roles":            readsAll,
	"identity:get_role":              readsAll,
	"identity:create_role":           admin,
	"identity:update_role":           admin,
	"identity:delete_role":           admin,
	"identity:list_implied_roles":    readsAll,
	"identity:list_role_inferences":  readsAll,
	"identity:list_role_assignments": readsAll,
	"identity:check_grant":           readsAll,
	"identity:list_grants":           readsAll,
	"identity:create_grant":          admin,
	"identity:revoke_grant":          admin,
	"identity:list_services":         readsAll,
	"identity:get_service":           readsAll,
	"identity:list_endpoints":        readsAll,
	"identity:get_endpoint":          readsAll,
	"identity:list_regions":          anybody,
	"identity:get_region":            anybody,

	"identity:list_application_credentials":  either(readsAll, self),
	"identity:get_application_credential":    either(readsAll, self),
	"identity:create_application_credential": both(self, unrestricted),
	"identity:delete_application_credential": both(either(admin, self), unrestricted),
}

// Allowed tells whether an actor may do what a rule names to a target. A rule that is not known allows nobody.
func Allowed(a *Actor, rule string, t Target) bool {
	c, ok := rules[rule]
	return ok && c(a, t)
}

func either(a, b check) check {
	return func(actor *Actor, t Target) bool { return a(actor, t) || b(actor, t) }
}

func both(a, b check) check {
	return func(actor *Actor, t Target) bool { return a(actor, t) && b(actor, t) }
}

func anybody(*Actor, Target) bool { return true }

func admin(a *Actor, _ Target) bool { return a.Admin() }

func adminOrService(a *Actor, _ Target) bool { return a.Admin() || a.Has("service") }

// readsAll lets those see everything who may change it, and the readers of the whole system.
func readsAll(a *Actor, _ Target) bool { return a.Admin() || (a.System && a.Has("reader")) }

func self(a *Actor, t Target) bool { return t.UserID != "" && a.UserID == t.UserID }

func ownProject(a *Actor, t Target) bool { return t.ProjectID != "" && a.ProjectID == t.ProjectID }

func ownDomain(a *Actor, t Target) bool {
	return t.DomainID != "" && (a.DomainID == t.DomainID || a.ProjectDomainID == t.DomainID)
}

func unrestricted(a *Actor, _ Target) bool { return !a.Restricted }
