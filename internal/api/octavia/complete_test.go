package octavia_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// complete checks that the samples of a POST or a PUT have for every attribute that the document knows of it a value that is taken, one
// that is refused, and null. The elsewhere attributes have tests of their own.
func (n noun) complete(t *testing.T, c *cloud, method string, samples []sample, elsewhere ...string) {
	t.Helper()
	path := root + n.collection
	if method == http.MethodPut {
		path += "/x"
	}
	doc := c.readContract()
	body := at(doc.operation(method, path), "requestBody", "content", "application/json", "schema")
	attributes := doc.properties(doc.properties(body)[n.key])
	if len(attributes) == 0 {
		t.Fatalf("the document has no attributes for %s %s", method, path)
	}
	seen := map[string]map[string]bool{}
	for _, s := range samples {
		if seen[s.attribute] == nil {
			seen[s.attribute] = map[string]bool{}
		}
		kind := "taken"
		if s.fault != "" {
			kind = "refused"
		}
		seen[s.attribute][kind] = true
		if s.value == "null" {
			seen[s.attribute]["null"] = true
		}
	}
	for _, attribute := range slices.Sorted(maps.Keys(attributes)) {
		for _, kind := range []string{"taken", "refused", "null"} {
			if !seen[attribute][kind] && !slices.Contains(elsewhere, attribute) {
				t.Errorf("%s %s: no sample of %s is %s", method, n.collection, attribute, kind)
			}
		}
	}
}

// properties are those of an object's schema.
func (d *contract) properties(schema any) object {
	o, _ := schema.(object)
	if ref, ok := o["$ref"].(string); ok {
		o = at(d.schemas, strings.TrimPrefix(ref, "#/components/schemas/"))
	}
	return at(o, "properties")
}
