// Package web is the HTTP plumbing that every API shares: routes, request ids, authentication, decoding, faults,
// paging and the access log. What an API says lies in its own package; how it says it over HTTP lies here.
package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"plimsoll/internal/identity"
	"plimsoll/lbaas"
)

// MaxBody is the largest request body that is read, in bytes (API section 1.2).
const MaxBody = 114688

// Authenticator turns a token into who sends it. An unknown, expired or revoked token is lbaas.Unauthorized.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (*identity.Actor, error)
}

// Request is what a handler gets.
type Request struct {
	*http.Request
	ID    string          // the x-openstack-request-id of the answer
	Actor *identity.Actor // nil on routes that are open to everybody
	Query url.Values
	Log   *slog.Logger
}

// Stream is a body that writes itself, as JSON: one that is too long to be held in memory. An error breaks the connection
// off, so that nobody takes a part for the whole; what may fail is better tried before.
type Stream func(w io.Writer) error

// Raw is a body that is no JSON, and is written as it is.
type Raw struct {
	Type string // the Content-Type
	Data []byte
}

// Reply is what a handler answers: a status, and a body that is written as JSON unless it is nil, a Stream or Raw.
type Reply struct {
	Status int
	Body   any
	Header http.Header // added to the answer's
}

// Handler answers one route. An error becomes a fault in the words of the API that the route belongs to.
type Handler func(ctx context.Context, r *Request) (Reply, error)

// Route is one row of an API's table.
type Route struct {
	Method string
	Path   string // a pattern of http.ServeMux, without the method: "/v2.0/networks/{id}"
	Rule   string // the policy rule's name, for documents and for tests; the handler enforces it
	Open   bool   // answered without a token
	Handle Handler

	methods []string // all that the path has
}

// API is one face: its routes and its way of telling errors.
type API struct {
	Name   string
	Routes []Route
	// Fault turns an error into a status and a body; errors without a lbaas.Kind have become 500 by the time it
	// is written, and their text does not leave the process.
	Fault func(err error, r *Request) Reply
	Auth  Authenticator
	Log   *slog.Logger

	// MaxBody bounds the body of a request, in bytes; 0 stands for MaxBody.
	MaxBody int64

	// Guarded keeps from those without a token which paths and methods there are, but for the paths of open routes.
	Guarded bool
}

// Handler serves the API. Paths may end in ".json" or in a slash; what no route takes is a fault of 404 or 405.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	paths := map[string]Route{}
	for _, route := range a.Routes {
		p := paths[route.Path]
		paths[route.Path] = Route{Path: route.Path, Open: p.Open || route.Open || !a.Guarded, Handle: refuse, methods: append(p.methods, route.Method)}
	}
	for _, route := range a.Routes {
		route.methods = paths[route.Path].methods
		mux.Handle(route.Method+" "+route.Path, a.serve(route))
	}
	for path, others := range paths {
		mux.Handle(path, a.serve(others))
	}
	mux.Handle("/", a.serve(Route{Open: !a.Guarded, Handle: func(context.Context, *Request) (Reply, error) {
		return Reply{}, NoSuchPath
	}}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Cleaned here, since the mux would send the client to the clean path, which lacks whatever the API is mounted
		// under. The API's own address, which the catalog gives without a slash, becomes "/".
		clean := path.Clean("/" + strings.TrimSuffix(r.URL.Path, ".json"))
		if clean != r.URL.Path {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = clean, ""
		}
		mux.ServeHTTP(w, r)
	})
}

// NoSuchPath is the error of a path that no route has.
var NoSuchPath = lbaas.Errorf(lbaas.NotFound, "The resource could not be found.")

// MethodNotAllowed is the error of a method on a path that has others, which the answer's header Allow tells.
var MethodNotAllowed = errors.New("method not allowed")

func refuse(context.Context, *Request) (Reply, error) { return Reply{}, MethodNotAllowed }

// allow is the header of an answer to a method that the path does not have.
func (route Route) allow(method string) http.Header {
	others := slices.DeleteFunc(slices.Clone(route.methods), func(m string) bool { return m == method })
	return http.Header{"Allow": {strings.Join(others, ", ")}}
}

func (a *API) serve(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		start := time.Now()
		r := &Request{Request: hr, ID: "req-" + uuid.NewString()}
		r.Log = a.Log.With("request_id", r.ID)
		if id := globalID(hr); id != "" {
			r.Log = r.Log.With("global_request_id", id)
		}
		hr.Body = http.MaxBytesReader(w, hr.Body, cmp.Or(a.MaxBody, MaxBody))
		reply := a.answer(route, r)
		size := write(w, r, reply)
		a.note(route, hr, reply.Status, time.Since(start))
		r.Log.Debug("request", "api", a.Name, "method", hr.Method, "path", hr.URL.Path, "status", reply.Status,
			"bytes", size, "duration", time.Since(start))
	})
}

// globalID is the id under which the service that asks us works on a request of its own; "" where it gives none of the form that
// OpenStack's services give.
func globalID(r *http.Request) string {
	id := r.Header.Get("X-Openstack-Request-Id")
	rest, ok := strings.CutPrefix(id, "req-")
	if !ok || len(rest) != 36 || uuid.Validate(rest) != nil {
		return ""
	}
	return id
}

func (a *API) answer(route Route, r *Request) (reply Reply) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("panic", "panic", p, "stack", string(debug.Stack()))
			reply = a.Fault(errors.New("panic"), r)
		}
	}()
	var header http.Header
	err := a.prepare(route, r)
	if err == nil {
		reply, err = route.Handle(r.Context(), r)
		header = reply.Header
	}
	if err == nil {
		return reply
	}
	reply = a.Fault(err, r)
	if serious(reply.Status, err) {
		r.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", reply.Status, "err", err)
	}
	if errors.Is(err, MethodNotAllowed) {
		header = route.allow(r.Method)
	}
	for key, values := range header {
		if reply.Header == nil {
			reply.Header = http.Header{}
		}
		reply.Header[key] = values
	}
	return reply
}

// serious tells whether an operator should look. A 501 tells a user what a provider lacks, what is switched off an operator knows, and who
// hung up needs no answer.
func serious(status int, err error) bool {
	if status < http.StatusInternalServerError || status == http.StatusNotImplemented {
		return false
	}
	return !errors.Is(err, lbaas.SwitchedOff) && !errors.Is(err, context.Canceled)
}

func (a *API) prepare(route Route, r *Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return lbaas.Errorf(lbaas.Invalid, "The query string cannot be read: %v", err)
	}
	r.Query = query
	if route.Open {
		return nil
	}
	r.Actor, err = a.Auth.Authenticate(r.Context(), r.Header.Get("X-Auth-Token"))
	return err
}

func write(w http.ResponseWriter, r *Request, reply Reply) int {
	h := w.Header()
	for key, values := range reply.Header {
		h[http.CanonicalHeaderKey(key)] = values
	}
	h.Set("X-Openstack-Request-Id", r.ID)
	if reply.Body == nil {
		w.WriteHeader(reply.Status)
		return 0
	}
	if stream, ok := reply.Body.(Stream); ok {
		return writeStream(w, r, reply.Status, stream)
	}
	if raw, ok := reply.Body.(Raw); ok {
		h.Set("Content-Type", raw.Type)
		return writeBody(w, r, reply.Status, raw.Data)
	}
	body, err := json.Marshal(reply.Body)
	if err != nil {
		r.Log.Error("answer cannot be written as JSON", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return 0
	}
	h.Set("Content-Type", "application/json")
	return writeBody(w, r, reply.Status, body)
}

func writeBody(w http.ResponseWriter, r *Request, status int, body []byte) int {
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return 0
	}
	n, _ := w.Write(body) // the client may be gone; there is nobody to tell
	return n
}

func writeStream(w http.ResponseWriter, r *Request, status int, stream Stream) int {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return 0
	}
	out := &pieces{to: w}
	if err := stream(out); err != nil {
		if r.Context().Err() == nil { // else the client is gone
			r.Log.Error("answer broken off", "method", r.Method, "path", r.URL.Path, "bytes", out.size, "err", err)
		}
		panic(http.ErrAbortHandler) // which the server takes for the wish to break off, and for nothing else
	}
	return out.size
}

// pieces writes the pieces of a stream and counts their bytes.
type pieces struct {
	to   http.ResponseWriter
	size int
}

// pieceTime is how long a client may take for a piece. The server's own bound holds for the whole of an answer, which
// is not enough for a very long one.
const pieceTime = time.Minute

func (p *pieces) Write(b []byte) (int, error) {
	_ = http.NewResponseController(p.to).SetWriteDeadline(time.Now().Add(pieceTime)) // where it cannot be set, the server's holds
	n, err := p.to.Write(b)
	p.size += n
	return n, err
}

// ErrBodyTooLarge is the error of a body over MaxBody.
var ErrBodyTooLarge = errors.New("request body too large")

// ErrMediaType is the error of a body that does not say that it is JSON.
var ErrMediaType = errors.New("unsupported media type")

// ReadBody reads the whole body, up to MaxBody.
func ReadBody(r *Request) ([]byte, error) {
	if ct := r.Header.Get("Content-Type"); ct != "" && !strings.Contains(ct, "json") {
		return nil, ErrMediaType
	}
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, ErrBodyTooLarge
	}
	return data, err
}

// Unauthenticated is the answer of 401 in every API: Keystone's form, since it is Keystone's clients who read it.
func Unauthenticated(r *Request) Reply {
	return Reply{
		Status: http.StatusUnauthorized,
		Header: http.Header{"Www-Authenticate": {`Keystone uri="` + BaseURL(r.Request) + `/identity"`}},
		Body: map[string]any{"error": map[string]any{
			"code": http.StatusUnauthorized, "title": "Unauthorized",
			"message": "The request you have made requires authentication.",
		}},
	}
}

// BaseURL is the scheme and the host under which the client reached us.
func BaseURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
