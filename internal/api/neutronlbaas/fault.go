package neutronlbaas

import (
	"context"
	"errors"
	"net/http"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// status is the code of each kind of error, and the exception name of one that carries none: those of the HTTP library that Neutron uses.
type status struct {
	code int
	name string
}

func statusOf(kind lbaas.Kind) status {
	switch kind {
	case lbaas.NotFound:
		return status{http.StatusNotFound, "HTTPNotFound"}
	case lbaas.Invalid:
		return status{http.StatusBadRequest, "HTTPBadRequest"}
	case lbaas.Conflict, lbaas.Immutable, lbaas.QuotaExceeded:
		return status{http.StatusConflict, "HTTPConflict"}
	case lbaas.Forbidden:
		return status{http.StatusForbidden, "HTTPForbidden"}
	case lbaas.Unsupported:
		return status{http.StatusNotImplemented, "HTTPNotImplemented"}
	case lbaas.Unavailable, lbaas.SwitchedOff:
		return status{http.StatusServiceUnavailable, "HTTPServiceUnavailable"}
	}
	return status{http.StatusInternalServerError, "HTTPInternalServerError"}
}

// fault writes an error as Neutron does. What is not meant for users stays inside.
func fault(err error, r *web.Request) web.Reply {
	if errors.Is(err, lbaas.Unauthorized) {
		return web.Unauthenticated(r)
	}
	s, text := explain(err)
	return web.Reply{Status: s.code, Body: map[string]any{
		"NeutronError": map[string]any{"type": s.name, "message": text, "detail": ""},
	}}
}

func explain(err error) (status, string) {
	switch {
	case errors.Is(err, web.MethodNotAllowed):
		return status{http.StatusMethodNotAllowed, "HTTPMethodNotAllowed"}, "The method is not allowed for this resource."
	case errors.Is(err, web.ErrBodyTooLarge):
		return status{http.StatusRequestEntityTooLarge, "HTTPRequestEntityTooLarge"}, "The request body is too large."
	case errors.Is(err, web.ErrMediaType):
		return status{http.StatusUnsupportedMediaType, "HTTPUnsupportedMediaType"}, "The request body must be of type application/json."
	case errors.Is(err, context.Canceled):
		return status{499, "HTTPClientError"}, "The client closed the request."
	}
	var e *lbaas.Error
	if !errors.As(err, &e) || statusOf(e.Kind).code == http.StatusInternalServerError {
		return statusOf(""), "Request Failed: internal server error while processing your request."
	}
	s := statusOf(e.Kind)
	if e.Type != "" {
		s.name = e.Type
	}
	return s, e.Text
}
