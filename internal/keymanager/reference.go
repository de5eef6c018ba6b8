package keymanager

import "strings"

// Reference is what a listener or pool refers to, and what for.
type Reference struct {
	Ref string
	Use Use
	// Signers is, of revocation lists, the reference to the authorities that must have signed them; "" asks for nothing.
	Signers string
}

// Asker is who comes to refer to a secret.
type Asker struct {
	ProjectID string // of the load balancer
	UserID    string
	Admin     bool
}

// Refusal is a reference that is of no use, and why: for users.
type Refusal struct {
	Ref, Reason string
}

// RefID is the id of the secret or container that a reference is of: its last path element.
func RefID(ref string) string {
	_, id := cut(ref)
	return id
}

// Kind is what a reference says that it is of: "secrets", "containers", or anything else, which says nothing.
func Kind(ref string) string {
	rest, _ := cut(ref)
	_, kind := cut(rest)
	return kind
}

// cut parts a path into its last element and what is before it.
func cut(path string) (rest, last string) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}
