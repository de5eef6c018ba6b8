package octavia

import (
	"context"
	"errors"
	"net/http"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// codes is the one place where kinds of error become codes of HTTP.
var codes = map[lbaas.Kind]int{
	lbaas.NotFound:      http.StatusNotFound,
	lbaas.Invalid:       http.StatusBadRequest,
	lbaas.Conflict:      http.StatusConflict,
	lbaas.Immutable:     http.StatusConflict,
	lbaas.Forbidden:     http.StatusForbidden,
	lbaas.QuotaExceeded: http.StatusForbidden,
	lbaas.Unsupported:   http.StatusNotImplemented,
	lbaas.Unavailable:   http.StatusServiceUnavailable,
}

// transport are the errors of HTTP itself, with the texts that clients know.
var transport = []struct {
	err  error
	code int
	text string
}{
	{web.MethodNotAllowed, http.StatusMethodNotAllowed, "The method is not allowed for this resource."},
	{errNotAcceptable, http.StatusNotAcceptable, "Only content type application/json is accepted."},
	{web.ErrBodyTooLarge, http.StatusRequestEntityTooLarge, "Request is too large."},
	{web.ErrMediaType, http.StatusUnsupportedMediaType, "Only content type application/json is accepted."},
	{context.Canceled, 499, "The client closed the request."},
}

var errNotAcceptable = errors.New("not acceptable")

// faultJSON is the API's form of an error, with the three keys that errors from outside its controllers have.
type faultJSON struct {
	Code        string  `json:"faultcode"`
	Text        string  `json:"faultstring"`
	Debug       *string `json:"debuginfo"`
	Status      int     `json:"code"`
	Title       string  `json:"title"`
	Description string  `json:"description"`
}

// fault turns an error into the API's answer. What is not meant for users stays inside.
func fault(err error, r *web.Request) web.Reply {
	if errors.Is(err, lbaas.Unauthorized) {
		return web.Unauthenticated(r)
	}
	code, text := explain(err)
	side := "Client"
	if code >= http.StatusInternalServerError {
		side = "Server"
	}
	return web.Reply{Status: code, Body: faultJSON{
		Code: side, Text: text, Status: code, Title: http.StatusText(code), Description: text,
	}}
}

func explain(err error) (code int, text string) {
	for _, t := range transport {
		if errors.Is(err, t.err) {
			return t.code, t.text
		}
	}
	var bad *store.BadQuery
	if errors.As(err, &bad) {
		return http.StatusBadRequest, badQuery(bad)
	}
	var failed *providerError
	if errors.As(err, &failed) {
		return http.StatusInternalServerError, "Provider '" + failed.provider + "' reports error: it could not be asked. " + seeRequestID
	}
	var known *lbaas.Error
	if errors.As(err, &known) && codes[known.Kind] != 0 {
		return codes[known.Kind], known.Text
	}
	return http.StatusInternalServerError, "An unexpected error occurred. " + seeRequestID
}

const seeRequestID = "Its request id is in the header x-openstack-request-id."

func badQuery(bad *store.BadQuery) string {
	switch bad.Part {
	case "sort":
		return "Supplied sort key '" + bad.Value + "' is not valid."
	case "marker":
		return "Supplied pagination marker '" + bad.Value + "' is not valid."
	}
	return "One or more arguments are either duplicate or invalid"
}

// notImplemented is the answer to what exists in the API and not here.
func notImplemented(provider, what string) error {
	return lbaas.Errorf(lbaas.Unsupported, "Provider '%s' does not support a requested action: %s", provider, what)
}
