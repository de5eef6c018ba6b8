package controller

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a controller that knows of sessions and of nothing else: it answers every read with the object that is asked for.
type fake struct {
	*httptest.Server

	mu          sync.Mutex
	answer      func(w http.ResponseWriter, r *http.Request) bool // before all else; tells whether it answered
	sessions    []string
	calls       []string
	connections map[net.Conn]bool
	most        int // connections at the same time
}

func newFake(t *testing.T) *fake {
	f := &fake{connections: map[net.Conn]bool{}}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ConnState = f.connected
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.StartTLS()
	t.Cleanup(f.Close)
	return f
}

func (f *fake) connected(c net.Conn, s http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s == http.StateClosed {
		delete(f.connections, c)
	} else {
		f.connections[c] = true
	}
	f.most = max(f.most, len(f.connections))
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	answer := f.answer
	f.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	switch {
	case r.URL.Path == "/login":
		f.login(w, r)
	case !f.known(r):
		tell(w, http.StatusUnauthorized, "CSRF token missing or incorrect.")
	default:
		fmt.Fprintf(w, `{"uuid": %q}`, path.Base(r.URL.Path))
	}
}

func (f *fake) login(w http.ResponseWriter, r *http.Request) {
	var who map[string]string
	if json.NewDecoder(r.Body).Decode(&who) != nil || who["username"] != "admin" || cmp.Or(who["password"], who["token"]) != "avi12345" {
		tell(w, http.StatusUnauthorized, `{"error": "Invalid credentials for avi12345"}`)
		return
	}
	f.mu.Lock()
	id := fmt.Sprintf("session-%d", len(f.sessions))
	f.sessions = append(f.sessions, id)
	f.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "csrftoken", Value: "token-of-" + id})
	http.SetCookie(w, &http.Cookie{Name: "avi-sessionid", Value: id})
	tell(w, http.StatusOK, `{"session_cookie_name": "avi-sessionid", "version": {"Version": "18.2.6"}}`)
}

// known tells whether a request is one of the last session.
func (f *fake) known(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, err := r.Cookie("avi-sessionid")
	token, e := r.Cookie("csrftoken")
	return err == nil && e == nil && len(f.sessions) > 0 && id.Value == f.sessions[len(f.sessions)-1] &&
		token.Value == "token-of-"+id.Value && r.Header.Get("X-CSRFToken") == token.Value && r.Header.Get("Referer") == f.URL
}

// expire forgets the session.
func (f *fake) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions = append(f.sessions, "nobody's")
}

func (f *fake) on(answer func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// times has the next n requests for a path answered with this.
func (f *fake) times(n int, path string, answer http.HandlerFunc) {
	var mu sync.Mutex
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if n == 0 || r.URL.Path != path {
			return false
		}
		n--
		answer(w, r)
		return true
	})
}

// called are the calls since the last time.
func (f *fake) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *fake) logins() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == "POST /login" {
			n++
		}
	}
	return n
}

// bounded checks how many connections there were at the same time.
func (f *fake) bounded(t *testing.T, most int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.most > most {
		t.Errorf("%d connections at the same time, want %d at most", f.most, most)
	}
}

func (f *fake) address() string { return strings.TrimPrefix(f.URL, "https://") }

func tell(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { tell(w, status, body) }
}

// cut ends the connection without an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers nothing until the client has lost patience.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the end of the connection
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // an answer might still arrive
}

// client returns a client of the fakes, whose log is kept.
func client(t *testing.T, change func(*Config), nodes ...*fake) (*Client, *journal) {
	j := &journal{}
	cfg := Config{
		User: "admin", Password: "avi12345", Version: "18.1.2", Roots: x509.NewCertPool(), Probe: 50 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range nodes {
		cfg.Addresses = append(cfg.Addresses, f.address())
		cfg.Roots.AddCert(f.Certificate())
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, j
}

// journal is a log that many write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// count is how often something was called.
func count(calls []string, what string) int {
	n := 0
	for _, c := range calls {
		if c == what {
			n++
		}
	}
	return n
}

// settle waits until something holds that goes on by itself.
func settle(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("it did not settle")
}

// atOnce calls fn so many times at once, and returns the errors.
func atOnce(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
	}
	wg.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}
