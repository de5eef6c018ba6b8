package avitest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A target is what a reference says: a kind and either a uuid or a name.
type target struct {
	kind, uuid, name, cloud string
}

// parseTarget reads a reference in any accepted form: a URL with or without "#name", "/api/<kind>/<uuid>", "/api/<kind>?name=<n>",
// "/api/<kind>/?name=<n>&cloud=<c>", and a bare uuid of the kind that is expected.
func parseTarget(s, expected string) (target, bool) {
	s, _, _ = strings.Cut(s, "#")
	at := strings.Index(s, "/api/")
	if at < 0 {
		return target{kind: expected, uuid: s}, s != "" && !strings.ContainsAny(s, "/?& ")
	}
	if at > 0 && !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return target{}, false
	}
	path, query, asked := strings.Cut(s[at+len("/api/"):], "?")
	kind, uuid, _ := strings.Cut(strings.TrimSuffix(path, "/"), "/")
	if !asked {
		return target{kind: kind, uuid: uuid}, uuid != "" && !strings.Contains(uuid, "/")
	}
	q, err := url.ParseQuery(query)
	if err != nil || uuid != "" || q.Get("name") == "" {
		return target{}, false
	}
	return target{kind: kind, name: q.Get("name"), cloud: q.Get("cloud")}, true
}

// path is how objects refer to one another inside of the model.
func path(kind, uuid string) string { return "/api/" + kind + "/" + uuid }

// split takes a stored reference apart.
func split(ref string) (kind, uuid string) {
	kind, uuid, _ = strings.Cut(strings.TrimPrefix(ref, "/api/"), "/")
	return kind, uuid
}

// reference resolves a reference to what its tenant sees.
func (r *reader) reference(f *field, s, at string) (any, error) {
	t, ok := parseTarget(s, f.of)
	if !ok || t.kind != f.of {
		return nil, wrong(at, "%q is no reference to an object of type %s.", s, r.m.schema.kinds[f.of].name)
	}
	o := r.m.find(t, r.tenant)
	if o != nil {
		return path(o.kind, o.uuid), nil
	}
	if r.loose && t.uuid != "" {
		return path(t.kind, t.uuid), nil
	}
	return nil, &refusal{http.StatusBadRequest, at + ": " + notFound(r.m.schema.kinds[f.of]) + ": " + s}
}

// notFound is what a dangling reference is refused with. "VrfContext not found" and "Network object not found" are texts that AKO knows.
func notFound(kind *message) string {
	if kind.path == "network" {
		return "Network object not found"
	}
	return kind.name + " not found"
}

// find looks for an object that a tenant sees.
func (m *model) find(t target, tenant string) *object {
	if t.name == "" {
		return m.findUUID(t, tenant)
	}
	var found *object
	for _, o := range m.objects[t.kind] {
		if o.data["name"] != t.name || !m.sees(tenant, o) || !m.inCloud(o, t.cloud) {
			continue
		}
		if found == nil || o.tenant == tenant { // its own before the administrator's
			found = o
		}
	}
	return found
}

func (m *model) findUUID(t target, tenant string) *object {
	o := m.objects[t.kind][t.uuid]
	if o == nil && t.kind == "network" { // OpenStack's networks are known by Neutron's ids
		o = m.network(t.uuid)
	}
	if o == nil || !m.sees(tenant, o) {
		return nil
	}
	return o
}

// inCloud tells whether an object is of the cloud of that name, where one is asked for.
func (m *model) inCloud(o *object, cloud string) bool {
	ref, _ := o.data["cloud_ref"].(string)
	return cloud == "" || ref == "" || m.name(ref) == cloud
}

// name is the name of what a stored reference leads to.
func (m *model) name(ref string) string {
	o := m.objects[kindOf(ref)][uuidOf(ref)]
	if o == nil {
		return ""
	}
	name, _ := o.data["name"].(string)
	return name
}

func kindOf(ref string) string {
	kind, _ := split(ref)
	return kind
}

func uuidOf(ref string) string {
	_, uuid := split(ref)
	return uuid
}

// follow returns what a field of an object refers to.
func (m *model) follow(o *object, field string) *object {
	ref, _ := o.data[field].(string)
	return m.objects[kindOf(ref)][uuidOf(ref)]
}

// followAll returns what a list of references of an object leads to.
func (m *model) followAll(o *object, field string) []*object {
	list, _ := o.data[field].([]any)
	var out []*object
	for _, e := range list {
		ref, _ := e.(string)
		if t := m.objects[kindOf(ref)][uuidOf(ref)]; t != nil {
			out = append(out, t)
		}
	}
	return out
}

// references lists what an object's data refer to, nested fields included.
func (s *schema) references(msg *message, data map[string]any) []string {
	var out []string
	for name, v := range data {
		f := msg.fields[name]
		if f == nil || f.kind != refType && f.kind != messageType {
			continue
		}
		for _, e := range entries(v) {
			if ref, ok := e.(string); ok && f.kind == refType {
				out = append(out, ref)
			}
			if nested, ok := e.(map[string]any); ok {
				out = append(out, s.references(s.messages[f.of], nested)...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// entries are a list's entries, or the one value.
func entries(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}
