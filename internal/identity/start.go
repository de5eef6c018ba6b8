package identity

import "slices"

// Start is what the first start makes.
type Start struct {
	Domain      Domain
	Projects    []Project
	Users       []User
	Roles       []Role
	Assignments []Assignment
}

// FirstStart returns the domain Default, the projects and users admin and demo, the roles, and who has which. The user admin is
// admin of its project and of the system; demo is a member of its project and uses load balancers there. newID makes ids.
func FirstStart(newID func() string, adminHash, demoHash string) Start {
	s := Start{Domain: Domain{ID: DefaultDomainID, Name: "Default", Description: "The default domain", Enabled: true}}
	for _, name := range RoleNames() {
		fixed := slices.Contains([]string{"admin", "member", "reader", "service"}, name)
		s.Roles = append(s.Roles, Role{ID: newID(), Name: name, Options: Options{Immutable: fixed}})
	}
	s.account(newID, "admin", "Administration of the cloud", adminHash, "admin")
	s.Assignments = append(s.Assignments, Assignment{s.Users[0].ID, System(), s.roleID("admin")})
	s.account(newID, "demo", "A project to try things in", demoHash, "member", "load-balancer_member")
	return s
}

// account adds a project and a user of one name, with roles.
func (s *Start) account(newID func() string, name, description, hash string, roles ...string) {
	p := Project{ID: newID(), DomainID: DefaultDomainID, ParentID: DefaultDomainID, Name: name, Description: description, Enabled: true}
	u := User{ID: newID(), DomainID: DefaultDomainID, Name: name, PasswordHash: hash, Enabled: true, DefaultProjectID: p.ID}
	s.Projects, s.Users = append(s.Projects, p), append(s.Users, u)
	for _, role := range roles {
		s.Assignments = append(s.Assignments, Assignment{u.ID, Scope{ProjectScope, p.ID}, s.roleID(role)})
	}
}

func (s *Start) roleID(name string) string {
	i := slices.IndexFunc(s.Roles, func(r Role) bool { return r.Name == name })
	return s.Roles[i].ID
}
