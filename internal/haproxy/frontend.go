package haproxy

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// headers are the insert_headers that HAProxy can set, with the line that each becomes, in the order of the file.
var headers = [...]struct{ name, line string }{
	{"X-Forwarded-For", "option forwardfor"},
	{"X-Forwarded-Port", "http-request set-header X-Forwarded-Port %[dst_port]"},
	{"X-Forwarded-IP", "http-request set-header X-Forwarded-IP %[src]"},
	{"X-Client-IP", "http-request set-header X-Client-IP %[src]"},
	{"X-Real-IP", "http-request set-header X-Real-IP %[src]"},
}

// HeaderSupported tells whether Render knows an insert_headers name.
func HeaderSupported(name string) bool {
	for _, h := range headers {
		if h.name == name {
			return true
		}
	}
	return name == forwardedProto || slices.ContainsFunc(sslHeaders[:], func(h struct{ name, value string }) bool { return h.name == name })
}

// forwardedProto tells members by which scheme the client came.
const forwardedProto = "X-Forwarded-Proto"

func scheme(l *lbaas.Listener) string {
	if l.UsesTLS() {
		return "https"
	}
	return "http"
}

func frontend(lb *lbaas.LoadBalancer, l *lbaas.Listener, opts Options) *enginepb.Section {
	s := newSection("frontend "+l.ID, l.ID)
	s.describe("Listener", l.Name)
	s.add("mode %s", mode(l.Protocol))
	s.bind(lb, l)
	if n := opts.limit(lb, l); n > 0 {
		s.add("maxconn %d", n)
	}
	s.add("timeout client %s", milliseconds(l.TimeoutClientData))
	if lb.AccessLog {
		s.note(l)
	}
	s.admit(l)
	s.track(l)
	if mode(l.Protocol) == "http" {
		s.http(l)
	}
	s.limits(l)
	if L7Protocol(l.Protocol) {
		s.policies(lb, l)
	}
	if l.Protocol == lbaas.Prometheus {
		s.exports()
	} else if p := lb.Pool(l.DefaultPoolID); p != nil {
		s.add("default_backend %s:%s", p.ID, l.ID)
	}
	s.refuse(l.Name)
	return s.Section
}

// admit turns away clients that allowed_cidrs does not name. timeout_tcp_inspect bounds how long rules over content wait for
// it; without such a rule, which only L7 policies need, HAProxy waits for nothing.
func (s section) admit(l *lbaas.Listener) {
	if l.TimeoutTCPInspect > 0 {
		s.add("tcp-request inspect-delay %s", milliseconds(l.TimeoutTCPInspect))
	}
	for _, cidr := range slices.Sorted(slices.Values(l.AllowedCIDRs)) { // one each: a line has room for 64 words
		s.add("acl allowed src %s", Quote(cidr))
	}
	if len(l.AllowedCIDRs) > 0 {
		s.add("tcp-request connection reject unless allowed")
	}
}

// http is what only HTTP has. Without idle-close-on-response an idle client connection that ends in a reload
// costs its next request.
func (s section) http(l *lbaas.Listener) {
	s.add("option idle-close-on-response")
	for _, h := range headers {
		if inserts(l, h.name) {
			s.add("%s", h.line)
		}
	}
	if inserts(l, forwardedProto) {
		s.add("http-request set-header %s %s", forwardedProto, scheme(l))
	}
	if l.UsesTLS() {
		s.insertSSL(l)
		s.transportSecurity(l)
	}
}

// bind adds the addresses that the listener listens on: the port at each VIP.
func (s section) bind(lb *lbaas.LoadBalancer, l *lbaas.Listener) {
	for _, vip := range lb.VIPs() {
		words := []string{net.JoinHostPort(vip.String(), strconv.Itoa(l.ProtocolPort))}
		if l.UsesTLS() {
			words = append(words, bindTLS(l)...)
		}
		s.add("bind %s", strings.Join(words, " "))
	}
}

// mode is the mode of a listener and of the backends that it uses: a TCP listener passes bytes, also to an HTTP pool.
func mode(p lbaas.Protocol) string {
	if p == lbaas.HTTP || p == lbaas.TerminatedHTTPS || p == lbaas.Prometheus {
		return "http"
	}
	return "tcp"
}

// limit is the listener's connection_limit, within what the process can hold; 0 stands for none of its own. HAProxy
// takes a limit of 0 for none, too.
func (o Options) limit(lb *lbaas.LoadBalancer, l *lbaas.Listener) int {
	if l.ConnectionLimit == nil || *l.ConnectionLimit <= 0 {
		return 0
	}
	if most := o.maxconn(lb, 0); most > 0 {
		return min(*l.ConnectionLimit, most)
	}
	return min(*l.ConnectionLimit, 1<<30)
}

// milliseconds writes a timeout. 0 is none, for HAProxy (which warns) as for the API.
func milliseconds(n int) string {
	return fmt.Sprintf("%dms", min(max(n, 0), lbaas.MaxTimeoutMs))
}
