package neutronlbaas

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
)

// body is one object of a request: its attributes as they were read, by their names.
type body map[string]any

// has tells whether the request carries the attribute, be it null.
func (b body) has(name string) bool {
	_, ok := b[name]
	return ok
}

// text is an attribute that is a text; "" where it is absent or null.
func (b body) text(name string) string {
	s, _ := b[name].(string)
	return s
}

// number is an attribute that is a number; 0 where it is absent.
func (b body) number(name string) int {
	n, _ := b[name].(int)
	return n
}

// without takes attributes out of the body.
func (b body) without(names ...string) body {
	for _, name := range names {
		delete(b, name)
	}
	return b
}

// schema is what a noun's requests are made of.
type schema struct {
	name       string // of one: "listener"
	plural     string
	attributes map[string]attribute
	aliases    map[string]string // other names of attributes that requests may have
	bulk       bool              // a POST may carry many
}

// readCreate reads the body of a POST: one object or, where the noun has that, many under the plural.
func (s *schema) readCreate(r *web.Request) (bodies []body, bulk bool, err error) {
	o, err := readObject(r)
	if err != nil {
		return nil, false, err
	}
	raw, many := o[s.plural]
	switch {
	case many && !s.bulk:
		return nil, false, badRequest("Bulk operation not supported")
	case many:
		bodies, err = s.readMany(raw, r.Actor)
		return bodies, true, err
	}
	inner, err := s.inner(o)
	if err != nil {
		return nil, false, err
	}
	b, err := s.read(inner, r.Actor)
	return []body{b}, false, err
}

// maxBulk bounds how much one request makes.
const maxBulk = 100

func (s *schema) readMany(raw json.RawMessage, by *identity.Actor) ([]body, error) {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || len(items) == 0 {
		return nil, badRequest("Resources required")
	}
	if len(items) > maxBulk {
		return nil, badRequest("At most %d %s may be created by one request", maxBulk, s.plural)
	}
	bodies := make([]body, len(items))
	for i, item := range items {
		o, err := object(item)
		if inner, ok := o[s.name]; err == nil && ok && len(o) == 1 { // each may be wrapped once more
			o, err = object(inner)
		}
		if err != nil {
			return nil, badRequest("Unable to find '%s' in request body", s.name)
		}
		if bodies[i], err = s.read(o, by); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// inner is the object in its envelope.
func (s *schema) inner(o web.Object) (web.Object, error) {
	raw, ok := o[s.name]
	if !ok {
		return nil, badRequest("Unable to find '%s' in request body", s.name)
	}
	inner, err := object(raw)
	if err != nil {
		return nil, badRequest("Unable to find '%s' in request body", s.name)
	}
	return inner, nil
}

// read reads an object that is to be made.
func (s *schema) read(o web.Object, by *identity.Actor) (body, error) {
	o = s.renamed(o)
	if err := s.checkKnown(o); err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(o) {
		if s.attributes[name].access == shown {
			return nil, badRequest("Attribute '%s' not allowed in POST", name)
		}
	}
	for _, name := range sortedKeys(s.attributes) {
		if _, ok := o[name]; !ok && s.attributes[name].required {
			return nil, badRequest("Failed to parse request. Required attribute '%s' not specified", name)
		}
	}
	b, err := s.values(o)
	if err != nil {
		return nil, err
	}
	return b, b.takeOwner(by)
}

// readUpdate reads the body of a PUT.
func (s *schema) readUpdate(r *web.Request) (body, error) {
	o, err := readObject(r)
	if err != nil {
		return nil, err
	}
	inner, err := s.inner(o)
	if err != nil {
		return nil, err
	}
	inner = s.renamed(inner)
	if err := s.checkKnown(inner); err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(inner) {
		if s.attributes[name].access != postAndPut {
			return nil, badRequest("Cannot update read-only attribute %s", name)
		}
	}
	return s.values(inner)
}

// renamed gives attributes their own names. Where a request has one by both, the alias counts for nothing.
func (s *schema) renamed(o web.Object) web.Object {
	for alias, name := range s.aliases {
		raw, ok := o[alias]
		if !ok {
			continue
		}
		delete(o, alias)
		if _, both := o[name]; !both {
			o[name] = raw
		}
	}
	return o
}

func (s *schema) checkKnown(o web.Object) error {
	var unknown []string
	for _, name := range sortedKeys(o) {
		if _, ok := s.attributes[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if unknown != nil {
		return badRequest("Unrecognized attribute(s) '%s'", strings.Join(unknown, ", "))
	}
	return nil
}

func (s *schema) values(o web.Object) (body, error) {
	b := make(body, len(o))
	for _, name := range sortedKeys(o) {
		value, err := s.attributes[name].read(name, o[name])
		if err != nil {
			return nil, err
		}
		b[name] = value
	}
	return b, nil
}

// takeOwner makes project_id whose the new object is: the actor's project, or, for admins, any. tenant_id is its older name.
func (b body) takeOwner(by *identity.Actor) error {
	project, tenant := b.text("project_id"), b.text("tenant_id")
	b.without("tenant_id")
	if project != "" && tenant != "" && project != tenant {
		return badRequest("'project_id' and 'tenant_id' do not match")
	}
	if project == "" {
		project = tenant
	}
	switch {
	case project == "" && by.ProjectID == "":
		return badRequest("Running without keystone AuthN requires that tenant_id is specified")
	case project == "":
		project = by.ProjectID
	case project != by.ProjectID && !by.Admin():
		return badRequest("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges")
	}
	b["project_id"] = project
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func readObject(r *web.Request) (web.Object, error) {
	data, err := web.ReadBody(r)
	if err != nil {
		return nil, err
	}
	o, err := object(data)
	switch {
	case len(o) > 0 && err == nil:
		return o, nil
	case len(bytes.TrimSpace(data)) == 0, err == nil, errors.Is(err, errNoObject):
		return nil, badRequest("Resource body required")
	case json.Valid(data):
		return nil, badRequest("Body contains invalid data")
	}
	return nil, badRequest("The server could not comply with the request since it is either malformed or otherwise incorrect.")
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
