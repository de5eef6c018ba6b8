package octavia

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every route that does something is documented, and nothing else is.
func TestEveryRouteIsDocumented(t *testing.T) {
	t.Parallel()
	a := &API{}
	var routes []string
	for _, r := range append(a.table(), a.amphoraRows()...) {
		if r.path == "/providers/{name}" { // which only has others below it
			continue
		}
		routes = append(routes, r.method+" "+r.path)
	}
	slices.Sort(routes)
	if diff := cmp.Diff(routes, slices.Sorted(maps.Keys(a.documents()))); diff != "" {
		t.Errorf("routes of the table (-) and documented (+):\n%s", diff)
	}
}

func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()
	doc := (&API{}).openAPI("http://here/load-balancer")
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for path, operations := range doc.Paths {
		for method, o := range operations {
			if other, taken := ids[o.ID]; taken {
				t.Errorf("%s %s has the operationId of %s", method, path, other)
			}
			ids[o.ID] = method + " " + path
			checkParameters(t, path, o)
			if len(o.Responses) < 2 {
				t.Errorf("%s %s: no answer of success, or no fault: %v", method, path, o.Responses)
			}
		}
	}
	if strings.Contains(string(data), `"properties":{}`) {
		t.Error("an object has no properties: the function that reads it was not asked, or its answer has none")
	}
	for _, ref := range strings.Split(string(data), `"$ref":"`)[1:] {
		name, _, _ := strings.Cut(strings.TrimPrefix(ref, "#/components/schemas/"), `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("a reference leads nowhere: %s", name)
		}
	}
}

// checkParameters checks that the path's parameters are declared, and each once.
func checkParameters(t *testing.T, path string, o *operation) {
	t.Helper()
	var declared, inPath []string
	seen := map[string]bool{}
	for _, p := range o.Parameters {
		if seen[p.Name] {
			t.Errorf("%s: parameter %s is declared twice", o.ID, p.Name)
		}
		seen[p.Name] = true
		if p.In == "path" {
			declared = append(declared, p.Name)
		}
	}
	for _, part := range strings.Split(path, "/") {
		if strings.HasPrefix(part, "{") {
			inPath = append(inPath, strings.Trim(part, "{}"))
		}
	}
	if diff := cmp.Diff(inPath, declared); diff != "" {
		t.Errorf("%s: parameters of the path (-) and declared (+):\n%s", path, diff)
	}
}

// Whatever a body may hold has a type.
func TestRequestTypes(t *testing.T) {
	t.Parallel()
	for route, d := range (&API{}).documents() {
		if d.request != nil {
			checkTypes(t, route, d.request)
		}
	}
}

func checkTypes(t *testing.T, where string, s *schema) {
	t.Helper()
	if s.Type == nil {
		t.Errorf("%s has no type", where)
	}
	for name, property := range s.Properties {
		checkTypes(t, where+"."+name, property)
	}
	if s.Items != nil {
		checkTypes(t, where+"[]", s.Items)
	}
}

// What a body may hold is what the function that reads it asks for.
func TestRequestSchemas(t *testing.T) {
	t.Parallel()
	documents := (&API{}).documents()
	properties := func(route, key string) []string {
		return slices.Sorted(maps.Keys(documents[route].request.Properties[key].Properties))
	}
	want := []string{
		"address", "admin_state_up", "backup", "monitor_address", "monitor_port", "name", "project_id", "protocol_port",
		"request_sriov", "subnet_id", "tags", "tenant_id", "weight",
	}
	if diff := cmp.Diff(want, properties("POST /pools/{pool}/members", "member")); diff != "" {
		t.Errorf("member (-want +got):\n%s", diff)
	}
	want = []string{"admin_state_up", "backup", "monitor_address", "monitor_port", "name", "tags", "weight"}
	if diff := cmp.Diff(want, properties("PUT /pools/{pool}/members/{id}", "member")); diff != "" {
		t.Errorf("member in a PUT (-want +got):\n%s", diff)
	}
	lb := documents["POST /loadbalancers"].request.Properties["loadbalancer"]
	policy := lb.Properties["listeners"].Items.Properties["l7policies"].Items
	want = []string{"compare_type", "type", "value"}
	if diff := cmp.Diff(want, policy.Properties["rules"].Items.Required); diff != "" {
		t.Errorf("rule of a policy of a listener of a load balancer, required (-want +got):\n%s", diff)
	}
}
