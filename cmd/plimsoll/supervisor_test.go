package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSupervisorStartsAgain lets a program die twice and then stay.
func TestSupervisorStartsAgain(t *testing.T) {
	note := filepath.Join(t.TempDir(), "starts")
	script := `trap 'echo ended >> ` + note + `; exit 0' TERM; echo x >> ` + note +
		`; [ "$(wc -l < ` + note + `)" -ge 3 ] || exit 1; while :; do sleep 0.01; done`
	ctx, cancel := context.WithCancel(t.Context())
	s := supervisor{log: slog.New(slog.DiscardHandler), command: func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, "bash", "-c", script)
	}}
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	await(t, func() bool { return read(note) == "x\nx\nx\n" })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run gives %v", err)
	}
	if got := read(note); got != "x\nx\nx\nended\n" {
		t.Errorf("the program wrote %q: it was not asked to end, or started again", got)
	}
}

func TestSupervisorGoesOnWithoutTheProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var log strings.Builder
	tries := 0
	s := supervisor{log: slog.New(slog.NewTextHandler(&log, nil)), command: func(ctx context.Context) *exec.Cmd {
		if tries++; tries == 2 {
			cancel()
		}
		return exec.CommandContext(ctx, "/does/not/exist")
	}}
	if err := s.run(ctx); err != nil {
		t.Errorf("run gives %v", err)
	}
	if !strings.Contains(log.String(), "no such file") {
		t.Errorf("the log does not say why:\n%s", log.String())
	}
}

func TestLogFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := &logFile{path: path, limit: 8}
	for _, line := range []string{"1234567\n", "89\n", "ab\n"} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if got, old := read(path), read(path+".1"); got != "89\nab\n" || old != "1234567\n" {
		t.Errorf("the log holds %q, the old one %q", got, old)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".2", path); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write([]byte("x\n")); err == nil {
		t.Error("Write follows a link")
	}
}

func read(path string) string {
	data, _ := os.ReadFile(path) // what is not there is empty
	return string(data)
}

// await waits for what must come, for as long as the slowest machine may need.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come")
		}
	}
}
