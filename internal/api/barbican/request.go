package barbican

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/google/uuid"

	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// request is a web.Request with what its route says of it.
type request struct {
	*web.Request
	rule      string
	operation string
	minor     int // of the version that the client speaks: 0 or 1
}

type handler func(ctx context.Context, r *request) (web.Reply, error)

// handle makes the web's handler of ours, with what all routes check first.
func (a *API) handle(route row) web.Handler {
	return func(ctx context.Context, wr *web.Request) (web.Reply, error) {
		if wr.Method == http.MethodHead { // the mux gives HEAD to the routes of GET
			return web.Reply{}, web.MethodNotAllowed
		}
		minor, err := minorOf(wr.Header.Values(versionHeader))
		if err != nil {
			return web.Reply{}, err
		}
		reply, err := route.handle(ctx, &request{Request: wr, rule: route.rule, operation: route.operation, minor: minor})
		return spoken(reply, minor), err
	}
}

// lacks answers what exists in Barbican and not here.
func lacks(_ context.Context, r *request) (web.Reply, error) {
	return web.Reply{}, lbaas.Errorf(lbaas.Unsupported, "This key manager keeps secrets and containers: it has no /v1/%s.", r.operation)
}

// id returns a part of the path that is the id of a noun, in the form in which ids are kept.
func (r *request) id(name, noun string) (string, error) {
	id, err := uuid.Parse(r.PathValue(name))
	if err != nil || len(r.PathValue(name)) != 36 {
		return "", notFound(noun)
	}
	return id.String(), nil
}

func notFound(noun string) error { return lbaas.Errorf(lbaas.NotFound, "%s not found.", noun) }

// root is the URL of the API as the client knows it, without a version.
func (r *request) root() string {
	prefix := ""
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		seen := strings.TrimSuffix(path.Clean("/"+strings.TrimSuffix(u.Path, ".json")), "/")
		prefix = strings.TrimSuffix(seen, strings.TrimSuffix(r.URL.Path, "/"))
	}
	return web.BaseURL(r.Request.Request) + prefix
}

// ref is the reference to an object, under which clients know it.
func (r *request) ref(parts ...string) string { return r.root() + "/v1/" + strings.Join(parts, "/") }

func (r *request) secretRef(id string) string    { return r.ref("secrets", id) }
func (r *request) containerRef(id string) string { return r.ref("containers", id) }

// referred returns the id in a reference to a secret: a URL of ours, under whatever name clients know us, or a bare id.
func referred(ref string) (id string, ok bool) {
	ref = strings.TrimRight(ref, "/")
	if at := strings.LastIndex(ref, "/"); at >= 0 {
		if !strings.HasSuffix(ref[:at], "/v1/secrets") {
			return "", false
		}
		ref = ref[at+1:]
	}
	parsed, err := uuid.Parse(ref)
	if err != nil || len(ref) != 36 {
		return "", false
	}
	return parsed.String(), true
}
