package engine

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plimsoll/internal/engine/enginepb"
)

func TestOneEngineRuns(t *testing.T) {
	w := newWorld(t)
	second, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	l, err := net.Listen("unix", filepath.Join(w.dir, "second.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context(), l); err == nil || !strings.Contains(err.Error(), "another engine runs") {
		t.Errorf("second Run = %v", err)
	}
	if err := second.Purge(t.Context()); err == nil || !strings.Contains(err.Error(), "another engine runs") {
		t.Errorf("Purge beside a running engine = %v", err)
	}
	if _, err := Listen(w.socket(), 0); err == nil || !strings.Contains(err.Error(), "another engine") {
		t.Errorf("Listen where an engine answers = %v", err)
	}
}

func TestPurgeLeavesNothing(t *testing.T) {
	w := newWorld(t)
	before := listing(t, w)
	b := w.balancerOf(w.member())
	b.mustApply(methodStart)
	w.stop()
	if before == listing(t, w) {
		t.Fatal("the data plane went with the engine")
	}
	w.purge()
	for _, dir := range []string{"lbaas/v2", "plugs"} {
		if err := os.MkdirAll(filepath.Join(w.dir, dir), 0o700); err != nil { // for listing
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, listing(t, w)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	if n := processesOf(t, b); len(n) > 0 {
		t.Errorf("HAProxy still runs: %v", n)
	}
}

func TestPeersAreChecked(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	us := os.Geteuid()
	if _, _, err := (peerCredentials{[]int{us + 1, us + 2}}).check(c); err == nil {
		t.Error("a foreign peer was let in")
	}
	if _, _, err := (peerCredentials{[]int{us + 1, us}}).check(c); err != nil {
		t.Errorf("our own user: %v", err)
	}
	if _, _, err := (peerCredentials{[]int{us}}).check(&net.TCPConn{}); err == nil {
		t.Error("a peer that is no unix socket was let in")
	}
}

func TestDialWantsItsUser(t *testing.T) {
	w := newWorld(t)
	client, conn, err := Dial(w.socket(), 12345)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = client.Hello(ctx, &enginepb.HelloRequest{})
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("Hello = %v", err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	w := newWorld(t)
	info, err := os.Stat(w.socket())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// TestGiveFollowsNoLink shows that a link in the socket's place gives away nothing of what it leads to.
func TestGiveFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, link, filepath.Join(dir, "missing")} {
		if err := give(bad, os.Geteuid()); err == nil {
			t.Errorf("bad: %s: given", bad)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the file is now %v, %v", info.Mode(), err)
	}
}

func TestFoldersMustBeOurs(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, "lbaas")); err != nil {
		t.Fatal(err)
	}
	e := &Engine{dir: dir, tombstones: &tombstones{}}
	if err := e.prepare(); err == nil {
		t.Error("a link in place of the folder was followed")
	}
	if left, _ := os.ReadDir(elsewhere); len(left) > 0 {
		t.Errorf("written where the link leads: %v", left)
	}
}

// TestFoldersAreHeld shows that who owns the state directory cannot lead the engine elsewhere while it runs.
func TestFoldersAreHeld(t *testing.T) {
	w := newWorld(t)
	elsewhere := t.TempDir()
	swap := func(name, to string) {
		t.Helper()
		if err := errors.Join(os.Rename(filepath.Join(w.dir, name), filepath.Join(w.dir, name+"-held")),
			os.Symlink(to, filepath.Join(w.dir, name))); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // purging goes by the names again
			if err := errors.Join(os.Remove(filepath.Join(w.dir, name)),
				os.Rename(filepath.Join(w.dir, name+"-held"), filepath.Join(w.dir, name))); err != nil {
				t.Error(err)
			}
		})
	}
	lb := w.balancerOf()
	if err := os.MkdirAll(filepath.Join(elsewhere, "v2", lb.ID), 0o700); err != nil {
		t.Fatal(err)
	}
	swap("lbaas", elsewhere)
	swap("plugs", elsewhere)
	lb.mustApply(methodStart)
	if o := lb.observe(); !o.Running || o.Drifted {
		t.Errorf("Observe = %v", o)
	}
	w.plug()
	for _, dir := range []string{elsewhere, filepath.Join(elsewhere, "v2", lb.ID)} {
		if left, _ := filepath.Glob(filepath.Join(dir, "*.*")); len(left) > 0 {
			t.Errorf("written where the links lead: %v", left)
		}
	}
	lb.mustApply(methodNone)
	lb.remove()
}
