package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the size of a policy file, in bytes. With every rule of every OpenStack service it would be half of that.
const maxFile = 1 << 20

// file is a policy file as it was read.
type file struct {
	path string
	info fs.FileInfo
	data []byte
}

// parseFile reads the rules of a file: YAML, of which JSON is a part, with one mapping of names to rules.
func parseFile(f file) (map[string]written, error) {
	root, err := decode(f.data)
	if err != nil {
		return nil, fmt.Errorf("%s:%s", f.path, strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml:"), " line "))
	}
	rules := map[string]written{}
	if root == nil {
		return rules, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want a mapping of rule names to rules", f.path, root.Line)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		place := fmt.Sprintf("%s:%d", f.path, key.Line)
		if key.Kind != yaml.ScalarNode || key.Value == "" {
			return nil, fmt.Errorf("%s: the name of a rule must be a text", place)
		}
		if first, twice := rules[key.Value]; twice {
			return nil, fmt.Errorf("%s: rule %q stands at %s already", place, key.Value, first.place)
		}
		e, err := parseNode(value)
		if err != nil {
			return nil, fmt.Errorf("%s: rule %q: %w", place, key.Value, err)
		}
		rules[key.Value] = written{e, place}
	}
	return rules, nil
}

// decode returns the one document of a file; nil is an empty one.
func decode(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := d.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		if err == nil {
			err = fmt.Errorf(" line %d: a second document begins; want one", second.Line)
		}
		return nil, err
	}
	if root := document.Content[0]; root.Tag != "!!null" {
		return root, nil
	}
	return nil, nil
}

// parseNode reads a rule: a text, or a list of lists.
func parseNode(n *yaml.Node) (*expr, error) {
	if n.Kind == yaml.SequenceNode {
		lists := make([][]string, len(n.Content))
		for i, item := range n.Content {
			var err error
			if lists[i], err = words(item); err != nil {
				return nil, err
			}
		}
		return parseList(lists)
	}
	text, err := plain(n)
	if err != nil {
		return nil, err
	}
	return parseText(text)
}

func words(n *yaml.Node) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		text, err := plain(n)
		return []string{text}, err
	}
	out := make([]string, len(n.Content))
	for i, item := range n.Content {
		var err error
		if out[i], err = plain(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// plain returns a text. What has no value is no text: oslo.policy would let everybody.
func plain(n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", errors.New(`it has no value; write "" to let everybody, "!" to let nobody`)
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		return "", errors.New("want a text, or a list of lists of texts")
	}
	return n.Value, nil
}

// source is where an operator's files are.
type source struct {
	file string
	dirs []string
}

// find lists the files that are there, in the order in which they count: the later come before the earlier. It also tells when one of
// them, or what a folder holds, was last changed.
func (s source) find() (files []file, changed time.Time, err error) {
	f := finder{}
	if s.file != "" {
		if err := f.add(s.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, time.Time{}, err
		}
	}
	for _, dir := range s.dirs {
		if err := f.folder(dir); err != nil {
			return nil, time.Time{}, err
		}
	}
	return f.files, f.changed, nil
}

// finder is what was found so far.
type finder struct {
	files   []file
	changed time.Time
}

func (f *finder) add(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	f.files = append(f.files, file{path: path, info: info})
	f.note(info)
	return nil
}

func (f *finder) note(info fs.FileInfo) {
	if t := info.ModTime(); t.After(f.changed) {
		f.changed = t
	}
}

func (f *finder) folder(dir string) error {
	for _, path := range []string{dir, filepath.Dir(dir)} { // from which the folder itself may have gone
		if info, err := os.Stat(path); err == nil {
			f.note(info)
			break
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if err := f.add(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// read reads the files that were found.
func read(files []file) error {
	for i, f := range files {
		if f.info.Size() > maxFile {
			return fmt.Errorf("%s has %d bytes, and may have %d", f.path, f.info.Size(), maxFile)
		}
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		files[i].data = data
	}
	return nil
}

// merge reads all files' rules.
func merge(files []file) (map[string]written, error) {
	all := map[string]written{}
	for _, f := range files {
		rules, err := parseFile(f)
		if err != nil {
			return nil, err
		}
		for name, r := range rules {
			all[name] = r
		}
	}
	return all, nil
}
