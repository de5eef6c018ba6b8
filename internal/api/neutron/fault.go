package neutron

import (
	"errors"
	"net/http"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// codes says which code each kind of error has in this API.
func codes() map[lbaas.Kind]int {
	return map[lbaas.Kind]int{
		lbaas.NotFound:      http.StatusNotFound,
		lbaas.Invalid:       http.StatusBadRequest,
		lbaas.Conflict:      http.StatusConflict,
		lbaas.Immutable:     http.StatusConflict,
		lbaas.Stale:         http.StatusPreconditionFailed,
		lbaas.Forbidden:     http.StatusForbidden,
		lbaas.QuotaExceeded: http.StatusConflict,
		lbaas.Unsupported:   http.StatusNotImplemented,
		lbaas.Unavailable:   http.StatusServiceUnavailable,
		lbaas.SwitchedOff:   http.StatusServiceUnavailable,
	}
}

// names are the exception names of errors that carry none: those of the HTTP library that Neutron uses.
func names() map[int]string {
	return map[int]string{
		http.StatusBadRequest:            "HTTPBadRequest",
		http.StatusForbidden:             "HTTPForbidden",
		http.StatusNotFound:              "HTTPNotFound",
		http.StatusMethodNotAllowed:      "HTTPMethodNotAllowed",
		http.StatusConflict:              "HTTPConflict",
		http.StatusRequestEntityTooLarge: "HTTPRequestEntityTooLarge",
		http.StatusUnsupportedMediaType:  "HTTPUnsupportedMediaType",
		http.StatusNotImplemented:        "HTTPNotImplemented",
		http.StatusServiceUnavailable:    "HTTPServiceUnavailable",
		http.StatusInternalServerError:   "HTTPInternalServerError",
	}
}

// fault writes an error as Neutron does.
func fault(err error, r *web.Request) web.Reply {
	if errors.Is(err, lbaas.Unauthorized) {
		return web.Unauthenticated(r)
	}
	status, text, name := describe(err)
	if name == "" {
		name = names()[status]
	}
	return web.Reply{Status: status, Body: map[string]any{
		"NeutronError": map[string]any{"type": name, "message": text, "detail": ""},
	}}
}

func describe(err error) (status int, text, name string) {
	switch {
	case errors.Is(err, web.MethodNotAllowed):
		return http.StatusMethodNotAllowed, "The method is not allowed for this resource.", ""
	case errors.Is(err, web.ErrBodyTooLarge):
		return http.StatusRequestEntityTooLarge, "The request body is too large.", ""
	case errors.Is(err, web.ErrMediaType):
		return http.StatusUnsupportedMediaType, "The request body must be of type application/json.", ""
	}
	var e *lbaas.Error
	if errors.As(err, &e) && codes()[e.Kind] != 0 {
		return codes()[e.Kind], e.Text, e.Type
	}
	return http.StatusInternalServerError,
		"Request Failed: internal server error while processing your request.", ""
}

// badRequest is an error of the request's form.
func badRequest(format string, args ...any) error {
	return lbaas.Errorf(lbaas.Invalid, format, args...)
}

// invalid is the error of an attribute's value.
func invalid(attribute, format string, args ...any) error {
	reason := lbaas.Errorf(lbaas.Invalid, format, args...).Text
	return badRequest("Invalid input for %s. Reason: %s.", attribute, reason)
}

// queryFault turns what the store says of a list's question into Neutron's words.
func (r *resource) queryFault(err error, l *list) error {
	var bad *store.BadQuery
	if !errors.As(err, &bad) {
		return err
	}
	switch bad.Part {
	case "sort":
		return badRequest("['%s'] is invalid attribute for sort_keys", bad.Value)
	case "marker":
		return r.notFound(l.query.Marker)
	}
	return badRequest("['%s'] is invalid attribute for filtering", bad.Value)
}
