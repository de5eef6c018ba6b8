package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/statedir"
)

// TestServe walks through the life of a server that root started.
func TestServe(t *testing.T) {
	needsRoot(t)
	dir := purged(t)
	s := serveIn(t, dir)
	t.Run("it runs without root's rights", func(t *testing.T) { runsUnprivileged(t, s) })
	t.Run("its files are closed to others", func(t *testing.T) { filesAreClosed(t, dir) })
	t.Run("it is healthy", func(t *testing.T) {
		if code, body := s.get("/healthcheck"); code != http.StatusOK || body != "OK" {
			t.Errorf("GET /healthcheck: %d %q", code, body)
		}
	})
	t.Run("a second one is refused", func(t *testing.T) {
		code, out := outcome(t, plimsoll(t, "serve", "--state-dir", dir, "--listen", "127.0.0.1:0"))
		if code != exitFailed || !strings.Contains(out, "another process uses the state directory "+dir) {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
	t.Run("purge is refused", func(t *testing.T) {
		code, out := outcome(t, plimsoll(t, "purge", "--state-dir", dir))
		if code != exitFailed || !strings.Contains(out, "stop it first") {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
	first := engineOf(t, dir)
	t.Run("an engine that is killed comes back", func(t *testing.T) { first = killEngine(t, dir, first.GetPid()) })
	// An engine whose supervisor is killed goes on; the next server gives it another.
	killSupervisor(t, dir)
	if left := engineOf(t, dir); left.GetPid() != first.GetPid() {
		t.Errorf("after its supervisor's death the engine is %v, was %v", left, first)
	}
	s.stop()
	s = serveIn(t, dir)
	first = killEngine(t, dir, engineOf(t, dir).GetPid())
	s.stop()
	if left := engineOf(t, dir); left.GetPid() != first.GetPid() {
		t.Fatalf("after the server's end its engine is %v, was %v", left, first)
	}
	password := read(filepath.Join(dir, "admin-password"))
	s = serveIn(t, dir)
	if found := engineOf(t, dir); found.GetPid() != first.GetPid() {
		t.Errorf("the next server has the engine %v, not the one that ran: %v", found, first)
	}
	if again := read(filepath.Join(dir, "admin-password")); again != password {
		t.Error("the next start made another password")
	}
	s.signal(syscall.SIGKILL)
	serveIn(t, dir).stop()
}

func runsUnprivileged(t *testing.T, s *servingProcess) {
	user, err := statedir.Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	status := read(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "status"))
	for _, want := range []string{
		fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d\n", user.UID, user.UID, user.UID, user.UID),
		fmt.Sprintf("Gid:\t%d\t%d\t%d\t%d\n", user.GID, user.GID, user.GID, user.GID),
		"CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("the server's status lacks %q:\n%s", want, status)
		}
	}
}

func filesAreClosed(t *testing.T, dir string) {
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == filepath.Join(dir, "lbaas") {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && !e.IsDir() {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the state directory has the mode %v (%v)", info.Mode(), err)
	}
}

func killSupervisor(t *testing.T, dir string) {
	t.Helper()
	state, err := statedir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	pid, err := state.Supervisor()
	if err != nil || pid == 0 {
		t.Fatalf("the supervisor is process %d (%v)", pid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		pid, err := state.Supervisor()
		return err == nil && pid == 0
	})
}

func killEngine(t *testing.T, dir string, pid int64) (next *enginepb.HelloReply) {
	if err := syscall.Kill(int(pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		next = engineOf(t, dir)
		return next != nil && next.GetPid() != pid
	})
	return next
}

// TestServeReplacesTheEngineOfAnotherBuild runs an engine whose program differs by a byte.
func TestServeReplacesTheEngineOfAnotherBuild(t *testing.T) {
	needsRoot(t)
	dir := purged(t)
	serveIn(t, dir).stop()
	old := engineOf(t, dir)
	must(t, "purge", "--state-dir", dir)
	other := otherBuild(t)
	cmd := exec.CommandContext(t.Context(), other, "engine", "--supervise", "--state-dir="+filepath.Base(dir))
	cmd.Dir = filepath.Dir(dir)
	cmd.Env = append(os.Environ(), actAsProgram+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return engineOf(t, dir) != nil })
	found := engineOf(t, dir)
	if found.GetBinary() == old.GetBinary() {
		t.Fatal("the other build has the same digest")
	}
	serveIn(t, dir).stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the other build's supervisor ends with %v", err)
	}
	if got := engineOf(t, dir); got.GetBinary() != old.GetBinary() {
		t.Errorf("the engine is %v, want one of this build: %v", got, old)
	}
}

func otherBuild(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(openDir(t), "plimsoll")
	if err := os.WriteFile(path, append(data, 'x'), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestServeFinishesRequests sends half a request, asks the server to end, and then sends the rest.
func TestServeFinishesRequests(t *testing.T) {
	needsRoot(t)
	dir := purged(t)
	s := serveIn(t, dir)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const body = `{"auth": {"identity": {"methods": []}}}` // refused, but only once it is read, and at no cost
	fmt.Fprintf(conn, "POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body[:10])
	s.get("/healthcheck") // a later connection was answered: the server has taken the one before
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return strings.Contains(s.stderr.String(), "stopping") })
	fmt.Fprint(conn, body[10:])
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode < 400 || resp.StatusCode >= 500 {
		t.Errorf("the request that was under way got %s", resp.Status)
	}
	s.wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// TestServeWithoutRoot serves the APIs and says what is missing.
func TestServeWithoutRoot(t *testing.T) {
	needsRoot(t) // to become somebody else
	user, err := statedir.Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	parent := openDir(t)
	if err := os.Chown(parent, user.UID, user.GID); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, "state")
	cmd := exec.CommandContext(t.Context(), otherBuild(t), "serve", "--state-dir", dir, "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), actAsProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user.UID), Gid: uint32(user.GID)}}
	s := startServe(t, cmd, dir)
	if code, _ := s.get("/load-balancer/"); code != http.StatusOK {
		t.Errorf("GET /load-balancer/: %d", code)
	}
	if !strings.Contains(s.stderr.String(), "sudo plimsoll engine --supervise --state-dir "+dir) {
		t.Errorf("the log does not say what is missing:\n%s", s.stderr)
	}
	s.stop()
}

func TestServeRefuses(t *testing.T) {
	needsRoot(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	readOnly := mounted(t, syscall.MS_RDONLY, "")
	full := mounted(t, 0, "size=512k")
	closed := filepath.Join(openDir(t), "closed", "state")
	if err := os.Mkdir(filepath.Dir(closed), 0o700); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "plimsoll.conf")
	if err := os.WriteFile(bad, []byte("[api_settings]\nbind_prot = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unknown := filepath.Join(t.TempDir(), "plimsoll.conf")
	if err := os.WriteFile(unknown, []byte("[api_settings]\nenabled_provider_drivers = haproxy, nonesuch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"bad address", []string{"--listen", "here"}, exitUsage, "want HOST:PORT"},
		{"bad port", []string{"--listen", "127.0.0.1:65536"}, exitUsage, `"65536" is no port`},
		{"bad foreign address", []string{"--listen", "192.0.2.1:1"}, exitFailed, "is no address of this host"},
		{"bad taken address", []string{"--listen", taken.Addr().String()}, exitFailed, "another program listens on " + taken.Addr().String()},
		{"bad option", []string{"--config", bad}, exitFailed, bad + ":2: option bind_prot in [api_settings] is unknown"},
		{"bad missing configuration", []string{"--config", bad + "x"}, exitFailed, "no such file"},
		{"bad provider", []string{"--config", unknown}, exitFailed, `there is no driver "nonesuch": this build has avi, haproxy`},
		{"bad read-only state directory", []string{"--state-dir", readOnly}, exitFailed, "is on a read-only file system"},
		{"bad full state directory", []string{"--state-dir", full}, exitFailed, "full"},
		{"bad closed state directory", []string{"--state-dir", closed}, exitFailed, "is closed to others"},
		{"bad foreign directory", []string{"--state-dir", "/etc"}, exitFailed, "not a state directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"serve", "--listen", "127.0.0.1:0"}, test.args...)
			if !strings.Contains(strings.Join(test.args, " "), "--state-dir") {
				args = append(args, "--state-dir", purged(t))
			}
			code, out := outcome(t, plimsoll(t, args...))
			if code != test.code || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, test.code, test.want, out)
			}
		})
	}
}

// mounted is a file system of its own for a state directory; what a test leaves on it is purged.
func mounted(t *testing.T, flags uintptr, options string) string {
	t.Helper()
	path := filepath.Join(openDir(t), "mount")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd := exec.Command(os.Args[0], "purge", "--state-dir", path)
		cmd.Env = append(os.Environ(), actAsProgram+"=1")
		_, _ = cmd.CombinedOutput() // there may be no state directory
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestDemo(t *testing.T) {
	needsRoot(t)
	dir := openDir(t)
	cmd := plimsoll(t, "demo", "--once")
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	code, out := outcome(t, cmd)
	if code != exitDone {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	for _, want := range []string{"web-1", "web-2", "no answer                                 0    0.0%", "remove all of it"} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not print %q:\n%s", want, out)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the demo leaves %v (%v)", left, err)
	}
	for _, name := range namespaceNames() {
		// Those of a demo that somebody else runs have a folder.
		folder, _, ok := strings.Cut(strings.TrimPrefix(name, "plimsoll-demo-"), "-")
		if _, err := os.Stat(filepath.Join(os.TempDir(), "plimsoll-demo-"+folder)); ok && strings.HasPrefix(name, "plimsoll-demo-") && err != nil {
			t.Errorf("the demo leaves the namespace %s", name)
		}
	}
}

func namespaceNames() []string {
	entries, _ := os.ReadDir("/run/netns") // there may be none
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestPlugRefuses(t *testing.T) {
	needsRoot(t)
	dir := purged(t)
	s := serveIn(t, dir)
	const unknown = "00000000-0000-4000-8000-000000000000"
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"bad no port", []string{"plug", "--netns", "x"}, exitUsage, "accepts 1 arg"},
		{"bad no namespace", []string{"plug", unknown}, exitUsage, "--netns is missing"},
		{"bad unknown port", []string{"plug", unknown, "--netns", "x", "--state-dir", dir}, exitFailed, "there is no such port"},
		{"bad unknown port to unplug", []string{"unplug", unknown, "--state-dir", dir}, exitFailed, "there is no such port"},
		{"bad no server", []string{"unplug", unknown, "--state-dir", dir + "x"}, exitFailed, "no server is named: source the openrc"},
	} {
		code, out := outcome(t, plimsoll(t, test.args...))
		if code != test.code || !strings.Contains(out, test.want) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", test.name, code, test.code, test.want, out)
		}
	}
	s.stop()
}
