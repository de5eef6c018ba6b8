package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/statedir"
)

// actAsProgram makes the test's binary, and what it starts, behave as plimsoll.
const actAsProgram = "PLIMSOLL_TEST_IS_PLIMSOLL"

func TestMain(m *testing.M) {
	if os.Getenv(actAsProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	if note := os.Getenv(mortal); note != "" {
		os.Exit(actMortal(note))
	}
	os.Exit(m.Run())
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this test needs root")
	}
}

// plimsoll is a command line to run.
func plimsoll(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), actAsProgram+"=1", "OS_CLOUD=", "OS_AUTH_URL=")
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// must runs a command line that has to succeed, and returns what it prints.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out := outcome(t, plimsoll(t, args...))
	if code != exitDone {
		t.Fatalf("plimsoll %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func outcome(t *testing.T, cmd *exec.Cmd) (int, string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// openDir is a directory that every user can reach.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// purged is a state directory that is purged when the test ends.
func purged(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(openDir(t), "state")
	t.Cleanup(func() {
		cmd := exec.Command(os.Args[0], "purge", "--state", "--state-dir", dir)
		cmd.Env = append(os.Environ(), actAsProgram+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("purge: %v\n%s", err, out)
		}
	})
	return dir
}

// serving is a server that a test started.
type servingProcess struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	dir    string
	stderr *lockedBuffer
	ended  chan struct{}
}

// lockedBuffer is written to by a process while the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServe starts a server and waits until it is ready. It ends with the test at the latest.
func startServe(t *testing.T, cmd *exec.Cmd, dir string) *servingProcess {
	t.Helper()
	s := &servingProcess{t: t, cmd: cmd, dir: dir, stderr: &lockedBuffer{}, ended: make(chan struct{})}
	cmd.Stderr = s.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() { s.signal(syscall.SIGKILL) })
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "plimsoll: ready on ")
	if !ok {
		t.Fatalf("serve says %q (%v)\n%s", line, err, s.stderr)
	}
	s.url = url
	return s
}

func serveIn(t *testing.T, dir string) *servingProcess {
	t.Helper()
	return startServe(t, plimsoll(t, "serve", "--state-dir", dir, "--listen", "127.0.0.1:0"), dir)
}

// signal sends a signal and waits for the end.
func (s *servingProcess) signal(sig syscall.Signal) {
	s.t.Helper()
	_ = s.cmd.Process.Signal(sig)
	s.end()
}

func (s *servingProcess) end() {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		s.t.Fatalf("the server does not end\n%s", s.stderr)
	}
}

// stop is SIGTERM; the end has to be clean.
func (s *servingProcess) stop() {
	s.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	s.wait()
}

// wait waits for an end that has to be clean.
func (s *servingProcess) wait() {
	s.t.Helper()
	s.end()
	if code := s.cmd.ProcessState.ExitCode(); code != exitDone {
		s.t.Errorf("the server ends with exit code %d\n%s", code, s.stderr)
	}
}

func (s *servingProcess) get(path string) (int, string) {
	s.t.Helper()
	return fetchText(s.t, s.url+path)
}

func fetchText(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// engineOf asks the engine of a state directory.
func engineOf(t *testing.T, path string) *enginepb.HelloReply {
	t.Helper()
	dir, err := statedir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	found, err := hello(context.WithoutCancel(t.Context()), dir)
	if err != nil {
		return nil
	}
	return found
}
