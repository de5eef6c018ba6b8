package avi

import (
	"context"
	"maps"
	"slices"
	"strings"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
)

// Each load balancer has objects of its own for the authorities of its certificates. Some controllers have certificates refer to any object
// of the tenant with the same authority in it, though: that of another load balancer then lives for as long as one of ours refers to it.

// ownAuthorities is a certificate that refers to the objects that were made for its load balancer, whichever the controller put in
// their places.
func ownAuthorities(kind string, known controller.Object) controller.Object {
	list, _ := known["ca_certs"].([]any)
	m, marked := markOf(kind, known)
	if kind != translate.Certificate || len(list) == 0 || !marked {
		return known
	}
	own := make([]any, len(list))
	for i, e := range list {
		own[i] = e
		if fingerprint := authorityIn(e); fingerprint != "" {
			entry, _ := e.(map[string]any)
			entry = maps.Clone(entry)
			entry[caRef] = translate.Ref(translate.Certificate, translate.AuthorityUUID(fingerprint, m.lb))
			own[i] = entry
		}
	}
	known = maps.Clone(known)
	known["ca_certs"] = own
	return known
}

// caRef is the field of an entry of ca_certs that refers to the authority's object.
const caRef = "ca_ref"

// authorityIn is the fingerprint of the authority that an entry of ca_certs refers to, where the object is one of ours.
func authorityIn(e any) string {
	entry, _ := e.(map[string]any)
	text, _ := entry[caRef].(string)
	_, _, name := translate.ParseRef(text)
	rest, ours := strings.CutPrefix(name, translate.AuthorityName)
	if !ours || len(rest) < fingerprintLength {
		return ""
	}
	return rest[:fingerprintLength]
}

// fingerprintLength is that of a SHA-256 in hex.
const fingerprintLength = 64

// release deletes the authorities of load balancers that are gone, which were kept for the sake of a certificate that does not refer to
// them any more. Those of load balancers that are there are theirs to delete.
func (j *job) release(ctx context.Context, was, is controller.Object) error {
	still := authoritiesOf(is)
	for _, k := range authoritiesOf(was) {
		if slices.Contains(still, k) || j.known[k] != nil {
			continue
		}
		orphan, err := j.orphaned(ctx, k)
		if err != nil {
			return err
		}
		if !orphan {
			continue
		}
		if _, err := j.delete(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// authoritiesOf are the objects of authorities that a certificate refers to, whosever they are.
func authoritiesOf(o controller.Object) []key {
	list, _ := o["ca_certs"].([]any)
	var all []key
	for _, e := range list {
		if authorityIn(e) != "" {
			entry, _ := e.(map[string]any)
			all = append(all, key{translate.Certificate, refID(entry[caRef])})
		}
	}
	return all
}

// orphaned tells whether an object is of a load balancer that has no VsVip, and so is gone or wants nothing.
func (j *job) orphaned(ctx context.Context, k key) (bool, error) {
	o, err := j.fresh(ctx, k)
	if err != nil {
		return false, err
	}
	m, marked := markOf(k.kind, o)
	if !marked || m.lb == j.lb.ID {
		return marked, nil
	}
	anchor, err := j.fresh(ctx, key{translate.VsVip, translate.UUID(translate.VsVip, m.lb)})
	return anchor == nil && err == nil, err
}

// isAuthority tells whether an object is that of an authority, which others of the tenant may refer to.
func isAuthority(o controller.Object) bool {
	name, _ := o["name"].(string)
	return strings.HasPrefix(name, translate.AuthorityName)
}
