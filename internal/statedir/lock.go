package statedir

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// InUse is the error of a lock that another process holds.
type InUse struct {
	Path string
	PID  int // 0 when it cannot be told
}

// Error names the other process.
func (e *InUse) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another process uses the state directory %s", e.Path)
	}
	return fmt.Sprintf("another process uses the state directory %s: process %d", e.Path, e.PID)
}

// Lock makes this process the only server of the directory until the lock is closed or the process ends. An error is an
// *InUse when there is another.
func (d *Dir) Lock() (*os.File, error) { return d.lock(lockFile) }

// LockSupervisor is Lock for the process that keeps the engine running.
func (d *Dir) LockSupervisor() (*os.File, error) { return d.lock(supervisorFile) }

// Supervisor is the process that keeps the engine running, or 0.
func (d *Dir) Supervisor() (int, error) {
	f, err := d.lock(supervisorFile)
	var inUse *InUse
	if errors.As(err, &inUse) {
		return inUse.PID, nil
	}
	if err != nil {
		return 0, err
	}
	return 0, f.Close()
}

func (d *Dir) lock(name string) (*os.File, error) {
	f, err := d.create(name, 0)
	if err != nil {
		return nil, explain(d.path, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(&InUse{Path: d.path, PID: holder(f)}, f.Close())
	}
	if err == nil {
		err = note(f)
	}
	if err != nil {
		return nil, errors.Join(explain(d.path, err), f.Close())
	}
	return f, nil
}

// note writes who holds the lock, for people and for InUse.
func note(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func holder(f *os.File) int {
	data := make([]byte, 32)
	n, _ := f.ReadAt(data, 0) // a short read is what is expected
	pid, err := strconv.Atoi(strings.TrimSpace(string(data[:n])))
	if err != nil {
		return 0
	}
	return pid
}
