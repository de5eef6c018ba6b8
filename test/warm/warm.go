// Package warm runs clients that are written in Python without their long start. A client spends most of its time on importing itself,
// again for every command. Here a server has imported it before, and each command runs in a copy of the server: the same program, with
// the arguments, environment, directory and files that it was called with, and its own exit status.
package warm

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

//go:embed server.py
var server []byte

//go:embed program.py
var program []byte

// startTime bounds the start of a server, which is a start of Python.
const startTime = 30 * time.Second

var (
	openstack = sync.OnceValues(func() (string, error) { return start("openstack") })
	neutron   = sync.OnceValues(func() (string, error) { return start("neutron") })
)

// Path is what a PATH begins with, so that openstack and neutron are found warm on it. It holds for as long as the test's process lives.
func Path(t testing.TB) string {
	t.Helper()
	var dirs []string
	for _, started := range []func() (string, error){openstack, neutron} {
		dir, err := started()
		if err != nil {
			t.Fatalf("start a client that stays: %v", err)
		}
		dirs = append(dirs, dir)
	}
	return strings.Join(dirs, ":")
}

// start starts the server of a program and returns the directory that holds the program's stand-in. The server ends with this process,
// of which it has a pipe, and removes the directory.
func start(name string) (dir string, err error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path) //nolint:gosec // a program
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	interpreter := strings.TrimSpace(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || strings.Contains(interpreter, " ") {
		return "", fmt.Errorf("%s begins with %q, want a Python and nothing else", path, line)
	}
	if dir, err = os.MkdirTemp("", "plimsoll-"+name+"-"); err != nil {
		return "", err
	}
	if err := serve(dir, name, path, interpreter); err != nil {
		_ = os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}

func serve(dir, name, path, interpreter string) error {
	standIn := append([]byte("#!"+interpreter+" -IS\n"), program...)
	if err := os.WriteFile(filepath.Join(dir, name), standIn, 0o700); err != nil { //nolint:gosec // a program
		return err
	}
	socket := filepath.Join(dir, "socket")
	cmd := exec.CommandContext(context.Background(), interpreter, "-c", string(server), socket, path) //nolint:gosec // of a test
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8"}
	if _, err := cmd.StdinPipe(); err != nil { // which stays open
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); {
		if _, err := os.Stat(socket); err == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the server of %s ended: %w", name, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	_ = cmd.Process.Kill()
	return errors.New("the server of " + name + " does not start")
}
