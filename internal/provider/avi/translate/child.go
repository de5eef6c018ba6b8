package translate

import (
	"net/netip"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// children are the references to the certificates for names (SNI), one for each container.
func children(l *lbaas.Listener) []string {
	if l.Protocol != lbaas.TerminatedHTTPS {
		return nil
	}
	var refs, ids []string
	for _, ref := range l.SNIContainerRefs {
		if id := containerID(ref); !slices.Contains(ids, id) {
			refs, ids = append(refs, ref), append(ids, id)
		}
	}
	return refs
}

// child adds what only children have. They listen where their parent does, for clients that ask for one of their domains: names of their
// certificates mean the same to Avi ("*.example.com").
func (t *translation) child(o owner, owned map[string]any) {
	owned["type"] = "VS_TYPE_VH_CHILD"
	owned["vh_parent_vs_ref"] = Ref(VirtualService, UUID(VirtualService, o.listener.ID))
	owned["vh_domain_name"] = list(o.domains)
}

// names are the DNS names of a certificate in lower case, or its common name where it has none: clients do not ask for addresses.
func (t *translation) names(ref string) []string {
	m := t.material(ref)
	if m == nil {
		return nil
	}
	var names []string
	for _, name := range m.Names {
		name = strings.ToLower(name)
		if _, err := netip.ParseAddr(name); err != nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return names
	}
	if cn := t.subject(ref); cn != "" {
		return []string{strings.ToLower(cn)}
	}
	return nil
}

// commonName is what a child is called after: the common name of its certificate, else the first of its names, else the container.
func (t *translation) commonName(ref string) string {
	if cn := t.subject(ref); cn != "" {
		return cn
	}
	if names := t.names(ref); len(names) > 0 {
		return names[0]
	}
	return containerID(ref)
}

// list is a list of texts in the form of JSON.
func list(texts []string) []any {
	all := make([]any, len(texts))
	for i, s := range texts {
		all[i] = s
	}
	return all
}
