package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// healthFile holds what the engine's checks found of a load balancer's members, in its run directory.
const healthFile = "health.json"

// health is what the engine's checks found of a load balancer's members. It has a lock of its own, for results come at any time,
// also while a change of the load balancer is under way. The zero health knows nobody.
type health struct {
	mu      sync.Mutex
	members map[string]verdict // by id
	unsaved bool               // the file says otherwise
	turning bool               // someone is on the way to tell HAProxy that a member turned
}

// verdict is what is known of one member. It follows HAProxy's rules: as many failures in a row as fall make a member DOWN, as many
// successes in a row as rise make it UP again.
type verdict struct {
	Down bool `json:"down"`
	// Against is how many results in a row spoke against it.
	Against int32 `json:"-"`
}

// unknown is the verdict on a member that was never asked: it is UP, but not for long if it does not answer at once.
func unknown(fall int32) verdict { return verdict{Against: fall - 1} }

// after is the verdict after one more result.
func (v verdict) after(passed bool, rise, fall int32) verdict {
	if passed != v.Down { // as it was
		v.Against = 0
		return v
	}
	v.Against++
	if v.Down && v.Against >= rise || !v.Down && v.Against >= fall {
		return verdict{Down: !v.Down}
	}
	return v
}

// readHealth returns what is stored in a run directory. What cannot be read is found out anew.
func readHealth(dir string) map[string]verdict {
	members := map[string]verdict{}
	text, err := os.ReadFile(filepath.Join(dir, healthFile))
	if err != nil || json.Unmarshal(text, &members) != nil {
		return nil
	}
	return members
}

// write stores the verdicts, unless they are stored.
func (h *health) write(dir string) error {
	h.mu.Lock()
	if !h.unsaved {
		h.mu.Unlock()
		return nil
	}
	text, err := json.Marshal(h.members)
	h.unsaved = false
	h.mu.Unlock()
	if err == nil {
		err = writeFile(filepath.Join(dir, healthFile), append(text, '\n'))
	}
	if err != nil {
		h.mu.Lock()
		h.unsaved = true
		h.mu.Unlock()
		return fmt.Errorf("store what the checks found: %w", err)
	}
	return nil
}

// result takes what a check of a member gave. It tells whether the member turned, and whether nobody is on the way yet to say so.
func (h *health) result(member string, passed bool, rise, fall int32) (turned, first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, known := h.members[member]
	if !known {
		before = unknown(fall)
	}
	after := before.after(passed, rise, fall)
	if h.members == nil {
		h.members = map[string]verdict{}
	}
	h.members[member] = after
	h.unsaved = h.unsaved || !known || before.Down != after.Down
	if before.Down == after.Down {
		return false, false
	}
	first = !h.turning
	h.turning = true
	return true, first
}

// told is called by who is about to say how the members are: what turns from now on is for another to say.
func (h *health) told() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turning = false
}

// presume takes members for DOWN that others found so, unless something is known of them.
func (h *health) presume(members []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range members {
		if _, known := h.members[id]; known {
			continue
		}
		if h.members == nil {
			h.members = map[string]verdict{}
		}
		h.members[id], h.unsaved = verdict{Down: true}, true
	}
}

// forget drops the verdict on a member that is another now, or that is not asked any more.
func (h *health) forget(member string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.members[member]; known {
		delete(h.members, member)
		h.unsaved = true
	}
}

// keep drops the verdicts on all but the given members.
func (h *health) keep(members map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.members {
		if !members[id] {
			delete(h.members, id)
			h.unsaved = true
		}
	}
}

// down are the members that are DOWN.
func (h *health) down() map[string]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]bool{}
	for id, v := range h.members {
		if v.Down {
			all[id] = true
		}
	}
	return all
}

// targetsDown are the members that the engine's checks found DOWN, by id. Those that it does not check are not among them.
func (b *balancer) targetsDown() map[string]bool { return b.health.down() }

// report puts what the checks found into the statuses of the servers that the engine checks: HAProxy says of them that they have no
// check. It leaves MAINT and DRAIN, but what is DOWN is not draining. It tells whether HAProxy was of another opinion.
func (b *balancer) report(servers []*enginepb.ServerState) (differs bool) {
	probed, down := b.probed(), b.health.down()
	for _, s := range servers {
		word := turn(s.Status)
		if !probed[s.Backend+"/"+s.Name] || word == "MAINT" {
			continue
		}
		differs = differs || down[s.Name] != (word == "DOWN")
		switch {
		case down[s.Name]:
			s.Status = "DOWN"
		case word != "DRAIN":
			s.Status = "UP"
		}
	}
	return differs
}

// probed are the servers and targets that the engine's checks decide on, as "<pool>:<listener>/<member>".
func (b *balancer) probed() map[string]bool {
	members := map[string]bool{}
	for _, c := range b.spec().Checks {
		for _, p := range c.Probes {
			members[c.PoolId+"/"+p.MemberId] = true
		}
	}
	all := map[string]bool{}
	for _, s := range haproxy.Unchecked(b.spec()) {
		pool, _, _ := strings.Cut(s.Backend, ":")
		all[s.Backend+"/"+s.Name] = members[pool+"/"+s.Name]
	}
	for _, d := range b.spec().Datagrams {
		for _, t := range d.Targets {
			all[d.PoolId+":"+d.ListenerId+"/"+t.MemberId] = members[d.PoolId+"/"+t.MemberId]
		}
	}
	return all
}
