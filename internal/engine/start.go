package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
)

const (
	// startTimeout bounds a start of HAProxy, which takes a tenth of a second.
	startTimeout = 20 * time.Second
	// maxDraining is how many replaced processes of one load balancer may serve their last connections; beyond it
	// the oldest is ended, with its connections.
	maxDraining = 16
)

// program is HAProxy's path.
func (e *Engine) program() (string, error) {
	name := e.config.HAProxy
	if name == "" {
		name = "haproxy"
	}
	path, err := exec.LookPath(name)
	if err != nil && name == "haproxy" { // a user's PATH often lacks sbin
		path, err = exec.LookPath("/usr/sbin/haproxy")
	}
	if err != nil {
		return "", fmt.Errorf("HAProxy cannot be run on this host: %s: %w", name, errors.Unwrap(err))
	}
	return path, nil
}

// check shows a configuration to HAProxy. Alerts are nil when it accepts it, and never empty when not.
func (e *Engine) check(ctx context.Context, b *balancer, spec *enginepb.Spec) ([]haproxy.Alert, haproxy.LineMap, error) {
	text, lines := haproxy.File(spec)
	program, err := e.program()
	if err != nil {
		return nil, lines, err
	}
	dir := b.path(checkDir)
	defer func() { _ = removeAll(dir) }()
	if err := b.lookalike(dir, text, spec); err != nil {
		return nil, lines, err
	}
	cmd := command(ctx, program, "-c", "-f", haproxy.ConfigFile)
	cmd.Dir = dir
	output, err := finishCommand(cmd, (*exec.Cmd).Start)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil, lines, nil
	case ctx.Err() != nil || !errors.As(err, &exit):
		return nil, lines, fmt.Errorf("check the configuration: %w", bare(err))
	}
	alerts := haproxy.ParseAlerts(output)
	if len(alerts) == 0 {
		alerts = []haproxy.Alert{{Text: lastWords(output, err)}}
	}
	return alerts, lines, nil
}

// checkDir is a run directory within the run directory, in which HAProxy finds a configuration and files that it must not
// find in the one itself yet.
const checkDir = "check"

// lookalike makes a folder with what HAProxy would read of a Spec in a run directory.
func (b *balancer) lookalike(dir string, text []byte, spec *enginepb.Spec) error {
	if err := errors.Join(removeAll(dir), makeDir(dir)); err != nil {
		return err
	}
	if err := b.keep(spec); err != nil {
		return err
	}
	if err := b.lay(filepath.Join(dir, haproxy.FilesDir), spec); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, haproxy.ConfigFile), text)
}

// command prepares a program that knows nothing of the engine's environment and is no part of its session.
func command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = time.Second // a detached child may keep the output open
	return cmd
}

func finishCommand(cmd *exec.Cmd, start func(*exec.Cmd) error) ([]byte, error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := start(cmd); err != nil {
		return nil, err
	}
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return output.Bytes(), err
}

func lastWords(output []byte, err error) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if last := clean(lines[len(lines)-1]); last != "" {
		return last
	}
	return err.Error()
}

// inspect finds out which process takes connections now. One that is not in the load balancer's namespace, or that
// does not answer, is ended: it serves nobody.
func (e *Engine) inspect(b *balancer) error {
	if err := e.endOutside(b); err != nil {
		return err
	}
	if b.answers() {
		return nil
	}
	if err := errors.Join(e.findStrays(b), e.endOutside(b)); err != nil {
		return err
	}
	suspect := b.current
	e.findCurrent(b)
	if b.current != nil || suspect == nil {
		return nil
	}
	e.log.Warn("HAProxy does not answer and is ended", "load_balancer", b.id, "pid", suspect.PID)
	err := suspect.end()
	b.settle()
	return err
}

// endOutside ends the processes that are not in the load balancer's namespace: it was replaced under them.
func (e *Engine) endOutside(b *balancer) error {
	b.settle()
	for _, p := range b.processes() {
		if linux.Inside(namespaceName(b.id), p.PID) || p.ended() {
			continue
		}
		e.log.Info("HAProxy outside its namespace ended", "load_balancer", b.id, "pid", p.PID)
		if err := p.end(); err != nil {
			return err
		}
	}
	b.settle()
	return nil
}

// answers tells whether the process that is thought to take connections does.
func (b *balancer) answers() bool {
	if b.current == nil {
		return false
	}
	info, err := b.info()
	return err == nil && info.PID == b.current.PID && !info.Stopping
}

// processes are all that a load balancer has.
func (b *balancer) processes() []*process {
	all := append([]*process(nil), b.draining...)
	if b.current != nil {
		all = append(all, b.current)
	}
	return all
}

// end kills a process that is not wanted any more, so that its end is no news.
func (p *process) end() error {
	p.expected.Store(true)
	return p.kill()
}

// restart makes HAProxy run the Spec, which it has accepted: a process that takes connections hands its sockets over
// and serves those that it has to their end.
func (e *Engine) restart(ctx context.Context, b *balancer, spec *enginepb.Spec) error {
	if err := b.handOver(e, spec); err != nil {
		return err
	}
	if err := b.layFiles(spec); err != nil {
		return err
	}
	before, _ := os.ReadFile(b.path(haproxy.ConfigFile))
	text, _ := haproxy.File(spec)
	if err := writeFile(b.path(haproxy.ConfigFile), text); err != nil {
		return err
	}
	failpoint.Here("engine.conf.written")
	if b.current != nil { // reachable now, and no more when its successor has the socket
		b.current.talk, _ = converse(b.dir)
	}
	p, err := e.launch(ctx, b, haproxy.Logs(spec))
	if err != nil {
		if b.current != nil {
			b.current.expected.Store(false)
			b.current.hangUp()
		}
		if len(before) > 0 { // what runs is what was there before
			err = errors.Join(err, b.layFiles(b.spec()), writeFile(b.path(haproxy.ConfigFile), before))
		}
		return err
	}
	if b.current != nil {
		b.draining = append(b.draining, b.current)
	}
	b.current, b.removals, b.statuses = p, nil, nil
	b.follow()
	b.counters.trim(spec)
	e.log.Info("HAProxy started", "load_balancer", b.id, "pid", p.PID, "draining", len(b.draining))
	if err := b.counters.write(b.dir); err != nil { // no reason to call what runs a failure
		e.log.Warn("counters not stored", "load_balancer", b.id, "err", err)
	}
	return nil
}

// handOver stores what the next process needs of this one: the servers' health and the counters.
func (b *balancer) handOver(e *Engine, next *enginepb.Spec) error {
	var states []haproxy.ServerState
	if b.current != nil {
		var err error
		if states, err = b.serverStates(); err != nil {
			e.log.Warn("servers' health is not handed over", "load_balancer", b.id, "err", err)
		}
		b.saveCounters(e)
	}
	b.health.presume(haproxy.FoundDown(states, b.spec(), next))
	return writeFile(b.path(haproxy.StateFile), haproxy.HandOver(haproxy.WithHealth(states, next, b.targetsDown()), next))
}

// launch starts HAProxy in the load balancer's namespace, with a file for its access log where it has one, and returns it once it
// takes connections.
func (e *Engine) launch(ctx context.Context, b *balancer, logs bool) (*process, error) {
	program, err := e.program()
	if err != nil {
		return nil, err
	}
	if err := b.limitDraining(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cmd := command(ctx, program, b.startArguments()...)
	cmd.Dir = b.dir
	if logs {
		log, err := e.logTo(b)
		if err != nil {
			return nil, fmt.Errorf("start HAProxy: %w", err)
		}
		defer func() { _ = log.Close() }()
		cmd.ExtraFiles = []*os.File{log} // the first is number 3, which haproxy.LogTarget names
	}
	output, err := finishCommand(cmd, func(cmd *exec.Cmd) error { return linux.Start(namespaceName(b.id), cmd) })
	if err != nil {
		if alerts := haproxy.ParseAlerts(output); len(alerts) > 0 {
			return nil, fmt.Errorf("start HAProxy: %w", refusal(alerts))
		}
		return nil, fmt.Errorf("start HAProxy: %s", lastWords(output, bare(err)))
	}
	failpoint.Here("engine.haproxy.started")
	p, err := b.started()
	if err != nil {
		return nil, fmt.Errorf("start HAProxy: %w", err)
	}
	e.keep(b, p)
	return p, b.serving(ctx, p)
}

// startArguments name all files relative to the run directory: by its path root could be led elsewhere. The path is there all
// the same, as the name that HAProxy would have among its peers, so that whoever lists processes sees whose it is; the name that
// comes last counts.
func (b *balancer) startArguments() []string {
	args := []string{"-D", "-f", haproxy.ConfigFile, "-p", haproxy.PIDFile, "-L", filepath.Dir(b.conf), "-L", haproxy.LocalPeer}
	if b.current != nil {
		b.current.expected.Store(true)
		args = append(args, "-x", haproxy.SocketFile)
	}
	if all := b.processes(); len(all) > 0 {
		args = append(args, "-sf")
		for _, p := range all {
			args = append(args, strconv.Itoa(p.PID))
		}
	}
	return args
}

// limitDraining makes room for one more replaced process: reloads in a burst must not pile up processes for as long as
// their slowest connections last.
func (b *balancer) limitDraining() error {
	b.settle()
	b.follow()
	for len(b.draining) >= maxDraining {
		if !b.draining[0].wait(200 * time.Millisecond) {
			if err := b.draining[0].end(); err != nil {
				return err
			}
		}
		b.settle()
	}
	return nil
}

// started opens the process that HAProxy left behind when it detached.
func (b *balancer) started() (*process, error) {
	if text, err := os.ReadFile(b.path(haproxy.PIDFile)); err == nil {
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		if p, err := openProcess(pid, b.conf); err == nil && !b.has(p.processID) {
			return p, nil
		}
	}
	// A full disk leaves an empty file. The process is there all the same.
	all, err := findProcesses()
	if err != nil {
		return nil, err
	}
	for _, pid := range all[b.conf] {
		if p, err := openProcess(pid, b.conf); err == nil && !b.has(p.processID) {
			return p, nil
		}
	}
	return nil, errors.New("it ended at once")
}

func (b *balancer) has(id processID) bool {
	for _, p := range b.processes() {
		if p.processID == id {
			return true
		}
	}
	return false
}

// serving waits until the new process answers on the stats socket: it does so after it listens.
func (b *balancer) serving(ctx context.Context, p *process) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		// A question to a process that is about to go may stay without an answer: another is asked soon.
		if info, err := info(b.dir, 500*time.Millisecond); err == nil && info.PID == p.PID {
			return nil
		}
		select {
		case <-p.gone:
			return errors.New("start HAProxy: it ended at once")
		case <-ctx.Done():
			return errors.Join(errors.New("start HAProxy: it does not answer"), p.end())
		case <-tick.C:
		}
	}
}
