package statedir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFolder(t *testing.T) {
	d := newDir(t, filepath.Join(t.TempDir(), "s"))
	f := d.Folder("things")
	if _, err := f.Read("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of nothing gives %v", err)
	}
	if err := f.Remove("a"); err != nil {
		t.Errorf("Remove of nothing gives %v", err)
	}
	for _, text := range []string{"first", "second"} {
		if err := f.Write("a", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Read("a"); string(got) != text || err != nil {
			t.Errorf("Read gives %q, %v", got, err)
		}
	}
	info, err := os.Stat(filepath.Join(d.Path(), "things", "a"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if err := f.Remove("a"); err != nil {
		t.Error(err)
	}
	names, err := filepath.Glob(filepath.Join(d.Path(), "things", "*"))
	if diff := cmp.Diff([]string(nil), names); diff != "" || err != nil {
		t.Errorf("left behind: %v\n%s", err, diff)
	}
}

// TestFolderThatIsALink has the folder lead out of the state directory.
func TestFolderThatIsALink(t *testing.T) {
	d, elsewhere := newDir(t, filepath.Join(t.TempDir(), "s")), t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(d.Path(), "things")); err != nil {
		t.Fatal(err)
	}
	if err := d.Folder("things").Write("a", nil); err == nil {
		t.Error("Write follows a link")
	}
	if names, err := os.ReadDir(elsewhere); len(names) > 0 || err != nil {
		t.Errorf("it holds %v, %v", names, err)
	}
}

// TestFolderAtOnce has the first files come at the same time.
func TestFolderAtOnce(t *testing.T) {
	f := newDir(t, filepath.Join(t.TempDir(), "s")).Folder("things")
	var g sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		g.Go(func() {
			if err := f.Write(name, []byte(name)); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
}
