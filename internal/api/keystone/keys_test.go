package keystone

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "keys")
	k, err := openKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := func() []string {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("%s has the mode %s, %v", e.Name(), info.Mode(), err)
			}
			names = append(names, e.Name())
		}
		return names
	}
	if diff := cmp.Diff([]string{"0", "1"}, files()); diff != "" {
		t.Errorf("first keys (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has the mode %s, %v", info.Mode(), err)
	}
	other, err := openKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := k.seal([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	opens := func(k *keys, text string) bool {
		payload, err := k.open(text)
		return err == nil && string(payload) == "x"
	}
	for i, want := range [][]string{{"0", "1", "2"}, {"0", "2", "3"}} {
		if err := k.rotate(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, files()); diff != "" {
			t.Errorf("after %d rotations (-want +got):\n%s", i+1, diff)
		}
		if got, want := opens(k, sealed), i == 0; got != want {
			t.Errorf("after %d rotations the first token opens: %v", i+1, got)
		}
	}
	fresh, err := k.seal([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	other.loaded = time.Now().Add(-2 * time.Second)
	if !opens(other, fresh) {
		t.Error("another process does not see the new key")
	}
	for _, bad := range []string{"", "x", fresh[:20], fresh + "!", fresh + "\n", strings.ToUpper(fresh), strings.Repeat("A", 2000)} {
		if _, err := k.open(bad); err == nil {
			t.Errorf("%q opens", bad)
		}
	}
}

func TestBadKeys(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openKeys(dir); err == nil || !strings.Contains(err.Error(), "damaged") || strings.Contains(err.Error(), "rubbish") {
		t.Errorf("a damaged key: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openKeys(file); err == nil {
		t.Error("a file in place of the directory is taken")
	}
}

// A crash between the two keys of the first start is made good by the next one.
func TestKeysAreCompleted(t *testing.T) {
	dir := t.TempDir()
	k, err := openKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := k.seal([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "0")); err != nil {
		t.Fatal(err)
	}
	k, err = openKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.open(sealed); err != nil {
		t.Errorf("after the staged key was made anew: %v", err)
	}
	if err := k.rotate(); err != nil {
		t.Error(err)
	}
}

// TestRotateOld rotates once a week, and no more often.
func TestRotateOld(t *testing.T) {
	k, err := openKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, step := range []struct {
		after time.Duration
		want  []int
	}{
		{0, []int{0, 1}},
		{keyLife - time.Hour, []int{0, 1}},
		{keyLife + time.Hour, []int{0, 1, 2}},
		{keyLife - time.Hour, []int{0, 1, 2}}, // the staged key was written before, but has sealed only since
	} {
		if err := k.rotateOld(now.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		got, err := k.numbers()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", step.after, diff)
		}
	}
}
