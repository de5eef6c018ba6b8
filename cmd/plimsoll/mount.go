package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"plimsoll/internal/store"
)

// mount serves each handler below its path, which the handler does not see; RequestURI still has it. The handler of ""
// gets the rest, and health answers at /healthcheck.
func mount(faces map[string]http.Handler, health http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthcheck" || r.URL.Path == "/load-balancer/healthcheck" {
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

// healthcheck answers as Octavia's does: OK, or 503 with the reason.
func healthcheck(st *store.Store) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := st.Ping(ctx); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("the database does not answer\n"))
			return
		}
		_, _ = w.Write([]byte("OK"))
	})
}
