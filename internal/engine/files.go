package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
	"plimsoll/internal/haproxy"
)

// keptDir has the contents of files in a run directory, each by its digest. What the record's Spec and the one on its way need is
// in it, so that a content is never overwritten: whatever fails, and wherever the engine dies, the last good form of each
// file can be had again. The files that HAProxy reads are links to these.
const keptDir = "kept"

// keep stores the contents of a Spec's files, of which nobody makes use yet.
func (b *balancer) keep(spec *enginepb.Spec) error {
	if len(spec.Files) > 0 {
		if err := makeDir(b.path(keptDir)); err != nil {
			return err
		}
	}
	for _, f := range spec.Files {
		path := b.path(filepath.Join(keptDir, digest(f.Content)))
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, f.Content) {
			continue
		}
		if err := replace(path, f.Content); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, bare(err))
		}
	}
	failpoint.Here("engine.files.kept")
	return nil
}

// lay makes the files of a Spec, of which the contents are kept, those that are below a folder. Others that are there stay.
func (b *balancer) lay(dir string, spec *enginepb.Spec) error {
	if len(spec.Files) == 0 {
		return nil
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	for _, f := range spec.Files {
		if err := link(b.path(filepath.Join(keptDir, digest(f.Content))), filepath.Join(dir, f.Name)); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, bare(err))
		}
	}
	return nil
}

// layFiles makes the files that HAProxy reads at its next start. One that runs has read them all.
func (b *balancer) layFiles(spec *enginepb.Spec) error {
	err := b.lay(b.path(haproxy.FilesDir), spec)
	failpoint.Here("engine.files.laid")
	return err
}

// sweepFiles removes the files that a Spec does not name, the contents that none of its files has, and what is left of a check.
func (b *balancer) sweepFiles(spec *enginepb.Spec) error {
	named, used := map[string]bool{}, map[string]bool{}
	for _, f := range spec.GetFiles() {
		named[f.Name], used[digest(f.Content)] = true, true
	}
	err := errors.Join(sweepDir(b.path(haproxy.FilesDir), named), sweepDir(b.path(keptDir), used), removeAll(b.path(checkDir)))
	failpoint.Here("engine.files.swept")
	return err
}

// sweepDir empties a folder but for some files.
func sweepDir(dir string, but map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	failed := []error{err}
	for _, entry := range entries {
		if !but[entry.Name()] {
			failed = append(failed, removeAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(failed...)
}

// link gives a file a further name, in place of what has the name now.
func link(from, to string) error {
	source, err := os.Stat(from)
	if err != nil {
		return err
	}
	if old, err := os.Lstat(to); err == nil && os.SameFile(source, old) {
		return nil
	}
	next := filepath.Join(filepath.Dir(to), "."+filepath.Base(to)) // no file of a Spec has such a name
	_ = os.Remove(next)                                            // a crash may have left it
	if err := os.Link(from, next); err != nil {
		return err
	}
	return os.Rename(next, to)
}

func makeDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", filepath.Base(dir), bare(err))
	}
	return nil
}

// digest names a content.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// readKept returns the content of a digest that a run directory keeps.
func readKept(dir, sum string) ([]byte, error) {
	if len(sum) != 2*sha256.Size || !plainFileName(sum) {
		return nil, fmt.Errorf("%.80q is no digest", sum)
	}
	text, err := os.ReadFile(filepath.Join(dir, keptDir, sum))
	if err == nil && digest(text) != sum {
		err = fmt.Errorf("file %s was changed", sum)
	}
	return text, err
}
