package lbaas

import "fmt"

// Kind says what sort of failure an Error is. Ask for one with errors.Is(err, lbaas.NotFound).
type Kind string

// The kinds of error. A transport turns each into a code of its own; anything that is not an Error is internal.
const (
	NotFound      Kind = "not found"
	Invalid       Kind = "invalid"
	Conflict      Kind = "conflict"
	Immutable     Kind = "immutable"
	Stale         Kind = "stale" // the request was made for another revision of the object
	Forbidden     Kind = "forbidden"
	Unauthorized  Kind = "unauthorized"
	QuotaExceeded Kind = "quota exceeded"
	Unsupported   Kind = "unsupported"
	Unavailable   Kind = "unavailable"
	SwitchedOff   Kind = "switched off" // an operator switched it off
)

// Error makes a Kind usable with errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is a failure that a user may read. Text keeps the API's wording and names the field; Type, where set, is the
// exception name that Neutron's users know.
type Error struct {
	Kind Kind
	Text string
	Type string
}

// Error returns the text for users.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the kind, so that errors.Is(err, NotFound) works.
func (e *Error) Unwrap() error { return e.Kind }

// Errorf makes an Error of a kind.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// Missing is the NotFound of an object, with the API's wording: «Listener <id> not found.».
func Missing(noun Noun, id string) *Error {
	return Errorf(NotFound, "%s %s not found.", noun, id)
}

// InvalidField is the Invalid of an attribute, with the API's wording.
func InvalidField(field string, value any, why string) *Error {
	return Errorf(Invalid, "Invalid input for field/attribute %s. Value: '%v'. %s", field, value, why)
}
