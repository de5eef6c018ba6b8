package harness

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// process is a plimsoll serve that was started.
type process struct {
	cmd   *exec.Cmd
	ready chan string   // gets the URL once it serves
	ended chan struct{} // closed once it has ended
	exit  error         // how, once it has
}

// launch starts plimsoll, with its log at the end of a file.
func launch(logFile string, env []string, args ...string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{
		cmd:   exec.CommandContext(context.Background(), binary, args...),
		ready: make(chan string, 1), ended: make(chan struct{}),
	}
	p.cmd.Env, p.cmd.Stderr = env, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if url, ok := strings.CutPrefix(lines.Text(), "plimsoll: ready on "); ok {
				p.ready <- url
			}
		}
		p.exit = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}
