package barbican

import (
	"slices"

	"plimsoll/internal/identity"
	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// target is the object that a request is about, as far as rules ask for it.
type target struct {
	projectID, creatorID string
	acl                  keymanager.ACL
}

func targetOf(projectID, creatorID string, acl *keymanager.ACL) target {
	t := target{projectID, creatorID, keymanager.DefaultACL()}
	if acl != nil {
		t.acl = *acl
	}
	return t
}

// grant says whom a rule lets pass.
type grant struct {
	// roles may, in the project of the object, unless the object is private; its creator always may who has one of them.
	roles []string
	// byACL lets those users in, too, whom the object's ACL names.
	byACL bool
}

var (
	writers    = []string{"member", "creator"}
	decrypters = append(slices.Clone(writers), "observer")
	lookers    = append(slices.Clone(decrypters), "audit", "key-manager:service-admin")
)

// rules are Barbican's defaults, by its names: what the roles member and admin may since its release Wallaby, and what the older roles
// creator, observer and audit may. An admin may everything in the project, and nothing in another one.
var rules = map[string]grant{
	"secrets:get":     {roles: decrypters},
	"secrets:post":    {roles: writers},
	"secret:get":      {roles: lookers, byACL: true},
	"secret:decrypt":  {roles: decrypters, byACL: true},
	"secret:put":      {roles: writers},
	"secret:delete":   {roles: writers},
	"containers:get":  {roles: decrypters},
	"containers:post": {roles: writers},
	"container:get":   {roles: lookers, byACL: true},

	"container:delete":        {roles: writers},
	"container_secret:post":   {roles: writers},
	"container_secret:delete": {roles: writers},

	"secret_meta:get":    {roles: lookers, byACL: true},
	"secret_meta:post":   {roles: writers},
	"secret_meta:put":    {roles: writers},
	"secret_meta:delete": {roles: writers},

	"secret_acls:get":          {roles: decrypters},
	"secret_acls:put_patch":    {roles: writers},
	"secret_acls:delete":       {roles: writers},
	"container_acls:get":       {roles: decrypters},
	"container_acls:put_patch": {roles: writers},
	"container_acls:delete":    {roles: writers},

	"secret_consumers:get":       {roles: lookers, byACL: true},
	"secret_consumers:post":      {roles: writers, byACL: true},
	"secret_consumers:delete":    {roles: writers, byACL: true},
	"container_consumers:get":    {roles: lookers, byACL: true},
	"container_consumers:post":   {roles: writers, byACL: true},
	"container_consumers:delete": {roles: writers, byACL: true},
}

// allowed tells whether an actor may do what a rule names to an object. A rule that is not known allows nobody, and a token without a
// project nothing.
func allowed(a *identity.Actor, rule string, t target) bool {
	g, known := rules[rule]
	switch {
	case !known || a.ProjectID == "":
		return false
	case g.byACL && a.UserID != "" && slices.Contains(t.acl.Users, a.UserID):
		return true
	case a.ProjectID != t.projectID:
		return false
	case a.Admin():
		return true
	}
	owns := a.UserID != "" && a.UserID == t.creatorID
	return slices.ContainsFunc(g.roles, a.Has) && (owns || t.acl.ProjectAccess)
}

// allow refuses what the route's rule does not let the actor do.
func (r *request) allow(t target) error { return r.may(r.rule, t) }

func (r *request) may(rule string, t target) error {
	if allowed(r.Actor, rule, t) {
		return nil
	}
	return lbaas.Errorf(lbaas.Forbidden, "%s attempt not allowed - please review your user/project privileges", r.operation)
}

// allowOwn is allow for what is not about one object.
func (r *request) allowOwn() error {
	return r.allow(targetOf(r.Actor.ProjectID, r.Actor.UserID, nil))
}
