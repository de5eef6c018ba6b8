package metrics

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"plimsoll/internal/web"
)

// forwarded are headers by which proxies tell for whom they ask.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"}

// Guarded answers clients that are named, and who has a token of an administrator: the metrics name projects and their load balancers. A proxy
// does not count for its clients.
func Guarded(next http.Handler, clients []netip.Prefix, auth web.Authenticator) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !named(r, clients) && !administrates(r, auth) {
			http.Error(w, "Metrics are for the clients that [metrics] allowed_clients names, and for tokens of administrators "+
				"(X-Auth-Token, or Authorization: Bearer).", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func named(r *http.Request, clients []netip.Prefix) bool {
	for _, name := range forwarded {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	client := at.Addr().Unmap()
	if client.IsLoopback() && !plainHost(r.Host) {
		return false
	}
	return slices.ContainsFunc(clients, func(p netip.Prefix) bool { return p.Contains(client) })
}

// plainHost tells whether a request asks for an address, or for localhost. Another name may have been made to stand for this host so
// that a page in a browser here could read what it must not (DNS rebinding).
func plainHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost"
}

func administrates(r *http.Request, auth web.Authenticator) bool {
	token := r.Header.Get("X-Auth-Token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && token == "" {
		token = bearer
	}
	if token == "" {
		return false
	}
	actor, err := auth.Authenticate(r.Context(), token)
	return err == nil && actor.Admin()
}
