package engine

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"

	"plimsoll/internal/engine/enginepb"
)

// plugRecords are the stored plugs in memory, since to read thousands of files takes longer than what is asked of them. A record is
// here once its file is written, and until that is removed. What the records say is not changed.
type plugRecords struct {
	mu  sync.Mutex
	all map[string]plug // by port id; nil until the files were read
}

// formerField is what the former addresses are called in a stored plug.
const formerField = "former"

func (e *Engine) plugPath(id string) string { return e.files.plugs.path(id + ".json") }

// writePlug stores a plug: a PlugRequest, with the former addresses beside it.
func (e *Engine) writePlug(p plug) error {
	text, err := protojson.Marshal(p.PlugRequest)
	if err != nil {
		return err
	}
	if len(p.former) > 0 {
		fields := map[string]any{}
		if err := json.Unmarshal(text, &fields); err != nil {
			return err
		}
		fields[formerField] = p.former
		if text, err = json.Marshal(fields); err != nil {
			return err
		}
	}
	if err := writeFile(e.plugPath(p.id()), append(text, '\n')); err != nil {
		return err
	}
	e.plugs.keep(p)
	return nil
}

// erasePlug removes the record of a plug.
func (e *Engine) erasePlug(id string) error {
	if err := removeAll(e.plugPath(id)); err != nil {
		return err
	}
	e.plugs.drop(id)
	return nil
}

func (r *plugRecords) keep(p plug) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all != nil {
		r.all[p.id()] = p
	}
}

func (r *plugRecords) drop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, id)
}

// forget has the files read again.
func (r *plugRecords) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = nil
}

// storedPlug finds the record of a plug.
func (e *Engine) storedPlug(id string) (plug, error) {
	e.plugs.mu.Lock()
	defer e.plugs.mu.Unlock()
	e.readPlugs()
	if p, there := e.plugs.all[id]; there {
		return p, nil
	}
	return e.readPlug(id)
}

// storedPlugs are all records, by port id. One that cannot be read is passed over.
func (e *Engine) storedPlugs() []plug { return e.plugsThat(func(plug) bool { return true }) }

// plugsThat are the records that a condition picks, by port id.
func (e *Engine) plugsThat(pick func(plug) bool) []plug {
	e.plugs.mu.Lock()
	defer e.plugs.mu.Unlock()
	e.readPlugs()
	var some []plug
	for _, p := range e.plugs.all {
		if pick(p) {
			some = append(some, p)
		}
	}
	slices.SortFunc(some, func(a, b plug) int { return strings.Compare(a.id(), b.id()) })
	return some
}

// readPlugs reads all files, once. The caller holds the records.
func (e *Engine) readPlugs() {
	if e.plugs.all != nil {
		return
	}
	entries, err := os.ReadDir(e.files.plugs.path(""))
	if err != nil {
		return
	}
	e.plugs.all = map[string]plug{}
	for _, entry := range entries {
		id, is := strings.CutSuffix(entry.Name(), ".json")
		if !is || checkID("port", id) != nil {
			continue
		}
		p, err := e.readPlug(id)
		if err != nil {
			e.log.Warn("plug unreadable", "port", id, "err", err)
			continue
		}
		e.plugs.all[id] = p
	}
}

// readPlug reads the file of a plug.
func (e *Engine) readPlug(id string) (plug, error) {
	text, err := os.ReadFile(e.plugPath(id))
	if err != nil {
		return plug{}, err
	}
	p := plug{PlugRequest: &enginepb.PlugRequest{}}
	err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, p.PlugRequest)
	if err == nil {
		p.former, err = formerOf(text)
	}
	if err == nil && p.id() != id {
		err = errors.New("it is another port's")
	}
	return p, err
}

func formerOf(text []byte) ([]string, error) {
	var record struct{ Former []string }
	err := json.Unmarshal(text, &record)
	return record.Former, err
}
