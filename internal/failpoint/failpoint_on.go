//go:build failpoints

// Package failpoint marks the lines at which a crash is interesting. This is the build that can fail on purpose.
package failpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Enabled tells whether this build can fail on purpose.
const Enabled = true

var hits struct {
	sync.Mutex
	seen map[string]bool
}

// Here marks a line at which a process may die. Names are constants of the form "package.action".
//
// PLIMSOLL_FAILPOINT_LOG names a file to which each point that is passed is appended, once in each process.
// PLIMSOLL_FAILPOINT_KILL lists the points, separated by commas, at which the process kills itself, and
// PLIMSOLL_FAILPOINT_ONCE a directory in which a file of the point's name is made just before: where there is one, the
// point kills no more, so that each kills once however often processes are started again.
func Here(name string) {
	record(name)
	if !slices.Contains(strings.Split(os.Getenv("PLIMSOLL_FAILPOINT_KILL"), ","), name) {
		return
	}
	once, err := os.OpenFile(filepath.Join(os.Getenv("PLIMSOLL_FAILPOINT_ONCE"), name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return
	}
	_ = once.Close()
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}

// Value returns what PLIMSOLL_FAILPOINT_VALUES, a list of name=value separated by commas, says of the named point, or "".
// A value "@FILE" stands for what that file holds now, so that a test can change its mind while the process runs.
func Value(name string) string {
	for _, pair := range strings.Split(os.Getenv("PLIMSOLL_FAILPOINT_VALUES"), ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key != name {
			continue
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			text, _ := os.ReadFile(file)
			return strings.TrimSpace(string(text))
		}
		return value
	}
	return ""
}

func record(name string) {
	path := os.Getenv("PLIMSOLL_FAILPOINT_LOG")
	if path == "" {
		return
	}
	hits.Lock()
	defer hits.Unlock()
	if hits.seen[name] {
		return
	}
	if hits.seen == nil {
		hits.seen = map[string]bool{}
	}
	hits.seen[name] = true
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, name)
}
