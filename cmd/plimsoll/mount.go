package main

import (
	"net/http"
	"path"
	"strings"

	"plimsoll/internal/api/neutronlbaas"
)

// mount serves each handler below its path, which the handler does not see; RequestURI still has it. The handler of ""
// gets the rest, and health, if there is one, answers GET and HEAD at /healthcheck.
func mount(faces map[string]http.Handler, health http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if health != nil && asksHealth(r) {
			health.ServeHTTP(w, r)
			return
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		face, found := faces["/"+first]
		if !found || first == "" {
			faces[""].ServeHTTP(w, r)
			return
		}
		below := r.Clone(r.Context())
		below.URL.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"+first), "/")
		below.URL.RawPath = ""
		face.ServeHTTP(w, below)
	})
}

// networking serves the paths of the network service: those of load balancers by the face of old, the rest by Neutron's.
func networking(neutron, balancers http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if neutronlbaas.Serves(path.Clean(r.URL.Path)) {
			balancers.ServeHTTP(w, r)
			return
		}
		neutron.ServeHTTP(w, r)
	})
}

// withMetrics answers at /metrics, and leaves the rest to next. Nil is no metrics.
func withMetrics(metrics, next http.Handler) http.Handler {
	if metrics == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			metrics.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func asksHealth(r *http.Request) bool {
	return (r.URL.Path == "/healthcheck" || r.URL.Path == "/load-balancer/healthcheck") &&
		(r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// announce makes every face write its links with the URL under which clients reach the server, where that is configured.
func announce(base string, faces http.Handler) http.Handler {
	scheme, host, ok := strings.Cut(base, "://")
	if !ok {
		return faces
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = host
		r.Header.Set("X-Forwarded-Proto", scheme)
		faces.ServeHTTP(w, r)
	})
}
