package reconcile

import (
	"sync"
	"time"
)

// queue hands keys to workers. A key is in it once however often it is added, no two workers have the same key, and a
// key that is added while a worker has it comes back when the worker is done. No timer stands between an Add and the Get
// that it answers; only what failed waits.
type queue struct {
	backoff backoff

	mu      sync.Mutex
	some    sync.Cond // a key became ready, or the queue closed
	lanes   [2][]entry
	ready   map[string]place       // of each ready key
	pushed  int                    // entries so far
	working map[string]bool        // true once the key was added again
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
}

func newQueue(b backoff) *queue {
	q := &queue{
		backoff: b,
		ready:   map[string]place{},
		working: map[string]bool{},
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
	if _, busy := q.working[key]; busy {
		q.working[key] = true
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
		if key, ok := q.pop(); ok {
			q.working[key] = false
			return key, true
		}
		q.some.Wait()
	}
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
	q.lanes = [2][]entry{}
	q.some.Broadcast()
}

// busy tells whether a key is ready, in work or pausing.
func (q *queue) busy(key string) bool {
	_, ready := q.ready[key]
	_, working := q.working[key]
	return ready || working || q.later[key] != nil
}

// end takes a key from its worker and tells whether it is ready again since it was added meanwhile.
func (q *queue) end(key string) bool {
	again := q.working[key]
	delete(q.working, key)
	if again {
		q.push(key, fast)
	}
	return again
}

// push makes a key ready, or moves it from the slow lane to the fast one; its old entry goes stale.
func (q *queue) push(key string, in lane) {
	if q.closed {
		return
	}
	if was, ok := q.ready[key]; ok && was.lane <= in {
		return
	}
	q.pushed++
	e := entry{key, place{in, q.pushed}}
	q.ready[key] = e.place
	q.lanes[in] = append(q.lanes[in], e)
	q.some.Signal()
}

func (q *queue) pop() (string, bool) {
	for in := range q.lanes {
		for len(q.lanes[in]) > 0 {
			e := q.lanes[in][0]
			q.lanes[in] = q.lanes[in][1:]
			if q.ready[e.key] == e.place {
				delete(q.ready, e.key)
				return e.key, true
			}
		}
	}
	return "", false
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
