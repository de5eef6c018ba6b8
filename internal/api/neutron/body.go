package neutron

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/internal/network"
	"plimsoll/internal/web"
)

// access says when a request may carry an attribute.
type access int

const (
	readOnly access = iota
	postOnly
	postAndPut
)

// spec names the attributes of a noun.
type spec map[string]access

// body is the JSON object of one noun in a request. Its readers note the first error and then answer nothing more, so that a noun
// reads all its attributes and asks once, with err.
type body struct {
	web.Object
	wrong error
}

// err returns the first error that a reader found.
func (b *body) err() error { return b.wrong }

func (b *body) fail(err error) {
	if b.wrong == nil {
		b.wrong = err
	}
}

// has tells whether the request carries the attribute, be it null.
func (b *body) has(name string) bool {
	_, ok := b.Object[name]
	return ok
}

// isNull tells whether the attribute is there and null.
func (b *body) isNull(name string) bool { return string(b.Object[name]) == "null" }

// given tells whether the attribute is there and not null.
func (b *body) given(name string) bool { return b.has(name) && !b.isNull(name) }

// shown is a value as messages quote it: texts bare, the rest as JSON.
func shown(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
		return text
	}
	if string(raw) == "null" {
		return "None"
	}
	return string(raw)
}

// text reads a text of at most that many characters into target. Null is no text, unless none says what it stands for.
func (b *body) text(name string, target *string, limit int) {
	if !b.has(name) {
		return
	}
	var v string
	if b.isNull(name) || json.Unmarshal(b.Object[name], &v) != nil {
		b.fail(invalid(name, "'%s' is not a valid string", shown(b.Object[name])))
		return
	}
	if utf8.RuneCountInString(v) > limit {
		b.fail(invalid(name, "'%s' exceeds maximum length of %d", v, limit))
		return
	}
	if !clean(v) {
		b.fail(invalid(name, "'%s' is not a valid string", strings.ReplaceAll(v, "\x00", `\x00`)))
		return
	}
	*target = v
}

// textOrNull reads a text; null is the empty one.
func (b *body) textOrNull(name string, target *string, limit int) {
	if b.isNull(name) {
		*target = ""
		return
	}
	b.text(name, target, limit)
}

// boolean reads a boolean in any of the forms that Neutron takes.
func (b *body) boolean(name string, target *bool) {
	if !b.has(name) {
		return
	}
	v, err := network.ParseBoolean(shown(b.Object[name]))
	if err != nil {
		b.fail(err)
		return
	}
	*target = v
}

// integer reads a whole number, which may be written as a text.
func (b *body) integer(name string, target *int) {
	if !b.has(name) {
		return
	}
	n, err := strconv.ParseFloat(shown(b.Object[name]), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
		b.fail(invalid(name, "'%s' is not an integer", shown(b.Object[name])))
		return
	}
	*target = int(n)
}

// oneOf reads one of several texts; null is the empty one.
func (b *body) oneOf(name string, target *string, allowed ...string) {
	if b.isNull(name) {
		*target = ""
		return
	}
	var v string
	b.text(name, &v, 255)
	if !b.has(name) || b.wrong != nil {
		return
	}
	if !slices.Contains(allowed, v) {
		b.fail(invalid(name, "'%s' is not in ['%s']", v, strings.Join(allowed, "', '")))
		return
	}
	*target = v
}

// uuid reads the id of another object.
func (b *body) uuid(name string, target *string) {
	if !b.has(name) {
		return
	}
	v := shown(b.Object[name])
	if !isUUID(v) {
		b.fail(invalid(name, "'%s' is not a valid UUID", v))
		return
	}
	*target = v
}

func isUUID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }

// items reads a list of anything; null is an empty one.
func (b *body) items(name, what string) []json.RawMessage {
	if !b.given(name) {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(b.Object[name], &list) != nil {
		b.fail(invalid(name, "Invalid data format for %s: '%s'", what, shown(b.Object[name])))
	}
	return list
}

// nothing refuses an attribute that may only be empty, since what it asks for is not offered.
func (b *body) nothing(name string) {
	if !b.given(name) {
		return
	}
	switch strings.TrimSpace(string(b.Object[name])) {
	case "[]", "{}", `""`:
		return
	}
	b.fail(invalid(name, "'%s' is not supported by this network service", shown(b.Object[name])))
}

// never refuses a flag that may only be false, since what it asks for is not offered.
func (b *body) never(name string) {
	var v bool
	b.boolean(name, &v)
	if v {
		b.fail(invalid(name, "'True' is not supported by this network service"))
	}
}

// owner says whose the new object is: the actor's project, or, for admins, any.
func (b *body) owner(a *identity.Actor) string {
	var project, tenant string
	b.text("project_id", &project, 64)
	b.text("tenant_id", &tenant, 64)
	switch {
	case b.wrong != nil:
		return ""
	case project != "" && tenant != "" && project != tenant:
		b.fail(badRequest("'project_id' and 'tenant_id' do not match"))
		return ""
	case project == "":
		project = tenant
	}
	switch {
	case project == "" && a.ProjectID == "":
		b.fail(badRequest("Running without keystone AuthN requires that tenant_id is specified"))
	case project == "":
		return a.ProjectID
	case !owns(a, project):
		b.fail(badRequest("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges"))
	}
	return project
}

// readCreate reads the body of a POST: one object or, under the plural, many.
func (r *resource) readCreate(req *web.Request) (bodies []*body, bulk bool, err error) {
	o, err := readObject(req)
	if err != nil {
		return nil, false, err
	}
	if raw, ok := o[r.plural]; ok {
		bodies, err := r.readMany(raw)
		return bodies, true, err
	}
	b, err := r.readOne(o)
	if err != nil {
		return nil, false, err
	}
	return []*body{b}, false, r.checkCreate(b)
}

// maxBulk bounds how much one request makes: it is one transaction, and others wait for it.
const maxBulk = 100

func (r *resource) readMany(raw json.RawMessage) ([]*body, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, badRequest("Resources required")
	}
	if len(list) > maxBulk {
		return nil, badRequest("At most %d %s may be created by one request", maxBulk, r.plural)
	}
	var bodies []*body
	for _, item := range list {
		// Each may be wrapped once more, as Neutron takes it.
		o, err := object(item)
		if inner, ok := o[r.name]; err == nil && ok && len(o) == 1 {
			o, err = object(inner)
		}
		if err != nil {
			return nil, badRequest("Unable to find '%s' in request body", r.name)
		}
		b := &body{Object: o}
		if err := r.checkCreate(b); err != nil {
			return nil, err
		}
		bodies = append(bodies, b)
	}
	return bodies, nil
}

// readUpdate reads the body of a PUT.
func (r *resource) readUpdate(req *web.Request) (*body, error) {
	o, err := readObject(req)
	if err != nil {
		return nil, err
	}
	b, err := r.readOne(o)
	if err != nil {
		return nil, err
	}
	if err := r.checkKnown(b); err != nil {
		return nil, err
	}
	for _, name := range b.names() {
		if r.spec[name] != postAndPut {
			return nil, badRequest("Cannot update read-only attribute %s", name)
		}
	}
	return b, nil
}

func (r *resource) readOne(o web.Object) (*body, error) {
	raw, ok := o[r.name]
	if !ok {
		return nil, badRequest("Unable to find '%s' in request body", r.name)
	}
	inner, err := object(raw)
	if err != nil {
		return nil, badRequest("Unable to find '%s' in request body", r.name)
	}
	return &body{Object: inner}, nil
}

func (r *resource) checkCreate(b *body) error {
	if err := r.checkKnown(b); err != nil {
		return err
	}
	for _, name := range b.names() {
		if r.spec[name] == readOnly {
			return badRequest("Attribute '%s' not allowed in POST", name)
		}
	}
	return nil
}

func (r *resource) checkKnown(b *body) error {
	var unknown []string
	for _, name := range b.names() {
		if _, ok := r.spec[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return badRequest("Unrecognized attribute(s) '%s'", strings.Join(unknown, ", "))
	}
	return nil
}

// names returns the attributes of the request, sorted.
func (b *body) names() []string {
	var names []string
	for name := range b.Object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// required refuses a request without the attribute.
func (b *body) required(names ...string) {
	for _, name := range names {
		if !b.has(name) {
			b.fail(badRequest("Failed to parse request. Required attribute '%s' not specified", name))
		}
	}
}

func readObject(req *web.Request) (web.Object, error) {
	data, err := web.ReadBody(req)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, badRequest("Resource body required")
	}
	o, err := object(data)
	if err != nil {
		return nil, badRequest("The server could not comply with the request since it is either malformed or otherwise incorrect.")
	}
	return o, nil
}

// object reads a JSON object; null is none.
func object(data []byte) (web.Object, error) {
	o, err := web.ParseObject(data)
	if err == nil && o == nil {
		return nil, errNoObject
	}
	return o, err
}

var errNoObject = errors.New("not an object")
