package octavia

import (
	"context"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// Certificates looks at what listeners and pools refer to: certificates with their keys, authorities, revocation lists.
type Certificates interface {
	// Check returns those of the references, in their order, that cannot be read for the project or are not what TLS needs.
	// An error says that nothing is known.
	Check(ctx context.Context, projectID string, refs []string) (bad []string, err error)
}

// AnyCertificate takes every reference at its word: nothing is read. It is for rehearsals.
type AnyCertificate struct{}

// Check finds nothing bad.
func (AnyCertificate) Check(context.Context, string, []string) ([]string, error) { return nil, nil }

// reference is an attribute that refers to certificates, and to which.
type reference struct {
	attribute string
	refs      []string
}

// listenerRefs are the references of a listener, in the order in which they are looked at.
func listenerRefs(l *lbaas.Listener) []reference {
	return []reference{
		{"sni_container_refs", l.SNIContainerRefs},
		{"default_tls_container_ref", []string{l.DefaultTLSContainerRef}},
		{"client_ca_tls_container_ref", []string{l.ClientCATLSContainerRef}},
		{"client_crl_container_ref", []string{l.ClientCRLContainerRef}},
	}
}

// poolRefs are the references of a pool.
func poolRefs(p *lbaas.Pool) []reference {
	return []reference{
		{"tls_container_ref", []string{p.TLSContainerRef}},
		{"ca_tls_container_ref", []string{p.CATLSContainerRef}},
		{"crl_container_ref", []string{p.CRLContainerRef}},
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

// checkNamed looks at the references that a request names; those that were there before stay as they are.
func (a *API) checkNamed(ctx context.Context, projectID string, f *form, all []reference) error {
	named := slices.DeleteFunc(all, func(r reference) bool { return !f.has(r.attribute) })
	return a.checkCertificates(ctx, projectID, named)
}

// checkCertificates looks at references; "" is none.
func (a *API) checkCertificates(ctx context.Context, projectID string, all []reference) error {
	var given []string
	for _, r := range all {
		given = append(given, r.refs...)
	}
	given = slices.DeleteFunc(given, func(ref string) bool { return ref == "" })
	if len(given) == 0 {
		return nil
	}
	bad := given
	if a.Certificates != nil {
		var err error
		if bad, err = a.Certificates.Check(ctx, projectID, given); err != nil {
			return err
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return lbaas.Errorf(lbaas.Invalid, "Could not retrieve certificate: ['%s']", strings.Join(bad, "', '"))
}
