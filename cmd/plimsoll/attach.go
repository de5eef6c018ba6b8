package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"plimsoll/internal/config"
	"plimsoll/internal/engine"
	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/statedir"
)

const (
	helloTimeout  = 2 * time.Second
	engineStart   = 15 * time.Second
	engineStop    = 15 * time.Second
	engineRecheck = 10 * time.Millisecond
)

// attacher makes sure that the engine of a state directory runs, and is the one that it should be.
type attacher struct {
	dir      *statedir.Dir
	options  engineOptions
	instance string
	digest   string // of this program
	log      *slog.Logger
}

// newAttacher needs root.
func newAttacher(dir *statedir.Dir, o engineOptions, log *slog.Logger) (*attacher, error) {
	instance, err := dir.Instance()
	if err != nil {
		return nil, err
	}
	return &attacher{dir: dir, options: o, instance: instance, digest: engine.Digest(), log: log}, nil
}

// attach finds the engine running, or starts it. One of another build is replaced: the data plane does not mind.
func (a *attacher) attach(ctx context.Context) error {
	found, err := hello(ctx, a.dir)
	supervisor, lockErr := a.dir.Supervisor()
	if lockErr != nil {
		return lockErr
	}
	if err == nil && supervisor != 0 && a.right(found) {
		a.log.Info("engine found running", "pid", found.GetPid())
		return nil
	}
	if err == nil || supervisor != 0 {
		a.log.Info("replacing the engine", "version", found.GetVersion(), "pid", found.GetPid(), "supervisor", supervisor)
		if err := stopEngine(ctx, a.dir); err != nil {
			return err
		}
	}
	return a.start(ctx)
}

// right tells whether an engine is what start would start.
func (a *attacher) right(e *enginepb.HelloReply) bool {
	return e.GetBinary() == a.digest && e.GetInstance() == a.instance && e.GetHost() == a.options.host && e.GetOptions() == a.options.uplink.text()
}

// start starts a supervisor in a session of its own, so that what ends the server leaves it alone.
func (a *attacher) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, append(a.options.childArguments(), "--supervise")...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // it outlives us, unless it ends first
	ctx, cancel := context.WithTimeout(ctx, engineStart)
	defer cancel()
	for {
		found, err := hello(ctx, a.dir)
		if err == nil && a.right(found) {
			a.log.Info("engine started", "pid", found.GetPid())
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("start the engine: its supervisor ended (%w); the end of %s:\n%s", err, a.options.logFile, tail(a.options.logFile))
		case <-ctx.Done():
			return fmt.Errorf("start the engine: it does not answer; the end of %s:\n%s", a.options.logFile, tail(a.options.logFile))
		case <-time.After(engineRecheck):
		}
	}
}

// hello asks the engine of a state directory who it is.
func hello(ctx context.Context, dir *statedir.Dir) (*enginepb.HelloReply, error) {
	if _, err := os.Lstat(dir.EngineSocket()); err != nil {
		return nil, err
	}
	client, closer, err := engine.Dial(dir.EngineSocket(), 0)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	return client.Hello(ctx, &enginepb.HelloRequest{})
}

// stopEngine ends the supervisor and the engine of a state directory. The data plane goes on. It succeeds when there
// is neither.
func stopEngine(ctx context.Context, dir *statedir.Dir) error {
	supervisor, err := dir.Supervisor()
	if err != nil {
		return err
	}
	if supervisor != 0 {
		if err := terminate(ctx, supervisor, dir.Path()); err != nil {
			return fmt.Errorf("stop the engine's supervisor: %w", err)
		}
	}
	if found, err := hello(ctx, dir); err == nil { // else nobody answers: there is none
		if err := terminate(ctx, int(found.GetPid()), dir.Path()); err != nil {
			return fmt.Errorf("stop the engine: %w", err)
		}
	}
	return nil
}

// terminate ends a process of "plimsoll engine" on a state directory and waits for its end. A process that is something
// else is left alone: the number was read from a file, or is old.
func terminate(ctx context.Context, pid int, stateDir string) error {
	p, err := os.FindProcess(pid) // holds on to the process, not to the number
	if err != nil {
		return err
	}
	defer func() { _ = p.Release() }()
	ours, err := isEngine(pid, stateDir)
	if err != nil {
		return err
	}
	if !ours {
		return fmt.Errorf("process %d is not an engine of %s", pid, stateDir)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	for deadline := time.Now().Add(engineStop); ; {
		// A zombie has ended too: its parent will find out.
		if ours, err := isEngine(pid, stateDir); err == nil && !ours {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d does not end", pid)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(engineRecheck):
		}
	}
}

func isEngine(pid int, stateDir string) (bool, error) {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	data, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	args := strings.Split(string(data), "\x00")
	if !slices.Contains(args, "engine") {
		return false, nil
	}
	given := stateDirOf(args)
	if !filepath.IsAbs(given) {
		given = proc + "/cwd/" + given // not joined: ".." counts from where the link leads
	}
	canonical, err := filepath.EvalSymlinks(given)
	return err == nil && canonical == stateDir, nil
}

// stateDirOf reads a command line of ours.
func stateDirOf(args []string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--state-dir="); ok {
			return value
		}
		if arg == "--state-dir" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return config.Default().StatePath
}

// tail is the end of a log, for an error. Root follows no link to another file, which is not to be shown.
func tail(path string) string {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, logLimit))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
