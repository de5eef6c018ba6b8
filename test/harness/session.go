package harness

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Session is a program that reads commands, one a line, and prints what comes of them: a shell, or a client's own prompt.
type Session struct {
	in  io.Writer
	out chan string // its lines, of both outputs
}

// StartSession starts a program, and ends it with everything that it started when the test ends.
func StartSession(t testing.TB, cmd *exec.Cmd) *Session {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	s := &Session{in: in, out: make(chan string, 1000)}
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			s.out <- lines.Text()
		}
		close(s.out)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = r.Close()
	})
	return s
}

// Run types lines, of which the last one has the program print the mark on a line of its own. It returns what was printed
// before, and what follows the mark on its line. The test fails when that takes longer than the bound.
func (s *Session) Run(t testing.TB, lines, mark string, bound time.Duration) (output, rest string) {
	t.Helper()
	if _, err := fmt.Fprintln(s.in, lines); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(bound)
	var got strings.Builder
	for {
		select {
		case line, ok := <-s.out:
			if !ok {
				t.Fatalf("the program ended in: %s\n%s", lines, got.String())
			}
			if rest, ok := strings.CutPrefix(line, mark); ok {
				return got.String(), rest
			}
			got.WriteString(line + "\n")
		case <-deadline:
			t.Fatalf("no end after %v: %s\n%s", bound, lines, got.String())
		}
	}
}
