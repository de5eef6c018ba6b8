package engine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contents are the files of a folder, by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

func TestAccessLogLines(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	if err := os.WriteFile(path, []byte("{\"a\":1}\n{\"half"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &accessLog{path: path}
	defer l.close()
	for _, text := range []string{
		"Proxy x stopped (cumulated conns: FE: 2, BE: 0).\n", "", "no end", "{no end", "\n", "{\"b\":2}\nProxy {x} stopped\n{\"c\":3}\n",
	} {
		if err := l.take([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	want := map[string]string{"access.log": "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n"}
	if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestAccessLogBound writes more than is kept: the youngest lines are there, each once and in order.
func TestAccessLogBound(t *testing.T) {
	dir := t.TempDir()
	l := &accessLog{path: filepath.Join(dir, "access.log")}
	defer l.close()
	const each = 64 << 10
	number, perFile := 0, logSize/each
	for range perFile*(logsKept+2) + 1 {
		line := fmt.Sprintf("{%08d", number)
		number++
		if err := l.take(append(append([]byte(line), bytes.Repeat([]byte("x"), each-len(line)-1)...), '\n')); err != nil {
			t.Fatal(err)
		}
	}
	next := number - perFile*logsKept - 1
	for n := logsKept; n >= 0; n-- {
		name := filepath.Join(dir, "access.log")
		if n > 0 {
			name += fmt.Sprint(".", n)
		}
		text, err := os.ReadFile(name)
		if err != nil || len(text) > logSize {
			t.Fatalf("%s: %d bytes, %v", name, len(text), err)
		}
		for line := range strings.Lines(string(text)) {
			if want := fmt.Sprintf("{%08d", next); line[:len(want)] != want {
				t.Fatalf("%s: a line %s, want %s", name, line[:len(want)], want)
			}
			next++
		}
	}
	if entries, _ := os.ReadDir(dir); next != number || len(entries) != logsKept+1 {
		t.Errorf("up to line %d of %d, in %d files", next, number, len(entries))
	}
}

// TestAccessLogBad shows that a log that cannot be written counts what is lost, and does nothing else.
func TestAccessLogBad(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Symlink(outside, filepath.Join(dir, "access.log")); err != nil {
		t.Fatal(err)
	}
	l := &accessLog{path: filepath.Join(dir, "access.log")}
	if err := l.take([]byte("{}\n{}\n")); err == nil || l.lost != 2 {
		t.Errorf("a link is followed: %v, %d lines lost", err, l.lost)
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("there is a file outside the folder")
	}
	b := &balancer{dir: dir}
	if err := os.WriteFile(filepath.Join(dir, logPipe), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := b.openPipe()
	if err == nil {
		_ = f.Close()
		t.Error("a file is taken for a pipe")
	}
}
