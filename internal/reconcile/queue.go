package reconcile

import (
	"sync"
	"time"
)

// queue hands keys to workers. A key is in it once however often it is added, no two workers have the same key, and a
// key that is added while a worker has it comes back when the worker is done. No timer stands between an Add and the Get
// that it answers; only what failed waits, and what finds no room in its gate.
type queue struct {
	backoff backoff
	room    int // in each gate

	mu      sync.Mutex
	some    sync.Cond              // a key became ready, there is room for one, or the queue closed
	open    gate                   // of the ready keys whose gate is not known
	gates   map[string]*gate       // of those that are in work, or that found no room
	ready   map[string]place       // of each ready key
	pushed  int                    // entries so far
	working map[string]*work       // of each key that a worker has
	later   map[string]*time.Timer // pauses
	tries   map[string]int         // failures in a row
	closed  bool
}

// lane orders the ready keys: what somebody waits for goes before what the loop found by looking around.
type lane int

const (
	fast lane = iota
	slow
)

// entry is a key in a lane. It is stale once the key's place is another one.
type entry struct {
	key   string
	place place
}

type place struct {
	lane lane
	seq  int
	gate *gate
}

// work is on a key that a worker has.
type work struct {
	place place // that the key had
	again bool  // it was added since
	gate  *gate // in which it has room, or nil
}

// newQueue returns a queue whose gates have room for so many keys each.
func newQueue(b backoff, room int) *queue {
	q := &queue{
		backoff: b,
		room:    room,
		ready:   map[string]place{},
		working: map[string]*work{},
		gates:   map[string]*gate{},
		later:   map[string]*time.Timer{},
		tries:   map[string]int{},
	}
	q.some.L = &q.mu
	return q
}

// Add makes a key ready at once, even if it is pausing after a failure: somebody changed what is wanted.
func (q *queue) Add(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wake(key)
	if w := q.working[key]; w != nil {
		w.again = true
		return
	}
	q.push(key, fast)
}

// Offer makes a key ready, behind the added ones, unless it is already ready, in work or pausing. It tells whether it did.
func (q *queue) Offer(key string) bool { return q.OfferAfter(key, 0) }

// OfferAfter is Offer for when d has passed; without a timer when d is 0.
func (q *queue) OfferAfter(key string, d time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy(key) {
		return false
	}
	if d > 0 {
		q.pause(key, d)
	} else {
		q.push(key, slow)
	}
	return !q.closed
}

// Get waits for a ready key and gives it to the caller, who must end the work with Done or Retry. It is false once
// the queue is closed.
func (q *queue) Get() (string, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if q.closed {
			return "", false
		}
		if e, ok := q.pop(); ok {
			q.begin(e)
			return e.key, true
		}
		q.some.Wait()
	}
}

// begin gives a key to a worker, with the room that it waited for.
func (q *queue) begin(e entry) {
	w := &work{place: e.place}
	if g := e.place.gate; g != &q.open {
		g.busy++
		w.gate = g
	}
	q.working[e.key] = w
}

// Done ends the work on a key, which succeeded.
func (q *queue) Done(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.tries, key)
	q.end(key)
}

// Retry ends the work on a key, which failed: it comes back after a pause, or at once if it was added meanwhile.
func (q *queue) Retry(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tries[key]++
	if !q.end(key) {
		q.pause(key, q.backoff.pause(q.tries[key]))
	}
}

// Close ends every Get, now and later, and forgets the keys that no worker has.
func (q *queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for key := range q.later {
		q.wake(key)
	}
	clear(q.ready)
	clear(q.gates)
	q.open = gate{}
	q.some.Broadcast()
}

// busy tells whether a key is ready, in work or pausing.
func (q *queue) busy(key string) bool {
	_, ready := q.ready[key]
	return ready || q.working[key] != nil || q.later[key] != nil
}

// end takes a key from its worker and tells whether it is ready again since it was added meanwhile.
func (q *queue) end(key string) bool {
	w := q.working[key]
	delete(q.working, key)
	q.leave(w.gate)
	if w.again {
		q.push(key, fast)
	}
	return w.again
}

// push makes a key ready, or moves it from the slow lane to the fast one; its old entry goes stale.
func (q *queue) push(key string, in lane) {
	if q.closed {
		return
	}
	was, ok := q.ready[key]
	if ok && was.lane <= in {
		return
	}
	at := &q.open
	if ok {
		at = was.gate
	}
	q.pushed++
	q.put(entry{key, place{in, q.pushed, at}})
}

// put makes a key ready at a place.
func (q *queue) put(e entry) {
	q.ready[e.key] = e.place
	e.place.gate.insert(e)
	q.some.Signal()
}

// pop takes the first key for which there is room.
func (q *queue) pop() (first entry, ok bool) {
	first, ok = q.head(&q.open)
	for _, g := range q.gates {
		if e, some := q.head(g); some && g.busy < q.room && (!ok || e.place.before(first.place)) {
			first, ok = e, true
		}
	}
	if ok {
		first.place.gate.shift(first.place.lane)
		delete(q.ready, first.key)
	}
	return first, ok
}

// pause makes a key ready once d has passed.
func (q *queue) pause(key string, d time.Duration) {
	if q.closed {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.later[key] == t { // else it was woken before
			delete(q.later, key)
			q.push(key, slow)
		}
	})
	q.later[key] = t
}

// wake ends the pause of a key.
func (q *queue) wake(key string) {
	if t := q.later[key]; t != nil {
		t.Stop()
		delete(q.later, key)
	}
}
