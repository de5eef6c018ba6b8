package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"plimsoll/internal/statedir"
)

const (
	firstPause = 50 * time.Millisecond // before an engine that died is started again
	lastPause  = 5 * time.Second
	steady     = 10 * time.Second // an engine that ran for so long starts from the first pause again
	lastWord   = 10 * time.Second // that an engine has to end
)

// supervise runs the engine as a child, and again when it dies, until ctx ends.
func supervise(ctx context.Context, o engineOptions) error {
	dir, err := statedir.Open(o.stateDir)
	if err != nil {
		return err
	}
	defer dir.Close()
	lock, err := dir.LockSupervisor()
	if err != nil {
		return fmt.Errorf("supervise the engine: %w", err)
	}
	defer lock.Close()
	o.stateDir = dir.Path()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s := supervisor{log: o.log(), command: func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self, o.childArguments()...)
		cmd.Stdout, cmd.Stderr = o.childOutput()
		return cmd
	}}
	return s.run(ctx)
}

func (o engineOptions) childArguments() []string {
	args := []string{"engine", "--state-dir", o.stateDir, "--host", o.host, "--client-uid", strconv.Itoa(o.clientUID)}
	if o.logFile != "" {
		args = append(args, "--log-file", o.logFile)
	}
	if o.debug {
		args = append(args, "--debug")
	}
	return append(args, o.uplink.arguments()...)
}

// childOutput is where an engine's last words go when it panics.
func (o engineOptions) childOutput() (stdout, stderr io.Writer) {
	if o.logFile != "" {
		l := &logFile{path: o.logFile, limit: logLimit}
		return l, l
	}
	return os.Stdout, os.Stderr
}

// supervisor keeps one program running.
type supervisor struct {
	log     *slog.Logger
	command func(ctx context.Context) *exec.Cmd
}

// run returns when ctx has ended and the program with it.
func (s supervisor) run(ctx context.Context) error {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		began := time.Now()
		err := s.once(ctx)
		if time.Since(began) > steady {
			pause = firstPause
		}
		if ctx.Err() == nil {
			s.log.Error("engine ended; starting it again", "err", err, "after", time.Since(began), "pause", pause)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

func (s supervisor) once(ctx context.Context) error {
	cmd := s.command(ctx)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = lastWord
	// A supervisor that is killed leaves its engine at work; the next start of the server replaces it by one with a supervisor.
	if err := cmd.Start(); err != nil {
		return err
	}
	s.log.Info("engine started", "pid", cmd.Process.Pid)
	return cmd.Wait()
}
