package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWatched shows that what is told of requests are words of which there are few.
func TestWatched(t *testing.T) {
	api := &API{Name: "face", Log: slog.New(slog.DiscardHandler), Fault: func(error, *Request) Reply { return Reply{Status: 404} }, Routes: []Route{
		{Method: "GET", Path: "/things/{id}", Open: true, Handle: func(context.Context, *Request) (Reply, error) { return Reply{Status: 200}, nil }},
	}}
	var told []Seen
	h := Watched(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			return
		}
		api.Handler().ServeHTTP(w, r)
	}), func(s Seen) {
		s.Took = 0
		told = append(told, s)
	})
	for _, r := range [][2]string{{"GET", "/things/7"}, {"POST", "/things/8"}, {"GET", "/nothing/9"}, {"BREW", "/things/10"}, {"GET", "/elsewhere"}} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), r[0], r[1], nil))
	}
	want := []Seen{
		{API: "face", Method: "GET", Route: "/things/{id}", Status: 200}, {API: "face", Method: "POST", Route: "/things/{id}", Status: 404},
		{API: "face", Method: "GET", Status: 404}, {API: "face", Method: "other", Route: "/things/{id}", Status: 404},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	api.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/things/7", nil)) // nobody watches
}
