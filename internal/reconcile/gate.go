package reconcile

import (
	"cmp"
	"slices"
)

// gate bounds how many keys of one kind are in work, so that where each takes long, keys of other kinds still find a worker. Of which
// kind a key is shows only when a worker looks at it. Those that found no room are ready in lanes of the gate's own, where they lie in
// no other's way.
type gate struct {
	name  string
	busy  int // keys in work
	lanes [2][]entry
}

// Enter asks for room in a gate, until the work on a key ends. Where there is none, or only for others that were ready before, the work
// ends as if it had not begun: the key has its place back, and is given to a worker with the room that it finds then.
func (q *queue) Enter(key, name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w, g := q.working[key], q.gate(name)
	if w.gate == g {
		return true
	}
	if w.again && w.place.lane == slow { // somebody waits for it now
		q.pushed++
		w.place.lane, w.place.seq = fast, q.pushed
	}
	first, waits := q.head(g)
	if g.busy < q.room && !(waits && first.place.before(w.place)) {
		g.busy++
		w.gate = g
		return true
	}
	delete(q.working, key)
	if !q.closed {
		w.place.gate = g
		q.put(entry{key, w.place})
	}
	return false
}

func (q *queue) gate(name string) *gate {
	g := q.gates[name]
	if g == nil {
		g = &gate{name: name}
		q.gates[name] = g
	}
	return g
}

// leave makes room in a gate.
func (q *queue) leave(g *gate) {
	if g == nil {
		return
	}
	g.busy--
	if _, waits := q.head(g); waits {
		q.some.Signal()
	} else if g.busy == 0 {
		delete(q.gates, g.name)
	}
}

// head is the first ready key of a gate.
func (q *queue) head(g *gate) (entry, bool) {
	for in := range g.lanes {
		for len(g.lanes[in]) > 0 {
			if e := g.lanes[in][0]; q.ready[e.key] == e.place {
				return e, true
			}
			g.shift(lane(in))
		}
	}
	return entry{}, false
}

// insert puts an entry among the others of its lane, of which most came before.
func (g *gate) insert(e entry) {
	in := g.lanes[e.place.lane]
	i, _ := slices.BinarySearchFunc(in, e, func(a, b entry) int { return cmp.Compare(a.place.seq, b.place.seq) })
	g.lanes[e.place.lane] = slices.Insert(in, i, e)
}

// shift drops the first entry of a lane.
func (g *gate) shift(in lane) { g.lanes[in] = g.lanes[in][1:] }

// before tells whether a place comes before another.
func (p place) before(o place) bool {
	return cmp.Or(cmp.Compare(p.lane, o.lane), cmp.Compare(p.seq, o.seq)) < 0
}
