package octavia_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every route of the API's document takes a good body in the sandbox, which says that what it refuses below is refused for
// what is bad in it.
func TestGoodBodies(t *testing.T) {
	w := newSandbox(t)
	for _, r := range w.routes(t, http.MethodPost, http.MethodPut) {
		body, known := w.goodBodies()[r.method+" "+r.template]
		if !known || (body == nil) != (r.schema == nil) {
			t.Errorf("%s: the tests know no good body for it", r)
			continue
		}
		text := ""
		if body != nil {
			text = w.text(body)
		}
		a := w.send(r.method, r.path, text)
		if a.code >= http.StatusBadRequest {
			t.Errorf("%s: %d %s", what(r, text), a.code, a.raw)
		}
		w.contract.agree(t, r.method, r.path, text, a)
		w.judge(t, what(r, text), a, r.template == root+"/loadbalancers/{id}/resize")
	}
}

func (w *sandbox) text(body any) string {
	w.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// TestBadBodies sends every route what is not a body of its.
func TestBadBodies(t *testing.T) {
	w := newSandbox(t)
	deep := strings.Repeat("[", 20_000)
	const media = "Only content type application/json is accepted."
	const notJSON = "Request is not in valid JSON format"
	for _, r := range w.routes(t, http.MethodPost, http.MethodPut) {
		if r.schema == nil {
			continue
		}
		good := w.text(w.good(r.method, r.template))
		open := strings.TrimSuffix(good, "}")
		for _, test := range []struct {
			name, body string
			code       int
			text       string // "": any
			headers    []string
		}{
			{"bad: nothing", "", 400, "", nil},
			{"bad: blanks", "  \n", 400, notJSON, nil},
			{"bad: words", "name=x", 400, notJSON, nil},
			{"bad: cut short", open, 400, notJSON, nil},
			{"bad: more behind", good + "{}", 400, notJSON, nil},
			{"bad: a NUL behind", good + "\x00", 400, notJSON, nil},
			{"bad: a byte order mark", "\ufeff" + good, 400, notJSON, nil},
			{"bad: UTF-16", "{\x00}\x00", 400, notJSON, nil},
			{"bad: not UTF-8", open + `,"` + "\xff" + `":1}`, 400, notJSON, nil},
			{"bad: half a surrogate", open + `,"\ud800":1}`, 400, notJSON, nil},
			{"bad: single quotation marks", strings.ReplaceAll(good, `"`, "'"), 400, notJSON, nil},
			{"bad: not a number", open + `,"x":NaN}`, 400, notJSON, nil},
			{"bad: deep", deep, 400, notJSON, nil},
			{"bad: deep and whole", open + `,"x":` + deep + strings.Repeat("]", len(deep)) + "}", 400, notJSON, nil},
			{"bad: a list", "[" + good + "]", 400, "", nil},
			{"bad: null", "null", 400, "", nil},
			{"bad: text", `"x"`, 400, "", nil},
			{"bad: a number", "7", 400, "", nil},
			{"bad: true", "true", 400, "", nil},
			{"bad: no envelope", "{}", 400, "", nil},
			{"bad: another envelope", `{"x":{}}`, 400, "", nil},
			{"bad: an envelope more", open + `,"x":{}}`, 400, "", nil},
			{"bad: too large", good + strings.Repeat(" ", 114688), 413, "Request is too large.", nil},
			{"bad: too large to be read", strings.Repeat("[", 1<<20), 413, "Request is too large.", nil},
			{"bad: a form", good, 415, media, []string{"Content-Type", "application/x-www-form-urlencoded"}},
			{"bad: text/plain", good, 415, media, []string{"Content-Type", "text/plain"}},
			{"bad: no type at all", good, 415, media, []string{"Content-Type", "/"}},
			{"bad: an answer that is not JSON", good, 406, media, []string{"Accept", "text/html"}},
		} {
			a := w.send(r.method, r.path, test.body, test.headers...)
			if a.code != test.code || test.text != "" && a.body["faultstring"] != test.text {
				t.Errorf("%s, %s: %d %s, want %d %s", r, test.name, a.code, a.raw, test.code, test.text)
			}
			w.judge(t, fmt.Sprint(r, ", ", test.name), a, false)
		}
		w.badEnvelopes(t, r)
	}
}

// badEnvelopes sends a route an envelope that holds what it should not.
func (w *sandbox) badEnvelopes(t *testing.T, r route) {
	t.Helper()
	for key := range w.good(r.method, r.template) {
		values := []string{`null`, `"x"`, `7`, `true`, `{"nonsense":1}`, `{"":1}`, `{"NAME":"x"}`}
		if at(r.schema, "properties", key)["type"] != "array" {
			values = append(values, `[]`, `[{}]`)
		}
		for _, value := range values {
			body := `{"` + key + `":` + value + `}`
			a := w.send(r.method, r.path, body)
			if a.code != http.StatusBadRequest {
				t.Errorf("%s: %d %s, want 400", what(r, body), a.code, a.raw)
			}
			w.judge(t, what(r, body), a, false)
		}
	}
}

// hostile are values, as JSON, most of which no attribute takes.
func hostile() []string {
	long := strings.Repeat("x", 10_000)
	return []string{
		`null`, `true`, `false`, `0`, `1`, `7`, `-1`, `-2147483649`, `2147483648`, `99999999999999999999999`, `-99999999999999999999999`,
		`1.5`, `1e3`, `1e400`, `-0`,
		`""`, `" "`, `"x"`, `"7"`, `" 7 "`, `"-1"`, `"true"`, `"None"`, `"` + long + `"`, `"` + strings.Repeat(`é`, 256) + `"`,
		`"a\u0000b"`, `"a` + "\xff" + `b"`, `"\ud800"`, `"\udc00\ud800"`, `"a\nb\r\nc"`, `"\u202e\u2028😀"`, `"%00%s%n"`, `"../../etc/passwd"`,
		`"'; DROP TABLE pools; --"`, `"${jndi:x}\"\\"`, `"10.0.0.300"`, `"fe80::1%eth0"`, `"::ffff:10.0.0.9"`, `"0.0.0.0"`, `"` + nobody + `"`,
		`[]`, `[null]`, `[7]`, `["x"]`, `["x","x"]`, `[[]]`, `[{}]`, `{}`, `{"x":1}`, `{"":null}`, `{"\u0000":"\u0000"}`,
		strings.Repeat("[", 500) + strings.Repeat("]", 500), strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500),
	}
}

// hostileTo are all hostile values for an attribute that an object has by itself, and every fifth for one that is nested, which the same
// code reads. The detector of races, which has nothing to detect here, makes them slow: with it a fifth of them must do, each
// time others.
func hostileTo(keys []string, turn int) []string {
	step := 1
	if len(keys) > 2 {
		step *= 5
	}
	if racing() {
		step *= 5
	}
	values := hostile()
	var some []string
	for i := turn % step; i < len(values); i += step {
		some = append(some, values[i])
	}
	return some
}

// racing tells whether the tests run with the detector of races.
func racing() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestUnknownAttributes gives every object of every body, nested ones too, an attribute that there is not, and one that it has a second
// time: the last one counts.
func TestUnknownAttributes(t *testing.T) {
	w := newSandbox(t)
	for _, r := range w.routes(t, http.MethodPost, http.MethodPut) {
		for _, keys := range append(attributesOf(r.schema), []string{}) {
			if len(schemaAt(r.schema, keys)) == 0 {
				continue
			}
			for _, name := range []string{"nonsense", "", "NAME", "admin_state_up ", "\u0000", strings.Repeat("n", 10_000)} {
				text := w.text(placed(w.good(r.method, r.template), append(slices.Clone(keys), name), 1))
				a := w.send(r.method, r.path, text)
				if fault, _ := a.body["faultstring"].(string); a.code != 400 || !strings.HasPrefix(fault, "Unknown attribute for argument ") {
					t.Errorf("%s: %d %s, want an unknown attribute", what(r, text), a.code, a.raw)
				}
				w.judge(t, what(r, text), a, false)
			}
		}
		w.twice(t, r)
	}
}

// schemaAt are the properties of the object, or of the objects of the list, to which keys lead.
func schemaAt(schema object, keys []string) object {
	for _, k := range keys {
		if k == "[]" {
			schema = at(schema, "items")
		} else {
			schema = at(schema, "properties", k)
		}
	}
	return at(schema, "properties")
}

// twice gives a body's object a second name.
func (w *sandbox) twice(t *testing.T, r route) {
	t.Helper()
	for key, body := range w.good(r.method, r.template) {
		if schemaAt(r.schema, []string{key})["name"] == nil {
			continue
		}
		text := w.text(object{key: placed(body, []string{"name"}, here)})
		for name, code := range map[string]int{`"first","name":7`: 400, `7,"name":"second"`: 0} {
			text := strings.Replace(text, `"`+here+`"`, name, 1)
			a := w.send(r.method, r.path, text)
			if code > 0 && a.code != code || code == 0 && (a.code >= 400 || at(a.body, key)["name"] != "second") {
				t.Errorf("%s: %d %s, but the last one counts", what(r, text), a.code, a.raw)
			}
			w.judge(t, what(r, text), a, false)
		}
	}
}

// attributesOf are the attributes of a body, nested ones behind what holds them, by the keys that lead to them. [] is the first
// item of a list.
func attributesOf(schema object) [][]string {
	var all [][]string
	for _, name := range slices.Sorted(maps.Keys(at(schema, "properties"))) {
		property := at(schema, "properties", name)
		all = append(all, []string{name})
		for _, below := range attributesOf(property) {
			all = append(all, append([]string{name}, below...))
		}
		for _, below := range attributesOf(at(property, "items")) {
			all = append(all, append([]string{name, "[]"}, below...))
		}
	}
	return all
}

const here = "the value stands here"

// placed puts a value into a body where keys lead.
func placed(in any, keys []string, value any) any {
	switch {
	case len(keys) == 0:
		return value
	case keys[0] == "[]":
		list, _ := in.([]any)
		if len(list) == 0 {
			list = []any{nil}
		}
		list[0] = placed(list[0], keys[1:], value)
		return list
	}
	o, _ := in.(object)
	if o == nil {
		o = object{}
	}
	o[keys[0]] = placed(o[keys[0]], keys[1:], value)
	return o
}

// TestBadAttributes gives every attribute of every route, and of all that bodies nest, every hostile value. What is refused has
// changed nothing; what is taken is shown as it was given.
func TestBadAttributes(t *testing.T) {
	w := newSandbox(t)
	turn := rand.IntN(1000)
	for _, r := range w.routes(t, http.MethodPost, http.MethodPut) {
		for i, keys := range attributesOf(r.schema) {
			text := w.text(placed(w.good(r.method, r.template), keys, here))
			for _, value := range hostileTo(keys, turn+i) {
				body := strings.Replace(text, `"`+here+`"`, value, 1)
				a := w.send(r.method, r.path, body)
				w.visible(t, r, body, keys, value, a)
				if a.code > http.StatusBadRequest && !slices.Contains(exceptions(value), a.code) {
					t.Errorf("%s: %d %s, want 400", what(r, body), a.code, a.raw)
				}
				w.judge(t, what(r, body), a, mayChangeNothing(r, a))
			}
		}
	}
}

const nobody = "00000000-0000-0000-0000-000000000000"

// exceptions are the codes other than 400 with which a value may be refused; none for nearly all of them.
func exceptions(value string) []int {
	switch value {
	case `"` + nobody + `"`: // it could be an id; and Octavia keeps a zone's name
		return []int{http.StatusNotFound, http.StatusConflict}
	case `["x","x"]`: // Octavia's answer to tags of a new load balancer
		return []int{http.StatusConflict}
	}
	return nil
}

// mayChangeNothing tells of requests that are accepted where there is nothing to do.
func mayChangeNothing(r route, a answer) bool {
	return a.code == http.StatusAccepted && (strings.HasSuffix(r.template, "/members") || strings.HasSuffix(r.template, "/resize"))
}

// visible checks that what was accepted is what a GET shows, and what was sent.
func (w *sandbox) visible(t *testing.T, r route, body string, keys []string, value string, a answer) {
	t.Helper()
	answered, _ := a.body[keys[0]].(object)
	if a.code >= http.StatusBadRequest || answered == nil {
		return
	}
	path := r.path
	if r.method == http.MethodPost {
		id, ok := answered["id"].(string)
		if !ok {
			id = url.PathEscape(answered["name"].(string))
		}
		path += "/" + id
	}
	got := w.send(http.MethodGet, path, "")
	shown, _ := got.body[keys[0]].(object)
	if got.code != http.StatusOK || shown == nil {
		t.Errorf("%s was accepted, and then GET %s: %d %s", what(r, body), path, got.code, got.raw)
		return
	}
	if r.template != root+"/loadbalancers" { // of which a POST answers the tree
		if diff := cmp.Diff(answered, shown); diff != "" {
			t.Errorf("%s: a GET differs from its answer (-answer +GET):\n%s", what(r, body), diff)
		}
	}
	if len(keys) == 2 && !changed[r.String()+" "+keys[1]] && !ignored[keys[1]] {
		var sent any
		_ = json.Unmarshal([]byte(value), &sent)
		if _, known := shown[keys[1]]; known && !same(sent, shown[keys[1]]) {
			t.Errorf("%s was accepted, and is shown as %v", what(r, body), shown[keys[1]])
		}
	}
}

// ignored are attributes that are taken and mean nothing.
var ignored = map[string]bool{"project_id": true, "tenant_id": true}

// changed are attributes that show something else than what was sent, as the reference has it: a position beyond the end is the
// end, a target that does not suit the action is dropped,
// no ciphers are the default ones, a provider has aliases, and children of a new load balancer have ids.
var changed = map[string]bool{
	"POST /l7policies position": true, "PUT /l7policies/{id} position": true,
	"POST /l7policies redirect_pool_id": true, "PUT /l7policies/{id} redirect_pool_id": true,
	"PUT /listeners/{id} tls_ciphers": true, "PUT /pools/{id} tls_ciphers": true,
	"POST /loadbalancers provider": true, "POST /loadbalancers listeners": true, "POST /loadbalancers pools": true,
}

// same tells whether a value is shown as it was sent. Null is whatever the default is; what is coerced looks the same as text.
func same(sent, shown any) bool {
	switch v := sent.(type) {
	case nil:
		return true
	case string:
		return shown == v || fmt.Sprint(shown) == strings.TrimSpace(v) || v == "" && shown == nil
	case float64:
		return shown == v || shown == (v != 0)
	case bool:
		return shown == v
	}
	return cmp.Equal(sent, shown) || len(fmt.Sprint(sent)) <= len("map[]") && shown == nil
}
