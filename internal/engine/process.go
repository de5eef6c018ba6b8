package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// processID tells one process from all others since the host started.
type processID struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after the host's own start
}

// process is a HAProxy of ours. It is no child of the engine: HAProxy detaches itself, and outlives us.
type process struct {
	processID
	fd   *os.File      // a pidfd: it names this process even when its number is given to another
	gone chan struct{} // closed once it has ended; nil until watched
	// expected is set when it was told to end, by us or by its successor.
	expected atomic.Bool
	// talk reaches it after its replacement; nil when it cannot be reached.
	talk *conversation
}

var errNotOurs = errors.New("no such process of ours")

// openProcess finds a process that runs HAProxy with the given configuration file.
func openProcess(pid int, conf string) (*process, error) {
	return holdProcess(pid, func(pid int) bool { return runs(pid, conf) })
}

// holdProcess finds a process of which something is true.
func holdProcess(pid int, is func(pid int) bool) (*process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, errNotOurs)
	}
	// Looked at after the pidfd was opened: what is true of the number now is true of the pidfd.
	p := &process{processID: processID{PID: pid}, fd: os.NewFile(uintptr(fd), "pidfd")}
	if p.Start, err = startTime(pid); err != nil || !is(pid) || p.ended() {
		_ = p.fd.Close()
		return nil, fmt.Errorf("process %d: %w", pid, errNotOurs)
	}
	return p, nil
}

// runs tells whether a process is a HAProxy that was started with the configuration file. A process that has ended but
// is not reaped yet has no arguments.
func runs(pid int, conf string) bool { return conf != "" && configOf(pid) == conf }

// configOf is the configuration file of a process that is a HAProxy, else "". One that is relative is in the folder that
// the process was named after.
func configOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	args := strings.Split(string(text), "\x00")
	if !strings.Contains(filepath.Base(args[0]), "haproxy") {
		return ""
	}
	conf := argument(args, "-f")
	if conf == "" || filepath.IsAbs(conf) {
		return conf
	}
	return filepath.Join(argument(args, "-L"), conf)
}

// argument is what follows an option, or "".
func argument(args []string, option string) string {
	if i := slices.Index(args, option); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// startTime is field 22 of /proc/<pid>/stat (proc(5)); the second, the program's name, may hold anything.
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("process %d: a short stat", pid)
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

// findProcesses lists the processes that run HAProxy, by configuration file.
func findProcesses() (map[string][]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[string][]int{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if conf := configOf(pid); conf != "" {
			found[conf] = append(found[conf], pid)
		}
	}
	return found, nil
}

// ended tells whether the process has ended, reaped or not.
func (p *process) ended() bool {
	return p.poll(0)
}

// poll waits until the process has ended, at most as long as given.
func (p *process) poll(atMost time.Duration) bool {
	ended := true // a pidfd is closed once its process has ended
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return true
	}
	_ = raw.Control(func(fd uintptr) { ended = readable(fd, atMost) })
	return ended
}

// readable waits until a pidfd is: then its process has ended (pidfd_open(2)).
func readable(fd uintptr, atMost time.Duration) bool {
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(atMost.Milliseconds()))
	return n > 0
}

// watch waits, without a thread, until the process has ended or ctx has, and then tells. It is called once, before the
// process is shared.
func (e *Engine) watch(p *process, ended func()) {
	p.gone = make(chan struct{})
	stop := context.AfterFunc(e.life, func() { _ = p.fd.SetReadDeadline(time.Unix(1, 0)) })
	e.tasks.Go(func() {
		defer stop()
		raw, err := p.fd.SyscallConn()
		if err != nil {
			return
		}
		if err := raw.Read(func(fd uintptr) bool { return readable(fd, 0) }); err != nil {
			return // the engine ends
		}
		close(p.gone)
		ended()
		_ = p.fd.Close()
	})
}

func (p *process) signal(s unix.Signal) error {
	var sent error
	raw, err := p.fd.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), s, nil, 0) })
	}
	// A pidfd is closed once its process has ended; what Control says then is no error that could be asked for.
	if err = errors.Join(err, sent); err != nil && !errors.Is(err, unix.ESRCH) && !p.ended() {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}

// kill ends the process at once: by SIGTERM, which HAProxy follows without waiting for its connections, else by SIGKILL.
func (p *process) kill() error {
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := p.signal(s); err != nil {
			return err
		}
		if p.wait(2 * time.Second) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", p.PID)
}

func (p *process) wait(atMost time.Duration) bool {
	if p.gone == nil { // nobody watches it
		return p.poll(atMost)
	}
	select {
	case <-p.gone:
		return true
	case <-time.After(atMost):
		return p.ended()
	}
}
