package haproxy

import (
	"slices"
	"strconv"
	"strings"

	"plimsoll/lbaas"
)

// sslHeaders are the insert_headers of listeners that end TLS, with the value of each, which HAProxy makes fit for a header. Without
// a client's certificate they are those of Octavia: 0, 0 and empty strings.
var sslHeaders = [...]struct{ name, value string }{
	{"X-SSL-Client-Verify", "%[ssl_c_verify]"},
	{"X-SSL-Client-Has-Cert", "%[ssl_c_used]"},
	{"X-SSL-Client-DN", "%[ssl_c_s_dn]"},
	{"X-SSL-Client-CN", "%[ssl_c_s_dn(cn)]"},
	{"X-SSL-Issuer", "%[ssl_c_i_dn]"},
	{"X-SSL-Client-SHA1", "%[ssl_c_sha1,hex]"},
	{"X-SSL-Client-Not-Before", "%[ssl_c_notbefore]"},
	{"X-SSL-Client-Not-After", "%[ssl_c_notafter]"},
}

// HeaderValues are the values that Render gives headers of requests, in HAProxy's log format.
func HeaderValues() []string {
	values := []string{"%[dst_port]", "%[src]", "http", "https"}
	for _, h := range sslHeaders {
		values = append(values, h.value)
	}
	return values
}

// StripSSLHeaders are the words behind the http-request that takes away what a client itself says of its certificate, in every
// spelling that a member could take for one of ours.
func StripSSLHeaders() []string { return []string{"del-header", "^x[-_]ssl[-_]", "-m", "reg"} }

// The lines that leave 5 kB of a buffer to what is inserted, four more than HAProxy does by itself, and as much as always to what the
// client sent. What does not fit beside a body is answered 500, and names in certificates may be long.
const (
	RewriteSize = "tune.maxrewrite 5120"
	BufferSize  = "tune.bufsize 20480"
)

// tellsOfClients tells whether any listener inserts what is in its clients' certificates.
func tellsOfClients(lb *lbaas.LoadBalancer) bool {
	return slices.ContainsFunc(listeners(lb), func(l *lbaas.Listener) bool {
		return asksClients(l) && slices.ContainsFunc(sslHeaders[:], func(h struct{ name, value string }) bool { return inserts(l, h.name) })
	})
}

// inserts tells whether a listener has an insert_headers name switched on.
func inserts(l *lbaas.Listener, name string) bool {
	return strings.EqualFold(l.InsertHeaders[name], "true")
}

// insertSSL adds what members learn of the client's certificate.
func (s section) insertSSL(l *lbaas.Listener) {
	var lines []string
	for _, h := range sslHeaders {
		if inserts(l, h.name) {
			lines = append(lines, "http-request set-header "+h.name+" "+h.value)
		}
	}
	if len(lines) > 0 || asksClients(l) {
		s.add("http-request %s", strings.Join(StripSSLHeaders(), " "))
	}
	for _, line := range lines {
		s.add("%s", line)
	}
}

// transportSecurity adds HSTS, to every answer, also those that HAProxy gives itself (RFC 6797, section 7.1).
func (s section) transportSecurity(l *lbaas.Listener) {
	if l.HSTSMaxAge == nil {
		return
	}
	value := "max-age=" + strconv.Itoa(max(*l.HSTSMaxAge, 0))
	if l.HSTSIncludeSubdomains {
		value += "; includeSubDomains"
	}
	if l.HSTSPreload {
		value += "; preload"
	}
	s.add("http-after-response set-header Strict-Transport-Security %s", Quote(value))
}
