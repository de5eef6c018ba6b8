package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"plimsoll/internal/linux"
)

// dnsmasqRoot is where dnsmasq finds its files. They are not in the state directory: dnsmasq reads some again once it has given up
// root's rights, and others may not look into that. What is lost here with a reboot is made again from the host's plan.
const dnsmasqRoot = "/run/plimsoll-engine"

// dnsmasqConf is the name of the file that a dnsmasq is started with.
const dnsmasqConf = "dnsmasq.conf"

// young is for how long a dnsmasq must have run to be started again at once when it dies. One that dies sooner waits for the rest of it.
const young = 2 * time.Second

// dnsmasqSpec is a dnsmasq as it is wanted.
type dnsmasqSpec struct {
	name  string // "dhcp-<network id>", "ra-<router id>": it names the folder
	netns string // the network namespace, which is there
	// conf is what it reads once: where that changes, another process takes its place. It names files by Engine.dnsmasqPath and needs
	// neither pid-file nor user: those come from here.
	conf []byte
	// files is what it reads again when it is told to (SIGHUP).
	files map[string][]byte
	// renew, which may be nil, tells whether a change of files needs a new process all the same.
	renew func(old, now map[string][]byte) bool
}

// servants are the dnsmasq processes that the engine looks after.
type servants struct {
	mu  sync.Mutex
	all map[string]*servant // nil until they were looked for
}

// servant is one dnsmasq.
type servant struct {
	mu      sync.Mutex
	spec    dnsmasqSpec
	process *process // nil when there is none
	since   time.Time
}

// dnsmasq makes sure that one dnsmasq of that name runs as it is wanted: it is started, told to read its files again, or replaced.
// Called again with the same it changes nothing.
func (e *Engine) dnsmasq(ctx context.Context, d dnsmasqSpec) error {
	s, err := e.servant(d.name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spec = d
	return e.matchDnsmasq(ctx, s)
}

// endDnsmasq ends the dnsmasq of that name and removes its files. One that is not there has ended.
func (e *Engine) endDnsmasq(name string) error {
	s, err := e.servant(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.stop(); err != nil {
		return err
	}
	s.spec = dnsmasqSpec{}
	if err := removeAll(e.dnsmasqPath(name, "")); err != nil {
		return err
	}
	e.servants.mu.Lock()
	defer e.servants.mu.Unlock()
	delete(e.servants.all, name)
	return nil
}

// dnsmasqNames lists those that run, or have files, and of which the name begins so.
func (e *Engine) dnsmasqNames(prefix string) ([]string, error) {
	e.servants.mu.Lock()
	defer e.servants.mu.Unlock()
	if err := e.findServants(); err != nil {
		return nil, err
	}
	names := slices.Collect(maps.Keys(e.servants.all))
	entries, _ := os.ReadDir(e.dnsmasqDir())
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return !strings.HasPrefix(name, prefix) }), nil
}

// dnsmasqDir holds the files of all that are of this instance.
func (e *Engine) dnsmasqDir() string { return filepath.Join(dnsmasqRoot, e.config.Instance) }

// dnsmasqPath is a file of the dnsmasq of that name; its folder where file is "".
func (e *Engine) dnsmasqPath(name, file string) string {
	return filepath.Join(e.dnsmasqDir(), name, file)
}

// servant finds one by its name.
func (e *Engine) servant(name string) (*servant, error) {
	if !plainName(name) || strings.HasPrefix(name, ".") {
		return nil, fmt.Errorf("%q cannot name a dnsmasq", name)
	}
	e.servants.mu.Lock()
	defer e.servants.mu.Unlock()
	if err := e.findServants(); err != nil {
		return nil, err
	}
	s := e.servants.all[name]
	if s == nil {
		s = &servant{}
		e.servants.all[name] = s
	}
	return s, nil
}

// matchDnsmasq makes one what its spec says. The caller holds it.
func (e *Engine) matchDnsmasq(ctx context.Context, s *servant) error {
	if s.process != nil && s.process.ended() {
		s.process = nil
	}
	if s.process != nil && (!linux.Inside(s.spec.netns, s.process.PID) || e.stale(s)) {
		if err := s.stop(); err != nil {
			return err
		}
	}
	if s.process != nil {
		return e.reloadDnsmasq(s)
	}
	return e.startDnsmasq(ctx, s)
}

// stale tells whether the process that runs cannot go on: what it reads only once is different now, its files change in a way that it does not
// follow, or we were stopped while they changed. They are written after a process has ended, so they say what it runs with.
func (e *Engine) stale(s *servant) bool {
	text, err := e.dnsmasqText(s.spec)
	old, readErr := os.ReadFile(e.dnsmasqPath(s.spec.name, dnsmasqConf))
	if err != nil || readErr != nil || !bytes.Equal(old, text) {
		return true
	}
	if _, err := os.Stat(e.dnsmasqPath(s.spec.name, dnsmasqChanging)); !errors.Is(err, os.ErrNotExist) {
		return true
	}
	before, err := e.readDnsmasq(s.spec)
	if err != nil {
		return true
	}
	return !sameFiles(before, s.spec.files) && s.spec.renew != nil && s.spec.renew(before, s.spec.files)
}

// dnsmasqChanging is there while files change and the process was not told yet.
const dnsmasqChanging = "changing"

// readDnsmasq reads what a process was told to read.
func (e *Engine) readDnsmasq(d dnsmasqSpec) (map[string][]byte, error) {
	files := map[string][]byte{}
	for file := range d.files {
		text, err := os.ReadFile(e.dnsmasqPath(d.name, file))
		if err != nil {
			return nil, err
		}
		files[file] = text
	}
	return files, nil
}

func sameFiles(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// reloadDnsmasq tells a process to read its files again, where they have changed.
func (e *Engine) reloadDnsmasq(s *servant) error {
	d := s.spec
	before, err := e.readDnsmasq(d)
	if err == nil && sameFiles(before, d.files) {
		return nil
	}
	if err := e.writeDnsmasq(d.name, dnsmasqChanging, nil); err != nil {
		return err
	}
	for file, text := range d.files {
		if err := e.writeDnsmasq(d.name, file, text); err != nil {
			return err
		}
	}
	if err := s.process.signal(unix.SIGHUP); err != nil {
		return err
	}
	return removeAll(e.dnsmasqPath(d.name, dnsmasqChanging))
}

// startDnsmasq writes the files and starts a process, which takes requests when this returns.
func (e *Engine) startDnsmasq(ctx context.Context, s *servant) error {
	d := s.spec
	program, err := dnsmasqProgram()
	if err != nil {
		return err
	}
	if err := e.layDnsmasq(d); err != nil {
		return err
	}
	// Who hangs up meanwhile does not stop it halfway.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	conf := e.dnsmasqPath(d.name, dnsmasqConf)
	cmd := command(ctx, program, "--conf-file="+conf)
	output, err := finishCommand(cmd, func(cmd *exec.Cmd) error { return linux.Start(d.netns, cmd) })
	if err != nil {
		return errors.Join(fmt.Errorf("start dnsmasq: %s", lastWords(output, bare(err))), endDnsmasqs(conf))
	}
	p, err := e.startedDnsmasq(d.name, conf)
	if err != nil {
		return errors.Join(fmt.Errorf("start dnsmasq: %w", err), endDnsmasqs(conf))
	}
	s.process, s.since = p, time.Now()
	e.watch(p, func() { e.dnsmasqDied(s, p) })
	e.log.Debug("dnsmasq started", "name", d.name, "pid", p.PID)
	return nil
}

// startedDnsmasq finds the process that has just detached itself.
func (e *Engine) startedDnsmasq(name, conf string) (*process, error) {
	text, err := os.ReadFile(e.dnsmasqPath(name, "pid"))
	if err != nil {
		return nil, bare(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, errors.New("it tells no process id")
	}
	return holdProcess(pid, func(pid int) bool { return dnsmasqConfOf(pid) == conf })
}

// layDnsmasq writes what a process reads when it starts.
func (e *Engine) layDnsmasq(d dnsmasqSpec) error {
	_, gid, err := dnsmasqUser()
	if err != nil {
		return err
	}
	if err := makeDnsmasqDirs(e.dnsmasqDir(), e.dnsmasqPath(d.name, "")); err != nil {
		return err
	}
	// Its own group reads it, and nobody else: the files tell who is in a tenant's network.
	if err := errors.Join(os.Chown(e.dnsmasqPath(d.name, ""), 0, gid), os.Chmod(e.dnsmasqPath(d.name, ""), 0o750)); err != nil {
		return err
	}
	if err := errors.Join(removeAll(e.dnsmasqPath(d.name, "pid")), removeAll(e.dnsmasqPath(d.name, dnsmasqChanging))); err != nil {
		return err
	}
	for file, text := range d.files {
		if err := e.writeDnsmasq(d.name, file, text); err != nil {
			return err
		}
	}
	text, err := e.dnsmasqText(d)
	if err != nil {
		return err
	}
	return e.writeDnsmasq(d.name, dnsmasqConf, text)
}

// makeDnsmasqDirs makes folders below dnsmasqRoot, none of which another user could change.
func makeDnsmasqDirs(dirs ...string) error {
	for _, dir := range append([]string{dnsmasqRoot}, dirs...) {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make %s: %w", dir, err)
		}
		f, err := openFolder(dir)
		if err != nil {
			return err
		}
		_ = f.Close()
	}
	return nil
}

func (e *Engine) writeDnsmasq(name, file string, text []byte) error {
	path := e.dnsmasqPath(name, file)
	if err := writeFile(path, text); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

// dnsmasqText is the configuration with what all of them have.
func (e *Engine) dnsmasqText(d dnsmasqSpec) ([]byte, error) {
	name, gid, err := dnsmasqUser()
	if err != nil {
		return nil, err
	}
	group, err := user.LookupGroupId(strconv.Itoa(gid))
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("# %s: written by Plimsoll's engine, and again at every change\npid-file=%s\nuser=%s\ngroup=%s\n",
		d.name, e.dnsmasqPath(d.name, "pid"), name, group.Name)
	return append([]byte(head), d.conf...), nil
}

// dnsmasqUser is whom dnsmasq becomes once it has its sockets: its own user where the package made one.
func dnsmasqUser() (name string, gid int, err error) {
	for _, name := range []string{"dnsmasq", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		gid, err := strconv.Atoi(u.Gid)
		return name, gid, err
	}
	return "", 0, errors.New("start dnsmasq: this host has no user nobody")
}

// dnsmasqProgram is where dnsmasq is.
func dnsmasqProgram() (string, error) {
	for _, name := range []string{"dnsmasq", "/usr/sbin/dnsmasq"} { // a user's PATH often lacks sbin
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("dnsmasq is not installed on this host: install the package dnsmasq-base")
}

// stop ends the process, if there is one. The caller holds the servant.
func (s *servant) stop() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.end(); err != nil {
		return err
	}
	s.process = nil
	return nil
}

// dnsmasqDied starts one again that ended by itself; later, when it had not run for long.
func (e *Engine) dnsmasqDied(s *servant, p *process) {
	if p.expected.Load() || e.life.Err() != nil {
		return
	}
	name, wait := s.died(p)
	if name == "" {
		return
	}
	e.log.Warn("dnsmasq ended", "name", name, "pid", p.PID)
	if !pause(e.life, wait) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil || s.spec.name == "" {
		return // somebody else has seen to it
	}
	if err := e.matchDnsmasq(e.life, s); err != nil {
		e.log.Warn("dnsmasq not started again", "name", name, "err", err)
	}
}

// died notes the end of a process. It answers "" when that is nobody's concern any more.
func (s *servant) died(p *process) (name string, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != p {
		return "", 0
	}
	s.process = nil
	return s.spec.name, max(0, young-time.Since(s.since))
}
