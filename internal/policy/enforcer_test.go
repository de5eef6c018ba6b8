package policy

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plimsoll/internal/identity"
)

// watched is an enforcer in a bubble where time passes at once.
type watched struct {
	*Enforcer
	t   *testing.T
	log bytes.Buffer
}

func watch(t *testing.T, o Options) *watched {
	t.Helper()
	w := &watched{t: t}
	o.Log = slog.New(slog.NewTextHandler(&w.log, nil))
	w.Enforcer = enforcer(t, o)
	return w
}

// wants waits until a change must have been noticed, and asks who may write.
func (w *watched) wants(what, role string, logged ...string) {
	w.t.Helper()
	for range 3 { // what is broken is told once
		time.Sleep(lookEvery)
		w.Allowed(&identity.Actor{}, "", "")
	}
	actor := &identity.Actor{ProjectID: "p"}
	for _, actor.Roles = range [][]string{{"a"}, {"b"}, {"member"}} {
		if got := w.Allowed(actor, Prefix+"pool:put", "p"); got != (actor.Roles[0] == role) {
			w.t.Errorf("%s: %s may write: %v", what, actor.Roles[0], got)
		}
	}
	text := w.log.String()
	w.log.Reset()
	if lines := strings.Count(text, "\n"); lines != len(logged) {
		w.t.Errorf("%s: %d lines of log, want %q:\n%s", what, lines, logged, text)
	}
	for _, want := range logged {
		if !strings.Contains(text, want) {
			w.t.Errorf("%s: the log does not say %q:\n%s", what, want, text)
		}
	}
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "policy.yaml")
		w := watch(t, Options{File: file, Dirs: []string{filepath.Join(dir, "policy.d")}})
		w.wants("without a file", "member")

		write(t, file, "load-balancer:write: role:a")
		w.wants("a file appears", "a", "policy read again")
		w.wants("nothing changes", "a")

		write(t, file, "load-balancer:write: role:b")
		w.wants("it changes, in as many bytes", "b", "policy read again")

		write(t, file, "# x\nload-balancer:write: role:a role:b")
		w.wants("it breaks", "b", file+":2: rule")
		write(t, file, "load-balancer:write: rule:load-balancer:write")
		w.wants("it breaks in another way", "b", "leads back to itself")
		write(t, file, "load-balancer:write: role:a\nlonely: role:b")
		w.wants("it is mended", "a", "policy read again", "no other rule names it")

		if err := os.Rename(file, file+".old"); err != nil {
			t.Fatal(err)
		}
		w.wants("it goes away", "a", "is gone")
		if err := os.Rename(file+".old", file); err != nil {
			t.Fatal(err)
		}
		w.wants("it comes back", "a")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		w.wants("it goes away again", "a", "is gone")
		write(t, file, "")
		w.wants("it is empty", "member", "policy read again")

		if err := os.Mkdir(filepath.Join(dir, "policy.d"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "policy.d", "10.yaml"), "load-balancer:write: role:b")
		w.wants("a folder appears", "b", "policy read again")
		if err := os.RemoveAll(filepath.Join(dir, "policy.d")); err != nil {
			t.Fatal(err)
		}
		w.wants("the folder goes away", "member", "policy read again")
	})
}

// TestReloadLooksAtStamps shows that a file is not read as long as what the file system says of it stays the same.
func TestReloadLooksAtStamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := policyFile(t, "load-balancer:write: role:a")
		stamp := func(at time.Time) {
			if err := os.Chtimes(file, at, at); err != nil {
				t.Fatal(err)
			}
		}
		old := time.Now().Add(-time.Hour)
		stamp(old)
		w := watch(t, Options{File: file})
		write(t, file, "load-balancer:write: role:b")
		stamp(old)
		w.wants("the stamp lies", "a")
		stamp(old.Add(time.Second))
		w.wants("the stamp changes", "b", "policy read again")
		write(t, file, "load-balancer:write: role:a")
		stamp(time.Now())
		time.Sleep(lookEvery)
		w.Allowed(&identity.Actor{}, "", "")
		write(t, file, "load-balancer:write: role:b")
		stamp(time.Now().Add(-lookEvery))
		w.wants("it changes again within the resolution of the stamp", "b", "policy read again", "policy read again")
	})
}

// TestReloadWaits looks while somebody writes: what was emptied, or taken away, a moment ago may be on its way back.
func TestReloadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		folder := filepath.Join(dir, "policy.d")
		file, more := filepath.Join(dir, "policy.yaml"), filepath.Join(folder, "10.yaml")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		// The bubble's clock is not that of the file system.
		at := func(paths ...string) {
			for _, path := range paths {
				if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		write(t, file, "load-balancer:write: role:a")
		at(file, folder, dir)
		time.Sleep(time.Hour)
		w := watch(t, Options{File: file, Dirs: []string{folder}})
		member := &identity.Actor{ProjectID: "p", Roles: []string{"member"}}
		locked := func(what string) {
			t.Helper()
			time.Sleep(lookEvery)
			at(file, folder, dir)
			if w.Allowed(member, Prefix+"pool:put", "p") {
				t.Errorf("%s: the defaults hold", what)
			}
		}
		write(t, file, "")
		locked("a file is emptied")
		write(t, file, "load-balancer:read: role:a")
		locked("half of it is there")
		write(t, file, "load-balancer:read: role:a\nload-balancer:write: role:b")
		locked("all of it is there")
		w.wants("a second later", "b", "policy read again")

		write(t, file, "load-balancer:read: role:a")
		write(t, more, "load-balancer:write: role:b")
		at(more)
		locked("a rule moves into a file of its own")
		w.wants("a second later", "b", "policy read again")
		if err := os.Remove(more); err != nil {
			t.Fatal(err)
		}
		locked("that is taken away")
		write(t, more, "load-balancer:write: role:a")
		at(more)
		locked("it comes back")
		w.wants("a second later", "a", "policy read again")
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		at(dir)
		time.Sleep(lookEvery)
		w.wants("the folder is gone for a while", "member", "policy read again")
	})
}

// TestReloadIsWhole changes two rules together under many who ask: never does one see one rule of the old file and one of
// the new, between two looks.
func TestReloadIsWhole(t *testing.T) {
	file := policyFile(t, "load-balancer:write: role:a\nload-balancer:read: role:a")
	e := enforcer(t, Options{File: file})
	a, b := &identity.Actor{Roles: []string{"a"}}, &identity.Actor{Roles: []string{"b"}}
	var askers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		askers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				set := e.rules.Load()
				if write, read := set.checks[Prefix+"pool:put"], set.checks[Prefix+"pool:get_one"]; write(a, "") != read(a, "") || write(a, "") == write(b, "") {
					t.Error("a torn set of rules")
				}
				e.Allowed(a, Prefix+"pool:put", "p")
			}
		})
	}
	for i, text := range []string{
		"load-balancer:write: role:b\nload-balancer:read: role:b", "broken: (", "load-balancer:write: role:a\nload-balancer:read: role:a",
	} {
		next := file + ".new"
		write(t, next, text)
		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
		e.next.Store(0) // look at once
		deadline := time.Now().Add(10 * time.Second)
		for want := i < 2; e.Allowed(b, Prefix+"pool:put", "p") != want; {
			if time.Now().After(deadline) {
				t.Fatalf("file %d is not read", i)
			}
			e.next.Store(0)
		}
	}
	close(stop)
	askers.Wait()
}
