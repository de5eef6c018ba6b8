package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a plimsoll serve with a state directory of its own.
type Server struct {
	URL      string // "http://127.0.0.1:port"
	StateDir string

	dir      string // of everything that the test writes
	instance string // once it is known
	env      []string
	running  *process // nil once it has ended and somebody waited for it
	nodes    int      // made so far

	config  string
	survive bool // start again what dies while it starts
}

// Option changes how a Server is started.
type Option func(*Server)

// Env sets environment variables of the server and of its engine, as "NAME=value": the failpoints'.
func Env(variables ...string) Option {
	return func(s *Server) { s.env = append(s.env, variables...) }
}

// Config gives the server a configuration file of this text.
func Config(text string) Option {
	return func(s *Server) { s.config = text }
}

// In puts the state directory into a directory that the test made, and that user nobody can reach.
func In(dir string) Option {
	return func(s *Server) { s.StateDir = filepath.Join(dir, "state") }
}

// Survive lets a server die while it starts, as failpoints make it, and starts it again.
func Survive() Option {
	return func(s *Server) { s.survive = true }
}

// startTime bounds how long a server may take to serve.
const startTime = 30 * time.Second

// Start starts a server on a free port. At the test's end it is stopped, everything is purged, and what is left behind
// fails the test.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	dir, err := os.MkdirTemp("", "plimsoll-test-")
	if err != nil {
		t.Fatal(err)
	}
	// The server gives up root's rights and has to reach its files.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &Server{StateDir: filepath.Join(dir, "state"), dir: dir, URL: "http://127.0.0.1:0"}
	for _, o := range options {
		o(s)
	}
	t.Cleanup(func() { s.cleanUp(t) })
	s.Start(t)
	return s
}

// Start starts the server, again after Stop or Kill, and waits until it serves.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	err := s.start()
	for try := 1; err != nil && s.survive && try < 20; try++ {
		err = s.start()
	}
	if err != nil {
		s.logs(t)
		t.Fatalf("start plimsoll: %v", err)
	}
}

// TryStart is Start for a server that may die of a failpoint: it gives an error instead of failing the test.
func (s *Server) TryStart() error { return s.start() }

func (s *Server) start() error {
	listen := strings.TrimPrefix(s.URL, "http://")
	args := []string{"serve", "--state-dir", s.StateDir, "--listen", listen}
	if s.config != "" {
		file := filepath.Join(s.dir, "plimsoll.conf")
		if err := os.WriteFile(file, []byte(s.config), 0o644); err != nil {
			return err
		}
		args = append(args, "--config", file)
	}
	p, err := launch(filepath.Join(s.dir, "serve.log"), append(os.Environ(), s.env...), args...)
	if err != nil {
		return err
	}
	s.running = p
	select {
	case url := <-p.ready:
		if s.URL != url { // it stays the same from the first start on, and a test may read it meanwhile
			s.URL = url
		}
		return nil
	case <-p.ended:
		return fmt.Errorf("it ended before it served: %w", p.exit)
	case <-time.After(startTime):
		s.Kill(nil)
		return fmt.Errorf("it did not serve within %v", startTime)
	}
}

// Stop ends the server with SIGTERM and fails the test if that takes more than the five seconds that it may, or if it
// does not end cleanly.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.running == nil {
		return
	}
	p := s.running
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.running = nil
		return // it is gone
	}
	if !s.Wait(6 * time.Second) {
		s.logs(t)
		t.Error("plimsoll serve did not end within 5 s of SIGTERM")
		s.Kill(t)
	} else if p.exit != nil && !s.survive {
		s.logs(t)
		t.Errorf("plimsoll serve ended with %v", p.exit)
	}
}

// Kill kills the server as kill -9 does; its engine lives on.
func (s *Server) Kill(testing.TB) {
	if s.running == nil {
		return
	}
	_ = s.running.cmd.Process.Kill()
	<-s.running.ended
	s.running = nil
}

// Wait waits until the server ended by itself, which is what a failpoint makes it do, and tells whether it did.
func (s *Server) Wait(bound time.Duration) bool {
	if s.running == nil {
		return true
	}
	select {
	case <-s.running.ended:
		s.running = nil
		return true
	case <-time.After(bound):
		return false
	}
}

// Run runs a plimsoll command with the variables of openrc, and fails the test if it fails.
func (s *Server) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.Try(args...)
	if err != nil {
		t.Fatalf("plimsoll %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Try runs a plimsoll command with the variables of openrc and returns what it printed.
func (s *Server) Try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), s.Env()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Env returns the variables of openrc, as "NAME=value".
func (s *Server) Env() []string {
	text, err := os.ReadFile(filepath.Join(s.StateDir, "openrc"))
	if err != nil {
		return nil
	}
	var env []string
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
			name, value, _ := strings.Cut(v, "=")
			env = append(env, name+"="+strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'"))
		}
	}
	return env
}

// Log returns what the server has logged, over all its starts.
func (s *Server) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "serve.log"))
	return string(text)
}

// logs shows the ends of the logs, for a test that failed.
func (s *Server) logs(t testing.TB) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(s.StateDir, "*.log"))
	for _, file := range append([]string{filepath.Join(s.dir, "serve.log")}, files...) {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		const most = 8000
		text = text[max(0, len(text)-most):]
		t.Logf("end of %s:\n%s", file, text)
	}
}

// cleanUp takes everything away and looks whether it is gone.
func (s *Server) cleanUp(t testing.TB) {
	s.Stop(t)
	if t.Failed() {
		s.logs(t)
	}
	if out, err := s.Try("purge", "--state-dir", s.StateDir); err != nil {
		t.Errorf("plimsoll purge: %v\n%s", err, out)
	}
	for _, left := range leftovers(s.Instance(), s.StateDir) {
		t.Errorf("left behind: %s", left)
	}
	if t.Failed() {
		s.sweep() // it has been told; the next test is not to suffer from it
	}
	if os.Getenv("PLIMSOLL_KEEP") == "" {
		_ = os.RemoveAll(s.dir)
	}
}
