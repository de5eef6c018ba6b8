package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"plimsoll/internal/failpoint"
)

const (
	// tombstoneAge is how long a removal is remembered: far longer than a late request can be under way.
	tombstoneAge = time.Hour
	// maxTombstones bounds their number; the oldest give way.
	maxTombstones = 10000
)

// order is the place of a request among all for one load balancer.
type order struct {
	Epoch      int64 `json:"epoch"`
	Generation int64 `json:"generation"`
}

type tombstone struct {
	order
	At time.Time `json:"at"`
}

// tombstones remember the removed load balancers, so that an Apply that was overtaken by the removal undoes nothing.
type tombstones struct {
	path string

	mu  sync.Mutex
	all map[string]tombstone
}

func (t *tombstones) load() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = map[string]tombstone{}
	text, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read tombstones: %w", err)
	}
	if err := json.Unmarshal(text, &t.all); err != nil { // worth no refusal to start
		t.all = map[string]tombstone{}
	}
	return nil
}

func (t *tombstones) of(id string) order {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[id].order
}

// add remembers a removal before it is carried out.
func (t *tombstones) add(id string, o order) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string]tombstone{}
	}
	if old, ok := t.all[id]; ok && !older(old.Epoch, old.Generation, o.Epoch, o.Generation) {
		return nil
	}
	t.all[id] = tombstone{o, time.Now()}
	t.bound()
	text, err := json.Marshal(t.all)
	if err != nil {
		return fmt.Errorf("write tombstones: %w", err)
	}
	if err := writeFile(t.path, text); err != nil {
		return err
	}
	failpoint.Here("engine.tombstone.written")
	return nil
}

func (t *tombstones) bound() {
	oldest := ""
	for id, stone := range t.all {
		if time.Since(stone.At) > tombstoneAge {
			delete(t.all, id)
			continue
		}
		if oldest == "" || stone.At.Before(t.all[oldest].At) {
			oldest = id
		}
	}
	if len(t.all) > maxTombstones {
		delete(t.all, oldest)
	}
}
