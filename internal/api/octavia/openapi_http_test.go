package octavia_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// contract is the OpenAPI document as a server gives it. Every test of this package that sends a request checks what was
// accepted and what was answered against it.
type contract struct {
	paths   map[*regexp.Regexp]object
	schemas object
}

func (c *cloud) readContract() *contract {
	c.t.Helper()
	a := c.do(http.MethodGet, "/load-balancer/openapi.json", nil)
	if a.code != http.StatusOK {
		c.t.Fatalf("GET openapi.json: %d %s", a.code, a.raw)
	}
	doc := &contract{paths: map[*regexp.Regexp]object{}, schemas: at(a.body, "components", "schemas")}
	parameter := regexp.MustCompile(`\\\{[a-z]+\\\}`)
	for path, operations := range at(a.body, "paths") {
		pattern := parameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+")
		doc.paths[regexp.MustCompile("^"+pattern+"$")] = operations.(object)
	}
	return doc
}

// at follows keys down a document.
func at(o object, keys ...string) object {
	for _, k := range keys {
		o, _ = o[k].(object)
	}
	return o
}

// aliases of the paths that the document has.
var otherRoots = regexp.MustCompile(`^(/load-balancer)?/v2(\.0)?(/lbaas)?/`)

// operation finds what the document says of a request; nil where it says nothing.
func (d *contract) operation(method, path string) object {
	path, _, _ = strings.Cut(path, "?")
	path = strings.TrimSuffix(strings.TrimSuffix(path, ".json"), "/")
	rest := otherRoots.ReplaceAllString(path, "")
	path = "/v2/lbaas/" + rest
	if strings.HasPrefix(rest, "octavia/") {
		path = "/v2/" + rest
	}
	for pattern, operations := range d.paths {
		if pattern.MatchString(path) {
			if o := at(operations, strings.ToLower(method)); o != nil {
				return o
			}
		}
	}
	return nil
}

// agree checks a request that was accepted, and its answer.
func (d *contract) agree(t testing.TB, method, path string, sent any, a answer) {
	t.Helper()
	o := d.operation(method, path)
	if o == nil || method == http.MethodHead {
		return
	}
	if a.code >= http.StatusBadRequest {
		if a.code != http.StatusUnauthorized { // which speaks Keystone's language
			d.check(t, method+" "+path, object{"$ref": "#/components/schemas/fault"}, a.body, true)
		}
		return
	}
	content := at(o, "responses", strconv.Itoa(a.code))
	if content == nil {
		t.Errorf("%s %s: the answer %d is not in the document", method, path, a.code)
		return
	}
	if schema := at(content, "content", "application/json", "schema"); schema != nil {
		d.check(t, method+" "+path, schema, a.body, !strings.Contains(path, "fields="))
	} else if a.raw != "" {
		t.Errorf("%s %s: the document has no body for %d, the answer has %s", method, path, a.code, a.raw)
	}
	if body, err := json.Marshal(sent); err == nil && sent != nil {
		if text, ok := sent.(string); ok {
			body = []byte(text)
		}
		var value any
		_ = json.Unmarshal(body, &value)
		d.named(t, method+" "+path, at(o, "requestBody", "content", "application/json", "schema"), value)
	}
}

// check checks a value against a schema. Where an answer was cut to some fields, none is required.
func (d *contract) check(t testing.TB, where string, schema object, value any, whole bool) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = at(d.schemas, strings.TrimPrefix(ref, "#/components/schemas/"))
	}
	if !typed(schema["type"], value) {
		t.Errorf("%s: %v is not of type %v", where, value, schema["type"])
		return
	}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			d.check(t, fmt.Sprintf("%s[%d]", where, i), at(schema, "items"), item, whole)
		}
	case object:
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok && whole {
				t.Errorf("%s: %v is missing in %v", where, name, slices.Sorted(maps.Keys(v)))
			}
		}
		for name, item := range v {
			property := propertyOf(schema, name)
			if property == nil {
				t.Errorf("%s: the document does not know %s", where, name)
				continue
			}
			d.check(t, where+"."+name, property, item, whole)
		}
	}
}

// named checks that the document knows every attribute of a request; values are coerced, so their types say nothing.
func (d *contract) named(t testing.TB, where string, schema object, value any) {
	t.Helper()
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			d.named(t, where, at(schema, "items"), item)
		}
	case object:
		for name, item := range v {
			property := propertyOf(schema, name)
			if property == nil {
				t.Errorf("%s: %s was accepted, and the document does not know it", where, name)
				continue
			}
			d.named(t, where+"."+name, property, item)
		}
	}
}

func propertyOf(schema object, name string) object {
	if p := at(schema, "properties", name); p != nil {
		return p
	}
	return at(schema, "additionalProperties")
}

// typed tells whether a value is of one of the types; a schema without any takes all.
func typed(types, value any) bool {
	names, ok := types.([]any)
	if !ok {
		names = []any{types}
	}
	return types == nil || slices.ContainsFunc(names, func(name any) bool { return isOf(name.(string), value) })
}

func isOf(name string, value any) bool {
	switch v := value.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || name == "integer" && v == float64(int64(v))
	case string:
		return name == "string"
	case []any:
		return name == "array"
	}
	return name == "object"
}
