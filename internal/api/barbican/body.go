package barbican

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// body is the JSON object of a request. Its readers note the first error, in Barbican's words, and then answer nothing more, so that a
// noun reads all its attributes and asks once, with err.
type body struct {
	web.Object
	schema string
	wrong  error
}

// readBody reads a request's JSON object.
func (r *request) readBody(schema string) (*body, error) {
	data, err := web.ReadBody(r.Request)
	if err != nil {
		return nil, err
	}
	o, err := web.ParseObject(data)
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typed) || err == nil && o == nil:
		return nil, mismatch(schema, "the body is not of type 'object'", "None")
	case err != nil || !utf8.Valid(data):
		return nil, lbaas.Errorf(lbaas.Invalid, "Malformed JSON")
	}
	return &body{Object: o, schema: schema}, nil
}

// mismatch is Barbican's answer to a body that is not as it should be.
func mismatch(schema, reason, property string) error {
	return lbaas.Errorf(lbaas.Invalid, "Provided object does not match schema '%s': %s. Invalid property: '%s'", schema, reason, property)
}

// err returns the first error that a reader found.
func (b *body) err() error { return b.wrong }

func (b *body) fail(property, reason string, args ...any) {
	if b.wrong == nil {
		b.wrong = mismatch(b.schema, fmt.Sprintf(reason, args...), property)
	}
}

func (b *body) has(name string) bool { _, ok := b.Object[name]; return ok }

func (b *body) null(name string) bool { return string(b.Object[name]) == "null" }

// require refuses a body that lacks one of the attributes.
func (b *body) require(names ...string) {
	for _, name := range names {
		if !b.has(name) {
			b.fail("None", "'%s' is a required property", name)
		}
	}
}

// raw reads a text as it is. What it is goes into no message: it may be secret.
func (b *body) raw(name string) string {
	var v string
	if b.has(name) && (b.null(name) || json.Unmarshal(b.Object[name], &v) != nil) {
		b.fail(name, "the value is not of type 'string'")
	}
	return v
}

// text reads a text without the blanks around it, of at most that many characters.
func (b *body) text(name string, limit int) string {
	v := strings.TrimSpace(b.raw(name))
	switch {
	case strings.ContainsRune(v, 0):
		b.fail(name, "the value has a zero byte")
	case utf8.RuneCountInString(v) > limit:
		b.fail(name, "'%s' is too long", v)
	}
	return v
}

// textOrNull is text of at most 255 characters, and null is no text.
func (b *body) textOrNull(name string) string {
	if b.null(name) {
		return ""
	}
	return b.text(name, 255)
}

// some is a text that must not be empty.
func (b *body) some(name string, limit int) string {
	v := b.text(name, limit)
	if b.has(name) && v == "" {
		b.fail(name, "'' is too short")
	}
	return v
}

// word reads one of the known words, or fallback where there is none.
func (b *body) word(name, fallback string, known []string) string {
	if !b.has(name) {
		return fallback
	}
	v := b.text(name, 255)
	if !slices.Contains(known, v) {
		b.fail(name, "'%s' is not one of %s", v, listed(known))
	}
	return v
}

// integer reads a whole number within bounds; 0 is none.
func (b *body) integer(name string, low, high int) int {
	if !b.has(name) {
		return 0
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(b.Object[name])))
	switch {
	case err != nil:
		b.fail(name, "the value is not of type 'integer'")
	case v < low:
		b.fail(name, "%d is less than the minimum of %d", v, low)
	case v > high:
		b.fail(name, "%d is greater than the maximum of %d", v, high)
	}
	return v
}

// after reads a time that is yet to come; zero is none.
func (b *body) after(name string, now time.Time) time.Time {
	text := b.text(name, 255)
	if text == "" {
		return time.Time{}
	}
	at, ok := parseTime(text)
	switch {
	case !ok:
		b.fail(name, "Invalid date for '%s'", name)
	case !at.After(now):
		b.fail(name, "'%s' is before current time", name)
	}
	return at
}

// object reads an object in the object; nil is none.
func (b *body) object(name string) *body {
	if !b.has(name) {
		return nil
	}
	o, err := web.ParseObject(b.Object[name])
	if err != nil || o == nil {
		b.fail(name, "the value is not of type 'object'")
		return nil
	}
	return &body{Object: o, schema: b.schema}
}

// objects reads a list of objects; where there is none it is empty.
func (b *body) objects(name string) (items []*body, ok bool) {
	if !b.has(name) {
		return nil, true
	}
	var all []web.Object
	if b.null(name) || json.Unmarshal(b.Object[name], &all) != nil {
		return nil, false
	}
	for _, o := range all {
		if o == nil {
			return nil, false
		}
		items = append(items, &body{Object: o, schema: b.schema})
	}
	return items, true
}

// timeForms are the forms of ISO 8601 that clients use; without a zone it is UTC.
var timeForms = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02",
}

func parseTime(text string) (time.Time, bool) {
	text = strings.Replace(text, " ", "T", 1)
	for _, form := range timeForms {
		if at, err := time.Parse(form, text); err == nil && at.Year() >= 1 && at.UTC().Year() <= 9999 {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// listed writes words as Barbican's messages do.
func listed(words []string) string { return "['" + strings.Join(words, "', '") + "']" }
