package keystone

import (
	"encoding/json"
	"errors"
	"net/http"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

var codes = map[lbaas.Kind]int{
	lbaas.NotFound:      http.StatusNotFound,
	lbaas.Invalid:       http.StatusBadRequest,
	lbaas.Conflict:      http.StatusConflict,
	lbaas.Immutable:     http.StatusForbidden,
	lbaas.Forbidden:     http.StatusForbidden,
	lbaas.QuotaExceeded: http.StatusForbidden,
	lbaas.Unsupported:   http.StatusNotImplemented,
	lbaas.Unavailable:   http.StatusServiceUnavailable,
}

// fault tells an error as Keystone does.
func fault(err error, r *web.Request) web.Reply {
	if errors.Is(err, lbaas.Unauthorized) {
		return web.Unauthenticated(r)
	}
	code, text := classify(err)
	return web.Reply{Status: code, Body: map[string]any{"error": map[string]any{
		"code": code, "title": http.StatusText(code), "message": text,
	}}}
}

func classify(err error) (int, string) {
	var kind lbaas.Kind
	var bad *store.BadQuery
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest, "Invalid " + bad.Part + " in the query: " + bad.Value + "."
	case errors.Is(err, web.MethodNotAllowed):
		return http.StatusMethodNotAllowed, "The method is not allowed for the requested URL."
	case errors.Is(err, web.ErrBodyTooLarge):
		return http.StatusRequestEntityTooLarge, "Request is too large."
	case errors.Is(err, web.ErrMediaType):
		return http.StatusUnsupportedMediaType, "The media type of the request is not application/json."
	case errors.As(err, &kind) && codes[kind] != 0:
		return codes[kind], err.Error()
	}
	return http.StatusInternalServerError, "An unexpected error prevented the server from fulfilling your request."
}

// malformed is the error of a body that is not what it should be.
func malformed(what string) error {
	return lbaas.Errorf(lbaas.Invalid, "Expecting to find %s. The server could not comply with the request since it is either "+
		"malformed or otherwise incorrect. The client is assumed to be in error.", what)
}

// badField is the error of an attribute that is not as it should be.
func badField(field string, value json.RawMessage, why string) error {
	const enough = 100 // of a foreign value in an answer
	text := []rune(string(value))
	if len(text) > enough {
		text = append(text[:enough], '…')
	}
	return lbaas.Errorf(lbaas.Invalid, "Invalid input for field '%s': %s %s", field, string(text), why)
}
