package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// CORS lets pages of other origins use the APIs from a browser: the W3C's Cross-Origin Resource Sharing, as OpenStack's services
// have it. The zero CORS lets none.
type CORS struct {
	Origins     []string // "*" is all
	Credentials bool     // requests may carry credentials; browsers take that for named origins only
	Expose      []string // headers of answers that pages may read
	Headers     []string // headers that requests may carry, beside the simple ones
	Methods     []string
	MaxAge      int // for how many seconds a browser may keep the answer to a preflight
}

// simple are headers that every request may carry.
var simple = []string{"Accept", "Accept-Language", "Cache-Control", "Content-Language", "Content-Type", "Expires", "Last-Modified", "Pragma"}

// Wrap answers preflights itself and adds to the answers of next what lets browsers hand them out.
func (c CORS) Wrap(next http.Handler) http.Handler {
	if len(c.Origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := c.allowed(r.Header.Get("Origin"))
		if origin == "" {
			next.ServeHTTP(w, r)
			return
		}
		if r.Method == http.MethodOptions {
			if c.permits(r) {
				c.preflight(h, origin, r)
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		c.allow(h, origin)
		if len(c.Expose) > 0 {
			h.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ","))
		}
		next.ServeHTTP(w, r)
	})
}

// allowed returns how an origin is allowed: as itself, with all others, or, "", not at all.
func (c CORS) allowed(origin string) string {
	switch {
	case origin == "":
		return ""
	case slices.Contains(c.Origins, origin):
		return origin
	case slices.Contains(c.Origins, "*"):
		return "*"
	}
	return ""
}

func (c CORS) allow(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	if c.Credentials && origin != "*" {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// permits tells whether what a preflight asks for is allowed.
func (c CORS) permits(r *http.Request) bool {
	if !slices.Contains(c.Methods, r.Header.Get("Access-Control-Request-Method")) {
		return false
	}
	for _, name := range requestedHeaders(r) {
		same := func(known string) bool { return strings.EqualFold(known, name) }
		if !slices.ContainsFunc(c.Headers, same) && !slices.ContainsFunc(simple, same) {
			return false
		}
	}
	return true
}

func requestedHeaders(r *http.Request) []string {
	var names []string
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (c CORS) preflight(h http.Header, origin string, r *http.Request) {
	c.allow(h, origin)
	h.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
	h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	if names := requestedHeaders(r); len(names) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(names, ","))
	}
	h.Set("X-Openstack-Request-Id", "req-"+uuid.NewString())
	h.Set("Content-Length", "0")
}
