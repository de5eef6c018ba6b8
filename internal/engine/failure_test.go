package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
	"plimsoll/internal/linux"
)

// applySpec applies a Spec that the test has spoiled, as the next generation.
func (b *testBalancer) applySpec(spoil func(*enginepb.Spec)) *enginepb.ApplyReply {
	b.w.t.Helper()
	b.Progress.Generation++
	spec := b.spec()
	spoil(spec)
	reply, err := b.w.client.Apply(context.Background(), &enginepb.ApplyRequest{Spec: spec})
	if err != nil {
		b.w.t.Fatalf("Apply: %v", err)
	}
	return reply
}

func section(spec *enginepb.Spec, name string) *enginepb.Section {
	for _, s := range spec.Sections {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// addLine adds a line as if it belonged to the section's first object.
func addLine(s *enginepb.Section, line string) {
	s.Lines, s.Owners = append(s.Lines, line), append(s.Owners, "")
}

func TestBadListenerAmongGood(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	bad := b.listen(81)
	reply := b.applySpec(func(s *enginepb.Spec) { addLine(section(s, "frontend "+bad.ID), "mode no-such-mode-1") })
	if len(reply.Failures) != 1 || reply.Failures[0].ObjectId != bad.ID || !reply.Failures[0].Permanent ||
		!strings.Contains(reply.Failures[0].Reason, "no-such-mode") || reply.Method != methodStart {
		t.Fatalf("Apply = %v", reply)
	}
	namespace, _ := w.plug()
	c := httpClient(t, namespace, false)
	w.answers(c, b.url(), 5)
	if o := b.observe(); !o.Running || o.Drifted {
		t.Errorf("Observe = %v", o)
	}
	b.mustApply(methodReload) // it is changed for the better
	other := "http://" + net.JoinHostPort(b.VIPAddress.String(), "81") + "/"
	w.answers(c, other, 5)
	reply = b.applySpec(func(s *enginepb.Spec) { addLine(section(s, "frontend "+bad.ID), "mode no-such-mode-2") })
	if len(reply.Failures) != 1 || reply.Method != methodNone {
		t.Errorf("Apply of the bad one again = %v", reply)
	}
	w.answers(c, other, 5) // in its last good form
}

func TestBadMemberAmongGood(t *testing.T) {
	w := newWorld(t)
	good, bad := w.member(), w.member()
	b := w.balancerOf(good)
	b.mustApply(methodStart)
	pid := b.pid()
	b.add(bad)
	spoil := func(s *enginepb.Spec) {
		for _, server := range s.Servers {
			if server.Name == bad.ID {
				server.Options = append(server.Options, "verify no-such-option")
			}
		}
	}
	reply := b.applySpec(spoil)
	if len(reply.Failures) != 1 || reply.Failures[0].ObjectId != bad.ID || !strings.Contains(reply.Failures[0].Reason, "no-such-option") {
		t.Fatalf("Apply = %v", reply)
	}
	if b.pid() != pid {
		t.Error("HAProxy was replaced for a member that it refuses")
	}
	if o := b.observe(); len(o.Servers) != 1 || o.Drifted {
		t.Errorf("Observe = %v", o)
	}
	b.mustApply(methodRuntime)
}

func TestBadPoolHoldsItsMembersBack(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	backend := "backend " + b.pool.ID + ":" + b.Listeners[0].ID
	reply := b.applySpec(func(s *enginepb.Spec) { addLine(section(s, backend), "mode no-such-mode") })
	failed := map[string]bool{}
	for _, f := range reply.Failures {
		failed[f.ObjectId] = f.Permanent
	}
	if !failed[b.pool.ID] || !failed[b.pool.Members[0].ID] || failed[b.ID] {
		t.Errorf("failures = %v", reply.Failures)
	}
	if o := b.observe(); !o.Running {
		t.Errorf("Observe = %v", o)
	}
	b.mustApply(methodReload)
}

func TestMissingHAProxy(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	w.stop()
	w.config.HAProxy = "/nonexistent/haproxy"
	w.start()
	b.listen(81)
	reply := b.apply()
	if len(reply.Failures) != 1 || reply.Failures[0].ObjectId != b.ID || reply.Failures[0].Permanent ||
		!strings.Contains(reply.Failures[0].Reason, "cannot be run") {
		t.Errorf("Apply = %v", reply)
	}
	namespace, _ := w.plug()
	w.answers(httpClient(t, namespace, false), b.url(), 5)
	hello, err := w.client.Hello(t.Context(), &enginepb.HelloRequest{})
	if err != nil || hello.HaproxyVersion != "" || hello.Instance != w.config.Instance {
		t.Errorf("Hello = %v, %v", hello, err)
	}
	w.stop()
	w.config.HAProxy = ""
	w.start()
	b.want(b.again(), methodReload)
	hello, err = w.client.Hello(t.Context(), &enginepb.HelloRequest{})
	if err != nil || hello.HaproxyVersion == "" || hello.Binary == "" {
		t.Errorf("Hello = %v, %v", hello, err)
	}
}

// TestBadDisk shows that a full and a read-only disk stop nothing that runs, and say what they are.
func TestBadDisk(t *testing.T) {
	w := newWorld(t)
	w.stop()
	files := filepath.Join(w.dir, "lbaas")
	if err := os.RemoveAll(files); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(files, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", files, "tmpfs", 0, "size=256k,mode=0711"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stop(); w.purgeProcesses(); _ = syscall.Unmount(files, syscall.MNT_DETACH) })
	w.start()
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	b.listen(81)
	ballast := filepath.Join(files, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 512<<10), 0o600) // as much as fits
	b.wantTransient("no space left on device")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	remount(t, files, syscall.MS_RDONLY)
	b.wantTransient("read-only file system")
	remount(t, files, 0)
	b.mustApply(methodReload)
	w.stop()
	w.start() // so that the folder is no longer in use
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, "size=256k"); err != nil {
		t.Fatal(err)
	}
}

// purgeProcesses ends what the test's engine started, while the files that name it are still there.
func (w *world) purgeProcesses() {
	_ = killConfigs(func(conf string) bool { return strings.HasPrefix(conf, w.dir+"/") })
}

// wantTransient wants an Apply that fails with the reason, while traffic is served on.
func (b *testBalancer) wantTransient(reason string) {
	b.w.t.Helper()
	reply := b.apply()
	if len(reply.Failures) != 1 || reply.Failures[0].ObjectId != b.ID || reply.Failures[0].Permanent ||
		!strings.Contains(reply.Failures[0].Reason, reason) {
		b.w.t.Errorf("Apply = %v, want %q", reply, reason)
	}
	namespace, _ := b.w.plug()
	b.w.answers(httpClient(b.w.t, namespace, false), b.url(), 5)
}

func TestApplyAtOnce(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	var specs []*enginepb.Spec
	for i := range 12 {
		b.Progress.Generation++
		b.pool.Members[0].Weight = 10 + i
		specs = append(specs, b.spec())
	}
	var group sync.WaitGroup
	for _, spec := range specs {
		group.Go(func() {
			_, err := w.client.Apply(context.Background(), &enginepb.ApplyRequest{Spec: spec})
			if err != nil && status.Code(err) != codes.FailedPrecondition {
				t.Errorf("Apply: %v", err)
			}
		})
	}
	group.Wait()
	o := b.observe()
	if o.Generation != specs[11].Generation || o.Drifted {
		t.Errorf("Observe = %v", o)
	}
	b.want(b.again(), methodNone)
	states, err := askIn(b.runDir(), "show servers state")
	if err != nil {
		t.Fatal(err)
	}
	servers, err := haproxy.ParseServersState(states)
	if err != nil || len(servers) != 1 || servers[0].Weight != 21 {
		t.Errorf("servers = %v, %v", servers, err)
	}
}

func TestDrainingIsBounded(t *testing.T) {
	w := newWorld(t)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	namespace, _ := w.plug()
	for i := range maxDraining + 4 {
		var c net.Conn
		err := linux.Within(namespace, func() (err error) {
			c, err = net.Dial("tcp", net.JoinHostPort(b.VIPAddress.String(), "80"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\n"); err != nil { // and no more: it holds the process
			t.Fatal(err)
		}
		b.listen(8000 + i)
		b.mustApply(methodReload)
	}
	if n := len(processesOf(t, b)); n > maxDraining+1 || n < maxDraining/2 {
		t.Errorf("%d processes", n)
	}
	w.answers(httpClient(t, namespace, false), b.url(), 5)
}

func TestBusyServerIsDeletedLater(t *testing.T) {
	w := newWorld(t)
	m1, m2 := w.member(), w.member()
	b := w.balancerOf(m1)
	b.mustApply(methodStart)
	namespace, _ := w.plug()
	slow := make(chan error, 1)
	c := httpClient(t, namespace, false)
	go func() {
		_, err := get(c, b.url()+"slow")
		slow <- err
	}()
	eventually(t, "the slow request", func() bool { return frontend(b.observe(), b).CurrentSessions == 1 })
	b.pool.Members = nil
	b.add(m2)
	b.mustApply(methodRuntime)
	if n := len(b.observe().Servers); n != 2 {
		t.Errorf("%d servers while one is busy, want 2", n)
	}
	for body := range w.answers(httpClient(t, namespace, false), b.url(), 5) {
		if body != m2.Name {
			t.Errorf("%s answered, after it was removed", body)
		}
	}
	if err := <-slow; err != nil {
		t.Errorf("the slow request: %v", err)
	}
	eventually(t, "its server to be deleted", func() bool { return len(b.observe().Servers) == 1 })
}
