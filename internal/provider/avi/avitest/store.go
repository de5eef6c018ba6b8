package avitest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// stamp gives out the next _last_modified: microseconds since the epoch, always rising.
func (m *model) stamp() int64 {
	m.last = max(m.last+1, m.opts.Now().UnixMicro())
	return m.last
}

// put stores an object in place of its former self, and keeps the index of references.
func (m *model) put(o *object) {
	if m.objects[o.kind] == nil {
		m.objects[o.kind] = map[string]*object{}
	}
	m.unindex(m.objects[o.kind][o.uuid])
	m.objects[o.kind][o.uuid] = o
	for _, ref := range m.schema.references(m.schema.kinds[o.kind], o.data) {
		if m.referrers[ref] == nil {
			m.referrers[ref] = map[string]bool{}
		}
		m.referrers[ref][path(o.kind, o.uuid)] = true
	}
}

// forget removes an object and its part in the index.
func (m *model) forget(o *object) {
	m.unindex(o)
	delete(m.objects[o.kind], o.uuid)
}

func (m *model) unindex(o *object) {
	if o == nil {
		return
	}
	for _, ref := range m.schema.references(m.schema.kinds[o.kind], o.data) {
		delete(m.referrers[ref], path(o.kind, o.uuid))
		if len(m.referrers[ref]) == 0 {
			delete(m.referrers, ref)
		}
	}
}

// users are the objects of a kind that refer to one, oldest first.
func (m *model) users(o *object, kind string) []*object {
	var out []*object
	for ref := range m.referrers[path(o.kind, o.uuid)] {
		if u := m.objects[kindOf(ref)][uuidOf(ref)]; u != nil && (kind == "" || u.kind == kind) {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, byAge)
	return out
}

func byAge(a, b *object) int { return cmp.Compare(a.order, b.order) }

// commit stores what is wanted of an object if the controller's rules allow it; else all stays as it was.
func (m *model) commit(old, o *object) error {
	m.complete(o)
	m.put(o)
	if err := m.check(old, o); err != nil {
		m.forget(o)
		if old != nil {
			m.put(old)
		}
		return err
	}
	if !o.untouched {
		o.data["_last_modified"] = strconv.FormatInt(m.stamp(), 10)
	}
	o.writes++
	return nil
}

// clash refuses a name that another object of the tenant and kind has.
func (m *model) clash(o *object) error {
	for _, other := range m.objects[o.kind] {
		if other.uuid != o.uuid && other.tenant == o.tenant && other.data["name"] == o.data["name"] && o.data["name"] != nil {
			return &refusal{http.StatusConflict, m.label(o) + " with this Name and Tenant ref already exists."}
		}
	}
	return nil
}

// label is a kind's name in errors.
func (m *model) label(o *object) string { return m.schema.kinds[o.kind].name }

// sortedKeys are a map's keys in order, so that the same request always meets the same error.
func sortedKeys[V any](in map[string]V) []string { return slices.Sorted(maps.Keys(in)) }

// copied copies JSON data.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = copied(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copied(e)
		}
		return out
	default:
		return v
	}
}
