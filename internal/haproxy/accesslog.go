package haproxy

import (
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

// LogFile is the file of the access log, in a load balancer's run directory.
const LogFile = "access.log"

// LogLine is the length of the longest line of an access log, in bytes: what a pipe takes as a whole (PIPE_BUF, pipe(7)). Of what
// clients send, a line has 1024 characters of the request and 255 of the host's name, which double at most.
const LogLine = 4096

// LogTarget is the line that has a frontend note what it serves: to the file descriptor that HAProxy is started with as its first beyond
// the usual, in one line each, with its end.
const LogTarget = "log fd@3 len 4095 format raw local0 info"

// LogCapture is the line that keeps the name that a request asks for until its end, when it is noted.
const LogCapture = "capture request header Host len 255"

// A logField is a field of an access log's line: its name and how HAProxy writes its value.
type logField struct{ name, value string }

// What clients send goes through json(), which leaves nothing that could end a text or a line. The rest is HAProxy's own.
var (
	logStart = []logField{
		{"time", "%Ts.%ms"}, {"client", `"%ci"`}, {"client_port", "%cp"}, {"listener", `"%f"`},
		{"pool", `"%[be_name,field(1,:)]"`}, {"member", `"%s"`},
	}
	logRequest = []logField{
		{"http", `"%[fc_http_major]"`},
		{"method", `"%[capture.req.method,json(utf8s)]"`}, {"uri", `"%[capture.req.uri,json(utf8s)]"`},
		{"version", `"%[capture.req.ver,json(utf8s)]"`}, {"host", `"%[capture.req.hdr(0),json(utf8s)]"`}, {"code", "%ST"},
	}
	logBytes = []logField{{"bytes_in", "%U"}, {"bytes_out", "%B"}}
	logHTTP  = []logField{
		{"time_request", "%TR"}, {"time_queue", "%Tw"}, {"time_connect", "%Tc"}, {"time_response", "%Tr"}, {"time_total", "%Ta"},
		{"termination", `"%ts"`},
	}
	logTLS = []logField{{"tls_version", `"%sslv"`}, {"tls_cipher", `"%sslc"`}}
	logTCP = []logField{{"time_queue", "%Tw"}, {"time_connect", "%Tc"}, {"time_total", "%Tt"}, {"termination", `"%ts"`}}
)

// LogFormats are the forms of an access log's lines, in HAProxy's language: of HTTP, of HTTP over TLS, and of TCP.
func LogFormats() []string {
	return []string{
		logFormat(logStart, logRequest, logBytes, logHTTP),
		logFormat(logStart, logRequest, logBytes, logHTTP, logTLS),
		logFormat(logStart, logBytes, logTCP),
	}
}

func logFormat(parts ...[]logField) string {
	var fields []string
	for _, part := range parts {
		for _, f := range part {
			fields = append(fields, `"`+f.name+`":`+f.value)
		}
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// note has the frontend write the access log.
func (s section) note(l *lbaas.Listener) {
	formats := LogFormats()
	s.add(LogTarget)
	switch {
	case mode(l.Protocol) != "http":
		s.add("log-format %s", Quote(formats[2]))
		return
	case l.UsesTLS():
		s.add("log-format %s", Quote(formats[1]))
	default:
		s.add("log-format %s", Quote(formats[0]))
	}
	s.add(LogCapture)
}

// Logs tells whether HAProxy writes an access log by a Spec: whether it needs the file descriptor.
func Logs(spec *enginepb.Spec) bool {
	for _, s := range spec.GetSections() {
		for _, line := range s.GetLines() {
			if line == LogTarget {
				return true
			}
		}
	}
	return false
}
