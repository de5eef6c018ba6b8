package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"plimsoll/internal/failpoint"
)

// NamespaceDir is where ip-netns(8) keeps the names of network namespaces.
const NamespaceDir = "/run/netns"

// EnsureNamespace makes a named network namespace as ip-netns(8) does, unless there is one. Its loopback is up, it
// forwards nothing, and it carries the stamp from the moment that it has a name. The answer tells whether the one
// that is there carries our stamp.
func (h *Host) EnsureNamespace(name string) (ours bool, err error) {
	path, err := namespacePath(name)
	if err != nil {
		return false, err
	}
	h.making.Lock()
	defer h.making.Unlock()
	if ours, err = h.stamped(name); err == nil || !errors.Is(err, ErrNoNamespace) {
		return ours, err
	}
	if err := h.shareNamespaceDir(); err != nil {
		return false, err
	}
	if err := h.makeNamespace(path); err != nil {
		return false, fmt.Errorf("make network namespace %s: %w", name, err)
	}
	failpoint.Here("linux.namespace.made")
	return true, nil
}

func (h *Host) makeNamespace(path string) error {
	return onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err := h.furnish(); err != nil {
			return err
		}
		return nameNamespace(path)
	})
}

// nameNamespace gives the thread's namespace its name. Another instance may take the file, on which nothing is mounted yet, for one that a
// crash left, and remove it.
func nameNamespace(path string) (err error) {
	for range 100 {
		if err := touch(path); err != nil {
			return err
		}
		if err = unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err == nil {
			return nil
		}
		if !errors.Is(err, unix.ENOENT) {
			break
		}
	}
	return fmt.Errorf("mount %s: %w", path, err)
}

// furnish stamps the thread's new namespace and sets what holds for all of its links. The kernel may hand a new
// namespace the host's settings, forwarding among them.
func (h *Host) furnish() error {
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer links.Close()
	lo, err := links.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := links.LinkSetAlias(lo, h.stamp); err != nil {
		return fmt.Errorf("stamp lo: %w", err)
	}
	if err := links.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return setSysctls([]sysctl{
		{"net/ipv4/ip_forward", "0"},
		{"net/ipv6/conf/all/forwarding", "0"},
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		// A link answers for its own addresses only, and asks with them: a namespace may have several.
		{"net/ipv4/conf/all/arp_ignore", "1"},
		{"net/ipv4/conf/all/arp_announce", "2"},
		{"net/ipv4/conf/all/promote_secondaries", "1"},
		{"net/ipv6/conf/all/accept_ra", "0"},
		{"net/ipv6/conf/default/accept_ra", "0"},
	})
}

// touch makes the file that a namespace is mounted on. One that is left over from a crash will do.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o444)
	if err != nil {
		return err
	}
	return f.Close()
}

// shareNamespaceDir makes the folder of names a shared mount, as ip-netns(8) does: else a process in another mount
// namespace would keep a removed name busy.
func (h *Host) shareNamespaceDir() error {
	if h.shared {
		return nil
	}
	if err := os.MkdirAll(NamespaceDir, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", NamespaceDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if errors.Is(err, unix.EINVAL) { // it is no mount point yet
		if err = unix.Mount(NamespaceDir, NamespaceDir, "none", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = unix.Mount("", NamespaceDir, "none", unix.MS_SHARED|unix.MS_REC, "")
		}
	}
	if err != nil {
		return fmt.Errorf("share %s: %w", NamespaceDir, err)
	}
	h.shared = true
	return nil
}

// RemoveNamespace removes a named namespace that carries our stamp, with the links in it. Removing what is not there
// succeeds; one that is not ours gives ErrForeign. Processes in it go on without a name: end them first.
func (h *Host) RemoveNamespace(name string) error {
	path, err := namespacePath(name)
	if err != nil {
		return err
	}
	ours, err := h.stamped(name)
	if errors.Is(err, ErrNoNamespace) {
		if err = removeFile(path); !errors.Is(err, unix.EBUSY) {
			return err
		}
		ours, err = false, nil // another instance has made it since
	}
	if err != nil {
		return err
	}
	if !ours {
		return fmt.Errorf("remove network namespace %s: %w", name, ErrForeign)
	}
	if err := h.removePortsIn(name); err != nil {
		return fmt.Errorf("remove network namespace %s: %w", name, err)
	}
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	failpoint.Here("linux.namespace.unmounted")
	return removeFile(path)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// HasNamespace tells whether a named namespace is there.
func HasNamespace(name string) bool {
	ns, err := openNamespace(name)
	if err != nil {
		return false
	}
	_ = ns.Close()
	return true
}

// HasLink tells whether a named namespace is there and has a link of that name.
func HasLink(namespace, link string) bool {
	links, err := linksIn(namespace)
	if err != nil {
		return false
	}
	defer links.Close()
	_, err = links.LinkByName(link)
	return err == nil
}

// Inside tells whether a process runs in the named namespace: one that outlived its namespace's name does not run in
// the next of that name.
func Inside(name string, pid int) bool {
	var of, named unix.Stat_t
	if unix.Stat(filepath.Join(NamespaceDir, name), &named) != nil {
		return false
	}
	if unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &of) != nil {
		return false
	}
	return of.Ino == named.Ino && of.Dev == named.Dev
}

// SameNamespace tells whether a socket is in the named namespace: one that outlived its namespace's name is not in the next of that
// name.
func SameNamespace(name string, socket syscall.RawConn) bool {
	was, is := uint64(0), uint64(0)
	err := socket.Control(func(fd uintptr) { was, _ = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE) })
	if err != nil || was == 0 {
		return false
	}
	err = Within(name, func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		is, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		return err
	})
	return err == nil && was == is
}

// stamped tells whether a namespace carries our stamp.
func (h *Host) stamped(name string) (bool, error) {
	links, err := linksIn(name)
	if err != nil {
		return false, err
	}
	defer links.Close()
	lo, err := links.LinkByName("lo")
	if err != nil {
		return false, fmt.Errorf("find lo in %s: %w", name, err)
	}
	return lo.Attrs().Alias == h.stamp, nil
}

// Namespaces lists the names of the namespaces that carry our stamp.
func (h *Host) Namespaces() ([]string, error) {
	entries, err := os.ReadDir(NamespaceDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ours []string
	for _, entry := range entries {
		if is, err := h.stamped(entry.Name()); err == nil && is {
			ours = append(ours, entry.Name())
		}
	}
	return ours, nil
}

// NamespacesNamed lists the names of namespaces that begin so, whoever made them.
func NamespacesNamed(prefix string) []string {
	entries, err := os.ReadDir(NamespaceDir)
	if err != nil {
		return nil // nobody has made one yet
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// namespacePath refuses names that would lead out of the folder.
func namespacePath(name string) (string, error) {
	if name == "" || len(name) > 200 || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00\n") {
		return "", fmt.Errorf("%q cannot name a network namespace", name)
	}
	return filepath.Join(NamespaceDir, name), nil
}

// openNamespace opens a named namespace, or gives ErrNoNamespace.
func openNamespace(name string) (*os.File, error) {
	path, err := namespacePath(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("network namespace %s: %w", name, ErrNoNamespace)
	}
	if err != nil {
		return nil, err
	}
	var on unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &on); err != nil || on.Type != unix.NSFS_MAGIC {
		_ = f.Close()
		return nil, fmt.Errorf("network namespace %s: %w", name, ErrNoNamespace)
	}
	return f, nil
}

// linksIn opens a netlink handle in a named namespace; the caller closes it.
func linksIn(name string) (*netlink.Handle, error) {
	var links *netlink.Handle
	err := Within(name, func() (err error) {
		links, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	return links, err
}

// Within runs fn on a thread that is in the named namespace: sockets that it opens belong there for good.
func Within(name string, fn func() error) error {
	ns, err := openNamespace(name)
	if err != nil {
		return err
	}
	defer func() { _ = ns.Close() }()
	return onThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", name, err)
		}
		return fn()
	})
}

// onThread runs fn, which may change the network namespace, on a thread of its own. The thread goes back to the
// scheduler only after it was brought home; else it ends with its goroutine.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer func() { _ = home.Close() }()
		err = fn()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}
