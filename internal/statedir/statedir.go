// Package statedir keeps the small files of a state directory: who it belongs to, which instance it is, who uses it, and how
// its clients find the server. Nothing in it follows a symbolic link out of the directory, since root's engine and an
// unprivileged server share it.
package statedir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"
)

// The names of what lies in a state directory.
const (
	instanceFile    = "instance"
	passwordFile    = "admin-password"
	demoFile        = "demo-password"
	sealingKeyFile  = "keymanager.key"
	lockFile        = "lock"
	supervisorFile  = "supervisor.lock"
	openrcFile      = "openrc"
	cloudsFile      = "clouds.yaml"
	databaseFile    = "plimsoll.db"
	fernetKeyFolder = "fernet-keys"
	socketFile      = "engine.sock"
	engineLogFile   = "engine.log"

	tempSuffix = ".new" // of a file that is being written
)

// Dir is a state directory.
type Dir struct {
	path string
	root *os.Root
}

// Open opens a state directory that exists.
func Open(path string) (*Dir, error) {
	// One directory has one name: processes find each other by it.
	canonical, err := filepath.Abs(path)
	if err == nil {
		canonical, err = filepath.EvalSymlinks(canonical)
	}
	if err != nil {
		return nil, explain(path, err)
	}
	root, err := os.OpenRoot(canonical)
	if err != nil {
		return nil, explain(path, err)
	}
	return &Dir{path: canonical, root: root}, nil
}

// Make makes a state directory, or takes the one that is there. Run as root, it belongs to owner afterwards, unless a
// user other than root owns it already, who then keeps it. A directory that holds other things is refused.
func Make(path string, owner User) (*Dir, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, explain(path, err)
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, explain(path, err)
	}
	d, err := Open(path)
	if err != nil {
		return nil, err
	}
	if err := d.take(owner); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Dir) take(owner User) error {
	if err := d.foreign(); err != nil {
		return err
	}
	uid, _, err := d.owner()
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 && uid == 0 && owner.UID != 0 {
		if err := d.root.Chown(".", owner.UID, owner.GID); err != nil {
			return explain(d.path, err)
		}
	}
	return explain(d.path, d.root.Chmod(".", 0o700))
}

// foreign gives an error when the directory holds something and is not a state directory.
func (d *Dir) foreign() error {
	f, err := d.root.Open(".")
	if err != nil {
		return explain(d.path, err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return explain(d.path, err)
	}
	first := func(name string) bool { return name == lockFile || name == instanceFile+tempSuffix }
	if slices.Contains(names, instanceFile) || !slices.ContainsFunc(names, func(name string) bool { return !first(name) }) {
		return nil // a first start may have been cut short after those
	}
	return fmt.Errorf("%s is not empty, and not a state directory: choose another with --state-dir", d.path)
}

// Close ends the use of the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Path is the directory's path.
func (d *Dir) Path() string { return d.path }

// Database is the URL of the embedded database.
func (d *Dir) Database() string { return "sqlite:///" + d.file(databaseFile) }

// FernetKeys is the folder of the keys that tokens are made with.
func (d *Dir) FernetKeys() string { return d.file(fernetKeyFolder) }

// EngineSocket is where the engine answers.
func (d *Dir) EngineSocket() string { return d.file(socketFile) }

// EngineLog is where a detached engine logs.
func (d *Dir) EngineLog() string { return d.file(engineLogFile) }

// OpenRC is the file that a shell sources to reach the server.
func (d *Dir) OpenRC() string { return d.file(openrcFile) }

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// Owner is the user that the directory belongs to.
func (d *Dir) Owner() (User, error) {
	uid, gid, err := d.owner()
	return User{Name: userName(uid), UID: uid, GID: gid}, err
}

func (d *Dir) owner() (uid, gid int, err error) {
	info, err := d.root.Stat(".")
	if err != nil {
		return 0, 0, explain(d.path, err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid), nil
}

// Instance is the id that stamps everything that is made on the host for this directory. The first call makes it;
// hold the lock.
func (d *Dir) Instance() (string, error) {
	id, err := d.once(instanceFile, uuid.NewString)
	if err != nil {
		return "", err
	}
	if _, err := uuid.Parse(id); err != nil {
		return "", fmt.Errorf("%s holds no instance id: %w", d.file(instanceFile), err)
	}
	return id, nil
}

// ExistingInstance is Instance, without making one.
func (d *Dir) ExistingInstance() (string, error) {
	if _, err := d.root.Lstat(instanceFile); err != nil {
		return "", fmt.Errorf("%s is not a state directory: %w", d.path, err)
	}
	return d.Instance()
}

// AdminPassword is the password of the user admin at the first start. The first call makes it; hold the lock.
func (d *Dir) AdminPassword() (string, error) { return d.once(passwordFile, rand.Text) }

// DemoPassword is that of the user demo, another one: whoever is lent demo must not be admin.
func (d *Dir) DemoPassword() (string, error) { return d.once(demoFile, rand.Text) }

// sealingKeySize is how many bytes a sealing key has: AES-256.
const sealingKeySize = 32

// SealingKey is the key that the key manager's payloads are sealed with. The first call makes it; hold the lock. Nobody can read the
// payloads without it: it is never made anew where a file is there that holds none.
func (d *Dir) SealingKey() ([]byte, error) {
	text, err := d.once(sealingKeyFile, func() string {
		key := make([]byte, sealingKeySize)
		_, _ = rand.Read(key) // it never fails
		return hex.EncodeToString(key)
	})
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != sealingKeySize {
		return nil, fmt.Errorf("%s holds no key of %d bytes in hexadecimal: restore it from a backup", d.file(sealingKeyFile), sealingKeySize)
	}
	return key, nil
}

// once returns what a file says, which make says if there is none yet.
func (d *Dir) once(name string, content func() string) (string, error) {
	data, err := d.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		text := content()
		return text, d.write(name, text+"\n")
	}
	if err != nil {
		return "", explain(d.path, err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", fmt.Errorf("%s is empty: restore it from a backup", d.file(name))
	}
	return text, nil
}

// write replaces a file, which only the directory's owner can read. A crash or a full disk leaves the old one whole; when it returns the new
// one is there to stay, since what is sealed with a key must not outlive it.
func (d *Dir) write(name, content string) error {
	temp := name + tempSuffix
	if err := d.writeTemp(temp, content, true); err != nil {
		_ = d.root.Remove(temp) // what is left of it is of no use to anybody
		return explain(d.path, err)
	}
	if err := d.root.Rename(temp, name); err != nil {
		return explain(d.path, err)
	}
	return explain(d.path, d.sync())
}

// sync has the names of the files on the disk.
func (d *Dir) sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// writeTemp makes a file; a durable one is on the disk when it returns.
func (d *Dir) writeTemp(name, content string, durable bool) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.create(name, os.O_EXCL)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.WriteString(f, content); err != nil || !durable {
		return err
	}
	return f.Sync()
}

// create opens a file for writing, and makes it for the directory's owner if it is not there.
func (d *Dir) create(name string, flags int) (*os.File, error) {
	f, err := d.root.OpenFile(name, flags|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := d.give(f, name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// give makes a file the directory's owner's, when root made it. One that was reached by a link is refused: it may be
// another of root's files in the directory.
func (d *Dir) give(f *os.File, name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	named, err := d.root.Lstat(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(named, info) || info.Sys().(*syscall.Stat_t).Nlink > 1 {
		return fmt.Errorf("%s is a link: remove it", d.file(name))
	}
	uid, gid, err := d.owner()
	if err != nil {
		return err
	}
	return f.Chown(uid, gid)
}

// explain says what an operator can do about an error of the file system.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	what := "state directory " + path
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s is on a read-only file system: mount it writable, or choose another with --state-dir: %w", what, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s is full: free some space there, or choose another with --state-dir: %w", what, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is closed to user %s: start as root or as its owner, or choose another with --state-dir: %w",
			what, userName(os.Geteuid()), err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not there: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
