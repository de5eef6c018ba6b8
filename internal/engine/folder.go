package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The engine's folders in the state directory.
const (
	lbaasDir     = "lbaas"
	balancersDir = "lbaas/v2" // the run directories of load balancers
	plugsDir     = "plugs"
	hostDir      = "host" // what the host does for the network service
)

// A folder is an open directory of the engine. The state directory may belong to an unprivileged user, who can rename what
// is in it at any time and put something else in its place: root must not write, or let HAProxy read, where that
// leads. So the engine looks once whose a folder is, and from then on goes through what it has open.
type folder struct{ *os.File }

// path is a name in the folder, for this process and for a child that is about to start a program.
func (f folder) path(name string) string {
	return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) + "/" + name
}

// folders are those that an engine has open.
type folders struct{ lbaas, balancers, plugs, host folder }

// makeFolders makes what is missing of the engine's folders.
func makeFolders(stateDir string) error {
	for _, name := range []string{lbaasDir, balancersDir, plugsDir, hostDir} {
		dir := filepath.Join(stateDir, name)
		if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
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

func openFolders(stateDir string) (f folders, err error) {
	if f.lbaas, err = openFolder(filepath.Join(stateDir, lbaasDir)); err != nil {
		return folders{}, err
	}
	// Through the folder above it, which is known to be ours.
	if f.balancers, err = openFolder(f.lbaas.path(filepath.Base(balancersDir))); err == nil {
		f.plugs, err = openFolder(filepath.Join(stateDir, plugsDir))
	}
	if err == nil {
		f.host, err = openFolder(filepath.Join(stateDir, hostDir))
	}
	if err != nil {
		f.close()
		return folders{}, err
	}
	return f, nil
}

// close closes those that are open.
func (f folders) close() {
	for _, one := range []folder{f.lbaas, f.balancers, f.plugs, f.host} {
		if one.File != nil {
			_ = one.Close()
		}
	}
}

// openFolder refuses a folder that another user could change, and a link to one.
func openFolder(dir string) (folder, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return folder{}, notOurs(dir)
	}
	if err != nil {
		return folder{}, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return folder{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		_ = f.Close()
		return folder{}, notOurs(dir)
	}
	return folder{f}, nil
}

func notOurs(dir string) error {
	return fmt.Errorf("use %s: it must be a folder that belongs to the engine's user and that nobody else can write to", dir)
}
