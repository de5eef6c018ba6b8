package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mortal names the file in which the test's binary notes its starts and its end, where it acts as a program that dies twice.
const mortal = "PLIMSOLL_TEST_IS_MORTAL"

// actMortal is that program.
func actMortal(path string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	note, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 2
	}
	defer note.Close()
	fmt.Fprintln(note, "started")
	if strings.Count(read(path), "started") < 3 {
		return 1
	}
	<-term
	fmt.Fprintln(note, "ended")
	return 0
}

// TestSupervisorStartsAgain lets a program die twice and then stay.
func TestSupervisorStartsAgain(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	const alive = "started\nstarted\nstarted\n"
	ctx, cancel := context.WithCancel(t.Context())
	s := supervisor{log: slog.New(slog.DiscardHandler), command: func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), mortal+"="+note)
		return cmd
	}}
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	await(t, func() bool { return read(note) == alive })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run gives %v", err)
	}
	if got := read(note); got != alive+"ended\n" {
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
