package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/failpoint"
)

// recordFile holds a load balancer's record, in its run directory.
const recordFile = "spec.json"

// record is what the engine remembers of a load balancer, also across its own restarts.
type record struct {
	// Epoch, Generation and Hash of the last Spec taken.
	Epoch      int64  `json:"epoch"`
	Generation int64  `json:"generation"`
	Hash       string `json:"hash"`
	// Process runs Spec. It is zero while a change is under way or went wrong: then nobody knows what runs, and the
	// next Apply reloads.
	Process processID `json:"process"`
	// Ports are all that may have been made: what a Remove has to take away after a crash.
	Ports []portRef `json:"ports,omitempty"`
	// Spec is what was last carried out: the Spec taken, less what HAProxy refused of it. nil before the first.
	Spec *enginepb.Spec `json:"-"`
}

// portRef names a port and the network on whose bridge it is.
type portRef struct {
	ID      string `json:"id"`
	Network string `json:"network"`
}

func portRefs(ports []*enginepb.Port) []portRef {
	refs := make([]portRef, len(ports))
	for i, p := range ports {
		refs[i] = portRef{p.Id, p.NetworkId}
	}
	return refs
}

// join returns a with what it lacks of b.
func join(a, b []portRef) []portRef {
	all := slices.Clone(a)
	for _, p := range b {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// storedRecord is a record in its file.
type storedRecord struct {
	record
	Spec json.RawMessage `json:"spec,omitempty"` // without the contents of its files: there are private keys among them
	// Files are the digests of those contents, by the files' names. The contents themselves are kept beside the record.
	Files map[string]string `json:"files,omitempty"`
}

// readRecord returns the record in a run directory, or an empty one where there is none or it cannot be read: it is
// a hint, and what it lacks is found out anew.
func readRecord(dir string) (record, error) {
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, err
	}
	var stored storedRecord
	if err := json.Unmarshal(text, &stored); err != nil {
		return record{}, fmt.Errorf("parse %s: %w", recordFile, err)
	}
	r := stored.record
	if len(stored.Spec) == 0 {
		return r, nil
	}
	r.Spec = &enginepb.Spec{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(stored.Spec, r.Spec); err != nil {
		r.Spec, r.Process = nil, processID{}
		return r, fmt.Errorf("parse %s: %w", recordFile, err)
	}
	err = r.fill(dir, stored.Files)
	return r, err
}

// fill gives the files of the Spec their contents. Those that are lost are left out, and what runs is not known any more.
func (r *record) fill(dir string, digests map[string]string) error {
	var failed []error
	r.Spec.Files = slices.DeleteFunc(r.Spec.Files, func(f *enginepb.File) bool {
		content, err := readKept(dir, digests[f.Name])
		if err != nil {
			failed = append(failed, fmt.Errorf("read %s: %w", f.Name, bare(err)))
		}
		f.Content = content
		return err != nil
	})
	if len(failed) > 0 {
		r.Process = processID{}
	}
	return errors.Join(failed...)
}

// sameRecord tells whether two records say the same.
func sameRecord(a, b record) bool {
	return a.Epoch == b.Epoch && a.Generation == b.Generation && a.Hash == b.Hash && a.Process == b.Process &&
		slices.Equal(a.Ports, b.Ports) && proto.Equal(a.Spec, b.Spec)
}

func (r record) write(dir string) error {
	stored := storedRecord{record: r}
	if r.Spec != nil {
		bare := proto.CloneOf(r.Spec)
		stored.Files = map[string]string{}
		for _, f := range bare.Files {
			stored.Files[f.Name], f.Content = digest(f.Content), nil
		}
		text, err := protojson.Marshal(bare)
		if err != nil {
			return fmt.Errorf("write %s: %w", recordFile, err)
		}
		stored.Spec = text
	}
	text, err := json.MarshalIndent(stored, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", recordFile, err)
	}
	if err := writeFile(filepath.Join(dir, recordFile), append(text, '\n')); err != nil {
		return err
	}
	failpoint.Here("engine.record.written")
	return nil
}
