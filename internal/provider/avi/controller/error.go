package controller

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Error is an answer that is none of success.
type Error struct {
	Method, Path string
	Status       int
	Text         string // the controller's own words
	Page         bool   // a page for people: what stands before the controller answered, not its API
}

// Error returns the controller's words and what they answer.
func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %d: %s", e.Method, e.Path, e.Status, e.Text)
}

// silence is that nobody answered.
type silence struct {
	of    string // a request, or the addresses of a controller
	cause error
}

func (e *silence) Error() string {
	if e.cause == nil {
		return e.of
	}
	return e.of + ": " + e.cause.Error()
}

func (e *silence) Unwrap() error { return e.cause }

// is tells whether err is an answer with a status.
func is(err error, statuses ...int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && slices.Contains(statuses, e.Status)
}

// says tells whether err is an answer with a status from 400 to 499 that has the words, in whatever case.
func says(err error, words ...string) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status < 400 || e.Status > 499 {
		return false
	}
	text := strings.ToLower(e.Text)
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// Absent tells whether an object is not there. A page for people, as proxies have for what they do not find, says nothing of objects.
func Absent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound && !e.Page
}

// NoTenant tells whether the controller has no such tenant.
func NoTenant(err error) bool {
	return is(err, http.StatusForbidden) && says(err, "tenant", "does not exist")
}

// Stale tells whether an object was changed since it was read.
func Stale(err error) bool { return is(err, http.StatusPreconditionFailed) }

// Taken tells whether another object has the name or the UUID.
func Taken(err error) bool { return is(err, http.StatusConflict) }

// Denied tells whether the controller does not let the user log in.
func Denied(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Path == loginPath && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

var referredBy = regexp.MustCompile(`(?is)referred by:?\s*\[?(.*?)\]?\s*$`)

// Referred tells whether an object cannot be deleted since others refer to it, and which, in the controller's words.
func Referred(err error) (by string, ok bool) {
	if !says(err, "referred by") {
		return "", false
	}
	e, _ := errors.AsType[*Error](err)
	return referredBy.FindStringSubmatch(e.Text)[1], true
}

// Refused tells whether the controller understood a request and will not do it: asking again is of no use. What only has to wait for
// others is none of that: their references, another's write, an upgrade.
func Refused(err error) bool {
	if NoTenant(err) || Denied(err) || says(err, "referred by") || says(err, "during upgrade") {
		return false
	}
	return is(err, http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusNotImplemented)
}

// Unreachable tells whether nothing is known since no controller answered, or one that is not ready.
func Unreachable(err error) bool {
	_, silent := errors.AsType[*silence](err)
	return silent || is(err, unready...)
}

// unready are the answers of what stands before a controller that does not run yet.
var unready = []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// maxText bounds what is kept of the controller's words, in characters.
const maxText = 1000

// textOf returns what the body of an error says: {"error": …}, {"detail": …}, or plain text, which may be labelled as JSON.
func textOf(status int, contentType string, body []byte) string {
	text := strings.TrimSpace(string(body))
	if isPage(contentType, text) {
		text = ""
	}
	text = cmp.Or(flat(text), http.StatusText(status), "no reason given")
	if r := []rune(text); len(r) > maxText {
		text = string(r[:maxText]) + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func isPage(contentType, text string) bool {
	return strings.Contains(contentType, "html") || strings.HasPrefix(text, "<")
}

// flat writes JSON as a sentence: errors of fields are JSON within the text of JSON.
func flat(text string) string {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return text
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return sentence(v)
}

func sentence(v any) string {
	var parts []string
	switch v := v.(type) {
	case string:
		return flat(v)
	case []any:
		for _, e := range v {
			parts = append(parts, sentence(e))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if s := sentence(v[key]); key == "error" || key == "detail" || key == "message" {
				parts = append(parts, s)
			} else {
				parts = append(parts, key+": "+s)
			}
		}
	default:
		return fmt.Sprint(v)
	}
	return strings.Join(parts, "; ")
}

// privateKeys matches what of a text is a private key, whole or cut off.
var privateKeys = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`)

// hiding returns what takes secrets out of texts. Those that are so short that they are in any text are left.
func hiding(secrets ...string) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		if len(s) >= 4 {
			pairs = append(pairs, s, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}
