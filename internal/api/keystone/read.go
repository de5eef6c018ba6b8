package keystone

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"plimsoll/internal/identity"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// reader takes attributes out of a JSON object. The first error is kept; after it nothing is read.
type reader struct {
	path   string // "project", or "auth.identity" for an object further in
	object web.Object
	taken  map[string]bool
	err    error
}

// readBody reads a request whose body is {noun: {…}}.
func readBody(r *web.Request, noun string) (*reader, error) {
	data, err := web.ReadBody(r)
	if err != nil {
		return nil, err
	}
	return parseBody(data, noun)
}

func parseBody(data []byte, noun string) (*reader, error) {
	body, err := web.ParseObject(data)
	if err != nil || body == nil {
		return nil, malformed("a JSON object in request body")
	}
	if !utf8.Valid(data) {
		return nil, malformed("UTF-8 in request body")
	}
	object, err := web.ParseObject(body[noun])
	if err != nil || object == nil {
		return nil, malformed(noun + " in request body")
	}
	return &reader{path: noun, object: object, taken: map[string]bool{}}, nil
}

// take returns what the object has under a key; given is false where that is nothing or null.
func (d *reader) take(key string) (raw json.RawMessage, given bool) {
	if d.err != nil {
		return nil, false
	}
	d.taken[key] = true
	raw, set := d.object[key]
	return raw, set && string(raw) != "null"
}

func (d *reader) has(key string) bool {
	_, given := d.take(key)
	return given
}

func (d *reader) fail(key string, raw json.RawMessage, why string) {
	if d.err == nil {
		d.err = badField(key, raw, why)
	}
}

func (d *reader) missing(key string) {
	if d.err == nil {
		d.err = lbaas.Errorf(lbaas.Invalid, "'%s' is a required property of %s", key, d.path)
	}
}

// text reads a string of at most limit characters.
func (d *reader) text(key string, limit int) web.Field[string] {
	f := web.Field[string]{}
	raw, given := d.take(key)
	_, f.Set = d.object[key]
	f.Null = f.Set && !given
	if !given {
		return f
	}
	if json.Unmarshal(raw, &f.Value) != nil {
		d.fail(key, raw, "is not of type 'string'")
	}
	if utf8.RuneCountInString(f.Value) > limit {
		d.fail(key, raw, "is too long")
	}
	if strings.ContainsRune(f.Value, 0) {
		d.fail(key, raw, "holds a NUL character") // PostgreSQL keeps none
	}
	return f
}

// name reads the attribute of that name, which must not be blank.
func (d *reader) name(limit int) web.Field[string] {
	f := d.text("name", limit)
	if f.Null || (f.Set && strings.TrimSpace(f.Value) == "") {
		d.fail("name", d.object["name"], "does not match '[\\S]+'")
	}
	return f
}

// requiredName reads the attribute name, which has to be there.
func (d *reader) requiredName(limit int) string {
	f := d.name(limit)
	if !f.Set {
		d.missing("name")
	}
	return f.Value
}

// secret reads a string that has to be there and must not show up in an error.
func (d *reader) secret(key string) string {
	raw, given := d.take(key)
	var v string
	switch {
	case d.err != nil:
	case !given:
		d.missing(key)
	case json.Unmarshal(raw, &v) != nil || utf8.RuneCountInString(v) > maxPassword:
		d.err = lbaas.Errorf(lbaas.Invalid, "Invalid input for field '%s': not a string of at most %d characters", key, maxPassword)
	}
	return v
}

// id reads an identifier.
func (d *reader) id(key string) web.Field[string] {
	f := d.text(key, maxID)
	if f.Given() && !isID(f.Value) {
		d.fail(key, d.object[key], "does not match '^[a-zA-Z0-9-]+$'")
	}
	return f
}

const maxID = 64

func isID(text string) bool {
	return text != "" && strings.IndexFunc(text, func(c rune) bool {
		return !(c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z')
	}) < 0
}

func (d *reader) flag(key string) web.Field[bool] {
	f := web.Field[bool]{}
	raw, set := d.take(key)
	_, f.Set = d.object[key]
	if set && json.Unmarshal(raw, &f.Value) != nil {
		d.fail(key, raw, "is not of type 'boolean'")
	}
	f.Null = f.Set && !set
	if f.Null {
		d.fail(key, d.object[key], "is not of type 'boolean'")
	}
	return f
}

// list reads a list of strings.
func (d *reader) list(key string) (values []string, set bool) {
	raw, set := d.take(key)
	if set && json.Unmarshal(raw, &values) != nil {
		d.fail(key, raw, "is not of type 'array' of strings")
	}
	return values, set
}

// objects reads a list of objects.
func (d *reader) objects(key string) []*reader {
	raw, given := d.take(key)
	if !given {
		return nil
	}
	var parts []web.Object
	if json.Unmarshal(raw, &parts) != nil {
		d.fail(key, raw, "is not of type 'array' of objects")
	}
	var all []*reader
	for _, o := range parts {
		all = append(all, &reader{path: d.path + "." + key, object: o, taken: map[string]bool{}})
	}
	return all
}

// inner reads an object that has to be there. Its errors are the outer reader's: join them.
func (d *reader) inner(key string) *reader {
	raw, given := d.take(key)
	in := &reader{path: d.path + "." + key, taken: map[string]bool{}, err: d.err}
	if !given {
		d.missing(key)
		in.err = d.err
		return in
	}
	object, err := web.ParseObject(raw)
	if err != nil || object == nil {
		if d.err == nil { // no value here: it may hold a secret
			d.err = lbaas.Errorf(lbaas.Invalid, "Invalid input for field '%s': not of type 'object'", key)
		}
		in.err = d.err
		return in
	}
	in.object = object
	return in
}

// join takes over the error of an inner reader.
func (d *reader) join(in *reader) {
	if d.err == nil {
		d.err = in.err
	}
}

// moment reads a time as Keystone writes it.
func (d *reader) moment(key string) time.Time {
	f := d.text(key, maxID)
	if !f.Given() {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, f.Value); err == nil {
			return t.UTC()
		}
	}
	d.fail(key, d.object[key], "is not a 'date-time'")
	return time.Time{}
}

// options changes the options that are named; null takes one away. known are those that the sort of object has.
func (d *reader) options(o *identity.Options, known ...string) {
	if !d.has("options") {
		return
	}
	in := d.inner("options")
	targets := map[string]*bool{
		"immutable": &o.Immutable, "lock_password": &o.LockPassword,
		"ignore_lockout_failure_attempts": &o.IgnoreLockoutFailureAttempts,
		// Passwords do not expire here, so these change nothing that they could.
		"ignore_password_expiry": new(bool), "ignore_user_inactivity": new(bool),
	}
	for key := range in.object {
		if !slices.Contains(known, key) {
			in.fail("options", in.object[key], "is given for the option "+key+", which is not supported")
			break
		}
		*targets[key] = false
		if in.has(key) {
			*targets[key] = in.flag(key).Value
		}
	}
	d.join(in)
}

// extra returns the attributes that nothing has read. Those that answers carry besides are left out: clients send back
// what they got.
func (d *reader) extra(base identity.Extra) identity.Extra {
	extra := identity.Extra{}
	for key, raw := range base {
		extra[key] = raw
	}
	for key, raw := range d.object {
		if !d.taken[key] && key != "id" && key != "links" && key != "password_expires_at" {
			extra[key] = raw
		}
	}
	return extra
}
