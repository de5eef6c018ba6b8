package statedir_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"plimsoll/internal/statedir"
)

func newDir(t *testing.T, path string) *statedir.Dir {
	t.Helper()
	d, err := statedir.Make(path, statedir.Current())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestMakeRefusesWhatIsNotOurs(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "precious"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := statedir.Make(path, statedir.Current())
	if err == nil || !strings.Contains(err.Error(), "not a state directory") {
		t.Errorf("Make gives %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("Make changed the directory: %v %v", info.Mode(), err)
	}
}

// TestMakeAfterACrash goes on where a first start was cut short.
func TestMakeAfterACrash(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{"lock", "instance.new"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte("1234"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := newDir(t, path).Instance(); err != nil {
		t.Errorf("Instance gives %v", err)
	}
}

// TestOneName: processes find each other by the directory's path, however it was given.
func TestOneName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := newDir(t, path)
	link := path + "-link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if got := newDir(t, link).Path(); got != first.Path() {
		t.Errorf("Path is %s and %s", got, first.Path())
	}
}

func TestOpenMissing(t *testing.T) {
	_, err := statedir.Open(filepath.Join(t.TempDir(), "none"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("Open gives %v", err)
	}
}

func TestSecretsAreKeptAndClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	d := newDir(t, path)
	instance, err := d.Instance()
	if err != nil {
		t.Fatal(err)
	}
	password, err := d.AdminPassword()
	if err != nil {
		t.Fatal(err)
	}
	if demo, err := d.DemoPassword(); demo == password || len(demo) < 20 || err != nil {
		t.Errorf("DemoPassword gives %q, %v; AdminPassword %q", demo, err, password)
	}
	key, err := d.SealingKey()
	if other, err := newDir(t, filepath.Join(t.TempDir(), "other")).SealingKey(); len(key) != 32 || bytes.Equal(key, other) || err != nil {
		t.Errorf("SealingKey gives %x, another directory's %x, %v", key, other, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WriteCredentials(statedir.Credentials{AuthURL: "http://127.0.0.1:1/identity/v3", User: "admin", Password: password}); err != nil {
		t.Fatal(err)
	}
	again := newDir(t, path)
	if got, err := again.Instance(); got != instance || err != nil {
		t.Errorf("Instance gives %q, %v; want %q", got, err, instance)
	}
	if got, err := again.SealingKey(); !bytes.Equal(got, key) || err != nil {
		t.Errorf("SealingKey gives %x, %v; want %x", got, err, key)
	}
	if got, err := again.AdminPassword(); got != password || err != nil || len(got) < 20 {
		t.Errorf("AdminPassword gives %q, %v; want %q", got, err, password)
	}
	got := map[string]fs.FileMode{}
	err = filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		got[e.Name()] = info.Mode().Perm()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{"b": 0o700, "instance": 0o600, "admin-password": 0o600, "demo-password": 0o600, "keymanager.key": 0o600, "openrc": 0o600, "clouds.yaml": 0o600}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func TestDamagedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	d := newDir(t, path)
	for content, want := range map[string]string{"": "is empty", "not an id\n": "holds no instance id"} {
		if err := os.WriteFile(filepath.Join(path, "instance"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Instance(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Instance of %q gives %v, want %q", content, err, want)
		}
	}
	for content, want := range map[string]string{"": "is empty", "not a key\n": "holds no key", "00ff\n": "holds no key"} {
		if err := os.WriteFile(filepath.Join(path, "keymanager.key"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.SealingKey(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("SealingKey of %q gives %v, want %q", content, err, want)
		}
	}
}

func TestNoLinkLeadsOut(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "target")
	path := filepath.Join(t.TempDir(), "s")
	d := newDir(t, path)
	if err := os.Symlink(outside, filepath.Join(path, "lock")); err != nil {
		t.Fatal(err)
	}
	if f, err := d.Lock(); err == nil {
		t.Error("Lock follows a link out of the directory")
		_ = f.Close()
	}
	if _, err := os.Stat(outside); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lock made %s: %v", outside, err)
	}
}

// TestNoLinkGivesAway shows that root gives no file of its own to the directory's owner because a link to it has the name
// of a file that is the owner's.
func TestNoLinkGivesAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := t.TempDir()
	d := newDir(t, filepath.Join(path, "state"))
	const secret = "kept"
	for _, name := range []string{"symbolic", "hard"} {
		file, lock := filepath.Join(d.Path(), "of-root"), filepath.Join(d.Path(), "lock")
		err := errors.Join(os.RemoveAll(lock), os.WriteFile(file, []byte(secret), 0o600), os.Chown(d.Path(), 65534, 65534))
		if name == "symbolic" {
			err = errors.Join(err, os.Symlink("of-root", lock))
		} else {
			err = errors.Join(err, os.Link(file, lock))
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Lock(); err == nil {
			t.Errorf("bad: a %s link was taken for the lock", name)
		}
		info, err := os.Stat(file)
		text, _ := os.ReadFile(file)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 || string(text) != secret {
			t.Errorf("bad: a %s link gave the file away: %v %q %v", name, info, text, err)
		}
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	one, two := newDir(t, path), newDir(t, path)
	f, err := one.Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = two.Lock()
	var inUse *statedir.InUse
	if !errors.As(err, &inUse) {
		t.Fatalf("the second Lock gives %v", err)
	}
	if diff := cmp.Diff(&statedir.InUse{Path: path, PID: os.Getpid()}, inUse); diff != "" {
		t.Errorf("InUse (-want +got):\n%s", diff)
	}
	if pid, err := two.Supervisor(); pid != 0 || err != nil {
		t.Errorf("Supervisor gives %d, %v", pid, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = two.Lock(); err != nil {
		t.Fatalf("Lock after the first was closed: %v", err)
	}
	_ = f.Close()
}

// TestCredentials reads both files back as clients do.
func TestCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	d := newDir(t, path)
	c := statedir.Credentials{AuthURL: "http://h:1/identity/v3", Region: "R", User: "admin", Password: `it's "$x`, Project: "admin"}
	if err := d.WriteCredentials(c); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(path, "clouds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var clouds struct {
		Clouds map[string]struct {
			Auth map[string]string `yaml:"auth"`
		} `yaml:"clouds"`
	}
	if err := yaml.Unmarshal(data, &clouds); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"auth_url": c.AuthURL, "username": "admin", "password": c.Password, "user_domain_name": "Default",
		"project_name": "admin", "project_domain_name": "Default",
	}
	if diff := cmp.Diff(want, clouds.Clouds["plimsoll"].Auth); diff != "" {
		t.Errorf("clouds.yaml (-want +got):\n%s", diff)
	}
	data, err = os.ReadFile(filepath.Join(path, "openrc"))
	if err != nil {
		t.Fatal(err)
	}
	if line := `export OS_PASSWORD='it'\''s "$x'` + "\n"; !strings.Contains(string(data), line) {
		t.Errorf("openrc has no line %q:\n%s", line, data)
	}
}

func TestReadOnlyAndFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	full := filepath.Join(t.TempDir(), "full")
	mount(t, full, 0, "size=16k")
	d := newDir(t, full)
	if _, err := d.Instance(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(full, "filler"), make([]byte, 1<<16), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the directory gives %v", err)
	}
	if _, err := d.AdminPassword(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "is full: free some space") {
		t.Errorf("AdminPassword in a full directory gives %v", err)
	}

	closed := filepath.Join(t.TempDir(), "closed")
	mount(t, closed, syscall.MS_RDONLY, "")
	if _, err := statedir.Make(closed, statedir.Current()); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "read-only file system") {
		t.Errorf("Make in a read-only directory gives %v", err)
	}
}

func mount(t *testing.T, path string, flags uintptr, options string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestReaches(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	stranger := statedir.User{Name: "stranger", UID: 54321, GID: 54321}
	err := stranger.Reaches(filepath.Join(closed, "s"))
	if err == nil || !strings.Contains(err.Error(), "is closed to others") {
		t.Errorf("Reaches gives %v", err)
	}
	if err := statedir.Current().Reaches(filepath.Join(closed, "s")); err != nil {
		t.Errorf("Reaches of the owner gives %v", err)
	}
}

func TestMakeGivesToTheUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving away needs root")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	u, err := statedir.Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	if u.Name != "plimsoll" && u.Name != nobody.Username {
		t.Errorf("Unprivileged gives %+v", u)
	}
	path := filepath.Join(t.TempDir(), "s")
	d, err := statedir.Make(path, u)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Instance(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, filepath.Join(path, "instance")} {
		var st syscall.Stat_t
		if err := syscall.Stat(name, &st); err != nil || int(st.Uid) != u.UID || int(st.Gid) != u.GID {
			t.Errorf("%s belongs to %d:%d (%v), want %+v", name, st.Uid, st.Gid, err, u)
		}
	}
}
