package octavia_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is one value of one attribute: what an answer shows of it, or the fault.
type sample struct {
	attribute string
	value     string // JSON
	shows     any    // what the answer has; "" and text the fault's
	fault     string
}

// whatever is shown of a sample whose answer no test can know.
const whatever = "\x00whatever"

const (
	notEmpty   = "Value should have a minimum character requirement of 1"
	notUUID    = "Value should be UUID format"
	notAddress = "Value should be IPv4 or IPv6 format"
	notInteger = "Value should be integer"
	notBoolean = "Value should be boolean"
	notString  = "Value should be string"
	notList    = "Value should be list"
	tooLong    = "Value should have a maximum character requirement of 255"
	missing    = "Mandatory field missing."
)

func invalid(attribute, value, why string) string {
	return "Invalid input for field/attribute " + attribute + ". Value: '" + value + "'. " + why
}

// commonSamples are those of what every noun has.
func commonSamples() []sample {
	long := strings.Repeat("n", 256)
	weird := "a\"'`$(id)%{+Q}\n\r\t\u0001\u2028é😀 \\ # ; </script>"
	weirdJSON, _ := json.Marshal(weird)
	return []sample{
		{"name", `"` + long + `"`, nil, invalid("name", long, tooLong)},
		{"name", `7`, nil, invalid("name", "7", notString)},
		{"name", `["x"]`, nil, invalid("name", `["x"]`, notString)},
		{"name", `{"x":1}`, nil, invalid("name", `{"x":1}`, notString)},
		{"name", `"a\u0000b"`, nil, invalid("name", "a\x00b", "Value should not contain a NUL character")},
		{"name", string(weirdJSON), weird, ""},
		{"name", `"` + long[:255] + `"`, long[:255], ""},
		{"name", `null`, "", ""},
		{"admin_state_up", `"maybe"`, nil, invalid("admin_state_up", "maybe", notBoolean)},
		{"admin_state_up", `1.5`, nil, invalid("admin_state_up", "1.5", notBoolean)},
		{"admin_state_up", `"2"`, nil, invalid("admin_state_up", "2", notBoolean)},
		{"admin_state_up", `2`, true, ""},
		{"admin_state_up", `[]`, nil, invalid("admin_state_up", "[]", notBoolean)},
		{"admin_state_up", `false`, false, ""},
		{"admin_state_up", `"off"`, false, ""},
		{"admin_state_up", `"Yes"`, true, ""},
		{"admin_state_up", `0`, false, ""},
		{"admin_state_up", `"1"`, true, ""},
		{"admin_state_up", `null`, false, ""},
		{"tags", `"x"`, nil, invalid("tags", "x", notList)},
		{"tags", `[1]`, nil, invalid("tags", "1", notString)},
		{"tags", `[null]`, nil, invalid("tags", "None", notString)},
		{"tags", `["a","b,\"c\""]`, []any{"a", `b,"c"`}, ""},
		{"tags", `[]`, []any{}, ""},
	}
}

func described() []sample {
	long := strings.Repeat("d", 256)
	return []sample{
		{"description", `"` + long + `"`, nil, invalid("description", long, tooLong)},
		{"description", `true`, nil, invalid("description", "true", notString)},
		{"description", `"text"`, "text", ""},
		{"description", `null`, "", ""},
	}
}

// twiceTagged is an object with a tag twice: on a load balancer's POST it is a conflict.
func twiceTagged() sample {
	return sample{"tags", `["a","a"]`, nil, invalid("tags", "a", "Value should be unique")}
}

// posted are the samples of attributes that a POST takes and ignores.
func posted() []sample {
	return []sample{
		{"project_id", `7`, nil, invalid("project_id", "7", notString)},
		{"project_id", `"` + strings.Repeat("p", 37) + `"`, nil, invalid("project_id", strings.Repeat("p", 37), "Value should have a maximum character requirement of 36")},
		{"project_id", `"` + foreign + `"`, mine, ""},
		{"project_id", `null`, mine, ""},
		{"tenant_id", `{}`, nil, invalid("tenant_id", "{}", notString)},
		{"tenant_id", `"` + foreign + `"`, mine, ""},
		{"tenant_id", `null`, mine, ""},
	}
}

// nulls are the samples of attributes that may not be null.
func nulls(attributes ...string) []sample {
	var samples []sample
	for _, attribute := range attributes {
		samples = append(samples, sample{attribute, `null`, nil, invalid(attribute, "None", missing)})
	}
	return samples
}

// refSamples are those of an attribute that refers to a certificate, where one may stand.
func refSamples(attribute string) []sample {
	long := strings.Repeat("r", 256)
	return []sample{
		{attribute, `7`, nil, invalid(attribute, "7", notString)},
		{attribute, `["x"]`, nil, invalid(attribute, `["x"]`, notString)},
		{attribute, `"` + long + `"`, nil, invalid(attribute, long, tooLong)},
		{attribute, `"` + long[:255] + `"`, long[:255], ""},
		{attribute, `"http://b/9"`, "http://b/9", ""},
		{attribute, `null`, nil, ""},
	}
}

// noun is a kind of object under test.
type noun struct {
	collection, key string
	base            object // what a POST needs
}

// path is where an object is: by its id, or by its name where it has none.
func (n noun) path(made object) string {
	id, ok := made["id"].(string)
	if !ok {
		id = made["name"].(string)
	}
	return n.collection + "/" + id
}

// with is base and one attribute more, as JSON.
func (n noun) with(t *testing.T, base object, s sample) string {
	t.Helper()
	body := object{}
	for k, v := range base {
		body[k] = v
	}
	body[s.attribute] = json.RawMessage(s.value)
	data, err := json.Marshal(object{n.key: body})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// creates sends a POST for each sample, and looks at the answer and at a GET.
func (n noun) creates(t *testing.T, c *cloud, samples []sample) {
	for _, s := range samples {
		t.Run("POST "+s.attribute+"="+s.value, func(t *testing.T) {
			a := c.do(http.MethodPost, root+n.collection, n.with(t, n.base, s))
			if s.fault != "" {
				a.fault(t, http.StatusBadRequest, s.fault)
				return
			}
			if a.code != http.StatusCreated {
				t.Fatalf("%d %s", a.code, a.raw)
			}
			made := a.body[n.key].(object)
			path := root + n.path(made)
			got := c.do(http.MethodGet, path, nil).body[n.key].(object)
			for _, shown := range []object{made, got} {
				if s.shows == whatever {
					continue
				}
				if diff := cmp.Diff(s.shows, shown[s.attribute]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", s.attribute, diff)
				}
			}
			if a := c.do(http.MethodDelete, path, nil); a.code != http.StatusNoContent {
				t.Fatalf("DELETE: %d %s", a.code, a.raw)
			}
		})
	}
}

// updates sends a PUT for each sample to an object that is made anew each time.
func (n noun) updates(t *testing.T, c *cloud, before object, samples []sample) {
	base := object{}
	for k, v := range n.base {
		base[k] = v
	}
	for k, v := range before {
		base[k] = v
	}
	for _, s := range samples {
		t.Run("PUT "+s.attribute+"="+s.value, func(t *testing.T) {
			made := c.make(n.collection, n.key, base)
			path := root + n.path(made)
			a := c.do(http.MethodPut, path, n.with(t, nil, s))
			if s.fault != "" {
				a.fault(t, http.StatusBadRequest, s.fault)
			} else if a.code != http.StatusOK {
				t.Errorf("%d %s", a.code, a.raw)
			} else {
				got := c.do(http.MethodGet, path, nil).body[n.key].(object)
				for _, shown := range []object{a.body[n.key].(object), got} {
					if diff := cmp.Diff(s.shows, shown[s.attribute]); diff != "" {
						t.Errorf("%s (-want +got):\n%s", s.attribute, diff)
					}
				}
			}
			if a := c.do(http.MethodDelete, path, nil); a.code != http.StatusNoContent {
				t.Fatalf("DELETE: %d %s", a.code, a.raw)
			}
		})
	}
}

// required sends a POST without each of the attributes that it needs, and with null for it.
func (n noun) required(t *testing.T, c *cloud, attributes ...string) {
	for _, attribute := range attributes {
		body := object{}
		for k, v := range n.base {
			body[k] = v
		}
		delete(body, attribute)
		c.do(http.MethodPost, root+n.collection, object{n.key: body}).fault(t, 400, invalid(attribute, "None", missing))
		body[attribute] = nil
		c.do(http.MethodPost, root+n.collection, object{n.key: body}).fault(t, 400, invalid(attribute, "None", missing))
	}
}

// readOnly sends a PUT with each attribute that a PUT does not take.
func (n noun) readOnly(t *testing.T, c *cloud, argument string, attributes ...string) {
	path := root + n.path(c.make(n.collection, n.key, n.base))
	for _, attribute := range append(attributes, "id", "project_id", "tenant_id", "provisioning_status", "operating_status", "created_at", "nonsense") {
		c.do(http.MethodPut, path, object{n.key: object{attribute: nil}}).
			fault(t, 400, "Unknown attribute for argument "+argument+": "+attribute)
	}
	if a := c.do(http.MethodDelete, path, nil); a.code != http.StatusNoContent {
		t.Fatalf("DELETE: %d %s", a.code, a.raw)
	}
}

// shape compares a whole object, ids and times left out, in the answer to a POST and in a GET.
func (n noun) shape(t *testing.T, c *cloud, want object) {
	t.Helper()
	made := c.make(n.collection, n.key, n.base)
	path := n.collection + "/" + made["id"].(string)
	got := c.show(path, n.key)
	if diff := cmp.Diff(made, got); diff != "" && n.key != "loadbalancer" {
		t.Errorf("GET differs from POST (-POST +GET):\n%s", diff)
	}
	for _, vary := range []string{"id", "created_at"} {
		if s, _ := got[vary].(string); s == "" {
			t.Errorf("%s is %v", vary, got[vary])
		}
		delete(got, vary)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", n.key, diff)
	}
	c.must(http.StatusNoContent, http.MethodDelete, path, nil)
}
