package barbican

import (
	"context"
	"errors"
	"net/http"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// codes is the one place where kinds of error become codes of HTTP.
var codes = map[lbaas.Kind]int{
	lbaas.NotFound:    http.StatusNotFound,
	lbaas.Invalid:     http.StatusBadRequest,
	lbaas.Conflict:    http.StatusConflict,
	lbaas.Immutable:   http.StatusConflict,
	lbaas.Forbidden:   http.StatusForbidden,
	lbaas.Unsupported: http.StatusNotImplemented,
	lbaas.Unavailable: http.StatusServiceUnavailable,
}

var (
	errTooLarge  = errors.New("payload too large")
	errMediaType = errors.New("content type of a payload")
	errAccept    = errors.New("no acceptable content type")
	errVersion   = errors.New("unknown microversion")
)

// transport are the errors of HTTP itself.
var transport = []struct {
	err  error
	code int
	text string
}{
	{web.MethodNotAllowed, http.StatusMethodNotAllowed, "The method is not allowed for this resource."},
	{web.ErrBodyTooLarge, http.StatusRequestEntityTooLarge, "Provided information too large to process"},
	{errTooLarge, http.StatusRequestEntityTooLarge, "Provided information too large to process"},
	{web.ErrMediaType, http.StatusUnsupportedMediaType, "Unexpected content type. Expected content types are: ['application/json']"},
	{errMediaType, http.StatusUnsupportedMediaType, "Unexpected content type. Expected content types are: " + listed(contentTypes[:])},
	{errAccept, http.StatusNotAcceptable, "The secret's payload has none of the content types that the header Accept asks for."},
	{errVersion, http.StatusNotAcceptable, "The header OpenStack-API-Version asks for a version that is not there: there are key-manager 1.0 and 1.1."},
	{context.Canceled, 499, "The client closed the request."},
}

// faultJSON is Barbican's form of an error.
type faultJSON struct {
	Code        int    `json:"code"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

// fault turns an error into Barbican's answer. What is not meant for users stays inside.
func fault(err error, r *web.Request) web.Reply {
	if errors.Is(err, lbaas.Unauthorized) {
		return unauthenticated(r)
	}
	code, text := explain(err)
	title := http.StatusText(code)
	if title == "" {
		title = "Client Closed Request"
	}
	return web.Reply{Status: code, Body: faultJSON{code, title, text}}
}

// unauthenticated is Keystone's answer, with the keys besides that Barbican's client reads of every fault: without them it ends in a KeyError.
func unauthenticated(r *web.Request) web.Reply {
	reply := web.Unauthenticated(r)
	body := map[string]any{"code": reply.Status, "title": http.StatusText(reply.Status), "description": "The request you have made requires authentication."}
	if keystone, ok := reply.Body.(map[string]any); ok {
		for key, value := range keystone {
			body[key] = value
		}
	}
	reply.Body = body
	return reply
}

func explain(err error) (code int, text string) {
	for _, t := range transport {
		if errors.Is(err, t.err) {
			return t.code, t.text
		}
	}
	var known *lbaas.Error
	if errors.As(err, &known) && codes[known.Kind] != 0 {
		return codes[known.Kind], known.Text
	}
	return http.StatusInternalServerError, "An unexpected error occurred. Its request id is in the header x-openstack-request-id."
}

// renamed is the store's error in Barbican's words: what is not there is called what the client knows it as.
func renamed(err error, noun string) error {
	if errors.Is(err, lbaas.NotFound) {
		return notFound(noun)
	}
	return err
}
