package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

var quick = backoff{first: time.Second, cap: 8 * time.Second}

// model is what a queue should be: the ready keys in order, without any of its machinery. The gate of a key is its name's first letter.
type model struct {
	ready   []item // in the order in which they are taken
	next    int
	working map[string]*hand
	pausing map[string]bool
}

// item is a ready key; waits tells that it found no room.
type item struct {
	key   string
	lane  lane
	seq   int
	waits bool
}

// hand is a key in work: as it was, whether it was added since, and whether it has room.
type hand struct {
	item
	again, room bool
}

const modelRoom = 2

func (m *model) index(key string) int {
	return slices.IndexFunc(m.ready, func(i item) bool { return i.key == key })
}

func (m *model) busy(key string) bool {
	return m.index(key) >= 0 || m.working[key] != nil || m.pausing[key]
}

func (m *model) put(i item) {
	m.ready = append(m.ready, i)
	slices.SortFunc(m.ready, func(a, b item) int { return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.seq, b.seq)) })
}

func (m *model) push(key string, in lane, waits bool) {
	m.next++
	m.put(item{key, in, m.next, waits})
}

func (m *model) add(key string) {
	delete(m.pausing, key)
	if w := m.working[key]; w != nil {
		w.again = true
		return
	}
	i := m.index(key)
	switch {
	case i < 0:
		m.push(key, fast, false)
	case m.ready[i].lane == slow:
		waits := m.ready[i].waits
		m.ready = slices.Delete(m.ready, i, i+1)
		m.push(key, fast, waits)
	}
}

// room tells whether a gate has room.
func (m *model) room(key string) bool {
	n := 0
	for k, w := range m.working {
		if k[0] == key[0] && w.room {
			n++
		}
	}
	return n < modelRoom
}

// first is the index of the key that is taken next, or -1.
func (m *model) first() int {
	return slices.IndexFunc(m.ready, func(i item) bool { return !i.waits || m.room(i.key) })
}

func (m *model) take() string {
	i := m.first()
	it := m.ready[i]
	m.ready = slices.Delete(m.ready, i, i+1)
	m.working[it.key] = &hand{item: it, room: it.waits}
	return it.key
}

func (m *model) enter(key string) bool {
	w := m.working[key]
	if w.room {
		return true
	}
	if w.again && w.lane == slow {
		m.next++
		w.lane, w.seq = fast, m.next
	}
	before := slices.ContainsFunc(m.ready, func(i item) bool {
		return i.waits && i.key[0] == key[0] && (i.lane < w.lane || i.lane == w.lane && i.seq < w.seq)
	})
	if m.room(key) && !before {
		w.room = true
		return true
	}
	delete(m.working, key)
	w.waits = true
	m.put(w.item)
	return false
}

func (m *model) end(key string, failed bool) {
	again := m.working[key].again
	delete(m.working, key)
	switch {
	case again:
		m.push(key, fast, false)
	case failed:
		m.pausing[key] = true
	}
}

func (m *model) someWorking(t *rapid.T) (string, bool) {
	if len(m.working) == 0 {
		return "", false
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m.working))).Draw(t, "working"), true
}

// TestQueueModel plays random moves on a queue and on its model.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(backoff{first: time.Hour, cap: time.Hour}, modelRoom)
		defer q.Close()
		m := &model{working: map[string]*hand{}, pausing: map[string]bool{}}
		keys := []string{"a1", "a2", "a3", "a4", "b1", "b2", "b3", "c1"}
		key := rapid.SampledFrom(keys)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				k := key.Draw(t, "key")
				q.Add(k)
				m.add(k)
			},
			"offer": func(t *rapid.T) {
				k := key.Draw(t, "key")
				want := !m.busy(k)
				if got := q.Offer(k); got != want {
					t.Fatalf("Offer(%s) = %v, want %v", k, got, want)
				}
				if want {
					m.push(k, slow, false)
				}
			},
			"offer after": func(t *rapid.T) {
				k := key.Draw(t, "key")
				want := !m.busy(k)
				if got := q.OfferAfter(k, time.Hour); got != want {
					t.Fatalf("OfferAfter(%s) = %v, want %v", k, got, want)
				}
				if want {
					m.pausing[k] = true
				}
			},
			"get": func(t *rapid.T) {
				if m.first() < 0 {
					return // it would wait
				}
				want := m.take()
				if got, ok := q.Get(); got != want || !ok {
					t.Fatalf("Get() = %q, %v, want %q", got, ok, want)
				}
			},
			"enter": func(t *rapid.T) {
				if k, ok := m.someWorking(t); ok {
					want := m.enter(k)
					if got := q.Enter(k, k[:1]); got != want {
						t.Fatalf("Enter(%s) = %v, want %v", k, got, want)
					}
				}
			},
			"done": func(t *rapid.T) {
				if k, ok := m.someWorking(t); ok {
					q.Done(k)
					m.end(k, false)
				}
			},
			"retry": func(t *rapid.T) {
				if k, ok := m.someWorking(t); ok {
					q.Retry(k)
					m.end(k, true)
				}
			},
			"": func(t *rapid.T) { m.check(t, q, keys) },
		})
	})
}

func (m *model) check(t *rapid.T, q *queue, keys []string) {
	for _, k := range keys {
		q.mu.Lock()
		got := q.busy(k)
		q.mu.Unlock()
		if got != m.busy(k) {
			t.Fatalf("busy(%s) = %v, want %v", k, got, m.busy(k))
		}
	}
	if want, got := (State{Ready: len(m.ready), Working: len(m.working), Pausing: len(m.pausing)}), q.state(); got != want {
		t.Fatalf("state %+v, want %+v", got, want)
	}
}

func TestAddIsGotWithoutATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick, 1)
		start := time.Now()
		got := make(chan string)
		go func() { k, _ := q.Get(); got <- k }()
		synctest.Wait() // the worker stands in Get
		q.Add("a")
		if k := <-got; k != "a" || !time.Now().Equal(start) {
			t.Errorf("Get gave %q after %v, want \"a\" at once", k, time.Since(start))
		}
	})
}

func TestRetryPausesLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick, 1)
		q.Add("a")
		for i, limit := range []time.Duration{1, 2, 4, 8, 8} {
			k, _ := q.Get()
			q.Retry(k)
			start := time.Now()
			k, _ = q.Get()
			if d := time.Since(start); d < limit*time.Second/2 || d > limit*time.Second {
				t.Errorf("pause %d was %v, want between half and all of %v", i, d, limit*time.Second)
			}
			q.mu.Lock()
			q.end(k) // as if nothing had happened: the count of failures stays
			q.mu.Unlock()
			q.Add(k)
		}
	})
}

func TestDoneForgetsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick, 1)
		for range 5 {
			q.Add("a")
			k, _ := q.Get()
			q.Retry(k)
		}
		q.Add("a")
		k, _ := q.Get()
		q.Done(k)
		q.Add("a")
		k, _ = q.Get()
		q.Retry(k)
		start := time.Now()
		q.Get()
		if d := time.Since(start); d > time.Second {
			t.Errorf("the first pause after a success was %v, want a second at most", d)
		}
	})
}

func TestAddEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick, 1)
		q.Add("a")
		k, _ := q.Get()
		q.Retry(k)
		start := time.Now()
		q.Add("a")
		q.Get()
		if d := time.Since(start); d != 0 {
			t.Errorf("Get gave the key after %v, want at once", d)
		}
		q.Done("a")
		time.Sleep(time.Minute) // the old timer fires into nothing
		if !q.Offer("a") {
			t.Error("the key is still busy after its work")
		}
		q.Close()
	})
}

func TestCloseEndsGetAndTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(quick, 1)
		q.Add("a")
		q.Get()
		q.Add("b")
		ended := make(chan bool)
		q.OfferAfter("c", time.Second)
		q.Close()
		go func() { _, ok := q.Get(); ended <- ok }()
		if <-ended {
			t.Error("Get gave a key after Close")
		}
		q.Retry("a")
		q.Add("d")
		time.Sleep(time.Minute)
		if _, ok := q.Get(); ok {
			t.Error("Get gave a key after Close")
		}
	})
}

// TestQueueUnderRace lets many add and many work: no key is in two hands, and each Add is followed by work on its key.
func TestQueueUnderRace(t *testing.T) {
	q := newQueue(backoff{first: time.Microsecond, cap: time.Millisecond}, 2)
	const keys, adders, rounds = 10, 8, 200
	var wanted, done [keys]atomic.Int64
	var inHand [keys]atomic.Int32
	var workers, adds sync.WaitGroup
	for w := range 6 {
		workers.Go(func() {
			for n := 0; ; n++ {
				key, ok := q.Get()
				if !ok {
					return
				}
				var i int
				fmt.Sscan(key, &i)
				if !q.Enter(key, fmt.Sprint(i%3)) {
					continue
				}
				if inHand[i].Add(1) != 1 {
					t.Errorf("two workers have %s", key)
				}
				done[i].Store(wanted[i].Load())
				inHand[i].Add(-1)
				if (n+w)%5 == 0 {
					q.Retry(key)
				} else {
					q.Done(key)
				}
			}
		})
	}
	for range adders {
		adds.Go(func() {
			for r := range rounds {
				i := r % keys
				wanted[i].Add(1)
				q.Add(fmt.Sprint(i))
			}
		})
	}
	adds.Wait()
	settle(t, func() bool {
		for i := range keys {
			if done[i].Load() != wanted[i].Load() {
				return false
			}
		}
		return true
	})
	q.Close()
	workers.Wait()
}

// settle waits until something holds that loops bring about.
func settle(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("it did not settle")
}
