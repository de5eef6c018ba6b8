package identity

import (
	"slices"
	"time"
)

// Role is a name for what an actor may do.
type Role struct {
	ID          string
	Name        string
	Description string
	Options     Options
	CreatedAt   time.Time
}

// RoleNames are the roles that the first start makes.
func RoleNames() []string {
	return []string{
		"admin", "member", "reader", "service",
		"load-balancer_observer", "load-balancer_global_observer", "load-balancer_member",
		"load-balancer_admin", "load-balancer_quota_admin",
	}
}

// Implied returns the roles that a role brings with it, by name, the nearest first.
func Implied(name string) []string {
	switch name {
	case "admin":
		return []string{"member", "reader"}
	case "member":
		return []string{"reader"}
	}
	return nil
}

// Infers returns the roles that a role implies by itself, not through another one.
func Infers(name string) []string {
	if implied := Implied(name); len(implied) > 0 {
		return implied[:1]
	}
	return nil
}

// Expand adds the roles that names imply, without repeats, in the order in which they are met.
func Expand(names []string) []string {
	var all []string
	for _, name := range names {
		for _, role := range append([]string{name}, Implied(name)...) {
			if !slices.Contains(all, role) {
				all = append(all, role)
			}
		}
	}
	return all
}
