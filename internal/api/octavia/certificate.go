package octavia

import (
	"context"
	"slices"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/keymanager"
	"plimsoll/lbaas"
)

// Certificates looks at what listeners and pools refer to: certificates with their keys, authorities, revocation lists.
type Certificates interface {
	// Check returns those of the references, in their order, that cannot be read by who asks or are not what TLS needs. An
	// error says that nothing is known.
	Check(ctx context.Context, by keymanager.Asker, refs []keymanager.Reference) (bad []keymanager.Refusal, err error)
}

// AnyCertificate takes every reference at its word: nothing is read. It is for rehearsals.
type AnyCertificate struct{}

// Check finds nothing bad.
func (AnyCertificate) Check(context.Context, keymanager.Asker, []keymanager.Reference) ([]keymanager.Refusal, error) {
	return nil, nil
}

// reference is an attribute that refers to secrets, to which, and what for.
type reference struct {
	attribute string
	use       keymanager.Use
	refs      []string
	signers   string // of a revocation list, the attribute of its authorities
	signedBy  string // and what that refers to
}

// listenerRefs are the references of a listener, in the order in which they are looked at.
func listenerRefs(l *lbaas.Listener) []reference {
	const ca = "client_ca_tls_container_ref"
	return []reference{
		{attribute: "sni_container_refs", refs: l.SNIContainerRefs},
		{attribute: "default_tls_container_ref", refs: []string{l.DefaultTLSContainerRef}},
		{attribute: ca, use: keymanager.Authorities, refs: []string{l.ClientCATLSContainerRef}},
		{"client_crl_container_ref", keymanager.Revocations, []string{l.ClientCRLContainerRef}, ca, l.ClientCATLSContainerRef},
	}
}

// poolRefs are the references of a pool.
func poolRefs(p *lbaas.Pool) []reference {
	const ca = "ca_tls_container_ref"
	return []reference{
		{attribute: "tls_container_ref", refs: []string{p.TLSContainerRef}},
		{attribute: ca, use: keymanager.Authorities, refs: []string{p.CATLSContainerRef}},
		{"crl_container_ref", keymanager.Revocations, []string{p.CRLContainerRef}, ca, p.CATLSContainerRef},
	}
}

// treeRefs are the references of all pools and listeners of a tree.
func treeRefs(lb *lbaas.LoadBalancer) []reference {
	var all []reference
	for _, p := range lb.Pools {
		all = append(all, poolRefs(p)...)
	}
	for _, l := range lb.Listeners {
		all = append(all, listenerRefs(l)...)
	}
	return all
}

// checkNamed looks at the references that a request names; those that were there before stay as they are. A revocation list is looked
// at when it gets other authorities, too.
func (a *API) checkNamed(ctx context.Context, by *identity.Actor, projectID string, f *form, all []reference) error {
	named := slices.DeleteFunc(all, func(r reference) bool { return !f.has(r.attribute) && (r.signers == "" || !f.has(r.signers)) })
	return a.checkCertificates(ctx, by, projectID, named)
}

// checkCertificates looks at references, on behalf of whoever is to have them; "" is none.
func (a *API) checkCertificates(ctx context.Context, by *identity.Actor, projectID string, all []reference) error {
	var given []keymanager.Reference
	seen := map[keymanager.Reference]bool{}
	for _, r := range all {
		for _, ref := range r.refs {
			one := keymanager.Reference{Ref: ref, Use: r.use, Signers: r.signedBy}
			if ref != "" && !seen[one] {
				seen[one] = true
				given = append(given, one)
			}
		}
	}
	if len(given) == 0 {
		return nil
	}
	bad, err := a.refusals(ctx, keymanager.Asker{ProjectID: projectID, UserID: by.UserID, Admin: by.Admin()}, given)
	if err != nil || len(bad) == 0 {
		return err
	}
	refs, reasons := make([]string, len(bad)), ""
	for i, b := range bad {
		refs[i] = b.Ref
		if b.Reason != "" && !strings.Contains(reasons, b.Reason) {
			reasons += " " + b.Reason
		}
	}
	return lbaas.Errorf(lbaas.Invalid, "Could not retrieve certificate: ['%s']%s", strings.Join(refs, "', '"), reasons)
}

// refusals are those references that are bad; where nobody reads them, all are.
func (a *API) refusals(ctx context.Context, by keymanager.Asker, given []keymanager.Reference) (bad []keymanager.Refusal, err error) {
	if a.Certificates != nil {
		return a.Certificates.Check(ctx, by, given)
	}
	for _, g := range given {
		bad = append(bad, keymanager.Refusal{Ref: g.Ref})
	}
	return bad, nil
}
