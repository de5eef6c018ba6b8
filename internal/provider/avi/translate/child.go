package translate

import (
	"net/netip"
	"slices"
	"strings"

	"plimsoll/lbaas"
)

// children are the references to the certificates for names (SNI), each of which makes a child, once for each container.
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

// child adds what only children have. They listen where their parent does.
func (t *translation) child(o owner, owned map[string]any) {
	owned["type"] = "VS_TYPE_VH_CHILD"
	owned["vh_parent_vs_ref"] = Ref(VirtualService, UUID(VirtualService, o.listener.ID))
	owned["vh_domain_name"] = list(t.domains(o))
}

// domains are the names that lead to a child: those of its certificate, in Avi's words the same ("*.example.com"), except those that an
// earlier child of the listener has. One that is left without any keeps its own, and the controller judges.
func (t *translation) domains(o owner) []string {
	own := t.names(o.sni)
	taken := map[string]bool{}
	for _, ref := range children(o.listener) {
		if ref == o.sni {
			break
		}
		for _, name := range t.names(ref) {
			taken[name] = true
		}
	}
	left := slices.DeleteFunc(slices.Clone(own), func(name string) bool { return taken[name] })
	if len(left) == 0 {
		return own
	}
	return left
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
