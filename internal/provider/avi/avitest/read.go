package avitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"unicode/utf8"
)

// longestName is how many characters a name may have.
const longestName = 255

// A reader turns what a client sent into an object's data: known fields of the right type, references as "/api/<kind>/<uuid>".
type reader struct {
	m       *model
	version version
	tenant  string // whose references are meant, a uuid
	lenient bool
	partial bool // a PATCH: what is required may be missing, nothing is filled in
	loose   bool // a PATCH's delete: references need not lead anywhere
}

// decode reads a JSON object.
func decode(body []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil || out == nil {
		return nil, &refusal{http.StatusBadRequest, "JSON parse error - expected an object"}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &refusal{http.StatusBadRequest, "JSON parse error - extra data"}
	}
	return out, sound(out, deepest)
}

// deepest is how far a body's values may nest: deeper than any object's do.
const deepest = 64

// sound refuses numbers that no number type holds, and values that nest too deep: both would be stored where any value may be, and break
// those who read them.
func sound(v any, depth int) error {
	var nested []any
	switch v := v.(type) {
	case json.Number:
		if _, err := v.Float64(); err != nil {
			return &refusal{http.StatusBadRequest, "JSON parse error - number out of range"}
		}
	case []any:
		nested = v
	case map[string]any:
		nested = slices.Collect(maps.Values(v))
	}
	if depth == 0 && len(nested) > 0 {
		return &refusal{http.StatusBadRequest, "JSON parse error - nested too deep"}
	}
	for _, e := range nested {
		if err := sound(e, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// wrong is a field's error; its text is JSON itself, as the controller's are.
func wrong(at, format string, a ...any) error {
	text, err := json.Marshal(map[string][]string{at: {fmt.Sprintf(format, a...)}})
	if err != nil {
		return err
	}
	return &refusal{http.StatusBadRequest, string(text)}
}

// message reads a message's fields, and fills in the defaults of those that are missing.
func (r *reader) message(msg *message, in map[string]any, at string) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range sortedKeys(in) {
		f, err := r.field(msg, name)
		if err != nil {
			return nil, err
		}
		if in[name] == nil || f == nil && !msg.loose {
			continue
		}
		if f == nil {
			out[name] = in[name]
			continue
		}
		if f.readOnly || f.ignored {
			continue
		}
		v, err := r.value(f, in[name], join(at, name))
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[name] = v
		}
	}
	if r.partial && at == "" {
		return out, nil
	}
	return out, r.finish(msg, out, at)
}

// field finds a field and refuses one that the version does not know. Nil says that it is ignored, or any field is taken.
func (r *reader) field(msg *message, name string) (*field, error) {
	f := msg.fields[name]
	if f == nil {
		if msg.loose || r.lenient {
			return nil, nil
		}
		return nil, &refusal{http.StatusBadRequest, fmt.Sprintf("Message type %q has no field named %q.", msg.name, name)}
	}
	if !f.since.known(r.version) {
		return nil, &refusal{http.StatusBadRequest, tooNew(r.version, name, f.since.latest())}
	}
	if f.until != nil && !r.version.before(*f.until) {
		return nil, &refusal{http.StatusBadRequest, fmt.Sprintf("Incoming request (%s) has field (%s) deprecated in version(%s).",
			r.version.underscored(), name, f.until.underscored())}
	}
	return f, nil
}

// tooNew is the controller's text for what a version does not know yet.
func tooNew(asked version, name string, brought version) string {
	return fmt.Sprintf("Incoming request (%s) has field (%s) introduced in later versions(%s).", asked.underscored(), name, brought.underscored())
}

// finish asks for what is required and fills in defaults.
func (r *reader) finish(msg *message, out map[string]any, at string) error {
	for _, name := range msg.order {
		f := msg.fields[name]
		if out[name] == nil && f.fallback != nil && !f.list && f.filled.known(r.m.version) {
			out[name] = f.fallback
		}
		if f.required && !f.readOnly && out[name] == nil && !r.loose {
			return wrong(join(at, name), "This field is required.")
		}
	}
	return nil
}

// value reads a field's value: nil where a list is empty, which controllers do not tell from none.
func (r *reader) value(f *field, in any, at string) (any, error) {
	if !f.list {
		return r.single(f, in, at)
	}
	list, ok := in.([]any)
	if !ok {
		return nil, wrong(at, "Expected a list of items but got type %q.", typeName(in))
	}
	if f.items[1] > 0 && len(list) > f.items[1] {
		return nil, wrong(at, "Ensure this field has no more than %d elements.", f.items[1])
	}
	var out []any
	for i, e := range list {
		v, err := r.single(f, e, fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func (r *reader) single(f *field, in any, at string) (any, error) {
	switch f.kind {
	case boolType:
		if b, ok := in.(bool); ok {
			return b, nil
		}
		return nil, wrong(at, "Expected a boolean but got type %q.", typeName(in))
	case intType:
		return f.number(in, at)
	case anyType:
		return in, nil
	case messageType:
		m, ok := in.(map[string]any)
		if !ok {
			return nil, wrong(at, "Expected an object but got type %q.", typeName(in))
		}
		return r.message(r.m.schema.messages[f.of], m, at)
	}
	s, ok := in.(string)
	if !ok {
		return nil, wrong(at, "Expected a string but got type %q.", typeName(in))
	}
	return r.text(f, s, at)
}

// text reads strings, values of enums and references.
func (r *reader) text(f *field, s, at string) (any, error) {
	switch {
	case f.kind == refType:
		return r.reference(f, s, at)
	case f.kind == enumType:
		since, ok := f.values[s]
		if !ok {
			return nil, wrong(at, "%q is not a valid choice.", s)
		}
		if !since.known(r.version) {
			return nil, &refusal{http.StatusBadRequest, tooNew(r.version, s, since.latest())}
		}
	case f.name == "name" && utf8.RuneCountInString(s) > longestName:
		return nil, wrong(at, "Ensure this field has no more than %d characters.", longestName)
	case f.required && s == "":
		return nil, wrong(at, "This field may not be blank.")
	}
	return s, nil
}

// number reads an integer within the field's range.
func (f *field) number(in any, at string) (any, error) {
	n, ok := in.(json.Number)
	if !ok {
		return nil, wrong(at, "Expected an integer but got type %q.", typeName(in))
	}
	i, err := n.Int64()
	if err != nil {
		return nil, wrong(at, "A valid integer is required.")
	}
	if f.bounded && (i < f.least || i > f.top) && !slices.Contains(f.also, i) {
		return nil, wrong(at, "Value %d is outside of the allowed range %d-%d.", i, f.least, f.top)
	}
	return i, nil
}

// typeName names a JSON value's type.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case json.Number:
		return "number"
	case string:
		return "str"
	case []any:
		return "list"
	default:
		return "dict"
	}
}

// join names a nested field.
func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
