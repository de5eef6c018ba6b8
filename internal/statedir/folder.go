package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path"
)

// Folder is a directory below a state directory, in which one part of the server keeps files of its own.
type Folder struct {
	dir  *Dir
	name string
}

// Folder returns the folder of that name. It comes to be with its first file.
func (d *Dir) Folder(name string) *Folder { return &Folder{dir: d, name: name} }

// Write replaces a file, which only the state directory's owner can read. Who reads it meanwhile sees the old one or the
// new one. It is not forced to the disk: a power cut may lose it.
func (f *Folder) Write(name string, content []byte) error {
	err := f.write(name, content)
	if errors.Is(err, fs.ErrNotExist) {
		if err = f.make(); err == nil {
			err = f.write(name, content)
		}
	}
	return explain(f.dir.path, err)
}

func (f *Folder) write(name string, content []byte) error {
	temp := f.path(name) + tempSuffix
	if err := f.dir.writeTemp(temp, string(content), false); err != nil {
		_ = f.dir.root.Remove(temp)
		return err
	}
	return f.dir.root.Rename(temp, f.path(name))
}

// make makes the folder, for the state directory's owner if root makes it.
func (f *Folder) make() error {
	if err := f.dir.root.Mkdir(f.name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := f.dir.owner()
	if err != nil {
		return err
	}
	return f.dir.root.Lchown(f.name, uid, gid)
}

// Read returns what a file says. The error is fs.ErrNotExist where there is none.
func (f *Folder) Read(name string) ([]byte, error) {
	content, err := f.dir.root.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return content, explain(f.dir.path, err)
}

// Remove deletes a file. One that is not there is fine.
func (f *Folder) Remove(name string) error {
	if err := f.dir.root.Remove(f.path(name)); !errors.Is(err, fs.ErrNotExist) {
		return explain(f.dir.path, err)
	}
	return nil
}

func (f *Folder) path(name string) string { return path.Join(f.name, name) }
