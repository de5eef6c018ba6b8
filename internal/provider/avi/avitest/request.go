package avitest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

const maxBody = 8 << 20

// The headers of the controller's own.
const (
	headerVersion    = "X-Avi-Version"
	headerTenant     = "X-Avi-Tenant"
	headerTenantUUID = "X-Avi-Tenant-UUID"
	headerSlug       = "Slug"
	headerCSRF       = "X-CSRFToken"
	headerAPIVersion = "AVI_API_VERSION" // as recorded: no canonical form
)

// noVersion is what a request without a version is answered in, and /login always.
const noVersion = "16_4_2"

// request is one with its body, read.
type request struct {
	*http.Request
	raw     []byte
	body    map[string]any // nil where it is no JSON object
	session *session       // nil: none, or basic authentication
	basic   bool
}

// reply is an answer and how it is lost, if it is.
type reply struct {
	answer
	reason string // the reason phrase, where it is not the usual one
	cut    cut
}

type cut int

const (
	arrives cut = iota
	lost        // the connection ends before it
	torn        // the connection ends within it
)

func newReply(a answer) reply {
	if a.Header == nil {
		a.Header = http.Header{}
	}
	return reply{answer: a}
}

func errorReply(status int, text string) reply { return newReply(failure(status, text)) }

// encode is for values that always have a JSON form.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func readRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	q := &request{Request: r, raw: raw}
	_ = json.Unmarshal(raw, &q.body) // a form, or no object: the handler says what is wrong with it
	return q, nil
}

// api tells whether a request is below /api, where all but log-ins are.
func (q *request) api() bool { return strings.HasPrefix(q.URL.Path, "/api/") }

func (q *request) base() string { return "https://" + q.Host }

// writes tells whether a request may change something.
func (q *request) writes() bool {
	return q.Method != http.MethodGet && q.Method != http.MethodHead && q.Method != http.MethodOptions
}

// call is the request as the object model sees it: /api/<kind>[/<uuid>[/<action>]].
func (q *request) call() call {
	parts := strings.SplitN(strings.Trim(strings.TrimPrefix(q.URL.Path, "/api/"), "/"), "/", 3)
	parts = append(parts, "", "")
	return call{
		Method: q.Method, Kind: parts[0], UUID: parts[1], Action: parts[2], Query: q.URL.Query(),
		Tenant: q.Header.Get(headerTenant), TenantUUID: q.Header.Get(headerTenantUUID), Slug: q.Header.Get(headerSlug),
		Version: q.Header.Get(headerVersion), Base: q.base(), Body: q.raw,
	}
}

// ServeHTTP answers a request, or fails as it was told to.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := readRequest(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if !s.waitMuted(r.Context()) {
		return
	}
	re := s.treat(q)
	s.record(q, re.Status)
	s.write(w, q, re)
}

// treat answers a request unless a fault is in its way.
func (s *Server) treat(q *request) reply {
	if f, ok := s.fault(q); ok {
		return s.fail(f, q)
	}
	return s.answer(q)
}

// write sends an answer, or loses it. net/http closes the connection of a handler that is aborted.
func (s *Server) write(w http.ResponseWriter, q *request, re reply) {
	if re.cut == lost {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	maps.Copy(h, re.Header)
	h[headerAPIVersion] = []string{q.answeredVersion()}
	h.Set("Cache-Control", "private, no-cache, must-revalidate")
	h.Set("Content-Length", strconv.Itoa(len(re.Body)))
	if re.Status == http.StatusNoContent {
		h.Del("Content-Length")
	}
	if re.reason != "" && writeRaw(w, re) {
		return
	}
	w.WriteHeader(re.Status)
	if re.cut == torn {
		_, _ = w.Write(re.Body[:len(re.Body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(re.Body)
}

// writeRaw writes an answer with a reason phrase of its own, which net/http does not offer, and ends the connection.
func writeRaw(w http.ResponseWriter, re reply) bool {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	defer conn.Close()
	h := w.Header().Clone()
	h.Set("Connection", "close")
	fmt.Fprintf(buffered, "HTTP/1.1 %d %s\r\n", re.Status, re.reason)
	_ = h.Write(buffered)
	fmt.Fprintf(buffered, "\r\n%s", re.Body)
	_ = buffered.Flush() // a client that has gone needs no answer
	return true
}

// answeredVersion is what AVI_API_VERSION says.
func (q *request) answeredVersion() string {
	if v := q.Header.Get(headerVersion); v != "" && q.api() {
		return v
	}
	return noVersion
}
