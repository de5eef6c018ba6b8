package avi

import (
	"maps"
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

// sharedAuthorities are the objects of other load balancers' authorities that a certificate refers to. They may have been kept for its sake
// alone.
func (j *job) sharedAuthorities(k key) []key {
	list, _ := j.known[k]["ca_certs"].([]any)
	var all []key
	for _, e := range list {
		entry, _ := e.(map[string]any)
		ca := key{translate.Certificate, refID(entry[caRef])}
		if authorityIn(e) != "" && j.known[ca] == nil {
			all = append(all, ca)
		}
	}
	return all
}

// isAuthority tells whether an object is that of an authority, which others of the tenant may refer to.
func isAuthority(o controller.Object) bool {
	name, _ := o["name"].(string)
	return strings.HasPrefix(name, translate.AuthorityName)
}
