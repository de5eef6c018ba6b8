package web

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Seen is what became of a request, in words of which there are few.
type Seen struct {
	API    string // the face's name
	Method string // "other" is one that HTTP does not know
	Route  string // the route's pattern, never a path; "" is none
	Status int
	Took   time.Duration
}

type seenKey struct{}

// Watched tells of each request that an API below next answered.
func Watched(next http.Handler, tell func(Seen)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &Seen{}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), seenKey{}, s)))
		if s.Status != 0 {
			tell(*s)
		}
	})
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// note fills in what was answered, where somebody watches.
func (a *API) note(route Route, r *http.Request, status int, took time.Duration) {
	s, watched := r.Context().Value(seenKey{}).(*Seen)
	if !watched {
		return
	}
	*s = Seen{API: a.Name, Method: r.Method, Route: route.Path, Status: status, Took: took}
	if !slices.Contains(methods, r.Method) {
		s.Method = "other"
	}
}
