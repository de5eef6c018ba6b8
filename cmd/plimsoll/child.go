package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// childStop is how long a child of the demo has to end before it is killed.
const childStop = 8 * time.Second

// child is a process that the demo runs: this program with another command.
type child struct {
	cmd  *exec.Cmd
	done chan error
}

// startChild starts a command in a namespace, and waits until it prints a line: it is ready. What it says on stderr goes to
// log, where given. It ends by stop, not with ctx.
func startChild(ctx context.Context, netns string, log io.Writer, program string, args ...string) (*child, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	cmd.Stderr = log
	// A group of its own: Ctrl-C is for the demo, which ends its children in order. And if the demo is killed, they end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startIn(netns, cmd); err != nil {
		return nil, fmt.Errorf("start plimsoll %s: %w", args[0], err)
	}
	c := &child{cmd: cmd, done: make(chan error, 1)}
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(out)
		line, _ := lines.ReadString('\n') // cut short, it shows below
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, lines)
		c.done <- cmd.Wait()
	}()
	select {
	case line := <-first:
		if line == "" {
			return nil, fmt.Errorf("plimsoll %s ended at once: %w", args[0], <-c.done)
		}
		return c, nil
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("plimsoll %s does not start: %w", args[0], ctx.Err()), c.stop())
	}
}

// stop ends the child and waits for its end.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-c.done:
		return signalled(err)
	case <-time.After(childStop):
		_ = c.cmd.Process.Kill()
		return fmt.Errorf("plimsoll %s had to be killed: %w", c.cmd.Args[1], <-c.done)
	}
}

// signalled takes an end by the signal that was sent for no error.
func signalled(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
		return nil
	}
	return err
}
