package translate

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"plimsoll/lbaas"
)

// Tenant is the kind of the controller's tenants.
const Tenant = "tenant"

// UUID is the name that the controller has for the object of a kind which stands for one of ours: the kind and our id, dashed.
func UUID(kind, id string) string { return kind + "-" + dashed(id) }

// ID is what UUID was given: all after the kind.
func ID(uuid string) string {
	_, id, _ := strings.Cut(uuid, "-")
	return id
}

// PoolUUID is the UUID of the copy of a pool for an owner: a listener, or a child (ChildID).
func PoolUUID(poolID, ownerID string) string { return UUID(Pool, derive(poolID, ownerID)) }

// ChildID is the id part of the UUID of the child that serves a certificate container of a listener (SNI).
func ChildID(ref, listenerID string) string { return derive(containerID(ref), listenerID) }

// certificateUUID is the UUID of a load balancer's copy of a certificate.
func certificateUUID(ref, lbID string) string {
	return UUID(Certificate, derive(containerID(ref), lbID))
}

// AuthorityUUID is the UUID of a load balancer's copy of an authority's certificate, by the SHA-256 of that in lower-case hex.
func AuthorityUUID(fingerprint, lbID string) string {
	return UUID(Certificate, derive(lbID, fingerprint))
}

// derive is the UUIDv5 of a name among those of one of our ids. Containers of other key managers than Barbican may have ids
// that are no UUID; these are made one first.
func derive(namespace, name string) string {
	space, err := uuid.Parse(namespace)
	if err != nil {
		space = uuid.NewSHA1(uuid.NameSpaceOID, []byte(namespace))
	}
	return uuid.NewSHA1(space, []byte(dashed(name))).String()
}

// dashed is an id in the usual form: projects have ids without dashes. What is no UUID stays.
func dashed(id string) string {
	u, err := uuid.Parse(id)
	if err != nil {
		return id
	}
	return u.String()
}

// containerID is the id of the container or secret that a reference is of: its last path element.
func containerID(ref string) string {
	ref = strings.TrimRight(ref, "/")
	return dashed(ref[strings.LastIndexByte(ref, '/')+1:])
}

// owner is what copies of pools and of policies are made for: a listener, or one of its children.
type owner struct {
	id       string // of the listener, or ChildID
	listener *lbaas.Listener
	sni      string   // the reference to the certificate container of a child; "" is the listener itself
	domains  []string // those that lead to a child
}

// owners are the listener and its children, in the order in which virtual services are made. A name leads to the first child whose
// certificate has it: those that are left without any are not made, since Avi has one virtual service for a name.
func (t *translation) owners(l *lbaas.Listener) []owner {
	all := []owner{{id: dashed(l.ID), listener: l}}
	taken := map[string]bool{}
	for _, ref := range children(l) {
		names := t.names(ref)
		left := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return taken[name] })
		if len(left) == 0 && len(names) > 0 {
			continue
		}
		for _, name := range left {
			taken[name] = true
		}
		all = append(all, owner{ChildID(ref, l.ID), l, ref, left})
	}
	return all
}

// uuid is the UUID of the owner's object of a kind that an owner has one of.
func (o owner) uuid(kind string) string { return UUID(kind, o.id) }
