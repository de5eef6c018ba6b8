package avitest

import (
	"fmt"
	"net/http"
	"reflect"
)

// patch answers PATCH: {"add": {...}, "replace": {...}, "delete": {...}}, one level deep.
func (m *model) patch(c call, kind *message, o *object, v version) (answer, error) {
	body, err := decode(c.Body)
	if err != nil {
		return answer{}, err
	}
	next := o.successor()
	next.data = map[string]any{}
	for k, e := range o.data {
		next.data[k] = e
	}
	if err := checkVerbs(body); err != nil {
		return answer{}, err
	}
	for _, verb := range []string{"delete", "replace", "add"} {
		if err := m.apply(verb, body[verb], kind, next, v); err != nil {
			return answer{}, err
		}
	}
	if err := checkOwner(next); err != nil {
		return answer{}, err
	}
	if err := m.whole(kind, next); err != nil {
		return answer{}, err
	}
	return m.update(c, o, next, v)
}

// checkVerbs refuses a PATCH that says nothing, or what is no verb.
func checkVerbs(body map[string]any) error {
	if len(body) == 0 {
		return &refusal{http.StatusBadRequest, "PATCH needs add, replace or delete"}
	}
	for _, verb := range sortedKeys(body) {
		if verb != "add" && verb != "replace" && verb != "delete" {
			return &refusal{http.StatusBadRequest, fmt.Sprintf("PATCH does not know %q", verb)}
		}
	}
	return nil
}

// apply applies one verb to an object's data.
func (m *model) apply(verb string, what any, kind *message, o *object, v version) error {
	if what == nil {
		return nil
	}
	in, ok := what.(map[string]any)
	if !ok {
		return wrong(verb, "Expected an object but got type %q.", typeName(what))
	}
	r := &reader{m: m, version: v, tenant: o.tenant, lenient: m.opts.Lenient, partial: true, loose: verb == "delete"}
	if verb == "delete" {
		return m.applyDelete(r, in, kind, o)
	}
	data, err := r.message(kind, in, "")
	if err != nil {
		return err
	}
	if verb == "replace" {
		clearEmpty(in, data, o)
	}
	for name, value := range data {
		f := kind.fields[name]
		if verb == "add" && f != nil && f.list {
			value = f.merged(o.data[name], value)
		}
		o.data[name] = value
	}
	return nil
}

// clearEmpty unsets what is replaced by nothing.
func clearEmpty(in, data map[string]any, o *object) {
	for name := range in {
		if data[name] == nil {
			delete(o.data, name)
		}
	}
}

// applyDelete removes entries of lists, and resets what is no list to its default.
func (m *model) applyDelete(r *reader, in map[string]any, kind *message, o *object) error {
	for _, name := range sortedKeys(in) {
		f, err := r.field(kind, name)
		if err != nil {
			return err
		}
		if f == nil || !f.list {
			delete(o.data, name)
			continue
		}
		list, ok := in[name].([]any)
		if !ok {
			return wrong(name, "Expected a list of items but got type %q.", typeName(in[name]))
		}
		unwanted, err := r.keysOf(f, list)
		if err != nil {
			return err
		}
		o.data[name] = f.without(o.data[name], unwanted)
		if o.data[name] == nil {
			delete(o.data, name)
		}
	}
	return nil
}

// keysOf reads the entries of a delete: their keys are enough.
func (r *reader) keysOf(f *field, list []any) ([]any, error) {
	var out []any
	for i, e := range list {
		v, err := r.single(f, e, fmt.Sprintf("%s[%d]", f.name, i))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// merged appends entries to a list, in place of those with the same keys. What an entry with the same key does not say is lost: nothing
// public tells whether controllers keep it, so clients had better not rely on it.
func (f *field) merged(have, add any) any {
	out, _ := copied(have).([]any)
	for _, e := range add.([]any) {
		if at := f.index(out, e); at >= 0 {
			out[at] = e
			continue
		}
		out = append(out, e)
	}
	return out
}

// without removes the entries with the same keys.
func (f *field) without(have any, unwanted []any) any {
	list, _ := have.([]any)
	var out []any
	for _, e := range list {
		if f.index(unwanted, e) < 0 {
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// index finds the entry with the same keys as e.
func (f *field) index(list []any, e any) int {
	for i, have := range list {
		if f.same(have, e) {
			return i
		}
	}
	return -1
}

func (f *field) same(a, b any) bool {
	x, ok := a.(map[string]any)
	y, also := b.(map[string]any)
	if !ok || !also || len(f.keys) == 0 {
		return reflect.DeepEqual(a, b)
	}
	for _, key := range f.keys {
		if !reflect.DeepEqual(x[key], y[key]) {
			return false
		}
	}
	return true
}

// whole checks what a PATCH left of an object: what is required, the defaults, how long lists are.
func (m *model) whole(kind *message, o *object) error {
	r := &reader{m: m, version: m.version}
	if err := r.finish(kind, o.data, ""); err != nil {
		return err
	}
	for name, f := range kind.fields {
		list, _ := o.data[name].([]any)
		if f.items[1] > 0 && len(list) > f.items[1] {
			return wrong(name, "Ensure this field has no more than %d elements.", f.items[1])
		}
	}
	return nil
}
